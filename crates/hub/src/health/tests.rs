//! Publishers with one thing wrong each.

use bytes::Bytes;
use headwater_media::Codec;

use super::*;

const fn ms(ms: i64) -> Timestamp {
    Timestamp::from_ms(ms)
}

/// A publisher that sends pictures every 40 ms, a key frame among them every two seconds, and sound every 20 ms.
#[derive(Clone)]
struct Encoder {
    key_every_ms: i64,
    sound_ahead_ms: i64,
    /// Thousandths of real time.
    speed: i64,
    has_sound: bool,
    clock_ms: i64,
}

const FINE: Encoder =
    Encoder { key_every_ms: 2_000, sound_ahead_ms: 0, speed: 1_000, has_sound: true, clock_ms: 0 };

impl Encoder {
    /// Sends for so many seconds, from `from` on; what is wrong then.
    fn send(&mut self, health: &mut Health, from: u64, seconds: u64) -> Vec<Ailment> {
        for at in (from * 1_000..(from + seconds) * 1_000).step_by(20) {
            let now = Duration::from_millis(at);
            let picture = self.clock_ms % 40 == 0;
            let key = self.clock_ms % self.key_every_ms == 0;
            for (id, is_due, key, dts) in [
                (TrackId::VIDEO, picture, key, self.clock_ms),
                (TrackId::AUDIO, self.has_sound, true, self.clock_ms + self.sound_ahead_ms),
            ] {
                if is_due {
                    let codec = if id == TrackId::VIDEO { Codec::H264 } else { Codec::Aac };
                    let (dts, pts) = (ms(dts), ms(dts));
                    health.hear(&Frame { track: id, codec, dts, pts, key, payload: Bytes::new() }, now);
                }
            }
            // In whole steps of 20 ms, as many of them as the speed has.
            let due = (at as i64 - from as i64 * 1_000 + 20) * self.speed / 1_000 / 20;
            let before = (at as i64 - from as i64 * 1_000) * self.speed / 1_000 / 20;
            self.clock_ms += (due - before) * 20;
        }
        health.ailments(std::iter::empty(), Duration::from_secs(from + seconds))
    }
}

#[test]
fn of_a_publisher_that_is_well_nothing_is_told() {
    let mut health = Health::default();
    assert_eq!(FINE.clone().send(&mut health, 0, 60), []);
    assert_eq!(Encoder { has_sound: false, ..FINE }.send(&mut Health::default(), 0, 60), []);
    assert_eq!(Encoder { sound_ahead_ms: 200, ..FINE }.send(&mut Health::default(), 0, 60), []);
}

#[test]
fn key_frames_far_apart_are_told_of_until_they_are_not() {
    let mut health = Health::default();
    let mut encoder = Encoder { key_every_ms: 10_000, ..FINE };
    assert_eq!(encoder.send(&mut health, 0, 25), [Ailment::KeyframesFar(ms(10_000))]);
    encoder.key_every_ms = 2_000;
    assert_eq!(encoder.send(&mut health, 25, 15), []);
    // The next is late already.
    encoder.key_every_ms = 1_000_000;
    assert!(
        matches!(encoder.send(&mut health, 40, 20)[..], [Ailment::KeyframesFar(far)] if far > ms(18_000))
    );
}

#[test]
fn pictures_without_a_key_frame_are_told_of() {
    let mut health = Health::default();
    health.is_undecodable(Duration::from_secs(5));
    health.is_undecodable(Duration::from_secs(7));
    let ailments = |health: &Health, at| health.ailments(std::iter::empty(), Duration::from_secs(at));
    assert_eq!(ailments(&health, 7), []);
    assert_eq!(ailments(&health, 12), [Ailment::NoKeyframe(Duration::from_secs(7))]);
    assert_eq!(FINE.clone().send(&mut health, 12, 1), []);
}

