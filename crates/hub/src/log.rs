//! The log of one stream: frames in the order they came, where a viewer can start, and what its decoder
//! must know there.
//!
//! Positions are sequence numbers that only grow. The front is trimmed by bytes and by time; a cursor
//! that has fallen behind the front finds that out when it reads next.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use headwater_media::{Frame, MediaKind, Timestamp, Track, TrackId};

/// Bounds of a stream's log.
#[derive(Clone, Debug)]
pub struct LogConfig {
    /// Payload bytes kept, at most. One frame is always kept, however large.
    pub bytes_max: usize,
    /// Media time kept, at most. A group of pictures longer than this is cut at its front, and viewers
    /// then wait for the next keyframe.
    pub time_max: Timestamp,
    /// Media time kept for viewers who lag. Older frames go, unless the newest place to start needs them.
    pub lag_kept: Timestamp,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self {
            bytes_max: 64 << 20,
            time_max: Timestamp::from_ms(20_000),
            lag_kept: Timestamp::from_ms(6_000),
        }
    }
}

/// Between two places where a viewer can start in a stream without video.
const AUDIO_START_EVERY: Timestamp = Timestamp::from_ms(1_000);

/// How far a start reaches back for keyframes of other video tracks.
const REACH_BACK_MAX: Timestamp = Timestamp::from_ms(500);
const REACH_BACK_FRAMES_MAX: usize = 256;

/// One thing that a viewer must have been told before a frame, and since when it holds.
#[derive(Clone, Debug)]
pub struct Part {
    /// Sequence number of the first frame that it holds for.
    pub since: u64,
    /// What it is.
    pub content: PartContent,
}

/// What a viewer must know before it can use frames.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PartContent {
    /// The publisher's `onMetaData`: AMF0 values, handler name first.
    Metadata(Bytes),
    /// A track and its decoder configuration.
    Track(Track),
}

/// What holds at one place of the log: metadata first, then the tracks.
#[derive(Clone, Debug, Default)]
pub struct DecoderSetup {
    parts: Vec<Part>,
}

impl DecoderSetup {
    /// For frames that come from elsewhere than a log: `contents` hold from `since` on.
    #[must_use]
    pub fn new(contents: impl IntoIterator<Item = PartContent>, since: u64) -> Self {
        let mut setup = Self::default();
        contents.into_iter().for_each(|content| setup.replace(content, since));
        setup
    }

    /// The same with a part that holds from `since` on in place of the one before.
    #[must_use]
    pub fn with(&self, content: PartContent, since: u64) -> Self {
        let mut setup = self.clone();
        setup.replace(content, since);
        setup
    }

    /// The parts that a viewer has not been told whose last frame was `seen` (`None`: has seen nothing).
    pub fn unseen(&self, seen: Option<u64>) -> impl Iterator<Item = &PartContent> {
        self.parts
            .iter()
            .filter(move |part| seen.is_none_or(|seen| part.since > seen))
            .map(|part| &part.content)
    }

    /// The tracks.
    pub fn tracks(&self) -> impl Iterator<Item = &Track> + Clone {
        self.parts.iter().filter_map(|part| match &part.content {
            PartContent::Track(track) => Some(track),
            PartContent::Metadata(_) => None,
        })
    }

    /// The track `id`, if the stream has it.
    #[must_use]
    pub fn track(&self, id: TrackId) -> Option<&Track> {
        self.tracks().find(|track| track.id == id)
    }

    /// Whether there is a track of this kind.
    #[must_use]
    pub fn has(&self, kind: MediaKind) -> bool {
        self.tracks().any(|track| track.id.kind == kind)
    }

    fn replace(&mut self, content: PartContent, since: u64) {
        let same_place = |part: &Part| match (&part.content, &content) {
            (PartContent::Metadata(_), PartContent::Metadata(_)) => true,
            (PartContent::Track(old), PartContent::Track(new)) => old.id == new.id,
            _ => false,
        };
        match self.parts.iter_mut().find(|part| same_place(part)) {
            Some(part) => *part = Part { since, content },
            None => self.parts.push(Part { since, content }),
        }
        self.parts.sort_by_key(|part| match &part.content {
            PartContent::Metadata(_) => None,
            PartContent::Track(track) => Some(track.id),
        });
    }
}

