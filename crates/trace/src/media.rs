//! Audio, video and what describes them: order, times, heads, and whether the words fit the bytes.

use headwater_media::MediaKind;
use headwater_media::amf::{Limits, Object, Value, amf0};

use crate::commands::{Dialogue, Use, shortened};
use crate::conversation::{Notes, Subject};
use crate::figures::TrackFigures;
use crate::payload;
use crate::step::Step;
use crate::tag::{Packet, Tag};
use headwater_rtmp::MessageStreamId;
use headwater_rtmp::capture::Side;
use headwater_rtmp::message::{Aggregate, Data, DataScope, Message, type_id};
use headwater_rtmp::rule::Rule;

/// Tracks that are remembered.
const TRACKS_MAX: usize = 32;
/// Streams whose metadata is remembered.
const METADATA_MAX: usize = 32;
/// Tags of one aggregate that are looked at.
const AGGREGATE_TAGS_MAX: usize = 4096;
/// Steps of time and distances between tracks that go without a remark.
const DISTANCE_MS_MAX: i64 = 1000;
/// Frames of one track after which the other one is missed.
const PATIENCE_FRAMES: u64 = 50;

/// CapsExMask (Enhanced RTMP v2).
const CAPS_MULTITRACK: u32 = 2;
const CAPS_MODEX: u32 = 4;

/// The state of the media.
#[derive(Debug, Default)]
pub struct Media {
    tracks: Vec<Track>,
    metadata: Vec<Metadata>,
}

#[derive(Debug)]
struct Track {
    figures: TrackFigures,
    /// The configuration's time, until the first frame behind it has come.
    header_ms: Option<u32>,
    /// Bytes of a NAL unit's length field.
    nal_length_bytes: usize,
    misses_header: bool,
    is_apart: bool,
}

#[derive(Debug)]
struct Metadata {
    side: Side,
    stream: MessageStreamId,
    video_codec: Option<f64>,
    audio_codec: Option<f64>,
}

impl Media {
    /// Figures of every track, in the order in which they came.
    pub fn figures(&self) -> impl Iterator<Item = &TrackFigures> {
        self.tracks.iter().map(|track| &track.figures)
    }

    pub fn heed(&mut self, subject: &Subject<'_>, dialogue: &Dialogue, notes: &mut Notes) {
        match subject.message {
            Message::Media { .. } => {
                if let Some(tag) = subject.tag {
                    self.media(subject, tag, dialogue, notes);
                }
            }
            Message::Aggregate => {
                for raw in Aggregate::new(subject.raw.clone()).take(AGGREGATE_TAGS_MAX) {
                    let kind = match raw.type_id {
                        type_id::AUDIO => MediaKind::Audio,
                        type_id::VIDEO => MediaKind::Video,
                        _ => continue,
                    };
                    let tag = Tag::read(kind, &raw.payload);
                    let inner = Subject { raw: &raw, tag: Some(&tag), ..*subject };
                    self.media(&inner, &tag, dialogue, notes);
                }
            }
            Message::Data(data) => self.data(subject, data, dialogue, notes),
            Message::Ignored(type_id::DATA | type_id::DATA_AMF3) => {
                let detail = format!("{} bytes that are no name", subject.raw.payload.len());
                notes.deviation(Rule::DataBroken, subject.side, detail);
            }
            _ => {}
        }
    }

    fn media(&mut self, subject: &Subject<'_>, tag: &Tag, dialogue: &Dialogue, notes: &mut Notes) {
        let Subject { side, raw, .. } = *subject;
        let has_started = is_allowed(side, raw.stream, dialogue, notes);
        self.part(subject, tag, has_started, dialogue, notes);
        let others = std::iter::successors(tag.next_track(&raw.payload), |tag| tag.next_track(&raw.payload));
        for tag in others.take(TRACKS_MAX) {
            self.part(subject, &tag, has_started, dialogue, notes);
        }
    }

