//! Event messages written: what a publisher says by name (`onTextData`, `onCuePoint`), kept between the fragments of a
//! file (`emsg`, ISO 23009-1, 5.10.3.3). Players pass over those whose scheme they do not know.

use bytes::{BufMut, Bytes, BytesMut};

use super::boxes::put_full;
use crate::Frame;

/// Names the messages that hold script data: AMF0 values, handler name first.
pub const SCRIPT_SCHEME: &str = "urn:headwater:script:amf0";
/// Ticks per second of their times.
pub const SCRIPT_TIMESCALE: u32 = 1000;

/// A frame of script data as a box; its payload is at the end. `number` tells it from the others of its file.
#[must_use]
pub fn script_message(number: u32, frame: &Frame) -> Bytes {
    const DURATION_UNKNOWN: u32 = u32::MAX;
    let mut out = BytesMut::with_capacity(64 + frame.payload.len());
    put_full(&mut out, b"emsg", 1, 0, |out| {
        out.put_u32(SCRIPT_TIMESCALE);
        out.put_i64(frame.pts.to_ticks(SCRIPT_TIMESCALE).max(0));
        out.put_u32(DURATION_UNKNOWN);
        out.put_u32(number);
        out.put_slice(SCRIPT_SCHEME.as_bytes());
        // The end of the scheme, and an empty value.
        out.put_slice(&[0, 0]);
        out.put_slice(&frame.payload);
    });
    out.freeze()
}
