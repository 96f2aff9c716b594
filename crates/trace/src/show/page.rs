//! The conversation as one page: a sequence diagram, the verdict, and every row in full.
//!
//! Self-contained: no script, nothing loaded from anywhere. Everything that a peer wrote is escaped. Readable in light
//! and dark.

use headwater_rtmp::capture::Side;
use headwater_rtmp::rule::Severity;

use super::plain::{clean, duration, grouped, shortened, wrapped};
use super::rows::{Row, Tick};
use super::text::{self, Paint};
use crate::findings::Tally;
use crate::step::StepState;
use crate::verdict::{Outcome, Verdict};

/// Rows of one diagram; a browser draws no more at ease.
const ROWS_MAX: usize = 2000;
/// Characters of a label over an arrow; the full text stands below the diagram.
const LABEL_MAX: usize = 96;
/// Characters of a remark's line.
const REMARK_WIDTH: usize = 104;
/// Columns of the full text.
const TEXT_WIDTH: usize = 120;

const WIDTH: u32 = 1000;
const CLIENT_X: u32 = 120;
const SERVER_X: u32 = 880;
const MIDDLE_X: u32 = 500;
const ROW_HEIGHT: u32 = 38;
const LINE_HEIGHT: u32 = 17;
const BAND_HEIGHT: u32 = 40;

const STYLE: &str = include_str!("page.css");

/// A page in the making.
#[derive(Debug)]
pub(super) struct Page {
    about: String,
    rows: Vec<Row>,
    left_out: u64,
}

impl Page {
    /// Before the first row. `about` says whose conversation it is.
    pub(super) fn new(about: &str) -> Self {
        Self { about: clean(about), rows: Vec::new(), left_out: 0 }
    }

    /// One more row.
    pub(super) fn add(&mut self, row: Row) {
        if self.rows.len() < ROWS_MAX {
            self.rows.push(row);
        } else {
            self.left_out += 1;
        }
    }

    /// The whole page.
    pub(super) fn html(&self, verdict: &Verdict) -> String {
        let about = escape(&self.about);
        let mut html = format!(
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
             <title>RTMP trace: {about}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n\
             <h1>RTMP trace</h1>\n<p class=\"about\">{about}</p>\n"
        );
        html += &outcome(verdict);
        html += &steps(verdict);
        html += &deviations(verdict);
        html += &figures(verdict);
        html += "<h2>Conversation</h2>\n";
        html += &diagram(&self.rows);
        if self.left_out > 0 {
            html += &format!("<p>{} rows more are left out.</p>\n", grouped(self.left_out));
        }
        html += "<details>\n<summary>Every row in full</summary>\n<pre>";
        let paint = Paint { is_on: false };
        html += &escape(&text::head(paint));
        for row in &self.rows {
            html += &escape(&text::row(row, TEXT_WIDTH, paint));
        }
        html += "</pre>\n</details>\n";
        html += &format!(
            "<footer>headwater {} · times in seconds since the first byte</footer>\n</main>\n</body>\n</html>\n",
            env!("CARGO_PKG_VERSION")
        );
        html
    }
}

fn outcome(verdict: &Verdict) -> String {
    let sums = format!(
        "{} · {} bytes from the client · {} bytes from the server",
        duration(verdict.duration_ns),
        grouped(verdict.client_bytes),
        grouped(verdict.server_bytes)
    );
    match &verdict.outcome {
        Outcome::Works => {
            format!(
                "<section class=\"outcome good\"><strong>It works.</strong> <span>{sums}</span></section>\n"
            )
        }
        Outcome::Failed(failure) => format!(
            "<section class=\"outcome bad\"><strong>It failed at {}.</strong> <span>{sums}</span>\
             <p>{}.</p><p>{}</p></section>\n",
            escape(failure.step.name()),
            escape(&clean(&failure.seen)),
            escape(failure.mend)
        ),
    }
}

fn steps(verdict: &Verdict) -> String {
    let mut html = String::from("<dl class=\"steps\">\n");
    for (phase, steps) in &verdict.phases {
        html += &format!("<dt>{phase}</dt><dd>");
        for (step, state) in steps {
            let (class, sign) = match state {
                StepState::Seen(_) => ("seen", "✓"),
                StepState::Refused(_) => ("missing", "✗"),
                StepState::Missing if step.is_needed() => ("missing", "✗"),
                StepState::Missing => ("absent", "–"),
            };
            html += &format!("<span class=\"{class}\">{sign} {}</span> ", escape(step.name()));
        }
        html += "</dd>\n";
    }
    html + "</dl>\n"
}

fn deviations(verdict: &Verdict) -> String {
    if verdict.tallies.is_empty() {
        return "<h2>Deviations</h2>\n<p>None.</p>\n".into();
    }
    let counts = [Severity::Error, Severity::Warning, Severity::Note].map(|severity| {
        let count = verdict.count(severity);
        format!("{} {severity}{}", grouped(count), if count == 1 { "" } else { "s" })
    });
    let rows: String = verdict.tallies.iter().map(deviation).collect();
    format!(
        "<h2>Deviations <small>{}</small></h2>\n<table>\n<thead><tr><th>Weight</th><th>By</th><th>Count</th>\
         <th>Rule</th><th>First</th></tr></thead>\n<tbody>\n{rows}</tbody>\n</table>\n",
        counts.join(", ")
    )
}

