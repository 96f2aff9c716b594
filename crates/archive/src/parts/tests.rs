//! Broadcasts that are made up, and what becomes of them: every frame once, in its place, in parts and segments of the
//! promised lengths.

use std::collections::{BTreeMap, BTreeSet};

use headwater_hub::PartContent;
use headwater_media::index::Index;
use headwater_media::mp4::Scan;
use headwater_media::{Codec, Track};
use proptest::prelude::*;

use super::*;

/// 640x360.
pub(crate) const AVC: &[u8] = &[
    1, 77, 64, 31, 0xFF, 0xE1, 0, 26, 0x67, 0x4D, 0x40, 0x1F, 0xA6, 0x11, 0x02, 0x80, 0xBF, 0xE5, 0xC0, 0x44,
    0, 0, 3, 0, 4, 0, 0, 3, 0, 0xC8, 0x3C, 0x60, 0xC8, 0x46, 1, 0, 5, 0x68, 0xE8, 0x43, 0x32, 0xC8,
];
/// 44.1 kHz, and 48 kHz.
pub(crate) const AAC: &[u8] = &[0x12, 0x10];
pub(crate) const AAC_48: &[u8] = &[0x11, 0x90];

pub(crate) fn video() -> Track {
    Track::new(TrackId::VIDEO, Codec::H264, Bytes::from_static(AVC))
}

/// As [`video`], with another configuration.
fn turned() -> Track {
    let mut config = AVC.to_vec();
    config[1] = 0x64;
    Track::new(TrackId::VIDEO, Codec::H264, config.into())
}

pub(crate) fn sound(config: &'static [u8]) -> Track {
    Track::new(TrackId::AUDIO, Codec::Aac, Bytes::from_static(config))
}

/// A broadcast as it is put in frame by frame, and all that was made of it.
pub(crate) struct Broadcast {
    maker: PartMaker,
    setup: Arc<DecoderSetup>,
    sequence: u64,
    /// How much later than its time says it is on the wall.
    late: Duration,
    pub(crate) frames: Vec<(u64, Frame)>,
    pub(crate) made: Vec<Made>,
}

impl Broadcast {
    pub(crate) fn new(tracks: &[Track]) -> Self {
        let mut broadcast = Self {
            maker: PartMaker::new(PartsConfig::default(), 100),
            setup: Arc::default(),
            sequence: 0,
            late: Duration::ZERO,
            frames: Vec::new(),
            made: Vec::new(),
        };
        tracks.iter().for_each(|track| broadcast.set(track.clone()));
        broadcast
    }

    pub(crate) fn set(&mut self, track: Track) {
        self.setup = Arc::new(self.setup.with(PartContent::Track(track), self.sequence));
    }

    pub(crate) fn put(&mut self, id: TrackId, ms: i64, key: bool) {
        let codec = self.setup.track(id).map_or(Codec::Script, |track| track.codec);
        let payload =
            Bytes::from(format!("{:?} {} {}", id.kind, self.sequence, "x".repeat((ms % 50) as usize)));
        let dts = Timestamp::from_ms(ms);
        let pts = if id.kind == MediaKind::Video { dts + Timestamp::from_ms(ms % 3 * 40) } else { dts };
        let frame = Frame { track: id, codec, dts, pts, key, payload };
        let mut batch = Batch::default();
        batch.refill(self.sequence, &self.setup, [frame.clone()]);
        self.frames.push((self.sequence, frame));
        self.sequence += 1;
        let now = Duration::from_millis(ms as u64) + self.late;
        while self.maker.deadline().is_some_and(|due| due <= now) {
            let due = self.maker.deadline().unwrap();
            self.made.extend(self.maker.due(due));
        }
        self.made.extend(self.maker.put(&batch, now));
    }

    /// Pictures each `step` ms with a key frame each `group` of them, and sound, from `from` to `to`.
    pub(crate) fn play(&mut self, from: i64, to: i64, step: f64, group: i64) {
        let mut events: Vec<(i64, TrackId, bool)> = Vec::new();
        if self.setup.track(TrackId::VIDEO).is_some() {
            let times = (0..).map(|n| (n, from + (n as f64 * step) as i64)).take_while(|(_, at)| *at < to);
            events.extend(times.map(|(n, at)| (at, TrackId::VIDEO, n % group == 0)));
        }
        if let Some(track) = self.setup.track(TrackId::AUDIO) {
            let rate = if track.config == AAC { 44_100 } else { 48_000 };
            let times = (0..).map(|n| from + n * 1024 * 1000 / rate).take_while(|at| *at < to);
            events.extend(times.map(|at| (at, TrackId::AUDIO, true)));
        }
        events.sort_by_key(|(at, id, _)| (*at, *id));
        events.into_iter().for_each(|(at, id, key)| self.put(id, at, key));
    }

