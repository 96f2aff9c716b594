//! What a viewer gets as FLV: its head, its configurations, and the frames from where it begins.

use bytes::Bytes;
use headwater_hub::LogConfig;
use headwater_media::MediaKind;
use headwater_media::amf::{Object, Value, amf0};

use super::*;

fn frame(track: TrackId, ms: i64, key: bool, payload: &'static [u8]) -> Frame {
    let codec = if track.kind == MediaKind::Video { Codec::H264 } else { Codec::Aac };
    let at = Timestamp::from_ms(ms);
    Frame { track, codec, dts: at, pts: at, key, payload: Bytes::from_static(payload) }
}

fn publish() -> (Hub, Publisher) {
    let hub = Hub::new(HubConfig::default());
    let name = StreamName::parse("live/a").unwrap();
    let publisher = hub.publish(&name, PublisherInfo::default(), Duration::ZERO).unwrap();
    (hub, publisher)
}

fn video() -> Track {
    Track::new(TrackId::VIDEO, Codec::H264, Bytes::from_static(&[1, 66, 0, 30, 255]))
}

/// Sound of 44.1 kHz, with as many channels as the track's number and one.
fn audio(index: u8) -> Track {
    let config = if index == 0 { &[18, 8] } else { &[18, 16] };
    Track::new(TrackId { index, ..TrackId::AUDIO }, Codec::Aac, Bytes::from_static(config))
}

/// Frames every 100 ms, from `from` on and before `to`; of pictures, the one at `key` is a keyframe.
fn send(publisher: &mut Publisher, track: TrackId, (from, to): (i64, i64), key: i64) {
    for ms in (from..to).step_by(100) {
        let is_key = track.kind != MediaKind::Video || ms == key;
        publisher.push(frame(track, ms, is_key, b"xyz"), Duration::ZERO);
    }
}

/// A viewer and the player's end of its connection.
struct Watching {
    viewer: Arc<Viewer>,
    player: TcpStream,
}

async fn view(hub: &Hub, takes: Dialect) -> Watching {
    view_in(Envelope::Bare, hub, takes).await
}

async fn view_in(envelope: Envelope, hub: &Hub, takes: Dialect) -> Watching {
    let name = StreamName::parse("live/a").unwrap();
    let lag_max = Timestamp::from_ms(60_000);
    let cursor = hub.subscribe(&name, Start::NewestKeyframe, lag_max, Duration::ZERO).unwrap();
    let playback = Playback::new(Box::new(cursor), Duration::ZERO, Duration::ZERO);
    let (viewer, player) = viewer_in(Format::Flv(envelope), playback, takes).await;
    Watching { viewer, player }
}

/// Everything that a viewer can have now.
async fn all(watching: &mut Watching) -> Vec<u8> {
    watching.viewer.deliver();
    let mut file = Vec::new();
    // What was written on this machine can be read at once.
    while let Ok(Ok(1..)) =
        tokio::time::timeout(Duration::from_millis(20), watching.player.read_buf(&mut file)).await
    {}
    file
}

/// (tag type, time) of each tag of an FLV file.
fn tags(mut file: &[u8]) -> Vec<(u8, u32)> {
    file = &file[13..];
    let mut tags = Vec::new();
    while let &[kind, a, b, c, t1, t2, t3, t0, ..] = file {
        let length = u32::from_be_bytes([0, a, b, c]) as usize;
        tags.push((kind, u32::from_be_bytes([t0, t1, t2, t3])));
        file = &file[15 + length..];
    }
    tags
}

#[tokio::test]
async fn a_late_viewer_gets_configurations_then_a_keyframe_at_zero() {
    let (hub, mut publisher) = publish();
    publisher.set_track(video());
    publisher.set_track(audio(0));
    for (track, ms, key) in [
        (TrackId::VIDEO, 7000, true),
        (TrackId::VIDEO, 9000, true),
        (TrackId::AUDIO, 8990, true),
        (TrackId::AUDIO, 9013, true),
    ] {
        publisher.push(frame(track, ms, key, b"xyz"), Duration::ZERO);
    }
    let bytes = all(&mut view(&hub, Dialect::PLAIN).await).await;
    assert_eq!(&bytes[..5], b"FLV\x01\x05");
    assert_eq!(tags(&bytes), [(9, 0), (8, 0), (9, 0), (8, 0), (8, 13)]);
}

