//! Which track of a file goes on where another one ends: a recording's description has changed, and the two are one to who
//! plays it.
//!
//! It is a reference between tracks (`tref`, ISO 14496-12, 8.3.3) of a type of our own, which other readers pass over: to
//! them it is one more track, empty until the first one ends.

use bytes::{BufMut, BytesMut};

use super::boxes::{Fields, children, put_box};

/// The type of the reference.
const TYPE: &[u8; 4] = b"hwcn";

/// Writes into `trak` that it continues the track of that number; nothing if it continues none.
pub(super) fn put(out: &mut BytesMut, continued: Option<u32>) {
    if let Some(number) = continued {
        put_box(out, b"tref", |out| put_box(out, TYPE, |out| out.put_u32(number)));
    }
}

/// The number of the track that this one continues, if it says so.
pub(super) fn read(trak: &[u8]) -> Option<u32> {
    let reference = children(trak).find_kind(b"tref").and_then(|tref| children(tref).find_kind(TYPE))?;
    Fields::new(reference, "tref").u32().ok()
}
