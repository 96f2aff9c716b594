//! One Rust file: its tokens, with the items that are only there for tests told from the rest.

use crate::lexer::{Kind, Token, tokens};

/// Words that may stand between an item's attributes and its own keyword.
const BEFORE_KEYWORD: &[&str] = &["pub", "unsafe", "async", "extern", "default"];

/// A file as the rules see it.
pub(crate) struct RustFile {
    /// Whether all of it is a test. Files that are modules of tests are marked when the modules are known.
    pub(crate) is_test: bool,
    /// All lines, and those of items behind `#[cfg(test)]` and `#[test]`.
    pub(crate) lines: usize,
    pub(crate) test_lines: usize,
    /// Everything but comments.
    pub(crate) all: Vec<Token>,
    /// What is compiled without tests, with comments.
    pub(crate) commented: Vec<Token>,
    /// What is compiled without tests.
    pub(crate) code: Vec<Token>,
    /// Files that are declared by `mod name;` within an item of a test.
    pub(crate) test_modules: Vec<String>,
    /// Whether it opens with `//!`.
    pub(crate) says_what_it_is: bool,
}

/// A function with the lines from its signature to its closing brace.
pub(crate) struct Function {
    pub(crate) name: String,
    pub(crate) line: usize,
    pub(crate) lines: usize,
}

impl RustFile {
    pub(crate) fn new(text: &'static str) -> Self {
        let everything = tokens(text);
        let plain: Vec<usize> = (0..everything.len()).filter(|at| !is_comment(&everything[*at])).collect();
        let all: Vec<Token> = plain.iter().map(|at| everything[*at]).collect();
        let mut is_tested = vec![false; everything.len()];
        let (mut test_lines, mut test_modules) = (0, Vec::new());
        let mut is_test = false;
        let mut at = 0;
        while at < all.len() {
            let Some((end, is_inner)) = attribute(&all, at).filter(|_| is_test_attribute(&all[at..])) else {
                at += 1;
                continue;
            };
            is_test |= is_inner;
            let end = item_end(&all, end);
            let (first, last) = (plain[at], plain[end - 1]);
            is_tested[first..=last].fill(true);
            test_lines += last_line(&everything[last]) + 1 - everything[first].line;
            test_modules.extend(declared_modules(&all[at..end]));
            at = end;
        }
        let kept = |(_, is_tested): &(Token, bool)| !is_tested;
        let commented: Vec<Token> =
            everything.into_iter().zip(is_tested).filter(kept).map(|(token, _)| token).collect();
        let code = commented.iter().filter(|token| !is_comment(token)).copied().collect();
        let says_what_it_is = text.starts_with("//!");
        let lines = text.lines().count();
        Self { is_test, lines, test_lines, all, commented, code, test_modules, says_what_it_is }
    }

    /// Every function with a body, tests included.
    pub(crate) fn functions(&self) -> Vec<Function> {
        let mut found = Vec::new();
        for (at, pair) in self.all.windows(2).enumerate() {
            if !pair[0].is("fn") || pair[1].kind != Kind::Word {
                continue;
            }
            let end = item_end(&self.all, at);
            if self.all[end - 1].is("}") {
                let lines = self.all[end - 1].line + 1 - pair[0].line;
                found.push(Function { name: pair[1].text.to_owned(), line: pair[0].line, lines });
            }
        }
        found
    }
}

fn is_comment(token: &Token) -> bool {
    token.kind == Kind::Comment
}

fn last_line(token: &Token) -> usize {
    token.line + token.text.bytes().filter(|byte| *byte == b'\n').count()
}

/// Where the attribute that begins at `at` ends, and whether it stands for all that is around it (`#![…]`).
fn attribute(tokens: &[Token], at: usize) -> Option<(usize, bool)> {
    let is_inner = tokens.get(at + 1).is_some_and(|token| token.is("!"));
    let open = at + 1 + usize::from(is_inner);
    let is_attribute = tokens[at].is("#") && tokens.get(open).is_some_and(|token| token.is("["));
    is_attribute.then(|| (closing(tokens, open) + 1, is_inner))
}

