//! Preconditions of a request (RFC 9110, 13): what the client has already, and whether it is still so.

use std::fmt::Display;
use std::time::{Duration, SystemTime};

use axum::http::{HeaderMap, HeaderName, header};
use httpdate::HttpDate;

/// The end of the year 9999, in seconds after the epoch.
const LATEST: u64 = 253_402_300_799;

/// By what a client knows a state of a representation (RFC 9110, 8.8).
#[derive(Clone, Debug)]
pub(super) struct Validators {
    /// A strong entity tag, with its quotes.
    pub(super) etag: String,
    /// When the file was changed last.
    pub(super) modified: SystemTime,
}

/// What the preconditions of a request come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Evaluation {
    /// Answer as if there were none.
    Proceed,
    /// The client has it: 304.
    NotModified,
    /// It is no longer what the client wants to go on with: 412.
    Failed,
}

impl Validators {
    /// `Last-Modified`, in whole seconds.
    pub(super) fn last_modified(&self) -> impl Display + use<> {
        HttpDate::from(self.second())
    }

    /// Evaluates in the order of RFC 9110, 13.2.2.
    pub(super) fn evaluate(&self, headers: &HeaderMap) -> Evaluation {
        if let Some(matches) = if_match(headers, &self.etag) {
            if !matches {
                return Evaluation::Failed;
            }
        } else if date(headers, header::IF_UNMODIFIED_SINCE).is_some_and(|date| self.second() > date) {
            return Evaluation::Failed;
        }
        let has_it = if_none_match(headers, &self.etag).unwrap_or_else(|| {
            date(headers, header::IF_MODIFIED_SINCE).is_some_and(|date| self.second() <= date)
        });
        if has_it { Evaluation::NotModified } else { Evaluation::Proceed }
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

    /// The time of change as clients are told it, without fractions of a second, and within the years that have a date in
    /// HTTP: what is set on a file may be any.
    fn second(&self) -> SystemTime {
        let since = self.modified.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        SystemTime::UNIX_EPOCH + Duration::from_secs(since.as_secs().min(LATEST))
    }
}

/// Whether `If-Match` names `etag` (RFC 9110, 13.1.1); nothing if there is no such field.
pub(super) fn if_match(headers: &HeaderMap, etag: &str) -> Option<bool> {
    lists(headers, header::IF_MATCH, |tag| tag == etag)
}

/// Whether `If-None-Match` names `etag`, be it as a weak one (RFC 9110, 13.1.2): the client has it already. Nothing
/// if there is no such field.
pub(super) fn if_none_match(headers: &HeaderMap, etag: &str) -> Option<bool> {
    lists(headers, header::IF_NONE_MATCH, |tag| tag.strip_prefix("W/").unwrap_or(tag) == etag)
}

/// Whether the lists of entity tags in the fields of that name have one that `is_it`, or are `*`.
fn lists(headers: &HeaderMap, name: HeaderName, is_it: impl Fn(&str) -> bool) -> Option<bool> {
    let fields = headers.get_all(name);
    fields.iter().next()?;
    let mut tags = fields.iter().filter_map(|field| field.to_str().ok()).flat_map(|field| field.split(','));
    Some(tags.any(|tag| tag.trim() == "*" || is_it(tag.trim())))
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

    fn validators() -> Validators {
        let modified = SystemTime::UNIX_EPOCH + Duration::from_millis(784_111_777_500);
        Validators { etag: "\"a-1\"".to_owned(), modified }
    }

    fn headers(fields: &[(HeaderName, &str)]) -> HeaderMap {
        let field =
            |(name, value): &(HeaderName, &str)| (name.clone(), HeaderValue::from_str(value).unwrap());
        fields.iter().map(field).collect()
    }

    #[test]
    fn preconditions_are_evaluated_in_their_order() {
        use header::{IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_UNMODIFIED_SINCE};
        let cases: &[(&[(HeaderName, &str)], Evaluation)] = &[
            (&[], Evaluation::Proceed),
            (&[(IF_NONE_MATCH, "\"a-1\"")], Evaluation::NotModified),
            (&[(IF_NONE_MATCH, "\"x\", W/\"a-1\"")], Evaluation::NotModified),
            (&[(IF_NONE_MATCH, "*")], Evaluation::NotModified),
            (&[(IF_NONE_MATCH, "\"a-2\""), (IF_MODIFIED_SINCE, LATER)], Evaluation::Proceed),
            (&[(IF_MODIFIED_SINCE, THEN)], Evaluation::NotModified),
            (&[(IF_MODIFIED_SINCE, EARLIER)], Evaluation::Proceed),
            (&[(IF_MODIFIED_SINCE, "yesterday")], Evaluation::Proceed),
            (&[(IF_MATCH, "\"a-1\"")], Evaluation::Proceed),
            (&[(IF_MATCH, "W/\"a-1\"")], Evaluation::Failed),
            (&[(IF_MATCH, "\"a-2\"")], Evaluation::Failed),
            (&[(IF_MATCH, "*"), (IF_UNMODIFIED_SINCE, EARLIER)], Evaluation::Proceed),
            (&[(IF_UNMODIFIED_SINCE, EARLIER)], Evaluation::Failed),
            (&[(IF_UNMODIFIED_SINCE, THEN)], Evaluation::Proceed),
            (&[(IF_MATCH, "\"a-2\""), (IF_NONE_MATCH, "\"a-1\"")], Evaluation::Failed),
        ];
        for (fields, evaluation) in cases {
            assert_eq!(validators().evaluate(&headers(fields)), *evaluation, "{fields:?}");
        }
    }

    #[test]
    fn a_file_of_any_time_has_a_date() {
        let said = |modified| Validators { etag: String::new(), modified }.last_modified().to_string();
        let epoch = SystemTime::UNIX_EPOCH;
        assert_eq!(said(validators().modified), THEN);
        assert_eq!(said(epoch - Duration::from_secs(1 << 40)), "Thu, 01 Jan 1970 00:00:00 GMT");
        assert_eq!(said(epoch + Duration::from_secs(1 << 40)), "Fri, 31 Dec 9999 23:59:59 GMT");
    }

    #[test]
    fn a_part_is_only_sent_of_the_version_that_the_client_has() {
        let validators = validators();
        let now = validators.modified + Duration::from_secs(10);
        let allows = |value| validators.allows_range(&headers(&[(header::IF_RANGE, value)]), now);
        assert!(validators.allows_range(&HeaderMap::new(), now));
        assert!(allows("\"a-1\"") && allows(THEN));
        for other in ["\"a-2\"", "W/\"a-1\"", LATER, EARLIER, "", "*"] {
            assert!(!allows(other), "{other}");
        }
        let at_once = validators.modified;
        assert!(!validators.allows_range(&headers(&[(header::IF_RANGE, THEN)]), at_once));
    }

    #[test]
    fn a_client_that_has_it_is_told_so() {
        let says = |value: &str| if_none_match(&headers(&[(header::IF_NONE_MATCH, value)]), "\"b\"");
        assert_eq!((says("\"a\", W/\"b\""), says("*"), says("\"a\"")), (Some(true), Some(true), Some(false)));
        assert_eq!(if_none_match(&HeaderMap::new(), "\"b\""), None);
        let mut several = headers(&[(header::IF_NONE_MATCH, "\"a\"")]);
        several.append(header::IF_NONE_MATCH, HeaderValue::from_static("\"b\""));
        assert_eq!(if_none_match(&several, "\"b\""), Some(true));
    }
}
