//! The cursor: a viewer's position in a stream's log, and what happens when it falls behind.
//!
//! Who has kept more than the log reads through [`Subscriber::read_all`], which moves nobody on, and comes back with
//! [`Subscriber::join`].

use std::sync::Arc;
use std::sync::atomic::Ordering;

use headwater_media::Timestamp;

use crate::awaited::Awaited;
use crate::batch::Batch;
use crate::cursor::{Cursor, End, Next, Range};
use crate::log::Log;
use crate::name::StreamName;
use crate::position::{Position, Start};
use crate::snapshot::{Snapshot, State};
use crate::stream::{Inner, Stream};
use crate::wake::{Watch, Watcher};

/// How long a viewer waits for a keyframe while frames go by. Then it begins without: there is sound, the head of an
/// answer must not be waited for (proxies give up), and pictures follow from the next keyframe on. Some streams have
/// one a minute, or none but the first.
const KEYFRAME_WAIT: Timestamp = Timestamp::from_ms(2_000);

/// A cursor in a stream's log.
///
/// It starts at a keyframe, unless none has come for two seconds: then its first frames may be pictures that cannot be
/// decoded yet, which a [`KeyframeGate`](headwater_media::flv::KeyframeGate) holds back.
///
/// Contract: [`read`](Self::read) fills a batch and moves nothing; [`advance`](Self::advance) moves past
/// the frames that have been used. Between the two, a viewer that cannot go on costs nothing but this
/// struct.
#[derive(Debug)]
pub struct Subscriber {
    stream: Arc<Stream>,
    start: Start,
    lag_max: Timestamp,
    position: Position,
    seen: Option<u64>,
    skipped: u64,
}

/// Why the log alone cannot give a viewer what comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shortfall {
    /// The frame with this number comes next. The viewer is further behind than it may be, or the log has let go of that
    /// frame; there is a newer keyframe to be moved on to.
    Late(u64),
    /// The frame with this number comes next. The log has let go of it and holds no keyframe.
    Gone(u64),
    /// The viewer begins, and the log holds no keyframe any more.
    NoStart,
}

impl Subscriber {
    pub(crate) fn new(stream: Arc<Stream>, start: Start, lag_max: Timestamp) -> Self {
        stream.viewers.fetch_add(1, Ordering::AcqRel);
        let position = {
            let mut inner = stream.inner.lock();
            inner.want();
            start.position(&inner.log, inner.state == State::Paused)
        };
        Self { stream, start, lag_max, position, seen: None, skipped: 0 }
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
        self.read_from(&stream, &inner, batch)
    }

    /// As [`read`](Self::read), but moves nobody on: what that would have meant comes back in place of it.
    ///
    /// # Errors
    /// [`Shortfall`]; `read` skips.
    pub fn read_all(&mut self, batch: &mut Batch) -> Result<Next, Shortfall> {
        let stream = Arc::clone(&self.stream);
        let inner = stream.inner.lock();
        if let Some(shortfall) = self.shortfall(&inner.log) {
            return Err(shortfall);
        }
        Ok(self.read_from(&stream, &inner, batch))
    }

    /// Goes on with the frame `sequence` for a viewer that has seen everything up to `seen`. Returns false, and does
    /// nothing, if the log has let go of it, or would move the viewer on from there at once.
    pub fn join(&mut self, sequence: u64, seen: Option<u64>) -> bool {
        let log = &self.stream.inner.lock().log;
        let is_late = log.lag(sequence) > self.lag_max && log.newest_start() > Some(sequence);
        let is_there = (log.base()..=log.head()).contains(&sequence) && !is_late;
        if is_there {
            (self.position, self.seen) = (Position::At(sequence), seen);
        }
        is_there
    }

    /// Where a viewer whose next frame, of the time `at`, has the number `sequence` is to be moved on to: the newest
    /// keyframe, if it is further behind than it may be.
    #[must_use]
    pub fn newer_start(&self, sequence: u64, at: Timestamp) -> Option<u64> {
        let log = &self.stream.inner.lock().log;
        let is_late = log.newest_time().is_some_and(|newest| newest - at > self.lag_max);
        log.newest_start().filter(|start| is_late && *start > sequence)
    }

    /// Number of the frame that comes next; none while it waits for a keyframe.
    #[must_use]
    pub fn next(&self) -> Option<u64> {
        match self.position {
            Position::At(at) => Some(at),
            Position::StartFrom(_) => None,
        }
    }

    /// Counts frames that this viewer was moved past elsewhere than in the log.
    pub fn count_skipped(&mut self, frames: u64) {
        self.skipped += frames;
        self.stream.frames_skipped.fetch_add(frames, Ordering::Relaxed);
    }

    /// Number of the broadcast, as in [`Snapshot::broadcast`].
    #[must_use]
    pub fn broadcast(&self) -> u64 {
        self.stream.number
    }

    /// Moves past the first `frames` frames of the last batch.
    pub fn advance(&mut self, batch: &Batch, frames: usize) {
        if frames > 0 {
            self.catch_up(batch.first + frames as u64);
        }
    }

