//! What a picture says of itself ([`PictureStart`]), where only its beginning is at hand.

use crate::picture_start::PictureStart;
use crate::{Codec, Track};

/// What a picture of the track says by the bytes at its beginning; `None` if they are too few, or the codec does not say.
pub(super) fn start(track: &Track, bytes: &[u8]) -> Option<PictureStart> {
    match track.codec {
        Codec::H264 | Codec::H265 | Codec::H266 => {
            PictureStart::of_units(track.codec, units_of(track, bytes))
        }
        codec => PictureStart::of_bytes(codec, bytes),
    }
}

/// The NAL units of the beginning of a picture of the track; the last may be cut.
pub(super) fn units_of<'a>(track: &Track, bytes: &'a [u8]) -> impl Iterator<Item = &'a [u8]> + use<'a> {
    // Only the size of lengths is read of the record: this is asked for every picture.
    let length_size = match track.codec {
        Codec::H264 => track.config.get(4).map_or(4, |flags| (flags & 3) + 1),
        Codec::H265 => track.config.get(21).map_or(4, |flags| (flags & 3) + 1),
        _ => track.config.first().map_or(4, |flags| (flags >> 1 & 3) + 1),
    };
    units(bytes, length_size)
}

/// The NAL units of the beginning of a picture; the last may be cut.
fn units(bytes: &[u8], length_size: u8) -> impl Iterator<Item = &[u8]> {
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
