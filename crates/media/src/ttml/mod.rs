//! TTML (the Timed Text Markup Language of the W3C, IMSC and EBU-TT-D among its profiles): which text is shown when.
//!
//! Taken are text, line breaks and times. Where and how letters are shown is left out. What would have to be guessed is
//! refused in words: times that are not those of the media, parts that follow each other, a document type.

mod clock;
mod xml;

use std::borrow::Cow;
use std::ops::Range;

use self::clock::Clock;
use self::xml::{Tag, Token, Tokens};
use crate::Timestamp;
use crate::plain_text::{Encoding, decode};

/// Elements inside of each other, at most.
const DEPTH_MAX: usize = 64;
/// Texts of one paragraph, at most.
const RUNS_MAX: usize = 4096;
/// How often the text of one paragraph changes, at most: words that appear one after the other are a few dozen.
const STEPS_MAX: usize = 256;
/// Cues of one document, at most.
const CUES_MAX: usize = 100_000;
/// Bytes of text that are laid out for one document, at most: a paragraph that changes is laid out for each step again.
const LAID_OUT_MAX: usize = 32 << 20;
/// Behind all times.
const FOREVER: Timestamp = Timestamp::from_nanos(i64::MAX);

/// A text and when it is shown, at the times of the document. Lines are parted by a line feed; nothing is escaped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TtmlCue {
    /// When it appears.
    pub from: Timestamp,
    /// When it goes; far away if the document does not say.
    pub until: Timestamp,
    /// The text.
    pub text: String,
}

/// Reads a document. Elements whose times are no times are left out.
///
/// # Errors
/// Why it cannot be read, in words for a person.
pub fn cues(document: &[u8]) -> Result<Vec<TtmlCue>, &'static str> {
    let (text, encoding) = decode(document, None);
    if !matches!(encoding, Encoding::Utf8 | Encoding::Utf16) {
        return Err("it is neither UTF-8 nor UTF-16");
    }
    let mut reader = Reader { clock: None, open: Vec::new(), paragraph: None, laid_out: 0, cues: Vec::new() };
    for token in Tokens::new(&text) {
        match token? {
            Token::Open(tag) => reader.open(&tag)?,
            Token::Close => reader.close()?,
            Token::Text(text) => reader.text(&text)?,
        }
    }
    match (reader.clock, reader.open.is_empty()) {
        (None, _) => Err("it is no TTML"),
        (Some(_), false) => Err("it ends before its last element does"),
        (Some(_), true) => Ok(reader.cues),
    }
}

struct Reader {
    /// Known from the root element on.
    clock: Option<Clock>,
    open: Vec<Element>,
    paragraph: Option<Paragraph>,
    /// Bytes.
    laid_out: usize,
    cues: Vec<TtmlCue>,
}

/// An element that has not ended.
#[derive(Clone, Debug)]
struct Element {
    kind: Kind,
    shown: Range<Timestamp>,
    /// Spaces and line feeds are text.
    keeps_space: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// What holds paragraphs.
    Block,
    Paragraph,
    Span,
    Break,
    /// Nothing in it is shown.
    Other,
}

/// The texts of a paragraph.
#[derive(Debug)]
struct Paragraph {
    /// So many elements are open around it.
    depth: usize,
    runs: Vec<Run>,
}

/// A text that is shown in one piece.
#[derive(Debug)]
struct Run {
    shown: Range<Timestamp>,
    /// None of a line break.
    text: Option<String>,
    keeps_space: bool,
}

