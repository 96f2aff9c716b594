//! What the log keeps, where viewers can start, and what a batch holds.

use bytes::Bytes;
use headwater_media::{Codec, Track};

use super::*;

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
    let mut log =
        video_log(LogConfig { bytes_max: 1000, time_max: Timestamp::from_ms(500), ..LogConfig::default() });
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
    log.set(PartContent::Track(Track::new(TrackId::AUDIO, Codec::Aac, Bytes::from_static(&[0x12, 0x10]))));
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
