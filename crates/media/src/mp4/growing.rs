//! A fragmented file that grows, and how it becomes an ordinary one without its media being written anew.
//!
//! While it grows: `ftyp`, a small `free` box that says whose it is, `moov` with `free` boxes as room for other heads, then
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
/// Bytes of a `free` box with nothing in it.
const FREE_LEN: u64 = 8;

/// Where the heads of a file that grows lie: in two places by turns, so that none is written over while it holds. Each has a
/// small `free` box in front, which becomes the whole place while a head is written behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeadPlaces {
    start: u64,
    room: u64,
    second_holds: bool,
}

impl HeadPlaces {
    /// From where to where a place goes.
    const fn place(self, second: bool) -> (u64, u64) {
        let middle = u64::midpoint(self.start, self.room);
        if second { (middle, self.room) } else { (self.start, middle) }
    }
}

/// The beginning of a file that grows: `head` is `ftyp` and `moov`, and the first fragment goes to byte `room`.
///
/// # Errors
/// `Limit` if the head is larger than half of the room, `Malformed` if it is none.
pub fn begin_file(head: &Bytes, room: u64) -> Result<(Bytes, HeadPlaces), Error> {
    let (file_type, movie) = split(head)?;
    let places = HeadPlaces { start: file_type.len() as u64 + SEAL_LEN, room, second_holds: false };
    let (start, end) = places.place(false);
    let inside = in_place(movie, start, end)?;
    let mut out = BytesMut::with_capacity(room as usize);
    out.put_slice(file_type);
    out.put_u32(SEAL_LEN as u32);
    out.put_slice(b"free");
    out.put_slice(SIGNATURE);
    put_free(&mut out, FREE_LEN);
    out.put_slice(&inside);
    out.resize(end as usize, 0);
    put_free(&mut out, room - end);
    out.resize(room as usize, 0);
    Ok((out.freeze(), places))
}

/// A write into a file: where, and what. Nobody sees its beginning without its end.
pub type Write = (u64, Bytes);

/// What makes `head` the one of a file that has begun: writes to be made in this order. After each of them the file is whole,
/// with the head that it had or with this one. Where heads lie then comes back.
///
/// # Errors
/// `Limit` if there is no room for it, `Malformed` if it is no head.
pub fn grow_head(before: HeadPlaces, head: &Bytes) -> Result<(Vec<Write>, HeadPlaces), Error> {
    let (_, movie) = split(head)?;
    let (old, _) = before.place(before.second_holds);
    let (start, end) = before.place(!before.second_holds);
    let size = |len: u64| Bytes::copy_from_slice(&(len as u32).to_be_bytes());
    let writes = vec![
        // What was there before is one box, in which nobody looks.
        (start, size(end - start)),
        (start + FREE_LEN, in_place(movie, start, end)?),
        // The box ends before the new head. Readers take the first.
        (start, size(FREE_LEN)),
        // The old one is none any more.
        (old + FREE_LEN + 4, Bytes::from_static(b"free")),
    ];
    Ok((writes, HeadPlaces { second_holds: !before.second_holds, ..before }))
}

/// `moov` as it goes behind the small box of the place from `start` to `end`, with the head of a box for what is left.
fn in_place(movie: &[u8], start: u64, end: u64) -> Result<Bytes, Error> {
    let (needed, there) = (movie.len() as u64 + 2 * FREE_LEN, end.saturating_sub(start));
    if needed > there {
        return Err(Error::limit("size of an MP4 head in bytes", needed, there));
    }
    let mut out = BytesMut::from(movie);
    put_free(&mut out, there - FREE_LEN - movie.len() as u64);
    Ok(out.freeze())
}

/// The head of a `free` box of that length.
fn put_free(out: &mut BytesMut, len: u64) {
    out.put_u32(len as u32);
    out.put_slice(b"free");
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mp4::BoxHeader;

    const ROOM: u64 = 1000;

    fn head(name: u8, len: usize) -> Bytes {
        let mut out = BytesMut::from(&b"\0\0\0\x10ftypiso6\0\0\0\0"[..]);
        out.put_u32(len as u32 + 8);
        out.put_slice(b"moov");
        out.put_bytes(name, len);
        out.freeze()
    }

    /// The first `moov`, as readers find it; all boxes fill the room.
    fn found(file: &[u8]) -> &[u8] {
        let (mut at, mut movie) = (0, None);
        while at < file.len() {
            let header = BoxHeader::parse(&file[at..]).unwrap().unwrap();
            let end = at + header.len.unwrap() as usize;
            if header.kind.0 == *b"moov" {
                movie.get_or_insert(&file[at + 8..end]);
            }
            at = end;
        }
        assert_eq!(at as u64, ROOM);
        movie.unwrap()
    }

    #[test]
    fn heads_take_turns_and_after_each_write_the_file_has_one() {
        let (file, mut places) = begin_file(&head(1, 100), ROOM).unwrap();
        let (mut file, mut before) = (file.to_vec(), vec![1; 100]);
        assert!(is_growing(&file) && found(&file) == before);
        for name in 2..9_u8 {
            let after = vec![name; 300 - 20 * usize::from(name)];
            let (writes, now) = grow_head(places, &head(name, after.len())).unwrap();
            for (at, bytes) in writes {
                file[at as usize..][..bytes.len()].copy_from_slice(&bytes);
                assert!(found(&file) == before || found(&file) == after, "{name}");
            }
            assert!(is_growing(&file) && found(&file) == after);
            (places, before) = (now, after);
        }
        let (start, end) = places.place(false);
        let most = (end - start) as usize - 24;
        assert!(grow_head(places, &head(9, most)).is_ok() && begin_file(&head(9, most), ROOM).is_ok());
        assert!(matches!(grow_head(places, &head(9, most + 1)), Err(Error::Limit { .. })));
        assert!(matches!(begin_file(&head(9, most + 1), ROOM), Err(Error::Limit { .. })));
    }
}