    /// Moves to the frame `next`; what is before it has gone out.
    pub fn catch_up(&mut self, next: u64) {
        self.position = Position::At(next);
        self.seen = next.checked_sub(1);
    }

    /// Moves to the next keyframe that comes, as after a pause.
    pub fn restart(&mut self, start: Start) {
        self.position = start.position(&self.stream.inner.lock().log, false);
        self.seen = None;
    }

    /// Has `watcher` called whenever the stream grows or ends, and once soon after this call.
    pub fn watch(&self, watcher: Arc<dyn Watcher>) -> Watch {
        self.stream.audiences.add(watcher)
    }

    /// The time of the frame that comes next; of one that has not come yet, of the newest.
    #[must_use]
    pub fn position(&self) -> Timestamp {
        let (Position::At(at) | Position::StartFrom(at)) = self.position;
        let log = &self.stream.inner.lock().log;
        log.time(at).or_else(|| log.newest_time()).unwrap_or_default()
    }

    /// Turns the cursor into one that a task awaits.
    #[must_use]
    pub fn into_awaited(self) -> Awaited<Self> {
        Awaited::new(self, Self::watch)
    }

    fn read_from(&mut self, stream: &Stream, inner: &Inner, batch: &mut Batch) -> Next {
        match self.settle(&inner.log) {
            Some(at) if at < inner.log.head() => {
                stream.fill(inner, at, batch);
                Next::Frames
            }
            _ if inner.state == State::Ended => Next::Ended,
            _ => Next::Empty,
        }
    }

    /// Whether [`settle`](Self::settle) would move the viewer on, or begin without a picture.
    fn shortfall(&self, log: &Log) -> Option<Shortfall> {
        match self.position {
            Position::At(at) if at >= log.base() && log.lag(at) <= self.lag_max => None,
            Position::At(at) if log.newest_start().is_some_and(|start| start > at) => {
                Some(Shortfall::Late(at))
            }
            Position::At(at) => (at < log.base()).then_some(Shortfall::Gone(at)),
            // Before the first keyframe of all there is nothing to begin with anywhere.
            Position::StartFrom(from) => {
                let is_cut = log.base() > 0 && from <= log.base();
                (is_cut && log.start_from(from).is_none()).then_some(Shortfall::NoStart)
            }
        }
    }

    /// Where to read: honours the start, the trimmed front and the lag allowed.
    fn settle(&mut self, log: &Log) -> Option<u64> {
        let at = match self.position {
            Position::At(at) => at,
            Position::StartFrom(from) => {
                let from = from.max(log.base());
                let head = || (log.lag(from) >= KEYFRAME_WAIT).then(|| log.head());
                let start = log.start_from(from).or_else(head)?;
                self.position = Position::At(start);
                return Some(start);
            }
        };
        if at >= log.base() && log.lag(at) <= self.lag_max {
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
        self.count_skipped(to - from);
        self.position = Position::At(to);
        to
    }
}

impl Awaited<Subscriber> {
    /// Waits for frames and passes them out; `false` at the end of the broadcast. Cancel safe: frames
    /// count as used only when the call returns.
    pub async fn next(&mut self, batch: &mut Batch) -> bool {
        loop {
            match self.cursor_mut().read(batch) {
                Next::Frames => {
                    self.cursor_mut().advance(batch, batch.frames.len());
                    return true;
                }
                Next::Empty => self.rung().await,
                Next::Ended => return false,
            }
        }
    }

    /// The cursor itself.
    #[must_use]
    pub fn subscriber(&self) -> &Subscriber {
        self.cursor()
    }
}

impl Cursor for Subscriber {
    fn read(&mut self, batch: &mut Batch) -> Next {
        Self::read(self, batch)
    }

    fn advance(&mut self, batch: &Batch, frames: usize) {
        Self::advance(self, batch, frames);
    }

    fn catch_up(&mut self, next: u64) {
        Self::catch_up(self, next);
    }

    fn seen(&self) -> Option<u64> {
        Self::seen(self)
    }

    fn watch(&self, watcher: Arc<dyn Watcher>) -> Watch {
        Self::watch(self, watcher)
    }

    fn restart(&mut self, start: Start) {
        Self::restart(self, start);
    }

    fn resume(&mut self, _seen: Timestamp) {
        Self::restart(self, self.start);
    }

    fn is_waiting(&self) -> bool {
        self.state() == State::Waiting
    }

    fn skipped(&self) -> u64 {
        Self::skipped(self)
    }

    fn position(&self) -> Timestamp {
        Self::position(self)
    }

    fn range(&self) -> Range {
        let log = &self.stream.inner.lock().log;
        let from = log.time(log.base()).unwrap_or_default();
        Range { from, to: log.newest_time().unwrap_or(from) }
    }

    fn seek(&mut self, _at: Timestamp) -> Timestamp {
        Self::position(self)
    }

    fn end(&self) -> Option<End> {
        (self.state() == State::Ended).then_some(End::Over)
    }
}

impl Drop for Subscriber {
    fn drop(&mut self) {
        self.stream.viewers.fetch_sub(1, Ordering::AcqRel);
    }
}
