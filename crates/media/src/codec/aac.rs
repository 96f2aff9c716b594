//! AAC: the AudioSpecificConfig (ISO 14496-3, 1.6.2.1) and the ADTS header.

use bytes::Bytes;

use crate::Error;
use crate::bits::{BitReader, BitWriter};

/// Sample rates by their 4-bit index.
pub const SAMPLE_RATES: [u32; 13] =
    [96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000, 7_350];

/// Audio object type of AAC-LC.
pub const AAC_LC: u8 = 2;
const AAC_MAIN: u8 = 1;
const SBR: u8 = 5;
const PS: u8 = 29;
/// Marks the backward-compatible extension at the end of a config.
const SYNC_EXTENSION: u32 = 0x2B7;
const SYNC_EXTENSION_PS: u32 = 0x548;

/// What an AAC decoder must know: the meaning of an AudioSpecificConfig.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AudioSpecificConfig {
    /// The core's audio object type: 2 for AAC-LC, also inside HE-AAC.
    pub object_type: u8,
    /// The core's sample rate in Hz, before spectral band replication doubles it.
    pub sample_rate: u32,
    /// 0 = described by a program config element, 1–6 = that many channels, 7 = 8 channels.
    pub channel_config: u8,
    /// Samples per frame of the core: 1024, or 960 by a flag.
    pub frame_length: u16,
    /// The output rate in Hz if the config announces spectral band replication (HE-AAC).
    pub sbr_rate: Option<u32>,
    /// Whether the config announces parametric stereo (HE-AAC v2).
    pub parametric_stereo: bool,
}

impl AudioSpecificConfig {
    /// A plain AAC-LC configuration; `channel_config` as in the struct.
    #[must_use]
    pub const fn lc(sample_rate: u32, channel_config: u8) -> Self {
        Self {
            object_type: AAC_LC,
            sample_rate,
            channel_config,
            frame_length: 1024,
            sbr_rate: None,
            parametric_stereo: false,
        }
    }

    /// Reads a config. Bytes after it are tolerated: Omnia encoders send more than belongs there.
    ///
    /// # Errors
    /// `Malformed` if it ends too early or uses a reserved sample rate index.
    pub fn parse(config: &[u8]) -> Result<Self, Error> {
        Self::parse_whole(config).map(|(parsed, _)| parsed)
    }

    /// The same, and whether the config says outright that SBR or parametric stereo is not there.
    pub(super) fn parse_whole(config: &[u8]) -> Result<(Self, bool), Error> {
        let mut reader = BitReader::new(config, "AudioSpecificConfig");
        let mut object_type = read_object_type(&mut reader)?;
        let sample_rate = read_sample_rate(&mut reader)?;
        let channel_config = reader.bits(4)? as u8;
        if channel_config > 7 {
            return Err(malformed(format!("channel configuration {channel_config} is reserved")));
        }
        let mut sbr_rate = None;
        let mut parametric_stereo = false;
        if object_type == SBR || object_type == PS {
            parametric_stereo = object_type == PS;
            sbr_rate = Some(read_sample_rate(&mut reader)?);
            object_type = read_object_type(&mut reader)?;
        }
        if object_type == 0 || sample_rate == 0 {
            return Err(malformed("object type or sample rate is zero"));
        }
        // Some writers send only the two bytes up to here; the flags then are all zero.
        let short_frames = reader.flag().unwrap_or(false);
        let mut parsed = Self {
            object_type,
            sample_rate,
            channel_config,
            frame_length: if short_frames { 960 } else { 1024 },
            sbr_rate,
            parametric_stereo,
        };
        let is_denied = sbr_rate.is_none() && parsed.read_sync_extension(reader);
        Ok((parsed, is_denied))
    }

    /// Channels that come out of the decoder; `None` if only a program config element says.
    #[must_use]
    pub const fn channels(&self) -> Option<u8> {
        match self.channel_config {
            0 => None,
            1 if self.parametric_stereo => Some(2),
            7 => Some(8),
            count => Some(count),
        }
    }

    /// The rate in Hz that comes out of the decoder.
    #[must_use]
    pub fn output_rate(&self) -> u32 {
        self.sbr_rate.unwrap_or(self.sample_rate)
    }

