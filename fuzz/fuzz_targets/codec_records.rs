//! Any bytes as the configuration and the first frame of every modern codec: no panic, and what is written is read.
#![no_main]

use bytes::Bytes;
use headwater_media::codec::ac3::Ac3Header;
use headwater_media::codec::av1::{self, Av1Config};
use headwater_media::codec::flac::FlacConfig;
use headwater_media::codec::h265::HevcConfig;
use headwater_media::codec::opus::OpusConfig;
use headwater_media::codec::vp9::VpConfig;
use headwater_media::{Codec, Track, TrackId};
use libfuzzer_sys::fuzz_target;

const CODECS: [Codec; 11] = [
    Codec::H264,
    Codec::H265,
    Codec::H266,
    Codec::Av1,
    Codec::Vp8,
    Codec::Vp9,
    Codec::Aac,
    Codec::Opus,
    Codec::Flac,
    Codec::Ac3,
    Codec::Eac3,
];

fuzz_target!(|input: (&[u8], &[u8])| {
    let (record, frame) = input;
    let bytes = Bytes::copy_from_slice(record);
    for codec in CODECS {
        let _ = Track::new(TrackId::VIDEO, codec, bytes.clone()).details_with(frame);
    }
    if let Ok(config) = HevcConfig::parse(&bytes) {
        let _ = config.updated(&config.vps, &config.sps, &config.pps);
        assert_eq!(HevcConfig::parse(&config.to_bytes()).as_ref(), Ok(&config));
    }
    if let Ok(config) = Av1Config::parse(&bytes) {
        assert_eq!(Av1Config::parse(&config.to_bytes()).as_ref(), Ok(&config));
    }
    if let Ok(config) = VpConfig::parse(record) {
        assert_eq!(VpConfig::parse(&config.to_bytes()).as_ref(), Ok(&config));
    }
    if let Ok(config) = OpusConfig::parse(&bytes) {
        assert_eq!(OpusConfig::parse(&config.to_bytes()).as_ref(), Ok(&config));
        assert_eq!(OpusConfig::parse_dops(&config.to_dops()[..]).map(|again| again.channels), Ok(config.channels));
    }
    if let Ok(config) = FlacConfig::parse(&bytes) {
        let again = FlacConfig::parse(&config.to_bytes());
        assert_eq!(again.map(|again| again.sample_rate), Ok(config.sample_rate));
    }
    let _ = Ac3Header::parse(frame);
    let _ = av1::sequence_header(frame);
    let unit = Bytes::copy_from_slice(frame);
    assert!(av1::without_delimiter(&unit).len() <= unit.len());
});
