//! Holds what cargo cannot: arrows between floors and rooms, circles of imports, sizes, a `//!` on each file,
//! names, reasons of limits, documented keys and metrics, links of documents.
//!
//! The rules' data are in `tables`. Each rule is a function over a [`tree::Tree`]; `planted` shows that each
//! of them fails.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test stops at the first surprise")]

mod circles;
mod defaults;
mod documents;
mod floors;
mod imports;
mod keys;
mod lexer;
mod limits;
mod manual;
mod metrics;
mod modules;
mod names;
mod planted;
mod rust_file;
mod sizes;
mod structs;
mod tables;
mod translations;
mod tree;

use std::path::Path;
use std::sync::LazyLock;

use tree::{Finding, Tree};

/// This repository.
static TREE: LazyLock<Tree> = LazyLock::new(|| {
    Tree::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap())
});

fn report(findings: &[Finding]) {
    let lines: Vec<String> = findings.iter().map(Finding::to_string).collect();
    assert!(findings.is_empty(), "\n{}\n", lines.join("\n"));
}

#[test]
fn arrows_run_down_only() {
    report(&floors::findings(&TREE));
}

#[test]
fn every_room_holds_a_file() {
    if tables::EMPTY_ROOMS_FAIL {
        report(&floors::empty_rooms(&TREE));
    }
}

#[test]
fn no_file_imports_in_a_circle() {
    report(&circles::findings(&TREE));
}

#[test]
fn files_and_functions_fit() {
    report(&sizes::findings(&TREE));
}

#[test]
fn files_say_what_they_are_and_names_say_something() {
    report(&names::findings(&TREE));
}

#[test]
fn translations_keep_step() {
    assert!(TREE.holds("README.zh-CN.md"));
    report(&translations::findings(&TREE));
}

#[test]
fn every_limit_has_its_reason() {
    report(&limits::findings(&TREE));
}

#[test]
fn every_key_of_the_configuration_is_documented() {
    report(&keys::findings(&TREE));
}

#[test]
fn units_of_keys_stand_last() {
    if tables::UNITS_LAST {
        report(&keys::units_last(&TREE));
    }
}

#[test]
fn every_metric_is_documented() {
    report(&metrics::findings(&TREE));
}

#[test]
fn every_link_of_the_documentation_leads_somewhere() {
    report(&documents::links(&TREE));
}

#[test]
fn every_habit_of_a_client_has_its_test() {
    report(&documents::quirks(&TREE));
}
