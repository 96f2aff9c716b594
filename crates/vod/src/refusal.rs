//! Why something of a film cannot be had: what kind of no it is, for programs, and a sentence for who asked.

use std::io;

use tokio::task::JoinError;

/// Why a film, a thumbnail or an upload cannot be had.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct Refusal {
    /// What a program goes by.
    pub kind: RefusalKind,
    /// A sentence for who asked.
    pub text: String,
}

/// The kinds of a [`Refusal`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusalKind {
    /// There is no such film, thumbnail or upload (any more).
    NotFound,
    /// There is such a file, and nothing in it can be played.
    NoMedia,
    /// A name that is not served.
    Forbidden,
    /// Not of this film, not by this server; a browser may know better.
    Unsupported,
    /// The film's bytes are not what they should be.
    Damaged,
    /// Not now; later.
    Busy,
    /// The name of a new file is taken.
    Taken,
    /// The file is being written: it can be read, and neither removed nor replaced nor renamed.
    Growing,
    /// What is asked for can be of no file.
    Invalid,
    /// The name was free when the upload began and is taken now that it is whole.
    TakenSince,
    /// The bytes do not begin where the upload stands: at this byte.
    Offset(u64),
    /// The client has gone silent or away in the middle of an upload; so many bytes are there.
    Cut(u64),
    /// More than was announced, or than is allowed.
    TooLarge,
    /// Too many uploads at once.
    TooMany,
    /// No room on the disk.
    Full,
    /// The fault is on this side.
    Failed,
}

impl Refusal {
    /// A refusal of that kind; `text` is a sentence.
    pub fn new(kind: RefusalKind, text: impl Into<String>) -> Self {
        Self { kind, text: text.into() }
    }

    pub(crate) fn no_film(name: &str) -> Self {
        Self::new(RefusalKind::NotFound, format!("There is no film {name}."))
    }

    pub(crate) fn unreadable(name: &str, error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory | io::ErrorKind::InvalidFilename => {
                Self::no_film(name)
            }
            _ => Self::new(RefusalKind::Failed, format!("{name} cannot be read: {error}.")),
        }
    }

    pub(crate) fn stopping() -> Self {
        Self::new(RefusalKind::Failed, "The server is stopping.")
    }
}

impl From<JoinError> for Refusal {
    fn from(error: JoinError) -> Self {
        Self::new(RefusalKind::Failed, format!("It could not be finished: {error}."))
    }
}
