//! A date range of a media playlist (RFC 8216, 4.3.2.7): something that is said of a moment.

use std::fmt;

use super::quoted::quoted;
use crate::DateTime;

/// A moment on the wall, and what is said of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DateRange {
    /// Tells it from all others of the playlist.
    pub id: String,
    /// What kind of thing it is; all of one class mean the same by their attributes.
    pub class: String,
    /// When.
    pub start: DateTime,
    /// Attributes of our own with their values; their names begin with `X-`.
    pub attributes: Vec<(&'static str, String)>,
}

impl fmt::Display for DateRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, class, start, attributes } = self;
        write!(f, "#EXT-X-DATERANGE:ID={},CLASS={},START-DATE=\"{start}\"", quoted(id), quoted(class))?;
        attributes.iter().try_for_each(|(name, value)| write!(f, ",{name}={}", quoted(value)))
    }
}
