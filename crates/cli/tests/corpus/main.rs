//! Films as they really are: every film of the directory that `HEADWATER_CORPUS` names, at every door of the real
//! binary, held against what FFmpeg's demuxers see in it; and the same films damaged by chance.
//!
//! The reading and comparing is Python, because PyAV carries those demuxers (`corpus.py` is where to begin);
//! `HEADWATER_PYTHON` names one that has it. Without a corpus these tests say SKIPPED and pass: `./test` has a step of its
//! own that makes the small corpus (`recipes.py`) and names it.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::env;
use std::path::Path;
use std::process::Command;

/// So many of the corpus's films are damaged and asked for, if `HEADWATER_MUTANTS` says nothing.
const MUTANTS: &str = "150";

/// Runs one of the scripts; what it prints is shown.
#[track_caller]
fn run(script: &str, arguments: &[&str]) {
    let python = env::var("HEADWATER_PYTHON").unwrap_or_else(|_| "python3".into());
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus").join(script);
    let output = Command::new(python)
        // Compiled Python is not left in the source tree.
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .arg(path)
        .args(arguments)
        .output()
        .unwrap();
    print!("{}", String::from_utf8_lossy(&output.stdout));
    assert!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
}

/// The directory of films, or what to say without one.
fn corpus() -> Option<String> {
    let corpus = env::var("HEADWATER_CORPUS").ok();
    if corpus.is_none() {
        println!("SKIPPED: HEADWATER_CORPUS names no directory of films (tests/corpus/recipes.py makes one)");
    }
    corpus
}

#[test]
fn every_film_at_every_door() {
    if let Some(corpus) = corpus() {
        run("corpus.py", &[env!("CARGO_BIN_EXE_headwater"), &corpus]);
    }
}

/// Bits, numbers, boxes and tags: no panic, no hang, no memory that grows.
#[test]
fn damaged_films_do_no_harm() {
    if let Some(corpus) = corpus() {
        let count = env::var("HEADWATER_MUTANTS").unwrap_or_else(|_| MUTANTS.into());
        let seed = env::var("HEADWATER_SEED").unwrap_or_else(|_| "1".into());
        run("mutants.py", &[env!("CARGO_BIN_EXE_headwater"), &corpus, &count, &seed]);
    }
}

#[test]
fn the_comparison_finds_what_is_wrong() {
    if corpus().is_some() {
        run("compare_test.py", &[]);
    }
}
