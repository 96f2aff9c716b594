//! The groups of a log: where each begins, and where a decoder starts to have all of it.
//!
//! A group is a keyframe of the main video track and what follows up to the next one. In a stream without
//! video a new group begins once a second. Groups are numbered in the order in which they begin; the numbers
//! go on across reconnects and publishers for as long as the broadcast lives. What comes before the first
//! keyframe is group 0, which nobody can start with. A frame's group is settled when the frame comes and
//! never changes, so all who read the log agree on it, whenever they read.

use std::collections::VecDeque;

/// A group of frames: its number and its place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Group {
    /// Its number; 0 is what came before the first keyframe of the broadcast.
    pub number: u64,
    /// Sequence number of its first frame, the keyframe.
    pub first: u64,
    /// Where to begin reading to decode it: at `first`, or, if the stream has further video tracks, at
    /// those of their keyframes that were sent just before (half a second at most).
    pub start: u64,
}

/// The groups that a log holds frames of.
#[derive(Debug)]
pub(crate) struct Groups {
    /// Oldest first, never empty. The first frames of the oldest may be gone from the log.
    list: VecDeque<Group>,
}

impl Groups {
    pub(crate) fn new() -> Self {
        Self { list: VecDeque::from([Group::default()]) }
    }

    /// A group begins with the frame `first`.
    pub(crate) fn begin(&mut self, first: u64, start: u64) {
        let number = self.newest().number + 1;
        self.list.push_back(Group { number, first, start });
    }

    /// Where the newest group can be started with, if the log, which begins at `base`, still has that place.
    pub(crate) fn newest_start(&self, base: u64) -> Option<u64> {
        let newest = self.newest();
        (newest.number > 0 && newest.start >= base).then_some(newest.start)
    }

    /// The first place at or after `sequence` where a group can be started with.
    pub(crate) fn start_from(&self, sequence: u64) -> Option<u64> {
        let at = self.list.partition_point(|group| group.start < sequence);
        self.list.range(at..).find(|group| group.number > 0).map(|group| group.start)
    }

    /// Appends to `into` the group in which `from` lies and those that begin after it and before `to`.
    pub(crate) fn copy(&self, from: u64, to: u64, into: &mut Vec<Group>) {
        // Most who ask are at the head.
        let newest = self.newest();
        if newest.first <= from {
            return into.push(newest);
        }
        let at = self.list.partition_point(|group| group.first <= from).saturating_sub(1);
        into.extend(self.list.range(at..).take_while(|group| group.first < to));
    }

    /// Forgets those that have no frame at or after `base`.
    pub(crate) fn trim(&mut self, base: u64) {
        while self.list.get(1).is_some_and(|group| group.first <= base) {
            self.list.pop_front();
        }
    }

    fn newest(&self) -> Group {
        self.list.back().copied().unwrap_or_default()
    }
}
