//! NAL units of H.264: the types that count here (ITU-T H.264, Table 7-1), and what the head of a slice says.

use crate::bits::BitReader;
use crate::codec::nal::{sei_message, without_emulation};

/// NAL unit types of slices: of a picture that depends on others, of its partition A, of an IDR picture.
const NAL_SLICES: [u8; 3] = [1, 2, NAL_IDR];
/// NAL unit type of supplemental information.
pub const NAL_SEI: u8 = 6;
/// The message that says that decoding can start here (ITU-T H.264, D.1.8).
const SEI_RECOVERY_POINT: u32 = 6;
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

/// Whether a unit may begin so: the forbidden bit is 0 and the type one that the standard gives a meaning.
#[must_use]
pub fn is_nal_head(nal: &[u8]) -> bool {
    nal.first().is_some_and(|head| head & 0x80 == 0 && matches!(head & 0x1F, 1..=21))
}

/// Whether a unit says nothing of the picture: an access unit delimiter, filler.
#[must_use]
pub fn is_idle(nal: &[u8]) -> bool {
    const DELIMITER: u8 = 9;
    const FILLER: u8 = 12;
    matches!(nal_type(nal), DELIMITER | FILLER)
}

/// Whether a unit stands before the slices of its picture: parameter sets and their extensions, supplemental
/// information, what is said of the slice behind it.
#[must_use]
pub fn is_ahead(nal: &[u8]) -> bool {
    matches!(nal_type(nal), NAL_SEI | NAL_SPS | NAL_PPS | 13..=15)
}

/// The number of frames after which pictures come out right when decoding starts at the picture of this unit, if the
/// unit says so (ITU-T H.264, D.2.8): 0 in an open group of pictures, more with intra refresh.
#[must_use]
pub fn recovery_point(nal: &[u8]) -> Option<u32> {
    if nal_type(nal) != NAL_SEI {
        return None;
    }
    let messages = without_emulation(nal.get(1..)?);
    let message = sei_message(&messages, SEI_RECOVERY_POINT)?;
    // Where the number is broken, it is not at once.
    Some(BitReader::new(message, "recovery point").ue().unwrap_or(1))
}

/// What the head of a slice says (ITU-T H.264, 7.3.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SliceHead {
    /// Whether the slice begins its picture: its first macroblock is number 0.
    pub is_first: bool,
    /// Whether it depends on no other picture.
    pub is_intra: bool,
}

impl SliceHead {
    /// Reads a unit; `None` if it is no slice or ends too early.
    #[must_use]
    pub fn parse(nal: &[u8]) -> Option<Self> {
        /// Two numbers of 35 bits, and the bytes against emulation among them.
        const LEN_MAX: usize = 14;
        /// I and SI, also where they are said to be all that the picture has.
        const INTRA: [u32; 4] = [2, 4, 7, 9];
        if !NAL_SLICES.contains(&nal_type(nal)) {
            return None;
        }
        let head = without_emulation(nal.get(1..nal.len().min(LEN_MAX))?);
        let mut reader = BitReader::new(&head, "slice header");
        let is_first = reader.ue().ok()? == 0;
        let is_intra = reader.ue().is_ok_and(|kind| INTRA.contains(&kind));
        Some(Self { is_first, is_intra })
    }
}