#[tokio::test]
async fn the_head_promises_what_the_metadata_names_while_it_may_still_come() {
    for (kind, late) in [(MediaKind::Audio, audio(0)), (MediaKind::Video, video())] {
        let (hub, mut publisher) = publish();
        let about = Object::new().with("videocodecid", 7.0).with("audiocodecid", 10.0);
        let values = [Value::string("onMetaData"), Value::Object(about)];
        let first = if kind == MediaKind::Audio { video() } else { audio(0) };
        publisher.set_metadata(amf0::encode_all(&values));
        publisher.set_track(first.clone());
        send(&mut publisher, first.id, (0, 1_000), 0);
        let mut early = view(&hub, Dialect::PLAIN).await;
        let head = all(&mut early).await;
        assert_eq!(head[4], 5, "{kind:?} is on its way");
        assert!(tags(&head).iter().any(|(_, ms)| *ms > 0), "what is there is not held back");
        send(&mut publisher, first.id, (1_000, 4_100), 0);
        let alone =
            u8::from(first.id.kind == MediaKind::Video) | u8::from(first.id.kind == MediaKind::Audio) << 2;
        assert_eq!(all(&mut view(&hub, Dialect::PLAIN).await).await[4], alone, "{kind:?} has not come");
        publisher.set_track(late.clone());
        send(&mut publisher, late.id, (4_100, 4_300), 4_100);
        assert_eq!(
            all(&mut view(&hub, Dialect::PLAIN).await).await[4],
            5,
            "{kind:?} has come, though behind the keyframe"
        );
    }
}

#[tokio::test]
async fn without_metadata_the_head_tells_what_is_there() {
    let (hub, mut publisher) = publish();
    publisher.set_track(video());
    send(&mut publisher, TrackId::VIDEO, (0, 1_000), 0);
    assert_eq!(all(&mut view(&hub, Dialect::PLAIN).await).await[4], 1);
}

#[tokio::test]
async fn a_track_that_has_fallen_silent_is_neither_promised_nor_begun_and_comes_back() {
    let (hub, mut publisher) = publish();
    publisher.set_track(video());
    publisher.set_track(audio(0));
    send(&mut publisher, TrackId::VIDEO, (0, 100), 0);
    send(&mut publisher, TrackId::AUDIO, (0, 1_000), 0);
    send(&mut publisher, TrackId::VIDEO, (100, 4_500), 0);
    assert_eq!(all(&mut view(&hub, Dialect::PLAIN).await).await[4], 5, "3.5 s are no silence yet");
    send(&mut publisher, TrackId::VIDEO, (4_500, 6_000), 0);
    // It begins at the keyframe, where the log still holds sound.
    let mut late = view(&hub, Dialect::PLAIN).await;
    let file = all(&mut late).await;
    assert_eq!((file[4], tags(&file).iter().filter(|(kind, _)| *kind == 8).count()), (1, 0));
    assert_eq!(tags(&file).len(), 61, "a configuration and every picture");
    send(&mut publisher, TrackId::AUDIO, (6_000, 6_200), 0);
    let file = [&[0; 13], &*all(&mut late).await].concat();
    assert_eq!(tags(&file), [(8, 6_000), (8, 6_000), (8, 6_100)], "with its configuration");
}

#[tokio::test]
async fn pictures_that_stop_leave_a_stream_of_sound_that_can_be_joined() {
    let (hub, mut publisher) = publish();
    publisher.set_track(video());
    publisher.set_track(audio(0));
    send(&mut publisher, TrackId::VIDEO, (0, 1_000), 0);
    send(&mut publisher, TrackId::AUDIO, (0, 9_000), 0);
    let mut viewer = view(&hub, Dialect::PLAIN).await;
    let file = all(&mut viewer).await;
    assert_eq!(file[4], 4);
    assert!(tags(&file).len() <= 12, "from the newest second of sound on");
    // The camera is back in the middle of a group.
    send(&mut publisher, TrackId::VIDEO, (9_000, 9_500), 9_300);
    let file = [&[0; 13], &*all(&mut viewer).await].concat();
    let pictures: Vec<_> =
        tags(&file).into_iter().filter(|(kind, _)| *kind == 9).map(|(_, ms)| ms % 1_000).collect();
    assert_eq!(pictures.len(), 3, "a configuration, then from the keyframe on: {pictures:?}");
}

#[tokio::test]
async fn where_a_group_is_too_large_for_the_log_sound_comes_at_once() {
    let log = LogConfig { bytes_max: 100 * size_of::<Frame>(), ..LogConfig::default() };
    let hub = Hub::new(HubConfig { log, ..HubConfig::default() });
    let name = StreamName::parse("live/a").unwrap();
    let mut publisher = hub.publish(&name, PublisherInfo::default(), Duration::ZERO).unwrap();
    publisher.set_track(video());
    publisher.set_track(audio(0));
    for ms in (0..20_000).step_by(100) {
        send(&mut publisher, TrackId::VIDEO, (ms, ms + 1), 0);
        send(&mut publisher, TrackId::AUDIO, (ms, ms + 1), 0);
    }
    let mut viewer = view(&hub, Dialect::PLAIN).await;
    assert!(all(&mut viewer).await.is_empty());
    send(&mut publisher, TrackId::VIDEO, (20_000, 20_200), 0);
    send(&mut publisher, TrackId::AUDIO, (20_000, 20_200), 0);
    let file = all(&mut viewer).await;
    assert_eq!(
        (file[4], tags(&file)),
        (5, vec![(9, 0), (8, 0), (8, 0), (8, 100)]),
        "the pictures need a keyframe"
    );
    send(&mut publisher, TrackId::VIDEO, (20_200, 20_400), 20_200);
    let file = [&[0; 13], &*all(&mut viewer).await].concat();
    assert_eq!(tags(&file), [(9, 200), (9, 300)]);
}

