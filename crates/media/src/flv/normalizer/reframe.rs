//! NAL units found in what was sent, and put into length-prefixed form that tiles the payload.

use bytes::{BufMut, Bytes, BytesMut};

use super::repaired::{Dropped, Repaired};
use crate::Codec;
use crate::codec::nal::{Framing, framing};
use crate::codec::nal_search::{UnitForm, find_units};
use crate::codec::{h264, h265, h266};
use crate::flv::tag::CodedFrame;

/// Puts the payload into length-prefixed form that tiles, without units that are empty or say nothing. What was
/// sent in this form is not copied.
pub(super) fn reframe(
    coded: &mut CodedFrame,
    length_size: u8,
    repaired: &mut Repaired,
) -> Result<(), Dropped> {
    repaired.timeless += u64::from(restore_misread_time(coded, length_size));
    let sent = coded.payload.clone();
    let (is_head, is_idle) = heads(coded.codec);
    let (mut units, form) = find_units(&sent, length_size, is_head).ok_or(Dropped::Damaged)?;
    let found = units.len();
    units.retain(|unit| !is_idle(unit));
    repaired.idle_units += (found - units.len()) as u64;
    if units.is_empty() {
        return Err(Dropped::Empty);
    }
    let as_sent = (form == UnitForm::Lengths).then(|| slice_of(&sent, &units, length_size)).flatten();
    match as_sent.or_else(|| with_lengths(&units, length_size)) {
        Some(payload) => coded.payload = payload,
        None => return Err(Dropped::Damaged),
    }
    match form {
        UnitForm::Lengths => {
            repaired.padded += u64::from(found == units.len() && coded.payload.len() < sent.len());
        }
        UnitForm::StartCodes => repaired.annex_b += 1,
        UnitForm::OtherLengths => repaired.other_lengths += 1,
    }
    Ok(())
}

/// Early OBS with H.265 sent no composition time where one belongs (quirk 16): what was read as such are
/// then the first bytes of the payload, and put back in front of it they make it tile.
fn restore_misread_time(coded: &mut CodedFrame, length_size: u8) -> bool {
    let tiles = |payload: &[u8]| matches!(framing(payload, length_size), Framing::LengthPrefixed { .. });
    if coded.codec != Codec::H265 || tiles(&coded.payload) {
        return false;
    }
    let [_, misread @ ..] = coded.composition_ms.to_be_bytes();
    let whole = Bytes::from([&misread[..], &coded.payload].concat());
    let is_whole = framing(&whole, length_size) == Framing::LengthPrefixed { len: whole.len() };
    if is_whole {
        coded.payload = whole;
        coded.composition_ms = 0;
    }
    is_whole
}

/// Tells of a unit's first bytes whether they can be those of a unit, and whether it says nothing.
type Heads = (fn(&[u8]) -> bool, fn(&[u8]) -> bool);

fn heads(codec: Codec) -> Heads {
    match codec {
        Codec::H264 => (h264::is_nal_head, h264::is_idle),
        Codec::H265 => (h265::is_nal_head, h265::is_idle),
        _ => (h266::is_nal_head, h266::is_idle),
    }
}

/// The part of `sent` that is made of these units and the lengths before them, if nothing else lies between.
fn slice_of(sent: &Bytes, units: &[&[u8]], length_size: u8) -> Option<Bytes> {
    let length_size = usize::from(length_size);
    let place = |unit: &[u8]| unit.as_ptr() as usize - sent.as_ptr() as usize;
    let (first, last) = (units.first()?, units.last()?);
    let (start, end) = (place(first).checked_sub(length_size)?, place(last) + last.len());
    let taken: usize = units.iter().map(|unit| length_size + unit.len()).sum();
    (taken == end - start).then(|| sent.slice(start..end))
}

/// The units behind lengths; `None` if one is longer than such a length can say.
fn with_lengths(units: &[&[u8]], length_size: u8) -> Option<Bytes> {
    let length_size = usize::from(length_size.clamp(1, 4));
    let longest = (1u64 << (8 * length_size)) - 1;
    let mut out = BytesMut::with_capacity(units.iter().map(|unit| length_size + unit.len()).sum());
    for unit in units {
        if unit.len() as u64 > longest {
            return None;
        }
        out.put_uint(unit.len() as u64, length_size);
        out.put_slice(unit);
    }
    Some(out.freeze())
}
