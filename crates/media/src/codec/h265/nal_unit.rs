//! NAL units of H.265: the types that count here (ITU-T H.265, Table 7-1).

use std::ops::RangeInclusive;

/// NAL unit types of pictures where decoding can start: BLA (16–18), IDR (19, 20), CRA (21), and two
/// that are reserved for the like.
pub const NAL_KEY: RangeInclusive<u8> = 16..=23;
/// NAL unit type of a video parameter set.
pub const NAL_VPS: u8 = 32;
/// NAL unit type of a sequence parameter set.
pub const NAL_SPS: u8 = 33;
/// NAL unit type of a picture parameter set.
pub const NAL_PPS: u8 = 34;
/// NAL unit types of supplemental information, before and behind the slices.
pub(super) const NAL_SEI: RangeInclusive<u8> = 39..=40;

/// The type of a NAL unit: six bits of its first byte. 0 (a trailing picture) if it is empty.
#[must_use]
pub fn nal_type(nal: &[u8]) -> u8 {
    nal.first().map_or(0, |head| head >> 1 & 0x3F)
}
