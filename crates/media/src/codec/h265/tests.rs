//! H.265 records and parameter sets as encoders write them, and bytes that nobody wrote.

use proptest::prelude::*;

use super::*;

/// Record, width, height, rate, sample aspect, chroma format with both depths, codec string.
type Measured = (&'static str, u32, u32, (u32, u32), Option<(u16, u16)>, [u8; 3], &'static str);

/// The records that x265 and kvazaar wrote for sources of known measures (less x265's message about
/// itself), and what ffprobe says of them.
const RECORDS: [Measured; 6] = [
    (
        "0101600000009000000000001ef000fcfdf8f800000f03a00001001840010c01ffff016000000300900000030000
         03001e959009a10001002a42010101600000030090000003000003001ea0142061f26595924932bc05a020000003
         00200000030321a2000100074401c172b46240",
        160,
        90,
        (25, 1),
        Some((1, 1)),
        [1, 8, 8],
        "hvc1.1.6.L30.90",
    ),
    (
        "0102200000009000000000001ef000fcfdfafa00000f03200001001840010c01ffff022000000300900000030000
         03001e959809210001002e42010102200000030090000003000003001ea0142061f2365959a4932bc05a84880482
         000003000200000300321022000100074401c172b46240",
        160,
        90,
        (25, 1),
        Some((1, 1)),
        [1, 10, 10],
        "hvc1.2.4.L30.90",
    ),
    (
        "010160000000800000000000baf000fcfdf8f800001303a00001001b40010c02ffff016000000300800000030000
         0300ba000004021024a10001002a4201020160000003008000000300000300ba0000a007d201f96c100864932ac0
         40400000fa40001d4c02a2000100084401c062460a6480",
        1000,
        504,
        (30_000, 1001),
        Some((1, 1)),
        [1, 8, 8],
        "hvc1.1.6.L186.80",
    ),
    (
        "0104080000009d08000000005af000fcfefafa00000f03a00001001740010c01ffff0408000003009d0800000300
         005a959409a10001002d4201010408000003009d0800000300005ab005a200904d965654a4c2fff0010000f68080
         000003008000000c84a2000100064401c073c189",
        720,
        576,
        (25, 1),
        Some((16, 15)),
        [2, 10, 10],
        "hvc1.4.10.L90.9D.8",
    ),
    (
        "0124080000009e080000000099f000fcfff8f800001303a00001001b40010c02ffff2408000003009e0800000300
         009900009594aca048a10001002d4201022408000003009e0800000300009900009001410183e372caca5654a4e1
         780b4040000003004000000f02a2000100084401c07318301890",
        320,
        180,
        (60, 1),
        Some((1, 1)),
        [3, 8, 8],
        "hvc1.4.10.H153.9E.8",
    ),
    (
        "0104080000009fc8000000001ef000fcfcf8f800000f03a00001001740010c01ffff0408000003009fc800000300
         001e999809a1000100294201010408000003009fc800000300001ec05881c71f1f966664a4c2f016c08000000300
         8000000c84a2000100064401c073c189",
        162,
        98,
        (25, 1),
        Some((1, 1)),
        [0, 8, 8],
        "hvc1.4.10.L30.9F.C8",
    ),
];

fn bytes(hex: &str) -> Bytes {
    let digits: Vec<u8> = hex.bytes().filter(u8::is_ascii_hexdigit).collect();
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.chunks(2).map(byte).collect()
}

fn config(number: usize) -> HevcConfig {
    HevcConfig::parse(&bytes(RECORDS[number].0)).unwrap()
}

#[test]
fn pictures_are_measured_as_ffprobe_measures_them() {
    for (record, width, height, rate, aspect, [chroma, luma_depth, chroma_depth], name) in RECORDS {
        let config = HevcConfig::parse(&bytes(record)).unwrap();
        let picture = config.picture().unwrap();
        assert_eq!((picture.width, picture.height), (width, height), "{name}");
        assert_eq!(picture.frame_rate, Some(rate), "{name}");
        assert_eq!(picture.sample_aspect, aspect, "{name}");
        assert_eq!(picture.chroma_format, chroma, "{name}");
        assert_eq!((picture.bit_depth_luma, picture.bit_depth_chroma), (luma_depth, chroma_depth), "{name}");
        assert_eq!(picture.profile, config.profile, "{name}");
        assert_eq!(config.codec_string(), name);
    }
}

#[test]
fn records_built_from_parameter_sets_are_those_that_encoders_wrote() {
    for fixture in RECORDS {
        let record = bytes(fixture.0);
        let config = HevcConfig::parse(&record).unwrap();
        assert_eq!(config.to_bytes(), record);
        assert_eq!((config.vps.len(), config.sps.len(), config.pps.len()), (1, 1, 1));
        let HevcConfig { vps, sps, pps, complete, .. } = config;
        let built = HevcConfig::from_parameter_sets(vps, sps, pps).unwrap();
        assert_eq!(HevcConfig { complete, ..built }.to_bytes(), record);
    }
}

