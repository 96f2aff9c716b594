//! The reader: a worker's position in a stream's log (a recorder, a relay), which loses nothing unsaid.
//!
//! A reader is no viewer: it is not counted as one, is never moved on to keep up, and makes no stream
//! wanted. It reads every frame for as long as the log holds it. If the log's front passes it, it is told
//! exactly what it has lost and goes on at the oldest group that the log holds whole, since frames from the
//! middle of a group are of no use to a decoder, nor to a file that begins with them.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use headwater_media::{Frame, MediaKind, Timestamp};

use crate::awaited::Awaited;
use crate::batch::Batch;
use crate::log::Log;
use crate::name::StreamName;
use crate::position::{Position, Start};
use crate::snapshot::{Snapshot, State};
use crate::stream::Stream;
use crate::wake::{Watch, Watcher};

/// What a reader found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// The batch holds at least one frame.
    Frames,
    /// Frames were lost; what comes next lies behind them. The batch is as it was.
    Lost(Loss),
    /// The broadcast is over and everything has been read or told as lost.
    Ended,
}

/// Frames that a reader has not seen because the log had to let go of them, or of the beginning of their
/// group, before it came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Loss {
    /// Sequence number of the first frame lost.
    pub from: u64,
    /// Sequence number of the frame at which the reader goes on: the start of a group, or the end of the
    /// broadcast.
    pub to: u64,
    /// Media time from the last frame that was read (or, before the first, from where reading was to begin)
    /// to the frame at which the reader goes on, or to the broadcast's last.
    pub duration: Timestamp,
}

impl Loss {
    /// How many frames, of all tracks.
    #[must_use]
    pub const fn frames(&self) -> u64 {
        self.to - self.from
    }
}

/// A worker's cursor in a stream's log.
///
/// Contract: [`read`](Self::read) fills a batch and does not move past it; [`advance`](Self::advance) moves
/// past the frames that have been used. From where it starts to the end of the broadcast every frame is
/// either read or told as lost, in order, once.
#[derive(Debug)]
pub struct Reader {
    stream: Arc<Stream>,
    position: Position,
    seen: Option<u64>,
    lost: u64,
    /// Time of the last frame that was used, or of the one to begin with.
    reached: Option<Timestamp>,
}

impl Reader {
    pub(crate) fn new(stream: Arc<Stream>, start: Start) -> Self {
        stream.readers.fetch_add(1, Ordering::AcqRel);
        let (position, reached) = {
            let inner = stream.inner.lock();
            let position = start.position(&inner.log, inner.state == State::Paused);
            match position {
                Position::At(at) => (position, inner.log.time(at)),
                Position::StartFrom(_) => (position, None),
            }
        };
        Self { stream, position, seen: None, lost: 0, reached }
    }

    /// The stream's name.
    #[must_use]
    pub fn name(&self) -> &StreamName {
        &self.stream.name
    }

    /// Number of the broadcast, as in [`crate::Announcement::broadcast`].
    #[must_use]
    pub fn broadcast(&self) -> u64 {
        self.stream.number
    }

    /// Where the stream stands.
    #[must_use]
    pub fn state(&self) -> State {
        self.stream.state()
    }

    /// The stream in figures.
    #[must_use]
    pub fn snapshot(&self, now: Duration) -> Snapshot {
        self.stream.snapshot(now)
    }

    /// Sequence number of the last frame that was used; what [`crate::DecoderSetup::unseen`] asks for.
    #[must_use]
    pub fn seen(&self) -> Option<u64> {
        self.seen
    }

    /// Frames that this reader has been told as lost.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.lost
    }

    /// Fills `batch` with what comes next, or tells once what was lost before it; `None`: nothing new, wait
    /// for the next call of the watcher. A batch that another cursor at the same place has filled is left
    /// as it is.
    pub fn read(&mut self, batch: &mut Batch) -> Option<Reading> {
        let stream = Arc::clone(&self.stream);
        let inner = stream.inner.lock();
        let log = &inner.log;
        let is_over = inner.state == State::Ended;
        if let Position::StartFrom(from) = self.position
            && let Some(start) = log.start_from(from)
        {
            self.position = Position::At(start);
            self.reached = log.time(start);
        }
        match self.position {
            Position::At(at) if at < log.base() => {
                let to = log.start_from(log.base()).or_else(|| is_over.then(|| log.head()))?;
                Some(Reading::Lost(self.lose(log, at, to)))
            }
            Position::At(at) if at < log.head() => {
                stream.fill(&inner, at, batch);
                Some(Reading::Frames)
            }
            _ => is_over.then_some(Reading::Ended),
        }
    }

    /// Moves past the first `frames` frames of the last batch.
    pub fn advance(&mut self, batch: &Batch, frames: usize) {
        if let Some(last) = frames.checked_sub(1).and_then(|last| batch.frames.get(last)) {
            let next = batch.first + frames as u64;
            self.position = Position::At(next);
            self.seen = Some(next - 1);
            self.reached = Some(last.dts);
        }
    }

    /// Script data that the log holds from before the frame `sequence`, with its numbers: readers begin with pictures or
    /// sound, and what a publisher says before those lies in front of them.
    #[must_use]
    pub fn said_before(&self, sequence: u64) -> Vec<(u64, Frame)> {
        let inner = self.stream.inner.lock();
        let frames = (inner.log.base()..sequence).filter_map(|at| Some((at, inner.log.frame(at)?.clone())));
        frames.filter(|(_, frame)| frame.track.kind == MediaKind::Data).collect()
    }

    /// Has `watcher` called whenever the stream grows or ends, and once soon after this call.
    pub fn watch(&self, watcher: Arc<dyn Watcher>) -> Watch {
        self.stream.audiences.add(watcher)
    }

    /// Turns the reader into one that a task awaits.
    #[must_use]
    pub fn into_awaited(self) -> Awaited<Self> {
        Awaited::new(self, Self::watch)
    }

    fn lose(&mut self, log: &Log, from: u64, to: u64) -> Loss {
        let goes_on = log.time(to).or_else(|| log.newest_time()).unwrap_or(Timestamp::ZERO);
        let reached = self.reached.or_else(|| log.time(log.base())).unwrap_or(goes_on);
        let loss = Loss { from, to, duration: (goes_on - reached).max(Timestamp::ZERO) };
        self.position = Position::At(to);
        self.reached = Some(goes_on);
        self.lost += loss.frames();
        self.stream.frames_lost.fetch_add(loss.frames(), Ordering::Relaxed);
        loss
    }
}

impl Awaited<Reader> {
    /// Waits for frames and passes them out, or tells what was lost before them, or that the broadcast has
    /// ended. Cancel safe: frames count as used only when the call returns.
    pub async fn next(&mut self, batch: &mut Batch) -> Reading {
        loop {
            match self.cursor_mut().read(batch) {
                Some(Reading::Frames) => {
                    self.cursor_mut().advance(batch, batch.frames.len());
                    return Reading::Frames;
                }
                Some(reading) => return reading,
                None => self.rung().await,
            }
        }
    }

    /// The reader itself.
    #[must_use]
    pub fn reader(&self) -> &Reader {
        self.cursor()
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.stream.readers.fetch_sub(1, Ordering::AcqRel);
    }
}