    /// One track's part of a message.
    fn part(
        &mut self,
        subject: &Subject<'_>,
        tag: &Tag,
        has_started: bool,
        dialogue: &Dialogue,
        notes: &mut Notes,
    ) {
        let Subject { side, raw, .. } = *subject;
        head(side, tag, &raw.payload, notes);
        if has_started && let Some(step) = step_of(side, tag) {
            notes.step(step);
        }
        if !self.metadata.iter().any(|known| (known.side, known.stream) == (side, raw.stream)) {
            // Told once: from here on there is an entry that knows nothing.
            self.remember(Metadata { side, stream: raw.stream, video_codec: None, audio_codec: None });
            notes.deviation(Rule::MetadataMissing, side, String::new());
        }
        if matches!(tag.packet, Packet::Empty | Packet::Command) {
            return;
        }
        let Some(track) = self.track(side, raw.stream, tag) else { return };
        let is_first = track.figures.frames == 0 && track.figures.headers == 0;
        let bytes = tag.payload_end.saturating_sub(if tag.layout == 0 { 0 } else { tag.payload_at });
        let step = track.figures.count(tag, raw.timestamp, subject.at_ns, bytes);
        if is_first {
            announced(side, tag, dialogue, notes);
            // The metadata's own fields are about the first track.
            if tag.track.unwrap_or(0) == 0 {
                self.named(side, raw.stream, tag, raw.payload.first().copied(), notes);
            }
        }
        match tag.packet {
            Packet::Header => self.header(subject, tag, notes),
            Packet::Frame => self.frame(subject, tag, step, notes),
            _ => {}
        }
    }

    fn header(&mut self, subject: &Subject<'_>, tag: &Tag, notes: &mut Notes) {
        let Subject { side, raw, .. } = *subject;
        let Some(track) = self.track(side, raw.stream, tag) else { return };
        let config = tag.payload(&raw.payload);
        track.misses_header = false;
        track.header_ms = Some(raw.timestamp);
        if config.is_empty() {
            notes.deviation_once(Rule::TagEmpty, side, "an empty configuration".into());
            return;
        }
        match payload::config(tag, config) {
            Ok(nal_length_bytes) => track.nal_length_bytes = nal_length_bytes,
            Err(fault) => notes.deviation(Rule::HeaderBroken, side, fault.into()),
        }
    }

    fn frame(&mut self, subject: &Subject<'_>, tag: &Tag, step: Option<i64>, notes: &mut Notes) {
        let Subject { side, raw, .. } = *subject;
        let Some(track) = self.track(side, raw.stream, tag) else { return };
        if tag.needs_header() && track.figures.headers == 0 && !track.misses_header {
            track.misses_header = true;
            notes.deviation(Rule::HeaderMissing, side, format!("{} frame", tag.codec));
        }
        if let Some(header_ms) = track.header_ms.take() {
            let away = raw.timestamp.wrapping_sub(header_ms).cast_signed();
            if i64::from(away).abs() > DISTANCE_MS_MAX {
                notes.deviation(Rule::HeaderTime, side, format!("{away} ms away"));
            }
        }
        let is_first = track.figures.frames == 1;
        if is_first && side == Side::Server && tag.kind == MediaKind::Video && !tag.is_key() {
            notes.deviation(Rule::KeyFirst, side, String::new());
        }
        match step {
            Some(step) if step < 0 => notes.deviation(Rule::TimeBack, side, format!("{step} ms")),
            Some(step) if step > DISTANCE_MS_MAX => {
                notes.deviation(Rule::TimeGap, side, format!("{step} ms"));
            }
            _ => {}
        }
        let data = tag.payload(&raw.payload);
        let nal_length_bytes = track.nal_length_bytes;
        payload::frame(side, tag, data, nal_length_bytes, notes);
        self.apart(side, raw.stream, tag, notes);
    }

    /// How far audio and video lie apart. Told again only after they have come together.
    fn apart(&mut self, side: Side, stream: MessageStreamId, tag: &Tag, notes: &mut Notes) {
        let newest = |kind| {
            let mut tracks = self.tracks.iter().map(|track| &track.figures);
            let track = tracks.find(|track| (track.side, track.stream, track.kind) == (side, stream, kind));
            track.filter(|track| track.frames > 0).map(|track| track.last_ms)
        };
        let Some((audio, video)) = newest(MediaKind::Audio).zip(newest(MediaKind::Video)) else { return };
        let Some(track) = self.track(side, stream, tag) else { return };
        let is_apart = (audio - video).abs() > DISTANCE_MS_MAX;
        if is_apart && !track.is_apart {
            notes.deviation(Rule::TracksApart, side, format!("audio - video = {} ms", audio - video));
        }
        track.is_apart = is_apart;
    }

