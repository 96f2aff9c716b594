//! Tag bodies: what RTMP carries in messages of type 8 (audio) and 9 (video), and FLV in its tags.
//!
//! Decoding only splits: payloads are slices of the body, never copies, and nothing behind the tag's
//! own header is looked at. What publishers get wrong inside is [`Normalizer`](super::Normalizer)'s matter.

mod body;
mod enhanced;
mod original;

use bytes::Bytes;

pub use self::body::{CodedFrame, TRACKS_MAX, TagBody};
use self::enhanced::Split;
use super::head::original::{AVC, END_OF_SEQUENCE, KEY};
use crate::{Error, MediaKind};

/// The body that says "no more video comes": an AVC end of sequence.
pub const END_OF_VIDEO: [u8; 5] = [KEY << 4 | AVC, END_OF_SEQUENCE, 0, 0, 0];

/// Splits the body of a video tag.
///
/// # Errors
/// `Unsupported` for codecs that this program does not know, by FourCC where there is one;
/// `Malformed` for a body that ends inside its own header, or whose tracks overrun it; `Limit` above
/// [`TRACKS_MAX`] parts.
pub fn decode_video(body: Bytes) -> Result<TagParts, Error> {
    match body.first() {
        Some(&first) if enhanced::is_video(first) => {
            enhanced::decode(MediaKind::Video, body).map(TagParts::from)
        }
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
        Some(&first) if enhanced::is_audio(first) => {
            enhanced::decode(MediaKind::Audio, body).map(TagParts::from)
        }
        Some(&first) => original::decode_audio(first, body).map(TagParts::from),
        None => Ok(TagBody::Empty.into()),
    }
}

/// The parts of one tag body, in order. They have been checked: what comes is whole.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct TagParts(Option<Split>);

impl Iterator for TagParts {
    type Item = TagBody;

    fn next(&mut self) -> Option<TagBody> {
        match self.0.take()? {
            Split::One(part) => Some(part),
            Split::Many(mut tracks) => {
                let part = tracks.next()?;
                self.0 = Some(Split::Many(tracks));
                Some(part)
            }
        }
    }
}

impl From<Split> for TagParts {
    fn from(split: Split) -> Self {
        Self(Some(split))
    }
}

impl From<TagBody> for TagParts {
    fn from(part: TagBody) -> Self {
        Split::One(part).into()
    }
}

#[cfg(test)]
mod tests;
