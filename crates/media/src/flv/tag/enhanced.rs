//! The tags of Enhanced RTMP: codecs by FourCC, several tracks in one stream, nanoseconds.

use bytes::{Buf, Bytes};

use super::body::{CodedFrame, MEND, TRACKS_MAX, TagBody, is_key};
use crate::flv::head::enhanced as ex;
use crate::flv::head::original::COMMAND;
use crate::{Codec, Error, MediaKind, Track, TrackId};

const SEQUENCE_END: u8 = 2;
const MPEG2_TS_SEQUENCE_START: u8 = 5;
const MANY_TRACKS: u8 = 1;
const MANY_CODECS: u8 = 2;
/// A ModEx of this size says its size again, in two bytes.
const LONG_MOD_EX: usize = 256;
/// Nanoseconds that ModEx may add to a time of milliseconds: less than one of those.
const NANOS_MAX: u32 = 999_999;

/// Whether a video tag that starts with this byte is Enhanced RTMP's.
pub(super) const fn is_video(first: u8) -> bool {
    first & ex::VIDEO != 0
}

/// Whether an audio tag that starts with this byte is Enhanced RTMP's.
pub(super) const fn is_audio(first: u8) -> bool {
    first & 0xF0 == ex::AUDIO
}

/// A tag body taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Split {
    /// It has one part.
    One(TagBody),
    /// It has a part for each of several tracks.
    Many(MultitrackParts),
}

/// Splits a tag whose first byte has been looked at.
pub(super) fn decode(kind: MediaKind, body: Bytes) -> Result<Split, Error> {
    let mut rest = Reader { kind, rest: body };
    let first = rest.byte()?;
    let mut head = Head { kind, frame_type: first >> 4 & 7, packet_type: first & 0xF, nanos: 0 };
    // Each round takes three bytes at least, so the body bounds the chain.
    while head.packet_type == ex::MOD_EX {
        read_modifier(&mut rest, &mut head)?;
    }
    if kind == MediaKind::Video && head.frame_type == COMMAND && head.packet_type != ex::EXTRA {
        return Ok(Split::One(TagBody::Command));
    }
    if head.packet_type == head.multitrack() {
        return decode_multitrack(head, rest);
    }
    let codec = rest.codec()?;
    head.part(codec, 0, rest.rest).map(Split::One)
}

fn decode_multitrack(mut head: Head, mut rest: Reader) -> Result<Split, Error> {
    let types = rest.byte()?;
    head.packet_type = types & 0xF;
    let codec = match types >> 4 {
        ex::ONE_TRACK => {
            let (codec, index) = (rest.codec()?, rest.byte()?);
            return head.part(codec, index, rest.rest).map(Split::One);
        }
        MANY_TRACKS => Some(rest.codec()?),
        MANY_CODECS => None,
        form => return Err(head.malformed(format!("multitrack type {form} is unknown"))),
    };
    let tracks = MultitrackParts { head, codec, rest };
    tracks.check()?;
    Ok(Split::Many(tracks))
}

/// Reads one prefix behind the packet type 7; the type that it stands before takes its place. Kinds of
/// prefix that are not known are passed over.
fn read_modifier(rest: &mut Reader, head: &mut Head) -> Result<(), Error> {
    let mut size = usize::from(rest.byte()?) + 1;
    if size == LONG_MOD_EX {
        size = usize::from(rest.byte()?) << 8 | usize::from(rest.byte()?);
        size += 1;
    }
    let data = rest.take(size)?;
    let types = rest.byte()?;
    head.packet_type = types & 0xF;
    if types >> 4 == ex::TIMESTAMP_OFFSET_NANO
        && let Some(&[high, middle, low]) = data.first_chunk::<3>()
    {
        let nanos = u32::from_be_bytes([0, high, middle, low]);
        head.nanos = if nanos > NANOS_MAX { 0 } else { nanos };
    }
    Ok(())
}

/// The parts of a body with a size before each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct MultitrackParts {
    head: Head,
    /// What all parts are coded as; `None` if each says it.
    codec: Option<Codec>,
    rest: Reader,
}

impl MultitrackParts {
    /// Walks through all parts once, so that the rest of the program meets whole messages only.
    fn check(&self) -> Result<(), Error> {
        let mut walk = self.clone();
        let mut count = 0;
        while walk.read()?.is_some() {
            count += 1;
            if count > TRACKS_MAX {
                return Err(Error::limit("tracks in one message", count as u64, TRACKS_MAX as u64));
            }
        }
        if count == 0 { Err(self.head.malformed("it holds no track")) } else { Ok(()) }
    }

    pub(super) fn next(&mut self) -> Option<TagBody> {
        self.read().ok().flatten()
    }

    fn read(&mut self) -> Result<Option<TagBody>, Error> {
        if self.rest.rest.is_empty() {
            return Ok(None);
        }
        let codec = self.codec.map_or_else(|| self.rest.codec(), Ok)?;
        let index = self.rest.byte()?;
        let size = [self.rest.byte()?, self.rest.byte()?, self.rest.byte()?];
        let [high, middle, low] = size;
        let payload = self.rest.take(u32::from_be_bytes([0, high, middle, low]) as usize)?;
        self.head.part(codec, index, payload).map(Some)
    }
}

