//! Shared objects: values that Flash clients of one application hold in common (message types 19 and 16;
//! laid out as Red5 and Flash Media Server do it, RTMP 1.0 §7.1.5 names the events).
//!
//! They have nothing to do with streaming, but old players and encoders open one for chat or control and
//! wait for the answer. So they are read, and [`SharedObject::answer`] says what a server says to the only
//! client of an object that is always empty.

use bytes::{BufMut, Bytes};
use headwater_media::amf::{Limits, Text, Value, amf0, amf3};

use super::type_id;

/// Longer messages are not read. Chat needs a fraction of it, and every byte of it can become a value
/// in memory.
const BYTES_MAX: usize = 64 << 10;
/// Events of one message, at most; what follows is left out.
const EVENTS_MAX: usize = 256;

/// What happened to a shared object: a message of type 19 or 16.
#[derive(Clone, Debug, PartialEq)]
pub struct SharedObject {
    /// The type id: 19, or 16 from peers that speak AMF3.
    pub type_id: u8,
    /// The object's name within the application.
    pub name: Text,
    /// How often it has changed.
    pub version: u32,
    /// 2 when the object outlives its clients, else 0.
    pub persistence: u32,
    /// What happened, in order.
    pub events: Vec<SharedObjectEvent>,
}

/// One thing that happened to a shared object.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum SharedObjectEvent {
    /// A client wants to share in it.
    Use,
    /// A client shares in it no more.
    Release,
    /// A client wants a value set.
    RequestChange {
        /// Its name.
        key: Text,
        /// What it is to be.
        value: Value,
    },
    /// A value was set by another client.
    Change {
        /// Its name.
        key: Text,
        /// What it is.
        value: Value,
    },
    /// The value that this client wanted set is set.
    Success {
        /// Its name.
        key: Text,
    },
    /// A call to all clients: the handler's name, then its arguments.
    Send(Vec<Value>),
    /// Something went wrong.
    Status {
        /// What, for programs.
        code: Text,
        /// How serious it is.
        level: Text,
    },
    /// All values are gone.
    Clear,
    /// A value is gone.
    Remove {
        /// Its name.
        key: Text,
    },
    /// A client wants a value gone.
    RequestRemove {
        /// Its name.
        key: Text,
    },
    /// The client shares in it; its values follow.
    UseSuccess,
}

impl SharedObject {
    /// Reads the message. `None` when it is too short for a head, or longer than 64 KiB. An event that
    /// cannot be read is left out, like all beyond the 256th: each says how long it is.
    #[must_use]
    pub fn decode(type_id: u8, payload: &[u8]) -> Option<Self> {
        if payload.len() > BYTES_MAX {
            return None;
        }
        let mut rest = Rest(payload);
        // 0 and 3 are all there is; Red5 reads the values accordingly.
        let is_amf3 = type_id == type_id::SHARED_OBJECT_AMF3 && rest.u8()? == 3;
        let name = rest.text()?;
        let (version, persistence, _) = (rest.u32()?, rest.u32()?, rest.u32()?);
        let mut events = Vec::new();
        while let Some((kind, body)) = rest.event() {
            read_event(kind, body, is_amf3, &mut events);
            if events.len() >= EVENTS_MAX {
                events.truncate(EVENTS_MAX);
                break;
            }
        }
        Some(Self { type_id, name, version, persistence, events })
    }

    /// The message's payload. Values are written in AMF0; a message of type 16 says so.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let mut out = Vec::new();
        if self.type_id == type_id::SHARED_OBJECT_AMF3 {
            out.put_u8(0);
        }
        put_text(&self.name, &mut out);
        out.put_u32(self.version);
        out.put_u32(self.persistence);
        out.put_u32(0);
        for event in &self.events {
            let (kind, body) = event.encode();
            out.put_u8(kind);
            out.put_u32(u32::try_from(body.len()).unwrap_or(u32::MAX));
            out.put_slice(&body);
        }
        out.into()
    }

    /// What a server says to a client that is alone with an empty object: Use is granted, a change is
    /// acknowledged and forgotten, a call comes back. `None` when nothing is to be said.
    #[must_use]
    pub fn answer(&self) -> Option<Self> {
        use SharedObjectEvent::{
            Clear, Remove, RequestChange, RequestRemove, Send, Success, Use, UseSuccess,
        };
        let events: Vec<_> = self
            .events
            .iter()
            .flat_map(|event| match event {
                Use => vec![UseSuccess, Clear],
                RequestChange { key, .. } => vec![Success { key: key.clone() }],
                RequestRemove { key } => vec![Remove { key: key.clone() }],
                Send(values) => vec![Send(values.clone())],
                _ => Vec::new(),
            })
            .collect();
        if events.is_empty() { None } else { Some(Self { events, name: self.name.clone(), ..*self }) }
    }
}