    /// Writes the config; HE-AAC in the explicit hierarchical form.
    #[must_use]
    pub fn to_bytes(&self) -> Bytes {
        let mut writer = BitWriter::default();
        let first = match (self.sbr_rate, self.parametric_stereo) {
            (Some(_), true) => PS,
            (Some(_), false) => SBR,
            (None, _) => self.object_type,
        };
        write_object_type(&mut writer, first);
        write_sample_rate(&mut writer, self.sample_rate);
        writer.bits(u32::from(self.channel_config), 4);
        if let Some(rate) = self.sbr_rate {
            write_sample_rate(&mut writer, rate);
            write_object_type(&mut writer, self.object_type);
        }
        writer.bits(u32::from(self.frame_length == 960), 1);
        writer.bits(0, 2);
        writer.into_bytes().into()
    }

    /// The codec's name in an HTTP or HLS `codecs` list: `mp4a.40.2` for AAC-LC.
    #[must_use]
    pub fn codec_string(&self) -> String {
        let object_type = match (self.sbr_rate, self.parametric_stereo) {
            (_, true) => PS,
            (Some(_), false) => SBR,
            (None, false) => self.object_type,
        };
        format!("mp4a.40.{object_type}")
    }

    /// The backward-compatible announcement of HE-AAC behind a plain config, and whether it denies something. What does
    /// not parse is taken for the padding that some writers add.
    fn read_sync_extension(&mut self, mut reader: BitReader<'_>) -> bool {
        let mut scan = || -> Result<(Option<(u32, bool)>, bool), Error> {
            let depends_on_core = reader.flag()?;
            if depends_on_core {
                reader.skip(14)?;
            }
            reader.skip(1)?;
            if reader.bits(11)? != SYNC_EXTENSION || reader.bits(5)? != u32::from(SBR) {
                return Ok((None, false));
            }
            if !reader.flag()? {
                return Ok((None, true));
            }
            let rate = read_sample_rate(&mut reader)?;
            let says_stereo = reader.left() >= 12 && reader.bits(11)? == SYNC_EXTENSION_PS;
            let stereo = says_stereo && reader.flag()?;
            Ok((Some((rate, stereo)), says_stereo && !stereo))
        };
        let Ok((announced, is_denied)) = scan() else { return false };
        if let Some((rate, stereo)) = announced {
            self.sbr_rate = Some(rate);
            self.parametric_stereo = stereo;
        }
        is_denied
    }
}

/// The header that stands before each AAC frame in a raw `.aac` file or a transport stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AdtsHeader {
    /// Audio object type (1–4).
    pub object_type: u8,
    /// Sample rate in Hz.
    pub sample_rate: u32,
    /// Channel configuration (0–7).
    pub channel_config: u8,
    /// Bytes of the header: 7, or 9 with a checksum.
    pub header_len: usize,
    /// Bytes of header and payload together.
    pub frame_len: usize,
}

impl AdtsHeader {
    /// Reads a header from the front of `data`; `None` if there is none.
    #[must_use]
    pub fn parse(data: &[u8]) -> Option<Self> {
        let &[sync, flags, format, mixed, length, tail, last, ..] = data else { return None };
        // Sync word of 12 ones, layer 0.
        if sync != 0xFF || flags & 0xF6 != 0xF0 {
            return None;
        }
        let header_len = if flags & 1 == 1 { 7 } else { 9 };
        let frame_len = usize::from(mixed & 3) << 11 | usize::from(length) << 3 | usize::from(tail >> 5);
        let blocks = last & 3;
        if frame_len < header_len || blocks != 0 {
            return None;
        }
        Some(Self {
            object_type: (format >> 6) + 1,
            sample_rate: *SAMPLE_RATES.get(usize::from(format >> 2 & 0xF))?,
            channel_config: (format & 1) << 2 | mixed >> 6,
            header_len,
            frame_len,
        })
    }

    /// The config that describes the same stream to a decoder that gets bare frames.
    #[must_use]
    pub const fn config(&self) -> AudioSpecificConfig {
        let mut config = AudioSpecificConfig::lc(self.sample_rate, self.channel_config);
        config.object_type = self.object_type;
        config
    }

