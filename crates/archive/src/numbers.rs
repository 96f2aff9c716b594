//! The numbers that a stream's segments and breaks have had, as its recordings remember them: HLS players must never be given
//! one again, and after a restart the clock alone cannot promise that, for it may have been set back.
//!
//! A recording has a note of them in front of its media, where heads have their room. It is written again every second.

use bytes::{BufMut, Bytes, BytesMut};
use headwater_hub::StreamName;

/// Bytes of a note. The longest name has 1,024.
pub(crate) const NOTE_LEN: u64 = 1_088;
/// Where in a note its numbers stand.
pub(crate) const NUMBERS_AT: u64 = 16;
/// Says what it is.
const SIGNATURE: &[u8; 8] = b"hwnumber";
/// More than are given between two times that the note is written, with a disk that is told to keep it every five seconds.
const SPARE: u64 = 16;

/// Where the numbers of a stream's next broadcast go on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Numbers {
    /// Of the next segment.
    pub(crate) segment: u64,
    /// Breaks so far.
    pub(crate) discontinuities: u64,
}

impl Numbers {
    /// As they stand in a note.
    pub(crate) fn to_bytes(self) -> [u8; 16] {
        (u128::from(self.segment) << 64 | u128::from(self.discontinuities)).to_be_bytes()
    }

    /// A note, a box that players pass over.
    pub(crate) fn note(self, name: &StreamName) -> Bytes {
        let name = name.to_string();
        let mut out = BytesMut::with_capacity(NOTE_LEN as usize);
        out.put_u32(NOTE_LEN as u32);
        out.put_slice(b"free");
        out.put_slice(SIGNATURE);
        out.put_slice(&self.to_bytes());
        out.put_u16(name.len() as u16);
        out.put_slice(name.as_bytes());
        out.resize(NOTE_LEN as usize, 0);
        out.freeze()
    }

    /// Whose note it is, and where to go on behind it; `None` of what is none.
    pub(crate) fn of_note(note: &[u8]) -> Option<(StreamName, Self)> {
        let rest = note.get(4..)?.strip_prefix(b"free")?.strip_prefix(SIGNATURE)?;
        let (segment, rest) = rest.split_first_chunk::<8>()?;
        let (discontinuities, rest) = rest.split_first_chunk::<8>()?;
        let (len, rest) = rest.split_first_chunk::<2>()?;
        let name = std::str::from_utf8(rest.get(..u16::from_be_bytes(*len).into())?).ok()?;
        let behind = |number: &[u8; 8]| u64::from_be_bytes(*number).saturating_add(SPARE);
        let numbers = Self { segment: behind(segment), discontinuities: behind(discontinuities) };
        Some((StreamName::parse(name).ok()?, numbers))
    }

    pub(crate) fn max(self, other: Self) -> Self {
        Self {
            segment: self.segment.max(other.segment),
            discontinuities: self.discontinuities.max(other.discontinuities),
        }
    }
}
