//! Tracks of text inside a film (3GPP timed text, WebVTT in MP4), and their cues as WebVTT.

use std::collections::HashMap;

use bytes::Bytes;

use super::boxes::{Fields, FourCc, children, required};
use super::edits::{EditList, Media};
use super::headers::{handler_type, language, timescale, track_number};
use super::sample_table_reader::SampleTableReader;
use crate::index::{Sample, SkippedTrack, TextFormat, TextSample, TextTrack};
use crate::{Error, Timestamp};

/// Cues of one track, at most: more than a very long film has.
const CUES_MAX: usize = 100_000;

/// The numbers of the tracks whose text others name as their chapters.
pub(super) fn chapter_tracks(moov: &[u8]) -> Vec<u32> {
    let traks = children(moov).filter(|(kind, _)| kind.0 == *b"trak");
    let lists = traks.filter_map(|(_, trak)| children(children(trak).find_kind(b"tref")?).find_kind(b"chap"));
    lists.flat_map(|list| list.as_chunks::<4>().0).map(|number| u32::from_be_bytes(*number)).collect()
}

/// Reads a track if it is one of text; `None` if it is not. The error says why it is of no use. Its times are those of
/// the movie, as its edit list has them.
pub(super) fn read_text(
    trak: &[u8],
    movie_timescale: u32,
    chapters: &[u32],
    file_len: u64,
) -> Option<Result<TextTrack, SkippedTrack>> {
    let mdia = children(trak).find_kind(b"mdia")?;
    let handler = required(mdia, b"hdlr").and_then(handler_type).ok().filter(|handler| is_text(*handler))?;
    let number = children(trak).find_kind(b"tkhd").and_then(|tkhd| track_number(tkhd).ok()).unwrap_or(0);
    let skipped = |(kind, reason)| SkippedTrack { number, kind, reason };
    if chapters.contains(&number) {
        return Some(Err(skipped((handler, "it holds the titles of chapters".to_owned()))));
    }
    let mdhd = children(mdia).find_kind(b"mdhd");
    let scale = mdhd.and_then(|mdhd| timescale(mdhd).ok()).unwrap_or(1000);
    let edits = EditList::of(trak, scale, movie_timescale, false);
    let read = read_samples(mdia, scale, file_len).map_err(skipped);
    Some(read.map(|(format, config, samples)| TextTrack {
        number,
        language: mdhd.and_then(|mdhd| language(mdhd).ok()?),
        format,
        config: Bytes::copy_from_slice(config),
        samples: edited(&edits, &samples),
    }))
}

/// How the text of a track is written, what its entry says of all of it, and where it lies, at times of the media.
type Written<'a> = (TextFormat, &'a [u8], Vec<TextSample>);

/// The error is what the entry is, and why it is of no use.
fn read_samples(mdia: &[u8], timescale: u32, file_len: u64) -> Result<Written<'_>, (FourCc, String)> {
    /// References: what every entry begins with.
    const ENTRY_HEAD_LEN: usize = 8;
    let broken = |error: Error| (FourCc(*b"trak"), error.to_string());
    let stbl = required(mdia, b"minf").and_then(|minf| required(minf, b"stbl")).map_err(broken)?;
    let stsd = required(stbl, b"stsd").and_then(|stsd| Ok(Fields::full(stsd, "stsd")?.2)).map_err(broken)?;
    let entry = stsd.rest().get(4..).and_then(|entries| children(entries).next());
    let (kind, body) = entry.ok_or_else(|| (FourCc(*b"stsd"), "it has no sample description".to_owned()))?;
    let (format, config) = match &kind.0 {
        b"tx3g" => (TextFormat::Timed, &[][..]),
        b"wvtt" => {
            let boxes = children(body.get(ENTRY_HEAD_LEN..).unwrap_or_default());
            (TextFormat::WebVtt, boxes.find_kind(b"vttC").unwrap_or_default())
        }
        other => return Err((kind, what_it_is(*other).to_owned())),
    };
    let tables = SampleTableReader::parse(stbl).map_err(broken)?;
    if tables.count() == 0 {
        return Err((
            kind,
            "its text is empty, or lies in fragments, which are not read for text".to_owned(),
        ));
    }
    let mut samples: Vec<TextSample> = Vec::new();
    tables.walk(|raw| {
        let at = |ticks: i64| Timestamp::from_ticks(ticks, timescale);
        let inside = raw.offset.checked_add(raw.size.into()).is_some_and(|end| end <= file_len);
        if inside && samples.len() < CUES_MAX {
            let (from, until) = (at(raw.dts), at(raw.dts.saturating_add(raw.duration.into())));
            samples.push(TextSample { offset: raw.offset, size: raw.size, from, until });
        }
    });
    Ok((format, config, samples))
}

