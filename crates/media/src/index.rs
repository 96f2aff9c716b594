//! The index of a film: its tracks, and where in the file every access unit lies.
//!
//! One form for MP4 and FLV, so that whoever plays a film from anywhere knows no container. Its times are presented
//! times: 0 is the first moment that the film shows, whatever its edit lists cut away and wherever its clock began, and
//! [`Index::duration`] is the end of what it shows last. They are computed once (`presented`, and for MP4 `mp4/edits`).

mod join;
mod trim;

use std::collections::HashMap;

use bytes::Bytes;

pub use crate::changes::{CHANGES_BYTES_MAX, CHANGES_MAX};
use crate::changes::{Change, Changes};
use crate::flv::repair::repair;
use crate::mp4::boxes::FourCc;
use crate::{DescribedTrack, Error, Frame, MediaKind, Orientation, SampleEntry, Timestamp, Track};

/// The largest number of samples of one file: 28 hours of film with sound.
pub const MAX_SAMPLES: u64 = 10_000_000;

/// Longest access unit in bytes, which is read whole: twice what RTMP's messages and FLV's tags can hold.
pub(crate) const SAMPLE_LEN_MAX: u64 = 32 << 20;
/// Remarks about one film that are kept: whoever has read so many knows enough.
const NOTES_MAX: usize = 64;
/// Tracks that are named among those left out; a damaged file may seem to have any number.
const SKIPPED_MAX: usize = 256;

/// Whoever asks for a time by the millisecond means what rounds to it, above all the key frame that was told him so.
pub(crate) const ROUNDING: Timestamp = Timestamp::from_nanos(500_000);

/// Where one access unit lies and when it is due. 32 bytes each: about 8 MB for an hour of film with sound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// Its first byte in the file.
    pub offset: u64,
    /// When it is to be decoded; may be a little below 0, since what is shown at 0 is decoded before.
    pub dts: Timestamp,
    /// When it is to be shown, 0 being the first moment that the film shows.
    pub pts: Timestamp,
    /// Bytes to be read at `offset`; never 0.
    pub size: u32,
    /// Which of [`Index::tracks`] it belongs to.
    pub track: u8,
    /// Whether decoding can start here.
    pub key: bool,
    /// Whether it is needed to decode others and is not to be shown itself: an edit list has cut it away. Its times
    /// say no more than its place in the order.
    pub decode_only: bool,
    /// Whether the bytes in the file are not the payload but FLV tags that it has to be made of first: start codes,
    /// pictures in several tags. They go from the head of the first tag to the end of the last one's body, and tags of
    /// other tracks may lie between. [`Index::frame`] makes the payload.
    pub needs_repair: bool,
}

/// A film of hours has millions of them.
const _: () = assert!(size_of::<Sample>() == 32);

/// A track that can be played.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexedTrack {
    /// The codec and its first configuration.
    pub track: Track,
    /// What sample entry and first frame say beside it.
    pub entry: SampleEntry,
    /// The `track_ID` in the file; of FLV, which has none, a running number from 1.
    pub number: u32,
    /// How its pictures are turned for showing.
    pub orientation: Orientation,
    /// Ticks per second that hold its times; of sound the sample rate, where it is known.
    pub timescale: u32,
    /// When the last of it that is shown ends.
    pub end: Timestamp,
    /// Whether there are key frames from which on pictures come out right only some time later (intra refresh). Then
    /// only the first one is sure to be a whole picture by itself.
    pub(crate) renews_gradually: bool,
    /// Whether each part that an edit list shows still begins with the track's first sample, since its key frames were
    /// not known when that was decided.
    pub(crate) leads_in_whole: bool,
    /// How long its last sample lasts.
    pub(crate) last_lasts: Timestamp,
    /// The language as three letters of ISO 639-2, if the file says one.
    pub language: Option<String>,
}

impl IndexedTrack {
    /// The track as it is at first, with all that describes it.
    #[must_use]
    pub const fn described(&self) -> DescribedTrack<'_> {
        DescribedTrack { track: &self.track, entry: &self.entry }
    }
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

/// How the text of a track is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TextFormat {
    /// 3GPP timed text (`tx3g`).
    Timed,
    /// WebVTT in boxes (`wvtt`).
    WebVtt,
    /// TTML, a document in each sample (`stpp`).
    Ttml,
}

/// Where a text lies in the file, and when it is on the picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TextSample {
    /// Its first byte in the file.
    pub offset: u64,
    /// Bytes to be read there.
    pub size: u32,
    /// When it appears.
    pub from: Timestamp,
    /// When it goes.
    pub until: Timestamp,
    /// How far the times that are written in it are from those of the film.
    pub(crate) moved: Timestamp,
}

/// A track of text inside a film. It is no [`Track`]: it is read as a whole, and shown beside the others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextTrack {
    /// The `track_ID` in the file.
    pub number: u32,
    /// The language as three letters of ISO 639-2, if the file says one.
    pub language: Option<String>,
    pub(crate) format: TextFormat,
    /// What the sample entry says of all cues.
    pub(crate) config: Bytes,
    pub(crate) samples: Vec<TextSample>,
}

