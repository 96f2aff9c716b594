//! Sample descriptions (`stsd`): how the samples of a track are coded.

use bytes::{BufMut, Bytes, BytesMut};

use super::boxes::{BoxHeader, Fields, FourCc, children, put_box};
use super::event_message::is_script_entry;
use crate::codec::aac::AudioSpecificConfig;
use crate::codec::av1::Av1Config;
use crate::codec::colours::Colours;
use crate::codec::flac::FlacConfig;
use crate::codec::h264::AvcConfig;
use crate::codec::h265::HevcConfig;
use crate::codec::opus::OpusConfig;
use crate::codec::vp9::VpConfig;
use crate::{Codec, ColorInfo, Error, MediaKind, SampleEntry};

const OTI_AAC: u8 = 0x40;
const OTI_MPEG2_AAC: std::ops::RangeInclusive<u8> = 0x66..=0x68;
const OTI_MP3: [u8; 2] = [0x69, 0x6B];

/// Sample descriptions of one track, at most: joined recordings have a few.
const ENTRIES_MAX: usize = 256;
/// The boxes of an entry that are kept, in bytes: colour profiles have some kilobytes.
const KEPT_BYTES_MAX: usize = 64 << 10;

/// What a sample description of a track says.
#[derive(Clone, Debug)]
pub(super) enum Entry {
    /// A codec that can be passed on, with its configuration.
    Known(Coding),
    /// Anything else: its type, and why it is of no use.
    Other(FourCc, String),
}

/// A codec, its configuration, for pictures what is said of their colours, and the rest of the entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Coding {
    pub(super) codec: Codec,
    pub(super) config: Bytes,
    pub(super) extra: Bytes,
    pub(super) entry: SampleEntry,
}

/// Reads the entries of `stsd`, of which there is at least one.
pub(super) fn parse_stsd(stsd: &[u8]) -> Result<Vec<Entry>, Error> {
    let (_, _, mut fields) = Fields::full(stsd, "stsd")?;
    fields.skip(4)?;
    // The head of a first entry that is damaged says how.
    BoxHeader::parse(fields.rest())?
        .ok_or_else(|| Error::malformed("stsd", "it holds no sample description"))?;
    let entries: Vec<Entry> =
        children(fields.rest()).take(ENTRIES_MAX).map(|(kind, body)| parse_entry(kind, body)).collect();
    if entries.is_empty() {
        return Err(Error::malformed("stsd", "it holds no sample description"));
    }
    Ok(entries)
}

fn parse_entry(kind: FourCc, body: &[u8]) -> Entry {
    let parsed = match &kind.0 {
        b"avc1" | b"avc3" => parse_picture(body, Codec::H264),
        b"hvc1" | b"hev1" => parse_picture(body, Codec::H265),
        b"vvc1" | b"vvi1" => parse_picture(body, Codec::H266),
        b"av01" => parse_picture(body, Codec::Av1),
        b"vp08" => parse_picture(body, Codec::Vp8),
        b"vp09" => parse_picture(body, Codec::Vp9),
        b"mp4a" => parse_mp4a(body),
        b"Opus" => parse_sound(body, Codec::Opus),
        b"fLaC" => parse_sound(body, Codec::Flac),
        b"ac-3" => Ok(Ok((Codec::Ac3, Bytes::new()))),
        b"ec-3" => Ok(Ok((Codec::Eac3, Bytes::new()))),
        b".mp3" | b"ms\0\x55" => AudioHead::parse(body).map(|head| Ok((head.mp3(), Bytes::new()))),
        b"urim" => is_script_entry(body).map(|is_script| {
            let other = || "it is metadata of a kind that is not known".to_owned();
            is_script.then_some((Codec::Script, Bytes::new())).ok_or_else(other)
        }),
        b"encv" | b"enca" => Ok(Err("it is encrypted".to_owned())),
        _ => Ok(Err("its codec is not supported".to_owned())),
    };
    match parsed {
        Ok(Ok((codec, config))) if kind_of(codec) == MediaKind::Video => {
            let extra = parse_colours(body).to_extra();
            Entry::Known(Coding { codec, config, extra, entry: visual_entry(body) })
        }
        Ok(Ok((codec, config))) => {
            Entry::Known(Coding { codec, config, extra: Bytes::new(), entry: SampleEntry::NONE })
        }
        Ok(Err(reason)) => Entry::Other(kind, reason),
        Err(error) => Entry::Other(kind, error.to_string()),
    }
}

