//! Whether decoding can start at a picture, as its own bytes say. Of a picture only the beginning is at hand.

use crate::bits::BitReader;
use crate::codec::av1;
use crate::codec::h264::{self, AvcConfig, NAL_IDR, NAL_SEI, SEI_RECOVERY_POINT, SliceHead};
use crate::codec::h265::{self, HevcConfig, NAL_KEY};
use crate::codec::nal::sei_message;
use crate::codec::vp9::VpKeyFrame;
use crate::{Codec, Track};

/// What a picture says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Start {
    /// Decoding can start here.
    Key,
    /// It needs no other picture, but those behind it may need some before it.
    Intra,
    /// It needs others.
    Dependent,
}

/// What a picture of the track says by the bytes at its beginning; `None` if they are too few, or the codec does not say.
pub(super) fn start(track: &Track, bytes: &[u8]) -> Option<Start> {
    let of = |is_key| if is_key { Start::Key } else { Start::Dependent };
    match track.codec {
        Codec::H264 => {
            let length_size = AvcConfig::parse(&track.config).map_or(4, |avc| avc.length_size);
            start_of_avc(units(bytes, length_size))
        }
        Codec::H265 => {
            let length_size = HevcConfig::parse(&track.config).map_or(4, |hevc| hevc.length_size);
            /// The types above are not of pictures.
            const NAL_PICTURE_MAX: u8 = 31;
            let mut kinds = units(bytes, length_size).map(h265::nal_type);
            kinds.find(|kind| *kind <= NAL_PICTURE_MAX).map(|kind| of(NAL_KEY.contains(&kind)))
        }
        Codec::H266 => {
            let length_size = track.config.first().map_or(4, |flags| (flags >> 1 & 3) + 1);
            // Types 0 to 11 are pictures; IDR with and without leading pictures, CRA.
            let mut kinds = units(bytes, length_size).filter_map(|unit| Some(unit.get(1)? >> 3));
            kinds.find(|kind| *kind <= 11).map(|kind| of((7..=9).contains(&kind)))
        }
        Codec::Av1 => av1::begins_with_key_frame(bytes).map(of),
        Codec::Vp8 => (bytes.len() >= 10).then(|| of(VpKeyFrame::parse_vp8(bytes).is_ok())),
        Codec::Vp9 => (bytes.len() >= 16).then(|| of(VpKeyFrame::parse_vp9(bytes).is_ok())),
        _ => None,
    }
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

fn start_of_avc<'a>(units: impl Iterator<Item = &'a [u8]>) -> Option<Start> {
    let mut recovers = false;
    for unit in units {
        match (h264::nal_type(unit), SliceHead::parse(unit)) {
            (NAL_IDR, _) => return Some(Start::Key),
            (NAL_SEI, _) => recovers |= is_recovery_point(unit),
            (_, Some(slice)) => {
                return Some(match slice.is_intra {
                    true if recovers => Start::Key,
                    true => Start::Intra,
                    false => Start::Dependent,
                });
            }
            _ => {}
        }
    }
    None
}

/// Whether supplemental information has a recovery point at this picture: an open group of pictures begins so
/// (ITU-T H.264, D.1.8).
fn is_recovery_point(sei: &[u8]) -> bool {
    let message = sei_message(sei.get(1..).unwrap_or_default(), SEI_RECOVERY_POINT);
    message.is_some_and(|message| BitReader::new(message, "recovery point").ue() == Ok(0))
}
