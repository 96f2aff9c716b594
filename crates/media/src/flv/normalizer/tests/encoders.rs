//! What the bytes decide: key frames that are flagged wrongly, NAL units in odd forms, several frames of sound in one
//! message, sound without a configuration.

use super::*;
use crate::Codec;
use crate::codec::h265::HevcConfig;

/// A slice of a picture that depends on others, and one that does not (an I picture that is no IDR).
const P_SLICE: &[u8] = &[0x41, 0x9A, 0x21];
const I_SLICE: &[u8] = &[0x41, 0x88, 0x84, 0x21];
/// Supplemental information: what x264 says of itself; then a recovery point behind it.
const SEI: &[u8] = &[0x06, 5, 4, b'a', b'b', b'c', b'd', 0x80];
const RECOVERY_POINT: &[u8] = &[0x06, 5, 4, b'a', b'b', b'c', b'd', 6, 1, 0xC4, 0x80];
const DELIMITER: &[u8] = &[0x09, 0xF0];
const FILLER: &[u8] = &[0x0C, 0xFF, 0xFF, 0x80];

const HEVC_IDR: &[u8] = &[0x26, 1, 0xAF, 0x0D];
const HEVC_CRA: &[u8] = &[0x2A, 1, 0xAF, 0x0D];
const HEVC_SLICE: &[u8] = &[0x02, 1, 0xD0, 0x09];
const HEVC_RECOVERY_POINT: &[u8] = &[0x4E, 1, 6, 1, 0xC4, 0x80];
const HEVC_DELIMITER: &[u8] = &[0x46, 1, 0x50];

fn keys(normalizer: &mut Normalizer, bodies: impl IntoIterator<Item = Bytes>) -> Vec<bool> {
    let keys = bodies
        .into_iter()
        .enumerate()
        .map(|(number, body)| frame_of(normalizer.push_video(number as u32 * 40, body).unwrap()).key);
    keys.collect()
}

fn payload(normalizer: &mut Normalizer, body: Bytes) -> Bytes {
    frame_of(normalizer.push_video(0, body).unwrap()).payload
}

fn enhanced(first: u8, four_cc: &[u8; 4], payload: &[u8]) -> Bytes {
    [&[first], &four_cc[..], payload].concat().into()
}

/// One that knows a configuration of this codec.
fn announced(four_cc: &[u8; 4], config: &[u8]) -> Normalizer {
    let mut normalizer = Normalizer::new();
    // AV1 is announced with its first key frame.
    let expected = usize::from(four_cc != b"av01");
    assert_eq!(normalizer.push_video(0, enhanced(0x90, four_cc, config)).unwrap().count(), expected);
    normalizer
}

fn hevc() -> Normalizer {
    let record = [
        &[1, 1, 0x60, 0, 0, 0, 0x90, 0, 0, 0, 0, 0, 0x1E, 0xF0, 0, 0xFC, 0xFD, 0xF8, 0xF8, 0, 0, 0x0F, 3][..],
        &[0x20, 0, 1, 0, 2, 0x40, 1],
        &[0x21, 0, 1, 0, 2, 0x42, 1],
        &[0x22, 0, 1, 0, 2, 0x44, 1],
    ]
    .concat();
    assert!(HevcConfig::parse(&record.clone().into()).unwrap().has_parameter_sets());
    announced(b"hvc1", &record)
}

#[test]
fn an_idr_is_a_key_frame_whatever_the_flag_says() {
    let mut normalizer = running();
    let flags = keys(
        &mut normalizer,
        [
            key(&prefixed(&[IDR])),
            inter(&prefixed(&[P_SLICE])),
            inter(&prefixed(&[SEI, IDR])),
            key(&prefixed(&[P_SLICE])),
            body(&[0x37, 1, 0, 0, 0], &prefixed(&[IDR])),
        ],
    );
    assert_eq!(flags, [true, false, true, false, true]);
    assert_eq!(normalizer.repaired().key_flags, 3);
}

