//! Codecs by FourCC and by unofficial numbers, what stands beside configurations.

mod multitrack;

use super::*;
use crate::MediaKind;
use crate::codec::h265::HevcConfig;

const HEVC_VPS: &[u8] =
    &[0x40, 1, 0x0C, 1, 0xFF, 0xFF, 1, 0x60, 0, 0, 3, 0, 0x90, 0, 0, 3, 0, 0, 3, 0, 0x1E, 0x95, 0x90, 9];
const HEVC_SPS: &[u8] = &[
    0x42, 1, 1, 1, 0x60, 0, 0, 3, 0, 0x90, 0, 0, 3, 0, 0, 3, 0, 0x1E, 0xA0, 0x14, 0x20, 0x61, 0xF2, 0x65,
    0x95, 0x92, 0x49, 0x32, 0xBC, 5, 0xA0, 0x20, 0, 0, 3, 0, 0x20, 0, 0, 3, 3, 0x21,
];
const HEVC_OTHER_SPS: &[u8] = &[
    0x42, 1, 1, 2, 0x20, 0, 0, 3, 0, 0x90, 0, 0, 3, 0, 0, 3, 0, 0x1E, 0xA0, 0x14, 0x20, 0x61, 0xF2, 0x36,
    0x59, 0x59, 0xA4, 0x93, 0x2B, 0xC0, 0x5A, 0x84, 0x88, 4, 0x82, 0, 0, 3, 0, 2, 0, 0, 3, 0, 0x32, 0x10,
];
const HEVC_PPS: &[u8] = &[0x44, 1, 0xC1, 0x72, 0xB4, 0x62, 0x40];
const HEVC_IDR: &[u8] = &[0x26, 1, 0xAF, 0x0D];
const HEVC_SLICE: &[u8] = &[0x02, 1, 0xD0, 0x09];
/// What SVT-AV1 writes for 160x90, and for other measures.
const AV1_CONFIG: &[u8] = &[0x81, 0, 0x0C, 0, 0x0A, 0x0A, 0, 0, 0, 3, 0xB4, 0xFD, 0x90, 0x0B, 0xE0, 1];
const AV1_OTHER_HEADER: &[u8] = &[0x0A, 0x0B, 0, 0, 0, 0x42, 0xAB, 0xBE, 0xC3, 0x53, 0x2B, 0xE4, 1];
const COLORS: &[u8] = b"\x02\0\x09colorInfo\x03\0\x08hdrStuff\0\0\0\0\0\0\0\0\0\0\0\x09";

/// A record whose NAL lengths have `length_size` bytes.
pub(super) fn hvcc_of(length_size: u8) -> Vec<u8> {
    let sets = [HEVC_VPS, HEVC_SPS, HEVC_PPS].map(|set| vec![Bytes::from_static(set)]);
    let [vps, sps, pps] = sets;
    let config = HevcConfig::from_parameter_sets(vps, sps, pps).unwrap();
    HevcConfig { length_size, ..config }.to_bytes().to_vec()
}

fn start(four_cc: &[u8; 4], config: &[u8]) -> Bytes {
    [b"\x90", &four_cc[..], config].concat().into()
}

fn coded(first: u8, four_cc: &[u8; 4], payload: &[u8]) -> Bytes {
    [&[first], &four_cc[..], payload].concat().into()
}

fn hevc() -> Normalizer {
    let mut normalizer = Normalizer::new();
    let track = track_of(normalizer.push_video(0, start(b"hvc1", &hvcc_of(4))).unwrap());
    assert_eq!(track, Track::new(TrackId::VIDEO, Codec::H265, hvcc_of(4).into()));
    normalizer
}

#[test]
fn a_plain_hevc_publisher_passes_untouched() {
    let mut normalizer = hevc();
    let sent = coded(0x91, b"hvc1", &[&[0, 0, 80][..], &prefixed(&[HEVC_IDR])].concat());
    let frame = frame_of(normalizer.push_video(40, sent.clone()).unwrap());
    assert_eq!((frame.dts, frame.pts), (Timestamp::from_ms(40), Timestamp::from_ms(120)));
    assert_eq!((frame.codec, frame.key), (Codec::H265, true));
    assert_eq!(frame.payload.as_ptr(), sent[8..].as_ptr(), "no copy");
    let inter = coded(0xA3, b"hvc1", &prefixed(&[HEVC_SLICE]));
    assert!(!frame_of(normalizer.push_video(80, inter).unwrap()).key);
    assert_eq!(normalizer.push_video(120, start(b"hvc1", &hvcc_of(4))).unwrap().count(), 0);
    assert_eq!(normalizer.repaired(), &Repaired { repeated_configs: 1, ..Repaired::default() });
}

