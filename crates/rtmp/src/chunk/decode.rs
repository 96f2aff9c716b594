//! Chunks → messages: the receiver's state machine (RTMP 1.0 §5.3.1) with the field's exceptions.
//!
//! Memory follows the bytes received, never the length announced; every count is limited. A message is
//! handed out as soon as its last byte is here. It does not act on protocol control messages: whoever
//! reads the messages calls [`Decoder::set_chunk_size`] and [`Decoder::abort`] before the next read.

use std::collections::BTreeMap;

use bytes::{Buf, Bytes, BytesMut};

use super::partial::Partial;
use super::raw_message::{
    CHUNK_SIZE_DEFAULT, ChunkStreamId, EXTENDED_MARK, MESSAGE_BYTES_MAX, MessageStreamId, RawMessage,
};
use crate::{Error, Fault};

/// A fmt 3 that starts a message repeats the last delta, and after a fmt 0 the delta *is* the absolute
/// timestamp. nginx-rtmp and old librtmp mean a delta of 0 there; a leap of media beyond this tells.
const LEAP_MS_MAX: u32 = 10_000;

/// Messages that are whole in the input and at least this long are handed out as a slice of it. Shorter
/// ones are copied, lest a few bytes of audio keep a whole read buffer alive.
const SHARED_BYTES_MIN: usize = 2048;

const TYPE_AUDIO: u8 = 8;
const TYPE_VIDEO: u8 = 9;

/// What a peer may ask of a [`Decoder`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DecoderLimits {
    /// Length of one message, in bytes.
    pub message_bytes: u32,
    /// Received bytes of all unfinished messages together.
    pub partial_bytes: usize,
    /// Chunk streams remembered at one time. Beyond it the one that was idle longest is forgotten: some
    /// encoders take a new one for every message (quirk 69). Only when all of them carry unfinished
    /// messages is the limit passed.
    pub chunk_streams: usize,
}

/// How often a peer has used what the specification forbids or leaves open. For whoever explains a conversation;
/// none of it is a fault.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Oddities {
    /// A type 3 chunk began a message (RTMP 1.0 §5.3.1.2.4; receivers disagree about its time).
    pub type3_starts: u64,
    /// The same directly after a type 0 chunk with a time other than 0: the delta may mean that time, or 0.
    pub type3_after_type0: u64,
    /// A chunk stream opened with a type 1 chunk, which inherits its stream from nothing (quirk 20).
    pub fresh_type1: u64,
    /// A continuation chunk came without the extended timestamp (RTMP 1.0 §5.3.1.3, quirk 17).
    pub extended_omitted: u64,
    /// A new header dropped the unfinished message of its chunk stream (quirk 11).
    pub restarted: u64,
}

/// What a chunk stream remembers between chunks.
#[derive(Debug, Default)]
struct ChunkStream {
    timestamp: u32,
    delta: u32,
    /// `delta` is the absolute timestamp of a fmt 0 header.
    delta_is_absolute: bool,
    /// The extended timestamp of the last fmt 0, 1 or 2 header.
    extended: Option<u32>,
    length: u32,
    type_id: u8,
    stream: MessageStreamId,
    /// The position of its latest chunk.
    used_at: u64,
    /// The message under way, and where it began.
    partial: Option<Partial>,
}

/// A chunk whose header was read and whose payload is not yet here in full.
#[derive(Clone, Copy, Debug)]
struct OpenChunk {
    id: u32,
    missing: usize,
}

/// Turns a peer's bytes (after the handshake) into messages.
#[derive(Debug)]
pub struct Decoder {
    limits: DecoderLimits,
    chunk_size: u32,
    /// Boxed: a node of the map has room for eleven, and most peers use three.
    streams: BTreeMap<u32, Box<ChunkStream>>,
    open: Option<OpenChunk>,
    partial_bytes: usize,
    position: u64,
    /// The peer leaves the extended timestamp out of continuation chunks (librtmp before 2013, quirk
    /// 17). Who does it once does it always.
    extended_omitted: bool,
    aborted: u64,
    oddities: Oddities,
}

/// A chunk's basic and message header, as read.
struct Header {
    fmt: u8,
    id: u32,
    /// The 24-bit time field, for fmt 0, 1 and 2.
    time: u32,
    length: u32,
    type_id: u8,
    stream: MessageStreamId,
    size: usize,
}

