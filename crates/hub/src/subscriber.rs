//! The cursor: a viewer's position in a stream's log, and what happens when it falls behind.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use headwater_media::Timestamp;

use crate::cursor::{Range, Watch};
use crate::log::{Batch, Log};
use crate::name::StreamName;
use crate::stream::{Snapshot, State, Stream};
use crate::wake::{Bell, Watcher};

/// Frames that one read returns, at most.
const BATCH_FRAMES_MAX: usize = 256;
/// Payload bytes that one read returns, at most (one larger frame comes alone).
const BATCH_BYTES_MAX: usize = 512 << 10;

/// Where a viewer starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// At the newest keyframe that the log holds: a picture at once.
    NewestKeyframe,
    /// At the next keyframe that comes: no delay behind the publisher, but a wait.
    NextKeyframe,
}

/// What becomes of a viewer that reads too slowly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LagPolicy {
    /// Farther behind than this it jumps to the newest keyframe ahead of it, and the frames between are
    /// counted as skipped. For players.
    SkipToKeyframe {
        /// The lag allowed, in media time.
        lag_max: Timestamp,
    },
    /// It reads every frame that the log still holds. For recorders and segmenters.
    Lossless,
}

/// What a read found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// The batch holds at least one frame.
    Frames,
    /// Nothing new: wait for the next call of the watcher.
    Empty,
    /// The broadcast is over and everything has been read.
    Ended,
}

/// A cursor in a stream's log.
///
/// Contract: [`read`](Self::read) fills a batch and moves nothing; [`advance`](Self::advance) moves past
/// the frames that have been used. Between the two, a viewer that cannot go on costs nothing but this
/// struct.
#[derive(Debug)]
pub struct Subscriber {
    stream: Arc<Stream>,
    start: Start,
    policy: LagPolicy,
    position: Position,
    seen: Option<u64>,
    skipped: u64,
}

#[derive(Clone, Copy, Debug)]
enum Position {
    /// Waits for the first start at or after this sequence.
    StartFrom(u64),
    /// The next frame to read.
    At(u64),
}

impl Subscriber {
    pub(crate) fn new(stream: Arc<Stream>, start: Start, policy: LagPolicy) -> Self {
        stream.viewers.fetch_add(1, Ordering::AcqRel);
        let position = {
            let inner = stream.inner.lock();
            let head = inner.log.head();
            match (start, inner.log.newest_start()) {
                (Start::NewestKeyframe, Some(start)) if inner.state != State::Paused => Position::At(start),
                _ => Position::StartFrom(head),
            }
        };
        Self { stream, start, policy, position, seen: None, skipped: 0 }
    }

    /// The stream's name.
    #[must_use]
    pub fn name(&self) -> &StreamName {
        &self.stream.name
    }

    /// Where the stream stands.
    #[must_use]
    pub fn state(&self) -> State {
        self.stream.state()
    }

    /// The stream in figures.
    #[must_use]
    pub fn snapshot(&self, now: std::time::Duration) -> Snapshot {
        self.stream.snapshot(now)
    }

    /// Sequence number of the last frame that was used; what [`crate::DecoderSetup::unseen`] asks for.
    #[must_use]
    pub fn seen(&self) -> Option<u64> {
        self.seen
    }

    /// Frames that this viewer was moved past because it was too slow.
    #[must_use]
    pub fn skipped(&self) -> u64 {
        self.skipped
    }

    /// Fills `batch` with what comes next and moves nothing. A batch that another viewer at the same place
    /// has filled is left as it is: viewers side by side share it.
    pub fn read(&mut self, batch: &mut Batch) -> Next {
        let stream = Arc::clone(&self.stream);
        let inner = stream.inner.lock();
        let over = inner.state == State::Ended;
        let Some(at) = self.settle(&inner.log) else {
            return if over { Next::Ended } else { Next::Empty };
        };
        if at >= inner.log.head() {
            return if over { Next::Ended } else { Next::Empty };
        }
        if !batch.is_current(stream.number, at, inner.log.head()) {
            batch.fill(stream.number, &inner.log, at, BATCH_FRAMES_MAX, BATCH_BYTES_MAX);
        }
        Next::Frames
    }

