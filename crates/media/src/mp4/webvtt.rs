//! The cues of a film's tracks of text (3GPP timed text, WebVTT in MP4, TTML), as WebVTT.

use bytes::Bytes;

use super::boxes::{Fields, children};
use super::text::CUES_MAX;
use crate::index::{TextFormat, TextSample, TextTrack};
use crate::{Error, Timestamp, ttml};

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
    /// The track as a WebVTT file, its times those of the film. `payloads` are those of all its samples, in order; what
    /// of them cannot be read is left out, and a note in the file says why.
    #[must_use]
    pub fn to_webvtt(&self, payloads: &[Bytes]) -> String {
        let mut cues: Vec<Cue> = Vec::new();
        let mut unread = None;
        for (sample, payload) in self.samples.iter().zip(payloads) {
            let found = self.cues_of(sample, payload).unwrap_or_else(|why| {
                unread.get_or_insert(why);
                Vec::new()
            });
            for cue in found {
                // A cue that goes on over several samples stands in each of them.
                let goes_on = |before: &&mut Cue| {
                    before.until == cue.from && before.settings == cue.settings && before.text == cue.text
                };
                let count = cues.len();
                match cues.iter_mut().rev().take(16).find(goes_on) {
                    Some(before) => before.until = cue.until,
                    None if count < CUES_MAX => cues.push(cue),
                    None => unread = Some("it has too many cues"),
                }
            }
        }
        let mut out = self.header();
        if let Some(why) = unread {
            out.push_str(&format!("NOTE some of the text is left out: {why}\n\n"));
        }
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

    /// The cues of a sample; the error is why it cannot be read.
    fn cues_of(&self, sample: &TextSample, payload: &[u8]) -> Result<Vec<Cue>, &'static str> {
        let TextSample { from, until, moved, .. } = *sample;
        match self.format {
            TextFormat::Timed => {
                let text = timed_text(payload).map_err(|_| "a sample is too short")?;
                Ok(text.map(|text| Cue { from, until, settings: String::new(), text }).into_iter().collect())
            }
            TextFormat::WebVtt => {
                let boxed = children(payload).filter(|(kind, _)| kind.0 == *b"vttc");
                let texts = boxed.filter_map(|(_, cue)| boxed_cue(cue));
                Ok(texts.map(|(settings, text)| Cue { from, until, settings, text }).collect())
            }
            TextFormat::Ttml => {
                let said = ttml::cues(payload)?.into_iter().map(|cue| Cue {
                    // A document's times are those of the track, and it is there for no longer than its sample.
                    from: (cue.from + moved).max(from),
                    until: (cue.until + moved).min(until),
                    settings: String::new(),
                    text: one_block(&escaped(&cue.text)),
                });
                Ok(said.filter(|cue| cue.from < cue.until && !cue.text.is_empty()).collect())
            }
        }
    }
}

/// Settings and text of a `vttc` box (ISO 14496-30, 6.6), if it has a text.
fn boxed_cue(cue: &[u8]) -> Option<(String, String)> {
    let part = |kind| {
        let body = children(cue).find_kind(kind)?;
        Some(String::from_utf8_lossy(body).replace('\0', ""))
    };
    let text = one_block(&part(b"payl")?);
    let settings = part(b"sttg").unwrap_or_default().replace(['\r', '\n'], " ");
    (!text.is_empty()).then_some((settings, text))
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
    let text = one_block(&escaped(&text));
    Ok((!text.is_empty()).then_some(text))
}

/// Plain text as WebVTT writes it.
fn escaped(text: &str) -> String {
    text.replace('\0', "").replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
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
            moved: Timestamp::ZERO,
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
            "WEBVTT\n\nNOTE some of the text is left out: a sample is too short\n\n\
             00:00:00.000 --> 00:00:01.500\na &lt;b&gt; &amp; c\nd --&gt; e\n\n\
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

    #[test]
    fn a_document_of_ttml_is_there_for_its_sample_and_at_the_times_of_the_track() {
        const DOCUMENT: &str = "<tt xmlns='http://www.w3.org/ns/ttml'><body><div>\
            <p begin='1s' end='4s'>one &amp; <span>two</span><br/><br/>--&gt;</p><p begin='5s' end='9s'>late</p></div></body></tt>";
        let mut track = track(TextFormat::Ttml, b"", &[(500, 2500), (2500, 6500), (6500, 7000)]);
        track.samples.iter_mut().for_each(|sample| sample.moved = Timestamp::from_ms(-500));
        let document = Bytes::from_static(DOCUMENT.as_bytes());
        let broken = Bytes::from_static(b"<tt ttp:timeBase='smpte'/>");
        assert_eq!(
            track.to_webvtt(&[document.clone(), document, broken]),
            "WEBVTT\n\nNOTE some of the text is left out: its times are those of a clock or of time code, not of the \
             media\n\n00:00:00.500 --> 00:00:03.500\none &amp; two\n--&gt;\n\n00:00:04.500 --> 00:00:06.500\nlate\n\n"
        );
    }
}
