//! Messages → chunks, without any state.
//!
//! Every message starts with a full header (fmt 0) and goes on with fmt 3. That is the one form which
//! all receivers read alike (they disagree on fmt 3 at a message's start, §5.3.1.2.4 notwithstanding),
//! and because nothing is remembered, the bytes of a message are the same for every connection: whoever
//! fans out makes them once. The price is 4 bytes a message.

use bytes::Bytes;

use super::raw_message::{ChunkStreamId, EXTENDED_MARK, MessageStreamId, RawMessage};
use crate::Output;

/// The bytes of one chunk header, in place and without allocation. At most 18 bytes.
#[derive(Clone, Copy, Debug)]
pub struct Head {
    bytes: [u8; 18],
    length: u8,
}

impl Head {
    const fn new() -> Self {
        Self { bytes: [0; 18], length: 0 }
    }

    fn push(&mut self, bytes: &[u8]) {
        let start = usize::from(self.length);
        self.bytes[start..start + bytes.len()].copy_from_slice(bytes);
        self.length += bytes.len() as u8;
    }

    /// The basic header: 1, 2 or 3 bytes, always the shortest form.
    fn push_basic(&mut self, fmt: u8, id: ChunkStreamId) {
        let fmt = fmt << 6;
        match id.get() {
            id @ 0..=63 => self.push(&[fmt | id as u8]),
            id @ 64..=319 => self.push(&[fmt, (id - 64) as u8]),
            id => {
                let [low, high] = ((id - 64) as u16).to_le_bytes();
                self.push(&[fmt | 1, low, high]);
            }
        }
    }
}

impl AsRef<[u8]> for Head {
    fn as_ref(&self) -> &[u8] {
        &self.bytes[..usize::from(self.length)]
    }
}

/// The header of a message's first chunk: fmt 0, with the extended timestamp where it is needed.
///
/// `length` is the message's, at most [`super::MESSAGE_BYTES_MAX`]; higher bits are lost.
#[must_use]
pub fn message_head(
    id: ChunkStreamId,
    timestamp: u32,
    length: u32,
    type_id: u8,
    stream: MessageStreamId,
) -> Head {
    let mut head = Head::new();
    head.push_basic(0, id);
    head.push(&timestamp.min(EXTENDED_MARK).to_be_bytes()[1..]);
    head.push(&length.to_be_bytes()[1..]);
    head.push(&[type_id]);
    head.push(&stream.0.to_le_bytes());
    if let Some(extended) = extended(timestamp) {
        head.push(&extended.to_be_bytes());
    }
    head
}

/// The header of every further chunk of a message: fmt 3. `extended` is [`extended`] of the message's
/// timestamp: everybody but librtmp before 2013 wants it repeated.
#[must_use]
pub fn continuation_head(id: ChunkStreamId, extended: Option<u32>) -> Head {
    let mut head = Head::new();
    head.push_basic(3, id);
    if let Some(extended) = extended {
        head.push(&extended.to_be_bytes());
    }
    head
}

/// The extended timestamp that a message with this timestamp carries, if it carries one.
#[must_use]
pub const fn extended(timestamp: u32) -> Option<u32> {
    if timestamp >= EXTENDED_MARK { Some(timestamp) } else { None }
}

/// How many bytes a message takes on the wire, headers included.
#[must_use]
pub fn wire_length(id: ChunkStreamId, timestamp: u32, length: usize, chunk_size: u32) -> usize {
    let basic = match id.get() {
        0..=63 => 1,
        64..=319 => 2,
        _ => 3,
    };
    let extended = if extended(timestamp).is_some() { 4 } else { 0 };
    let continuations = length.saturating_sub(1) / chunk_size.max(1) as usize;
    length + basic + 11 + extended + continuations * (basic + extended)
}

/// Appends one message, cut at `chunk_size`, to `output`. The payload is `pieces` in order (a media tag's
/// header and its body, say); large pieces are shared, not copied. `header.payload` is not looked at.
///
/// The pieces together hold at most [`super::MESSAGE_BYTES_MAX`] bytes; the caller has checked it.
pub(crate) fn encode_pieces(output: &mut Output, header: &RawMessage, pieces: &[Bytes], chunk_size: u32) {
    let length: usize = pieces.iter().map(Bytes::len).sum();
    let RawMessage { chunk_stream, stream, timestamp, type_id, .. } = *header;
    output.put(message_head(chunk_stream, timestamp, length as u32, type_id, stream).as_ref());

    let continuation = continuation_head(chunk_stream, extended(timestamp));
    let chunk_size = chunk_size.max(1) as usize;
    let mut room = chunk_size;
    for piece in pieces {
        let mut rest = piece.clone();
        while !rest.is_empty() {
            if room == 0 {
                output.put(continuation.as_ref());
                room = chunk_size;
            }
            let step = room.min(rest.len());
            output.put_shared(rest.split_to(step));
            room -= step;
        }
    }
}

/// Appends one whole message, cut at `chunk_size`, to `output`.
pub fn encode(output: &mut Output, message: &RawMessage, chunk_size: u32) {
    encode_pieces(output, message, std::slice::from_ref(&message.payload), chunk_size);
}
