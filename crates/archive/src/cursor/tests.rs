//! A broadcast on a made-up clock, kept as it goes, and viewers that come late, seek, pause and stall: each frame that they
//! get is the one that was published, once, in order.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::SystemTime;

use bytes::Bytes;
use headwater_hub::{
    Hub, HubConfig, LogConfig, PartContent, Publisher, PublisherInfo, Reader, StreamName, Takeover,
};
use headwater_media::{Codec, Frame, MediaKind, Track, TrackId};

use super::*;
use crate::archive::ArchiveConfig;
use crate::parts::PartMaker;
use crate::recordings::Recordings;
use crate::window::WindowConfig;

const STEP: i64 = 40;
const AAC: &[u8] = &[0x12, 0x10];

const fn ms(ms: i64) -> Timestamp {
    Timestamp::from_ms(ms)
}

/// A broadcast, and who keeps it.
struct Stage {
    hub: Hub,
    archive: Arc<Archive>,
    name: StreamName,
    publisher: Publisher,
    reader: Reader,
    kept: Option<(Arc<Window>, PartMaker)>,
    /// Added to the times of the publisher.
    base: i64,
    group: i64,
    /// Pictures so far.
    pictures: i64,
    published: Vec<Frame>,
}

impl Stage {
    fn new(group: i64, log: LogConfig, window: WindowConfig) -> Self {
        let hub = Hub::new(HubConfig { log, takeover: Takeover::Always, ..HubConfig::default() });
        let name = StreamName::parse("live/a").unwrap();
        let publisher = publish(&hub, &name);
        let reader = hub.reader(&name, Start::OldestKeyframe).unwrap();
        let archive = Arc::new(Archive::new(
            ArchiveConfig { window, ..ArchiveConfig::default() },
            Recordings::default(),
            None,
        ));
        let (kept, published) = (None, Vec::new());
        Self { hub, archive, name, publisher, reader, kept, base: 0, group, pictures: 0, published }
    }

    fn usual() -> Self {
        Self::new(25, LogConfig::default(), WindowConfig::default())
    }

    fn now(&self) -> Duration {
        Duration::from_millis((self.pictures * STEP) as u64)
    }

    /// The publisher goes, and comes back with another clock.
    fn reconnect(&mut self, base: i64) {
        self.publisher = publish(&self.hub, &self.name);
        self.base = base - self.pictures * STEP;
    }

    /// So many pictures, with their sound.
    fn play(&mut self, pictures: i64) {
        for _ in 0..pictures {
            let at = self.pictures * STEP + self.base;
            self.put(TrackId::VIDEO, at, self.pictures % self.group == 0);
            self.put(TrackId::AUDIO, at + 3, true);
            self.put(TrackId::AUDIO, at + 22, true);
            self.pictures += 1;
            self.keep();
        }
    }

    fn put(&mut self, track: TrackId, at: i64, key: bool) {
        let codec = if track == TrackId::VIDEO { Codec::H264 } else { Codec::Aac };
        let payload = Bytes::from(format!("{} {}", self.published.len(), "x".repeat(90)));
        let frame = Frame { track, codec, dts: ms(at), pts: ms(at), key, payload };
        self.published.push(frame.clone());
        self.publisher.push(frame, self.now());
    }

    fn keep(&mut self) {
        let (mut batch, now) = (Batch::default(), self.now());
        while let Some(reading) = self.reader.read(&mut batch) {
            match reading {
                headwater_hub::Reading::Frames => {
                    let (window, maker) = self.kept.get_or_insert_with(|| {
                        self.archive.begin(&self.name, self.reader.broadcast(), SystemTime::UNIX_EPOCH)
                    });
                    window.take(maker.put(&batch, now));
                    self.reader.advance(&batch, batch.frames.len());
                }
                headwater_hub::Reading::Lost(loss) => panic!("{loss:?}"),
                headwater_hub::Reading::Ended => break,
            }
        }
        for lane in self.hub.lanes().iter().filter(|lane| lane.begin_round()) {
            while lane.call_some(64, &mut Vec::new()) {}
        }
    }

    fn end(&mut self) {
        self.hub.stop(&self.name);
        let (window, maker) = self.kept.as_mut().unwrap();
        window.take(maker.finish());
        self.archive.end(window, Duration::ZERO);
    }

