//! Tag bodies of both forms, taken apart.

use proptest::prelude::*;

use super::*;
use crate::flv::{Dialect, config_bodies, frame_head};
use crate::{Codec, Frame, Timestamp, Track, TrackId};

fn h264_frame(key: bool, composition_ms: i64) -> Frame {
    let dts = Timestamp::from_ms(1000);
    Frame {
        track: TrackId::VIDEO,
        codec: Codec::H264,
        dts,
        pts: dts + Timestamp::from_ms(composition_ms),
        key,
        payload: Bytes::from_static(&[0, 0, 0, 1, 0x65]),
    }
}

fn only(parts: Result<TagParts, Error>) -> TagBody {
    match parts.unwrap().collect::<Vec<_>>().as_slice() {
        [part] => part.clone(),
        other => panic!("not one part: {other:?}"),
    }
}

fn coded(parts: Result<TagParts, Error>) -> CodedFrame {
    match only(parts) {
        TagBody::Frame(coded) => coded,
        other => panic!("not a frame: {other:?}"),
    }
}

#[test]
fn h264_heads_carry_a_signed_composition_time() {
    assert_eq!(frame_head(&h264_frame(true, 80), &Dialect::PLAIN).unwrap().as_slice(), [0x17, 1, 0, 0, 80]);
    assert_eq!(
        frame_head(&h264_frame(false, -1), &Dialect::PLAIN).unwrap().as_slice(),
        [0x27, 1, 0xFF, 0xFF, 0xFF]
    );
    assert_eq!(
        frame_head(&h264_frame(false, i64::MAX), &Dialect::PLAIN).unwrap().as_slice(),
        [0x27, 1, 0x7F, 0xFF, 0xFF]
    );
    let body = Bytes::from_static(&[0x27, 1, 0xFF, 0xFF, 0xD8, 0, 0, 0, 1, 0x41]);
    let coded = coded(decode_video(body.clone()));
    assert_eq!((coded.composition_ms, coded.key), (-40, Some(false)));
    assert_eq!(coded.payload.as_ptr(), body[5..].as_ptr(), "the payload is a slice, not a copy");
}

#[test]
fn nginx_marks_b_frames_as_disposable() {
    // nginx-rtmp's relay and some encoders: frame type 3, a picture on which no other depends.
    let body = Bytes::from_static(&[0x37, 1, 0, 0, 40, 0, 0, 0, 1, 0x01]);
    let frame = decode_video(body).unwrap().next();
    assert!(
        matches!(frame, Some(TagBody::Frame(CodedFrame { key: Some(false), composition_ms: 40, .. }))),
        "{frame:?}"
    );
}

#[test]
fn bodies_that_carry_nothing_are_legal() {
    let video = |bytes: &'static [u8]| only(decode_video(Bytes::from_static(bytes)));
    let audio = |bytes: &'static [u8]| only(decode_audio(Bytes::from_static(bytes)));
    assert_eq!(video(&[]), TagBody::Empty);
    assert_eq!(video(&[0x17]), TagBody::Empty);
    assert_eq!(video(&[0x57, 0]), TagBody::Command);
    assert_eq!(video(&[0x27, 1, 0, 0, 0]), TagBody::Empty);
    assert_eq!(video(&END_OF_VIDEO), TagBody::EndOfSequence(TrackId::VIDEO));
    assert_eq!(video(&[0x17, 2]), TagBody::EndOfSequence(TrackId::VIDEO));
    assert_eq!(audio(&[]), TagBody::Empty);
    assert_eq!(audio(&[0xAF, 0]), TagBody::Empty);
    assert_eq!(audio(&[0xAF, 1]), TagBody::Empty);
    assert_eq!(audio(&[0x2E]), TagBody::Empty);
}

#[test]
fn configurations_survive_the_way_out_and_in() {
    let video = Track::new(TrackId::VIDEO, Codec::H264, Bytes::from_static(&[1, 77, 0, 31]));
    assert_eq!(config_bodies(&video, &Dialect::PLAIN)[0].clone().as_ref(), [0x17, 0, 0, 0, 0, 1, 77, 0, 31]);
    assert_eq!(only(decode_video(config_bodies(&video, &Dialect::PLAIN)[0].clone())), TagBody::Config(video));
    let audio = Track::new(TrackId::AUDIO, Codec::Aac, Bytes::from_static(&[0x12, 0x10]));
    assert_eq!(config_bodies(&audio, &Dialect::PLAIN)[0].clone().as_ref(), [0xAF, 0, 0x12, 0x10]);
    assert_eq!(only(decode_audio(config_bodies(&audio, &Dialect::PLAIN)[0].clone())), TagBody::Config(audio));
    let mp3 = Track::new(TrackId::AUDIO, Codec::Mp3 { flv_flags: 0x2F }, Bytes::new());
    assert!(config_bodies(&mp3, &Dialect::PLAIN).is_empty());
}

