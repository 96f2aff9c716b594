//! VP9 and VP8: the VPCodecConfigurationRecord ("VP Codec ISO Media File Format Binding", 2.2), and the
//! head of a key frame, which says the rest.

use bytes::{BufMut, Bytes, BytesMut};

use super::colours::Colours;
use crate::Error;
use crate::bits::BitReader;

/// What a decoder or player is told of VP8 and VP9: the meaning of a VPCodecConfigurationRecord.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VpConfig {
    /// VP9: 0 = 4:2:0 in 8 bits, 1 = other chroma, 2 and 3 = the same in more bits.
    pub profile: u8,
    /// Ten times the level: 10–62; 0 = unknown.
    pub level: u8,
    /// Bits per sample: 8, 10 or 12.
    pub bit_depth: u8,
    /// 0 and 1 = 4:2:0 (by where chroma samples lie), 2 = 4:2:2, 3 = 4:4:4.
    pub chroma_subsampling: u8,
    /// What colours are meant.
    pub colours: Colours,
}

impl VpConfig {
    /// Reads a record. Version and flags of the `vpcC` box may stand before it, as FFmpeg sends them.
    ///
    /// # Errors
    /// `Malformed` if it is shorter than 6 bytes or announces samples without bits.
    pub fn parse(record: &[u8]) -> Result<Self, Error> {
        const BOX_HEAD: &[u8] = &[1, 0, 0, 0];
        // Without the box's head that would be samples of 0 bits.
        let record = record.strip_prefix(BOX_HEAD).unwrap_or(record);
        let &[profile, level, format, primaries, transfer, matrix, ..] = record else {
            return Err(malformed(format!("it has {} bytes, at least 6 are needed", record.len())));
        };
        let bit_depth = format >> 4;
        if bit_depth == 0 {
            return Err(malformed("it announces samples of 0 bits"));
        }
        let full_range = format & 1 == 1;
        let colours = Colours { primaries, transfer, matrix, full_range };
        Ok(Self { profile, level, bit_depth, chroma_subsampling: format >> 1 & 7, colours })
    }

    /// Writes the record, without a box's version and flags.
    #[must_use]
    pub fn to_bytes(&self) -> Bytes {
        let Colours { primaries, transfer, matrix, full_range } = self.colours;
        let mut out = BytesMut::with_capacity(8);
        out.put_slice(&[self.profile, self.level]);
        out.put_u8(self.bit_depth << 4 | (self.chroma_subsampling & 7) << 1 | u8::from(full_range));
        out.put_slice(&[primaries, transfer, matrix]);
        // VP8 and VP9 have no initialisation data.
        out.put_u16(0);
        out.freeze()
    }

    /// The codec's name in an HTTP or HLS `codecs` list behind its FourCC: `vp09.00.10.08`, with chroma
    /// format and colours behind it where they are not the usual ones.
    #[must_use]
    pub fn codec_string(&self, four_cc: &str) -> String {
        let Self { profile, level, bit_depth, chroma_subsampling, colours } = *self;
        let short = format!("{four_cc}.{profile:02}.{:02}.{bit_depth:02}", level.max(LEVELS[0].0));
        if chroma_subsampling <= 1 && colours.are_usual() {
            return short;
        }
        let Colours { primaries, transfer, matrix, full_range } = colours;
        let range = u8::from(full_range);
        format!("{short}.{chroma_subsampling:02}.{primaries:02}.{transfer:02}.{matrix:02}.{range:02}")
    }
}

/// Whether a VP8 frame is a key frame: the first bit is 0 (RFC 6386, 9.1). `None` if there is no byte.
#[must_use]
pub fn is_vp8_key_frame(frame: &[u8]) -> Option<bool> {
    frame.first().map(|head| head & 1 == 0)
}

/// Whether a VP9 frame is a key frame, by its uncompressed header: marker, profile, whether it only shows another, type
/// ("VP9 Bitstream", 6.2). `None` if there is no byte.
#[must_use]
pub fn is_vp9_key_frame(frame: &[u8]) -> Option<bool> {
    const MARKER: u8 = 2;
    let &head = frame.first()?;
    // Profile 3 has a bit more before the flags.
    let flags = if head >> 4 & 3 == 3 { head >> 1 } else { head >> 2 };
    Some(head >> 6 == MARKER && flags & 3 == 0)
}

