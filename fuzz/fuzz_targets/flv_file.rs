//! Any bytes as an FLV file: no panic, an end, and the same tags however the file is cut.
#![no_main]

use headwater_media::flv::{Demuxer, Tag, TagReader};
use libfuzzer_sys::fuzz_target;

fn tags<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> Vec<Tag> {
    let mut reader = TagReader::new(1 << 16);
    let mut tags = Vec::new();
    for piece in pieces {
        reader.feed(piece);
        loop {
            match reader.next_tag() {
                Ok(Some(tag)) => tags.push(tag),
                Ok(None) => break,
                Err(_) => return tags,
            }
        }
    }
    tags
}

fuzz_target!(|bytes: &[u8]| {
    let (&cut, file) = bytes.split_first().unwrap_or((&0, &[]));
    assert_eq!(tags(file.chunks(usize::from(cut) + 1)), tags(std::iter::once(file)));
    let mut demuxer = Demuxer::new(1 << 16);
    demuxer.feed(file);
    for _ in 0..=file.len() * 2 {
        if demuxer.next_item() == Ok(None) {
            break;
        }
    }
    let _ = demuxer.end();
});
