//! What was found to be wrong.

use std::fmt;

use serde::Serialize;

/// Something that breaks a rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    /// Which rule, in a word or two.
    pub(super) rule: &'static str,
    /// What was seen, and what it should have been.
    pub(super) what: String,
}

impl Finding {
    pub(super) fn new(rule: &'static str, what: impl Into<String>) -> Self {
        Self { rule, what: what.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.rule, self.what)
    }
}
