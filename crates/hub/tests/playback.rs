//! Playback of something that is neither log nor film: whatever is behind a cursor is paused, limited, sought in and
//! followed in one way.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use headwater_hub::{
    Batch, Cursor, DecoderSetup, End, Fill, News, Next, PartContent, Playback, Range, SeekError, Start,
    Watch, Watcher,
};
use headwater_media::{Codec, Frame, Timestamp, Track, TrackId};

/// A picture every 100 ms, for ten seconds; a keyframe every second.
#[derive(Debug)]
struct Slides {
    next: i64,
    seen: Option<u64>,
    setup: Arc<DecoderSetup>,
    can_seek: bool,
    rests: bool,
    fill: VecDeque<Fill>,
    waits: bool,
}

impl Slides {
    fn new(can_seek: bool) -> Self {
        let track = Track::new(TrackId::VIDEO, Codec::H264, Bytes::from_static(&[1, 66, 0, 30, 255]));
        let setup = Arc::new(DecoderSetup::new([PartContent::Track(track)], 0));
        Self { next: 0, seen: None, setup, can_seek, rests: false, fill: VecDeque::new(), waits: false }
    }

    fn frame(&self, number: i64) -> Frame {
        let at = Timestamp::from_ms(number * 100);
        let payload = Bytes::from_static(b"slide");
        Frame { track: TrackId::VIDEO, codec: Codec::H264, dts: at, pts: at, key: number % 10 == 0, payload }
    }
}

impl Cursor for Slides {
    fn read(&mut self, batch: &mut Batch) -> Next {
        if self.waits {
            // Each look at it finds the next state of the buffer.
            self.fill.pop_front();
            return Next::Empty;
        }
        if self.next >= 100 {
            return Next::Ended;
        }
        let end = (self.next + 7).min(100);
        let frames: Vec<_> = (self.next..end).map(|number| self.frame(number)).collect();
        batch.refill(self.next as u64, &self.setup, frames);
        Next::Frames
    }

    fn advance(&mut self, _batch: &Batch, frames: usize) {
        self.next += frames as i64;
        self.seen = Some(self.next as u64 - 1);
    }

    fn catch_up(&mut self, _next: u64) {}

    fn seen(&self) -> Option<u64> {
        self.seen
    }

    fn watch(&self, watcher: Arc<dyn Watcher>) -> Watch {
        Watch::new(watcher)
    }

    fn restart(&mut self, _start: Start) {
        self.seek(self.position());
    }

    fn resume(&mut self, seen: Timestamp) {
        self.rests = false;
        self.next = self.next.min(seen.as_ms() / 100 + 1);
    }

    fn is_waiting(&self) -> bool {
        self.waits
    }

    fn origin(&self) -> Option<Timestamp> {
        self.can_seek.then_some(Timestamp::ZERO)
    }

    fn position(&self) -> Timestamp {
        Timestamp::from_ms(self.next * 100)
    }

    fn range(&self) -> Range {
        Range { from: Timestamp::ZERO, to: Timestamp::from_ms(10_000) }
    }

    fn can_seek(&self) -> bool {
        self.can_seek
    }

    fn length(&self) -> Option<Timestamp> {
        self.can_seek.then(|| self.range().to)
    }

    fn seek(&mut self, at: Timestamp) -> Timestamp {
        self.next = (at.as_ms() / 1_000 * 10).min(90);
        self.seen = None;
        self.position()
    }

    fn rest(&mut self) {
        self.rests = true;
    }

    fn fill(&self) -> Fill {
        self.fill.front().copied().unwrap_or(Fill::Filling)
    }

    fn end(&self) -> Option<End> {
        (self.next >= 100).then_some(End::Complete)
    }
}

const fn ms(ms: i64) -> Timestamp {
    Timestamp::from_ms(ms)
}

fn play(can_seek: bool) -> Playback {
    Playback::new(Box::new(Slides::new(can_seek)), Duration::ZERO, Duration::from_secs(5))
}

