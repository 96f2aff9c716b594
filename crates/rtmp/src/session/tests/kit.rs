//! A scripted peer: `says` what the other side says, `hears` what the session answers, line by line.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use headwater_media::amf::{Object, Value};

use crate::chunk::{CHUNK_SIZE_DEFAULT, Decoder, RawMessage, encode};
use crate::command::{Command, Status};
use crate::handshake::{BLOCK_BYTES, Nonce};
use crate::message::{Message, type_id};
use crate::session::{
    ClientConfig, ClientEvent, ClientSession, Limits, ServerConfig, ServerEvent, ServerSession,
};
use crate::url::RtmpUrl;
use crate::{ChunkStreamId, Error, MessageStreamId, Output};

/// What the twins have in common.
pub(super) trait Twin {
    type Event: Debug + PartialEq;
    fn read(&mut self, input: &mut BytesMut) -> Result<Option<Self::Event>, Error>;
    fn output(&mut self) -> &mut Output;
}

impl Twin for ServerSession {
    type Event = ServerEvent;
    fn read(&mut self, input: &mut BytesMut) -> Result<Option<ServerEvent>, Error> {
        self.read(input)
    }
    fn output(&mut self) -> &mut Output {
        self.output()
    }
}

impl Twin for ClientSession {
    type Event = ClientEvent;
    fn read(&mut self, input: &mut BytesMut) -> Result<Option<ClientEvent>, Error> {
        self.read(input)
    }
    fn output(&mut self) -> &mut Output {
        self.output()
    }
}

/// A session and the peer that the test plays.
pub(super) struct Dialogue<T> {
    pub(super) session: T,
    input: BytesMut,
    heard: BytesMut,
    decoder: Decoder,
    /// Of what the peer says.
    chunk_size: u32,
}

impl Dialogue<ServerSession> {
    /// After the handshake.
    pub(super) fn with_server(config: ServerConfig) -> Self {
        let mut session = ServerSession::new(Arc::new(config), Nonce([1; 32]), Duration::ZERO);
        let mut input = BytesMut::from(&greeting()[..]);
        assert_eq!(session.read(&mut input), Ok(None));
        session.output().advance(1 + 2 * BLOCK_BYTES);
        Self::after_handshake(session)
    }

    /// After `connect` to the app `live`.
    pub(super) fn connected() -> Self {
        Self::connected_with(ServerConfig::default())
    }

    pub(super) fn connected_with(config: ServerConfig) -> Self {
        let mut dialogue = Self::with_server(config);
        dialogue.says(0, connect("live"));
        dialogue.accepts();
        dialogue.heard_lines();
        dialogue
    }

    /// With the streams 1..=`count`.
    pub(super) fn with_streams(count: u32) -> Self {
        let mut dialogue = Self::connected();
        for number in 1..=count {
            dialogue.says(0, Command::new("createStream", 4.0));
            dialogue.hears(&[&format!("0: _result(4) null {number}")]);
        }
        dialogue
    }

    /// The last thing that the session makes of it is a request, and is accepted.
    #[track_caller]
    pub(super) fn accepts(&mut self) {
        let request = self.events().pop().unwrap();
        assert_eq!(accept(&mut self.session, request), None);
    }

    /// Publishing `cam` on stream 1.
    pub(super) fn publishing() -> Self {
        let mut dialogue = Self::with_streams(1);
        dialogue.says(1, Command::new("publish", 5.0).with("cam").with("live"));
        dialogue.accepts();
        dialogue.heard_lines();
        dialogue
    }

    /// Playing the recorded `film` on stream 1.
    pub(super) fn playing() -> Self {
        let mut dialogue = Self::with_streams(1);
        dialogue.says(1, Command::new("play", 5.0).with("film").with(0.0));
        let ServerEvent::Play(request) = dialogue.event() else { panic!() };
        request.accept(&mut dialogue.session, true);
        dialogue.heard_lines();
        dialogue
    }
}

impl Dialogue<ClientSession> {
    /// After the handshake; `connect` is on its way.
    pub(super) fn with_client(url: &str) -> Self {
        Self::with_url(url.parse().unwrap())
    }

    /// The same, to a URL that is one already.
    pub(super) fn with_url(url: RtmpUrl) -> Self {
        let config = ClientConfig { offer_digest: false, ..ClientConfig::default() };
        let mut session = ClientSession::new(Arc::new(config), url, Nonce([2; 32]), Duration::ZERO);
        let mut input = BytesMut::from(&greeting()[..]);
        assert_eq!(session.read(&mut input), Ok(None));
        session.output().advance(1 + 2 * BLOCK_BYTES);
        Self::after_handshake(session)
    }

    /// Let in.
    pub(super) fn let_in() -> Self {
        let mut dialogue = Self::with_client("rtmp://h/live/cam");
        dialogue.heard_lines();
        dialogue.says(0, Command::new("_result", 1.0).object(Object::new()).with(Object::new()));
        assert!(matches!(dialogue.event(), ClientEvent::Connected { .. }));
        dialogue
    }
}

impl<T: Twin> Dialogue<T> {
    fn after_handshake(session: T) -> Self {
        let limits = Limits::default().after_connect();
        let (input, heard) = (BytesMut::new(), BytesMut::new());
        Self { session, input, heard, decoder: Decoder::new(limits, 0), chunk_size: CHUNK_SIZE_DEFAULT }
    }

    /// The peer sends a command.
    pub(super) fn says(&mut self, stream: u32, command: Command) {
        self.sends(stream, type_id::COMMAND, 0, &command.encode());
    }

    /// The peer sends an `onStatus`.
    pub(super) fn says_status(&mut self, stream: u32, status: &Status) {
        self.says(stream, status.to_command());
    }

