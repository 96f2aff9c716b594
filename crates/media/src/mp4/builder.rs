//! An MP4 file's index gathered: from `moov` and, of fragmented files, from every `moof`.

use super::boxes::children;
use super::continuation;
use super::edits::{EditList, Media};
use super::event_message::ScriptMessages;
use super::fragments::{FragmentedTrack, SampleDefaults, read_moof};
use super::headers::{movie_matrix, timescale};
use super::parsed_track::ParsedTrack;
use super::sample_budget::{SHARED_MAX, SampleBudget};
use super::text::{TextBuilder, TextFile, TextProgress, chapter_tracks};
use super::track_builder::{TrackBuilder, TrackProgress};
use crate::index::{Index, MAX_SAMPLES, SAMPLE_LEN_MAX, Sample, SkippedTrack};
use crate::presented;
use crate::{Error, MediaKind, Orientation, Timestamp};

/// The largest `moov` (or `moof`) that is read into memory, in bytes.
pub const MAX_MOOV_LEN: u64 = 250 * 1024 * 1024;
/// The largest number of tracks of one kind that are played.
pub const MAX_TRACKS: usize = 16;
/// And of all, with those that continue others: a recording of ours has as many as its head has room for, which is far less.
const ALL_TRACKS_MAX: usize = 250;

/// Gathers an [`Index`] from `moov` and fragments.
#[derive(Clone, Debug)]
pub(super) struct IndexBuilder {
    file_len: u64,
    /// What pictures and sound may still take of the file.
    budget: SampleBudget,
    text_file: TextFile,
    fragmented: bool,
    /// How many fragments there were.
    fragments: u64,
    tracks: Vec<TrackBuilder>,
    texts: Vec<TextBuilder>,
    script: ScriptMessages,
    /// Of each track.
    edits: Vec<EditList>,
    /// Of each track, which one before it it continues.
    continues: Vec<Option<usize>>,
    index: Index,
    /// How it was before the first fragment whose samples go beyond the end of the file.
    overrun: Option<Overrun>,
}

#[derive(Clone, Debug)]
struct Overrun {
    /// Where that fragment's `moof` begins.
    moof: u64,
    samples: usize,
    budget: SampleBudget,
    text_budget: SampleBudget,
    tracks: Vec<TrackProgress>,
    texts: Vec<TextProgress>,
    messages: usize,
}

impl IndexBuilder {
    pub(super) fn from_moov(moov: &[u8], file_len: u64) -> Result<Self, Error> {
        let movie_timescale = children(moov).find_kind(b"mvhd").and_then(|mvhd| timescale(mvhd).ok());
        let mvex = children(moov).find_kind(b"mvex");
        let turned = children(moov).find_kind(b"mvhd").and_then(|mvhd| movie_matrix(mvhd).ok());
        let turned = turned.unwrap_or_default();
        let mut builder = Self {
            file_len,
            budget: SampleBudget::of_file(file_len),
            text_file: TextFile { len: file_len, budget: SampleBudget::of_file(file_len) },
            fragmented: mvex.is_some(),
            fragments: 0,
            tracks: Vec::new(),
            texts: Vec::new(),
            script: ScriptMessages::default(),
            edits: Vec::new(),
            continues: Vec::new(),
            index: Index::default(),
            overrun: None,
        };
        let chapters = chapter_tracks(moov);
        for (_, trak) in children(moov).filter(|(kind, _)| kind.0 == *b"trak") {
            let movie_timescale = movie_timescale.unwrap_or(1000);
            let is_full = builder.texts.len() >= MAX_TRACKS;
            let text = &mut builder.text_file;
            match TextBuilder::read(trak, movie_timescale, &chapters, text, mvex.is_some()) {
                Some(Ok(text)) if !is_full => builder.texts.push(text),
                Some(Ok(_)) => {}
                Some(Err(skipped)) => builder.index.skip(skipped),
                None => builder.add_track(trak, movie_timescale, turned)?,
            }
        }
        for (_, trex) in mvex.into_iter().flat_map(children).filter(|(kind, _)| kind.0 == *b"trex") {
            let Ok((number, defaults)) = SampleDefaults::parse_trex(trex) else { continue };
            let track = builder.tracks.iter_mut().find(|track| track.number() == number);
            if let Some(track) = track {
                track.defaults = defaults;
            } else if let Some(text) = builder.texts.iter_mut().find(|text| text.number() == number) {
                text.defaults = defaults;
            }
        }
        Ok(builder)
    }

