//! Any bytes as AMF0: no panic, and what was decoded encodes to bytes that decode to the same.
#![no_main]

use headwater_media::amf::{Limits, amf0};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(values) = amf0::decode_all(bytes) else { return };
    for value in &values {
        assert!(value.to_string().chars().count() <= 401);
    }
    let encoded = amf0::encode_all(&values);
    let again = amf0::decode_all_with(&encoded, &Limits::FILE).expect("own bytes decode");
    assert_eq!(encoded, amf0::encode_all(&again));
});
