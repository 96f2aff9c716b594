use proptest::prelude::*;

use super::*;
use crate::flv::{Dialect, config_bodies, frame_head};
use crate::{Frame, Timestamp};

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
    let TagBody::Frame { composition_ms, key, payload, .. } = decode_video(body.clone()).unwrap() else {
        panic!("not a frame");
    };
    assert_eq!((composition_ms, key), (-40, false));
    assert_eq!(payload.as_ptr(), body[5..].as_ptr(), "the payload is a slice, not a copy");
}

#[test]
fn bodies_that_carry_nothing_are_legal() {
    let video = |bytes: &'static [u8]| decode_video(Bytes::from_static(bytes)).unwrap();
    let audio = |bytes: &'static [u8]| decode_audio(Bytes::from_static(bytes)).unwrap();
    assert_eq!(video(&[]), TagBody::Empty);
    assert_eq!(video(&[0x17]), TagBody::Empty);
    assert_eq!(video(&[0x57, 0]), TagBody::Command);
    assert_eq!(video(&[0x27, 1, 0, 0, 0]), TagBody::Empty);
    assert_eq!(video(&END_OF_VIDEO), TagBody::EndOfSequence);
    assert_eq!(video(&[0x17, 2]), TagBody::EndOfSequence);
    assert_eq!(audio(&[]), TagBody::Empty);
    assert_eq!(audio(&[0xAF, 0]), TagBody::Empty);
    assert_eq!(audio(&[0xAF, 1]), TagBody::Empty);
    assert_eq!(audio(&[0x2E]), TagBody::Empty);
}

#[test]
fn configurations_survive_the_way_out_and_in() {
    let video = Track::new(TrackId::VIDEO, Codec::H264, Bytes::from_static(&[1, 77, 0, 31]));
    assert_eq!(config_bodies(&video, &Dialect::PLAIN)[0].clone().as_ref(), [0x17, 0, 0, 0, 0, 1, 77, 0, 31]);
    assert_eq!(decode_video(config_bodies(&video, &Dialect::PLAIN)[0].clone()), Ok(TagBody::Config(video)));
    let audio = Track::new(TrackId::AUDIO, Codec::Aac, Bytes::from_static(&[0x12, 0x10]));
    assert_eq!(config_bodies(&audio, &Dialect::PLAIN)[0].clone().as_ref(), [0xAF, 0, 0x12, 0x10]);
    assert_eq!(decode_audio(config_bodies(&audio, &Dialect::PLAIN)[0].clone()), Ok(TagBody::Config(audio)));
    let mp3 = Track::new(TrackId::AUDIO, Codec::Mp3 { flv_flags: 0x2F }, Bytes::new());
    assert!(config_bodies(&mp3, &Dialect::PLAIN).is_empty());
}

#[test]
fn codecs_of_the_flash_age_pass_untouched() {
    for body in [&[0x22u8, 9, 9][..], &[0x14, 0, 1, 2], &[0x25, 7]] {
        let TagBody::Frame { codec, key, payload, .. } = decode_video(Bytes::copy_from_slice(body)).unwrap()
        else {
            panic!("not a frame");
        };
        let frame = Frame { codec, key, payload, ..h264_frame(false, 0) };
        assert_eq!([frame_head(&frame, &Dialect::PLAIN).unwrap().as_slice(), &frame.payload].concat(), body);
    }
    for body in [&[0x2Fu8, 0xFF, 0xFB][..], &[0xB2, 1, 2], &[0x6A, 3], &[0x82, 4], &[0xE2, 5]] {
        let TagBody::Frame { codec, payload, .. } = decode_audio(Bytes::copy_from_slice(body)).unwrap()
        else {
            panic!("not a frame");
        };
        let frame = Frame { codec, payload, ..h264_frame(true, 0) };
        assert_eq!([frame_head(&frame, &Dialect::PLAIN).unwrap().as_slice(), &frame.payload].concat(), body);
    }
}

#[test]
fn enhanced_tags_are_refused_by_name() {
    let message = |result: Result<TagBody, Error>| result.unwrap_err().to_string();
    let hevc = decode_video(Bytes::from_static(b"\x90hvc1\x01"));
    assert!(matches!(hevc, Err(Error::Unsupported { .. })));
    assert_eq!(
        message(hevc),
        "Enhanced RTMP video hvc1 is not supported; send H.264 video and AAC or MP3 audio"
    );
    let modified = decode_video(Bytes::from_static(b"\x97\x02\x00\x00\x01\x01av01data"));
    assert!(message(modified).starts_with("Enhanced RTMP video av01 "));
    let second_track = decode_video(Bytes::from_static(b"\x96\x00avc1\x01"));
    assert!(message(second_track).starts_with("Enhanced RTMP multitrack video avc1 "));
    assert!(message(decode_audio(Bytes::from_static(b"\x90Opus"))).starts_with("Enhanced RTMP audio Opus "));
    assert!(message(decode_audio(Bytes::from_static(b"\x9F"))).contains("without a FourCC"));
    assert!(message(decode_video(Bytes::from_static(b"\x1C\x00"))).contains("codec 12 (HEVC)"));
}

proptest! {
    #[test]
    fn any_bytes_never_panic(body in prop::collection::vec(any::<u8>(), 0..64)) {
        let body = Bytes::from(body);
        let _ = decode_video(body.clone());
        let _ = decode_audio(body);
    }

    #[test]
    fn what_is_written_is_read_back(
        key in any::<bool>(), composition_ms in -0x80_0000i64..0x80_0000,
        payload in prop::collection::vec(any::<u8>(), 1..64),
    ) {
        let frame = Frame { payload: payload.into(), ..h264_frame(key, composition_ms) };
        let body = [frame_head(&frame, &Dialect::PLAIN).unwrap().as_slice(), &frame.payload].concat();
        let expected = TagBody::Frame {
            codec: Codec::H264, key, composition_ms: composition_ms as i32, payload: frame.payload,
        };
        prop_assert_eq!(decode_video(body.into()), Ok(expected));
    }
}
