//! Holds what cargo cannot: arrows between floors, sizes, a `//!` on each file, names, documented keys.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::fs;
use std::path::{Path, PathBuf};

const FILE_LINES_MAX: usize = 800;
const FUNCTION_LINES_MAX: usize = 70;

/// Words that say nothing about what a file holds.
const EMPTY_NAMES: [&str; 9] =
    ["utils", "util", "common", "define", "helper", "helpers", "manager", "misc", "types"];

/// `(files, what they must not name, why)`.
const FORBIDDEN: &[(&str, &[&str], &str)] = &[
    (
        "crates/media/src",
        &["headwater_rtmp", "headwater_hub", "tokio", "std::net", "std::fs", "std::time", "std::thread"],
        "media says what bytes mean and does no I/O",
    ),
    (
        "crates/rtmp/src",
        &["headwater_hub", "std::net", "std::fs", "std::time::Instant", "SystemTime", "std::thread"],
        "rtmp is a conversation without I/O and clock",
    ),
    (
        "crates/hub/src",
        &["headwater_rtmp", "std::net", "std::fs", "Instant", "SystemTime", "tokio::spawn", "tokio::time"],
        "the hub knows no protocol, opens no socket, starts no task and reads no clock",
    ),
    (
        "crates/server/src/doors/rtmp",
        &["doors::http", "crate::config", "crate::app", "crate::workers"],
        "a door imports no door and not the configuration",
    ),
    (
        "crates/server/src/doors/http",
        &["doors::rtmp", "crate::config", "crate::app", "crate::workers"],
        "a door imports no door and not the configuration",
    ),
    (
        "crates/server/src/workers",
        &["crate::doors", "crate::config", "crate::app"],
        "a worker imports no door",
    ),
    (
        "crates/vod/src",
        &["headwater_rtmp", "headwater_server", "std::net"],
        "vod knows films and no protocol",
    ),
    (
        "crates/vod/src/thumbnails/picture",
        &["crate::library", "crate::film", "tokio", "std::fs"],
        "a picture is bytes in and bytes out",
    ),
    (
        "crates/trace/src",
        &["headwater_hub", "headwater_server", "tokio", "std::net", "Instant", "SystemTime"],
        "an onlooker takes no part, and has no clock",
    ),
    (
        "crates/server/src/net",
        &["crate::doors", "crate::workers", "crate::config", "crate::app", "crate::sources"],
        "what happens before a protocol knows none",
    ),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// Every Rust file below `place`, with its path from the root and its text.
fn sources(place: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut open = vec![root().join(place)];
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let name = path.strip_prefix(root()).unwrap().to_string_lossy().into_owned();
            found.push((name, fs::read_to_string(&path).unwrap()));
        }
    }
    assert!(!found.is_empty(), "{place} holds no Rust file");
    found
}

