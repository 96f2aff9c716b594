//! H.264 records and parameter sets as encoders write them, and bytes that nobody wrote.

use proptest::prelude::*;

use super::*;

/// Record, width, height, rate, sample aspect, chroma format with both depths, interlaced.
type Measured = (&'static str, u32, u32, (u32, u32), Option<(u16, u16)>, [u8; 3], bool);

/// The records that x264 wrote for sources of known measures, and what ffprobe says of them.
const RECORDS: [Measured; 5] = [
    (
        "01640028ffe1001967640028acd940780227e5c04400000fa40003a9803c60c658010004 68ef8fcbfdf8f800",
        1920,
        1080,
        (30_000, 1001),
        Some((1, 1)),
        [1, 8, 8],
        false,
    ),
    (
        "017a001fffe1001e677a001fb6cd940d83de6fff0500050110000003001000000780f183196001000468ef8fcbfefafa00",
        854,
        480,
        (60, 1),
        Some((1280, 1281)),
        [2, 10, 10],
        false,
    ),
    (
        "0164001effe1001c6764001eacd940b424dff800800078800000030080000019 0f8a14cb01000568fe8fcc03fdf8f800",
        720,
        576,
        (25, 1),
        Some((16, 15)),
        [1, 8, 8],
        true,
    ),
    (
        "01f4000cffe1001967f4000c919b282833f1b8088000000300800000190 78a14cb01000768ef8f19300019fff8f800",
        320,
        180,
        (25, 1),
        Some((1, 1)),
        [3, 8, 8],
        false,
    ),
    (
        "0164000bffe1001a6764000bf3650b3f8f8fc05b2000000300200000064 1e28532c001000468ef8fcbfcf8f800",
        162,
        98,
        (25, 1),
        Some((1, 1)),
        [0, 8, 8],
        false,
    ),
];
const RECORD: &str = "014d401fffe1001a674d401fa6110280bfe5c044000003000400000300c83c60c84601000568e84332c8";

fn bytes(hex: &str) -> Bytes {
    let digits: Vec<u8> = hex.bytes().filter(|byte| *byte != b' ').collect();
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.chunks(2).map(byte).collect()
}

#[test]
fn pictures_are_measured_as_ffprobe_measures_them() {
    for (record, width, height, rate, aspect, [chroma, luma_depth, chroma_depth], interlaced) in RECORDS {
        let config = AvcConfig::parse(&bytes(record)).unwrap();
        let picture = config.picture().unwrap();
        assert_eq!((picture.width, picture.height), (width, height), "{record}");
        assert_eq!(picture.frame_rate, Some(rate), "{record}");
        assert_eq!(picture.sample_aspect, aspect, "{record}");
        assert_eq!(picture.chroma_format, chroma, "{record}");
        assert_eq!(
            (picture.bit_depth_luma, picture.bit_depth_chroma),
            (luma_depth, chroma_depth),
            "{record}"
        );
        assert_eq!(picture.interlaced, interlaced, "{record}");
        assert_eq!((picture.profile, picture.level), (config.profile, config.level), "{record}");
    }
}

#[test]
fn records_built_from_parameter_sets_are_those_that_x264_wrote() {
    for record in RECORDS.iter().map(|fixture| fixture.0).chain([RECORD]) {
        let record = bytes(record);
        let config = AvcConfig::parse(&record).unwrap();
        assert_eq!(config.to_bytes(), record);
        let built = AvcConfig::from_parameter_sets(config.sps.clone(), config.pps.clone()).unwrap();
        assert_eq!(built.to_bytes(), record);
    }
}

#[test]
fn records_are_read_leniently() {
    let whole = bytes(RECORDS[0].0);
    let tailless = whole.slice(..whole.len() - 4);
    assert_eq!(AvcConfig::parse(&tailless).unwrap().extension, Bytes::new());
    let mut version_0 = whole.to_vec();
    version_0[0] = 0;
    assert_eq!(AvcConfig::parse(&version_0.into()).unwrap().to_bytes(), whole);
    let no_sets = AvcConfig::parse(&bytes("0164001ffde000")).unwrap();
    assert_eq!((no_sets.length_size, no_sets.sps.len(), no_sets.pps.len()), (2, 0, 0));
    assert!(no_sets.picture().is_err());
    let without_pps_count = AvcConfig::parse(&bytes("0164001fffe0")).unwrap();
    assert_eq!(without_pps_count.pps.len(), 0);
}

#[test]
fn records_that_are_none_are_refused() {
    for hex in ["", "01", "0164001fff", "0264001fffe100", "00000001674d401f", "0164001fffe1001967"] {
        assert!(AvcConfig::parse(&bytes(hex)).is_err(), "{hex}");
    }
    assert!(AvcConfig::from_parameter_sets(vec![], vec![]).is_err());
    assert!(AvcConfig::from_parameter_sets(vec![bytes("674d401f")], vec![]).is_err());
}

#[test]
fn a_set_with_the_same_number_replaces_the_old_one() {
    let config = AvcConfig::parse(&bytes(RECORD)).unwrap();
    let padded = [config.sps[0].as_ref(), &[0, 0]].concat();
    assert_eq!(config.updated(&[padded.into()], &config.pps), None, "trailing zeros are no change");
    let other = AvcConfig::parse(&bytes(RECORDS[0].0)).unwrap();
    let updated = config.updated(&other.sps, &[]).unwrap();
    assert_eq!(updated.sps, other.sps);
    assert_eq!(updated.pps, config.pps);
    assert_eq!(updated.codec_string(), "avc1.640028");
    let second_pps = bytes("6848843328");
    let both = config.updated(&[], std::slice::from_ref(&second_pps)).unwrap();
    assert_eq!(both.pps, [config.pps[0].clone(), second_pps], "another number is added");
}

#[test]
fn start_codes_are_believed_only_when_lengths_do_not_tile() {
    // 00 00 01 02: a length of 258 bytes, and also a start code.
    let mut long = vec![0u8, 0, 1, 2];
    long.extend([0x41; 258]);
    assert_eq!(framing(&long, 4), Framing::LengthPrefixed { len: 262 });
    long.pop();
    assert_eq!(framing(&long, 4), Framing::AnnexB);
    assert_eq!(framing(&[0, 0, 0, 1, 0x65, 1, 2, 3], 4), Framing::AnnexB);
    assert_eq!(framing(&[0, 0, 0, 9, 0x65], 4), Framing::Broken);
    assert_eq!(framing(&[0, 0, 0, 1, 0x65, 0, 0], 4), Framing::LengthPrefixed { len: 5 });
    assert_eq!(framing(&[1, 0x65, 0, 2, 0x41, 9], 1), Framing::LengthPrefixed { len: 6 });
    assert_eq!(framing(&[], 4), Framing::LengthPrefixed { len: 0 });
}

#[test]
fn annex_b_becomes_length_prefixed() {
    let stream =
        [&[0, 0, 0, 1, 0x09, 0xF0][..], &[0, 0, 1, 0x67, 0x4D, 0, 0, 0], &[0, 0, 1, 0x65, 0x88]].concat();
    let units: Vec<&[u8]> = annex_b_nals(&stream).collect();
    assert_eq!(units, [&[0x09, 0xF0][..], &[0x67, 0x4D], &[0x65, 0x88]]);
    let prefixed = annex_b_to_length_prefixed(&stream, 2).unwrap();
    assert_eq!(prefixed.as_ref(), [0, 2, 0x09, 0xF0, 0, 2, 0x67, 0x4D, 0, 2, 0x65, 0x88]);
    let again: Vec<&[u8]> = nals(&prefixed, 2).map(Result::unwrap).collect();
    assert_eq!(again, units);
    let long = [&[0, 0, 1][..], &[0x65; 300]].concat();
    assert!(annex_b_to_length_prefixed(&long, 1).is_err());
}

#[test]
fn a_huge_picture_or_a_bomb_of_codes_is_refused() {
    assert!(Sps::parse(&bytes("674d401f")).is_err());
    assert!(Sps::parse(&[0x67; 5000]).is_err());
    assert!(Sps::parse(&[&[0x67, 77, 0, 30][..], &[0; 64]].concat()).is_err());
    assert!(Sps::parse(&bytes("68e84332c8")).is_err());
}

proptest! {
    #[test]
    fn any_bytes_never_panic(data in prop::collection::vec(any::<u8>(), 0..200), length_size in 0u8..=5) {
        let record = Bytes::from(data.clone());
        if let Ok(config) = AvcConfig::parse(&record) {
            let _ = config.picture();
            prop_assert!(AvcConfig::parse(&config.to_bytes()).is_ok());
        }
        let _ = framing(&data, length_size);
        let _ = nals(&data, length_size).count();
        let _ = annex_b_to_length_prefixed(&data, length_size);
        let _ = Sps::parse(&data);
        let _ = Sps::parse(&[&[0x67, 100, 0, 31][..], &data].concat());
    }

    #[test]
    fn a_damaged_sps_never_panics(which in 0usize..5, at in any::<prop::sample::Index>(), value in any::<u8>()) {
        let mut sps = AvcConfig::parse(&bytes(RECORDS[which].0)).unwrap().sps[0].to_vec();
        let at = at.index(sps.len());
        sps[at] = value;
        let _ = Sps::parse(&sps);
    }

    #[test]
    fn units_survive_both_framings(
        units in prop::collection::vec(prop::collection::vec(1u8..=255, 1..50), 1..8), length_size in 1u8..=4,
    ) {
        let mut stream = Vec::new();
        for unit in &units {
            stream.extend([0, 0, 0, 1]);
            stream.extend(unit);
        }
        let prefixed = annex_b_to_length_prefixed(&stream, length_size).unwrap();
        prop_assert_eq!(framing(&prefixed, length_size), Framing::LengthPrefixed { len: prefixed.len() });
        let found: Vec<Vec<u8>> = nals(&prefixed, length_size).map(|unit| unit.unwrap().to_vec()).collect();
        prop_assert_eq!(found, units);
    }
}
