//! AV1: the AV1CodecConfigurationRecord (AV1 in ISOBMFF, 2.3) and how OBUs lie in a payload.
//!
//! The picture's measures are in [`sequence`]. No tile is ever decoded.

pub mod sequence;

use bytes::{BufMut, Bytes, BytesMut};

pub use sequence::SequenceHeader;

use self::sequence::bit_depth;
use super::colours::Colours;
use crate::Error;

/// OBU type of a sequence header.
pub const OBU_SEQUENCE_HEADER: u8 = 1;
/// OBU type of a temporal delimiter, which FLV and MP4 leave out.
pub const OBU_TEMPORAL_DELIMITER: u8 = 2;

/// OBU type of a frame's header, with its tiles in other OBUs.
const OBU_FRAME_HEADER: u8 = 3;
/// OBU type of a whole frame.
const OBU_FRAME: u8 = 6;

/// What an AV1 decoder must know: the meaning of an AV1CodecConfigurationRecord.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Av1Config {
    /// 0 main, 1 high, 2 professional.
    pub profile: u8,
    /// `seq_level_idx`: level 2.0 is 0, 2.1 is 1, 3.0 is 4…; 31 = no limit.
    pub level: u8,
    /// Whether it is the high tier, for bit rates beyond the main tier's.
    pub high_tier: bool,
    /// Bits per sample: 8, 10 or 12.
    pub bit_depth: u8,
    /// Whether there is only luma.
    pub monochrome: bool,
    /// Whether chroma is halved across and down.
    pub subsampling: (bool, bool),
    /// Where chroma samples lie: 0 unknown, 1 left, 2 top left.
    pub chroma_position: u8,
    /// Pictures (1–16) that a decoder may have to hold back before the first is shown.
    pub initial_delay: Option<u8>,
    /// OBUs for the whole stream: the sequence header, and metadata. May be empty.
    pub obus: Bytes,
}

impl Av1Config {
    /// Reads a record; the OBUs are a slice of it.
    ///
    /// # Errors
    /// `Malformed` if it is shorter than 4 bytes or does not start with marker and version 1.
    pub fn parse(record: &Bytes) -> Result<Self, Error> {
        const MARKER_AND_VERSION: u8 = 0x81;
        let &[MARKER_AND_VERSION, profile_level, format, delay, ..] = record.as_ref() else {
            return Err(malformed("it does not start with marker, version 1 and three bytes more"));
        };
        let flag = |bit: u8| format >> bit & 1 == 1;
        Ok(Self {
            profile: profile_level >> 5,
            level: profile_level & 0x1F,
            high_tier: flag(7),
            bit_depth: bit_depth(flag(6), flag(5)),
            monochrome: flag(4),
            subsampling: (flag(3), flag(2)),
            chroma_position: format & 3,
            initial_delay: (delay & 0x10 != 0).then_some((delay & 0xF) + 1),
            obus: record.slice(4..),
        })
    }

    /// Builds a record from a temporal unit that holds a sequence header.
    ///
    /// # Errors
    /// `Malformed` if there is none or it cannot be read.
    pub fn from_temporal_unit(unit: &[u8]) -> Result<Self, Error> {
        let payload = sequence_header(unit).ok_or_else(|| malformed("there is no sequence header"))?;
        let header = SequenceHeader::parse(payload)?;
        let mut obus = BytesMut::with_capacity(payload.len() + 3);
        obus.put_u8(OBU_SEQUENCE_HEADER << 3 | HAS_SIZE);
        put_leb128(&mut obus, payload.len());
        obus.put_slice(payload);
        Ok(Self {
            profile: header.profile,
            level: header.level,
            high_tier: header.high_tier,
            bit_depth: header.bit_depth,
            monochrome: header.monochrome,
            subsampling: header.subsampling,
            chroma_position: header.chroma_position,
            initial_delay: None,
            obus: obus.freeze(),
        })
    }

    /// Writes the record.
    #[must_use]
    pub fn to_bytes(&self) -> Bytes {
        let mut out = BytesMut::with_capacity(4 + self.obus.len());
        let flag = |set: bool, bit: u8| u8::from(set) << bit;
        out.put_u8(0x81);
        out.put_u8(self.profile << 5 | self.level & 0x1F);
        out.put_u8(
            flag(self.high_tier, 7)
                | flag(self.bit_depth > 8, 6)
                | flag(self.bit_depth > 10, 5)
                | flag(self.monochrome, 4)
                | flag(self.subsampling.0, 3)
                | flag(self.subsampling.1, 2)
                | self.chroma_position & 3,
        );
        out.put_u8(self.initial_delay.map_or(0, |delay| 0x10 | (delay.clamp(1, 16) - 1)));
        out.put_slice(&self.obus);
        out.freeze()
    }

    /// The measures of the picture, from the sequence header in the record.
    ///
    /// # Errors
    /// `Malformed` if there is none or it cannot be read.
    pub fn picture(&self) -> Result<SequenceHeader, Error> {
        let payload = sequence_header(&self.obus).ok_or_else(|| malformed("it holds no sequence header"))?;
        SequenceHeader::parse(payload)
    }

