//! What a message means, in one line for a person.
//!
//! Everything that a peer wrote is escaped here: no control character reaches a terminal.

use crate::{DecodedMessage, Echo, Event, EventKind, Handshake, Packet, Tag};
use headwater_media::amf::{Limits, Object, Value, amf0};
use headwater_media::{Codec, MediaKind, Track, TrackId};
use headwater_rtmp::capture::Side;
use headwater_rtmp::command::{Command, Level, Status};
use headwater_rtmp::message::{Aggregate, Data, Message, UserControl};

/// Lines of an AMF tree that are shown of one message.
const TREE_LINES_MAX: usize = 400;

/// Characters of a meaning; a hostile command could be megabytes long.
const MEANING_MAX: usize = 2000;
/// Tracks of one message that are counted.
const TRACKS_NAMED_MAX: usize = 32;

/// What kind of thing an event is: a word of at most 13 characters.
pub fn kind(event: &Event) -> &'static str {
    match &event.kind {
        EventKind::Handshake(Handshake::C0C1 { .. }) => "C0 C1",
        EventKind::Handshake(Handshake::S0S1 { .. }) => "S0 S1",
        EventKind::Handshake(Handshake::S2(_)) => "S2",
        EventKind::Handshake(Handshake::C2(_)) => "C2",
        EventKind::Message(seen) => type_name(seen.raw.type_id),
        EventKind::Lost(_) => "lost",
        EventKind::Ended { .. } => "end",
        _ => "?",
    }
}

/// A message type's name (RTMP 1.0 §5.4, §7.1).
pub fn type_name(type_id: u8) -> &'static str {
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
pub fn meaning(event: &Event) -> String {
    shortened(&full_meaning(event), MEANING_MAX)
}

/// Text of at most `most` characters, marked where it is cut.
pub fn shortened(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    text.chars().take(most.saturating_sub(1)).chain(['…']).collect()
}

fn full_meaning(event: &Event) -> String {
    match &event.kind {
        EventKind::Handshake(part) => handshake_words(part),
        EventKind::Message(seen) => message_words(event.side, seen),
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
        _ => String::new(),
    }
}

/// Whether the message refuses something.
pub fn refuses(event: &Event) -> bool {
    let EventKind::Message(seen) = &event.kind else { return false };
    let Message::Command(command) = &seen.message else { return false };
    let answers = seen.answers.as_ref().map(|answered| answered.name.as_str());
    match &*command.name {
        "_error" => matches!(answers, Some("connect" | "createStream")),
        "onStatus" => Status::from_value(command.argument(0)).level == Level::Error,
        _ => false,
    }
}

/// A peer's text without anything that moves a cursor, changes a colour or hides.
pub fn clean(text: &str) -> String {
    text.chars()
        .flat_map(|c| {
            let is_quote = matches!(c, '"' | '\'' | '\\');
            let plain = is_quote.then_some(c);
            plain.into_iter().chain((!is_quote).then(|| c.escape_debug()).into_iter().flatten())
        })
        .collect()
}

/// A number with its thousands parted.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
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

