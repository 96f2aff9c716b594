//! Why a connection ends.

use headwater_rtmp::Error;

/// What is logged of a fault, and told to the peer.
const FAULT_LETTERS_MAX: usize = 300;

/// Why a connection ends.
pub(super) enum End {
    /// The peer hung up, or the network did.
    Gone,
    /// Everything was said; hang up.
    Done,
    /// The program stops.
    Stopped,
    /// The peer is let go: a reason from a small set for the metric, and words for the log.
    LetGo(&'static str, String),
}

impl End {
    /// The peer has broken the protocol, passed a limit, or speaks something else.
    pub(super) fn fault(error: &Error) -> Self {
        let reason = match error {
            Error::Limit { .. } => "limit",
            Error::Unsupported { .. } => "unsupported",
            _ => "protocol",
        };
        // The text may quote the peer, who may have said 64 KiB.
        Self::LetGo(reason, error.to_string().chars().take(FAULT_LETTERS_MAX).collect())
    }

    /// The session refuses a call only when this program's account of the streams differs from its own.
    pub(super) fn misuse(error: Error) -> Self {
        Self::LetGo("internal", format!("internal error: {error}"))
    }
}

/// An error as a sentence for a person at the other end.
pub(super) fn sentence(error: &impl ToString) -> String {
    let text = error.to_string();
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| format!("{}{}.", first.to_uppercase(), letters.as_str()))
}
