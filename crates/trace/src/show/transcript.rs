//! A conversation on its way to a person or a program: bytes go in, and out come lines, figures, a page, the verdict.

use headwater_rtmp::capture::Side;

use super::json;
use super::page::Page;
use super::plain::clean;
use super::rows::{Detail, Rows};
use super::text::{self, Paint};
use crate::observer::Observer;
use crate::verdict::Verdict;

/// Columns of the number in front of a line.
const MARGIN: usize = 4;

/// The form of the lines.
#[derive(Clone, Copy, Debug)]
pub enum Format {
    /// Aligned columns, for a person.
    Text {
        /// Columns of a line; at least [`WIDTH_MIN`](crate::WIDTH_MIN) are laid out.
        width: usize,
        /// Whether to colour.
        paint: Paint,
    },
    /// One JSON object a line, for programs. `docs/trace.md` names the fields.
    Json,
}

/// A conversation in words. All lines that it gives end with a newline; nothing in them moves a cursor or hides.
#[derive(Debug)]
pub struct Transcript {
    observer: Observer,
    rows: Rows,
    format: Format,
    connection: Option<usize>,
    page: Option<Page>,
    has_head: bool,
}

/// The end of a conversation.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// How it went.
    pub verdict: Verdict,
    /// The last lines: what was left out, and the verdict.
    pub lines: String,
    /// The whole page as HTML, if one was asked for.
    pub page: Option<String>,
}

impl Transcript {
    /// Before the first byte. `connection` is told on each line where there may be several.
    #[must_use]
    pub fn new(format: Format, detail: Detail, connection: Option<usize>) -> Self {
        let (observer, rows) = (Observer::new(), Rows::new(detail));
        Self { observer, rows, format, connection, page: None, has_head: false }
    }

    /// Draws a page as well. `about` says whose conversation it is.
    #[must_use]
    pub fn with_page(mut self, about: &str) -> Self {
        self.page = Some(Page::new(about));
        self
    }

    /// Bytes of one side, at a time in nanoseconds since the conversation's first byte: the lines that they make. All
    /// messages that end in these bytes wait in memory meanwhile.
    #[must_use]
    pub fn feed(&mut self, side: Side, at_ns: u64, bytes: &[u8]) -> String {
        self.observer.feed(side, at_ns, bytes);
        self.lines()
    }

    /// A side has closed its half of the connection.
    #[must_use]
    pub fn end(&mut self, side: Side, at_ns: u64) -> String {
        self.observer.end(side, at_ns);
        self.lines()
    }

    /// A line of the caller's own. Nothing in JSON.
    #[must_use]
    pub fn remark(&self, text: &str) -> String {
        match self.format {
            Format::Text { .. } => self.numbered(format!("{}\n", clean(text))),
            Format::Json => String::new(),
        }
    }

    /// Figures of the media so far, lines without colour.
    #[must_use]
    pub fn figures(&self) -> Vec<String> {
        let tracks: Vec<_> = self.observer.tracks().cloned().collect();
        let text = text::figures(&tracks, Paint { is_on: false });
        self.numbered(text).lines().map(str::to_owned).collect()
    }

    /// Nothing follows.
    #[must_use]
    pub fn finish(mut self) -> Report {
        let skipped = self.rows.skipped();
        let verdict = std::mem::take(&mut self.observer).finish();
        let lines = match self.format {
            Format::Json => json::verdict(&verdict, self.connection),
            Format::Text { paint, .. } => {
                let skipped = skipped.map(|skipped| text::skip(&skipped, paint)).unwrap_or_default();
                self.numbered(skipped + &text::verdict(&verdict, self.width(), paint))
            }
        };
        let page = self.page.map(|page| page.html(&verdict));
        Report { verdict, lines, page }
    }

    /// What the observer has seen since the last time.
    fn lines(&mut self) -> String {
        let mut lines = String::new();
        while let Some(event) = self.observer.next_event() {
            if let Format::Json = self.format {
                lines += &json::event(&event, self.connection);
            }
            let Some(row) = self.rows.row(&event) else { continue };
            if let Format::Text { paint, .. } = self.format {
                if !std::mem::replace(&mut self.has_head, true) {
                    lines += &self.numbered(text::head(paint));
                }
                lines += &self.numbered(text::row(&row, self.width(), paint));
            }
            if let Some(page) = &mut self.page {
                page.add(row);
            }
        }
        lines
    }

    /// Columns that are left for text.
    fn width(&self) -> usize {
        match (self.format, self.connection) {
            (Format::Json, _) => usize::MAX,
            (Format::Text { width, .. }, None) => width,
            (Format::Text { width, .. }, Some(_)) => width.saturating_sub(MARGIN),
        }
    }

    /// Text with the connection's number in front of each line.
    fn numbered(&self, text: String) -> String {
        match self.connection {
            Some(number) => text.lines().map(|line| format!("{number:>2}│ {line}\n")).collect(),
            None => text,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(format: Format, connection: Option<usize>) -> (String, Report) {
        let mut transcript = Transcript::new(format, Detail::default(), connection).with_page("a <test>");
        let lines = transcript.remark("hello") + &transcript.feed(Side::Client, 0, b"GET /");
        (lines + &transcript.end(Side::Client, 5), transcript.finish())
    }

    #[test]
    fn the_number_stands_in_front_of_each_line() {
        let format = Format::Text { width: 80, paint: Paint { is_on: false } };
        let (text, report) = lines(format, Some(7));
        assert!(text.starts_with(" 7│ hello\n") && text.contains("HTTP, not RTMP"), "{text}");
        for line in text.lines().chain(report.lines.lines()) {
            assert!(line.starts_with(" 7│ ") && line.chars().count() <= 80, "{line}");
        }
        assert!(report.page.is_some_and(|page| page.contains("a &lt;test&gt;")));
    }

    #[test]
    fn json_is_objects_only() {
        let (text, report) = lines(Format::Json, Some(7));
        for line in text.lines().chain(report.lines.lines()) {
            let object: serde_json::Value = serde_json::from_str(line).unwrap();
            assert_eq!(object["connection"], 7, "{line}");
        }
    }
}
