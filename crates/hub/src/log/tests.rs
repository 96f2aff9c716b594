//! What the log keeps, where viewers can start, and what a batch holds.

use std::sync::Arc;

use bytes::Bytes;
use headwater_media::{Codec, Track};

use super::*;
use crate::groups::Group;

fn frame(track: TrackId, ms: i64, key: bool, bytes: usize) -> Frame {
    let at = Timestamp::from_ms(ms);
    Frame { track, codec: Codec::H264, dts: at, pts: at, key, payload: Bytes::from(vec![0; bytes]) }
}

fn track(id: TrackId, config: &'static [u8]) -> PartContent {
    PartContent::Track(Track::new(id, Codec::H264, Bytes::from_static(config)))
}

fn starts(log: &Log) -> Vec<u64> {
    let mut groups = Vec::new();
    log.groups.copy(0, u64::MAX, &mut groups);
    groups.iter().filter(|group| group.number > 0).map(|group| group.start).collect()
}

fn video_log(config: LogConfig) -> Log {
    let mut log = Log::new(config);
    log.set(track(TrackId::VIDEO, b"a"));
    log
}

/// What a log keeps of so many bytes of payload in so many frames.
fn room(frames: usize, bytes: usize) -> usize {
    frames * size_of::<Frame>() + bytes
}

#[test]
fn old_frames_go_by_time_and_by_bytes() {
    let lag_kept = Timestamp::from_ms(500);
    let mut log = video_log(LogConfig { bytes_max: room(14, 1000), lag_kept });
    for n in 0..100 {
        log.push(frame(TrackId::VIDEO, n * 40, n % 10 == 0, 10));
    }
    assert_eq!(log.head() - log.base(), 13, "500 ms at 40 ms a frame, both ends counted");
    log.push(frame(TrackId::VIDEO, 4000, true, room(14, 995)));
    assert_eq!(log.head() - log.base(), 1, "there is no room for ten bytes more");
    log.push(frame(TrackId::VIDEO, 4040, false, room(14, 5000)));
    assert_eq!((log.head() - log.base(), log.newest_start()), (1, None), "one frame is always kept");
}

#[test]
fn frames_without_payload_take_room_too() {
    let mut log = video_log(LogConfig { bytes_max: room(100, 0), ..LogConfig::default() });
    for _ in 0..1000 {
        log.push(frame(TrackId::VIDEO, 0, false, 0));
    }
    assert_eq!((log.head() - log.base(), log.bytes()), (100, 0));
}

#[test]
fn the_newest_group_of_pictures_is_kept_whole_however_long_it_lasts() {
    let mut log = video_log(LogConfig { bytes_max: 1 << 20, lag_kept: Timestamp::from_ms(1_000) });
    for n in 0..75 {
        log.push(frame(TrackId::VIDEO, n * 40, n == 0 || n == 50, 1));
    }
    assert_eq!(log.base(), 49, "1 s behind the head, and before the keyframe at 50");
    for n in 75..2_000 {
        log.push(frame(TrackId::VIDEO, n * 40, false, 1));
    }
    assert_eq!((log.base(), log.newest_start()), (50, Some(50)), "78 s of one group are kept");
}

#[test]
fn a_group_that_is_too_large_is_cut_and_then_only_laggards_have_their_time() {
    let mut log = video_log(LogConfig { bytes_max: room(100, 100), lag_kept: Timestamp::from_ms(1_000) });
    for n in 0..100 {
        log.push(frame(TrackId::VIDEO, n * 40, n == 0, 1));
    }
    assert_eq!((log.base(), log.newest_start()), (0, Some(0)));
    log.push(frame(TrackId::VIDEO, 4_000, false, 1));
    assert_eq!(
        (log.head() - log.base(), log.newest_start()),
        (26, None),
        "of what nobody can start with, 1 s"
    );
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
    log.set(PartContent::Track(Track::new(TrackId::AUDIO, Codec::Aac, Bytes::from_static(&[0x12, 0x10]))));
    for n in 0..200 {
        log.push(frame(TrackId::AUDIO, n * 23, true, 1));
    }
    assert_eq!(starts(&log), [0, 44, 88, 132, 176]);
}

#[test]
fn a_start_is_a_keyframe_of_the_first_video_track() {
    let mut log = video_log(LogConfig::default());
    let second = TrackId { index: 1, ..TrackId::VIDEO };
    log.set(track(second, b"b"));
    for (id, ms) in [(TrackId::VIDEO, 0), (second, 900), (TrackId::VIDEO, 1500), (second, 1600)] {
        log.push(frame(id, ms, true, 1));
    }
    assert_eq!(starts(&log), [0, 2]);
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
    assert_eq!(starts(&log), [0, 75], "the second track's keyframes, not the first's two frames later");
}

