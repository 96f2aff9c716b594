//! What encoders send, H.264 and AAC first, and what comes of it.

mod encoders;
mod enhanced;
mod slices;

use bytes::BytesMut;
use proptest::prelude::*;

use super::*;
use crate::amf::{Object, Value, amf0};
use crate::codec::aac::{AdtsHeader, AudioSpecificConfig};
use crate::codec::h264::AvcConfig;
use crate::flv::{Dialect, config_bodies, frame_head};
use crate::{Codec, Frame, MediaKind, Timestamp};

const SPS: &[u8] = &[
    0x67, 0x4D, 0x40, 0x1F, 0xA6, 0x11, 0x02, 0x80, 0xBF, 0xE5, 0xC0, 0x44, 0, 0, 3, 0, 4, 0, 0, 3, 0, 0xC8,
    0x3C, 0x60, 0xC8, 0x46,
];
const OTHER_SPS: &[u8] = &[
    0x67, 0x64, 0, 0x28, 0xAC, 0xD9, 0x40, 0x78, 0x02, 0x27, 0xE5, 0xC0, 0x44, 0, 0, 0x0F, 0xA4, 0, 3, 0xA9,
    0x80, 0x3C, 0x60, 0xC6, 0x58,
];
const PPS: &[u8] = &[0x68, 0xE8, 0x43, 0x32, 0xC8];
const IDR: &[u8] = &[0x65, 0x88, 0x84, 0x21];
const SLICE: &[u8] = &[0x41, 0x9A, 0x21];
/// A bare AAC frame of silence.
const SILENCE: &[u8] = &[0x21, 0x10, 0x04, 0x60, 0x8C, 0x1C];

fn record(sps: &'static [u8]) -> Bytes {
    let sets = (vec![Bytes::from_static(sps)], vec![Bytes::from_static(PPS)]);
    AvcConfig::from_parameter_sets(sets.0, sets.1).unwrap().to_bytes()
}

fn body(head: &[u8], payload: &[u8]) -> Bytes {
    [head, payload].concat().into()
}

fn config(record: &[u8]) -> Bytes {
    body(&[0x17, 0, 0, 0, 0], record)
}

fn key(payload: &[u8]) -> Bytes {
    body(&[0x17, 1, 0, 0, 0], payload)
}

fn inter(payload: &[u8]) -> Bytes {
    body(&[0x27, 1, 0, 0, 0], payload)
}

fn prefixed(units: &[&[u8]]) -> Vec<u8> {
    units.iter().flat_map(|unit| [&(unit.len() as u32).to_be_bytes()[..], unit].concat()).collect()
}

fn annex_b(units: &[&[u8]]) -> Vec<u8> {
    units.iter().flat_map(|unit| [&[0, 0, 0, 1], *unit].concat()).collect()
}

fn track_of(items: MediaItems) -> Track {
    match items.collect::<Vec<_>>().as_slice() {
        [MediaItem::Track(track), ..] => track.clone(),
        other => panic!("no track in {other:?}"),
    }
}

fn frame_of(items: MediaItems) -> Frame {
    match items.collect::<Vec<_>>().as_slice() {
        [.., MediaItem::Frame(frame)] => frame.clone(),
        other => panic!("no frame in {other:?}"),
    }
}

/// An normalizer that knows the H.264 and AAC configurations.
fn running() -> Normalizer {
    let mut normalizer = Normalizer::new();
    assert_eq!(normalizer.push_video(0, config(&record(SPS))).unwrap().count(), 1);
    assert_eq!(normalizer.push_audio(0, Bytes::from_static(&[0xAF, 0, 0x12, 0x10])).unwrap().count(), 1);
    normalizer
}

#[test]
fn a_plain_publisher_passes_untouched() {
    let mut normalizer = Normalizer::new();
    let track = track_of(normalizer.push_video(0, config(&record(SPS))).unwrap());
    assert_eq!(track, Track::new(TrackId::VIDEO, Codec::H264, record(SPS)));
    let payload = prefixed(&[IDR]);
    let sent = body(&[0x17, 1, 0, 0, 80], &payload);
    let frame = frame_of(normalizer.push_video(40, sent.clone()).unwrap());
    assert_eq!((frame.dts, frame.pts), (Timestamp::from_ms(40), Timestamp::from_ms(120)));
    assert_eq!((frame.key, frame.payload.as_ref()), (true, payload.as_slice()));
    assert_eq!(frame.payload.as_ptr(), sent[5..].as_ptr(), "no copy");
    assert!(!frame_of(normalizer.push_video(80, inter(&prefixed(&[SLICE]))).unwrap()).key);
    assert_eq!(normalizer.repaired(), &Repaired::default());
    assert_eq!(normalizer.tracks().count(), 1);
}

