//! Every key of the configuration is documented with its default and, where it is checked, its range; and ends
//! with its unit. The keys are found by following the fields of the server's `Config` through the crates.

use std::collections::BTreeSet;

use crate::defaults::{Worth, worth};
use crate::lexer::Token;
use crate::manual::{Entry, example};
use crate::rust_file::item_end;
use crate::structs::{Field, Structure, type_path};
use crate::tables::{NAMED_SECTIONS, RANGE_WORDS, UNITS};
use crate::tree::{Finding, Tree};

const MANUAL: &str = "docs/configuration.md";

/// A key with where it is defined.
struct Key {
    section: String,
    name: String,
    file: String,
    line: usize,
    default: Worth,
    is_checked: bool,
}

/// What the manual and the code say differently.
pub(crate) fn findings(tree: &Tree) -> Vec<Finding> {
    let keys = match keys(tree) {
        Ok(keys) => keys,
        Err(finding) => return vec![finding],
    };
    let entries = example(tree.text(MANUAL));
    let mut found = Vec::new();
    for key in &keys {
        let entry = entries.iter().find(|entry| entry.section == key.section && entry.key == key.name);
        match entry {
            Some(entry) => found.extend(differences(key, entry)),
            None => found.push(Finding::new(
                &key.file,
                key.line,
                format!("{MANUAL} does not name the key {} of [{}]", key.name, key.section),
                "write it into the example with its default, its unit and its range",
            )),
        }
    }
    let known: BTreeSet<(&str, &str)> = keys.iter().map(|key| (&*key.section, &*key.name)).collect();
    for entry in entries.iter().filter(|entry| !known.contains(&(&*entry.section, &*entry.key))) {
        let is_section = entry.key.is_empty() && known.iter().any(|(section, _)| *section == entry.section);
        if !is_section {
            let wrong = match entry.key.as_str() {
                "" => format!("no section [{}] is there", entry.section),
                key => format!("no key {key} of [{}] is there", entry.section),
            };
            found.push(Finding::new(MANUAL, entry.line, wrong, "strike it, or call it as the code does"));
        }
    }
    found
}

fn differences(key: &Key, entry: &Entry) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut say = |wrong: String, mend: &str| found.push(Finding::new(MANUAL, entry.line, wrong, mend));
    let name = &key.name;
    match &key.default {
        // A section for each of something is shown once, and there is none of it by itself.
        Worth::Is(value) if entry.is_comment && !NAMED_SECTIONS.contains(&&*key.section) => {
            say(format!("{name} stands in a comment and has the default {value}"), "write it as a key");
        }
        Worth::Is(value) if plain(value) != plain(&entry.value) => {
            say(format!("{name} is {} here and {value} by default", entry.value), "write the default");
        }
        Worth::Nothing if !entry.is_comment => {
            say(format!("{name} has no default and a value here"), "put it into a comment");
        }
        Worth::Unread(expression) => say(
            format!("the default of {name} cannot be read from `{expression}` ({}:{})", key.file, key.line),
            "write it as a literal there, or teach tidy's defaults.rs",
        ),
        Worth::Is(_) | Worth::Nothing => {}
    }
    let is_ranged = RANGE_WORDS.iter().any(|word| entry.said.contains(word));
    if key.is_checked && !is_ranged {
        say(format!("{name} is checked and its comment names no range"), "say from where to where it may be");
    }
    found
}

/// Without what is only a matter of writing.
fn plain(value: &str) -> String {
    value.replace(['_', ' '], "")
}

/// Keys whose unit does not stand last.
pub(crate) fn units_last(tree: &Tree) -> Vec<Finding> {
    let keys = keys(tree).unwrap_or_default();
    let mut found = Vec::new();
    for key in keys {
        let mut words: Vec<&str> = key.name.split('_').collect();
        let last = words.len() - 1;
        if let Some(at) = words[..last].iter().position(|word| UNITS.contains(word)) {
            let unit = words.remove(at);
            let mend = format!("call it {}_{unit}", words.join("_"));
            let wrong = format!("the unit of {} does not stand last", key.name);
            found.push(Finding::new(&key.file, key.line, wrong, mend));
        }
    }
    found
}

/// Every key below the server's `Config`.
fn keys(tree: &Tree) -> Result<Vec<Key>, Finding> {
    let face = "crates/server/src/lib.rs";
    let path = ["crate", "config", "Config"].map(str::to_owned);
    let root = tree.modules.of_file(face).and_then(|id| Structure::find(tree, id, &path, "struct"));
    let missing = || Finding::new(face, 0, "no struct crate::config::Config is there", "mend tidy's keys.rs");
    let root = root.ok_or_else(missing)?;
    let checked = checked_fields(tree);
    let mut found = Vec::new();
    collect(tree, &root, "", &checked, &mut found);
    Ok(found)
}

fn collect(tree: &Tree, of: &Structure, section: &str, checked: &BTreeSet<&str>, found: &mut Vec<Key>) {
    for field in &of.fields {
        let has = |word: &str| field.serde.iter().any(|token| token.is(word));
        if has("skip") || has("skip_deserializing") {
            continue;
        }
        let name = renamed(field);
        let part = Structure::find(tree, of.module, &type_path(&field.kind), "struct");
        if let Some(part) = part.filter(Structure::is_read) {
            let within = match (has("flatten"), section) {
                (true, _) => section.to_owned(),
                (false, "") => name,
                (false, section) => format!("{section}.{name}"),
            };
            collect(tree, &part, &within, checked, found);
            continue;
        }
        found.push(Key {
            section: section.to_owned(),
            is_checked: checked.contains(&*name),
            name,
            file: of.file.clone(),
            line: field.line,
            default: worth(tree, of, field),
        });
    }
}

/// What serde calls a field.
fn renamed(field: &Field) -> String {
    let at = field.serde.iter().position(|token| token.is("rename"));
    let name = at.and_then(|at| field.serde.get(at + 2)).map(|token| token.text.trim_matches('"'));
    name.unwrap_or(&field.name).to_owned()
}

/// Fields that a condition in a function `check…` or `parse` of a file with a `Config` looks at.
fn checked_fields(tree: &Tree) -> BTreeSet<&str> {
    let mut found = BTreeSet::new();
    let has_config = |code: &[Token]| code.windows(2).any(|two| two[0].is("struct") && two[1].is("Config"));
    for (_, file) in tree.sources().filter(|(_, file)| has_config(&file.code)) {
        let code = &file.code;
        for (at, two) in code.windows(2).enumerate() {
            if two[0].is("fn") && (two[1].text.starts_with("check") || two[1].is("parse")) {
                found.extend(conditions(&code[at..item_end(code, at)]));
            }
        }
    }
    found
}

/// The fields between each `if` and its brace.
fn conditions(body: &[Token]) -> Vec<&'static str> {
    let mut found = Vec::new();
    for (at, _) in body.iter().enumerate().filter(|(_, token)| token.is("if")) {
        let condition: Vec<&Token> = body[at..].iter().take_while(|token| !token.is("{")).collect();
        let fields = condition.windows(2).filter(|two| two[0].is(".")).map(|two| two[1].text);
        found.extend(fields);
    }
    found
}
