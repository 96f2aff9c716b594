//! The head of an audio or video message, as far as a person wants to know it: codec, kind of packet, key frame,
//! composition time, Enhanced RTMP's FourCC, track and ModEx.
//!
//! It reads what `headwater_media::flv` refuses as well: an observer names what it sees, known or not.

use std::borrow::Cow;

use headwater_media::MediaKind;

/// What a packet is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packet {
    /// The decoder configuration ("sequence header").
    Header,
    /// A coded frame.
    Frame,
    /// The end of the sequence.
    End,
    /// HDR metadata (`colorInfo`).
    Metadata,
    /// The channels' order (`MultichannelConfig`).
    Channels,
    /// A Flash player command: no picture.
    Command,
    /// No bytes, or the first byte only.
    Empty,
    /// A number that no specification knows.
    Unknown(u8),
}

/// The head of an audio or video message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tag {
    /// Audio or video.
    pub kind: MediaKind,
    /// The codec's name: `H.264`, `AAC`, `hvc1`. A FourCC is the peer's own text, escaped to ASCII.
    pub codec: Cow<'static, str>,
    /// The FourCC of an Enhanced RTMP tag.
    pub four_cc: Option<[u8; 4]>,
    /// What the packet is.
    pub packet: Packet,
    /// The frame type: 1 key, 2 inter, 3 disposable, 4 generated key, 5 command. 0 for audio.
    pub frame_type: u8,
    /// Presentation minus decoding time in milliseconds, where the head has it.
    pub composition_ms: Option<i32>,
    /// The track's number, of a multitrack message.
    pub track: Option<u8>,
    /// How a multitrack message is laid out: 0 one track, 1 many, 2 many with a FourCC each.
    pub layout: u8,
    /// Whether ModEx stands in front (nanosecond offsets and the like).
    pub has_modex: bool,
    /// Where the head ends and the payload begins.
    pub payload_at: usize,
    /// Where the payload ends: at the body's end, or where the next track begins.
    pub payload_end: usize,
    /// Whether the head is whole.
    pub is_whole: bool,
}

impl Tag {
    /// Reads the head, of a multitrack message that of its first track. `kind` is audio for messages of type 8,
    /// video for type 9.
    #[must_use]
    pub fn read(kind: MediaKind, body: &[u8]) -> Self {
        let tag = Self::read_first(kind, body);
        // The layouts with one track know its end by themselves.
        let payload_end = if tag.payload_end == 0 { body.len() } else { tag.payload_end };
        Self { payload_end, ..tag }
    }

    /// The head of the next track in the same message.
    #[must_use]
    pub fn next_track(&self, body: &[u8]) -> Option<Self> {
        let is_one = self.track.is_none() || self.layout == 0;
        if is_one || !self.is_whole || self.payload_end >= body.len() {
            return None;
        }
        let mut next = Self { payload_at: self.payload_end, composition_ms: None, ..self.clone() };
        if self.layout == 2 {
            next.four_cc(body);
        }
        next.track(body);
        next.composition(body, self.composition_ms.is_some());
        Some(next)
    }

    /// The payload.
    #[must_use]
    pub fn payload<'a>(&self, body: &'a [u8]) -> &'a [u8] {
        body.get(self.payload_at..self.payload_end).unwrap_or_default()
    }

    fn read_first(kind: MediaKind, body: &[u8]) -> Self {
        match (kind, body.first()) {
            (_, None) => Self::new(kind, "", Packet::Empty, 0),
            (MediaKind::Audio, Some(&first)) if first >> 4 == 9 => enhanced(kind, body, first & 0xF),
            (MediaKind::Audio, Some(&first)) => audio(body, first),
            (_, Some(&first)) if first & 0x80 != 0 => {
                Self { frame_type: first >> 4 & 7, ..enhanced(kind, body, first & 0xF) }
            }
            (_, Some(&first)) => video(body, first),
        }
    }

    /// Whether it is marked as a key frame.
    #[must_use]
    pub const fn is_key(&self) -> bool {
        matches!(self.frame_type, 1 | 4)
    }

    /// Whether frames of this codec cannot be decoded without a configuration.
    #[must_use]
    pub fn needs_header(&self) -> bool {
        match self.four_cc {
            Some(code) => matches!(&code, b"avc1" | b"hvc1" | b"vvc1" | b"mp4a" | b"fLaC"),
            None => matches!(&*self.codec, "H.264" | "HEVC (id 12)" | "AAC"),
        }
    }

    /// Whether frames are NAL units with lengths in front.
    #[must_use]
    pub fn has_nal_units(&self) -> bool {
        match self.four_cc {
            Some(code) => matches!(&code, b"avc1" | b"hvc1" | b"vvc1"),
            None => matches!(&*self.codec, "H.264" | "HEVC (id 12)"),
        }
    }

    fn new(kind: MediaKind, codec: impl Into<Cow<'static, str>>, packet: Packet, payload_at: usize) -> Self {
        Self {
            kind,
            codec: codec.into(),
            four_cc: None,
            packet,
            frame_type: 0,
            composition_ms: None,
            track: None,
            layout: 0,
            has_modex: false,
            payload_at,
            payload_end: 0,
            is_whole: true,
        }
    }

    /// Takes a FourCC; without one the head is cut short.
    fn four_cc(&mut self, body: &[u8]) {
        match body.get(self.payload_at..).and_then(|rest| rest.first_chunk::<4>()) {
            Some(code) => {
                self.four_cc = Some(*code);
                self.codec = code.escape_ascii().to_string().into();
                self.payload_at += 4;
            }
            None => self.is_whole = false,
        }
    }

    /// Takes a track's number, and its size where there may be several.
    fn track(&mut self, body: &[u8]) {
        let rest = body.get(self.payload_at..).unwrap_or_default();
        self.payload_end = 0;
        match (self.layout, rest) {
            (0, [track, ..]) => {
                self.track = Some(*track);
                self.payload_at += 1;
            }
            (_, [track, high, middle, low, ..]) => {
                self.track = Some(*track);
                self.payload_at += 4;
                let size = u32::from_be_bytes([0, *high, *middle, *low]) as usize;
                self.payload_end = self.payload_at + size;
                self.is_whole &= self.payload_end <= body.len();
            }
            _ => self.is_whole = false,
        }
    }

    /// Takes the composition time, where the packet has one.
    fn composition(&mut self, body: &[u8], has_one: bool) {
        if has_one && self.is_whole {
            self.composition_ms = composition(body.get(self.payload_at..));
            self.payload_at += 3;
            self.is_whole = self.composition_ms.is_some();
        }
    }

    fn cut_short(mut self) -> Self {
        self.is_whole = false;
        self
    }
}

