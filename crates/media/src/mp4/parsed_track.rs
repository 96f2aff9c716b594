//! The box of a track (`trak`) read: what the track is, and where its samples are described. Its samples are not looked at.

use super::boxes::{FourCc, children, required};
use super::entry::{Coding, Entry, kind_of, parse_stsd};
use super::headers::{handler_type, language, matrix, timescale, track_number};
use super::sample_table_reader::SampleTableReader;
use crate::index::{IndexedTrack, SkippedTrack};
use crate::{Error, MediaKind, Timestamp, Track, TrackId};

const NEITHER: &str = "it holds neither pictures nor sound";

/// A track box whose samples are of use.
pub(super) struct ParsedTrack<'a> {
    pub(super) indexed: IndexedTrack,
    pub(super) tables: SampleTableReader<'a>,
    pub(super) entries: Vec<Entry>,
    pub(super) handler: FourCc,
}

impl<'a> ParsedTrack<'a> {
    /// Reads it; the error is what of the track is said to have been left out, and why.
    pub(super) fn parse(trak: &'a [u8]) -> Result<Self, SkippedTrack> {
        let number = children(trak).find_kind(b"tkhd").and_then(|tkhd| track_number(tkhd).ok()).unwrap_or(0);
        let skipped = |kind, reason| SkippedTrack { number, kind, reason };
        let broken = |error: Error| skipped(FourCc(*b"trak"), error.to_string());
        let mdia = required(trak, b"mdia").map_err(broken)?;
        let handler = required(mdia, b"hdlr").and_then(handler_type).map_err(broken)?;
        let kind = match &handler.0 {
            b"vide" => MediaKind::Video,
            b"soun" => MediaKind::Audio,
            b"meta" => MediaKind::Data,
            _ => return Err(skipped(handler, NEITHER.to_owned())),
        };
        let timescale = required(mdia, b"mdhd").and_then(timescale).map_err(broken)?;
        let minf = required(mdia, b"minf").map_err(broken)?;
        let stbl = required(minf, b"stbl").map_err(broken)?;
        let stsd = required(stbl, b"stsd").map_err(broken)?;
        let entries = parse_stsd(stsd).map_err(broken)?;
        let known = entries.iter().find_map(|entry| match entry {
            Entry::Known(known) => Some(known.clone()),
            Entry::Other(..) => None,
        });
        let Some(Coding { codec, config, extra, entry }) = known else {
            return Err(match entries.into_iter().next() {
                Some(Entry::Other(kind, _)) if handler.0 == *b"meta" => skipped(kind, NEITHER.to_owned()),
                Some(Entry::Other(kind, reason)) => skipped(kind, reason),
                _ => skipped(handler, "it has no sample description".to_owned()),
            });
        };
        if kind_of(codec) != kind {
            return Err(skipped(handler, "its codec is not of the kind that it claims to hold".to_owned()));
        }
        let tables = SampleTableReader::parse(stbl).map_err(broken)?;
        let id = TrackId { kind, index: 0 };
        Ok(Self {
            indexed: IndexedTrack {
                track: Track { id, codec, config, extra },
                entry,
                number,
                orientation: children(trak)
                    .find_kind(b"tkhd")
                    .and_then(|tkhd| matrix(tkhd).ok())
                    .unwrap_or_default(),
                timescale,
                end: Timestamp::ZERO,
                renews_gradually: false,
                leads_in_whole: false,
                last_lasts: Timestamp::ZERO,
                language: children(mdia).find_kind(b"mdhd").and_then(|mdhd| language(mdhd).ok()?),
            },
            tables,
            entries,
            handler,
        })
    }
}
