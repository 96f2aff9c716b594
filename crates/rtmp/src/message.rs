//! What messages mean: protocol control, user control, media, data, commands, shared objects, aggregates.
//!
//! Turns a [`RawMessage`] into a [`Message`] and the few that we send back into bytes. It keeps no state.
//! Control messages that are too short and types that nobody knows become [`Message::Ignored`]: the field
//! is full of both, and neither harms.

mod aggregate;
mod shared_object;
pub mod type_id;

use bytes::{Buf, Bytes};
use headwater_media::MediaKind;
use headwater_media::amf::amf0;

use crate::Error;
use crate::chunk::{MessageStreamId, RawMessage};
use crate::command::Command;
pub use aggregate::{Aggregate, AggregateWriter};
pub use shared_object::{SharedObject, SharedObjectEvent};

/// A message and what it means.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Message {
    /// The sender cuts its chunks at this many bytes from here on.
    SetChunkSize(u32),
    /// The sender gives up the unfinished message of this chunk stream.
    Abort(u32),
    /// How many bytes the sender has received; never to be relied on.
    Acknowledgement(u32),
    /// The sender wants an acknowledgement for every so many bytes.
    WindowAckSize(u32),
    /// How many unacknowledged bytes the sender allows; obeyed by nobody.
    SetPeerBandwidth(u32),
    /// An event about a stream, or a ping.
    UserControl(UserControl),
    /// Audio or video: the FLV tag's body, which may be empty.
    Media {
        /// Audio or video, never data.
        kind: MediaKind,
        /// The FLV tag's body.
        body: Bytes,
    },
    /// Script data.
    Data(Data),
    /// A command, an answer to one, or a status.
    Command(Command),
    /// Several FLV tags in one message; see [`Aggregate`].
    Aggregate,
    /// What happened to a shared object.
    SharedObject(SharedObject),
    /// Too short, garbage or of an unknown type: to be ignored. The type id.
    Ignored(u8),
}

impl Message {
    /// Reads the message.
    ///
    /// # Errors
    /// [`Error::Peer`] for a command that is no AMF.
    pub fn decode(raw: &RawMessage) -> Result<Self, Error> {
        let ignored = Self::Ignored(raw.type_id);
        let number = |make: fn(u32) -> Self| u32_at(&raw.payload, 0).map_or_else(|| ignored.clone(), make);
        Ok(match raw.type_id {
            type_id::SET_CHUNK_SIZE => number(Self::SetChunkSize),
            type_id::ABORT => number(Self::Abort),
            type_id::ACKNOWLEDGEMENT => number(Self::Acknowledgement),
            type_id::WINDOW_ACK_SIZE => number(Self::WindowAckSize),
            type_id::SET_PEER_BANDWIDTH => number(Self::SetPeerBandwidth),
            type_id::USER_CONTROL => UserControl::decode(&raw.payload).map_or(ignored, Self::UserControl),
            type_id::AUDIO => Self::Media { kind: MediaKind::Audio, body: raw.payload.clone() },
            type_id::VIDEO => Self::Media { kind: MediaKind::Video, body: raw.payload.clone() },
            type_id::DATA => Data::decode(raw.payload.clone()).map_or(ignored, Self::Data),
            type_id::DATA_AMF3 => as_amf0(&raw.payload).and_then(Data::decode).map_or(ignored, Self::Data),
            type_id::COMMAND => Self::Command(Command::decode(&raw.payload, raw.at)?),
            type_id::COMMAND_AMF3 => {
                Self::Command(Command::decode(&without_amf3_mark(&raw.payload), raw.at)?)
            }
            type_id::AGGREGATE => Self::Aggregate,
            type_id::SHARED_OBJECT | type_id::SHARED_OBJECT_AMF3 => {
                SharedObject::decode(raw.type_id, &raw.payload).map_or(ignored, Self::SharedObject)
            }
            _ => ignored,
        })
    }
}

/// Peers with object encoding 3 put one byte (0) before values that are AMF0 all the same, and a mark
/// (0x11) before each that is not. Some leave the byte out: a name, which comes first, never begins with 0.
fn without_amf3_mark(payload: &Bytes) -> Bytes {
    let mut payload = payload.clone();
    if payload.first() == Some(&0) {
        payload.advance(1);
    }
    payload
}

/// Data of such a peer as viewers can read it: values in AMF3 become AMF0. `None` when one of them cannot
/// be read: an externalizable class, for instance.
fn as_amf0(payload: &Bytes) -> Option<Bytes> {
    amf0::decode_all(&without_amf3_mark(payload)).ok().map(|values| amf0::encode_all(&values))
}

