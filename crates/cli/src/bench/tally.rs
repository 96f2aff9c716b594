//! What players see within a window, and what becomes of it as figures.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use parking_lot::Mutex;
use serde::Serialize;

use super::cost::Cost;
use super::kept::{Clip, Kept};
use super::stamp::{Stamp, now};

/// A player has all if it gets this part of what was published.
const ALL: f64 = 0.95;
/// The players' thread has nothing to spare where it was idle for no more than the rest of the window.
const PLAYERS_LIMIT: f64 = 0.95;
/// A publisher that is so late does not only wait for its turn.
const PUBLISHERS_LIMIT_MS: f64 = 500.0;

/// What the players of one window have seen.
#[derive(Debug)]
pub(super) struct Tally {
    is_open: AtomicBool,
    /// Bytes of each player within the window.
    bytes: Vec<AtomicU64>,
    /// The first so many players are at the head of their streams, the others behind it.
    at_head: usize,
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    messages: u64,
    lost: u64,
    failed: u64,
    /// Nanoseconds.
    latencies: Vec<u64>,
    joins: Vec<u64>,
    seeks: Vec<u64>,
    /// What the first one that failed said.
    first_failure: Option<String>,
}

impl Tally {
    pub(super) fn new(players: u32, rewound: u32) -> Self {
        let bytes = (0..players + rewound).map(|_| AtomicU64::default()).collect();
        let at_head = players as usize;
        Self { is_open: AtomicBool::new(false), bytes, at_head, seen: Mutex::default() }
    }

    /// The window begins.
    pub(super) fn open(&self) {
        self.is_open.store(true, Relaxed);
    }

    /// The window ends.
    pub(super) fn close(&self) {
        self.is_open.store(false, Relaxed);
    }

    /// A player has got a message of so many bytes; `last` is the number of the last stamped picture before it.
    pub(super) fn message(&self, player: usize, bytes: usize, stamp: Option<Stamp>, last: Option<u64>) {
        if !self.is_open.load(Relaxed) {
            return;
        }
        if let Some(sum) = self.bytes.get(player) {
            sum.fetch_add(bytes as u64, Relaxed);
        }
        let mut seen = self.seen.lock();
        seen.messages += 1;
        if let Some(stamp) = stamp {
            if player < self.at_head {
                seen.latencies.push(now().saturating_sub(stamp.sent));
            }
            seen.lost += last.map_or(0, |last| stamp.number.saturating_sub(last + 1));
        }
    }

    /// A player has its first picture, so many nanoseconds after it began to connect.
    pub(super) fn joined(&self, nanos: u64) {
        self.seen.lock().joins.push(nanos);
    }

    /// A player has the picture of a place behind the head, so many nanoseconds after it began to connect.
    pub(super) fn found(&self, nanos: u64) {
        self.seen.lock().seeks.push(nanos);
    }

    /// A player has lost its connection, or never had one.
    pub(super) fn failed(&self, error: &anyhow::Error) {
        let mut seen = self.seen.lock();
        seen.failed += 1;
        seen.first_failure.get_or_insert_with(|| format!("{error:#}"));
    }

    /// The figures of a window of that length, where `rate` bytes a second were published to each player.
    pub(super) fn figures(&self, window: Duration, rate: Option<f64>) -> Figures {
        let mut seen = self.seen.lock();
        let seconds = window.as_secs_f64();
        let bytes: Vec<u64> = self.bytes.iter().map(|bytes| bytes.load(Relaxed)).collect();
        let total: u64 = bytes.iter().sum();
        let wanted = rate.map(|rate| rate * seconds);
        let full = wanted.map(|wanted| bytes.iter().filter(|&&bytes| bytes as f64 >= wanted * ALL).count());
        seen.latencies.sort_unstable();
        seen.joins.sort_unstable();
        seen.seeks.sort_unstable();
        Figures {
            mbit_s: total as f64 * 8e-6 / seconds,
            messages: seen.messages,
            pictures_lost: seen.lost,
            players_failed: seen.failed,
            first_failure: seen.first_failure.clone(),
            full_share: full.filter(|_| !bytes.is_empty()).map(|full| full as f64 / bytes.len() as f64),
            latency_ms: Percentiles::of(&seen.latencies),
            join_ms: Percentiles::of(&seen.joins),
            seek_ms: Percentiles::of(&seen.seeks),
            seeks: seen.seeks.len(),
            clip: None,
            kept: None,
            players_busy: None,
            publishers_behind_ms: None,
            cpu_us: None,
            cpu_share: None,
            memory_kb: None,
            grown_mb: None,
        }
    }
}

/// The figures of a window.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Figures {
    /// What all players got together.
    pub(super) mbit_s: f64,
    pub(super) messages: u64,
    /// Pictures that were published and that players who got later ones never got.
    pub(super) pictures_lost: u64,
    pub(super) players_failed: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) first_failure: Option<String>,
    /// The part of the players that got at least 95 % of what was published.
    pub(super) full_share: Option<f64>,
    /// From the publisher's send to the last byte at the player.
    pub(super) latency_ms: Option<Percentiles>,
    /// From `connect` to the last byte of the first keyframe.
    pub(super) join_ms: Option<Percentiles>,
    /// The same to the keyframe of a place behind the head.
    pub(super) seek_ms: Option<Percentiles>,
    /// How many those were.
    pub(super) seeks: usize,
    pub(super) clip: Option<Clip>,
    /// What came on the disk since the first publisher.
    pub(super) kept: Option<Kept>,
    /// The part of the window in which the players' thread ran or waited for a processor.
    pub(super) players_busy: Option<f64>,
    /// How late the last frame of the publisher was that was the latest.
    pub(super) publishers_behind_ms: Option<f64>,
    /// Microseconds of the server's time for each player and second; without players, for each stream.
    pub(super) cpu_us: Option<f64>,
    /// The server's time as a part of one processor's.
    pub(super) cpu_share: Option<f64>,
    /// What the server has grown by for each of them, in units of 1,000 bytes.
    pub(super) memory_kb: Option<f64>,
    /// What it has grown by, in units of 1,000,000 bytes.
    pub(super) grown_mb: Option<f64>,
}