#[test]
fn the_unofficial_number_is_the_same_track() {
    let mut normalizer = hevc();
    assert_eq!(normalizer.push_video(0, body(&[0x1C, 0, 0, 0, 0], &hvcc_of(4))).unwrap().count(), 0);
    let sent = body(&[0x1C, 1, 0, 0, 40], &prefixed(&[HEVC_IDR]));
    assert_eq!(frame_of(normalizer.push_video(0, sent).unwrap()).codec, Codec::H265);
}

#[test]
fn enhanced_tags_of_old_codecs_are_the_same_tracks() {
    let mut normalizer = running();
    assert_eq!(normalizer.push_video(0, start(b"avc1", &record(SPS))).unwrap().count(), 0);
    let sent = coded(0x93, b"avc1", &prefixed(&[OTHER_SPS, PPS, IDR]));
    assert_eq!(normalizer.push_video(0, sent).unwrap().count(), 2, "parameter sets in band are looked at");
    assert_eq!(normalizer.push_audio(0, start(b"mp4a", &[0x12, 0x10])).unwrap().count(), 0);
    assert_eq!(frame_of(normalizer.push_audio(0, coded(0x91, b"mp4a", SILENCE)).unwrap()).codec, Codec::Aac);
}

#[test]
fn hevc_in_annex_b_and_with_short_lengths() {
    let mut normalizer = Normalizer::new();
    assert_eq!(normalizer.push_video(0, start(b"hvc1", &hvcc_of(2))).unwrap().count(), 1);
    let sent = coded(0x93, b"hvc1", &annex_b(&[HEVC_IDR, HEVC_SLICE]));
    let frame = frame_of(normalizer.push_video(0, sent).unwrap());
    assert_eq!(frame.payload.as_ref(), [&[0, 4][..], HEVC_IDR, &[0, 4], HEVC_SLICE].concat());
    let damaged = coded(0x93, b"hvc1", &[0, 9, 0x26, 1]);
    assert_eq!(normalizer.push_video(0, damaged).unwrap().count(), 0);
    assert_eq!((normalizer.repaired().annex_b, normalizer.repaired().damaged), (1, 1));
    assert!(normalizer.push_video(0, start(b"hvc1", &hvcc_of(4)[..20])).is_err());
}

#[test]
fn hevc_parameter_sets_in_band_stand_in_for_the_configuration_and_change_it() {
    let mut normalizer = Normalizer::new();
    let slice = coded(0xA3, b"hvc1", &prefixed(&[HEVC_SLICE]));
    assert_eq!(normalizer.push_video(0, slice.clone()).unwrap().count(), 0);
    let whole = coded(0x93, b"hvc1", &prefixed(&[HEVC_VPS, HEVC_SPS, HEVC_PPS, HEVC_IDR]));
    let items: Vec<MediaItem> = normalizer.push_video(40, whole.clone()).unwrap().collect();
    let [MediaItem::Track(track), MediaItem::Frame(frame)] = &items[..] else { panic!("{items:?}") };
    assert_eq!((track.config.as_ref(), frame.key), (&hvcc_of(4)[..], true));
    assert_eq!(normalizer.push_video(80, slice).unwrap().count(), 1);
    assert_eq!(normalizer.push_video(120, whole).unwrap().count(), 1, "the same sets are no change");
    let other = coded(0x93, b"hvc1", &prefixed(&[HEVC_OTHER_SPS, HEVC_IDR]));
    let changed = HevcConfig::parse(&track_of(normalizer.push_video(160, other).unwrap()).config).unwrap();
    assert_eq!((changed.sps[0].as_ref(), changed.bit_depth_luma), (HEVC_OTHER_SPS, 10));
    assert_eq!((normalizer.repaired().unannounced, normalizer.repaired().synthesised_configs), (1, 2));
}

