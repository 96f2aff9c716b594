//! Tag bodies: what RTMP carries in messages of type 8 (audio) and 9 (video), and FLV in its tags.
//!
//! Decoding only splits: payloads are slices of the body, never copies, and nothing behind the tag's
//! own header is looked at. What publishers get wrong inside is [`Normalizer`](super::Normalizer)'s matter.

mod enhanced;
mod original;

use bytes::Bytes;

use super::head::original::{AVC, COMMAND, END_OF_SEQUENCE, KEY};
use crate::{Codec, Error, MediaKind, Track, TrackId};

/// Most video tracks, and most audio tracks, that are taken from one sender; also most parts of one body.
pub const TRACKS_MAX: usize = 16;

const GENERATED_KEY: u8 = 4;
const MEND: &str = "send H.264, H.265, AV1, VP8 or VP9 video and AAC, Opus, FLAC, AC-3 or MP3 audio";

/// The body that says "no more video comes": an AVC end of sequence.
pub const END_OF_VIDEO: [u8; 5] = [KEY << 4 | AVC, END_OF_SEQUENCE, 0, 0, 0];

/// What one part of a tag body holds. All bodies but multitrack ones have one part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TagBody {
    /// The decoder configuration for the frames that follow ("sequence header"), as sent.
    Config(Track),
    /// What is said of a track beside its configuration, as sent: see [`Track::extra`].
    Extra {
        /// The track.
        track: TrackId,
        /// The codec that the sender names.
        codec: Codec,
        /// The bytes behind the tag's header.
        bytes: Bytes,
    },
    /// One coded frame.
    Frame(CodedFrame),
    /// The sender's word that the track ends.
    EndOfSequence(TrackId),
    /// Legal, but it carries nothing: no bytes, the first byte only, an empty configuration.
    Empty,
    /// A Flash player command (start or end of a client-side seek) without a picture.
    Command,
}

/// A coded frame as its tag presents it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CodedFrame {
    /// The track: number 0 unless the tag names another.
    pub track: TrackId,
    /// How it is coded. MP3 by FourCC has [`Self::MP3_UNKNOWN`].
    pub codec: Codec,
    /// Whether the tag calls it a key frame; `None` if it does not say (frame type 0, quirk 16). Always
    /// true for audio.
    pub key: Option<bool>,
    /// Presentation minus decoding time in milliseconds, ± 8,388,607. 0 where the tag has none.
    pub composition_ms: i32,
    /// What is to be added to the presentation time: 0 ..= 999,999 ns.
    pub nanos: u32,
    /// The coded bytes: a slice of the body.
    pub payload: Bytes,
}

impl CodedFrame {
    /// MP3 of which the tag tells neither rate nor channels.
    pub const MP3_UNKNOWN: Codec = Codec::Mp3 { flv_flags: 0 };
}

/// The parts of one tag body, in order. They have been checked: what comes is whole.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct TagParts(Form);

#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum Form {
    #[default]
    Done,
    One(TagBody),
    Many(enhanced::MultitrackParts),
}

impl Iterator for TagParts {
    type Item = TagBody;

    fn next(&mut self) -> Option<TagBody> {
        match std::mem::take(&mut self.0) {
            Form::Done => None,
            Form::One(part) => Some(part),
            Form::Many(mut tracks) => {
                let part = tracks.next()?;
                self.0 = Form::Many(tracks);
                Some(part)
            }
        }
    }
}

impl From<TagBody> for TagParts {
    fn from(part: TagBody) -> Self {
        Self(Form::One(part))
    }
}

/// Splits the body of a video tag.
///
/// # Errors
/// `Unsupported` for codecs that this program does not know, by FourCC where there is one;
/// `Malformed` for a body that ends inside its own header, or whose tracks overrun it; `Limit` above
/// [`TRACKS_MAX`] parts.
pub fn decode_video(body: Bytes) -> Result<TagParts, Error> {
    match body.first() {
        Some(&first) if enhanced::is_video(first) => enhanced::decode(MediaKind::Video, body),
        Some(&first) => original::decode_video(first, body).map(TagParts::from),
        None => Ok(TagBody::Empty.into()),
    }
}

/// Splits the body of an audio tag.
///
/// # Errors
/// As [`decode_video`].
pub fn decode_audio(body: Bytes) -> Result<TagParts, Error> {
    match body.first() {
        Some(&first) if enhanced::is_audio(first) => enhanced::decode(MediaKind::Audio, body),
        Some(&first) => original::decode_audio(first, body).map(TagParts::from),
        None => Ok(TagBody::Empty.into()),
    }
}

const fn is_key(frame_type: u8) -> bool {
    matches!(frame_type, KEY | GENERATED_KEY)
}

#[cfg(test)]
mod tests;