    pub(crate) fn end(mut self) -> Self {
        self.made.extend(self.maker.finish());
        self
    }

    pub(crate) fn parts(&self) -> impl Iterator<Item = &Arc<Part>> {
        self.parts_and_bytes().map(|(part, _)| part)
    }

    pub(crate) fn parts_and_bytes(&self) -> impl Iterator<Item = (&Arc<Part>, &Bytes)> {
        self.made.iter().filter_map(|made| match made {
            Made::Part(part, bytes) => Some((part, bytes)),
            _ => None,
        })
    }

    fn of(&self, id: TrackId) -> Vec<&Arc<Part>> {
        self.parts().filter(|part| part.rendition() == id).collect()
    }

    /// What must be true of whatever was put in.
    fn check(&self) {
        let mut seen: BTreeMap<u64, Frame> = BTreeMap::new();
        let mut complete_to = 0;
        for (ordinal, (part, bytes)) in (0..).zip(self.parts_and_bytes()) {
            assert_eq!(part.len as usize, bytes.len());
            assert_eq!(part.ordinal, ordinal);
            for (sequence, frame) in part.frames(bytes) {
                assert!(sequence >= complete_to, "{sequence} was said to be there already");
                assert!(seen.insert(sequence, frame).is_none(), "{sequence} twice");
            }
            assert!(part.complete_to >= complete_to);
            complete_to = part.complete_to;
            assert_eq!(seen.range(..complete_to).count() as u64, complete_to, "at {ordinal}");
        }
        assert_eq!(seen.len(), self.frames.len());
        for (sequence, frame) in &self.frames {
            let kept = &seen[sequence];
            assert_eq!((&kept.payload, kept.key, kept.track), (&frame.payload, frame.key, frame.track));
            let off = (kept.pts - frame.pts).max(frame.pts - kept.pts);
            assert!(off <= Timestamp::from_ms(45), "{sequence} is {off} off");
        }
        let mut ends: BTreeMap<TrackId, (i64, u64, u32, u32)> = BTreeMap::new();
        for part in self.parts().filter(|part| part.rendition() != TrackId::DATA) {
            let samples: u64 = part.samples.iter().map(|it| u64::from(it.sample.duration)).sum();
            assert_eq!(samples, part.duration);
            let new = (part.end(), part.segment, part.number, part.init.number);
            if let Some((end, segment, number, init)) = ends.insert(part.rendition(), new) {
                assert!(part.start >= end || part.init.number != init, "time goes back");
                assert!(
                    part.segment > segment && part.number == 0
                        || part.segment == segment && part.number == number + 1
                );
                assert!(!part.discontinuity || part.number == 0);
                assert!(part.discontinuity || part.init.number == init);
            }
        }
    }

    /// The file as it would be written, read by our own reader.
    fn check_file(&self) {
        let (mut tracks, mut fragments): (Vec<TrackFragments>, _) = (Vec::new(), Vec::new());
        for made in &self.made {
            match made {
                Made::Tracks(all) => {
                    let known = |number| tracks.iter().any(|known| known.number() == number);
                    let new: Vec<_> = all.iter().filter(|track| !known(track.number())).cloned().collect();
                    tracks.extend(new);
                }
                Made::Part(part, bytes) => {
                    let number = part.init.track_number;
                    assert!(number == 0 || tracks.iter().any(|known| known.number() == number));
                    fragments.extend_from_slice(bytes);
                }
                _ => {}
            }
        }
        let data = [&TrackFragments::head_of(tracks.iter())[..], &fragments].concat();
        let mut scan = Scan::new(data.len() as u64);
        while let Some(range) = scan.wants() {
            scan.supply(&data[range.start as usize..range.end as usize]).unwrap();
        }
        let index = scan.finish().unwrap();
        let ids = |index: &Index| -> Vec<_> { index.tracks().iter().map(|track| track.track.id).collect() };
        let published: BTreeSet<_> = self.frames.iter().map(|(_, frame)| frame.track).collect();
        assert_eq!(BTreeSet::from_iter(ids(&index)), published, "one of each, however often it changed");
        assert_eq!((ids(&index).len(), index.samples().len()), (published.len(), self.frames.len()));
    }

