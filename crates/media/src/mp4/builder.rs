//! An MP4 file's index gathered: from `moov` and, of fragmented files, from every `moof`.

use super::boxes::{Fields, FourCc, children, required};
use super::entry::{Entry, SampleEntry, is_video, parse_stsd};
use super::fragments::read_moof;
use super::sample_table_reader::SampleTableReader;
use super::track_builder::{SampleDefaults, TrackBuilder};
use crate::index::{Index, IndexedTrack, MAX_SAMPLES, Sample, SkippedTrack};
use crate::{Error, MediaKind, Timestamp, Track, TrackId};

/// The largest `moov` (or `moof`) that is read into memory, in bytes.
pub const MAX_MOOV_LEN: u64 = 250 * 1024 * 1024;
/// The largest number of tracks of one kind that are played.
pub const MAX_TRACKS: usize = 16;

/// Gathers an [`Index`] from `moov` and fragments.
#[derive(Clone, Debug)]
pub(super) struct IndexBuilder {
    file_len: u64,
    fragmented: bool,
    tracks: Vec<TrackBuilder>,
    index: Index,
    /// How it was before the first fragment whose samples go beyond the end of the file.
    overrun: Option<Overrun>,
}

#[derive(Clone, Debug)]
struct Overrun {
    /// Where that fragment's `moof` begins.
    moof: u64,
    samples: usize,
    tracks: Vec<TrackBuilder>,
}

impl IndexBuilder {
    pub(super) fn from_moov(moov: &[u8], file_len: u64) -> Result<Self, Error> {
        let movie_timescale = children(moov).find_kind(b"mvhd").and_then(|mvhd| timescale(mvhd).ok());
        let mvex = children(moov).find_kind(b"mvex");
        let mut builder = Self {
            file_len,
            fragmented: mvex.is_some(),
            tracks: Vec::new(),
            index: Index::default(),
            overrun: None,
        };
        for (_, trak) in children(moov).filter(|(kind, _)| kind.0 == *b"trak") {
            builder.add_track(trak, movie_timescale.map_or(1000, |(scale, _)| scale))?;
        }
        for (_, trex) in mvex.into_iter().flat_map(children).filter(|(kind, _)| kind.0 == *b"trex") {
            if let Ok((number, defaults)) = SampleDefaults::parse_trex(trex)
                && let Some(track) = builder.tracks.iter_mut().find(|track| track.indexed.number == number)
            {
                track.defaults = defaults;
            }
        }
        Ok(builder)
    }

    pub(super) const fn is_fragmented(&self) -> bool {
        self.fragmented
    }

    /// Takes the body of a `moof` box that starts at `position`.
    pub(super) fn add_fragment(&mut self, moof: &[u8], position: u64) -> Result<(), Error> {
        let before =
            Overrun { moof: position, samples: self.index.samples.len(), tracks: self.tracks.clone() };
        let beyond_end = self.beyond_end();
        let added = self.add_samples(moof, position);
        if self.beyond_end() > beyond_end {
            self.overrun.get_or_insert(before);
        }
        added
    }

    /// The file has grown. Where to go on, if that is not behind the last box: what could not be used of a
    /// fragment is read again.
    pub(super) fn grow(&mut self, file_len: u64) -> Option<u64> {
        self.file_len = file_len;
        let Overrun { moof, samples, tracks } = self.overrun.take()?;
        self.index.samples.truncate(samples);
        self.tracks = tracks;
        Some(moof)
    }

    fn beyond_end(&self) -> u64 {
        self.tracks.iter().map(|track| track.beyond_end).sum()
    }

    fn add_samples(&mut self, moof: &[u8], position: u64) -> Result<(), Error> {
        let Self { tracks, index, file_len, .. } = self;
        let mut overrun = None;
        let read = read_moof(moof, position, tracks, |track, number, sample| {
            track.push(&mut index.samples, number, &sample, *file_len);
            let seen = index.samples.len() as u64 + track.beyond_end;
            if seen > MAX_SAMPLES {
                overrun = Some(too_many(seen));
            }
            overrun.is_none()
        });
        match (overrun, read) {
            (Some(error), _) => Err(error),
            (None, Ok(())) => Ok(()),
            (None, Err(error)) => {
                index.notes.push(format!("the fragment at byte {position} is left out: {error}"));
                Ok(())
            }
        }
    }