/// A codec with its configuration, or why there is none; the outer error is a malformed entry.
type Parsed = Result<Result<(Codec, Bytes), String>, Error>;

/// What a codec is of, which decides in what kind of entry and track it stands.
pub(super) const fn kind_of(codec: Codec) -> MediaKind {
    use Codec::{Av1, FlvVideo, H264, H265, H266, Script, Vp8, Vp9};
    match codec {
        H264 | H265 | H266 | Av1 | Vp8 | Vp9 | FlvVideo(_) => MediaKind::Video,
        Script => MediaKind::Data,
        _ => MediaKind::Audio,
    }
}

/// References, size, resolution and name of the encoder.
const VISUAL_HEAD_LEN: usize = 78;

/// What the entry says of its pictures beside their configuration.
fn visual_entry(body: &[u8]) -> SampleEntry {
    /// Boxes that are kept: colours, light, the crop, fields, Dolby Vision.
    const KEPT: [&[u8; 4]; 10] =
        [b"colr", b"mdcv", b"clli", b"SmDm", b"CoLL", b"amve", b"clap", b"fiel", b"dvcC", b"dvvC"];
    let boxes = || children(body.get(VISUAL_HEAD_LEN..).unwrap_or_default());
    let size = || -> Result<(u32, u32), Error> {
        let mut fields = Fields::new(body, "visual sample entry");
        fields.skip(24)?;
        Ok((fields.u16()?.into(), fields.u16()?.into()))
    };
    let aspect = |pasp: &[u8]| -> Result<(u32, u32), Error> {
        let mut fields = Fields::new(pasp, "pasp");
        Ok((fields.u32()?, fields.u32()?))
    };
    let is_some = |&(a, b): &(u32, u32)| a > 0 && b > 0;
    let mut kept = BytesMut::new();
    for (kind, body) in boxes().filter(|(kind, _)| KEPT.contains(&&kind.0)) {
        if kept.len() + body.len() <= KEPT_BYTES_MAX {
            put_box(&mut kept, &kind.0, |out| out.put_slice(body));
        }
    }
    SampleEntry {
        size: size().ok().filter(is_some),
        pixel_aspect: boxes().find_kind(b"pasp").and_then(|pasp| aspect(pasp).ok()).filter(is_some),
        boxes: kept.freeze(),
        ..SampleEntry::NONE
    }
}

fn parse_picture(body: &[u8], codec: Codec) -> Parsed {
    let mut fields = Fields::new(body, "visual sample entry");
    fields.skip(VISUAL_HEAD_LEN)?;
    let kind = match codec {
        Codec::H264 => b"avcC",
        Codec::H265 => b"hvcC",
        Codec::H266 => b"vvcC",
        Codec::Av1 => b"av1C",
        _ => b"vpcC",
    };
    let Some(record) = children(fields.rest()).find_kind(kind) else {
        // Frames of these codecs can say all of it; whether they do is seen when they are read.
        let may_say = !matches!(codec, Codec::H266);
        let none = || Err(format!("it has no {} box", FourCc(*kind)));
        return Ok(if may_say { Ok((codec, Bytes::new())) } else { none() });
    };
    let record = Bytes::copy_from_slice(record);
    let len_min = match codec {
        Codec::H264 => 6,
        Codec::H265 => 22,
        Codec::H266 => 0,
        _ => 4,
    };
    if record.len() < len_min {
        // As if it were not there.
        return Ok(Ok((codec, Bytes::new())));
    }
    let config = match codec {
        Codec::H264 => AvcConfig::parse(&record).map(|_| record)?,
        Codec::H265 => HevcConfig::parse(&record).map(|_| record)?,
        Codec::Av1 => Av1Config::parse(&record).map(|_| record)?,
        Codec::H266 => {
            // Version and flags of the box are no part of the record.
            let (_, _, fields) = Fields::full(&record, "vvcC")?;
            Bytes::copy_from_slice(fields.rest())
        }
        _ => VpConfig::parse(&record)?.to_bytes(),
    };
    Ok(Ok((codec, config)))
}