    pub(super) const fn is_fragmented(&self) -> bool {
        self.fragmented
    }

    /// Takes the body of a `moof` box that starts at `position`.
    pub(super) fn add_fragment(&mut self, moof: &[u8], position: u64) -> Result<(), Error> {
        let before = self.overrun.is_none().then(|| Overrun {
            moof: position,
            samples: self.index.samples.len(),
            budget: self.budget,
            text_budget: self.text_file.budget,
            tracks: self.tracks.iter().map(TrackBuilder::progress).collect(),
            texts: self.texts.iter().map(TextBuilder::progress).collect(),
            messages: self.script.len(),
        });
        self.fragments += 1;
        let beyond_end = self.beyond_end();
        let added = self.add_samples(moof, position);
        if self.beyond_end() > beyond_end {
            self.overrun = self.overrun.take().or(before);
        }
        added
    }

    /// Takes the body of an `emsg` box, which starts at byte `at`.
    pub(super) fn add_message(&mut self, body: &[u8], at: u64) {
        if (self.index.samples.len() + self.script.len()) as u64 >= MAX_SAMPLES {
            return;
        }
        if let Err(error) = self.script.add(body, at) {
            self.index.note(format!("the message at byte {at} is left out: {error}"));
        }
    }

    /// The file has grown. Where to go on, if that is not behind the last box: what could not be used of a
    /// fragment is read again.
    pub(super) fn grow(&mut self, file_len: u64) -> Option<u64> {
        let by = file_len.saturating_sub(self.file_len);
        (self.file_len, self.text_file.len) = (file_len, file_len);
        let overrun = self.overrun.take();
        if let Some(Overrun { budget, text_budget, .. }) = &overrun {
            (self.budget, self.text_file.budget) = (*budget, *text_budget);
        }
        self.budget.grow(by);
        self.text_file.budget.grow(by);
        let Overrun { moof, samples, tracks, texts, messages, .. } = overrun?;
        self.script.truncate(messages);
        self.index.samples.truncate(samples);
        self.tracks.iter_mut().zip(tracks).for_each(|(track, progress)| track.go_back(progress));
        self.texts.iter_mut().zip(texts).for_each(|(text, progress)| text.go_back(progress));
        Some(moof)
    }

    fn beyond_end(&self) -> u64 {
        let texts: u64 = self.texts.iter().map(|text| text.beyond_end).sum();
        texts + self.tracks.iter().map(|track| track.beyond_end).sum::<u64>()
    }

    fn add_samples(&mut self, moof: &[u8], position: u64) -> Result<(), Error> {
        let Self { tracks, texts, index, file_len, budget, text_file, .. } = self;
        if !texts.is_empty() {
            let read = read_moof(moof, position, texts, |text, _, sample| text.push(&sample, text_file));
            if let Err(error) = read {
                index.note(format!("the text of the fragment at byte {position} is left out: {error}"));
            }
        }
        let mut overrun = None;
        let read = read_moof(moof, position, tracks, |track, number, sample| {
            if !budget.take(sample.size) {
                return false;
            }
            track.push(&mut index.samples, number, &sample, *file_len);
            let seen = index.samples.len() as u64 + track.beyond_end + track.undescribed;
            if seen > MAX_SAMPLES {
                overrun = Some(too_many(seen));
            }
            overrun.is_none()
        });
        match (overrun, read) {
            (Some(error), _) => Err(error),
            (None, Ok(())) => Ok(()),
            (None, Err(error)) => {
                index.note(format!("the fragment at byte {position} is left out: {error}"));
                Ok(())
            }
        }
    }

    pub(super) fn finish(mut self) -> Result<Index, Error> {
        for text in std::mem::take(&mut self.texts) {
            match text.finish() {
                Ok(text) => self.index.texts.push(text),
                Err(skipped) => self.index.skip(skipped),
            }
        }
        if self.tracks.is_empty() {
            let mut reason = "it has no track that can be played".to_owned();
            for track in &self.index.skipped {
                reason.push_str(&format!("; track {} ({}): {}", track.number, track.kind, track.reason));
            }
            return Err(Error::malformed("MP4 file", reason));
        }
        if self.index.samples.is_empty() {
            return Err(Error::malformed("MP4 file", self.why_empty()));
        }
        self.note_left_out();
        self.present();
        Ok(self.index)
    }