    fn watch(&self, change: impl FnOnce(BroadcastCursor) -> BroadcastCursor) -> Viewer {
        let live = self.hub.subscribe(&self.name, Start::NewestKeyframe, ms(5_000), self.now()).unwrap();
        let cursor = change(BroadcastCursor::new(Arc::clone(&self.archive), live));
        let called = Arc::new(Flag::default());
        let watch = cursor.watch(Arc::clone(&called) as Arc<dyn Watcher>);
        Viewer { cursor, called, _watch: watch, got: Vec::new(), told: Vec::new() }
    }

    /// Plays on at the pace of the clock; the viewer takes what there is.
    async fn show(&mut self, pictures: i64, viewer: &mut Viewer) {
        for _ in 0..pictures {
            self.play(1);
            tokio::time::sleep(Duration::from_millis(STEP as u64)).await;
            viewer.take();
        }
    }

    /// What a viewer has got is what was published, without a gap; times are at most so far from those of the log.
    fn check(&self, got: &[(u64, Frame)]) {
        for (pair, at) in got.windows(2).zip(1..) {
            assert_eq!(pair[1].0, pair[0].0 + 1, "behind frame {at} of {}", got.len());
        }
        for (sequence, frame) in got {
            let published = &self.published[*sequence as usize];
            assert_eq!(
                (&frame.payload, frame.track, frame.key),
                (&published.payload, published.track, published.key)
            );
        }
        let of = |kind| got.iter().map(|(_, frame)| frame).filter(move |frame| frame.track.kind == kind);
        for kind in [MediaKind::Video, MediaKind::Audio] {
            let times: Vec<_> = of(kind).map(|frame| frame.dts).collect();
            for pair in times.windows(2) {
                let step = (pair[1] - pair[0]).as_ms();
                assert!((0..=80).contains(&step), "{kind:?} jumps by {step} ms at {}", pair[0]);
            }
        }
    }
}

fn publish(hub: &Hub, name: &StreamName) -> Publisher {
    let mut publisher = hub.publish(name, PublisherInfo::default(), Duration::ZERO).unwrap();
    publisher.set_track(video(crate::parts::tests::AVC));
    publisher.set_track(Track::new(TrackId::AUDIO, Codec::Aac, Bytes::from_static(AAC)));
    publisher
}

fn video(config: &'static [u8]) -> Track {
    Track::new(TrackId::VIDEO, Codec::H264, Bytes::from_static(config))
}

#[derive(Default)]
struct Flag(AtomicBool);