    /// Moves past the first `frames` frames of the last batch.
    pub fn advance(&mut self, batch: &Batch, frames: usize) {
        if frames > 0 {
            let next = batch.first + frames as u64;
            self.position = Position::At(next);
            self.seen = Some(next - 1);
        }
    }

    /// Moves to the next keyframe that comes, as after a pause.
    pub fn restart(&mut self, start: Start) {
        let inner = self.stream.inner.lock();
        self.position = match (start, inner.log.newest_start()) {
            (Start::NewestKeyframe, Some(start)) => Position::At(start),
            _ => Position::StartFrom(inner.log.head()),
        };
        self.seen = None;
    }

    /// Has `watcher` called whenever the stream grows or ends, and once soon after this call.
    pub fn watch(&self, watcher: Arc<dyn Watcher>) -> Watch {
        Watch::new(self.stream.audiences.add(watcher))
    }

    /// Where it began.
    pub(crate) fn start(&self) -> Start {
        self.start
    }

    /// The time of the frame that comes next; of one that has not come yet, of the newest.
    pub(crate) fn position(&self) -> Timestamp {
        let inner = self.stream.inner.lock();
        let (Position::At(at) | Position::StartFrom(at)) = self.position;
        inner.log.time(at)
    }

    /// The times that the log holds.
    pub(crate) fn range(&self) -> Range {
        let inner = self.stream.inner.lock();
        Range { from: inner.log.time(inner.log.base()), to: inner.log.time(inner.log.head()) }
    }

    /// Turns the cursor into one that a task awaits.
    #[must_use]
    pub fn into_awaited(self) -> Awaited {
        let bell = Arc::new(Bell::default());
        let watch = self.watch(Arc::clone(&bell) as Arc<dyn Watcher>);
        Awaited { subscriber: self, bell, _watch: watch }
    }

    /// Where to read: honours the start, the trimmed front and the lag policy.
    fn settle(&mut self, log: &Log) -> Option<u64> {
        let at = match self.position {
            Position::At(at) => at,
            Position::StartFrom(from) => {
                let start = log.start_from(from)?;
                self.position = Position::At(start);
                return Some(start);
            }
        };
        let too_late = match self.policy {
            LagPolicy::SkipToKeyframe { lag_max } => at < log.base() || log.lag(at) > lag_max,
            LagPolicy::Lossless => at < log.base(),
        };
        if !too_late {
            return Some(at);
        }
        match log.newest_start() {
            Some(start) if start > at => Some(self.skip(at, start)),
            _ if at >= log.base() => Some(at),
            _ => {
                // The front has passed the cursor and no keyframe is left: wait for the next one.
                self.skip(at, log.head());
                self.position = Position::StartFrom(log.head());
                None
            }
        }
    }

    fn skip(&mut self, from: u64, to: u64) -> u64 {
        let frames = to - from;
        self.skipped += frames;
        self.stream.frames_skipped.fetch_add(frames, Ordering::Relaxed);
        self.position = Position::At(to);
        to
    }
}

impl Drop for Subscriber {
    fn drop(&mut self) {
        self.stream.viewers.fetch_sub(1, Ordering::AcqRel);
    }
}

/// A cursor that a task awaits instead of being called.
#[derive(Debug)]
pub struct Awaited {
    subscriber: Subscriber,
    bell: Arc<Bell>,
    _watch: Watch,
}

impl Awaited {
    /// Waits for frames and passes them out; `false` at the end of the broadcast. Cancel safe: frames
    /// count as used only when the call returns.
    pub async fn next(&mut self, batch: &mut Batch) -> bool {
        loop {
            match self.subscriber.read(batch) {
                Next::Frames => {
                    self.subscriber.advance(batch, batch.frames.len());
                    return true;
                }
                Next::Empty => self.bell.rung().await,
                Next::Ended => return false,
            }
        }
    }

    /// The cursor itself.
    #[must_use]
    pub fn subscriber(&self) -> &Subscriber {
        &self.subscriber
    }
}
