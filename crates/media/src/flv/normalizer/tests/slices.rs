//! Pictures that come in several messages: a slice each, parameter sets in front.

use super::*;
use crate::flv::Patience;

/// The first slice of a picture, and one further down.
const IDR_TOP: &[u8] = &[0x65, 0x88, 0x84, 0x21];
const IDR_BELOW: &[u8] = &[0x65, 0x2B, 0x22, 0x08, 0x44];
const P_TOP: &[u8] = &[0x41, 0x9A, 0x21, 7];
const P_BELOW: &[u8] = &[0x41, 0x2C, 0xD1, 7, 7];
const SEI: &[u8] = &[0x06, 5, 4, b'a', b'b', b'c', b'd', 0x80];

type Out = Vec<(i64, bool, Vec<u8>)>;

fn of_video(items: MediaItems, out: &mut Out) {
    for item in items {
        if let MediaItem::Frame(frame) = item
            && frame.track.kind == MediaKind::Video
        {
            out.push((frame.dts.as_ms(), frame.key, frame.payload.to_vec()));
        }
    }
}

/// What comes out of these messages, each a time, whether it is flagged, and a unit.
fn gathered(normalizer: &mut Normalizer, messages: &[(u32, bool, &[u8])]) -> Out {
    let mut out = Vec::new();
    for &(time, flagged, unit) in messages {
        let body = if flagged { key(&prefixed(&[unit])) } else { inter(&prefixed(&[unit])) };
        of_video(normalizer.push_video(time, body).unwrap(), &mut out);
    }
    out
}

fn patient(patience: Patience) -> Normalizer {
    let mut normalizer = Normalizer::with_patience(patience);
    assert_eq!(normalizer.push_video(0, config(&record(SPS))).unwrap().count(), 1);
    normalizer
}

#[test]
fn slices_in_messages_of_their_own_are_one_picture() {
    let messages = [
        (0, true, IDR_TOP),
        (0, true, IDR_BELOW),
        (2, true, IDR_BELOW),
        (40, false, P_TOP),
        (40, false, P_BELOW),
        (80, false, P_TOP),
    ];
    let expected: Out = vec![
        (0, true, prefixed(&[IDR_TOP, IDR_BELOW, IDR_BELOW])),
        (40, false, prefixed(&[P_TOP, P_BELOW])),
        (80, false, prefixed(&[P_TOP])),
    ];
    let mut normalizer = patient(Patience::Always);
    let mut out = gathered(&mut normalizer, &messages);
    assert!(normalizer.is_waiting());
    of_video(normalizer.flush(), &mut out);
    assert_eq!(out, expected);
    assert!(!normalizer.is_waiting());
    assert_eq!(normalizer.repaired().joined_messages, 3);
    // Live, nobody waits at first: players have the first slice at once, and the rest of that picture as no key frame.
    let mut normalizer = patient(Patience::IfSliced);
    let out = gathered(&mut normalizer, &messages);
    let expected: Out = vec![
        (0, true, prefixed(&[IDR_TOP])),
        (0, false, prefixed(&[IDR_BELOW, IDR_BELOW])),
        (40, false, prefixed(&[P_TOP, P_BELOW])),
    ];
    assert_eq!(out, expected);
}

#[test]
fn whole_pictures_do_not_wait_for_the_next_one() {
    let mut normalizer = patient(Patience::IfSliced);
    for step in 0..50 {
        assert_eq!(gathered(&mut normalizer, &[(step * 40, step % 25 == 0, P_TOP)]).len(), 1);
        assert!(!normalizer.is_waiting());
    }
    let mut out = Vec::new();
    of_video(normalizer.push_video(2000, key(&prefixed(&[IDR_TOP, IDR_BELOW]))).unwrap(), &mut out);
    assert_eq!(out, [(2000, true, prefixed(&[IDR_TOP, IDR_BELOW]))], "several slices in one message");
}