#[test]
fn codecs_of_the_flash_age_pass_untouched() {
    for body in [&[0x22u8, 9, 9][..], &[0x14, 0, 1, 2], &[0x25, 7]] {
        let CodedFrame { codec, key, payload, .. } = coded(decode_video(Bytes::copy_from_slice(body)));
        let frame = Frame { codec, key: key.unwrap(), payload, ..h264_frame(false, 0) };
        assert_eq!([frame_head(&frame, &Dialect::PLAIN).unwrap().as_slice(), &frame.payload].concat(), body);
    }
    for body in [&[0x2Fu8, 0xFF, 0xFB][..], &[0xB2, 1, 2], &[0x6A, 3], &[0x82, 4], &[0xE2, 5]] {
        let CodedFrame { codec, payload, .. } = coded(decode_audio(Bytes::copy_from_slice(body)));
        let frame = Frame { codec, payload, ..h264_frame(true, 0) };
        assert_eq!([frame_head(&frame, &Dialect::PLAIN).unwrap().as_slice(), &frame.payload].concat(), body);
    }
}

/// What video and audio bodies of Enhanced RTMP hold, by the examples of its specification.
fn video(body: &'static [u8]) -> TagBody {
    only(decode_video(Bytes::from_static(body)))
}

fn audio(body: &'static [u8]) -> TagBody {
    only(decode_audio(Bytes::from_static(body)))
}

fn config(id: TrackId, codec: Codec, config: &'static [u8]) -> TagBody {
    TagBody::Config(Track::new(id, codec, Bytes::from_static(config)))
}

const SECOND: TrackId = TrackId { kind: MediaKind::Video, index: 1 };

fn hevc(key: Option<bool>, composition_ms: i32, payload: &'static [u8]) -> CodedFrame {
    CodedFrame {
        track: TrackId::VIDEO,
        codec: Codec::H265,
        key,
        composition_ms,
        nanos: 0,
        payload: Bytes::from_static(payload),
    }
}

#[test]
fn enhanced_video_of_one_track() {
    assert_eq!(video(b"\x90hvc1\x01\x02"), config(TrackId::VIDEO, Codec::H265, b"\x01\x02"));
    assert_eq!(video(b"\x91hvc1\xFF\xFF\xD8!"), TagBody::Frame(hevc(Some(true), -40, b"!")));
    assert_eq!(video(b"\x93hvc1!"), TagBody::Frame(hevc(Some(true), 0, b"!")));
    assert_eq!(video(b"\xA3hvc1!"), TagBody::Frame(hevc(Some(false), 0, b"!")));
    assert_eq!(video(b"\x83hvc1!"), TagBody::Frame(hevc(None, 0, b"!")), "no frame type (quirk 16)");
    assert_eq!(video(b"\x92hvc1"), TagBody::EndOfSequence(TrackId::VIDEO));
    assert_eq!(video(b"\x90hvc1"), TagBody::Empty);
    assert_eq!(video(b"\x91hvc1\0\0\0"), TagBody::Empty);
    let av1 = coded(decode_video(Bytes::from_static(b"\x91av01\x0A\x0B\0")));
    assert_eq!((av1.codec, av1.composition_ms, av1.payload.len()), (Codec::Av1, 0, 3), "no composition time");
    let descriptor = video(b"\x95av01\x80\x04");
    assert_eq!(descriptor, TagBody::Empty, "the descriptor of MPEG-2 TS");
    assert!(decode_video(Bytes::from_static(b"\x91hvc1\0\0")).is_err());
    assert!(decode_video(Bytes::from_static(b"\x98hvc1\0\0")).is_err());
    assert!(decode_video(Bytes::from_static(b"\x90hvc")).is_err());
}

#[test]
fn metadata_and_commands_share_frame_types() {
    let extra = |bytes| TagBody::Extra {
        track: TrackId::VIDEO,
        codec: Codec::H265,
        bytes: Bytes::from_static(bytes),
    };
    assert_eq!(video(b"\x84hvc1\x02\0\x09colorInfo\x06"), extra(b"\x02\0\x09colorInfo\x06"));
    assert_eq!(video(b"\xD4hvc1!"), extra(b"!"), "frame type 5 means nothing beside metadata");
    assert_eq!(video(b"\xD1\0"), TagBody::Command);
    assert_eq!(video(b"\xD7\x02\0\0\x01\x01\0"), TagBody::Command);
}

