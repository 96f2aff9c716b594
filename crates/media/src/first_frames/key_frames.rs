//! What a picture says of itself ([`PictureStart`]), where only its beginning is at hand.

use crate::picture_start::PictureStart;
use crate::{Codec, Track};

/// What a picture of the track says by the bytes at its beginning; `None` if they are too few, or the codec does not say.
pub(super) fn start(track: &Track, bytes: &[u8]) -> Option<PictureStart> {
    let length_size = match track.codec {
        // Only that of the record is read: this is asked for every picture.
        Codec::H264 => track.config.get(4).map_or(4, |flags| (flags & 3) + 1),
        Codec::H265 => track.config.get(21).map_or(4, |flags| (flags & 3) + 1),
        Codec::H266 => track.config.first().map_or(4, |flags| (flags >> 1 & 3) + 1),
        codec => return PictureStart::of_bytes(codec, bytes),
    };
    PictureStart::of_units(track.codec, units(bytes, length_size))
}

/// The NAL units of the beginning of a picture; the last may be cut.
pub(super) fn units(bytes: &[u8], length_size: u8) -> impl Iterator<Item = &[u8]> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        loop {
            let (length, behind) = rest.split_at_checked(usize::from(length_size.clamp(1, 4)))?;
            let length = length.iter().fold(0usize, |length, &byte| length << 8 | usize::from(byte));
            let (unit, behind) = behind.split_at(length.min(behind.len()));
            rest = behind;
            if !unit.is_empty() {
                return Some(unit);
            }
        }
    })
}
