//! Every metric is documented, and what the manual calls a metric is one.

use std::collections::BTreeMap;

use crate::lexer::{Kind, Token};
use crate::tables::CRATES;
use crate::tree::{Finding, Tree};

const MANUAL: &str = "docs/metrics.md";
/// Columns of the table: name, type, labels, meaning.
const COLUMNS: usize = 4;

/// Metrics without a row, rows without a metric, and mentions elsewhere of none.
pub(crate) fn findings(tree: &Tree) -> Vec<Finding> {
    let registered = registered(tree);
    let rows = rows(tree.text(MANUAL));
    let mut found = Vec::new();
    for (name, (path, line)) in &registered {
        let counted = format!("{name}_total");
        match rows.get(name).or_else(|| rows.get(&counted)) {
            None => found.push(Finding::new(
                path,
                *line,
                format!("{MANUAL} does not name the metric {name}"),
                "add a row with its name, type, labels and meaning",
            )),
            Some((line, cells)) if cells.len() != COLUMNS || cells.iter().any(String::is_empty) => {
                let wrong = format!("the row of {name} has an empty cell or not {COLUMNS} of them");
                found.push(Finding::new(MANUAL, *line, wrong, "say name, type, labels (or –) and meaning"));
            }
            Some(_) => {}
        }
    }
    for (path, name) in calls(tree).filter(|(_, name)| name.kind != Kind::Text) {
        let wrong = format!("the name of a metric cannot be read from `{}`", name.text);
        found.push(Finding::new(path, name.line, wrong, "write it as a literal"));
    }
    for (path, text) in tree.texts.iter().filter(|(path, _)| is_manual(path)) {
        for (line, name) in mentions(text) {
            let is_crate = CRATES.iter().any(|known| name == format!("headwater_{}", known.name));
            let is_metric =
                [name, name.trim_end_matches("_total")].iter().any(|n| registered.contains_key(*n));
            if !is_crate && !is_metric {
                found.push(Finding::new(
                    path,
                    line,
                    format!("there is no metric {name}"),
                    "name one that is",
                ));
            }
        }
    }
    found
}

fn is_manual(path: &str) -> bool {
    path == "README.md" || (path.starts_with("docs/") && path.ends_with(".md"))
}

/// Names given to `register`, with the registry's prefix, and where.
fn registered(tree: &Tree) -> BTreeMap<String, (&str, usize)> {
    let named = calls(tree).filter(|(_, name)| name.kind == Kind::Text);
    named
        .map(|(path, name)| (format!("headwater_{}", name.text.trim_matches('"')), (path, name.line)))
        .collect()
}

/// The first argument of each `….register(…)` of the server that names a metric or is given to a registry.
fn calls(tree: &Tree) -> impl Iterator<Item = (&str, &Token)> {
    let files = tree.sources().filter(|(path, _)| path.starts_with("crates/server/src/"));
    files.flat_map(|(path, file)| {
        let calls = file.code.windows(5).filter(|five| {
            let is_call = five[1].is(".") && five[2].text.starts_with("register") && five[3].is("(");
            is_call && (five[0].is("registry") || five[4].kind == Kind::Text)
        });
        calls.map(move |five| (path, &five[4]))
    })
}

/// Rows of tables that begin with a name in backticks.
fn rows(manual: &str) -> BTreeMap<String, (usize, Vec<String>)> {
    let mut found = BTreeMap::new();
    for (text, line) in manual.lines().zip(1..) {
        let Some(row) = text.strip_prefix("| `") else { continue };
        let cells: Vec<String> =
            row.trim_end().trim_end_matches('|').split(" | ").map(|cell| cell.trim().to_owned()).collect();
        found.insert(cells[0].trim_matches('`').to_owned(), (line, cells));
    }
    found
}

/// Words that begin like a metric.
fn mentions(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines().zip(1..).flat_map(|(text, line)| {
        let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        words.filter(|word| word.starts_with("headwater_")).map(move |word| (line, word))
    })
}
