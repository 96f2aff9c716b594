//! Edit lists put together box by box, and what of a track they show.

use bytes::{BufMut, BytesMut};
use proptest::prelude::*;

use super::super::boxes::{put_box, put_full};
use super::*;

/// Ticks per second of the tracks here; the movie has 1000.
const SCALE: u32 = 90_000;
const PICTURE: i64 = 3600;

fn ticks(ticks: i64) -> Timestamp {
    Timestamp::from_ticks(ticks, SCALE)
}

/// An edit list of these edits: length, first time in the media, speed.
fn list(edits: &[(u32, i32, u32)], is_fragmented: bool) -> EditList {
    let mut trak = BytesMut::new();
    put_box(&mut trak, b"edts", |out| {
        put_full(out, b"elst", 0, 0, |out| {
            out.put_u32(edits.len() as u32);
            for &(lasts, media_time, speed) in edits {
                out.put_u32(lasts);
                out.put_i32(media_time);
                out.put_u32(speed);
            }
        });
    });
    EditList::of(&trak, SCALE, 1000, is_fragmented)
}

const NORMAL: u32 = 0x1_0000;

fn sample(number: usize, dts: i64, pts: i64, key: bool) -> Sample {
    let (dts, pts) = (ticks(dts), ticks(pts));
    Sample {
        offset: number as u64,
        dts,
        pts,
        size: 1,
        track: 0,
        key,
        decode_only: false,
        needs_repair: false,
    }
}

/// Pictures 1/25 s apart, a key frame every second.
fn pictures(count: usize) -> Vec<Sample> {
    let at = |number: usize| number as i64 * PICTURE;
    (0..count).map(|number| sample(number, at(number), at(number), number.is_multiple_of(25))).collect()
}

/// The same with two between each that are decoded behind what they need; the first is shown one picture late.
fn reordered(count: usize) -> Vec<Sample> {
    let shown = |number: usize| match number % 25 {
        0 => number + 1,
        place if place % 3 == 1 => number + 3,
        _ => number,
    };
    let at = |number: usize| number as i64 * PICTURE;
    (0..count).map(|n| sample(n, at(n), at(shown(n)), n.is_multiple_of(25))).collect()
}

/// Frames of 1024 samples at 48 kHz.
fn sounds(count: usize) -> Vec<Sample> {
    (0..count).map(|number| sample(number, number as i64 * 1920, number as i64 * 1920, true)).collect()
}

fn placed(list: &EditList, samples: &[Sample], is_video: bool) -> (Vec<Sample>, Range<Timestamp>) {
    let last_lasts = ticks(if is_video { PICTURE } else { 1920 });
    let mut out = Vec::new();
    let shown = list.place(&Media { samples, is_video, has_known_keys: true, last_lasts }, 100_000, &mut out);
    (out, shown)
}

fn shown(samples: &[Sample]) -> Vec<(u64, i64)> {
    let shown = samples.iter().filter(|sample| !sample.decode_only);
    let mut shown: Vec<_> = shown.map(|sample| (sample.offset, sample.pts.to_ticks(SCALE))).collect();
    shown.sort_by_key(|(_, pts)| *pts);
    shown
}

#[test]
fn without_a_list_everything_is_shown_at_its_own_time() {
    let pictures = pictures(50);
    let (out, range) = placed(&EditList::default(), &pictures, true);
    assert_eq!(out, pictures);
    assert_eq!(range, Timestamp::ZERO..ticks(50 * PICTURE));
}

#[test]
fn a_trim_begins_with_its_keyframe_and_ends_where_it_says() {
    // From picture 60 (2.4 s) for one second, of pictures with a key frame at 50 and 75.
    let (out, range) = placed(&list(&[(1000, 60 * 3600, NORMAL)], false), &pictures(300), true);
    assert_eq!(range, Timestamp::ZERO..Timestamp::from_ms(1000));
    assert_eq!((out[0].offset, out[0].key, out.len()), (50, true, 35));
    let expected: Vec<_> = (60..85).map(|number| (number, (number as i64 - 60) * PICTURE)).collect();
    assert_eq!(shown(&out), expected);
    let before: Vec<_> = out.iter().filter(|sample| sample.decode_only).collect();
    assert!(before.iter().all(|sample| sample.pts < Timestamp::ZERO && sample.pts > Timestamp::from_ms(-1)));
    assert!(out.windows(2).all(|pair| pair[0].dts < pair[1].dts));
}

#[test]
fn a_trim_between_two_pictures_begins_with_the_one_that_is_on() {
    let (out, range) = placed(&list(&[(990, 60 * 3600 + 900, NORMAL)], false), &pictures(300), true);
    assert_eq!(range, Timestamp::ZERO..Timestamp::from_ms(990));
    assert_eq!(shown(&out)[..2], [(60, 0), (61, PICTURE - 900)]);
}

