//! Commands and what answers them: transactions, streams and their states (RTMP 1.0 §7.2).

use headwater_media::amf::{Limits, Object, Value, amf0};
use headwater_rtmp::MessageStreamId;
use headwater_rtmp::capture::Side;
use headwater_rtmp::command::{Command, Level, Status, code};
use headwater_rtmp::message::{Message, type_id};
use headwater_rtmp::rule::Rule;

use crate::event::Answered;
use crate::findings::{Findings, Observed, truncated};
use crate::session::{AnnouncedCapabilities, Role, Session, Stream};
use crate::step::Step;

/// Calls that wait for an answer and are remembered.
const CALLS_MAX: usize = 64;
/// How long an answer may take, at the end of a conversation.
const ANSWER_NS_MAX: u64 = 1_000_000_000;
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
pub(crate) struct Commands {
    calls: Vec<Call>,
    has_connect: bool,
    is_connected: bool,
    streams_created: u64,
    object_encoding: f64,
    refusal: Option<Refusal>,
}

/// A step that the server has refused.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) step: Step,
    pub(crate) at_ns: u64,
    /// In its own words, no longer than is worth keeping.
    pub(crate) status: Status,
}

/// A command that waits for its answer.

#[derive(Debug)]
struct Call {
    side: Side,
    transaction: f64,
    name: String,
    at_ns: u64,
}

impl Commands {
    /// The first refusal.
    pub(crate) fn refusal(&self) -> Option<&Refusal> {
        self.refusal.as_ref()
    }

    /// A message: the command that it answers.
    pub(crate) fn on_message(
        &mut self,
        observed: &Observed<'_>,
        session: &mut Session,
        findings: &mut Findings,
    ) -> Option<Answered> {
        let Observed { side, raw, message, .. } = *observed;
        let speaks_amf3 = self.object_encoding == 3.0 || !self.has_connect;
        if matches!(raw.type_id, type_id::DATA_AMF3 | 16 | type_id::COMMAND_AMF3) && !speaks_amf3 {
            findings.deviation(Rule::Amf3Unannounced, side, format!("type {}", raw.type_id));
        }
        let Message::Command(command) = message else { return None };
        if !has_object(&raw.payload) {
            findings.deviation(Rule::CommandObject, side, String::new());
        }
        match (&*command.name, side) {
            ("_result" | "_error", _) => return self.result(observed, command, session, findings),
            ("onStatus", Side::Server) => self.status(observed, command, session, findings),
            (_, Side::Client) => self.request(observed, command, session, findings),
            _ => {}
        }
        None
    }

    fn request(
        &mut self,
        observed: &Observed<'_>,
        command: &Command,
        session: &mut Session,
        findings: &mut Findings,
    ) {
        let (side, stream) = (Side::Client, observed.raw.stream);
        let name = &*command.name;
        if name != "connect" && !self.has_connect {
            findings.deviation(Rule::BeforeConnect, side, truncated(name));
        }
        match name {
            "connect" => self.connect(command, session, findings),
            "createStream" => findings.step(Step::CreateStream),
            "publish" => {
                if let Some(kind) = command.text(1)
                    && !["live", "record", "append"].contains(&&*kind.to_ascii_lowercase())
                {
                    findings.deviation(Rule::PublishKind, side, truncated(&kind));
                }
                open(stream, command, Role::Publish, session, findings);
                findings.step(Step::Publish);
            }
            "play" => {
                open(stream, command, Role::Play, session, findings);
                findings.step(Step::Play);
            }
            "deleteStream" => {
                let id = command.argument(0).as_number().unwrap_or(0.0) as u32;
                session.streams.delete(id);
            }
            "closeStream" => session.streams.delete(stream.0),
            _ => {}
        }
        session.streams.trim();
        if command.transaction != 0.0 || matches!(name, "publish" | "play") {
            if self.calls.len() >= CALLS_MAX {
                self.calls.remove(0);
            }
            let (transaction, at_ns) = (command.transaction, observed.at_ns);
            self.calls.push(Call { side, transaction, name: truncated(name), at_ns });
        }
    }

