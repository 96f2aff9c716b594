//! What the windows come to: a table for people, one JSON object for programs.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::chart::{Growth, Line};
use super::tally::{Figures, Percentiles};
use super::{Arguments, Format, Load};

/// Windows of one server under one load.
#[derive(Debug)]
struct Row {
    load: Load,
    server: String,
    windows: Vec<Figures>,
}

/// All windows.
#[derive(Debug)]
pub(super) struct Report {
    arguments: Arguments,
    rows: Vec<Row>,
}

/// What may be given several numbers: its name, how many it was given, and which of them a load has.
type Axis = (&'static str, usize, fn(Load) -> u32);

/// The least, the middle and the largest of some figures.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
struct Spread {
    min: f64,
    median: f64,
    max: f64,
}

impl Spread {
    fn of(figures: impl Iterator<Item = Option<f64>>) -> Option<Self> {
        let mut sorted: Vec<f64> = figures.collect::<Option<_>>()?;
        sorted.sort_by(f64::total_cmp);
        let (min, max) = (*sorted.first()?, *sorted.last()?);
        let middle = sorted.len() / 2;
        let median =
            if sorted.len() % 2 == 1 { sorted[middle] } else { (sorted[middle - 1] + sorted[middle]) / 2.0 };
        Some(Self { min, median, max })
    }
}

impl Row {
    fn spread(&self, figure: impl Fn(&Figures) -> Option<f64>) -> Option<Spread> {
        Spread::of(self.windows.iter().map(figure))
    }

    fn sum(&self, figure: impl Fn(&Figures) -> u64) -> u64 {
        self.windows.iter().map(figure).sum()
    }

    fn times(&self, figure: impl Fn(&Figures) -> Option<Percentiles>) -> String {
        let median = |pick: fn(Percentiles) -> f64| self.spread(|window| figure(window).map(pick));
        match (median(|times| times.p50), median(|times| times.p99)) {
            (Some(p50), Some(p99)) => format!("{:.1} / {:.1}", p50.median, p99.median),
            _ => "–".to_owned(),
        }
    }
}

impl Report {
    pub(super) fn new(arguments: &Arguments) -> Self {
        Self { arguments: arguments.clone(), rows: Vec::new() }
    }

    pub(super) fn add(&mut self, load: Load, server: &str, figures: Figures) {
        match self.rows.iter_mut().find(|row| row.load == load && row.server == server) {
            Some(row) => row.windows.push(figures),
            None => self.rows.push(Row { load, server: server.to_owned(), windows: vec![figures] }),
        }
    }

    /// Whether something was played in every window, no player failed and no picture was lost.
    pub(super) fn is_complete(&self) -> bool {
        let windows = self.rows.iter().flat_map(|row| &row.windows);
        windows
            .into_iter()
            .all(|window| window.messages > 0 && window.players_failed == 0 && window.pictures_lost == 0)
    }

    /// What a server cost beside the first bare loop under the same load.
    fn ratio(&self, row: &Row) -> Option<f64> {
        let is_loop = |other: &&Row| other.load == row.load && other.server.starts_with("loop");
        let floor = self.rows.iter().find(is_loop)?.spread(|window| window.cpu_us)?;
        Some(row.spread(|window| window.cpu_us)?.median / floor.median)
    }

    /// For people.
    pub(super) fn table(&self) -> String {
        let head = [
            "players",
            "server",
            "streams",
            "kbit/s",
            "CPU µs",
            "(min to max)",
            "of loop",
            "KB each",
            "MB",
            "join p50 / p99 ms",
            "latency p50 / p99 ms",
            "full",
            "lost",
            "failed",
        ];
        let mut lines = vec![head.map(str::to_owned)];
        lines.extend(self.rows.iter().map(|row| {
            let cpu = row.spread(|window| window.cpu_us);
            let rounded = |figure: Option<f64>, digits: usize| {
                figure.map_or_else(|| "–".to_owned(), |figure| format!("{figure:.digits$}"))
            };
            [
                row.load.players.to_string(),
                row.server.clone(),
                row.load.streams.to_string(),
                row.load.kbps.to_string(),
                rounded(cpu.map(|cpu| cpu.median), 0),
                cpu.map_or_else(String::new, |cpu| format!("{:.0} to {:.0}", cpu.min, cpu.max)),
                rounded(self.ratio(row), 2),
                rounded(row.spread(|window| window.memory_kb).map(|kb| kb.median), 1),
                rounded(row.spread(|window| window.grown_mb).map(|mb| mb.max), 1),
                row.times(|window| window.join_ms),
                row.times(|window| window.latency_ms),
                row.spread(|window| window.full_share)
                    .map_or_else(|| "–".to_owned(), |share| format!("{:.0} %", share.median * 100.0)),
                row.sum(|window| window.pictures_lost).to_string(),
                row.sum(|window| window.players_failed).to_string(),
            ]
        }));
        columns(&lines)
    }

    /// How each server's processor time grows with what was given the most numbers.
    pub(super) fn growth(&self) -> Growth {
        let Arguments { players, streams, kbps, .. } = &self.arguments;
        let axes: [Axis; 3] = [
            ("kbit/s", kbps.len(), |load| load.kbps),
            ("streams", streams.len(), |load| load.streams),
            ("players", players.len(), |load| load.players),
        ];
        // Of equal ones the last.
        let (label, _, value) = axes.into_iter().max_by_key(|(_, count, _)| *count).unwrap_or(axes[2]);
        let mut lines: Vec<Line> = Vec::new();
        for row in &self.rows {
            let Some(cpu) = row.spread(|window| window.cpu_us) else { continue };
            let point = (f64::from(value(row.load)), cpu.median * f64::from(row.load.players) / 1e3);
            match lines.iter_mut().find(|line| line.label == row.server) {
                Some(line) => line.points.push(point),
                None => lines.push(Line { label: row.server.clone(), points: vec![point] }),
            }
        }
        Growth { x: label, y: "processor time, ms in a second", lines }
    }

    /// For programs.
    pub(super) fn json(&self) -> Value {
        let Arguments { format, window, rounds, stalled, burst, joins, .. } = &self.arguments;
        let rows = self.rows.iter().map(|row| {
            json!({
                "players": row.load.players,
                "streams": row.load.streams,
                "kbps": row.load.kbps,
                "server": row.server,
                "cpu_us_per_player_s": row.spread(|window| window.cpu_us),
                "cpu_of_loop": self.ratio(row),
                "memory_kb_per_player": row.spread(|window| window.memory_kb),
                "windows": row.windows,
            })
        });
        json!({
            "format": match format { Format::Rtmp => "rtmp", Format::HttpFlv => "http-flv", Format::WsFlv => "ws-flv", Format::Hls => "hls" },
            "stalled": stalled,
            "burst_s": burst,
            "joins_per_s": joins,
            "window_s": window,
            "rounds": rounds,
            "rows": rows.collect::<Vec<_>>(),
        })
    }
}

/// One window in a line.
pub(super) fn line(figures: &Figures) -> String {
    let mut line = format!("{:.0} Mbit/s", figures.mbit_s);
    if let Some(cpu) = figures.cpu_us {
        let _ = write!(line, ", {cpu:.0} µs a player and second");
    }
    if let Some(latency) = figures.latency_ms {
        let _ = write!(line, ", latency p99 {:.1} ms", latency.p99);
    }
    if figures.pictures_lost > 0 {
        let _ = write!(line, ", {} pictures lost", figures.pictures_lost);
    }
    if let Some(why) = &figures.first_failure {
        let _ = write!(line, ", {} players failed: {why}", figures.players_failed);
    }
    line
}

/// Columns side by side: the second, of names, to the left, all others to the right.
fn columns<const N: usize>(lines: &[[String; N]]) -> String {
    let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
    let mut text = String::new();
    for line in lines {
        for (column, cell) in line.iter().enumerate() {
            let pad = " ".repeat(width(column) - cell.chars().count());
            let gap = if column == 0 { "" } else { "  " };
            let _ =
                if column == 1 { write!(text, "{gap}{cell}{pad}") } else { write!(text, "{gap}{pad}{cell}") };
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spread_is_of_all_windows_or_none() {
        let spread = |figures: &[Option<f64>]| Spread::of(figures.iter().copied());
        let of = |min, median, max| Some(Spread { min, median, max });
        assert_eq!(spread(&[Some(3.0), Some(1.0), Some(2.0)]), of(1.0, 2.0, 3.0));
        assert_eq!(spread(&[Some(3.0), Some(1.0)]), of(1.0, 2.0, 3.0));
        assert_eq!((spread(&[Some(3.0), None]), spread(&[])), (None, None));
    }

    #[test]
    fn columns_stand_below_each_other() {
        let cell = str::to_owned;
        let lines = [[cell("n"), cell("server"), cell("µs")], [cell("100"), cell("a"), cell("1,000")]];
        assert_eq!(columns(&lines), "  n  server     µs\n100  a       1,000\n");
    }
}
