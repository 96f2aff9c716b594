//! A track while its samples are gathered, from its tables and from fragments.

use super::boxes::Fields;
use super::sample_table_reader::RawSample;
use crate::index::{IndexedTrack, Sample};
use crate::presented::{LAST_MAX, SPAN_MAX};
use crate::{Error, MediaKind, Timestamp};

/// A track while its samples are gathered.
#[derive(Clone, Debug)]
pub(super) struct TrackBuilder {
    pub(super) indexed: IndexedTrack,
    /// How long the last sample lasts, in ticks of the track.
    last_ticks: u32,
    /// Where the next fragment without a time of its own goes on.
    pub(super) next_dts: i64,
    pub(super) defaults: SampleDefaults,
    /// Samples that were left out because they lie beyond the end of the file.
    pub(super) beyond_end: u64,
}

impl TrackBuilder {
    /// One without samples yet.
    pub(super) fn new(indexed: IndexedTrack) -> Self {
        Self { indexed, last_ticks: 0, next_dts: 0, defaults: SampleDefaults::default(), beyond_end: 0 }
    }

    /// Adds a sample to those of all tracks, unless it lies beyond the end of the file. `number` is the
    /// track's place among the tracks. Times are those of the media: what the edit list makes of them is decided when
    /// all are there.
    pub(super) fn push(&mut self, samples: &mut Vec<Sample>, number: u8, raw: &RawSample, file_len: u64) {
        let inside = raw.offset.checked_add(u64::from(raw.size)).is_some_and(|end| end <= file_len);
        if !inside {
            self.beyond_end += 1;
            return;
        }
        let timescale = self.indexed.timescale;
        self.last_ticks = raw.duration;
        samples.push(Sample {
            offset: raw.offset,
            dts: Timestamp::from_ticks(raw.dts, timescale),
            pts: Timestamp::from_ticks(raw.dts.saturating_add(raw.composition), timescale),
            size: raw.size,
            track: number,
            key: raw.key || self.indexed.track.id.kind == MediaKind::Audio,
            decode_only: false,
            needs_repair: false,
        });
    }

    /// How long the last sample lasts; zero if it doesn't say. A fragment that was written while the next one was
    /// not there yet says what it likes.
    pub(super) fn last_lasts(&self, is_fragmented: bool) -> Timestamp {
        let lasts = Timestamp::from_ticks(self.last_ticks.into(), self.indexed.timescale);
        let is_believed = lasts <= if is_fragmented { LAST_MAX } else { SPAN_MAX };
        if is_believed { lasts } else { Timestamp::ZERO }
    }
}

/// What a sample is like unless something nearer to it says otherwise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct SampleDefaults {
    pub(super) duration: u32,
    pub(super) size: u32,
    pub(super) flags: u32,
}

impl SampleDefaults {
    /// The track number and defaults of `trex`.
    pub(super) fn parse_trex(trex: &[u8]) -> Result<(u32, Self), Error> {
        let (_, _, mut fields) = Fields::full(trex, "trex")?;
        let number = fields.u32()?;
        fields.skip(4)?;
        Ok((number, Self { duration: fields.u32()?, size: fields.u32()?, flags: fields.u32()? }))
    }
}
