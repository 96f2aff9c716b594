//! The log of one stream: frames in the order they came, where a viewer can start, and what its decoder
//! must know there.
//!
//! Positions are sequence numbers that only grow. The front is trimmed by bytes, and by time where no newcomer
//! needs it; a cursor that has fallen behind the front finds that out when it reads next.

use std::collections::VecDeque;
use std::sync::Arc;

use headwater_media::{Frame, MediaKind, Timestamp, TrackId};

use crate::batch::Batch;
use crate::groups::Groups;
use crate::setup::{DecoderSetup, PartContent};

/// Bounds of a stream's log.
#[derive(Clone, Debug)]
pub struct LogConfig {
    /// Bytes kept, at most: payloads, and what each frame takes besides. One frame is always kept, however large.
    /// A group of pictures that is larger is cut at its front; who comes then starts with the sound, and has
    /// pictures from the next keyframe on.
    pub bytes_max: usize,
    /// Media time kept for viewers who lag. Older frames go, unless the newest place to start needs them.
    pub lag_kept: Timestamp,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self { bytes_max: 64 << 20, lag_kept: Timestamp::from_ms(6_000) }
    }
}

/// Between the beginnings of two groups in a stream without video.
const AUDIO_GROUP_EVERY: Timestamp = Timestamp::from_ms(1_000);

/// How far a start reaches back for keyframes of other video tracks.
const REACH_BACK_MAX: Timestamp = Timestamp::from_ms(500);
/// And how many frames are looked at for it, so that a start costs little however many tracks there are.
const REACH_BACK_FRAMES_MAX: usize = 256;

#[derive(Debug)]
pub(crate) struct Log {
    config: LogConfig,
    frames: VecDeque<Frame>,
    /// Sequence number of the front frame.
    base: u64,
    /// Of payloads.
    bytes: usize,
    groups: Groups,
    /// Setups, each with the first sequence it holds for; the newest last, never empty.
    setups: VecDeque<(u64, Arc<DecoderSetup>)>,
    last_audio_start: Option<Timestamp>,
    /// The newest frame of the main video track: its time, and whether it is a keyframe.
    last_picture: Option<(Timestamp, bool)>,
}

impl Log {
    pub(crate) fn new(config: LogConfig) -> Self {
        Self {
            config,
            frames: VecDeque::new(),
            base: 0,
            bytes: 0,
            groups: Groups::new(),
            setups: VecDeque::from([(0, Arc::default())]),
            last_audio_start: None,
            last_picture: None,
        }
    }

    /// Appends a frame; begins a group where a viewer can start with it; lets go of what is too old.
    pub(crate) fn push(&mut self, frame: Frame) {
        if self.is_start(&frame) {
            let start = self.reach_back(&frame);
            self.groups.begin(self.head(), start);
        }
        self.bytes += frame.payload.len();
        self.frames.push_back(frame);
        self.trim();
    }

    /// From the next frame on, `content` holds. Returns whether it is news.
    pub(crate) fn set(&mut self, content: PartContent) -> bool {
        let is_news = !self.setup().says(&content);
        if is_news {
            self.put_setup(self.setup().with(content, self.head()));
        }
        is_news
    }

    /// From the next frame on, tracks that are not `still_there` are gone. Returns whether there were any.
    pub(crate) fn forget_tracks(&mut self, still_there: impl Fn(TrackId) -> bool) -> bool {
        let Some(setup) = self.setup().without_tracks(still_there) else { return false };
        self.put_setup(setup);
        true
    }

    /// From the next frame on, tracks of these kinds are waited for. Returns whether that is news.
    pub(crate) fn set_awaited(&mut self, kinds: Vec<MediaKind>) -> bool {
        let Some(setup) = self.setup().with_awaited(kinds) else { return false };
        self.put_setup(setup);
        true
    }

    /// The sequence number that the next frame gets.
    pub(crate) fn head(&self) -> u64 {
        self.base + self.frames.len() as u64
    }

    /// The oldest sequence number still kept.
    pub(crate) fn base(&self) -> u64 {
        self.base
    }

    /// What holds for the next frame.
    pub(crate) fn setup(&self) -> &Arc<DecoderSetup> {
        // The list is never empty: `new` puts one in and `trim` keeps the last.
        &self.setups[self.setups.len() - 1].1
    }

    /// The newest place where a viewer can start.
    pub(crate) fn newest_start(&self) -> Option<u64> {
        self.groups.newest_start(self.base)
    }

    /// The first place at or after `sequence` where a viewer can start.
    pub(crate) fn start_from(&self, sequence: u64) -> Option<u64> {
        self.groups.start_from(sequence.max(self.base))
    }

