//! Readers: where they start, what they are told when they lose something, and that they are no viewers.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use headwater_hub::{
    Batch, Group, Hub, HubConfig, LogConfig, Loss, Next, Publisher, PublisherInfo, Reader, Reading, Start,
    State, StreamName,
};
use headwater_media::{Codec, Frame, Timestamp, Track, TrackId};
use proptest::prelude::*;

const SECOND: Duration = Duration::from_secs(1);
const LAG_MAX: Timestamp = Timestamp::from_ms(6_000);

fn name() -> StreamName {
    StreamName::parse("live/a").unwrap()
}

/// Keeps one second, and twelve frames at most.
fn hub() -> Hub {
    let log = LogConfig { bytes_max: 12 * (size_of::<Frame>() + 1), lag_kept: Timestamp::from_ms(1_000) };
    Hub::new(HubConfig { log, readers_per_stream_max: 2, viewers_per_stream_max: 1, ..HubConfig::default() })
}

fn publish(hub: &Hub) -> Publisher {
    let mut publisher = hub.publish(&name(), PublisherInfo::default(), Duration::ZERO).unwrap();
    publisher.set_track(Track::new(TrackId::VIDEO, Codec::H264, Bytes::from_static(b"c")));
    publisher
}

fn frame(track: TrackId, ms: i64, key: bool) -> Frame {
    let at = Timestamp::from_ms(ms);
    Frame { track, codec: Codec::H264, dts: at, pts: at, key, payload: Bytes::from_static(b"x") }
}

/// Pictures number `from` up to `to`, ten a second; those in `keys` are keyframes.
fn send(publisher: &mut Publisher, from: i64, to: i64, keys: &[i64]) {
    for n in from..to {
        publisher.push(frame(TrackId::VIDEO, n * 100, keys.contains(&n)), SECOND);
    }
}

/// Reads on until there is nothing new: losses, and the numbers of the first and the last frame of each
/// run of frames.
fn read(reader: &mut Reader) -> Vec<Result<(u64, u64), Reading>> {
    let mut batch = Batch::default();
    let mut all = Vec::new();
    while let Some(reading) = reader.read(&mut batch) {
        match reading {
            Reading::Frames => {
                reader.advance(&batch, batch.frames.len());
                all.push(Ok((batch.first, batch.first + batch.frames.len() as u64 - 1)));
            }
            reading => all.push(Err(reading)),
        }
        if reading == Reading::Ended {
            break;
        }
    }
    all
}

fn lost(from: u64, to: u64, ms: i64) -> Result<(u64, u64), Reading> {
    Err(Reading::Lost(Loss { from, to, duration: Timestamp::from_ms(ms) }))
}

#[test]
fn what_was_lost_is_told_once_and_the_next_group_follows() {
    let hub = hub();
    let mut publisher = publish(&hub);
    send(&mut publisher, 0, 5, &[0]);
    let mut reader = hub.reader(&name(), Start::OldestKeyframe).unwrap();
    assert_eq!(read(&mut reader), [Ok((0, 4))]);
    send(&mut publisher, 5, 30, &[10, 15, 22, 26]);
    // 19 to 29 are kept; the group of 15 has lost its beginning.
    assert_eq!(read(&mut reader), [lost(5, 22, 1_800), Ok((22, 29))]);
    assert_eq!((reader.lost(), reader.seen()), (17, Some(29)));
    assert_eq!(reader.snapshot(SECOND).frames_lost, 17);
}

#[test]
fn who_has_lost_a_group_that_goes_on_waits_for_the_next_one() {
    let hub = hub();
    let mut publisher = publish(&hub);
    let mut reader = hub.reader(&name(), Start::NextKeyframe).unwrap();
    send(&mut publisher, 0, 20, &[0]);
    assert_eq!(read(&mut reader), [], "no place to go on at");
    send(&mut publisher, 20, 23, &[21]);
    assert_eq!(read(&mut reader), [Ok((21, 22))], "it had not begun, so it has lost nothing");
    send(&mut publisher, 23, 40, &[]);
    assert_eq!(read(&mut reader), []);
    send(&mut publisher, 40, 42, &[40]);
    assert_eq!(read(&mut reader), [lost(23, 40, 1_800), Ok((40, 41))]);
}

