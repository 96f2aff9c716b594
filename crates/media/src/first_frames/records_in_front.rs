//! Configuration records in front of the NAL units of key frames: programs that repeat "extra data" there (ffmpeg's
//! `dump_extra`) put them into MP4, where they are no part of the pictures.

use bytes::Bytes;

use super::describe::is_complete;
use super::{FirstFrames, Work};
use crate::{Codec, Track, TrackId};

/// They are shorter.
pub(super) const RECORD_BYTES: u32 = 64 << 10;

impl FirstFrames {
    /// Whether a record is to be looked for in front of a key frame: once for each track, if the frame begins like one.
    pub(super) fn may_have_record(&mut self, place: usize, sample: usize, bytes: &[u8]) -> bool {
        let Some(found) = self.index.samples.get(sample) else { return false };
        let is_one = !found.needs_repair
            && !self.with_records.contains(&place)
            && self
                .index
                .track_of(found)
                .is_some_and(|track| begins_like_record(track.codec, bytes, found.size));
        if is_one {
            self.with_records.push(place);
        }
        is_one
    }

    pub(super) fn find_record(&self, place: usize, sample: usize, bytes: &[u8]) -> Option<Work> {
        let found = self.index.samples.get(sample)?;
        let record = leading_record(self.index.track_of(found)?.codec, bytes, found.size)?;
        let record = Bytes::copy_from_slice(record);
        Some(Work::Strip { place, sample: self.next_key(place, 0)?, record })
    }

    pub(super) fn strip(&mut self, place: usize, sample: usize, record: Bytes, bytes: &[u8]) -> Option<Work> {
        if let Some(stripped) = self.index.samples.get_mut(sample)
            && bytes == record
        {
            let len = record.len() as u32;
            if stripped.size > len {
                stripped.offset += u64::from(len);
                stripped.size -= len;
            }
        }
        let sample = self.next_key(place, sample + 1)?;
        Some(Work::Strip { place, sample, record })
    }
}

/// Whether a frame begins as [`leading_record`] has it. As the length of a unit, the first bytes of a record lead beyond
/// the frame.
fn begins_like_record(codec: Codec, frame: &[u8], size: u32) -> bool {
    let length = frame.first_chunk().map_or(0, |length| u32::from_be_bytes(*length));
    matches!(codec, Codec::H264 | Codec::H265) && frame.first() == Some(&1) && length >= size
}

/// The configuration record that stands whole in front of the NAL units of a frame: programs that repeat "extra data"
/// before key frames (ffmpeg's `dump_extra`) put it there in MP4. `size` is that of the whole frame.
pub(super) fn leading_record(codec: Codec, frame: &[u8], size: u32) -> Option<&[u8]> {
    if !begins_like_record(codec, frame, size) {
        return None;
    }
    let len = match codec {
        Codec::H264 => avc_record_len(frame)?,
        Codec::H265 => hevc_record_len(frame)?,
        _ => return None,
    };
    let record = frame.get(..len)?;
    let track = Track::new(TrackId::VIDEO, codec, Bytes::copy_from_slice(record));
    is_complete(&track).then_some(record)
}

fn avc_record_len(frame: &[u8]) -> Option<usize> {
    let mut at = 5;
    for (mask, reserved) in [(0x1F, 0xE0), (0xFF, 0)] {
        let &count = frame.get(at)?;
        at += 1;
        if count & reserved != reserved {
            return None;
        }
        at = skip_sets(frame, at, (count & mask).into())?;
    }
    // Chroma format and depths of the high profiles; a length does not begin so.
    let has_chroma =
        matches!(frame.get(at..at + 4)?, &[a, b, c, _] if a >> 2 == 0x3F && b >> 3 == 0x1F && c >> 3 == 0x1F);
    Some(if has_chroma { at + 4 } else { at })
}

fn hevc_record_len(frame: &[u8]) -> Option<usize> {
    let &arrays = frame.get(22)?;
    let mut at = 23;
    for _ in 0..arrays {
        let &[_, high, low] = frame.get(at..at + 3)?.first_chunk::<3>()?;
        at = skip_sets(frame, at + 3, u16::from_be_bytes([high, low]).into())?;
    }
    Some(at)
}

/// Where so many units behind lengths of 16 bits end.
fn skip_sets(frame: &[u8], mut at: usize, count: usize) -> Option<usize> {
    for _ in 0..count {
        let length = u16::from_be_bytes(*frame.get(at..)?.first_chunk()?);
        at += 2 + usize::from(length);
    }
    (at <= frame.len()).then_some(at)
}
