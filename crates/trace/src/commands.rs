//! Commands and what answers them: transactions, streams and their states (RTMP 1.0 §7.2).

use std::collections::BTreeMap;

use headwater_media::amf::{Limits, Object, Value, amf0};

use crate::control::Control;
use crate::conversation::{Notes, Subject};
use crate::event::Answered;
use crate::step::{Step, Steps};
use headwater_rtmp::MessageStreamId;
use headwater_rtmp::capture::Side;
use headwater_rtmp::command::{Command, Level, Status, code};
use headwater_rtmp::message::{Message, type_id};
use headwater_rtmp::rule::Rule;

/// Calls that wait for an answer and are remembered.
const CALLS_MAX: usize = 64;
/// Streams that are remembered.
const STREAMS_MAX: usize = 64;
/// Bytes of a peer's name or text that are kept.
const TEXT_BYTES_MAX: usize = 1024;
/// FFmpeg's room for the fields of `onStatus`.
const STATUS_BYTES_MAX: usize = 255;

/// What is answered by `onStatus` or not at all.
const UNANSWERED: [&str; 11] = [
    "publish",
    "play",
    "play2",
    "pause",
    "pauseRaw",
    "seek",
    "receiveAudio",
    "receiveVideo",
    "deleteStream",
    "closeStream",
    "FCUnpublish",
];

/// The state of the commands.
#[derive(Debug, Default)]
pub struct Dialogue {
    calls: Vec<Call>,
    streams: BTreeMap<u32, NetStream>,
    has_connect: bool,
    is_connected: bool,
    streams_created: u64,
    pub client_caps: Caps,
    pub server_caps: Caps,
    object_encoding: f64,
    refusal: Option<(Step, u64, Status)>,
}

#[derive(Debug)]
struct Call {
    side: Side,
    transaction: f64,
    name: String,
    at_ns: u64,
}

/// One message stream.
#[derive(Debug, Default)]
struct NetStream {
    use_: Use,
    has_started: bool,
    has_reset: bool,
    wants_reset: bool,
    /// The client has deleted it. What the server has sent before it heard of that is no fault.
    is_deleted: bool,
}

/// What a stream is used for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Use {
    /// Created only.
    #[default]
    None,
    /// The client publishes.
    Publish,
    /// The client plays.
    Play,
}

/// What a side has said in `connect` or its result about Enhanced RTMP.
#[derive(Debug, Default)]
pub struct Caps {
    pub four_ccs: Vec<String>,
    pub caps_ex: u32,
}

impl Dialogue {
    /// Whether some stream is being published, with the server's consent.
    pub fn is_publishing(&self) -> bool {
        self.streams.values().any(|stream| stream.use_ == Use::Publish && stream.has_started)
    }

    /// Whether the client has deleted it.
    pub fn is_deleted(&self, stream: MessageStreamId) -> bool {
        self.streams.get(&stream.0).is_some_and(|stream| stream.is_deleted)
    }

    /// What a stream is used for, and whether it may carry media.
    pub fn use_of(&self, stream: MessageStreamId) -> Option<(Use, bool)> {
        self.streams.get(&stream.0).map(|stream| (stream.use_, stream.has_started))
    }

    /// The step that a StreamBegin completes.
    pub fn begin_of(&self, stream: MessageStreamId) -> Option<Step> {
        match self.use_of(stream)?.0 {
            Use::None => None,
            Use::Publish => Some(Step::PublishBegin),
            Use::Play => Some(Step::PlayBegin),
        }
    }

    /// The first refusal: of which step, when, and in which words.
    pub fn refusal(&self) -> Option<&(Step, u64, Status)> {
        self.refusal.as_ref()
    }

    pub fn heed(
        &mut self,
        subject: &Subject<'_>,
        control: &Control,
        steps: &Steps,
        notes: &mut Notes,
    ) -> Option<Answered> {
        let Subject { side, raw, message, .. } = *subject;
        let speaks_amf3 = self.object_encoding == 3.0 || !self.has_connect;
        if matches!(raw.type_id, type_id::DATA_AMF3 | 16 | type_id::COMMAND_AMF3) && !speaks_amf3 {
            notes.deviation(Rule::Amf3Unannounced, side, format!("type {}", raw.type_id));
        }
        let Message::Command(command) = message else { return None };
        if !is_shaped(&raw.payload) {
            notes.deviation(Rule::CommandObject, side, String::new());
        }
        match (&*command.name, side) {
            ("_result" | "_error", _) => return self.result(subject, command, steps, notes),
            ("onStatus", Side::Server) => self.status(subject, command, control, notes),
            (_, Side::Client) => self.request(subject, command, notes),
            _ => {}
        }
        None
    }