/// What the head of a key frame says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VpKeyFrame {
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// What a record would say. The level is the lowest for this size.
    pub config: VpConfig,
}

impl VpKeyFrame {
    /// Reads the head of a VP8 frame (RFC 6386, 9.1).
    ///
    /// # Errors
    /// `Malformed` if it is no key frame or ends too early.
    pub fn parse_vp8(frame: &[u8]) -> Result<Self, Error> {
        const WHAT: &str = "VP8 key frame";
        let &[tag, _, _, 0x9D, 0x01, 0x2A, a, b, c, d, ..] = frame else {
            return Err(Error::malformed(WHAT, "its start code is missing"));
        };
        if tag & 1 != 0 {
            return Err(Error::malformed(WHAT, "it is no key frame"));
        }
        // Two bits of each are a wish for scaling.
        let side = |low, high| u32::from(u16::from_le_bytes([low, high]) & 0x3FFF);
        let (width, height) = (side(a, b), side(c, d));
        Ok(Self::new(tag >> 1 & 7, width, height, 8, FORMAT_420, Colours::UNSPECIFIED))
    }

    /// Reads the head of a VP9 frame (VP9 bitstream specification, 6.2).
    ///
    /// # Errors
    /// `Malformed` if it is no key frame or ends too early.
    pub fn parse_vp9(frame: &[u8]) -> Result<Self, Error> {
        const WHAT: &str = "VP9 key frame";
        const MARKER: u32 = 2;
        const SYNC_CODE: u32 = 0x49_8342;
        let mut reader = BitReader::new(frame, WHAT);
        let marker = reader.bits(2)?;
        let profile = reader.bits(1)? as u8 | (reader.bits(1)? as u8) << 1;
        reader.skip(if profile == 3 { 1 } else { 0 })?;
        let shows_another = reader.flag()?;
        let is_inter = reader.flag()?;
        reader.skip(2)?;
        if marker != MARKER || shows_another || is_inter || reader.bits(24)? != SYNC_CODE {
            return Err(Error::malformed(WHAT, "it is no key frame"));
        }
        let bit_depth = match profile {
            0 | 1 => 8,
            _ if reader.flag()? => 12,
            _ => 10,
        };
        let (format, colours) = read_colours(&mut reader, profile)?;
        let (width, height) = (reader.bits(16)? + 1, reader.bits(16)? + 1);
        Ok(Self::new(profile, width, height, bit_depth, format, colours))
    }

    fn new(profile: u8, width: u32, height: u32, bit_depth: u8, format: u8, colours: Colours) -> Self {
        let area = u64::from(width) * u64::from(height);
        let level = LEVELS.iter().find(|(_, largest)| area <= *largest).map_or(62, |(level, _)| *level);
        let config = VpConfig { profile, level, bit_depth, chroma_subsampling: format, colours };
        Self { width, height, config }
    }
}

/// 4:2:0 as most encoders have it.
const FORMAT_420: u8 = 1;
const FORMAT_422: u8 = 2;
const FORMAT_444: u8 = 3;

/// Chroma format (as in the record) and colours; profiles 0 and 2 are always 4:2:0.
fn read_colours(reader: &mut BitReader<'_>, profile: u8) -> Result<(u8, Colours), Error> {
    const RGB: u32 = 7;
    /// Matrix coefficients for the codec's own numbers.
    const MATRICES: [u8; 8] = [2, 5, 1, 6, 7, 9, 2, 0];
    let other_chroma = profile & 1 == 1;
    let space = reader.bits(3)?;
    let matrix = MATRICES.get(space as usize).copied().unwrap_or(2);
    let full_range = space == RGB || reader.flag()?;
    let format = match (other_chroma, space) {
        (true, RGB) => FORMAT_444,
        (true, _) => match (reader.flag()?, reader.flag()?) {
            (true, true) => FORMAT_420,
            (true, false) => FORMAT_422,
            (false, _) => FORMAT_444,
        },
        (false, _) => FORMAT_420,
    };
    reader.skip(usize::from(other_chroma))?;
    Ok((format, Colours { matrix, full_range, ..Colours::UNSPECIFIED }))
}

