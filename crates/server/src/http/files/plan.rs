//! What an answer consists of, in order: bytes at hand and ranges of files. Its length is known, any part of it can
//! be taken out, and it is walked piece by piece: memory does not grow with what is sent.

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use super::disk;

/// A body before it is sent.
#[derive(Clone, Debug, Default)]
pub(super) struct Plan {
    pieces: VecDeque<Piece>,
    len: u64,
}

/// A part of a [`Plan`].
#[derive(Clone, Debug)]
pub(super) enum Piece {
    /// Bytes at hand.
    Bytes(Bytes),
    /// A range of a file.
    File { file: Arc<File>, offset: u64, len: u64 },
}

impl Piece {
    pub(super) fn len(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::File { len, .. } => *len,
        }
    }

    /// The part of it that `range` names, counted from its start; nothing beyond its end.
    fn slice(&self, range: Range<u64>) -> Self {
        let (start, end) = (range.start.min(self.len()), range.end.min(self.len()));
        match self {
            Self::Bytes(bytes) => Self::Bytes(bytes.slice(start as usize..end.max(start) as usize)),
            Self::File { file, offset, .. } => {
                Self::File { file: Arc::clone(file), offset: offset + start, len: end.saturating_sub(start) }
            }
        }
    }

    /// Appends its bytes; waits for the disk.
    pub(super) fn read_into(&self, out: &mut BytesMut) -> io::Result<()> {
        match self {
            Self::Bytes(bytes) => out.extend_from_slice(bytes),
            Self::File { file, offset, len } => disk::read(file, *offset, *len as usize, out)?,
        }
        Ok(())
    }
}

impl Plan {
    /// Its bytes.
    pub(super) const fn len(&self) -> u64 {
        self.len
    }

    /// Appends a piece.
    pub(super) fn push(&mut self, piece: Piece) {
        self.len += piece.len();
        self.pieces.push_back(piece);
    }

    /// Appends all of another plan.
    pub(super) fn extend(&mut self, other: Self) {
        self.len += other.len;
        self.pieces.extend(other.pieces);
    }

    /// The part that `range` names; nothing beyond the end.
    pub(super) fn slice(&self, range: Range<u64>) -> Self {
        let mut taken = Self::default();
        let mut start = 0;
        for piece in &self.pieces {
            let end = start + piece.len();
            if start < range.end && range.start < end {
                taken.push(piece.slice(range.start.saturating_sub(start)..range.end - start));
            }
            start = end;
        }
        taken
    }

    /// The next piece.
    pub(super) fn front(&mut self) -> Option<&Piece> {
        self.pieces.front()
    }

    /// Takes the next piece off the front, at most `len_max` bytes of it.
    pub(super) fn take_front(&mut self, len_max: u64) -> Option<Piece> {
        let first = self.pieces.front_mut()?;
        let piece = first.slice(0..len_max);
        self.len -= piece.len();
        if piece.len() < first.len() {
            *first = first.slice(len_max..u64::MAX);
        } else {
            self.pieces.pop_front();
        }
        Some(piece)
    }
}
