//! Tag bodies: what RTMP carries in messages of type 8 (audio) and 9 (video), and FLV in its tags.
//!
//! Decoding only splits: the payload is a slice of the body, never a copy, and nothing behind the tag's
//! own header is looked at. What publishers get wrong inside is [`Intake`](super::Intake)'s matter.

use bytes::Bytes;

use super::head::original::{AVC, CODEC_CONFIG, CODED_FRAME, END_OF_SEQUENCE, KEY};
use crate::{Codec, Error, Track, TrackId};

const GENERATED_KEY: u8 = 4;
const COMMAND: u8 = 5;
const ENHANCED_AUDIO: u8 = 9;
const AAC: u8 = 10;
const MEND: &str = "send H.264 video and AAC or MP3 audio";

/// The body that says "no more video comes": an AVC end of sequence.
pub const END_OF_VIDEO: [u8; 5] = [KEY << 4 | AVC, END_OF_SEQUENCE, 0, 0, 0];

/// What one tag body holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TagBody {
    /// The decoder configuration for the frames that follow ("sequence header"), as sent.
    Config(Track),
    /// One coded frame.
    Frame {
        /// How it is coded.
        codec: Codec,
        /// Whether the tag calls it a key frame. Always true for audio.
        key: bool,
        /// Presentation minus decoding time in milliseconds, ± 8,388,607. 0 unless H.264.
        composition_ms: i32,
        /// The coded bytes: a slice of the body.
        payload: Bytes,
    },
    /// The sender's word that the track ends.
    EndOfSequence,
    /// Legal, but it carries nothing: no bytes, the first byte only, an empty AAC configuration.
    Empty,
    /// A Flash player command (start or end of a client-side seek) without a picture.
    Command,
}

/// Splits the body of a video tag.
///
/// # Errors
/// `Unsupported` for codecs that this program does not know, by FourCC where there is one;
/// `Malformed` for a body that ends inside its own header.
pub fn decode_video(body: Bytes) -> Result<TagBody, Error> {
    let Some(&first) = body.first() else { return Ok(TagBody::Empty) };
    if first & 0x80 != 0 {
        return Err(enhanced("video", &body, first & 0xF, 6));
    }
    let frame_type = first >> 4;
    if frame_type == COMMAND {
        return Ok(TagBody::Command);
    }
    match first & 0xF {
        AVC => decode_avc(body, frame_type),
        id @ (1..=6 | 8) => Ok(coded(Codec::FlvVideo(id), is_key(frame_type), body, 1)),
        id => Err(Error::unsupported(format!("FLV video codec {id}{}", unofficial_video(id)), MEND)),
    }
}

/// Splits the body of an audio tag.
///
/// # Errors
/// As [`decode_video`].
pub fn decode_audio(body: Bytes) -> Result<TagBody, Error> {
    let Some(&first) = body.first() else { return Ok(TagBody::Empty) };
    match first >> 4 {
        AAC => decode_aac(body),
        2 | 14 => Ok(coded(Codec::Mp3 { flv_flags: first }, true, body, 1)),
        0 | 1 | 3..=8 | 11 => Ok(coded(Codec::FlvAudio(first), true, body, 1)),
        ENHANCED_AUDIO => Err(enhanced("audio", &body, first & 0xF, 5)),
        13 => Err(Error::unsupported("Opus as FLV audio format 13", MEND)),
        format => Err(Error::unsupported(format!("FLV audio format {format}"), MEND)),
    }
}

fn decode_avc(body: Bytes, frame_type: u8) -> Result<TagBody, Error> {
    let &[_, packet_type, high, middle, low, ..] = body.as_ref() else {
        // 0x17 or 0x57 alone is a habit of some encoders (quirk 58); an end of sequence is often cut short.
        return match body.get(1) {
            None => Ok(TagBody::Empty),
            Some(&END_OF_SEQUENCE) => Ok(TagBody::EndOfSequence),
            Some(_) => Err(Error::malformed("H.264 video tag", "it ends inside its 5-byte header")),
        };
    };
    let composition_ms = i32::from_be_bytes([high, middle, low, 0]) >> 8;
    match packet_type {
        END_OF_SEQUENCE => Ok(TagBody::EndOfSequence),
        _ if body.len() == 5 => Ok(TagBody::Empty),
        CODEC_CONFIG => Ok(TagBody::Config(Track::new(TrackId::VIDEO, Codec::H264, body.slice(5..)))),
        CODED_FRAME => Ok(TagBody::Frame {
            codec: Codec::H264,
            key: is_key(frame_type),
            composition_ms,
            payload: body.slice(5..),
        }),
        other => Err(Error::malformed("H.264 video tag", format!("packet type {other} is unknown"))),
    }
}

fn decode_aac(body: Bytes) -> Result<TagBody, Error> {
    match body.get(1) {
        _ if body.len() <= 2 => Ok(TagBody::Empty),
        Some(&CODEC_CONFIG) => Ok(TagBody::Config(Track::new(TrackId::AUDIO, Codec::Aac, body.slice(2..)))),
        Some(&CODED_FRAME) => Ok(coded(Codec::Aac, true, body, 2)),
        _ => Err(Error::malformed("AAC audio tag", "its packet type is neither 0 nor 1")),
    }
}

fn coded(codec: Codec, key: bool, body: Bytes, head_len: usize) -> TagBody {
    if body.len() <= head_len {
        return TagBody::Empty;
    }
    TagBody::Frame { codec, key, composition_ms: 0, payload: body.slice(head_len..) }
}

const fn is_key(frame_type: u8) -> bool {
    matches!(frame_type, KEY | GENERATED_KEY)
}

const fn unofficial_video(id: u8) -> &'static str {
    match id {
        9 => " (MPEG-4 part 2)",
        12 => " (HEVC)",
        13 => " (AV1)",
        14 => " (VP8)",
        15 => " (VP9)",
        _ => "",
    }
}

/// The refusal of an Enhanced RTMP tag, by its FourCC. `multitrack` is the packet type that says
/// "several tracks": 6 for video, 5 for audio.
fn enhanced(kind: &str, body: &[u8], mut packet_type: u8, multitrack: u8) -> Error {
    const MODIFIER: u8 = 7;
    let mut rest = body.get(1..).unwrap_or_default();
    while packet_type == MODIFIER {
        let Some((next, after)) = after_modifier(rest) else { break };
        (packet_type, rest) = (next, after);
    }
    let mut form = "";
    if packet_type == multitrack {
        form = "multitrack ";
        rest = rest.get(1..).unwrap_or_default();
    }
    let name = match rest.first_chunk::<4>() {
        Some(code) => code.escape_ascii().to_string(),
        None => "without a FourCC".to_owned(),
    };
    Error::unsupported(format!("Enhanced RTMP {form}{kind} {name}"), MEND)
}

/// Passes over one ModEx prefix: the next packet type and what follows.
fn after_modifier(rest: &[u8]) -> Option<(u8, &[u8])> {
    let (&short, rest) = rest.split_first()?;
    let (size, rest) = if short == 0xFF {
        let (long, rest) = rest.split_first_chunk::<2>()?;
        (usize::from(u16::from_be_bytes(*long)) + 1, rest)
    } else {
        (usize::from(short) + 1, rest)
    };
    let (&kinds, rest) = rest.get(size..)?.split_first()?;
    Some((kinds & 0xF, rest))
}

#[cfg(test)]
mod tests;
