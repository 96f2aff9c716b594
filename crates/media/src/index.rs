//! The index of a film: its tracks, and where in the file every access unit lies.
//!
//! One form for MP4 and FLV, so that whoever plays a film from anywhere knows no container.

use std::collections::HashMap;

use bytes::Bytes;

use crate::flv::normalizer::Normalizer;
use crate::mp4::boxes::FourCc;
use crate::{Error, Frame, MediaKind, Timestamp, Track};

/// The largest number of samples of one file: 28 hours of film with sound.
pub const MAX_SAMPLES: u64 = 10_000_000;

/// Where one access unit lies and when it is due. 32 bytes each: about 8 MB for an hour of film with sound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// Its first byte in the file.
    pub offset: u64,
    /// When it is to be decoded; may be negative (edit lists move the first picture to 0).
    pub dts: Timestamp,
    /// When it is to be shown.
    pub pts: Timestamp,
    /// Bytes to be read at `offset`; never 0.
    pub size: u32,
    /// Which of [`Index::tracks`] it belongs to.
    pub track: u16,
    /// Whether decoding can start here.
    pub key: bool,
    /// Whether the bytes in the file are not the payload but an FLV tag's body that has to be repaired
    /// first (Annex B, ADTS). [`Index::frame`] does that.
    pub needs_repair: bool,
}

/// A track that can be played.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexedTrack {
    /// The codec and its first configuration.
    pub track: Track,
    /// The `track_ID` in the file; of FLV, which has none, a running number from 1.
    pub number: u32,
    /// Ticks per second of its times in the file.
    pub timescale: u32,
    /// How long it is; zero if unknown.
    pub duration: Timestamp,
    /// The language as three letters of ISO 639-2, if the file says one.
    pub language: Option<String>,
}

/// A track that cannot be played, or not beside the others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SkippedTrack {
    /// The `track_ID` in the file.
    pub number: u32,
    /// Its codec, or its handler type if it has no readable one.
    pub kind: FourCc,
    /// Why it is skipped.
    pub reason: String,
}

/// From some time on a track has another codec or configuration: only in FLV.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Change {
    /// Decoding time of the first frame that it holds for.
    pub(crate) from: Timestamp,
    pub(crate) track: Track,
}

/// All that must be known of a film to play it from anywhere.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Index {
    pub(crate) tracks: Vec<IndexedTrack>,
    /// In the order of their times.
    pub(crate) changes: Vec<Change>,
    pub(crate) metadata: Option<Bytes>,
    pub(crate) skipped: Vec<SkippedTrack>,
    pub(crate) samples: Vec<Sample>,
    /// Payload lengths of repaired samples, by offset.
    pub(crate) repaired_lens: HashMap<u64, u32>,
    pub(crate) notes: Vec<String>,
}

impl Index {
    /// The tracks that can be played, in the file's order. Each kind is numbered from 0. A track of script
    /// data may be among them ([`MediaKind::Data`]).
    #[must_use]
    pub fn tracks(&self) -> &[IndexedTrack] {
        &self.tracks
    }

    /// The tracks with pictures or sound as they are for the sample of that number: their configurations may
    /// change in the middle of an FLV file.
    #[must_use]
    pub fn tracks_at(&self, number: usize) -> Vec<Track> {
        let media = self.tracks.iter().filter(|track| track.track.id.kind != MediaKind::Data);
        let mut tracks: Vec<Track> = media.map(|indexed| indexed.track.clone()).collect();
        if let Some(sample) = self.samples.get(number) {
            for change in self.changes.iter().take_while(|change| change.from <= sample.dts) {
                tracks.iter_mut().filter(|track| track.id == change.track.id).for_each(|track| {
                    track.clone_from(&change.track);
                });
            }
        }
        tracks
    }

    /// The number of the first sample behind `number` for which other configurations hold.
    #[must_use]
    pub fn next_change(&self, number: usize) -> Option<usize> {
        let here = self.samples.get(number)?.dts;
        let change = self.changes.iter().find(|change| change.from > here)?;
        Some(self.samples.partition_point(|sample| sample.dts < change.from))
    }

