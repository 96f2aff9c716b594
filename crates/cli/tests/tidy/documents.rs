//! Links of documents lead somewhere, and every habit of a client has its test.

use std::collections::BTreeSet;

use crate::tree::{Finding, Tree};

const QUIRKS: &str = "docs/quirks.md";
/// Rows of that table: numbers are cited in the code, and are never given anew.
pub(crate) const QUIRKS_COUNT: usize = 93;

/// Links to files and headings that are not there.
pub(crate) fn links(tree: &Tree) -> Vec<Finding> {
    let mut found = Vec::new();
    for (path, text) in tree.texts.iter().filter(|(path, _)| path.ends_with(".md")) {
        for (line, target) in linked(text) {
            if target.contains("://") || target.starts_with("mailto:") {
                continue;
            }
            let (file, heading) = target.split_once('#').unwrap_or((target, ""));
            let place = if file.is_empty() { path.clone() } else { joined(path, file) };
            let is_heading = || headings(tree.text(&place)).contains(heading);
            if !tree.holds(&place) {
                found.push(Finding::new(
                    path,
                    line,
                    format!("the link to {target} leads nowhere"),
                    "mend it",
                ));
            } else if !heading.is_empty() && place.ends_with(".md") && !is_heading() {
                let wrong = format!("{place} has no heading for the link to {target}");
                found.push(Finding::new(path, line, wrong, "link to one that is there"));
            }
        }
    }
    found
}

/// `](target)` outside blocks of code.
fn linked(text: &str) -> Vec<(usize, &str)> {
    let mut is_code = false;
    let mut found = Vec::new();
    for (text, line) in text.lines().zip(1..) {
        is_code ^= text.trim_start().starts_with("```");
        if !is_code {
            let targets = text.split("](").skip(1).filter_map(|rest| rest.split([')', ' ']).next());
            found.extend(targets.map(|target| (line, target)));
        }
    }
    found
}

/// `target` as seen from the document at `path`.
fn joined(path: &str, target: &str) -> String {
    let mut parts: Vec<&str> = path.split('/').collect();
    parts.pop();
    for part in target.split('/') {
        match part {
            ".." => drop(parts.pop()),
            "." | "" => {}
            part => parts.push(part),
        }
    }
    parts.join("/")
}

/// The names that GitHub gives to headings.
fn headings(text: &str) -> BTreeSet<String> {
    let lines = text.lines().filter(|line| line.starts_with('#'));
    let name = |line: &str| {
        let title = line.trim_start_matches('#').trim().to_lowercase();
        let kept = title.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
        kept.map(|c| if c == ' ' { '-' } else { c }).collect()
    };
    lines.map(name).collect()
}

/// Rows numbered from 1, each with tests that are there, or with the words that it does not apply.
pub(crate) fn quirks(tree: &Tree) -> Vec<Finding> {
    let tests: BTreeSet<&str> = tree
        .rust
        .values()
        .flat_map(|file| file.all.windows(2).filter(|two| two[0].is("fn")).map(|two| two[1].text))
        .collect();
    let rows: Vec<(usize, Vec<&str>)> = tree
        .text(QUIRKS)
        .lines()
        .zip(1..)
        .filter(|(line, _)| {
            line.strip_prefix("| ").is_some_and(|row| row.starts_with(|c: char| c.is_ascii_digit()))
        })
        .map(|(text, line)| (line, text.trim_matches('|').split(" | ").map(str::trim).collect()))
        .collect();
    let mut found = Vec::new();
    let mut say = |line: usize, wrong: String, mend: &str| {
        found.push(Finding::new(QUIRKS, line, wrong, mend));
    };
    for ((line, row), number) in rows.iter().zip(1..) {
        let [at, who, _, reaction, named] = row[..] else {
            say(*line, format!("row {number} has {} columns", row.len()), "write five");
            continue;
        };
        if at != number.to_string() {
            say(
                *line,
                format!("{at} ({who}) stands where {number} should"),
                "number the rows in their order",
            );
        }
        let names: Vec<&str> = named.split('`').skip(1).step_by(2).collect();
        if names.is_empty() && !(named == "does not apply" && reaction.starts_with("does not apply")) {
            say(
                *line,
                format!("{number} ({who}) names no test"),
                "name one, or say “does not apply” and why",
            );
        }
        for name in names.iter().filter(|name| !tests.contains(**name)) {
            say(*line, format!("{number} ({who}): there is no test {name}"), "name the test that shows it");
        }
    }
    if rows.len() != QUIRKS_COUNT {
        say(0, format!("{} rows, {QUIRKS_COUNT} are known", rows.len()), "keep old rows, and count new ones");
    }
    found
}
