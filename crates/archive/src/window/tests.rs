//! A window is filled as a broadcast fills it, and found in every way that its readers have.

use std::time::Duration;

use bytes::Bytes;
use headwater_hub::{Batch, DecoderSetup, PartContent};
use headwater_media::{Codec, Frame, Track};

use super::*;
use crate::parts::{PartMaker, PartsConfig};

const AAC: &[u8] = &[0x12, 0x10];

struct Filled {
    window: Window,
    maker: PartMaker,
    setup: Arc<DecoderSetup>,
    sequence: u64,
    frames: Vec<Frame>,
}

impl Filled {
    fn new(config: WindowConfig) -> Self {
        let avc = Bytes::from_static(crate::parts::tests::AVC);
        let tracks = [
            Track::new(TrackId::VIDEO, Codec::H264, avc),
            Track::new(TrackId::AUDIO, Codec::Aac, Bytes::from_static(AAC)),
        ];
        let name = StreamName::parse("live/a").unwrap();
        Self {
            window: Window::new(name, 1, SystemTime::UNIX_EPOCH, config, 0, InAll::default()),
            maker: PartMaker::new(PartsConfig::default(), 7),
            setup: Arc::new(DecoderSetup::new(tracks.map(PartContent::Track), 0)),
            sequence: 0,
            frames: Vec::new(),
        }
    }

    /// Pictures and sound, a group a second, from `from` to `to` seconds.
    fn play(&mut self, from: i64, to: i64) {
        for picture in from * 25..to * 25 {
            self.put(TrackId::VIDEO, picture * 40, picture % 25 == 0);
            for half in [3, 22] {
                self.put(TrackId::AUDIO, picture * 40 + half, true);
            }
        }
    }

    fn put(&mut self, track: TrackId, ms: i64, key: bool) {
        let at = Timestamp::from_ms(ms);
        let codec = self.setup.track(track).unwrap().codec;
        let payload = Bytes::from(vec![self.sequence as u8; 100]);
        let frame = Frame { track, codec, dts: at, pts: at, key, payload };
        let mut batch = Batch::default();
        batch.refill(self.sequence, &self.setup, [frame.clone()]);
        self.frames.push(frame);
        self.sequence += 1;
        self.window.take(self.maker.put(&batch, Duration::from_millis(ms as u64)));
    }

    fn end(&mut self) {
        self.window.take(self.maker.finish());
        self.window.end();
    }

    /// All frames from `at` on, put in the order of the log as a cursor does.
    fn read_from(&self, at: Timestamp) -> Vec<(u64, Frame)> {
        let entry = self.window.entry(at).unwrap();
        let (mut ordinal, mut waiting, mut read) = (entry.ordinal, Vec::new(), Vec::new());
        while let Lookup::Part(kept) = self.window.lookup(ordinal) {
            let Data::Memory(bytes) = kept.data() else { panic!("there is no file") };
            waiting.extend(kept.part().frames(&bytes).filter(|(sequence, _)| *sequence >= entry.sequence));
            waiting.sort_by_key(|(sequence, _)| *sequence);
            let whole = waiting.partition_point(|(sequence, _)| *sequence < kept.part().complete_to);
            read.extend(waiting.drain(..whole));
            ordinal += 1;
        }
        read.extend(waiting);
        read
    }
}

#[test]
fn frames_come_out_in_the_order_of_the_log_from_any_time() {
    let mut filled = Filled::new(WindowConfig::default());
    filled.play(0, 12);
    filled.end();
    for ms in (0..11_900).step_by(130) {
        let at = Timestamp::from_ms(ms);
        let read = filled.read_from(at);
        let (first, frame) = &read[0];
        assert!(frame.is_video_key() && frame.dts <= at && frame.dts > at - Timestamp::from_ms(1_000));
        let numbers: Vec<_> = read.iter().map(|(sequence, _)| *sequence).collect();
        assert_eq!(numbers, (*first..filled.sequence).collect::<Vec<_>>());
        for (sequence, frame) in &read {
            assert_eq!(frame.payload, filled.frames[*sequence as usize].payload);
        }
    }
    assert_eq!(filled.window.next_start(Timestamp::from_ms(2_001)), Some(Timestamp::from_ms(3_000)));
    assert_eq!(filled.window.next_start(Timestamp::from_ms(11_001)), None);
    let (kept, sample) = filled.window.newest_picture().unwrap();
    let Data::Memory(bytes) = kept.data() else { panic!("there is no file") };
    assert_eq!(kept.part().frames(&bytes).nth(sample).unwrap().1.dts, Timestamp::from_ms(11_000));
}

