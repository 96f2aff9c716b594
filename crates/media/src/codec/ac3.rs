//! AC-3 and Enhanced AC-3: the head of a frame, which says all, and the boxes that repeat it in MP4
//! (ETSI TS 102 366, 4.3, E.1.2 and Annex F).
//!
//! Of Enhanced AC-3 the first substream counts: the programme that every decoder plays.

use crate::Error;
use crate::bits::{BitReader, BitWriter};

/// What the head of a frame says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ac3Header {
    /// Sample rate in Hz.
    pub sample_rate: u32,
    /// Channels, the one for low frequencies included: 1–6.
    pub channels: u8,
    /// Bit rate in kbit/s, rounded.
    pub bit_rate_kbps: u16,
    /// Samples per channel in the frame: 256–1536.
    pub samples: u16,
    /// Bytes of the frame.
    pub frame_len: usize,
    rate_code: u8,
    stream_id: u8,
    stream_mode: u8,
    channel_mode: u8,
    has_low_frequencies: bool,
    /// AC-3: the bit rate by its number in the table.
    bit_rate_code: u8,
}

/// Bit rates of AC-3 in kbit/s.
const BIT_RATES: [u16; 19] =
    [32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384, 448, 512, 576, 640];
const SAMPLE_RATES: [u32; 3] = [48_000, 44_100, 32_000];
const SYNC_WORD: u32 = 0x0B77;
/// The highest `bsid` of AC-3, and of Enhanced AC-3.
const STREAM_ID_AC3: u8 = 10;
const STREAM_ID_EAC3: u8 = 16;

impl Ac3Header {
    /// Reads the head of an AC-3 or Enhanced AC-3 frame; `bsid` tells which it is.
    ///
    /// # Errors
    /// `Malformed` if it is none, ends too early, or uses reserved numbers.
    pub fn parse(frame: &[u8]) -> Result<Self, Error> {
        let mut reader = BitReader::new(frame, WHAT);
        if reader.bits(16)? != SYNC_WORD {
            return Err(malformed("its sync word is missing"));
        }
        let stream_id = frame.get(5).map_or(0, |byte| byte >> 3);
        match stream_id {
            0..=STREAM_ID_AC3 => Self::read_ac3(reader, stream_id),
            11..=STREAM_ID_EAC3 => Self::read_eac3(reader, stream_id),
            _ => Err(malformed(format!("bit stream identification {stream_id} is unknown"))),
        }
    }

    /// Whether it is Enhanced AC-3.
    #[must_use]
    pub const fn is_enhanced(&self) -> bool {
        self.stream_id > STREAM_ID_AC3
    }

    /// The body of the `dac3` or `dec3` box that describes such frames.
    #[must_use]
    pub fn to_box_body(&self) -> Vec<u8> {
        let mut writer = BitWriter::default();
        let fields = |writer: &mut BitWriter, fields: &[(u8, u32)]| {
            fields.iter().for_each(|&(value, bits)| writer.bits(value.into(), bits));
        };
        let low_frequencies = u8::from(self.has_low_frequencies);
        if self.is_enhanced() {
            writer.bits(self.bit_rate_kbps.into(), 13);
            // One independent substream; its mode follows a reserved bit and "no associated service".
            fields(&mut writer, &[(0, 3), (self.rate_code, 2), (self.stream_id, 5), (0, 2)]);
            fields(&mut writer, &[(self.stream_mode, 3), (self.channel_mode, 3), (low_frequencies, 1)]);
            // No dependent substreams.
            fields(&mut writer, &[(0, 3), (0, 4), (0, 1)]);
        } else {
            fields(&mut writer, &[(self.rate_code, 2), (self.stream_id, 5), (self.stream_mode, 3)]);
            fields(&mut writer, &[(self.channel_mode, 3), (low_frequencies, 1), (self.bit_rate_code, 5)]);
        }
        let mut body = writer.into_bytes();
        body.resize(if self.is_enhanced() { 5 } else { 3 }, 0);
        body
    }

