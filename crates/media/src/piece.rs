//! The part of a film that is wanted, and the pieces of what is made of it: ranges of the film's own file, and what
//! stands between them.

use bytes::Bytes;

use crate::Timestamp;
use crate::index::Sample;

/// The part of a film that is wanted, in times of its index.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// What is to be shown first; nothing = the film from its start.
    pub from: Option<Timestamp>,
    /// What is not to be shown any more; nothing = to the end.
    pub until: Option<Timestamp>,
}

/// A piece of the file that is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// Bytes that are not in the film's file.
    Bytes(Bytes),
    /// A range of the film's file.
    File {
        /// Its first byte.
        offset: u64,
        /// Its length.
        len: u64,
    },
    /// The payload of a sample that has to be repaired ([`Index::frame`](crate::index::Index::frame)); its length is that of
    /// [`Index::payload_len`](crate::index::Index::payload_len).
    Repaired(Sample),
}
