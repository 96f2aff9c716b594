//! Any bytes as AMF3: no panic, and what was decoded can be logged, answered in AMF0 and written in AMF3.
#![no_main]

use headwater_media::amf::{Limits, amf0, amf3};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(values) = amf3::decode_all(bytes) else { return };
    for value in &values {
        assert!(value.to_string().chars().count() <= 401);
    }
    let encoded = amf0::encode_all(&values);
    assert!(amf0::decode_all_with(&encoded, &Limits::FILE).is_ok());
    let encoded = amf3::encode_all(&values);
    let back = amf3::decode_all_with(&encoded, &Limits::FILE).expect("own bytes decode");
    assert_eq!(amf3::encode_all(&back), encoded);
});
