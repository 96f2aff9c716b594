//! One conversation on its way to a person: bytes go in, and out come lines, a recording, a page, a verdict.

use std::io;
use std::sync::Arc;
use std::time::Instant;

use headwater_rtmp::capture::Side;
use headwater_trace::{Observer, Outcome, Severity, Verdict};
use parking_lot::Mutex;

use super::recorder::Recorder;
use super::screen::Screen;
use headwater_trace::show::page::Page;
use headwater_trace::show::rows::{Detail, Story};
use headwater_trace::show::{json, meaning, text};

/// Bytes that are looked at before what was seen is told: how many messages may wait in memory.
const PIECE_BYTES: usize = 64 << 10;

/// A conversation that is being traced.
pub(super) struct Conversation {
    /// Told in front of each line when there may be several.
    number: Option<usize>,
    observer: Observer,
    story: Story,
    screen: Arc<Mutex<Screen>>,
    recorder: Option<Recorder>,
    page: Option<Page>,
    began: Option<Instant>,
    has_head: bool,
    /// The first failure of an output; it ends the trace.
    failure: Option<anyhow::Error>,
}

impl Conversation {
    pub(super) fn new(screen: Arc<Mutex<Screen>>, detail: Detail) -> Self {
        Self {
            number: None,
            observer: Observer::new(),
            story: Story::new(detail),
            screen,
            recorder: None,
            page: None,
            began: None,
            has_head: false,
            failure: None,
        }
    }

    /// One of several.
    pub(super) fn numbered(mut self, number: usize) -> Self {
        self.number = Some(number);
        self
    }

    /// Writes the bytes down as well.
    pub(super) fn recorded(mut self, recorder: Option<Recorder>) -> Self {
        self.recorder = recorder;
        self
    }

    /// Draws a page as well.
    pub(super) fn drawn(mut self, page: Option<Page>) -> Self {
        self.page = page;
        self
    }

    /// Bytes of one side, now.
    pub(super) fn heard(&mut self, side: Side, bytes: &[u8]) {
        let began = *self.began.get_or_insert_with(Instant::now);
        let at_ns = u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.feed(side, at_ns, bytes);
    }

    /// A side has closed its half, now.
    pub(super) fn closed(&mut self, side: Side) {
        self.heard(side, &[]);
    }

    /// Bytes of one side at a time of their own; none: the side has closed its half.
    pub(super) fn feed(&mut self, side: Side, at_ns: u64, bytes: &[u8]) {
        if let Some(recorder) = &mut self.recorder {
            let written = recorder.record(side, at_ns, bytes);
            self.keep(written);
        }
        if bytes.is_empty() {
            self.observer.end(side, at_ns);
            self.tell();
        }
        for piece in bytes.chunks(PIECE_BYTES) {
            self.observer.feed(side, at_ns, piece);
            self.tell();
        }
        self.draw_figures();
    }

    /// Tells what the observer has seen since the last time.
    fn tell(&mut self) {
        while let Some(event) = self.observer.next_event() {
            let is_json = self.screen.lock().json;
            if is_json {
                let line = json::event(&event, self.number);
                self.print(&line);
            }
            let Some(row) = self.story.tell(&event) else { continue };
            if !is_json {
                self.head();
                let (width, paint) = self.layout();
                let text = text::row(&row, width, paint);
                self.print(&text);
            }
            if let Some(page) = &mut self.page {
                page.add(row);
            }
        }
    }

    /// A line of our own.
    pub(super) fn remark(&mut self, text: &str) {
        if !self.screen.lock().json {
            self.print(&format!("{}\n", meaning::clean(text)));
        }
    }

    /// Whether anybody has said anything.
    pub(super) fn has_heard(&self) -> bool {
        self.began.is_some()
    }

    /// Whether an output has failed: nobody reads on.
    pub(super) fn has_failed(&self) -> bool {
        self.failure.is_some()
    }

    /// The end: figures, verdict, page.
    ///
    /// # Errors
    /// The first failure of an output.
    pub(super) fn finish(mut self) -> anyhow::Result<Verdict> {
        let gone = self.screen.lock().figures(self.number.unwrap_or(0), Vec::new());
        self.keep(gone.map_err(Into::into));
        let (width, paint) = self.layout();
        let skipped = self.story.skipped();
        let verdict = std::mem::take(&mut self.observer).finish();
        if self.screen.lock().json {
            let line = json::verdict(&verdict, self.number);
            self.print(&line);
        } else {
            if let Some(skipped) = skipped {
                self.print(&text::skip(&skipped, paint));
            }
            let text = text::verdict(&verdict, width, paint);
            self.print(&text);
        }
        if let Some(recorder) = self.recorder.take() {
            let closed = recorder.close();
            self.keep(closed);
        }
        if let Some(page) = self.page.take() {
            let written = page.write(&verdict);
            self.keep(written);
        }
        self.failure.map_or(Ok(verdict), Err)
    }

    /// The names of the columns, once.
    fn head(&mut self) {
        if !std::mem::replace(&mut self.has_head, true) {
            let (_, paint) = self.layout();
            self.print(&text::head(paint));
        }
    }

    fn layout(&self) -> (usize, text::Paint) {
        let screen = self.screen.lock();
        let margin = if self.number.is_some() { 4 } else { 0 };
        (screen.width - margin, screen.paint)
    }

    fn draw_figures(&mut self) {
        if !self.screen.lock().is_live() {
            return;
        }
        let tracks: Vec<_> = self.observer.tracks().cloned().collect();
        let text = text::figures(&tracks, text::Paint { is_on: false });
        let lines = text.lines().map(|line| self.margin() + line).collect();
        let drawn = self.screen.lock().figures(self.number.unwrap_or(0), lines);
        self.keep(drawn.map_err(Into::into));
    }

    fn margin(&self) -> String {
        self.number.map_or_else(String::new, |number| format!("{number:>2}│ "))
    }

    fn print(&mut self, text: &str) {
        let is_json = self.screen.lock().json;
        let text = match self.number {
            Some(_) if !is_json => text.lines().map(|line| format!("{}{line}\n", self.margin())).collect(),
            _ => text.to_owned(),
        };
        let printed = self.screen.lock().print(&text);
        self.keep(printed.map_err(Into::into));
    }

    fn keep(&mut self, done: anyhow::Result<()>) {
        if let Err(error) = done {
            self.failure.get_or_insert(error);
        }
    }
}

/// Whether a conversation is to count as good.
pub(super) fn is_good(verdict: &Verdict, strict: bool) -> bool {
    let is_clean = verdict.count(Severity::Error) + verdict.count(Severity::Warning) == 0;
    verdict.outcome == Outcome::Works && (is_clean || !strict)
}

/// Whether an error is only that nobody reads standard output any more.
pub(super) fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}
