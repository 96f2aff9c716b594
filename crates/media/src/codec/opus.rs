//! Opus: the identification header (RFC 7845, 5.1), and the same in MP4 (`dOps`), where numbers stand
//! the other way round.

use bytes::{Buf, BufMut, Bytes, BytesMut};

use crate::Error;

/// Opus is always decoded to 48 kHz, whatever it was made from.
pub const SAMPLE_RATE: u32 = 48_000;

const MAGIC: &[u8] = b"OpusHead";

/// What an Opus decoder must know: the meaning of an identification header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpusConfig {
    /// Channels that come out: 1–255.
    pub channels: u8,
    /// Samples at 48 kHz to drop at the start.
    pub pre_skip: u16,
    /// The rate in Hz of what was encoded; 0 = unknown. Only for people.
    pub input_rate: u32,
    /// What to amplify by, in 1/256 dB.
    pub gain: i16,
    /// How channels are ordered: 0 = mono or stereo, 1 = as Vorbis orders up to 8, 255 = no order.
    pub family: u8,
    /// Number of streams, number of those coupled, and for each channel its source. Empty in family 0.
    pub mapping: Bytes,
}

impl OpusConfig {
    /// Mono or stereo of which nothing else is known.
    #[must_use]
    pub const fn plain(channels: u8) -> Self {
        let mapping = Bytes::new();
        Self { channels, pre_skip: 0, input_rate: SAMPLE_RATE, gain: 0, family: 0, mapping }
    }

    /// Reads an identification header; the mapping is a slice of it.
    ///
    /// # Errors
    /// `Malformed` if the name in front is missing, it ends too early, or channels do not fit the family.
    pub fn parse(header: &Bytes) -> Result<Self, Error> {
        if !header.starts_with(MAGIC) {
            return Err(malformed("it does not start with OpusHead"));
        }
        let mut rest = header.slice(MAGIC.len()..);
        if rest.len() < 11 {
            return Err(malformed(format!("it has {} bytes, at least 19 are needed", header.len())));
        }
        // The upper half of the version is what would change the meaning.
        if rest.get_u8() > 15 {
            return Err(malformed("its version is unknown"));
        }
        let (channels, pre_skip) = (rest.get_u8(), rest.get_u16_le());
        let (input_rate, gain, family) = (rest.get_u32_le(), rest.get_i16_le(), rest.get_u8());
        Self { channels, pre_skip, input_rate, gain, family, mapping: Bytes::new() }.with_mapping(rest)
    }

    /// Reads the body of a `dOps` box ("Encapsulation of Opus in ISO Base Media File Format", 4.3.2).
    ///
    /// # Errors
    /// As [`parse`](Self::parse).
    pub fn parse_dops(body: &[u8]) -> Result<Self, Error> {
        let mut rest = Bytes::copy_from_slice(body);
        if rest.len() < 11 || rest.get_u8() != 0 {
            return Err(malformed("its dOps box is too short or of an unknown version"));
        }
        let (channels, pre_skip) = (rest.get_u8(), rest.get_u16());
        let (input_rate, gain, family) = (rest.get_u32(), rest.get_i16(), rest.get_u8());
        Self { channels, pre_skip, input_rate, gain, family, mapping: Bytes::new() }.with_mapping(rest)
    }

    /// Writes the identification header.
    #[must_use]
    pub fn to_bytes(&self) -> Bytes {
        let mut out = BytesMut::with_capacity(19 + self.mapping.len());
        out.put_slice(MAGIC);
        out.put_slice(&[1, self.channels]);
        out.put_u16_le(self.pre_skip);
        out.put_u32_le(self.input_rate);
        out.put_i16_le(self.gain);
        out.put_u8(self.family);
        out.put_slice(&self.mapping);
        out.freeze()
    }

    /// Writes the body of a `dOps` box.
    #[must_use]
    pub fn to_dops(&self) -> Bytes {
        let mut out = BytesMut::with_capacity(11 + self.mapping.len());
        out.put_slice(&[0, self.channels]);
        out.put_u16(self.pre_skip);
        out.put_u32(self.input_rate);
        out.put_i16(self.gain);
        out.put_u8(self.family);
        out.put_slice(&self.mapping);
        out.freeze()
    }

    fn with_mapping(mut self, rest: Bytes) -> Result<Self, Error> {
        if self.channels == 0 || self.family == 0 && self.channels > 2 {
            return Err(malformed(format!("{} channels do not fit family {}", self.channels, self.family)));
        }
        if self.family != 0 {
            let len = 2 + usize::from(self.channels);
            if rest.len() < len {
                return Err(malformed("it ends inside the channel mapping"));
            }
            self.mapping = rest.slice(..len);
        }
        Ok(self)
    }
}

