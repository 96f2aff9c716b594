//! The examples of the documentation, followed: every block of code in README and `docs/` is run against a demo server,
//! or stands in a table here with the reason why it is not.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test stops at the first surprise")]

mod blocks;
mod place;

use std::collections::BTreeSet;

use serde_json::Value;

use blocks::{Block, inline_commands};
use place::{Place, command, has_curl};

/// Blocks that are not run: document, first line, reason.
const NOT_RUN: [(&str, &str, &str); 5] = [
    ("README.md", "./test", "it runs this test"),
    ("docs/library.md", "[dependencies]", "a part of a stranger's Cargo.toml"),
    (
        "docs/library.md",
        "let mut connection = connect(&config, url.clone(), nonce).await?;",
        "a part of a program; crates/rtmp/examples/publisher.rs is a whole one, and run",
    ),
    (
        "docs/library.md",
        "let session = ServerSession::new(config, nonce(), Duration::ZERO);",
        "a part of a program; crates/rtmp/examples/auth_server.rs is a whole one, and run",
    ),
    (
        "docs/library.md",
        "cargo run -p headwater-rtmp --features tokio --example auth_server -- 127.0.0.1:1935 SECRET",
        "crates/rtmp/tests/examples.rs runs them against each other",
    ),
];

/// Commands that are not run, only held against the program's help: command, reason.
const NOT_STARTED: [(&str, &str); 12] = [
    ("headwater demo", "the server that all others are run against is one, on free ports"),
    ("headwater trace --listen 1936 --to localhost:1935", "ends by a signal; clients::trace runs it"),
    ("headwater bench serve loop --players 1000", MEASURES),
    ("headwater bench serve loop nginx --players 100,1000 --cpu 0", MEASURES),
    ("headwater bench serve loop:100 --format http-flv --players 500", MEASURES),
    ("headwater bench serve --format hls --players 100,1000", MEASURES),
    ("headwater bench rtmp://localhost/live/x rtmp://localhost:1945/live/x --pid 4711 --pid 4712", MEASURES),
    ("headwater bench rtmp://localhost/vod/film.mp4 --no-publish --pid 4711", MEASURES),
    ("headwater bench serve loop --players 10,100,1000 --chart growth.svg", MEASURES),
    ("headwater bench serve --kbps 16000 --players 10 --stalled 20 --burst 2", MEASURES),
    (
        "headwater bench serve:live serve:window serve:record --players 0 --streams 1,100,500 --cpu 0",
        MEASURES,
    ),
    ("headwater bench serve:window --past 3600 --rewound 100 --seeks 20 --clip 60 --rounds 1", MEASURES),
];
const MEASURES: &str = "takes minutes, and processors of its own; clients::bench runs small ones";

/// Blocks that `headwater trace` prints of a capture: document, first line, capture.
const PRINTED: [(&str, &str, &str); 2] = [
    (
        "docs/trace.md",
        "   seconds    cs  ms type          bytes  meaning",
        "trace-rtmpdump-plays-nginx.capture",
    ),
    (
        "docs/trace.md",
        "── verdict ─────────────────────────────────────────────────────────────────────────────────────────",
        "trace-ffmpeg-refused-headwater.capture",
    ),
];