#[test]
fn hevc_and_vvc_key_frames_are_told_by_their_units() {
    let coded = |first, unit| enhanced(first, b"hvc1", &prefixed(&[unit]));
    let inter_idr =
        [coded(0xA3, HEVC_IDR), coded(0xA3, HEVC_CRA), coded(0x93, HEVC_SLICE), coded(0x83, HEVC_CRA)];
    assert_eq!(keys(&mut hevc(), inter_idr), [true, true, false, true]);
    let refresh = enhanced(0xA3, b"hvc1", &prefixed(&[HEVC_RECOVERY_POINT, HEVC_SLICE]));
    assert_eq!(keys(&mut hevc(), [coded(0xA3, HEVC_SLICE), refresh]), [false, true]);
    let vvc = |first, kind: u8| enhanced(first, b"vvc1", &prefixed(&[&[0, kind << 3 | 1, 0x80, 9]]));
    let sent = [vvc(0xA3, 8), vvc(0x93, 0), vvc(0xA3, 9), vvc(0xA3, 10), vvc(0xA3, 3)];
    assert_eq!(keys(&mut announced(b"vvc1", &[0xFF, 0]), sent), [true, false, true, true, false]);
}

#[test]
fn a_stream_without_any_idr_begins_where_its_encoder_says() {
    // Intra refresh: x264 writes a recovery point at each turn of it.
    let mut normalizer = running();
    let refresh = [inter(&prefixed(&[P_SLICE])), inter(&prefixed(&[RECOVERY_POINT, P_SLICE]))];
    assert_eq!(keys(&mut normalizer, refresh), [false, true]);
    // I pictures that are no IDR count where they are flagged, and are no key frames by themselves.
    let mut normalizer = running();
    let open =
        [key(&prefixed(&[I_SLICE])), inter(&prefixed(&[I_SLICE])), key(&prefixed(&[I_SLICE, P_SLICE]))];
    assert_eq!(keys(&mut normalizer, open), [true, false, false]);
    // Nothing in the bytes says where: the flag is all there is, until something does.
    let mut normalizer = running();
    let flagged = [key(&prefixed(&[P_SLICE])), inter(&prefixed(&[P_SLICE])), key(&prefixed(&[P_SLICE]))];
    assert_eq!(keys(&mut normalizer, flagged), [true, false, true]);
    let later = [inter(&prefixed(&[IDR])), key(&prefixed(&[P_SLICE]))];
    assert_eq!(keys(&mut normalizer, later), [true, false]);
}

#[test]
fn av1_and_vp_key_frames_are_told_by_their_heads() {
    const CONFIG: &[u8] = &[0x81, 0, 0x0C, 0, 0x0A, 0x0A, 0, 0, 0, 3, 0xB4, 0xFD, 0x90, 0x0B, 0xE0, 1];
    let header = &CONFIG[4..];
    let unit = |first, header: &[u8], frame| {
        enhanced(first, b"av01", &[&[0x12, 0], header, &[0x32, 1, frame]].concat())
    };
    let sent = [
        unit(0xA1, header, 0x10),
        unit(0x91, &[], 0x30),
        unit(0x91, header, 0x30),
        unit(0x91, header, 0x00),
        unit(0x91, header, 0x90),
        unit(0x91, &[], 0x10),
    ];
    // A key frame that is shown; not an inter frame, one that is not shown, another shown. The configuration has a
    // sequence header, so the last needs none.
    let expected = [true, false, false, false, false, true];
    assert_eq!(keys(&mut announced(b"av01", CONFIG), sent.clone()), expected);
    // Without one there, a key frame that brings none can be decoded by nobody who comes then.
    let mut bare = announced(b"av01", &CONFIG[..4]);
    assert_eq!(keys(&mut bare, [sent[5].clone()]), [false]);
    let vp9 = |first, head| enhanced(first, b"vp09", &[head, 0x49]);
    let sent = [vp9(0xA1, 0x82), vp9(0x91, 0x86)];
    assert_eq!(keys(&mut announced(b"vp09", &[0, 10, 0x82, 2, 2, 2, 0, 0]), sent), [true, false]);
    let vp8 = |first, head| enhanced(first, b"vp08", &[head, 2, 0]);
    assert_eq!(keys(&mut Normalizer::new(), [vp8(0xA1, 0x10), vp8(0x91, 0x11)]), [true, false]);
}