    /// Says which samples of the tracks were left out, and why.
    fn note_left_out(&mut self) {
        for track in &self.tracks {
            if track.beyond_end > 0 {
                self.index.note(format!(
                    "track {}: {} samples lie beyond the end of the file and are left out",
                    track.indexed.number, track.beyond_end
                ));
            }
            if track.oversized > 0 {
                let (number, count) = (track.indexed.number, track.oversized);
                self.index.note(format!(
                    "track {number}: {count} samples are longer than {} MiB and are left out",
                    SAMPLE_LEN_MAX >> 20
                ));
            }
            if let Some(why) = &track.undescribed_why {
                let (number, count) = (track.indexed.number, track.undescribed);
                self.index.note(format!("track {number}: {count} samples are left out: {why}"));
            }
        }
        if self.budget.is_overdrawn() {
            self.index.note(format!(
                "its tables name more samples than its bytes can hold, {SHARED_MAX} times over and more; further ones are left out"
            ));
        }
    }

    /// Puts what was gathered on the film's presented time.
    fn present(&mut self) {
        let Self { tracks, index, edits, continues, fragmented, file_len, script, .. } = self;
        let samples_max =
            SampleBudget::samples_max(*file_len).max(index.samples.len()).min(MAX_SAMPLES as usize);
        decode_before_show(&mut index.samples, tracks.len());
        // Each track's own order is kept.
        index.samples.sort_by_key(|sample| sample.track);
        let gathered = std::mem::take(&mut index.samples);
        let mut samples = Vec::with_capacity(gathered.len());
        let mut shown = Vec::with_capacity(tracks.len());
        let mut rest = gathered.as_slice();
        for (number, (track, edits)) in tracks.iter_mut().zip(edits).enumerate() {
            let own = rest.partition_point(|sample| usize::from(sample.track) <= number);
            let (own, others) = rest.split_at(own);
            rest = others;
            let is_video = track.indexed.track.id.kind == MediaKind::Video;
            let last_lasts = track.last_lasts(*fragmented);
            // Tables that name none, all or a single one say nothing of the pictures of most codecs.
            let has_several = own.iter().filter(|sample| sample.key).nth(1).is_some();
            let says = has_several && own.iter().any(|sample| !sample.key);
            let has_known_keys = !is_video || own.len() < 2 || says;
            track.indexed.leads_in_whole = !has_known_keys && edits.is_followed();
            let media = Media { samples: own, is_video, has_known_keys, last_lasts };
            let before = samples.len();
            edits.afford(own.len());
            let range = edits.place(&media, samples_max, &mut samples);
            if samples.len() == samples_max && edits.is_followed() {
                index.note(format!(
                    "track {}: its edit list repeats more than is followed",
                    track.indexed.number
                ));
            }
            let own_notes = match (&edits.note, own.is_empty() || samples.len() > before) {
                (note, true) => note.clone(),
                (_, false) => Some("its edit list shows nothing of it".to_owned()),
            };
            if let Some(note) = own_notes {
                index.note(format!("track {}: {note}", track.indexed.number));
            }
            let last = samples[before..].iter().filter(|sample| !sample.decode_only).map(|s| s.pts).max();
            track.indexed.last_lasts = last.map_or(Timestamp::ZERO, |last| range.end - last);
            shown.push(range);
        }
        index.samples = samples;
        index.tracks = tracks.iter().map(|track| track.indexed.clone()).collect();
        if script.put_into(index) {
            shown.push(Timestamp::ZERO..Timestamp::ZERO);
        }
        let (clock, notes) =
            presented::settle(&mut index.tracks, &mut shown, &mut index.samples, &mut index.changes);
        index.clock = clock;
        index.notes.extend(notes);
        for (number, track) in tracks.iter_mut().enumerate() {
            track.describe(index, number);
            if let Some(indexed) = index.tracks.get_mut(number) {
                indexed.track.clone_from(&track.indexed.track);
                indexed.entry.clone_from(&track.indexed.entry);
            }
        }
        index.changes.settle(Timestamp::ZERO);
        index.join(continues);
        index.texts.iter_mut().for_each(|text| text.move_by(clock));
    }

