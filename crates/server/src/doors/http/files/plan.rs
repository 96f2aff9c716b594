//! What an answer consists of, in order: bytes at hand, ranges of files, and films that are written anew. Its length is
//! known, any part of it can be taken out, and it is walked piece by piece: memory does not grow with what is sent.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::ops::Range;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use headwater_media::cut::{self, Cut, CutPosition};
use headwater_media::index::Sample;

use super::disk::{self, Patience};
use headwater_vod::{Blob, Film};

/// Bytes written at once, at most.
const WRITTEN_BYTES: u64 = 256 << 10;

/// A body before it is sent.
#[derive(Clone, Debug, Default)]
pub(in crate::doors::http) struct Plan {
    parts: VecDeque<Part>,
    len: u64,
}

/// A part of a [`Plan`].
#[derive(Clone, Debug)]
enum Part {
    Piece(Piece),
    Made(Made),
}

/// A film that is written anew, whole, or what is left of it.
#[derive(Clone, Debug)]
struct Made {
    film: Arc<Film>,
    cut: Arc<Cut>,
    place: CutPosition,
    /// Bytes from there on.
    len: u64,
}

/// A piece of a [`Plan`].
#[derive(Clone, Debug)]
pub(in crate::doors::http) enum Piece {
    /// Bytes at hand.
    Bytes(Bytes),
    /// A range of a file, wherever it is kept.
    Range { blob: Arc<dyn Blob>, offset: u64, len: u64 },
    /// A range of the payload of a sample that has to be mended.
    Mended { film: Arc<Film>, sample: Sample, range: Range<u64> },
}

impl Piece {
    /// A piece of something that is made of a film.
    pub(in crate::doors::http) fn of(film: &Arc<Film>, piece: cut::Piece) -> Self {
        match piece {
            cut::Piece::Bytes(bytes) => Self::Bytes(bytes),
            cut::Piece::File { offset, len } => Self::Range { blob: Arc::clone(film.blob()), offset, len },
            cut::Piece::Repaired(sample) => {
                let range = 0..film.index().payload_len(&sample).into();
                Self::Mended { film: Arc::clone(film), sample, range }
            }
        }
    }

    pub(super) const fn len(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::Range { len, .. } => *len,
            Self::Mended { range, .. } => range.end - range.start,
        }
    }

    /// The part of it that `range` names, counted from its start; nothing beyond its end.
    fn slice(&self, range: Range<u64>) -> Self {
        let (start, end) = (range.start.min(self.len()), range.end.min(self.len()));
        match self {
            Self::Bytes(bytes) => Self::Bytes(bytes.slice(start as usize..end.max(start) as usize)),
            Self::Range { blob, offset, .. } => {
                Self::Range { blob: Arc::clone(blob), offset: offset + start, len: end.saturating_sub(start) }
            }
            Self::Mended { film, sample, range } => Self::Mended {
                film: Arc::clone(film),
                sample: *sample,
                range: range.start + start..range.start + end.max(start),
            },
        }
    }

    /// Appends its bytes.
    pub(super) fn read_into(&self, patience: Patience, out: &mut BytesMut) -> io::Result<()> {
        match self {
            Self::Bytes(bytes) => out.extend_from_slice(bytes),
            Self::Range { blob, offset, len } => disk::read(&**blob, *offset, *len as usize, patience, out)?,
            Self::Mended { film, sample, range } => {
                let mut bytes = BytesMut::new();
                disk::read(&**film.blob(), sample.offset, sample.size as usize, patience, &mut bytes)?;
                let frame = film.index().frame(sample, bytes.freeze()).map_err(io::Error::other)?;
                let part = frame.payload.get(range.start as usize..range.end as usize);
                out.extend_from_slice(part.ok_or_else(|| io::Error::other("the file has changed"))?);
            }
        }
        Ok(())
    }
}

impl Made {
    /// The part of the whole that `range` names.
    fn slice(&self, range: Range<u64>) -> Self {
        let (start, end) = (range.start.min(self.len), range.end.min(self.len));
        let place = self.cut.seek(self.film.index(), start);
        Self { place, len: end.saturating_sub(start), ..self.clone() }
    }