#[test]
fn units_are_parted_at_start_codes_inside_a_length() {
    let mut normalizer = running();
    let inside = [SEI, &[0, 0, 0, 1], IDR].concat();
    assert_eq!(payload(&mut normalizer, key(&prefixed(&[&inside]))), prefixed(&[SEI, IDR]));
    let mixed = [annex_b(&[SPS, PPS]), prefixed(&[SEI, IDR])].concat();
    assert_eq!(payload(&mut normalizer, key(&mixed)), prefixed(&[SPS, PPS, SEI, IDR]));
    assert_eq!(normalizer.repaired().annex_b, 2);
    let short: Vec<u8> = [&[0, 4][..], IDR, &[0, 3], P_SLICE].concat();
    assert_eq!(payload(&mut normalizer, key(&short)), prefixed(&[IDR, P_SLICE]));
    assert_eq!(normalizer.repaired().other_lengths, 1);
    let inside = [HEVC_RECOVERY_POINT, &[0, 0, 1], HEVC_IDR].concat();
    let sent = enhanced(0x93, b"hvc1", &prefixed(&[&inside]));
    assert_eq!(payload(&mut hevc(), sent), prefixed(&[HEVC_RECOVERY_POINT, HEVC_IDR]));
}

#[test]
fn delimiters_and_filler_are_taken_out_without_a_copy() {
    let mut normalizer = running();
    let sent = key(&prefixed(&[DELIMITER, SEI, IDR, FILLER]));
    let out = payload(&mut normalizer, sent.clone());
    assert_eq!(out, prefixed(&[SEI, IDR]));
    assert_eq!(out.as_ptr(), sent[5 + 6..].as_ptr(), "a slice");
    assert_eq!(
        payload(&mut normalizer, key(&prefixed(&[IDR, DELIMITER, P_SLICE]))),
        prefixed(&[IDR, P_SLICE])
    );
    let empty = key(&prefixed(&[&[], IDR, &[], &[]]));
    assert_eq!(payload(&mut normalizer, empty), prefixed(&[IDR]));
    assert_eq!(normalizer.repaired().idle_units, 3);
    for nothing in [&[DELIMITER][..], &[FILLER, FILLER], &[&[]]] {
        assert_eq!(normalizer.push_video(0, inter(&prefixed(nothing))).unwrap().count(), 0);
    }
    let sent = enhanced(0x93, b"hvc1", &prefixed(&[HEVC_DELIMITER, HEVC_IDR]));
    assert_eq!(payload(&mut hevc(), sent), prefixed(&[HEVC_IDR]));
}

fn sound(items: MediaItems) -> Vec<(i64, Bytes)> {
    let frame = |item| match item {
        MediaItem::Frame(frame) => Some((frame.dts.as_ms(), frame.payload)),
        MediaItem::Track(_) => None,
    };
    items.filter_map(frame).collect()
}

#[test]
fn several_adts_frames_are_parted_and_1024_samples_apart() {
    let bare: [&[u8]; 3] = [SILENCE, &[0x21, 1], &[0x21, 2, 3]];
    let adts = |rate| {
        let head = |frame: &&[u8]| AdtsHeader::build(&AudioSpecificConfig::lc(rate, 2), frame.len()).unwrap();
        bare.iter().flat_map(|frame| [&head(frame)[..], frame].concat()).collect::<Vec<u8>>()
    };
    for (rate, times) in [(48_000, [0, 21, 43]), (44_100, [0, 23, 46]), (16_000, [0, 64, 128])] {
        let mut normalizer = Normalizer::new();
        let items: Vec<MediaItem> =
            normalizer.push_audio(0, body(&[0xAF, 1], &adts(rate))).unwrap().collect();
        let MediaItem::Track(track) = &items[0] else { panic!("{items:?}") };
        assert_eq!(track.config, AudioSpecificConfig::lc(rate, 2).to_bytes());
        assert_eq!(items.len(), 4);
        let next = 3 * 1024 * 1000 / rate;
        let frames = sound(normalizer.push_audio(next, body(&[0xAF, 1], &adts(rate))).unwrap());
        let expected: Vec<_> =
            times.iter().zip(bare).map(|(at, frame)| (next as i64 + at, frame.into())).collect();
        assert_eq!(frames, expected);
        let expected = Repaired { adts: 6, several_frames: 2, synthesised_configs: 1, ..Repaired::default() };
        assert_eq!(normalizer.repaired(), &expected);
    }
    // With a configuration too, and with one whose rate is wrong.
    let mut normalizer = running();
    assert_eq!(sound(normalizer.push_audio(0, body(&[0xAF, 1], &adts(44_100))).unwrap()).len(), 3);
    assert_eq!(
        track_of(normalizer.push_audio(70, body(&[0xAF, 1], &adts(48_000))).unwrap()).details().sample_rate,
        Some(48_000)
    );
    // The last one is cut short, or says a wrong length: it is what is left.
    let cut = adts(48_000);
    let frames = sound(normalizer.push_audio(140, body(&[0xAF, 1], &cut[..cut.len() - 1])).unwrap());
    assert_eq!(frames.iter().map(|(_, frame)| frame.len()).collect::<Vec<_>>(), [6, 2, 2]);
}

