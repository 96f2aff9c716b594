//! AMF values as text: in one line, or as a tree.

use headwater_media::amf::{Limits, Object, Value, amf0};

use super::plain::clean;

/// Lines of a tree that are shown of one message.
const TREE_LINES_MAX: usize = 400;

/// A value behind others: an object's pairs, nothing for null.
pub(super) fn value_words(value: &Value) -> String {
    if value.is_null() {
        return String::new();
    }
    match value.as_object() {
        Some(object) => pairs(object),
        None => format!(" {value}"),
    }
}

fn pairs(object: &Object) -> String {
    object.iter().map(|(key, value)| format!(" {}={value}", clean(&key.to_str_lossy()))).collect()
}

/// The AMF0 values of a payload, up to the first that cannot be read.
pub(super) fn values(payload: &[u8]) -> Vec<Value> {
    let mut decoder = amf0::Decoder::new(payload, &Limits::WIRE);
    std::iter::from_fn(|| decoder.next_value().ok().flatten()).collect()
}

/// A payload's values, one value a line.
pub(super) fn tree(payload: &[u8]) -> Vec<String> {
    let mut lines = Vec::new();
    for value in values(payload) {
        branch(&mut lines, 0, None, &value);
    }
    if lines.len() > TREE_LINES_MAX {
        let more = lines.len() - TREE_LINES_MAX;
        lines.truncate(TREE_LINES_MAX);
        lines.push(format!("… {more} lines more"));
    }
    lines
}

fn branch(lines: &mut Vec<String>, depth: usize, key: Option<&str>, value: &Value) {
    if lines.len() > TREE_LINES_MAX * 2 {
        return;
    }
    let indent = "  ".repeat(depth);
    let key = key.map(|key| format!("{}: ", clean(key))).unwrap_or_default();
    let (name, object) = match value {
        Value::Object(object) => ("object".to_owned(), object),
        Value::EcmaArray(object) => ("ECMA array".to_owned(), object),
        Value::TypedObject { class, object } => (clean(&class.to_str_lossy()), object),
        Value::StrictArray(values) => {
            lines.push(format!("{indent}{key}list of {}", values.len()));
            values.iter().for_each(|value| branch(lines, depth + 1, None, value));
            return;
        }
        _ => {
            lines.push(format!("{indent}{key}{value}"));
            return;
        }
    };
    lines.push(format!("{indent}{key}{name}"));
    for (key, value) in object.iter() {
        branch(lines, depth + 1, Some(&key.to_str_lossy()), value);
    }
}
