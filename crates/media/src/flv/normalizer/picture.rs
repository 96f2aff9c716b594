//! What the bytes of a message say of the picture in it: whether decoding can start there, and whether it goes on
//! with a picture that began in the message before.
//!
//! Senders flag what they like as a key frame: only the first one, or all of them. So the bytes decide
//! ([`PictureStart`]).

use crate::Codec;
use crate::codec::{h264, h265, h266};
use crate::picture_start::PictureStart;

/// What the NAL units of one message say of its picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Picture {
    /// Whether there may be a slice among them. Else they belong to the picture that follows.
    pub(super) has_slice: bool,
    /// Whether they go on with a picture that has begun before.
    pub(super) goes_on: bool,
    /// What it says of starting with it; `None` if it has no slice, or goes on with the picture before.
    pub(super) start: Option<PictureStart>,
}

impl Picture {
    /// Looks at the units of a message of H.264, H.265 or H.266.
    pub(super) fn of(codec: Codec, units: &[&[u8]]) -> Self {
        let all = |is_ahead: fn(&[u8]) -> bool| units.iter().all(|unit| is_ahead(unit));
        let (first, is_ahead) = match codec {
            Codec::H264 => {
                let first = units.iter().find_map(|unit| h264::SliceHead::parse(unit));
                (first.map(|head| head.is_first), all(h264::is_ahead))
            }
            Codec::H265 => (units.iter().find_map(|unit| h265::is_first_slice(unit)), all(h265::is_ahead)),
            _ => (h266_first(units), all(h266::is_ahead)),
        };
        let goes_on = first == Some(false);
        let start = || PictureStart::of_units(codec, units.iter().copied());
        Self { has_slice: !is_ahead, goes_on, start: if goes_on { None } else { start() } }
    }
}

/// Whether the first slice is the first of its picture; `None` without a slice.
fn h266_first(units: &[&[u8]]) -> Option<bool> {
    let has_header = || units.iter().any(|unit| h266::nal_type(unit) == h266::NAL_PICTURE_HEADER);
    units.iter().find_map(|unit| h266::is_whole_picture(unit)).map(|is_whole| is_whole || has_header())
}
