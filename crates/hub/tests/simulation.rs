//! Thousands of cursors that stall at random, in one thread and on a made-up clock.
//!
//! Whatever happens: a viewer starts at a keyframe, never goes back, sees every frame between two
//! skips, and lands on a keyframe after one, unless none has come for two seconds; memory stays within the log's bounds; a viewer that never
//! stalls never misses a frame. A reader sees every frame once or is told that it is lost, to the frame
//! and to the millisecond; all agree on the groups.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use headwater_hub::{
    Batch, Hub, HubConfig, LogConfig, Loss, Next, PublisherInfo, Reader, Reading, Start, StreamName,
    Subscriber, Watch, Watcher,
};
use headwater_media::{Codec, Frame, Timestamp, Track, TrackId};
use proptest::prelude::*;

const FRAME_BYTES: usize = 1000;
const FRAME_MS: u64 = 40;
/// What the log holds, at most.
const LOG_FRAMES: usize = 200;
/// A viewer waits no longer for a keyframe.
const KEYFRAME_WAIT_FRAMES: u64 = 2_000 / FRAME_MS;

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
        let lag_max = Timestamp::from_ms(3_000);
        let cursor = hub.subscribe(name, Start::NewestKeyframe, lag_max, now).unwrap();
        let called = Arc::new(Called::default());
        let watch = cursor.watch(Arc::clone(&called) as Arc<dyn Watcher>);
        Self { cursor, _watch: watch, called, stall_until: 0, diligent, last: None, frames: 0, skips: 0 }
    }

    /// Reads what it can, checks it, uses a random part of it.
    fn step(&mut self, batch: &mut Batch, random: &mut Random, keys: &[u64]) {
        let may_begin = |sequence: u64| {
            let newest = keys.partition_point(|key| *key <= sequence).checked_sub(1).map_or(0, |at| keys[at]);
            newest == sequence || sequence - newest >= KEYFRAME_WAIT_FRAMES
        };
        while self.cursor.read(batch) == Next::Frames {
            let used = if self.diligent {
                batch.frames.len()
            } else {
                1 + random.below(batch.frames.len() as u64) as usize
            };
            for n in 0..used {
                let sequence = batch.first + n as u64;
                check(batch, n);
                match self.last {
                    None => assert!(may_begin(sequence), "a viewer starts at a keyframe"),
                    Some(last) if sequence != last + 1 => {
                        assert!(sequence > last, "a viewer never goes back");
                        assert!(may_begin(sequence), "after a skip comes a keyframe");
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

/// Reads like a recorder; some of them stall.
struct Worker {
    reader: Reader,
    _watch: Watch,
    called: Arc<Called>,
    stall_until: u64,
    diligent: bool,
    first: Option<u64>,
    /// The frame that must come next, unless it is told as lost.
    next: Option<u64>,
    /// Whether a frame has been read since the last loss; the first one and the next must be keyframes.
    going: bool,
    read: u64,
    told: u64,
    ended: bool,
}

impl Worker {
    fn new(hub: &Hub, name: &StreamName, start: Start, diligent: bool) -> Self {
        let reader = hub.reader(name, start).unwrap();
        let called = Arc::new(Called::default());
        let watch = reader.watch(Arc::clone(&called) as Arc<dyn Watcher>);
        Self {
            reader,
            _watch: watch,
            called,
            stall_until: 0,
            diligent,
            first: None,
            next: None,
            going: false,
            read: 0,
            told: 0,
            ended: false,
        }
    }

    /// Reads what it can, checks it, uses a random part of it. The log's head is at `head`.
    fn step(&mut self, batch: &mut Batch, random: &mut Random, head: u64) {
        while let Some(reading) = self.reader.read(batch) {
            match reading {
                Reading::Frames => self.take(batch, 1 + random.below(batch.frames.len() as u64) as usize),
                Reading::Lost(loss) => self.lose(loss, head),
                Reading::Ended => {
                    self.ended = true;
                    return;
                }
            }
            if !self.diligent && random.below(3) == 0 {
                return;
            }
        }
    }

    fn take(&mut self, batch: &Batch, used: usize) {
        for (n, frame) in batch.frames.iter().take(used).enumerate() {
            let sequence = batch.first + n as u64;
            check(batch, n);
            assert!(self.going || frame.is_video_key(), "a reader starts and goes on at a keyframe");
            assert_eq!(sequence, *self.next.get_or_insert(sequence), "nothing twice, nothing left out");
            self.first.get_or_insert(sequence);
            self.next = Some(sequence + 1);
            self.going = true;
            self.read += 1;
        }
        self.reader.advance(batch, used);
        assert_eq!(self.reader.seen().map(|seen| seen + 1), self.next);
    }

    fn lose(&mut self, loss: Loss, head: u64) {
        let Loss { from, to, duration } = loss;
        assert!(from < to && to <= head);
        assert_eq!(from, *self.next.get_or_insert(from), "what is lost comes next");
        self.first.get_or_insert(from);
        // From the last frame read, or from the frame at which it was to begin or to go on.
        let since = if self.going { from - 1 } else { from };
        let until = if to == head { head - 1 } else { to };
        assert_eq!(duration.as_ms(), ((until - since) * FRAME_MS) as i64);
        assert!(!self.diligent, "who reads in time loses nothing");
        self.next = Some(to);
        self.going = false;
        self.told += loss.frames();
    }

    fn check_end(&self, head: u64) {
        assert!(self.ended);
        let first = self.first.unwrap_or(head);
        assert_eq!(self.read + self.told, head - first, "every frame once, read or told");
        assert_eq!(self.reader.lost(), self.told);
    }
}

/// The frame is the one that its number says, and of the group that it was pushed in.
fn check(batch: &Batch, n: usize) {
    let sequence = batch.first + n as u64;
    let group = batch.group(n).unwrap();
    let said = [sequence.to_be_bytes(), group.number.to_be_bytes()].concat();
    assert_eq!(&batch.frames[n].payload[..16], said, "frame {sequence}, {group:?}");
    assert_eq!(batch.frames[n].key, group.first == sequence);
}

fn frame(sequence: u64, group: u64, key: bool) -> Frame {
    let mut payload = vec![0; FRAME_BYTES];
    payload[..8].copy_from_slice(&sequence.to_be_bytes());
    payload[8..16].copy_from_slice(&group.to_be_bytes());
    let at = Timestamp::from_ms((sequence * FRAME_MS) as i64);
    Frame { track: TrackId::VIDEO, codec: Codec::H264, dts: at, pts: at, key, payload: Bytes::from(payload) }
}

#[derive(Clone, Copy, Debug)]
struct Scenario {
    viewers: usize,
    readers: usize,
    frames: u64,
    /// Frames of a group, at least; the log may not hold them all.
    group_min: u64,
    lanes: usize,
    seed: u64,
}

fn simulate(scenario: Scenario) {
    let Scenario { viewers, readers, frames, group_min, lanes, seed } = scenario;
    let mut random = Random(seed);
    let bytes_max = LOG_FRAMES * (FRAME_BYTES + size_of::<Frame>());
    let log = LogConfig { bytes_max, lag_kept: Timestamp::from_ms(3_000) };
    let hub = Hub::new(HubConfig { log, lanes, ..HubConfig::default() });
    let name = StreamName::parse("live/sim").unwrap();
    let mut publisher = hub.publish(&name, PublisherInfo::default(), Duration::ZERO).unwrap();
    publisher.set_track(Track::new(TrackId::VIDEO, Codec::H264, Bytes::from_static(&[1])));
    let mut all: Vec<Viewer> =
        (0..viewers).map(|n| Viewer::new(&hub, &name, n % 10 == 0, Duration::ZERO)).collect();
    let mut workers: Vec<Worker> = Vec::new();
    let mut batch = Batch::default();
    let mut scratch = Vec::new();
    let (mut gop, mut group) = (0, 0);
    let mut keys = Vec::new();
    for sequence in 0..frames {
        let now = Duration::from_millis(sequence * FRAME_MS);
        gop = if sequence == 0 || random.below(gop + 1) > group_min { 0 } else { gop + 1 };
        if gop == 0 {
            group += 1;
            keys.push(sequence);
        }
        publisher.push(frame(sequence, group, gop == 0), now);
        // They come one by one, half of them before there is anything.
        if workers.len() < readers && (workers.len() < readers / 2 || random.below(frames) < 3) {
            let starts = [Start::OldestKeyframe, Start::NewestKeyframe, Start::NextKeyframe];
            let n = workers.len();
            workers.push(Worker::new(&hub, &name, starts[n % 3], n.is_multiple_of(5)));
        }
        for lane in hub.lanes().iter() {
            lane.begin_round();
            while lane.call_some(64, &mut scratch) {}
        }
        for viewer in &mut all {
            if !viewer.called.0.swap(false, Ordering::Relaxed) && viewer.diligent {
                panic!("a watcher was not called");
            }
            if viewer.diligent || viewer.stall_until <= sequence {
                viewer.step(&mut batch, &mut random, &keys);
                if random.below(50) == 0 {
                    viewer.stall_until = sequence + random.below(600);
                }
            }
        }
        for worker in &mut workers {
            let called = worker.called.0.swap(false, Ordering::Relaxed);
            assert!(called || !worker.diligent || worker.first.is_none(), "a watcher was not called");
            if worker.diligent || worker.stall_until <= sequence {
                worker.step(&mut batch, &mut random, sequence + 1);
                if random.below(50) == 0 {
                    worker.stall_until = sequence + random.below(900);
                }
            }
        }
        let log_bytes = hub.snapshot(&name, now).unwrap().log_bytes;
        assert!(log_bytes <= LOG_FRAMES * FRAME_BYTES, "the log is bounded whoever stalls");
    }
    for viewer in all.iter().filter(|viewer| viewer.diligent) {
        assert_eq!((viewer.frames, viewer.skips, viewer.cursor.skipped()), (frames, 0, 0));
    }
    drop(publisher);
    let told = end(&hub, &mut workers, frames, &mut random);
    assert!(frames < 1000 || readers < 10 || told > 0, "the simulation stalls some reader for long enough");
    let skips: u64 = all.iter().map(|viewer| viewer.skips).sum();
    assert!(frames < 1000 || skips > 0, "the simulation stalls somebody for long enough");
}

/// Ends the broadcast of so many frames; the readers read what is left. Returns how many frames they have
/// lost in all.
fn end(hub: &Hub, workers: &mut [Worker], frames: u64, random: &mut Random) -> u64 {
    let now = Duration::from_millis(frames * FRAME_MS);
    hub.sweep(now);
    hub.sweep(now + HubConfig::default().reconnect_window);
    let mut batch = Batch::default();
    for worker in &mut *workers {
        while !worker.ended {
            worker.step(&mut batch, random, frames);
        }
        worker.check_end(frames);
    }
    let told: u64 = workers.iter().map(|worker| worker.told).sum();
    if let Some(worker) = workers.first() {
        let snapshot = worker.reader.snapshot(now);
        assert_eq!((snapshot.frames_lost, snapshot.readers), (told, workers.len()));
    }
    told
}

#[test]
fn three_thousand_cursors_stall_at_random() {
    let scenario =
        Scenario { viewers: 3_000, readers: 60, frames: 1_500, group_min: 30, lanes: 2, seed: 0x5eed };
    simulate(scenario);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn any_seed_holds(
        seed in any::<u64>(),
        (viewers, readers) in (1usize..60, 0usize..20),
        frames in 1u64..900,
        // Also groups that the log cannot hold whole.
        group_min in prop_oneof![Just(0u64), Just(30), Just(250)],
        lanes in 1usize..4,
    ) {
        simulate(Scenario { viewers, readers, frames, group_min, lanes, seed });
    }
}
