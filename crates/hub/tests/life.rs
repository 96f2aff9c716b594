//! A stream's life: waiting viewers, second publishers, reconnects, the end.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::time::Duration;

use bytes::Bytes;
use headwater_hub::{
    Batch, Hub, HubConfig, LogConfig, Next, PublishError, Publisher, PublisherInfo, Start, State, StreamName,
    Subscriber, Takeover,
};
use headwater_media::{Codec, Frame, Timestamp, Track, TrackId};

const SECOND: Duration = Duration::from_secs(1);
/// More than any of the streams here lasts.
const LAG_MAX: Timestamp = Timestamp::from_ms(3_600_000);

fn hub(takeover: Takeover) -> Hub {
    Hub::new(HubConfig { takeover, reconnect_window: 10 * SECOND, streams_max: 3, ..HubConfig::default() })
}

fn name(path: &str) -> StreamName {
    StreamName::parse(path).unwrap()
}

fn publish(hub: &Hub, now: Duration) -> Result<Publisher, PublishError> {
    let info = PublisherInfo { address: format!("peer at {now:?}"), ..PublisherInfo::default() };
    let mut publisher = hub.publish(&name("live/a"), info, now)?;
    publisher.set_track(Track::new(TrackId::VIDEO, Codec::H264, Bytes::from_static(b"c")));
    Ok(publisher)
}

fn view(hub: &Hub, start: Start) -> Subscriber {
    hub.subscribe(&name("live/a"), start, LAG_MAX, Duration::ZERO).unwrap()
}

fn video(ms: i64, key: bool) -> Frame {
    let at = Timestamp::from_ms(ms);
    Frame {
        track: TrackId::VIDEO,
        codec: Codec::H264,
        dts: at,
        pts: at,
        key,
        payload: Bytes::from_static(b"x"),
    }
}

fn read(cursor: &mut Subscriber) -> Vec<i64> {
    let mut batch = Batch::default();
    let mut times = Vec::new();
    while cursor.read(&mut batch) == Next::Frames {
        times.extend(batch.frames.iter().map(|frame| frame.dts.as_ms()));
        cursor.advance(&batch, batch.frames.len());
    }
    times
}

#[test]
fn a_viewer_waits_for_a_stream_that_is_not_there_yet() {
    let hub = hub(Takeover::Never);
    let mut cursor = view(&hub, Start::NewestKeyframe);
    assert_eq!((cursor.state(), read(&mut cursor)), (State::Waiting, vec![]));
    let mut publisher = publish(&hub, SECOND).unwrap();
    publisher.push(video(900, false), SECOND);
    publisher.push(video(1000, true), SECOND);
    publisher.push(video(1040, false), SECOND);
    assert_eq!((cursor.state(), read(&mut cursor)), (State::Live, vec![0, 40]));
}

#[test]
fn a_second_publisher_is_told_who_has_the_seat() {
    let hub = hub(Takeover::WhenSilentFor(5 * SECOND));
    let mut first = publish(&hub, Duration::ZERO).unwrap();
    first.push(video(0, true), 2 * SECOND);
    let refused = publish(&hub, 6 * SECOND).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "the stream live/a is already being published from peer at 0ns (last heard 4000 ms ago)"
    );
}

#[test]
fn a_silent_publisher_loses_its_seat() {
    let hub = hub(Takeover::WhenSilentFor(5 * SECOND));
    let mut first = publish(&hub, Duration::ZERO).unwrap();
    first.push(video(0, true), SECOND);
    let mut second = publish(&hub, 6 * SECOND).unwrap();
    assert!(first.is_evicted() && !second.is_evicted());
    let mut cursor = view(&hub, Start::NewestKeyframe);
    first.push(video(40, false), 6 * SECOND);
    second.push(video(0, true), 6 * SECOND);
    drop(first);
    assert_eq!((cursor.state(), read(&mut cursor)), (State::Live, vec![0, 40]), "only the second is heard");
}

#[test]
fn viewers_stay_through_a_reconnect_and_time_goes_on() {
    let hub = hub(Takeover::Never);
    let mut publisher = publish(&hub, Duration::ZERO).unwrap();
    publisher.push(video(50_000, true), SECOND);
    let mut cursor = view(&hub, Start::NewestKeyframe);
    assert_eq!(read(&mut cursor), [0]);
    drop(publisher);
    hub.sweep(2 * SECOND);
    hub.sweep(9 * SECOND);
    assert_eq!((cursor.state(), read(&mut cursor)), (State::Paused, vec![]));
    let mut again = publish(&hub, 9 * SECOND).unwrap();
    again.push(video(0, true), 9 * SECOND);
    again.push(video(40, false), 9 * SECOND);
    assert_eq!(read(&mut cursor), [40, 80]);
}

