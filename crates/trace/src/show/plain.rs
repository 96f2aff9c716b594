//! Numbers, spans of time and peers' text, as a person reads them.

/// A peer's text without anything that moves a cursor, changes a colour or hides.
pub(super) fn clean(text: &str) -> String {
    text.chars()
        .flat_map(|c| {
            let is_quote = matches!(c, '"' | '\'' | '\\');
            let plain = is_quote.then_some(c);
            plain.into_iter().chain((!is_quote).then(|| c.escape_debug()).into_iter().flatten())
        })
        .collect()
}

/// Text of at most `most` characters, marked where it is cut.
pub(super) fn shortened(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    text.chars().take(most.saturating_sub(1)).chain(['…']).collect()
}

/// Text cut at spaces into lines of at most `width` characters; longer words are cut.
pub(super) fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    let mut used = 0;
    for word in text.split(' ') {
        let mut word = word;
        let mut long = word.chars().count();
        if used > 0 && used + 1 + long > width {
            lines.push(String::new());
            used = 0;
        }
        while long > width {
            let cut = word.char_indices().nth(width).map_or(word.len(), |(at, _)| at);
            let (start, rest) = word.split_at(cut);
            if let Some(line) = lines.last_mut() {
                line.push_str(start);
            }
            lines.push(String::new());
            (word, long) = (rest, long - width);
        }
        if let Some(line) = lines.last_mut() {
            if used > 0 {
                line.push(' ');
            }
            line.push_str(word);
            used = line.chars().count();
        }
    }
    lines
}

/// A number with its thousands parted.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// A span of time, short.
pub(super) fn duration(ns: u64) -> String {
    match ns {
        0..10_000_000 => format!("{:.1} ms", ns as f64 / 1e6),
        10_000_000..1_000_000_000 => format!("{} ms", ns / 1_000_000),
        _ => format!("{:.1} s", ns as f64 / 1e9),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_control_character_survives() {
        let dirty = "a\u{1b}[31m\r\n\u{7}\u{202e}\u{9b}\"é";
        let cleaned = clean(dirty);
        assert!(cleaned.chars().all(|c| !c.is_control() && c != '\u{202e}'), "{cleaned}");
        assert!(cleaned.ends_with("\"é"));
    }

    #[test]
    fn thousands_are_parted() {
        assert_eq!(
            [grouped(0), grouped(999), grouped(1000), grouped(1_234_567)],
            ["0", "999", "1,000", "1,234,567"]
        );
    }

    #[test]
    fn lines_wrap_at_spaces_and_cut_long_words() {
        assert_eq!(wrapped("one two three", 7), ["one two", "three"]);
        assert_eq!(wrapped("abcdefghij k", 4), ["abcd", "efgh", "ij k"]);
        assert_eq!(wrapped("", 4), [""]);
    }
}
