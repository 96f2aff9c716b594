//! Rust text as tokens with their lines. It knows strings, raw strings, characters, lifetimes and nested
//! comments, and so never takes a brace or a name within them for code.

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A name or a keyword.
    Word,
    /// `'a`
    Lifetime,
    /// A string or a byte string, quotes included.
    Text,
    /// A character, a byte or a number.
    Literal,
    /// One character of punctuation, or `::`.
    Mark,
    /// A comment of any sort.
    Comment,
}

/// A piece of the text that means something. Texts live as long as the test.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Token {
    pub(crate) kind: Kind,
    pub(crate) text: &'static str,
    /// Its first line, counted from 1.
    pub(crate) line: usize,
}

impl Token {
    pub(crate) fn is(&self, text: &str) -> bool {
        self.text == text && self.kind != Kind::Text && self.kind != Kind::Comment
    }
}

/// The tokens of a text.
pub(crate) fn tokens(text: &'static str) -> Vec<Token> {
    let bytes = text.as_bytes();
    let (mut found, mut at, mut line) = (Vec::new(), 0, 1);
    while at < bytes.len() {
        if bytes[at].is_ascii_whitespace() {
            line += usize::from(bytes[at] == b'\n');
            at += 1;
            continue;
        }
        let (kind, length) = token(&bytes[at..]);
        let end = (at + length).min(bytes.len());
        let piece = &text[at..end];
        found.push(Token { kind, text: piece, line });
        if matches!(kind, Kind::Text | Kind::Comment) {
            line += piece.matches('\n').count();
        }
        at = end;
    }
    found
}

/// The first token of `rest`, which begins with one, and its length.
fn token(rest: &[u8]) -> (Kind, usize) {
    match rest {
        [b'/', b'/', ..] => (Kind::Comment, rest.iter().position(|b| *b == b'\n').unwrap_or(rest.len())),
        [b'/', b'*', ..] => (Kind::Comment, block_comment(rest)),
        [b'"', ..] => (Kind::Text, quoted(rest, b'"')),
        [b'b' | b'c', b'"', ..] => (Kind::Text, 1 + quoted(&rest[1..], b'"')),
        [b'b', b'\'', ..] => (Kind::Literal, 1 + quoted(&rest[1..], b'\'')),
        [b'r', b'#' | b'"', ..] => raw(rest, 1),
        [b'b' | b'c', b'r', b'#' | b'"', ..] => raw(rest, 2),
        [b'\'', ..] => character_or_lifetime(rest),
        [b':', b':', ..] => (Kind::Mark, 2),
        [b'0'..=b'9', ..] => (Kind::Literal, number(rest)),
        [first, ..] if is_word(*first) => (Kind::Word, word(rest)),
        _ => (Kind::Mark, 1),
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

fn word(rest: &[u8]) -> usize {
    rest.iter().position(|byte| !is_word(*byte)).unwrap_or(rest.len())
}

/// A number's dot belongs to it if a digit follows: not in `0..9` and `1.max(2)`.
fn number(rest: &[u8]) -> usize {
    let whole = word(rest);
    match rest[whole..] {
        [b'.', b'0'..=b'9', ..] => whole + 1 + word(&rest[whole + 1..]),
        _ => whole,
    }
}

fn quoted(rest: &[u8], quote: u8) -> usize {
    let mut at = 1;
    while at < rest.len() && rest[at] != quote {
        at += if rest[at] == b'\\' { 2 } else { 1 };
    }
    at + 1
}

/// `r"…"`, `br#"…"#`, or a raw name such as `r#type`.
fn raw(rest: &[u8], prefix: usize) -> (Kind, usize) {
    let hashes = rest[prefix..].iter().take_while(|byte| **byte == b'#').count();
    let opening = prefix + hashes;
    if rest.get(opening) != Some(&b'"') {
        return (Kind::Word, opening + word(&rest[opening..]));
    }
    let closes = |at: &usize| {
        rest[*at] == b'"' && rest[at + 1..].iter().take_while(|byte| **byte == b'#').count() >= hashes
    };
    let close = (opening + 1..rest.len()).find(closes).unwrap_or(rest.len());
    (Kind::Text, close + 1 + hashes)
}

fn character_or_lifetime(rest: &[u8]) -> (Kind, usize) {
    let name = word(&rest[1..]);
    let is_character = rest.get(1) == Some(&b'\\') || name == 0 || rest.get(1 + name) == Some(&b'\'');
    if is_character { (Kind::Literal, quoted(rest, b'\'')) } else { (Kind::Lifetime, 1 + name) }
}

fn block_comment(rest: &[u8]) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    while at < rest.len() {
        match rest[at..] {
            [b'/', b'*', ..] => (depth, at) = (depth + 1, at + 2),
            [b'*', b'/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            break;
        }
    }
    at
}
