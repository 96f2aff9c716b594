//! What a window holds under its lock, and how it comes and goes.

use std::collections::VecDeque;
use std::sync::Arc;

use headwater_hub::DecoderSetup;
use headwater_media::{MediaKind, Timestamp, TrackId};

use super::kept::Kept;
use super::rendition::{Head, Rendition};
use crate::cue_point::{CUE_POINTS_MAX, CuePoint};

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Contents {
    pub(super) renditions: Vec<Rendition>,
    /// The number of the broadcast's first segment, once it has one.
    pub(super) first_number: Option<u64>,
    /// The segments that are kept, oldest first.
    pub(super) segments: VecDeque<Head>,
    /// Discontinuities before the first of them.
    pub(super) discontinuities: u64,
    /// All parts that are kept, in the order they were made, and the ordinal of the first.
    pub(super) parts: VecDeque<Arc<Kept>>,
    pub(super) first_ordinal: u64,
    pub(super) setups: VecDeque<(u64, Arc<DecoderSetup>)>,
    pub(super) cue_points: VecDeque<CuePoint>,
    /// Parts with lower ordinals have left memory.
    pub(super) in_memory_from: u64,
    /// Parts that were to leave memory and are in no file, by their ordinals.
    pub(super) unwritten: VecDeque<u64>,
    /// In memory.
    pub(super) bytes: usize,
    /// Bytes of parts, wherever they are.
    pub(super) held: u64,
}

impl Contents {
    /// Parts that may have been made before one whose frames came before theirs: a second of thirty renditions.
    pub(super) const AHEAD_MAX: usize = 128;
    /// What lies in a file stays in memory for so long: whoever watches live over HLS fetches what is newer.
    pub(super) const MEMORY_KEPT: Timestamp = Timestamp::from_ms(30_000);
    /// Setups that are kept, at most: a publisher that changes more often means harm, and its viewers need the newest.
    const SETUPS_MAX: usize = 256;

    pub(super) fn begin_segment(&mut self, head: Head) {
        if let Some(last) = self.segments.back_mut() {
            last.until = Some(head.at);
        }
        self.first_number.get_or_insert(head.number);
        self.segments.push_back(head);
    }

    pub(super) fn add(&mut self, kept: Arc<Kept>) {
        self.bytes += kept.weight();
        self.held += u64::from(kept.part().len);
        self.rendition(kept.part().rendition()).add(&kept);
        self.parts.push_back(kept);
    }

    pub(super) fn add_cue_point(&mut self, cue: CuePoint) {
        if self.cue_points.len() >= CUE_POINTS_MAX {
            self.cue_points.pop_front();
        }
        self.cue_points.push_back(cue);
    }

    pub(super) fn add_setup(&mut self, since: u64, setup: Arc<DecoderSetup>) {
        if self.setups.len() >= Self::SETUPS_MAX {
            self.setups.pop_front();
        }
        self.setups.push_back((since, setup));
    }

    /// Has the oldest part that is in memory leave it, if it was written and is older than what everybody asks for, or must
    /// go. False if none does.
    pub(super) fn leave_memory(&mut self, must_go: bool) -> bool {
        while let Some(ordinal) = self.unwritten.front().copied() {
            if ordinal >= self.first_ordinal {
                // The disk is back, and what had to wait was written.
                let Some(bytes) = self.part_at(ordinal).and_then(|kept| kept.leave_memory()) else { break };
                self.bytes -= bytes;
                self.unwritten.pop_front();
                return true;
            }
            self.unwritten.pop_front();
        }
        let ordinal = self.in_memory_from.max(self.first_ordinal);
        let Some(kept) = self.part_at(ordinal) else { return false };
        let is_old = self.newest() - kept.part().until() > Self::MEMORY_KEPT;
        if !is_old && !must_go {
            return false;
        }
        match kept.leave_memory() {
            Some(bytes) => self.bytes -= bytes,
            // What comes behind it may have been written all the same.
            None if is_old => self.unwritten.push_back(ordinal),
            None => return false,
        }
        self.in_memory_from = ordinal + 1;
        true
    }

    fn part_at(&self, ordinal: u64) -> Option<&Arc<Kept>> {
        self.parts.get(usize::try_from(ordinal.checked_sub(self.first_ordinal)?).ok()?)
    }

    pub(super) fn next_ordinal(&self) -> u64 {
        self.first_ordinal + self.parts.len() as u64
    }

    /// Lets go of the oldest segment of all renditions.
    pub(super) fn let_go_of_oldest(&mut self) {
        let Some(gone) = self.segments.pop_front() else { return };
        self.discontinuities += u64::from(gone.discontinuity);
        self.renditions.iter_mut().for_each(|rendition| rendition.forget_to(gone.number));
        // Parts of one segment were made one after the other, but for some of the next that were made between.
        while self.parts.front().is_some_and(|kept| kept.part().segment <= gone.number) {
            if let Some(kept) = self.parts.pop_front() {
                self.bytes -= kept.weight();
                self.held -= u64::from(kept.part().len);
                self.first_ordinal += 1;
            }
        }
        while self.cue_points.front().is_some_and(|cue| cue.segment <= gone.number) {
            self.cue_points.pop_front();
        }
        let oldest = self.parts.front().map_or(0, |kept| kept.part().first_sequence());
        while self.setups.get(1).is_some_and(|(since, _)| *since <= oldest) {
            self.setups.pop_front();
        }
    }

    /// The ordinal of the first part before the one at `index` with frames at or behind `sequence`: those that came behind
    /// a picture may be in parts that were made before its own.
    pub(super) fn first_with(&self, index: usize, sequence: u64) -> Option<u64> {
        let before = self.parts.iter().take(index).rev().take(Self::AHEAD_MAX);
        before.filter(|kept| kept.part().last_sequence() >= sequence).map(|kept| kept.part().ordinal).min()
    }

    pub(super) fn find(&self, id: TrackId) -> Option<&Rendition> {
        self.renditions.iter().find(|rendition| rendition.id == id)
    }

    pub(super) fn rendition(&mut self, id: TrackId) -> &mut Rendition {
        let at = self.renditions.iter().position(|rendition| rendition.id == id).unwrap_or_else(|| {
            self.renditions.push(Rendition::new(id));
            self.renditions.len() - 1
        });
        &mut self.renditions[at]
    }

    /// The rendition whose key frames are starts.
    pub(super) fn leader(&self) -> Option<&Rendition> {
        self.renditions
            .iter()
            .filter(|it| it.id.kind != MediaKind::Data && it.has_parts())
            .min_by_key(|it| it.id)
    }

    /// Where the newest part ends.
    pub(super) fn newest(&self) -> Timestamp {
        let ends = self.renditions.iter().filter_map(Rendition::newest_end);
        ends.max().unwrap_or(Timestamp::ZERO)
    }
}