    /// Its next piece, within its length.
    fn next(&mut self) -> Option<Piece> {
        let skip = std::mem::take(&mut self.place.skip);
        let piece = Piece::of(&self.film, self.cut.next(self.film.index(), &mut self.place)?);
        let piece = piece.slice(skip..skip.saturating_add(self.len));
        self.len -= piece.len();
        Some(piece)
    }
}

impl Part {
    const fn len(&self) -> u64 {
        match self {
            Self::Piece(piece) => piece.len(),
            Self::Made(made) => made.len,
        }
    }
}

impl Plan {
    /// A whole film written anew.
    pub(in crate::doors::http) fn made(film: Arc<Film>, cut: Arc<Cut>) -> Self {
        let len = cut.len();
        let made = Made { film, cut, place: CutPosition::default(), len };
        Self { parts: [Part::Made(made)].into(), len }
    }

    /// Its bytes.
    pub(in crate::doors::http) const fn len(&self) -> u64 {
        self.len
    }

    /// The bytes at hand that it begins with.
    pub(in crate::doors::http) fn bytes_in_front(&self) -> &[u8] {
        match self.parts.front() {
            Some(Part::Piece(Piece::Bytes(bytes))) => bytes,
            _ => &[],
        }
    }

    /// Appends a piece.
    pub(in crate::doors::http) fn push(&mut self, piece: Piece) {
        self.len += piece.len();
        self.parts.push_back(Part::Piece(piece));
    }

    /// Appends all of another plan.
    pub(super) fn extend(&mut self, other: Self) {
        self.len += other.len;
        self.parts.extend(other.parts);
    }

    /// The part that `range` names; nothing beyond the end. To be called before anything is taken.
    pub(super) fn slice(&self, range: Range<u64>) -> Self {
        let mut taken = Self::default();
        let mut start = 0;
        for part in &self.parts {
            let end = start + part.len();
            if start < range.end && range.start < end {
                let within = range.start.saturating_sub(start)..range.end - start;
                let part = match part {
                    Part::Piece(piece) => Part::Piece(piece.slice(within)),
                    Part::Made(made) => Part::Made(made.slice(within)),
                };
                taken.len += part.len();
                taken.parts.push_back(part);
            }
            start = end;
        }
        taken
    }

    /// Writes all of it. It waits for the disk: not for a task's thread.
    ///
    /// # Errors
    /// Those of reading and writing.
    pub(in crate::doors::http) fn write_to(mut self, out: &mut impl Write) -> io::Result<()> {
        let mut bytes = BytesMut::new();
        while let Some(piece) = self.take_front(WRITTEN_BYTES) {
            bytes.clear();
            piece.read_into(Patience::Disk, &mut bytes)?;
            out.write_all(&bytes)?;
        }
        Ok(())
    }

    /// The next piece.
    pub(super) fn front(&mut self) -> Option<&Piece> {
        while let Some(Part::Made(made)) = self.parts.front_mut() {
            let piece = if made.len > 0 { made.next() } else { None };
            match piece {
                Some(piece) if piece.len() > 0 => self.parts.push_front(Part::Piece(piece)),
                Some(_) => {}
                None => {
                    self.parts.pop_front();
                }
            }
        }
        match self.parts.front()? {
            Part::Piece(piece) => Some(piece),
            Part::Made(_) => None,
        }
    }

    /// Takes the next piece off the front, at most `len_max` bytes of it.
    pub(super) fn take_front(&mut self, len_max: u64) -> Option<Piece> {
        self.front()?;
        let Some(Part::Piece(first)) = self.parts.front_mut() else { return None };
        let piece = first.slice(0..len_max);
        self.len -= piece.len();
        if piece.len() < first.len() {
            *first = first.slice(len_max..u64::MAX);
        } else {
            self.parts.pop_front();
        }
        Some(piece)
    }
}