impl Figures {
    /// Whether the players could not have taken more: what they got tells of them, and not of the server.
    pub(super) fn are_players_at_their_limit(&self) -> bool {
        self.players_busy.is_some_and(|busy| busy >= PLAYERS_LIMIT)
    }

    /// Whether publishers could not send what they should, when they should.
    pub(super) fn are_publishers_at_their_limit(&self) -> bool {
        self.publishers_behind_ms.is_some_and(|ms| ms >= PUBLISHERS_LIMIT_MS)
    }

    /// What windows have on the disk, in units of 1,000,000 bytes; none if nothing.
    pub(super) fn window_mb(&self) -> Option<f64> {
        self.kept.map(|kept| kept.window_disk_bytes as f64 / 1e6).filter(|mb| *mb > 0.0)
    }

    /// What recordings have, likewise.
    pub(super) fn recordings_mb(&self) -> Option<f64> {
        self.kept.map(|kept| kept.recordings_bytes as f64 / 1e6).filter(|mb| *mb > 0.0)
    }

    /// Frames that are missing in windows, and parts that are in recordings.
    pub(super) fn not_kept(&self) -> (u64, u64) {
        self.kept.map_or((0, 0), |kept| (kept.window_lost_frames, kept.recording_lost_parts))
    }

    /// With what the window cost the server: `idle` was taken before its `shares` came, players or streams.
    pub(super) fn with_cost(
        mut self,
        shares: u32,
        window: Duration,
        idle: Option<Cost>,
        before: Option<Cost>,
        after: Option<Cost>,
    ) -> Self {
        let shares = f64::from(shares);
        self.cpu_share = before
            .zip(after)
            .map(|(before, after)| after.cpu.saturating_sub(before.cpu).as_secs_f64() / window.as_secs_f64());
        self.cpu_us = self.cpu_share.map(|share| share * 1e6 / shares);
        self.grown_mb = idle.zip(after).map(|(idle, after)| (after.bytes as f64 - idle.bytes as f64) / 1e6);
        self.memory_kb = self.grown_mb.map(|grown| grown * 1e3 / shares);
        self
    }
}

/// Of times in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(super) struct Percentiles {
    pub(super) p50: f64,
    pub(super) p99: f64,
    pub(super) max: f64,
}

impl Percentiles {
    /// Of sorted nanoseconds; none of nothing.
    fn of(sorted: &[u64]) -> Option<Self> {
        let max = *sorted.last()?;
        let at = |part: f64| sorted[((sorted.len() - 1) as f64 * part).round() as usize];
        let ms = |nanos: u64| nanos as f64 / 1e6;
        Some(Self { p50: ms(at(0.5)), p99: ms(at(0.99)), max: ms(max) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_comes_within_the_window_counts_and_a_gap_is_a_loss() {
        let tally = Tally::new(2, 0);
        let stamp = |number| Some(Stamp { number, sent: now() });
        tally.message(0, 1_000, stamp(1), None);
        tally.open();
        tally.message(0, 1_000, stamp(2), Some(1));
        tally.message(0, 1_000, stamp(5), Some(2));
        tally.message(0, 200, None, Some(5));
        tally.close();
        tally.message(1, 1_000, stamp(6), Some(5));
        tally.joined(3_000_000);
        tally.failed(&anyhow::anyhow!("gone"));
        let figures = tally.figures(Duration::from_secs(1), Some(2_200.0));
        assert_eq!((figures.messages, figures.pictures_lost, figures.players_failed), (3, 2, 1));
        assert_eq!((figures.full_share, figures.join_ms.map(|join| join.p50)), (Some(0.5), Some(3.0)));
        assert!((figures.mbit_s - 0.0176).abs() < 1e-9);
        assert_eq!(figures.first_failure.as_deref(), Some("gone"));
    }

    #[test]
    fn percentiles_are_of_what_there_is() {
        assert_eq!(Percentiles::of(&[]), None);
        let sorted: Vec<u64> = (0..=100).map(|ms| ms * 1_000_000).collect();
        assert_eq!(Percentiles::of(&sorted), Some(Percentiles { p50: 50.0, p99: 99.0, max: 100.0 }));
    }

    #[test]
    fn cost_is_shared_among_the_players() {
        let figures = Tally::new(1, 0).figures(Duration::from_secs(2), None);
        let cost = |ms, bytes| Some(Cost { cpu: Duration::from_millis(ms), bytes });
        let window = Duration::from_secs(2);
        let with = figures.with_cost(10, window, cost(0, 1_000_000), cost(100, 0), cost(300, 1_080_000));
        assert_eq!((with.cpu_us, with.memory_kb), (Some(10_000.0), Some(8.0)));
    }
}
