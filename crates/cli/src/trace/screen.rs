//! Standard output: lines that stay, and below them, on a terminal, figures that are drawn anew in place.

use std::collections::BTreeMap;
use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

use headwater_trace::{Format, Paint, WIDTH_MIN};

/// How often the figures are drawn anew.
const DRAW_EVERY: Duration = Duration::from_millis(200);
/// The width where nobody says another.
const WIDTH_USUAL: usize = 100;
/// The widest layout: longer lines are hard to read.
const WIDTH_MAX: usize = 160;

/// Standard output.
#[derive(Debug)]
pub(super) struct Screen {
    is_terminal: bool,
    paint: Paint,
    width: usize,
    /// Lines of figures at most: what has scrolled off the top cannot be drawn anew.
    live_lines_max: usize,
    /// One JSON object a line, no figures in place.
    is_json: bool,
    live: BTreeMap<usize, Vec<String>>,
    drawn_lines: usize,
    drawn_at: Option<Instant>,
}

impl Screen {
    /// `width`: columns, if the caller has said so.
    pub(super) fn new(width: Option<usize>, json: bool) -> Self {
        let is_terminal = io::stdout().is_terminal() && !json;
        let size = terminal_size::terminal_size_of(io::stdout());
        let measured = || size.map(|(width, _)| width.0.into());
        let columns = || std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
        let width = width.or_else(measured).or_else(columns).unwrap_or(WIDTH_USUAL);
        let has_colour = is_terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        Self {
            is_terminal,
            paint: Paint { is_on: has_colour },
            width: width.clamp(WIDTH_MIN, WIDTH_MAX),
            live_lines_max: size.map_or(0, |(_, height)| usize::from(height.0 / 2)),
            is_json: json,
            live: BTreeMap::new(),
            drawn_lines: 0,
            drawn_at: None,
        }
    }

    /// The form of what is printed here.
    pub(super) fn format(&self) -> Format {
        if self.is_json { Format::Json } else { Format::Text { width: self.width, paint: self.paint } }
    }

    /// Whether figures are drawn in place.
    pub(super) fn is_live(&self) -> bool {
        self.is_terminal
    }

    /// Prints lines that stay.
    pub(super) fn print(&mut self, text: &str) -> io::Result<()> {
        let mut out = io::stdout().lock();
        out.write_all(self.erased().as_bytes())?;
        out.write_all(text.as_bytes())?;
        out.write_all(self.drawn().as_bytes())?;
        out.flush()
    }

    /// Shows the figures of a conversation below all lines; none takes them away.
    pub(super) fn figures(&mut self, number: usize, lines: Vec<String>) -> io::Result<()> {
        let is_gone = lines.is_empty();
        if is_gone {
            self.live.remove(&number);
        } else {
            self.live.insert(number, lines);
        }
        let is_due = self.drawn_at.is_none_or(|at| at.elapsed() >= DRAW_EVERY);
        if !self.is_terminal || !(is_due || is_gone) {
            return Ok(());
        }
        self.drawn_at = Some(Instant::now());
        self.print("")
    }

    /// What takes the figures away: up as many lines as there are, and clear.
    fn erased(&mut self) -> String {
        match std::mem::take(&mut self.drawn_lines) {
            0 => String::new(),
            lines => format!("\x1b[{lines}A\x1b[J"),
        }
    }

    /// The figures, no line wider than the screen.
    fn drawn(&mut self) -> String {
        if !self.is_terminal {
            return String::new();
        }
        let mut text = String::new();
        for line in self.live.values().flatten().take(self.live_lines_max) {
            let cut: String = line.chars().take(self.width.saturating_sub(1)).collect();
            text += &format!("{}\n", self.paint.dim(&cut));
            self.drawn_lines += 1;
        }
        text
    }
}