#[test]
fn sound_that_stays_ahead_or_behind_is_told_of_and_what_comes_in_lumps_is_not() {
    for ahead in [300, -2_000] {
        let mut encoder = Encoder { sound_ahead_ms: ahead, ..FINE };
        let told = encoder.send(&mut Health::default(), 0, 20);
        let [Ailment::Apart(by)] = told[..] else { panic!("{told:?}") };
        assert!((by.as_ms() - ahead).abs() <= 40, "{by:?} for {ahead}");
    }
    let mut health = Health::default();
    for second in 0..30 {
        let now = Duration::from_secs(second);
        for (track, kind) in [(TrackId::AUDIO, Codec::Aac), (TrackId::VIDEO, Codec::H264)] {
            for step in 0..25 {
                let dts = ms(second as i64 * 1_000 + step * 40);
                let key = step == 0;
                health.hear(&Frame { track, codec: kind, dts, pts: dts, key, payload: Bytes::new() }, now);
            }
        }
    }
    assert_eq!(health.ailments(std::iter::empty(), Duration::from_secs(30)), []);
}

#[test]
fn a_clock_that_jumps_is_told_of_once_for_all_tracks_and_for_ten_minutes() {
    for by in [5_000, -7_000] {
        let mut health = Health::default();
        let mut encoder = Encoder { clock_ms: 100_000, ..FINE };
        encoder.send(&mut health, 0, 20);
        encoder.clock_ms += by;
        let told = encoder.send(&mut health, 20, 30);
        let [Ailment::Jumped { by: Some(found), ago, times: 1 }] = told[..] else { panic!("{told:?}") };
        assert!((found.as_ms() - by).abs() <= 40, "{found:?} for {by}");
        assert_eq!(ago.as_secs(), 30);
        assert_eq!(encoder.send(&mut health, 50, 600), []);
    }
    // A picture in ten seconds is no jump.
    let mut health = Health::default();
    for second in (0..60).step_by(10) {
        let dts = ms(second * 1_000);
        let frame = Frame {
            track: TrackId::VIDEO,
            codec: Codec::H264,
            dts,
            pts: dts,
            key: true,
            payload: Bytes::new(),
        };
        health.hear(&frame, Duration::from_secs(second as u64));
    }
    let told = health.ailments(std::iter::empty(), Duration::from_secs(50));
    assert_eq!(told, [Ailment::KeyframesFar(ms(10_000))]);
    health.clock_restarted(Duration::from_secs(51));
    let told = health.ailments(std::iter::empty(), Duration::from_secs(53));
    assert_eq!(told, [Ailment::Jumped { by: None, ago: Duration::from_secs(2), times: 1 }]);
}

#[test]
fn a_publisher_that_is_slower_or_faster_than_life_is_told_of() {
    for (speed, told) in [(800, true), (1_500, true), (970, false), (1_050, false)] {
        let found = Encoder { speed, ..FINE }.send(&mut Health::default(), 0, 40);
        match found[..] {
            [Ailment::Pace(pace)] if told => {
                assert!((i64::from(pace) - speed).abs() < 30, "{pace} for {speed}");
            }
            [] if !told => {}
            _ => panic!("{speed}: {found:?}"),
        }
    }
    // And one of which nothing comes any more.
    let mut health = Health::default();
    FINE.clone().send(&mut health, 0, 30);
    assert_eq!(health.ailments(std::iter::empty(), Duration::from_secs(31)), []);
    assert!(matches!(health.ailments(std::iter::empty(), Duration::from_secs(38))[..], [Ailment::Pace(_)]));
}

#[test]
fn a_silence_is_told_and_then_the_tracks_are_not_apart() {
    let mut health = Health::default();
    let mut encoder = Encoder { sound_ahead_ms: 900, ..FINE };
    encoder.send(&mut health, 0, 20);
    let silent = std::iter::once((MediaKind::Audio, ms(12_000)));
    let told = health.ailments(silent, Duration::from_secs(20));
    assert_eq!(told, [Ailment::Silent(MediaKind::Audio, ms(12_000))]);
}
