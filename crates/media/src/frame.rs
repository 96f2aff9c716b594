//! The [`Frame`]: one access unit of one track.

use bytes::Bytes;

use crate::{Codec, MediaKind, Timestamp, TrackId};

/// One access unit of one track.
///
/// `payload` is what FLV and MP4 have in common: NAL units with a length prefix for H.264, one raw
/// frame without ADTS for AAC, the AMF0 values (handler name first) for script data. It is shared, so
/// a clone of a frame copies a reference count and no media.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// The track that the frame belongs to.
    pub track: TrackId,
    /// How `payload` is coded.
    pub codec: Codec,
    /// When the frame is to be decoded.
    pub dts: Timestamp,
    /// When the frame is to be shown; before `dts` only in streams that break the rules.
    pub pts: Timestamp,
    /// Whether decoding can start here. Always true for audio and data.
    pub key: bool,
    /// The coded bytes.
    pub payload: Bytes,
}

impl Frame {
    /// Whether a viewer can start at this frame of a stream that has video.
    #[must_use]
    pub fn is_video_key(&self) -> bool {
        self.key && self.track.kind == MediaKind::Video
    }
}
