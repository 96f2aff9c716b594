//! Structures, their fields and their `Default`, as written.

use crate::lexer::{Kind, Token};
use crate::modules::{Id, Target};
use crate::rust_file::{closing, item_end};
use crate::tree::Tree;

/// Types that hold a value of their last argument.
const WRAPPERS: &[&str] = &["Option", "Vec", "Box", "Arc", "BTreeMap", "HashMap", "BTreeSet"];

/// A field of a structure.
pub(crate) struct Field {
    pub(crate) name: String,
    pub(crate) line: usize,
    /// The type, and what stands in `#[serde(…)]`.
    pub(crate) kind: Vec<Token>,
    pub(crate) serde: Vec<Token>,
}

/// A structure with named fields, or an enumeration.
pub(crate) struct Structure {
    pub(crate) module: Id,
    pub(crate) file: String,
    pub(crate) name: String,
    pub(crate) attributes: Vec<Token>,
    pub(crate) fields: Vec<Field>,
}

impl Structure {
    /// What a path leads to, if that is a type of the sort that `keyword` names.
    pub(crate) fn find(tree: &Tree, module: Id, path: &[String], keyword: &str) -> Option<Self> {
        let Target::Item(module, name) = tree.modules.resolve(module, path)? else { return None };
        let file = tree.modules.all[module].file.clone();
        let code = &tree.rust[&file].code;
        let at = code.windows(2).position(|pair| pair[0].is(keyword) && pair[1].is(&name))?;
        let open = at + 2;
        code.get(open).filter(|token| token.is("{"))?;
        let fields = fields(&code[open + 1..closing(code, open)]);
        Some(Self { module, file, name, attributes: attributes_before(code, at), fields })
    }

    /// Whether it is read from a file.
    pub(crate) fn is_read(&self) -> bool {
        self.attributes.iter().any(|token| token.is("Deserialize"))
    }

    /// What `Default` gives for a field: the tokens of its expression.
    pub(crate) fn default_of<'a>(&self, tree: &'a Tree, field: &str) -> Option<&'a [Token]> {
        let code = &tree.rust[&self.file].code;
        let words = ["impl", "Default", "for", &self.name];
        let at =
            code.windows(4).position(|four| four.iter().zip(words).all(|(token, word)| token.is(word)))?;
        let function = at + code[at..].iter().position(|token| token.is("fn"))?;
        let body = &code[function..item_end(code, function)];
        // Not the brace behind `-> Self`.
        let is_literal = |three: &[Token]| {
            !three[0].is(">") && (three[1].is("Self") || three[1].is(&self.name)) && three[2].is("{")
        };
        let literal = body.windows(3).position(is_literal)? + 1;
        let mut at = literal + 2;
        let end = closing(body, literal + 1);
        while at < end {
            let next = item_end(&body[..end], at).max(at + 1);
            if body[at].is(field) {
                let value = without_comma(&body[at..next]);
                // `field: value` or, of a variable, `field`.
                let is_named = value.get(1).is_some_and(|token| token.is(":"));
                return Some(if is_named { &value[2..] } else { value });
            }
            at = next;
        }
        None
    }
}

/// The path of a type, without what only holds it.
pub(crate) fn type_path(kind: &[Token]) -> Vec<String> {
    let end = kind.iter().position(|token| !matches!(token.kind, Kind::Word) && !token.is("::"));
    let words = kind[..end.unwrap_or(kind.len())].iter().filter(|token| token.kind == Kind::Word);
    let path: Vec<String> = words.map(|token| token.text.to_owned()).collect();
    let is_wrapper = path.last().is_some_and(|last| WRAPPERS.contains(&last.as_str()));
    if !is_wrapper {
        return path;
    }
    let inner = &kind[end.map_or(kind.len(), |end| end + 1)..];
    // The last argument: behind the last comma that stands in no brackets of its own.
    let (mut start, mut depth) = (0, 0_i32);
    for (at, token) in inner.iter().enumerate() {
        match token.text {
            "<" => depth += 1,
            ">" => depth -= 1,
            "," if depth == 0 => start = at + 1,
            _ => {}
        }
    }
    type_path(&inner[start..])
}

fn fields(tokens: &[Token]) -> Vec<Field> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let end = item_end(tokens, at).max(at + 1);
        let mut field = &tokens[at..end];
        let mut serde = Vec::new();
        while field.first().is_some_and(|token| token.is("#")) {
            let close = closing(field, 1);
            if field.get(2).is_some_and(|token| token.is("serde")) {
                serde.extend_from_slice(&field[3..close]);
            }
            if field.get(2).is_some_and(|token| token.is("default")) {
                serde.push(field[2]);
            }
            field = &field[close + 1..];
        }
        if field.first().is_some_and(|token| token.is("pub")) {
            field = &field[1..];
            if field.first().is_some_and(|token| token.is("(")) {
                field = &field[closing(field, 0) + 1..];
            }
        }
        if let [name, rest @ ..] = without_comma(field) {
            let kind = rest.iter().skip(1).copied().collect();
            found.push(Field { name: name.text.to_owned(), line: name.line, kind, serde });
        }
        at = end;
    }
    found
}

fn without_comma(tokens: &[Token]) -> &[Token] {
    match tokens {
        [before @ .., comma] if comma.is(",") => before,
        all => all,
    }
}

/// The tokens in the attributes before the item whose keyword stands at `at`.
fn attributes_before(tokens: &[Token], at: usize) -> Vec<Token> {
    let mut found = Vec::new();
    let mut end = at;
    while end > 0 {
        match tokens[end - 1].text {
            "pub" | "(" | ")" | "crate" | "super" | "in" => end -= 1,
            "]" => {
                let (mut open, mut depth) = (end - 1, 1_usize);
                while depth > 0 && open > 0 {
                    open -= 1;
                    depth = match tokens[open].text {
                        "]" => depth + 1,
                        "[" => depth - 1,
                        _ => depth,
                    };
                }
                found.extend_from_slice(&tokens[open..end]);
                end = open.saturating_sub(1);
            }
            _ => break,
        }
    }
    found
}
