//! The query of an address, taken apart in one way for all who read one. Nothing in it is percent-decoded: what is
//! read from queries are numbers, states and keys that need none.

use axum::http::Uri;

/// Nothing is as long, in seconds.
const SECONDS_MAX: f64 = 1e9;

/// `name=value&name&…`
#[derive(Clone, Copy, Debug)]
pub(super) struct Query<'a>(&'a str);

impl<'a> Query<'a> {
    /// Of an address; empty if it has none.
    pub(super) fn of(uri: &'a Uri) -> Self {
        Self::new(uri.query().unwrap_or_default())
    }

    /// What stands behind the `?`.
    pub(super) const fn new(text: &'a str) -> Self {
        Self(text)
    }

    /// Names with their values, in their order; names alone are left out.
    pub(super) fn pairs(self) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.0.split('&').filter_map(|pair| pair.split_once('='))
    }

    /// The first value of that name.
    pub(super) fn value(self, name: &str) -> Option<&'a str> {
        self.pairs().find(|(key, _)| *key == name).map(|(_, value)| value)
    }

    /// Whether `null` is to be said of what is not there, in the place of 404 (`absent=null`): a page that waits for
    /// something asks again and again, and a browser notes each 404 in red.
    pub(super) fn takes_null(self) -> bool {
        self.value("absent") == Some("null")
    }

    /// Where to begin, in seconds (`start=90`, `start=-60`); none if that is not asked for.
    ///
    /// # Errors
    /// What is no number of seconds is told in a sentence.
    pub(super) fn start(self) -> Result<Option<f64>, String> {
        self.seconds("start")
    }

    /// A place in what is watched, likewise, by another name.
    ///
    /// # Errors
    /// What is no number of seconds is told in a sentence.
    pub(super) fn seconds(self, name: &str) -> Result<Option<f64>, String> {
        let Some(text) = self.value(name) else { return Ok(None) };
        let seconds = text.parse::<f64>().ok().filter(|seconds| seconds.abs() < SECONDS_MAX);
        seconds.map(Some).ok_or_else(|| format!("{name} is a number of seconds\n"))
    }

    /// Whether the name is there, with a value or without.
    pub(super) fn has(self, name: &str) -> bool {
        self.0.split('&').any(|pair| pair.split('=').next() == Some(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_values_or_none() {
        let query = Query::new("v=1&download&v=2&key=a=b&=x&&end=");
        assert_eq!((query.value("v"), query.value("key")), (Some("1"), Some("a=b")));
        assert_eq!((query.value("end"), query.value("download"), query.value("ke")), (Some(""), None, None));
        assert!(query.has("download") && query.has("v") && !query.has("down"));
        let keys: Vec<&str> = query.pairs().map(|(key, _)| key).collect();
        assert_eq!(keys, ["v", "v", "key", "", "end"]);
        assert_eq!(Query::new("").pairs().count(), 0);
        for (text, start) in [("", Ok(None)), ("start=90", Ok(Some(90.0))), ("start=-0.5", Ok(Some(-0.5)))] {
            assert_eq!(Query::new(text).start(), start);
        }
        for text in ["start=", "start=x", "start=1e9", "start=-1e99", "start=inf", "start=NaN", "start=1s"] {
            assert!(Query::new(text).start().is_err(), "{text}");
        }
        assert!(Query::new("key=a&absent=null").takes_null() && !Query::new("absent=1&null").takes_null());
    }
}