/// What is done with a block.
#[derive(Debug, PartialEq, Eq)]
enum Use {
    /// `headwater check` reads it.
    Check,
    /// Each line is a command of the program.
    Commands,
    /// It is what `trace` prints of this capture.
    Printed(&'static str),
    /// The answer to `GET /api/v1/films/vod/film.mp4`.
    FilmJson,
    /// An upload by curl.
    Upload,
    /// Nothing, for the reason in [`NOT_RUN`].
    Nothing,
}

fn use_of(block: &Block) -> Option<Use> {
    let first = block.lines().next().unwrap_or_default();
    let is_row = |document: &str, line: &str| block.document == document && line == first;
    if NOT_RUN.iter().any(|(document, line, _)| is_row(document, line)) {
        return Some(Use::Nothing);
    }
    if let Some((_, _, capture)) = PRINTED.iter().find(|(document, line, _)| is_row(document, line)) {
        return Some(Use::Printed(capture));
    }
    match block.language.as_str() {
        "toml" => Some(Use::Check),
        "json" if block.document == "docs/vod.md" => Some(Use::FilmJson),
        "sh" if block.text.contains("/api/v1/uploads") => Some(Use::Upload),
        "" if block.lines().all(|line| command(line).is_some()) => Some(Use::Commands),
        _ => None,
    }
}

#[test]
fn every_block_of_code_does_what_it_says() {
    let place = Place::open();
    for block in Block::all() {
        let at = format!("{}:{}", block.document, block.line);
        let use_of = use_of(&block).unwrap_or_else(|| {
            panic!("{at}: no way to run this block is known; add one, or a row of NOT_RUN:\n{}", block.text)
        });
        match use_of {
            Use::Check => place.check(&at, &block.text),
            Use::Commands => block.lines().for_each(|line| follow(&place, &at, line)),
            Use::Printed(capture) => place.must_print(&at, capture, &block.text),
            Use::FilmJson => must_be_alike(&at, &block.text, &place.get("/api/v1/films/vod/film.mp4")),
            Use::Upload if has_curl() => upload(&place, &at, &block),
            Use::Upload | Use::Nothing => {}
        }
    }
}

fn follow(place: &Place, at: &str, line: &str) {
    let words = command(line).unwrap();
    let text = format!("headwater {}", words.join(" "));
    if NOT_STARTED.iter().any(|(known, _)| *known == text) {
        place.must_know_flags(at, &text);
    } else {
        place.run(at, &words);
    }
}

/// The sample in the manual has the fields of a real answer.
fn must_be_alike(at: &str, sample: &str, answer: &str) {
    let fields = |value: &Value| -> BTreeSet<String> {
        let of = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
        of(value)
            .into_iter()
            .chain(of(&value["urls"]).into_iter().map(|name| format!("urls.{name}")))
            .collect()
    };
    let sample = serde_json::from_str(sample).unwrap_or_else(|error| panic!("{at}: {error}"));
    let answer = serde_json::from_str(answer).unwrap_or_else(|error| panic!("{at}: {error}: {answer}"));
    assert_eq!(fields(&sample), fields(&answer), "{at}");
}

/// Runs the block line by line: what one answer says is used by the next line.
fn upload(place: &Place, at: &str, block: &Block) {
    let (mut id, mut before, mut last) = (String::new(), String::new(), Value::Null);
    for line in block.lines().filter(|line| !line.starts_with('#')) {
        if !line.starts_with("curl ") {
            before = format!("{before}{line}\n");
            continue;
        }
        let script =
            format!("{before}{}", line.replace("6f…", &id).replace("curl ", "curl -sS --fail-with-body "));
        let answer = place.shell(at, &script);
        last =
            serde_json::from_str(&answer).unwrap_or_else(|error| panic!("{at}: {line}: {error}: {answer}"));
        if let Some(begun) = last["id"].as_str() {
            begun.clone_into(&mut id);
        }
    }
    assert_eq!(last["done"], true, "{at}: {last}");
    place.get("/api/v1/films/vod/folder/film.mp4");
}

#[test]
fn commands_in_sentences_have_the_flags_that_they_name() {
    let place = Place::open();
    for (document, line, text) in inline_commands() {
        // A capture's first line.
        if text != "headwater capture 1" {
            place.must_know_flags(&format!("{document}:{line}"), &text);
        }
    }
}

#[test]
fn every_row_is_of_a_block_that_is_there() {
    let blocks = Block::all();
    let is_there = |document: &str, line: &str| {
        blocks.iter().any(|block| block.document == document && block.lines().next() == Some(line))
    };
    let rows = NOT_RUN.iter().chain(&PRINTED);
    rows.for_each(|(document, line, _)| assert!(is_there(document, line), "{document}: {line}"));
    let lines: Vec<String> =
        blocks.iter().flat_map(Block::lines).filter_map(command).map(|words| words.join(" ")).collect();
    for (text, _) in NOT_STARTED {
        assert!(lines.iter().any(|line| format!("headwater {line}") == text), "{text}");
    }
    assert!(blocks.len() > 10);
}

#[test]
fn a_block_that_nobody_knows_is_found() {
    let block = |language: &str, text: &str| Block {
        document: "README.md".to_owned(),
        line: 1,
        language: language.to_owned(),
        text: text.to_owned(),
    };
    assert_eq!(
        use_of(&block("", "headwater check -c headwater.toml     is it valid?\n")),
        Some(Use::Commands)
    );
    assert_eq!(use_of(&block("", "headwater check\nsystemctl restart headwater\n")), None);
    assert_eq!(use_of(&block("python", "print(1)\n")), None);
}
