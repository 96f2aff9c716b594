//! The RTMP conversation, server and client, sans-I/O.
//!
//! Bytes go in, events and bytes come out: [`session::ServerSession`] and [`session::ClientSession`], whose
//! contract stands in [`session`]. Below them, each usable alone: [`handshake`], [`chunk`], [`message`],
//! [`command`], [`url`], [`login`]. A conversation that was recorded: [`capture`]; the rules that one is held against:
//! [`rule`].
//!
//! No socket, clock, randomness or task is here: time and nonces are arguments. What media bytes mean is
//! the business of `headwater-media` ([`media`]). The feature `tokio` adds a driver that runs either
//! session over a stream: most programs begin there, with `docs/library.md` and the examples.
//!
//! # Both sides in memory
//!
//! A client that publishes one sound, and a server that lets everybody in. What one puts out is what the
//! other is fed with; between a socket and a session there is no more to do than this.
//!
//! ```
//! use std::sync::Arc;
//! use std::time::Duration;
//!
//! use bytes::{Bytes, BytesMut};
//! use headwater_rtmp::command::PublishKind;
//! use headwater_rtmp::handshake::Nonce;
//! use headwater_rtmp::media::MediaKind;
//! use headwater_rtmp::session::{ClientEvent, ClientSession, ServerEvent, ServerSession};
//!
//! let url = "rtmp://example.org/live/cam".parse()?;
//! let mut client = ClientSession::new(Arc::default(), url, Nonce([1; 32]), Duration::ZERO);
//! let mut server = ServerSession::new(Arc::default(), Nonce([2; 32]), Duration::ZERO);
//! let (mut to_server, mut to_client) = (BytesMut::new(), BytesMut::new());
//! let mut heard = Vec::new();
//!
//! while heard.is_empty() {
//!     to_server.extend_from_slice(&client.output().drain());
//!     while let Some(event) = server.read(&mut to_server)? {
//!         match event {
//!             ServerEvent::Connect(request) => request.accept(&mut server),
//!             ServerEvent::Publish(request) => request.accept(&mut server),
//!             ServerEvent::Media { timestamp, body, .. } => heard.push((timestamp, body)),
//!             _ => {}
//!         }
//!     }
//!     to_client.extend_from_slice(&server.output().drain());
//!     while let Some(event) = client.read(&mut to_client)? {
//!         match event {
//!             ClientEvent::Connected { .. } => client.publish("cam", PublishKind::Live)?,
//!             ClientEvent::PublishStarted { stream } => {
//!                 let sound = Bytes::from_static(b"\xaf\x01sound");
//!                 client.send_media(stream, MediaKind::Audio, 40, &[sound])?;
//!             }
//!             _ => {}
//!         }
//!     }
//! }
//! assert_eq!(heard, [(40, Bytes::from_static(b"\xaf\x01sound"))]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Real nonces must be random. Whoever drives a session must keep to its contract: drain the events,
//! answer each request, write everything out, and only then read on.

pub mod capture;
pub mod chunk;
pub mod command;
mod credentials;
mod error;
mod fault;
pub mod handshake;
mod keyed_hash;
pub mod login;
pub mod message;
mod output;
pub mod rule;
pub mod session;
#[cfg(feature = "tokio")]
pub mod tokio;
pub mod url;

pub use chunk::{ChunkStreamId, MessageStreamId};
pub use error::Error;
pub use fault::Fault;
pub use output::Output;

/// What media bytes mean: the crate whose types stand in this one's interface.
pub use headwater_media as media;
