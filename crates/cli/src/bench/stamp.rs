//! Pictures that tell when they were sent: how late they come, and which are missing, is seen in them.
//!
//! The stamp is user data in an SEI unit (H.264, D.1.6) in front of the slice, in letters, so that no server has a
//! reason to touch it. The slices fill up the bitrate; nobody decodes them.

use std::sync::LazyLock;

use bytes::{BufMut, Bytes, BytesMut};
use memchr::memmem;
use tokio::time::Instant;

/// The `avcC` record that goes with the pictures: Baseline, 320 by 240.
pub(super) const CONFIGURATION: &[u8] = &[
    1, 0x42, 0xC0, 0x14, 0xFF, 0xE1, 0, 10, 0x67, 0x42, 0xC0, 0x14, 0xDA, 0x05, 0x07, 0xE8, 0x40, 0x00, 1, 0,
    4, 0x68, 0xCE, 0x3C, 0x80,
];
/// How ours are told from other user data.
const UUID: &[u8; 16] = b"headwater-bench\x01";
/// Letters of a stamp: number and nanoseconds, each sixteen hexadecimal digits.
const LETTERS: usize = 32;
/// A stamp lies within so many bytes from the start of a message's body.
const HEAD_BYTES_MAX: usize = 64;

/// When a picture was sent, and which it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    /// From 0, of each publisher.
    pub(super) number: u64,
    /// When it was sent, in nanoseconds of [`now`].
    pub(super) sent: u64,
}

/// Nanoseconds since this program first asked.
pub(super) fn now() -> u64 {
    static BEGAN: LazyLock<Instant> = LazyLock::new(Instant::now);
    u64::try_from(BEGAN.elapsed().as_nanos()).unwrap_or(u64::MAX)
}

impl Stamp {
    /// A picture of `size` bytes, about, with this stamp: length-prefixed units.
    pub(super) fn picture(self, key: bool, size: usize) -> Bytes {
        let mut picture = BytesMut::with_capacity(size + 128);
        let user_data = UUID.len() + LETTERS;
        picture.put_u32(user_data as u32 + 4);
        picture.put_slice(&[6, 5, user_data as u8]);
        picture.put_slice(UUID);
        picture.put_slice(format!("{:016x}{:016x}", self.number, self.sent).as_bytes());
        picture.put_u8(0x80);
        let slice = size.saturating_sub(picture.len() + 4).max(16);
        picture.put_u32(slice as u32);
        // first_mb_in_slice 0, an I or a P slice.
        picture.put_slice(if key { &[0x65, 0x88, 0x84] } else { &[0x41, 0x9A, 0x02] });
        picture.put_bytes(0x55, slice - 3);
        picture.freeze()
    }

    /// The stamp of the picture in a message's body, if it is one of ours.
    pub(super) fn read(body: &[u8]) -> Option<Self> {
        let head = body.get(..body.len().min(HEAD_BYTES_MAX))?;
        let at = head.windows(UUID.len()).position(|bytes| bytes == UUID)? + UUID.len();
        let letters = std::str::from_utf8(body.get(at..at + LETTERS)?).ok()?;
        let number = |range| u64::from_str_radix(letters.get(range)?, 16).ok();
        Some(Self { number: number(0..16)?, sent: number(16..32)? })
    }

    /// The stamps of all pictures in a fragment, where they lie one behind the other.
    pub(super) fn read_all(fragment: &[u8]) -> impl Iterator<Item = Self> {
        let user_data = memmem::find(fragment, UUID);
        // The unit's length, its type, and the kind and the length of what it has.
        let mut rest = user_data.and_then(|at| fragment.get(at.checked_sub(7)?..));
        std::iter::from_fn(move || {
            let picture = rest?;
            let stamp = Self::read(picture)?;
            rest = behind_unit(picture).and_then(behind_unit);
            Some(stamp)
        })
    }
}

/// What lies behind a unit that its length stands before.
fn behind_unit(bytes: &[u8]) -> Option<&[u8]> {
    let (len, rest) = bytes.split_first_chunk()?;
    rest.get(u32::from_be_bytes(*len) as usize..)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_is_found_behind_the_head_of_a_tag_and_a_picture_has_its_size() {
        let stamp = Stamp { number: 7, sent: 1_234_567_890_123 };
        for (key, size) in [(true, 20_000), (false, 900), (false, 0)] {
            let picture = stamp.picture(key, size);
            assert!(picture.len() >= size && picture.len() < size + 128, "{size}: {}", picture.len());
            let body = [&[0x17, 1, 0, 0, 0][..], &picture].concat();
            assert_eq!(Stamp::read(&body), Some(stamp));
        }
        let pictures = [7, 8, 9].map(|number| Stamp { number, sent: 5 });
        let bytes: Vec<u8> = pictures.iter().flat_map(|stamp| stamp.picture(false, 900)).collect();
        let fragment = [&b"a head"[..], &bytes].concat();
        assert_eq!(Stamp::read_all(&fragment).collect::<Vec<_>>(), pictures);
        assert_eq!(Stamp::read_all(b"sound").count(), 0);
        assert_eq!(Stamp::read(b"\x17\x01\0\0\0another publisher's picture"), None);
        assert_eq!(Stamp::read(UUID), None);
    }
}
