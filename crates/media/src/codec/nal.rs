//! NAL units, the same in H.264 and H.265: how they lie in a payload, with length prefixes (FLV, MP4)
//! or start codes (Annex B), and how parameter sets are kept.

use std::borrow::Cow;
use std::sync::LazyLock;

use bytes::{BufMut, Bytes, BytesMut};
use memchr::memmem::Finder;

use crate::Error;

/// How a payload is framed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// NAL units with length prefixes fill the first `len` bytes; behind them only zeros.
    LengthPrefixed {
        /// Bytes that the units and their prefixes take.
        len: usize,
    },
    /// Start codes, as in a raw `.h264` or `.h265` file.
    AnnexB,
    /// Neither: a length runs past the end.
    Broken,
}

/// Tells the framing of `payload`. Start codes are believed only when the lengths do not tile the
/// payload, for `00 00 01 xx` is also a legal length.
#[must_use]
pub fn framing(payload: &[u8], length_size: u8) -> Framing {
    let mut units = nals(payload, length_size);
    if units.by_ref().all(|nal| nal.is_ok()) {
        return Framing::LengthPrefixed { len: units.position };
    }
    if payload.starts_with(&[0, 0, 1]) || payload.starts_with(&[0, 0, 0, 1]) {
        return Framing::AnnexB;
    }
    Framing::Broken
}

/// Walks NAL units with length prefixes of `length_size` bytes (1–4). Empty units are passed over; a
/// length beyond the end gives one error and ends the walk. Zeros too few for a prefix are padding.
#[must_use]
pub const fn nals(payload: &[u8], length_size: u8) -> Nals<'_> {
    let length_size = match length_size {
        0 => 1,
        1..=4 => length_size as usize,
        _ => 4,
    };
    Nals { payload, position: 0, length_size }
}

/// See [`nals`].
#[derive(Clone, Debug)]
pub struct Nals<'a> {
    payload: &'a [u8],
    position: usize,
    length_size: usize,
}

impl<'a> Iterator for Nals<'a> {
    type Item = Result<&'a [u8], Error>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let rest = self.payload.get(self.position..)?;
            let Some((prefix, rest)) = rest.split_at_checked(self.length_size) else {
                let padding = rest.iter().all(|&byte| byte == 0);
                return if padding { None } else { self.broken("ends inside a NAL length") };
            };
            let len = prefix.iter().fold(0usize, |len, &byte| len << 8 | usize::from(byte));
            let Some(nal) = rest.get(..len) else {
                return self.broken("a NAL length runs past the end");
            };
            self.position += self.length_size + len;
            if !nal.is_empty() {
                return Some(Ok(nal));
            }
        }
    }
}

impl<'a> Nals<'a> {
    fn broken(&mut self, reason: &'static str) -> Option<Result<&'a [u8], Error>> {
        let at = self.position as u64;
        self.position = self.payload.len() + 1;
        Some(Err(Error::malformed("NAL units", reason).located(at)))
    }
}

/// Walks the NAL units of an Annex B byte stream; what stands before the first start code is ignored.
#[must_use]
pub fn annex_b_nals(stream: &[u8]) -> AnnexBNals<'_> {
    let mut walk = AnnexBNals { rest: stream };
    walk.rest = after_start_code(stream).unwrap_or_default();
    walk
}

/// See [`annex_b_nals`].
#[derive(Clone, Debug)]
pub struct AnnexBNals<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for AnnexBNals<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        while !self.rest.is_empty() {
            let end = find_start_code(self.rest).unwrap_or(self.rest.len());
            let (nal, tail) = self.rest.split_at(end);
            self.rest = after_start_code(tail).unwrap_or_default();
            let nal = trimmed(nal);
            if !nal.is_empty() {
                return Some(nal);
            }
        }
        None
    }
}

/// Rewrites an Annex B byte stream with length prefixes of `length_size` bytes (1–4).
///
/// # Errors
/// `Limit` if a unit is longer than such a length can say.
pub fn annex_b_to_length_prefixed(stream: &[u8], length_size: u8) -> Result<Bytes, Error> {
    let length_size = usize::from(length_size.clamp(1, 4));
    let limit = (1u64 << (8 * length_size)) - 1;
    let mut out = BytesMut::with_capacity(stream.len() + 16);
    for nal in annex_b_nals(stream) {
        if nal.len() as u64 > limit {
            return Err(Error::limit("NAL unit length in bytes", nal.len() as u64, limit));
        }
        out.put_uint(nal.len() as u64, length_size);
        out.put_slice(nal);
    }
    Ok(out.freeze())
}

