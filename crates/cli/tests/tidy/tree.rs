//! The files that the rules look at: paths from the root with their texts, and what the Rust files say.
//!
//! A tree is read from the disk or planted by a test. Rules are functions over it, so that each can be shown
//! to fail.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::Path;

use crate::modules::Modules;
use crate::rust_file::RustFile;

/// Folders that hold nothing of ours, or too much of it.
const FOLDERS_LEFT_OUT: &[&str] = &[".git", "target", "node_modules", "dist"];
/// What is read; of all other files only the path is known.
const TEXTS: &[&str] = &["rs", "toml", "md"];

/// Something that breaks a rule.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Finding {
    pub(crate) path: String,
    /// Counted from 1; 0 is the whole file.
    pub(crate) line: usize,
    /// What is wrong, and the mend.
    pub(crate) says: String,
}

impl Finding {
    pub(crate) fn new(path: &str, line: usize, wrong: impl fmt::Display, mend: impl fmt::Display) -> Self {
        Self { path: path.to_owned(), line, says: format!("{wrong}; {mend}") }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(out, "{}: {}", self.path, self.says),
            line => write!(out, "{}:{line}: {}", self.path, self.says),
        }
    }
}

/// All files, as far as the rules need them.
pub(crate) struct Tree {
    /// Every path from the root, with the text if it is one.
    pub(crate) texts: BTreeMap<String, &'static str>,
    /// The Rust files, taken apart.
    pub(crate) rust: BTreeMap<String, RustFile>,
    /// Which module lies in which file, of every crate.
    pub(crate) modules: Modules,
}

impl Tree {
    /// Everything below `root`.
    pub(crate) fn read(root: &Path) -> Self {
        let mut texts = BTreeMap::new();
        let mut open = vec![root.to_owned()];
        while let Some(folder) = open.pop() {
            for entry in fs::read_dir(&folder).unwrap().map(Result::unwrap) {
                let (path, name) = (entry.path(), entry.file_name());
                if entry.file_type().unwrap().is_dir() {
                    if !FOLDERS_LEFT_OUT.iter().any(|left_out| name == *left_out) {
                        open.push(path);
                    }
                    continue;
                }
                let is_text = path.extension().is_some_and(|end| TEXTS.iter().any(|text| end == *text));
                let text: &str = if is_text { fs::read_to_string(&path).unwrap().leak() } else { "" };
                let from_root = path.strip_prefix(root).unwrap().to_string_lossy().replace('\\', "/");
                texts.insert(from_root, text);
            }
        }
        Self::new(texts)
    }

    /// A tree of these files alone, for showing that a rule fails.
    pub(crate) fn planted(files: &[(&str, &str)]) -> Self {
        Self::new(
            files.iter().map(|(path, text)| ((*path).to_owned(), &*(*text).to_owned().leak())).collect(),
        )
    }

    fn new(texts: BTreeMap<String, &'static str>) -> Self {
        let mut rust: BTreeMap<String, RustFile> = texts
            .iter()
            .filter(|(path, _)| path.ends_with(".rs"))
            .map(|(path, text)| (path.clone(), RustFile::new(text)))
            .collect();
        let modules = Modules::new(&mut rust);
        Self { texts, rust, modules }
    }

    /// The text of a document; empty if it is not there.
    pub(crate) fn text(&self, path: &str) -> &'static str {
        self.texts.get(path).copied().unwrap_or_default()
    }

    /// Rust files of the crates' own code: no tests, examples or build scripts.
    pub(crate) fn sources(&self) -> impl Iterator<Item = (&str, &RustFile)> {
        self.rust
            .iter()
            .filter(|(path, file)| in_source(path) && !file.is_test)
            .map(|(path, file)| (path.as_str(), file))
    }

    /// Whether a file or folder of this path is there.
    pub(crate) fn holds(&self, path: &str) -> bool {
        let folder = format!("{path}/");
        path.is_empty()
            || self.texts.contains_key(path)
            || self.texts.range(folder.clone()..).next().is_some_and(|(found, _)| found.starts_with(&folder))
    }
}

/// `crates/NAME/src/REST` as `(NAME, REST)`.
pub(crate) fn in_crate(path: &str) -> Option<(&str, &str)> {
    let (name, rest) = path.strip_prefix("crates/")?.split_once('/')?;
    Some((name, rest.strip_prefix("src/")?))
}

fn in_source(path: &str) -> bool {
    in_crate(path).is_some()
}