fn message_words(side: Side, seen: &DecodedMessage) -> String {
    match &seen.message {
        Message::SetChunkSize(size) => format!("cuts at {} bytes from here on", grouped((*size).into())),
        Message::Abort(id) => format!("gives up the unfinished message of chunk stream {id}"),
        Message::Acknowledgement(count) => format!("has received {} bytes", grouped((*count).into())),
        Message::WindowAckSize(size) => {
            format!("wants an acknowledgement every {} bytes", grouped((*size).into()))
        }
        Message::SetPeerBandwidth(size) => {
            let kind = match seen.raw.payload.get(4) {
                Some(0) => ", hard",
                Some(1) => ", soft",
                Some(2) => ", dynamic",
                _ => "",
            };
            let size = grouped((*size).into());
            format!("allows {size} bytes without acknowledgement{kind}")
        }
        Message::UserControl(event) => control_words(*event),
        Message::Command(command) => command_words(side, command, seen),
        Message::Data(data) => data_words(seen, data),
        Message::Media { body, .. } => {
            seen.tag.as_ref().map_or_else(String::new, |tag| tag_words(tag, body, seen.raw.timestamp))
        }
        Message::Aggregate => {
            let count = Aggregate::new(seen.raw.clone()).count();
            format!("{count} tags in one message, from {} ms", seen.raw.timestamp)
        }
        Message::Ignored(4) => {
            let event = seen.raw.payload.first_chunk().map(|bytes| u16::from_be_bytes(*bytes));
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

fn command_words(side: Side, command: &Command, seen: &DecodedMessage) -> String {
    let mut words = clean(&command.name);
    if command.transaction != 0.0 {
        words += &format!(" #{}", command.transaction);
    }
    let answers = seen.answers.as_ref();
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

/// A value behind others: an object's pairs, nothing for null.
fn value_words(value: &Value) -> String {
    if value.is_null() {
        return String::new();
    }
    match value.as_object() {
        Some(object) => pairs(object),
        None => format!(" {value}"),
    }
}

fn pairs(object: &Object) -> String {
    object.iter().map(|(key, value)| format!(" {}={value}", clean(&key.to_str_lossy()))).collect()
}

fn data_words(seen: &DecodedMessage, data: &Data) -> String {
    let wrapped = seen.raw.payload.len() != data.payload.len() && seen.raw.type_id == 18;
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

fn values(payload: &[u8]) -> Vec<Value> {
    let mut decoder = amf0::Decoder::new(payload, &Limits::WIRE);
    std::iter::from_fn(|| decoder.next_value().ok().flatten()).collect()
}

/// The head of an audio or video message.
pub fn tag_words(tag: &Tag, body: &[u8], timestamp: u32) -> String {
    if tag.packet == Packet::Empty {
        return format!("empty ({} bytes)", body.len());
    }
    let mut words = clean(&tag.codec);
    if let Some(track) = tag.track {
        words += &format!(", track {track}");
        let others = std::iter::successors(tag.next_track(body), |tag| tag.next_track(body));
        match others.take(TRACKS_NAMED_MAX).count() {
            0 => {}
            count => words += &format!(" and {count} more"),
        }
    }
    if tag.has_modex {
        words += ", ModEx";
    }
    let config = tag.payload(body);
    words += &match tag.packet {
        Packet::Header => format!(" sequence header{}", config_words(tag, config)),
        Packet::Frame if tag.kind == MediaKind::Audio => " frame".to_owned(),
        Packet::Frame => match tag.frame_type {
            1 => " key frame".to_owned(),
            2 => " inter frame".to_owned(),
            3 => " disposable frame".to_owned(),
            4 => " generated key frame".to_owned(),
            other => format!(" frame of type {other}"),
        },
        Packet::End => " end of sequence".to_owned(),
        Packet::Metadata => " metadata (colorInfo)".to_owned(),
        Packet::Channels => " order of channels".to_owned(),
        Packet::Command => " player command".to_owned(),
        Packet::Unknown(number) => format!(" packet of unknown type {number}"),
        Packet::Empty => String::new(),
    };
    words += &format!(", dts {timestamp}");
    if let Some(ms) = tag.composition_ms.filter(|_| tag.packet == Packet::Frame) {
        words += &format!(" cts {ms}");
    }
    words
}

/// What a decoder configuration says.
fn config_words(tag: &Tag, config: &[u8]) -> String {
    let config = bytes::Bytes::copy_from_slice(config);
    let length = config.len();
    let details =
        codec(tag).map(|codec| Track::new(TrackId::VIDEO, codec, config).details()).unwrap_or_default();
    let mut words: Vec<String> = details.codec_string.iter().cloned().collect();
    if let (Some(width), Some(height)) = (details.width, details.height) {
        words.push(format!("{width}×{height}"));
    }
    if let Some(rate) = details.sample_rate {
        words.push(format!("{rate} Hz"));
    }
    match details.channels {
        None => {}
        Some(1) => words.push("mono".into()),
        Some(2) => words.push("stereo".into()),
        Some(count) => words.push(format!("{count} channels")),
    }
    if words.is_empty() {
        words.push(format!("{length} bytes"));
    }
    format!(" ({})", words.join(", "))
}

/// The codec, if its configuration can be read.
fn codec(tag: &Tag) -> Option<Codec> {
    use Codec::{Aac, Av1, Flac, H264, H265, H266, Opus, Vp8, Vp9};
    let four_cc = tag.four_cc.or(match &*tag.codec {
        "H.264" => H264.four_cc(),
        "HEVC (id 12)" => H265.four_cc(),
        "AAC" => Aac.four_cc(),
        _ => None,
    })?;
    let mut known = [H264, H265, H266, Av1, Vp8, Vp9, Aac, Opus, Flac].into_iter();
    known.find(|codec| codec.four_cc() == Some(four_cc))
}

/// A span of time, short.
pub fn duration(ns: u64) -> String {
    match ns {
        0..10_000_000 => format!("{:.1} ms", ns as f64 / 1e6),
        10_000_000..1_000_000_000 => format!("{} ms", ns / 1_000_000),
        _ => format!("{:.1} s", ns as f64 / 1e9),
    }
}

/// A message's AMF values as a tree, one value a line.
pub fn tree(event: &Event) -> Vec<String> {
    let EventKind::Message(seen) = &event.kind else { return Vec::new() };
    let payload = match (seen.raw.type_id, &*seen.raw.payload) {
        (15 | 17, [0, rest @ ..]) => rest,
        (15 | 17 | 18 | 20, whole) => whole,
        _ => return Vec::new(),
    };
    let mut lines = Vec::new();
    for value in values(payload) {
        branch(&mut lines, 0, None, &value);
    }
    if lines.len() > TREE_LINES_MAX {
        let more = lines.len() - TREE_LINES_MAX;
        lines.truncate(TREE_LINES_MAX);
        lines.push(format!("… {more} lines more"));
    }
    lines
}

fn branch(lines: &mut Vec<String>, depth: usize, key: Option<&str>, value: &Value) {
    if lines.len() > TREE_LINES_MAX * 2 {
        return;
    }
    let indent = "  ".repeat(depth);
    let key = key.map(|key| format!("{}: ", clean(key))).unwrap_or_default();
    let (name, object) = match value {
        Value::Object(object) => ("object".to_owned(), object),
        Value::EcmaArray(object) => ("ECMA array".to_owned(), object),
        Value::TypedObject { class, object } => (clean(&class.to_str_lossy()), object),
        Value::StrictArray(values) => {
            lines.push(format!("{indent}{key}list of {}", values.len()));
            values.iter().for_each(|value| branch(lines, depth + 1, None, value));
            return;
        }
        _ => {
            lines.push(format!("{indent}{key}{value}"));
            return;
        }
    };
    lines.push(format!("{indent}{key}{name}"));
    for (key, value) in object.iter() {
        branch(lines, depth + 1, Some(&key.to_str_lossy()), value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_control_character_survives() {
        let dirty = "a\u{1b}[31m\r\n\u{7}\u{202e}\u{9b}\"é";
        let cleaned = clean(dirty);
        assert!(cleaned.chars().all(|c| !c.is_control() && c != '\u{202e}'), "{cleaned}");
        assert!(cleaned.ends_with("\"é"));
    }

    #[test]
    fn thousands_are_parted() {
        assert_eq!(
            [grouped(0), grouped(999), grouped(1000), grouped(1_234_567)],
            ["0", "999", "1,000", "1,234,567"]
        );
    }
}
