//! FLAC: the STREAMINFO block (RFC 9639, 8.2), bare or in what FLV and MP4 put around it.

use bytes::{BufMut, Bytes, BytesMut};

use crate::Error;
use crate::bits::BitReader;

const MAGIC: &[u8] = b"fLaC";
const STREAMINFO_LEN: usize = 34;
/// Head of a metadata block: the last one, of type STREAMINFO, 34 bytes.
const HEAD_OF_LAST: [u8; 4] = [0x80, 0, 0, STREAMINFO_LEN as u8];

/// What a FLAC decoder must know: the meaning of a STREAMINFO block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlacConfig {
    /// The largest number of samples in a frame.
    pub block_len: u16,
    /// Sample rate in Hz: 1–1,048,575.
    pub sample_rate: u32,
    /// Channels: 1–8.
    pub channels: u8,
    /// Bits per sample: 4–32.
    pub bits_per_sample: u8,
    /// The block itself: 34 bytes.
    pub stream_info: Bytes,
}

impl FlacConfig {
    /// Reads a configuration: `fLaC` and metadata blocks (Enhanced RTMP), blocks alone (as in MP4), or
    /// the bare STREAMINFO that FFmpeg sends over RTMP. Other blocks are left out.
    ///
    /// # Errors
    /// `Malformed` if it does not start with a STREAMINFO block, or that says 0 Hz.
    pub fn parse(config: &Bytes) -> Result<Self, Error> {
        let blocks = if config.starts_with(MAGIC) { config.slice(MAGIC.len()..) } else { config.clone() };
        let stream_info = match blocks.as_ref() {
            bare if bare.len() == STREAMINFO_LEN => blocks,
            // Whether another block follows is the head's highest bit.
            [head, 0, 0, len, body @ ..]
                if head & 0x7F == 0
                    && usize::from(*len) == STREAMINFO_LEN
                    && body.len() >= STREAMINFO_LEN =>
            {
                blocks.slice(4..4 + STREAMINFO_LEN)
            }
            _ => return Err(Error::malformed(WHAT, "it does not start with a STREAMINFO block")),
        };
        let mut reader = BitReader::new(&stream_info, WHAT);
        reader.skip(16)?;
        let block_len = reader.bits(16)? as u16;
        reader.skip(24 + 24)?;
        let sample_rate = reader.bits(20)?;
        let channels = reader.bits(3)? as u8 + 1;
        let bits_per_sample = reader.bits(5)? as u8 + 1;
        if sample_rate == 0 {
            return Err(Error::malformed(WHAT, "its sample rate is 0"));
        }
        Ok(Self { block_len, sample_rate, channels, bits_per_sample, stream_info })
    }

    /// Writes the configuration as Enhanced RTMP has it: `fLaC` and the block with its head.
    #[must_use]
    pub fn to_bytes(&self) -> Bytes {
        [MAGIC, &self.to_blocks()].concat().into()
    }

    /// Writes the block with its head, as it stands in MP4's `dfLa` box behind version and flags.
    #[must_use]
    pub fn to_blocks(&self) -> Bytes {
        let mut out = BytesMut::with_capacity(4 + STREAMINFO_LEN);
        out.put_slice(&HEAD_OF_LAST);
        out.put_slice(&self.stream_info);
        out.freeze()
    }
}

const WHAT: &str = "FLAC configuration";

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What FFmpeg sends over RTMP for 48 kHz stereo in 16 bits.
    const STREAMINFO: [u8; 34] = [
        0x12, 0x00, 0x12, 0x00, 0x00, 0x02, 0x58, 0x00, 0x05, 0x1B, 0x0B, 0xB8, 0x02, 0xF0, 0x00, 0x00, 0xBB,
        0x80, 0xA3, 0x16, 0xB3, 0x05, 0xF1, 0x3B, 0x13, 0xFE, 0x76, 0x7B, 0x3D, 0x0D, 0x06, 0x8F, 0x95, 0xBC,
    ];

    #[test]
    fn all_wrappings_are_the_same_configuration() {
        let config = FlacConfig::parse(&Bytes::from_static(&STREAMINFO)).unwrap();
        assert_eq!((config.sample_rate, config.channels, config.bits_per_sample), (48_000, 2, 16));
        assert_eq!(config.block_len, 4608);
        assert_eq!(FlacConfig::parse(&config.to_bytes()), Ok(config.clone()));
        assert_eq!(FlacConfig::parse(&config.to_blocks()), Ok(config.clone()));
        // Another block follows.
        let commented = [b"fLaC\0\0\0\x22", &STREAMINFO[..], b"\x84\0\0\x01\0"].concat();
        assert_eq!(FlacConfig::parse(&commented.into()), Ok(config));
    }

    #[test]
    fn configurations_that_are_none_are_refused() {
        for config in [&[][..], b"fLaC", &STREAMINFO[..33], &[0; 34], b"fLaC\x84\0\0\x01\0"] {
            assert!(FlacConfig::parse(&Bytes::copy_from_slice(config)).is_err(), "{config:02x?}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_never_panic(data in prop::collection::vec(any::<u8>(), 0..60)) {
            for config in [Bytes::from(data.clone()), [b"fLaC\x80\0\0\x22", &data[..]].concat().into()] {
                if let Ok(config) = FlacConfig::parse(&config) {
                    prop_assert_eq!(FlacConfig::parse(&config.to_bytes()), Ok(config));
                }
            }
        }
    }
}