    fn read_ac3(mut reader: BitReader<'_>, stream_id: u8) -> Result<Self, Error> {
        reader.skip(16)?;
        let rate_code = reader.bits(2)? as u8;
        let bit_rate_code = reader.bits(5)? as u8;
        let has_word_more = reader.flag()?;
        reader.skip(5)?;
        let stream_mode = reader.bits(3)? as u8;
        let channel_mode = reader.bits(3)? as u8;
        // Levels for mixing down: of a centre, of surround channels, and whether stereo is a matrix.
        let has_centre = channel_mode & 1 != 0 && channel_mode != 1;
        let levels = [has_centre, channel_mode & 4 != 0, channel_mode == 2];
        reader.skip(2 * levels.iter().filter(|&&present| present).count())?;
        let has_low_frequencies = reader.flag()?;
        let (Some(&sample_rate), Some(&bit_rate_kbps)) =
            (SAMPLE_RATES.get(usize::from(rate_code)), BIT_RATES.get(usize::from(bit_rate_code)))
        else {
            return Err(malformed("its sample rate or bit rate is reserved"));
        };
        // 1536 samples in words of 16 bits, cut off; at 44,100 Hz some frames have one more.
        let words = u32::from(bit_rate_kbps) * 96_000 / sample_rate + u32::from(has_word_more);
        // A stream identification beyond 8 halves the rates, once or twice.
        let halvings = stream_id.saturating_sub(8);
        Ok(Self {
            sample_rate: sample_rate >> halvings,
            channels: channels(channel_mode, has_low_frequencies),
            bit_rate_kbps: bit_rate_kbps >> halvings,
            samples: 1536,
            frame_len: 2 * words as usize,
            rate_code,
            stream_id,
            stream_mode,
            channel_mode,
            has_low_frequencies,
            bit_rate_code,
        })
    }

    fn read_eac3(mut reader: BitReader<'_>, stream_id: u8) -> Result<Self, Error> {
        const BLOCKS: [u16; 4] = [1, 2, 3, 6];
        const HALF_RATES: u8 = 3;
        reader.skip(2 + 3)?;
        let frame_len = 2 * (reader.bits(11)? + 1);
        let rate_code = reader.bits(2)? as u8;
        let blocks_code = reader.bits(2)? as u8;
        let (rate, blocks) = if rate_code == HALF_RATES {
            (SAMPLE_RATES.get(usize::from(blocks_code)).map(|rate| rate / 2), 6)
        } else {
            let blocks = BLOCKS.get(usize::from(blocks_code)).copied().unwrap_or(6);
            (SAMPLE_RATES.get(usize::from(rate_code)).copied(), blocks)
        };
        let sample_rate = rate.ok_or_else(|| malformed("its sample rate is reserved"))?;
        let channel_mode = reader.bits(3)? as u8;
        let has_low_frequencies = reader.flag()?;
        let samples = 256 * blocks;
        let bit_rate = u64::from(frame_len) * 8 * u64::from(sample_rate) / u64::from(samples);
        Ok(Self {
            sample_rate,
            channels: channels(channel_mode, has_low_frequencies),
            // The field in MP4 holds 13 bits.
            bit_rate_kbps: ((bit_rate + 500) / 1000).min(0x1FFF) as u16,
            samples,
            frame_len: frame_len as usize,
            rate_code,
            stream_id,
            stream_mode: 0,
            channel_mode,
            has_low_frequencies,
            bit_rate_code: 0,
        })
    }
}

/// Channels by mode: two independent ones, then from one in front to three in front and two behind.
fn channels(mode: u8, has_low_frequencies: bool) -> u8 {
    const CHANNELS: [u8; 8] = [2, 1, 2, 3, 3, 4, 4, 5];
    CHANNELS[usize::from(mode & 7)] + u8::from(has_low_frequencies)
}

const WHAT: &str = "AC-3 frame";

