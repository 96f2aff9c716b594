//! Tracks of text inside a film (3GPP timed text, WebVTT in MP4, TTML): where their samples lie, and when they are shown.

use bytes::Bytes;

use super::boxes::{Fields, FourCc, children, required};
use super::edits::{EditList, Part};
use super::fragments::{FragmentedTrack, SampleDefaults};
use super::headers::{handler_type, language, timescale, track_number};
use super::sample_budget::SampleBudget;
use super::sample_table_reader::{RawSample, SampleTableReader};
use crate::index::{SkippedTrack, TextFormat, TextSample, TextTrack};
use crate::{Error, Timestamp};

/// Cues of one track, at most: more than a very long film has.
pub(super) const CUES_MAX: usize = 100_000;

/// The numbers of the tracks whose text others name as their chapters.
pub(super) fn chapter_tracks(moov: &[u8]) -> Vec<u32> {
    let traks = children(moov).filter(|(kind, _)| kind.0 == *b"trak");
    let lists = traks.filter_map(|(_, trak)| children(children(trak).find_kind(b"tref")?).find_kind(b"chap"));
    lists.flat_map(|list| list.as_chunks::<4>().0).map(|number| u32::from_be_bytes(*number)).collect()
}

/// The file that texts are gathered from, and how much of it they may still use.
#[derive(Clone, Copy, Debug)]
pub(super) struct TextFile {
    pub(super) len: u64,
    pub(super) budget: SampleBudget,
}

/// A track of text while its samples are gathered, from its tables and from fragments.
#[derive(Clone, Debug)]
pub(super) struct TextBuilder {
    text: TextTrack,
    kind: FourCc,
    timescale: u32,
    edits: EditList,
    pub(super) defaults: SampleDefaults,
    next_dts: i64,
    /// Samples that were left out because they lie beyond the end of the file.
    pub(super) beyond_end: u64,
    /// There were more than [`CUES_MAX`].
    is_overfull: bool,
}

/// How far the samples of a text are gathered.
#[derive(Clone, Copy, Debug)]
pub(super) struct TextProgress {
    samples: usize,
    next_dts: i64,
    beyond_end: u64,
    is_overfull: bool,
}

impl TextBuilder {
    /// Reads a track if it is one of text; `None` if it is not. The error says why it is of no use.
    pub(super) fn read(
        trak: &[u8],
        movie_timescale: u32,
        chapters: &[u32],
        file: &mut TextFile,
        is_fragmented: bool,
    ) -> Option<Result<Self, SkippedTrack>> {
        let mdia = children(trak).find_kind(b"mdia")?;
        let handler =
            required(mdia, b"hdlr").and_then(handler_type).ok().filter(|handler| is_text(*handler))?;
        let number = children(trak).find_kind(b"tkhd").and_then(|tkhd| track_number(tkhd).ok()).unwrap_or(0);
        let skipped = |(kind, reason)| SkippedTrack { number, kind, reason };
        if chapters.contains(&number) {
            return Some(Err(skipped((handler, "it holds the titles of chapters".to_owned()))));
        }
        let mdhd = children(mdia).find_kind(b"mdhd");
        let timescale = mdhd.and_then(|mdhd| timescale(mdhd).ok()).unwrap_or(1000);
        let written = match Written::read(mdia) {
            Ok(written) => written,
            Err(why) => return Some(Err(skipped(why))),
        };
        let mut builder = Self {
            text: TextTrack {
                number,
                language: mdhd.and_then(|mdhd| language(mdhd).ok()?),
                format: written.format,
                config: Bytes::copy_from_slice(written.config),
                samples: Vec::new(),
            },
            kind: written.kind,
            timescale,
            edits: EditList::of(trak, timescale, movie_timescale, is_fragmented),
            defaults: SampleDefaults::default(),
            next_dts: 0,
            beyond_end: 0,
            is_overfull: false,
        };
        written.tables.walk(|raw| {
            // Behind one beyond the end another chunk may lie within the file.
            builder.push(&raw, file);
            !builder.is_overfull
        });
        Some(Ok(builder))
    }

    /// Adds a sample, at times of the media, unless it lies beyond the end of the file or is one too many: false.
    pub(super) fn push(&mut self, raw: &RawSample, file: &mut TextFile) -> bool {
        let at = |ticks: i64| Timestamp::from_ticks(ticks, self.timescale);
        let inside = raw.offset.checked_add(raw.size.into()).is_some_and(|end| end <= file.len);
        let is_affordable = file.budget.take(raw.size);
        self.is_overfull |= !is_affordable || inside && self.text.samples.len() >= CUES_MAX;
        self.beyond_end += u64::from(!inside);
        let is_taken = inside && !self.is_overfull;
        if is_taken {
            let (from, until) = (at(raw.dts), at(raw.dts.saturating_add(raw.duration.into())));
            let (offset, size, moved) = (raw.offset, raw.size, Timestamp::ZERO);
            self.text.samples.push(TextSample { offset, size, from, until, moved });
        }
        is_taken
    }