#[test]
fn several_frames_of_mp3_and_ac3_are_parted_too() {
    let mp3 = [&[0xFF, 0xFB, 0x90, 0x64][..], &[7; 413]].concat();
    for head in [&[0x2F][..], b"\x91.mp3"] {
        let mut normalizer = Normalizer::new();
        let sent = body(head, &[&mp3[..], &mp3, &mp3].concat());
        let frames = sound(normalizer.push_audio(1000, sent).unwrap());
        assert_eq!(frames, [1000, 1026, 1052].map(|at| (at, Bytes::from(mp3.clone()))));
    }
    // 192 kbit/s at 48 kHz: 768 bytes for 32 ms.
    let ac3 = [&[0x0B, 0x77, 0xFE, 0x95, 0x14, 0x40, 0x43, 0xE1][..], &[7; 760]].concat();
    let frames =
        sound(Normalizer::new().push_audio(0, enhanced(0x91, b"ac-3", &[&ac3[..], &ac3].concat())).unwrap());
    assert_eq!(frames, [0, 32].map(|at| (at, Bytes::from(ac3.clone()))));
    let alone = [&mp3[..], &[1, 2, 3]].concat();
    let frames = sound(Normalizer::new().push_audio(0, body(&[0x2F], &alone)).unwrap());
    assert_eq!(frames, [(0, Bytes::from(alone))], "what follows is no frame");
}

#[test]
fn raw_aac_without_a_configuration_is_told_and_then_guessed() {
    let mut normalizer = Normalizer::new();
    let mut came = None;
    for number in 0..100u32 {
        let items: Vec<MediaItem> =
            normalizer.push_audio(number * 1024 / 48, body(&[0xAF, 1], SILENCE)).unwrap().collect();
        if let [MediaItem::Track(track), MediaItem::Frame(_)] = &items[..] {
            came = Some((number, track.config.clone()));
        } else if came.is_none() {
            let told: Vec<_> = normalizer.undecodable().collect();
            assert_eq!(told, [(TrackId::AUDIO, Codec::Aac, u64::from(number) + 1)]);
        }
    }
    assert_eq!(came, Some((48, AudioSpecificConfig::lc(48_000, 2).to_bytes())));
    assert_eq!((normalizer.repaired().guessed_configs, normalizer.undecodable().count()), (1, 0));
    let sent = Bytes::from_static(&[0xAF, 0, 0x12, 0x10]);
    assert_eq!(
        track_of(normalizer.push_audio(2200, sent).unwrap()).config.as_ref(),
        [0x12, 0x10],
        "the word of the sender"
    );
}

#[test]
fn vp9_without_a_configuration_gets_one_from_its_key_frame() {
    let frame = 0x8249_8342_0009_F005_9602_3824_1C18_4200_u128.to_be_bytes();
    let mut normalizer = Normalizer::new();
    assert_eq!(normalizer.push_video(0, enhanced(0xA1, b"vp09", &[0x86, 0])).unwrap().count(), 0);
    let track = track_of(normalizer.push_video(40, enhanced(0xA1, b"vp09", &frame)).unwrap());
    assert_eq!(track.config.as_ref(), [1, 0, 0, 0, 0, 10, 0x82, 2, 2, 2, 0, 0]);
    assert_eq!(normalizer.push_video(80, enhanced(0xA1, b"vp09", &[0x86, 0])).unwrap().count(), 1);
    let other = TrackId { kind: MediaKind::Video, index: 1 };
    assert!(normalizer.undecodable().all(|(track, ..)| track == other), "nothing waits");
}
