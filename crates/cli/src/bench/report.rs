//! What the windows come to: a table for people, one JSON object for programs.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::arguments::{Arguments, Format, Load};
use super::chart::{Growth, Line};
use super::tally::{Figures, Percentiles};

/// What stands for a figure that there is none of.
const UNKNOWN: &str = "–";

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
            _ => UNKNOWN.to_owned(),
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

    /// Whether something was played in every window, unless nobody was to; no player failed, and nothing was lost.
    pub(super) fn is_complete(&self) -> bool {
        self.rows.iter().all(|row| {
            let nobody_plays = row.load.players + self.arguments.rewound == 0;
            row.windows.iter().all(|window| {
                let is_all_there = window.pictures_lost == 0 && window.not_kept() == (0, 0);
                (nobody_plays || window.messages > 0) && window.players_failed == 0 && is_all_there
            })
        })
    }

    /// What a server cost beside the first bare loop under the same load.
    fn ratio(&self, row: &Row) -> Option<f64> {
        let is_loop = |other: &&Row| other.load == row.load && other.server.starts_with("loop");
        let floor = self.rows.iter().find(is_loop)?.spread(|window| window.cpu_us)?;
        Some(row.spread(|window| window.cpu_us)?.median / floor.median)
    }

    /// For people. What nothing is known of has no column.
    pub(super) fn table(&self) -> String {
        let head = [
            "players",
            "server",
            "streams",
            "kbit/s",
            "rewound",
            "CPU µs",
            "(min to max)",
            "of loop",
            "CPU",
            "KB each",
            "MB",
            "window MB",
            "recordings MB",
            "join p50 / p99 ms",
            "latency p50 / p99 ms",
            "seeks",
            "seek p50 / p99 ms",
            "clip ms",
            "full",
            "lost",
            "failed",
            "busy",
        ];
        let rows: Vec<_> = self.rows.iter().map(|row| self.cells(row)).collect();
        let is_known = |column: &usize| rows.iter().any(|cells| cells[*column] != UNKNOWN);
        let known: Vec<usize> = (0..head.len()).filter(is_known).collect();
        let all = [head.map(str::to_owned)].into_iter().chain(rows.iter().cloned());
        let lines: Vec<Vec<String>> =
            all.map(|cells| known.iter().map(|&column| cells[column].clone()).collect()).collect();
        columns(&lines) + &self.limits()
    }

    fn cells(&self, row: &Row) -> [String; 22] {
        let cpu = row.spread(|window| window.cpu_us);
        let rounded = |figure: Option<f64>, digits: usize| {
            figure.map_or_else(|| UNKNOWN.to_owned(), |figure| format!("{figure:.digits$}"))
        };
        let median = |figure: fn(&Figures) -> Option<f64>| row.spread(figure).map(|spread| spread.median);
        [
            row.load.players.to_string(),
            row.server.clone(),
            row.load.streams.to_string(),
            row.load.kbps.to_string(),
            some(self.arguments.rewound as usize),
            rounded(cpu.map(|cpu| cpu.median), 0),
            cpu.map_or_else(|| UNKNOWN.to_owned(), |cpu| format!("{:.0} to {:.0}", cpu.min, cpu.max)),
            rounded(self.ratio(row), 2),
            percent(row.spread(|window| window.cpu_share)),
            rounded(median(|window| window.memory_kb), 1),
            rounded(row.spread(|window| window.grown_mb).map(|mb| mb.max), 1),
            rounded(median(Figures::window_mb), 1),
            rounded(median(Figures::recordings_mb), 1),
            row.times(|window| window.join_ms),
            row.times(|window| window.latency_ms),
            some(row.windows.iter().map(|window| window.seeks).sum()),
            row.times(|window| window.seek_ms),
            rounded(median(|window| Some(window.clip?.ms)), 0),
            percent(row.spread(|window| window.full_share)),
            row.sum(|window| window.pictures_lost).to_string(),
            row.sum(|window| window.players_failed).to_string(),
            percent(row.spread(|window| window.players_busy)),
        ]
    }

    /// What makes a row tell of something else than the server; and what the disk was too slow for.
    fn limits(&self) -> String {
        let mut text = String::new();
        for row in &self.rows {
            let Row { load: Load { players, streams, .. }, server, windows } = row;
            if windows.iter().any(Figures::are_players_at_their_limit) {
                let _ = writeln!(
                    text,
                    "{players} players of {server} were at their limit: all of them are one thread, which had nothing to \
                     spare. What they got, and how late, tells of them and not of the server."
                );
            }
            if windows.iter().any(Figures::are_publishers_at_their_limit) {
                let _ = writeln!(
                    text,
                    "The publishers of {streams} streams of {server} were at their limit: they sent less than they should."
                );
            }
            let (frames, parts) =
                (row.sum(|window| window.not_kept().0), row.sum(|window| window.not_kept().1));
            if frames + parts > 0 {
                let _ = writeln!(
                    text,
                    "Of {streams} streams of {server}, {frames} frames are missing in windows and {parts} parts in recordings: \
                     it was too busy, or its disk too slow."
                );
            }
        }
        text
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
            let Some(cpu) = row.spread(|window| window.cpu_share) else { continue };
            let point = (f64::from(value(row.load)), cpu.median * 1e3);
            match lines.iter_mut().find(|line| line.label == row.server) {
                Some(line) => line.points.push(point),
                None => lines.push(Line { label: row.server.clone(), points: vec![point] }),
            }
        }
        Growth { x: label, y: "processor time, ms in a second", lines }
    }

    /// For programs.
    pub(super) fn json(&self) -> Value {
        let Arguments { format, window, rounds, stalled, burst, joins, past, rewound, seeks, .. } =
            &self.arguments;
        let rows = self.rows.iter().map(|row| {
            json!({
                "players": row.load.players,
                "streams": row.load.streams,
                "kbps": row.load.kbps,
                "server": row.server,
                "cpu_us_each_s": row.spread(|window| window.cpu_us),
                "cpu_of_loop": self.ratio(row),
                "memory_kb_each": row.spread(|window| window.memory_kb),
                "windows": row.windows,
            })
        });
        json!({
            "format": match format { Format::Rtmp => "rtmp", Format::HttpFlv => "http-flv", Format::WsFlv => "ws-flv", Format::Hls => "hls" },
            "stalled": stalled,
            "burst_s": burst,
            "joins_per_s": joins,
            "past_s": past,
            "rewound": rewound,
            "seeks_per_s": seeks,
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
        let _ = write!(line, ", {cpu:.0} µs each a second");
    }
    if let Some(latency) = figures.latency_ms {
        let _ = write!(line, ", latency p99 {:.1} ms", latency.p99);
    }
    if let Some(clip) = figures.clip {
        let _ = write!(line, ", a clip of {} s and {} bytes in {:.0} ms", clip.seconds, clip.bytes, clip.ms);
    }
    if figures.are_players_at_their_limit() {
        line.push_str(", the players were at their limit");
    }
    if figures.pictures_lost > 0 {
        let _ = write!(line, ", {} pictures lost", figures.pictures_lost);
    }
    if let Some(why) = &figures.first_failure {
        let _ = write!(line, ", {} players failed: {why}", figures.players_failed);
    }
    line
}

/// A count, where there is something to be counted.
fn some(count: usize) -> String {
    if count == 0 { UNKNOWN.to_owned() } else { count.to_string() }
}

fn percent(share: Option<Spread>) -> String {
    share.map_or_else(|| UNKNOWN.to_owned(), |share| format!("{:.0} %", share.median * 100.0))
}

/// Columns side by side: the second, of names, to the left, all others to the right.
fn columns(lines: &[Vec<String>]) -> String {
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
    use std::time::Duration;

    use super::super::arguments::tests::parse;
    use super::super::tally::Tally;
    use super::*;

    #[test]
    fn those_behind_the_head_have_columns_where_there_are_some() {
        let table = |line, seeks| {
            let mut report = Report::new(&parse(line).unwrap());
            for _ in 0..2 {
                let tally = Tally::new(1, 0);
                (0..seeks).for_each(|_| tally.found(1_000_000));
                let load = Load { players: 1, streams: 1, kbps: 1_000 };
                report.add(load, "serve", tally.figures(Duration::from_secs(1), None));
            }
            report.table()
        };
        let without = table("serve", 0);
        assert!(!without.contains("rewound") && !without.contains("seek"), "{without}");
        let table = table("serve --past 10 --rewound 7", 3);
        let column = |name: &str| {
            let [head, row] = [0, 1].map(|line| table.lines().nth(line).unwrap());
            let end = head[..head.find(name).unwrap()].chars().count() + name.chars().count();
            row.chars().take(end).collect::<String>().rsplit(' ').next().unwrap().to_owned()
        };
        assert_eq!((column("rewound"), column("seeks")), ("7".to_owned(), "6".to_owned()), "{table}");
    }

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
        let lines =
            [vec![cell("n"), cell("server"), cell("µs")], vec![cell("100"), cell("a"), cell("1,000")]];
        assert_eq!(columns(&lines), "  n  server     µs\n100  a       1,000\n");
    }
}
