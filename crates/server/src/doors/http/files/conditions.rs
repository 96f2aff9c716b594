//! Conditions of a request (RFC 9110, 13): what the client has already, and whether it is still so.

use std::time::{Duration, SystemTime};

use axum::http::{HeaderMap, HeaderName, header};

/// By what a client knows a version of a file.
#[derive(Clone, Debug)]
pub(in crate::doors::http) struct Version {
    /// A strong entity tag, with its quotes.
    pub(in crate::doors::http) etag: String,
    /// When the file was changed last.
    pub(in crate::doors::http) modified: SystemTime,
}

/// What the conditions of a request come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Answer as if there were none.
    Go,
    /// The client has it: 304.
    NotModified,
    /// It is no longer what the client wants to go on with: 412.
    Failed,
}

impl Version {
    /// `Last-Modified`, in whole seconds.
    pub(super) fn last_modified(&self) -> String {
        httpdate::fmt_http_date(self.modified)
    }

    /// Judges in the order of RFC 9110, 13.2.2.
    pub(super) fn judge(&self, headers: &HeaderMap) -> Verdict {
        if let Some(tags) = text(headers, header::IF_MATCH) {
            if !lists(tags, &self.etag, false) {
                return Verdict::Failed;
            }
        } else if date(headers, header::IF_UNMODIFIED_SINCE).is_some_and(|date| self.second() > date) {
            return Verdict::Failed;
        }
        let has_it = match text(headers, header::IF_NONE_MATCH) {
            Some(tags) => lists(tags, &self.etag, true),
            None => date(headers, header::IF_MODIFIED_SINCE).is_some_and(|date| self.second() <= date),
        };
        if has_it { Verdict::NotModified } else { Verdict::Go }
    }

    /// Whether a part may be sent to a client that has another part of what `If-Range` names (RFC 9110, 13.1.5).
    pub(super) fn allows_range(&self, headers: &HeaderMap, now: SystemTime) -> bool {
        if !headers.contains_key(header::IF_RANGE) {
            return true;
        }
        match text(headers, header::IF_RANGE) {
            Some(tag) if tag.ends_with('"') => tag == self.etag,
            Some(date) => {
                // A file may change twice in a second: its date tells versions apart only when it is past.
                let is_past = now.duration_since(self.second()).is_ok_and(|age| age > Duration::from_secs(1));
                is_past && httpdate::parse_http_date(date).ok() == Some(self.second())
            }
            None => false,
        }
    }

    /// The time of change as clients are told it, without fractions of a second.
    fn second(&self) -> SystemTime {
        let since = self.modified.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        SystemTime::UNIX_EPOCH + Duration::from_secs(since.as_secs())
    }
}

/// Whether a list of entity tags names `etag`; `weakly`: also if it is named as a weak one.
fn lists(tags: &str, etag: &str, weakly: bool) -> bool {
    tags.split(',').map(str::trim).any(|tag| {
        let named = if weakly { tag.strip_prefix("W/").unwrap_or(tag) } else { tag };
        named == etag || named == "*"
    })
}

fn date(headers: &HeaderMap, name: HeaderName) -> Option<SystemTime> {
    httpdate::parse_http_date(text(headers, name)?).ok()
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok().map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    const THEN: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
    const LATER: &str = "Sun, 06 Nov 1994 08:49:38 GMT";
    const EARLIER: &str = "Sun, 06 Nov 1994 08:49:36 GMT";

    fn version() -> Version {
        let modified = SystemTime::UNIX_EPOCH + Duration::from_millis(784_111_777_500);
        Version { etag: "\"a-1\"".to_owned(), modified }
    }

    fn headers(fields: &[(HeaderName, &str)]) -> HeaderMap {
        let field =
            |(name, value): &(HeaderName, &str)| (name.clone(), HeaderValue::from_str(value).unwrap());
        fields.iter().map(field).collect()
    }

    #[test]
    fn conditions_are_judged_in_their_order() {
        use header::{IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_UNMODIFIED_SINCE};
        let cases: &[(&[(HeaderName, &str)], Verdict)] = &[
            (&[], Verdict::Go),
            (&[(IF_NONE_MATCH, "\"a-1\"")], Verdict::NotModified),
            (&[(IF_NONE_MATCH, "\"x\", W/\"a-1\"")], Verdict::NotModified),
            (&[(IF_NONE_MATCH, "*")], Verdict::NotModified),
            (&[(IF_NONE_MATCH, "\"a-2\""), (IF_MODIFIED_SINCE, LATER)], Verdict::Go),
            (&[(IF_MODIFIED_SINCE, THEN)], Verdict::NotModified),
            (&[(IF_MODIFIED_SINCE, EARLIER)], Verdict::Go),
            (&[(IF_MODIFIED_SINCE, "yesterday")], Verdict::Go),
            (&[(IF_MATCH, "\"a-1\"")], Verdict::Go),
            (&[(IF_MATCH, "W/\"a-1\"")], Verdict::Failed),
            (&[(IF_MATCH, "\"a-2\"")], Verdict::Failed),
            (&[(IF_MATCH, "*"), (IF_UNMODIFIED_SINCE, EARLIER)], Verdict::Go),
            (&[(IF_UNMODIFIED_SINCE, EARLIER)], Verdict::Failed),
            (&[(IF_UNMODIFIED_SINCE, THEN)], Verdict::Go),
            (&[(IF_MATCH, "\"a-2\""), (IF_NONE_MATCH, "\"a-1\"")], Verdict::Failed),
        ];
        for (fields, verdict) in cases {
            assert_eq!(version().judge(&headers(fields)), *verdict, "{fields:?}");
        }
    }

    #[test]
    fn a_part_is_only_sent_of_the_version_that_the_client_has() {
        let version = version();
        let now = version.modified + Duration::from_secs(10);
        let allows = |value| version.allows_range(&headers(&[(header::IF_RANGE, value)]), now);
        assert!(version.allows_range(&HeaderMap::new(), now));
        assert!(allows("\"a-1\"") && allows(THEN));
        for other in ["\"a-2\"", "W/\"a-1\"", LATER, EARLIER, "", "*"] {
            assert!(!allows(other), "{other}");
        }
        let at_once = version.modified;
        assert!(!version.allows_range(&headers(&[(header::IF_RANGE, THEN)]), at_once));
    }
}