fn malformed(reason: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::malformed(WHAT, reason)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The start of a frame that FFmpeg made, the box it wrote in MP4, rate, channels and bit rate.
    type Fixture = ([u8; 8], &'static [u8], u32, u8, u16);

    const FIXTURES: [Fixture; 6] = [
        ([0x0B, 0x77, 0xFE, 0x95, 0x14, 0x40, 0x43, 0xE1], &[0x10, 0x11, 0x40], 48_000, 2, 192),
        ([0x0B, 0x77, 0xC2, 0xC9, 0x5C, 0x40, 0xEB, 0xF8], &[0x50, 0x3D, 0xC0], 44_100, 6, 384),
        ([0x0B, 0x77, 0x97, 0x3C, 0x8C, 0x40, 0x2F, 0x84], &[0x90, 0x08, 0xC0], 32_000, 1, 96),
        ([0x0B, 0x77, 0x01, 0x7F, 0x34, 0x87, 0xC0, 0x00], &[6, 0, 0x20, 4, 0], 48_000, 2, 192),
        ([0x0B, 0x77, 0x01, 0xFF, 0x3F, 0x87, 0xC0, 0x00], &[8, 0, 0x20, 0x0F, 0], 48_000, 6, 256),
        ([0x0B, 0x77, 0x00, 0x8A, 0x72, 0x87, 0xC0, 0x00], &[2, 0, 0x60, 2, 0], 44_100, 1, 64),
    ];

    #[test]
    fn frames_say_what_ffmpeg_wrote_in_the_box() {
        for (frame, body, sample_rate, channels, bit_rate) in FIXTURES {
            let header = Ac3Header::parse(&frame).unwrap();
            assert_eq!(header.to_box_body(), body);
            assert_eq!((header.sample_rate, header.channels), (sample_rate, channels), "{frame:02x?}");
            assert_eq!((header.bit_rate_kbps, header.samples), (bit_rate, 1536), "{frame:02x?}");
            assert_eq!(header.is_enhanced(), body.len() == 5);
            let bytes = f64::from(bit_rate) * 1000.0 / 8.0 * 1536.0 / f64::from(sample_rate);
            assert!((header.frame_len as f64 - bytes).abs() <= 2.0, "{} of {bytes}", header.frame_len);
        }
    }

    #[test]
    fn what_is_no_frame_is_refused() {
        let [(frame, ..), ..] = FIXTURES;
        for cut in 0..7 {
            assert!(Ac3Header::parse(&frame[..cut]).is_err(), "{cut} bytes");
        }
        // No sync word; a reserved rate; a reserved bit rate; an unknown identification.
        for (at, value) in [(0, 0x77), (4, 0xD4), (4, 0x26), (5, 0x88)] {
            let mut damaged = frame;
            damaged[at] = value;
            assert!(Ac3Header::parse(&damaged).is_err(), "byte {at}");
        }
        // Half the rate (a stream identification of 9), and half the rate of Enhanced AC-3.
        let half = Ac3Header::parse(&[0x0B, 0x77, 0, 0, 0x14, 0x48, 0x43, 0xE1]).unwrap();
        assert_eq!((half.sample_rate, half.bit_rate_kbps), (24_000, 96));
        let half = Ac3Header::parse(&[0x0B, 0x77, 1, 0x7F, 0xC4, 0x87, 0xC0, 0]).unwrap();
        assert_eq!((half.sample_rate, half.samples), (24_000, 1536));
    }

    proptest! {
        #[test]
        fn any_bytes_never_panic(data in prop::collection::vec(any::<u8>(), 0..12)) {
            let _ = Ac3Header::parse(&data);
            if let Ok(header) = Ac3Header::parse(&[&[0x0B, 0x77], &data[..]].concat()) {
                prop_assert!(header.sample_rate > 0 && header.channels > 0);
                let len = if header.is_enhanced() { 5 } else { 3 };
                prop_assert_eq!(header.to_box_body().len(), len);
            }
        }
    }
}
