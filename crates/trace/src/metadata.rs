//! What `onMetaData` says of the tracks, and whether it fits what comes (FLV 10.1 §E.5).

use headwater_media::MediaKind;
use headwater_media::amf::{Limits, Object, Value, amf0};
use headwater_rtmp::MessageStreamId;
use headwater_rtmp::capture::Side;
use headwater_rtmp::message::{Data, DataScope};
use headwater_rtmp::rule::Rule;

use crate::figures::TrackFigures;
use crate::findings::{Findings, Observed, truncated};
use crate::session::{Role, Session};
use crate::step::Step;
use crate::tag::Tag;

/// Streams whose metadata is remembered.
const STREAMS_MAX: usize = 32;
/// Frames of one track after which the other one is missed.
const PATIENCE_FRAMES: u64 = 50;

/// The newest metadata of each stream.
#[derive(Debug, Default)]
pub(crate) struct Metadata {
    streams: Vec<StreamMetadata>,
}

#[derive(Debug)]
struct StreamMetadata {
    side: Side,
    stream: MessageStreamId,
    video_codec: Option<f64>,
    audio_codec: Option<f64>,
}

impl Metadata {
    /// Media comes: whether its stream has been described before. Told once.
    pub(crate) fn on_media(&mut self, side: Side, stream: MessageStreamId, findings: &mut Findings) {
        if self.of(side, stream).is_none() {
            // From here on there is an entry that knows nothing.
            self.remember(StreamMetadata { side, stream, video_codec: None, audio_codec: None });
            findings.deviation(Rule::MetadataMissing, side, String::new());
        }
    }

    /// A data message.
    pub(crate) fn on_data(
        &mut self,
        observed: &Observed<'_>,
        data: &Data,
        session: &Session,
        findings: &mut Findings,
    ) {
        let Observed { side, raw, .. } = *observed;
        if side == Side::Server && data.scope != DataScope::Passing {
            findings.deviation(Rule::SetDataFrame, side, String::new());
        }
        if data.handler() != b"onMetaData" {
            return;
        }
        let mut decoder = amf0::Decoder::new(&data.payload, &Limits::WIRE);
        let values = std::iter::from_fn(|| decoder.next_value().ok().flatten());
        let value = values.skip(1).take(1).next().unwrap_or(Value::Undefined);
        if side == Side::Server && !matches!(value, Value::EcmaArray(_)) {
            findings.deviation(Rule::MetadataArray, side, String::new());
        }
        let nothing = Object::new();
        let object = value.as_object().unwrap_or(&nothing);
        let infinite = object.iter().find(|(_, value)| value.as_number().is_some_and(|n| !n.is_finite()));
        if let Some((key, value)) = infinite {
            let detail = format!("{} = {value}", truncated(&key.to_str_lossy()));
            findings.deviation(Rule::MetadataNumber, side, detail);
        }
        let codec = |key| object.get(key).and_then(codec_number);
        let (video_codec, audio_codec) = (codec("videocodecid"), codec("audiocodecid"));
        self.streams.retain(|known| (known.side, known.stream) != (side, raw.stream));
        self.remember(StreamMetadata { side, stream: raw.stream, video_codec, audio_codec });
        match (side, session.streams.get(raw.stream).map(|stream| stream.role)) {
            (Side::Client, Some(Role::Publish)) => findings.step(Step::PublishMetadata),
            (Side::Server, Some(Role::Play)) => findings.step(Step::PlayMetadata),
            _ => {}
        }
    }

    /// Whether the codec that comes is the one that was named. `first` is the tag's first byte.
    pub(crate) fn check_codec(
        &self,
        side: Side,
        stream: MessageStreamId,
        tag: &Tag,
        first: Option<u8>,
        findings: &mut Findings,
    ) {
        let Some(known) = self.of(side, stream) else { return };
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
            findings.deviation(Rule::MetadataCodec, side, format!("{key} {named}, but {} comes", tag.codec));
        }
    }

    /// Tracks that were named and never came.
    pub(crate) fn finish<'a>(
        &self,
        tracks: impl Iterator<Item = &'a TrackFigures> + Clone,
        findings: &mut Findings,
    ) {
        for known in &self.streams {
            let messages = |kind| {
                let of_kind = tracks.clone().filter(move |track| {
                    (track.side, track.stream, track.kind) == (known.side, known.stream, kind)
                });
                of_kind.map(|track| track.frames + track.headers).sum::<u64>()
            };
            let (audio, video) = (messages(MediaKind::Audio), messages(MediaKind::Video));
            if known.audio_codec.is_some() && audio == 0 && video > PATIENCE_FRAMES {
                findings.deviation(Rule::MetadataTrack, known.side, "no audio came".into());
            }
            if known.video_codec.is_some() && video == 0 && audio > PATIENCE_FRAMES {
                findings.deviation(Rule::MetadataTrack, known.side, "no video came".into());
            }
        }
    }

    fn remember(&mut self, metadata: StreamMetadata) {
        if self.streams.len() >= STREAMS_MAX {
            self.streams.remove(0);
        }
        self.streams.push(metadata);
    }

    fn of(&self, side: Side, stream: MessageStreamId) -> Option<&StreamMetadata> {
        self.streams.iter().find(|known| (known.side, known.stream) == (side, stream))
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
