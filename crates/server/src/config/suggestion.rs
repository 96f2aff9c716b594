//! "Did you mean …?": what a mistyped word of the configuration was meant to be.

/// From here on two words are alike, on the scale of Jaro and Winkler: one letter of a short word, two of a long one.
const ALIKE_MIN: f64 = 0.85;

/// Adds to what the parser says of an unknown word what it was meant to be, in place of all that it could be; or, of a
/// key in the wrong section, which one it belongs to. `keys` are all there are, as `section.key`.
pub(super) fn suggest<'a>(said: &str, keys: impl IntoIterator<Item = &'a str>) -> String {
    let Some((at, rest)) = ["unknown field `", "unknown variant `"]
        .iter()
        .find_map(|words| said.find(words).map(|at| (at, &said[at + words.len()..])))
    else {
        return said.to_owned();
    };
    let Some((unknown, could_be)) = rest.split_once('`') else { return said.to_owned() };
    let known = could_be.split('`').skip(1).step_by(2);
    let likeness = |word: &str| strsim::jaro_winkler(&unknown.to_lowercase(), word);
    let nearest = known.map(|word| (likeness(word), word)).filter(|(likeness, _)| *likeness >= ALIKE_MIN);
    let before = &said[..at];
    let what = said[at..].split('`').next().unwrap_or_default().trim_end();
    if let Some((_, nearest)) = nearest.max_by(|one, other| one.0.total_cmp(&other.0)) {
        return format!("{before}{what} `{unknown}`: did you mean `{nearest}`?");
    }
    let elsewhere = keys.into_iter().filter_map(|key| key.split_once('.')).find(|(_, key)| *key == unknown);
    match elsewhere {
        Some((section, key)) => format!("{before}{what} `{key}` here: it belongs to [{section}]"),
        None => said.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Config;

    #[test]
    fn a_mistyped_word_is_answered_with_the_one_that_was_meant() {
        for (text, line, meant) in [
            ("[streams]\ngop_cash = true\n", 2, "unknown field `gop_cash`: did you mean `gop_cache`?"),
            ("[streem]\n", 1, "unknown field `streem`: did you mean `streams`?"),
            ("medai = \"x\"\n", 1, "unknown field `medai`: did you mean `media`?"),
            ("[rtmp]\nListen = \"x\"\n", 2, "did you mean `listen`?"),
            ("[http]\nconection_max = 5\n", 2, "did you mean `connections_max`?"),
            ("[streams]\ntakeover = \"slient\"\n", 2, "unknown variant `slient`: did you mean `silent`?"),
            ("[access]\nadmin_tokn = \"s3cr3t-of-mine\"\n", 2, "did you mean `admin_token`?"),
            // Right, and in the wrong place.
            ("[rtmp]\ngop_cache = true\n", 2, "unknown field `gop_cache` here: it belongs to [streams]"),
            ("lag_max_ms = 5\n", 1, "it belongs to [streams]"),
        ] {
            let error = Config::parse(text).unwrap_err().to_string();
            assert!(error.contains(meant) && error.contains(&format!("line {line}")), "{error}");
            assert!(!error.contains("s3cr3t"), "{error}");
        }
    }

    #[test]
    fn a_word_like_none_is_answered_with_all_that_there_are() {
        let error = Config::parse("[streams]\nzzz = 1\n").unwrap_err().to_string();
        assert!(error.contains("expected one of `gop_cache`") && !error.contains("did you mean"), "{error}");
    }
}