#[test]
fn enhanced_audio_of_one_track() {
    assert_eq!(audio(b"\x90mp4a\x12\x10"), config(TrackId::AUDIO, Codec::Aac, b"\x12\x10"));
    assert_eq!(audio(b"\x90Opus"), TagBody::Empty, "an empty header is allowed");
    assert_eq!(audio(b"\x90fLaC"), TagBody::Empty);
    for (body, codec) in [
        (&b"\x91mp4a!"[..], Codec::Aac),
        (b"\x91Opus!", Codec::Opus),
        (b"\x91fLaC!", Codec::Flac),
        (b"\x91ac-3!", Codec::Ac3),
        (b"\x91ec-3!", Codec::Eac3),
        (b"\x91.mp3!", CodedFrame::MP3_UNKNOWN),
    ] {
        let coded = coded(decode_audio(Bytes::from_static(body)));
        assert_eq!((coded.codec, coded.key, coded.payload.as_ref()), (codec, Some(true), &b"!"[..]));
    }
    assert_eq!(audio(b"\x92Opus"), TagBody::EndOfSequence(TrackId::AUDIO));
    let bytes = Bytes::from_static(b"\x01\x02\0\0\0\x03");
    let layout = TagBody::Extra { track: TrackId::AUDIO, codec: Codec::Opus, bytes };
    assert_eq!(audio(b"\x94Opus\x01\x02\0\0\0\x03"), layout);
    assert!(decode_audio(Bytes::from_static(b"\x93Opus!")).is_err(), "video's packet type");
}

#[test]
fn unofficial_numbers() {
    assert_eq!(video(b"\x1C\0\0\0\0\x01"), config(TrackId::VIDEO, Codec::H265, b"\x01"));
    assert_eq!(video(b"\x1C\x01\0\0\x28!"), TagBody::Frame(hevc(Some(true), 40, b"!")));
    for (first, codec) in [(0x2D, Codec::Av1), (0x2E, Codec::Vp8), (0x2F, Codec::Vp9)] {
        let coded = coded(decode_video(Bytes::copy_from_slice(&[first, 1, 0, 0, 0, 7])));
        assert_eq!((coded.codec, coded.key, coded.payload.as_ref()), (codec, Some(false), &[7][..]));
    }
    let opus = coded(decode_audio(Bytes::from_static(b"\xDF\xFC!")));
    assert_eq!((opus.codec, opus.payload.as_ref()), (Codec::Opus, &b"\xFC!"[..]));
    let refusal = decode_video(Bytes::from_static(b"\x19!")).unwrap_err().to_string();
    assert!(refusal.starts_with("FLV video codec 9 (MPEG-4 part 2) is not supported"), "{refusal}");
}

#[test]
fn modifiers_stand_before_everything_and_unknown_ones_are_passed_over() {
    let nanos = |body: &[u8]| coded(decode_video(Bytes::copy_from_slice(body))).nanos;
    assert_eq!(nanos(b"\x97\x02\x01\x02\x03\x03hvc1!"), 0x01_02_03);
    assert_eq!(nanos(b"\x97\0\x55\x17\x02\x01\x02\x03\x03hvc1!"), 0x01_02_03, "kind 1 before kind 0");
    assert_eq!(nanos(b"\x97\x02\xFF\xFF\xFF\x03hvc1!"), 0, "a millisecond and more is no offset");
    assert_eq!(nanos(b"\x97\0\x01\x03hvc1!"), 0, "too short to say anything");
    for len in [256usize, 257, 65536] {
        let size = (len as u16).wrapping_sub(1).to_be_bytes();
        let mut body = [b"\x97\xFF", &size[..], &[0, 0, 9], &vec![0; len - 3], b"\x03hvc1!"].concat();
        assert_eq!(nanos(&body), 9, "a modifier of {len} bytes");
        body.truncate(len);
        assert!(decode_video(body.into()).is_err());
    }
    let audio = coded(decode_audio(Bytes::from_static(b"\x97\x02\0\0\x05\x01Opus!")));
    assert_eq!((audio.nanos, audio.codec), (5, Codec::Opus));
    let endless = decode_video([&[0x97][..], &[0, 0, 0x17].repeat(1000)].concat().into());
    assert!(matches!(endless, Err(Error::Malformed { .. })));
}

#[test]
fn one_of_several_tracks() {
    assert_eq!(video(b"\x96\0hvc1\x01\x01"), config(SECOND, Codec::H265, b"\x01"));
    let fine = coded(decode_video(Bytes::from_static(b"\xA7\x02\x01\x02\x03\x06\x01hvc1\x01\0\0\x28!")));
    assert_eq!(fine, CodedFrame { track: SECOND, nanos: 0x01_02_03, ..hevc(Some(false), 40, b"!") });
    let sound = coded(decode_audio(Bytes::from_static(b"\x95\x01mp4a\x03!")));
    assert_eq!((sound.track.index, sound.codec, sound.payload.as_ref()), (3, Codec::Aac, &b"!"[..]));
    assert!(decode_video(Bytes::from_static(b"\x96\x06hvc1\x01!")).is_err(), "several in several");
    assert!(decode_video(Bytes::from_static(b"\x96\x31hvc1\x01!")).is_err(), "an unknown form");
    assert!(decode_video(Bytes::from_static(b"\x96\x01hvc1")).is_err());
}

