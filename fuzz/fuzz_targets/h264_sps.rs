//! Any bytes as an SPS, a configuration record and a byte stream: no panic, and what is written is read.
#![no_main]

use bytes::Bytes;
use headwater_media::codec::h264::{
    AvcConfig, Framing, Sps, annex_b_nals, annex_b_to_length_prefixed, framing,
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(sps) = Sps::parse(bytes) {
        assert!(sps.width > 0 && sps.height > 0);
    }
    if let Ok(config) = AvcConfig::parse(&Bytes::copy_from_slice(bytes)) {
        let _ = config.picture();
        let _ = config.updated(&config.sps, &config.pps);
        let written = config.to_bytes();
        assert_eq!(AvcConfig::parse(&written).as_ref(), Ok(&config));
    }
    let prefixed = annex_b_to_length_prefixed(bytes, 4).expect("four bytes hold any length");
    assert_eq!(framing(&prefixed, 4), Framing::LengthPrefixed { len: prefixed.len() });
    assert_eq!(annex_b_nals(bytes).map(|nal| nal.len() + 4).sum::<usize>(), prefixed.len());
});
