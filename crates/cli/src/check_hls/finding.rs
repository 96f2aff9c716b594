//! What was found to be wrong.

use std::fmt;

use serde::Serialize;

/// Something that breaks a rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Finding {
    /// Which rule, in a word or two.
    pub(crate) rule: &'static str,
    /// What was seen, and what it should have been.
    pub(crate) what: String,
}

impl Finding {
    pub(crate) fn new(rule: &'static str, what: impl Into<String>) -> Self {
        Self { rule, what: what.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.rule, self.what)
    }
}
