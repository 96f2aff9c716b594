//! A film written anew as one MP4 or FLV file, whole or from a keyframe on, without its bytes being touched: the head
//! is made, everything else is ranges of the film's own file and what stands between them.
//!
//! The length is known from the start. What is kept is a head, which for MP4 grows with the film (see
//! [`Cut::mp4`]), and 12 bytes for each second or so: pieces are made when they are asked for.

use bytes::Bytes;

use crate::flv::Dialect;
use crate::flv::film::FilmTags;
use crate::index::Index;
use crate::mp4::movie::Movie;
pub use crate::piece::{Piece, Span};
use crate::{Error, Timestamp};

/// How many steps lie between places whose position is known.
const MARK_EVERY: usize = 1024;

/// A place in the file that is made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CutPosition {
    /// Pieces before it are passed; 0 = the head.
    step: usize,
    /// Bytes of the next piece that are passed as well.
    pub skip: u64,
}

/// The file.
#[derive(Debug)]
pub struct Cut {
    head: Bytes,
    body: Body,
    /// Where every so many steps begin, counted from the end of the head.
    marks: Vec<u64>,
    len: u64,
}

#[derive(Debug)]
enum Body {
    Mp4(Movie),
    Flv(FilmTags),
}

impl Cut {
    /// An MP4 file, its `moov` in front: every track of the film, script data as a track that
    /// players pass over, with samples in the order of the
    /// film's file where that is interleaved well, else in portions of a second.
    ///
    /// It begins with the keyframe at or before `span.from`, and with the sound of that time; an edit list has
    /// players start with the picture that is seen at `span.from`. What is kept of it is about 2 MB for an hour with sound.
    ///
    /// # Errors
    /// `Unsupported` for codecs that MP4 is not written of, `Malformed` if a configuration cannot be read or
    /// nothing of the film lies within the span.
    pub fn mp4(index: &Index, span: Span) -> Result<Self, Error> {
        let (movie, head) = Movie::new(index, span)?;
        Ok(Self::new(index, head, Body::Mp4(movie)))
    }

    /// An FLV file: header, `onMetaData` with the duration and the places of the keyframes, configurations, then tags,
    /// from the keyframe at or before `span.from` on, which is at time 0. What the film's file says in its own
    /// `onMetaData` is not taken over.
    ///
    /// # Errors
    /// `Unsupported` if a receiver of this dialect can take nothing of the film, `Malformed` if nothing of the film
    /// lies within the span.
    pub fn flv(index: &Index, span: Span, dialect: Dialect) -> Result<Self, Error> {
        let (tags, head) = FilmTags::new(index, span, dialect)?;
        Ok(Self::new(index, head, Body::Flv(tags)))
    }

    /// The rest of an FLV file from one sample on, best a keyframe: header, configurations, and the tags at the times
    /// that they have in the whole, which `origin` is time 0 of. For players that seek by the places of keyframes
    /// that they were told at first, and so keep the index they have.
    ///
    /// # Errors
    /// As [`flv`](Self::flv).
    pub fn flv_tail(index: &Index, from: usize, origin: Timestamp, dialect: Dialect) -> Result<Self, Error> {
        let (tags, head) = FilmTags::tail(index, from, origin, dialect)?;
        Ok(Self::new(index, head, Body::Flv(tags)))
    }

    /// Where a step of the body begins in the file.
    fn position(&self, index: &Index, step: usize) -> u64 {
        let mark = step / MARK_EVERY;
        let marked = self.marks.get(mark).copied().unwrap_or(0);
        let since = (mark * MARK_EVERY..step).map(|step| self.body.step_len(index, step)).sum::<u64>();
        self.head.len() as u64 + marked + since
    }

    /// The number of the keyframe whose tag is at byte `position` of an FLV file, and whether it is there exactly;
    /// if not, of the one before.
    #[must_use]
    pub fn keyframe_at(&self, index: &Index, position: u64) -> Option<(usize, bool)> {
        let Body::Flv(tags) = &self.body else { return None };
        let number = tags.sample_of(self.seek(index, position).step.saturating_sub(1));
        let exact = index.is_start(number) && self.position(index, tags.step_of(number)) == position;
        Some((index.last_start(number)?, exact))
    }

    fn new(index: &Index, head: Bytes, body: Body) -> Self {
        let mut cut = Self { head, body, marks: Vec::new(), len: 0 };
        let mut len = 0;
        for step in 0..cut.body.steps() {
            if step.is_multiple_of(MARK_EVERY) {
                cut.marks.push(len);
            }
            len += cut.body.step_len(index, step);
        }
        cut.len = cut.head.len() as u64 + len;
        cut
    }

    /// Bytes of the whole file.
    #[must_use]
    pub const fn len(&self) -> u64 {
        self.len
    }

    /// Memory that it takes, in bytes.
    #[must_use]
    pub const fn weight(&self) -> usize {
        let order = match &self.body {
            Body::Mp4(movie) => movie.steps() * size_of::<u32>(),
            Body::Flv(_) => 0,
        };
        self.head.len() + order + self.marks.len() * size_of::<u64>()
    }

    /// Whether there is nothing in it; it always has a head.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The place of a byte.
    #[must_use]
    pub fn seek(&self, index: &Index, position: u64) -> CutPosition {
        let Some(behind) = position.checked_sub(self.head.len() as u64) else {
            return CutPosition { step: 0, skip: position };
        };
        let mark = self.marks.partition_point(|&mark| mark <= behind).saturating_sub(1);
        let mut skip = behind - self.marks.get(mark).copied().unwrap_or(0);
        for step in mark * MARK_EVERY..self.body.steps() {
            let len = self.body.step_len(index, step);
            if skip < len {
                return CutPosition { step: step + 1, skip };
            }
            skip -= len;
        }
        CutPosition { step: self.body.steps() + 1, skip: 0 }
    }

    /// The piece at a place, which moves behind it; `None` at the end. The caller passes over `skip` bytes, and
    /// sets it to 0.
    pub fn next(&self, index: &Index, place: &mut CutPosition) -> Option<Piece> {
        let step = place.step;
        place.step += 1;
        let Some(step) = step.checked_sub(1) else { return Some(Piece::Bytes(self.head.clone())) };
        match &self.body {
            Body::Mp4(movie) => {
                let (piece, steps) = movie.pieces(index, step)?;
                place.step = step + steps + 1;
                Some(piece)
            }
            Body::Flv(tags) => tags.piece(index, step),
        }
    }
}

impl Body {
    fn steps(&self) -> usize {
        match self {
            Self::Mp4(movie) => movie.steps(),
            Self::Flv(tags) => tags.steps(),
        }
    }

    fn step_len(&self, index: &Index, step: usize) -> u64 {
        match self {
            Self::Mp4(movie) => movie.step_len(index, step),
            Self::Flv(tags) => tags.step_len(index, step),
        }
    }
}
