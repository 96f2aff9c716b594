//! What a message means, in one line for a person.
//!
//! Everything that a peer wrote is escaped here: no control character reaches a terminal.

use headwater_media::amf::Value;
use headwater_rtmp::capture::Side;
use headwater_rtmp::command::{Command, Level, Status};
use headwater_rtmp::message::{Aggregate, Data, Message, UserControl};

use super::amf::{self, value_words, values};
use super::plain::{clean, duration, grouped, shortened};
use super::tag_meaning::tag_words;
use crate::event::{DecodedMessage, Echo, Event, EventKind, Handshake};

/// Characters of a meaning; a hostile command could be megabytes long.
const MEANING_MAX: usize = 2000;

/// What kind of thing an event is: a word of at most 13 characters.
pub(super) fn type_label(event: &Event) -> &'static str {
    match &event.kind {
        EventKind::Handshake(Handshake::C0C1 { .. }) => "C0 C1",
        EventKind::Handshake(Handshake::S0S1 { .. }) => "S0 S1",
        EventKind::Handshake(Handshake::S2(_)) => "S2",
        EventKind::Handshake(Handshake::C2(_)) => "C2",
        EventKind::Message(decoded) => type_name(decoded.raw.type_id),
        EventKind::Lost(_) => "lost",
        EventKind::Ended { .. } => "end",
    }
}

/// A message type's name (RTMP 1.0 §5.4, §7.1).
fn type_name(type_id: u8) -> &'static str {
    match type_id {
        1 => "SetChunkSize",
        2 => "Abort",
        3 => "Ack",
        4 => "UserControl",
        5 => "WindowAckSize",
        6 => "PeerBandwidth",
        8 => "audio",
        9 => "video",
        15 => "data AMF3",
        16 => "shared AMF3",
        17 => "command AMF3",
        18 => "data",
        19 => "shared object",
        20 => "command",
        22 => "aggregate",
        _ => "unknown",
    }
}

/// What an event means.
pub(super) fn meaning(event: &Event) -> String {
    shortened(&full_meaning(event), MEANING_MAX)
}

fn full_meaning(event: &Event) -> String {
    match &event.kind {
        EventKind::Handshake(part) => handshake_words(part),
        EventKind::Message(decoded) => message_words(event.side, decoded),
        EventKind::Lost(lost) => {
            format!("{}; its bytes are only counted from here on", clean(&lost.to_string()))
        }
        EventKind::Ended { unfinished: 0 } => "ends its half of the connection".into(),
        EventKind::Ended { unfinished } => {
            format!(
                "ends its half of the connection, in the middle of a message ({} bytes)",
                grouped(*unfinished as u64)
            )
        }
    }
}

/// A message's AMF values as a tree, one value a line.
pub(super) fn tree(event: &Event) -> Vec<String> {
    let EventKind::Message(message) = &event.kind else { return Vec::new() };
    match (message.raw.type_id, &*message.raw.payload) {
        (15 | 17, [0, rest @ ..]) => amf::tree(rest),
        (15 | 17 | 18 | 20, whole) => amf::tree(whole),
        _ => Vec::new(),
    }
}

/// Whether the message refuses something.
pub(super) fn refuses(event: &Event) -> bool {
    let EventKind::Message(decoded) = &event.kind else { return false };
    let Message::Command(command) = &decoded.message else { return false };
    let answers = decoded.answers.as_ref().map(|answered| answered.name.as_str());
    match &*command.name {
        "_error" => matches!(answers, Some("connect" | "createStream")),
        "onStatus" => Status::from_value(command.argument(0)).level == Level::Error,
        _ => false,
    }
}

fn handshake_words(part: &Handshake) -> String {
    let hello = |version: &u8, time_ms: &u32, peer: &[u8; 4], digest: &Option<_>| {
        let form = match (digest, peer) {
            (Some(_), [a, b, c, d]) => format!("with digest, peer version {a}.{b}.{c}.{d}"),
            (None, [0, 0, 0, 0]) => "simple form".to_owned(),
            (None, [a, b, c, d]) => format!("no digest, yet peer version {a}.{b}.{c}.{d}"),
        };
        format!("version {version}, {form}, time {time_ms}")
    };
    match part {
        Handshake::C0C1 { version, time_ms, peer, digest }
        | Handshake::S0S1 { version, time_ms, peer, digest } => hello(version, time_ms, peer, digest),
        Handshake::S2(echo) => echo_words(echo, "C1"),
        Handshake::C2(echo) => echo_words(echo, "S1"),
    }
}

fn echo_words(echo: &Echo, of: &str) -> String {
    match echo {
        Echo::Copy => format!("echoes {of}"),
        Echo::Signed => format!("signs the digest of {of}"),
        Echo::Other { .. } => format!("neither echoes {of} nor signs it"),
    }
}

