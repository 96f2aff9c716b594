//! The tags of FLV as Adobe described it, and the codec numbers that others added to it unasked.

use bytes::Bytes;

use super::body::{CodedFrame, MEND, TagBody, is_key};
use crate::flv::head::original::{
    AVC, CODEC_CONFIG, CODED_FRAME, COMMAND, END_OF_SEQUENCE, UNOFFICIAL_AV1, UNOFFICIAL_HEVC,
};
use crate::{Codec, Error, Track, TrackId};

const MP3: u8 = 2;
const AAC: u8 = 10;
const MP3_8_KHZ: u8 = 14;
/// Opus as ZLMediaKit writes it: the payload follows the first byte, and there is no configuration.
const UNOFFICIAL_OPUS: u8 = 13;
/// VP8 and VP9 as ZLMediaKit writes them; the tag is as AVC's.
const UNOFFICIAL_VP8: u8 = 14;
const UNOFFICIAL_VP9: u8 = 15;

/// Splits a video tag that starts with `first`.
pub(super) fn decode_video(first: u8, body: Bytes) -> Result<TagBody, Error> {
    let frame_type = first >> 4;
    if frame_type == COMMAND {
        return Ok(TagBody::Command);
    }
    let key = is_key(frame_type);
    match first & 0xF {
        AVC => decode_as_avc(Codec::H264, key, body),
        UNOFFICIAL_HEVC => decode_as_avc(Codec::H265, key, body),
        UNOFFICIAL_AV1 => decode_as_avc(Codec::Av1, key, body),
        UNOFFICIAL_VP8 => decode_as_avc(Codec::Vp8, key, body),
        UNOFFICIAL_VP9 => decode_as_avc(Codec::Vp9, key, body),
        id @ (1..=6 | 8) => Ok(coded(TrackId::VIDEO, Codec::FlvVideo(id), key, 0, body, 1)),
        9 => Err(Error::unsupported("FLV video codec 9 (MPEG-4 part 2)", MEND)),
        id => Err(Error::unsupported(format!("FLV video codec {id}"), MEND)),
    }
}

/// Splits an audio tag that starts with `first`.
pub(super) fn decode_audio(first: u8, body: Bytes) -> Result<TagBody, Error> {
    let sound = |codec| Ok(coded(TrackId::AUDIO, codec, true, 0, body.clone(), 1));
    match first >> 4 {
        AAC => decode_aac(body),
        MP3 | MP3_8_KHZ => sound(Codec::Mp3 { flv_flags: first }),
        UNOFFICIAL_OPUS => sound(Codec::Opus),
        0 | 1 | 3..=8 | 11 => sound(Codec::FlvAudio(first)),
        format => Err(Error::unsupported(format!("FLV audio format {format}"), MEND)),
    }
}

fn decode_as_avc(codec: Codec, key: bool, body: Bytes) -> Result<TagBody, Error> {
    const HEAD_LEN: usize = 5;
    let malformed = |reason| Err(Error::malformed("video tag with an AVC header", reason));
    let &[_, packet_type, high, middle, low, ..] = body.as_ref() else {
        // 0x17 or 0x57 alone is a habit of some encoders (quirk 58); an end of sequence is often cut short.
        return match body.get(1) {
            None => Ok(TagBody::Empty),
            Some(&END_OF_SEQUENCE) => Ok(TagBody::EndOfSequence(TrackId::VIDEO)),
            Some(_) => malformed("it ends inside its 5-byte header".to_owned()),
        };
    };
    let composition_ms = i32::from_be_bytes([high, middle, low, 0]) >> 8;
    match packet_type {
        END_OF_SEQUENCE => Ok(TagBody::EndOfSequence(TrackId::VIDEO)),
        _ if body.len() == HEAD_LEN => Ok(TagBody::Empty),
        CODEC_CONFIG => Ok(TagBody::Config(Track::new(TrackId::VIDEO, codec, body.slice(HEAD_LEN..)))),
        CODED_FRAME => Ok(coded(TrackId::VIDEO, codec, key, composition_ms, body, HEAD_LEN)),
        other => malformed(format!("packet type {other} is unknown")),
    }
}

fn decode_aac(body: Bytes) -> Result<TagBody, Error> {
    match body.get(1) {
        _ if body.len() <= 2 => Ok(TagBody::Empty),
        Some(&CODEC_CONFIG) => Ok(TagBody::Config(Track::new(TrackId::AUDIO, Codec::Aac, body.slice(2..)))),
        Some(&CODED_FRAME) => Ok(coded(TrackId::AUDIO, Codec::Aac, true, 0, body, 2)),
        _ => Err(Error::malformed("AAC audio tag", "its packet type is neither 0 nor 1")),
    }
}

fn coded(
    track: TrackId,
    codec: Codec,
    key: bool,
    composition_ms: i32,
    body: Bytes,
    head_len: usize,
) -> TagBody {
    if body.len() <= head_len {
        return TagBody::Empty;
    }
    let payload = body.slice(head_len..);
    TagBody::Frame(CodedFrame { track, codec, key: Some(key), composition_ms, nanos: 0, payload })
}
