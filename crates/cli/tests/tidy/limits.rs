//! Every limit that is not a key of the configuration stands with its reason.

use crate::lexer::{Kind, Token};
use crate::tree::{Finding, Tree};

/// Constants that bound something and do not say why as much.
pub(crate) fn findings(tree: &Tree) -> Vec<Finding> {
    let mut found = Vec::new();
    for (path, file) in tree.sources() {
        let tokens = &file.commented;
        for (at, pair) in tokens.windows(2).enumerate() {
            if pair[0].is("const") && pair[1].kind == Kind::Word && is_limit(pair[1].text) {
                let name = pair[1].text;
                if !is_explained(&tokens[..at], pair[0].line) {
                    let wrong = format!("the limit {name} stands without its reason");
                    let mend = "say in a doc comment directly above why so much and no more, with the unit";
                    found.push(Finding::new(path, pair[0].line, wrong, mend));
                }
            }
        }
    }
    found
}

fn is_limit(name: &str) -> bool {
    name.split('_').any(|word| matches!(word, "MAX" | "MIN" | "LIMIT" | "LIMITS"))
}

/// Whether a doc comment ends in the line above, attributes and visibility aside.
fn is_explained(before: &[Token], mut line: usize) -> bool {
    for token in before.iter().rev() {
        if token.kind == Kind::Comment {
            return token.text.starts_with("///") && token.line + 1 == line;
        }
        if token.is(";") || token.is("{") || token.is("}") || token.is(",") {
            return false;
        }
        line = token.line;
    }
    false
}