#[test]
fn what_stands_before_a_picture_goes_with_it() {
    let mut normalizer = patient(Patience::IfSliced);
    let messages = [(0, true, SPS), (0, true, PPS), (0, false, SEI), (3, false, IDR_TOP), (40, false, P_TOP)];
    let expected: Out = vec![(3, true, prefixed(&[SPS, PPS, SEI, IDR_TOP])), (40, false, prefixed(&[P_TOP]))];
    assert_eq!(gathered(&mut normalizer, &messages), expected);
    assert!(!normalizer.is_waiting());
    // Parameter sets alone, without any configuration before, make one with the picture behind them.
    let mut normalizer = Normalizer::new();
    assert_eq!(normalizer.push_video(0, key(&prefixed(&[SPS, PPS]))).unwrap().count(), 0);
    let items: Vec<MediaItem> = normalizer.push_video(0, key(&prefixed(&[IDR_TOP]))).unwrap().collect();
    let [MediaItem::Track(track), MediaItem::Frame(frame)] = &items[..] else { panic!("{items:?}") };
    assert_eq!((&track.config, frame.key), (&record(SPS), true));
}

#[test]
fn a_picture_ends_where_something_else_begins() {
    // A configuration, the end of the sequence, a time of its own, another codec.
    let mut normalizer = patient(Patience::Always);
    let mut out = gathered(&mut normalizer, &[(0, true, IDR_TOP), (0, true, IDR_BELOW)]);
    let items: Vec<MediaItem> = normalizer.push_video(40, config(&record(OTHER_SPS))).unwrap().collect();
    let [MediaItem::Frame(frame), MediaItem::Track(_)] = &items[..] else { panic!("{items:?}") };
    assert_eq!(frame.payload.as_ref(), prefixed(&[IDR_TOP, IDR_BELOW]), "before the change");
    out.extend(gathered(&mut normalizer, &[(40, true, IDR_TOP), (80, true, IDR_BELOW)]));
    assert_eq!(out, [(40, true, prefixed(&[IDR_TOP]))], "80 ms is another picture, whatever it says");
    let mut out = Vec::new();
    of_video(normalizer.push_video(80, Bytes::from_static(&[0x17, 2, 0, 0, 0])).unwrap(), &mut out);
    assert_eq!(out, [(80, false, prefixed(&[IDR_BELOW]))]);
    gathered(&mut normalizer, &[(120, true, IDR_TOP)]);
    of_video(normalizer.push_video(160, body(&[0x12], &[0, 0, 0x84, 0])).unwrap(), &mut out);
    assert_eq!(out[1..].iter().map(|(time, ..)| *time).collect::<Vec<_>>(), [120, 160]);
}

#[test]
fn a_picture_that_is_never_finished_goes_on_as_it_is() {
    let mut normalizer = patient(Patience::Always);
    assert_eq!(normalizer.push_audio(0, Bytes::from_static(&[0xAF, 0, 0x12, 0x10])).unwrap().count(), 1);
    let mut out = gathered(&mut normalizer, &[(0, true, IDR_TOP)]);
    for number in 0..100u32 {
        of_video(normalizer.push_audio(number * 23, body(&[0xAF, 1], SILENCE)).unwrap(), &mut out);
        assert_eq!(out.len(), usize::from(number >= 64), "after {number}");
    }
    // Masses of slices are bounded: 17 MiB make two frames.
    let slice = [IDR_BELOW, &[7; 1 << 20]].concat();
    let mut messages = vec![(3000, true, IDR_TOP)];
    messages.extend([(3000, true, &slice[..]); 17]);
    let mut out = gathered(&mut normalizer, &messages);
    of_video(normalizer.flush(), &mut out);
    assert_eq!(out.iter().map(|(_, key, _)| *key).collect::<Vec<_>>(), [true, false]);
    assert_eq!(out.iter().map(|(.., payload)| payload.len()).sum::<usize>(), 8 + 17 * (slice.len() + 4));
}