    fn request(&mut self, subject: &Subject<'_>, command: &Command, notes: &mut Notes) {
        let (side, stream) = (Side::Client, subject.raw.stream);
        let name = &*command.name;
        if name != "connect" && !self.has_connect {
            notes.deviation(Rule::BeforeConnect, side, shortened(name));
        }
        match name {
            "connect" => self.connect(command, notes),
            "createStream" => notes.step(Step::CreateStream),
            "publish" => {
                if let Some(kind) = command.text(1)
                    && !["live", "record", "append"].contains(&&*kind.to_ascii_lowercase())
                {
                    notes.deviation(Rule::PublishKind, side, shortened(&kind));
                }
                self.take_up(stream, command, Use::Publish, notes);
                notes.step(Step::Publish);
            }
            "play" => {
                self.take_up(stream, command, Use::Play, notes);
                notes.step(Step::Play);
            }
            "deleteStream" => {
                let id = command.argument(0).as_number().unwrap_or(0.0) as u32;
                self.streams.insert(id, NetStream { is_deleted: true, ..NetStream::default() });
            }
            "closeStream" => {
                self.streams.insert(stream.0, NetStream { is_deleted: true, ..NetStream::default() });
            }
            _ => {}
        }
        self.forget();
        if command.transaction != 0.0 || matches!(name, "publish" | "play") {
            if self.calls.len() >= CALLS_MAX {
                self.calls.remove(0);
            }
            let (transaction, at_ns) = (command.transaction, subject.at_ns);
            self.calls.push(Call { side, transaction, name: shortened(name), at_ns });
        }
    }

    fn connect(&mut self, command: &Command, notes: &mut Notes) {
        let side = Side::Client;
        if self.has_connect {
            notes.deviation(Rule::ConnectTwice, side, String::new());
        }
        if command.transaction != 1.0 {
            notes.deviation(Rule::ConnectTransaction, side, format!("transaction {}", command.transaction));
        }
        let nothing = Object::new();
        let object = command.object.as_object().unwrap_or(&nothing);
        let is_empty = |key| object.get(key).and_then(Value::as_text).is_none_or(|text| *text == *"");
        if is_empty("app") {
            notes.deviation(Rule::ConnectApp, side, String::new());
        }
        if is_empty("tcUrl") {
            notes.deviation(Rule::ConnectAddress, side, String::new());
        }
        self.object_encoding = object.get("objectEncoding").and_then(Value::as_number).unwrap_or(0.0);
        self.client_caps = Caps::read(object);
        self.has_connect = true;
        notes.step(Step::Connect);
    }

    /// `publish` or `play`: what the stream is used for from here on.
    fn take_up(&mut self, id: MessageStreamId, command: &Command, use_: Use, notes: &mut Notes) {
        let side = Side::Client;
        let is_there = self.streams.get(&id.0).is_some_and(|stream| !stream.is_deleted);
        if id == MessageStreamId::CONNECTION || !is_there {
            notes.deviation(Rule::CommandStream, side, format!("message stream {id}"));
        }
        if command.text(0).is_none_or(|name| name.is_empty()) {
            notes.deviation(Rule::NameEmpty, side, command.name.clone());
        }
        let wants_reset = command.argument(3).as_bool().unwrap_or(true);
        self.streams.insert(id.0, NetStream { use_, wants_reset, ..NetStream::default() });
    }

    /// Keeps the streams few.
    fn forget(&mut self) {
        while self.streams.len() > STREAMS_MAX {
            self.streams.pop_first();
        }
    }