impl TextTrack {
    /// Its samples in order.
    #[must_use]
    pub fn samples(&self) -> &[TextSample] {
        &self.samples
    }
}

/// All that must be known of a film to play it from anywhere.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Index {
    pub(crate) tracks: Vec<IndexedTrack>,
    pub(crate) changes: Changes,
    pub(crate) metadata: Option<Bytes>,
    pub(crate) skipped: Vec<SkippedTrack>,
    pub(crate) texts: Vec<TextTrack>,
    pub(crate) samples: Vec<Sample>,
    pub(crate) clock: Timestamp,
    /// Payload lengths of repaired samples, by offset and track.
    pub(crate) repaired_lens: HashMap<(u64, u8), u32>,
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
    /// change in the middle of a film.
    #[must_use]
    pub fn tracks_at(&self, number: usize) -> Vec<Track> {
        self.described_at(number).into_iter().map(|described| described.track.clone()).collect()
    }

    /// As [`tracks_at`](Self::tracks_at), with all that describes them.
    #[must_use]
    pub fn described_at(&self, number: usize) -> Vec<DescribedTrack<'_>> {
        let media = self.tracks.iter().filter(|track| track.track.id.kind != MediaKind::Data);
        let at = self.samples.get(number).map(|sample| sample.dts);
        let changed = |id| self.changes.held_at(id, at?).map(Change::described);
        media.map(|indexed| changed(indexed.track.id).unwrap_or_else(|| indexed.described())).collect()
    }

    /// The number of the first sample behind `number` for which other configurations hold.
    #[must_use]
    pub fn next_change(&self, number: usize) -> Option<usize> {
        let here = self.samples.get(number)?.dts;
        self.changes.next_time(here).map(|from| self.before(from))
    }

    /// Whether any track takes another configuration in the middle.
    #[must_use]
    pub fn has_changes(&self) -> bool {
        !self.breaks().is_empty()
    }

    /// When any track takes another configuration, in order; each time once.
    pub(crate) fn breaks(&self) -> &[Timestamp] {
        self.changes.times()
    }

    /// All configurations of the track at that place among [`tracks`](Self::tracks), the first one first.
    pub fn configurations(&self, place: usize) -> impl Iterator<Item = DescribedTrack<'_>> {
        let first = self.tracks.get(place).map(IndexedTrack::described);
        let later = first.map_or(&[][..], |first| self.changes.of_track(first.track.id));
        first.into_iter().chain(later.iter().map(Change::described))
    }

    /// The payload of the file's own `onMetaData`; only FLV has one.
    #[must_use]
    pub const fn metadata(&self) -> Option<&Bytes> {
        self.metadata.as_ref()
    }

    /// Memory that it takes, in bytes, about.
    #[must_use]
    pub fn weight(&self) -> usize {
        let texts: usize = self.texts.iter().map(|text| size_of_val(text.samples())).sum();
        // A table of hashes keeps room for growing.
        let repaired = 2 * self.repaired_lens.len() * size_of::<((u64, u8), u32)>();
        size_of_val(self.samples()) + texts + repaired + self.changes.weight()
    }

    /// The tracks that are left out, and why.
    #[must_use]
    pub fn skipped(&self) -> &[SkippedTrack] {
        &self.skipped
    }

    /// The tracks of text, in the file's order.
    #[must_use]
    pub fn texts(&self) -> &[TextTrack] {
        &self.texts
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

    /// The earliest decoding time, 0 or a little before: what RTMP and FLV, which know no time below 0, subtract.
    #[must_use]
    pub fn origin(&self) -> Timestamp {
        self.samples.first().map_or(Timestamp::ZERO, |sample| sample.dts.min(Timestamp::ZERO))
    }

    /// What the file's own clock says at the first moment that is shown: added to a time of the index it is the time
    /// in the file.
    #[must_use]
    pub const fn clock(&self) -> Timestamp {
        self.clock
    }

    /// When what is shown last ends: how long the film is.
    #[must_use]
    pub fn duration(&self) -> Timestamp {
        let media = self.tracks.iter().filter(|track| track.track.id.kind != MediaKind::Data);
        media.map(|track| track.end).max().unwrap_or_default()
    }

    /// The number of the sample to decode in order to see what is shown at `at`: the last key frame
    /// of the picture at or before it (or the first, or, without pictures, the sound at that time).
    #[must_use]
    pub fn start_for(&self, at: Timestamp) -> usize {
        self.start_before(at).or_else(|| self.last_start(0)).unwrap_or(0)
    }

    /// The number of the key frame whose picture stands for what is shown at `at`: as
    /// [`start_for`](Self::start_for), but of those that are shown, if one is. Where pictures are renewed gradually
    /// (intra refresh) only the first key frame is a whole picture, so it stands for all.
    #[must_use]
    pub fn picture_for(&self, at: Timestamp) -> usize {
        let is_shown = |number: &usize| {
            self.is_start(*number) && !self.samples.get(*number).is_some_and(|s| s.decode_only)
        };
        let leader = self.tracks.iter().find(|track| track.track.id.kind == MediaKind::Video);
        let renews_gradually = leader.is_some_and(|leader| leader.renews_gradually);
        let start = if renews_gradually { 0 } else { self.start_for(at) };
        let before = (0..=start).rev().find(is_shown);
        before.or_else(|| (start..self.samples.len()).find(is_shown)).unwrap_or(start)
    }

    /// The number of the sample to begin with in order to play all tracks from `at` on: what is due from the key
    /// frame at or before it on; where there is none, what is heard from `at` on; the first one for 0.
    #[must_use]
    pub fn begin_at(&self, at: Timestamp) -> usize {
        if at <= Timestamp::ZERO {
            return 0;
        }
        let decoded = |start: usize| self.samples.get(start).map(|sample| sample.dts);
        let begins = self.start_before(at).and_then(decoded);
        // The first key frame may be decoded before `at` and shown behind it.
        let begins =
            begins.unwrap_or_else(|| self.last_start(0).and_then(decoded).map_or(at, |dts| dts.min(at)));
        self.before(begins).min(self.samples.len().saturating_sub(1))
    }

    fn start_before(&self, at: Timestamp) -> Option<usize> {
        let at = at + ROUNDING;
        let starts = |number: &usize| self.is_start(*number) && self.samples[*number].pts <= at;
        (0..self.before_or_at(at)).rev().find(starts)
    }

    /// How many samples there are up to the last that is shown before `time`.
    pub(crate) fn shown_before(&self, time: Timestamp) -> usize {
        let decoded = self.samples.get(..self.before(time)).unwrap_or_default();
        decoded.iter().rposition(|sample| sample.pts < time).map_or(0, |last| last + 1)
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
            let (from, needs_key) = if is_picture(place) { (at + ROUNDING, true) } else { (lead, false) };
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

    /// The samples behind `first` before which a configuration changes, in order, and the number of the change.
    pub(crate) fn changes_within(&self, first: usize, end: usize) -> Vec<(usize, usize)> {
        let numbered = self.changes.list().iter().enumerate();
        let placed = numbered.map(|(change, at)| (self.before(at.from), change));
        let mut within: Vec<_> = placed.filter(|(sample, _)| (first + 1..end).contains(sample)).collect();
        within.sort_unstable();
        within
    }

    /// The track of a change by its number.
    pub(crate) fn changed(&self, change: usize) -> Option<DescribedTrack<'_>> {
        self.changes.list().get(change).map(Change::described)
    }

    /// Notes what is wrong with the file.
    pub(crate) fn note(&mut self, note: String) {
        match self.notes.len() {
            ..NOTES_MAX => self.notes.push(note),
            NOTES_MAX => self.notes.push("more is wrong with it, which is not listed".to_owned()),
            _ => {}
        }
    }

    /// Notes a track that is left out.
    pub(crate) fn skip(&mut self, skipped: SkippedTrack) {
        if self.skipped.len() < SKIPPED_MAX {
            self.skipped.push(skipped);
        }
    }

    /// How long a sample lasts: until the next one of its track is decoded, or as long as the track's last one.
    pub(crate) fn lasts(&self, number: usize) -> Timestamp {
        let Some(sample) = self.samples.get(number) else { return Timestamp::ZERO };
        let of_track = |other: &&Sample| other.track == sample.track;
        let last =
            self.tracks.get(usize::from(sample.track)).map_or(Timestamp::ZERO, |track| track.last_lasts);
        let next = self.samples.iter().skip(number + 1).find(of_track);
        next.map_or(last, |next| next.dts - sample.dts).max(Timestamp::from_nanos(1))
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
        self.repaired_lens.get(&(sample.offset, sample.track)).copied().unwrap_or(sample.size)
    }

    /// The frame that a sample's bytes make.
    ///
    /// # Errors
    /// `Misuse` if the sample is not of this index; `Malformed` if bytes that have to be repaired are not
    /// those that were indexed.
    pub fn frame(&self, sample: &Sample, bytes: Bytes) -> Result<Frame, Error> {
        let track =
            self.track_of(sample).ok_or(Error::Misuse("a sample was used with the index of another file"))?;
        let payload = if sample.needs_repair { repair(track, &bytes)? } else { bytes };
        let Track { id, codec, .. } = *track;
        Ok(Frame { track: id, codec, dts: sample.dts, pts: sample.pts, key: sample.key, payload })
    }

    /// The track of a sample, as it is there.
    pub(crate) fn track_of(&self, sample: &Sample) -> Option<&Track> {
        let first = &self.tracks.get(usize::from(sample.track))?.track;
        Some(self.changes.held_at(first.id, sample.dts).map_or(first, |change| &change.track))
    }
}
