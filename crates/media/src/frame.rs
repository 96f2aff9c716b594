//! The [`Frame`]: one access unit of one track, and the names of tracks.

use bytes::Bytes;

use crate::{Codec, Timestamp};

/// What a track carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MediaKind {
    /// Pictures.
    Video,
    /// Sound.
    Audio,
    /// Script data: cue points, captions, anything a publisher sends by name.
    Data,
}

/// Which track of a stream: the kind, and the number within the kind (0 = the main one).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TrackId {
    /// What the track carries.
    pub kind: MediaKind,
    /// The track's number within its kind, as Enhanced RTMP counts them.
    pub index: u8,
}

impl TrackId {
    /// The main video track.
    pub const VIDEO: Self = Self { kind: MediaKind::Video, index: 0 };
    /// The main audio track.
    pub const AUDIO: Self = Self { kind: MediaKind::Audio, index: 0 };
    /// The script data track.
    pub const DATA: Self = Self { kind: MediaKind::Data, index: 0 };
}

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