    fn data(&mut self, subject: &Subject<'_>, data: &Data, dialogue: &Dialogue, notes: &mut Notes) {
        let Subject { side, raw, .. } = *subject;
        if side == Side::Server && data.scope != DataScope::Passing {
            notes.deviation(Rule::SetDataFrame, side, String::new());
        }
        if data.handler() != b"onMetaData" {
            return;
        }
        let mut decoder = amf0::Decoder::new(&data.payload, &Limits::WIRE);
        let values = std::iter::from_fn(|| decoder.next_value().ok().flatten());
        let value = values.skip(1).take(1).next().unwrap_or(Value::Undefined);
        if side == Side::Server && !matches!(value, Value::EcmaArray(_)) {
            notes.deviation(Rule::MetadataArray, side, String::new());
        }
        let nothing = Object::new();
        let object = value.as_object().unwrap_or(&nothing);
        let infinite = object.iter().find(|(_, value)| value.as_number().is_some_and(|n| !n.is_finite()));
        if let Some((key, value)) = infinite {
            let detail = format!("{} = {value}", shortened(&key.to_str_lossy()));
            notes.deviation(Rule::MetadataNumber, side, detail);
        }
        let codec = |key| object.get(key).and_then(codec_number);
        let (video_codec, audio_codec) = (codec("videocodecid"), codec("audiocodecid"));
        self.metadata.retain(|known| (known.side, known.stream) != (side, raw.stream));
        self.remember(Metadata { side, stream: raw.stream, video_codec, audio_codec });
        match (side, dialogue.use_of(raw.stream)) {
            (Side::Client, Some((Use::Publish, _))) => notes.step(Step::PublishMetadata),
            (Side::Server, Some((Use::Play, _))) => notes.step(Step::PlayMetadata),
            _ => {}
        }
    }

    fn remember(&mut self, metadata: Metadata) {
        if self.metadata.len() >= METADATA_MAX {
            self.metadata.remove(0);
        }
        self.metadata.push(metadata);
    }

    /// Whether the metadata names the codec that comes.
    fn named(&self, side: Side, stream: MessageStreamId, tag: &Tag, first: Option<u8>, notes: &mut Notes) {
        let mut known = self.metadata.iter();
        let Some(known) = known.find(|known| (known.side, known.stream) == (side, stream)) else { return };
        let (key, named, old_id) = match tag.kind {
            MediaKind::Video => ("videocodecid", known.video_codec, first.map(|first| first & 0xF)),
            _ => ("audiocodecid", known.audio_codec, first.map(|first| first >> 4)),
        };
        let Some(named) = named else { return };
        let old_id = match tag.four_cc.as_ref() {
            Some(b"avc1") => Some(7),
            Some(b"mp4a") => Some(10),
            Some(b".mp3") => Some(2),
            Some(_) => None,
            None => old_id,
        };
        let new_id = match (&tag.four_cc, &*tag.codec) {
            (Some(code), _) => Some(*code),
            (None, "H.264") => Some(*b"avc1"),
            (None, "HEVC (id 12)") => Some(*b"hvc1"),
            (None, "AAC") => Some(*b"mp4a"),
            (None, "MP3") => Some(*b".mp3"),
            _ => None,
        };
        let fits = old_id.is_some_and(|id| named == f64::from(id))
            || new_id.is_some_and(|code| named == f64::from(u32::from_be_bytes(code)));
        if !fits {
            notes.deviation(Rule::MetadataCodec, side, format!("{key} {named}, but {} comes", tag.codec));
        }
    }

    /// Tracks that were named and never came.
    pub fn finish(&self, notes: &mut Notes) {
        for known in &self.metadata {
            let frames = |kind| {
                let of_kind = self.tracks.iter().map(|track| &track.figures).filter(|track| {
                    (track.side, track.stream, track.kind) == (known.side, known.stream, kind)
                });
                of_kind.map(|track| track.frames + track.headers).sum::<u64>()
            };
            let (audio, video) = (frames(MediaKind::Audio), frames(MediaKind::Video));
            if known.audio_codec.is_some() && audio == 0 && video > PATIENCE_FRAMES {
                notes.deviation(Rule::MetadataTrack, known.side, "no audio came".into());
            }
            if known.video_codec.is_some() && video == 0 && audio > PATIENCE_FRAMES {
                notes.deviation(Rule::MetadataTrack, known.side, "no video came".into());
            }
        }
    }

    fn track(&mut self, side: Side, stream: MessageStreamId, tag: &Tag) -> Option<&mut Track> {
        let number = tag.track.unwrap_or(0);
        let is_it = |track: &Track| {
            let figures = &track.figures;
            (figures.side, figures.stream, figures.kind, figures.track) == (side, stream, tag.kind, number)
        };
        let at = match self.tracks.iter().position(is_it) {
            Some(at) => at,
            None if self.tracks.len() >= TRACKS_MAX => return None,
            None => {
                self.tracks.push(Track::new(TrackFigures::new(side, stream, tag)));
                self.tracks.len() - 1
            }
        };
        let track = self.tracks.get_mut(at)?;
        if tag.packet == Packet::Header && track.figures.codec != *tag.codec {
            tag.codec.as_ref().clone_into(&mut track.figures.codec);
        }
        Some(track)
    }
}