/// The samples that an edit list shows, at times of the movie.
fn edited(edits: &EditList, samples: &[TextSample]) -> Vec<TextSample> {
    let lasts = |sample: &TextSample| sample.until - sample.from;
    // An edit list is followed as for sound: any sample can be begun with.
    let placed = |sample: &TextSample| Sample {
        offset: sample.offset,
        dts: sample.from,
        pts: sample.from,
        size: sample.size,
        track: 0,
        key: true,
        decode_only: false,
        needs_repair: false,
    };
    let media: Vec<Sample> = samples.iter().map(placed).collect();
    let last_lasts = samples.last().map_or(Timestamp::ZERO, lasts);
    let mut out = Vec::with_capacity(media.len());
    let shown = edits.place(&Media { samples: &media, is_video: false, last_lasts }, CUES_MAX, &mut out);
    let by_offset: HashMap<u64, &TextSample> = samples.iter().map(|sample| (sample.offset, sample)).collect();
    let text = |sample: &Sample| {
        let lasts = by_offset.get(&sample.offset).map_or(Timestamp::ZERO, |text| lasts(text));
        let (from, until) = (sample.pts.max(shown.start), (sample.pts + lasts).min(shown.end));
        TextSample { offset: sample.offset, size: sample.size, from, until }
    };
    out.iter().filter(|sample| !sample.decode_only).map(text).collect()
}

/// Whether a handler's tracks hold text or what stands for it.
const fn is_text(handler: FourCc) -> bool {
    matches!(&handler.0, b"text" | b"sbtl" | b"subt" | b"subp" | b"clcp")
}

/// Why such text does not become subtitles.
const fn what_it_is(entry: [u8; 4]) -> &'static str {
    match &entry {
        b"stpp" => "its subtitles are TTML, which is not converted; put them beside the film as WebVTT",
        b"mp4s" => "its subtitles are pictures, which are not shown",
        b"c608" | b"c708" => "it holds closed captions, which are not converted",
        b"text" => "it is QuickTime text, which does not say how its letters are written",
        b"sbtt" | b"stxt" => "its text is of a form that is not converted",
        _ => "it holds neither pictures nor sound",
    }
}

/// One text on the picture.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Cue {
    from: Timestamp,
    until: Timestamp,
    /// Where it is shown, in WebVTT's words; empty where it is usual.
    settings: String,
    text: String,
}

impl TextTrack {
    /// From the file's clock to the film's time: `clock` becomes 0.
    pub(super) fn move_by(&mut self, clock: Timestamp) {
        for sample in &mut self.samples {
            (sample.from, sample.until) = (sample.from - clock, sample.until - clock);
        }
    }

    /// The track as a WebVTT file, its times those of the film. `payloads` are those of all its samples, in order; what
    /// of them cannot be read is left out.
    #[must_use]
    pub fn to_webvtt(&self, payloads: &[Bytes]) -> String {
        let mut cues: Vec<Cue> = Vec::new();
        for (sample, payload) in self.samples.iter().zip(payloads) {
            for (settings, text) in self.texts_of(payload) {
                let TextSample { from, until, .. } = *sample;
                // A cue that goes on over several samples stands in each of them.
                let before = cues
                    .iter_mut()
                    .rev()
                    .take(16)
                    .find(|cue| cue.until == from && cue.settings == settings && cue.text == text);
                match before {
                    Some(before) => before.until = until,
                    None => cues.push(Cue { from, until, settings, text }),
                }
            }
        }
        let mut out = self.header();
        for cue in cues.iter().filter(|cue| cue.until > cue.from.max(Timestamp::ZERO)) {
            let (from, until) = (clock(cue.from), clock(cue.until));
            let space = if cue.settings.is_empty() { "" } else { " " };
            out.push_str(&format!("{from} --> {until}{space}{}\n{}\n\n", cue.settings, cue.text));
        }
        out
    }

    /// `WEBVTT`, and styles and regions where the track has them.
    fn header(&self) -> String {
        match std::str::from_utf8(&self.config) {
            Ok(header) if header.starts_with("WEBVTT") => format!("{}\n\n", header.trim_end()),
            _ => "WEBVTT\n\n".to_owned(),
        }
    }

    /// Settings and text of the cues of a sample.
    fn texts_of(&self, payload: &[u8]) -> Vec<(String, String)> {
        match self.format {
            TextFormat::Timed => {
                timed_text(payload).ok().flatten().map(|text| (String::new(), text)).into_iter().collect()
            }
            TextFormat::WebVtt => children(payload)
                .filter(|(kind, _)| kind.0 == *b"vttc")
                .filter_map(|(_, cue)| {
                    let part = |kind| {
                        let body = children(cue).find_kind(kind)?;
                        Some(String::from_utf8_lossy(body).replace('\0', ""))
                    };
                    let text = one_block(&part(b"payl")?);
                    let settings = part(b"sttg").unwrap_or_default().replace(['\r', '\n'], " ");
                    (!text.is_empty()).then_some((settings, text))
                })
                .collect(),
        }
    }
}