fn deviation(tally: &Tally) -> String {
    let severity = tally.rule.severity();
    let seen = if tally.first_detail.is_empty() {
        String::new()
    } else {
        format!("<br><em>Seen: {}</em>", escape(&clean(&tally.first_detail)))
    };
    let by = if tally.side == Side::Client { "client" } else { "server" };
    format!(
        "<tr><td><span class=\"tag {severity}\">{severity}</span></td><td>{by}</td><td class=\"n\">{}</td>\
         <td><code>{}</code> {}.{seen}<br><small>{}</small></td><td class=\"n\">{:.4}</td></tr>\n",
        grouped(tally.count),
        tally.rule.id(),
        escape(tally.rule.text()),
        escape(tally.rule.source()),
        tally.first_ns as f64 / 1e9
    )
}

fn figures(verdict: &Verdict) -> String {
    if verdict.tracks.is_empty() {
        return String::new();
    }
    let text = text::figures(&verdict.tracks, Paint { is_on: false });
    format!("<h2>Media</h2>\n<pre>{}</pre>\n", escape(&text))
}

/// The sequence diagram.
fn diagram(rows: &[Row]) -> String {
    let mut body = String::new();
    let mut y = 50;
    for row in rows {
        if let Some(skipped) = &row.skipped {
            body += &format!(
                "<text x=\"{MIDDLE_X}\" y=\"{}\" class=\"skip\" text-anchor=\"middle\">⋮ {}</text>\n",
                y + 16,
                escape(skipped)
            );
            y += 26;
        }
        if let Some(phase) = row.phase {
            body += &format!(
                "<rect x=\"0\" y=\"{}\" width=\"{WIDTH}\" height=\"24\" rx=\"4\" class=\"band\"/>\
                 <text x=\"{MIDDLE_X}\" y=\"{}\" class=\"phase\" text-anchor=\"middle\">{phase}</text>\n",
                y + 6,
                y + 22
            );
            y += BAND_HEIGHT;
        }
        body += &arrow(row, y);
        y += ROW_HEIGHT;
        for remark in &row.remarks {
            let lines = wrapped(&remark.text, REMARK_WIDTH);
            let severity = remark.severity;
            let label = format!("{severity} ");
            for (number, line) in lines.iter().enumerate() {
                let lead = if number == 0 { format!("▲ {label}") } else { String::new() };
                body += &format!(
                    "<text x=\"{}\" y=\"{}\" class=\"remark {severity}\">{}</text>\n",
                    CLIENT_X + if number == 0 { 14 } else { 30 },
                    y + 10,
                    escape(&format!("{lead}{line}"))
                );
                y += LINE_HEIGHT;
            }
            y += 5;
        }
    }
    let height = y + 30;
    format!(
        "<svg viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" height=\"{height}\" role=\"img\" \
         aria-label=\"Sequence diagram of the conversation\">\n\
         <line x1=\"{CLIENT_X}\" y1=\"36\" x2=\"{CLIENT_X}\" y2=\"{end}\" class=\"life\"/>\
         <line x1=\"{SERVER_X}\" y1=\"36\" x2=\"{SERVER_X}\" y2=\"{end}\" class=\"life\"/>\n\
         <text x=\"{CLIENT_X}\" y=\"24\" class=\"peer client\" text-anchor=\"middle\">client</text>\
         <text x=\"{SERVER_X}\" y=\"24\" class=\"peer server\" text-anchor=\"middle\">server</text>\n\
         {body}</svg>\n",
        end = height - 10
    )
}

fn arrow(row: &Row, y: u32) -> String {
    let (from, to, class, head) = match row.side {
        Side::Client => (CLIENT_X, SERVER_X, "client", -8_i32),
        Side::Server => (SERVER_X, CLIENT_X, "server", 8),
    };
    let line_y = y + 24;
    let head_x = i64::from(to) + i64::from(head);
    let label = shortened(&row.meaning, LABEL_MAX.saturating_sub(row.kind.len() + 1));
    let tick = match row.tick {
        Tick::Done => "<tspan class=\"seen\">✓</tspan> ",
        Tick::Refused => "<tspan class=\"missing\">✗</tspan> ",
        Tick::None => "",
    };
    let size = row.size.map(|size| format!("{} B", grouped(size))).unwrap_or_default();
    let streams = row.streams.map(|(cs, ms)| format!("cs {cs} ms {ms}")).unwrap_or_default();
    format!(
        "<g><title>{full}</title>\
         <text x=\"4\" y=\"{text_y}\" class=\"time\">{seconds:.4}</text>\
         <text x=\"{MIDDLE_X}\" y=\"{label_y}\" class=\"label\" text-anchor=\"middle\">{tick}\
         <tspan class=\"kind {class}\">{kind}</tspan> {label}</text>\
         <line x1=\"{from}\" y1=\"{line_y}\" x2=\"{head_x}\" y2=\"{line_y}\" class=\"arrow {class}\"/>\
         <path d=\"M{to} {line_y} l{head} -4 v8 z\" class=\"head {class}\"/>\
         <text x=\"{right}\" y=\"{streams_y}\" class=\"time\">{streams}</text>\
         <text x=\"{right}\" y=\"{size_y}\" class=\"time\">{size}</text></g>\n",
        full = escape(&row.meaning),
        text_y = line_y + 4,
        label_y = y + 17,
        streams_y = line_y - 3,
        size_y = line_y + if row.streams.is_some() { 12 } else { 4 },
        seconds = row.at_ns as f64 / 1e9,
        kind = escape(row.kind),
        label = escape(&label),
        right = SERVER_X + 14,
    )
}

/// Text inside HTML and SVG, in elements and attributes.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::escape;

    #[test]
    fn markup_is_escaped() {
        assert_eq!(escape("<a b='c' d=\"e\">&"), "&lt;a b=&#39;c&#39; d=&quot;e&quot;&gt;&amp;");
    }
}
