//! Aggregates: several FLV tags in one message (RTMP 1.0 §7.1.6).
//!
//! Flash Media Server sends recorded streams like this; publishers hardly ever do, and every server and
//! client of the field reads them. A [`crate::session::ServerSession`] and a
//! [`crate::session::ClientSession`] take them apart by themselves. Neither ever sends one: a live frame
//! gains nothing by waiting for others, and chunks that may be of any size do the rest. Who needs them all
//! the same, to test a peer for instance, has the [`AggregateWriter`].

use bytes::{Buf, Bytes};

use super::type_id;
use crate::chunk::{ChunkStreamId, MESSAGE_BYTES_MAX, MessageStreamId, RawMessage};

/// Bytes of a tag before its body.
const HEAD_BYTES: usize = 11;
/// Bytes of a tag behind its body.
const BACK_POINTER_BYTES: usize = 4;

/// Takes an aggregate apart, one FLV tag after the other, without a list of them.
///
/// Times keep their distance to the first tag, whose time is the aggregate's own. The specification
/// describes big-endian headers; Flash Media Server sends FLV's, and FFmpeg, nginx-rtmp and librtmp read
/// those. A tag that is cut short ends it.
#[derive(Clone, Debug)]
pub struct Aggregate {
    whole: RawMessage,
    rest: Bytes,
    first_timestamp: Option<u32>,
    is_cut: bool,
}

impl Aggregate {
    /// Starts at the first tag.
    #[must_use]
    pub fn new(whole: RawMessage) -> Self {
        Self { rest: whole.payload.clone(), whole, first_timestamp: None, is_cut: false }
    }

    /// To be asked behind the last tag: whether another began that was cut short, and is lost.
    #[must_use]
    pub const fn is_cut(&self) -> bool {
        self.is_cut
    }

    /// Bytes that the peer had sent before the aggregate.
    #[must_use]
    pub const fn at(&self) -> u64 {
        self.whole.at
    }
}

impl Iterator for Aggregate {
    type Item = RawMessage;

    fn next(&mut self) -> Option<RawMessage> {
        let Some(&[type_id, s2, s1, s0, t2, t1, t0, t3, _, _, _]) = self.rest.first_chunk() else {
            self.is_cut |= !self.rest.is_empty();
            return None;
        };
        let length = u32::from_be_bytes([0, s2, s1, s0]) as usize;
        let timestamp = u32::from_be_bytes([t3, t2, t1, t0]);
        if self.rest.len() < HEAD_BYTES + length {
            self.rest.clear();
            self.is_cut = true;
            return None;
        }
        self.rest.advance(HEAD_BYTES);
        let payload = self.rest.split_to(length);
        self.rest.advance(self.rest.len().min(BACK_POINTER_BYTES));
        let first = *self.first_timestamp.get_or_insert(timestamp);
        Some(RawMessage {
            timestamp: self.whole.timestamp.wrapping_add(timestamp.wrapping_sub(first)),
            type_id,
            payload,
            ..self.whole.header()
        })
    }
}

/// Puts messages of one stream together into an aggregate.
///
/// ```
/// use headwater_rtmp::message::{Aggregate, AggregateWriter, type_id};
/// use headwater_rtmp::{ChunkStreamId, MessageStreamId};
///
/// let mut writer = AggregateWriter::default();
/// assert!(writer.push(type_id::VIDEO, 40, b"a picture"));
/// assert!(writer.push(type_id::AUDIO, 43, b"a sound"));
/// let message = writer.finish(ChunkStreamId::VIDEO, MessageStreamId(1));
/// assert_eq!(message.timestamp, 40);
/// assert_eq!(Aggregate::new(message).map(|part| part.timestamp).collect::<Vec<_>>(), [40, 43]);
/// ```
#[derive(Clone, Debug, Default)]
pub struct AggregateWriter {
    payload: Vec<u8>,
    timestamp: Option<u32>,
}

impl AggregateWriter {
    /// Adds a message: audio, video or data by its type id, its time in milliseconds. `false`, and nothing
    /// is added, when it would make the aggregate longer than a message can be.
    #[must_use]
    pub fn push(&mut self, type_id: u8, timestamp: u32, payload: &[u8]) -> bool {
        let whole = self.payload.len() + HEAD_BYTES + payload.len() + BACK_POINTER_BYTES;
        if whole > MESSAGE_BYTES_MAX as usize {
            return false;
        }
        self.timestamp.get_or_insert(timestamp);
        let length = payload.len() as u32;
        let [_, s2, s1, s0] = length.to_be_bytes();
        let [t3, t2, t1, t0] = timestamp.to_be_bytes();
        self.payload.extend_from_slice(&[type_id, s2, s1, s0, t2, t1, t0, t3, 0, 0, 0]);
        self.payload.extend_from_slice(payload);
        self.payload.extend_from_slice(&(length + HEAD_BYTES as u32).to_be_bytes());
        true
    }

    /// Whether nothing was added yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.payload.is_empty()
    }

    /// The message, at the time of the first one in it.
    #[must_use]
    pub fn finish(self, chunk_stream: ChunkStreamId, stream: MessageStreamId) -> RawMessage {
        RawMessage {
            chunk_stream,
            stream,
            timestamp: self.timestamp.unwrap_or(0),
            type_id: type_id::AGGREGATE,
            payload: self.payload.into(),
            at: 0,
        }
    }
}

#[cfg(test)]
mod tests;
