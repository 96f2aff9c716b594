//! [`KeyframeGate`]: lets the frames of a video track pass to a receiver from that track's first keyframe on.

use crate::{Frame, MediaKind};

/// The video tracks, by number, of which a receiver has had a keyframe and everything since.
///
/// A receiver starts where the first video track has a keyframe; another track of several may then be in the
/// middle of its group of pictures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KeyframeGate([u64; 4]);

impl KeyframeGate {
    /// Every track has begun: everything passes.
    pub const ALL: Self = Self([u64::MAX; 4]);

    /// Whether the frame can be decoded; takes note of a keyframe. Sound and data can always be used.
    pub fn admits(&mut self, frame: &Frame) -> bool {
        if frame.track.kind != MediaKind::Video || self.has(frame.track.index) {
            return true;
        }
        if frame.key {
            self.0[usize::from(frame.track.index / 64)] |= 1 << (frame.track.index % 64);
        }
        frame.key
    }

    /// Whether the video track with this number has begun.
    #[must_use]
    pub fn has(&self, index: u8) -> bool {
        self.0[usize::from(index / 64)] & 1 << (index % 64) != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Codec, Timestamp, TrackId};

    #[test]
    fn each_video_track_begins_at_its_own_keyframe() {
        let frame = |kind, index, key| Frame {
            track: TrackId { kind, index },
            codec: Codec::H264,
            dts: Timestamp::ZERO,
            pts: Timestamp::ZERO,
            key,
            payload: bytes::Bytes::new(),
        };
        let mut gate = KeyframeGate::default();
        assert!(gate.admits(&frame(MediaKind::Audio, 0, true)) && !gate.has(0));
        for index in [0, 63, 64, 255] {
            assert!(!gate.admits(&frame(MediaKind::Video, index, false)));
            assert!(gate.admits(&frame(MediaKind::Video, index, true)));
            assert!(gate.admits(&frame(MediaKind::Video, index, false)));
        }
        assert!(!gate.has(1) && KeyframeGate::ALL.has(1));
    }
}