/// The text without its tests and comments.
fn code(text: &str) -> String {
    let end = text.find("#[cfg(test)]").unwrap_or(text.len());
    text[..end].lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

fn is_test(name: &str) -> bool {
    name.contains("/tests/") || name.ends_with("/tests.rs")
}

/// The only files of the RTMP crate that touch a socket and a clock.
fn drives_tokio(name: &str) -> bool {
    name == "crates/rtmp/src/tokio.rs" || name.starts_with("crates/rtmp/src/tokio/")
}

fn report(problems: &[String]) {
    assert!(problems.is_empty(), "\n{}", problems.join("\n"));
}

#[test]
fn arrows_run_down_only() {
    let mut problems = Vec::new();
    for &(place, words, why) in FORBIDDEN {
        for (name, text) in sources(place) {
            if is_test(&name) || drives_tokio(&name) {
                continue;
            }
            let code = code(&text);
            let named = words.iter().filter(|word| code.contains(**word));
            problems.extend(named.map(|word| format!("{name} names {word}: {why}")));
        }
    }
    report(&problems);
}

#[test]
fn tokio_stays_in_one_place_of_the_rtmp_crate() {
    let mut problems = Vec::new();
    for (name, text) in sources("crates/rtmp/src") {
        if !is_test(&name) && !drives_tokio(&name) && code(&text).contains("tokio::") {
            problems.push(format!("{name} uses tokio"));
        }
    }
    report(&problems);
}

#[test]
fn files_and_functions_fit() {
    let mut problems = Vec::new();
    for (name, text) in sources("crates") {
        let code = if is_test(&name) {
            text.clone()
        } else {
            text[..text.find("#[cfg(test)]").unwrap_or(text.len())].to_owned()
        };
        let lines = code.lines().count();
        if lines > FILE_LINES_MAX {
            problems.push(format!("{name} has {lines} lines; {FILE_LINES_MAX} are enough for one room"));
        }
        for (function, length) in functions(&text) {
            if length > FUNCTION_LINES_MAX {
                problems.push(format!(
                    "{name}: fn {function} has {length} lines; {FUNCTION_LINES_MAX} fit a screen"
                ));
            }
        }
    }
    report(&problems);
}

/// Functions with their lengths, told by the indentation that rustfmt gives.
fn functions(text: &str) -> Vec<(String, usize)> {
    let lines: Vec<&str> = text.lines().collect();
    let mut found = Vec::new();
    for (start, line) in lines.iter().enumerate() {
        let indent = line.len() - line.trim_start().len();
        let words = line
            .trim_start()
            .trim_start_matches("pub")
            .trim_start_matches("(crate)")
            .trim_start_matches("(super)")
            .trim_start();
        let words = words.trim_start_matches("const ").trim_start_matches("async ");
        let Some(rest) = words.strip_prefix("fn ") else { continue };
        let close = format!("{}}}", " ".repeat(indent));
        let length = lines[start..].iter().position(|line| *line == close).unwrap_or(0);
        found.push((rest.split(['(', '<']).next().unwrap_or_default().to_owned(), length));
    }
    found
}

#[test]
fn every_file_says_what_it_is() {
    let mut problems = Vec::new();
    for (name, text) in sources("crates") {
        if !is_test(&name) && !text.starts_with("//!") {
            problems.push(format!("{name} does not open with //!"));
        }
        let stem = Path::new(&name).file_stem().unwrap().to_string_lossy().into_owned();
        if EMPTY_NAMES.contains(&stem.as_str()) {
            problems.push(format!("{name}: the name says nothing about what it holds"));
        }
    }
    report(&problems);
}

#[test]
fn every_key_of_the_configuration_is_documented() {
    let manual = fs::read_to_string(root().join("docs/configuration.md")).unwrap();
    let mut problems = Vec::new();
    for (file, structure) in [
        ("server/src/config/streams.rs", "Streams"),
        ("server/src/config/mod.rs", "Config"),
        ("server/src/doors/rtmp/mod.rs", "Config"),
        ("server/src/doors/http/mod.rs", "Config"),
        ("server/src/access.rs", "Config"),
        ("server/src/net/tls.rs", "Config"),
        ("server/src/net/proxy.rs", "Config"),
        ("vod/src/library.rs", "Config"),
        ("vod/src/thumbnails/mod.rs", "Config"),
        ("vod/src/uploads/mod.rs", "Config"),
    ] {
        let text = fs::read_to_string(root().join("crates").join(file)).unwrap();
        let start = text.find(&format!("struct {structure} {{")).unwrap();
        let body = &text[start..start + text[start..].find("\n}").unwrap()];
        let fields = body.lines().filter_map(|line| {
            let line = line.trim().trim_start_matches("pub(crate) ").trim_start_matches("pub ");
            let (field, _) = line.split_once(": ")?;
            field.chars().all(|c| c.is_ascii_lowercase() || c == '_').then_some(field)
        });
        for field in fields {
            let documented = [format!("\n{field} = "), format!("\n# {field} = "), format!("\n[{field}]")];
            if !documented.iter().any(|form| manual.contains(form)) {
                problems.push(format!("docs/configuration.md does not name {field} ({structure} of {file})"));
            }
        }
    }
    report(&problems);
}

#[test]
fn every_link_of_the_documentation_leads_somewhere() {
    let mut problems = Vec::new();
    let documents = ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md"].map(|name| root().join(name));
    let manual = fs::read_dir(root().join("docs")).unwrap().map(|entry| entry.unwrap().path());
    for document in
        documents.into_iter().chain(manual.filter(|path| path.extension().is_some_and(|e| e == "md")))
    {
        let text = fs::read_to_string(&document).unwrap();
        for target in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let file = target.split('#').next().unwrap_or_default();
            if !file.is_empty() && !file.contains("://") && !document.parent().unwrap().join(file).exists() {
                problems.push(format!("{}: the link to {target} leads nowhere", document.display()));
            }
        }
    }
    report(&problems);
}

/// Numbers 1 to 74, each with tests that are there, or with the word that it does not apply.
#[test]
fn every_habit_of_a_client_has_its_test() {
    let tests: String = sources("crates").into_iter().map(|(_, text)| text).collect();
    let table = fs::read_to_string(root().join("docs/quirks.md")).unwrap();
    let rows: Vec<Vec<&str>> = table
        .lines()
        .filter(|line| line.starts_with("| ") && line.as_bytes()[2].is_ascii_digit())
        .map(|line| line.trim_matches('|').split(" | ").map(str::trim).collect())
        .collect();
    let mut problems = Vec::new();
    for (row, number) in rows.iter().zip(1..) {
        let [at, who, _, reaction, named] = row[..] else {
            problems.push(format!("docs/quirks.md: row {number} has {} columns", row.len()));
            continue;
        };
        if at != number.to_string() {
            problems.push(format!("docs/quirks.md: {at} ({who}) stands where {number} should"));
        }
        let names: Vec<&str> = named.split('`').skip(1).step_by(2).collect();
        if names.is_empty() && !(named == "does not apply" && reaction.starts_with("does not apply")) {
            problems.push(format!("docs/quirks.md: {number} ({who}) names no test"));
        }
        let missing = names.iter().filter(|name| !tests.contains(&format!("fn {name}(")));
        problems.extend(missing.map(|name| format!("docs/quirks.md: {number} ({who}): no test {name}")));
    }
    if rows.len() != 74 {
        problems.push(format!("docs/quirks.md has {} rows", rows.len()));
    }
    report(&problems);
}