fn parts(body: &[u8]) -> Result<Vec<TagBody>, Error> {
    decode_video(Bytes::copy_from_slice(body)).map(Iterator::collect)
}

#[test]
fn several_tracks_in_one_body() {
    let tracks = parts(b"\x96\x13hvc1\0\0\0\x02ab\x01\0\0\x01c").unwrap();
    let second = CodedFrame { track: SECOND, ..hevc(Some(true), 0, b"c") };
    assert_eq!(tracks, [TagBody::Frame(hevc(Some(true), 0, b"ab")), TagBody::Frame(second)]);
    let codecs = parts(b"\x96\x20hvc1\0\0\0\x01aavc1\x01\0\0\x01b").unwrap();
    assert_eq!(codecs, [config(TrackId::VIDEO, Codec::H265, b"a"), config(SECOND, Codec::H264, b"b")]);
    for broken in [
        &b"\x96\x13hvc1\0\0\0\x03ab"[..],
        b"\x96\x13hvc1\0\0\0\x01ab",
        b"\x96\x13hvc1\0\0\0\x02ab\x01\0\0\x02c",
        b"\x96\x13hvc1",
        b"\x96\x23hvc1\0\0\0\x01aav",
    ] {
        assert!(matches!(parts(broken), Err(Error::Malformed { .. })), "{broken:x?}");
    }
    let unknown = parts(b"\x96\x23hvc1\0\0\0\x01axvid\x01\0\0\x01b").unwrap_err();
    assert!(unknown.to_string().starts_with("Enhanced RTMP video xvid is not supported"));
}

#[test]
fn the_parts_of_one_body_are_counted() {
    let body = |count: u8| {
        (0..count).fold(b"\x96\x13hvc1".to_vec(), |body, index| [&body[..], &[index, 0, 0, 1, 7]].concat())
    };
    assert_eq!(parts(&body(TRACKS_MAX as u8)).unwrap().len(), TRACKS_MAX);
    assert!(matches!(parts(&body(TRACKS_MAX as u8 + 1)), Err(Error::Limit { limit: 16, .. })));
}

#[test]
fn unknown_codecs_are_refused_by_name() {
    let message = |result: Result<TagParts, Error>| result.unwrap_err().to_string();
    assert_eq!(
        message(decode_video(Bytes::from_static(b"\x90dvh1\x01"))),
        "Enhanced RTMP video dvh1 is not supported; send H.264, H.265, AV1, VP8 or VP9 video and AAC, Opus, \
         FLAC, AC-3 or MP3 audio"
    );
    assert!(
        message(decode_audio(Bytes::from_static(b"\x91hvc1!"))).contains("audio hvc1"),
        "of the other kind"
    );
    assert!(message(decode_audio(Bytes::from_static(b"\x91\xFFab1!"))).contains("\\xffab1"));
    assert!(message(decode_audio(Bytes::from_static(b"\xF0!"))).starts_with("FLV audio format 15 "));
}

proptest! {
    #[test]
    fn any_bytes_never_panic(
        start in prop::sample::select(vec![
            &b""[..], b"\x97", b"\x96\x11hvc1\0\0\0", b"\x96\x21", b"\x95\x01Opus", b"\x91avc1", b"\x1C\x01",
        ]),
        body in prop::collection::vec(any::<u8>(), 0..64),
    ) {
        let body = Bytes::from([start, &body].concat());
        for parts in [decode_video(body.clone()), decode_audio(body)].into_iter().flatten() {
            prop_assert!((1..=TRACKS_MAX).contains(&parts.count()));
        }
    }

    #[test]
    fn what_is_written_is_read_back(
        key in any::<bool>(), composition_ms in -0x80_0000i64..0x80_0000,
        payload in prop::collection::vec(any::<u8>(), 1..64),
    ) {
        let frame = Frame { payload: payload.into(), ..h264_frame(key, composition_ms) };
        let body = [frame_head(&frame, &Dialect::PLAIN).unwrap().as_slice(), &frame.payload].concat();
        let expected = CodedFrame {
            track: TrackId::VIDEO, codec: Codec::H264, key: Some(key),
            composition_ms: composition_ms as i32, nanos: 0, payload: frame.payload,
        };
        prop_assert_eq!(coded(decode_video(body.into())), expected);
    }
}