impl SharedObjectEvent {
    /// The number of the event and its body.
    fn encode(&self) -> (u8, Vec<u8>) {
        let mut body = Vec::new();
        let kind = match self {
            Self::Use => 1,
            Self::Release => 2,
            Self::RequestChange { key, value } | Self::Change { key, value } => {
                put_text(key, &mut body);
                amf0::encode(value, &mut body);
                if matches!(self, Self::Change { .. }) { 4 } else { 3 }
            }
            Self::Success { key } => {
                put_text(key, &mut body);
                5
            }
            Self::Send(values) => {
                values.iter().for_each(|value| amf0::encode(value, &mut body));
                6
            }
            Self::Status { code, level } => {
                put_text(code, &mut body);
                put_text(level, &mut body);
                7
            }
            Self::Clear => 8,
            Self::Remove { key } => {
                put_text(key, &mut body);
                9
            }
            Self::RequestRemove { key } => {
                put_text(key, &mut body);
                10
            }
            Self::UseSuccess => 11,
        };
        (kind, body)
    }
}

/// What the body of an event says; a Change may hold several values.
fn read_event(kind: u8, body: &[u8], is_amf3: bool, events: &mut Vec<SharedObjectEvent>) {
    let mut body = Rest(body);
    let event = match kind {
        1 => Some(SharedObjectEvent::Use),
        2 => Some(SharedObjectEvent::Release),
        3 => body.pair(is_amf3).map(|(key, value)| SharedObjectEvent::RequestChange { key, value }),
        4 => {
            while let Some((key, value)) = body.pair(is_amf3)
                && events.len() < EVENTS_MAX
            {
                events.push(SharedObjectEvent::Change { key, value });
            }
            None
        }
        5 => body.text().map(|key| SharedObjectEvent::Success { key }),
        6 => body.values(is_amf3).map(SharedObjectEvent::Send),
        7 => body.text().and_then(|code| Some(SharedObjectEvent::Status { code, level: body.text()? })),
        8 => Some(SharedObjectEvent::Clear),
        9 => body.text().map(|key| SharedObjectEvent::Remove { key }),
        10 => body.text().map(|key| SharedObjectEvent::RequestRemove { key }),
        11 => Some(SharedObjectEvent::UseSuccess),
        _ => None,
    };
    events.extend(event);
}

/// What is left of a message or an event; `None` from any of these when it is too short.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn u8(&mut self) -> Option<u8> {
        self.take(1)?.first().copied()
    }

    fn u16(&mut self) -> Option<u16> {
        self.take(2)?.try_into().ok().map(u16::from_be_bytes)
    }

    fn u32(&mut self) -> Option<u32> {
        self.take(4)?.try_into().ok().map(u32::from_be_bytes)
    }

    fn text(&mut self) -> Option<Text> {
        let length = usize::from(self.u16()?);
        self.take(length).map(Text::from_bytes)
    }

    fn event(&mut self) -> Option<(u8, &'a [u8])> {
        let kind = self.u8()?;
        let length = self.u32()? as usize;
        Some((kind, self.take(length)?))
    }

    fn pair(&mut self, is_amf3: bool) -> Option<(Text, Value)> {
        let key = self.text()?;
        let (value, used) = if is_amf3 {
            let mut decoder = amf3::Decoder::new(self.0, &Limits::WIRE);
            (decoder.next_value().ok()??, decoder.position())
        } else {
            let mut decoder = amf0::Decoder::new(self.0, &Limits::WIRE);
            (decoder.next_value().ok()??, decoder.position())
        };
        self.take(used)?;
        Some((key, value))
    }

    fn values(&self, is_amf3: bool) -> Option<Vec<Value>> {
        if is_amf3 { amf3::decode_all(self.0).ok() } else { amf0::decode_all(self.0).ok() }
    }
}

fn put_text(text: &Text, out: &mut Vec<u8>) {
    let bytes = text.as_bytes();
    let length = u16::try_from(bytes.len()).unwrap_or(u16::MAX);
    out.put_u16(length);
    out.put_slice(&bytes[..usize::from(length)]);
}

#[cfg(test)]
mod tests;