#[test]
fn where_nobody_knows_the_key_frames_a_trim_begins_with_the_first_picture() {
    let samples: Vec<Sample> = pictures(60).into_iter().map(|it| Sample { key: true, ..it }).collect();
    let list = list(&[(1000, 40 * PICTURE as i32, NORMAL)], false);
    let mut out = Vec::new();
    let media =
        Media { samples: &samples, is_video: true, has_known_keys: false, last_lasts: ticks(PICTURE) };
    let range = list.place(&media, 100_000, &mut out);
    assert_eq!(out.first().map(|sample| (sample.offset, sample.decode_only)), Some((0, true)));
    assert_eq!(shown(&out).first(), Some(&(40, 0)));
    assert_eq!(range.start, Timestamp::ZERO);
}

#[test]
fn reordered_pictures_keep_what_they_need_at_both_ends() {
    let all = reordered(200);
    // The usual list: the first picture is shown at 0.
    let (out, range) = placed(&list(&[(8000, 3600, NORMAL)], false), &all, true);
    assert_eq!(range.start, Timestamp::ZERO);
    assert_eq!((out.len(), out.iter().any(|sample| sample.decode_only)), (200, false));
    assert_eq!((out[0].pts, out[0].dts), (Timestamp::ZERO, ticks(-PICTURE)));
    for first in 1..30i32 {
        let (out, range) = placed(&list(&[(1000, first * 3600, NORMAL)], false), &all, true);
        assert_eq!(range, Timestamp::ZERO..Timestamp::from_ms(1000), "from {first}");
        let times: Vec<i64> = shown(&out).iter().map(|(_, pts)| *pts).collect();
        let expected: Vec<i64> = (0..25).map(|number| number * PICTURE).collect();
        assert_eq!(times, expected, "from {first}");
        assert!(times.first() == Some(&0) && out[0].key, "from {first}");
        assert!(out.iter().all(|sample| sample.pts <= Timestamp::from_ms(1000) && sample.dts <= sample.pts));
    }
}

#[test]
fn the_priming_of_sound_is_kept_and_not_shown() {
    let (out, range) = placed(&list(&[(2000, 2112 * 90_000 / 48_000, NORMAL)], false), &sounds(96), false);
    assert_eq!(range, Timestamp::ZERO..Timestamp::from_ms(2000));
    assert_eq!(out[0].pts.to_ticks(48_000), -2112);
    let before: Vec<bool> = out.iter().take(4).map(|sample| sample.decode_only).collect();
    assert_eq!(before, [true, true, false, false], "the third begins before 0 and goes on behind it");
    // In the middle of the sound a few frames are enough.
    let (out, _) = placed(&list(&[(1000, 5 * 90_000, NORMAL)], false), &sounds(470), false);
    assert!(out[0].pts >= Timestamp::from_ms(-80) && out[0].pts < Timestamp::ZERO);
    assert_eq!(out.iter().filter(|sample| sample.decode_only).count(), 3);
}

#[test]
fn several_edits_leave_out_repeat_and_pause() {
    // Second 2, half a second of nothing, second 2 again, then 5 to 6.
    let edits = [
        (1000, 2 * 90_000, NORMAL),
        (500, -1, NORMAL),
        (1000, 2 * 90_000, NORMAL),
        (1000, 5 * 90_000 + 10 * 3600, NORMAL),
    ];
    let (out, range) = placed(&list(&edits, false), &pictures(300), true);
    assert_eq!(range, Timestamp::ZERO..Timestamp::from_ms(3500));
    let part = |from: u64, at: i64| (from..from + 25).map(move |n| (n, at + (n - from) as i64 * PICTURE));
    let expected: Vec<_> = part(50, 0).chain(part(50, 135_000)).chain(part(135, 225_000)).collect();
    assert_eq!(shown(&out), expected);
    assert!(out.windows(2).all(|pair| pair[0].dts < pair[1].dts), "in decoding order");
    // Edits that only go on where the one before ends are one, also where their lengths are rounded.
    let whole = list(&[(333, 0, NORMAL), (667, 333 * 90 + 20, NORMAL)], false);
    assert_eq!(whole.edits.len(), 1);
}

#[test]
fn what_is_not_followed_is_said() {
    let slow = list(&[(1000, 0, NORMAL), (4000, 90_000, NORMAL / 4), (1000, 2 * 90_000, NORMAL)], false);
    assert_eq!(slow.note.as_deref(), Some("1 of its edits have another speed and are left out"));
    assert_eq!(placed(&slow, &pictures(100), true).1.end, Timestamp::from_ms(2000));
    let only = list(&[(1000, 0, 2 * NORMAL)], false);
    assert_eq!(placed(&only, &pictures(100), true).1.end, Timestamp::from_ms(4000));
    assert!(only.note.is_some_and(|note| note.contains("plays whole")));
    let many = list(&vec![(40, 9000, NORMAL); EDITS_MAX + 1], false);
    assert_eq!(many.note.as_deref(), Some("only the first 128 of its 129 edits are followed"));
}