#[test]
fn keyframes_of_one_time_are_one_start() {
    let mut log = video_log(LogConfig::default());
    for (ms, key) in
        [(0, true), (0, true), (40, false), (40, false), (80, true), (80, false), (80, true), (120, true)]
    {
        log.push(frame(TrackId::VIDEO, ms, key, 1));
        log.push(frame(TrackId::AUDIO, ms, true, 1));
    }
    // A clock that stands still makes each keyframe behind another picture a start, as ever.
    assert_eq!(starts(&log), [0, 8, 12, 14]);
}

#[test]
fn while_pictures_are_away_sound_can_be_started_with() {
    let mut log = video_log(LogConfig::default());
    log.push(frame(TrackId::VIDEO, 0, true, 1));
    for n in 1..=100 {
        log.push(frame(TrackId::AUDIO, n * 50, true, 1));
    }
    assert_eq!(starts(&log), [0]);
    assert!(log.forget_tracks(|id| id == TrackId::AUDIO));
    for n in 101..=150 {
        log.push(frame(TrackId::AUDIO, n * 50, true, 1));
    }
    assert_eq!(starts(&log), [0, 101, 121, 141]);
    log.set(track(TrackId::VIDEO, b"a"));
    log.push(frame(TrackId::VIDEO, 7_550, false, 1));
    log.push(frame(TrackId::AUDIO, 9_000, true, 1));
    log.push(frame(TrackId::VIDEO, 9_000, true, 1));
    assert_eq!(starts(&log), [0, 101, 121, 141, 153]);
}

#[test]
fn a_batch_tells_what_holds_at_the_end_of_the_log() {
    let mut log = video_log(LogConfig::default());
    log.push(frame(TrackId::VIDEO, 0, true, 1));
    log.set(track(TrackId::AUDIO, b"s"));
    let mut batch = Batch::default();
    log.read(0, 100, 1 << 20, &mut batch);
    assert!(!batch.setup.has(MediaKind::Audio) && batch.newest_setup.has(MediaKind::Audio));
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

#[test]
fn a_batch_tells_the_group_of_each_of_its_frames() {
    let mut log = video_log(LogConfig::default());
    log.push(frame(TrackId::AUDIO, 0, true, 1));
    for n in 0..6 {
        log.push(frame(TrackId::VIDEO, n * 40, n % 3 == 0, 1));
    }
    let mut batch = Batch::default();
    log.read(0, 100, 1 << 20, &mut batch);
    let numbers: Vec<_> = (0..7).map(|at| batch.group(at).map(|group| group.number)).collect();
    assert_eq!(numbers, [0, 1, 1, 1, 2, 2, 2].map(Some));
    log.read(3, 2, 1 << 20, &mut batch);
    let group = |number, first| Group { number, first, start: first };
    assert_eq!(batch.groups(), [group(1, 1), group(2, 4)]);
    batch.refill(0, &Arc::default(), []);
    assert_eq!((batch.groups(), batch.group(0)), (&[][..], None));
}

#[test]
fn a_group_keeps_its_number_when_its_keyframe_is_gone_and_the_next_goes_on() {
    let mut log = video_log(LogConfig { bytes_max: room(12, 12), lag_kept: Timestamp::from_ms(400) });
    for n in 0..50 {
        log.push(frame(TrackId::VIDEO, n * 40, n == 0, 1));
    }
    assert_eq!((log.base(), log.newest_start()), (39, None));
    log.forget_tracks(|_| false);
    log.set(track(TrackId::VIDEO, b"of the next publisher"));
    log.push(frame(TrackId::VIDEO, 2000, true, 1));
    let mut batch = Batch::default();
    log.read(log.base(), 100, 1 << 20, &mut batch);
    assert_eq!(batch.groups(), [Group { number: 1, first: 0, start: 0 }]);
    log.read(50, 100, 1 << 20, &mut batch);
    assert_eq!(batch.groups(), [Group { number: 2, first: 50, start: 50 }]);
    assert_eq!(log.newest_start(), Some(50));
}

#[test]
fn keyframes_of_further_tracks_belong_to_the_group_that_they_came_in() {
    let mut log = video_log(LogConfig::default());
    let second = TrackId { index: 1, ..TrackId::VIDEO };
    log.set(track(second, b"b"));
    let mut batch = Batch::default();
    let mut numbers = Vec::new();
    for n in 0..50 {
        log.push(frame(second, n * 40, n % 25 == 0, 1));
        log.push(frame(TrackId::VIDEO, n * 40 + 30, n % 25 == 0, 1));
        // Whoever reads at once and whoever reads later is told the same.
        log.read(n as u64 * 2, 100, 1 << 20, &mut batch);
        numbers.extend((0..2).filter_map(|at| batch.group(at)).map(|group| group.number));
    }
    log.read(0, 100, 1 << 20, &mut batch);
    let later: Vec<_> = (0..100).filter_map(|at| batch.group(at)).map(|group| group.number).collect();
    assert_eq!(numbers, later);
    assert_eq!(batch.groups()[2], Group { number: 2, first: 51, start: 50 });
}
