//! Commands: a name, a transaction, an object and arguments, all in AMF0 (RTMP 1.0 §7.2).
//!
//! [`Command`] is the form that all of them share; each file beside its own is one command: what it asks and
//! how it is answered. None of them knows whose turn it is: that is the session's business.

mod capabilities;
pub(crate) mod connect;
mod message;
mod play;
mod publish;
mod status;

pub use capabilities::Capabilities;
pub use connect::{ConnectRejection, ConnectRequest};
pub use message::Command;
pub use play::{Play2Request, PlayRejection, PlayRequest, PlayStart, Transition};
pub use publish::{PublishKind, PublishRejection, PublishRequest};
pub use status::{Level, Status, code};

#[cfg(test)]
mod tests;