/// What the boxes `colr` (of kind `nclx`), `clli` and `mdcv` say; what cannot be read is left out.
fn parse_colours(body: &[u8]) -> ColorInfo {
    let boxes = || children(body.get(VISUAL_HEAD_LEN..).unwrap_or_default());
    let colours = |colr: &[u8]| -> Result<Option<Colours>, Error> {
        let mut fields = Fields::new(colr, "colr");
        let is_video = matches!(&fields.array::<4>()?, b"nclx" | b"nclc");
        // Their numbers have 16 bits, of which 8 are in use.
        let numbers = [fields.u16()? as u8, fields.u16()? as u8, fields.u16()? as u8];
        let [primaries, transfer, matrix] = numbers;
        let full_range = fields.u8().is_ok_and(|flags| flags & 0x80 != 0);
        Ok(is_video.then_some(Colours { primaries, transfer, matrix, full_range }))
    };
    let light = |clli: &[u8]| {
        let mut fields = Fields::new(clli, "clli");
        Ok::<_, Error>((fields.u16()?, fields.u16()?))
    };
    let mut all_colours = boxes().filter(|(kind, _)| kind.0 == *b"colr");
    ColorInfo {
        colours: all_colours.find_map(|(_, colr)| colours(colr).ok().flatten()),
        light: boxes().find_kind(b"clli").and_then(|clli| light(clli).ok()),
        mastering: boxes().find_kind(b"mdcv").and_then(|mdcv| parse_mastering(mdcv).ok()),
    }
}

/// The units of `mdcv`: chromaticity, and luminance in cd/m².
pub(super) const CHROMATICITY_UNIT: f64 = 0.00002;
pub(super) const LUMINANCE_UNIT: f64 = 0.0001;

fn parse_mastering(mdcv: &[u8]) -> Result<[f64; 10], Error> {
    let mut fields = Fields::new(mdcv, "mdcv");
    let mut point = || -> Result<[f64; 2], Error> {
        let (x, y) = (f64::from(fields.u16()?), f64::from(fields.u16()?));
        Ok([x * CHROMATICITY_UNIT, y * CHROMATICITY_UNIT])
    };
    let [green, blue, red, white] = [point()?, point()?, point()?, point()?];
    let largest = f64::from(fields.u32()?) * LUMINANCE_UNIT;
    let smallest = f64::from(fields.u32()?) * LUMINANCE_UNIT;
    let [[a, b], [c, d], [e, f], [g, h]] = [red, green, blue, white];
    Ok([a, b, c, d, e, f, g, h, largest, smallest])
}

fn parse_sound(body: &[u8], codec: Codec) -> Parsed {
    let head = AudioHead::parse(body)?;
    let kind = if codec == Codec::Opus { b"dOps" } else { b"dfLa" };
    let Some(specific) = children(head.rest).find_kind(kind) else {
        return Ok(Err(format!("it has no {} box", FourCc(*kind))));
    };
    let config = if codec == Codec::Opus {
        OpusConfig::parse_dops(specific)?.to_bytes()
    } else {
        let (_, _, fields) = Fields::full(specific, "dfLa")?;
        FlacConfig::parse(&Bytes::copy_from_slice(fields.rest()))?.to_bytes()
    };
    Ok(Ok((codec, config)))
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

    /// MP3 by what the entry says; its frames know better.
    const fn mp3(&self) -> Codec {
        Codec::mp3(self.sample_rate, self.channels != 1)
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
