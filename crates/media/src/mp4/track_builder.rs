//! A track while its samples are gathered, from its tables and from fragments.

use std::sync::Arc;

use super::entry::{Coding, Entry, kind_of};
use super::fragments::{FragmentedTrack, SampleDefaults};
use super::sample_table_reader::RawSample;
use crate::changes::{Change, ChangesRoom};
use crate::index::{Index, IndexedTrack, SAMPLE_LEN_MAX, Sample};
use crate::presented::{LAST_MAX, SPAN_MAX};
use crate::{MediaKind, SampleEntry, Timestamp, Track};

/// How far the samples of a track are gathered.
#[derive(Clone, Copy, Debug)]
pub(super) struct TrackProgress {
    last_ticks: u32,
    next_dts: i64,
    beyond_end: u64,
    oversized: u64,
    undescribed: u64,
    first: u32,
    others: usize,
}

/// A track while its samples are gathered.
#[derive(Clone, Debug)]
pub(super) struct TrackBuilder {
    pub(super) indexed: IndexedTrack,
    /// How long the last sample lasts, in ticks of the track.
    last_ticks: u32,
    /// Where the next fragment without a time of its own goes on.
    next_dts: i64,
    pub(super) defaults: SampleDefaults,
    /// Samples that were left out because they lie beyond the end of the file.
    pub(super) beyond_end: u64,
    /// Samples that were left out because they are longer than [`SAMPLE_LEN_MAX`].
    pub(super) oversized: u64,
    /// Samples whose sample description is of no use, and why that is so of the first of them.
    pub(super) undescribed: u64,
    pub(super) undescribed_why: Option<String>,
    entries: Arc<[Entry]>,
    /// The number of the first sample's description; 0 before there is one.
    first: u32,
    /// Samples with another description than that, by their places in the file.
    others: Vec<(u64, u32)>,
}

impl TrackBuilder {
    /// One without samples yet.
    pub(super) fn new(indexed: IndexedTrack, entries: Vec<Entry>) -> Self {
        Self {
            indexed,
            last_ticks: 0,
            next_dts: 0,
            defaults: SampleDefaults::default(),
            beyond_end: 0,
            oversized: 0,
            undescribed: 0,
            undescribed_why: None,
            entries: entries.into(),
            first: 0,
            others: Vec::new(),
        }
    }

    /// Adds a sample to those of all tracks, unless it lies beyond the end of the file, is too long or is not described. `number` is
    /// the track's place among the tracks. Times are those of the media: what the edit list makes of them is decided
    /// when all are there.
    pub(super) fn push(&mut self, samples: &mut Vec<Sample>, number: u8, raw: &RawSample, file_len: u64) {
        let inside = raw.offset.checked_add(u64::from(raw.size)).is_some_and(|end| end <= file_len);
        if !inside {
            self.beyond_end += 1;
            return;
        }
        if u64::from(raw.size) > SAMPLE_LEN_MAX {
            self.oversized += 1;
            return;
        }
        let timescale = self.indexed.timescale;
        self.last_ticks = raw.duration;
        if self.first == 0 || raw.description != self.first {
            if let Err(why) = self.check(raw.description) {
                self.undescribed += 1;
                self.undescribed_why.get_or_insert(why);
                return;
            }
            if self.first == 0 {
                self.first = raw.description;
            } else {
                self.others.push((raw.offset, raw.description));
            }
        }
        samples.push(Sample {
            offset: raw.offset,
            dts: Timestamp::from_ticks(raw.dts, timescale),
            pts: Timestamp::from_ticks(raw.dts.saturating_add(raw.composition), timescale),
            size: raw.size,
            track: number,
            key: raw.key || self.indexed.track.id.kind != MediaKind::Video,
            decode_only: false,
            needs_repair: false,
        });
    }

    /// How far it is gathered.
    pub(super) const fn progress(&self) -> TrackProgress {
        let Self { last_ticks, next_dts, beyond_end, oversized, undescribed, first, .. } = *self;
        let others = self.others.len();
        TrackProgress { last_ticks, next_dts, beyond_end, oversized, undescribed, first, others }
    }

