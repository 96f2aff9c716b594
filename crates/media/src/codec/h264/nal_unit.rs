//! NAL units of H.264: the types that count here (ITU-T H.264, Table 7-1).

/// NAL unit type of a slice of an IDR picture, where decoding can start.
pub const NAL_IDR: u8 = 5;
/// NAL unit type of a sequence parameter set.
pub const NAL_SPS: u8 = 7;
/// NAL unit type of a picture parameter set.
pub const NAL_PPS: u8 = 8;

/// The type of a NAL unit: the low five bits of its first byte; 0 (unspecified) if it is empty.
#[must_use]
pub fn nal_type(nal: &[u8]) -> u8 {
    nal.first().map_or(0, |head| head & 0x1F)
}
