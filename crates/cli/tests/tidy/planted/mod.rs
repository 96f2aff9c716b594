//! The test of the tests: for each rule, small trees that break it, and what it must say of them.

mod arrows;
mod documents;
mod reading;
mod texts;

use crate::tree::{Finding, Tree};

/// What a rule says of a tree of these files.
fn said(rule: impl Fn(&Tree) -> Vec<Finding>, files: &[(&str, &str)]) -> Vec<String> {
    rule(&Tree::planted(files)).iter().map(Finding::to_string).collect()
}

/// The rule says one thing, and that begins with the place and names what is wrong.
#[track_caller]
fn fails(rule: impl Fn(&Tree) -> Vec<Finding>, files: &[(&str, &str)], place: &str, wrong: &str) {
    let said = said(rule, files);
    let [one] = &said[..] else { panic!("one finding at {place}, not {said:#?}") };
    assert!(one.starts_with(&format!("{place}: ")) && one.contains(wrong), "{place}: {wrong}\n{one}");
}

/// The rule says nothing.
#[track_caller]
fn holds(rule: impl Fn(&Tree) -> Vec<Finding>, files: &[(&str, &str)]) {
    let said = said(rule, files);
    assert!(said.is_empty(), "{said:#?}");
}
