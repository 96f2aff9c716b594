//! A recording as FLV that grows, and how it becomes a file that players seek in without a tag of it being moved.
//!
//! It begins with an `onMetaData` tag whose size never changes. Behind its two values stands a third, a long string: that
//! is room, which readers pass over, since they take a name and one value. At the end the description of the whole file,
//! with the places of its key frames, is written over both in such an order that the tag can be read at any time: first
//! what lies behind the first page, where the string still covers it; then the first page, at once; then one byte that says
//! that the file is complete. A file whose byte does not say so is completed anew.

use bytes::{BufMut, Bytes, BytesMut};

use super::contents::Contents;
use super::metadata::{live_metadata, metadata_payload, parse_on_metadata};
use super::mux::{FILE_HEADER_LEN, TAG_HEAD_LEN, TagKind, file_header, previous_tag_size, tag_head};
use crate::Error;
use crate::amf::{Object, Text};

/// How much of a file's start says whether it grows.
pub const START_LEN: usize = GROWS_AT + 1;

/// Says in a file whose it is, and whether it grows: the first name of its description.
const MARK: &str = "headwaterGrowing";
/// Where the description's body begins, and what stands around it.
const BODY_AT: usize = FILE_HEADER_LEN + TAG_HEAD_LEN;
const AROUND: usize = BODY_AT + previous_tag_size(0).len();
/// Bytes of the name `onMetaData`, and of what stands before the first name of its array.
const BEFORE_NAMES: usize = 13 + 5;
/// Where the byte lies that says whether it grows.
const GROWS_AT: usize = BODY_AT + BEFORE_NAMES + 2 + MARK.len() + 1;
/// What is written at once: a page of memory, as systems and disks have it.
const PAGE: usize = 4 << 10;
/// Bytes of what the publisher says of itself, at most: with them the growing description ends within the page. Encoders
/// say about 500.
const SAID_BYTES_MAX: usize = 2 << 10;
/// Marker and length of a long string of AMF0.
const LONG_STRING: u8 = 0x0C;
const LONG_STRING_HEAD: usize = 5;

/// A write into a file: where, and what. Nobody sees its beginning without its end.
pub type Write = (u64, Bytes);

/// What stands before the first tag of media in a file that grows, `room` bytes: its header and a description, the last bytes
/// of which are `kept` for the caller. `said` is the publisher's own `onMetaData`; what it says of the stream is taken over,
/// unless it is very long.
///
/// # Errors
/// `Limit` if there is too little room.
pub fn begin_file(
    said: Option<&Bytes>,
    contents: &Contents,
    room: usize,
    kept: &[u8],
) -> Result<Bytes, Error> {
    let said = said.filter(|said| said.len() <= SAID_BYTES_MAX).map(live_metadata);
    let said = said.and_then(|said| parse_on_metadata(&said)).unwrap_or_default();
    let body_len = room.saturating_sub(AROUND);
    let body = description(&said, &Object::new(), body_len, kept.len())
        .filter(|body| body.len() > PAGE)
        .ok_or_else(|| Error::limit("size of an FLV description in bytes", PAGE as u64, room as u64))?;
    let mut out = BytesMut::with_capacity(room);
    out.put_slice(&header(contents));
    out.put_slice(&tag_head(TagKind::Script, body_len, 0));
    out.put_slice(&body);
    out.put_slice(kept);
    out.put_slice(&previous_tag_size(body_len));
    Ok(out.freeze())
}

/// What makes the header of a file true that has more kinds of tracks now.
#[must_use]
pub fn grow_header(contents: &Contents) -> Write {
    /// Where the flags are.
    const AT: usize = 4;
    (AT as u64, Bytes::copy_from_slice(&header(contents)[AT..=AT]))
}

/// What completes a file whose tags end at byte `end`: writes, to be made in this order and each on the disk before the
/// next. `front` is what stands before its first tag of media, the caller's `kept` bytes included, which stay what they are.
///
/// # Errors
/// `Misuse` if it is not a file that grows.
pub fn complete(contents: &Contents, front: &[u8], kept: usize, end: u64) -> Result<[Write; 3], Error> {
    let body_len = front.len().saturating_sub(AROUND);
    let body = front.get(BODY_AT..BODY_AT + body_len).filter(|_| is_growing(front));
    let body = body.ok_or(Error::Misuse("a file was to be completed that is not one that grows"))?;
    // What a power cut has torn tells nothing.
    let said = parse_on_metadata(body).unwrap_or_default();
    let mut thinned = contents.up_to(end);
    let body = loop {
        let about = thinned.describe(end);
        match description(&said, &about, body_len, kept) {
            Some(body) => break body,
            None if thinned.thin() => {}
            // Without key frames it is little, and what was said was little too.
            None => return Err(Error::limit("size of an FLV description in bytes", end, body_len as u64)),
        }
    };
    let mut page = BytesMut::from(&header(contents)[..]);
    page.put_slice(&front[FILE_HEADER_LEN..BODY_AT]);
    page.put_slice(&body);
    let mut page = page.freeze();
    let rest = page.split_off(PAGE.min(page.len()));
    Ok([(PAGE as u64, rest), (0, page), (GROWS_AT as u64, Bytes::from_static(&[0]))])
}

/// Whether a file that begins so is a recording as FLV that grows, or was left so.
#[must_use]
pub fn is_growing(start: &[u8]) -> bool {
    start.starts_with(b"FLV")
        && start.get(BODY_AT + BEFORE_NAMES + 2..GROWS_AT - 1) == Some(MARK.as_bytes())
        && start.get(GROWS_AT) == Some(&1)
}

/// Name, values and room of `len` bytes together, of which the last, `kept`, are the caller's and not made here; none if they
/// do not fit.
fn description(said: &Object, about: &Object, len: usize, kept: usize) -> Option<Bytes> {
    let mut all = Object::new().with(MARK, true);
    let is_new = |name: &Text| *name != *MARK && !about.iter().any(|(ours, _)| ours == name);
    let said = said.iter().filter(|(name, _)| is_new(name));
    said.chain(about.iter()).for_each(|(name, value)| all.insert(name.clone(), value.clone()));
    let mut body = BytesMut::from(&metadata_payload(all)[..]);
    let room = len.checked_sub(body.len() + LONG_STRING_HEAD).filter(|room| *room >= kept)?;
    body.put_u8(LONG_STRING);
    body.put_u32(room as u32);
    body.put_bytes(0, room - kept);
    Some(body.freeze())
}

fn header(contents: &Contents) -> [u8; FILE_HEADER_LEN] {
    file_header(contents.has_audio(), contents.has_video())
}
