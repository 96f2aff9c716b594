//! The one [`enum@Error`] of this crate: who is to blame, what, where in the bytes, and what mends it.

use std::borrow::Cow;

use thiserror::Error;

/// Why bytes could not be turned into meaning, or meaning into bytes.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Error {
    /// The sender (or whoever wrote the file) broke the format.
    #[error("{what}{}: {reason}", place(*at))]
    Malformed {
        /// The structure that is broken, as the specification calls it.
        what: &'static str,
        /// Where it starts: byte position in the file or stream, if the reader counts one.
        at: Option<u64>,
        /// What is wrong with it.
        reason: Cow<'static, str>,
    },
    /// The bytes may be in order, but this program has no use for them.
    #[error("{what}{} is not supported; {mend}", place(*at))]
    Unsupported {
        /// What was found, with its FourCC or number.
        what: Cow<'static, str>,
        /// Where it starts, if the reader counts.
        at: Option<u64>,
        /// What the sender can use in its place.
        mend: &'static str,
    },
    /// A number or size is beyond what this program is willing to keep in memory.
    #[error("{what}{} is {found}, more than the limit of {limit}", place(*at))]
    Limit {
        /// What was counted, with its unit.
        what: &'static str,
        /// Where it starts, if the reader counts.
        at: Option<u64>,
        /// How many were announced.
        found: u64,
        /// How many are accepted.
        limit: u64,
    },
    /// The calling code asked for something impossible; a fault of this program.
    #[error("internal misuse: {0}")]
    Misuse(&'static str),
}

impl Error {
    /// The same error with its place in the file or stream, unless it already has one.
    #[must_use]
    pub fn located(mut self, position: u64) -> Self {
        match &mut self {
            Self::Malformed { at, .. } | Self::Unsupported { at, .. } | Self::Limit { at, .. } => {
                at.get_or_insert(position);
            }
            Self::Misuse(_) => {}
        }
        self
    }

    pub(crate) fn malformed(what: &'static str, reason: impl Into<Cow<'static, str>>) -> Self {
        Self::Malformed { what, at: None, reason: reason.into() }
    }

    pub(crate) fn unsupported(what: impl Into<Cow<'static, str>>, mend: &'static str) -> Self {
        Self::Unsupported { what: what.into(), at: None, mend }
    }

    pub(crate) fn limit(what: &'static str, found: u64, limit: u64) -> Self {
        Self::Limit { what, at: None, found, limit }
    }
}

fn place(at: Option<u64>) -> String {
    at.map_or_else(String::new, |position| format!(" at byte {position}"))
}
