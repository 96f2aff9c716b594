//! Parameter sets among the key frames of a film that differ from the configuration: from there on the track has another
//! one, as an FLV announces it by a tag of its own.
//!
//! Key frames are read for that only where those looked at first hold parameter sets at all (`avc3`, `hev1`; films joined
//! or recorded by programs that leave them in). Sets that stand in front of other pictures are left to decoders.

use super::describe::{is_complete, updated_config};
use super::key_frames::units_of;
use super::{FirstFrames, Work};
use crate::changes::{Change, ChangesRoom};
use crate::codec::{av1, h264, h265};
use crate::index::IndexedTrack;
use crate::{Codec, SampleEntry, Timestamp, Track};

/// How much of a key frame is read: more, as long as its picture does not come, before which the sets stand.
const HEAD_BYTES: [u32; 3] = [256, 4 << 10, 64 << 10];

/// The configurations of a track, as far as its key frames have been read.
#[derive(Debug)]
pub(super) struct LaterSets {
    place: usize,
    /// The key frame that is next.
    sample: usize,
    head: usize,
    /// What holds there.
    track: Track,
    entry: SampleEntry,
    /// Since when, if the file's own tables say it.
    from: Option<Timestamp>,
    /// What has been found, in order.
    found: Vec<Change>,
    room: ChangesRoom,
}

impl LaterSets {
    /// The sample that is to be read, and how much of it.
    pub(super) fn wants(&self) -> (usize, u32) {
        (self.sample, HEAD_BYTES.get(self.head).copied().unwrap_or(0))
    }
}

/// Whether the beginning of a picture holds sets.
pub(super) fn holds_sets(track: &Track, bytes: &[u8]) -> bool {
    match track.codec {
        Codec::H264 => {
            let is_set = |unit: &[u8]| [h264::NAL_SPS, h264::NAL_PPS].contains(&h264::nal_type(unit));
            units_of(track, bytes).any(is_set)
        }
        Codec::H265 => {
            let sets = [h265::NAL_VPS, h265::NAL_SPS, h265::NAL_PPS];
            units_of(track, bytes).any(|unit| sets.contains(&h265::nal_type(unit)))
        }
        Codec::Av1 => av1::sequence_header(bytes).is_some(),
        _ => false,
    }
}

impl FirstFrames {
    /// Remembers that there are sets among the pictures of a track.
    pub(super) fn look_for_sets(&mut self, place: usize, sample: usize, bytes: &[u8]) {
        let Some(found) = self.index.samples.get(sample).and_then(|sample| self.index.track_of(sample))
        else {
            return;
        };
        if !self.with_sets.contains(&place) && holds_sets(found, bytes) {
            self.with_sets.push(place);
        }
    }

    /// What is to be done of a track whose key frames are known.
    pub(super) fn later_sets_of(&self, place: usize) -> Option<Work> {
        let IndexedTrack { track, entry, .. } =
            self.index.tracks.get(place).filter(|_| self.with_sets.contains(&place))?;
        let mut room = ChangesRoom::default();
        self.index.changes.of_track(track.id).iter().for_each(|change| _ = room.admits(change));
        Some(Work::LaterSets(Box::new(LaterSets {
            place,
            sample: self.next_key(place, 0)?,
            head: 0,
            track: track.clone(),
            entry: entry.clone(),
            from: None,
            found: Vec::new(),
            room,
        })))
    }

    pub(super) fn read_later_sets(&mut self, mut sets: Box<LaterSets>, bytes: &[u8]) -> Option<Work> {
        let sample = *self.index.samples.get(sets.sample)?;
        if let Some(held) = self.index.changes.held_at(sets.track.id, sample.dts)
            && sets.from != Some(held.from)
        {
            (sets.track, sets.entry) = (held.track.clone(), held.entry.clone());
            sets.from = Some(held.from);
        }
        let is_read = bytes.len() >= sample.size as usize
            || sets.head + 1 >= HEAD_BYTES.len()
            || has_picture(&sets.track, bytes);
        if !is_read {
            sets.head += 1;
            return Some(Work::LaterSets(sets));
        }
        if !sample.needs_repair
            && let Some(config) = updated_config(&sets.track, bytes)
        {
            let track = Track { config, ..sets.track.clone() };
            if is_complete(&track) {
                self.take_set(&mut sets, track, sample.dts);
            }
        }
        let Some(next) = self.next_key(sets.place, sets.sample + 1) else {
            self.keep_sets(*sets);
            return None;
        };
        (sets.sample, sets.head) = (next, 0);
        Some(Work::LaterSets(sets))
    }

    /// From `at` on the track is another.
    fn take_set(&mut self, sets: &mut LaterSets, track: Track, at: Timestamp) {
        let is_first = self.next_of(sets.place, 0) == Some(sets.sample);
        let change = Change { from: at, track: track.clone(), entry: sets.entry.clone() };
        if is_first
            && let Some(indexed) = self.index.tracks.get_mut(sets.place).filter(|_| sets.from.is_none())
        {
            indexed.track = track.clone();
        } else if !sets.room.admits(&change) {
            return;
        } else {
            sets.found.push(change);
        }
        sets.track = track;
    }

    /// What has been found is put into the index.
    pub(super) fn keep_sets(&mut self, sets: LaterSets) {
        let number = self.index.tracks.get(sets.place).map_or(0, |indexed| indexed.number);
        if let Some(note) = sets.room.note(number) {
            self.index.note(note);
        }
        if !sets.found.is_empty() {
            self.index.changes.put(sets.track.id, sets.found);
            self.index.changes.settle(Timestamp::ZERO);
        }
    }

    /// The first key frame of a track from that number on.
    pub(super) fn next_key(&self, place: usize, from: usize) -> Option<usize> {
        let rest = self.index.samples.get(from..)?;
        let at = rest.iter().position(|sample| sample.key && usize::from(sample.track) == place)?;
        Some(from + at)
    }
}

/// Whether the picture has begun: what stands before it has been read.
fn has_picture(track: &Track, bytes: &[u8]) -> bool {
    match track.codec {
        Codec::H264 => units_of(track, bytes).any(|unit| (1..=5).contains(&h264::nal_type(unit))),
        Codec::H265 => units_of(track, bytes).any(|unit| h265::nal_type(unit) < h265::NO_SLICE),
        _ => av1::begins_with_key_frame(bytes).is_some(),
    }
}