fn audio(body: &[u8], first: u8) -> Tag {
    let kind = MediaKind::Audio;
    let codec = match first >> 4 {
        0 => "PCM (platform endian)",
        1 => "ADPCM",
        2 => "MP3",
        3 => "PCM",
        4 => "Nellymoser 16 kHz",
        5 => "Nellymoser 8 kHz",
        6 => "Nellymoser",
        7 => "G.711 A-law",
        8 => "G.711 µ-law",
        10 => return aac(body),
        11 => "Speex",
        13 => "Opus (id 13)",
        14 => "MP3 8 kHz",
        id => return Tag::new(kind, format!("audio format {id}"), Packet::Frame, 1),
    };
    let packet = if body.len() < 2 { Packet::Empty } else { Packet::Frame };
    Tag::new(kind, codec, packet, 1)
}

fn aac(body: &[u8]) -> Tag {
    let packet = match body.get(1) {
        None => Packet::Empty,
        Some(0) => Packet::Header,
        Some(1) if body.len() == 2 => Packet::Empty,
        Some(1) => Packet::Frame,
        Some(&other) => Packet::Unknown(other),
    };
    Tag::new(MediaKind::Audio, "AAC", packet, 2)
}

fn video(body: &[u8], first: u8) -> Tag {
    let (frame_type, id) = (first >> 4, first & 0xF);
    let codec: Cow<'static, str> = match id {
        2 => "Sorenson H.263".into(),
        3 => "Screen video".into(),
        4 => "VP6".into(),
        5 => "VP6 with alpha".into(),
        6 => "Screen video 2".into(),
        7 => "H.264".into(),
        8 => "H.263".into(),
        9 => "MPEG-4 part 2".into(),
        12 => "HEVC (id 12)".into(),
        13 => "AV1 (id 13)".into(),
        14 => "VP8 (id 14)".into(),
        15 => "VP9 (id 15)".into(),
        id => format!("video codec {id}").into(),
    };
    let mut tag = Tag { frame_type, ..Tag::new(MediaKind::Video, codec, Packet::Frame, 1) };
    if frame_type == 5 {
        tag.packet = Packet::Command;
    } else if body.len() < 2 {
        tag.packet = Packet::Empty;
    } else if matches!(id, 7 | 12) {
        tag.packet = match body.get(1) {
            Some(0) => Packet::Header,
            Some(1) => Packet::Frame,
            Some(2) => Packet::End,
            other => Packet::Unknown(other.copied().unwrap_or(0)),
        };
        tag.payload_at = 5;
        tag.composition_ms = composition(body.get(2..));
        // An end of sequence is often cut short.
        tag.is_whole = tag.composition_ms.is_some() || tag.packet == Packet::End;
    }
    tag
}

