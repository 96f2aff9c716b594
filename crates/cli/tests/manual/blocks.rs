//! The documents' blocks of code, and the commands inside their sentences.

use std::fs;
use std::path::{Path, PathBuf};

/// What a user reads: README and the manual.
pub(crate) fn documents() -> Vec<String> {
    let manual = fs::read_dir(repository().join("docs")).unwrap();
    let mut names: Vec<String> =
        manual.map(|entry| format!("docs/{}", entry.unwrap().file_name().to_string_lossy())).collect();
    names.push("README.md".to_owned());
    names.sort();
    names
}

/// A fenced block.
pub(crate) struct Block {
    pub(crate) document: String,
    /// Of the opening fence, from 1 on.
    pub(crate) line: usize,
    /// What stands behind the opening fence.
    pub(crate) language: String,
    pub(crate) text: String,
}

impl Block {
    /// Every block of every document, in their order.
    pub(crate) fn all() -> Vec<Self> {
        let mut found = Vec::new();
        for document in documents() {
            let mut open: Option<Self> = None;
            for (text, line) in read(&document).lines().zip(1..) {
                match (&mut open, text.strip_prefix("```")) {
                    (None, Some(language)) => {
                        let (document, language) = (document.clone(), language.to_owned());
                        open = Some(Self { document, line, language, text: String::new() });
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
pub(crate) fn inline_commands() -> Vec<(String, usize, String)> {
    let mut found = Vec::new();
    for document in documents() {
        for (text, line) in read(&document).lines().zip(1..) {
            let quoted = text.split('`').skip(1).step_by(2);
            let commands = quoted.filter(|quoted| quoted.starts_with("headwater "));
            found.extend(commands.map(|text| (document.clone(), line, text.to_owned())));
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