    /// How long the segments are, by where they begin.
    fn segments(&self) -> Vec<i64> {
        let starts = self.made.iter().filter_map(|made| match made {
            Made::Segment { at, .. } => Some(at.as_ms()),
            _ => None,
        });
        let starts: Vec<_> = starts.collect();
        starts.windows(2).map(|pair| pair[1] - pair[0]).collect()
    }
}

#[test]
fn parts_are_as_long_as_promised_at_every_usual_rate() {
    for (step, name) in [
        (40.0, "25"),
        (1000.0 / 24.0, "24"),
        (1000.0 / 30.0, "30"),
        (1001.0 / 30.0, "29.97"),
        (1000.0 / 60.0, "60"),
        (1000.0 / 15.0, "15"),
        (100.0, "10"),
        (50.0, "20"),
        (80.0, "12.5"),
    ] {
        for config in [AAC, AAC_48] {
            let mut broadcast = Broadcast::new(&[video(), sound(config)]);
            broadcast.play(0, 20_000, step, (2000.0 / step).round() as i64);
            let broadcast = broadcast.end();
            broadcast.check();
            for id in [TrackId::VIDEO, TrackId::AUDIO] {
                let parts = broadcast.of(id);
                let target = PartsConfig::default().part_target;
                for pair in parts.windows(2) {
                    let part = pair[0];
                    let duration = part.until() - part.from();
                    assert!(duration <= target, "{name}: {duration} of {target}");
                    let is_last = pair[1].segment != part.segment;
                    let least = target.as_nanos() * 85 / 100;
                    assert!(is_last || duration.as_nanos() >= least, "{name}: {duration} of {target}");
                    assert_eq!(part.target, target);
                }
            }
        }
    }
}

#[test]
fn sound_and_pictures_are_cut_together_at_key_frames() {
    let mut broadcast = Broadcast::new(&[video(), sound(AAC)]);
    broadcast.play(0, 21_000, 40.0, 50);
    let broadcast = broadcast.end();
    broadcast.check();
    broadcast.check_file();
    assert_eq!(broadcast.segments(), [2000; 10]);
    for part in broadcast.of(TrackId::VIDEO).iter().filter(|part| part.number == 0) {
        assert!(part.independent && !part.discontinuity);
        assert_eq!(part.from(), Timestamp::from_ms(2000 * (part.segment as i64 - 100)));
    }
    for part in broadcast.of(TrackId::AUDIO) {
        let begin = Timestamp::from_ms(2000 * (part.segment as i64 - 100));
        assert!(part.from() >= begin - Timestamp::from_ms(3));
        assert!(part.until() <= begin + Timestamp::from_ms(2025), "{} {}", part.segment, part.until());
    }
    let sound: u64 = broadcast.of(TrackId::AUDIO).iter().map(|part| part.duration).sum();
    let frames = broadcast.frames.iter().filter(|(_, frame)| frame.track == TrackId::AUDIO).count();
    assert_eq!(sound, 1024 * frames as u64, "1024 samples are 1024 samples");
}

#[test]
fn segments_never_outgrow_what_hls_was_told() {
    let even = |group: i64, seconds: i64| {
        let mut broadcast = Broadcast::new(&[video(), sound(AAC)]);
        broadcast.play(0, seconds * 1000, 40.0, group);
        let broadcast = broadcast.end();
        broadcast.check();
        let segments = broadcast.segments();
        assert!(segments.iter().all(|ms| *ms <= 6_000), "{segments:?}");
        segments[segments.len() - 4..].to_vec()
    };
    assert_eq!(even(25, 20), [2000; 4], "two groups of a second");
    assert_eq!(even(100, 20), [4000; 4], "one group");
    assert_eq!(even(250, 60), [5000; 4], "halves of ten seconds");
    assert_eq!(even(300, 60), [4000; 4], "thirds of twelve seconds");
    assert_eq!(even(1_000_000, 60), [5000; 4], "no key frame ever comes");
    let mut alone = Broadcast::new(&[sound(AAC)]);
    alone.play(0, 20_000, 0.0, 1);
    let alone = alone.end();
    alone.check();
    assert!(alone.segments().iter().all(|ms| (1977..=2024).contains(ms)), "{:?}", alone.segments());
    let sum: i64 = alone.segments().iter().sum();
    assert!((sum - 2000 * alone.segments().len() as i64).abs() < 25, "pieces of sound do not drift");
}