impl Reader {
    fn open(&mut self, tag: &Tag<'_>) -> Result<(), &'static str> {
        if self.open.len() >= DEPTH_MAX {
            return Err("its elements lie too deep inside of each other");
        }
        let Some(clock) = self.clock else { return self.open_root(tag) };
        let Some(parent) = self.open.last().cloned() else { return Err("it has more than one root element") };
        let kind = match tag.name {
            _ if parent.kind == Kind::Other => Kind::Other,
            "body" | "div" if self.paragraph.is_none() => Kind::Block,
            "p" if self.paragraph.is_none() => Kind::Paragraph,
            "span" => Kind::Span,
            "br" => Kind::Break,
            _ => Kind::Other,
        };
        let mut element = Element { kind, ..parent.clone() };
        if kind != Kind::Other {
            if is_hidden(tag) {
                element.kind = Kind::Other;
            }
            match shown(tag, &clock, &parent.shown)? {
                Some(shown) => element.shown = shown,
                None => element.kind = Kind::Other,
            }
            element.keeps_space = keeps_space(tag).unwrap_or(parent.keeps_space);
        }
        match element.kind {
            Kind::Paragraph => {
                self.paragraph = Some(Paragraph { depth: self.open.len(), runs: Vec::new() });
            }
            Kind::Break => self.add(&element, None)?,
            _ => {}
        }
        self.open.push(element);
        Ok(())
    }

    fn open_root(&mut self, tag: &Tag<'_>) -> Result<(), &'static str> {
        if tag.name != "tt" {
            return Err("it is no TTML");
        }
        if tag.attribute("timeBase").is_some_and(|base| base.trim() != "media") {
            return Err("its times are those of a clock or of time code, not of the media");
        }
        self.clock = Some(Clock::of(tag).ok_or("it does not say how long its frames or ticks are")?);
        let shown = Timestamp::ZERO..FOREVER;
        self.open.push(Element { kind: Kind::Block, shown, keeps_space: keeps_space(tag).unwrap_or(false) });
        Ok(())
    }

    fn close(&mut self) -> Result<(), &'static str> {
        self.open.pop().ok_or("an element ends that has not begun")?;
        match self.paragraph.take_if(|paragraph| paragraph.depth == self.open.len()) {
            Some(paragraph) => self.put(&paragraph),
            None => Ok(()),
        }
    }

    fn text(&mut self, text: &str) -> Result<(), &'static str> {
        match self.open.last().cloned() {
            Some(element) if matches!(element.kind, Kind::Paragraph | Kind::Span) => {
                self.add(&element, Some(text))
            }
            _ => Ok(()),
        }
    }

    fn add(&mut self, element: &Element, text: Option<&str>) -> Result<(), &'static str> {
        let Some(paragraph) = &mut self.paragraph else { return Ok(()) };
        if paragraph.runs.len() >= RUNS_MAX {
            return Err("one of its paragraphs has too many parts");
        }
        let Element { shown, keeps_space, .. } = element.clone();
        paragraph.runs.push(Run { shown, text: text.map(str::to_owned), keeps_space });
        Ok(())
    }

    /// Adds a cue for each time for which the same of a paragraph is shown.
    fn put(&mut self, paragraph: &Paragraph) -> Result<(), &'static str> {
        let texts = || paragraph.runs.iter().filter(|run| run.text.is_some());
        let mut times: Vec<Timestamp> = texts().flat_map(|run| [run.shown.start, run.shown.end]).collect();
        times.sort_unstable();
        times.dedup();
        if times.len() > STEPS_MAX {
            return Err("one of its paragraphs changes too often");
        }
        for step in times.windows(2) {
            let &[from, until] = step else { continue };
            let is_shown = |run: &&Run| run.shown.start <= from && until <= run.shown.end;
            let runs = || paragraph.runs.iter().filter(is_shown);
            self.laid_out += runs().map(|run| run.text.as_ref().map_or(1, String::len)).sum::<usize>();
            if self.laid_out > LAID_OUT_MAX || self.cues.len() >= CUES_MAX {
                return Err("it has too much text");
            }
            let text = laid_out(runs());
            if text.trim().is_empty() {
                continue;
            }
            match self.cues.last_mut().filter(|last| last.until == from && last.text == text) {
                Some(last) => last.until = until,
                None => self.cues.push(TtmlCue { from, until, text }),
            }
        }
        Ok(())
    }
}

/// The texts one after the other: space is one blank where it is not kept, and none at the ends of lines.
fn laid_out<'a>(runs: impl Iterator<Item = &'a Run>) -> String {
    let mut out = String::new();
    for run in runs {
        match &run.text {
            None => {
                out.truncate(out.trim_end_matches(' ').len());
                out.push('\n');
            }
            Some(text) if run.keeps_space => out.push_str(text),
            Some(text) => {
                for letter in text.chars() {
                    let is_space = matches!(letter, ' ' | '\t' | '\r' | '\n');
                    let follows_space = out.is_empty() || out.ends_with([' ', '\n']);
                    match (is_space, follows_space) {
                        (true, true) => {}
                        (true, false) => out.push(' '),
                        (false, _) => out.push(letter),
                    }
                }
            }
        }
    }
    out.truncate(out.trim_end_matches(' ').len());
    out
}

