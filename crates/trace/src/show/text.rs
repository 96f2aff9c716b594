//! Rows as text: columns that align, lines that wrap, colours where they are wanted.

use headwater_media::MediaKind;
use headwater_rtmp::capture::Side;
use headwater_rtmp::rule::Severity;

use super::plain::{clean, duration, grouped, shortened, wrapped};
use super::rows::{Row, Tick};
use crate::figures::TrackFigures;
use crate::findings::Tally;
use crate::step::{Phase, Step, StepState};
use crate::verdict::{Outcome, Verdict};

/// The narrowest width that is laid out, in columns; a narrower terminal wraps.
pub const WIDTH_MIN: usize = 60;
/// Where the meaning begins.
const MEANING_AT: usize = 42;
/// Where a remark begins.
const REMARK_AT: usize = 19;
/// Lines of one meaning.
const MEANING_LINES_MAX: usize = 6;

/// Colours, or none.
#[derive(Clone, Copy, Debug)]
pub struct Paint {
    /// Whether to colour.
    pub is_on: bool,
}

impl Paint {
    fn with(self, code: &str, text: &str) -> String {
        if self.is_on && !text.is_empty() { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    /// Text that stands back.
    #[must_use]
    pub fn dim(self, text: &str) -> String {
        self.with("2", text)
    }

    fn bold(self, text: &str) -> String {
        self.with("1", text)
    }

    fn good(self, text: &str) -> String {
        self.with("32", text)
    }

    fn bad(self, text: &str) -> String {
        self.with("1;31", text)
    }

    fn side(self, side: Side, text: &str) -> String {
        self.with(if side == Side::Client { "36" } else { "35" }, text)
    }

    fn severity(self, severity: Severity, text: &str) -> String {
        self.with(
            match severity {
                Severity::Error => "1;31",
                Severity::Warning => "33",
                Severity::Note => "34",
            },
            text,
        )
    }
}

/// The names of the columns.
pub(super) fn head(paint: Paint) -> String {
    let names = format!("  {:>8}  {:>4} {:>3} {:<13}{:>6}  meaning", "seconds", "cs", "ms", "type", "bytes");
    format!("{}\n", paint.dim(names.trim_end()))
}

/// A heading across the width.
fn heading(title: &str, width: usize, paint: Paint) -> String {
    let used = title.chars().count() + 4;
    format!("{}\n", paint.bold(&format!("── {title} {}", "─".repeat(width.saturating_sub(used)))))
}

/// A row, with the heading and the remarks that belong to it.
pub(super) fn row(row: &Row, width: usize, paint: Paint) -> String {
    let width = width.max(WIDTH_MIN);
    let mut text = String::new();
    if let Some(skipped) = &row.skipped {
        text += &skip(skipped, paint);
    }
    if let Some(phase) = row.phase {
        text += &heading(phase.name(), width, paint);
    }
    let tick = match row.tick {
        Tick::Done => paint.good("✓"),
        Tick::Refused => paint.bad("✗"),
        Tick::None => " ".into(),
    };
    let seconds = paint.dim(&format!("{:>8.4}", row.at_ns as f64 / 1e9));
    let arrow = paint.side(row.side, if row.side == Side::Client { "→" } else { "←" });
    let (cs, ms) = match row.streams {
        Some((cs, ms)) => (cs.to_string(), ms.to_string()),
        None => (String::new(), String::new()),
    };
    let size = row.size.map(|size| size.to_string()).unwrap_or_default();
    let kind = paint.side(row.side, &format!("{:<13}", row.kind));
    text += &format!("{tick} {seconds} {arrow}{cs:>4} {ms:>3} {kind}{size:>6}  ");
    let mut lines = wrapped(&row.meaning, width - MEANING_AT);
    if lines.len() > MEANING_LINES_MAX {
        lines.truncate(MEANING_LINES_MAX);
        if let Some(last) = lines.last_mut() {
            *last = shortened(&format!("{last} …"), width - MEANING_AT);
        }
    }
    text += lines.join(&format!("\n{}", " ".repeat(MEANING_AT))).trim_end();
    text.push('\n');
    for line in &row.tree {
        text += &format!("{}{}\n", " ".repeat(REMARK_AT), paint.dim(line));
    }
    for remark in &row.remarks {
        let label = format!("{:<9}", remark.severity.to_string());
        let lines = wrapped(&remark.text, width - REMARK_AT - 11);
        let indent = format!("\n{}", " ".repeat(REMARK_AT + 11));
        let label = paint.severity(remark.severity, &format!("└ {label}"));
        text += &format!("{}{label}{}\n", " ".repeat(REMARK_AT), lines.join(&indent));
    }
    text
}

/// What was left out.
pub(super) fn skip(skipped: &str, paint: Paint) -> String {
    format!("{}\n", paint.dim(&format!("{}⋮ {skipped}", " ".repeat(REMARK_AT))))
}

/// The verdict: steps, figures, outcome, deviations.
pub(super) fn verdict(verdict: &Verdict, width: usize, paint: Paint) -> String {
    let width = width.max(WIDTH_MIN);
    let mut text = heading("verdict", width, paint);
    for (phase, steps) in &verdict.phases {
        text += &phase_line(*phase, steps, width, paint);
    }
    if !verdict.tracks.is_empty() {
        text.push('\n');
        text += &figures(&verdict.tracks, paint);
    }
    text.push('\n');
    text += &outcome(verdict, width, paint);
    let counts = [Severity::Error, Severity::Warning, Severity::Note].map(|severity| {
        let count = verdict.count(severity);
        let noun = format!("{} {severity}{}", grouped(count), if count == 1 { "" } else { "s" });
        if count == 0 { noun } else { paint.severity(severity, &noun) }
    });
    text += &format!("  {}\n", counts.join(", "));
    for tally in &verdict.tallies {
        text += &tally_lines(tally, width, paint);
    }
    text
}

fn phase_line(phase: Phase, steps: &[(Step, StepState)], width: usize, paint: Paint) -> String {
    let is_done = steps.iter().all(|(step, state)| !step.is_needed() || matches!(state, StepState::Seen(_)));
    let mark = if is_done { paint.good("✓") } else { paint.bad("✗") };
    let mut text = format!("{mark} {}", paint.bold(&format!("{:<12}", phase.name())));
    let mut used = 14;
    for (step, state) in steps {
        let sign = match state {
            StepState::Seen(_) => paint.good("✓"),
            StepState::Refused(_) => paint.bad("✗"),
            StepState::Missing if step.is_needed() => paint.bad("✗"),
            StepState::Missing => paint.dim("–"),
        };
        let long = step.name().chars().count() + 4;
        if used + long > width {
            text += &format!("\n{}", " ".repeat(14));
            used = 14;
        }
        used += long;
        text += &format!("{} {sign}  ", step.name());
    }
    format!("{}\n", text.trim_end())
}

fn outcome(verdict: &Verdict, width: usize, paint: Paint) -> String {
    let sums = format!(
        "{} long, {} bytes from the client, {} from the server",
        duration(verdict.duration_ns),
        grouped(verdict.client_bytes),
        grouped(verdict.server_bytes)
    );
    match &verdict.outcome {
        Outcome::Works => format!("{} {sums}\n", paint.good("✓ It works:")),
        Outcome::Failed(failure) => {
            let title = format!("✗ It failed at {} ({}):", failure.step.name(), failure.step.phase());
            let seen = wrapped(&format!("{}.", clean(&failure.seen)), width - 4).join("\n    ");
            let mend = wrapped(failure.mend, width - 4).join("\n    ");
            format!("{}\n    {seen}\n    {mend}\n  {sums}\n", paint.bad(&title))
        }
    }
}

fn tally_lines(tally: &Tally, width: usize, paint: Paint) -> String {
    let who = match tally.side {
        Side::Client => "client",
        Side::Server => "server",
    };
    let label = paint.severity(tally.rule.severity(), &format!("{:<8}", tally.rule.severity().to_string()));
    let first = format!("{:.4} s", tally.first_ns as f64 / 1e9);
    let times = if tally.count > 1 {
        format!(" {}×, first at {first}", grouped(tally.count))
    } else {
        format!(" at {first}")
    };
    let seen = if tally.first_detail.is_empty() {
        String::new()
    } else {
        format!(" Seen: {}.", clean(&tally.first_detail))
    };
    let text = format!("{}.{seen} [{}]", tally.rule.text(), tally.rule.source());
    let lines = wrapped(&text, width.saturating_sub(6));
    let (id, times) = (paint.bold(tally.rule.id()), paint.dim(&times));
    format!("  {label} {who:<7}{id}{times}\n      {}\n", lines.join("\n      "))
}

/// A line for each track.
pub(super) fn figures(tracks: &[TrackFigures], paint: Paint) -> String {
    tracks.iter().map(|track| figure_lines(track, tracks, paint)).collect()
}

fn figure_lines(track: &TrackFigures, all: &[TrackFigures], paint: Paint) -> String {
    let arrow = paint.side(track.side, if track.side == Side::Client { "→" } else { "←" });
    let (kind, unit) = match track.kind {
        MediaKind::Video => ("video", "frames/s"),
        _ => ("audio", "frames/s"),
    };
    let rate = track.frames_per_second().map_or_else(|| "–".into(), |rate| format!("{rate:.2}"));
    let bits = track.bits_per_second().map_or_else(|| "–".into(), |bits| grouped(bits / 1000));
    let name = if track.track > 0 { format!("{kind} {}", track.track) } else { kind.to_owned() };
    let (count, codec) = (grouped(track.frames), clean(&track.codec));
    let mut text =
        format!("{arrow} {name:<8} {codec:<10} {count:>8} frames {rate:>8} {unit} {bits:>8} kbit/s\n");
    let mut more = Vec::new();
    if track.kind == MediaKind::Video {
        more.push(match (track.gop_frames, track.gop_ms) {
            (Some((least, most)), Some(ms)) if least == most => format!("GOP {most} frames ({ms} ms)"),
            (Some((least, most)), Some(ms)) => format!("GOP {least}–{most} frames ({ms} ms)"),
            _ => format!("{} key frame{}", track.keys, if track.keys == 1 { "" } else { "s" }),
        });
        if let Some((least, most)) = track.composition_ms.filter(|range| *range != (0, 0)) {
            more.push(format!("cts {least}–{most} ms"));
        }
    } else if let Some(offset) = offset(track, all) {
        more.push(format!("audio - video {offset:+} ms"));
    }
    more.push(if track.backward_steps + track.gaps == 0 {
        format!("times in order, steps up to {} ms", track.step_ms_max)
    } else {
        format!("times: {} steps back, {} gaps over 1 s", track.backward_steps, track.gaps)
    });
    text += &format!("{}{}\n", " ".repeat(11), paint.dim(&more.join(" · ")));
    text
}

/// How far audio is ahead of video, in milliseconds.
fn offset(audio: &TrackFigures, all: &[TrackFigures]) -> Option<i64> {
    let mut videos = all.iter().filter(|track| track.kind == MediaKind::Video && track.frames > 0);
    let video = videos.find(|track| (track.side, track.stream) == (audio.side, audio.stream))?;
    (audio.frames > 0).then_some(audio.last_ms - video.last_ms)
}
