//! Viewers that stand at one place are written to together, and each gets what it would get alone.

use std::time::Duration;

use bytes::Bytes;

use super::players::{CARRIERS, Player, connected};
use super::*;
use crate::fanout::lanes::take_turn;

const FORMATS: [Format; 4] = [
    Format::Rtmp { stream: MessageStreamId(1), chunk_size: 128 },
    Format::Rtmp { stream: MessageStreamId(1), chunk_size: 60_000 },
    Format::Flv(Envelope::HttpChunk),
    Format::Flv(Envelope::WebSocketMessage),
];
/// Things that happen in one broadcast.
const STEPS: u64 = 400;

fn pictures() -> Track {
    track(TrackId::VIDEO, Codec::H264, &[1, 66, 0, 30, 255])
}

fn sound() -> Track {
    track(TrackId::AUDIO, Codec::Aac, &[18, 16])
}

/// A hub with so many lanes, and a publisher of pictures that has sent the first.
fn begun(lanes: usize) -> (Hub, StreamName, Publisher) {
    let hub = Hub::new(HubConfig { lanes, ..HubConfig::default() });
    let name = StreamName::parse("live/a").unwrap();
    let mut publisher = hub.publish(&name, PublisherInfo::default(), Duration::ZERO).unwrap();
    publisher.set_track(pictures());
    push(&mut publisher, &pictures(), 0, true, vec![0; 50]);
    (hub, name, publisher)
}

async fn join(
    hub: &Hub,
    name: &StreamName,
    (format, dialect): (Format, Dialect),
) -> (Arc<Viewer>, TcpStream) {
    viewer_in(format, playback(hub, name), dialect).await
}

fn push(publisher: &mut Publisher, track: &Track, ms: i64, key: bool, payload: Vec<u8>) {
    let (at, payload) = (Timestamp::from_ms(ms), Bytes::from(payload));
    let frame = Frame { track: track.id, codec: track.codec, dts: at, pts: at, key, payload };
    publisher.push(frame, Duration::ZERO);
}

/// A broadcast as `seed` has it, in which viewers come by every carrier, mute, rest and go on: what each of their players has
/// read. Where they are `alone`, each is looked at before it is written to, which puts it out of step.
async fn watched(mut seed: u64, alone: bool) -> Vec<Vec<u8>> {
    let mut random = move |below: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % below
    };
    let (hub, name, mut publisher) = begun(1);
    let (pictures, sound) = (pictures(), sound());
    let second = track(TrackId { index: 1, ..TrackId::AUDIO }, Codec::Aac, &[18, 8]);
    publisher.set_track(sound.clone());
    let mut viewers = Vec::new();
    for step in 1..STEPS {
        let ms = step as i64 * 20;
        let one = random(viewers.len().max(1) as u64) as usize;
        match random(40) {
            0..=9 => push(&mut publisher, &pictures, ms, random(8) == 0, vec![step as u8; 40 + one]),
            10..=17 => push(&mut publisher, &sound, ms, true, vec![step as u8; 20]),
            18 => publisher.set_track(track(TrackId::VIDEO, Codec::H264, &[1, 77, 0, 31, 255])),
            19 => publisher.set_track(pictures.clone()),
            20 | 21 if viewers.len() < 16 => {
                // All take the first sound while there is no other.
                let tracks = TrackChoice::One { video: 0, audio: random(2) as u8 };
                let (format, dialect) = (FORMATS[random(4) as usize], Dialect { tracks, ..Dialect::PLAIN });
                let (transport, player) = connected(CARRIERS[random(3) as usize]).await;
                let viewer = viewer_over(transport, format, playback(&hub, &name), dialect).await;
                viewers.push((viewer, player));
            }
            22 | 23 => {
                let (kind, on) = ([MediaKind::Audio, MediaKind::Video][random(2) as usize], random(2) == 0);
                if let Some((viewer, _)) = viewers.get(one) {
                    viewer.hold(|playing| playing.receive(kind, on));
                    viewer.release();
                }
            }
            27 => {
                publisher.set_track(second.clone());
                push(&mut publisher, &second, ms, true, vec![step as u8; 30]);
            }
            number @ 24..=26 => {
                let change = |playback: &mut Playback| match number {
                    24 => playback.pause(),
                    25 => playback.resume(Timestamp::ZERO),
                    _ => playback.limit(Timestamp::from_ms(900)),
                };
                if let Some((viewer, _)) = viewers.get(one) {
                    viewer.with(change);
                }
            }
            _ => {
                Viewer::look_again();
                for (viewer, _) in viewers.iter().skip(one).chain(viewers.iter().take(one)) {
                    if alone {
                        viewer.with(|_| ());
                    }
                    viewer.stream_changed();
                }
            }
        }
    }
    hub.stop(&name);
    to_the_end(viewers).await
}

/// What each player has read, once its viewer has been called at the end of the broadcast.
async fn to_the_end(viewers: Vec<(Arc<Viewer>, Player)>) -> Vec<Vec<u8>> {
    let mut read = Vec::new();
    for (viewer, player) in viewers {
        viewer.deliver();
        let (news, has_ended) = viewer.with(|playback| (playback.news(), playback.has_ended()));
        assert!(news.is_none() || has_ended, "{news:?}");
        drop(viewer);
        read.push(player.read_to_end().await);
    }
    read
}

