//! Audio and video: order, times and heads, and whether the receiver can take what comes.

use headwater_media::regularity::{Apart, Irregularity};
use headwater_media::{MediaKind, Timestamp};
use headwater_rtmp::MessageStreamId;
use headwater_rtmp::capture::Side;
use headwater_rtmp::message::{Aggregate, Message, type_id};
use headwater_rtmp::rule::Rule;

use crate::figures::TrackFigures;
use crate::findings::{Findings, Observed};
use crate::metadata::Metadata;
use crate::payload;
use crate::session::{Role, Session};
use crate::step::Step;
use crate::tag::{Packet, Tag};

/// Tracks that are remembered.
const TRACKS_MAX: usize = 32;
/// Tags of one aggregate that are looked at.
const AGGREGATE_TAGS_MAX: usize = 4096;
/// How far a configuration may lie from the first frame after it.
const HEADER_MS_MAX: i64 = 1000;

/// The state of the media.
#[derive(Debug, Default)]
pub(crate) struct Media {
    tracks: Vec<Track>,
    metadata: Metadata,
}

#[derive(Debug)]
struct Track {
    figures: TrackFigures,
    /// The configuration's time, until the first frame after it has come.
    header_ms: Option<u32>,
    /// Bytes of a NAL unit's length field.
    nal_length_bytes: usize,
    /// Told that frames come without a configuration.
    misses_header: bool,
    /// Whether audio and video lie apart.
    apart: Apart,
}

impl Media {
    /// Figures of every track, in the order in which they came.
    pub(crate) fn figures(&self) -> impl Iterator<Item = &TrackFigures> + Clone {
        self.tracks.iter().map(|track| &track.figures)
    }

    /// A message: audio, video, and data about them.
    pub(crate) fn on_message(&mut self, observed: &Observed<'_>, session: &Session, findings: &mut Findings) {
        match observed.message {
            Message::Media { .. } => {
                if let Some(tag) = observed.tag {
                    self.media(observed, tag, session, findings);
                }
            }
            Message::Aggregate => {
                for raw in Aggregate::new(observed.raw.clone()).take(AGGREGATE_TAGS_MAX) {
                    let kind = match raw.type_id {
                        type_id::AUDIO => MediaKind::Audio,
                        type_id::VIDEO => MediaKind::Video,
                        _ => continue,
                    };
                    let tag = Tag::read(kind, &raw.payload);
                    let inner = Observed { raw: &raw, tag: Some(&tag), ..*observed };
                    self.media(&inner, &tag, session, findings);
                }
            }
            Message::Data(data) => self.metadata.on_data(observed, data, session, findings),
            Message::Ignored(type_id::DATA | type_id::DATA_AMF3) => {
                let detail = format!("{} bytes that are no name", observed.raw.payload.len());
                findings.deviation(Rule::DataBroken, observed.side, detail);
            }
            _ => {}
        }
    }

    fn media(&mut self, observed: &Observed<'_>, tag: &Tag, session: &Session, findings: &mut Findings) {
        let Observed { side, raw, .. } = *observed;
        let has_started = is_allowed(side, raw.stream, session, findings);
        self.track_part(observed, tag, has_started, session, findings);
        let others = std::iter::successors(tag.next_track(&raw.payload), |tag| tag.next_track(&raw.payload));
        for tag in others.take(TRACKS_MAX) {
            self.track_part(observed, &tag, has_started, session, findings);
        }
    }

    /// One track's part of a message.
    fn track_part(
        &mut self,
        observed: &Observed<'_>,
        tag: &Tag,
        has_started: bool,
        session: &Session,
        findings: &mut Findings,
    ) {
        let Observed { side, raw, .. } = *observed;
        check_head(side, tag, &raw.payload, findings);
        if has_started && let Some(step) = step_of(side, tag) {
            findings.step(step);
        }
        self.metadata.on_media(side, raw.stream, findings);
        if matches!(tag.packet, Packet::Empty | Packet::Command) {
            return;
        }
        let Some(track) = self.track(side, raw.stream, tag) else { return };
        let is_first = track.figures.frames == 0 && track.figures.headers == 0;
        let bytes = tag.payload_end.saturating_sub(if tag.layout == 0 { 0 } else { tag.payload_at });
        let step = track.figures.count(tag, raw.timestamp, observed.at_ns, bytes);
        if is_first {
            check_announced(side, tag, session, findings);
            // The metadata's own fields are about the first track.
            if tag.track.unwrap_or(0) == 0 {
                self.metadata.check_codec(side, raw.stream, tag, raw.payload.first().copied(), findings);
            }
        }
        match tag.packet {
            Packet::Header => self.header(observed, tag, findings),
            Packet::Frame => self.frame(observed, tag, step, findings),
            _ => {}
        }
    }

    fn header(&mut self, observed: &Observed<'_>, tag: &Tag, findings: &mut Findings) {
        let Observed { side, raw, .. } = *observed;
        let Some(track) = self.track(side, raw.stream, tag) else { return };
        let config = tag.payload(&raw.payload);
        track.misses_header = false;
        track.header_ms = Some(raw.timestamp);
        if config.is_empty() {
            findings.deviation_once(Rule::TagEmpty, side, "an empty configuration".into());
            return;
        }
        match payload::check_config(tag, config) {
            Ok(nal_length_bytes) => track.nal_length_bytes = nal_length_bytes,
            Err(fault) => findings.deviation(Rule::HeaderBroken, side, fault.into()),
        }
    }

