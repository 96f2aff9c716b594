//! The chunk stream: messages cut into chunks, and put together again (RTMP 1.0 §5.3).
//!
//! [`Decoder`] turns bytes into raw messages and keeps every rule of the wire; `encode` is the other
//! way, without state, so that a fan-out can make the bytes of a message once for many connections.
//! Neither knows what a message means.
//!
//! # Fanning out
//!
//! Every player of [`crate::session::ServerSession`] is in the same chunk size and, as a rule, on message
//! stream 1. So the wire form of a message is the same for all of them: heads in between, the body in
//! shared slices, one vectored write per player.
//!
//! ```
//! use headwater_rtmp::chunk::{self, ChunkStreamId, MessageStreamId};
//! use headwater_rtmp::message::type_id;
//!
//! let (body, chunk_size, time) = (vec![0x17; 150_000], 60_000, 40);
//! let id = ChunkStreamId::VIDEO;
//! let head = chunk::message_head(id, time, body.len() as u32, type_id::VIDEO, MessageStreamId(1));
//! let next = chunk::continuation_head(id, chunk::extended(time));
//! let mut wire = Vec::new();
//! for (number, piece) in body.chunks(chunk_size as usize).enumerate() {
//!     wire.extend_from_slice(if number == 0 { head.as_ref() } else { next.as_ref() });
//!     wire.extend_from_slice(piece);
//! }
//! assert_eq!(wire.len(), chunk::wire_length(id, time, body.len(), chunk_size));
//! ```

mod decode;
mod encode;

use std::fmt;

use bytes::Bytes;

pub use decode::{Decoder, DecoderLimits, Oddities};
pub(crate) use encode::encode_pieces;
pub use encode::{Head, continuation_head, encode, extended, message_head, wire_length};

/// The chunk size in force in both directions until a peer says otherwise (RTMP 1.0 §5.4.1).
pub const CHUNK_SIZE_DEFAULT: u32 = 128;

/// The longest message, and therefore the largest chunk size that means anything.
pub const MESSAGE_BYTES_MAX: u32 = 0xFF_FFFF;

/// A 24-bit timestamp field with this value says that the 32-bit extended timestamp follows.
const EXTENDED_MARK: u32 = 0xFF_FFFF;

/// Which sequence of chunks a message travels in: 2..=65599. Meaningless beyond one direction of one
/// connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChunkStreamId(u32);

impl ChunkStreamId {
    /// Protocol control and user control.
    pub const CONTROL: Self = Self(2);
    /// Commands and their answers, `onStatus`.
    pub const COMMAND: Self = Self(3);
    /// Audio; a session uses it for nothing else.
    pub const AUDIO: Self = Self(4);
    /// Script data; a session uses it for nothing else.
    pub const DATA: Self = Self(5);
    /// Video; a session uses it for nothing else.
    pub const VIDEO: Self = Self(6);

    /// `None` outside 2..=65599.
    #[must_use]
    pub const fn new(id: u32) -> Option<Self> {
        if id >= 2 && id <= 65_599 { Some(Self(id)) } else { None }
    }

    /// The number on the wire.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0
    }
}

impl fmt::Display for ChunkStreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// Which `NetStream` a message belongs to; 0 is the connection itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageStreamId(pub u32);

impl MessageStreamId {
    /// The connection itself.
    pub const CONNECTION: Self = Self(0);
}

impl fmt::Display for MessageStreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// A message as it travelled: a type, a time and bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawMessage {
    /// The chunk stream that carried it.
    pub chunk_stream: ChunkStreamId,
    /// The `NetStream` that it belongs to.
    pub stream: MessageStreamId,
    /// Milliseconds; wraps at 2^32.
    pub timestamp: u32,
    /// What the payload is (RTMP 1.0 §6.1 ff.).
    pub type_id: u8,
    /// The message without any header.
    pub payload: Bytes,
    /// The position, in the bytes that the peer has sent, of the message's first chunk.
    pub at: u64,
}

impl RawMessage {
    /// Everything but the payload.
    pub(crate) fn header(&self) -> Self {
        Self { payload: Bytes::new(), ..*self }
    }
}

#[cfg(test)]
mod tests;