impl Track {
    fn new(figures: TrackFigures) -> Self {
        Self { figures, header_ms: None, nal_length_bytes: 4, misses_header: false, is_apart: false }
    }
}

/// Whether media may come here now.
fn is_allowed(side: Side, stream: MessageStreamId, dialogue: &Dialogue, notes: &mut Notes) -> bool {
    let wanted = if side == Side::Client { Use::Publish } else { Use::Play };
    match dialogue.use_of(stream) {
        Some((use_, true)) if use_ == wanted => return true,
        Some((use_, false)) if use_ == wanted => {
            notes.deviation(Rule::MediaEarly, side, String::new());
        }
        _ if side == Side::Server && dialogue.is_deleted(stream) => {}
        _ => notes.deviation(Rule::MediaStream, side, format!("message stream {stream}")),
    }
    false
}

const fn step_of(side: Side, tag: &Tag) -> Option<Step> {
    match (side, tag.packet) {
        (Side::Client, Packet::Header) => Some(Step::PublishHeader),
        (Side::Client, Packet::Frame) => Some(Step::PublishMedia),
        (Side::Server, Packet::Header) => Some(Step::PlayHeader),
        (Side::Server, Packet::Frame) => Some(Step::PlayMedia),
        _ => None,
    }
}

/// What the head alone tells.
fn head(side: Side, tag: &Tag, body: &[u8], notes: &mut Notes) {
    if tag.packet == Packet::Empty {
        notes.deviation(Rule::TagEmpty, side, format!("{} bytes", body.len()));
        return;
    }
    if !tag.is_whole {
        notes.deviation(Rule::TagBroken, side, "it ends inside its head".into());
    } else if let Packet::Unknown(number) = tag.packet {
        notes.deviation(Rule::TagBroken, side, format!("packet type {number}"));
    }
    let is_coded = matches!(tag.packet, Packet::Frame | Packet::Header);
    if tag.kind == MediaKind::Video && is_coded && !(1..=5).contains(&tag.frame_type) {
        notes.deviation(Rule::FrameType, side, format!("frame type {}", tag.frame_type));
    }
    if tag.composition_ms.is_some_and(|ms| ms < 0) && tag.packet == Packet::Frame {
        notes.deviation(Rule::CompositionNegative, side, format!("{} ms", tag.composition_ms.unwrap_or(0)));
    }
    if tag.four_cc.is_none() {
        let first = body.first().copied().unwrap_or(0);
        let is_unofficial = match tag.kind {
            MediaKind::Video => !matches!(first & 0xF, 2..=7) && first & 0x80 == 0,
            _ => matches!(first >> 4, 12 | 13),
        };
        if is_unofficial {
            notes.deviation(Rule::CodecUnofficial, side, tag.codec.clone().into_owned());
        }
        if tag.codec == "AAC" && first != 0xAF {
            notes.deviation(Rule::AacFlags, side, format!("0x{first:02x}"));
        }
    }
}

/// Whether the receiver has said that it knows what comes.
fn announced(side: Side, tag: &Tag, dialogue: &Dialogue, notes: &mut Notes) {
    let caps = if side == Side::Client { &dialogue.server_caps } else { &dialogue.client_caps };
    if let Some(code) = tag.four_cc.filter(|code| !caps.allows(code)) {
        notes.deviation(Rule::CodecUnannounced, side, code.escape_ascii().to_string());
    }
    if tag.track.is_some() && caps.caps_ex & CAPS_MULTITRACK == 0 {
        notes.deviation(Rule::CapsUnannounced, side, "multitrack".into());
    } else if tag.has_modex && caps.caps_ex & CAPS_MODEX == 0 {
        notes.deviation(Rule::CapsUnannounced, side, "ModEx".into());
    }
}

/// A codec id of the metadata: a number, or a FourCC as text. nginx-rtmp's 0 for "none" counts too.
fn codec_number(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => Some(*number),
        Value::String(text) => match text.as_bytes() {
            // FFmpeg's old names come as text as well; they say nothing that could be compared.
            &[a, b, c, d] => Some(f64::from(u32::from_be_bytes([a, b, c, d]))),
            _ => None,
        },
        _ => None,
    }
}
