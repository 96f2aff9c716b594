//! Until when a session waits for its peer. It has no clock: times are durations since a moment of the caller's.

use std::time::Duration;

/// How long a session waits for its peer. [`Duration::MAX`] waits for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// Until something is published or played, from the beginning on and again when nothing is any more.
    pub setup: Duration,
    /// For the next byte of a peer that sends media: a publisher, or the server that we play from.
    pub read: Duration,
    /// For a peer to take something of what waits for it.
    pub write: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self { setup: Duration::from_secs(30), read: Duration::from_secs(30), write: Duration::from_secs(10) }
    }
}

/// The peer was waited for in vain, for as long as one of [`Timeouts`] says. Close the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TimedOut {
    /// [`Timeouts::setup`].
    #[error("nothing was published or played within {} ms", .0.as_millis())]
    Setup(Duration),
    /// [`Timeouts::read`].
    #[error("the peer sent nothing for {} ms", .0.as_millis())]
    Read(Duration),
    /// [`Timeouts::write`].
    #[error("the peer took nothing for {} ms", .0.as_millis())]
    Write(Duration),
}

/// What the streams of a session are used for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Usage {
    /// Something is published or played.
    pub(super) any: bool,
    /// The peer sends media.
    pub(super) peer_sends: bool,
}

/// Since when what is waited for.
#[derive(Debug)]
pub(super) struct Deadlines {
    timeouts: Timeouts,
    /// When something was last published or played, or the beginning.
    used: Duration,
    heard: Duration,
    /// Since when the peer has taken nothing of what waits for it.
    stalled: Option<Duration>,
    written: u64,
}

impl Deadlines {
    pub(super) const fn new(timeouts: Timeouts, now: Duration) -> Self {
        Self { timeouts, used: now, heard: now, stalled: None, written: 0 }
    }

    pub(super) fn heard(&mut self, now: Duration, usage: Usage) {
        self.heard = now;
        self.pass(now, usage);
    }

    pub(super) fn sent(&mut self, now: Duration, written: u64, waits: bool, usage: Usage) {
        let since = self.stalled.filter(|_| written == self.written).unwrap_or(now);
        self.stalled = waits.then_some(since);
        self.written = written;
        self.pass(now, usage);
    }

    pub(super) fn next(&self, usage: Usage) -> Option<Duration> {
        self.all(usage).into_iter().flatten().map(|(deadline, _)| deadline).min()
    }

    pub(super) fn check(&mut self, now: Duration, usage: Usage) -> Result<(), TimedOut> {
        self.pass(now, usage);
        let passed = self.all(usage).into_iter().flatten().find(|(deadline, _)| now >= *deadline);
        passed.map_or(Ok(()), |(_, timed_out)| Err(timed_out))
    }

    /// Something that was published or played has stopped with what was heard last.
    pub(super) fn stopped(&mut self) {
        self.used = self.used.max(self.heard);
    }

    fn pass(&mut self, now: Duration, usage: Usage) {
        if usage.any {
            self.used = now;
        }
    }

    fn all(&self, usage: Usage) -> [Option<(Duration, TimedOut)>; 3] {
        let Timeouts { setup, read, write } = self.timeouts;
        let after = |since: Duration, limit: Duration, timed_out: fn(Duration) -> TimedOut| {
            let deadline = since.checked_add(limit).filter(|_| limit < Duration::MAX)?;
            Some((deadline, timed_out(limit)))
        };
        [
            (!usage.any).then(|| after(self.used, setup, TimedOut::Setup)).flatten(),
            usage.peer_sends.then(|| after(self.heard, read, TimedOut::Read)).flatten(),
            self.stalled.and_then(|since| after(since, write, TimedOut::Write)),
        ]
    }
}
