//! What the "video usability information" of H.264 and H.265 (Annex E of both) has in common.

use crate::Error;
use crate::bits::BitReader;

const EXTENDED_SAR: u32 = 255;

/// Table E-1; index 0 is "unspecified".
const SAMPLE_ASPECTS: [(u16, u16); 17] = [
    (0, 0),
    (1, 1),
    (12, 11),
    (10, 11),
    (16, 11),
    (40, 33),
    (24, 11),
    (20, 11),
    (32, 11),
    (80, 33),
    (18, 11),
    (15, 11),
    (64, 33),
    (160, 99),
    (4, 3),
    (3, 2),
    (2, 1),
];

/// The sample aspect ratio with the flag before it: width to height, if announced and not 0.
pub(super) fn sample_aspect(reader: &mut BitReader<'_>) -> Result<Option<(u16, u16)>, Error> {
    if !reader.flag()? {
        return Ok(None);
    }
    let index = reader.bits(8)?;
    let (width, height) = if index == EXTENDED_SAR {
        (reader.bits(16)? as u16, reader.bits(16)? as u16)
    } else {
        SAMPLE_ASPECTS.get(index as usize).copied().unwrap_or((0, 0))
    };
    Ok((width > 0 && height > 0).then_some((width, height)))
}

/// The fraction in its lowest terms.
pub(super) const fn reduced(num: u32, den: u32) -> (u32, u32) {
    let (mut a, mut b) = (num, den);
    while b != 0 {
        (a, b) = (b, a % b);
    }
    (num / a, den / a)
}
