//! What publishers' clocks do, through the normalizer and the hub together: viewers get one line that starts at
//! zero, never goes back, has no hole, and keeps sound and picture together.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::time::Duration;

use bytes::Bytes;
use headwater_hub::{
    Batch, Hub, HubConfig, Next, Publisher, PublisherInfo, RepairedTimestamps, Start, StreamName, Subscriber,
};
use headwater_media::flv::{MediaItem, Normalizer};
use headwater_media::{Frame, MediaKind, Timestamp};
use proptest::prelude::*;

const PICTURE_MS: u64 = 40;
const SOUND_MS: u64 = 26;
/// More than any of the streams here lasts.
const LAG_MAX: Timestamp = Timestamp::from_ms(3_600_000);

/// A stream with a viewer and one publisher after the other. The payload of each frame holds the time that
/// it was meant to have.
struct Stream {
    hub: Hub,
    publisher: Publisher,
    normalizer: Normalizer,
    viewer: Subscriber,
    seen: Vec<Frame>,
}

fn name() -> StreamName {
    StreamName::parse("live/cam").unwrap()
}

impl Stream {
    fn new() -> Self {
        let hub = Hub::new(HubConfig::default());
        let viewer = hub.subscribe(&name(), Start::NewestKeyframe, LAG_MAX, Duration::ZERO).unwrap();
        let publisher = hub.publish(&name(), PublisherInfo::default(), Duration::ZERO).unwrap();
        Self { hub, publisher, normalizer: Normalizer::new(), viewer, seen: Vec::new() }
    }

    /// A message whose right time is `meant_ms`, sent with `stamp`.
    fn send(&mut self, kind: MediaKind, meant_ms: u64, stamp: u64) {
        let meant = meant_ms.to_be_bytes();
        // Codecs that pass untouched: Sorenson's H.263, MP3.
        let (head, stamp) =
            (if kind == MediaKind::Video { &b"\x12"[..] } else { b"\x2f\xff\xfb\x90\x64" }, stamp as u32);
        let body = Bytes::from([head, &meant].concat());
        let before = *self.normalizer.repaired();
        let items = match kind {
            MediaKind::Video => self.normalizer.push_video(stamp, body),
            _ => self.normalizer.push_audio(stamp, body),
        };
        for item in items.unwrap() {
            match item {
                MediaItem::Track(track) => self.publisher.set_track(track),
                MediaItem::Frame(frame) => self.publisher.push(frame, Duration::from_millis(meant_ms)),
            }
        }
        let after = self.normalizer.repaired();
        self.publisher.count_repaired(RepairedTimestamps {
            jumps: after.restarted_clocks - before.restarted_clocks,
            clamped: after.clamped_timestamps - before.clamped_timestamps,
        });
        self.read();
    }

    /// Pictures and sounds of so many milliseconds, in the order of their times; `stamps` says how the
    /// publisher stamps what is due at a time.
    fn run(&mut self, from_ms: u64, until_ms: u64, stamps: impl Fn(MediaKind, u64) -> u64) {
        for meant in from_ms..until_ms {
            for (kind, every) in [(MediaKind::Video, PICTURE_MS), (MediaKind::Audio, SOUND_MS)] {
                if (meant - from_ms).is_multiple_of(every) {
                    self.send(kind, meant, stamps(kind, meant));
                }
            }
        }
    }

    /// The viewer reads what there is.
    fn read(&mut self) {
        let mut batch = Batch::default();
        while self.viewer.read(&mut batch) == Next::Frames {
            self.seen.extend(batch.frames.iter().cloned());
            self.viewer.advance(&batch, batch.frames.len());
        }
    }

    fn frames(&mut self) -> Vec<Frame> {
        std::mem::take(&mut self.seen)
    }

    fn repaired(&self) -> RepairedTimestamps {
        self.hub.snapshot(&name(), Duration::ZERO).unwrap().repaired
    }
}

fn meant_ms(frame: &Frame) -> i64 {
    let tail = frame.payload.last_chunk().unwrap();
    i64::from_be_bytes(*tail)
}

