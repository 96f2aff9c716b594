//! What the modules of one file declare, import and name, as it is written; `modules` says what that leads to.

use std::collections::{BTreeMap, BTreeSet};

use crate::lexer::{Kind, Token};
use crate::rust_file::closing;

/// One name of a `use` declaration, groups taken apart.
#[derive(Clone, Debug)]
pub(crate) struct Import {
    pub(crate) path: Vec<String>,
    /// What it is called here; `None` for `*`.
    pub(crate) name: Option<String>,
    /// Whether others may import it from here.
    pub(crate) is_public: bool,
    pub(crate) line: usize,
}

/// A path of two names or more in the code.
#[derive(Clone, Debug)]
pub(crate) struct Named {
    pub(crate) path: Vec<String>,
    pub(crate) line: usize,
}

/// What is written in one module: a file, or `mod name { … }` within it.
#[derive(Default)]
pub(crate) struct Written {
    pub(crate) imports: Vec<Import>,
    pub(crate) named: Vec<Named>,
    /// What is defined in it, modules aside.
    pub(crate) items: BTreeSet<String>,
    /// `mod name;`
    pub(crate) files: Vec<String>,
    /// Every word outside `use` declarations.
    pub(crate) words: BTreeSet<String>,
}

/// The modules of a file by their path from the file's own, which is empty.
pub(crate) fn written(code: &[Token]) -> BTreeMap<Vec<String>, Written> {
    let mut found = BTreeMap::from([(Vec::new(), Written::default())]);
    // The modules that are open, with the depth of braces within them.
    let (mut path, mut depths, mut depth) = (Vec::new(), vec![0_usize], 0_usize);
    let mut at = 0;
    while at < code.len() {
        let next = |ahead: usize| code.get(at + ahead);
        let here = found.entry(path.clone()).or_insert_with(Written::default);
        let name = next(1).filter(|token| token.kind == Kind::Word).map(|token| token.text.to_owned());
        match (code[at].kind, code[at].text) {
            (Kind::Mark, "{") => depth += 1,
            (Kind::Mark, "}") => {
                depth = depth.saturating_sub(1);
                if depths.len() > 1 && depth < *depths.last().unwrap() {
                    depths.pop();
                    path.pop();
                }
            }
            (Kind::Word, "use") if !next(1).is_some_and(|token| token.is("<")) => {
                let end = (at..code.len()).find(|end| code[*end].is(";")).unwrap_or(code.len());
                let is_public = at > 0 && (code[at - 1].is("pub") || code[at - 1].is(")"));
                here.imports.extend(imports(&code[at + 1..end], is_public));
                at = end;
            }
            (Kind::Word, "mod") if name.is_some() && next(2).is_some_and(|token| token.is(";")) => {
                here.files.extend(name);
                at += 2;
            }
            (Kind::Word, "mod") if name.is_some() && next(2).is_some_and(|token| token.is("{")) => {
                path.extend(name);
                depth += 1;
                depths.push(depth);
                at += 2;
            }
            (Kind::Word, word) => {
                if depth == *depths.last().unwrap() && is_item(word) {
                    let is_macro = word == "macro_rules";
                    here.items.extend(if is_macro {
                        next(2).map(|token| token.text.to_owned())
                    } else {
                        name
                    });
                }
                here.words.insert(word.to_owned());
                let follows = at > 0 && (code[at - 1].is("::") || code[at - 1].is("."));
                let path = path_at(&code[at..]);
                if path.len() > 1 && !follows {
                    here.named.push(Named { path, line: code[at].line });
                }
            }
            _ => {}
        }
        at += 1;
    }
    found
}

fn is_item(word: &str) -> bool {
    matches!(word, "fn" | "struct" | "enum" | "union" | "trait" | "type" | "const" | "static" | "macro_rules")
}

/// `a::b::c`, as far as it goes.
fn path_at(tokens: &[Token]) -> Vec<String> {
    let mut path = vec![tokens[0].text.to_owned()];
    let mut at = 1;
    while let [colons, name, ..] = &tokens[at..]
        && colons.is("::")
        && name.kind == Kind::Word
    {
        path.push(name.text.to_owned());
        at += 2;
    }
    path
}

/// What stands between `use` and `;`.
fn imports(tokens: &[Token], is_public: bool) -> Vec<Import> {
    let mut found = Vec::new();
    take_apart(tokens, &[], is_public, &mut found);
    found
}

fn take_apart(tokens: &[Token], before: &[String], is_public: bool, found: &mut Vec<Import>) {
    let mut path = before.to_vec();
    let mut name = None;
    let mut at = 0;
    while at < tokens.len() {
        let token = &tokens[at];
        match token.text {
            "::" => {}
            "*" => {
                found.push(Import { path: path.clone(), name: None, is_public, line: token.line });
                return;
            }
            "{" => {
                let end = closing(tokens, at);
                for part in split_at_commas(&tokens[at + 1..end]) {
                    take_apart(part, &path, is_public, found);
                }
                return;
            }
            "as" => {
                name = tokens.get(at + 1).map(|token| token.text.to_owned());
                break;
            }
            // `{self}` is what stands before the group.
            "self" if !path.is_empty() => {}
            text => path.push(text.to_owned()),
        }
        at += 1;
    }
    let Some(last) = path.last().cloned() else { return };
    found.push(Import { name: Some(name.unwrap_or(last)), path, is_public, line: tokens[0].line });
}

fn split_at_commas(tokens: &[Token]) -> Vec<&[Token]> {
    let (mut parts, mut start, mut depth) = (Vec::new(), 0, 0_usize);
    for (at, token) in tokens.iter().enumerate() {
        match token.text {
            "{" => depth += 1,
            "}" => depth -= 1,
            "," if depth == 0 => {
                parts.push(&tokens[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&tokens[start..]);
    parts.retain(|part| !part.is_empty());
    parts
}
