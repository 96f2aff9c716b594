//! One picture put together from the messages that it came in.
//!
//! Some encoders send each slice in a message of its own, and parameter sets or other information in further ones.
//! A slice says whether it begins its picture, but none says that it is the last: a picture is whole when the next
//! one begins. Who sends whole pictures need not wait for that: live, nothing is held back of a track that has not shown
//! that it comes in pieces. Of a live track that does, the first picture goes on in two frames, the second of which is
//! no key frame.

use bytes::{Bytes, BytesMut};

use super::items::Origin;
use super::picture::Picture;
use crate::flv::tag::CodedFrame;

/// Messages, of whatever track, after which a picture goes on as it is. Sound comes between the pieces of pictures,
/// but never so much.
pub(crate) const HELD_MESSAGES_MAX: u64 = 64;
/// Bytes of all pictures of one publisher that are put together, whatever the number of its tracks: the longest message
/// that a server takes. Larger pictures go on in several frames.
pub(super) const HELD_BYTES_MAX: usize = 16 << 20;
/// How far the times of one picture's messages may lie apart: some encoders look at the clock for each.
const APART_MS_MAX: u32 = 10;

/// Which pictures wait for the next one to begin, because they may not be whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Patience {
    /// Those of tracks that have shown that they come in pieces.
    #[default]
    IfSliced,
    /// All of them: for files, where waiting costs nothing.
    Always,
}

/// A part of a picture, or a whole one.
#[derive(Clone, Debug)]
pub(super) struct Piece {
    pub(super) timestamp_ms: u32,
    pub(super) coded: CodedFrame,
    pub(super) origin: Origin,
}

/// Puts the pictures of one track together.
#[derive(Clone, Debug)]
pub(super) struct Gathering {
    held: Option<Held>,
    /// A message has gone on with the picture of the one before.
    in_pieces: bool,
}

/// A picture that may not be whole yet.
#[derive(Clone, Debug)]
struct Held {
    piece: Piece,
    parts: Vec<Bytes>,
    bytes: usize,
    has_slice: bool,
}

impl Gathering {
    pub(super) const NEW: Self = Self { held: None, in_pieces: false };

    /// Takes what a message has of a picture. What is whole comes back: the picture before, this one.
    pub(super) fn take(&mut self, piece: Piece, picture: Picture, patience: Patience) -> [Option<Piece>; 2] {
        let joins = self.held.as_ref().is_some_and(|held| held.takes(&piece, picture));
        let before = if joins { None } else { self.close() };
        self.in_pieces |= picture.goes_on;
        let held = match self.held.take() {
            Some(held) => held.join(piece, picture),
            None => Held::new(piece, picture),
        };
        let waits = !held.has_slice
            || match patience {
                Patience::Always => true,
                Patience::IfSliced => self.in_pieces,
            };
        self.held = Some(held);
        [before, if waits { None } else { self.close() }]
    }

    /// The picture that is held, as it is. What has no slice is none and is dropped.
    pub(super) fn close(&mut self) -> Option<Piece> {
        self.held.take().and_then(Held::close)
    }

    /// Bytes of what is held.
    pub(super) fn held_bytes(&self) -> usize {
        self.held.as_ref().map_or(0, |held| held.bytes)
    }

    /// The first message of what is held.
    pub(super) fn held_since(&self) -> Option<u64> {
        self.held.as_ref().map(|held| held.piece.origin.first)
    }

    /// Whether a picture is held.
    pub(super) fn holds_picture(&self) -> bool {
        self.held.as_ref().is_some_and(|held| held.has_slice)
    }
}

impl Held {
    fn new(mut piece: Piece, picture: Picture) -> Self {
        let payload = std::mem::take(&mut piece.coded.payload);
        Self { piece, bytes: payload.len(), parts: vec![payload], has_slice: picture.has_slice }
    }

    /// Whether the next message belongs to the same picture.
    fn takes(&self, next: &Piece, picture: Picture) -> bool {
        let apart = next.timestamp_ms.wrapping_sub(self.piece.timestamp_ms) as i32;
        let fits = next.coded.codec == self.piece.coded.codec
            && self.bytes + next.coded.payload.len() <= HELD_BYTES_MAX;
        fits && (!self.has_slice || picture.goes_on && apart.unsigned_abs() <= APART_MS_MAX)
    }

    fn join(mut self, mut next: Piece, picture: Picture) -> Self {
        let payload = std::mem::take(&mut next.coded.payload);
        self.bytes += payload.len();
        self.parts.push(payload);
        let origin = Origin { first: self.piece.origin.first, last: next.origin.last, at: None };
        if self.has_slice {
            self.piece.coded.key = self.piece.coded.key.max(next.coded.key);
        } else {
            // Its times are those of its first slice.
            self.piece = next;
        }
        self.piece.origin = origin;
        self.has_slice |= picture.has_slice;
        self
    }

    fn close(self) -> Option<Piece> {
        let Self { mut piece, mut parts, bytes, has_slice } = self;
        piece.coded.payload = if parts.len() == 1 {
            parts.pop()?
        } else {
            let mut whole = BytesMut::with_capacity(bytes);
            parts.iter().for_each(|part| whole.extend_from_slice(part));
            whole.freeze()
        };
        has_slice.then_some(piece)
    }
}
