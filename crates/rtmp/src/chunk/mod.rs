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
mod partial;
mod raw_message;

pub use decode::{Decoder, DecoderLimits, Oddities};
pub(crate) use encode::encode_pieces;
pub use encode::{Head, continuation_head, encode, extended, message_head, wire_length};
pub use raw_message::{CHUNK_SIZE_DEFAULT, ChunkStreamId, MESSAGE_BYTES_MAX, MessageStreamId, RawMessage};

#[cfg(test)]
mod tests;
