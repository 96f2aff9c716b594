//! A viewer on a real socket: what a player reads, as RTMP and as FLV.

mod allocations;
mod flv;
mod in_step;
mod players;

use bytes::BytesMut;
use headwater_hub::{Hub, HubConfig, News, Publisher, PublisherInfo, Start, StreamName};
use headwater_media::flv::{CodecSet, TrackChoice};
use headwater_media::{Codec, Frame, MediaKind, Timestamp, Track, TrackId};
use headwater_rtmp::chunk::{Decoder, DecoderLimits, MessageStreamId};
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

use super::super::format::Envelope;
use super::super::transport::{Transport, tests::sockets};
use super::*;
use crate::sources::made_up::{MadeUp, PICTURES};

const LIMITS: DecoderLimits =
    DecoderLimits { message_bytes: 1 << 20, partial_bytes: 1 << 20, chunk_streams: 64 };

/// A viewer of something made up, and the player's end of its connection.
async fn viewer() -> (Arc<Viewer>, TcpStream) {
    viewer_of(MadeUp::play(), Dialect::PLAIN).await
}

async fn viewer_of(playback: Playback, dialect: Dialect) -> (Arc<Viewer>, TcpStream) {
    viewer_in(Format::Rtmp { stream: MessageStreamId(1), chunk_size: 128 }, playback, dialect).await
}

async fn viewer_in(format: Format, playback: Playback, dialect: Dialect) -> (Arc<Viewer>, TcpStream) {
    let (accepted, player) = sockets().await;
    (viewer_over(Transport::Tcp(accepted), format, playback, dialect).await, player)
}

async fn viewer_over(
    transport: Transport,
    format: Format,
    playback: Playback,
    dialect: Dialect,
) -> Arc<Viewer> {
    let wire = Arc::new(Wire::new(transport));
    wire.transport.ready(tokio::io::Interest::WRITABLE).await.unwrap();
    Arc::new(Viewer::new(wire, playback, format, dialect))
}

/// The pictures' times and payloads that have come, until `count` of them have.
async fn pictures_until(player: &mut TcpStream, count: usize) -> Vec<(u32, BytesMut)> {
    let mut decoder = Decoder::new(LIMITS, 0);
    let mut input = BytesMut::new();
    let mut pictures = Vec::new();
    while pictures.len() < count {
        player.read_buf(&mut input).await.unwrap();
        while let Some(message) = decoder.read(&mut input).unwrap() {
            // Frame type and codec, packet type (1: a frame, not a configuration), composition time.
            if message.type_id == 9 && message.payload[1] == 1 {
                pictures.push((message.timestamp, BytesMut::from(&message.payload[5..])));
            }
        }
    }
    pictures
}

#[tokio::test]
async fn a_source_that_no_door_knows_is_played_over_rtmp() {
    let (viewer, mut player) = viewer().await;
    let _watch = Viewer::watch(&viewer);
    let got = pictures_until(&mut player, PICTURES as usize).await;
    for (number, (ms, payload)) in (0..PICTURES).zip(&got) {
        assert_eq!((*ms, &payload[..]), (number as u32 * 40, &MadeUp::payload(number)[..]));
    }
    assert!(matches!(viewer.with(|playback| playback.news()), Some(News::Ended(_))));

    viewer.with(|playback| playback.seek(Timestamp::from_ms(1_250))).unwrap();
    viewer.deliver();
    let again = pictures_until(&mut player, 20).await;
    assert_eq!(again[0], (1_200, BytesMut::from(&MadeUp::payload(30)[..])), "from the keyframe before");
    assert_eq!(viewer.with(|playback| playback.duration()), Some(Timestamp::from_ms(2_000)));
    assert!(viewer.unaccepted().is_none());
}

/// A hub with a publisher of these tracks, and what plays it.
fn publish(tracks: &[Track]) -> (Publisher, Playback) {
    let hub = Hub::new(HubConfig::default());
    let name = StreamName::parse("live/a").unwrap();
    let mut publisher = hub.publish(&name, PublisherInfo::default(), Duration::ZERO).unwrap();
    tracks.iter().for_each(|track| publisher.set_track(track.clone()));
    (publisher, playback(&hub, &name))
}

