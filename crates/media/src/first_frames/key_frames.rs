//! Whether decoding can start at a picture, as its own bytes say. Of a picture only the beginning is at hand.

use crate::bits::BitReader;
use crate::codec::av1;
use crate::codec::h264::{self, AvcConfig, NAL_IDR};
use crate::codec::h265::{self, HevcConfig, NAL_KEY};
use crate::codec::vp9::VpKeyFrame;
use crate::{Codec, Error, Track};

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
    const NAL_SLICE: u8 = 1;
    const NAL_PARTITION_A: u8 = 2;
    const NAL_SEI: u8 = 6;
    let mut recovers = false;
    for unit in units {
        match h264::nal_type(unit) {
            NAL_IDR => return Some(Start::Key),
            NAL_SLICE | NAL_PARTITION_A => {
                return Some(match is_intra(unit).ok()? {
                    true if recovers => Start::Key,
                    true => Start::Intra,
                    false => Start::Dependent,
                });
            }
            NAL_SEI => recovers |= is_recovery_point(unit),
            _ => {}
        }
    }
    None
}

/// Whether a slice of H.264 refers to no other picture (ITU-T H.264, 7.3.3).
fn is_intra(slice: &[u8]) -> Result<bool, Error> {
    const I: u32 = 2;
    const SI: u32 = 4;
    // So early that no emulation byte can stand before it.
    let mut reader = BitReader::new(slice.get(1..).unwrap_or_default(), "slice header");
    let _first_macroblock = reader.ue()?;
    Ok(matches!(reader.ue()? % 5, I | SI))
}

/// Whether supplemental information begins with a recovery point at this picture: an open group of pictures begins so
/// (ITU-T H.264, D.1.8).
fn is_recovery_point(sei: &[u8]) -> bool {
    const RECOVERY_POINT: u8 = 6;
    let mut rest = sei.get(1..).unwrap_or_default();
    while let Some((kind, behind)) = sei_number(rest)
        && let Some((len, payload)) = sei_number(behind)
    {
        if kind == u32::from(RECOVERY_POINT) {
            let at_once = BitReader::new(payload, "recovery point").ue();
            return at_once == Ok(0);
        }
        rest = payload.get(len as usize..).unwrap_or_default();
    }
    false
}

/// A number of supplemental information: bytes of 255 that go on, and a last one.
fn sei_number(bytes: &[u8]) -> Option<(u32, &[u8])> {
    let more = bytes.iter().take_while(|&&byte| byte == 0xFF).count();
    let last = bytes.get(more)?;
    Some((more as u32 * 255 + u32::from(*last), bytes.get(more + 1..)?))
}
