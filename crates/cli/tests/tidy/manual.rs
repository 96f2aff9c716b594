//! The documented example of the configuration: which key stands where, with which value and which words.

use crate::tables::NAMED_SECTIONS;

/// A line `key = value` of the example, or `[section]`.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) section: String,
    /// Empty for the section itself.
    pub(crate) key: String,
    pub(crate) value: String,
    /// Whether it is commented out: it has no default.
    pub(crate) is_comment: bool,
    /// The comment above it, or above the group of keys that it is in.
    pub(crate) said: String,
    pub(crate) line: usize,
}

/// The first block of TOML of a document.
pub(crate) fn example(document: &str) -> Vec<Entry> {
    let mut found = Vec::new();
    let (mut section, mut said) = (String::new(), String::new());
    let mut is_after_key = false;
    let block = document.lines().zip(1..).skip_while(|(line, _)| line.trim() != "```toml").skip(1);
    for (text, line) in block.take_while(|(line, _)| line.trim() != "```") {
        let (is_comment, body) = match text.trim().strip_prefix('#') {
            Some(rest) => (true, rest.trim()),
            None => (false, text.trim()),
        };
        if let Some(name) = body.strip_prefix('[').and_then(|rest| rest.split(']').next()) {
            let name = name.trim_start_matches('[');
            // Of a section for each of something the manual shows one.
            let of_each = NAMED_SECTIONS
                .iter()
                .find(|of_each| name.strip_prefix(**of_each).is_some_and(|rest| rest.starts_with('.')));
            section = of_each.map_or(name, |of_each| of_each).to_owned();
            said.clear();
            found.push(Entry {
                key: String::new(),
                value: String::new(),
                ..entry(&section, &said, is_comment, line)
            });
        } else if let Some((key, value)) = body.split_once(" = ").filter(|(key, _)| is_key(key)) {
            let (key, value) = (key.to_owned(), without_comment(value).to_owned());
            found.push(Entry { key, value, ..entry(&section, &said, is_comment, line) });
            is_after_key = true;
        } else if is_comment {
            if is_after_key {
                said.clear();
            }
            is_after_key = false;
            said.push_str(body);
            said.push('\n');
        }
    }
    found
}

fn entry(section: &str, said: &str, is_comment: bool, line: usize) -> Entry {
    let (section, said) = (section.to_owned(), said.to_owned());
    Entry { section, key: String::new(), value: String::new(), is_comment, said, line }
}

/// A value without the comment that may follow it on its line.
fn without_comment(value: &str) -> &str {
    let mut is_string = false;
    let start = value.find(|letter| {
        is_string ^= letter == '"';
        letter == '#' && !is_string
    });
    value[..start.unwrap_or(value.len())].trim()
}

fn is_key(word: &str) -> bool {
    !word.is_empty()
        && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}
