//! The documents' blocks of code, and the commands inside their sentences.

use std::fs;
use std::path::{Path, PathBuf};

/// What a user reads.
pub(crate) const DOCUMENTS: [&str; 11] = [
    "README.md",
    "docs/benchmarks.md",
    "docs/codecs.md",
    "docs/configuration.md",
    "docs/library.md",
    "docs/metrics.md",
    "docs/quirks.md",
    "docs/testing.md",
    "docs/trace.md",
    "docs/transports.md",
    "docs/vod.md",
];

/// A fenced block.
pub(crate) struct Block {
    pub(crate) document: &'static str,
    /// Of the opening fence, from 1 on.
    pub(crate) line: usize,
    /// What stands behind the opening fence.
    pub(crate) language: String,
    pub(crate) text: String,
}

impl Block {
    /// Every block of every document, in their order.
    pub(crate) fn all() -> Vec<Self> {
        let written = fs::read_dir(repository().join("docs")).unwrap().count();
        assert_eq!(DOCUMENTS.len(), written + 1, "DOCUMENTS lacks a file of docs/");
        let mut found = Vec::new();
        for document in DOCUMENTS {
            let mut open: Option<Self> = None;
            for (text, line) in read(document).lines().zip(1..) {
                match (&mut open, text.strip_prefix("```")) {
                    (None, Some(language)) => {
                        let (language, text) = (language.to_owned(), String::new());
                        open = Some(Self { document, line, language, text });
                    }
                    (Some(_), Some(_)) => found.extend(open.take()),
                    (Some(block), None) => block.text += &format!("{text}\n"),
                    (None, None) => {}
                }
            }
            assert!(open.is_none(), "{document}: a block does not end");
        }
        found
    }

    /// Its lines, without empty ones.
    pub(crate) fn lines(&self) -> impl Iterator<Item = &str> {
        self.text.lines().filter(|line| !line.is_empty())
    }
}

/// Commands of the program inside sentences and tables: document, line, command.
pub(crate) fn inline_commands() -> Vec<(&'static str, usize, String)> {
    let mut found = Vec::new();
    for document in DOCUMENTS {
        for (text, line) in read(document).lines().zip(1..) {
            let quoted = text.split('`').skip(1).step_by(2);
            let commands = quoted.filter(|quoted| quoted.starts_with("headwater "));
            found.extend(commands.map(|text| (document, line, text.to_owned())));
        }
    }
    found
}

/// The root of the repository.
pub(crate) fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(document: &str) -> String {
    fs::read_to_string(repository().join(document)).unwrap()
}