    pub(super) fn finish(mut self) -> Result<Index, Error> {
        if self.tracks.is_empty() {
            let mut reason = "it has no track that can be played".to_owned();
            for track in &self.index.skipped {
                reason.push_str(&format!("; track {} ({}): {}", track.number, track.kind, track.reason));
            }
            return Err(Error::malformed("MP4 file", reason));
        }
        for track in &self.tracks {
            if track.beyond_end > 0 {
                self.index.notes.push(format!(
                    "track {}: {} samples lie beyond the end of the file and are left out",
                    track.indexed.number, track.beyond_end
                ));
            }
        }
        decode_before_show(&mut self.index.samples, self.tracks.len());
        // A stable sort keeps each track's own order also where its times stand still.
        self.index.samples.sort_by_key(|sample| sample.dts);
        self.index.tracks = self.tracks.into_iter().map(|track| track.indexed).collect();
        Ok(self.index)
    }

    fn add_track(&mut self, trak: &[u8], movie_timescale: u32) -> Result<(), Error> {
        let parsed = match ParsedTrack::parse(trak) {
            Ok(parsed) => parsed,
            Err(skipped) => {
                self.index.skipped.push(skipped);
                return Ok(());
            }
        };
        let ParsedTrack { mut indexed, tables, entry } = parsed;
        let id = &mut indexed.track.id;
        let before = self.tracks.iter().filter(|track| track.indexed.track.id.kind == id.kind).count();
        if before >= MAX_TRACKS {
            let kind = if id.kind == MediaKind::Video { "video" } else { "audio" };
            let reason = format!("only the first {MAX_TRACKS} {kind} tracks are played");
            self.index.skipped.push(SkippedTrack { number: indexed.number, kind: entry, reason });
            return Ok(());
        }
        id.index = before as u8;
        let total = self.index.samples.len() as u64 + u64::from(tables.count());
        if total > MAX_SAMPLES {
            return Err(too_many(total));
        }
        let (shift, more_edits) = edit_shift(trak, indexed.timescale, movie_timescale);
        let number = self.tracks.len() as u16;
        let mut track = TrackBuilder::new(indexed, shift);
        let leftover = tables.walk(|sample| {
            track.push(&mut self.index.samples, number, &sample, self.file_len);
        });
        let label = track.indexed.number;
        if leftover.without_place > 0 {
            let count = leftover.without_place;
            self.index.notes.push(format!("track {label}: {count} samples lie in no chunk and are left out"));
        }
        if leftover.other_description > 0 {
            let count = leftover.other_description;
            self.index.notes.push(format!(
                "track {label}: {count} samples need a second configuration, which is not supported; left out"
            ));
        }
        if more_edits {
            self.index.notes.push(format!("track {label}: only the start of its edit list is followed"));
        }
        self.tracks.push(track);
        Ok(())
    }
}

/// A track box whose samples are of use.
struct ParsedTrack<'a> {
    indexed: IndexedTrack,
    tables: SampleTableReader<'a>,
    entry: FourCc,
}