/// The times of what goes out, `portion` frames of each batch at most.
fn drain(playback: &mut Playback, portion: usize) -> Vec<i64> {
    let mut batch = Batch::default();
    let mut times = Vec::new();
    while playback.read(&mut batch) == Next::Frames {
        let count = playback.admitted().min(portion);
        times.extend(batch.frames[..count].iter().map(|frame| frame.dts.as_ms()));
        playback.advance(&batch, count);
    }
    times
}

fn hundreds(from: i64, to: i64) -> Vec<i64> {
    (from..to).map(|number| number * 100).collect()
}

#[test]
fn everything_goes_out_once_in_whatever_portions_and_the_end_is_told_once() {
    for portion in [1, 2, 3, 100] {
        let mut playback = play(true);
        assert_eq!(drain(&mut playback, portion), hundreds(0, 100));
        assert!(playback.has_news() && playback.has_ended());
        assert_eq!((playback.news(), playback.news()), (Some(News::Ended(End::Complete)), None));
        assert_eq!(playback.sent(), (ms(9_900), 500));
    }
}

#[test]
fn a_limit_counts_from_where_it_stands_to_the_frame() {
    let mut playback = play(true);
    playback.seek(ms(3_400)).unwrap();
    playback.limit(ms(1_050));
    assert_eq!(drain(&mut playback, 2), hundreds(30, 41));
    assert_eq!(playback.news(), Some(News::Ended(End::Complete)));

    let mut nothing = play(true);
    nothing.limit(Timestamp::ZERO);
    assert_eq!(drain(&mut nothing, 9), [0], "nothing at all is one frame");

    let mut live = play(false);
    live.limit(ms(500));
    assert_eq!(drain(&mut live, 3), hundreds(0, 5));
}

#[test]
fn while_it_stands_nothing_goes_out_but_one_picture_of_each_new_place() {
    let mut playback = play(true);
    let mut batch = Batch::default();
    assert_eq!(playback.read(&mut batch), Next::Frames);
    playback.advance(&batch, 3);
    playback.pause();
    assert!(drain(&mut playback, 9).is_empty());
    playback.seek(ms(5_700)).unwrap();
    assert_eq!(drain(&mut playback, 9), [5_000]);
    playback.seek(ms(2_000)).unwrap();
    assert_eq!(drain(&mut playback, 9), [2_000]);
    playback.resume(ms(2_000));
    assert_eq!(drain(&mut playback, 9), hundreds(21, 100), "it goes on behind the picture");
}

#[test]
fn who_resumes_without_having_paused_loses_no_place() {
    let mut playback = play(true);
    let mut batch = Batch::default();
    assert_eq!(playback.read(&mut batch), Next::Frames);
    playback.advance(&batch, 5);
    let breaks = playback.breaks();
    playback.resume(Timestamp::ZERO);
    assert_eq!(playback.breaks(), breaks);
    assert_eq!(drain(&mut playback, 9), hundreds(5, 100));
}

#[test]
fn a_place_is_found_refused_or_not_to_be_had() {
    let mut playback = play(true);
    assert_eq!(playback.seek(ms(12_001)), Err(SeekError::BeyondEnd));
    playback.seek(ms(12_000)).unwrap();
    assert_eq!(drain(&mut playback, 9), hundreds(90, 100), "just behind the end is the last keyframe");
    assert_eq!(play(false).seek(Timestamp::ZERO), Err(SeekError::NotSeekable));
}

#[test]
fn nothing_goes_out_while_it_is_held() {
    let mut playback = play(true);
    playback.hold();
    assert!(drain(&mut playback, 9).is_empty());
    playback.release();
    assert_eq!(drain(&mut playback, 9).len(), 100);
}