#[test]
fn a_broadcast_ends_when_nobody_comes_back() {
    let hub = hub(Takeover::Never);
    let mut publisher = publish(&hub, Duration::ZERO).unwrap();
    let mut cursor = view(&hub, Start::NewestKeyframe);
    publisher.push(video(0, true), SECOND);
    drop(publisher);
    hub.sweep(2 * SECOND);
    hub.sweep(12 * SECOND);
    let mut batch = Batch::default();
    assert_eq!(cursor.read(&mut batch), Next::Frames, "what is left of the log still comes");
    cursor.advance(&batch, batch.frames.len());
    assert_eq!(cursor.read(&mut batch), Next::Ended);
    assert!(hub.list(12 * SECOND).is_empty());
}

#[test]
fn the_wait_for_a_publisher_begins_when_it_is_let_go_however_long_it_was_silent() {
    let hub = hub(Takeover::Never);
    let mut publisher = publish(&hub, Duration::ZERO).unwrap();
    publisher.push(video(0, true), SECOND);
    for second in 1..60 {
        hub.sweep(second * SECOND);
    }
    drop(publisher);
    hub.sweep(60 * SECOND);
    hub.sweep(69 * SECOND);
    assert!(hub.is_live(&name("live/a")), "it was frozen for a minute, and has been gone for nine seconds");
    let mut again = publish(&hub, 69 * SECOND).unwrap();
    again.push(video(0, true), 69 * SECOND);
    hub.sweep(75 * SECOND);
    drop(again);
    hub.sweep(80 * SECOND);
    hub.sweep(89 * SECOND);
    assert!(hub.is_live(&name("live/a")), "each absence is counted by itself");
    hub.sweep(90 * SECOND);
    assert!(!hub.is_live(&name("live/a")));
}

#[test]
fn who_comes_into_a_long_group_starts_at_its_keyframe_or_without_pictures() {
    let log = LogConfig { bytes_max: 300 * (size_of::<Frame>() + 1), ..LogConfig::default() };
    let hub = Hub::new(HubConfig { log, ..HubConfig::default() });
    let mut publisher = publish(&hub, Duration::ZERO).unwrap();
    let mut send = |range: std::ops::Range<i64>| {
        range.for_each(|n| publisher.push(video(n * 100, n == 0), SECOND));
    };
    send(0..300);
    assert_eq!(read(&mut view(&hub, Start::NewestKeyframe)).len(), 300, "30 s of one group");
    let mut next = view(&hub, Start::NextKeyframe);
    send(300..319);
    let mut newest = view(&hub, Start::NewestKeyframe);
    assert_eq!(
        (read(&mut newest), read(&mut next)),
        (vec![], vec![]),
        "nothing has come for the one yet, and 1.8 s for the other"
    );
    send(319..321);
    assert_eq!(
        (read(&mut newest), read(&mut next)),
        (vec![31_900, 32_000], vec![]),
        "at the head, once it is sure"
    );
    send(321..322);
    assert_eq!((read(&mut newest), read(&mut next)), (vec![32_100], vec![32_100]));
}

#[test]
fn without_the_gop_cache_a_viewer_waits_for_the_next_keyframe() {
    let hub = hub(Takeover::Never);
    let mut publisher = publish(&hub, Duration::ZERO).unwrap();
    publisher.push(video(0, true), SECOND);
    publisher.push(video(40, false), SECOND);
    let mut at_once = view(&hub, Start::NewestKeyframe);
    let mut later = view(&hub, Start::NextKeyframe);
    publisher.push(video(80, false), SECOND);
    publisher.push(video(120, true), SECOND);
    assert_eq!(read(&mut at_once), [0, 40, 80, 120]);
    assert_eq!(read(&mut later), [120]);
}