    /// Back to where it was: a fragment is read again.
    pub(super) fn go_back(&mut self, progress: TrackProgress) {
        let TrackProgress { last_ticks, next_dts, beyond_end, oversized, undescribed, first, others } =
            progress;
        (self.last_ticks, self.next_dts, self.beyond_end) = (last_ticks, next_dts, beyond_end);
        (self.oversized, self.undescribed, self.first) = (oversized, undescribed, first);
        self.undescribed_why.take_if(|_| undescribed == 0);
        self.others.truncate(others);
    }

    /// How long the last sample lasts; zero if it doesn't say. A fragment that was written while the next one was
    /// not there yet says what it likes.
    pub(super) fn last_lasts(&self, is_fragmented: bool) -> Timestamp {
        let lasts = Timestamp::from_ticks(self.last_ticks.into(), self.indexed.timescale);
        let is_believed = lasts <= if is_fragmented { LAST_MAX } else { SPAN_MAX };
        if is_believed { lasts } else { Timestamp::ZERO }
    }

    /// Whether samples of that description can be played; the error says why not.
    fn check(&self, description: u32) -> Result<(), String> {
        let coding = match (description as usize).checked_sub(1).and_then(|at| self.entries.get(at)) {
            Some(Entry::Known(coding)) => coding,
            Some(Entry::Other(kind, reason)) => return Err(format!("of its codec {kind}, {reason}")),
            None => return Err(format!("there is no sample description {description}")),
        };
        if kind_of(coding.codec) != self.indexed.track.id.kind {
            return Err("its codec is not of the kind that the track claims to hold".to_owned());
        }
        Ok(())
    }

    fn coding(&self, at: usize) -> Option<(Track, SampleEntry)> {
        let Entry::Known(coding) = self.entries.get(at)? else {
            return None;
        };
        let Coding { codec, config, extra, entry } = coding.clone();
        Some((Track { id: self.indexed.track.id, codec, config, extra }, entry))
    }

    /// For each description the first one that says the same.
    fn alike(&self) -> Vec<usize> {
        let known = |at: usize| match self.entries.get(at) {
            Some(Entry::Known(coding)) => Some(coding),
            _ => None,
        };
        let first = |at: usize| (0..at).find(|&before| known(before).is_some() && known(before) == known(at));
        (0..self.entries.len()).map(|at| first(at).unwrap_or(at)).collect()
    }

    /// Gives the track the description that its first sample has, and the index a change for each further one that
    /// holds from some sample on. `number` is the track's place; the samples are in their final order.
    pub(super) fn describe(&mut self, index: &mut Index, number: usize) {
        self.others.sort_unstable();
        self.others.dedup();
        let description = |sample: &Sample| {
            let at = self.others.binary_search_by_key(&sample.offset, |(offset, _)| *offset);
            at.ok().and_then(|at| self.others.get(at)).map_or(self.first, |(_, description)| *description)
        };
        let alike = self.alike();
        let (mut first, mut held) = (None, None);
        let mut room = ChangesRoom::default();
        for sample in index.samples.iter().filter(|sample| usize::from(sample.track) == number) {
            let described =
                (description(sample) as usize).checked_sub(1).and_then(|at| alike.get(at)).copied();
            if described.is_none() || described == held {
                continue;
            }
            let Some((track, entry)) = described.and_then(|at| self.coding(at)) else { continue };
            if held.is_none() {
                first = Some((track, entry));
            } else {
                let change = Change { from: sample.dts, track, entry };
                if !room.admits(&change) {
                    break;
                }
                index.changes.push(change);
            }
            held = described;
            if self.others.is_empty() {
                break;
            }
        }
        if let Some(note) = room.note(self.indexed.number) {
            index.note(note);
        }
        if let Some((track, entry)) = first {
            (self.indexed.track, self.indexed.entry) = (track, entry);
        }
    }
}

impl FragmentedTrack for TrackBuilder {
    fn number(&self) -> u32 {
        self.indexed.number
    }

    fn defaults(&self) -> SampleDefaults {
        self.defaults
    }

    fn next_dts(&mut self) -> &mut i64 {
        &mut self.next_dts
    }
}
