//! Sample descriptions (`stsd`): how the samples of a track are coded.

use bytes::Bytes;

use super::boxes::{BoxHeader, Fields, FourCc, children};
use crate::codec::aac::AudioSpecificConfig;
use crate::codec::h264::AvcConfig;
use crate::{Codec, Error};

const OTI_AAC: u8 = 0x40;
const OTI_MPEG2_AAC: std::ops::RangeInclusive<u8> = 0x66..=0x68;
const OTI_MP3: [u8; 2] = [0x69, 0x6B];

/// What the first sample description of a track says.
pub(super) enum Entry {
    /// A codec that can be passed on, with its configuration.
    Known(Codec, Bytes),
    /// Anything else: its type, and why it is of no use.
    Other(FourCc, String),
}

/// Reads the first entry of `stsd`.
pub(super) fn parse_stsd(stsd: &[u8]) -> Result<Entry, Error> {
    let (_, _, mut fields) = Fields::full(stsd, "stsd")?;
    fields.skip(4)?;
    let header = BoxHeader::parse(fields.rest())?
        .ok_or_else(|| Error::malformed("stsd", "it holds no sample description"))?;
    let kind = header.kind;
    let Some((_, body)) = children(fields.rest()).next() else {
        return Err(Error::malformed("stsd", "it holds no sample description"));
    };
    let parsed = match &kind.0 {
        b"avc1" | b"avc3" => parse_avc(body),
        b"mp4a" => parse_mp4a(body),
        b".mp3" | b"ms\0\x55" => AudioHead::parse(body).map(|head| Ok((head.mp3(), Bytes::new()))),
        b"encv" | b"enca" => Ok(Err("it is encrypted".to_owned())),
        _ => Ok(Err("its codec is not supported".to_owned())),
    };
    Ok(match parsed {
        Ok(Ok((codec, config))) => Entry::Known(codec, config),
        Ok(Err(reason)) => Entry::Other(kind, reason),
        Err(error) => Entry::Other(kind, error.to_string()),
    })
}

/// A codec with its configuration, or why there is none; the outer error is a malformed entry.
type Parsed = Result<Result<(Codec, Bytes), String>, Error>;

fn parse_avc(body: &[u8]) -> Parsed {
    let mut fields = Fields::new(body, "avc1");
    // References, size, resolution and name of the encoder: what counts is in the SPS.
    fields.skip(78)?;
    let Some(record) = children(fields.rest()).find_kind(b"avcC") else {
        return Ok(Err("it has no avcC box".to_owned()));
    };
    let record = Bytes::copy_from_slice(record);
    AvcConfig::parse(&record)?;
    Ok(Ok((Codec::H264, record)))
}

fn parse_mp4a(body: &[u8]) -> Parsed {
    let head = AudioHead::parse(body)?;
    let esds = children(head.rest).find_kind(b"esds").or_else(|| {
        // QuickTime wraps the description of its decoder.
        children(head.rest).find_kind(b"wave").and_then(|wave| children(wave).find_kind(b"esds"))
    });
    let Some(esds) = esds else { return Ok(Err("it has no esds box".to_owned())) };
    let descriptor = Decoder::parse(esds)?;
    match descriptor.object_type {
        OTI_AAC => {}
        object_type if OTI_MPEG2_AAC.contains(&object_type) => {}
        object_type if OTI_MP3.contains(&object_type) => return Ok(Ok((head.mp3(), Bytes::new()))),
        object_type => {
            return Ok(Err(format!("its codec (object type {object_type:#04x}) is not supported")));
        }
    }
    let config = if descriptor.config.is_empty() {
        AudioSpecificConfig::lc(head.sample_rate, head.channels.min(7) as u8).to_bytes()
    } else {
        AudioSpecificConfig::parse(descriptor.config)?;
        Bytes::copy_from_slice(descriptor.config)
    };
    Ok(Ok((Codec::Aac, config)))
}

/// The fields that every audio sample entry starts with.
struct AudioHead<'a> {
    channels: u16,
    sample_rate: u32,
    rest: &'a [u8],
}

impl<'a> AudioHead<'a> {
    fn parse(body: &'a [u8]) -> Result<Self, Error> {
        let mut fields = Fields::new(body, "audio sample entry");
        fields.skip(8)?;
        let version = fields.u16()?;
        fields.skip(6)?;
        let channels = fields.u16()?;
        fields.skip(6)?;
        let sample_rate = fields.u32()? >> 16;
        match version {
            0 => {}
            1 => fields.skip(16)?,
            2 => fields.skip(36)?,
            other => {
                return Err(Error::malformed("audio sample entry", format!("version {other} is unknown")));
            }
        }
        Ok(Self { channels, sample_rate, rest: fields.rest() })
    }

    /// MP3 with the FLV flags that say the same; 48 kHz is flagged 44 kHz, as ffmpeg does.
    fn mp3(&self) -> Codec {
        const MP3: u8 = 2;
        const MP3_8_KHZ: u8 = 14;
        let (format, rate) = match self.sample_rate {
            0..=8_000 => (MP3_8_KHZ, 0),
            8_001..=12_000 => (MP3, 1),
            12_001..=24_000 => (MP3, 2),
            _ => (MP3, 3),
        };
        Codec::Mp3 { flv_flags: format << 4 | rate << 2 | 2 | u8::from(self.channels != 1) }
    }
}

/// The decoder's part of an elementary stream descriptor (ISO 14496-1, 7.2.6).
struct Decoder<'a> {
    object_type: u8,
    config: &'a [u8],
}

impl<'a> Decoder<'a> {
    fn parse(esds: &'a [u8]) -> Result<Self, Error> {
        const STREAM: u8 = 3;
        const DECODER: u8 = 4;
        const SPECIFIC: u8 = 5;
        let (_, _, mut fields) = Fields::full(esds, "esds")?;
        let mut stream = find_descriptor(&mut fields, STREAM)?;
        stream.skip(2)?;
        let flags = stream.u8()?;
        if flags & 0x80 != 0 {
            stream.skip(2)?;
        }
        if flags & 0x40 != 0 {
            let len = usize::from(stream.u8()?);
            stream.skip(len)?;
        }
        if flags & 0x20 != 0 {
            stream.skip(2)?;
        }
        let mut decoder = find_descriptor(&mut stream, DECODER)?;
        let object_type = decoder.u8()?;
        decoder.skip(12)?;
        let config = find_descriptor(&mut decoder, SPECIFIC).map_or(&[][..], |specific| specific.rest());
        Ok(Self { object_type, config })
    }
}

/// The body of the next descriptor with this tag; others before it are passed over.
fn find_descriptor<'a>(fields: &mut Fields<'a>, wanted: u8) -> Result<Fields<'a>, Error> {
    loop {
        let tag = fields.u8()?;
        let mut len = 0usize;
        for _ in 0..4 {
            let byte = fields.u8()?;
            len = len << 7 | usize::from(byte & 0x7F);
            if byte & 0x80 == 0 {
                break;
            }
        }
        let body = fields.rest();
        let body = body.get(..len).unwrap_or(body);
        fields.skip(body.len())?;
        if tag == wanted {
            return Ok(Fields::new(body, "esds"));
        }
    }
}