/// Frames that follow each other and share one setup; what a cursor reads at once.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// Sequence number of the first frame.
    pub first: u64,
    /// The frames, in order.
    pub frames: Vec<Frame>,
    /// What holds for them.
    pub setup: Arc<DecoderSetup>,
    /// Which stream's log it was filled from, and where that log's head was.
    filled: Option<(u64, u64)>,
    version: u64,
}

impl Batch {
    /// Changes whenever the batch is filled anew: who has made something of it can tell whether that
    /// still holds.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.version
    }

    /// Fills in frames that come from elsewhere than a log. Nobody shares them.
    pub fn refill(&mut self, first: u64, setup: &Arc<DecoderSetup>, frames: impl IntoIterator<Item = Frame>) {
        self.first = first;
        self.frames.clear();
        self.frames.extend(frames);
        if !Arc::ptr_eq(&self.setup, setup) {
            self.setup = Arc::clone(setup);
        }
        self.filled = None;
        self.version += 1;
    }

    /// Whether reading `stream` at `sequence` with its log's head at `head` would fill in just this.
    pub(crate) fn is_current(&self, stream: u64, sequence: u64, head: u64) -> bool {
        self.filled == Some((stream, head)) && self.first == sequence && !self.frames.is_empty()
    }

    pub(crate) fn fill(&mut self, stream: u64, log: &Log, sequence: u64, count_max: usize, bytes_max: usize) {
        log.read(sequence, count_max, bytes_max, self);
        self.filled = Some((stream, log.head()));
        self.version += 1;
    }
}

#[derive(Debug)]
pub(crate) struct Log {
    config: LogConfig,
    frames: VecDeque<Frame>,
    /// Sequence number of the front frame.
    base: u64,
    bytes: usize,
    /// Where a viewer can start, oldest first.
    starts: VecDeque<u64>,
    /// Setups, each with the first sequence it holds for; the newest last, never empty.
    setups: VecDeque<(u64, Arc<DecoderSetup>)>,
    last_audio_start: Option<Timestamp>,
}

impl Log {
    pub(crate) fn new(config: LogConfig) -> Self {
        Self {
            config,
            frames: VecDeque::new(),
            base: 0,
            bytes: 0,
            starts: VecDeque::new(),
            setups: VecDeque::from([(0, Arc::default())]),
            last_audio_start: None,
        }
    }

    /// Appends a frame; opens a start where a viewer can begin with it; lets go of what is too old.
    pub(crate) fn push(&mut self, frame: Frame) {
        if self.is_start(&frame) {
            let start = self.reach_back(&frame);
            self.starts.push_back(start);
        }
        self.bytes += frame.payload.len();
        self.frames.push_back(frame);
        self.trim();
    }

    /// From the next frame on, `content` holds. Returns whether it is news.
    pub(crate) fn set(&mut self, content: PartContent) -> bool {
        let head = self.head();
        let current = self.setup();
        if current.parts.iter().any(|part| part.content == content) {
            return false;
        }
        let mut setup = DecoderSetup::clone(current);
        setup.replace(content, head);
        self.put_setup(setup);
        true
    }

    /// A new publisher: the tracks of the one before are gone unless it announces them again.
    pub(crate) fn forget_tracks(&mut self, still_there: impl Fn(TrackId) -> bool) {
        let mut setup = DecoderSetup::clone(self.setup());
        let before = setup.parts.len();
        setup.parts.retain(|part| match &part.content {
            PartContent::Track(track) => still_there(track.id),
            PartContent::Metadata(_) => true,
        });
        if setup.parts.len() != before {
            self.put_setup(setup);
        }
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
        self.starts.back().copied()
    }

    /// The first place at or after `sequence` where a viewer can start.
    pub(crate) fn start_from(&self, sequence: u64) -> Option<u64> {
        self.starts.iter().copied().find(|start| *start >= sequence)
    }

