//! Progress for people: a line on the terminal that says how far and how fast.

use std::io::IsTerminal;
use std::time::Duration;

use headwater_media::Timestamp;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// How often the line is drawn anew.
const DRAW_EVERY: Duration = Duration::from_millis(200);

/// Progress in media time. Silent when standard error is no terminal.
#[derive(Debug)]
pub(super) struct Progress {
    bar: ProgressBar,
    bytes: u64,
    frames: u64,
    at: Timestamp,
    left_out: u64,
}

impl Progress {
    /// `total`: media time that there will be, if it is known.
    pub(super) fn new(what: &str, total: Option<Timestamp>) -> Self {
        let bar = match total {
            Some(total) => ProgressBar::new(millis(total)),
            None => ProgressBar::new_spinner(),
        };
        if !std::io::stderr().is_terminal() {
            bar.set_draw_target(ProgressDrawTarget::hidden());
        }
        let template = match total {
            Some(_) => "{prefix} [{bar:32}] {percent:>3}%  {msg}",
            None => "{spinner} {prefix}  {msg}",
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style.progress_chars("━╸ "));
        }
        bar.set_prefix(what.to_owned());
        bar.enable_steady_tick(DRAW_EVERY);
        Self { bar, bytes: 0, frames: 0, at: Timestamp::ZERO, left_out: 0 }
    }

    /// Notes a frame at media time `at`.
    pub(super) fn frame(&mut self, at: Timestamp, bytes: usize) {
        self.bytes += bytes as u64;
        self.frames += 1;
        self.at = self.at.max(at);
        self.bar.set_position(millis(at));
        let kbps = (self.bytes * 8).checked_div(millis(at)).unwrap_or(0);
        let left_out = match self.left_out {
            0 => String::new(),
            count => format!("  {count} left out"),
        };
        self.bar.set_message(format!("{}  {} frames  {kbps} kbit/s{left_out}", clock(at), self.frames));
    }

    /// Notes how many messages have been left out so far.
    pub(super) fn left_out(&mut self, count: u64) {
        self.left_out = count;
    }

    /// Frames noted.
    pub(super) fn frames(&self) -> u64 {
        self.frames
    }

    /// Bytes noted.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Media time of the newest frame noted.
    pub(super) fn at(&self) -> Timestamp {
        self.at
    }

    /// Takes the line away.
    pub(super) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

/// `h:mm:ss`, as players show it.
pub(super) fn clock(at: Timestamp) -> String {
    let seconds = millis(at) / 1000;
    format!("{}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

fn millis(at: Timestamp) -> u64 {
    u64::try_from(at.as_ms()).unwrap_or(0)
}
