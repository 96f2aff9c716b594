//! A translated document keeps step with its original: the same sections, commands, tables, links, addresses and flags in
//! the same order. What the sentences say no test can hold.

use crate::tree::{Finding, Tree};

/// The original and its translation.
const TRANSLATED: [(&str, &str); 1] = [("README.md", "README.zh-CN.md")];

pub(crate) fn findings(tree: &Tree) -> Vec<Finding> {
    let mut found = Vec::new();
    for (original, translation) in TRANSLATED.into_iter().filter(|(_, translation)| tree.holds(translation)) {
        let (ours, theirs) = (marks(tree.text(original)), marks(tree.text(translation)));
        let differs = ours.iter().zip(&theirs).find(|((_, mark), (_, other))| mark != other);
        let end = (0, "the end".to_owned());
        let differs = differs.or_else(|| {
            let both = ours.len().min(theirs.len());
            let rest = (ours.get(both).unwrap_or(&end), theirs.get(both).unwrap_or(&end));
            (ours.len() != theirs.len()).then_some(rest)
        });
        if let Some(((line, mark), (at, other))) = differs {
            let wrong = format!("has {other} where {original}:{line} has {mark}");
            found.push(Finding::new(translation, *at, wrong, "translate what was changed"));
        }
    }
    found
}

/// What is the same in every language, each with its line. Within a paragraph words and lines change places, so what
/// stands in one is sorted.
fn marks(text: &str) -> Vec<(usize, String)> {
    let mut marks = Vec::new();
    let mut paragraph: Vec<(usize, String)> = Vec::new();
    let mut is_code = false;
    for (line, number) in text.lines().zip(1..) {
        let is_fence = line.starts_with("```");
        is_code ^= is_fence;
        if is_fence || line.is_empty() || line.starts_with(['#', '|', '-']) {
            paragraph.sort_by(|(_, a), (_, b)| a.cmp(b));
            marks.append(&mut paragraph);
        }
        if is_code && !is_fence {
            // Behind a command, in a column of its own, stands what it does.
            marks.push((number, line.split("  ").next().unwrap_or_default().to_owned()));
        } else if !is_fence {
            paragraph.extend(inside(line).map(|mark| (number, mark)));
        }
    }
    paragraph.sort_by(|(_, a), (_, b)| a.cmp(b));
    marks.append(&mut paragraph);
    marks
}

/// A heading's level, a table's row, addresses, flags, and where links lead.
fn inside(line: &str) -> impl Iterator<Item = String> {
    let level = line.len() - line.trim_start_matches('#').len();
    let heading = (level > 0).then(|| "#".repeat(level));
    let row = line.starts_with('|').then(|| "a row of a table".to_owned());
    let codes = line.split('`').skip(1).step_by(2).map(|code| format!("`{code}`"));
    let links = line.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    let links = links.filter(|link| !link.starts_with("README")).map(|link| format!("({link})"));
    heading.into_iter().chain(row).chain(codes).chain(links)
}
