//! What an expression of a `Default` is worth, written as TOML. It reads the few forms that the configuration
//! uses: literals, `16 << 20`, constants, `"…".into()`, ports of addresses, variants of enumerations.

use crate::lexer::{Kind, Token};
use crate::modules::Target;
use crate::structs::{Field, Structure, type_path};
use crate::tree::Tree;

/// A default as the manual should write it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Worth {
    /// The value.
    Is(String),
    /// There is none: the manual shows the key in a comment.
    Nothing,
    /// An expression that cannot be read here.
    Unread(String),
}

/// The default of a field.
pub(crate) fn worth(tree: &Tree, of: &Structure, field: &Field) -> Worth {
    let Some(expression) = of.default_of(tree, &field.name) else { return of_type(tree, of, field) };
    let text: String = expression.iter().map(|token| token.text).collect();
    if expression.first().is_some_and(|token| token.is("None")) {
        return Worth::Nothing;
    }
    let is = |value: Option<String>| value.map_or_else(|| Worth::Unread(text.clone()), Worth::Is);
    let kind = type_path(&field.kind).pop().unwrap_or_default();
    let strings: Vec<&str> = of_kind(expression, Kind::Text);
    let numbers: Vec<&str> = of_kind(expression, Kind::Literal);
    match (kind.as_str(), &strings[..], &numbers[..]) {
        ("bool", ..) => is(Some(text.clone()).filter(|text| text == "true" || text == "false")),
        ("SocketAddr", _, [port]) => Worth::Is(format!("\"[::]:{}\"", port.replace('_', ""))),
        (_, [string], []) => Worth::Is((*string).to_owned()),
        _ if text.ends_with("::new()") || text.ends_with("::default()") || text == "vec![]" => {
            of_type(tree, of, field)
        }
        (_, [], numbers) if !numbers.is_empty() || is_constant(expression) => {
            is(number(tree, of, expression).map(|number| number.to_string()))
        }
        _ => is(variant(tree, of, expression)),
    }
}

/// What `Default` gives for the type itself.
fn of_type(tree: &Tree, of: &Structure, field: &Field) -> Worth {
    let value = match field.kind.first().map(|token| token.text) {
        Some("Option") => return Worth::Nothing,
        Some("Vec" | "BTreeSet") => "[]",
        Some("BTreeMap" | "HashMap") => "{}",
        Some("bool") => "false",
        Some("String" | "PathBuf") => "\"\"",
        Some("u8" | "u16" | "u32" | "u64" | "usize" | "i32" | "i64") => "0",
        _ => "",
    };
    if !value.is_empty() {
        return Worth::Is(value.to_owned());
    }
    let path = type_path(&field.kind);
    let chosen = Structure::find(tree, of.module, &path, "enum").and_then(|choice| {
        let default = choice.fields.iter().find(|variant| variant.serde.iter().any(|t| t.is("default")))?;
        Some(said(&choice, &default.name))
    });
    chosen.map_or_else(|| Worth::Unread(path.join("::")), Worth::Is)
}

fn of_kind(tokens: &[Token], kind: Kind) -> Vec<&'static str> {
    tokens.iter().filter(|token| token.kind == kind).map(|token| token.text).collect()
}

fn is_constant(tokens: &[Token]) -> bool {
    tokens.last().is_some_and(|token| token.text.bytes().all(|b| b.is_ascii_uppercase() || b == b'_'))
}

/// `16 << 20`, `24 * 60 * 60`, a constant.
fn number(tree: &Tree, of: &Structure, tokens: &[Token]) -> Option<u128> {
    if let Some(at) = tokens.windows(2).position(|two| two[0].is("<") && two[1].is("<")) {
        let by = number(tree, of, &tokens[at + 2..])?;
        return number(tree, of, &tokens[..at])?.checked_shl(u32::try_from(by).ok()?);
    }
    if let Some(at) = tokens.iter().rposition(|token| token.is("*")) {
        return number(tree, of, &tokens[..at])?.checked_mul(number(tree, of, &tokens[at + 1..])?);
    }
    match tokens {
        [one] if one.kind == Kind::Literal => {
            let digits: String = one.text.chars().filter(char::is_ascii_digit).collect();
            let suffix = one.text.trim_start_matches(|c: char| c.is_ascii_digit() || c == '_');
            if suffix.starts_with('x') { None } else { digits.parse().ok() }
        }
        _ if is_constant(tokens) => {
            let path: Vec<String> = of_kind(tokens, Kind::Word).into_iter().map(str::to_owned).collect();
            let Target::Item(module, name) = tree.modules.resolve(of.module, &path)? else { return None };
            let code = &tree.rust[&tree.modules.all[module].file].code;
            let at = code.windows(2).position(|two| two[0].is("const") && two[1].is(&name))?;
            let value = at + code[at..].iter().position(|token| token.is("="))? + 1;
            let end = value + code[value..].iter().position(|token| token.is(";"))?;
            number(tree, of, &code[value..end])
        }
        _ => None,
    }
}

/// `TakeoverRule::Silent` as `"silent"`.
fn variant(tree: &Tree, of: &Structure, tokens: &[Token]) -> Option<String> {
    let mut path = of_kind(tokens, Kind::Word);
    let name = path.pop()?;
    let path: Vec<String> = path.into_iter().map(str::to_owned).collect();
    let choice = Structure::find(tree, of.module, &path, "enum")?;
    choice.fields.iter().any(|variant| variant.name == name).then(|| said(&choice, name))
}

/// A variant as serde says it.
fn said(choice: &Structure, variant: &str) -> String {
    let named = |word: &str| choice.attributes.iter().any(|token| token.text == format!("\"{word}\""));
    let between = if named("kebab-case") { "-" } else { "_" };
    if !named("kebab-case") && !named("snake_case") && !named("lowercase") {
        return format!("\"{variant}\"");
    }
    let mut word = String::new();
    for letter in variant.chars() {
        if letter.is_uppercase() && !word.is_empty() && !named("lowercase") {
            word.push_str(between);
        }
        word.extend(letter.to_lowercase());
    }
    format!("\"{word}\"")
}
