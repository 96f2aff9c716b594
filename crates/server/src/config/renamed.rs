//! Keys by the names that they had before, which are still read.
//!
//! The structures of the configuration know them as aliases. Who uses one is told the name that it has now.

/// `(section, the name before, the name now)`.
const RENAMED: [(&str, &str, &str); 15] = [
    ("rtmp", "hello_ms_max", "setup_timeout_ms"),
    ("rtmp", "silence_ms_max", "read_timeout_ms"),
    ("rtmp", "stall_ms_max", "write_timeout_ms"),
    ("rtmp", "message_bytes_max", "message_max_bytes"),
    ("http", "head_ms_max", "head_timeout_ms"),
    ("http", "stall_ms_max", "write_timeout_ms"),
    ("streams", "log_bytes_max", "log_max_bytes"),
    ("streams", "lag_ms_max", "lag_max_ms"),
    ("streams", "gather_ms_min", "gather_min_ms"),
    ("streams", "gather_ms_max", "gather_max_ms"),
    ("vod", "index_bytes_max", "index_max_bytes"),
    ("pictures", "cache_bytes_max", "cache_max_bytes"),
    ("uploads", "upload_bytes_max", "upload_max_bytes"),
    ("uploads", "free_bytes_min", "free_min_bytes"),
    ("uploads", "silence_ms_max", "read_timeout_ms"),
];

/// Warns of each key in `text` that has another name by now.
pub(super) fn warn(text: &str) {
    for (section, before, now) in used(text) {
        tracing::warn!(
            "[{section}] {before} is called {now} now: the old name is still read, and will not be in a later version"
        );
    }
}

fn used(text: &str) -> Vec<(&'static str, &'static str, &'static str)> {
    let Ok(file) = text.parse::<toml::Table>() else { return Vec::new() };
    let has = |(section, before, _): &(&str, &str, &str)| {
        file.get(*section).and_then(|section| section.get(*before)).is_some()
    };
    RENAMED.into_iter().filter(has).collect()
}

#[cfg(test)]
mod tests {
    use super::super::Config;
    use super::*;

    #[test]
    fn every_name_of_before_is_read_as_the_one_of_now_and_told() {
        for (section, before, now) in RENAMED {
            let with = |name: &str| format!("[{section}]\n{name} = 77\n");
            let (old, new) = (Config::parse(&with(before)).unwrap(), Config::parse(&with(now)).unwrap());
            assert_eq!(old, new, "[{section}] {before}");
            assert_ne!(new, Config::default(), "[{section}] {now}");
            assert_eq!((used(&with(before)), used(&with(now))), (vec![(section, before, now)], Vec::new()));
        }
    }

    #[test]
    fn a_key_by_both_names_is_an_error() {
        let text = "[rtmp]\nhello_ms_max = 5\nsetup_timeout_ms = 6\n";
        let error = Config::parse(text).unwrap_err().to_string();
        assert!(error.contains("duplicate field `setup_timeout_ms`"), "{error}");
    }
}
