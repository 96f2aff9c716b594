//! Where a cursor starts, and where it then stands in a log.

use crate::log::Log;

/// Where a cursor starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// At the oldest keyframe that the log holds: all there is, also of a publisher who has left. A viewer
    /// is moved on from there if that is farther back than its lag allows.
    OldestKeyframe,
    /// At the newest keyframe that the log holds: a picture at once. If it holds none, at the next one that comes.
    NewestKeyframe,
    /// At the next keyframe that comes: no delay behind the publisher, but a wait.
    NextKeyframe,
    /// At this sequence number, or at the next frame that comes if that is nearer: goes on where another
    /// reading of the same broadcast has ended.
    Sequence(u64),
}

/// Where a cursor stands.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Position {
    /// Waits for the first start at or after this sequence.
    StartFrom(u64),
    /// The next frame to read.
    At(u64),
}

impl Start {
    /// The place in `log`. The newest keyframe of a publisher who has left (`is_paused`) is an old picture,
    /// and nobody starts with it.
    pub(crate) fn position(self, log: &Log, is_paused: bool) -> Position {
        let found = match self {
            Self::OldestKeyframe => log.start_from(log.base()),
            Self::NewestKeyframe if !is_paused => log.newest_start(),
            Self::NewestKeyframe | Self::NextKeyframe => None,
            Self::Sequence(sequence) => Some(sequence.min(log.head())),
        };
        // Who wants a picture at once has waited for all that the log holds.
        let from = if self == Self::NewestKeyframe && !is_paused { log.base() } else { log.head() };
        found.map_or(Position::StartFrom(from), Position::At)
    }
}
