//! The place of parts in the broadcast's files: which file is being filled, and how far.

use bytes::Bytes;

use crate::numbers::NOTE_LEN;

/// Bytes from a file's beginning to its first part: heads as they grow are written into it one after the other, so that
/// none is ever written over. A head of pictures and sound takes about 1,300.
const ROOM: u64 = 64 << 10;
/// Of that, what heads may take.
const HEADS_MAX: u64 = ROOM - NOTE_LEN;

/// What lies before the first part of the file at hand.
#[derive(Debug, Default)]
pub(super) struct Head {
    /// The number of the file; 0 before the first.
    file: u32,
    /// Where the next part will lie.
    offset: u64,
    /// Bytes of the room that heads have taken.
    taken: u64,
    fragments: u32,
}

impl Head {
    pub(super) const fn room() -> u64 {
        ROOM
    }

    pub(super) const fn file(&self) -> u32 {
        self.file
    }

    pub(super) const fn has_begun(&self) -> bool {
        self.file > 0
    }

    /// Whether another head of this size fits into the file; `free` boxes stand around it.
    pub(super) fn fits(&self, head: &Bytes) -> bool {
        self.has_begun() && self.taken + head.len() as u64 + 32 <= HEADS_MAX
    }

    /// The file has this head from now on.
    pub(super) const fn grow(&mut self, head: &Bytes) {
        self.taken += head.len() as u64 + 16;
    }

    /// Begins a file with this head; false if it fits into none.
    pub(super) fn begin_file(&mut self, head: &Bytes) -> bool {
        if head.len() as u64 + 32 > HEADS_MAX {
            return false;
        }
        *self = Self { file: self.file + 1, offset: ROOM, taken: 0, fragments: 0 };
        self.grow(head);
        true
    }

    /// The number of the next fragment of the file.
    pub(super) const fn next_fragment(&mut self) -> u32 {
        self.fragments = self.fragments.wrapping_add(1);
        self.fragments
    }

    /// Puts so many bytes into the file; its number and where they lie come back.
    pub(super) const fn append(&mut self, len: u64) -> (u32, u64) {
        let at = self.offset;
        self.offset += len;
        (self.file, at)
    }
}
