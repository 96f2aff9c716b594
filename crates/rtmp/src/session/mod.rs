//! Sessions: the state of one conversation, for either side, without a socket.
//!
//! The contract of both twins: **feed bytes; drain events until there are none; write out all output;
//! only then feed again.** How the bytes were cut never changes the events. Requests of a peer become
//! events that the caller answers by consuming them ([`Pending`]); nothing is answered before, and until a client's
//! `connect`, `publish` or `play` is, the session reads no further.
//!
//! Nothing here owns a clock, a socket or randomness: time and nonces are arguments.

mod client;
mod limits;
mod link;
mod server;

pub use client::{ClientConfig, ClientEvent, ClientSession, Play2Options, PlayOptions};
pub use limits::Limits;
pub use server::{
    Following, PauseRequest, Pending, ReceiveRequest, Role, SeekRejection, SeekRequest, ServerConfig,
    ServerEvent, ServerSession, StreamLengthRequest,
};

#[cfg(test)]
mod tests;
