//! `headwater bench`: what viewers cost a server, beside other servers and beside a bare loop, in one run.
//!
//! Servers are measured in turns, a window each, and every figure is a median of its windows: what else the machine
//! does meanwhile falls on all alike. It prints and judges nothing.

pub(super) mod bare_loop;
mod chart;
mod cost;
mod feed;
mod hls_player;
mod keep_alive;
mod player;
mod report;
mod stamp;
mod tally;
mod target;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::{Args, ValueEnum};
use tokio::task::{JoinSet, LocalSet};
use tokio::time::{Instant, sleep, sleep_until};

use self::cost::Cost;
use self::feed::Feed;
use self::report::Report;
use self::tally::{Figures, Tally};
use self::target::{Running, Target};

/// Between two windows: sockets close, and the server takes note.
const PAUSE: Duration = Duration::from_millis(500);
/// How long the first picture of a publisher may take to reach the server's log.
const FEED_LEAD: Duration = Duration::from_millis(300);
/// Players that begin in one second before the window.
const RAMP_PER_SECOND: f64 = 1_000.0;

/// Measure what viewers cost a server, beside other servers and beside a bare loop.
///
/// Each TARGET is one of: `serve` (this program, started for the measurement), `loop` or `loop:MS` (a bare loop that
/// writes the same bytes, each frame at once or gathered for so many milliseconds), `nginx` (its RTMP module, if it
/// is installed), or the address of a running server: rtmp://…, http://….flv, ws://….flv, http://…/index.m3u8. A made stream is published
/// to each, players watch it, and windows are taken in turns.
///
/// CPU is microseconds of the server's time per player and second, memory what the server grew by for each player. On
/// loopback the receiver's work is billed to the sender: compare within one run.
///
/// Example: headwater bench serve loop nginx --players 100,1000 --cpu 0
#[derive(Args, Clone, Debug)]
pub(super) struct Arguments {
    /// What is measured: serve, loop, loop:MS, nginx, or an address.
    #[arg(required = true, value_name = "TARGET")]
    targets: Vec<String>,
    /// How the players of a server that is started here watch.
    #[arg(long, value_enum, default_value_t = Format::Rtmp)]
    format: Format,
    /// How many players; several numbers, with commas, are measured one after the other.
    #[arg(long, value_delimiter = ',', default_value = "100", value_name = "N")]
    players: Vec<u32>,
    /// Streams that the players share; several numbers likewise.
    #[arg(long, value_delimiter = ',', default_value = "1", value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    streams: Vec<u32>,
    /// The pictures of each stream, in kbit/s; there is sound of 64 kbit/s beside them. Several numbers likewise.
    #[arg(long, value_delimiter = ',', default_value = "1000", value_name = "KBPS", value_parser = clap::value_parser!(u32).range(50..=100_000))]
    kbps: Vec<u32>,
    /// Let so many more players a second join during the window, each of which leaves at its first picture.
    #[arg(long, value_name = "N")]
    joins: Option<f64>,
    /// Let so many more players ask for the stream and read nothing of it.
    #[arg(long, default_value_t = 0, value_name = "N")]
    stalled: u32,
    /// Hold the publishers up for so long at the window's begin; then they send at once what has gathered. Latency counts
    /// from when each picture was sent.
    #[arg(long, value_name = "SECONDS", value_parser = super::publish::positive)]
    burst: Option<f64>,
    /// Seconds of each window.
    #[arg(long, default_value_t = 5.0, value_name = "SECONDS", value_parser = super::publish::positive)]
    window: f64,
    /// Seconds between the last player's start and the window; nginx has players wait for the next keyframe, which
    /// takes up to two.
    #[arg(long, default_value_t = 3.0, value_name = "SECONDS", value_parser = super::publish::positive)]
    warmup: f64,
    /// Windows of each target.
    #[arg(long, default_value_t = 3, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,
    /// The configuration of `serve`.
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The process of a server that is named by its address, in the order of the addresses; without it there are
    /// no figures of CPU and memory.
    #[arg(long = "pid", value_name = "PID")]
    pids: Vec<u32>,
    /// Where to publish for an address, in their order; else rtmp://HOST/APP/NAME of that address.
    #[arg(long = "publish", value_name = "URL")]
    publish: Vec<String>,
    /// Publish nothing: what the addresses name is there already, a film for example. There is no latency then.
    #[arg(long, conflicts_with = "publish")]
    no_publish: bool,
    /// Keep the servers that are started here on this processor, and the players off it (Linux).
    #[arg(long, value_name = "N")]
    cpu: Option<usize>,
    /// Print one JSON object in place of the table.
    #[arg(long)]
    json: bool,
    /// Draw how the servers' processor time grows with what was given several numbers, as SVG.
    #[arg(long, value_name = "FILE")]
    chart: Option<PathBuf>,
}

/// What a server has to do in one window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub(super) struct Load {
    players: u32,
    streams: u32,
    kbps: u32,
}

impl Arguments {
    /// Every load that is measured, one after the other.
    fn loads(&self) -> Vec<Load> {
        let mut loads = Vec::new();
        for &players in &self.players {
            for &streams in &self.streams {
                loads.extend(self.kbps.iter().map(|&kbps| Load { players, streams, kbps }));
            }
        }
        loads
    }
}

/// How players watch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// RTMP.
    Rtmp,
    /// HTTP-FLV.
    HttpFlv,
    /// WebSocket-FLV.
    WsFlv,
    /// HLS with low latency: all renditions, each on a connection of its own.
    Hls,
}