    fn result(
        &mut self,
        subject: &Subject<'_>,
        command: &Command,
        steps: &Steps,
        notes: &mut Notes,
    ) -> Option<Answered> {
        let side = subject.side;
        let is_answered = |call: &Call| call.side == side.other() && call.transaction == command.transaction;
        let Some(at) = self.calls.iter().position(is_answered) else {
            // What a server asks of a client is not followed.
            if side == Side::Server {
                let detail = format!("{} of transaction {}", command.name, command.transaction);
                notes.deviation(Rule::ResultUnknown, side, detail);
            }
            return None;
        };
        let call = self.calls.remove(at);
        let is_error = command.name == "_error";
        match &*call.name {
            "connect" if is_error => self.refuse(Step::Connected, subject, command, notes),
            "connect" => self.connected(command, steps, notes),
            "createStream" if is_error => self.refuse(Step::StreamCreated, subject, command, notes),
            "createStream" => self.stream_created(command, notes),
            "publish" | "play" => {
                notes.deviation(Rule::ResultUnwanted, side, format!("{} to {}", command.name, call.name));
            }
            _ => {}
        }
        Some(Answered { name: call.name, after_ns: subject.at_ns.saturating_sub(call.at_ns) })
    }

    fn connected(&mut self, command: &Command, steps: &Steps, notes: &mut Notes) {
        let side = Side::Server;
        let status = Status::from_value(command.argument(0));
        if status.code != code::CONNECT_SUCCESS {
            notes.deviation(Rule::ConnectResult, side, shortened(&status.code));
        }
        if let Some(properties) = command.object.as_object() {
            self.server_caps = Caps::read(properties);
        }
        if !steps.has(Step::Window) {
            notes.deviation(Rule::WindowMissing, side, String::new());
        }
        self.is_connected = true;
        notes.step(Step::Connected);
    }

    fn stream_created(&mut self, command: &Command, notes: &mut Notes) {
        let side = Side::Server;
        let id = command.argument(0).as_number();
        if command.object != Value::Null || id.is_none() {
            let detail = format!("{} {}", command.object, command.argument(0));
            notes.deviation(Rule::CreateStreamShape, side, detail);
        }
        let Some(id) = id.filter(|id| *id >= 0.0) else { return };
        if self.streams_created == 0 && id != 1.0 || id == 0.0 {
            notes.deviation(Rule::FirstStream, side, format!("stream {id}"));
        }
        self.streams_created += 1;
        self.streams.insert(id as u32, NetStream::default());
        self.forget();
        notes.step(Step::StreamCreated);
    }

    fn status(&mut self, subject: &Subject<'_>, command: &Command, control: &Control, notes: &mut Notes) {
        let side = Side::Server;
        let id = subject.raw.stream;
        let information = command.argument(0);
        let fault = shape_fault(command, information);
        if let Some(fault) = fault {
            notes.deviation(Rule::StatusShape, side, fault.into());
        }
        if command.transaction != 0.0 {
            notes.deviation(Rule::StatusTransaction, side, format!("transaction {}", command.transaction));
        }
        let status = Status::from_value(information);
        for (field, text) in [("code", &status.code), ("description", &status.description)] {
            if text.len() > STATUS_BYTES_MAX {
                notes.deviation_once(Rule::StatusLong, side, format!("{field} has {} bytes", text.len()));
            }
        }
        let is_about_stream = status.code.starts_with("NetStream.");
        let Some(stream) = self.streams.get_mut(&id.0) else {
            if is_about_stream {
                notes.deviation(
                    Rule::StatusStream,
                    side,
                    format!("{} on stream {id}", shortened(&status.code)),
                );
            }
            if status.level == Level::Error {
                let step = self.next_refusable();
                self.refused(step, subject.at_ns, status);
            }
            return;
        };
        if stream.is_deleted {
            return;
        }
        let (use_, has_started) = (stream.use_, stream.has_started);
        match &*status.code {
            code::PUBLISH_START if use_ == Use::Publish => {
                stream.has_started = true;
                notes.step(Step::PublishStart);
            }
            code::PLAY_RESET if use_ == Use::Play => {
                stream.has_reset = true;
                notes.step(Step::PlayReset);
            }
            code::PLAY_START if use_ == Use::Play => {
                if stream.wants_reset && !stream.has_reset && !has_started {
                    notes.deviation(Rule::PlayReset, side, String::new());
                }
                stream.has_started = true;
                notes.step(Step::PlayStart);
            }
            code::PLAY_PUBLISH_NOTIFY if use_ == Use::Play => {}
            code::PLAY_UNPUBLISH_NOTIFY => notes.deviation(Rule::UnpublishNotify, side, String::new()),
            _ if status.level == Level::Error => {
                let step = if use_ == Use::Publish { Step::PublishStart } else { Step::PlayStart };
                if !has_started {
                    self.refused(step, subject.at_ns, status);
                }
                return;
            }
            other if !has_started && use_ != Use::None => {
                notes.deviation(Rule::StatusFirst, side, shortened(other));
            }
            _ => {}
        }
        let starts = matches!(&*status.code, code::PUBLISH_START | code::PLAY_START) && !has_started;
        if starts && use_ != Use::None && !control.has_begun(id) {
            notes.deviation(Rule::StreamBegin, side, String::new());
        }
    }