/// Ten times the level, and its largest picture in pixels.
const LEVELS: [(u8, u64); 9] = [
    (10, 36_864),
    (11, 73_728),
    (20, 122_880),
    (21, 245_760),
    (30, 552_960),
    (31, 983_040),
    (40, 2_228_224),
    (50, 8_912_896),
    (60, 35_651_584),
];

fn malformed(reason: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::malformed("VPCodecConfigurationRecord", reason)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The record that FFmpeg wrote for what libvpx made, the head of its first frame, and its size.
    const FIXTURES: [(u64, u128, u32, u32, &str); 5] = [
        (0x000A_8202_0202_0000, 0x8249_8342_0009_F005_9602_3824_1C18_4200, 160, 90, "vp09.00.10.08"),
        (0x0028_8202_0202_0000, 0x8249_8342_0077_D043_5606_3824_1C18_4A00, 1918, 1078, "vp09.00.40.08"),
        (
            0x030B_A602_0209_0000,
            0xB124_C1A1_2800_9F80_59B0_31C1_20E0_C2C0,
            320,
            180,
            "vp09.03.11.10.03.02.02.09.00",
        ),
        (
            0x010B_8502_0202_0000,
            0xA249_8342_1802_7E01_66C0_C704_8383_0900,
            320,
            180,
            "vp09.01.11.08.02.02.02.02.01",
        ),
        (
            0x010B_8702_0200_0000,
            0xA249_8342_E013_F00B_3606_3824_1C18_4A00,
            320,
            180,
            "vp09.01.11.08.03.02.02.00.01",
        ),
    ];

    #[test]
    fn key_frames_say_what_ffmpeg_wrote_in_the_record() {
        for (record, frame, width, height, name) in FIXTURES {
            let record = record.to_be_bytes();
            let config = VpConfig::parse(&record).unwrap();
            assert_eq!(config.to_bytes().as_ref(), record, "{name}");
            assert_eq!(config.codec_string("vp09"), name);
            let head = VpKeyFrame::parse_vp9(&frame.to_be_bytes()).unwrap();
            assert_eq!(head, VpKeyFrame { width, height, config }, "{name}");
        }
    }

    #[test]
    fn vp8_says_its_size_in_the_key_frame() {
        let frame = [0xD0, 0x4A, 0x00, 0x9D, 0x01, 0x2A, 0xB0, 0x00, 0x90, 0x40, 0x00, 0x07];
        let head = VpKeyFrame::parse_vp8(&frame).unwrap();
        assert_eq!((head.width, head.height), (176, 144));
        assert_eq!(head.config.codec_string("vp08"), "vp08.00.10.08");
        assert!(VpKeyFrame::parse_vp8(&[&[0xD1], &frame[1..]].concat()).is_err());
        assert!(VpKeyFrame::parse_vp8(&frame[..9]).is_err());
    }

    #[test]
    fn a_record_may_come_in_its_box_and_must_be_one() {
        let boxed = [1, 0, 0, 0, 0, 10, 0x82, 2, 2, 2, 0, 0];
        assert_eq!(VpConfig::parse(&boxed), VpConfig::parse(&boxed[4..]));
        let unknown_level = VpConfig::parse(&[0, 0, 0x80, 1, 1, 1]).unwrap();
        assert_eq!(unknown_level.codec_string("vp09"), "vp09.00.10.08");
        for record in [&[][..], &[0, 10, 0x82, 2, 2], &[0, 10, 2, 2, 2, 2, 0, 0], &boxed[..8]] {
            assert!(VpConfig::parse(record).is_err(), "{record:?}");
        }
        assert!(VpKeyFrame::parse_vp9(&[0x86, 0, 0x40, 0x92]).is_err(), "an inter frame");
    }

    proptest! {
        #[test]
        fn any_bytes_never_panic(data in prop::collection::vec(any::<u8>(), 0..40)) {
            if let Ok(config) = VpConfig::parse(&data) {
                prop_assert_eq!(VpConfig::parse(&config.to_bytes()), Ok(config));
            }
            let _ = VpKeyFrame::parse_vp8(&data);
            let _ = VpKeyFrame::parse_vp8(&[&[0, 0, 0, 0x9D, 1, 0x2A], &data[..]].concat());
            let _ = VpKeyFrame::parse_vp9(&data);
            let _ = VpKeyFrame::parse_vp9(&[&[0xA2, 0x49, 0x83, 0x42], &data[..]].concat());
        }
    }
}