    /// The 7-byte header for a bare frame of `payload_len` bytes, without checksum. HE-AAC is announced
    /// as its core, as the format requires.
    ///
    /// # Errors
    /// `Unsupported` if the rate has no index or the object type does not fit; `Limit` above 8184 bytes.
    pub fn build(config: &AudioSpecificConfig, payload_len: usize) -> Result<[u8; 7], Error> {
        const MEND: &str = "ADTS carries AAC Main, LC, SSR and LTP at the 13 standard rates";
        let index = SAMPLE_RATES
            .iter()
            .position(|&rate| rate == config.sample_rate)
            .ok_or_else(|| Error::unsupported(format!("AAC at {} Hz in ADTS", config.sample_rate), MEND))?;
        if !(AAC_MAIN..=4).contains(&config.object_type) {
            return Err(Error::unsupported(format!("AAC object type {} in ADTS", config.object_type), MEND));
        }
        let length = payload_len.saturating_add(7);
        if length > 0x1FFF {
            return Err(Error::limit("ADTS frame length in bytes", length as u64, 0x1FFF));
        }
        let channels = config.channel_config & 7;
        Ok([
            0xFF,
            0xF1,
            (config.object_type - 1) << 6 | (index as u8) << 2 | channels >> 2,
            (channels & 3) << 6 | (length >> 11) as u8,
            (length >> 3 & 0xFF) as u8,
            ((length & 7) << 5) as u8 | 0x1F,
            0xFC,
        ])
    }
}

fn read_object_type(reader: &mut BitReader<'_>) -> Result<u8, Error> {
    let short = reader.bits(5)?;
    Ok(if short == 31 { 32 + reader.bits(6)? as u8 } else { short as u8 })
}

fn read_sample_rate(reader: &mut BitReader<'_>) -> Result<u32, Error> {
    match reader.bits(4)? {
        15 => reader.bits(24),
        index => SAMPLE_RATES
            .get(index as usize)
            .copied()
            .ok_or_else(|| malformed(format!("sample rate index {index} is reserved"))),
    }
}

fn write_object_type(writer: &mut BitWriter, object_type: u8) {
    if object_type >= 32 {
        writer.bits(31, 5);
        writer.bits(u32::from(object_type) - 32, 6);
    } else {
        writer.bits(u32::from(object_type), 5);
    }
}

fn write_sample_rate(writer: &mut BitWriter, rate: u32) {
    match SAMPLE_RATES.iter().position(|&known| known == rate) {
        Some(index) => writer.bits(index as u32, 4),
        None => {
            writer.bits(15, 4);
            writer.bits(rate, 24);
        }
    }
}