#[test]
fn hevc_parameter_sets_in_annex_b_stand_in_for_the_record() {
    let mut normalizer = Normalizer::new();
    let sent = start(b"hvc1", &annex_b(&[HEVC_VPS, HEVC_SPS, HEVC_PPS]));
    assert_eq!(track_of(normalizer.push_video(0, sent.clone()).unwrap()).config.as_ref(), hvcc_of(4));
    assert_eq!(normalizer.push_video(0, sent).unwrap().count(), 0);
}

#[test]
fn early_obs_left_out_frame_type_and_composition_time() {
    let mut normalizer = hevc();
    let key = frame_of(normalizer.push_video(0, coded(0x81, b"hvc1", &prefixed(&[HEVC_IDR]))).unwrap());
    assert_eq!((key.key, key.payload.as_ref(), key.pts), (true, prefixed(&[HEVC_IDR]).as_slice(), key.dts));
    let inter = frame_of(normalizer.push_video(40, coded(0x81, b"hvc1", &prefixed(&[HEVC_SLICE]))).unwrap());
    assert_eq!((inter.key, inter.payload.as_ref()), (false, prefixed(&[HEVC_SLICE]).as_slice()));
    assert_eq!(normalizer.repaired().timeless, 2);
    let with_time = coded(0x81, b"hvc1", &[&[0, 0, 40][..], &prefixed(&[HEVC_IDR])].concat());
    assert_eq!(frame_of(normalizer.push_video(80, with_time).unwrap()).pts, Timestamp::from_ms(120));
}

#[test]
fn frames_without_a_needed_configuration_wait() {
    let mut normalizer = Normalizer::new();
    for (four_cc, payload) in [(b"hvc1", prefixed(&[HEVC_IDR])), (b"av01", vec![0x32, 1, 0x10])] {
        assert_eq!(normalizer.push_video(0, coded(0x93, four_cc, &payload)).unwrap().count(), 0);
    }
    assert_eq!(normalizer.push_audio(0, coded(0x91, b"fLaC", &[0xFF, 0xF8])).unwrap().count(), 0);
    assert_eq!(normalizer.repaired().unannounced, 3);
    assert_eq!(normalizer.tracks().count(), 0);
}

#[test]
fn av1_comes_out_without_temporal_delimiters() {
    let mut normalizer = Normalizer::new();
    assert_eq!(normalizer.push_video(0, start(b"av01", AV1_CONFIG)).unwrap().count(), 0);
    let unit = [&AV1_CONFIG[4..], &[0x32, 1, 0x10]].concat();
    let sent = coded(0x81, b"av01", &[&[0x12, 0][..], &unit].concat());
    let frame = frame_of(normalizer.push_video(0, sent).unwrap());
    assert_eq!((frame.key, frame.payload.as_ref()), (true, &unit[..]), "a sequence header starts decoding");
    let bare = frame_of(normalizer.push_video(40, coded(0x81, b"av01", &[0x32, 1, 0x10])).unwrap());
    assert!(bare.key, "the configuration has its sequence header");
    assert_eq!(normalizer.push_video(80, coded(0x91, b"av01", &[0x12, 0])).unwrap().count(), 0);
}

#[test]
fn an_av1_sequence_header_in_band_stands_in_for_the_configuration_and_changes_it() {
    let mut normalizer = Normalizer::new();
    let unit = |header: &[u8]| coded(0x91, b"av01", &[&[0x12, 0], header, &[0x32, 1, 0x10]].concat());
    let track = track_of(normalizer.push_video(0, unit(&AV1_CONFIG[4..])).unwrap());
    assert_eq!(track.config.as_ref(), AV1_CONFIG);
    assert_eq!(normalizer.push_video(0, start(b"av01", AV1_CONFIG)).unwrap().count(), 0);
    assert_eq!(normalizer.push_video(0, unit(&AV1_CONFIG[4..])).unwrap().count(), 1);
    let track = track_of(normalizer.push_video(0, unit(AV1_OTHER_HEADER)).unwrap());
    assert_eq!(&track.config[4..], AV1_OTHER_HEADER);
    assert_eq!(normalizer.repaired().synthesised_configs, 2);
    let short = Track::new(TrackId::VIDEO, Codec::Av1, Bytes::copy_from_slice(&AV1_CONFIG[..4]));
    assert_eq!(track_of(normalizer.push_video(0, start(b"av01", &short.config)).unwrap()), short);
    assert_eq!(
        normalizer.push_video(0, unit(AV1_OTHER_HEADER)).unwrap().count(),
        1,
        "nothing to compare with"
    );
    assert!(normalizer.push_video(0, start(b"av01", &[1, 2, 3, 4])).is_err());
}