impl<'a> ParsedTrack<'a> {
    fn parse(trak: &'a [u8]) -> Result<Self, SkippedTrack> {
        let number = children(trak).find_kind(b"tkhd").and_then(|tkhd| track_number(tkhd).ok()).unwrap_or(0);
        let skipped = |kind, reason| SkippedTrack { number, kind, reason };
        let broken = |error: Error| skipped(FourCc(*b"trak"), error.to_string());
        let mdia = required(trak, b"mdia").map_err(broken)?;
        let handler = required(mdia, b"hdlr").and_then(handler_type).map_err(broken)?;
        let kind = match &handler.0 {
            b"vide" => MediaKind::Video,
            b"soun" => MediaKind::Audio,
            _ => return Err(skipped(handler, "it holds neither pictures nor sound".to_owned())),
        };
        let (timescale, duration) = required(mdia, b"mdhd").and_then(timescale).map_err(broken)?;
        let minf = required(mdia, b"minf").map_err(broken)?;
        let stbl = required(minf, b"stbl").map_err(broken)?;
        let stsd = required(stbl, b"stsd").map_err(broken)?;
        let SampleEntry { codec, config, extra } = match parse_stsd(stsd).map_err(broken)? {
            Entry::Known(known) => known,
            Entry::Other(entry, reason) => return Err(skipped(entry, reason)),
        };
        if is_video(codec) != (kind == MediaKind::Video) {
            return Err(skipped(handler, "its codec is not of the kind that it claims to hold".to_owned()));
        }
        let tables = SampleTableReader::parse(stbl).map_err(broken)?;
        let id = TrackId { kind, index: 0 };
        Ok(Self {
            indexed: IndexedTrack {
                track: Track { id, codec, config, extra },
                number,
                timescale,
                duration: Timestamp::from_ticks(i64::try_from(duration).unwrap_or(0), timescale),
                language: children(mdia).find_kind(b"mdhd").and_then(|mdhd| language(mdhd).ok()?),
            },
            tables,
            entry: handler,
        })
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

/// Timescale and duration of `mvhd` or `mdhd`.
fn timescale(body: &[u8]) -> Result<(u32, u64), Error> {
    let (version, _, mut fields) = Fields::full(body, "mdhd")?;
    let wide = version == 1;
    fields.skip(if wide { 16 } else { 8 })?;
    let timescale = fields.u32()?;
    if timescale == 0 {
        return Err(Error::malformed("mdhd", "its timescale is 0"));
    }
    let unknown = if wide { u64::MAX } else { u64::from(u32::MAX) };
    let duration = fields.sized(wide)?;
    Ok((timescale, if duration == unknown { 0 } else { duration }))
}

/// The language of `mdhd`: three letters of five bits each; none where it says "undetermined".
fn language(mdhd: &[u8]) -> Result<Option<String>, Error> {
    let (version, _, mut fields) = Fields::full(mdhd, "mdhd")?;
    fields.skip(if version == 1 { 28 } else { 16 })?;
    let packed = fields.u16()?;
    let letter = |shift: u16| char::from(0x60 + (packed >> shift & 0x1F) as u8);
    let code: String = [letter(10), letter(5), letter(0)].into_iter().collect();
    let is_code = code.bytes().all(|letter| letter.is_ascii_lowercase()) && code != "und";
    Ok(is_code.then_some(code))
}

fn track_number(tkhd: &[u8]) -> Result<u32, Error> {
    let (version, _, mut fields) = Fields::full(tkhd, "tkhd")?;
    fields.skip(if version == 1 { 16 } else { 8 })?;
    fields.u32()
}

fn handler_type(hdlr: &[u8]) -> Result<FourCc, Error> {
    let (_, _, mut fields) = Fields::full(hdlr, "hdlr")?;
    fields.skip(4)?;
    fields.array().map(FourCc)
}

/// What the start of the edit list adds to all times of the track, in its ticks (6.3), and whether there
/// is more in the list. A list that cannot be read changes nothing.
fn edit_shift(trak: &[u8], timescale: u32, movie_timescale: u32) -> (i64, bool) {
    let elst = children(trak).find_kind(b"edts").and_then(|edts| children(edts).find_kind(b"elst"));
    let read = |elst| -> Result<(i64, bool), Error> {
        let (version, _, mut fields) = Fields::full(elst, "elst")?;
        let wide = version == 1;
        let count = fields.u32()?;
        let mut shift = 0i64;
        for entry in 0..count {
            let duration = fields.sized(wide)?;
            let media_time = if wide { fields.u64()? as i64 } else { i64::from(fields.u32()? as i32) };
            fields.skip(4)?;
            if media_time < 0 && entry == 0 {
                let delay = i64::try_from(duration).unwrap_or(0);
                shift = Timestamp::from_ticks(delay, movie_timescale).to_ticks(timescale);
            } else {
                return Ok((shift.saturating_sub(media_time.max(0)), entry + 1 < count));
            }
        }
        Ok((shift, false))
    };
    elst.and_then(|elst| read(elst).ok()).unwrap_or((0, false))
}

#[cfg(test)]
mod tests;