#[test]
fn what_is_lost_at_the_end_is_told_before_the_end() {
    let hub = hub();
    let mut publisher = publish(&hub);
    send(&mut publisher, 0, 2, &[0]);
    let mut reader = hub.reader(&name(), Start::NewestKeyframe).unwrap();
    assert_eq!(read(&mut reader), [Ok((0, 1))]);
    send(&mut publisher, 2, 20, &[]);
    hub.end_all();
    publisher.push(frame(TrackId::VIDEO, 2_000, true), SECOND);
    assert_eq!(read(&mut reader), [lost(2, 20, 1_800), Err(Reading::Ended)], "and nothing comes after it");
}

#[test]
fn a_reader_that_has_read_nothing_loses_from_where_it_was_to_begin() {
    let hub = hub();
    let mut publisher = publish(&hub);
    send(&mut publisher, 0, 5, &[0, 3]);
    let mut reader = hub.reader(&name(), Start::NewestKeyframe).unwrap();
    send(&mut publisher, 5, 20, &[15]);
    assert_eq!(read(&mut reader), [lost(3, 15, 1_200), Ok((15, 19))]);
}

#[test]
fn readers_start_at_the_oldest_the_newest_or_the_next_keyframe_or_at_a_frame() {
    let hub = Hub::new(HubConfig::default());
    let mut publisher = publish(&hub);
    send(&mut publisher, 0, 10, &[2, 5]);
    let read_from = |start| read(&mut hub.reader(&name(), start).unwrap());
    // Two pictures before the first keyframe were not taken in.
    assert_eq!(read_from(Start::OldestKeyframe), [Ok((0, 7))]);
    assert_eq!(read_from(Start::NewestKeyframe), [Ok((3, 7))]);
    assert_eq!(read_from(Start::NextKeyframe), []);
    assert_eq!(read_from(Start::Sequence(6)), [Ok((6, 7))]);
    assert_eq!(read_from(Start::Sequence(99)), []);
    drop(publisher);
    assert_eq!(read_from(Start::OldestKeyframe), [Ok((0, 7))], "also of a publisher who has left");
    assert_eq!(read_from(Start::NewestKeyframe), []);
}

#[test]
fn a_viewer_goes_on_at_the_frame_where_another_reading_ended() {
    let hub = Hub::new(HubConfig::default());
    let mut publisher = publish(&hub);
    send(&mut publisher, 0, 4, &[0]);
    let mut viewer = hub.subscribe(&name(), Start::Sequence(3), LAG_MAX, SECOND).unwrap();
    let mut batch = Batch::default();
    assert_eq!((viewer.read(&mut batch), batch.first, viewer.seen()), (Next::Frames, 3, None));
}

#[test]
fn readers_are_no_viewers_and_have_a_limit_of_their_own() {
    let hub = hub();
    let _publisher = publish(&hub);
    let reader = |hub: &Hub| hub.reader(&name(), Start::OldestKeyframe);
    let viewer = || hub.subscribe(&name(), Start::NewestKeyframe, LAG_MAX, SECOND);
    let readers = [reader(&hub).unwrap(), reader(&hub).unwrap()];
    let refused = reader(&hub).unwrap_err().to_string();
    assert_eq!(refused, "the stream has 2 readers already (limit readers_per_stream_max)");
    let _viewer = viewer().unwrap();
    assert!(viewer().is_err());
    let figures = || hub.snapshot(&name(), SECOND).map(|snapshot| (snapshot.viewers, snapshot.readers));
    assert_eq!(figures(), Some((1, 2)));
    drop(readers);
    assert_eq!(figures(), Some((1, 0)));
}

#[test]
fn a_reader_neither_makes_a_stream_nor_keeps_it() {
    let hub = hub();
    let refused = hub.reader(&name(), Start::OldestKeyframe).unwrap_err();
    assert_eq!(refused.to_string(), "there is no stream live/a");
    let viewer = hub.subscribe(&name(), Start::NewestKeyframe, LAG_MAX, SECOND).unwrap();
    let mut reader = hub.reader(&name(), Start::OldestKeyframe).unwrap();
    assert_eq!((reader.state(), read(&mut reader)), (State::Waiting, vec![]));
    drop(viewer);
    hub.sweep(SECOND);
    assert_eq!(read(&mut reader), [Err(Reading::Ended)]);
    let _publisher = publish(&hub);
    let next = hub.reader(&name(), Start::OldestKeyframe).unwrap();
    assert_ne!(next.broadcast(), reader.broadcast());
}

