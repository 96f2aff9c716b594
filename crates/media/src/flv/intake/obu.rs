//! AV1 made regular: no temporal delimiters, as MP4 and Enhanced RTMP want it.

use bytes::Bytes;

/// A temporal delimiter that says its size, which is 0.
const DELIMITER: [u8; 2] = [0x12, 0];

/// The temporal unit without the delimiters at its front.
pub(super) fn without_delimiters(unit: &Bytes) -> Bytes {
    let mut unit = unit.clone();
    while unit.starts_with(&DELIMITER) {
        unit = unit.slice(DELIMITER.len()..);
    }
    unit
}

/// Whether decoding can start at a temporal unit: its sequence header comes first then.
pub(super) fn is_key(unit: &[u8]) -> bool {
    const SEQUENCE_HEADER: u8 = 1;
    unit.first().is_some_and(|head| head >> 3 & 0xF == SEQUENCE_HEADER)
}