#[test]
fn the_players_time_goes_on_over_what_follows() {
    for can_seek in [true, false] {
        let mut playback = play(true);
        drain(&mut playback, 9);
        playback.news();
        playback.follow(Box::new(Slides::new(can_seek)), false, Duration::ZERO);
        let mut batch = Batch::default();
        assert_eq!(playback.read(&mut batch), Next::Frames, "it runs again");
        assert_eq!(batch.frames[0].dts - playback.origin(), ms(9_900), "seekable: {can_seek}");
        drain(&mut playback, 9);
        assert_eq!(playback.sent().0, ms(19_800));
        assert!(playback.has_news(), "its end is news");
    }
    let mut playback = play(true);
    playback.seek(ms(4_000)).unwrap();
    let mut other_rate = Slides::new(true);
    other_rate.seek(ms(6_000));
    playback.follow(Box::new(other_rate), true, Duration::ZERO);
    assert_eq!(playback.origin(), Timestamp::ZERO, "another rate of the same has the same time");
}

#[test]
fn a_buffer_that_is_full_and_is_fed_again_is_told_each_once() {
    let mut slides = Slides::new(true);
    slides.fill = [Fill::Filling, Fill::Filling, Fill::Full, Fill::Full, Fill::Kept, Fill::Kept].into();
    slides.waits = true;
    let mut playback = Playback::new(Box::new(slides), Duration::ZERO, Duration::MAX);
    let mut batch = Batch::default();
    let mut told = Vec::new();
    for _ in 0..5 {
        playback.read(&mut batch);
        told.push(playback.news());
    }
    let (full, fed) = (Some(News::BufferFull), Some(News::BufferFed));
    assert_eq!(told, [None, full, None, fed, None]);
}

#[test]
fn the_wait_for_what_is_not_there_has_an_end() {
    let mut slides = Slides::new(false);
    slides.waits = true;
    let (began, wait) = (Duration::from_secs(100), Duration::from_secs(5));
    let playback = Playback::new(Box::new(slides), began, wait);
    assert_eq!(playback.deadline(), Some(Duration::from_secs(105)));
    assert!(!playback.is_overdue(Duration::from_millis(104_999)) && playback.is_overdue(began + wait));
    assert_eq!(play(false).deadline(), None);
}

#[test]
fn who_pauses_when_all_was_sent_gets_the_rest_again() {
    let mut playback = play(true);
    drain(&mut playback, 9);
    assert_eq!(playback.news(), Some(News::Ended(End::Complete)));
    playback.pause();
    playback.resume(ms(7_000));
    assert_eq!(drain(&mut playback, 9), hundreds(71, 100));
    assert_eq!(playback.news(), Some(News::Ended(End::Complete)), "and hears of the end again");
    playback.pause();
    playback.resume(ms(9_900));
    assert!(playback.has_ended() && !playback.has_news(), "there is nothing behind the last frame");
}

#[test]
fn what_follows_has_a_wait_of_its_own() {
    let mut playback = play(true);
    drain(&mut playback, 9);
    let mut absent = Slides::new(false);
    absent.waits = true;
    let later = Duration::from_secs(600);
    playback.follow(Box::new(absent), false, later);
    assert!(!playback.is_overdue(later) && playback.is_overdue(later + Duration::from_secs(5)));
}

#[test]
fn the_players_time_stands_over_what_had_nothing_to_show() {
    for can_seek in [true, false] {
        let mut playback = play(true);
        playback.limit(ms(3_000));
        drain(&mut playback, 9);
        let mut empty = Slides::new(can_seek);
        empty.next = 100;
        playback.follow(Box::new(empty), false, Duration::ZERO);
        assert!(drain(&mut playback, 9).is_empty());
        assert_eq!(playback.sent().0, ms(2_900), "seekable: {can_seek}");
        playback.follow(Box::new(Slides::new(true)), false, Duration::ZERO);
        let mut batch = Batch::default();
        assert_eq!(playback.read(&mut batch), Next::Frames);
        assert_eq!(batch.frames[0].dts - playback.origin(), ms(2_900));
    }
}