    /// How far it is gathered.
    pub(super) const fn progress(&self) -> TextProgress {
        let Self { next_dts, beyond_end, is_overfull, .. } = *self;
        TextProgress { samples: self.text.samples.len(), next_dts, beyond_end, is_overfull }
    }

    /// Back to where it was: a fragment is read again.
    pub(super) fn go_back(&mut self, progress: TextProgress) {
        self.text.samples.truncate(progress.samples);
        self.next_dts = progress.next_dts;
        self.beyond_end = progress.beyond_end;
        self.is_overfull = progress.is_overfull;
    }

    /// The track, its times those of the movie, as its edit list has them.
    pub(super) fn finish(mut self) -> Result<TextTrack, SkippedTrack> {
        let reason = if self.is_overfull {
            format!("it has more than {CUES_MAX} texts, or more than its file has bytes for")
        } else if self.text.samples.is_empty() {
            "its text is empty".to_owned()
        } else {
            self.text.samples = edited(&self.edits, &self.text.samples);
            return Ok(self.text);
        };
        Err(SkippedTrack { number: self.text.number, kind: self.kind, reason })
    }
}

impl FragmentedTrack for TextBuilder {
    fn number(&self) -> u32 {
        self.text.number
    }

    fn defaults(&self) -> SampleDefaults {
        self.defaults
    }

    fn next_dts(&mut self) -> &mut i64 {
        &mut self.next_dts
    }
}

/// How the text of a track is written, what its entry says of all of it, and where it lies.
struct Written<'a> {
    kind: FourCc,
    format: TextFormat,
    config: &'a [u8],
    tables: SampleTableReader<'a>,
}

impl<'a> Written<'a> {
    /// The error is what the entry is, and why it is of no use.
    fn read(mdia: &'a [u8]) -> Result<Self, (FourCc, String)> {
        /// References: what every entry begins with.
        const ENTRY_HEAD_LEN: usize = 8;
        let broken = |error: Error| (FourCc(*b"trak"), error.to_string());
        let stbl = required(mdia, b"minf").and_then(|minf| required(minf, b"stbl")).map_err(broken)?;
        let stsd =
            required(stbl, b"stsd").and_then(|stsd| Ok(Fields::full(stsd, "stsd")?.2)).map_err(broken)?;
        let entry = stsd.rest().get(4..).and_then(|entries| children(entries).next());
        let (kind, body) =
            entry.ok_or_else(|| (FourCc(*b"stsd"), "it has no sample description".to_owned()))?;
        let body = body.get(ENTRY_HEAD_LEN..).unwrap_or_default();
        let (format, config) = match &kind.0 {
            b"tx3g" => (TextFormat::Timed, &[][..]),
            b"wvtt" => (TextFormat::WebVtt, children(body).find_kind(b"vttC").unwrap_or_default()),
            b"stpp" if has_pictures(body) => return Err((kind, what_it_is(*b"mp4s").to_owned())),
            b"stpp" => (TextFormat::Ttml, &[][..]),
            other => return Err((kind, what_it_is(*other).to_owned())),
        };
        let tables = SampleTableReader::parse(stbl).map_err(broken)?;
        Ok(Self { kind, format, config, tables })
    }
}

/// Whether an entry of TTML says that its subtitles are pictures: the third of its strings (ISO 14496-12, 12.6.3.2).
fn has_pictures(entry: &[u8]) -> bool {
    let kinds = entry.split(|&byte| byte == 0).nth(2).unwrap_or_default();
    kinds.windows(6).any(|letters| letters == b"image/")
}

/// The samples that an edit list shows, at times of the movie.
fn edited(edits: &EditList, samples: &[TextSample]) -> Vec<TextSample> {
    let mut out = Vec::with_capacity(samples.len());
    for Part { media, moved } in edits.parts() {
        let shown = samples.iter().map(|sample| {
            let (from, until) = (sample.from.max(media.start) + moved, sample.until.min(media.end) + moved);
            TextSample { from, until, moved, ..*sample }
        });
        let room = CUES_MAX.saturating_sub(out.len());
        out.extend(shown.filter(|sample| sample.from < sample.until).take(room));
    }
    out
}

/// Whether a handler's tracks hold text or what stands for it.
const fn is_text(handler: FourCc) -> bool {
    matches!(&handler.0, b"text" | b"sbtl" | b"subt" | b"subp" | b"clcp")
}

/// Why such text does not become subtitles.
const fn what_it_is(entry: [u8; 4]) -> &'static str {
    match &entry {
        b"mp4s" => "its subtitles are pictures, which are not shown",
        b"c608" | b"c708" => "it holds closed captions, which are not converted",
        b"text" => "it is QuickTime text, which does not say how its letters are written",
        b"sbtt" | b"stxt" => "its text is of a form that is not converted",
        _ => "it holds neither pictures nor sound",
    }
}

impl TextTrack {
    /// From the file's clock to the film's time: `clock` becomes 0.
    pub(super) fn move_by(&mut self, clock: Timestamp) {
        for sample in &mut self.samples {
            sample.from = sample.from - clock;
            sample.until = sample.until - clock;
            sample.moved = sample.moved - clock;
        }
    }
}
