//! AV1 records and OBUs as encoders write them, and bytes that nobody wrote.

use proptest::prelude::*;

use super::*;

/// Record, width, height, bit depth, codec string.
type Measured = (&'static str, u32, u32, u8, &'static str);

/// The records that SVT-AV1 and libaom wrote for sources of known measures, and what ffprobe says of them.
const RECORDS: [Measured; 6] = [
    ("81000c000a0a00000003b4fd900be001", 160, 90, 8, "av01.0.00M.08"),
    ("81080c000a0b00000042abbec3532be401", 1918, 1078, 8, "av01.0.08M.08"),
    ("812440000a0e20000024c4ff6736be5810104c80", 640, 360, 10, "av01.1.04M.10.0.000.02.02.09.1"),
    ("81001c000a0a000000043cfeccdaf92a", 320, 180, 8, "av01.0.00M.08.1.110.02.02.02.1"),
    ("814068000a0b400000043cfeccdaf96220", 320, 180, 12, "av01.2.00M.12.0.100.02.02.02.0"),
    ("81004c000a0b0200000521e7f66017c202", 320, 180, 10, "av01.0.00M.10"),
];

fn bytes(hex: &str) -> Bytes {
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    hex.as_bytes().chunks(2).map(byte).collect()
}

#[test]
fn pictures_are_measured_as_ffprobe_measures_them() {
    for (record, width, height, bit_depth, name) in RECORDS {
        let config = Av1Config::parse(&bytes(record)).unwrap();
        let picture = config.picture().unwrap();
        assert_eq!((picture.width, picture.height, picture.bit_depth), (width, height, bit_depth), "{name}");
        assert_eq!((config.bit_depth, config.level), (bit_depth, picture.level), "{name}");
        assert_eq!(config.codec_string(), name);
    }
}

#[test]
fn records_built_from_sequence_headers_are_those_that_encoders_wrote() {
    for (record, ..) in RECORDS {
        let record = bytes(record);
        let config = Av1Config::parse(&record).unwrap();
        assert_eq!(config.to_bytes(), record);
        let unit = [&[0x12, 0][..], &config.obus, &[0x32, 2, 0, 0]].concat();
        assert_eq!(Av1Config::from_temporal_unit(&unit).unwrap().to_bytes(), record);
    }
}

#[test]
fn what_the_sequence_header_may_hold_beside() {
    let mut writer = crate::bits::BitWriter::default();
    // Profile 0; timing: 25 pictures per second, two ticks each; a decoder model with delays of 3 bits.
    for (value, count) in [(0, 5), (1, 1), (1, 32), (50, 32), (1, 1), (0b010, 3), (1, 1), (2, 5), (1, 32)] {
        writer.bits(value, count);
    }
    // Lengths of the model's times; display delays; two operating points: 5.1 high with delays, 2.0.
    for (value, count) in [(0, 10), (1, 1), (1, 5), (0, 12), (13, 5), (1, 1), (1, 1), (0, 7), (1, 1), (3, 4)]
    {
        writer.bits(value, count);
    }
    for (value, count) in [(0, 12), (0, 5), (0, 1), (0, 1), (9, 4), (8, 4), (639, 10), (359, 9)] {
        writer.bits(value, count);
    }
    // Frame ids; tools: no order hints, forced screen content and integer motion; sRGB, which is 4:4:4.
    for (value, count) in [(1, 1), (0, 7), (0, 3), (0, 4), (0, 1), (0, 1), (1, 1), (0, 1), (0, 1), (0, 3)] {
        writer.bits(value, count);
    }
    for (value, count) in [(0, 2), (1, 1), (1, 8), (13, 8), (0, 8), (0, 2)] {
        writer.bits(value, count);
    }
    let header = SequenceHeader::parse(&writer.into_bytes()).unwrap();
    assert_eq!((header.width, header.height, header.frame_rate), (640, 360, Some((25, 1))));
    assert_eq!((header.level, header.high_tier, header.subsampling), (13, true, (false, false)));
    assert!(header.colours.full_range && header.colours.transfer == 13);
    let still = SequenceHeader::parse(&[0b0001_1010, 0b0001_1001, 0b0111_1111, 0x80, 0, 0, 0]).unwrap();
    assert_eq!((still.level, still.frame_rate), (8, None));
    assert!(SequenceHeader::parse(&[0x60, 0, 0, 0, 0, 0, 0, 0, 0, 0]).is_err());
    assert!(SequenceHeader::parse(&[]).is_err());
}

#[test]
fn units_are_walked_and_lose_their_delimiter() {
    // Delimiter; a frame with extension byte and a size in two bytes; a frame without size.
    let mut unit = vec![0x12, 0, 0x36, 0x08, 0x81, 0x00, 7, 0x30, 8, 9];
    let kinds = |unit: &[u8]| -> Vec<(u8, Vec<u8>)> {
        obus(unit).map(Result::unwrap).map(|obu| (obu.kind, obu.payload.to_vec())).collect()
    };
    assert_eq!(kinds(&unit), [(2, vec![]), (6, vec![7]), (6, vec![8, 9])]);
    let bare = without_delimiter(&Bytes::from(unit.clone()));
    assert_eq!(bare, unit[2..]);
    assert_eq!(without_delimiter(&bare), bare);
    unit[4] = 0x85;
    let walk: Vec<_> = obus(&unit).collect();
    assert!(walk.len() == 2 && walk[0].is_ok() && walk[1].is_err());
    assert!(obus(&[0x32]).next().unwrap().is_err());
    assert!(obus(&[0x32, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0]).next().unwrap().is_err());
    assert_eq!(sequence_header(&bare), None);
}

#[test]
fn records_that_are_none_are_refused() {
    for hex in ["", "81", "81000c", "01000c00", "0a0a00000003b4fd900be001"] {
        assert!(Av1Config::parse(&bytes(hex)).is_err(), "{hex}");
    }
    let without_obus = Av1Config::parse(&bytes("81450c13")).unwrap();
    assert!(without_obus.picture().is_err());
    assert_eq!(
        (without_obus.initial_delay, without_obus.codec_string().as_str()),
        (Some(4), "av01.2.05M.08")
    );
    assert_eq!(without_obus.to_bytes(), bytes("81450c13"));
    assert!(Av1Config::from_temporal_unit(&[0x12, 0]).is_err());
}

proptest! {
    #[test]
    fn any_bytes_never_panic(data in prop::collection::vec(any::<u8>(), 0..200)) {
        for record in [Bytes::from(data.clone()), [&[0x81, 4, 0x0C, 0][..], &data].concat().into()] {
            if let Ok(config) = Av1Config::parse(&record) {
                let _ = config.picture();
                let _ = config.codec_string();
                prop_assert_eq!(Av1Config::parse(&config.to_bytes()), Ok(config));
            }
        }
        let _ = SequenceHeader::parse(&data);
        let walked: usize = obus(&data).map_while(Result::ok).map(|obu| obu.payload.len()).sum();
        prop_assert!(walked <= data.len());
        prop_assert!(without_delimiter(&data.clone().into()).len() <= data.len());
        if let Ok(config) = Av1Config::from_temporal_unit(&data) {
            prop_assert_eq!(Av1Config::parse(&config.to_bytes()), Ok(config));
        }
    }
}