/// Each track's line has no step back and none above `gap_ms`, and is off what was meant by less than
/// `off_ms`: so are the tracks off each other.
#[track_caller]
fn check(frames: &[Frame], gap_ms: i64, off_ms: i64) {
    assert!(frames.len() > 50, "{} frames", frames.len());
    assert_eq!(frames[0].dts.as_ms(), 0);
    for kind in [MediaKind::Video, MediaKind::Audio] {
        let times: Vec<i64> =
            frames.iter().filter(|frame| frame.track.kind == kind).map(|frame| frame.dts.as_ms()).collect();
        let steps = times.windows(2).map(|pair| pair[1] - pair[0]);
        assert!(steps.clone().all(|step| (0..=gap_ms).contains(&step)), "{kind:?}: {times:?}");
    }
    let off: Vec<i64> = frames.iter().map(|frame| frame.dts.as_ms() - meant_ms(frame)).collect();
    let (low, high) = (off.iter().min().unwrap(), off.iter().max().unwrap());
    assert!(high - low <= off_ms, "off by {low}..={high}: {off:?}");
}

/// Nothing was done to the times but to move them to zero.
#[track_caller]
fn check_untouched(stream: &mut Stream) {
    check(&stream.frames(), PICTURE_MS as i64, 0);
    assert_eq!(stream.repaired(), RepairedTimestamps::default());
}

#[test]
fn huge_first_times_and_every_wrap_pass_unseen() {
    // Epoch milliseconds, uptimes, and the seams at 2^24 (extended timestamps), 2^31 and 2^32.
    let epoch = 1_763_890_000_000;
    for first in [0, 5, epoch, (1 << 24) - 1000, (1 << 31) - 1000, (1 << 32) - 1000] {
        let mut stream = Stream::new();
        stream.run(0, 4000, |_, meant| first + meant);
        check_untouched(&mut stream);
    }
}

#[test]
fn obs_wraps_at_31_bits() {
    let mut stream = Stream::new();
    stream.run(0, 4000, |_, meant| ((1 << 31) - 2000 + meant) & 0x7FFF_FFFF);
    check_untouched(&mut stream);
}

#[test]
fn both_tracks_jump_ahead_and_back_and_the_line_goes_on() {
    for jump in [3_600_000i64, 10_000, -10_000, -3_600_000, 1_500_000_000] {
        let mut stream = Stream::new();
        stream.run(0, 20_000, |_, meant| {
            let moved = if meant < 12_000 { 0 } else { jump };
            (20_000_000 + meant as i64 + moved) as u64
        });
        let repaired = stream.repaired();
        check(&stream.frames(), 100, 120);
        assert!((1..=2).contains(&repaired.jumps), "{jump}: {repaired:?}");
        assert!(repaired.clamped <= 4, "{jump}: {repaired:?}");
    }
}

#[test]
fn flash_starts_its_clock_over_with_a_key_frame() {
    // An earlier time with a new key frame is how Flash resets its stream.
    let mut stream = Stream::new();
    stream.run(0, 8000, |_, meant| meant);
    stream.run(8000, 12_000, |_, meant| meant - 8000);
    check(&stream.frames(), 100, 60);
    assert_eq!(stream.repaired().jumps, 2, "once for each track");
}

#[test]
fn one_wrong_time_moves_nothing_and_is_counted() {
    for wrong in [0, 77_000_000, 4_000_000_000] {
        let mut stream = Stream::new();
        stream.run(0, 12_000, |kind, meant| match (kind, meant) {
            (MediaKind::Video, 2000 | 4000 | 6000 | 8000) => wrong,
            _ => 30_000_000 + meant,
        });
        check(&stream.frames(), 2 * PICTURE_MS as i64, PICTURE_MS as i64);
        assert_eq!(stream.repaired(), RepairedTimestamps { jumps: 0, clamped: 4 });
    }
}

#[test]
fn steps_back_are_clamped_and_neither_track_is_lost() {
    // Some of DJI's apps, and OBS with NVENC and B-frames.
    let mut stream = Stream::new();
    stream.run(0, 8000, |_, meant| if meant % 7 == 0 { meant + 1000 } else { meant + 1090 });
    check(&stream.frames(), 200, 100);
    let repaired = stream.repaired();
    assert!(repaired.jumps == 0 && repaired.clamped > 10, "{repaired:?}");
}

#[test]
fn wirecasts_sound_and_picture_do_not_drift_apart() {
    // Servers that count each track's times by themselves drift; here they are kept as sent.
    let mut stream = Stream::new();
    stream.run(0, 120_000, |_, meant| 5_000_000 + meant);
    check_untouched(&mut stream);
}

