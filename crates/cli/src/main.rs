//! The binary `headwater`: its commands, and logging to standard error.
//!
//! `serve`, `demo` and `check` are one file, since they take the same configuration, and so are `man` and `completions`;
//! `publish`, `play` and `probe` have a file each, `trace`, `bench` and `check_hls` a folder.

mod bench;
mod check_hls;
mod incoming;
mod left_out;
mod line;
mod line_limit;
mod manual;
mod output;
mod play;
mod probe;
mod progress;
mod publish;
mod recording;
mod serve;
mod trace;

use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use self::line_limit::LineLimit;

/// A streaming media server and client.
///
/// Publish H.264 and AAC over RTMP from OBS, ffmpeg or any encoder; watch over RTMP, HTTP-FLV,
/// WebSocket-FLV or in any browser, without a plug-in.
///
/// Start with `headwater demo`: it runs the server with a built-in moving test picture, and prints the
/// address of a page that shows it.
#[derive(Debug, Parser)]
#[command(
    name = "headwater",
    version,
    max_term_width = 100,
    subcommand_required = true,
    arg_required_else_help = true
)]
struct Arguments {
    /// How much to log to standard error: error, warn, info, debug, trace, or per module
    /// (`info,headwater_server::doors::rtmp=debug`).
    #[arg(long, global = true, env = "HEADWATER_LOG", default_value = "info", value_name = "LEVEL")]
    log: String,
    /// Log one JSON object per line.
    #[arg(long, global = true, env = "HEADWATER_LOG_JSON")]
    log_json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Serve(serve::Arguments),
    Demo(serve::DemoArguments),
    Publish(publish::Arguments),
    Play(play::Arguments),
    Probe(probe::Arguments),
    Trace(trace::Arguments),
    Check(serve::CheckArguments),
    CheckHls(check_hls::Arguments),
    Bench(bench::Arguments),
    Man(manual::ManArguments),
    Completions(manual::CompletionsArguments),
    #[command(hide = true)]
    BenchLoop(bench::bare_loop::Arguments),
}

/// Runs the program; the exit status is 0 when it did what it was asked to.
fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let line_limit = match start_logging(&arguments) {
        Ok(line_limit) => line_limit,
        Err(error) => {
            eprintln!("headwater: {error:#}");
            return ExitCode::from(2);
        }
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("headwater: the system gives no threads or timers: {error}");
            return ExitCode::FAILURE;
        }
    };
    let done = runtime.block_on(async {
        tokio::spawn(line_limit.report());
        match arguments.command {
            Command::Serve(arguments) => serve::run(arguments, false).await,
            Command::Demo(arguments) => serve::run(arguments.server, true).await,
            Command::Publish(arguments) => publish::run(arguments).await,
            Command::Play(arguments) => play::run(arguments).await,
            Command::Probe(arguments) => probe::run(arguments).await,
            Command::Trace(arguments) => return trace::run(arguments).await,
            Command::Check(arguments) => serve::check(&arguments),
            Command::CheckHls(arguments) => return check_hls::run(arguments).await,
            Command::Bench(arguments) => return bench::run(arguments).await,
            Command::Man(arguments) => manual::man(Arguments::command(), &arguments),
            Command::Completions(arguments) => manual::completions(Arguments::command(), &arguments),
            Command::BenchLoop(arguments) => bench::bare_loop::run(&arguments),
        }
        .map(|()| ExitCode::SUCCESS)
    });
    // Whatever still runs is cut; the commands have said farewell before.
    runtime.shutdown_background();
    match done {
        Ok(status) => status,
        Err(error) => {
            eprintln!("headwater: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn start_logging(arguments: &Arguments) -> anyhow::Result<LineLimit> {
    let line_limit = LineLimit::default();
    // It tells of every frame of HTTP/2; who wants that names it.
    let quiet = if arguments.log.contains("h2=") { "" } else { ",h2=off" };
    let filter = tracing_subscriber::EnvFilter::try_new(format!("{}{quiet}", arguments.log))
        .map_err(|error| anyhow::anyhow!("--log {}: {error}. Try --log info", arguments.log))?;
    let logs = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(|| progress::LogWriter)
        .with_target(false);
    if arguments.log_json {
        logs.json().finish().with(line_limit.clone()).init();
    } else {
        let is_terminal = std::io::IsTerminal::is_terminal(&std::io::stderr());
        logs.with_ansi(is_terminal).finish().with(line_limit.clone()).init();
    }
    Ok(line_limit)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_consistent() {
        super::Arguments::command().debug_assert();
    }
}