/// What plays a stream of a hub.
fn playback(hub: &Hub, name: &StreamName) -> Playback {
    let cursor = hub.subscribe(name, Start::NewestKeyframe, Timestamp::from_ms(60_000), Duration::ZERO);
    Playback::new(Box::new(cursor.unwrap()), Duration::ZERO, Duration::ZERO)
}

/// Frames of a track every 100 ms from `from` on and before `to`.
fn send(publisher: &mut Publisher, track: &Track, (from, to): (i64, i64)) {
    for ms in (from..to).step_by(100) {
        let at = Timestamp::from_ms(ms);
        let (codec, payload) = (track.codec, bytes::Bytes::from_static(b"xyz"));
        let frame = Frame { track: track.id, codec, dts: at, pts: at, key: true, payload };
        publisher.push(frame, Duration::ZERO);
    }
}

fn track(id: TrackId, codec: Codec, config: &'static [u8]) -> Track {
    Track::new(id, codec, bytes::Bytes::from_static(config))
}

#[tokio::test]
async fn where_the_chosen_track_falls_silent_a_player_is_told_of_another() {
    let first = track(TrackId::AUDIO, Codec::Aac, &[18, 8]);
    let second = track(TrackId { index: 1, ..TrackId::AUDIO }, Codec::Aac, &[18, 16]);
    let (mut publisher, playback) = publish(&[first.clone(), second.clone()]);
    let takes = Dialect { tracks: TrackChoice::One { video: 0, audio: 1 }, ..Dialect::PLAIN };
    let (viewer, mut player) = viewer_of(playback, takes).await;
    send(&mut publisher, &first, (0, 100));
    send(&mut publisher, &second, (0, 200));
    send(&mut publisher, &first, (100, 4_300));
    viewer.deliver();
    let mut decoder = Decoder::new(LIMITS, 0);
    let (mut input, mut heard) = (BytesMut::new(), Vec::new());
    while heard.len() < 6 {
        player.read_buf(&mut input).await.unwrap();
        while let Some(message) = decoder.read(&mut input).unwrap() {
            let is_config = message.payload[1] == 0;
            heard.push((message.timestamp, is_config.then(|| message.payload[2..].to_vec())));
        }
    }
    let config = |ms, config: &[u8]| (ms, Some(config.to_vec()));
    let expected =
        [config(0, &[18, 16]), (0, None), (100, None), config(4_100, &[18, 8]), (4_100, None), (4_200, None)];
    assert_eq!(heard, expected);
}

#[tokio::test]
async fn a_player_stays_while_the_only_track_that_it_takes_is_silent() {
    let pictures = track(TrackId::VIDEO, Codec::H264, &[1, 66, 0, 30, 255]);
    let sound = track(TrackId::AUDIO, Codec::Opus, b"");
    let (mut publisher, playback) = publish(&[pictures.clone(), sound.clone()]);
    let takes = Dialect { codecs: CodecSet::flash(), ..Dialect::PLAIN };
    let (viewer, mut player) = viewer_of(playback, takes).await;
    send(&mut publisher, &pictures, (0, 200));
    viewer.deliver();
    send(&mut publisher, &sound, (0, 9_000));
    viewer.deliver();
    assert!(viewer.unaccepted().is_none());
    send(&mut publisher, &pictures, (9_000, 9_300));
    viewer.deliver();
    let times: Vec<_> = pictures_until(&mut player, 5).await.into_iter().map(|(ms, _)| ms).collect();
    assert_eq!(times, [0, 100, 9_000, 9_100, 9_200]);
    // A publisher with nothing that it takes is another matter.
    publisher.set_track(track(TrackId::VIDEO, Codec::Av1, b"av1C"));
    send(&mut publisher, &track(TrackId::VIDEO, Codec::Av1, b"av1C"), (9_300, 9_400));
    viewer.deliver();
    assert_eq!(viewer.unaccepted().map(|unaccepted| unaccepted.codec), Some(Codec::Av1));
}