#[test]
fn an_outline_has_all_segments_with_times_that_add_up() {
    let mut filled = Filled::new(WindowConfig::default());
    filled.play(0, 9);
    for rendition in [TrackId::VIDEO, TrackId::AUDIO] {
        let outline = filled.window.outline(rendition).unwrap();
        let numbers: Vec<_> = outline.segments.iter().map(|it| (it.number, it.at.as_ms())).collect();
        assert_eq!(numbers, [(7, 0), (8, 2_000), (9, 4_000), (10, 6_000), (11, 8_000)]);
        assert!(
            outline.segments[..4]
                .iter()
                .all(|it| it.is_complete && it.until == Some(it.at + Timestamp::from_ms(2_000)))
        );
        let last = &outline.segments[4];
        assert!(!last.is_complete && last.until.is_none() && !last.is_empty() && !outline.is_ended);
        assert!(
            outline.part_target <= Timestamp::from_ms(335) && outline.part_target > Timestamp::from_ms(220)
        );
        assert_eq!(filled.window.segment(rendition, 8).unwrap().parts.len(), outline.segments[1].parts.len());
        assert!(
            filled.window.segment(rendition, 12).is_none() && filled.window.segment(rendition, 6).is_none()
        );
        let part = filled.window.part(rendition, 9, 1).unwrap();
        assert_eq!((part.part().segment, part.part().number, part.part().rendition()), (9, 1, rendition));
    }
    let inits = filled.window.renditions();
    assert_eq!(inits.iter().map(|init| init.rendition).collect::<Vec<_>>(), [TrackId::VIDEO, TrackId::AUDIO]);
    filled.end();
    let outline = filled.window.outline(TrackId::VIDEO).unwrap();
    assert!(outline.is_ended && outline.segments.iter().all(|it| it.is_complete && it.until.is_some()));
}

#[test]
fn what_is_too_old_or_too_much_goes_by_whole_segments() {
    let length = Timestamp::from_ms(10_000);
    let mut filled = Filled::new(WindowConfig { length, ..WindowConfig::default() });
    filled.play(0, 60);
    let range = filled.window.range();
    assert!((10_000..=12_500).contains(&(range.to - range.from).as_ms()), "{range:?}");
    let outline = filled.window.outline(TrackId::VIDEO).unwrap();
    assert_eq!(outline.segments[0].at, range.from);
    assert!(matches!(filled.window.lookup(0), Lookup::Gone(oldest) if oldest > 300));
    assert_eq!(filled.window.entry(Timestamp::ZERO).unwrap().at, range.from);
    let steady = filled.window.bytes();
    filled.play(60, 240);
    let now = filled.window.bytes();
    assert!(now < steady * 13 / 10, "{steady} became {now}: memory is not flat");
    assert_eq!(filled.window.in_all.memory(), now);

    let memory_max = 100_000;
    let mut small = Filled::new(WindowConfig { memory_max, ..WindowConfig::default() });
    small.play(0, 60);
    assert!(small.window.bytes() <= memory_max + 50_000, "{}", small.window.bytes());
    let in_all = small.window.in_all.clone();
    drop(small);
    assert_eq!(in_all.memory(), 0);
}

#[tokio::test]
async fn who_waits_is_woken_by_the_part_and_by_the_end() {
    let mut filled = Filled::new(WindowConfig::default());
    filled.play(0, 3);
    let window = &filled.window;
    assert!(window.reached(TrackId::VIDEO, 7, None).await);
    assert!(window.reached(TrackId::VIDEO, 8, Some(0)).await);
    assert!(!window.reached(TrackId { kind: MediaKind::Video, index: 3 }, 8, Some(0)).await);
    let reach = window.reach(TrackId::VIDEO).unwrap();
    assert!(!reach.borrow().has(8, Some(4)) && !reach.borrow().has(8, None));
    let mut waits = std::pin::pin!(async {
        let mut reach = reach.clone();
        reach.wait_for(|reach| reach.has(8, Some(4))).await.is_ok()
    });
    let is_still = tokio::time::timeout(Duration::ZERO, &mut waits).await.is_err();
    assert!(is_still);
    filled.play(3, 4);
    assert!(waits.await);
    let mut growth = filled.window.growth();
    growth.mark_unchanged();
    filled.end();
    assert!(growth.wait_for(|growth| growth.is_ended).await.is_ok());
    assert!(!filled.window.reached(TrackId::VIDEO, 99, None).await, "it will never come");
    assert!(matches!(filled.window.lookup(1_000_000), Lookup::Ended));
}