    /// The peer sends a message, and keeps to the chunk size that it announces.
    pub(super) fn sends(&mut self, stream: u32, type_id: u8, timestamp: u32, payload: &[u8]) {
        self.input.extend_from_slice(&chunks_of(self.chunk_size, stream, type_id, timestamp, payload));
        if type_id == type_id::SET_CHUNK_SIZE {
            self.chunk_size = u32::from_be_bytes(payload[..4].try_into().unwrap());
        }
    }

    /// Everything that the session makes of it.
    pub(super) fn events(&mut self) -> Vec<T::Event> {
        let mut events = Vec::new();
        while let Some(event) = self.session.read(&mut self.input).unwrap() {
            events.push(event);
        }
        events
    }

    /// The one thing that the session makes of it.
    #[track_caller]
    pub(super) fn event(&mut self) -> T::Event {
        let mut events = self.events();
        assert_eq!(events.len(), 1, "{events:?}");
        events.remove(0)
    }

    /// The session fails.
    #[track_caller]
    pub(super) fn error(&mut self) -> Error {
        self.events_and_error().1
    }

    /// The session fails; what it makes of everything before comes first.
    #[track_caller]
    pub(super) fn events_and_error(&mut self) -> (Vec<T::Event>, Error) {
        let mut events = Vec::new();
        loop {
            match self.session.read(&mut self.input) {
                Err(error) => return (events, error),
                Ok(Some(event)) => events.push(event),
                Ok(None) => panic!("there is no error"),
            }
        }
    }

    /// The peer hears exactly these lines; without events in between.
    #[track_caller]
    pub(super) fn hears(&mut self, expect: &[&str]) {
        let events = self.events();
        assert!(events.is_empty(), "unexpected {events:?}");
        assert_eq!(self.heard_lines(), expect);
    }

    /// What the peer has heard, one line a message.
    pub(super) fn heard_lines(&mut self) -> Vec<String> {
        self.heard_messages().iter().map(|(raw, message)| line(raw, message)).collect()
    }

    /// The commands that the peer has heard.
    pub(super) fn heard_commands(&mut self) -> Vec<Command> {
        assert!(self.events().is_empty());
        let messages = self.heard_messages().into_iter();
        messages
            .filter_map(|(_, message)| match message {
                Message::Command(command) => Some(command),
                _ => None,
            })
            .collect()
    }

    fn heard_messages(&mut self) -> Vec<(RawMessage, Message)> {
        let output = self.session.output().drain();
        self.heard.extend_from_slice(&output);
        let mut messages = Vec::new();
        while let Some(raw) = self.decoder.read(&mut self.heard).unwrap() {
            let message = Message::decode(&raw).unwrap();
            if let Message::SetChunkSize(size) = message {
                self.decoder.set_chunk_size(size).unwrap();
            }
            messages.push((raw, message));
        }
        assert!(self.heard.is_empty(), "half a message");
        messages
    }
}

/// `stream: name(transaction) object arguments`, or the message's own name.
fn line(raw: &RawMessage, message: &Message) -> String {
    let stream = raw.stream;
    match message {
        Message::Command(command) if command.name == "onStatus" => {
            let status = Status::from_value(command.argument(0));
            format!("{stream}: onStatus {:?} {}", status.level, status.code)
        }
        Message::Command(command) => {
            let Command { name, transaction, object, arguments } = command;
            let arguments: String = arguments.iter().map(|value| format!(" {}", brief(value))).collect();
            format!("{stream}: {name}({transaction}) {}{arguments}", brief(object))
        }
        Message::Data(data) => format!("{stream}: data {}", String::from_utf8_lossy(data.handler())),
        Message::Media { kind, body } => format!("{stream}: {kind:?} {} bytes", body.len()),
        Message::UserControl(event) => {
            format!("{event:?}").replace("MessageStreamId(", "(").replace("((", "(").replace("))", ")")
        }
        message => format!("{message:?}"),
    }
}

/// Information objects by their code.
fn brief(value: &Value) -> String {
    let code = value.as_object().and_then(|object| object.get("code")).and_then(Value::as_text);
    code.map_or_else(|| value.to_string(), |code| code.to_str_lossy().into_owned())
}

/// Lets everybody in, players to a live stream; gives back what is no request.
pub(super) fn accept(server: &mut ServerSession, event: ServerEvent) -> Option<ServerEvent> {
    match event {
        ServerEvent::Connect(request) => request.accept(server),
        ServerEvent::Publish(request) => request.accept(server),
        ServerEvent::Play(request) => request.accept(server, false),
        event => return Some(event),
    }
    None
}

/// C0 C1 C2, or S0 S1 S2, without a version and of nothing but zeros.
pub(super) fn greeting() -> Vec<u8> {
    let mut bytes = vec![0; 1 + 2 * BLOCK_BYTES];
    bytes[0] = 3;
    bytes
}

pub(super) fn chunks(stream: u32, type_id: u8, timestamp: u32, payload: &[u8]) -> Bytes {
    chunks_of(CHUNK_SIZE_DEFAULT, stream, type_id, timestamp, payload)
}

fn chunks_of(size: u32, stream: u32, type_id: u8, timestamp: u32, payload: &[u8]) -> Bytes {
    let chunk_stream = ChunkStreamId::new(3 + u32::from(type_id) % 5).unwrap();
    let payload = Bytes::copy_from_slice(payload);
    let message =
        RawMessage { chunk_stream, stream: MessageStreamId(stream), timestamp, type_id, payload, at: 0 };
    let mut output = Output::default();
    encode(&mut output, &message, size);
    output.drain()
}

pub(super) fn connect(app: &str) -> Command {
    Command::new("connect", 1.0).object(Object::new().with("app", app).with("tcUrl", "rtmp://h/live"))
}
