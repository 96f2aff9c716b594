//! Text files whose encoding nobody says: UTF-8, UTF-16, and the code page of western Europe where nothing else can be meant.

/// How a text was encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// UTF-8, with its mark or without.
    Utf8,
    /// UTF-16 of either order, with its mark, or told by its zeros.
    Utf16,
    /// Windows-1252, of which ISO 8859-1 is a part.
    Windows1252,
    /// Some code page of 8 bits, nobody can tell which: letters beyond ASCII are lost.
    Unknown,
}

/// Languages that were written in Windows-1252 wherever they were written in 8 bits.
const WESTERN: [&str; 16] =
    ["da", "de", "en", "es", "eu", "fi", "fr", "ga", "gl", "is", "it", "nb", "nl", "no", "pt", "sv"];

/// Windows-1252 from 0x80 to 0x9F; five places are empty.
const WINDOWS_1252: [char; 32] = [
    '€', '\u{FFFD}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{FFFD}', 'Ž', '\u{FFFD}',
    '\u{FFFD}', '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{FFFD}', 'ž', 'Ÿ',
];

/// The text without its mark, and how it was encoded. `language` (BCP 47) is what its name says, if anything.
#[must_use]
pub fn decode(bytes: &[u8], language: Option<&str>) -> (String, Encoding) {
    match bytes {
        [0xFF, 0xFE, rest @ ..] => (utf16(rest, u16::from_le_bytes), Encoding::Utf16),
        [0xFE, 0xFF, rest @ ..] => (utf16(rest, u16::from_be_bytes), Encoding::Utf16),
        // Text begins with ASCII ("WEBVTT", a number), whose upper half is zero; no other text has zeros.
        [a, 0, b, 0, ..] if *a != 0 && *b != 0 => (utf16(bytes, u16::from_le_bytes), Encoding::Utf16),
        [0, a, 0, b, ..] if *a != 0 && *b != 0 => (utf16(bytes, u16::from_be_bytes), Encoding::Utf16),
        _ => {
            let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
            match std::str::from_utf8(bytes) {
                Ok(text) => (text.to_owned(), Encoding::Utf8),
                Err(_) if is_western(language) => {
                    (bytes.iter().map(|&byte| windows_1252(byte)).collect(), Encoding::Windows1252)
                }
                Err(_) => (String::from_utf8_lossy(bytes).into_owned(), Encoding::Unknown),
            }
        }
    }
}

fn is_western(language: Option<&str>) -> bool {
    let main = language.and_then(|language| language.split('-').next()).unwrap_or_default();
    WESTERN.iter().any(|western| western.eq_ignore_ascii_case(main))
}

fn windows_1252(byte: u8) -> char {
    let special = byte.checked_sub(0x80).and_then(|at| WINDOWS_1252.get(usize::from(at)));
    special.copied().unwrap_or_else(|| char::from(byte))
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> String {
    let units = bytes.as_chunks::<2>().0.iter().map(|pair| unit(*pair));
    char::decode_utf16(units).map(|letter| letter.unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_encoding_that_is_sure_gives_its_letters() {
        let text = "WEBVTT\n\nGrößer – „ja“ €\n";
        let utf16 = |unit: fn(u16) -> [u8; 2], mark: &[u8]| {
            [mark, &text.encode_utf16().flat_map(unit).collect::<Vec<_>>()].concat()
        };
        for bytes in [
            utf16(u16::to_le_bytes, &[0xFF, 0xFE]),
            utf16(u16::to_be_bytes, &[0xFE, 0xFF]),
            utf16(u16::to_le_bytes, &[]),
            utf16(u16::to_be_bytes, &[]),
        ] {
            assert_eq!(decode(&bytes, None), (text.to_owned(), Encoding::Utf16));
        }
        assert_eq!(decode(text.as_bytes(), None), (text.to_owned(), Encoding::Utf8));
        let marked = [b"\xEF\xBB\xBF", text.as_bytes()].concat();
        assert_eq!(decode(&marked, None), (text.to_owned(), Encoding::Utf8));
        let page: &[u8] = b"WEBVTT\n\nGr\xF6\xDFer \x96 \x84ja\x93 \x80\n";
        assert_eq!(decode(page, Some("de-AT")), (text.to_owned(), Encoding::Windows1252));
    }

    #[test]
    fn what_is_not_sure_is_not_guessed() {
        let (text, encoding) = decode(b"\xCF\xF0\xE8\xE2\xE5\xF2 all", Some("ru"));
        assert!(text.ends_with(" all") && text.contains(char::REPLACEMENT_CHARACTER), "{text}");
        assert_eq!(encoding, Encoding::Unknown);
        assert_eq!(decode(b"Gr\xF6\xDFe", None).1, Encoding::Unknown);
        assert_eq!(decode(b"", None), (String::new(), Encoding::Utf8));
        assert_eq!(decode(b"\0", Some("de")).1, Encoding::Utf8);
        assert_eq!(decode(b"\xFF\xFEa", None), (String::new(), Encoding::Utf16));
    }
}