    /// The codec's name in an HTTP or HLS `codecs` list: `av01.0.04M.08`, with chroma format and
    /// colours behind it where they are not the usual ones (AV1 in ISOBMFF, 5).
    #[must_use]
    pub fn codec_string(&self) -> String {
        let tier = if self.high_tier { 'H' } else { 'M' };
        let short = format!("av01.{}.{:02}{tier}.{:02}", self.profile, self.level, self.bit_depth);
        let colours = self.picture().map_or(Colours::UNSPECIFIED, |picture| picture.colours);
        let is_420 = self.subsampling == (true, true) && !self.monochrome;
        if is_420 && colours.are_usual() {
            return short;
        }
        let Colours { primaries, transfer, matrix, full_range } = colours;
        let (x, y) = (u8::from(self.subsampling.0), u8::from(self.subsampling.1));
        format!(
            "{short}.{}.{x}{y}{}.{primaries:02}.{transfer:02}.{matrix:02}.{}",
            u8::from(self.monochrome),
            self.chroma_position,
            u8::from(full_range),
        )
    }
}

/// One unit of an AV1 stream ("open bitstream unit").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Obu<'a> {
    /// Its type: 1 sequence header, 2 temporal delimiter, 3 and 6 pictures…
    pub kind: u8,
    /// What stands behind its head.
    pub payload: &'a [u8],
}

/// Walks the OBUs of a temporal unit. One without a size goes on to the end; a size beyond the end
/// gives one error and ends the walk.
#[must_use]
pub const fn obus(unit: &[u8]) -> Obus<'_> {
    Obus { unit, position: 0 }
}

/// See [`obus`].
#[derive(Clone, Debug)]
pub struct Obus<'a> {
    unit: &'a [u8],
    position: usize,
}

impl<'a> Iterator for Obus<'a> {
    type Item = Result<Obu<'a>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let rest = self.unit.get(self.position..).filter(|rest| !rest.is_empty())?;
        let Some((obu, len)) = split_obu(rest) else {
            let at = self.position as u64;
            self.position = self.unit.len();
            return Some(Err(Error::malformed("AV1 temporal unit", "an OBU runs past the end").located(at)));
        };
        self.position += len;
        Some(Ok(obu))
    }
}

/// The unit without the temporal delimiter that it may start with: FLV and MP4 have none.
#[must_use]
pub fn without_delimiter(unit: &Bytes) -> Bytes {
    let delimiter = split_obu(unit).filter(|(obu, _)| obu.kind == OBU_TEMPORAL_DELIMITER);
    delimiter.map_or_else(|| unit.clone(), |(_, len)| unit.slice(len..))
}

/// The payload of the first sequence header of a temporal unit.
#[must_use]
pub fn sequence_header(unit: &[u8]) -> Option<&[u8]> {
    let mut whole = obus(unit).map_while(Result::ok);
    whole.find(|obu| obu.kind == OBU_SEQUENCE_HEADER).map(|obu| obu.payload)
}

/// Whether the first frame of a temporal unit is a key frame that is shown (AV1, 5.9.2), told by the bytes at its
/// beginning; `None` if they hold no frame.
#[must_use]
pub fn begins_with_key_frame(start: &[u8]) -> Option<bool> {
    const KEY_FRAME: u8 = 0;
    // A still picture's header may leave everything out.
    const REDUCED_STILL_PICTURE: u8 = 0x08;
    let mut rest = start;
    loop {
        let &head = rest.first()?;
        let head_len = if head & HAS_EXTENSION != 0 { 2 } else { 1 };
        let behind = rest.get(head_len..)?;
        let (size_len, len) = if head & HAS_SIZE != 0 { leb128(behind)? } else { (0, behind.len()) };
        let payload = behind.get(size_len..)?;
        match head >> 3 & 0xF {
            OBU_SEQUENCE_HEADER if payload.first()? & REDUCED_STILL_PICTURE != 0 => return Some(true),
            OBU_FRAME_HEADER | OBU_FRAME => {
                let flags = payload.first()?;
                let (shows_another, kind, is_shown) = (flags & 0x80 != 0, flags >> 5 & 3, flags & 0x10 != 0);
                return Some(!shows_another && kind == KEY_FRAME && is_shown);
            }
            _ => rest = payload.get(len..)?,
        }
    }
}

const HAS_SIZE: u8 = 0x02;
const HAS_EXTENSION: u8 = 0x04;

/// The first OBU and the bytes that it takes; `None` if it runs past the end.
fn split_obu(data: &[u8]) -> Option<(Obu<'_>, usize)> {
    let &head = data.first()?;
    let head_len = if head & HAS_EXTENSION != 0 { 2 } else { 1 };
    let rest = data.get(head_len..)?;
    let (size_len, len) = if head & HAS_SIZE != 0 { leb128(rest)? } else { (0, rest.len()) };
    let payload = rest.get(size_len..)?.get(..len)?;
    Some((Obu { kind: head >> 3 & 0xF, payload }, head_len + size_len + len))
}

/// A number in groups of seven bits, the lowest first: bytes that it takes, and value.
fn leb128(data: &[u8]) -> Option<(usize, usize)> {
    let mut value = 0u64;
    for (index, &byte) in data.iter().take(8).enumerate() {
        value |= u64::from(byte & 0x7F) << (7 * index);
        if byte & 0x80 == 0 {
            return Some((index + 1, usize::try_from(value).ok()?));
        }
    }
    None
}

fn put_leb128(out: &mut BytesMut, mut value: usize) {
    while value >= 0x80 {
        out.put_u8(0x80 | (value & 0x7F) as u8);
        value >>= 7;
    }
    out.put_u8(value as u8);
}

fn malformed(reason: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::malformed("AV1CodecConfigurationRecord", reason)
}

#[cfg(test)]
mod tests;