    /// Media time between the frame `sequence` and the newest one; zero at the head.
    pub(crate) fn lag(&self, sequence: u64) -> Timestamp {
        match (self.frame(sequence), self.frames.back()) {
            (Some(frame), Some(newest)) => (newest.dts - frame.dts).max(Timestamp::ZERO),
            _ => Timestamp::ZERO,
        }
    }

    /// Decoding time of the frame `sequence`, if the log holds it.
    pub(crate) fn time(&self, sequence: u64) -> Option<Timestamp> {
        self.frame(sequence).map(|frame| frame.dts)
    }

    /// Decoding time of the newest frame.
    pub(crate) fn newest_time(&self) -> Option<Timestamp> {
        self.frames.back().map(|frame| frame.dts)
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Copies (by reference count) the frames from `sequence` on into `batch`: at most `count_max`, at
    /// most about `bytes_max`, at least one if there is one, all under one setup.
    pub(crate) fn read(&self, sequence: u64, count_max: usize, bytes_max: usize, batch: &mut Batch) {
        let at = self.setups.partition_point(|(since, _)| *since <= sequence).saturating_sub(1);
        let setup_end = self.setups.get(at + 1).map_or(u64::MAX, |(since, _)| *since);
        let end = self.head().min(setup_end).min(sequence.saturating_add(count_max as u64));
        batch.begin(sequence, &self.setups[at].1, self.setup());
        let mut bytes = 0;
        for sequence in sequence..end {
            let Some(frame) = self.frame(sequence) else { break };
            bytes += frame.payload.len();
            if bytes > bytes_max && !batch.frames.is_empty() {
                break;
            }
            batch.frames.push(frame.clone());
        }
        self.groups.copy(sequence, sequence + batch.frames.len() as u64, &mut batch.groups);
    }

    /// A frame that the log holds.
    pub(crate) fn frame(&self, sequence: u64) -> Option<&Frame> {
        self.frames.get(usize::try_from(sequence.checked_sub(self.base)?).ok()?)
    }

    fn is_start(&mut self, frame: &Frame) -> bool {
        let main_video = self.setup().tracks().map(|track| track.id).find(|id| id.kind == MediaKind::Video);
        if let Some(main) = main_video {
            return frame.track == main && self.is_new_keyframe(frame);
        }
        let due = self
            .last_audio_start
            .is_none_or(|last| frame.dts - last >= AUDIO_GROUP_EVERY || frame.dts < last);
        let start = frame.track.kind == MediaKind::Audio && due;
        if start {
            self.last_audio_start = Some(frame.dts);
        }
        start
    }

    /// Of several keyframes that are decoded at one time (an encoder may send each slice as a frame of its own) the
    /// first is the start: who began at a later one would lack a part of the picture.
    fn is_new_keyframe(&mut self, frame: &Frame) -> bool {
        let before = self.last_picture.replace((frame.dts, frame.key));
        frame.key && (before != Some((frame.dts, true)) || self.newest_start().is_none())
    }

    /// A start of a stream with several video tracks takes in the keyframes of the others that came just
    /// before: publishers send one track after the other.
    fn reach_back(&self, main: &Frame) -> u64 {
        let head = self.head();
        if self.setup().tracks().filter(|track| track.id.kind == MediaKind::Video).count() < 2 {
            return head;
        }
        let floor = self.newest_start().map_or(self.base, |start| start + 1);
        let recent = self.frames.iter().enumerate().rev().take(REACH_BACK_FRAMES_MAX);
        recent
            .map(|(at, frame)| (self.base + at as u64, frame))
            .take_while(|(sequence, frame)| *sequence >= floor && main.dts - frame.dts <= REACH_BACK_MAX)
            .filter(|(_, frame)| frame.is_video_key())
            .map(|(sequence, _)| sequence)
            .last()
            .unwrap_or(head)
    }

    fn put_setup(&mut self, setup: DecoderSetup) {
        let head = self.head();
        if self.setups.back().is_some_and(|(since, _)| *since == head) {
            self.setups.pop_back();
        }
        self.setups.push_back((head, Arc::new(setup)));
    }

    fn front_is_too_old(&self) -> bool {
        let kept = self.bytes + self.frames.len() * size_of::<Frame>();
        let needed = self.newest_start().is_some_and(|start| start <= self.base);
        kept > self.config.bytes_max || self.lag(self.base) > self.config.lag_kept && !needed
    }

    fn trim(&mut self) {
        while self.frames.len() > 1 && self.front_is_too_old() {
            if let Some(frame) = self.frames.pop_front() {
                self.bytes -= frame.payload.len();
                self.base += 1;
            }
        }
        self.groups.trim(self.base);
        while self.setups.get(1).is_some_and(|(since, _)| *since <= self.base) {
            self.setups.pop_front();
        }
    }
}

#[cfg(test)]
mod tests;