    fn connect(&mut self, command: &Command, session: &mut Session, findings: &mut Findings) {
        let side = Side::Client;
        if self.has_connect {
            findings.deviation(Rule::ConnectTwice, side, String::new());
        }
        if command.transaction != 1.0 {
            let detail = format!("transaction {}", command.transaction);
            findings.deviation(Rule::ConnectTransaction, side, detail);
        }
        let nothing = Object::new();
        let object = command.object.as_object().unwrap_or(&nothing);
        let is_empty = |key| object.get(key).and_then(Value::as_text).is_none_or(|text| *text == *"");
        if is_empty("app") {
            findings.deviation(Rule::ConnectApp, side, String::new());
        }
        if is_empty("tcUrl") {
            findings.deviation(Rule::ConnectAddress, side, String::new());
        }
        self.object_encoding = object.get("objectEncoding").and_then(Value::as_number).unwrap_or(0.0);
        session.client = AnnouncedCapabilities::read(object);
        self.has_connect = true;
        findings.step(Step::Connect);
    }

    fn result(
        &mut self,
        observed: &Observed<'_>,
        command: &Command,
        session: &mut Session,
        findings: &mut Findings,
    ) -> Option<Answered> {
        let side = observed.side;
        let is_answered = |call: &Call| call.side == side.other() && call.transaction == command.transaction;
        let Some(at) = self.calls.iter().position(is_answered) else {
            // What a server asks of a client is not followed.
            if side == Side::Server {
                let detail = format!("{} of transaction {}", command.name, command.transaction);
                findings.deviation(Rule::ResultUnknown, side, detail);
            }
            return None;
        };
        let call = self.calls.remove(at);
        let is_error = command.name == "_error";
        match &*call.name {
            "connect" if is_error => self.refuse(Step::Connected, observed, command, findings),
            "connect" => self.connected(command, session, findings),
            "createStream" if is_error => self.refuse(Step::StreamCreated, observed, command, findings),
            "createStream" => self.stream_created(command, session, findings),
            "publish" | "play" => {
                findings.deviation(Rule::ResultUnwanted, side, format!("{} to {}", command.name, call.name));
            }
            _ => {}
        }
        Some(Answered { name: call.name, after_ns: observed.at_ns.saturating_sub(call.at_ns) })
    }

    fn connected(&mut self, command: &Command, session: &mut Session, findings: &mut Findings) {
        let side = Side::Server;
        let status = Status::from_value(command.argument(0));
        if status.code != code::CONNECT_SUCCESS {
            findings.deviation(Rule::ConnectResult, side, truncated(&status.code));
        }
        if let Some(properties) = command.object.as_object() {
            session.server = AnnouncedCapabilities::read(properties);
        }
        if !session.steps.has(Step::Window) {
            findings.deviation(Rule::WindowMissing, side, String::new());
        }
        self.is_connected = true;
        findings.step(Step::Connected);
    }

    fn stream_created(&mut self, command: &Command, session: &mut Session, findings: &mut Findings) {
        let side = Side::Server;
        let id = command.argument(0).as_number();
        if command.object != Value::Null || id.is_none() {
            let detail = format!("{} {}", command.object, command.argument(0));
            findings.deviation(Rule::CreateStreamShape, side, detail);
        }
        let Some(id) = id.filter(|id| *id >= 0.0) else { return };
        if self.streams_created == 0 && id != 1.0 || id == 0.0 {
            findings.deviation(Rule::FirstStream, side, format!("stream {id}"));
        }
        self.streams_created += 1;
        session.streams.insert(id as u32, Stream::default());
        session.streams.trim();
        findings.step(Step::StreamCreated);
    }

    fn status(
        &mut self,
        observed: &Observed<'_>,
        command: &Command,
        session: &mut Session,
        findings: &mut Findings,
    ) {
        let side = Side::Server;
        let id = observed.raw.stream;
        let status = Status::from_value(command.argument(0));
        check_status(command, &status, findings);
        let Some(stream) = session.streams.get_mut(id) else {
            if status.code.starts_with("NetStream.") {
                let detail = format!("{} on stream {id}", truncated(&status.code));
                findings.deviation(Rule::StatusStream, side, detail);
            }
            if status.level == Level::Error {
                let step = self.next_refusable(session);
                self.refused(step, observed.at_ns, status);
            }
            return;
        };
        if stream.is_deleted {
            return;
        }
        let (role, has_started) = (stream.role, stream.has_started);
        match &*status.code {
            code::PUBLISH_START if role == Role::Publish => {
                stream.has_started = true;
                findings.step(Step::PublishStart);
            }
            code::PLAY_RESET if role == Role::Play => {
                stream.has_reset = true;
                findings.step(Step::PlayReset);
            }
            code::PLAY_START if role == Role::Play => {
                if stream.wants_reset && !stream.has_reset && !has_started {
                    findings.deviation(Rule::PlayReset, side, String::new());
                }
                stream.has_started = true;
                findings.step(Step::PlayStart);
            }
            code::PLAY_PUBLISH_NOTIFY if role == Role::Play => {}
            code::PLAY_UNPUBLISH_NOTIFY => findings.deviation(Rule::UnpublishNotify, side, String::new()),
            _ if status.level == Level::Error => {
                let step = if role == Role::Publish { Step::PublishStart } else { Step::PlayStart };
                if !has_started {
                    self.refused(step, observed.at_ns, status);
                }
                return;
            }
            other if !has_started && role != Role::None => {
                findings.deviation(Rule::StatusFirst, side, truncated(other));
            }
            _ => {}
        }
        let starts = matches!(&*status.code, code::PUBLISH_START | code::PLAY_START) && !has_started;
        if starts && role != Role::None && !session.streams.has_begun(id) {
            findings.deviation(Rule::StreamBegin, side, String::new());
        }
    }

