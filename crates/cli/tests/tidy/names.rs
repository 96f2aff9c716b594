//! Every file says what it is, and names say something.

use crate::lexer::Kind;
use crate::tables::EMPTY_NAMES;
use crate::tree::{Finding, Tree};

const RENAME: &str = "name what it holds or does, with the field's word";

/// Files without `//!`, empty names of files, folders and types, and functions called `get_…`.
pub(crate) fn findings(tree: &Tree) -> Vec<Finding> {
    let mut found = Vec::new();
    for (path, file) in &tree.rust {
        if !file.says_what_it_is {
            let mend = "say what the file is, what it is not, and its contract";
            found.push(Finding::new(path, 1, "the file does not open with //!", mend));
        }
        let parts = path.trim_end_matches(".rs").split('/');
        for part in parts.filter(|part| EMPTY_NAMES.contains(part)) {
            found.push(Finding::new(path, 0, format!("the name {part} says nothing"), RENAME));
        }
        for pair in file.all.windows(2).filter(|pair| pair.iter().all(|token| token.kind == Kind::Word)) {
            let (keyword, name, line) = (pair[0].text, pair[1].text, pair[1].line);
            match keyword {
                "struct" | "enum" | "trait" | "union" | "type" => {
                    if let Some(word) = words(name).find(|word| EMPTY_NAMES.contains(&word.as_str())) {
                        let wrong = format!("the name {name} says nothing by “{word}”");
                        found.push(Finding::new(path, line, wrong, RENAME));
                    }
                }
                "mod" if EMPTY_NAMES.contains(&name) => {
                    found.push(Finding::new(path, line, format!("the name {name} says nothing"), RENAME));
                }
                // `get_mut` and `get_or_insert_with` are the standard library's own words.
                "fn" if name.starts_with("get_") && name != "get_mut" && !name.starts_with("get_or_") => {
                    let mend = format!("call it {}", name.trim_start_matches("get_"));
                    found.push(Finding::new(path, line, format!("fn {name} says get"), mend));
                }
                _ => {}
            }
        }
    }
    found
}

/// `BoxManager` as `box` and `manager`.
fn words(name: &str) -> impl Iterator<Item = String> {
    let mut words = vec![String::new()];
    for letter in name.chars() {
        if letter.is_uppercase() || letter == '_' {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut().filter(|_| letter != '_') {
            word.extend(letter.to_lowercase());
        }
    }
    words.into_iter()
}