    /// When any track takes another configuration, in order; each time once.
    pub(crate) fn breaks(&self) -> Vec<Timestamp> {
        let mut breaks: Vec<Timestamp> = self.changes.iter().map(|change| change.from).collect();
        breaks.dedup();
        breaks
    }

    /// All configurations of the track at that place, the first one first.
    pub(crate) fn configurations(&self, place: usize) -> impl Iterator<Item = &Track> {
        let first = self.tracks.get(place).map(|indexed| &indexed.track);
        let later = self.changes.iter().map(|change| &change.track);
        first.into_iter().chain(later.filter(move |track| first.is_some_and(|first| first.id == track.id)))
    }

    /// The payload of the file's own `onMetaData`; only FLV has one.
    #[must_use]
    pub const fn metadata(&self) -> Option<&Bytes> {
        self.metadata.as_ref()
    }

    /// The tracks that are left out, and why.
    #[must_use]
    pub fn skipped(&self) -> &[SkippedTrack] {
        &self.skipped
    }

    /// All access units in decoding order over all tracks.
    #[must_use]
    pub fn samples(&self) -> &[Sample] {
        &self.samples
    }

    /// The access unit with that number.
    pub(crate) fn sample(&self, number: u32) -> Option<&Sample> {
        self.samples.get(number as usize)
    }

    /// What is wrong with the file though it can be played, in words for a person.
    #[must_use]
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// The earliest decoding time: what has to be subtracted to start at 0.
    #[must_use]
    pub fn origin(&self) -> Timestamp {
        self.samples.first().map_or(Timestamp::ZERO, |sample| sample.dts)
    }

    /// From the first decoding time to the end: what the tracks say, or the last sample if that is later.
    #[must_use]
    pub fn duration(&self) -> Timestamp {
        let said = self.tracks.iter().map(|track| track.duration).max().unwrap_or_default();
        let last = self.samples.last().map_or(Timestamp::ZERO, |sample| sample.dts);
        said.max(last - self.origin())
    }

    /// The number of the sample to start with in order to see what is shown at `at`: the last key frame
    /// of the picture at or before it (or the first, or, without pictures, the sound at that time).
    #[must_use]
    pub fn start_for(&self, at: Timestamp) -> usize {
        let starts = |number: &usize| self.is_start(*number) && self.samples[*number].pts <= at;
        let shown = (0..self.before_or_at(at)).rev().find(starts);
        shown.unwrap_or_else(|| self.start_to_decode(at))
    }

    /// As [`start_for`](Self::start_for), where `at` is a time of decoding, which is what RTMP and FLV count.
    #[must_use]
    pub fn start_to_decode(&self, at: Timestamp) -> usize {
        self.before_or_at(at)
            .checked_sub(1)
            .map_or_else(|| self.last_start(0), |last| self.last_start(last))
            .unwrap_or(0)
    }

    /// For each track the number of the sample to start with where what is shown at `at` is to be seen and heard:
    /// of pictures a key frame at or before it, of sound what is heard with the first picture.
    pub(crate) fn starts_for(&self, at: Timestamp) -> Vec<usize> {
        let lead = self.samples.get(self.start_for(at)).map_or(at, |sample| sample.dts.min(at));
        let is_picture = |place: usize| {
            self.tracks.get(place).is_some_and(|track| track.track.id.kind == MediaKind::Video)
        };
        let starts = (0..self.tracks.len()).map(|place| {
            let of_track = |sample: &Sample| usize::from(sample.track) == place;
            let (from, needs_key) = if is_picture(place) { (at, true) } else { (lead, false) };
            let after = self.before_or_at(from);
            let (before, behind) = self.samples.split_at(after);
            let fits = |sample: &Sample| of_track(sample) && sample.pts <= from && (sample.key || !needs_key);
            let start = before.iter().rposition(fits);
            let later = |sample: &Sample| of_track(sample) && (sample.key || !needs_key);
            start
                .or_else(|| before.iter().rposition(later))
                .or_else(|| behind.iter().position(later).map(|number| after + number))
                .unwrap_or(self.samples.len())
        });
        starts.collect()
    }