    fn refuse(&mut self, step: Step, observed: &Observed<'_>, command: &Command, findings: &mut Findings) {
        let status = Status::from_value(command.argument(0));
        if status.description.len() > STATUS_BYTES_MAX {
            let detail = format!("description has {} bytes", status.description.len());
            findings.deviation(Rule::StatusLong, Side::Server, detail);
        }
        self.refused(step, observed.at_ns, status);
    }

    fn refused(&mut self, step: Step, at_ns: u64, status: Status) {
        let status = Status {
            code: truncated(&status.code).into(),
            description: truncated(&status.description).into(),
            ..status
        };
        self.refusal.get_or_insert(Refusal { step, at_ns, status });
    }

    /// What an error on the connection itself refuses.
    fn next_refusable(&self, session: &Session) -> Step {
        match (self.is_connected, session.streams.is_empty()) {
            (false, _) => Step::Connected,
            (true, true) => Step::StreamCreated,
            (true, false) if session.streams.wants_publish() => Step::PublishStart,
            (true, false) => Step::PlayStart,
        }
    }

    /// Calls that nobody has answered, though there was time.
    pub(crate) fn finish(&self, last_ns: u64, findings: &mut Findings) {
        for call in &self.calls {
            let is_late = call.at_ns + ANSWER_NS_MAX < last_ns;
            if is_late && !UNANSWERED.contains(&&*call.name) {
                let detail = format!("{} (transaction {})", call.name, call.transaction);
                findings.deviation(Rule::ResultMissing, call.side.other(), detail);
            }
        }
    }
}

/// `publish` or `play`: what the stream is used for from here on.
fn open(id: MessageStreamId, command: &Command, role: Role, session: &mut Session, findings: &mut Findings) {
    let side = Side::Client;
    if id == MessageStreamId::CONNECTION || session.streams.get(id).is_none_or(|stream| stream.is_deleted) {
        findings.deviation(Rule::CommandStream, side, format!("message stream {id}"));
    }
    if command.text(0).is_none_or(|name| name.is_empty()) {
        findings.deviation(Rule::NameEmpty, side, command.name.clone());
    }
    let wants_reset = command.argument(3).as_bool().unwrap_or(true);
    session.streams.insert(id.0, Stream { role, wants_reset, ..Stream::default() });
}

/// Whether an `onStatus` has the form that clients read.
fn check_status(command: &Command, status: &Status, findings: &mut Findings) {
    let side = Side::Server;
    if let Some(fault) = shape_fault(command) {
        findings.deviation(Rule::StatusShape, side, fault.into());
    }
    if command.transaction != 0.0 {
        findings.deviation(Rule::StatusTransaction, side, format!("transaction {}", command.transaction));
    }
    for (field, text) in [("code", &status.code), ("description", &status.description)] {
        if text.len() > STATUS_BYTES_MAX {
            findings.deviation_once(Rule::StatusLong, side, format!("{field} has {} bytes", text.len()));
        }
    }
}

/// What is wrong with the shape of an `onStatus`.
fn shape_fault(command: &Command) -> Option<&'static str> {
    let Value::Object(object) = command.argument(0) else { return Some("its information is no object") };
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
fn has_object(payload: &[u8]) -> bool {
    let payload = match payload {
        [0, rest @ ..] => rest,
        whole => whole,
    };
    let mut decoder = amf0::Decoder::new(payload, &Limits::WIRE);
    let values = std::iter::from_fn(|| decoder.next_value().ok().flatten());
    let object = values.skip(2).take(1).next();
    object.is_some_and(|object| object.is_null() || object.as_object().is_some())
}