/// The text of a sample of 3GPP TS 26.245 (5.17), UTF-8 or UTF-16 behind its mark; how its letters look is left out.
fn timed_text(sample: &[u8]) -> Result<Option<String>, Error> {
    let mut fields = Fields::new(sample, "timed text");
    let len = usize::from(fields.u16()?);
    let text = fields.rest();
    let text = text.get(..len).unwrap_or(text);
    let text = match text {
        [0xFE, 0xFF, units @ ..] => utf16(units, u16::from_be_bytes),
        [0xFF, 0xFE, units @ ..] => utf16(units, u16::from_le_bytes),
        text => String::from_utf8_lossy(text).into_owned(),
    };
    let plain = text.replace('\0', "").replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let text = one_block(&plain);
    Ok((!text.is_empty()).then_some(text))
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> String {
    let units = bytes.as_chunks::<2>().0.iter().map(|pair| unit(*pair));
    char::decode_utf16(units).map(|letter| letter.unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
}

/// A blank line would end the cue, an arrow begin another.
fn one_block(text: &str) -> String {
    let text = text.replace("\r\n", "\n").replace(['\r', '\u{2028}'], "\n").replace("-->", "--&gt;");
    let lines: Vec<&str> = text.lines().map(str::trim_end).filter(|line| !line.is_empty()).collect();
    lines.join("\n")
}

/// A time as WebVTT has it; before the film's beginning it is 0.
fn clock(at: Timestamp) -> String {
    let ms = at.as_ms().max(0);
    format!("{:02}:{:02}:{:02}.{:03}", ms / 3_600_000, ms / 60_000 % 60, ms / 1000 % 60, ms % 1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn track(format: TextFormat, config: &'static [u8], times: &[(i64, i64)]) -> TextTrack {
        let sample = |&(from, until): &(i64, i64)| TextSample {
            offset: 0,
            size: 1,
            from: Timestamp::from_ms(from),
            until: Timestamp::from_ms(until),
        };
        TextTrack {
            number: 3,
            language: None,
            format,
            config: Bytes::from_static(config),
            samples: times.iter().map(sample).collect(),
        }
    }

    fn timed(text: &[u8]) -> Bytes {
        [&(text.len() as u16).to_be_bytes(), text, b"\0\0\0\x16styl\0\x01\0\0\0\x05"].concat().into()
    }

    #[test]
    fn timed_text_becomes_cues() {
        let track = track(
            TextFormat::Timed,
            b"",
            &[(-500, 1500), (1500, 2000), (3_661_001, 3_662_000), (4_000_000, 4_001_000)],
        );
        let utf16 =
            [&[0xFE, 0xFF][..], &"Größe".encode_utf16().flat_map(u16::to_be_bytes).collect::<Vec<_>>()]
                .concat();
        let samples =
            [timed(b"a <b> & c\r\n\r\nd --> e"), timed(b""), timed(&utf16), Bytes::from_static(&[0])];
        assert_eq!(
            track.to_webvtt(&samples),
            "WEBVTT\n\n00:00:00.000 --> 00:00:01.500\na &lt;b&gt; &amp; c\nd --&gt; e\n\n\
             01:01:01.001 --> 01:01:02.000\nGröße\n\n"
        );
    }

    #[test]
    fn cues_of_webvtt_that_go_on_are_one() {
        let boxed =
            |kind: &[u8], body: &[u8]| [&(body.len() as u32 + 8).to_be_bytes()[..], kind, body].concat();
        let cue = |settings: &[u8], text: &[u8]| {
            boxed(b"vttc", &[boxed(b"sttg", settings), boxed(b"payl", text)].concat())
        };
        let (first, second) = (cue(b"line:0", b"<i>one</i>"), cue(b"", b"two"));
        let samples: Vec<Bytes> = vec![
            first.clone().into(),
            [first, second.clone()].concat().into(),
            second.into(),
            boxed(b"vtte", b"").into(),
        ];
        let config = b"WEBVTT\nSTYLE\n::cue { color: red }\n";
        let track = track(TextFormat::WebVtt, config, &[(0, 1000), (1000, 2000), (2000, 3000), (3000, 4000)]);
        assert_eq!(
            track.to_webvtt(&samples),
            "WEBVTT\nSTYLE\n::cue { color: red }\n\n00:00:00.000 --> 00:00:02.000 line:0\n<i>one</i>\n\n\
             00:00:01.000 --> 00:00:03.000\ntwo\n\n"
        );
    }
}
