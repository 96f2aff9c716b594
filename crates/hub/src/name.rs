//! The one canonical name of a stream: `<app>/<name>`.
//!
//! Everything that reaches the hub, a log line or a file system goes through [`StreamName::new`].

use std::fmt;
use std::sync::Arc;

/// The longest accepted name, app and slash included, in bytes.
const NAME_BYTES_MAX: usize = 1024;

/// A stream's name: the app (one or more segments) and the name (one or more segments), UTF-8, without
/// control characters (those that turn a line around or break it included) and without empty, `.` or `..`
/// segments. Cheap to clone.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StreamName {
    path: Arc<str>,
    app_len: usize,
}

/// Why a name is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidName {
    /// The app or the name is empty.
    #[error("a stream is addressed as <app>/<name>; the {0} is empty")]
    Empty(&'static str),
    /// The name is longer than the limit.
    #[error("the stream name has {0} bytes; the limit is {NAME_BYTES_MAX}")]
    TooLong(usize),
    /// A control character stands in the name.
    #[error("the stream name holds a control character (U+{0:04X}) at byte {1}")]
    Control(u32, usize),
    /// A segment is empty, `.` or `..`.
    #[error("the stream name holds the segment {0:?}, which is not allowed")]
    Segment(String),
}

impl StreamName {
    /// Checks and joins an app and a name.
    ///
    /// # Errors
    /// [`InvalidName`] says what is wrong and where.
    pub fn new(app: &str, name: &str) -> Result<Self, InvalidName> {
        let length = app.len().saturating_add(name.len()).saturating_add(1);
        if length > NAME_BYTES_MAX {
            return Err(InvalidName::TooLong(length));
        }
        Self::joined(&[app, "/", name].concat(), app.len())
    }

    /// From `app/name`; the app is the first segment.
    ///
    /// # Errors
    /// [`InvalidName`] as for [`StreamName::new`].
    pub fn parse(path: &str) -> Result<Self, InvalidName> {
        match path.find('/') {
            Some(app_len) => Self::joined(path, app_len),
            None => Self::new(path, ""),
        }
    }

    /// Of a path whose first `app_len` bytes are the app, with a slash behind them.
    fn joined(path: &str, app_len: usize) -> Result<Self, InvalidName> {
        if path.len() > NAME_BYTES_MAX {
            return Err(InvalidName::TooLong(path.len()));
        }
        if app_len == 0 {
            return Err(InvalidName::Empty("app"));
        }
        if path.len() == app_len + 1 {
            return Err(InvalidName::Empty("name"));
        }
        if let Some((at, c)) = path.char_indices().find(|(_, c)| c.is_control() || garbles_a_line(*c)) {
            return Err(InvalidName::Control(c.into(), at));
        }
        if let Some(segment) = path.split('/').find(|segment| matches!(*segment, "" | "." | "..")) {
            return Err(InvalidName::Segment(segment.to_owned()));
        }
        Ok(Self { path: path.into(), app_len })
    }

    /// `app/name`.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The app.
    #[must_use]
    pub fn app(&self) -> &str {
        &self.path[..self.app_len]
    }

    /// The name within the app.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.path[self.app_len + 1..]
    }
}

/// Line and paragraph separators, and the characters that reverse the text around them: to a person who
/// reads a log or a list, a name that holds one looks like another.
fn garbles_a_line(c: char) -> bool {
    matches!(c, '\u{2028}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

impl fmt::Display for StreamName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.path)
    }
}

impl fmt::Debug for StreamName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &*self.path)
    }
}

#[cfg(test)]
mod tests;