#[test]
fn hevc_and_vvc_slices_are_put_together_too() {
    let coded = |four_cc: &[u8; 4], unit: &[u8]| -> Bytes {
        [&[0x93], &four_cc[..], &prefixed(&[unit])].concat().into()
    };
    let hevc: [&[u8]; 3] = [&[0x26, 1, 0xAF, 0x0D], &[0x26, 1, 0x2F, 0x0D], &[0x02, 1, 0xD0, 9]];
    // A picture's header in a unit of its own, then slices.
    let vvc: [&[u8]; 4] = [&[0, 0x99, 1, 2], &[0, 0x41, 0x20, 2], &[0, 0x41, 0x30, 2], &[0, 0x01, 0x80, 2]];
    let hevc_record = enhanced::hvcc_of(4);
    for (four_cc, record, units) in [(b"hvc1", &hevc_record[..], &hevc[..]), (b"vvc1", &[0xFF, 0], &vvc)] {
        let mut normalizer = Normalizer::with_patience(Patience::Always);
        let start: Bytes = [&[0x90], &four_cc[..], record].concat().into();
        assert_eq!(normalizer.push_video(0, start).unwrap().count(), 1);
        let (last, picture) = units.split_last().unwrap();
        let mut out = Vec::new();
        picture
            .iter()
            .for_each(|unit| of_video(normalizer.push_video(0, coded(four_cc, unit)).unwrap(), &mut out));
        of_video(normalizer.push_video(40, coded(four_cc, last)).unwrap(), &mut out);
        of_video(normalizer.flush(), &mut out);
        let expected: Out = vec![(0, true, prefixed(picture)), (40, false, prefixed(&[last]))];
        assert_eq!(out, expected, "{four_cc:?}");
    }
}

/// Two tracks of one publisher, and pictures that come in pieces of a few megabytes.
#[test]
fn what_is_held_of_all_tracks_together_is_bounded() {
    let slice = |unit: &[u8], bytes: usize| prefixed(&[&[unit, &vec![7; bytes - unit.len() - 4]].concat()]);
    let mut normalizer = patient(Patience::Always);
    let mut out = Out::new();
    let of_other = |body: &[u8]| {
        // Enhanced: a key frame; several tracks, one each; AVC; coded frames without a composition time.
        [&[0x96, 0x03], &b"avc1"[..], &[1], body].concat()
    };
    let other_config = [&[0x96, 0x00], &b"avc1"[..], &[1], &record(SPS)].concat();
    assert_eq!(normalizer.push_video(0, other_config.into()).unwrap().count(), 1);
    for _ in 0..2 {
        of_video(normalizer.push_video(0, key(&slice(IDR_BELOW, 4 << 20))).unwrap(), &mut out);
        let body = of_other(&slice(IDR_BELOW, 4 << 20));
        of_video(normalizer.push_video(0, body.into()).unwrap(), &mut out);
    }
    assert!(out.is_empty(), "16 MiB are held");
    of_video(normalizer.push_video(0, key(&slice(IDR_BELOW, 4 << 10))).unwrap(), &mut out);
    let lengths: Vec<_> = out.iter().map(|(_, _, payload)| payload.len()).collect();
    assert_eq!(lengths, [(8 << 20) + (4 << 10)], "the largest goes on");
    assert!(normalizer.is_waiting());
}

/// A slice of a message would keep all of it in memory.
#[test]
fn a_small_part_of_a_message_is_copied_out_of_it() {
    let mut normalizer = Normalizer::new();
    let whole = vec![7; 4000];
    for (part, is_slice) in [(&whole[..], true), (&whole[..100], false)] {
        let tracks = [(0u8, part), (1, &whole[..2900])];
        let parts = tracks.map(|(track, payload)| {
            [&[track][..], &(payload.len() as u32).to_be_bytes()[1..], payload].concat()
        });
        // Enhanced sound: several tracks, coded frames; Opus needs no configuration.
        let body = Bytes::from([&[0x95, 0x11][..], b"Opus", &parts.concat()].concat());
        let range = body.as_ptr() as usize..body.as_ptr() as usize + body.len();
        let items = normalizer.push_audio(0, body.clone()).unwrap();
        let frames: Vec<Frame> = items
            .filter_map(|item| match item {
                MediaItem::Frame(frame) => Some(frame),
                MediaItem::Track(_) => None,
            })
            .collect();
        assert_eq!(frames[0].payload, part);
        assert_eq!(range.contains(&(frames[0].payload.as_ptr() as usize)), is_slice);
        assert!(range.contains(&(frames[1].payload.as_ptr() as usize)));
    }
}