#[test]
fn dahua_sends_sound_first_and_then_pictures_of_another_clock() {
    let mut stream = Stream::new();
    let stamps = |kind, meant| if kind == MediaKind::Video { 700_000_000 + meant } else { meant };
    for meant in (0..2000).step_by(SOUND_MS as usize) {
        stream.send(MediaKind::Audio, meant, stamps(MediaKind::Audio, meant));
    }
    stream.run(2000, 8000, stamps);
    // The clocks have nothing in common but the moment at which they were heard.
    check(&stream.frames(), 100, 60);
    assert_eq!(stream.repaired(), RepairedTimestamps::default());
}

#[test]
fn an_encoder_that_pauses_leaves_a_hole_as_long_as_it_was() {
    // Whichever track goes on first, and however many of its frames come before the other's.
    for (first, alone) in
        [(MediaKind::Video, 1), (MediaKind::Video, 5), (MediaKind::Audio, 1), (MediaKind::Audio, 5)]
    {
        let mut stream = Stream::new();
        stream.run(0, 4000, |_, meant| 70_000_000 + meant);
        let mut at = 14_000;
        for _ in 0..alone {
            stream.send(first, at, 70_000_000 + at);
            at += PICTURE_MS;
        }
        stream.run(at, at + 4000, |_, meant| 70_000_000 + meant);
        let frames = stream.frames();
        let held = |frame: &&Frame| meant_ms(frame) == 14_000 && frame.track.kind == first;
        let rest: Vec<_> = frames.iter().filter(|frame| !held(frame)).collect();
        assert!(
            rest.iter().all(|frame| frame.dts.as_ms() == meant_ms(frame)),
            "{first:?} first, {alone} alone"
        );
        assert_eq!(stream.repaired().jumps, 0);
    }
}

#[test]
fn android_encoders_interleave_out_of_order() {
    // Each track's own order holds; between the tracks there is none.
    let mut stream = Stream::new();
    for block in 0..40u64 {
        let from = 17_000_000 + block * 520;
        for picture in 0..13 {
            let at = from + picture * PICTURE_MS;
            stream.send(MediaKind::Video, at, at);
        }
        for sound in 0..20 {
            let at = from + sound * SOUND_MS;
            stream.send(MediaKind::Audio, at, at);
        }
    }
    let frames = stream.frames();
    assert!(frames.iter().all(|frame| frame.dts.as_ms() == meant_ms(frame) - 17_000_000));
    assert_eq!(stream.repaired(), RepairedTimestamps::default());
}

#[test]
fn a_publisher_that_comes_back_goes_on_whatever_its_clock_says() {
    let mut stream = Stream::new();
    stream.run(0, 4000, |_, meant| 3_000_000_000 + meant);
    let Stream { hub, publisher, viewer, seen, .. } = stream;
    drop(publisher);
    let publisher = hub.publish(&name(), PublisherInfo::default(), Duration::from_secs(5)).unwrap();
    let mut stream = Stream { hub, publisher, normalizer: Normalizer::new(), viewer, seen };
    stream.run(4000, 8000, |_, meant| meant - 4000);
    check(&stream.frames(), 100, 60);
    assert_eq!(stream.repaired().jumps, 0, "a new publisher is no mistake");
}

proptest! {
    #[test]
    fn whatever_the_clock_does_the_line_never_goes_back_nor_far_ahead(
        first in any::<u32>(),
        shifts in prop::collection::vec((any::<bool>(), any::<u32>(), 1u64..4000), 1..12),
    ) {
        let mut stream = Stream::new();
        let (mut meant, mut clock) = (0, u64::from(first));
        for (jumps, shift, length) in shifts {
            clock = clock.wrapping_add(if jumps { shift.into() } else { u64::from(shift % 2000) });
            stream.run(meant, meant + length, |_, at| clock.wrapping_add(at));
            meant += length;
        }
        let frames = stream.frames();
        for kind in [MediaKind::Video, MediaKind::Audio] {
            let mut last = None;
            for frame in frames.iter().filter(|frame| frame.track.kind == kind) {
                let step = last.map_or(0, |last| frame.dts.as_ms() - last);
                prop_assert!((0..=6200).contains(&step), "{kind:?} steps by {step}");
                last = Some(frame.dts.as_ms());
            }
        }
    }
}