/// ExVideoTagHeader and ExAudioTagHeader (Enhanced RTMP v2): ModEx, multitrack, FourCC.
fn enhanced(kind: MediaKind, body: &[u8], mut packet_type: u8) -> Tag {
    const MODEX: u8 = 7;
    let is_video = kind == MediaKind::Video;
    let mut tag = Tag::new(kind, "no FourCC", Packet::Unknown(packet_type), 1);
    while packet_type == MODEX {
        tag.has_modex = true;
        let Some((next, at)) = after_modex(body, tag.payload_at) else { return tag.cut_short() };
        (packet_type, tag.payload_at) = (next, at);
    }
    let is_command = is_video && body.first().is_some_and(|first| first >> 4 & 7 == 5) && packet_type != 4;
    if is_command {
        return Tag { packet: Packet::Command, codec: "command".into(), ..tag };
    }
    let is_multitrack = packet_type == if is_video { 6 } else { 5 };
    if is_multitrack {
        let Some(&byte) = body.get(tag.payload_at) else { return tag.cut_short() };
        (tag.layout, packet_type) = (byte >> 4, byte & 0xF);
        tag.payload_at += 1;
    }
    tag.four_cc(body);
    if is_multitrack && tag.is_whole {
        tag.track(body);
    }
    tag.packet = match (packet_type, is_video) {
        (0, _) | (5, true) => Packet::Header,
        (1, _) | (3, true) => Packet::Frame,
        (2, _) => Packet::End,
        (4, true) => Packet::Metadata,
        (4, false) => Packet::Channels,
        (other, _) => Packet::Unknown(other),
    };
    let has_composition = is_video && packet_type == 1 && tag.has_nal_units();
    tag.composition(body, has_composition);
    tag
}

/// Passes over one ModEx at `at`: the packet type that follows and where it goes on.
fn after_modex(body: &[u8], at: usize) -> Option<(u8, usize)> {
    let short = usize::from(*body.get(at)?);
    let (size, from) = if short == 0xFF {
        let long = body.get(at + 1..)?.first_chunk::<2>()?;
        (usize::from(u16::from_be_bytes(*long)) + 1, at + 3)
    } else {
        (short + 1, at + 1)
    };
    let kinds = body.get(from + size)?;
    Some((kinds & 0xF, from + size + 1))
}

fn composition(bytes: Option<&[u8]>) -> Option<i32> {
    let &[high, middle, low] = bytes?.first_chunk()?;
    Some(i32::from_be_bytes([high, middle, low, 0]) >> 8)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn video(body: &[u8]) -> Tag {
        Tag::read(MediaKind::Video, body)
    }

    #[test]
    fn old_heads() {
        let tag = video(&[0x27, 1, 0xFF, 0xFF, 0xFE, 9]);
        assert_eq!((&*tag.codec, tag.packet, tag.composition_ms), ("H.264", Packet::Frame, Some(-2)));
        assert!(!tag.is_key() && tag.needs_header() && tag.is_whole && tag.payload_at == 5);
        assert_eq!(video(&[0x17, 2]).packet, Packet::End);
        assert!(!video(&[0x17, 1, 0]).is_whole);
        assert_eq!(video(&[0x57, 0]).packet, Packet::Command);
        assert_eq!(Tag::read(MediaKind::Audio, &[0xAF, 0, 0x12]).packet, Packet::Header);
        assert_eq!(Tag::read(MediaKind::Audio, &[0x2F, 0]).codec, "MP3");
    }

    #[test]
    fn enhanced_heads() {
        let hevc = video(b"\x91hvc1\0\0\x28data");
        assert_eq!((&*hevc.codec, hevc.composition_ms, hevc.payload_at), ("hvc1", Some(40), 8));
        assert!(hevc.is_key());
        let av1 = video(b"\xA1av01data");
        assert_eq!((av1.packet, av1.composition_ms, av1.payload_at), (Packet::Frame, None, 5));
        let track = video(b"\x96\x00hvc1\x01conf");
        assert_eq!((track.packet, track.track, track.payload_at), (Packet::Header, Some(1), 7));
        let modex = video(b"\x97\x02\0\0\x07\x03hvc1x");
        assert!(modex.has_modex && modex.packet == Packet::Frame && modex.four_cc == Some(*b"hvc1"));
        let opus = Tag::read(MediaKind::Audio, b"\x91Opusx");
        assert_eq!((&*opus.codec, opus.packet), ("Opus", Packet::Frame));
        assert!(!video(b"\x91hv").is_whole);
    }

    #[test]
    fn several_tracks_in_one_message() {
        let body = b"\x96\x11hvc1\x00\0\0\x04\0\0\x28a\x01\0\0\x05\0\0\0bc";
        let first = video(body);
        assert_eq!((first.track, first.composition_ms, first.payload(body)), (Some(0), Some(40), &b"a"[..]));
        let second = first.next_track(body).unwrap();
        assert_eq!(
            (second.track, second.composition_ms, second.payload(body)),
            (Some(1), Some(0), &b"bc"[..])
        );
        assert_eq!(second.next_track(body), None);
        let codecs = b"\x96\x23hvc1\x00\0\0\x01aav01\x01\0\0\x01b";
        let second = video(codecs).next_track(codecs).unwrap();
        assert_eq!((&*second.codec, second.payload(codecs)), ("av01", &b"b"[..]));
        assert!(!video(b"\x96\x11hvc1\x00\xFF\0\x04a").is_whole);
    }
}
