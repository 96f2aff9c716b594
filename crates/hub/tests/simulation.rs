//! Thousands of cursors that stall at random, in one thread and on a made-up clock.
//!
//! Whatever happens: a viewer starts at a keyframe, never goes back, sees every frame between two
//! skips, and lands on a keyframe after one; memory stays within the log's bounds; a viewer that never
//! stalls never misses a frame.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use headwater_hub::{
    Batch, Hub, HubConfig, LagPolicy, LogConfig, Next, PublisherInfo, Start, StreamName, Subscriber, Watch,
    Watcher,
};
use headwater_media::{Codec, Frame, Timestamp, Track, TrackId};
use proptest::prelude::*;

const FRAME_BYTES: usize = 1000;

/// A small deterministic generator, so that a failing seed can be run again.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }
}

#[derive(Default)]
struct Called(AtomicBool);

impl Watcher for Called {
    fn stream_changed(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

struct Viewer {
    cursor: Subscriber,
    _watch: Watch,
    called: Arc<Called>,
    stall_until: u64,
    diligent: bool,
    last: Option<u64>,
    frames: u64,
    skips: u64,
}

impl Viewer {
    fn new(hub: &Hub, name: &StreamName, diligent: bool, now: Duration) -> Self {
        let policy = LagPolicy::SkipToKeyframe { lag_max: Timestamp::from_ms(3_000) };
        let cursor = hub.subscribe(name, Start::NewestKeyframe, policy, now).unwrap();
        let called = Arc::new(Called::default());
        let watch = cursor.watch(Arc::clone(&called) as Arc<dyn Watcher>);
        Self { cursor, _watch: watch, called, stall_until: 0, diligent, last: None, frames: 0, skips: 0 }
    }

    /// Reads what it can, checks it, uses a random part of it.
    fn step(&mut self, batch: &mut Batch, random: &mut Random) {
        while self.cursor.read(batch) == Next::Frames {
            let used = if self.diligent {
                batch.frames.len()
            } else {
                1 + random.below(batch.frames.len() as u64) as usize
            };
            for (n, frame) in batch.frames.iter().take(used).enumerate() {
                let sequence = batch.first + n as u64;
                assert_eq!(
                    &frame.payload[..8],
                    sequence.to_be_bytes(),
                    "the frame is the one its number says"
                );
                match self.last {
                    None => assert!(frame.is_video_key(), "a viewer starts at a keyframe"),
                    Some(last) if sequence != last + 1 => {
                        assert!(sequence > last, "a viewer never goes back");
                        assert!(frame.is_video_key(), "after a skip comes a keyframe");
                        self.skips += 1;
                    }
                    Some(_) => {}
                }
                self.last = Some(sequence);
                self.frames += 1;
            }
            self.cursor.advance(batch, used);
            if !self.diligent && random.below(3) == 0 {
                return;
            }
        }
    }
}

fn frame(sequence: u64, key: bool) -> Frame {
    let mut payload = vec![0; FRAME_BYTES];
    payload[..8].copy_from_slice(&sequence.to_be_bytes());
    let at = Timestamp::from_ms(sequence as i64 * 40);
    Frame { track: TrackId::VIDEO, codec: Codec::H264, dts: at, pts: at, key, payload: Bytes::from(payload) }
}

fn simulate(viewers: usize, frames: u64, seed: u64, lanes: usize) {
    let mut random = Random(seed);
    let log = LogConfig {
        bytes_max: 400 * FRAME_BYTES,
        time_max: Timestamp::from_ms(8_000),
        lag_kept: Timestamp::from_ms(3_000),
    };
    let hub = Hub::new(HubConfig { log, lanes, ..HubConfig::default() });
    let name = StreamName::parse("live/sim").unwrap();
    let mut publisher = hub.publish(&name, PublisherInfo::default(), Duration::ZERO).unwrap();
    publisher.set_track(Track::new(TrackId::VIDEO, Codec::H264, Bytes::from_static(&[1])));
    let mut all: Vec<Viewer> =
        (0..viewers).map(|n| Viewer::new(&hub, &name, n % 10 == 0, Duration::ZERO)).collect();
    let mut batch = Batch::default();
    let mut scratch = Vec::new();
    let mut gop = 0;
    for sequence in 0..frames {
        let now = Duration::from_millis(sequence * 40);
        gop = if sequence == 0 || random.below(gop + 1) > 30 { 0 } else { gop + 1 };
        publisher.push(frame(sequence, gop == 0), now);
        for lane in hub.lanes().iter() {
            lane.begin_round();
            while lane.call_some(64, &mut scratch) {}
        }
        for viewer in &mut all {
            if !viewer.called.0.swap(false, Ordering::Relaxed) && viewer.diligent {
                panic!("a watcher was not called");
            }
            if viewer.diligent || viewer.stall_until <= sequence {
                viewer.step(&mut batch, &mut random);
                if random.below(50) == 0 {
                    viewer.stall_until = sequence + random.below(600);
                }
            }
        }
        let log_bytes = hub.snapshot(&name, now).unwrap().log_bytes;
        assert!(log_bytes <= 400 * FRAME_BYTES, "the log is bounded whoever stalls");
    }
    for viewer in all.iter().filter(|viewer| viewer.diligent) {
        assert_eq!((viewer.frames, viewer.skips, viewer.cursor.skipped()), (frames, 0, 0));
    }
    let skips: u64 = all.iter().map(|viewer| viewer.skips).sum();
    assert!(frames < 1000 || skips > 0, "the simulation stalls somebody for long enough");
}

#[test]
fn three_thousand_cursors_stall_at_random() {
    simulate(3_000, 1_500, 0x5eed, 2);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn any_seed_holds(seed in any::<u64>(), viewers in 1usize..60, frames in 1u64..900, lanes in 1usize..4) {
        simulate(viewers, frames, seed, lanes);
    }
}
