//! Any bytes as a shared object: no panic, memory in proportion, and what is read is read again when written.
#![no_main]

use headwater_rtmp::message::{SharedObject, type_id};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (bool, &[u8])| {
    let (is_flex, bytes) = input;
    let type_id = if is_flex { type_id::SHARED_OBJECT_AMF3 } else { type_id::SHARED_OBJECT };
    let Some(object) = SharedObject::decode(type_id, bytes) else { return };
    assert!(object.events.len() <= bytes.len());
    if let Some(answer) = object.answer() {
        assert_eq!((&answer.name, answer.version), (&object.name, object.version));
    }
    let written = object.encode();
    if let Some(back) = SharedObject::decode(type_id, &written) {
        // What AMF3 alone can say is lost on the way into AMF0; the second time nothing is.
        let again = back.encode();
        let third = SharedObject::decode(type_id, &again).map(|object| object.encode());
        assert_eq!(third, Some(again));
    }
});