#[test]
fn a_repeated_configuration_is_no_change_and_another_is() {
    let mut normalizer = running();
    assert_eq!(normalizer.push_video(40, config(&record(SPS))).unwrap().count(), 0);
    assert_eq!(normalizer.push_audio(40, Bytes::from_static(&[0xAF, 0, 0x12, 0x10])).unwrap().count(), 0);
    assert_eq!(normalizer.repaired().repeated_configs, 2);
    assert_eq!(
        track_of(normalizer.push_video(80, config(&record(OTHER_SPS))).unwrap()).config,
        record(OTHER_SPS)
    );
    let mono = track_of(normalizer.push_audio(80, Bytes::from_static(&[0xAF, 0, 0x12, 0x08])).unwrap());
    assert_eq!(mono.config.as_ref(), [0x12, 0x08]);
}

#[test]
fn an_empty_aac_configuration_is_ignored() {
    let mut normalizer = Normalizer::new();
    assert_eq!(normalizer.push_audio(0, Bytes::from_static(&[0xAF, 0])).unwrap().count(), 0);
    assert_eq!(normalizer.push_audio(0, body(&[0xAF, 1], SILENCE)).unwrap().count(), 0);
    assert_eq!(normalizer.repaired().unannounced, 1);
    let track = track_of(normalizer.push_audio(0, Bytes::from_static(&[0xAF, 0, 0x11, 0x90])).unwrap());
    assert_eq!(track.config.as_ref(), [0x11, 0x90]);
    assert_eq!(normalizer.push_audio(0, Bytes::from_static(&[0xAF, 0])).unwrap().count(), 0);
    assert_eq!(
        frame_of(normalizer.push_audio(21, body(&[0xAF, 1], SILENCE)).unwrap()).payload.as_ref(),
        SILENCE
    );
}

#[test]
fn adts_inside_makes_the_configuration_and_is_taken_off() {
    let mut normalizer = Normalizer::new();
    let lc = AudioSpecificConfig::lc(48_000, 2);
    let adts = [&AdtsHeader::build(&lc, SILENCE.len()).unwrap()[..], SILENCE].concat();
    let items: Vec<MediaItem> = normalizer.push_audio(0, body(&[0xAF, 1], &adts)).unwrap().collect();
    let [MediaItem::Track(track), MediaItem::Frame(frame)] = items.as_slice() else { panic!("{items:?}") };
    assert_eq!((track.config.as_ref(), frame.payload.as_ref()), (&[0x11, 0x90][..], SILENCE));
    assert_eq!(normalizer.push_audio(21, body(&[0xAF, 1], &adts)).unwrap().count(), 1, "announced once");
    assert_eq!((normalizer.repaired().adts, normalizer.repaired().synthesised_configs), (2, 1));
}

#[test]
fn adts_corrects_a_wrong_configuration_once() {
    let mut normalizer = Normalizer::new();
    let wrong = Bytes::from_static(&[0xAF, 0, 0x12, 0x10]);
    assert_eq!(normalizer.push_audio(0, wrong.clone()).unwrap().count(), 1);
    let lc = AudioSpecificConfig::lc(48_000, 2);
    let adts = body(&[0xAF, 1], &[&AdtsHeader::build(&lc, 6).unwrap()[..], SILENCE].concat());
    assert_eq!(track_of(normalizer.push_audio(0, adts.clone()).unwrap()).config.as_ref(), [0x11, 0x90]);
    assert_eq!(normalizer.push_audio(21, wrong).unwrap().count(), 0, "its repeat changes nothing");
    assert_eq!(normalizer.push_audio(21, adts).unwrap().count(), 1);
}

