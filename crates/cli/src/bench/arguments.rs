//! What the command line of `headwater bench` says.

use std::path::PathBuf;

use anyhow::bail;
use clap::{Args, ValueEnum};

use super::player::Place;

/// Players that join or seek in one second, at most: more than one thread can let in.
const RATE_MAX: f64 = 10_000.0;
/// Seconds that a part of a measurement takes, at most: a day.
const SECONDS_MAX: f64 = 86_400.0;

/// Measure what viewers cost a server, beside other servers and beside a bare loop.
///
/// Each TARGET is one of: `serve` (this program, started for the measurement; `serve:live`, `serve:window` and `serve:record`
/// keep of their streams nothing, their windows, or windows and recordings), `loop` or `loop:MS` (a bare loop that
/// writes the same bytes, each frame at once or gathered for so many milliseconds), `nginx` (its RTMP module, if it
/// is installed), or the address of a running server: rtmp://…, http://….flv, ws://….flv, http://…/index.m3u8. A made stream is published
/// to each, players watch it, and windows are taken in turns.
///
/// CPU is microseconds of the server's time per player and second, memory what the server grew by for each player. On
/// loopback the receiver's work is billed to the sender: compare within one run.
///
/// Example: headwater bench serve loop nginx --players 100,1000 --cpu 0
///
/// What recording costs: headwater bench serve:live serve:window serve:record --players 0 --streams 1,100,500 --cpu 0
///
/// Going back, and a clip: headwater bench serve:window --past 3600 --rewound 100 --seeks 20 --clip 60 --rounds 1
#[derive(Args, Clone, Debug)]
pub(crate) struct Arguments {
    /// What is measured: serve, serve:live, serve:window, serve:record, loop, loop:MS, nginx, or an address.
    #[arg(required = true, value_name = "TARGET")]
    pub(super) targets: Vec<String>,
    /// How the players of a server that is started here watch.
    #[arg(long, value_enum, default_value_t = Format::Rtmp)]
    pub(super) format: Format,
    /// How many players; several numbers, with commas, are measured one after the other. With 0 the streams are what is
    /// measured.
    #[arg(long, value_delimiter = ',', default_value = "100", value_name = "N", value_parser = clap::value_parser!(u32).range(0..=100_000))]
    pub(super) players: Vec<u32>,
    /// Streams that the players share; several numbers likewise.
    #[arg(long, value_delimiter = ',', default_value = "1", value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(super) streams: Vec<u32>,
    /// The pictures of each stream, in kbit/s; there is sound of 64 kbit/s beside them. Several numbers likewise.
    #[arg(long, value_delimiter = ',', default_value = "1000", value_name = "KBPS", value_parser = clap::value_parser!(u32).range(50..=100_000))]
    pub(super) kbps: Vec<u32>,
    /// Let so many more players a second join during the window, each of which leaves at its first picture.
    #[arg(long, value_name = "N", value_parser = rate)]
    pub(super) joins: Option<f64>,
    /// Let so many more players ask for the stream and read nothing of it.
    #[arg(long, default_value_t = 0, value_name = "N", value_parser = clap::value_parser!(u32).range(0..=100_000))]
    pub(super) stalled: u32,
    /// Hold the publishers up for so long at the window's begin; then they send at once what has gathered. Latency counts
    /// from when each picture was sent.
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub(super) burst: Option<f64>,
    /// Publish so many seconds of each stream at once before the players come, as fast as they are kept: what is gone back
    /// in. Windows of serve:window and serve:record are so long, those of serve are as configured.
    #[arg(long, default_value_t = 0, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(0..=86_400))]
    pub(super) past: u32,
    /// Let so many more players begin in that past, evenly apart, and play on from there.
    #[arg(long, default_value_t = 0, value_name = "N", value_parser = clap::value_parser!(u32).range(0..=100_000))]
    pub(super) rewound: u32,
    /// Let so many more players a second go to a place in that past, taken at random, and leave at its picture.
    #[arg(long, value_name = "N", value_parser = rate)]
    pub(super) seeks: Option<f64>,
    /// Fetch a clip of so many seconds of that past in each window.
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..=3_600))]
    pub(super) clip: Option<u32>,
    /// Seconds of each window.
    #[arg(long, default_value_t = 5.0, value_name = "SECONDS", value_parser = seconds)]
    pub(super) window: f64,
    /// Seconds between the last player's start and the window; nginx has players wait for the next keyframe, which
    /// takes up to two.
    #[arg(long, default_value_t = 3.0, value_name = "SECONDS", value_parser = seconds)]
    pub(super) warmup: f64,
    /// Windows of each target.
    #[arg(long, default_value_t = 3, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100))]
    pub(super) rounds: u32,
    /// The configuration of `serve`.
    #[arg(short, long, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    /// The process of a server that is named by its address, in the order of the addresses; without it there are
    /// no figures of CPU and memory.
    #[arg(long = "pid", value_name = "PID")]
    pub(super) pids: Vec<u32>,
    /// Where to publish for an address, in their order; else rtmp://HOST/APP/NAME of that address.
    #[arg(long = "publish", value_name = "URL")]
    pub(super) publish: Vec<String>,
    /// Publish nothing: what the addresses name is there already, a film for example. There is no latency then.
    #[arg(long, conflicts_with = "publish")]
    pub(super) no_publish: bool,
    /// Keep the servers that are started here on this processor, and the players off it (Linux).
    #[arg(long, value_name = "N")]
    pub(super) cpu: Option<usize>,
    /// Print one JSON object in place of the table.
    #[arg(long)]
    pub(super) json: bool,
    /// Draw how the servers' processor time grows with what was given several numbers, as SVG.
    #[arg(long, value_name = "FILE")]
    pub(super) chart: Option<PathBuf>,
}

