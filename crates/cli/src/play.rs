//! `headwater play`: a stream into a file or to standard output.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::Args;
use headwater_media::Timestamp;
use headwater_rtmp::command::PlayStart;
use headwater_rtmp::session::PlayOptions;
use serde::Serialize;

use super::incoming::{Incoming, shown};
use super::left_out::{LeftOutReport, counted};
use super::line::Trust;
use super::output;
use super::progress::{Progress, clock};
use super::recording::{ReaderGone, Recording};
use headwater_vod::Item;

/// The buffer that is announced where a film goes into a file: ten hours, so that it comes as fast as it can.
const FILE_BUFFER_MS: u32 = 36_000_000;

/// Play (record) a stream into a file or to standard output.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  headwater play rtmp://localhost/live/demo -o demo.flv --duration 10
  headwater play rtmp://localhost/live/demo -o - | ffplay -")]
pub(super) struct Arguments {
    /// rtmp://HOST/APP/NAME or http://HOST/APP/NAME.flv; rtmps:// and https:// too
    url: String,
    /// The file: FLV, or MP4 if its name ends so; `-` is standard output, in FLV, until nobody reads it any more.
    /// Without it the stream is received and counted only.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Begin here, in seconds from the start of a recording or of a live stream, as far as the server keeps it; below
    /// zero, over HTTP, before now.
    #[arg(long, value_name = "SECONDS", conflicts_with = "live", allow_negative_numbers = true)]
    start: Option<f64>,
    /// Play the live stream only, never a recording of the same name.
    #[arg(long)]
    live: bool,
    /// End after this much media, in seconds.
    #[arg(long, value_name = "SECONDS")]
    duration: Option<f64>,
    #[command(flatten)]
    trust: Trust,
    /// Print what was received as JSON, to standard error if the stream goes to standard output.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize)]
struct Report {
    url: String,
    /// In the order of time; more than one where the stream changed in a way that one MP4 file does not hold.
    files: Vec<String>,
    frames: u64,
    bytes: u64,
    media_seconds: f64,
    first_frame_ms: Option<u128>,
    wall_seconds: f64,
    left_out: LeftOutReport,
    ended: Ending,
    error: Option<String>,
}

/// Why there is no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Ending {
    /// The stream has ended.
    Stream,
    /// As much as was asked for has come.
    Duration,
    /// Ctrl-C.
    Interrupted,
    /// Who read standard output has closed it.
    Reader,
    /// Something went wrong.
    Error,
}

/// Runs the command.
pub(super) async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let began = Instant::now();
    let limit = arguments
        .duration
        .map(|seconds| Timestamp::from_ms(i64::try_from(millis(seconds)).unwrap_or(i64::MAX)));
    let mut progress = Progress::new(&shown(&arguments.url), limit);
    let target = target(&arguments)?;
    let opened = Incoming::open(&target, options(&arguments), &arguments.trust);
    let mut incoming = progress.wait(opened).await.inspect_err(|_| progress.finish())?;
    let mut recording = Recording::create(arguments.output.as_deref())?;
    let mut first_frame = None;
    let received = tokio::select! {
        received = receive(&mut incoming, &mut recording, &mut progress, limit, &mut first_frame) => received,
        interrupted = tokio::signal::ctrl_c() => interrupted.map(|()| Ending::Interrupted).map_err(Into::into),
    };
    progress.finish();
    // What came before an error is kept and playable.
    let finished = recording.finish();
    let received = received.and_then(|ending| finished.map(|()| ending));
    // Who has read enough has what it wanted.
    let received = received.or_else(|error| match error.downcast::<ReaderGone>() {
        Ok(ReaderGone) => Ok(Ending::Reader),
        Err(error) => Err(error),
    });
    let mut left_out = incoming.left_out();
    left_out.merge(&recording.left_out());
    let report = Report {
        url: shown(&arguments.url),
        files: recording.files().iter().map(|path| path.display().to_string()).collect(),
        frames: progress.frames(),
        bytes: progress.bytes(),
        media_seconds: progress.at().as_seconds(),
        first_frame_ms: first_frame.map(|at: Instant| at.duration_since(began).as_millis()),
        wall_seconds: began.elapsed().as_secs_f64(),
        left_out: left_out.into(),
        ended: received.as_ref().map_or(Ending::Error, |ending| *ending),
        error: received.as_ref().err().map(|error| format!("{error:#}")),
    };
    tell(&report, arguments.json, arguments.output.is_some_and(|output| output.as_os_str() == "-"))?;
    let ending = received?;
    let nothing = match report.left_out.messages() {
        0 => "no frame has come",
        _ => "nothing of what came could be used",
    };
    anyhow::ensure!(report.frames > 0 || ending == Ending::Duration, "{}: {nothing}", report.url);
    Ok(())
}

/// The address; over HTTP it says where to begin.
fn target(arguments: &Arguments) -> anyhow::Result<String> {
    let url = &arguments.url;
    match arguments.start {
        Some(start) if url.starts_with("http://") || url.starts_with("https://") => {
            let joint = if url.contains('?') { '&' } else { '?' };
            Ok(format!("{url}{joint}start={start}"))
        }
        Some(start) if start < 0.0 => {
            anyhow::bail!(
                "RTMP knows no time before now: give --start from the stream's beginning, or ask over HTTP"
            )
        }
        _ => Ok(url.clone()),
    }
}

fn options(arguments: &Arguments) -> PlayOptions {
    let start = match (arguments.start, arguments.live) {
        (Some(seconds), _) => PlayStart::Recorded { ms: millis(seconds) },
        (None, true) => PlayStart::Live,
        (None, false) => PlayStart::LiveOrRecorded,
    };
    let to_file = arguments.output.as_deref().is_some_and(|output| output != Path::new("-"));
    let buffer_ms = if to_file { FILE_BUFFER_MS } else { PlayOptions::default().buffer_ms };
    PlayOptions { start, duration_ms: arguments.duration.map(millis), buffer_ms, ..PlayOptions::default() }
}

async fn receive(
    incoming: &mut Incoming,
    recording: &mut Recording,
    progress: &mut Progress,
    limit: Option<Timestamp>,
    first_frame: &mut Option<Instant>,
) -> anyhow::Result<Ending> {
    let mut origin = None;
    while let Some(item) = progress.wait(incoming.next()).await? {
        progress.left_out(incoming.left_out_count());
        if let Item::Frame(frame) = &item {
            let origin = *origin.get_or_insert(frame.dts);
            first_frame.get_or_insert_with(Instant::now);
            if limit.is_some_and(|limit| frame.dts - origin >= limit) {
                return Ok(Ending::Duration);
            }
            progress.frame(frame.dts - origin, frame.payload.len());
        }
        recording.put(item)?;
    }
    Ok(Ending::Stream)
}

fn tell(report: &Report, json: bool, stdout_is_taken: bool) -> anyhow::Result<()> {
    let text = if json {
        serde_json::to_string(report)? + "\n"
    } else {
        let media = clock(Timestamp::from_ms((report.media_seconds * 1000.0) as i64));
        let (frames, left_out) = (counted(report.frames, "frame"), report.left_out.lines());
        let into = match &report.files[..] {
            [] => String::new(),
            files => format!(" into {}", files.join(", ")),
        };
        format!("received {frames}, {} bytes, {media}{into}\n{left_out}", report.bytes)
    };
    if json && !stdout_is_taken {
        return output::print(&text);
    }
    eprint!("{text}");
    Ok(())
}

fn millis(seconds: f64) -> u64 {
    Duration::try_from_secs_f64(seconds.max(0.0))
        .map_or(u64::MAX, |duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
}