fn malformed(reason: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::malformed("AudioSpecificConfig", reason)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_common_configs() {
        let parse = |bytes: &[u8]| AudioSpecificConfig::parse(bytes).unwrap();
        assert_eq!(parse(&[0x12, 0x10]), AudioSpecificConfig::lc(44_100, 2));
        assert_eq!(parse(&[0x11, 0x90]), AudioSpecificConfig::lc(48_000, 2));
        assert_eq!(parse(&[0x12, 0x08]), AudioSpecificConfig::lc(44_100, 1));
        assert_eq!(AudioSpecificConfig::lc(48_000, 2).to_bytes().as_ref(), [0x11, 0x90]);
        assert_eq!(parse(&[0x12, 0x10]).codec_string(), "mp4a.40.2");
    }

    #[test]
    fn a_config_longer_than_valid_is_read_as_the_encoder_meant_it() {
        let omnia = [0x12, 0x10, 0x00, 0x00, 0x00, 0x00];
        assert_eq!(AudioSpecificConfig::parse(&omnia), Ok(AudioSpecificConfig::lc(44_100, 2)));
    }

    #[test]
    fn he_aac_is_announced_in_front_or_behind() {
        // ffmpeg's LC 24 kHz stereo with the sync extension to 48 kHz: 13 10 56 E5 98.
        let behind = AudioSpecificConfig::parse(&[0x13, 0x10, 0x56, 0xE5, 0x98]).unwrap();
        assert_eq!((behind.sample_rate, behind.sbr_rate), (24_000, Some(48_000)));
        assert_eq!(behind.codec_string(), "mp4a.40.5");
        let front = AudioSpecificConfig::parse(&behind.to_bytes()).unwrap();
        assert_eq!(front, behind);
        let stereo = AudioSpecificConfig { parametric_stereo: true, channel_config: 1, ..front };
        let again = AudioSpecificConfig::parse(&stereo.to_bytes()).unwrap();
        assert_eq!((again.channels(), again.output_rate(), again.object_type), (Some(2), 48_000, 2));
        assert_eq!(again.codec_string(), "mp4a.40.29");
    }

    /// What the core says of times is true with SBR too, which frames carry unannounced (`sbr`).
    #[test]
    fn he_aac_that_is_not_announced_lasts_as_long_as_its_core() {
        let core = AudioSpecificConfig::parse(&[0x13, 0x10]).unwrap();
        assert_eq!((core.output_rate(), core.channels(), core.frame_length), (24_000, Some(2), 1024));
        assert_eq!(core.codec_string(), "mp4a.40.2");
        assert_eq!(core.to_bytes().as_ref(), [0x13, 0x10], "nothing is made up for decoders");
        let announced = AudioSpecificConfig::parse(&[0x13, 0x10, 0x56, 0xE5, 0x98]).unwrap();
        let lasts = |config: AudioSpecificConfig| {
            crate::Timestamp::from_ticks(config.frame_length.into(), config.sample_rate)
        };
        assert_eq!(lasts(core), lasts(announced));
        assert_eq!(lasts(core), crate::Timestamp::from_ticks(2048, 48_000));
    }

    #[test]
    fn nonsense_is_refused() {
        for bytes in [&[][..], &[0x12], &[0x16, 0x90], &[0x12, 0x78], &[0x07, 0x80]] {
            assert!(AudioSpecificConfig::parse(bytes).is_err(), "{bytes:02x?}");
        }
    }

    #[test]
    fn adts_headers_are_told_from_bare_frames() {
        let config = AudioSpecificConfig::lc(48_000, 2);
        let header = AdtsHeader::build(&config, 100).unwrap();
        let parsed = AdtsHeader::parse(&header).unwrap();
        assert_eq!((parsed.header_len, parsed.frame_len, parsed.config()), (7, 107, config));
        assert_eq!(AdtsHeader::parse(&[0x21, 0x10, 0x04, 0x60, 0x8C, 0x1C, 0, 0]), None);
        assert_eq!(AdtsHeader::parse(&header[..6]), None);
        assert!(AdtsHeader::build(&config, 0x2000).is_err());
        assert!(AdtsHeader::build(&AudioSpecificConfig::lc(12_345, 2), 1).is_err());
    }

    proptest! {
        #[test]
        fn any_config_survives_the_round_trip(
            object_type in prop::sample::select(vec![1u8, 2, 3, 4, 17, 23, 32, 42]),
            sample_rate in 1u32..0xFF_FFFF, channel_config in 0u8..8, short in any::<bool>(),
            sbr_rate in prop::option::of(1u32..0xFF_FFFF),
        ) {
            let config = AudioSpecificConfig {
                object_type, sample_rate, channel_config, sbr_rate,
                frame_length: if short { 960 } else { 1024 }, parametric_stereo: false,
            };
            prop_assert_eq!(AudioSpecificConfig::parse(&config.to_bytes()), Ok(config));
        }

        #[test]
        fn any_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let _ = AudioSpecificConfig::parse(&bytes);
            let _ = AdtsHeader::parse(&bytes);
        }

        #[test]
        fn adts_of_any_length_survives(len in 0usize..8185, rate in 0usize..13, channels in 0u8..8) {
            let config = AudioSpecificConfig::lc(SAMPLE_RATES[rate], channels);
            let header = AdtsHeader::parse(&AdtsHeader::build(&config, len).unwrap()).unwrap();
            prop_assert_eq!(header.frame_len, len + 7);
            prop_assert_eq!(header.config(), config);
        }
    }
}