#[tokio::test]
async fn a_reader_can_be_awaited() {
    let hub = hub();
    // Nobody drives the lanes but this test.
    let lanes = hub.lanes();
    let call = || {
        lanes[0].begin_round();
        while lanes[0].call_some(8, &mut Vec::new()) {}
    };
    let mut publisher = publish(&hub);
    send(&mut publisher, 0, 2, &[0]);
    let mut reader = hub.reader(&name(), Start::OldestKeyframe).unwrap().into_awaited();
    let mut batch = Batch::default();
    assert_eq!((reader.next(&mut batch).await, batch.frames.len()), (Reading::Frames, 2));
    let short = Duration::from_millis(5);
    assert!(tokio::time::timeout(short, reader.next(&mut batch)).await.is_err());
    let (reading, ()) = tokio::join!(reader.next(&mut batch), async {
        tokio::task::yield_now().await;
        send(&mut publisher, 2, 20, &[18]);
        call();
    });
    let duration = Timestamp::from_ms(1_700);
    assert_eq!(reading, Reading::Lost(Loss { from: 2, to: 18, duration }));
    assert_eq!((reader.next(&mut batch).await, batch.first), (Reading::Frames, 18));
    assert_eq!((reader.reader().lost(), reader.reader().seen()), (16, Some(19)));
    hub.end_all();
    call();
    assert_eq!(reader.next(&mut batch).await, Reading::Ended);
}

#[derive(Clone, Debug)]
enum Step {
    /// A frame of this track, so many milliseconds after the one before; whether a keyframe.
    Push(TrackId, i64, bool),
    /// The publisher leaves and comes back with these tracks.
    Return(Vec<TrackId>),
    /// The later of both readers reads.
    Read,
}

fn track_id() -> impl Strategy<Value = TrackId> {
    let second = TrackId { index: 1, ..TrackId::VIDEO };
    prop_oneof![3 => Just(TrackId::VIDEO), 2 => Just(TrackId::AUDIO), 1 => Just(second)]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        30 => (track_id(), 0i64..400, prop::bool::weighted(0.2))
            .prop_map(|(track, ms, key)| Step::Push(track, ms, key)),
        1 => prop::collection::vec(track_id(), 1..3).prop_map(Step::Return),
        2 => Just(Step::Read),
    ]
}

/// What a reader was told: the group of each frame.
fn read_groups(reader: &mut Reader, told: &mut BTreeMap<u64, Group>) {
    let mut batch = Batch::default();
    while reader.read(&mut batch) == Some(Reading::Frames) {
        for at in 0..batch.frames.len() {
            let group = batch.group(at).unwrap();
            assert!(group.start <= group.first && group.first <= batch.first + at as u64);
            told.insert(batch.first + at as u64, group);
        }
        reader.advance(&batch, batch.frames.len());
    }
}

proptest! {
    #[test]
    fn groups_never_go_back_and_all_readers_agree_on_them(
        steps in prop::collection::vec(step(), 1..400),
    ) {
        let hub = Hub::new(HubConfig::default());
        let mut publisher = publish(&hub);
        let (mut now, mut ms) = (Duration::ZERO, 0);
        let reader = || hub.reader(&name(), Start::Sequence(0)).unwrap();
        let (mut prompt, mut late) = ((reader(), BTreeMap::new()), (reader(), BTreeMap::new()));
        for step in steps {
            match step {
                Step::Push(track, after, key) => {
                    ms += after;
                    now += Duration::from_millis(after as u64);
                    let key = key || track == TrackId::AUDIO;
                    publisher.push(frame(track, ms, key), now);
                    read_groups(&mut prompt.0, &mut prompt.1);
                }
                Step::Return(tracks) => {
                    drop(publisher);
                    publisher = hub.publish(&name(), PublisherInfo::default(), now).unwrap();
                    for id in tracks {
                        publisher.set_track(Track::new(id, Codec::H264, Bytes::from_static(b"c")));
                    }
                }
                Step::Read => read_groups(&mut late.0, &mut late.1),
            }
        }
        prop_assert_eq!(prompt.0.lost(), 0);
        let mut last = Group::default();
        for (sequence, group) in &prompt.1 {
            prop_assert!(*group == last || (group.number == last.number + 1 && group.first == *sequence));
            last = *group;
        }
        for (sequence, group) in &late.1 {
            prop_assert_eq!(group, &prompt.1[sequence]);
        }
    }
}