#[test]
fn a_configuration_with_garbage_behind_is_cut() {
    let mut normalizer = Normalizer::new();
    let omnia = Bytes::from_static(&[0xAF, 0, 0x12, 0x10, 0, 0, 0, 0]);
    assert_eq!(track_of(normalizer.push_audio(0, omnia.clone()).unwrap()).config.as_ref(), [0x12, 0x10]);
    assert_eq!(normalizer.push_audio(0, omnia).unwrap().count(), 0);
    let ffmpeg = Bytes::from_static(&[0xAF, 0, 0x12, 0x10, 0x56, 0xE5, 0]);
    let track = track_of(normalizer.push_audio(0, ffmpeg).unwrap());
    assert_eq!(track.config.as_ref(), [0x12, 0x10, 0x56, 0xE5, 0], "an announcement of HE-AAC stays");
}

#[test]
fn frames_before_any_configuration_wait_for_parameter_sets_in_band() {
    let mut normalizer = Normalizer::new();
    assert_eq!(normalizer.push_video(0, inter(&prefixed(&[SLICE]))).unwrap().count(), 0);
    assert_eq!(normalizer.push_video(40, key(&prefixed(&[IDR]))).unwrap().count(), 0);
    assert_eq!(normalizer.repaired().unannounced, 2);
    let items: Vec<MediaItem> =
        normalizer.push_video(80, key(&prefixed(&[SPS, PPS, IDR]))).unwrap().collect();
    let [MediaItem::Track(track), MediaItem::Frame(frame)] = items.as_slice() else { panic!("{items:?}") };
    assert_eq!(track.config, record(SPS));
    assert_eq!(frame.payload.as_ref(), prefixed(&[SPS, PPS, IDR]));
    assert_eq!(normalizer.push_video(120, key(&prefixed(&[SPS, PPS, IDR]))).unwrap().count(), 1);
}

#[test]
fn parameter_sets_in_band_that_differ_are_a_change() {
    let mut normalizer = running();
    assert_eq!(normalizer.push_video(0, key(&prefixed(&[SPS, PPS, IDR]))).unwrap().count(), 1);
    let track = track_of(normalizer.push_video(40, key(&prefixed(&[OTHER_SPS, PPS, IDR]))).unwrap());
    assert_eq!(track.config, record(OTHER_SPS));
    assert_eq!(normalizer.push_video(80, key(&prefixed(&[OTHER_SPS, PPS, IDR]))).unwrap().count(), 1);
    assert_eq!(normalizer.push_video(80, config(&record(SPS))).unwrap().count(), 0, "the stale header again");
}

#[test]
fn annex_b_is_rewritten_also_in_place_of_the_record() {
    let mut normalizer = running();
    let frame = frame_of(normalizer.push_video(0, key(&annex_b(&[IDR, SLICE]))).unwrap());
    assert_eq!(frame.payload.as_ref(), prefixed(&[IDR, SLICE]));
    assert_eq!(normalizer.repaired().annex_b, 1);
    let mut normalizer = Normalizer::new();
    let track = track_of(normalizer.push_video(0, config(&annex_b(&[SPS, PPS]))).unwrap());
    assert_eq!(track.config, record(SPS));
    assert_eq!(normalizer.push_video(0, config(&annex_b(&[SPS, PPS]))).unwrap().count(), 0);
}

#[test]
fn a_message_with_a_bad_length_is_dropped_and_the_next_is_not() {
    let mut normalizer = running();
    let mut damaged = prefixed(&[SLICE]);
    damaged[3] = 200;
    assert_eq!(normalizer.push_video(0, inter(&damaged)).unwrap().count(), 0);
    assert_eq!(normalizer.repaired().damaged, 1);
    assert_eq!(normalizer.push_video(40, inter(&prefixed(&[SLICE]))).unwrap().count(), 1);
    let padded = [prefixed(&[SLICE]), vec![0, 0]].concat();
    assert_eq!(
        frame_of(normalizer.push_video(80, inter(&padded)).unwrap()).payload.as_ref(),
        prefixed(&[SLICE])
    );
}