/// User control events (RTMP 1.0 §7.1.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum UserControl {
    /// The stream begins to carry data.
    StreamBegin(MessageStreamId),
    /// The stream has no more data for now.
    StreamEof(MessageStreamId),
    /// Nothing has come for a while.
    StreamDry(MessageStreamId),
    /// The player's buffer, in milliseconds.
    SetBufferLength {
        /// The stream that plays.
        stream: MessageStreamId,
        /// Milliseconds.
        ms: u32,
    },
    /// The stream is recorded: it can be sought in.
    StreamIsRecorded(MessageStreamId),
    /// To be answered with the same number.
    PingRequest(u32),
    /// The answer to a ping.
    PingResponse(u32),
    /// Flash Media Server has sent as much as the player's buffer holds.
    BufferEmpty(MessageStreamId),
    /// Flash Media Server sends the next buffer.
    BufferReady(MessageStreamId),
}

impl UserControl {
    /// `None`: too short, or an event that nobody knows.
    #[must_use]
    pub fn decode(payload: &[u8]) -> Option<Self> {
        let event = u16::from_be_bytes(payload.get(..2)?.try_into().ok()?);
        let number = u32_at(payload, 2)?;
        let stream = MessageStreamId(number);
        Some(match event {
            0 => Self::StreamBegin(stream),
            1 => Self::StreamEof(stream),
            2 => Self::StreamDry(stream),
            3 => Self::SetBufferLength { stream, ms: u32_at(payload, 6)? },
            4 => Self::StreamIsRecorded(stream),
            6 => Self::PingRequest(number),
            7 => Self::PingResponse(number),
            31 => Self::BufferEmpty(stream),
            32 => Self::BufferReady(stream),
            _ => return None,
        })
    }

    /// The message's payload.
    #[must_use]
    pub fn encode(self) -> Bytes {
        let (event, number, more) = match self {
            Self::StreamBegin(stream) => (0, stream.0, None),
            Self::StreamEof(stream) => (1, stream.0, None),
            Self::StreamDry(stream) => (2, stream.0, None),
            Self::SetBufferLength { stream, ms } => (3, stream.0, Some(ms)),
            Self::StreamIsRecorded(stream) => (4, stream.0, None),
            Self::PingRequest(number) => (6, number, None),
            Self::PingResponse(number) => (7, number, None),
            Self::BufferEmpty(stream) => (31, stream.0, None),
            Self::BufferReady(stream) => (32, stream.0, None),
        };
        let mut payload = Vec::with_capacity(10);
        payload.extend_from_slice(&u16::to_be_bytes(event));
        payload.extend_from_slice(&u32::to_be_bytes(number));
        payload.extend(more.into_iter().flat_map(u32::to_be_bytes));
        payload.into()
    }
}

/// What is to become of a data message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DataScope {
    /// Passed on once, to whoever watches now. A bare `onMetaData` comes like this too (nginx-rtmp's
    /// push): whoever keeps metadata keeps it all the same.
    Passing,
    /// `@setDataFrame`: kept and sent to every later viewer as well, until set again or cleared.
    Kept,
    /// `@clearDataFrame`: what was kept under this name is forgotten.
    Cleared,
}

/// A data message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Data {
    /// What is to become of it.
    pub scope: DataScope,
    /// The handler's name and the values, AMF0; `@setDataFrame` and its like are taken off.
    pub payload: Bytes,
}

impl Data {
    /// `None` when the payload does not begin with a name: FFmpeg's "timecode" stream sends 4 bytes that
    /// are no AMF (quirk 5).
    #[must_use]
    pub fn decode(mut payload: Bytes) -> Option<Self> {
        let (name_bytes, head) = first_name(&payload)?;
        let scope = match name_bytes {
            b"@setDataFrame" => DataScope::Kept,
            b"@clearDataFrame" => DataScope::Cleared,
            _ => return Some(Self { scope: DataScope::Passing, payload }),
        };
        payload.advance(head);
        first_name(&payload)?;
        Some(Self { scope, payload })
    }

    /// The handler's name.
    #[must_use]
    pub fn handler(&self) -> &[u8] {
        first_name(&self.payload).map_or(&[], |(name, _)| name)
    }
}

/// An AMF0 string at the start of `payload`, and the bytes that it takes.
fn first_name(payload: &[u8]) -> Option<(&[u8], usize)> {
    let (&[2, high, low], rest) = payload.split_first_chunk()? else { return None };
    let length = usize::from(u16::from_be_bytes([high, low]));
    Some((rest.get(..length)?, 3 + length))
}

fn u32_at(payload: &[u8], at: usize) -> Option<u32> {
    payload.get(at..at + 4)?.try_into().ok().map(u32::from_be_bytes)
}

#[cfg(test)]
mod tests;
