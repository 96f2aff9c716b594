//! What can go wrong in a conversation, and who is to blame.
//!
//! One error type for the crate. It knows no socket: an error of the network belongs to whoever owns
//! the socket. `at` always counts the bytes that the peer has sent since the connection opened, the
//! handshake included, so that a capture can be opened at the very place. What a peer did is a [`Fault`], which
//! names the rule that it breaks.

use crate::fault::Fault;
use crate::rule::Rule;

/// Why a conversation cannot go on (or, for [`Error::Misuse`], why a call was refused).
///
/// After any error but [`Error::Misuse`] the connection is lost: write out what the session still wants
/// to say, and close.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The peer broke the protocol.
    #[error("the peer broke the protocol at byte {at}: {fault}")]
    Peer {
        /// Bytes that the peer had sent before the fault.
        at: u64,
        /// What the peer did.
        fault: Fault,
    },
    /// The peer speaks something that is well-formed but not spoken here.
    #[error("the peer speaks something that is not supported, at byte {at}: {fault}")]
    Unsupported {
        /// Bytes that the peer had sent before it.
        at: u64,
        /// What the peer speaks.
        fault: Fault,
    },
    /// The peer passed one of `Limits`.
    #[error("the peer passed the limit `{name}` = {value} at byte {at} (it wants {wanted})")]
    Limit {
        /// Bytes that the peer had sent before it.
        at: u64,
        /// The field of `Limits`.
        name: &'static str,
        /// The limit's value.
        value: u64,
        /// What the peer asked for.
        wanted: u64,
    },
    /// The caller asked for something that the state of the session does not allow. Nothing was sent
    /// and the conversation goes on.
    #[error("the session was misused: {0}")]
    Misuse(&'static str),
}

impl Error {
    /// The rule that the peer broke; `None` for a limit and for misuse.
    #[must_use]
    pub const fn rule(&self) -> Option<Rule> {
        match self {
            Self::Peer { fault, .. } | Self::Unsupported { fault, .. } => Some(fault.rule()),
            Self::Limit { .. } | Self::Misuse(_) => None,
        }
    }
}
