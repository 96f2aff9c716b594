//! The numbers that a stream's segments and breaks have had, as its recordings remember them: HLS players must never be given
//! one again, and after a restart the clock alone cannot promise that, for it may have been set back.
//!
//! A recording has a note of them in front of its media, where heads have their room. It is written again every second, and
//! counts only with its checksum: what a disk has damaged, or a crash has cut, is no note.

use bytes::{BufMut, Bytes, BytesMut};
use headwater_hub::StreamName;

/// Bytes of a note. The longest name has 1,024.
pub(crate) const NOTE_LEN: u64 = 1_088;
const CHECKSUM_LEN: usize = 4;
/// Says what it is.
const SIGNATURE: &[u8; 8] = b"hwnumber";
/// Numbers from here on are nobody's: clocks reach it in the year 36812. What is counted on from below it is exact in
/// players, which count in floats, and never overflows.
const NUMBER_MAX: u64 = 1 << 40;
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
    /// A note, a box that players pass over: the numbers, the name, and a checksum of both at the end.
    pub(crate) fn note(self, name: &StreamName) -> Bytes {
        let name = name.to_string();
        let mut out = BytesMut::with_capacity(NOTE_LEN as usize);
        out.put_u32(NOTE_LEN as u32);
        out.put_slice(b"free");
        out.put_slice(SIGNATURE);
        out.put_u64(self.segment);
        out.put_u64(self.discontinuities);
        out.put_u16(name.len() as u16);
        out.put_slice(name.as_bytes());
        out.resize(NOTE_LEN as usize - CHECKSUM_LEN, 0);
        out.put_u32(crc32fast::hash(&out));
        out.freeze()
    }

    /// Whose note it is, and where to go on behind it; `None` of what is none.
    pub(crate) fn of_note(note: &[u8]) -> Option<(StreamName, Self)> {
        let (note, checksum) = note.split_last_chunk::<CHECKSUM_LEN>()?;
        if crc32fast::hash(note) != u32::from_be_bytes(*checksum) {
            return None;
        }
        let rest = note.get(4..)?.strip_prefix(b"free")?.strip_prefix(SIGNATURE)?;
        let (segment, rest) = rest.split_first_chunk::<8>()?;
        let (discontinuities, rest) = rest.split_first_chunk::<8>()?;
        let (len, rest) = rest.split_first_chunk::<2>()?;
        let name = std::str::from_utf8(rest.get(..u16::from_be_bytes(*len).into())?).ok()?;
        let behind = |number: &[u8; 8]| {
            let number = u64::from_be_bytes(*number);
            (number < NUMBER_MAX).then(|| number + SPARE)
        };
        let numbers = Self { segment: behind(segment)?, discontinuities: behind(discontinuities)? };
        Some((StreamName::parse(name).ok()?, numbers))
    }

    pub(crate) fn max(self, other: Self) -> Self {
        Self {
            segment: self.segment.max(other.segment),
            discontinuities: self.discontinuities.max(other.discontinuities),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_counts_whole_and_undamaged_or_not_at_all() {
        let name = StreamName::parse("live/ü").unwrap();
        let numbers = Numbers { segment: 1_900_000_000, discontinuities: 207_000 };
        let note = numbers.note(&name);
        let spare = Numbers { segment: 1_900_000_016, discontinuities: 207_016 };
        assert_eq!((Numbers::of_note(&note), note.len() as u64), (Some((name, spare)), NOTE_LEN));
        for bit in 0..8 * note.len() {
            let mut damaged = note.to_vec();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Numbers::of_note(&damaged), None, "bit {bit}");
        }
        assert_eq!(Numbers::of_note(&note[..note.len() - 1]), None);
        assert_eq!(Numbers::of_note(b""), None);
    }

    #[test]
    fn numbers_that_nobody_gave_do_not_count() {
        let name = StreamName::parse("live/cam").unwrap();
        for (segment, discontinuities) in [(NUMBER_MAX, 0), (0, NUMBER_MAX), (u64::MAX, u64::MAX)] {
            assert_eq!(Numbers::of_note(&Numbers { segment, discontinuities }.note(&name)), None);
        }
        assert!(
            Numbers::of_note(&Numbers { segment: NUMBER_MAX - 1, discontinuities: 0 }.note(&name)).is_some()
        );
    }
}