#[test]
fn pictures_that_stop_hold_nobody_up() {
    let mut broadcast = Broadcast::new(&[video(), sound(AAC)]);
    broadcast.play(0, 5_000, 40.0, 50);
    let pictures = broadcast.setup.track(TrackId::VIDEO).cloned().unwrap();
    // Sound goes on for half a minute.
    for number in 0..1_300 {
        broadcast.put(TrackId::AUDIO, 5_016 + number * 1024 * 10 / 441, true);
    }
    let last = broadcast.of(TrackId::VIDEO).last().unwrap().until();
    assert_eq!(last, Timestamp::from_ms(5_000), "all pictures are out");
    assert!(broadcast.segments().iter().all(|ms| *ms <= 6_000), "{:?}", broadcast.segments());
    broadcast.set(pictures);
    broadcast.put(TrackId::VIDEO, 36_000, true);
    broadcast.put(TrackId::VIDEO, 36_040, false);
    broadcast.end().check();
}

#[test]
fn all_waits_for_a_bounded_time() {
    let mut broadcast = Broadcast::new(&[video(), sound(AAC)]);
    broadcast.play(0, 1_100, 40.0, 50);
    while let Some(due) = broadcast.maker.deadline() {
        assert!(due <= Duration::from_millis(1_100 + 1_500));
        broadcast.made.extend(broadcast.maker.due(due));
    }
    broadcast.check();
    // Who comes back goes on without a seam: the hub puts 40 ms between.
    broadcast.play(1_120, 9_000, 40.0, 50);
    let broadcast = broadcast.end();
    broadcast.check();
    for pair in broadcast.of(TrackId::VIDEO).windows(2) {
        assert_eq!(pair[0].end(), pair[1].start);
    }
    // Parts that had to be cut short are the last of their segment.
    for id in [TrackId::VIDEO, TrackId::AUDIO] {
        let parts = broadcast.of(id);
        let short = |part: &Part| (part.until() - part.from()).as_ms() * 100 < 335 * 85;
        let inner = parts.windows(2).filter(|pair| pair[0].segment == pair[1].segment);
        assert_eq!(inner.filter(|pair| short(pair[0])).count(), 0);
    }
}

#[test]
fn who_was_away_comes_back_behind_a_discontinuity_at_the_time_on_the_wall() {
    let mut broadcast = Broadcast::new(&[video(), sound(AAC)]);
    broadcast.play(0, 3_000, 40.0, 50);
    // Ten seconds later; the hub puts 40 ms between.
    broadcast.late = Duration::from_secs(10);
    broadcast.put(TrackId::AUDIO, 3_040, true);
    broadcast.play(3_064, 9_000, 40.0, 50);
    let broadcast = broadcast.end();
    broadcast.check();
    let begun = broadcast.made.iter().filter_map(|made| match made {
        Made::Segment { at, discontinuity, behind, .. } => {
            Some((at.as_ms(), *discontinuity, behind.as_secs()))
        }
        _ => None,
    });
    let begun: Vec<_> = begun.collect();
    assert_eq!(begun[..4], [(0, false, 0), (2_000, false, 0), (3_040, true, 10), (5_064, false, 10)]);
    assert!(begun[4..].iter().all(|(_, discontinuity, behind)| !discontinuity && *behind == 10), "{begun:?}");
}

#[test]
fn a_network_that_holds_frames_up_for_a_moment_breaks_nothing() {
    let mut broadcast = Broadcast::new(&[video(), sound(AAC)]);
    broadcast.play(0, 3_100, 40.0, 50);
    broadcast.late = Duration::from_millis(1_200);
    broadcast.play(3_120, 3_800, 40.0, 1_000);
    broadcast.late = Duration::ZERO;
    broadcast.play(4_960, 9_000, 40.0, 50);
    let broadcast = broadcast.end();
    broadcast.check();
    assert!(broadcast.parts().all(|part| !part.discontinuity));
}

#[test]
fn pictures_at_no_steady_rate_keep_to_the_target() {
    let mut broadcast = Broadcast::new(&[video()]);
    let mut at = 0;
    for (number, step) in [16, 33, 16, 100, 33, 250, 16, 16, 300, 33, 66].iter().cycle().take(400).enumerate()
    {
        broadcast.put(TrackId::VIDEO, at, number % 40 == 0);
        at += step;
    }
    let broadcast = broadcast.end();
    broadcast.check();
    for part in broadcast.of(TrackId::VIDEO) {
        assert!((part.until() - part.from()).as_ms() <= 335, "{}", part.until() - part.from());
    }
}

