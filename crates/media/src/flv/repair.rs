//! A frame of an FLV file made regular again, from the tags that it was made of when the file was indexed.

use bytes::Bytes;

use super::demux::TagReader;
use super::mux::TagKind;
use super::normalizer::{MediaItem, MediaItems, Normalizer};
use crate::{Error, Track};

/// The payload of the first frame of `track` in `tags`: from the head of the first tag that holds a part of it to the
/// end of the last one.
///
/// # Errors
/// `Malformed` if they hold no such frame.
pub(crate) fn repair(track: &Track, tags: &[u8]) -> Result<Bytes, Error> {
    let mut normalizer = Normalizer::of_file_with(track)?;
    let mut reader = TagReader::at_tag(u32::MAX, 0);
    reader.feed(tags);
    while let Some(tag) = reader.next_tag()? {
        let pushed = match tag.kind {
            TagKind::Video => normalizer.push_video(tag.timestamp_ms, tag.body),
            TagKind::Audio => normalizer.push_audio(tag.timestamp_ms, tag.body),
            TagKind::Script => Ok(normalizer.push_data(tag.timestamp_ms, tag.body)),
        };
        // What was of no use when the file was indexed is of none now.
        if let Some(payload) = pushed.ok().and_then(|items| payload_of(track, items)) {
            return Ok(payload);
        }
    }
    payload_of(track, normalizer.flush()).ok_or_else(|| {
        Error::malformed("FLV tag", "it no longer holds the frame that it held when it was indexed")
    })
}

fn payload_of(track: &Track, mut items: MediaItems) -> Option<Bytes> {
    items.find_map(|item| match item {
        MediaItem::Frame(frame) if frame.track == track.id => Some(frame.payload),
        _ => None,
    })
}