/// What the first bytes say of all parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Head {
    kind: MediaKind,
    frame_type: u8,
    packet_type: u8,
    nanos: u32,
}

impl Head {
    /// What `payload` is to the track with this number.
    fn part(&self, codec: Codec, index: u8, payload: Bytes) -> Result<TagBody, Error> {
        let track = TrackId { kind: self.kind, index };
        let video = self.kind == MediaKind::Video;
        match self.packet_type {
            // Of no use where a configuration is needed, and no news elsewhere: the frames announce themselves.
            ex::SEQUENCE_START if payload.is_empty() => Ok(TagBody::Empty),
            ex::SEQUENCE_START => Ok(TagBody::Config(Track::new(track, codec, payload))),
            ex::CODED_FRAMES if video && has_composition_time(codec) => {
                let mut rest = Reader { kind: self.kind, rest: payload };
                let [high, middle, low] = [rest.byte()?, rest.byte()?, rest.byte()?];
                let composition_ms = i32::from_be_bytes([high, middle, low, 0]) >> 8;
                Ok(self.frame(track, codec, composition_ms, rest.rest))
            }
            ex::CODED_FRAMES => Ok(self.frame(track, codec, 0, payload)),
            ex::CODED_FRAMES_X if video => Ok(self.frame(track, codec, 0, payload)),
            SEQUENCE_END => Ok(TagBody::EndOfSequence(track)),
            ex::EXTRA => Ok(TagBody::Extra { track, codec, bytes: payload }),
            // AV1's descriptor of MPEG-2 TS says nothing that the sequence header in the frames does not.
            MPEG2_TS_SEQUENCE_START if video => Ok(TagBody::Empty),
            other => Err(self.malformed(format!("packet type {other} is unknown"))),
        }
    }

    fn frame(&self, track: TrackId, codec: Codec, composition_ms: i32, payload: Bytes) -> TagBody {
        let key = match (self.kind, self.frame_type) {
            (MediaKind::Video, 0) => None,
            (MediaKind::Video, frame_type) => Some(is_key(frame_type)),
            (MediaKind::Audio | MediaKind::Data, _) => Some(true),
        };
        if payload.is_empty() {
            return TagBody::Empty;
        }
        TagBody::Frame(CodedFrame { track, codec, key, composition_ms, nanos: self.nanos, payload })
    }

    /// The packet type that says "several tracks".
    const fn multitrack(&self) -> u8 {
        match self.kind {
            MediaKind::Video => ex::VIDEO_MULTITRACK,
            MediaKind::Audio | MediaKind::Data => ex::AUDIO_MULTITRACK,
        }
    }

    fn malformed(&self, reason: impl Into<std::borrow::Cow<'static, str>>) -> Error {
        Error::malformed(name(self.kind), reason)
    }
}

/// Takes bytes off the front.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Reader {
    kind: MediaKind,
    rest: Bytes,
}

impl Reader {
    fn byte(&mut self) -> Result<u8, Error> {
        self.rest.try_get_u8().map_err(|_| self.ends())
    }

    fn take(&mut self, len: usize) -> Result<Bytes, Error> {
        if len > self.rest.len() {
            return Err(self.ends());
        }
        Ok(self.rest.split_to(len))
    }

    fn codec(&mut self) -> Result<Codec, Error> {
        let code = [self.byte()?, self.byte()?, self.byte()?, self.byte()?];
        codec(self.kind, code)
            .ok_or_else(|| Error::unsupported(format!("{} {}", name(self.kind), code.escape_ascii()), MEND))
    }

    fn ends(&self) -> Error {
        Error::malformed(name(self.kind), "it ends before what it announces")
    }
}

const fn name(kind: MediaKind) -> &'static str {
    match kind {
        MediaKind::Video => "Enhanced RTMP video",
        MediaKind::Audio | MediaKind::Data => "Enhanced RTMP audio",
    }
}

const fn has_composition_time(codec: Codec) -> bool {
    matches!(codec, Codec::H264 | Codec::H265 | Codec::H266)
}

const fn codec(kind: MediaKind, four_cc: [u8; 4]) -> Option<Codec> {
    Some(match (kind, &four_cc) {
        (MediaKind::Video, b"avc1") => Codec::H264,
        (MediaKind::Video, b"hvc1") => Codec::H265,
        (MediaKind::Video, b"vvc1") => Codec::H266,
        (MediaKind::Video, b"av01") => Codec::Av1,
        (MediaKind::Video, b"vp08") => Codec::Vp8,
        (MediaKind::Video, b"vp09") => Codec::Vp9,
        (MediaKind::Audio, b"mp4a") => Codec::Aac,
        (MediaKind::Audio, b".mp3") => CodedFrame::MP3_UNKNOWN,
        (MediaKind::Audio, b"Opus") => Codec::Opus,
        (MediaKind::Audio, b"fLaC") => Codec::Flac,
        (MediaKind::Audio, b"ac-3") => Codec::Ac3,
        (MediaKind::Audio, b"ec-3") => Codec::Eac3,
        _ => return None,
    })
}