impl Decoder {
    /// A decoder for a peer that has sent `position` bytes before its first chunk.
    #[must_use]
    pub fn new(limits: DecoderLimits, position: u64) -> Self {
        Self {
            limits,
            chunk_size: CHUNK_SIZE_DEFAULT,
            streams: BTreeMap::new(),
            open: None,
            partial_bytes: 0,
            position,
            extended_omitted: false,
            aborted: 0,
            oddities: Oddities::default(),
        }
    }

    /// Bytes that the peer has sent and that were taken from the input.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Messages that the peer began and never finished.
    #[must_use]
    pub fn aborted(&self) -> u64 {
        self.aborted
    }

    /// What the peer has done so far that others may stumble over.
    #[must_use]
    pub fn oddities(&self) -> Oddities {
        self.oddities
    }

    /// Bytes that are held for messages that are not yet whole.
    #[must_use]
    pub fn partial_bytes(&self) -> usize {
        self.partial_bytes
    }

    /// Changes the limits from here on.
    pub fn set_limits(&mut self, limits: DecoderLimits) {
        self.limits = limits;
    }

    /// The peer's Set Chunk Size: holds for the chunks that follow. Any size from 1 up is legal; sizes
    /// beyond the longest message mean "never cut" (joy4 and vdk announce 128 MiB, quirk 49).
    ///
    /// # Errors
    /// [`Error::Peer`] for 0.
    pub fn set_chunk_size(&mut self, size: u32) -> Result<(), Error> {
        let size = size & 0x7FFF_FFFF;
        if size == 0 {
            return Err(Error::Peer { at: self.position, fault: Fault::ChunkSizeZero });
        }
        self.chunk_size = size.min(MESSAGE_BYTES_MAX);
        Ok(())
    }

    /// The peer's Abort: forgets the unfinished message of that chunk stream.
    pub fn abort(&mut self, id: u32) {
        if let Some(partial) = self.streams.get_mut(&id).and_then(|stream| stream.partial.take()) {
            self.partial_bytes = self.partial_bytes.saturating_sub(partial.payload.len());
            self.aborted = self.aborted.saturating_add(1);
        }
    }

    /// Takes bytes from `input` until a message is whole. `None`: all that could be used is used, feed
    /// more.
    ///
    /// # Errors
    /// [`Error::Peer`] for a chunk that inherits from nothing, [`Error::Limit`].
    pub fn read(&mut self, input: &mut BytesMut) -> Result<Option<RawMessage>, Error> {
        loop {
            let id = match self.open {
                Some(open) => open.id,
                None => match self.read_header(input)? {
                    Some(id) => id,
                    None => return Ok(None),
                },
            };
            if let Some(message) = self.read_payload(id, input)? {
                return Ok(Some(message));
            }
            if self.open.is_some() {
                return Ok(None);
            }
        }
    }

    /// Reads a chunk's header and opens the chunk. `None`: the header is not yet here in full.
    fn read_header(&mut self, input: &mut BytesMut) -> Result<Option<u32>, Error> {
        let Some(header) = Header::parse(input) else { return Ok(None) };
        self.check(&header)?;
        let fresh = ChunkStream::default();
        let known = self.streams.get(&header.id).map_or(&fresh, |known| &**known);
        let starts = header.fmt != 3 || known.partial.is_none();

        let expected = if header.fmt == 3 { known.extended } else { None };
        let mut omitted_here = false;
        let (extended, extended_bytes) = if header.fmt != 3 {
            if header.time < EXTENDED_MARK {
                (None, 0)
            } else {
                let Some(bytes) = input.get(header.size..header.size + 4) else { return Ok(None) };
                (Some(be32(bytes)), 4)
            }
        } else if let Some(expected) = expected {
            let omits = self.extended_omitted && !starts;
            omitted_here = omits;
            match repeats(input.get(header.size..).unwrap_or_default(), expected) {
                _ if omits => (Some(expected), 0),
                Some(true) => (Some(expected), 4),
                Some(false) => {
                    omitted_here = true;
                    self.extended_omitted |= !starts;
                    (Some(expected), 0)
                }
                None => return Ok(None),
            }
        } else {
            (None, 0)
        };

        self.oddities.extended_omitted += u64::from(omitted_here);
        let at = self.position;
        self.take(input, header.size + extended_bytes);
        self.open_chunk(&header, extended, at);
        Ok(Some(header.id))
    }

