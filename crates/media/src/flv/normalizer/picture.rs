//! What the bytes of a message say of the picture in it: whether decoding can start there, and whether it goes on
//! with a picture that began in the message before.
//!
//! Senders flag what they like as a key frame: only the first one, or all of them. So the bytes decide.

use crate::Codec;
use crate::codec::{h264, h265, h266};

/// What the NAL units of one message say of its picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Picture {
    /// Whether there may be a slice among them. Else they belong to the picture that follows.
    pub(super) has_slice: bool,
    /// Whether they go on with a picture that has begun before.
    pub(super) goes_on: bool,
    /// Whether decoding can start with it.
    pub(super) start: Start,
}

/// Whether decoding can start with a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Start {
    /// It depends on no other, and none behind it on one before it; or the sender's encoder says that pictures come
    /// out right from here on.
    Yes,
    /// It depends on no other. What follows may, if the sender does not say that this is a key frame.
    IfFlagged,
    /// Nothing in it says so.
    Unsaid,
}

impl Picture {
    /// Looks at the units of a message of H.264, H.265 or H.266.
    pub(super) fn of(codec: Codec, units: &[&[u8]]) -> Self {
        let all = |is_ahead: fn(&[u8]) -> bool| units.iter().all(|unit| is_ahead(unit));
        let (first, is_ahead, start) = match codec {
            Codec::H264 => {
                let mut slices = units.iter().filter_map(|unit| h264::SliceHead::parse(unit));
                let first = slices.next();
                // The others are read only where it counts whether all of them are such.
                let is_intra = first.is_some_and(|head| head.is_intra) && slices.all(|head| head.is_intra);
                (first.map(|head| head.is_first), all(h264::is_ahead), h264_start(units, is_intra))
            }
            Codec::H265 => {
                let first = units.iter().find_map(|unit| h265::is_first_slice(unit));
                (first, all(h265::is_ahead), h265_start(units))
            }
            _ => (h266_first(units), all(h266::is_ahead), h266_start(units)),
        };
        let goes_on = first == Some(false);
        Self { has_slice: !is_ahead, goes_on, start: if goes_on { Start::Unsaid } else { start } }
    }
}

fn h264_start(units: &[&[u8]], is_intra: bool) -> Start {
    if units.iter().any(|unit| h264::nal_type(unit) == h264::NAL_IDR || h264::is_recovery_point(unit)) {
        Start::Yes
    } else if is_intra {
        Start::IfFlagged
    } else {
        Start::Unsaid
    }
}

fn h265_start(units: &[&[u8]]) -> Start {
    let starts =
        |unit: &&[u8]| h265::NAL_KEY.contains(&h265::nal_type(unit)) || h265::is_recovery_point(unit);
    if units.iter().any(starts) { Start::Yes } else { Start::Unsaid }
}

fn h266_start(units: &[&[u8]]) -> Start {
    let starts = |unit: &&[u8]| h266::NAL_KEY.contains(&h266::nal_type(unit));
    if units.iter().any(starts) { Start::Yes } else { Start::Unsaid }
}

/// Whether the first slice is the first of its picture; `None` without a slice.
fn h266_first(units: &[&[u8]]) -> Option<bool> {
    let has_header = || units.iter().any(|unit| h266::nal_type(unit) == h266::NAL_PICTURE_HEADER);
    units.iter().find_map(|unit| h266::is_whole_picture(unit)).map(|is_whole| is_whole || has_header())
}
