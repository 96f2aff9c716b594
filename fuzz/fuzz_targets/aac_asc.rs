//! Any bytes as an AudioSpecificConfig, an ADTS header and a frame that may hold SBR: no panic, and what is written is read.
#![no_main]

use headwater_media::codec::aac::{AdtsHeader, AudioSpecificConfig};
use headwater_media::codec::sbr::{ImplicitSbr, SbrSearch};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(config) = AudioSpecificConfig::parse(bytes) {
        let again = AudioSpecificConfig::parse(&config.to_bytes()).expect("own bytes parse");
        assert_eq!((again.sample_rate, again.channel_config), (config.sample_rate, config.channel_config));
        let _ = config.codec_string();
        let _ = AdtsHeader::build(&config, bytes.len());
    }
    let mut search = SbrSearch::default();
    (0..8).for_each(|_| search.look(bytes));
    if let (Some(sbr), Ok(config)) = (search.found(), AudioSpecificConfig::parse(bytes)) {
        let announced = sbr.announced(config);
        assert!(!ImplicitSbr::may_be_in(bytes) || announced.sbr_rate.is_some());
    }
    if let Some(header) = AdtsHeader::parse(bytes) {
        let payload = header.frame_len - header.header_len;
        let written = AdtsHeader::build(&header.config(), payload);
        if let Ok(written) = written {
            assert_eq!(AdtsHeader::parse(&written).map(|again| again.config()), Some(header.config()));
        }
    }
});
