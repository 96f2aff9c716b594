//! Instructions that a second of a publisher of 5 Mbit/s takes on its way from the socket to a viewer, counted by valgrind:
//! the same on every machine and in every run, whatever else it does.

use std::hint::black_box;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use gungraun::{library_benchmark, library_benchmark_group, main};
use headwater_benches::{CHUNK_SIZE, frame, normalizer, picture, sound, tracks, wire};
use headwater_hub::{Batch, Hub, HubConfig, Next, Publisher, PublisherInfo, Start, StreamName, Subscriber};
use headwater_media::flv::{Dialect, Normalizer, frame_head};
use headwater_media::{Frame, Timestamp};
use headwater_rtmp::chunk::{Decoder, DecoderLimits};

/// Pictures of a second.
const PICTURES: u32 = 25;

fn decoder() -> (Decoder, BytesMut) {
    let limits = DecoderLimits { message_bytes: 16 << 20, partial_bytes: 32 << 20, chunk_streams: 64 };
    let mut decoder = Decoder::new(limits, 0);
    decoder.set_chunk_size(CHUNK_SIZE).expect("a size");
    (decoder, wire())
}

// Chunks to messages, all bytes at hand.
#[library_benchmark]
#[bench::second(setup = decoder)]
fn chunks_to_messages((mut decoder, mut input): (Decoder, BytesMut)) -> usize {
    let mut messages = 0;
    while let Some(message) = decoder.read(&mut input).expect("messages") {
        black_box(&message);
        messages += 1;
    }
    messages
}

// Chunks to messages, as a socket gives them: 1448 bytes at a time.
#[library_benchmark]
#[bench::second(setup = decoder)]
fn segments_to_messages((mut decoder, bytes): (Decoder, BytesMut)) -> usize {
    let (mut messages, mut input) = (0, BytesMut::new());
    for segment in bytes.chunks(1448) {
        input.extend_from_slice(segment);
        while let Some(message) = decoder.read(&mut input).expect("messages") {
            black_box(&message);
            messages += 1;
        }
    }
    messages
}

fn pictures() -> (Normalizer, Vec<Bytes>) {
    (normalizer(), (0..PICTURES).map(picture).collect())
}

// Video messages to frames: key frames found, NAL units and start codes looked for.
#[library_benchmark]
#[bench::second(setup = pictures)]
fn pictures_to_frames((mut normalizer, bodies): (Normalizer, Vec<Bytes>)) -> usize {
    let times = (0..).step_by(40);
    let items = times.zip(bodies).map(|(at, body)| normalizer.push_video(at, body).expect("a frame").count());
    items.sum()
}

fn sounds() -> (Normalizer, Vec<Bytes>) {
    (normalizer(), (0..43).map(|_| sound()).collect())
}

// Audio messages to frames.
#[library_benchmark]
#[bench::second(setup = sounds)]
fn sounds_to_frames((mut normalizer, bodies): (Normalizer, Vec<Bytes>)) -> usize {
    let times = (0..).step_by(23);
    let items = times.zip(bodies).map(|(at, body)| normalizer.push_audio(at, body).expect("a frame").count());
    items.sum()
}

struct Live {
    publisher: Publisher,
    viewer: Subscriber,
    batch: Batch,
    frames: Vec<Frame>,
}

fn live() -> Live {
    let hub = Hub::new(HubConfig::default());
    let name: StreamName = StreamName::parse("live/cam").expect("a name");
    let mut publisher = hub.publish(&name, PublisherInfo::default(), Duration::ZERO).expect("a seat");
    tracks().into_iter().for_each(|track| publisher.set_track(track));
    publisher.push(frame(0), Duration::ZERO);
    let lag = Timestamp::from_ms(10_000);
    let mut viewer = hub.subscribe(&name, Start::NewestKeyframe, lag, Duration::ZERO).expect("a cursor");
    let mut batch = Batch::default();
    assert!(viewer.read(&mut batch) == Next::Frames);
    viewer.advance(&batch, batch.frames.len());
    Live { publisher, viewer, batch, frames: (1..=PICTURES).map(frame).collect() }
}

// Frames into the log, each read by a viewer that keeps up.
#[library_benchmark]
#[bench::second(setup = live)]
fn frames_to_viewer(mut live: Live) -> u64 {
    for (number, frame) in (1u64..).zip(live.frames.drain(..)) {
        live.publisher.push(frame, Duration::from_millis(40 * number));
        while live.viewer.read(&mut live.batch) == Next::Frames {
            live.viewer.advance(&live.batch, live.batch.frames.len());
        }
    }
    live.viewer.seen().unwrap_or_default()
}

fn frames() -> Vec<Frame> {
    (0..PICTURES).map(frame).collect()
}

// What stands before each payload in its message or tag, made for one form of players.
#[library_benchmark]
#[bench::second(setup = frames)]
fn frame_heads(frames: Vec<Frame>) -> usize {
    frames
        .iter()
        .filter_map(|frame| frame_head(frame, &Dialect::PLAIN))
        .map(|head| black_box(head.len()))
        .sum()
}

library_benchmark_group!(
    name = hot_paths,
    benchmarks = [
        chunks_to_messages,
        segments_to_messages,
        pictures_to_frames,
        sounds_to_frames,
        frames_to_viewer,
        frame_heads
    ]
);
main!(library_benchmark_groups = hot_paths);