#[test]
fn a_broken_configuration_is_an_error_and_the_stream_goes_on() {
    let mut normalizer = running();
    assert!(matches!(normalizer.push_video(0, config(&[1, 2])), Err(Error::Malformed { .. })));
    assert!(matches!(
        normalizer.push_audio(0, Bytes::from_static(&[0xAF, 0, 0])),
        Err(Error::Malformed { .. })
    ));
    let unknown = Bytes::from_static(b"\x90dvh1\x01");
    assert!(matches!(normalizer.push_video(0, unknown), Err(Error::Unsupported { .. })));
    assert_eq!(normalizer.push_video(0, key(&prefixed(&[IDR]))).unwrap().count(), 1);
}

#[test]
fn a_record_without_sets_waits_for_them_and_keeps_its_length_size() {
    let mut normalizer = Normalizer::new();
    assert_eq!(normalizer.push_video(0, config(&[1, 77, 64, 31, 0xFD, 0xE0, 0])).unwrap().count(), 0);
    let short = |units: &[&[u8]]| -> Vec<u8> {
        units.iter().flat_map(|unit| [&(unit.len() as u16).to_be_bytes()[..], unit].concat()).collect()
    };
    let track = track_of(normalizer.push_video(0, key(&short(&[SPS, PPS, IDR]))).unwrap());
    assert_eq!(AvcConfig::parse(&track.config).unwrap().length_size, 2);
}

#[test]
fn a_codec_change_in_mid_stream_is_a_new_track() {
    let mut normalizer = running();
    let mp3 = body(&[0x2F], &[0xFF, 0xFB, 0x90, 0x64]);
    assert_eq!(
        track_of(normalizer.push_audio(0, mp3.clone()).unwrap()).codec,
        Codec::Mp3 { flv_flags: 0x2F }
    );
    assert_eq!(normalizer.push_audio(26, mp3).unwrap().count(), 1);
    let vp6 = body(&[0x14], &[0, 1, 2]);
    assert_eq!(track_of(normalizer.push_video(0, vp6).unwrap()).codec, Codec::FlvVideo(4));
    let back = Bytes::from_static(&[0xAF, 0, 0x12, 0x08]);
    assert_eq!(track_of(normalizer.push_audio(40, back).unwrap()).codec, Codec::Aac);
}

#[test]
fn script_data_loses_what_rtmp_wraps_around_it() {
    let mut normalizer = running();
    normalizer.push_video(50_000, key(&prefixed(&[IDR]))).unwrap().for_each(drop);
    let bare = Bytes::from_static(b"\x02\x00\x0AonMetaData\x05");
    let wrapped = body(b"\x02\x00\x0D@setDataFrame", &bare);
    let from_amf3 = body(&[0], &wrapped);
    for sent in [bare.clone(), wrapped, from_amf3] {
        let frame = frame_of(normalizer.push_data(0, sent));
        assert_eq!((frame.track, frame.codec, &frame.payload), (TrackId::DATA, Codec::Script, &bare));
        assert_eq!(frame.dts, Timestamp::from_ms(50_000), "a time far from the media is replaced");
    }
    assert_eq!(normalizer.push_data(50_040, Bytes::from_static(&[0, 0, 0x12, 0x34])).count(), 0);
    assert_eq!(normalizer.repaired().bad_data, 1);
    let next = frame_of(normalizer.push_video(50_040, inter(&prefixed(&[SLICE]))).unwrap());
    assert_eq!(next.dts, Timestamp::from_ms(50_040), "script data does not move the media");
}

#[test]
fn metadata_that_promises_a_track_makes_none() {
    // DJI's apps announce both tracks and send only pictures, or none and send both.
    let promise = Object::new().with("videocodecid", 7.0).with("audiocodecid", 10.0).with("width", 1280.0);
    let mut normalizer = Normalizer::new();
    let metadata = amf0::encode_all(&["onMetaData".into(), Value::EcmaArray(promise)]);
    assert_eq!(normalizer.push_audio(0, Bytes::from_static(&[0xAF, 0, 0x12, 0x10])).unwrap().count(), 1);
    let mut silent = Normalizer::new();
    for normalizer in [&mut normalizer, &mut silent] {
        assert!(matches!(normalizer.push_data(0, metadata.clone()).next(), Some(MediaItem::Frame(_))));
        assert_eq!(normalizer.push_video(0, config(&record(SPS))).unwrap().count(), 1);
        assert_eq!(normalizer.push_video(40, key(&prefixed(&[IDR]))).unwrap().count(), 1);
    }
    let kinds = |normalizer: &Normalizer| normalizer.tracks().map(|track| track.id).collect::<Vec<_>>();
    assert_eq!(kinds(&normalizer), [TrackId::VIDEO, TrackId::AUDIO], "sound came before any metadata");
    assert_eq!(kinds(&silent), [TrackId::VIDEO]);
}