    /// Why there are tracks and no sample.
    fn why_empty(&self) -> String {
        let undescribed = self.tracks.iter().find_map(|track| track.undescribed_why.as_deref());
        if self.beyond_end() > 0 {
            return "all its samples lie beyond its end: it is incomplete; copy it again".to_owned();
        }
        match undescribed {
            Some(why) => format!("none of its samples can be played: {why}"),
            None if self.fragments > 0 => "its fragments hold no sample that can be played".to_owned(),
            None if self.fragmented => {
                "it is an initialisation segment alone: it has no sample; play the playlist \
                that it belongs to, or put both into one file: cat init.mp4 SEGMENTS > film.mp4"
                    .to_owned()
            }
            None => "it describes tracks and has no sample".to_owned(),
        }
    }

    /// Which number among those of its kind a further track gets, and which one before it it continues; nothing if there
    /// are too many.
    fn seat(&self, trak: &[u8], kind: MediaKind, max: usize) -> Option<(u8, Option<usize>)> {
        let of_kind = |place: &usize| self.tracks[*place].indexed.track.id.kind == kind;
        let before = (0..self.tracks.len()).filter(of_kind);
        let continued = continuation::read(trak).filter(|_| kind != MediaKind::Data);
        let continued = continued
            .and_then(|number| before.clone().find(|&place| self.tracks[place].number() == number))
            // Which may continue another one itself.
            .map(|place| self.continues[place].unwrap_or(place));
        let alone = before.clone().filter(|&place| self.continues[place].is_none()).count();
        let has_room = (continued.is_some() || alone < max) && self.tracks.len() < ALL_TRACKS_MAX;
        has_room.then(|| (before.count() as u8, continued))
    }

    fn add_track(&mut self, trak: &[u8], movie_timescale: u32, turned: Orientation) -> Result<(), Error> {
        let parsed = match ParsedTrack::parse(trak) {
            Ok(parsed) => parsed,
            Err(skipped) => {
                self.index.skip(skipped);
                return Ok(());
            }
        };
        let ParsedTrack { mut indexed, tables, entries, handler } = parsed;
        indexed.orientation = indexed.orientation.then(turned);
        let id = &mut indexed.track.id;
        let (max, kind) = most_of(id.kind);
        let Some((number, continued)) = self.seat(trak, id.kind, max) else {
            let reason = format!("only the first {max} {kind} tracks are played");
            self.index.skip(SkippedTrack { number: indexed.number, kind: handler, reason });
            return Ok(());
        };
        id.index = number;
        let total = self.index.samples.len() as u64 + u64::from(tables.count());
        if total > MAX_SAMPLES {
            return Err(too_many(total));
        }
        self.continues.push(continued);
        self.edits.push(EditList::of(trak, indexed.timescale, movie_timescale, self.fragmented));
        let number = self.tracks.len() as u8;
        let mut track = TrackBuilder::new(indexed, entries);
        let without_place = tables.walk(|sample| {
            let is_within = self.budget.take(sample.size);
            if is_within {
                track.push(&mut self.index.samples, number, &sample, self.file_len);
            }
            is_within
        });
        let label = track.indexed.number;
        if without_place > 0 {
            self.index
                .note(format!("track {label}: {without_place} samples lie in no chunk and are left out"));
        }
        self.tracks.push(track);
        Ok(())
    }
}

/// How many tracks of a kind are played, and what they are called.
const fn most_of(kind: MediaKind) -> (usize, &'static str) {
    match kind {
        MediaKind::Video => (MAX_TRACKS, "video"),
        MediaKind::Audio => (MAX_TRACKS, "audio"),
        MediaKind::Data => (1, "script data"),
    }
}

/// Films may show pictures before their decoding time (composition offsets below zero in place of an edit list).
/// What reads them wants decoding first, so all of such a track is decoded earlier; when it is shown stays.
fn decode_before_show(samples: &mut [Sample], tracks: usize) {
    let mut earliest = vec![Timestamp::ZERO; tracks];
    for sample in &*samples {
        let earliest = &mut earliest[usize::from(sample.track)];
        *earliest = (*earliest).min(sample.pts - sample.dts);
    }
    if earliest.iter().any(|&earliest| earliest < Timestamp::ZERO) {
        for sample in samples {
            sample.dts = sample.dts + earliest[usize::from(sample.track)];
        }
    }
}

fn too_many(found: u64) -> Error {
    Error::limit("number of MP4 samples", found, MAX_SAMPLES)
}

#[cfg(test)]
mod tests;
