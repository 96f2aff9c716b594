//! Boxes and their fields (ISO 14496-12, 4.2): headers, children, and a cursor over a body; and boxes written.

use std::fmt;

use bytes::{BufMut, BytesMut};

use crate::Error;

/// The type of a box, a codec or a brand: four bytes, usually letters.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct FourCc(pub [u8; 4]);

impl fmt::Display for FourCc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.escape_ascii())
    }
}

impl fmt::Debug for FourCc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

/// The head of a box.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BoxHeader {
    /// What the box is.
    pub kind: FourCc,
    /// Bytes of the head: 8, 16 with a 64-bit size.
    pub header_len: u64,
    /// Bytes of the whole box; `None` = it goes on to the end of the file.
    pub len: Option<u64>,
}

impl BoxHeader {
    /// As many bytes are always enough for [`parse`](Self::parse).
    pub const MAX_LEN: usize = 16;

    /// Reads a head from the front of `bytes`; `None` if more bytes are needed.
    ///
    /// # Errors
    /// `Malformed` if the size is smaller than the head itself.
    pub fn parse(bytes: &[u8]) -> Result<Option<Self>, Error> {
        let Some((size, rest)) = bytes.split_first_chunk::<4>() else { return Ok(None) };
        let Some((kind, rest)) = rest.split_first_chunk::<4>() else { return Ok(None) };
        let kind = FourCc(*kind);
        let (header_len, len) = match u32::from_be_bytes(*size) {
            0 => (8, None),
            1 => match rest.first_chunk::<8>() {
                Some(large) => (16, Some(u64::from_be_bytes(*large))),
                None => return Ok(None),
            },
            size => (8, Some(u64::from(size))),
        };
        if len.is_some_and(|len| len < header_len) {
            return Err(Error::malformed(
                "MP4 box",
                format!("{kind} claims to be smaller than its own head"),
            ));
        }
        Ok(Some(Self { kind, header_len, len }))
    }
}

/// Walks the boxes inside a body. A child that runs past the end is cut; what is too short for a head is
/// padding, as QuickTime writes it.
pub(super) const fn children(body: &[u8]) -> Children<'_> {
    Children { rest: body }
}

/// See [`children`].
#[derive(Clone, Debug)]
pub(super) struct Children<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Children<'a> {
    type Item = (FourCc, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let header = BoxHeader::parse(self.rest).ok()??;
        let whole = header.len.and_then(|len| usize::try_from(len).ok()).unwrap_or(self.rest.len());
        let (child, rest) = self.rest.split_at(whole.min(self.rest.len()));
        self.rest = rest;
        Some((header.kind, child.get(header.header_len as usize..)?))
    }
}

impl<'a> Children<'a> {
    /// The body of the first child of this kind.
    pub(super) fn find_kind(mut self, kind: &[u8; 4]) -> Option<&'a [u8]> {
        self.find(|(found, _)| found.0 == *kind).map(|(_, body)| body)
    }
}

/// The body of the first child of this kind, which must be there.
pub(super) fn required<'a>(body: &'a [u8], kind: &[u8; 4]) -> Result<&'a [u8], Error> {
    children(body)
        .find_kind(kind)
        .ok_or_else(|| Error::malformed("MP4 track", format!("it has no {} box", FourCc(*kind))))
}

/// Reads the fields of a body, one after the other.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fields<'a> {
    rest: &'a [u8],
    what: &'static str,
}

impl<'a> Fields<'a> {
    /// `what` names the box in errors.
    pub(super) const fn new(body: &'a [u8], what: &'static str) -> Self {
        Self { rest: body, what }
    }

    /// A full box's version and flags come first.
    pub(super) fn full(body: &'a [u8], what: &'static str) -> Result<(u8, u32, Self), Error> {
        let mut fields = Self::new(body, what);
        let [version, flags @ ..] = fields.array::<4>()?;
        let [a, b, c] = flags;
        Ok((version, u32::from_be_bytes([0, a, b, c]), fields))
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        let (array, rest) = self
            .rest
            .split_first_chunk::<N>()
            .ok_or_else(|| Error::malformed(self.what, "it ends in the middle of a field"))?;
        self.rest = rest;
        Ok(*array)
    }

    pub(super) fn u8(&mut self) -> Result<u8, Error> {
        self.array().map(u8::from_be_bytes)
    }

    pub(super) fn u16(&mut self) -> Result<u16, Error> {
        self.array().map(u16::from_be_bytes)
    }

    pub(super) fn u32(&mut self) -> Result<u32, Error> {
        self.array().map(u32::from_be_bytes)
    }

    pub(super) fn u64(&mut self) -> Result<u64, Error> {
        self.array().map(u64::from_be_bytes)
    }

    /// 64 bits if `wide`, else 32: the habit of boxes with two versions.
    pub(super) fn sized(&mut self, wide: bool) -> Result<u64, Error> {
        if wide { self.u64() } else { self.u32().map(u64::from) }
    }

    pub(super) fn skip(&mut self, count: usize) -> Result<(), Error> {
        self.rest = self
            .rest
            .get(count..)
            .ok_or_else(|| Error::malformed(self.what, "it ends in the middle of a field"))?;
        Ok(())
    }

    /// What is not yet read.
    pub(super) const fn rest(&self) -> &'a [u8] {
        self.rest
    }
}

/// A table of records of `N` bytes behind a 32-bit count; a count that lies is cut to what is there.
pub(super) fn records<'a, const N: usize>(fields: &mut Fields<'a>) -> Result<&'a [[u8; N]], Error> {
    let count = fields.u32()? as usize;
    let (records, _) = fields.rest.as_chunks::<N>();
    Ok(records.get(..count).unwrap_or(records))
}

/// The two numbers of a record of eight bytes.
pub(super) const fn pair(record: [u8; 8]) -> (u32, u32) {
    let [a, b, c, d, e, f, g, h] = record;
    (u32::from_be_bytes([a, b, c, d]), u32::from_be_bytes([e, f, g, h]))
}

/// Appends a box; its size is filled in when its body is written.
pub(super) fn put_box(out: &mut BytesMut, kind: &[u8; 4], body: impl FnOnce(&mut BytesMut)) {
    let start = out.len();
    out.put_u32(0);
    out.put_slice(kind);
    body(out);
    let len = (out.len() - start) as u32;
    out[start..start + 4].copy_from_slice(&len.to_be_bytes());
}

/// Appends a full box.
pub(super) fn put_full(
    out: &mut BytesMut,
    kind: &[u8; 4],
    version: u8,
    flags: u32,
    body: impl FnOnce(&mut BytesMut),
) {
    put_box(out, kind, |out| {
        out.put_u32(u32::from(version) << 24 | flags);
        body(out);
    });
}
