//! One conversation under trace: its bytes go to the recording and to a [`Transcript`], whose lines go to the screen
//! and whose page goes to a file.

use std::sync::Arc;
use std::time::Instant;

use headwater_rtmp::capture::Side;
use headwater_trace::{Transcript, Verdict};
use parking_lot::Mutex;

use super::files::{PageFile, Recorder};
use super::screen::Screen;

/// Bytes that are looked at before what was seen is told: how many messages may wait in memory.
const PIECE_BYTES: usize = 64 << 10;

/// A conversation that is being traced.
pub(super) struct Tracer {
    /// Tells its figures from those of others.
    number: usize,
    transcript: Transcript,
    screen: Arc<Mutex<Screen>>,
    recorder: Option<Recorder>,
    page: Option<PageFile>,
    began: Option<Instant>,
    /// The first failure of an output; it ends the trace.
    failure: Option<anyhow::Error>,
}

impl Tracer {
    /// Before the first byte. The transcript draws a page where there is a file for it.
    pub(super) fn new(
        number: usize,
        transcript: Transcript,
        screen: Arc<Mutex<Screen>>,
        recorder: Option<Recorder>,
        page: Option<PageFile>,
    ) -> Self {
        Self { number, transcript, screen, recorder, page, began: None, failure: None }
    }

    /// Bytes of one side, now.
    pub(super) fn on_bytes(&mut self, side: Side, bytes: &[u8]) {
        let began = *self.began.get_or_insert_with(Instant::now);
        let at_ns = u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.feed(side, at_ns, bytes);
    }

    /// A side has closed its half, now.
    pub(super) fn on_end(&mut self, side: Side) {
        self.on_bytes(side, &[]);
    }

    /// Bytes of one side at a time of their own; none: the side has closed its half.
    pub(super) fn feed(&mut self, side: Side, at_ns: u64, bytes: &[u8]) {
        if let Some(recorder) = &mut self.recorder {
            let written = recorder.record(side, at_ns, bytes);
            self.check(written);
        }
        if bytes.is_empty() {
            let lines = self.transcript.end(side, at_ns);
            self.print(&lines);
        }
        for piece in bytes.chunks(PIECE_BYTES) {
            let lines = self.transcript.feed(side, at_ns, piece);
            self.print(&lines);
        }
        if self.screen.lock().is_live() {
            let lines = self.transcript.figures();
            self.show_figures(lines);
        }
    }

    /// A line of our own.
    pub(super) fn remark(&mut self, text: &str) {
        let line = self.transcript.remark(text);
        self.print(&line);
    }

    /// Whether anybody has said anything.
    pub(super) fn has_begun(&self) -> bool {
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
        self.show_figures(Vec::new());
        let (recorder, file) = (self.recorder.take(), self.page.take());
        let report = self.transcript.finish();
        let printed = self.screen.lock().print(&report.lines).map_err(Into::into);
        let closed = recorder.map_or(Ok(()), Recorder::close);
        let written = file.zip(report.page).map_or(Ok(()), |(file, html)| file.write(&html));
        let failure = self.failure.map_or(Ok(()), Err);
        failure.and(printed).and(closed).and(written).map(|()| report.verdict)
    }

    /// Shows figures below all lines; none takes them away.
    fn show_figures(&mut self, lines: Vec<String>) {
        let drawn = self.screen.lock().figures(self.number, lines);
        self.check(drawn.map_err(Into::into));
    }

    fn print(&mut self, lines: &str) {
        if !lines.is_empty() {
            let printed = self.screen.lock().print(lines);
            self.check(printed.map_err(Into::into));
        }
    }

    /// Remembers a failure; the first one counts.
    fn check(&mut self, done: anyhow::Result<()>) {
        if let Err(error) = done {
            self.failure.get_or_insert(error);
        }
    }
}
