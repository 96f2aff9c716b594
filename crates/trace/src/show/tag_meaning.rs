//! What an audio or video message means, in one line for a person.

use headwater_media::{Codec, MediaKind, Track, TrackId};

use super::plain::clean;
use crate::tag::{Packet, Tag};

/// Tracks of one message that are counted.
const TRACKS_NAMED_MAX: usize = 32;

/// The head of an audio or video message.
pub(super) fn tag_words(tag: &Tag, body: &[u8], timestamp: u32) -> String {
    if tag.packet == Packet::Empty {
        return format!("empty ({} bytes)", body.len());
    }
    let mut words = clean(&tag.codec);
    if let Some(track) = tag.track {
        words += &format!(", track {track}");
        let others = std::iter::successors(tag.next_track(body), |tag| tag.next_track(body));
        match others.take(TRACKS_NAMED_MAX).count() {
            0 => {}
            count => words += &format!(" and {count} more"),
        }
    }
    if tag.has_modex {
        words += ", ModEx";
    }
    let config = tag.payload(body);
    words += &match tag.packet {
        Packet::Header => format!(" sequence header{}", config_words(tag, config)),
        Packet::Frame if tag.kind == MediaKind::Audio => " frame".to_owned(),
        Packet::Frame => match tag.frame_type {
            1 => " key frame".to_owned(),
            2 => " inter frame".to_owned(),
            3 => " disposable frame".to_owned(),
            4 => " generated key frame".to_owned(),
            other => format!(" frame of type {other}"),
        },
        Packet::End => " end of sequence".to_owned(),
        Packet::Metadata => " metadata (colorInfo)".to_owned(),
        Packet::Channels => " order of channels".to_owned(),
        Packet::Command => " player command".to_owned(),
        Packet::Unknown(number) => format!(" packet of unknown type {number}"),
        Packet::Empty => String::new(),
    };
    words += &format!(", dts {timestamp}");
    if let Some(ms) = tag.composition_ms.filter(|_| tag.packet == Packet::Frame) {
        words += &format!(" cts {ms}");
    }
    words
}

/// What a decoder configuration says.
fn config_words(tag: &Tag, config: &[u8]) -> String {
    let config = bytes::Bytes::copy_from_slice(config);
    let length = config.len();
    let details =
        codec(tag).map(|codec| Track::new(TrackId::VIDEO, codec, config).details()).unwrap_or_default();
    let mut words: Vec<String> = details.codec_string.iter().cloned().collect();
    if let (Some(width), Some(height)) = (details.width, details.height) {
        words.push(format!("{width}×{height}"));
    }
    if let Some(rate) = details.sample_rate {
        words.push(format!("{rate} Hz"));
    }
    match details.channels {
        None => {}
        Some(1) => words.push("mono".into()),
        Some(2) => words.push("stereo".into()),
        Some(count) => words.push(format!("{count} channels")),
    }
    if words.is_empty() {
        words.push(format!("{length} bytes"));
    }
    format!(" ({})", words.join(", "))
}

/// The codec, if its configuration can be read.
fn codec(tag: &Tag) -> Option<Codec> {
    use Codec::{Aac, Av1, Flac, H264, H265, H266, Opus, Vp8, Vp9};
    let four_cc = tag.four_cc.or(match &*tag.codec {
        "H.264" => H264.four_cc(),
        "HEVC (id 12)" => H265.four_cc(),
        "AAC" => Aac.four_cc(),
        _ => None,
    })?;
    let mut known = [H264, H265, H266, Av1, Vp8, Vp9, Aac, Opus, Flac].into_iter();
    known.find(|codec| codec.four_cc() == Some(four_cc))
}
