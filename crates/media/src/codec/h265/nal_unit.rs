//! NAL units of H.265: the types that count here (ITU-T H.265, Table 7-1), and what the head of a slice says.

use std::ops::RangeInclusive;

use crate::bits::BitReader;
use crate::codec::nal::{sei_message, without_emulation};

/// NAL unit types of pictures where decoding can start: BLA (16–18), IDR (19, 20), CRA (21), and two
/// that are reserved for the like.
pub const NAL_KEY: RangeInclusive<u8> = 16..=23;
/// NAL unit types from here on are no slices; those below are, or are reserved for them.
pub const NO_SLICE: u8 = 32;
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

/// Whether a unit may begin so: the forbidden bit is 0, the type not reserved, the temporal layer not impossible.
#[must_use]
pub fn is_nal_head(nal: &[u8]) -> bool {
    matches!(nal, [head, layers, ..] if head & 0x80 == 0 && layers & 7 != 0 && !matches!(head >> 1, 41..=47))
}

/// Whether a unit says nothing of the picture: an access unit delimiter, filler.
#[must_use]
pub fn is_idle(nal: &[u8]) -> bool {
    const DELIMITER: u8 = 35;
    const FILLER: u8 = 38;
    matches!(nal_type(nal), DELIMITER | FILLER)
}

/// Whether a unit stands before the slices of its picture: parameter sets, supplemental information.
#[must_use]
pub fn is_ahead(nal: &[u8]) -> bool {
    let kind = nal_type(nal);
    matches!(kind, NAL_VPS | NAL_SPS | NAL_PPS) || kind == *NAL_SEI.start()
}

/// How far behind its picture pictures come out right when decoding starts there, if the unit says so (ITU-T H.265,
/// D.3.8): in picture order, 0 or less at once.
#[must_use]
pub fn recovery_point(nal: &[u8]) -> Option<i64> {
    const RECOVERY_POINT: u32 = 6;
    if nal_type(nal) != *NAL_SEI.start() {
        return None;
    }
    let messages = without_emulation(nal.get(2..)?);
    let message = sei_message(&messages, RECOVERY_POINT)?;
    // Where the number is broken, it is not at once.
    Some(BitReader::new(message, "recovery point").se().unwrap_or(1))
}

/// Whether the slice begins its picture (`first_slice_segment_in_pic_flag`); `None` if the unit is no slice.
#[must_use]
pub fn is_first_slice(nal: &[u8]) -> Option<bool> {
    (nal_type(nal) < NO_SLICE).then(|| nal.get(2).map(|flags| flags & 0x80 != 0))?
}
