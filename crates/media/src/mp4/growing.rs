//! A fragmented file that grows, and how it becomes an ordinary one without its media being written anew.
//!
//! While it grows: `ftyp`, a small `free` box that says whose it is, `moov`, a `free` box as room for further heads, then
//! fragments. At its end a `moov` with the tables of all samples is put behind them, and then the small box becomes the
//! head of an `mdat` that reaches to that `moov`: sixteen bytes, written at once. Before that the file is the fragmented
//! one that it was, since readers take the first `moov`; after it, it is an ordinary film, and what described its fragments
//! is media that nobody points to.

use bytes::{BufMut, Bytes, BytesMut};

use super::movie::Movie;
use crate::Error;
use crate::index::Index;

/// Says in a file whose it is.
const SIGNATURE: &[u8; 8] = b"headwatr";
/// Bytes of the small box: those of a head of `mdat` with 64 bits.
const SEAL_LEN: u64 = 16;

/// The beginning of a file that grows: `head` is `ftyp` and `moov`, and the first fragment goes to byte `room`.
///
/// # Errors
/// `Limit` if the head is larger than the room, `Malformed` if it is none.
pub fn begin_file(head: &Bytes, room: u64) -> Result<Bytes, Error> {
    let (file_type, movie) = split(head)?;
    let needed = head.len() as u64 + SEAL_LEN + 8;
    if needed > room {
        return Err(Error::limit("size of an MP4 head in bytes", needed, room));
    }
    let mut out = BytesMut::with_capacity(room as usize);
    out.put_slice(file_type);
    out.put_u32(SEAL_LEN as u32);
    out.put_slice(b"free");
    out.put_slice(SIGNATURE);
    out.put_slice(movie);
    let rest = room - out.len() as u64;
    out.put_u32(rest as u32);
    out.put_slice(b"free");
    out.put_bytes(0, rest as usize - 8);
    Ok(out.freeze())
}

/// A write into a file: where, and what. Nobody sees its beginning without its end.
pub type Write = (u64, Bytes);

/// What makes `head` the one of a file that has begun: writes to be made in this order. After each of them the file is whole.
/// `before` is where the `moov` that holds now lies and how long it is; where the new one lies comes back.
///
/// # Errors
/// `Limit` if there is no room for it, `Malformed` if it is no head.
pub fn grow_head(before: (u64, u64), head: &Bytes, room: u64) -> Result<(Vec<Write>, (u64, u64)), Error> {
    let (_, movie) = split(head)?;
    let (old, old_len) = before;
    let free = old + old_len;
    let at = free + 8;
    let end = at + movie.len() as u64;
    if end + 8 > room {
        return Err(Error::limit("size of an MP4 head in bytes", end + 8, room));
    }
    let mut inside = BytesMut::from(movie);
    inside.put_u32((room - end) as u32);
    inside.put_slice(b"free");
    let writes = vec![
        // Inside the box of the room, where nobody looks.
        (at, inside.freeze()),
        // The room ends before it.
        (free, Bytes::from_static(&[0, 0, 0, 8])),
        // The old one is none any more.
        (old + 4, Bytes::from_static(b"free")),
    ];
    Ok((writes, (at, movie.len() as u64)))
}

/// Where the `moov` of a file lies that was begun with `head`, and how long it is.
///
/// # Errors
/// `Malformed` if it is no head.
pub fn first_movie(head: &Bytes) -> Result<(u64, u64), Error> {
    let (file_type, movie) = split(head)?;
    Ok((file_type.len() as u64 + SEAL_LEN, movie.len() as u64))
}

/// What completes a file whose media ends at byte `end`: what is put there, and then the sixteen bytes that make it an
/// ordinary file. `start` is the beginning of the file, and `index` was read of it.
///
/// # Errors
/// `Misuse` if the file is not one of these, or is complete; those of descriptions that cannot be written.
pub fn complete(index: &Index, start: &[u8], end: u64) -> Result<(Write, Write), Error> {
    let seal =
        seal_at(start).ok_or(Error::Misuse("a file was to be completed that is not one that grows"))?;
    let movie = Movie::in_place(index)?;
    let mut head = BytesMut::with_capacity(16);
    head.put_u32(1);
    head.put_slice(b"mdat");
    head.put_u64(end - seal);
    Ok(((end, movie), (seal, head.freeze())))
}

/// Whether a file that begins so is one that grows, or was left so.
#[must_use]
pub fn is_growing(start: &[u8]) -> bool {
    seal_at(start).is_some()
}

/// How much of a file's start says that.
pub const START_LEN: usize = 64;

fn seal_at(start: &[u8]) -> Option<u64> {
    let size = start.first_chunk::<4>().map(|size| u32::from_be_bytes(*size) as usize)?;
    let seal = start.get(size..size.checked_add(SEAL_LEN as usize)?)?;
    let is_ours = start.get(4..8)? == b"ftyp" && seal.get(4..8)? == b"free" && seal.get(8..)? == SIGNATURE;
    is_ours.then_some(size as u64)
}

fn split(head: &Bytes) -> Result<(&[u8], &[u8]), Error> {
    let size = head.first_chunk::<4>().map_or(0, |size| u32::from_be_bytes(*size) as usize);
    let is_whole = head.get(size + 4..size + 8).is_some_and(|kind| kind == b"moov");
    head.split_at_checked(size)
        .filter(|_| is_whole)
        .ok_or_else(|| Error::malformed("MP4 head", "it has no moov"))
}
