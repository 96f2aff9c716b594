//! The RTMP conversation, server and client, sans-I/O.
//!
//! Bytes go in, events and bytes come out: [`session::ServerSession`] and [`session::ClientSession`], whose
//! contract stands in [`session`]. Below them, each usable alone: [`handshake`], [`chunk`], [`message`],
//! [`command`], [`url`]. A conversation that was recorded: [`capture`]; one of others, watched:
//! [`observe`].
//!
//! No socket, clock, randomness or task is here: time and nonces are arguments. What media bytes mean is
//! `headwater-media`'s business. The feature `tokio` adds the one file that drives a client session over
//! a stream.

pub mod capture;
pub mod chunk;
pub mod command;
mod error;
pub mod handshake;
pub mod login;
pub mod message;
pub mod observe;
mod output;
pub mod session;
#[cfg(feature = "tokio")]
pub mod tokio;
pub mod url;

pub use chunk::{ChunkStreamId, MessageStreamId};
pub use error::Error;
pub use output::Output;