#[test]
fn the_number_of_streams_is_bounded_and_waiting_ones_go_with_their_viewers() {
    let hub = hub(Takeover::Never);
    let waiting: Vec<_> = (0..3)
        .map(|n| {
            let name = name(&format!("live/{n}"));
            hub.subscribe(&name, Start::NewestKeyframe, LAG_MAX, Duration::ZERO).unwrap()
        })
        .collect();
    let refused = publish(&hub, SECOND).unwrap_err();
    assert_eq!(refused.to_string(), "the server holds 3 streams already (limit streams_max)");
    drop(waiting);
    hub.sweep(SECOND);
    assert!(publish(&hub, SECOND).is_ok());
}

#[test]
fn where_names_run_out_who_has_been_away_the_longest_and_is_watched_by_nobody_gives_way() {
    let hub = hub(Takeover::Never);
    let publish = |path: &str| hub.publish(&name(path), PublisherInfo::default(), Duration::ZERO);
    let states = || {
        hub.list(Duration::ZERO)
            .iter()
            .map(|known| (known.name.path().to_owned(), known.state))
            .collect::<Vec<_>>()
    };
    for path in ["live/watched", "live/first", "live/second"] {
        drop(publish(path).unwrap());
        if path == "live/watched" {
            std::mem::forget(
                hub.subscribe(&name(path), Start::NewestKeyframe, LAG_MAX, Duration::ZERO).unwrap(),
            );
        }
    }
    // It comes back, and leaves as the last.
    drop(publish("live/first").unwrap());
    let third = publish("live/third").unwrap();
    let paused = |path: &str| (path.to_owned(), State::Paused);
    let live = |path: &str| (path.to_owned(), State::Live);
    assert_eq!(states(), [paused("live/first"), live("live/third"), paused("live/watched")]);
    let fourth = publish("live/fourth").unwrap();
    assert_eq!(states(), [live("live/fourth"), live("live/third"), paused("live/watched")]);
    let refused = publish("live/fifth").unwrap_err();
    assert_eq!(refused.to_string(), "the server holds 3 streams already (limit streams_max)");
    assert_eq!(hub.gave_way(), 2);
    // Thousands that come and go leave nobody out.
    drop(fourth);
    (0..10_000).for_each(|number| drop(publish(&format!("live/{number}")).unwrap()));
    hub.sweep(Duration::ZERO);
    assert_eq!(states(), [paused("live/9999"), live("live/third"), paused("live/watched")]);
    drop(third);
}

#[test]
fn streams_are_told_page_by_page_each_once() {
    let hub = Hub::new(HubConfig::default());
    let paths: Vec<_> = (0..25).map(|number| format!("live/{number:02}")).collect();
    let _publishers: Vec<_> = paths
        .iter()
        .map(|path| hub.publish(&name(path), PublisherInfo::default(), Duration::ZERO).unwrap())
        .collect();
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let (page, total) = hub.page(after.as_deref(), 10, Duration::ZERO);
        assert_eq!((total, page.len() <= 10), (25, true));
        seen.extend(page.iter().map(|known| known.name.path().to_owned()));
        after = match page.last() {
            Some(last) => Some(last.name.path().to_owned()),
            None => break,
        };
    }
    assert_eq!(seen, paths);
    // A cursor is a place, whether or not that stream is still there.
    assert_eq!(hub.page(Some("live/03x"), 1, Duration::ZERO).0[0].name.path(), "live/04");
}

#[test]
fn a_track_that_the_next_publisher_lacks_is_forgotten() {
    let hub = hub(Takeover::Never);
    let mut publisher = publish(&hub, Duration::ZERO).unwrap();
    publisher.push(video(0, true), SECOND);
    drop(publisher);
    let mut audio_only = hub.publish(&name("live/a"), PublisherInfo::default(), SECOND).unwrap();
    audio_only.set_track(Track::new(TrackId::AUDIO, Codec::Aac, Bytes::from_static(&[18, 16])));
    for n in 0..200 {
        let at = Timestamp::from_ms(n * 23);
        let payload = Bytes::from_static(b"a");
        let frame = Frame { track: TrackId::AUDIO, codec: Codec::Aac, dts: at, pts: at, key: true, payload };
        audio_only.push(frame, SECOND);
    }
    let setup = hub.snapshot(&name("live/a"), SECOND).unwrap().setup;
    assert_eq!(setup.tracks().map(|track| track.id).collect::<Vec<_>>(), [TrackId::AUDIO]);
    assert!(!read(&mut view(&hub, Start::NewestKeyframe)).is_empty(), "it can be joined");
}
