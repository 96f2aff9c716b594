//! The video codecs of the Flash age: how large their pictures are, which only their frames say.
//!
//! Sorenson H.263 says it in each frame, Screen video too, On2 VP6 in key frames. No picture is decoded.

use crate::Error;
use crate::bits::BitReader;

/// FLV's numbers of these codecs.
const SORENSON: u8 = 2;
const SCREEN: u8 = 3;
const VP6: u8 = 4;
const VP6_ALPHA: u8 = 5;
const SCREEN_2: u8 = 6;

/// Width and height in pixels that the payload of a frame says, by FLV's number of its codec; `None` if it does not
/// (VP6 between key frames) or the codec is another.
#[must_use]
pub fn picture_size(codec: u8, frame: &[u8]) -> Option<(u32, u32)> {
    let size = match codec {
        SORENSON => sorenson(frame).ok()?,
        SCREEN | SCREEN_2 => screen(frame)?,
        VP6 => vp6(*frame.first()?, frame.get(1..)?)?,
        // The place of the picture for transparency stands between.
        VP6_ALPHA => vp6(*frame.first()?, frame.get(4..)?)?,
        _ => return None,
    };
    Some(size).filter(|&(width, height)| width > 0 && height > 0)
}

/// The picture header of Sorenson's H.263 (Video File Format 10.1, E.4.3.1).
fn sorenson(frame: &[u8]) -> Result<(u32, u32), Error> {
    const WHAT: &str = "Sorenson H.263 picture";
    const START_CODE: u32 = 1;
    let mut reader = BitReader::new(frame, WHAT);
    if reader.bits(17)? != START_CODE {
        return Err(Error::malformed(WHAT, "its start code is missing"));
    }
    // Version and temporal reference.
    reader.skip(5 + 8)?;
    Ok(match reader.bits(3)? {
        0 => (reader.bits(8)?, reader.bits(8)?),
        1 => (reader.bits(16)?, reader.bits(16)?),
        2 => (352, 288),
        3 => (176, 144),
        4 => (128, 96),
        5 => (320, 240),
        6 => (160, 120),
        size => return Err(Error::malformed(WHAT, format!("size {size} is reserved"))),
    })
}

/// Screen video of both versions (E.4.3.2, E.4.3.3): sizes of a block and of the picture, 4 and 12 bits each.
fn screen(frame: &[u8]) -> Option<(u32, u32)> {
    let &[a, b, c, d, ..] = frame else { return None };
    let side = |high, low| u32::from(u16::from_be_bytes([high, low]) & 0xFFF);
    Some((side(a, b), side(c, d)))
}

/// The head of a VP6 key frame, which counts macroblocks; FLV says by `cut` what is cut off at the right (upper
/// four bits) and below (E.4.3.4).
fn vp6(cut: u8, frame: &[u8]) -> Option<(u32, u32)> {
    const INTER: u8 = 0x80;
    const SEPARATE_COEFFICIENTS: u8 = 1;
    const ADVANCED_PROFILE: u8 = 6;
    let &[head, version, ..] = frame else { return None };
    if head & INTER != 0 || version >> 3 > 8 {
        return None;
    }
    let has_offset = head & SEPARATE_COEFFICIENTS != 0 || version & ADVANCED_PROFILE == 0;
    let &[rows, columns, ..] = frame.get(if has_offset { 4.. } else { 2.. })? else { return None };
    let side = |blocks: u8, cut: u8| (16 * u32::from(blocks)).checked_sub(cut.into());
    Some((side(columns, cut >> 4)?, side(rows, cut & 0xF)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_say_how_large_they_are() {
        // As ffmpeg's encoders write 320 × 240 (a number of its own), 100 × 60 and 640 × 360.
        assert_eq!(picture_size(SORENSON, &[0, 0, 0x84, 0x02, 0x8F]), Some((320, 240)));
        assert_eq!(picture_size(SORENSON, &[0, 0, 0x84, 0, 0x32, 0x1E, 0]), Some((100, 60)));
        assert_eq!(picture_size(SORENSON, &[0, 0, 0x84, 0, 0x81, 0x40, 0, 0xB4, 0]), Some((640, 360)));
        // Blocks of 64 × 64, a picture of 1279 × 721.
        assert_eq!(picture_size(SCREEN, &[0x34, 0xFF, 0x32, 0xD1, 0]), Some((1279, 721)));
        assert_eq!(picture_size(SCREEN_2, &[0x34, 0xFF, 0x32, 0xD1, 0]), Some((1279, 721)));
        // 20 × 12 macroblocks, of which 2 and 8 pixels are cut off; the same with an offset and behind transparency.
        assert_eq!(picture_size(VP6, &[0x28, 0x40, 0x36, 12, 20, 12, 20]), Some((318, 184)));
        assert_eq!(picture_size(VP6, &[0x28, 0x41, 0x36, 0, 9, 12, 20, 12, 20]), Some((318, 184)));
        assert_eq!(picture_size(VP6_ALPHA, &[0, 0, 0, 9, 0x40, 0x36, 12, 20, 12, 20]), Some((320, 192)));
    }

    #[test]
    fn what_says_nothing_is_told() {
        assert_eq!(picture_size(VP6, &[0, 0xC0, 0x36, 12, 20]), None, "between key frames");
        assert_eq!(picture_size(VP6, &[0xFF, 0x40, 0x36, 0, 0]), None, "more is cut off than there is");
        assert_eq!(picture_size(SORENSON, &[0, 0, 0x84, 0x03, 0x8F]), None, "a reserved size");
        assert_eq!(picture_size(SCREEN, &[0x30, 0, 0x32, 0xD1]), None);
        assert_eq!(picture_size(7, &[0x34, 0xFF, 0x32, 0xD1, 0]), None);
        for codec in SORENSON..=SCREEN_2 {
            assert_eq!(picture_size(codec, &[]), None);
        }
    }
}