    /// What can be refused before anything is remembered.
    fn check(&self, header: &Header) -> Result<(), Error> {
        let known = self.streams.get(&header.id);
        if known.is_none() {
            // librtmp opens chunk stream 2 with fmt 1 (quirk 20); the others inherit a length from nothing.
            if header.fmt >= 2 {
                let fault = Fault::ChunkFromNothing { chunk_stream: header.id, fmt: header.fmt };
                return Err(Error::Peer { at: self.position, fault });
            }
            let all_busy = || self.streams.values().all(|stream| stream.partial.is_some());
            if self.streams.len() >= self.limits.chunk_streams && all_busy() {
                let value = self.limits.chunk_streams as u64;
                return Err(self.limit("chunk_streams", value, value.saturating_add(1)));
            }
        }
        let length = if header.fmt < 2 { header.length } else { known.map_or(0, |known| known.length) };
        if length > self.limits.message_bytes {
            return Err(self.limit("message_bytes", self.limits.message_bytes.into(), length.into()));
        }
        Ok(())
    }

    /// Applies a header to its chunk stream, and opens the chunk's payload.
    fn open_chunk(&mut self, header: &Header, extended: Option<u32>, at: u64) {
        if header.fmt != 3 {
            // A new header in the middle of a message drops the message (OBS does it once in a while,
            // quirk 11).
            let before = self.aborted;
            self.abort(header.id);
            self.oddities.restarted += self.aborted - before;
        }
        if header.fmt == 1 && !self.streams.contains_key(&header.id) {
            self.oddities.fresh_type1 += 1;
        }
        self.make_room(header.id);
        let stream = self.streams.entry(header.id).or_default();
        stream.used_at = at;
        if header.fmt < 2 {
            stream.length = header.length;
            stream.type_id = header.type_id;
        }
        if header.fmt == 0 {
            stream.stream = header.stream;
        }
        if header.fmt != 3 {
            stream.extended = extended;
            stream.delta = extended.unwrap_or(header.time);
            stream.delta_is_absolute = header.fmt == 0;
        }
        if stream.partial.is_none() {
            if header.fmt == 3 {
                self.oddities.type3_starts += 1;
                self.oddities.type3_after_type0 += u64::from(stream.delta_is_absolute && stream.delta != 0);
            }
            stream.start_message(header.fmt, at);
        }
        let received = stream.partial.as_ref().map_or(0, |partial| partial.payload.len());
        let missing = (stream.length as usize).saturating_sub(received).min(self.chunk_size as usize);
        self.open = Some(OpenChunk { id: header.id, missing });
    }

    /// Forgets the chunk stream that was idle longest, if a new one needs its place.
    fn make_room(&mut self, id: u32) {
        if self.streams.len() < self.limits.chunk_streams || self.streams.contains_key(&id) {
            return;
        }
        let idle = self.streams.iter().filter(|(_, stream)| stream.partial.is_none());
        if let Some(oldest) = idle.min_by_key(|(_, stream)| stream.used_at).map(|(&id, _)| id) {
            self.streams.remove(&oldest);
        }
    }

    /// Takes what is here of the open chunk's payload. A message comes out with its last byte.
    fn read_payload(&mut self, id: u32, input: &mut BytesMut) -> Result<Option<RawMessage>, Error> {
        let Some(OpenChunk { missing, .. }) = self.open else { return Ok(None) };
        let here = missing.min(input.len());
        let (limit, position) = (self.limits.partial_bytes, self.position);
        let received = self.partial_bytes.saturating_add(here);
        let Some(stream) = self.streams.get_mut(&id) else { return Ok(None) };
        let Some(partial) = &mut stream.partial else { return Ok(None) };

        if received > limit {
            // Named alike however the bytes were cut.
            let (value, at) = (limit as u64, partial.at);
            return Err(Error::Limit { at, name: "partial_bytes", value, wanted: value.saturating_add(1) });
        }
        let whole = here == stream.length as usize && partial.payload.is_empty();
        let payload = if whole {
            Some(cut_off(input, here))
        } else {
            self.partial_bytes = received;
            let length = stream.length as usize;
            partial.take(&input[..here], length);
            input.advance(here);
            (partial.payload.len() >= length).then(|| Bytes::from(std::mem::take(&mut partial.payload)))
        };
        self.position = position.saturating_add(here as u64);
        self.open = (here < missing).then_some(OpenChunk { id, missing: missing - here });

        let Some(payload) = payload else { return Ok(None) };
        if !whole {
            self.partial_bytes = self.partial_bytes.saturating_sub(payload.len());
        }
        let at = stream.partial.take().map_or(position, |partial| partial.at);
        Ok(Some(RawMessage {
            chunk_stream: ChunkStreamId(id),
            stream: stream.stream,
            timestamp: stream.timestamp,
            type_id: stream.type_id,
            payload,
            at,
        }))
    }

