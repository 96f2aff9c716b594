//! H.266: the types of NAL units that count here (ITU-T H.266, Table 5). No configuration or slice is read.

use std::ops::RangeInclusive;

/// NAL unit types of pictures where decoding can start at once: IDR (7, 8) and CRA (9).
pub const NAL_KEY: RangeInclusive<u8> = 7..=9;
/// NAL unit type of a picture where decoding can start, and pictures come out right some time later (GDR).
pub const NAL_GRADUAL: u8 = 10;
/// NAL unit type of what is said of a picture before its slices.
pub const NAL_PICTURE_HEADER: u8 = 19;
/// NAL unit types from here on are no slices.
pub const NO_SLICE: u8 = 12;

/// The type of a NAL unit: five bits of its second byte; 0 (a trailing picture) if it is too short.
#[must_use]
pub fn nal_type(nal: &[u8]) -> u8 {
    nal.get(1).map_or(0, |head| head >> 3)
}

/// Whether a unit may begin so: the first bits are 0, the temporal layer is not impossible.
#[must_use]
pub fn is_nal_head(nal: &[u8]) -> bool {
    matches!(nal, [head, kind, ..] if head & 0xC0 == 0 && kind & 7 != 0)
}

/// Whether a unit says nothing of the picture: filler. Delimiters stay: encoders write one before each access unit,
/// and in several layers they say where one begins.
#[must_use]
pub fn is_idle(nal: &[u8]) -> bool {
    const FILLER: u8 = 25;
    nal_type(nal) == FILLER
}

/// Whether a unit stands before the slices of its picture: parameter sets, the picture's header, supplemental
/// information, delimiters.
#[must_use]
pub fn is_ahead(nal: &[u8]) -> bool {
    const SUPPLEMENTAL: u8 = 23;
    const SETS: RangeInclusive<u8> = 12..=20;
    let kind = nal_type(nal);
    SETS.contains(&kind) || kind == SUPPLEMENTAL
}

/// Whether a slice is all of its picture, for the picture's header is inside of its own; `None` if the unit is no
/// slice. Else a unit with the picture's header stands before the first slice.
#[must_use]
pub fn is_whole_picture(nal: &[u8]) -> Option<bool> {
    (nal_type(nal) < NO_SLICE).then(|| nal.get(2).map(|flags| flags & 0x80 != 0))?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_types_that_count() {
        let unit = |kind: u8, flags: u8| [0, kind << 3 | 1, flags];
        assert_eq!(nal_type(&unit(19, 0)), NAL_PICTURE_HEADER);
        let starts: Vec<u8> = (0..32).filter(|&kind| NAL_KEY.contains(&nal_type(&unit(kind, 0)))).collect();
        assert_eq!(starts, [7, 8, 9]);
        assert_eq!(is_whole_picture(&unit(8, 0x80)), Some(true));
        assert_eq!(is_whole_picture(&unit(0, 0x40)), Some(false));
        assert_eq!(is_whole_picture(&unit(15, 0x80)), None, "a sequence parameter set");
        assert!(is_idle(&unit(25, 0)) && !is_idle(&unit(8, 0)) && !is_idle(&unit(20, 0)));
        assert!(is_nal_head(&unit(8, 0)) && !is_nal_head(&[0x80, 9]) && !is_nal_head(&[0, 8]));
    }
}