#[test]
fn records_are_read_leniently() {
    let whole = bytes(RECORDS[0].0);
    let no_arrays = HevcConfig::parse(&whole.slice(..22)).unwrap();
    assert!(!no_arrays.has_parameter_sets() && no_arrays.picture().is_err() && !no_arrays.complete);
    let mut version_0 = whole.to_vec();
    version_0[0] = 0;
    assert_eq!(HevcConfig::parse(&version_0.into()).unwrap().to_bytes(), whole);
    // A suffix SEI with an array of its own, an AUD that does not belong there, and a unit of another kind.
    let mut more = whole.to_vec();
    more[22] = 6;
    more.extend([
        39, 0, 1, 0, 3, 0x4E, 1, 5, 40, 0, 1, 0, 3, 0x50, 1, 5, 35, 0, 2, 0, 3, 0x46, 1, 0x50, 0, 0,
    ]);
    let config = HevcConfig::parse(&more.into()).unwrap();
    assert_eq!((config.sei.len(), config.complete), (2, true));
    assert_eq!(HevcConfig::parse(&config.to_bytes()), Ok(config));
}

#[test]
fn records_that_are_none_are_refused() {
    let whole = bytes(RECORDS[0].0);
    assert!(HevcConfig::parse(&whole.slice(..21)).is_err());
    assert!(HevcConfig::parse(&whole.slice(..whole.len() - 1)).is_err());
    assert!(HevcConfig::parse(&bytes("0000000140010c01ffff0160000003009000000300000300")).is_err());
    let mut crowd = whole.slice(..22).to_vec();
    crowd.extend([1, 32, 0, 65]);
    crowd.extend([0, 1, 0x40].repeat(65));
    assert!(HevcConfig::parse(&crowd.into()).is_err());
    let HevcConfig { vps, sps, pps, .. } = config(0);
    assert!(HevcConfig::from_parameter_sets(vec![], sps.clone(), pps.clone()).is_err());
    assert!(HevcConfig::from_parameter_sets(vps.clone(), pps.clone(), pps.clone()).is_err());
    assert!(HevcConfig::from_parameter_sets(vps, vec![sps[0].clone(); 17], pps).is_err());
}

#[test]
fn a_set_with_the_same_number_replaces_the_old_one() {
    let (small, large) = (config(0), config(2));
    let padded: Bytes = [small.sps[0].as_ref(), &[0, 0]].concat().into();
    assert_eq!(small.updated(&small.vps, &[padded], &small.pps), None, "trailing zeros are no change");
    let short = HevcConfig { length_size: 2, ..small };
    let updated = short.updated(&large.vps, &large.sps, &[]).unwrap();
    assert_eq!((&updated.sps, &updated.pps, updated.length_size), (&large.sps, &short.pps, 2));
    assert_eq!(updated.codec_string(), "hvc1.1.6.L186.80");
    let second_pps = bytes("440168");
    let both = short.updated(&[], &[], std::slice::from_ref(&second_pps)).unwrap();
    assert_eq!(both.pps, [short.pps[0].clone(), second_pps], "another number is added");
}

#[test]
fn the_unit_types_of_key_pictures() {
    let types = [0x02u8, 0x20, 0x26, 0x28, 0x2A, 0x40, 0x42, 0x44, 0x46].map(|head| nal_type(&[head, 1]));
    assert_eq!(types, [1, 16, 19, 20, 21, NAL_VPS, NAL_SPS, NAL_PPS, 35]);
    assert_eq!(types.map(|kind| NAL_KEY.contains(&kind)).iter().filter(|&&key| key).count(), 4);
}

#[test]
fn nonsense_is_refused_or_costs_only_what_stands_behind_it() {
    assert!(Sps::parse(&[]).is_err());
    assert!(Sps::parse(&[0x42]).is_err());
    assert!(Sps::parse(&[0x42; 5000]).is_err());
    let sps = &config(0).sps[0];
    let mut other_layer = sps.to_vec();
    other_layer[1] |= 8;
    assert!(Sps::parse(&other_layer).is_err());
    // Cut behind the bit depths: the size is still there, the rate is not.
    let cut = Sps::parse(&sps[..24]).unwrap();
    assert_eq!((cut.width, cut.height, cut.frame_rate), (160, 90, None));
}

proptest! {
    #[test]
    fn any_bytes_never_panic(data in prop::collection::vec(any::<u8>(), 0..200)) {
        let record: Bytes = [&bytes(RECORDS[0].0)[..22], &data].concat().into();
        for record in [Bytes::from(data.clone()), record] {
            if let Ok(config) = HevcConfig::parse(&record) {
                let _ = config.picture();
                let _ = config.codec_string();
                let _ = config.updated(&config.pps, &config.sps, &config.vps);
                prop_assert_eq!(HevcConfig::parse(&config.to_bytes()), Ok(config));
            }
        }
        let _ = Sps::parse(&[&[0x42, 1][..], &data].concat());
    }

    #[test]
    fn a_damaged_sps_never_panics(
        which in 0usize..6, damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut sps = config(which).sps[0].to_vec();
        for (at, value) in damage {
            let at = at.index(sps.len());
            sps[at] = value;
        }
        let _ = Sps::parse(&sps);
        let _ = sps::number(&sps);
    }
}