impl Watcher for Flag {
    fn stream_changed(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

struct Viewer {
    cursor: BroadcastCursor,
    called: Arc<Flag>,
    _watch: Watch,
    got: Vec<(u64, Frame)>,
    /// Tracks that were told, and before which frame.
    told: Vec<(u64, Track)>,
}

impl Viewer {
    /// Takes what there is, if it was called.
    fn take(&mut self) {
        if self.called.0.swap(false, Ordering::Relaxed) {
            self.take_some(usize::MAX);
        }
    }

    fn take_some(&mut self, mut frames_max: usize) {
        let mut batch = Batch::default();
        while frames_max > 0 && self.cursor.read(&mut batch) == Next::Frames {
            let tracks = batch.setup.unseen(self.cursor.seen()).filter_map(|part| match part {
                PartContent::Track(track) => Some((batch.first, track.clone())),
                PartContent::Metadata(_) => None,
            });
            self.told.extend(tracks);
            let taken = batch.frames.len().min(frames_max);
            self.got.extend((batch.first..).zip(batch.frames.iter().take(taken).cloned()));
            self.cursor.advance(&batch, taken);
            frames_max -= taken;
        }
    }

    fn numbers(&self) -> (u64, u64) {
        (self.got.first().map_or(0, |first| first.0), self.got.last().map_or(0, |last| last.0))
    }

    const fn is_live(&self) -> bool {
        self.cursor.rewound.is_none()
    }
}

#[tokio::test(start_paused = true)]
async fn from_any_place_a_viewer_comes_to_the_head_without_a_frame_lost_doubled_or_out_of_order() {
    let mut stage = Stage::usual();
    stage.play(25 * 60);
    for place in (0..20).map(|number| number * 2_961 + 17) {
        let mut viewer = stage.watch(|cursor| cursor.at(Moment::Since(ms(place))));
        viewer.cursor.set_buffer(Duration::MAX);
        viewer.called.0.store(true, Ordering::Relaxed);
        stage.show(20, &mut viewer).await;
        stage.check(&viewer.got);
        let (first, last) = viewer.numbers();
        assert_eq!(first as i64, place / 1_000 * 75, "from {place}");
        assert_eq!(last as usize, stage.published.len() - 1);
        assert!(viewer.is_live());
        let told: Vec<_> = viewer.told.iter().map(|(before, track)| (*before, track.id)).collect();
        assert_eq!(told, [(first, TrackId::VIDEO), (first, TrackId::AUDIO)]);
        assert_eq!((viewer.cursor.skipped(), viewer.cursor.can_seek()), (0, true));
    }
    assert_eq!(stage.hub.snapshot(&stage.name, stage.now()).unwrap().viewers, 0);
}

#[tokio::test(start_paused = true)]
async fn a_rewound_viewer_is_paced_and_counted_and_stays_behind() {
    let mut stage = Stage::usual();
    stage.play(25 * 60);
    let mut viewer = stage.watch(|cursor| cursor.at(Moment::Ago(ms(30_000))));
    assert_eq!(stage.hub.snapshot(&stage.name, stage.now()).unwrap().viewers, 1);
    viewer.take_some(1);
    for second in 1..=5 {
        stage.show(25, &mut viewer).await;
        let got = viewer.got.last().unwrap().1.dts - viewer.got[0].1.dts;
        let ahead = (got - ms(second * 1_000)).as_ms();
        // The buffer is of three seconds; it is kept full in portions, and parts are not cut.
        assert!((2_500..=3_500).contains(&ahead), "{ahead} ms at second {second}");
    }
    assert!(!viewer.is_live() && viewer.cursor.fill() == Fill::Kept);
    // To the head, and back again.
    assert_eq!(viewer.cursor.seek(ms(1_000_000)), ms(64_000));
    let before = viewer.got.len();
    stage.show(50, &mut viewer).await;
    stage.check(&viewer.got[before..]);
    assert!(viewer.is_live() && viewer.numbers().1 as usize == stage.published.len() - 1);
    let before = viewer.got.len();
    assert_eq!(viewer.cursor.seek(ms(12_345)), ms(12_000));
    stage.show(50, &mut viewer).await;
    stage.check(&viewer.got[before..]);
    assert_eq!(viewer.got[before].0, 12 * 75);
    stage.end();
    viewer.cursor.set_buffer(Duration::MAX);
    tokio::time::sleep(Duration::from_secs(1)).await;
    viewer.take_some(usize::MAX);
    stage.check(&viewer.got[before..]);
    assert_eq!(
        (viewer.cursor.read(&mut Batch::default()), viewer.cursor.end()),
        (Next::Ended, Some(End::Over))
    );
    assert_eq!(viewer.numbers().1 as usize, stage.published.len() - 1);
}

#[tokio::test(start_paused = true)]
async fn a_pause_is_as_long_as_the_viewer_likes() {
    for seconds in [1, 4, 20, 100] {
        let mut stage = Stage::usual();
        stage.play(30);
        let mut viewer = stage.watch(|cursor| cursor);
        stage.show(60, &mut viewer).await;
        assert!(viewer.is_live());
        viewer.cursor.rest();
        stage.play(25 * seconds);
        tokio::time::sleep(Duration::from_secs(seconds as u64)).await;
        // A player that says nothing of where it is has all that it was sent.
        viewer.cursor.resume(if seconds == 4 { Timestamp::ZERO } else { viewer.cursor.position() });
        stage.show(100, &mut viewer).await;
        stage.check(&viewer.got);
        assert_eq!((viewer.cursor.skipped(), viewer.is_live()), (0, seconds < 5), "{seconds} s");
        viewer.cursor.set_buffer(Duration::MAX);
        stage.show(10, &mut viewer).await;
        stage.check(&viewer.got);
        assert!(viewer.is_live() && viewer.numbers().1 as usize == stage.published.len() - 1);
        assert_eq!(viewer.told.len(), 2, "configurations were told again");
    }
}

#[tokio::test(start_paused = true)]
async fn who_has_thrown_its_buffer_away_gets_it_again() {
    let mut stage = Stage::usual();
    stage.play(25 * 10);
    let mut viewer = stage.watch(|cursor| cursor);
    stage.show(100, &mut viewer).await;
    viewer.cursor.rest();
    viewer.cursor.resume(ms(11_000));
    let before = viewer.got.len();
    stage.show(30, &mut viewer).await;
    stage.check(&viewer.got[before..]);
    // The picture at 11,000 it has; the sound that came behind it, it has not.
    assert_eq!(viewer.got[before].0, 11_000 / 40 * 3 + 1);
}

#[tokio::test(start_paused = true)]
async fn whom_the_front_of_the_window_passes_goes_on_at_the_oldest_that_is_kept() {
    let length = ms(10_000);
    let mut stage = Stage::new(25, LogConfig::default(), WindowConfig { length, ..WindowConfig::default() });
    stage.play(25 * 30);
    let mut viewer = stage.watch(|cursor| cursor.at(Moment::Since(ms(1_000))));
    viewer.take_some(1);
    stage.show(1, &mut viewer).await;
    let oldest = viewer.got[0].0;
    assert!(oldest >= 18 * 75, "it begins at the oldest that is kept: {oldest}");
    // It reads nothing for half a minute.
    stage.play(25 * 30);
    viewer.called.0.store(true, Ordering::Relaxed);
    stage.show(50, &mut viewer).await;
    let gap = viewer.got.windows(2).position(|pair| pair[1].0 != pair[0].0 + 1).unwrap() + 1;
    stage.check(&viewer.got[..gap]);
    stage.check(&viewer.got[gap..]);
    let skipped = viewer.got[gap].0 - viewer.got[gap - 1].0 - 1;
    assert_eq!(viewer.cursor.skipped(), skipped);
    assert_eq!(stage.hub.snapshot(&stage.name, stage.now()).unwrap().frames_skipped, skipped);
    assert!(viewer.got[gap].1.is_video_key());
    assert!(viewer.got[gap].1.dts - viewer.got[gap - 1].1.dts > ms(15_000));
}

#[tokio::test(start_paused = true)]
async fn a_group_longer_than_the_log_leaves_nobody_without_a_picture() {
    let log = LogConfig { bytes_max: 60_000, ..LogConfig::default() };
    let mut stage = Stage::new(25 * 60, log, WindowConfig::default());
    stage.play(25 * 40);
    let mut viewer = stage.watch(|cursor| cursor);
    viewer.take_some(1);
    stage.show(5, &mut viewer).await;
    stage.check(&viewer.got);
    // It gets all of the group at once, and is where everybody is.
    assert_eq!(viewer.numbers(), (0, stage.published.len() as u64 - 1));
    assert!(viewer.is_live() && viewer.cursor.skipped() == 0);
    // So does who was too slow for the log in the middle of a group.
    stage.play(25 * 15);
    stage.show(5, &mut viewer).await;
    stage.check(&viewer.got);
    assert!(viewer.numbers().1 as usize == stage.published.len() - 1 && viewer.is_live());
    // On the way to the head a newer key frame comes: a viewer of the head is moved on to it.
    let mut slow = stage.watch(|cursor| cursor);
    slow.take_some(1);
    tokio::time::sleep(Duration::from_secs(1)).await;
    slow.take_some(10);
    stage.play(25 * 6);
    stage.show(5, &mut slow).await;
    assert_eq!(slow.got.iter().filter(|(_, frame)| frame.is_video_key()).count(), 2);
    assert!(slow.cursor.skipped() > 0 && slow.is_live());
}

#[tokio::test(start_paused = true)]
async fn a_publisher_that_comes_back_with_another_clock_is_one_line_of_time() {
    let mut stage = Stage::usual();
    stage.play(25 * 8);
    for base in [9_000_000, 0, 77_777] {
        stage.reconnect(base);
        stage.play(25 * 8);
    }
    let mut viewer = stage.watch(|cursor| cursor.at(Moment::Since(ms(2_500))));
    viewer.cursor.set_buffer(Duration::MAX);
    viewer.take_some(1);
    stage.show(20, &mut viewer).await;
    stage.check(&viewer.got);
    assert_eq!(viewer.numbers(), (150, stage.published.len() as u64 - 1));
}

#[tokio::test(start_paused = true)]
async fn a_configuration_is_told_before_its_first_frame_and_again_behind_a_seek() {
    let mut stage = Stage::usual();
    stage.play(25 * 4);
    const OTHER: &[u8] = &[
        1, 66, 0, 31, 0xFF, 0xE1, 0, 26, 0x67, 0x4D, 0x40, 0x1F, 0xA6, 0x11, 0x02, 0x80, 0xBF, 0xE5, 0xC0,
        0x44, 0, 0, 3, 0, 4, 0, 0, 3, 0, 0xC8, 0x3C, 0x60, 0xC8, 0x46, 1, 0, 5, 0x68, 0xE8, 0x43, 0x32, 0xC8,
    ];
    stage.publisher.set_track(video(OTHER));
    stage.play(25 * 4);
    let mut viewer = stage.watch(|cursor| cursor.at(Moment::Since(ms(1_000))));
    viewer.cursor.set_buffer(Duration::MAX);
    viewer.take_some(1);
    stage.show(20, &mut viewer).await;
    stage.check(&viewer.got);
    let told = |viewer: &Viewer| -> Vec<_> {
        viewer.told.iter().map(|(before, track)| (*before, track.id, track.config == OTHER)).collect()
    };
    let whole = [(75, TrackId::VIDEO, false), (75, TrackId::AUDIO, false), (300, TrackId::VIDEO, true)];
    assert_eq!(told(&viewer), whole);
    for at in [1_000, 6_000] {
        viewer.told.clear();
        viewer.cursor.seek(ms(at));
        stage.show(10, &mut viewer).await;
        let expected = if at == 1_000 {
            &whole[..]
        } else {
            &[(450, TrackId::VIDEO, true), (450, TrackId::AUDIO, false)]
        };
        assert_eq!(told(&viewer), expected);
    }
}

/// A small deterministic generator, so that a failing seed can be run again.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }
}

#[tokio::test(start_paused = true)]
async fn whatever_viewers_do_they_get_what_was_published_from_a_key_frame_on() {
    for seed in 0..6 {
        let mut random = Random(seed);
        let length = ms(20_000);
        let log = LogConfig { bytes_max: 100_000, ..LogConfig::default() };
        let mut stage = Stage::new(40, log, WindowConfig { length, ..WindowConfig::default() });
        stage.play(300);
        let mut viewers: Vec<_> = (0..12).map(|_| (stage.watch(|cursor| cursor), 0, false)).collect();
        for _ in 0..1_500 {
            stage.play(1);
            tokio::time::sleep(Duration::from_millis(STEP as u64)).await;
            for (viewer, breaks, is_resting) in &mut viewers {
                match random.below(200) {
                    0 => {
                        let at =
                            stage.pictures as u64 * 40 - random.below(30_000).min(stage.pictures as u64 * 40);
                        viewer.cursor.seek(ms(at as i64));
                        *breaks = viewer.got.len();
                    }
                    1 if !*is_resting => {
                        viewer.cursor.rest();
                        *is_resting = true;
                    }
                    2..10 if *is_resting => {
                        viewer.cursor.resume(Timestamp::ZERO);
                        *is_resting = false;
                    }
                    _ if *is_resting => {}
                    100.. => viewer.take_some(random.below(9) as usize + 1),
                    _ => viewer.take(),
                }
                let fresh = &viewer.got[*breaks..];
                if let Some(at) = fresh.windows(2).position(|pair| pair[1].0 != pair[0].0 + 1) {
                    assert!(viewer.cursor.skipped() > 0, "frames are missing and nothing is said");
                    stage.check(&fresh[..=at]);
                    *breaks += at + 1;
                }
                if let Some((_, first)) = viewer.got.get(*breaks) {
                    assert!(first.is_video_key(), "it began in the middle of a group");
                }
            }
        }
        for (viewer, breaks, _) in &viewers {
            stage.check(&viewer.got[*breaks..]);
            assert!(viewer.got.len() > 300, "{}", viewer.got.len());
        }
    }
}
