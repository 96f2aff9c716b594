//! The program's one clock: time since it started, monotonic. The hub is told the time in it.

use std::time::{Duration, Instant};

/// Time since the program's start.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Uptime(Instant);

impl Uptime {
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    pub(crate) fn now(self) -> Duration {
        self.0.elapsed()
    }
}
