//! What publishers do to their clocks, and the one line that comes of it.

use super::*;
use bytes::Bytes;
use headwater_media::{Codec, TrackId};

fn place(line: &mut Timeline, track: TrackId, ms: i64) -> i64 {
    place_at(line, track, ms, Duration::ZERO)
}

fn place_at(line: &mut Timeline, track: TrackId, ms: i64, now: Duration) -> i64 {
    let at = Timestamp::from_ms(ms);
    let mut frame = Frame { track, codec: Codec::H264, dts: at, pts: at, key: false, payload: Bytes::new() };
    line.place(&mut frame, now);
    frame.dts.as_ms()
}

fn run(steps: &[(TrackId, i64)]) -> (Vec<i64>, RepairedTimestamps) {
    let mut line = Timeline::default();
    let out = steps.iter().map(|(track, ms)| place(&mut line, *track, *ms)).collect();
    (out, line.repaired())
}

const V: TrackId = TrackId::VIDEO;
const A: TrackId = TrackId::AUDIO;

#[test]
fn a_broadcast_starts_at_zero_wherever_its_publisher_starts() {
    let huge = 1_700_000_000_000;
    let (out, repaired) = run(&[(V, huge), (A, huge + 5), (V, huge + 40), (A, huge + 28)]);
    assert_eq!(out, [0, 5, 40, 28]);
    assert_eq!(repaired, RepairedTimestamps::default());
}

#[test]
fn a_jump_moves_both_tracks_by_the_same_amount() {
    let (out, repaired) =
        run(&[(V, 0), (A, 10), (V, 40), (V, 3_600_000), (A, 3_600_010), (A, 3_600_033), (V, 3_600_040)]);
    assert_eq!(out, [0, 10, 40, 80, 90, 113, 120]);
    assert_eq!(repaired, RepairedTimestamps { jumps: 1, clamped: 0 });
}

#[test]
fn tracks_of_one_kind_do_not_push_each_other() {
    let second = TrackId { index: 1, ..A };
    let (out, repaired) = run(&[(A, 0), (second, 0), (A, 23), (A, 46), (second, 23), (second, 46)]);
    assert_eq!((out, repaired), (vec![0, 0, 23, 46, 23, 46], RepairedTimestamps::default()));
}

#[test]
fn a_straggler_of_the_old_clock_keeps_its_place() {
    let (out, _) = run(&[(V, 0), (A, 0), (V, 40), (V, 900_000), (A, 23), (A, 46), (A, 900_010)]);
    assert_eq!(out, [0, 0, 40, 80, 23, 46, 90]);
}

#[test]
fn a_small_step_back_is_clamped_and_counted() {
    let (out, repaired) = run(&[(V, 0), (V, 80), (V, 40), (V, 120)]);
    assert_eq!(out, [0, 80, 80, 120]);
    assert_eq!(repaired, RepairedTimestamps { jumps: 0, clamped: 1 });
}

#[test]
fn a_camera_that_sends_a_picture_in_ten_seconds_keeps_its_time() {
    let mut line = Timeline::default();
    let times = [0, 10, 20, 30].map(|s| place_at(&mut line, V, s * 1000, Duration::from_secs(s as u64)));
    assert_eq!((times, line.repaired()), ([0, 10_000, 20_000, 30_000], RepairedTimestamps::default()));
}

#[test]
fn a_second_publisher_goes_on_where_the_first_ended() {
    let mut line = Timeline::default();
    assert_eq!(place(&mut line, V, 5_000), 0);
    assert_eq!(place(&mut line, A, 5_020), 20);
    line.restart();
    assert_eq!(place(&mut line, A, 0), 60);
    assert_eq!(place(&mut line, V, 10), 70);
}