fn message_words(side: Side, decoded: &DecodedMessage) -> String {
    match &decoded.message {
        Message::SetChunkSize(size) => format!("cuts at {} bytes from here on", grouped((*size).into())),
        Message::Abort(id) => format!("gives up the unfinished message of chunk stream {id}"),
        Message::Acknowledgement(count) => format!("has received {} bytes", grouped((*count).into())),
        Message::WindowAckSize(size) => {
            format!("wants an acknowledgement every {} bytes", grouped((*size).into()))
        }
        Message::SetPeerBandwidth(size) => {
            let kind = match decoded.raw.payload.get(4) {
                Some(0) => ", hard",
                Some(1) => ", soft",
                Some(2) => ", dynamic",
                _ => "",
            };
            let size = grouped((*size).into());
            format!("allows {size} bytes without acknowledgement{kind}")
        }
        Message::UserControl(event) => control_words(*event),
        Message::Command(command) => command_words(side, command, decoded),
        Message::Data(data) => data_words(decoded, data),
        Message::Media { body, .. } => {
            decoded.tag.as_ref().map_or_else(String::new, |tag| tag_words(tag, body, decoded.raw.timestamp))
        }
        Message::Aggregate => {
            let count = Aggregate::new(decoded.raw.clone()).count();
            format!("{count} tags in one message, from {} ms", decoded.raw.timestamp)
        }
        Message::Ignored(4) => {
            let event = decoded.raw.payload.first_chunk().map(|bytes| u16::from_be_bytes(*bytes));
            match event {
                Some(26) => "asks for SWF verification".into(),
                Some(27) => "answers the SWF verification".into(),
                Some(event) => format!("event {event}"),
                None => "too short".into(),
            }
        }
        Message::Ignored(type_id) => format!("type {type_id}, not readable"),
        _ => String::new(),
    }
}

fn control_words(event: UserControl) -> String {
    match event {
        UserControl::StreamBegin(stream) => format!("StreamBegin {stream}: data will flow"),
        UserControl::StreamEof(stream) => format!("StreamEOF {stream}: no more data"),
        UserControl::StreamDry(stream) => format!("StreamDry {stream}: nothing has come for a while"),
        UserControl::SetBufferLength { stream, ms } => {
            format!("SetBufferLength {stream}: the player buffers {} ms", grouped(ms.into()))
        }
        UserControl::StreamIsRecorded(stream) => format!("StreamIsRecorded {stream}: can be sought in"),
        UserControl::PingRequest(number) => format!("PingRequest {number}"),
        UserControl::PingResponse(number) => format!("PingResponse {number}"),
        UserControl::BufferEmpty(stream) => format!("BufferEmpty {stream}: one buffer has been sent"),
        UserControl::BufferReady(stream) => format!("BufferReady {stream}: the next buffer follows"),
        _ => String::new(),
    }
}

fn command_words(side: Side, command: &Command, decoded: &DecodedMessage) -> String {
    let mut words = clean(&command.name);
    if command.transaction != 0.0 {
        words += &format!(" #{}", command.transaction);
    }
    let answers = decoded.answers.as_ref();
    if let Some(answered) = answers {
        words += &format!(" → {} ({})", clean(&answered.name), duration(answered.after_ns));
    }
    let is_created = answers.is_some_and(|answered| answered.name == "createStream");
    match (&*command.name, command.argument(0)) {
        ("_result", Value::Number(id)) if is_created => return words + &format!(" stream {id}"),
        ("onStatus", information) if side == Side::Server => return words + &status_words(information),
        ("_result" | "_error", information) if information.as_object().is_some() => {
            words += &status_words(information);
            return words + &value_words(&command.object);
        }
        _ => {}
    }
    words += &value_words(&command.object);
    for argument in &command.arguments {
        words += &value_words(argument);
    }
    words
}

/// An information object, its code first.
fn status_words(information: &Value) -> String {
    let Some(object) = information.as_object() else { return value_words(information) };
    let status = Status::from_value(information);
    let mut words = match status.level {
        Level::Error => format!(" error {}", clean(&status.code)),
        Level::Warning => format!(" warning {}", clean(&status.code)),
        Level::Status => format!(" {}", clean(&status.code)),
    };
    if !status.description.is_empty() {
        words += &format!(" \"{}\"", clean(&status.description));
    }
    let rest =
        object.iter().filter(|(key, _)| ["level", "code", "description"].iter().all(|known| **key != *known));
    for (key, value) in rest {
        words += &format!(" {}={value}", clean(&key.to_str_lossy()));
    }
    words
}

fn data_words(decoded: &DecodedMessage, data: &Data) -> String {
    let wrapped = decoded.raw.payload.len() != data.payload.len() && decoded.raw.type_id == 18;
    let mut words = if wrapped { String::from("@setDataFrame ") } else { String::new() };
    let mut values = values(&data.payload).into_iter();
    if let Some(Value::String(name)) = values.next() {
        words += &clean(&name.to_str_lossy());
    }
    for value in values {
        words += &value_words(&value);
    }
    words
}