#[test]
fn sound_that_comes_late_joins_the_file() {
    let mut broadcast = Broadcast::new(&[video()]);
    broadcast.play(0, 3_000, 40.0, 50);
    broadcast.set(sound(AAC));
    broadcast.play(3_000, 9_000, 40.0, 50);
    let broadcast = broadcast.end();
    broadcast.check();
    broadcast.check_file();
    assert!(broadcast.parts().all(|part| !part.discontinuity));
    assert_eq!(broadcast.of(TrackId::AUDIO)[0].segment, 101);
}

#[test]
fn pictures_that_come_late_begin_a_segment() {
    let mut broadcast = Broadcast::new(&[sound(AAC)]);
    broadcast.play(0, 3_000, 40.0, 50);
    broadcast.set(video());
    broadcast.play(3_000, 9_000, 40.0, 50);
    let broadcast = broadcast.end();
    broadcast.check();
    broadcast.check_file();
    let first = broadcast.of(TrackId::VIDEO)[0];
    assert_eq!((first.number, first.independent), (0, true));
}

#[test]
fn another_configuration_is_another_description_in_the_same_file() {
    let mut broadcast = Broadcast::new(&[video(), sound(AAC)]);
    broadcast.play(0, 5_000, 40.0, 50);
    broadcast.set(turned());
    broadcast.set(sound(AAC_48));
    broadcast.play(5_000, 9_000, 40.0, 50);
    let broadcast = broadcast.end();
    broadcast.check();
    broadcast.check_file();
    for id in [TrackId::VIDEO, TrackId::AUDIO] {
        let (old, new): (Vec<_>, Vec<_>) =
            broadcast.of(id).into_iter().partition(|part| part.init.track_number <= 2);
        assert!(old.iter().all(|part| part.init.number == 1 && part.until() <= Timestamp::from_ms(5_025)));
        assert!(new.iter().all(|part| part.init.number == 2));
        assert!(new[0].discontinuity && new[1..].iter().all(|part| !part.discontinuity));
        assert_eq!(new[0].segment, old[old.len() - 1].segment + 1);
    }
}

#[test]
fn the_last_picture_before_another_description_stands_until_its_first() {
    let target = PartsConfig::default().part_target;
    for (group, away) in (20..40).flat_map(|group| [0, 100, 300, 600, 1_400].map(|away| (group, away))) {
        let mut broadcast = Broadcast::new(&[video(), sound(AAC)]);
        let turn = 2_000 + 40 * group;
        broadcast.play(0, turn, 40.0, 25);
        broadcast.set(turned());
        broadcast.play(turn + away, turn + away + 2_000, 40.0, 25);
        let broadcast = broadcast.end();
        broadcast.check();
        let parts = broadcast.of(TrackId::VIDEO);
        let at = parts.iter().position(|part| part.discontinuity).expect("another description");
        let (before, first) = (&parts[at - 1], &parts[at]);
        let is_full = before.until() - before.from() == target;
        assert!(is_full || before.start + before.duration as i64 == first.start, "{group} {away}");
        assert!(parts.iter().all(|part| part.until() - part.from() <= target && part.target == target));
    }
}

#[test]
fn a_description_that_comes_back_has_the_number_that_it_had() {
    let mut broadcast = Broadcast::new(&[video(), sound(AAC)]);
    for (turn, ms) in (0..6).zip((0..).step_by(2_000)) {
        if turn > 0 {
            broadcast.set(if turn % 2 == 1 { turned() } else { video() });
        }
        broadcast.play(ms, ms + 2_000, 40.0, 50);
    }
    let broadcast = broadcast.end();
    broadcast.check();
    broadcast.check_file();
    let mut inits: Vec<_> =
        broadcast.of(TrackId::VIDEO).iter().map(|part| (part.init.number, part.init.track_number)).collect();
    inits.dedup();
    assert_eq!(inits, [(1, 1), (2, 3), (3, 1), (4, 3), (5, 1), (6, 3)]);
}

#[test]
fn what_was_lost_stands_behind_a_discontinuity() {
    let mut broadcast = Broadcast::new(&[video(), sound(AAC)]);
    broadcast.play(0, 3_000, 40.0, 50);
    broadcast.made.extend(broadcast.maker.lost());
    broadcast.play(4_000, 7_000, 40.0, 50);
    let broadcast = broadcast.end();
    broadcast.check();
    for id in [TrackId::VIDEO, TrackId::AUDIO] {
        let parts = broadcast.of(id);
        let first = parts.iter().find(|part| part.from() >= Timestamp::from_ms(3_900)).unwrap();
        assert!(first.discontinuity && first.number == 0, "{id:?}");
    }
}

