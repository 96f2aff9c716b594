//! The cursor: a viewer's place in what it watches, whatever that is.
//!
//! A live stream's log, a broadcast's archive and a film are watched the same way: a cursor is read, moved on and
//! called when there is more. Nobody who holds one asks which of them it is; what differs between them is said by
//! what a cursor can do.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use headwater_media::Timestamp;

use crate::batch::Batch;
use crate::position::Start;
use crate::wake::{Watch, Watcher};

/// A place in a stream, live or recorded, and the way on from there.
///
/// Contract: [`read`](Self::read) fills a batch and moves nothing; [`advance`](Self::advance) moves past the frames of
/// that batch that have gone out, since a write may stop within it. Cursors that stand side by side in one log fill one
/// batch: its [version](Batch::version) tells whether what was made of it still holds. When `read` finds nothing, the
/// watcher is called as soon as there is more.
///
/// Times are those of what is watched: a film's begin at zero, a broadcast's with its first frame.
pub trait Cursor: fmt::Debug + Send + Sync {
    /// Fills `batch` with what comes next and moves nothing.
    fn read(&mut self, batch: &mut Batch) -> Next;

    /// Moves past the first `frames` frames of the batch that was read last.
    fn advance(&mut self, batch: &Batch, frames: usize);

    /// Moves to the frame `next`, past frames that have gone out without this cursor: others that stood at the same place
    /// have read them. Only asked for behind a batch of a log that [was all](Batch::is_all) there was: who
    /// hands on batches of another cursor hands this on, and who makes its own has nothing to do.
    fn catch_up(&mut self, next: u64);

    /// Number of the last frame that was used; what [`crate::DecoderSetup::unseen`] asks for.
    fn seen(&self) -> Option<u64>;

    /// Has `watcher` called whenever there is something to read, and once soon after this call, never within it: who
    /// asks may hold what the watcher needs.
    fn watch(&self, watcher: Arc<dyn Watcher>) -> Watch;

    /// Moves to where a decoder can begin anew: forward to a keyframe of a live stream, back to the one before of what
    /// is recorded. Everything that a decoder must know is told again.
    fn restart(&mut self, start: Start);

    /// Goes on after a rest: of what is live and [cannot](Self::can_seek) be sought in, where a viewer begins; of
    /// everything else, behind what a viewer has that holds everything up to `seen` and has thrown away the rest.
    fn resume(&mut self, seen: Timestamp);

    /// Whether nobody has published yet what is watched.
    fn is_waiting(&self) -> bool {
        false
    }

    /// Frames that the viewer was moved past because it was too slow.
    fn skipped(&self) -> u64 {
        0
    }

    /// The time at which the viewer's own time begins, where that is not the first frame that it gets.
    fn origin(&self) -> Option<Timestamp> {
        None
    }

    /// The time of the first frame that has not gone out.
    fn position(&self) -> Timestamp;

    /// The times that can be asked for now.
    fn range(&self) -> Range;

    /// Whether any time of the [range](Self::range) can be gone to: the viewer can seek, and stand still.
    fn can_seek(&self) -> bool {
        false
    }

    /// How long it is; `None` of what goes on as long as its broadcast does.
    fn length(&self) -> Option<Timestamp> {
        None
    }

    /// Goes to the keyframe at or before `at`; where that is comes back. Everything that a decoder must know is told
    /// again. Without effect where it [cannot](Self::can_seek) be sought in.
    fn seek(&mut self, at: Timestamp) -> Timestamp;

    /// The first time from `at` on at which a decoder can begin; none behind the last keyframe that is known.
    fn next_start(&self, _at: Timestamp) -> Option<Timestamp> {
        None
    }

    /// Reads nothing more ahead than one picture, until [`resume`](Self::resume).
    fn rest(&mut self) {}

    /// How much the player holds in its buffer: it is filled at once and then kept full. Live frames come when they do.
    fn set_buffer(&mut self, _buffer: Duration) {}

    /// How it stands with the player's buffer.
    fn fill(&self) -> Fill {
        Fill::Filling
    }

    /// Sends all script data now, in front of the frames, and not again at its times.
    fn send_data_first(&mut self) {}

    /// Why nothing more comes, once everything was read.
    fn end(&self) -> Option<End>;
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

/// The times of what a cursor can read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Range {
    /// Of the first frame.
    pub from: Timestamp,
    /// Of the end: live, it grows.
    pub to: Timestamp,
}

/// How it stands with the player's buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fill {
    /// It is being filled for the first time since it began to run here.
    Filling,
    /// It is full: nothing is sent for a while.
    Full,
    /// It is kept full.
    Kept,
}

/// Why nothing more comes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// The broadcast is over.
    Over,
    /// All that was asked for has been read; the viewer may go back.
    Complete,
    /// It cannot be read any more; a sentence says why.
    Broken(String),
}
