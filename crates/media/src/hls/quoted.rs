//! Quoted strings, as both kinds of playlist write them.

/// A quoted string (RFC 8216, 4.2): it has no way to write quotes and ends of lines, so they are left out.
pub(super) fn quoted(text: &str) -> String {
    let text: String = text.chars().filter(|letter| *letter != '"' && !letter.is_control()).collect();
    format!("\"{text}\"")
}