/// What a server has to do in one window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub(super) struct Load {
    pub(super) players: u32,
    pub(super) streams: u32,
    pub(super) kbps: u32,
}

impl Arguments {
    /// Every load that is measured, one after the other.
    pub(super) fn loads(&self) -> Vec<Load> {
        let mut loads = Vec::new();
        for &players in &self.players {
            for &streams in &self.streams {
                loads.extend(self.kbps.iter().map(|&kbps| Load { players, streams, kbps }));
            }
        }
        loads
    }

    /// Where one of the players begins that are behind the head.
    pub(super) fn place(&self, nth: u32) -> Place {
        let part = u64::from(self.past) * u64::from(nth) / u64::from(self.rewound.max(1));
        Place::At(part as u32)
    }

    /// A place as if by chance, the same in every run.
    pub(super) fn any_place(&self, nth: u32) -> Place {
        Place::At(nth.wrapping_mul(2_654_435_769) % self.past.max(1))
    }

    /// Whether it can be measured at all.
    pub(super) fn check(&self) -> anyhow::Result<()> {
        let seeks = self.seeks.is_some_and(|rate| rate > 0.0);
        let goes_back = self.rewound > 0 || seeks || self.clip.is_some();
        if goes_back && self.past == 0 {
            bail!("--rewound, --seeks and --clip need --past SECONDS to go back in");
        }
        if self.clip.is_some_and(|seconds| seconds > self.past) {
            bail!("--clip: there are no more than the --past of {} s", self.past);
        }
        if self.players.contains(&0) && self.no_publish {
            bail!("--players 0: with --no-publish at least one is wanted");
        }
        match self.format {
            Format::Hls if self.rewound > 0 || seeks => {
                bail!("--format hls: players of HLS go back by themselves; --format rtmp or ws-flv is wanted")
            }
            Format::HttpFlv if self.rewound > 0 => bail!(
                "--rewound: a player that reads all that comes over HTTP-FLV is at the head at once; --format rtmp or ws-flv \
                 is wanted"
            ),
            _ => Ok(()),
        }
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

/// How many in a second.
fn rate(text: &str) -> Result<f64, String> {
    let rate = text.parse::<f64>().ok().filter(|rate| (0.0..=RATE_MAX).contains(rate));
    rate.ok_or_else(|| format!("a number from 0 to {RATE_MAX} is wanted"))
}

fn seconds(text: &str) -> Result<f64, String> {
    let seconds = text.parse::<f64>().ok().filter(|seconds| *seconds > 0.0 && *seconds <= SECONDS_MAX);
    seconds.ok_or_else(|| format!("a number of seconds greater than 0, and {SECONDS_MAX} at most, is wanted"))
}

#[cfg(test)]
pub(super) mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        arguments: Arguments,
    }

    /// What stands behind `bench` on a command line, parted at blanks.
    pub(in super::super) fn parse(line: &str) -> Result<Arguments, clap::Error> {
        let line = std::iter::once("bench").chain(line.split(' '));
        Line::try_parse_from(line).map(|line| line.arguments)
    }

    #[test]
    fn rates_and_times_are_numbers_within_bounds() {
        for flag in ["--seeks", "--joins"] {
            for (value, is_good) in [
                ("0", true),
                ("0.5", true),
                ("10000", true),
                ("10001", false),
                ("inf", false),
                ("nan", false),
                ("-1", false),
                ("x", false),
            ] {
                let parsed = parse(&format!("serve {flag}={value}"));
                assert_eq!(parsed.is_ok(), is_good, "{flag} {value}");
                let said = parsed.err().map(|error| error.to_string());
                assert!(said.is_none_or(|said| said.contains("a number from 0 to 10000 is wanted")));
            }
        }
        for flag in ["--window", "--warmup", "--burst"] {
            for value in ["0", "1e300", "inf", "nan", "-1"] {
                assert!(parse(&format!("serve {flag}={value}")).is_err(), "{flag} {value}");
            }
        }
        // None at all is nothing to go back in.
        assert!(parse("serve --seeks 0").unwrap().check().is_ok());
        assert!(parse("serve --seeks 0.1").unwrap().check().is_err());
    }
}
