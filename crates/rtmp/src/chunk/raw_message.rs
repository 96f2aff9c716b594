//! A message as it travelled, and what the chunk stream counts by: ids, sizes. No behaviour.

use std::fmt;

use bytes::Bytes;

/// The chunk size in force in both directions until a peer says otherwise (RTMP 1.0 §5.4.1).
pub const CHUNK_SIZE_DEFAULT: u32 = 128;

/// The longest message, and therefore the largest chunk size that means anything.
pub const MESSAGE_BYTES_MAX: u32 = 0xFF_FFFF;

/// A 24-bit timestamp field with this value says that the 32-bit extended timestamp follows.
pub(super) const EXTENDED_MARK: u32 = 0xFF_FFFF;

/// Which sequence of chunks a message travels in: 2..=65599. Meaningless beyond one direction of one
/// connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChunkStreamId(pub(super) u32);

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
