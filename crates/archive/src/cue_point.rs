//! Cue points: what a publisher says of a moment of its broadcast (`onCuePoint`), kept for who lists the moments.

use bytes::Bytes;
use headwater_media::Timestamp;
use headwater_media::amf::{Limits, Value, amf0};

use crate::part::Part;

/// Of one window, at most; the oldest go first. Each is a line of a playlist that is fetched every second.
pub(crate) const CUE_POINTS_MAX: usize = 128;
/// Bytes of one, at most: what is longer comes to viewers of frames alone.
const CUE_POINT_BYTES_MAX: usize = 1_024;

/// A cue point.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CuePoint {
    /// Number of its frame in the hub's log: no other of the broadcast has it.
    pub sequence: u64,
    /// When it is due, in the broadcast's time.
    pub at: Timestamp,
    /// The segment that it was said in.
    pub segment: u64,
    /// What was said behind the name `onCuePoint`, as AMF0.
    pub said: Bytes,
}

impl CuePoint {
    /// Whether a part of script data is one.
    pub(crate) fn of(part: &Part, bytes: &Bytes) -> Option<Self> {
        let (sequence, frame) = part.frames(bytes).next()?;
        let payload = frame.payload;
        let mut decoder = amf0::Decoder::new(&payload, &Limits::WIRE);
        let name = decoder.next_value().ok()??;
        let is_one = name.as_text().is_some_and(|name| *name == *"onCuePoint");
        let said = payload.get(decoder.position()..)?;
        let is_short = said.len() <= CUE_POINT_BYTES_MAX;
        // Copied: it is kept when the part has left memory.
        (is_one && is_short).then(|| Self {
            sequence,
            at: frame.pts,
            segment: part.segment,
            said: Bytes::copy_from_slice(said),
        })
    }

    /// What was said; nothing of what cannot be read.
    #[must_use]
    pub fn value(&self) -> Option<Value> {
        amf0::Decoder::new(&self.said, &Limits::WIRE).next_value().ok()?
    }
}