#[test]
fn a_vp9_record_gets_its_version_back() {
    let record = [0, 10, 0x82, 2, 2, 2, 0, 0];
    let whole = [&[1, 0, 0, 0], &record[..]].concat();
    let mut normalizer = Normalizer::new();
    assert_eq!(track_of(normalizer.push_video(0, start(b"vp09", &record)).unwrap()).config, whole);
    assert_eq!(normalizer.push_video(0, start(b"vp09", &whole)).unwrap().count(), 0, "the same");
    assert!(frame_of(normalizer.push_video(0, coded(0x81, b"vp09", &[0x82, 0x49])).unwrap()).key);
    assert!(!frame_of(normalizer.push_video(0, coded(0x81, b"vp09", &[0x86, 0])).unwrap()).key);
    assert!(!frame_of(normalizer.push_video(0, coded(0x81, b"vp09", &[0x88])).unwrap()).key, "shows another");
    assert!(
        frame_of(normalizer.push_video(0, coded(0x81, b"vp09", &[0xB1, 0x49])).unwrap()).key,
        "profile 3"
    );
    assert!(normalizer.push_video(0, start(b"vp09", &record[..7])).is_err());
}

#[test]
fn codecs_whose_frames_describe_themselves_begin_with_a_frame() {
    for (four_cc, codec) in [(b"Opus", Codec::Opus), (b"ac-3", Codec::Ac3), (b"ec-3", Codec::Eac3)] {
        let mut normalizer = Normalizer::new();
        let track = track_of(normalizer.push_audio(0, coded(0x91, four_cc, &[0xFC, 1])).unwrap());
        assert_eq!(track, Track::new(TrackId::AUDIO, codec, Bytes::new()));
        assert_eq!(normalizer.push_audio(20, coded(0x91, four_cc, &[0xFC, 2])).unwrap().count(), 1);
        assert_eq!(normalizer.push_audio(20, start(four_cc, b"")).unwrap().count(), 0, "nothing new");
    }
    let mut normalizer = Normalizer::new();
    let vp8 = normalizer.push_video(0, coded(0x81, b"vp08", &[0x10, 2, 0])).unwrap();
    let [MediaItem::Track(track), MediaItem::Frame(frame)] = &vp8.collect::<Vec<_>>()[..] else { panic!() };
    assert_eq!((track.codec, frame.key), (Codec::Vp8, true));
    assert!(!frame_of(normalizer.push_video(0, coded(0x81, b"vp08", &[0x11, 2, 0])).unwrap()).key);
}

#[test]
fn an_opus_header_may_come_before_or_after_or_not_at_all() {
    let mut normalizer = Normalizer::new();
    assert_eq!(normalizer.push_audio(0, start(b"Opus", b"")).unwrap().count(), 0);
    assert_eq!(normalizer.push_audio(0, coded(0x91, b"Opus", &[0xFC, 1])).unwrap().count(), 2);
    let header = b"OpusHead\x01\x02\x38\x01\x80\xBB\0\0\0\0\0";
    assert_eq!(track_of(normalizer.push_audio(0, start(b"Opus", header)).unwrap()).config.as_ref(), header);
    let unofficial = body(&[0xDF], &[0xFC, 1]);
    assert_eq!(normalizer.push_audio(20, unofficial).unwrap().count(), 1);
    assert_eq!(normalizer.tracks().next().unwrap().config.as_ref(), header);
}

#[test]
fn flac_comes_in_many_forms() {
    let info = [7; 34];
    let whole = [b"fLaC\x80\0\0\x22", &info[..]].concat();
    let as_ffmpeg_sends_it = [b"fLaC", &info[..]].concat();
    for sent in [&as_ffmpeg_sends_it[..], &whole, &whole[4..], &whole[8..]] {
        let mut normalizer = Normalizer::new();
        assert_eq!(track_of(normalizer.push_audio(0, start(b"fLaC", sent)).unwrap()).config, whole);
        assert_eq!(normalizer.push_audio(0, start(b"fLaC", sent)).unwrap().count(), 0);
    }
    for nonsense in [&whole[..40], b"fLaC!", b"ogg"] {
        assert!(Normalizer::new().push_audio(0, start(b"fLaC", nonsense)).is_err());
    }
}