/// Channels of a packet by its first byte: 1 or 2 (RFC 6716, 3.1). `None` if it is empty.
#[must_use]
pub fn packet_channels(packet: &[u8]) -> Option<u8> {
    packet.first().map(|toc| 1 + (toc >> 2 & 1))
}

/// Samples at 48 kHz of a packet by its first bytes (RFC 6716, 3.1 and 3.2): at most 120 ms. `None` if it is empty
/// or says more than that.
#[must_use]
pub fn packet_samples(packet: &[u8]) -> Option<u32> {
    let toc = *packet.first()?;
    let per_frame = match toc >> 3 {
        config @ 0..=11 => [480, 960, 1920, 2880][usize::from(config % 4)],
        config @ 12..=15 => [480, 960][usize::from(config % 2)],
        config => [120, 240, 480, 960][usize::from(config % 4)],
    };
    let frames = match toc & 3 {
        0 => 1,
        1 | 2 => 2,
        _ => u32::from(packet.get(1)? & 0x3F),
    };
    Some(per_frame * frames).filter(|samples| (1..=5760).contains(samples))
}

fn malformed(reason: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::malformed("Opus identification header", reason)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// 5.1 as libopus and FFmpeg write it: to Ogg, and to MP4.
    const HEADER: &[u8] = b"OpusHead\x01\x06\x38\x01\x80\xBB\0\0\0\0\x01\x04\x02\0\x04\x01\x02\x03\x05";
    const DOPS: &[u8] = b"\0\x06\x01\x38\0\0\xBB\x80\0\0\x01\x04\x02\0\x04\x01\x02\x03\x05";

    #[test]
    fn both_forms_say_the_same() {
        let config = OpusConfig::parse(&Bytes::from_static(HEADER)).unwrap();
        assert_eq!((config.channels, config.pre_skip, config.input_rate, config.family), (6, 312, 48_000, 1));
        assert_eq!(OpusConfig::parse_dops(DOPS).as_ref(), Ok(&config));
        assert_eq!(config.to_bytes(), HEADER);
        assert_eq!(config.to_dops(), DOPS);
        let stereo = OpusConfig::parse_dops(b"\0\x02\x01\x38\0\0\xBB\x80\0\0\0").unwrap();
        assert_eq!(stereo.to_bytes().as_ref(), b"OpusHead\x01\x02\x38\x01\x80\xBB\0\0\0\0\0");
    }

    #[test]
    fn headers_that_are_none_are_refused() {
        let mut cases = vec![HEADER[..18].to_vec(), HEADER[..26].to_vec(), HEADER[1..].to_vec(), vec![]];
        for (at, value) in [(8, 16), (9, 0), (18, 0)] {
            let mut damaged = HEADER.to_vec();
            damaged[at] = value;
            cases.push(damaged);
        }
        for case in cases {
            assert!(OpusConfig::parse(&Bytes::from(case.clone())).is_err(), "{case:02x?}");
        }
        assert!(OpusConfig::parse_dops(&DOPS[..10]).is_err());
        assert_eq!([&[0xFC][..], &[0xF8], &[]].map(packet_channels), [Some(2), Some(1), None]);
    }

    #[test]
    fn packets_say_how_long_they_are() {
        // CELT 20 ms; SILK 60 ms; hybrid 10 ms twice; CELT 2.5 ms 48 times, and one time too often.
        let packets: [&[u8]; 7] = [&[0xFC], &[0x1B, 1], &[0x61], &[0xE3, 48], &[0xE3, 49], &[0x03], &[]];
        let samples = [Some(960), Some(2880), Some(960), Some(5760), None, None, None];
        assert_eq!(packets.map(packet_samples), samples);
    }

    proptest! {
        #[test]
        fn any_bytes_never_panic(data in prop::collection::vec(any::<u8>(), 0..40)) {
            let header = Bytes::from([MAGIC, &data[..]].concat());
            for config in [OpusConfig::parse(&header), OpusConfig::parse_dops(&data)].into_iter().flatten() {
                prop_assert_eq!(OpusConfig::parse(&config.to_bytes()), Ok(config.clone()));
                prop_assert_eq!(OpusConfig::parse_dops(&config.to_dops()), Ok(config));
            }
        }
    }
}