#[tokio::test]
async fn who_is_in_step_gets_what_it_would_get_alone() {
    let mut bytes = 0;
    for seed in 0..60 {
        let (together, alone) = (watched(seed, false).await, watched(seed, true).await);
        bytes += alone.iter().map(Vec::len).sum::<usize>();
        for (number, (together, alone)) in together.iter().zip(&alone).enumerate() {
            assert!(together == alone, "seed {seed}, viewer {number}");
        }
    }
    assert!(bytes > 1_000_000, "{bytes} bytes: they have seen a good part of it");
}

#[tokio::test]
async fn who_is_in_step_is_written_to_without_a_look_at_what_it_plays() {
    let (hub, name, mut publisher) = begun(1);
    let (first, mut first_player) = join(&hub, &name, (FORMATS[0], Dialect::PLAIN)).await;
    first.deliver();
    push(&mut publisher, &pictures(), 40, true, vec![1; 50]);
    let (second, mut second_player) = join(&hub, &name, (FORMATS[0], Dialect::PLAIN)).await;
    for number in 1..10 {
        push(&mut publisher, &pictures(), 40 + number * 40, false, vec![number as u8; 50]);
        for has_grown in [true, false] {
            Viewer::look_again();
            first.stream_changed();
            // Once both have got the same, the second only follows.
            let looked_at = (number > 2 && has_grown).then(|| second.playing.lock());
            second.stream_changed();
            drop(looked_at);
        }
    }
    let times = |pictures: Vec<(u32, BytesMut)>| pictures.into_iter().map(|(ms, _)| ms).collect::<Vec<_>>();
    let first_times = times(pictures_until(&mut first_player, 11).await);
    let second_times = times(pictures_until(&mut second_player, 10).await);
    assert_eq!(first_times, (0..11).map(|at| at * 40).collect::<Vec<_>>());
    assert_eq!(second_times, (0..10).map(|at| at * 40).collect::<Vec<_>>(), "its own time");
    assert_eq!(second.with(|playback| (playback.seen(), playback.sent().0.as_ms())), (Some(10), 360));
}

#[tokio::test]
async fn who_is_in_step_and_reads_slowly_gets_every_frame_whole() {
    let (hub, name, mut publisher) = begun(1);
    let (first, mut first_player) = join(&hub, &name, (FORMATS[0], Dialect::PLAIN)).await;
    let (slow, mut slow_player) = join(&hub, &name, (FORMATS[0], Dialect::PLAIN)).await;
    slow.wire.transport.bound_send_buffer(20_000);
    let go_on = |viewer: &Viewer| {
        if viewer.wire.is_blocked() {
            viewer.wire.unblock();
        }
        viewer.stream_changed();
    };
    let first_reads = tokio::spawn(async move { pictures_until(&mut first_player, 200).await });
    for number in 1..200 {
        push(&mut publisher, &pictures(), number * 40, false, vec![number as u8; 30_000]);
        Viewer::look_again();
        go_on(&first);
        slow.stream_changed();
        tokio::task::yield_now().await;
    }
    assert!(slow.wire.is_blocked(), "its socket is full, in the middle of a frame or behind one");
    let reading = tokio::spawn(async move { pictures_until(&mut slow_player, 200).await });
    while !reading.is_finished() || !first_reads.is_finished() {
        Viewer::look_again();
        go_on(&first);
        go_on(&slow);
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    for (number, (ms, payload)) in reading.await.unwrap().into_iter().enumerate() {
        assert_eq!(ms as usize, number * 40);
        assert!(payload.iter().all(|byte| *byte == number as u8), "picture {number}");
    }
}

/// Lanes that share a thread share what is laid out there, and each is told by itself that there is more.
#[tokio::test]
async fn what_comes_while_a_lane_waits_for_its_turn_is_not_lost_on_its_viewers() {
    let (hub, name, mut publisher) = begun(2);
    let mut viewers = Vec::new();
    for _ in 0..2 {
        let (viewer, player) = join(&hub, &name, (FORMATS[0], Dialect::PLAIN)).await;
        viewers.push((Viewer::watch(&viewer), viewer, player));
    }
    let lanes = hub.lanes();
    let mut scratch = Vec::new();
    let mut call = |lane: usize| {
        if lanes[lane].begin_round() {
            while take_turn(&lanes[lane], Duration::ZERO, &mut scratch) {}
        }
    };
    for number in 1..20 {
        push(&mut publisher, &pictures(), number * 40, false, vec![number as u8; 50]);
        call(0);
        if number % 2 == 0 {
            push(&mut publisher, &pictures(), number * 40 + 20, false, vec![number as u8; 50]);
        }
        call(1);
        let frames = hub.snapshot(&name, Duration::ZERO).unwrap().frames_in;
        let standing = *viewers[1].1.step.lock();
        assert_eq!(standing.map(|standing| standing.next), Some(frames), "picture {number}");
        call(0);
    }
    push(&mut publisher, &pictures(), 1_000, false, vec![0; 50]);
    call(0);
    hub.stop(&name);
    call(1);
    assert!(viewers[1].1.with(|playback| playback.has_ended()), "it is told of the end");
}
