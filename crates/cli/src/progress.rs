//! Progress for people: on a terminal a line that says how far and how fast, elsewhere a line of text now and then.
//! Until something comes, what is waited for.

use std::io::{self, IsTerminal, Write};
use std::pin::pin;
use std::sync::LazyLock;
use std::time::Duration;

use headwater_media::Timestamp;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use tokio::time::Instant;

/// How often the line on a terminal is drawn anew.
const DRAW_EVERY: Duration = Duration::from_millis(200);
/// Elsewhere: when the first line is written, and how often one follows.
const TELL_AFTER: Duration = Duration::from_secs(2);
const TELL_EVERY: Duration = Duration::from_secs(10);
/// Nobody is told of a shorter wait.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long a server waits for a stream that is not there yet, as ours does by default (`wait_ms`).
const WAIT_SHOWN: Duration = Duration::from_secs(60);

/// What is drawn on the terminal. Whatever else is written there has it step aside.
static DRAWN: LazyLock<MultiProgress> = LazyLock::new(MultiProgress::new);

/// Progress in media time.
#[derive(Debug)]
pub(super) struct Progress {
    bar: ProgressBar,
    total: Option<Timestamp>,
    bytes: u64,
    frames: u64,
    at: Timestamp,
    left_out: u64,
    began: Instant,
    /// When the next line of text is due, where there is no terminal.
    tell_at: Option<Instant>,
    /// What is waited for until the first frame comes.
    awaited: Option<String>,
}

impl Progress {
    /// `what` is shown as it is; `total`: media time that there will be, if it is known.
    pub(super) fn new(what: &str, total: Option<Timestamp>) -> Self {
        let bar = match total {
            Some(total) => ProgressBar::new(millis(total)),
            None => ProgressBar::new_spinner(),
        };
        let bar = DRAWN.add(bar);
        let template = match total {
            Some(_) => "{prefix} [{bar:32}] {percent:>3}%  {msg}",
            None => "{spinner} {prefix}  {msg}",
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style.progress_chars("━╸ "));
        }
        bar.set_prefix(what.to_owned());
        bar.enable_steady_tick(DRAW_EVERY);
        let began = Instant::now();
        let tell_at = (!io::stderr().is_terminal()).then(|| began + TELL_AFTER);
        let (frames, bytes, at, left_out) = (0, 0, Timestamp::ZERO, 0);
        Self { bar, total, bytes, frames, at, left_out, began, tell_at, awaited: stream_of(what) }
    }

    /// Waits for something that a server sends, and says so until the first frame has come.
    pub(super) async fn wait<T>(&mut self, coming: impl Future<Output = T>) -> T {
        let mut coming = pin!(coming);
        loop {
            let Some(stream) = self.awaited.clone() else { return coming.await };
            let due = self.tell_at.unwrap_or_else(|| Instant::now() + PATIENCE);
            tokio::select! {
                got = &mut coming => return got,
                () = tokio::time::sleep_until(due) => self.tell_waiting(&stream),
            }
        }
    }

    /// Notes a frame at media time `at`.
    pub(super) fn frame(&mut self, at: Timestamp, bytes: usize) {
        if self.awaited.take().is_some() {
            // From now on what is told is how far it is.
            self.tell_at = self.tell_at.map(|_| Instant::now() + TELL_AFTER);
        }
        self.bytes += bytes as u64;
        self.frames += 1;
        self.at = self.at.max(at);
        self.bar.set_position(millis(at));
        let kbps = (self.bytes * 8).checked_div(millis(at)).unwrap_or(0);
        let left_out = match self.left_out {
            0 => String::new(),
            count => format!("  {count} left out"),
        };
        let said = format!("{}  {} frames  {kbps} kbit/s{left_out}", clock(at), self.frames);
        if self.is_due() {
            let of = self.total.map_or_else(String::new, |total| format!(" of {}", clock(total)));
            eprintln!("{}{of}{}", clock(at), said.trim_start_matches(&clock(at)));
        }
        self.bar.set_message(said);
    }

    /// Notes how many messages have been left out so far.
    pub(super) fn left_out(&mut self, count: u64) {
        self.left_out = count;
    }

    /// Frames noted.
    pub(super) fn frames(&self) -> u64 {
        self.frames
    }

    /// Bytes noted.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Media time of the newest frame noted.
    pub(super) fn at(&self) -> Timestamp {
        self.at
    }

    /// Takes the line away.
    pub(super) fn finish(&self) {
        self.bar.finish_and_clear();
    }

    fn tell_waiting(&mut self, stream: &str) {
        let left = WAIT_SHOWN.saturating_sub(self.began.elapsed()).as_secs();
        let left = if left > 0 { format!(", {left} s left") } else { String::new() };
        let said = format!("waiting for {stream} …{left}");
        if self.is_due() {
            eprintln!("{said}");
        }
        self.bar.set_message(said);
    }

    /// Whether a line of text is due.
    fn is_due(&mut self) -> bool {
        let is_due = self.tell_at.is_some_and(|due| due <= Instant::now());
        if is_due {
            self.tell_at = Some(Instant::now() + TELL_EVERY);
        }
        is_due
    }
}

/// Where log lines go: standard error, beside what is drawn there.
#[derive(Clone, Copy, Debug)]
pub(super) struct LogWriter;

impl Write for LogWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // A line comes in one piece.
        DRAWN.suspend(|| io::stderr().write_all(bytes)).map(|()| bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

/// `h:mm:ss`, as players show it.
pub(super) fn clock(at: Timestamp) -> String {
    let seconds = millis(at) / 1000;
    format!("{}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

/// The stream that an address names, `live/x`, or its playlist; nothing for a file, which nobody has to wait for.
fn stream_of(target: &str) -> Option<String> {
    let (_, rest) = target.split_once("://")?;
    let path = rest.split('?').next().unwrap_or_default().split_once('/')?.1;
    let path = path.trim_matches('/').trim_end_matches(".flv");
    let awaited = match path.strip_suffix("/index.m3u8") {
        Some(stream) => format!("{stream}'s playlist"),
        None => path.to_owned(),
    };
    (!path.is_empty()).then_some(awaited)
}

fn millis(at: Timestamp) -> u64 {
    u64::try_from(at.as_ms()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_waited_for_is_the_stream() {
        for (target, stream) in [
            ("rtmp://localhost/live/x", Some("live/x")),
            ("rtmp://localhost:1935/live/a/b?key=…", Some("live/a/b")),
            ("http://localhost:8080/live/x.flv", Some("live/x")),
            ("http://localhost:8080/live/a/b/index.m3u8?key=…", Some("live/a/b's playlist")),
            ("https://localhost/live/x.m3u8", Some("live/x.m3u8")),
            ("film.mp4", None),
            ("rtmp://localhost", None),
        ] {
            assert_eq!(stream_of(target).as_deref(), stream, "{target}");
        }
    }
}
