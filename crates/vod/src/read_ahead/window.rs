//! Frames that were read ahead and have not gone out, numbered, with what holds for them.

use std::collections::VecDeque;
use std::sync::Arc;

use headwater_hub::{Batch, DecoderSetup, PartContent};
use headwater_media::{Frame, Timestamp, Track};

/// Room for so many frames is kept between two portions; a player's buffer is filled with many more at once.
const FRAMES_KEPT: usize = 32;

/// The frames between the reading and the sending.
#[derive(Debug, Default)]
pub(super) struct Window {
    frames: VecDeque<Frame>,
    bytes: usize,
    /// Number of the first of them; numbers only grow, also over a seek.
    first: u64,
    seen: Option<u64>,
    /// What holds for them; when it changes, the frames before are sent first.
    setup: Arc<DecoderSetup>,
}

impl Window {
    pub(super) fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// Payload bytes held.
    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Number of the last frame that has gone out since the viewer was last told everything.
    pub(super) const fn seen(&self) -> Option<u64> {
        self.seen
    }

    /// The time of the first frame.
    pub(super) fn position(&self) -> Option<Timestamp> {
        self.frames.front().map(|frame| frame.dts)
    }

    /// Fills `batch` with all frames.
    pub(super) fn read(&self, batch: &mut Batch) {
        batch.refill(self.first, &self.setup, self.frames.iter().cloned());
    }

    /// Lets go of the first `frames` frames of `batch`; false if the window holds others by now.
    pub(super) fn advance(&mut self, batch: &Batch, frames: usize) -> bool {
        if frames == 0 || batch.first != self.first {
            return false;
        }
        let sent = frames.min(self.frames.len());
        let bytes: usize = self.frames.drain(..sent).map(|frame| frame.payload.len()).sum();
        self.bytes -= bytes;
        if self.frames.is_empty() {
            self.frames.shrink_to(FRAMES_KEPT);
        }
        self.first += sent as u64;
        self.seen = Some(self.first - 1);
        true
    }

    /// Takes a frame that was read.
    pub(super) fn push(&mut self, frame: Frame) {
        self.bytes += frame.payload.len();
        self.frames.push_back(frame);
    }

    /// Puts frames in front of all others, at the time `at`.
    pub(super) fn push_front(&mut self, frames: Vec<Frame>, at: Timestamp) {
        for frame in frames.into_iter().rev() {
            self.bytes += frame.payload.len();
            self.frames.push_front(Frame { dts: at, pts: at, ..frame });
        }
    }

    /// Forgets all frames; the next one has a number that none had.
    pub(super) fn clear(&mut self) {
        self.first += self.frames.len() as u64;
        self.frames.clear();
        self.bytes = 0;
    }

    /// What comes is for a viewer that is to be told everything: `contents`.
    pub(super) fn begin(&mut self, contents: impl IntoIterator<Item = PartContent>) {
        self.seen = None;
        self.setup = Arc::new(DecoderSetup::new(contents, self.first));
    }

    /// Whether just these tracks hold, as far as is told.
    pub(super) fn holds(&self, tracks: &[Track]) -> bool {
        tracks.iter().all(|track| self.setup.track(track.id) == Some(track))
    }

    /// From the next frame on these tracks hold; those that are news are told with it.
    pub(super) fn set_tracks(&mut self, tracks: Vec<Track>) {
        for track in tracks {
            if self.setup.track(track.id) != Some(&track) {
                self.setup = Arc::new(self.setup.with(PartContent::Track(track), self.first));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use headwater_media::{Codec, TrackId};

    use super::*;

    fn frame(ms: i64) -> Frame {
        let at = Timestamp::from_ms(ms);
        let payload = Bytes::from_static(b"0123456789");
        Frame { track: TrackId::VIDEO, codec: Codec::H264, dts: at, pts: at, key: ms == 0, payload }
    }

    fn track(config: &'static [u8]) -> Track {
        Track::new(TrackId::VIDEO, Codec::H264, Bytes::from_static(config))
    }

    #[test]
    fn numbers_grow_over_a_jump_and_an_old_batch_moves_nothing() {
        let mut window = Window::default();
        window.begin([PartContent::Track(track(b"a"))]);
        (0..4).for_each(|at| window.push(frame(at)));
        let mut batch = Batch::default();
        window.read(&mut batch);
        assert!(window.advance(&batch, 1) && window.seen() == Some(0) && window.bytes() == 30);
        window.clear();
        window.begin([PartContent::Track(track(b"a"))]);
        window.push(frame(90));
        assert!(!window.advance(&batch, 3), "the batch was read before the jump");
        window.read(&mut batch);
        assert_eq!((batch.first, window.seen(), window.position()), (4, None, Some(Timestamp::from_ms(90))));
    }

    #[test]
    fn a_track_that_changes_is_told_once() {
        let mut window = Window::default();
        window.begin([PartContent::Track(track(b"a"))]);
        let mut batch = Batch::default();
        for (tracks, told) in [(b"a", 1), (b"a", 0), (b"b", 1), (b"b", 0)] {
            window.set_tracks(vec![track(tracks)]);
            window.push(frame(0));
            window.read(&mut batch);
            assert_eq!(batch.setup.unseen(window.seen()).count(), told, "{tracks:?}");
            window.advance(&batch, 1);
        }
    }

    #[test]
    fn what_is_put_in_front_goes_first_at_the_time_of_the_rest() {
        let mut window = Window::default();
        window.push(frame(40));
        window.push_front(vec![frame(900), frame(901)], Timestamp::from_ms(40));
        let mut batch = Batch::default();
        window.read(&mut batch);
        let times: Vec<_> = batch.frames.iter().map(|frame| frame.dts.as_ms()).collect();
        assert_eq!((times, window.bytes()), (vec![40, 40, 40], 30));
    }
}
