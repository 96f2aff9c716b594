//! `headwater trace`: an RTMP conversation, shown and explained.
//!
//! The bytes come from a client of our own (`client`), from two peers that we sit between (`proxy`), or from a
//! recording (`saved`). Each conversation has a `tracer`, which gives its bytes to [`headwater_trace`] and what that
//! says of them to the `screen` and to `files`.

mod client;
mod files;
mod options;
mod proxy;
mod saved;
mod screen;
mod tap;
mod tracer;

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::bail;
use clap::Args;
use parking_lot::Mutex;

use headwater_trace::Detail;
use options::Options;
use screen::Screen;

use super::line::Trust;

/// Show an RTMP conversation, step by step, and what deviates in it.
///
/// Plays (or with --publish, publishes) and prints a ladder: each step of the handshake, the connection, the stream
/// and the play or publish is ticked when it is seen, each message stands with its time, its direction (→ from the
/// client, ← from the server), chunk stream (cs), message stream (ms), type, size and meaning. What deviates from the
/// specification, or from what programs in use need, is marked at its place and summed up in a verdict at the end.
///
/// A saved conversation is explained in the same words. With --listen and --to it sits between two programs, passes
/// every byte on untouched, and explains what they say to each other.
#[derive(Debug, Args)]
#[command(after_long_help = "Exit status:
  0  it works, with or without deviations
  1  it does not (the verdict names the step, the likely cause and the mend), or --strict and it deviates
  2  the command line is wrong

Examples:
  headwater trace rtmp://localhost/live/demo
      play for 5 seconds and explain
  headwater trace rtmp://localhost/live/test --publish film.mp4 --seconds 10
      publish a file and explain
  headwater trace --listen 1936 --to localhost:1935 --save talk.capture
      then let OBS or ffmpeg publish to rtmp://localhost:1936/live/NAME
  headwater trace talk.capture --expand
      explain a saved conversation, with whole AMF values
  headwater trace talk.capture --html talk.html
      one page to attach to a report
  headwater trace rtmp://localhost/live/demo --json | jq 'select(.deviations != [])'
      for programs; docs/trace.md names the fields")]
pub(super) struct Arguments {
    /// rtmp://HOST/APP/NAME to play, or a file that --save has written.
    #[arg(value_name = "URL or FILE", required_unless_present = "listen", conflicts_with = "listen")]
    target: Option<String>,
    /// Publish this file (FLV, MP4) instead of playing.
    #[arg(long, value_name = "FILE", conflicts_with = "listen")]
    publish: Option<PathBuf>,
    #[command(flatten)]
    trust: Trust,
    /// How long to play or publish, from the moment when the server lets us.
    #[arg(long, default_value_t = 5.0, value_name = "N", value_parser = seconds)]
    seconds: f64,
    /// Sit between two programs: listen here, PORT (on this machine only) or ADDRESS:PORT.
    #[arg(long, value_name = "PORT", requires = "to")]
    listen: Option<String>,
    /// Pass everything on to this server: HOST or HOST:PORT.
    #[arg(long, value_name = "HOST:PORT", requires = "listen")]
    to: Option<String>,
    /// Show every audio and video message, and every deviation each time.
    #[arg(long)]
    all: bool,
    /// Show AMF values whole, as trees.
    #[arg(long)]
    expand: bool,
    /// Print one JSON object per message and one for the verdict.
    #[arg(long)]
    json: bool,
    /// Write the conversation down, byte for byte, to be explained again. With --listen, every connection but the
    /// first gets a file of its own: FILE.2, FILE.3; in a directory, 1.capture, 2.capture. It holds everything that
    /// was said, stream keys included.
    #[arg(long, value_name = "FILE")]
    save: Option<PathBuf>,
    /// Write one self-contained page: sequence diagram and verdict. Files as with --save.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Exit with 1 also when it works but breaks rules (errors and warnings; notes do not count).
    #[arg(long)]
    strict: bool,
    /// Lay out for so many columns. Without it: the terminal's, else $COLUMNS, else 100.
    #[arg(long, value_name = "COLUMNS")]
    width: Option<usize>,
}

fn seconds(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(value) if value.is_finite() && value > 0.0 && value < 1e6 => Ok(value),
        _ => Err("a number of seconds greater than 0 is wanted".into()),
    }
}

/// Runs the command; the status tells whether the conversation works.
pub(super) async fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let options = Options {
        screen: Arc::new(Mutex::new(Screen::new(arguments.width, arguments.json))),
        detail: Detail { all: arguments.all, expand: arguments.expand },
        save: arguments.save.clone(),
        html: arguments.html.clone(),
        strict: arguments.strict,
        trust: arguments.trust.clone(),
    };
    let done = match (&arguments.listen, &arguments.to, &arguments.target) {
        (Some(listen), Some(to), _) => proxy::run(&options, listen, to).await,
        (_, _, Some(target)) if target.contains("://") => {
            let file = arguments.publish.as_deref();
            client::run(&options, target, file, Duration::from_secs_f64(arguments.seconds)).await
        }
        (_, _, Some(_)) if arguments.publish.is_some() => {
            bail!("--publish needs the address to publish to: rtmp://HOST/APP/NAME")
        }
        (_, _, Some(target)) => saved::run(&options, target),
        _ => bail!("name an address, a saved conversation, or --listen and --to"),
    };
    match done {
        Ok(true) => Ok(ExitCode::SUCCESS),
        Ok(false) => Ok(ExitCode::FAILURE),
        Err(error) if is_broken_pipe(&error) => Ok(ExitCode::SUCCESS),
        Err(error) => Err(error),
    }
}

/// Whether an error is only that nobody reads standard output any more.
fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}
