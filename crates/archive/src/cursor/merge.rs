//! The frames of a broadcast's parts, put back into the order of the hub's log. Pure.

use std::collections::BTreeMap;

use bytes::Bytes;
use headwater_media::{Frame, Timestamp};

use crate::part::Part;
use crate::window::Entry;

/// What was read of parts, and which part is the next.
#[derive(Debug)]
pub(super) struct Merge {
    ordinal: u64,
    /// Frames with lower numbers have come out or are passed over.
    next: u64,
    /// Frames that the viewer has by their time are passed over as well.
    had: Option<Timestamp>,
    /// All frames with lower numbers are here, or have come out.
    complete_to: u64,
    waiting: BTreeMap<u64, Frame>,
}

impl Merge {
    /// From `entry` on, for a viewer that has everything up to the time `had` if that is given.
    pub(super) const fn new(entry: &Entry, had: Option<Timestamp>) -> Self {
        let (ordinal, next) = (entry.ordinal, entry.sequence);
        Self { ordinal, next, had, complete_to: 0, waiting: BTreeMap::new() }
    }

    /// The part that is to be read next.
    pub(super) const fn ordinal(&self) -> u64 {
        self.ordinal
    }

    /// Number of the first frame that has not come out: all before it have.
    pub(super) fn next(&self) -> u64 {
        self.next.max(self.complete_to)
    }

    /// Takes the part that was to be read.
    pub(super) fn take(&mut self, part: &Part, bytes: &Bytes) {
        let is_new = |(sequence, frame): &(u64, Frame)| {
            *sequence >= self.next && self.had.is_none_or(|had| frame.dts > had)
        };
        self.waiting.extend(part.frames(bytes).filter(is_new));
        self.ordinal = part.ordinal + 1;
        self.complete_to = self.complete_to.max(part.complete_to);
    }

    /// There are no more parts.
    pub(super) const fn finish(&mut self) {
        self.complete_to = u64::MAX;
    }

    /// The next frame, if it is known that none comes before it.
    pub(super) fn pop(&mut self) -> Option<(u64, Frame)> {
        let first = self.waiting.first_entry()?;
        if *first.key() >= self.complete_to {
            return None;
        }
        let (sequence, frame) = first.remove_entry();
        self.next = sequence + 1;
        Some((sequence, frame))
    }
}