    /// Media time between the frame `sequence` and the newest one; zero at the head.
    pub(crate) fn lag(&self, sequence: u64) -> Timestamp {
        match (self.frame(sequence), self.frames.back()) {
            (Some(frame), Some(newest)) => (newest.dts - frame.dts).max(Timestamp::ZERO),
            _ => Timestamp::ZERO,
        }
    }

    /// The time of the frame `sequence`, else of the newest one.
    pub(crate) fn time(&self, sequence: u64) -> Timestamp {
        self.frame(sequence).or_else(|| self.frames.back()).map_or(Timestamp::ZERO, |frame| frame.dts)
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Copies (by reference count) the frames from `sequence` on into `batch`: at most `count_max`, at
    /// most about `bytes_max`, at least one if there is one, all under one setup.
    fn read(&self, sequence: u64, count_max: usize, bytes_max: usize, batch: &mut Batch) {
        batch.first = sequence;
        batch.frames.clear();
        let at = self.setups.partition_point(|(since, _)| *since <= sequence).saturating_sub(1);
        if !Arc::ptr_eq(&batch.setup, &self.setups[at].1) {
            batch.setup = Arc::clone(&self.setups[at].1);
        }
        let setup_end = self.setups.get(at + 1).map_or(u64::MAX, |(since, _)| *since);
        let end = self.head().min(setup_end).min(sequence.saturating_add(count_max as u64));
        let mut bytes = 0;
        for sequence in sequence..end {
            let Some(frame) = self.frame(sequence) else { break };
            bytes += frame.payload.len();
            if bytes > bytes_max && !batch.frames.is_empty() {
                break;
            }
            batch.frames.push(frame.clone());
        }
    }

    fn frame(&self, sequence: u64) -> Option<&Frame> {
        self.frames.get(usize::try_from(sequence.checked_sub(self.base)?).ok()?)
    }

    fn is_start(&mut self, frame: &Frame) -> bool {
        let main_video = self.setup().tracks().map(|track| track.id).find(|id| id.kind == MediaKind::Video);
        if let Some(main) = main_video {
            return frame.key && frame.track == main;
        }
        let due = self
            .last_audio_start
            .is_none_or(|last| frame.dts - last >= AUDIO_START_EVERY || frame.dts < last);
        let start = frame.track.kind == MediaKind::Audio && due;
        if start {
            self.last_audio_start = Some(frame.dts);
        }
        start
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
        let age = self.lag(self.base);
        let needed = self.newest_start().is_none_or(|start| start <= self.base);
        self.bytes > self.config.bytes_max
            || age > self.config.time_max
            || age > self.config.lag_kept && !needed
    }

    fn trim(&mut self) {
        while self.frames.len() > 1 && self.front_is_too_old() {
            if let Some(frame) = self.frames.pop_front() {
                self.bytes -= frame.payload.len();
                self.base += 1;
            }
        }
        while self.starts.front().is_some_and(|start| *start < self.base) {
            self.starts.pop_front();
        }
        while self.setups.get(1).is_some_and(|(since, _)| *since <= self.base) {
            self.setups.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use headwater_media::Codec;

    fn frame(track: TrackId, ms: i64, key: bool, bytes: usize) -> Frame {
        let at = Timestamp::from_ms(ms);
        Frame { track, codec: Codec::H264, dts: at, pts: at, key, payload: Bytes::from(vec![0; bytes]) }
    }

    fn track(id: TrackId, config: &'static [u8]) -> PartContent {
        PartContent::Track(Track::new(id, Codec::H264, Bytes::from_static(config)))
    }

    fn video_log(config: LogConfig) -> Log {
        let mut log = Log::new(config);
        log.set(track(TrackId::VIDEO, b"a"));
        log
    }

    #[test]
    fn old_frames_go_by_time_and_by_bytes() {
        let mut log = video_log(LogConfig {
            bytes_max: 1000,
            time_max: Timestamp::from_ms(500),
            ..LogConfig::default()
        });
        for n in 0..100 {
            log.push(frame(TrackId::VIDEO, n * 40, n % 10 == 0, 10));
        }
        assert_eq!(log.head() - log.base(), 13, "500 ms at 40 ms a frame, both ends counted");
        log.push(frame(TrackId::VIDEO, 4000, true, 995));
        assert_eq!(log.head() - log.base(), 1, "995 bytes leave no room for ten more");
        log.push(frame(TrackId::VIDEO, 4040, false, 5000));
        assert_eq!((log.head() - log.base(), log.newest_start()), (1, None), "one frame is always kept");
    }

    #[test]
    fn the_newest_group_of_pictures_is_kept_longer_than_what_only_laggards_want() {
        let ms = Timestamp::from_ms;
        let mut log = video_log(LogConfig { bytes_max: 1 << 20, time_max: ms(5_000), lag_kept: ms(1_000) });
        for n in 0..75 {
            log.push(frame(TrackId::VIDEO, n * 40, n == 0 || n == 50, 1));
        }
        assert_eq!(log.base(), 49, "1 s behind the head, and before the keyframe at 50");
        for n in 75..120 {
            log.push(frame(TrackId::VIDEO, n * 40, false, 1));
        }
        assert_eq!((log.base(), log.newest_start()), (50, Some(50)), "2.8 s of one group are kept");
    }

    #[test]
    fn a_batch_never_crosses_a_change_of_setup() {
        let mut log = video_log(LogConfig::default());
        log.push(frame(TrackId::VIDEO, 0, true, 1));
        log.push(frame(TrackId::VIDEO, 40, false, 1));
        assert!(!log.set(track(TrackId::VIDEO, b"a")), "the same again is no news");
        assert!(log.set(track(TrackId::VIDEO, b"b")));
        log.push(frame(TrackId::VIDEO, 80, true, 1));
        let mut batch = Batch::default();
        log.read(0, 100, 1 << 20, &mut batch);
        assert_eq!(batch.frames.len(), 2);
        assert_eq!(batch.setup.unseen(None).count(), 1);
        log.read(2, 100, 1 << 20, &mut batch);
        assert_eq!(batch.frames.len(), 1);
        assert_eq!(batch.setup.unseen(Some(1)).collect::<Vec<_>>(), [&track(TrackId::VIDEO, b"b")]);
        assert_eq!(batch.setup.unseen(Some(2)).count(), 0);
    }

    #[test]
    fn a_stream_without_video_can_be_joined_each_second() {
        let mut log = Log::new(LogConfig::default());
        log.set(PartContent::Track(Track::new(
            TrackId::AUDIO,
            Codec::Aac,
            Bytes::from_static(&[0x12, 0x10]),
        )));
        for n in 0..200 {
            log.push(frame(TrackId::AUDIO, n * 23, true, 1));
        }
        assert_eq!(log.starts, [0, 44, 88, 132, 176]);
    }

    #[test]
    fn a_start_is_a_keyframe_of_the_first_video_track() {
        let mut log = video_log(LogConfig::default());
        let second = TrackId { index: 1, ..TrackId::VIDEO };
        log.set(track(second, b"b"));
        for (id, ms) in [(TrackId::VIDEO, 0), (second, 900), (TrackId::VIDEO, 1500), (second, 1600)] {
            log.push(frame(id, ms, true, 1));
        }
        assert_eq!(log.starts, [0, 2]);
    }

    #[test]
    fn a_start_takes_in_what_other_video_tracks_sent_just_before() {
        let mut log = video_log(LogConfig::default());
        let second = TrackId { index: 1, ..TrackId::VIDEO };
        log.set(track(second, b"b"));
        for n in 0..50 {
            log.push(frame(second, n * 40, n % 25 == 0, 1));
            log.push(frame(TrackId::AUDIO, n * 40, true, 1));
            log.push(frame(TrackId::VIDEO, n * 40 + 30, n % 25 == 0, 1));
        }
        assert_eq!(log.starts, [0, 75], "the second track's keyframes, not the first's two frames later");
    }

    #[test]
    fn the_byte_bound_of_a_batch_lets_one_large_frame_through() {
        let mut log = video_log(LogConfig::default());
        log.push(frame(TrackId::VIDEO, 0, true, 5000));
        log.push(frame(TrackId::VIDEO, 40, false, 10));
        let mut batch = Batch::default();
        log.read(0, 100, 1000, &mut batch);
        assert_eq!(batch.frames.len(), 1);
    }
}