#[tokio::test]
async fn where_the_chosen_track_falls_silent_another_is_heard_with_its_configuration() {
    let (hub, mut publisher) = publish();
    let second = audio(1).id;
    for track in [video(), audio(0), audio(1)] {
        publisher.set_track(track);
    }
    send(&mut publisher, TrackId::VIDEO, (0, 100), 0);
    send(&mut publisher, second, (0, 100), 0);
    send(&mut publisher, TrackId::AUDIO, (0, 3_000), 0);
    let takes = Dialect { tracks: TrackChoice::One { video: 0, audio: 1 }, ..Dialect::PLAIN };
    let mut viewer = view(&hub, takes).await;
    let file = all(&mut viewer).await;
    assert_eq!(tags(&file), [(9, 0), (8, 0), (9, 0), (8, 0)], "the second track's one frame");
    assert!(file.windows(4).any(|bytes| bytes == [0xAF, 0, 18, 16]));
    send(&mut publisher, TrackId::AUDIO, (3_000, 4_300), 0);
    let file = [&[0; 13], &*all(&mut viewer).await].concat();
    assert_eq!(tags(&file), [(8, 4_000), (8, 4_000), (8, 4_100), (8, 4_200)]);
    assert!(file.windows(4).any(|bytes| bytes == [0xAF, 0, 18, 8]));
}

#[tokio::test]
async fn a_source_that_no_door_knows_is_played_as_flv() {
    let (viewer, player) = viewer_in(Format::Flv(Envelope::Bare), MadeUp::play(), Dialect::PLAIN).await;
    let file = all(&mut Watching { viewer, player }).await;
    assert_eq!(&file[..5], b"FLV\x01\x01");
    let times: Vec<u32> = (0..PICTURES as u32).map(|number| number * 40).collect();
    let told: Vec<u32> = tags(&file).into_iter().skip(1).map(|(_, ms)| ms).collect();
    assert_eq!(told, times, "a configuration, then every picture");
    for number in 0..PICTURES {
        let payload = MadeUp::payload(number);
        assert!(file.windows(payload.len()).any(|bytes| bytes == payload), "picture {number}");
    }
}

#[tokio::test]
async fn an_envelope_holds_the_head_or_one_tag_and_changes_nothing_of_them() {
    let (hub, mut publisher) = publish();
    publisher.set_track(video());
    send(&mut publisher, TrackId::VIDEO, (500, 1_000), 500);
    let file = all(&mut view(&hub, Dialect::PLAIN).await).await;
    let chunked = all(&mut view_in(Envelope::HttpChunk, &hub, Dialect::PLAIN).await).await;
    let messages = all(&mut view_in(Envelope::WebSocketMessage, &hub, Dialect::PLAIN).await).await;
    let (mut parts, mut at) = (vec![13], 13);
    while let Some([_, a, b, c]) = file.get(at..at + 4) {
        parts.push(15 + u32::from_be_bytes([0, *a, *b, *c]) as usize);
        at += parts[parts.len() - 1];
    }
    let (mut as_chunks, mut as_messages, mut rest) = (Vec::new(), Vec::new(), &file[..]);
    for part in parts {
        let (bytes, behind) = rest.split_at(part);
        as_chunks.extend([format!("{part:x}\r\n").as_bytes(), bytes, b"\r\n"].concat());
        as_messages.extend([&[0x82, part as u8], bytes].concat());
        rest = behind;
    }
    assert_eq!(tags(&file).len(), 6);
    assert!(chunked == as_chunks && messages == as_messages);
}

#[tokio::test]
async fn viewers_of_all_doors_side_by_side_get_each_their_own() {
    let (hub, mut publisher) = publish();
    publisher.set_track(video());
    send(&mut publisher, TrackId::VIDEO, (0, 300), 0);
    let mut early = view(&hub, Dialect::PLAIN).await;
    let mut chunked = view_in(Envelope::HttpChunk, &hub, Dialect::PLAIN).await;
    let heads = (all(&mut early).await.len(), all(&mut chunked).await.len());
    assert!(heads.0 > 13 && heads.1 > heads.0);
    send(&mut publisher, TrackId::VIDEO, (300, 600), 300);
    let mut late = view(&hub, Dialect::PLAIN).await;
    let of_late = all(&mut late).await;
    let of_early = [&[0; 13], &*all(&mut early).await].concat();
    assert_eq!(tags(&of_early), [(9, 300), (9, 400), (9, 500)]);
    assert_eq!(tags(&of_late), [(9, 0), (9, 0), (9, 100), (9, 200)], "its own time");
    assert!(all(&mut chunked).await.starts_with(b"17\r\n\x09"));
    send(&mut publisher, TrackId::VIDEO, (600, 700), 0);
    for (watching, ms) in [(&mut early, 600), (&mut late, 300)] {
        assert_eq!(tags(&[&[0; 13], &*all(watching).await].concat()), [(9, ms)]);
    }
}