#[test]
fn times_go_through_every_seam() {
    for seam in [0x00FF_FFFFu64, 1 << 31, 1 << 32] {
        let mut normalizer = running();
        let start = seam - 5000;
        for step in 0..500 {
            let time = start + step * 20;
            let video = frame_of(normalizer.push_video(time as u32, inter(&prefixed(&[SLICE]))).unwrap());
            assert_eq!(video.dts, Timestamp::from_ms(time as i64));
            let late = time - 300;
            let audio = frame_of(normalizer.push_audio(late as u32, body(&[0xAF, 1], SILENCE)).unwrap());
            assert_eq!(audio.dts, Timestamp::from_ms(late as i64));
        }
        assert_eq!(normalizer.repaired(), &Repaired::default());
    }
}

#[test]
fn a_clamped_picture_is_still_shown_when_it_was_meant_to_be() {
    let mut normalizer = running();
    normalizer.push_video(100, key(&prefixed(&[IDR]))).unwrap().for_each(drop);
    let early = body(&[0x27, 1, 0, 0, 60], &prefixed(&[SLICE]));
    let frame = frame_of(normalizer.push_video(90, early).unwrap());
    assert_eq!((frame.dts, frame.pts), (Timestamp::from_ms(101), Timestamp::from_ms(150)));
    assert_eq!(normalizer.repaired().clamped_timestamps, 1);
}

proptest! {
    #[test]
    fn any_messages_never_panic_and_never_go_back(
        messages in prop::collection::vec(
            (0u8..3, any::<u32>(), prop::collection::vec(any::<u8>(), 0..40), 0usize..6), 0..60),
    ) {
        let mut normalizer = running();
        let mut last = [Timestamp::from_ms(i64::MIN); 3];
        for (kind, time, bytes, shape) in messages {
            // Mostly with a head that gets it past the first check.
            let payload = match shape {
                0 => bytes.into(),
                1 => config(&bytes),
                2 => key(&prefixed(&[&bytes])),
                3 => key(&annex_b(&[SPS, &bytes])),
                4 => body(&[0xAF, 1], &bytes),
                _ => inter(&bytes),
            };
            let items = match kind {
                0 => normalizer.push_video(time, payload),
                1 => normalizer.push_audio(time, payload),
                _ => Ok(normalizer.push_data(time, payload)),
            };
            for item in items.into_iter().flatten() {
                if let MediaItem::Frame(frame) = item {
                    let slot = &mut last[frame.track.kind as usize];
                    prop_assert!(frame.dts >= *slot);
                    *slot = frame.dts;
                }
            }
        }
    }

    #[test]
    fn what_comes_out_goes_in_again_unchanged(
        frames in prop::collection::vec((any::<bool>(), 0i64..100, prop::collection::vec(any::<u8>(), 1..30)), 1..20),
    ) {
        let mut first = running();
        let mut second = Normalizer::new();
        for track in first.tracks().cloned().collect::<Vec<_>>() {
            let body = config_bodies(&track, &Dialect::PLAIN)[0].clone();
            let items = match track.id {
                TrackId::VIDEO => second.push_video(0, body),
                _ => second.push_audio(0, body),
            };
            prop_assert_eq!(track_of(items.unwrap()), track);
        }
        let mut time = 0;
        for (is_key, step, unit) in frames {
            time += step;
            // The first slice of its picture.
            let units = prefixed(&[&[&[0x41, 0x9A], unit.as_slice()].concat()]);
            let sent = if is_key { key(&units) } else { inter(&units) };
            let frame = frame_of(first.push_video(time as u32, sent).unwrap());
            let mut body = BytesMut::from(frame_head(&frame, &Dialect::PLAIN).unwrap().as_slice());
            body.extend_from_slice(&frame.payload);
            prop_assert_eq!(frame_of(second.push_video(time as u32, body.freeze()).unwrap()), frame);
        }
    }
}