#[test]
fn mp3_by_name_is_the_mp3_of_old() {
    for (header, flv_flags) in [([0xFF, 0xFB, 0x90, 0x64], 0x2F), ([0xFF, 0xF3, 0x84, 0xC4], 0x2A)] {
        let mut normalizer = Normalizer::new();
        let track = track_of(normalizer.push_audio(0, coded(0x91, b".mp3", &header)).unwrap());
        assert_eq!(track.codec, Codec::Mp3 { flv_flags });
        assert_eq!(
            normalizer.push_audio(26, body(&[flv_flags], &header)).unwrap().count(),
            1,
            "the same track"
        );
        assert_eq!(
            normalizer.push_audio(26, start(b".mp3", b"\0")).unwrap().count(),
            0,
            "it has no configuration"
        );
    }
}

#[test]
fn what_stands_beside_a_configuration_changes_the_track_and_can_be_taken_back() {
    let mut normalizer = hevc();
    let track = track_of(normalizer.push_video(0, coded(0x84, b"hvc1", COLORS)).unwrap());
    assert_eq!((track.extra.as_ref(), track.config.as_ref()), (COLORS, &hvcc_of(4)[..]));
    assert_eq!(normalizer.push_video(0, coded(0x84, b"hvc1", COLORS)).unwrap().count(), 0);
    assert_eq!(track_of(normalizer.push_video(0, start(b"hvc1", &hvcc_of(2))).unwrap()).extra, COLORS);
    for nothing in [&b"\x02\0\x09colorInfo\x06"[..], b"\x02\0\x09colorInfo\x03\0\0\x09"] {
        assert_eq!(
            track_of(normalizer.push_video(0, coded(0x84, b"hvc1", nothing)).unwrap()).extra,
            Bytes::new()
        );
        assert_eq!(normalizer.push_video(0, coded(0x84, b"hvc1", COLORS)).unwrap().count(), 1);
    }
    let h264 = track_of(normalizer.push_video(0, config(&record(SPS))).unwrap());
    assert_eq!(h264.extra, Bytes::new(), "another codec, other colours");
    let mut early = Normalizer::new();
    assert_eq!(early.push_video(0, coded(0x84, b"hvc1", COLORS)).unwrap().count(), 0);
    assert_eq!(track_of(early.push_video(0, start(b"hvc1", &hvcc_of(4))).unwrap()).extra, COLORS);
}

#[test]
fn what_stands_beside_a_configuration_is_checked() {
    let mut normalizer = hevc();
    let bomb = [b"\x02\0\x09colorInfo", &b"\x03\0\x01a".repeat(40)[..]].concat();
    for nonsense in [&bomb[..], &COLORS[..COLORS.len() - 6], b"\x02\0\x09colorInfo"] {
        let refused = normalizer.push_video(0, coded(0x84, b"hvc1", nonsense));
        assert!(matches!(refused, Err(Error::Malformed { .. })), "{refused:?}");
    }
    let long = [COLORS, &[5; 4097 - COLORS.len()]].concat();
    let refused = normalizer.push_video(0, coded(0x84, b"hvc1", &long));
    assert!(matches!(refused, Err(Error::Limit { found: 4097, limit: 4096, .. })));
    let layout =
        |bytes: &[u8]| Normalizer::new().push_audio(0, coded(0x94, b"Opus", bytes)).map(Iterator::count);
    assert_eq!(layout(&[1, 6, 0, 0, 0, 0x3F]), Ok(0));
    assert_eq!(layout(&[0, 2]), Ok(0));
    assert_eq!(layout(&[2, 2, 0, 1]), Ok(0));
    for nonsense in [&[1][..], &[1, 6, 0, 0], &[2, 3, 0, 1], &[3, 2]] {
        assert!(layout(nonsense).is_err(), "{nonsense:x?}");
    }
}

#[test]
fn a_configuration_of_any_length_is_not_kept() {
    let whole = |len: usize| start(b"Opus", &vec![7; len]);
    assert_eq!(Normalizer::new().push_audio(0, whole(64 << 10)).unwrap().count(), 1);
    let refused = Normalizer::new().push_audio(0, whole((64 << 10) + 1));
    assert!(matches!(refused, Err(Error::Limit { limit: 65536, .. })));
}