/// Where the first start code of three bytes stands.
pub(super) fn find_start_code(data: &[u8]) -> Option<usize> {
    static START_CODE: LazyLock<Finder<'_>> = LazyLock::new(|| Finder::new(&[0, 0, 1]));
    /// Of fewer bytes the search by vectors takes longer to begin than the other to end.
    const VECTORS_MIN: usize = 48;
    if data.len() >= VECTORS_MIN {
        return START_CODE.find(data);
    }
    let mut at = 2;
    while let Some(&last) = data.get(at) {
        match last {
            0 => at += 1,
            1 if data[at - 2..at] == [0, 0] => return Some(at - 2),
            // Neither this byte nor the next two can be the last one of a start code.
            _ => at += 3,
        }
    }
    None
}

fn after_start_code(data: &[u8]) -> Option<&[u8]> {
    find_start_code(data).and_then(|at| data.get(at + 3..))
}

/// `nal` without the zero bytes that may trail it in a byte stream.
#[must_use]
pub fn trimmed(nal: &[u8]) -> &[u8] {
    let end = nal.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
    &nal[..end]
}

/// The payload without emulation prevention bytes (`00 00 03` → `00 00`).
pub(super) fn without_emulation(nal: &[u8]) -> Cow<'_, [u8]> {
    if !nal.windows(3).any(|window| window == [0, 0, 3]) {
        return Cow::Borrowed(nal);
    }
    let mut out = Vec::with_capacity(nal.len());
    let mut zeros = 0;
    for &byte in nal {
        if zeros >= 2 && byte == 3 {
            zeros = 0;
            continue;
        }
        zeros = if byte == 0 { zeros + 1 } else { 0 };
        out.push(byte);
    }
    Cow::Owned(out)
}

/// The first message of the type `wanted` in supplemental information behind its head (ITU-T H.264, 7.3.2.3; H.265,
/// 7.3.5): its payload, and what follows it.
pub(super) fn sei_message(messages: &[u8], wanted: u32) -> Option<&[u8]> {
    let mut rest = messages;
    loop {
        let (kind, behind) = sei_number(rest)?;
        let (size, payload) = sei_number(behind)?;
        if kind == wanted {
            return Some(payload);
        }
        rest = payload.get(size as usize..)?;
    }
}

/// A number as supplemental information has it, 255 for each byte of ones in front, and what stands behind.
fn sei_number(data: &[u8]) -> Option<(u32, &[u8])> {
    let ones = data.iter().take_while(|&&byte| byte == 0xFF).count();
    let (&last, behind) = data.get(ones..)?.split_first()?;
    Some((u32::try_from(ones).ok()?.saturating_mul(255).saturating_add(last.into()), behind))
}

/// Reads `count` units of a configuration record, each behind a length of 16 bits; those that are
/// `wanted` come back. The error is a reason.
pub(super) fn take_units(
    rest: &mut Bytes,
    count: u16,
    wanted: impl Fn(&[u8]) -> bool,
) -> Result<Vec<Bytes>, String> {
    let mut units = Vec::new();
    for index in 0..count {
        let &[high, low, ..] = rest.as_ref() else {
            return Err(format!("it ends before parameter set {index} of {count}"));
        };
        let len = usize::from(u16::from_be_bytes([high, low]));
        if len > rest.len() - 2 {
            return Err(format!("parameter set {index} overruns it: {len} bytes announced"));
        }
        let unit = rest.split_to(2 + len).slice(2..);
        if wanted(&unit) {
            units.push(unit);
        }
    }
    Ok(units)
}

/// Writes a unit that is no longer than its length of 16 bits can say.
pub(super) fn put_unit(out: &mut BytesMut, unit: &[u8]) {
    out.put_u16(unit.len() as u16);
    out.put_slice(unit);
}

/// Takes parameter sets found in-band into those of a configuration: each replaces the one with its
/// number, or is added as long as there are fewer than `limit`. Whether anything changed.
pub(super) fn merge_sets(
    known: &mut Vec<Bytes>,
    found: &[Bytes],
    number: fn(&[u8]) -> Option<u32>,
    limit: usize,
) -> bool {
    let mut changed = false;
    for set in found {
        if known.iter().any(|old| trimmed(old) == trimmed(set)) {
            continue;
        }
        changed = true;
        let wanted = number(set);
        let replaced = known.iter().position(|old| wanted.is_some() && number(old) == wanted);
        match replaced {
            Some(index) => known[index] = set.clone(),
            None if known.len() < limit => known.push(set.clone()),
            None => {}
        }
    }
    changed
}