#[test]
fn script_data_is_a_part_of_its_own() {
    let mut broadcast = Broadcast::new(&[video()]);
    broadcast.play(0, 1_000, 40.0, 50);
    broadcast.put(TrackId::DATA, 1_000, true);
    broadcast.play(1_000, 2_000, 40.0, 50);
    let broadcast = broadcast.end();
    broadcast.check();
    broadcast.check_file();
    assert_eq!(broadcast.of(TrackId::DATA).len(), 1);
}

#[test]
fn what_is_said_before_the_first_part_follows_it_at_its_time() {
    let mut broadcast = Broadcast::new(&[video(), sound(AAC)]);
    for ms in [0, 100, 200] {
        broadcast.put(TrackId::DATA, ms, true);
    }
    broadcast.play(480, 520, 40.0, 50);
    // There is a picture, and no part yet.
    broadcast.put(TrackId::DATA, 520, true);
    broadcast.play(520, 3_000, 40.0, 50);
    let mut broadcast = broadcast.end();
    broadcast.frames.iter_mut().take(3).for_each(|(_, frame)| {
        (frame.dts, frame.pts) = (Timestamp::from_ms(480), Timestamp::from_ms(480));
    });
    broadcast.check();
    broadcast.check_file();
    let (first, said) = (broadcast.parts().next().unwrap(), broadcast.of(TrackId::DATA));
    assert_ne!(first.rendition(), TrackId::DATA);
    let ordinals: Vec<_> = said.iter().map(|part| part.ordinal).collect();
    assert_eq!(ordinals, [1, 2, 3, 4]);
    assert_eq!(said[3].from(), Timestamp::from_ms(520));

    // Not without end.
    let mut broadcast = Broadcast::new(&[sound(AAC)]);
    (0..1_000).for_each(|ms| broadcast.put(TrackId::DATA, ms, true));
    broadcast.play(1_000, 3_000, 40.0, 50);
    let broadcast = broadcast.end();
    assert_eq!(broadcast.of(TrackId::DATA).len(), 64);
    assert_eq!(broadcast.maker.left_out().total(), 1_000 - 64);
}

#[test]
fn what_mp4_does_not_hold_is_counted_by_why() {
    let vp6 = Track::new(TrackId::VIDEO, Codec::FlvVideo(4), Bytes::new());
    let mut broadcast = Broadcast::new(&[vp6, sound(AAC)]);
    broadcast.play(0, 10_000, 40.0, 50);
    let broadcast = broadcast.end();
    assert_eq!(broadcast.maker.left_out().total(), 250);
    assert!(broadcast.of(TrackId::VIDEO).is_empty() && broadcast.of(TrackId::AUDIO).len() > 25);
    assert!(broadcast.segments().len() >= 4);
}

proptest! {
    #[test]
    fn any_times_become_parts(
        steps in prop::collection::vec((0i64..400, 0u8..4, 0u8..20), 1..600),
    ) {
        let mut broadcast = Broadcast::new(&[video(), sound(AAC)]);
        let mut at = [0, 0];
        broadcast.put(TrackId::VIDEO, 0, true);
        for (step, which, key) in steps {
            let (id, line) = if which == 0 { (TrackId::VIDEO, 0) } else { (TrackId::AUDIO, 1) };
            at[line] = (at[line] + step).max(at[1 - line] - 300);
            broadcast.put(id, at[line], line == 1 || key == 0);
        }
        let broadcast = broadcast.end();
        let kept: usize = broadcast.parts().map(|part| part.samples.len()).sum();
        prop_assert_eq!(kept, broadcast.frames.len());
        broadcast.check_file();
        for id in [TrackId::VIDEO, TrackId::AUDIO] {
            for pair in broadcast.of(id).windows(2) {
                prop_assert!(pair[1].start >= pair[0].end());
            }
        }
    }

    #[test]
    fn a_clock_that_stands_still_fills_no_memory(count in 1_000usize..5_000) {
        let mut broadcast = Broadcast::new(&[video()]);
        (0..count).for_each(|_| broadcast.put(TrackId::VIDEO, 0, true));
        prop_assert!(broadcast.parts().map(|part| part.samples.len()).sum::<usize>() >= count - 1_000);
    }
}