    /// How many samples are to be decoded before `time`.
    pub(crate) fn before(&self, time: Timestamp) -> usize {
        self.samples.partition_point(|sample| sample.dts < time)
    }

    fn before_or_at(&self, time: Timestamp) -> usize {
        self.samples.partition_point(|sample| sample.dts <= time)
    }

    /// The samples from `first` on before which a configuration changes, and the number of the change.
    pub(crate) fn changes_within(&self, first: usize, end: usize) -> Vec<(usize, usize)> {
        let numbered = self.changes.iter().enumerate().map(|(change, at)| (self.before(at.from), change));
        numbered.filter(|(sample, _)| (first + 1..end).contains(sample)).collect()
    }

    /// The track of a change by its number.
    pub(crate) fn changed_track(&self, change: usize) -> Option<&Track> {
        self.changes.get(change).map(|change| &change.track)
    }

    /// How long a sample is shown: until the next one of its track, or as long as the one before it.
    pub(crate) fn lasts(&self, number: usize) -> Timestamp {
        /// Of a track with one sample.
        const LONE: Timestamp = Timestamp::from_ms(40);
        let Some(sample) = self.samples.get(number) else { return Timestamp::ZERO };
        let of_track = |other: &&Sample| other.track == sample.track;
        let (before, rest) = self.samples.split_at(number);
        if let Some(next) = rest.iter().skip(1).find(of_track) {
            return next.dts - sample.dts;
        }
        let said = self.tracks.get(usize::from(sample.track)).map_or(Timestamp::ZERO, |track| track.duration);
        let before = before.iter().rev().find(of_track).map(|other| sample.dts - other.dts);
        let alone = if said > Timestamp::ZERO { said } else { LONE };
        before.unwrap_or(alone).max(Timestamp::from_nanos(1))
    }

    /// Whether a player can start with this sample, as [`start_for`](Self::start_for) has it.
    pub(crate) fn is_start(&self, number: usize) -> bool {
        let leader = self.tracks.iter().position(|track| track.track.id.kind == MediaKind::Video);
        self.samples.get(number).is_some_and(|sample| match leader {
            Some(video) => sample.key && usize::from(sample.track) == video,
            None => true,
        })
    }

    /// The last such sample that is not behind `number`, or the first there is.
    pub(crate) fn last_start(&self, number: usize) -> Option<usize> {
        let end = self.samples.len().min(number.saturating_add(1));
        let starts = |number: &usize| self.is_start(*number);
        (0..end).rev().find(starts).or_else(|| (end..self.samples.len()).find(starts))
    }

    /// How long the payload of a sample is, in bytes: its size, unless it has to be repaired.
    #[must_use]
    pub fn payload_len(&self, sample: &Sample) -> u32 {
        if !sample.needs_repair {
            return sample.size;
        }
        self.repaired_lens.get(&sample.offset).copied().unwrap_or(sample.size)
    }

    /// The frame that a sample's bytes make.
    ///
    /// # Errors
    /// `Misuse` if the sample is not of this index; `Malformed` if bytes that have to be repaired are not
    /// those that were indexed.
    pub fn frame(&self, sample: &Sample, bytes: Bytes) -> Result<Frame, Error> {
        let track =
            self.track_of(sample).ok_or(Error::Misuse("a sample was used with the index of another file"))?;
        let payload = if sample.needs_repair { Normalizer::repair(track, bytes)? } else { bytes };
        let Track { id, codec, .. } = *track;
        Ok(Frame { track: id, codec, dts: sample.dts, pts: sample.pts, key: sample.key, payload })
    }

    /// The track of a sample, as it is there.
    pub(crate) fn track_of(&self, sample: &Sample) -> Option<&Track> {
        let first = &self.tracks.get(usize::from(sample.track))?.track;
        let of_track = self.changes.iter().rev().filter(|change| change.track.id == first.id);
        let changed = of_track.map(|change| (change.from, &change.track));
        Some(changed.into_iter().find(|(from, _)| *from <= sample.dts).map_or(first, |(_, track)| track))
    }
}