    fn frame(&mut self, observed: &Observed<'_>, tag: &Tag, step: Option<i64>, findings: &mut Findings) {
        let Observed { side, raw, .. } = *observed;
        let Some(track) = self.track(side, raw.stream, tag) else { return };
        if tag.needs_header() && track.figures.headers == 0 && !track.misses_header {
            track.misses_header = true;
            findings.deviation(Rule::HeaderMissing, side, format!("{} frame", tag.codec));
        }
        if let Some(header_ms) = track.header_ms.take() {
            let away = raw.timestamp.wrapping_sub(header_ms).cast_signed();
            if i64::from(away).abs() > HEADER_MS_MAX {
                findings.deviation(Rule::HeaderTime, side, format!("{away} ms away"));
            }
        }
        let is_first = track.figures.frames == 1;
        if is_first && side == Side::Server && tag.kind == MediaKind::Video && !tag.is_key() {
            findings.deviation(Rule::KeyFirst, side, String::new());
        }
        if let Some(irregular) = step.and_then(|step| Irregularity::of_step(Timestamp::from_ms(step))) {
            let rule = match irregular {
                Irregularity::Back(_) => Rule::TimeBack,
                Irregularity::Gap(_) => Rule::TimeGap,
            };
            findings.deviation(rule, side, format!("{} ms", irregular.by().as_ms()));
        }
        let data = tag.payload(&raw.payload);
        let nal_length_bytes = track.nal_length_bytes;
        payload::check_frame(side, tag, data, nal_length_bytes, findings);
        self.check_apart(side, raw.stream, tag, findings);
    }

    /// How far audio and video lie apart. Told again only after they have come together.
    fn check_apart(&mut self, side: Side, stream: MessageStreamId, tag: &Tag, findings: &mut Findings) {
        let newest = |kind| {
            let mut tracks = self.tracks.iter().map(|track| &track.figures);
            let track = tracks.find(|track| (track.side, track.stream, track.kind) == (side, stream, kind));
            track.filter(|track| track.frames > 0).map(|track| track.last_ms)
        };
        let Some((audio, video)) = newest(MediaKind::Audio).zip(newest(MediaKind::Video)) else { return };
        let Some(track) = self.track(side, stream, tag) else { return };
        if let Some(ahead) = track.apart.look(Timestamp::from_ms(audio), Timestamp::from_ms(video)) {
            findings.deviation(Rule::TracksApart, side, format!("audio - video = {} ms", ahead.as_ms()));
        }
    }

    /// What only the end shows.
    pub(crate) fn finish(&self, findings: &mut Findings) {
        self.metadata.finish(self.figures(), findings);
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
        Self { figures, header_ms: None, nal_length_bytes: 4, misses_header: false, apart: Apart::default() }
    }
}

/// Whether media may come here now.
fn is_allowed(side: Side, stream: MessageStreamId, session: &Session, findings: &mut Findings) -> bool {
    let wanted = if side == Side::Client { Role::Publish } else { Role::Play };
    match session.streams.get(stream) {
        Some(stream) if stream.role == wanted && stream.has_started => return true,
        Some(stream) if stream.role == wanted => findings.deviation(Rule::MediaEarly, side, String::new()),
        Some(stream) if side == Side::Server && stream.is_deleted => {}
        _ => findings.deviation(Rule::MediaStream, side, format!("message stream {stream}")),
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
fn check_head(side: Side, tag: &Tag, body: &[u8], findings: &mut Findings) {
    if tag.packet == Packet::Empty {
        findings.deviation(Rule::TagEmpty, side, format!("{} bytes", body.len()));
        return;
    }
    if !tag.is_whole {
        findings.deviation(Rule::TagBroken, side, "it ends inside its head".into());
    } else if let Packet::Unknown(number) = tag.packet {
        findings.deviation(Rule::TagBroken, side, format!("packet type {number}"));
    }
    let is_coded = matches!(tag.packet, Packet::Frame | Packet::Header);
    if tag.kind == MediaKind::Video && is_coded && !(1..=5).contains(&tag.frame_type) {
        findings.deviation(Rule::FrameType, side, format!("frame type {}", tag.frame_type));
    }
    if tag.composition_ms.is_some_and(|ms| ms < 0) && tag.packet == Packet::Frame {
        findings.deviation(
            Rule::CompositionNegative,
            side,
            format!("{} ms", tag.composition_ms.unwrap_or(0)),
        );
    }
    if tag.four_cc.is_none() {
        let first = body.first().copied().unwrap_or(0);
        let is_unofficial = match tag.kind {
            MediaKind::Video => !matches!(first & 0xF, 2..=7) && first & 0x80 == 0,
            _ => matches!(first >> 4, 12 | 13),
        };
        if is_unofficial {
            findings.deviation(Rule::CodecUnofficial, side, tag.codec.clone().into_owned());
        }
        if tag.codec == "AAC" && first != 0xAF {
            findings.deviation(Rule::AacFlags, side, format!("0x{first:02x}"));
        }
    }
}

/// Whether the receiver has said that it knows what comes.
fn check_announced(side: Side, tag: &Tag, session: &Session, findings: &mut Findings) {
    let receiver = session.receiver_of(side);
    if let Some(code) = tag.four_cc.filter(|code| !receiver.has_codec(code)) {
        findings.deviation(Rule::CodecUnannounced, side, code.escape_ascii().to_string());
    }
    if tag.track.is_some() && !receiver.has_multitrack() {
        findings.deviation(Rule::CapsUnannounced, side, "multitrack".into());
    } else if tag.has_modex && !receiver.has_modex() {
        findings.deviation(Rule::CapsUnannounced, side, "ModEx".into());
    }
}