/// Runs the command.
pub(super) async fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    if arguments.players.contains(&0) {
        bail!("--players 0: at least one is wanted");
    }
    // Each player is a file descriptor.
    let _ = rlimit::increase_nofile_limit(u64::MAX);
    let targets = Target::parse_all(&arguments)?;
    let mut running = Vec::new();
    for target in targets {
        let label = target.label();
        running.push(target.start(&arguments).await.with_context(|| format!("cannot start {label}"))?);
    }
    if let Some(cpu) = arguments.cpu {
        cost::keep_off(cpu)?;
    }
    let mut report = Report::new(&arguments);
    for load in arguments.loads() {
        for round in 1..=arguments.rounds {
            for server in &running {
                // One thread for all players: what they cost does not depend on where they run.
                let figures = LocalSet::new().run_until(measure(server, load, &arguments)).await?;
                eprintln!(
                    "{} players, window {round} of {}: {}: {}",
                    load.players,
                    arguments.rounds,
                    server.label,
                    report::line(&figures)
                );
                report.add(load, &server.label, figures);
            }
        }
    }
    for server in running {
        server.stop().await;
    }
    if let Some(file) = &arguments.chart {
        let drawn = chart::draw(&report.growth());
        std::fs::write(file, drawn).with_context(|| format!("cannot write {}", file.display()))?;
    }
    match arguments.json {
        true => println!("{}", serde_json::to_string_pretty(&report.json())?),
        false => print!("{}", report.table()),
    }
    Ok(if report.is_complete() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// One window on one server: publishers and players come, are measured, and go.
async fn measure(server: &Running, load: Load, arguments: &Arguments) -> anyhow::Result<Figures> {
    let Load { players, streams, kbps } = load;
    let mut feeds = Vec::new();
    for stream in 0..streams {
        if let Some(publish) = &server.publish {
            feeds.push(Feed::start(numbered(publish, stream, streams), kbps).await?);
        }
    }
    sleep(FEED_LEAD).await;
    let idle = Cost::of(server.pid);
    let tally = Arc::new(Tally::new(players as usize));
    let mut tasks = JoinSet::new();
    for number in 0..arguments.stalled {
        let url = numbered(&server.play, number % streams, streams);
        tasks.spawn_local(player::stall(url, Arc::clone(&tally)));
    }
    let began = Instant::now();
    for number in 0..players {
        sleep_until(began + Duration::from_secs_f64(f64::from(number) / RAMP_PER_SECOND)).await;
        let url = numbered(&server.play, number % streams, streams);
        tasks.spawn_local(player::watch(url, Arc::clone(&tally), number as usize));
    }
    sleep(Duration::from_secs_f64(arguments.warmup)).await;
    let before = Cost::of(server.pid);
    tally.open();
    let window = Duration::from_secs_f64(arguments.window);
    let end = Instant::now() + window;
    if let Some(seconds) = arguments.burst {
        feeds.iter().for_each(|feed| feed.hold(Duration::from_secs_f64(seconds)));
    }
    if let Some(rate) = arguments.joins {
        join_and_leave(server, streams, rate, end, &tally, &mut tasks).await;
    }
    sleep_until(end).await;
    tally.close();
    let after = Cost::of(server.pid);
    tasks.shutdown().await;
    for feed in feeds {
        feed.stop().await;
    }
    sleep(PAUSE).await;
    let rate = server.publish.as_ref().map(|_| feed::bytes_per_second(kbps));
    Ok(tally.figures(window, rate).with_cost(players, window, idle, before, after))
}

/// Lets players join until `end`, `rate` in a second; each leaves at its first picture.
async fn join_and_leave(
    server: &Running,
    streams: u32,
    rate: f64,
    end: Instant,
    tally: &Arc<Tally>,
    tasks: &mut JoinSet<()>,
) {
    let began = Instant::now();
    for number in 0_u32.. {
        let due = began + Duration::from_secs_f64(f64::from(number) / rate.max(0.01));
        if due >= end {
            return;
        }
        sleep_until(due).await;
        let url = numbered(&server.play, number % streams, streams);
        tasks.spawn_local(player::join(url, Arc::clone(tally)));
    }
}

/// The address of one of several streams: its number stands behind the name.
fn numbered(url: &str, stream: u32, streams: u32) -> String {
    if streams == 1 {
        return url.to_owned();
    }
    let (path, query) = url.split_once('?').map_or((url, ""), |(path, query)| (path, query));
    let split = |end: &'static str| path.strip_suffix(end).map(|stem| (stem, end));
    let (stem, end) = split(".flv").or_else(|| split("/index.m3u8")).unwrap_or((path, ""));
    let mark = if query.is_empty() { "" } else { "?" };
    format!("{stem}_{stream}{end}{mark}{query}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_are_numbered_behind_their_names() {
        assert_eq!(numbered("rtmp://h/live/a?key=k", 3, 4), "rtmp://h/live/a_3?key=k");
        assert_eq!(numbered("http://h/live/a.flv", 0, 2), "http://h/live/a_0.flv");
        assert_eq!(numbered("http://h/live/a/index.m3u8", 1, 2), "http://h/live/a_1/index.m3u8");
        assert_eq!(numbered("http://h/live/a.flv", 0, 1), "http://h/live/a.flv");
    }
}