#[test]
fn nanoseconds_are_added_to_the_presentation_time_only() {
    let mut normalizer = hevc();
    let sent = [b"\x97\x02\x01\x02\x03\x01hvc1\0\0\x28", &prefixed(&[HEVC_IDR])[..]].concat();
    let frame = frame_of(normalizer.push_video(40, sent.into()).unwrap());
    assert_eq!((frame.dts, frame.pts.as_nanos()), (Timestamp::from_ms(40), 80_000_000 + 0x01_02_03));
}

#[test]
fn going_to_another_codec_and_back_announces_each_time() {
    let mut normalizer = running();
    let (aac, mp3) = (Bytes::from_static(&[0xAF, 0, 0x12, 0x10]), body(&[0x2F], &[0xFF, 0xFB, 0x90, 0x64]));
    assert_eq!(normalizer.push_audio(0, mp3).unwrap().count(), 2);
    assert_eq!(normalizer.push_audio(0, body(&[0xAF, 1], SILENCE)).unwrap().count(), 0, "stale");
    assert_eq!(normalizer.push_audio(0, aac).unwrap().count(), 1);
    assert_eq!(normalizer.push_video(0, start(b"hvc1", &hvcc_of(4))).unwrap().count(), 1);
    assert_eq!(normalizer.push_video(0, inter(&prefixed(&[SLICE]))).unwrap().count(), 0, "stale");
    assert_eq!(normalizer.push_video(0, config(&record(SPS))).unwrap().count(), 1);
    assert_eq!(normalizer.push_video(0, key(&prefixed(&[IDR]))).unwrap().count(), 1);
}

#[test]
fn av1_is_announced_once_with_its_first_key_frame() {
    // What gortmplib sends before its encoder has said anything, and then what SVT-AV1 does.
    let made_up =
        [&[0x81, 8, 0x0C, 0][..], &[0x0A, 0x0B, 0, 0, 0, 0x42, 0xAB, 0xBF, 0xC3, 0x70, 0x0B, 0xE0, 1]]
            .concat();
    let later =
        |kind: u8, payload: &[u8]| -> Bytes { [&[0x96, kind], &b"av01"[..], &[1], payload].concat().into() };
    let unit = [&[0x12, 0], &AV1_CONFIG[4..], &[0x32, 1, 0x10]].concat();
    let mut normalizer = Normalizer::new();
    assert_eq!(normalizer.push_video(0, later(0, &made_up)).unwrap().count(), 0);
    assert_eq!(
        normalizer.push_video(0, later(3, &[0x12, 0, 0x32, 1, 0x30])).unwrap().count(),
        0,
        "no key frame"
    );
    assert_eq!(normalizer.undecodable().count(), 0, "its configuration is not missing");
    let items: Vec<MediaItem> = normalizer.push_video(40, later(3, &unit)).unwrap().collect();
    let [MediaItem::Track(track), MediaItem::Frame(frame)] = &items[..] else { panic!("{items:?}") };
    assert_eq!((track.id.index, track.config.as_ref(), frame.key), (1, AV1_CONFIG, true));
    assert_eq!(normalizer.push_video(80, later(3, &unit)).unwrap().count(), 1);
    // A key frame that leaves the sequence header to the configuration.
    let mut normalizer = Normalizer::new();
    assert_eq!(normalizer.push_video(0, start(b"av01", AV1_CONFIG)).unwrap().count(), 0);
    let track = track_of(normalizer.push_video(0, coded(0x91, b"av01", &[0x32, 1, 0x10])).unwrap());
    assert_eq!(track.config.as_ref(), AV1_CONFIG);
    assert_eq!(normalizer.repaired().synthesised_configs, 0);
}

/// It would be announced with a frame that is dropped, and so to nobody.
#[test]
fn av1_is_not_announced_with_an_empty_key_frame() {
    let mut normalizer = Normalizer::new();
    assert_eq!(normalizer.push_video(0, start(b"av01", AV1_CONFIG)).unwrap().count(), 0);
    assert_eq!(normalizer.push_video(0, coded(0x91, b"av01", &[0x12, 0])).unwrap().count(), 0);
    assert_eq!(normalizer.tracks().count(), 0);
    let whole = coded(0x91, b"av01", &[&[0x12, 0], &AV1_CONFIG[4..], &[0x32, 1, 0x10]].concat());
    let items: Vec<MediaItem> = normalizer.push_video(40, whole).unwrap().collect();
    assert!(matches!(&items[..], [MediaItem::Track(_), MediaItem::Frame(_)]), "{items:?}");
}
