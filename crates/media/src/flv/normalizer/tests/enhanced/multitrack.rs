//! Several tracks of one publisher, in messages of their own and in one message.

use super::*;

/// A message for track `index`: sequence start or frame.
fn one_of_many(first: u8, packet_type: u8, four_cc: &[u8; 4], index: u8, rest: &[u8]) -> Bytes {
    [&[first, packet_type], &four_cc[..], &[index], rest].concat().into()
}

/// A track's part of a message for many.
fn part(index: u8, rest: &[u8]) -> Vec<u8> {
    [&[index, 0, 0, rest.len() as u8], rest].concat()
}

#[test]
fn each_track_is_made_regular_by_itself() {
    let mut normalizer = running();
    let second = TrackId { kind: MediaKind::Video, index: 1 };
    let items = normalizer.push_video(0, one_of_many(0x96, 0, b"hvc1", 1, &hvcc_of(4)));
    assert_eq!(track_of(items.unwrap()), Track::new(second, Codec::H265, hvcc_of(4).into()));
    let sound = normalizer.push_audio(0, one_of_many(0x95, 0, b"mp4a", 2, &[0x11, 0x90])).unwrap();
    assert_eq!(track_of(sound).id, TrackId { kind: MediaKind::Audio, index: 2 });
    let numbers: Vec<_> = normalizer.tracks().map(|track| (track.id.kind, track.id.index)).collect();
    assert_eq!(
        numbers,
        [(MediaKind::Video, 0), (MediaKind::Video, 1), (MediaKind::Audio, 0), (MediaKind::Audio, 2)]
    );
    let frame = frame_of(
        normalizer.push_video(40, one_of_many(0x96, 3, b"hvc1", 1, &prefixed(&[HEVC_IDR]))).unwrap(),
    );
    assert_eq!((frame.track, frame.codec), (second, Codec::H265));
    assert_eq!(frame_of(normalizer.push_video(40, key(&prefixed(&[IDR]))).unwrap()).track, TrackId::VIDEO);
    assert_eq!(normalizer.push_video(0, one_of_many(0x96, 0, b"hvc1", 1, &hvcc_of(4))).unwrap().count(), 0);
    let late = normalizer.push_video(20, one_of_many(0xA6, 3, b"hvc1", 1, &prefixed(&[HEVC_SLICE])));
    assert_eq!(frame_of(late.unwrap()).dts, Timestamp::from_ms(41), "clamped behind its own track");
    assert_eq!(frame_of(normalizer.push_audio(20, body(&[0xAF, 1], SILENCE)).unwrap()).dts.as_ms(), 20);
}

#[test]
fn all_tracks_start_over_together() {
    let mut normalizer = running();
    assert_eq!(normalizer.push_video(0, one_of_many(0x96, 0, b"hvc1", 1, &hvcc_of(4))).unwrap().count(), 1);
    let mut at = |time, second| {
        let sent = match second {
            false => key(&prefixed(&[IDR])),
            true => one_of_many(0x96, 3, b"hvc1", 1, &prefixed(&[HEVC_IDR])),
        };
        frame_of(normalizer.push_video(time, sent).unwrap()).dts.as_ms()
    };
    assert_eq!((at(60_000, false), at(60_000, true)), (60_000, 60_000));
    assert_eq!((at(0, false), at(40, true), at(40, false)), (60_001, 60_041, 60_041));
}

#[test]
fn a_message_may_hold_many_tracks() {
    let mut normalizer = Normalizer::new();
    let configs = [b"\x96\x10hvc1", &part(0, &hvcc_of(4))[..], &part(1, &hvcc_of(2))].concat();
    let tracks: Vec<MediaItem> = normalizer.push_video(0, configs.into()).unwrap().collect();
    let [MediaItem::Track(first), MediaItem::Track(second)] = &tracks[..] else { panic!("{tracks:?}") };
    assert_eq!((first.id.index, second.id.index), (0, 1));
    let (long, short) = (prefixed(&[HEVC_IDR]), [&[0, 4], HEVC_IDR].concat());
    let frames = [b"\x96\x13hvc1", &part(1, &short)[..], &part(0, &long), &part(7, &long)].concat();
    let items: Vec<MediaItem> = normalizer.push_video(40, frames.into()).unwrap().collect();
    let [MediaItem::Frame(first), MediaItem::Frame(second)] = &items[..] else { panic!("{items:?}") };
    assert_eq!((first.track.index, first.payload.as_ref()), (1, &short[..]));
    assert_eq!((second.track.index, second.payload.as_ref()), (0, &long[..]));
    assert_eq!(normalizer.repaired().unannounced, 1, "nobody knows track 7");
}

#[test]
fn one_broken_track_does_not_take_the_others_along() {
    let mut normalizer = Normalizer::new();
    let broken = [b"\x96\x10hvc1", &part(0, &[2])[..]].concat();
    assert!(normalizer.push_video(0, broken.clone().into()).is_err());
    assert_eq!(normalizer.repaired().partly_used, 0);
    let half = [&broken[..], &part(1, &hvcc_of(4))].concat();
    assert_eq!(track_of(normalizer.push_video(0, half.into()).unwrap()).id.index, 1);
    assert_eq!(normalizer.repaired().partly_used, 1);
}

#[test]
fn tracks_are_counted() {
    let mut normalizer = Normalizer::new();
    let mut announce = |index: u8| {
        let index = index.wrapping_mul(11);
        normalizer.push_audio(0, one_of_many(0x95, 0, b"mp4a", index, &[0x12, 0x10])).map(Iterator::count)
    };
    for index in 0..TRACKS_MAX as u8 {
        assert_eq!(announce(index), Ok(1));
    }
    assert!(matches!(announce(99), Err(Error::Limit { found: 17, limit: 16, .. })));
    assert_eq!(announce(3), Ok(0), "those that are known stay");
    assert_eq!(normalizer.push_video(0, config(&record(SPS))).unwrap().count(), 1, "the other kind is free");
}

#[test]
fn colours_without_a_number_belong_to_the_track_of_their_codec() {
    let mut normalizer = Normalizer::new();
    normalizer.push_video(0, Bytes::from_static(b"\x90av01\x81\0\x0C\0")).unwrap().for_each(drop);
    normalizer
        .push_video(0, Bytes::from_static(b"\x96\0vp09\x01\x01\0\0\0\0\x14\x82\x02\x02\x02\0\0"))
        .unwrap()
        .for_each(drop);
    let body = [b"\xD4vp09", COLORS].concat();
    let track = track_of(normalizer.push_video(0, body.into()).unwrap());
    assert_eq!((track.id.index, track.codec, track.extra.is_empty()), (1, Codec::Vp9, false));
}