/// `#[cfg(test)]`, `#[cfg(all(test, …))]`, `#[test]`, `#[tokio::test]`: not there without tests.
fn is_test_attribute(tokens: &[Token]) -> bool {
    let Some((end, _)) = attribute(tokens, 0) else { return false };
    let words: Vec<&str> =
        tokens[..end].iter().filter(|token| token.kind == Kind::Word).map(|t| t.text).collect();
    match words[..] {
        ["test"] | [_, "test"] if words[0] != "cfg" => true,
        ["cfg", "test"] => true,
        ["cfg", "all", ref parts @ ..] => parts.contains(&"test") && !parts.contains(&"not"),
        ["tokio" | "proptest", "test", ..] => true,
        _ => false,
    }
}

/// The index behind the item that begins at `at`, behind its first attributes or among them.
pub(crate) fn item_end(tokens: &[Token], mut at: usize) -> usize {
    while at < tokens.len()
        && let Some((end, _)) = attribute(tokens, at)
    {
        at = end;
    }
    let keyword = keyword(tokens, at);
    let ends_with_brace =
        matches!(keyword, "fn" | "mod" | "struct" | "enum" | "union" | "impl" | "trait" | "macro_rules");
    let is_statement = matches!(keyword, "use" | "const" | "static" | "type" | "let");
    let mut angles = 0_i32;
    while at < tokens.len() {
        let token = &tokens[at];
        match token.text {
            _ if !matches!(token.kind, Kind::Mark) => {}
            "(" | "[" | "{" => {
                at = closing(tokens, at);
                if tokens.get(at).is_some_and(|close| close.is("}")) && ends_with_brace {
                    return at + 1;
                }
            }
            ";" => return at + 1,
            "<" if !is_shift(tokens, at) => angles += 1,
            ">" => angles -= 1,
            // A field, a variant or an argument.
            "," if !ends_with_brace && !is_statement && angles <= 0 => return at + 1,
            ")" | "]" | "}" => return at,
            _ => {}
        }
        at += 1;
    }
    tokens.len()
}

/// Whether the mark at `at` is half of `<<`.
fn is_shift(tokens: &[Token], at: usize) -> bool {
    tokens.get(at + 1).is_some_and(|next| next.is("<")) || (at > 0 && tokens[at - 1].is("<"))
}

/// What sort of item begins at `at`.
fn keyword(tokens: &[Token], mut at: usize) -> &'static str {
    while let Some(token) = tokens.get(at) {
        let next_is = |text: &str| tokens.get(at + 1).is_some_and(|next| next.is(text));
        if BEFORE_KEYWORD.contains(&token.text) || token.kind == Kind::Text {
            at += 1;
            if tokens.get(at).is_some_and(|open| open.is("(")) {
                at = closing(tokens, at) + 1;
            }
        } else if token.is("const") && (next_is("fn") || next_is("unsafe") || next_is("async")) {
            at += 1;
        } else {
            return token.text;
        }
    }
    ""
}

/// The index of the bracket that closes the one at `open`; the last token if none does.
pub(crate) fn closing(tokens: &[Token], open: usize) -> usize {
    let mut depth = 0_usize;
    for (at, token) in tokens.iter().enumerate().skip(open) {
        if token.kind != Kind::Mark {
            continue;
        }
        match token.text {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return at;
                }
            }
            _ => {}
        }
    }
    tokens.len() - 1
}

/// Names in `mod name;`.
fn declared_modules(tokens: &[Token]) -> impl Iterator<Item = String> {
    tokens
        .windows(3)
        .filter(|three| three[0].is("mod") && three[1].kind == Kind::Word && three[2].is(";"))
        .map(|three| three[1].text.to_owned())
}