/// When an element is shown (TTML 2, 12.2): its times are counted from where its parent begins, and it does not outlast
/// it. `None` if its times are none.
fn shown(
    tag: &Tag<'_>,
    clock: &Clock,
    parent: &Range<Timestamp>,
) -> Result<Option<Range<Timestamp>>, &'static str> {
    if tag.attribute("timeContainer").is_some_and(|container| container.trim() == "seq") {
        return Err("its parts follow each other (timeContainer=\"seq\")");
    }
    let time = |name| match tag.attribute(name) {
        Some(text) => clock.time(&text).map(Some),
        None => Some(None),
    };
    let (Some(begin), Some(end), Some(lasts)) = (time("begin"), time("end"), time("dur")) else {
        return Ok(None);
    };
    let from = parent.start + begin.unwrap_or(Timestamp::ZERO);
    let ends = [end.map(|end| parent.start + end), lasts.map(|lasts| from + lasts)];
    let until = ends.into_iter().flatten().fold(parent.end, Timestamp::min);
    Ok((from < until).then_some(from..until))
}

/// Whether the element says itself that it is not seen, or that it is the reading of other letters beside them.
fn is_hidden(tag: &Tag<'_>) -> bool {
    let says = |name, values: &[&str]| {
        tag.attribute(name).is_some_and(|value: Cow<'_, str>| values.contains(&value.trim()))
    };
    says("display", &["none"])
        || says("visibility", &["hidden"])
        || says("ruby", &["text", "textContainer", "delimiter"])
}

fn keeps_space(tag: &Tag<'_>) -> Option<bool> {
    tag.attribute("space").map(|space| space.trim() == "preserve")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Milliseconds and text of each cue.
    fn read(body: &str) -> Vec<(i64, i64, String)> {
        let document = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?><tt xmlns=\"http://www.w3.org/ns/ttml\" \
             xmlns:ttp=\"http://www.w3.org/ns/ttml#parameter\" ttp:frameRate=\"25\" xml:lang=\"de\">\
             <head><metadata><title>Not shown</title></metadata></head>{body}</tt>"
        );
        let ms = |at: Timestamp| if at == FOREVER { -1 } else { at.as_ms() };
        cues(document.as_bytes())
            .unwrap()
            .into_iter()
            .map(|cue| (ms(cue.from), ms(cue.until), cue.text))
            .collect()
    }

    fn cue(from: i64, until: i64, text: &str) -> (i64, i64, String) {
        (from, until, text.to_owned())
    }

    #[test]
    fn times_are_counted_from_the_parent_and_end_with_it() {
        let body = "<body begin='10s' end='60s'><div begin='5s'>\
            <p begin='1s' end='3s'>a</p><p begin='00:00:02' dur='1.5s'>b</p><p begin='1s' end='9s' dur='2s'>c</p>\
            <p begin='40s' end='90s'>d</p><p begin='50s'>too late</p><p>e</p></div></body>";
        assert_eq!(
            read(body),
            [
                cue(16_000, 18_000, "a"),
                cue(17_000, 18_500, "b"),
                cue(16_000, 18_000, "c"),
                cue(55_000, 60_000, "d"),
                cue(15_000, 60_000, "e"),
            ]
        );
        assert_eq!(read("<body><div><p>always</p></div></body>"), [cue(0, -1, "always")]);
        assert_eq!(
            read("<body><div><p begin='00:00:01:05' end='50f'>f</p></div></body>"),
            [cue(1200, 2000, "f")]
        );
    }

    #[test]
    fn breaks_spans_and_space() {
        let body = "<body><div><p begin='1s' end='2s'>\n  Gr&#252;&#xDF;e <span tts:color='red'>an\n\t alle</span>,\
            <br/>\n  <span>auch  </span>\n <br/>\n &lt;dort&gt; </p>\
            <p begin='3s' end='4s' xml:space='preserve'>a  b\nc</p></div></body>";
        assert_eq!(read(body), [cue(1000, 2000, "Grüße an alle,\nauch\n<dort>"), cue(3000, 4000, "a  b\nc")]);
    }

    #[test]
    fn spans_with_times_of_their_own_come_one_after_the_other() {
        let body = "<body><div><p begin='1s' end='5s'><span end='3s'>One</span><span begin='1s'> two</span>\
            <span begin='2s' end='2s'>never</span></p></div></body>";
        assert_eq!(read(body), [cue(1000, 2000, "One"), cue(2000, 4000, "One two"), cue(4000, 5000, "two")]);
        // Times that say nothing new part nothing.
        let body = "<body><div><p end='2s'><span end='1s'> </span><span>x</span></p></div></body>";
        assert_eq!(read(body), [cue(0, 2000, "x")]);
    }

    #[test]
    fn what_is_not_shown_is_left_out() {
        let body = "<body>loose<div><metadata>about</metadata><p begin='x'>no time</p><p end='1s'>a<metadata>m<p>n</p>\
            </metadata><set begin='0s'/><span tts:display='none'>hidden<br/></span>\
            <span tts:ruby='container'><span tts:ruby='base'>b</span><span tts:ruby='text'>reading</span></span></p>\
            <p tts:visibility='hidden'>h</p></div></body>";
        assert_eq!(read(body), [cue(0, 1000, "ab")]);
    }

    #[test]
    fn what_would_have_to_be_guessed_is_refused() {
        let deep = format!("<tt>{}", "<div>".repeat(DEPTH_MAX));
        let many = format!("<tt><body><p>{}</p></body></tt>", "<br/>".repeat(RUNS_MAX + 1));
        let long =
            format!("{}{}", "<span end='2s'>x</span><span end='1s'>y</span>", " ".repeat(LAID_OUT_MAX / 2));
        let long = format!("<tt><body><p end='3s'>{long}</p></body></tt>");
        let steps: String = (0..STEPS_MAX).map(|at| format!("<span begin='{at}s'>x</span>")).collect();
        let steps = format!("<tt><body><p>{steps}</p></body></tt>");
        for (document, error) in [
            ("<tt ttp:timeBase='smpte'/>", "time code"),
            ("<tt ttp:timeBase='clock'/>", "time code"),
            ("<tt><body timeContainer='seq'/></tt>", "follow each other"),
            ("<tt ttp:tickRate='0'/>", "ticks"),
            ("<!DOCTYPE tt><tt/>", "document type"),
            ("<html/>", "no TTML"),
            ("", "no TTML"),
            ("<tt>", "ends before"),
            ("<tt/></p>", "has not begun"),
            ("<tt/><tt/>", "more than one"),
            (deep.as_str(), "too deep"),
            (many.as_str(), "too many parts"),
            (steps.as_str(), "too often"),
            (long.as_str(), "too much text"),
        ] {
            let said = cues(document.as_bytes()).unwrap_err();
            assert!(said.contains(error), "{document:.60}: {said}");
        }
        assert!(cues(b"<tt>\xFF</tt>").unwrap_err().contains("UTF-8"));
        let utf16: Vec<u8> = "\u{FEFF}<tt><body><p end='1s'>é</p></body></tt>"
            .encode_utf16()
            .flat_map(u16::to_be_bytes)
            .collect();
        assert_eq!(cues(&utf16).unwrap()[0].text, "é");
    }

    proptest! {
        #[test]
        fn any_tags_never_panic(
            parts in prop::collection::vec(prop::sample::select(vec![
                "<tt>", "</tt>", "<body>", "<div>", "</div>", "<p begin='1s'>", "<p end='2s' dur='1s'>", "</p>", "<span>",
                "<span begin='1.5s'>", "</span>", "<br/>", "x", " ", "<metadata>", "<a b", "&amp;", "&#0;",
            ]), 0..40),
        ) {
            if let Ok(cues) = cues(parts.concat().as_bytes()) {
                prop_assert!(cues.iter().all(|cue| cue.from < cue.until && !cue.text.is_empty()));
            }
        }
    }
}