    fn take(&mut self, input: &mut BytesMut, count: usize) {
        input.advance(count);
        self.position = self.position.saturating_add(count as u64);
    }

    fn limit(&self, name: &'static str, value: u64, wanted: u64) -> Error {
        Error::Limit { at: self.position, name, value, wanted }
    }
}

impl ChunkStream {
    /// Begins a message: the one moment when its time is reckoned.
    fn start_message(&mut self, fmt: u8, at: u64) {
        if fmt == 3 && self.delta_is_absolute {
            let is_media = matches!(self.type_id, TYPE_AUDIO | TYPE_VIDEO);
            if is_media && self.delta > LEAP_MS_MAX {
                self.delta = 0;
            }
            self.delta_is_absolute = false;
        }
        self.timestamp = match fmt {
            0 => self.delta,
            // librtmp writes a step back as a wrapped delta (quirk 18).
            _ => self.timestamp.wrapping_add(self.delta),
        };
        self.partial = Some(Partial::new(at));
    }
}

impl Header {
    /// The basic header and the message header at the start of `bytes`; `None` while they are not whole.
    fn parse(bytes: &[u8]) -> Option<Self> {
        let (&first, rest) = bytes.split_first()?;
        let (fmt, selector) = (first >> 6, u32::from(first & 0x3F));
        let (id, basic) = match selector {
            0 => (64 + u32::from(*rest.first()?), 2),
            1 => (64 + u32::from(*rest.first()?) + 256 * u32::from(*rest.get(1)?), 3),
            id => (id, 1),
        };
        let size = basic + [11, 7, 3, 0][usize::from(fmt)];
        let fields = bytes.get(basic..size)?;
        let mut header =
            Self { fmt, id, time: 0, length: 0, type_id: 0, stream: MessageStreamId::CONNECTION, size };
        if let Some(time) = fields.get(..3) {
            header.time = be24(time);
        }
        if let Some(length) = fields.get(3..6) {
            header.length = be24(length);
        }
        if let Some(&type_id) = fields.get(6) {
            header.type_id = type_id;
        }
        if let Some(&[a, b, c, d]) = fields.get(7..11) {
            header.stream = MessageStreamId(u32::from_le_bytes([a, b, c, d]));
        }
        Some(header)
    }
}

/// Whether `bytes` start with the extended timestamp that a fmt 3 chunk repeats. `None`: they are too
/// few to tell. Told as early as possible, because a peer that leaves it out may send nothing more.
fn repeats(bytes: &[u8], expected: u32) -> Option<bool> {
    let expected = expected.to_be_bytes();
    if bytes.iter().zip(expected).any(|(&byte, expected)| byte != expected) {
        return Some(false);
    }
    (bytes.len() >= expected.len()).then_some(true)
}

/// The first `count` bytes of `input`, shared when they are many, copied when they are few.
fn cut_off(input: &mut BytesMut, count: usize) -> Bytes {
    if count >= SHARED_BYTES_MIN {
        return input.split_to(count).freeze();
    }
    let copy = Bytes::copy_from_slice(&input[..count]);
    input.advance(count);
    copy
}

fn be24(bytes: &[u8]) -> u32 {
    bytes.iter().take(3).fold(0, |value, &byte| value << 8 | u32::from(byte))
}

fn be32(bytes: &[u8]) -> u32 {
    bytes.iter().take(4).fold(0, |value, &byte| value << 8 | u32::from(byte))
}