    fn refuse(&mut self, step: Step, subject: &Subject<'_>, command: &Command, notes: &mut Notes) {
        let status = Status::from_value(command.argument(0));
        if status.description.len() > STATUS_BYTES_MAX {
            let detail = format!("description has {} bytes", status.description.len());
            notes.deviation(Rule::StatusLong, Side::Server, detail);
        }
        self.refused(step, subject.at_ns, status);
    }

    fn refused(&mut self, step: Step, at_ns: u64, status: Status) {
        let status = Status {
            code: shortened(&status.code).into(),
            description: shortened(&status.description).into(),
            ..status
        };
        self.refusal.get_or_insert((step, at_ns, status));
    }

    /// What an error on the connection itself refuses.
    fn next_refusable(&self) -> Step {
        match (self.is_connected, self.streams.is_empty()) {
            (false, _) => Step::Connected,
            (true, true) => Step::StreamCreated,
            (true, false) if self.streams.values().any(|stream| stream.use_ == Use::Publish) => {
                Step::PublishStart
            }
            (true, false) => Step::PlayStart,
        }
    }

    /// Calls that nobody has answered, though there was time.
    pub fn finish(&self, last_ns: u64, notes: &mut Notes) {
        for call in &self.calls {
            let was_patient = call.at_ns + 1_000_000_000 < last_ns;
            if !UNANSWERED.contains(&&*call.name) && was_patient {
                let detail = format!("{} (transaction {})", call.name, call.transaction);
                notes.deviation(Rule::ResultMissing, call.side.other(), detail);
            }
        }
    }
}

impl Caps {
    fn read(object: &Object) -> Self {
        let mut four_ccs = Vec::new();
        if let Some(Value::StrictArray(list)) = object.get("fourCcList") {
            four_ccs
                .extend(list.iter().filter_map(Value::as_text).map(|text| text.to_str_lossy().into_owned()));
        }
        for map in ["videoFourCcInfoMap", "audioFourCcInfoMap"] {
            if let Some(map) = object.get(map).and_then(Value::as_object) {
                four_ccs.extend(map.iter().map(|(key, _)| key.to_str_lossy().into_owned()));
            }
        }
        four_ccs.truncate(STREAMS_MAX);
        let caps_ex = object.get("capsEx").and_then(Value::as_number).unwrap_or(0.0) as u32;
        Self { four_ccs, caps_ex }
    }

    /// Whether a codec was announced.
    pub fn allows(&self, four_cc: &[u8; 4]) -> bool {
        self.four_ccs.iter().any(|known| known == "*" || known.as_bytes() == four_cc)
    }
}

/// What is wrong with the shape of an `onStatus`.
fn shape_fault(command: &Command, information: &Value) -> Option<&'static str> {
    let Value::Object(object) = information else { return Some("its information is no object") };
    let is_text = |key| matches!(object.get(key), Some(Value::String(_)));
    if !command.object.is_null() {
        return Some("its object is not null");
    }
    if !is_text("level") {
        return Some("without a level");
    }
    (!is_text("code")).then_some("without a code")
}

/// Whether a command has its first three values, the third an object or null.
fn is_shaped(payload: &[u8]) -> bool {
    let payload = match payload {
        [0, rest @ ..] => rest,
        whole => whole,
    };
    let mut decoder = amf0::Decoder::new(payload, &Limits::WIRE);
    let values = std::iter::from_fn(|| decoder.next_value().ok().flatten());
    let object = values.skip(2).take(1).next();
    object.is_some_and(|object| object.is_null() || object.as_object().is_some())
}

/// A peer's text, no longer than is worth keeping.
pub(super) fn shortened(text: &str) -> String {
    let end = (0..=TEXT_BYTES_MAX.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    text.get(..end).unwrap_or_default().to_owned()
}
