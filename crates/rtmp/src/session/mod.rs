//! Sessions: the state of one conversation, for either side, without a socket.
//!
//! The contract of both twins: **feed bytes; drain events until there are none; write out all output;
//! only then feed again.** How the bytes were cut never changes the events. Requests of a peer become
//! events that the caller answers by consuming them ([`Pending`]); nothing is answered before, and until a client's
//! `connect`, `publish` or `play` is, the session reads no further.
//!
//! # Deadlines
//!
//! Nothing here owns a clock, a socket or randomness: time and nonces are arguments. A time is a duration since any
//! moment that the caller keeps to for one session. Who wants [`Timeouts`] to be kept says `heard` when bytes have
//! come and `sent` after each write, wakes at `next_deadline`, and closes the connection when `check` says so.

mod client;
mod deadlines;
mod limits;
mod link;
mod server;

pub use client::{ClientConfig, ClientEvent, ClientSession, Play2Options, PlayOptions};
pub use deadlines::{TimedOut, Timeouts};
pub use limits::Limits;
pub use server::{
    Following, PauseRequest, Pending, ReceiveRequest, Role, SeekRejection, SeekRequest, ServerConfig,
    ServerEvent, ServerSession, StreamLengthRequest,
};

#[cfg(test)]
mod tests;