#[test]
fn an_edit_without_a_length_goes_to_the_end() {
    for (edits, is_fragmented) in [([(0, 90_000, NORMAL)], false), ([(300, 90_000, NORMAL)], true)] {
        let (_, range) = placed(&list(&edits, is_fragmented), &pictures(100), true);
        assert_eq!(range, Timestamp::ZERO..Timestamp::from_ms(3000));
    }
}

#[test]
fn a_last_picture_of_no_length_is_not_cut_away() {
    let pictures = pictures(100);
    let media =
        Media { samples: &pictures, is_video: true, has_known_keys: true, last_lasts: Timestamp::ZERO };
    let mut out = Vec::new();
    let shown = list(&[(3960, 0, NORMAL)], false).place(&media, 1000, &mut out);
    assert_eq!((shown.end, out.len()), (Timestamp::from_ms(4000), 100));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn any_edits_show_as_much_as_they_say(
        edits in prop::collection::vec((1u32..4000, 0i32..720_000), 1..8),
        is_video in any::<bool>(),
        is_reordered in any::<bool>(),
    ) {
        let samples = match (is_video, is_reordered) {
            (true, true) => reordered(300),
            (true, false) => pictures(300),
            (false, _) => sounds(570),
        };
        let first = if is_video && is_reordered { 3600 } else { 0 };
        let edits: Vec<_> = edits.into_iter().map(|(lasts, time)| (lasts, time + first, NORMAL)).collect();
        let (out, range) = placed(&list(&edits, false), &samples, is_video);
        // All of them lie within the media.
        let all: u32 = edits.iter().map(|(lasts, ..)| lasts).sum();
        let off = (range.end - Timestamp::from_ms(all.into())).as_nanos().abs();
        prop_assert!(off < 45_000_000, "{range:?} of {all} ms");
        prop_assert!(out.windows(2).all(|pair| pair[0].dts < pair[1].dts));
        prop_assert!(out.iter().all(|sample| sample.dts <= sample.pts));
        let late = |sample: &&Sample| !sample.decode_only && sample.pts >= range.end;
        prop_assert_eq!(out.iter().filter(late).count(), 0);
        if is_video {
            prop_assert!(out[0].key);
        }
    }

    #[test]
    fn any_list_of_any_samples_never_panics(
        edits in prop::collection::vec((any::<u32>(), any::<i32>(), any::<u32>()), 0..20),
        times in prop::collection::vec((any::<i64>(), any::<i64>(), any::<bool>()), 0..60),
        is_video in any::<bool>(),
        is_fragmented in any::<bool>(),
    ) {
        let edits: Vec<_> = edits
            .into_iter()
            .map(|(lasts, at, speed)| (lasts, at, if speed.is_multiple_of(4) { speed } else { NORMAL }))
            .collect();
        let samples: Vec<Sample> = times
            .into_iter()
            .enumerate()
            .map(|(number, (dts, pts, key))| Sample {
                dts: Timestamp::from_nanos(dts),
                pts: Timestamp::from_nanos(pts),
                ..sample(number, 0, 0, key)
            })
            .collect();
        let (out, range) = placed(&list(&edits, is_fragmented), &samples, is_video);
        prop_assert!(out.len() <= samples.len() * edits.len().max(1));
        prop_assert!(range.start <= range.end);
    }
}

#[test]
fn more_edits_than_can_be_looked_for_are_left_out() {
    let edits: Vec<_> = (0..10).map(|number| (40, number * 90_000, NORMAL)).collect();
    let followed = |samples| {
        let mut list = list(&edits, false);
        list.afford(samples);
        (list.edits.len(), list.note)
    };
    assert_eq!(followed(LOOKED_AT_MAX / 10), (10, None));
    assert_eq!(
        followed(LOOKED_AT_MAX / 10 + 1),
        (9, Some("only the first 9 of its 10 edits are followed".to_owned()))
    );
    assert_eq!(followed(usize::MAX).0, 1);
}

#[test]
fn a_time_beyond_all_reckoning_does_not_make_the_film_longer() {
    let mut samples = pictures(50);
    samples.push(Sample { dts: FOREVER, pts: FOREVER, ..sample(50, 0, 0, false) });
    // To the end of a fragmented film, whose head was written before it.
    let (_, shown) = placed(&list(&[(0, 0, NORMAL)], true), &samples, true);
    assert_eq!(shown, Timestamp::ZERO..ticks(50 * PICTURE));
}
