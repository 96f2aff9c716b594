//! The tags of an FLV file, read plainly and apart from the server's own reader.

use std::fs;
use std::path::Path;

/// `(kind, milliseconds, body)`; kinds: 8 audio, 9 video, 18 script.
pub(crate) type Tag = (u8, u32, Vec<u8>);

/// The flags of the file's head (4 audio, 1 video) and its tags.
pub(crate) fn read(path: &Path) -> (u8, Vec<Tag>) {
    of(&fs::read(path).unwrap())
}

/// The same of its bytes.
pub(crate) fn of(bytes: &[u8]) -> (u8, Vec<Tag>) {
    assert_eq!(&bytes[..4], b"FLV\x01", "it is no FLV file");
    let mut tags = Vec::new();
    let mut rest = &bytes[13..];
    while rest.len() >= 11 {
        let size = u32::from_be_bytes([0, rest[1], rest[2], rest[3]]) as usize;
        let time_ms = u32::from_be_bytes([rest[7], rest[4], rest[5], rest[6]]);
        let Some(body) = rest.get(11..11 + size) else { break };
        tags.push((rest[0], time_ms, body.to_vec()));
        rest = rest.get(11 + size + 4..).unwrap_or_default();
    }
    (bytes[4], tags)
}

/// Whether the tag is a sequence header, of AVC or AAC.
pub(crate) fn is_config(tag: &Tag) -> bool {
    matches!((tag.0, tag.2.as_slice()), (9, [0x17, 0, ..]) | (8, [0xA0..=0xAF, 0, ..]))
}
