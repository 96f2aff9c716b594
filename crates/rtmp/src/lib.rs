//! The RTMP conversation, server and client, sans-I/O.
pub mod chunk;
mod error;
pub mod handshake;
mod output;
pub use error::Error;
pub use output::Output;
