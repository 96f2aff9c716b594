//! A conversation in the making: what each side says, in its order.

use headwater_media::amf::{Object, Value};

use crate::Observer;
use headwater_rtmp::capture::Side;
use headwater_rtmp::chunk::{CHUNK_SIZE_DEFAULT, ChunkStreamId, MessageStreamId, RawMessage, encode};
use headwater_rtmp::command::{Command, Status};
use headwater_rtmp::handshake::BLOCK_BYTES;
use headwater_rtmp::{Output, message::type_id};

/// Time between two turns.
const TURN_NS: u64 = 1_000_000;

pub(super) const AVC_CONFIG: &[u8] =
    &[0x17, 0, 0, 0, 0, 1, 0x4D, 0x40, 0x1F, 0xFF, 0xE1, 0, 4, 0x67, 0x4D, 0x40, 0x1F, 1, 0, 1, 0x68];
pub(super) const AAC_CONFIG: &[u8] = &[0xAF, 0, 0x11, 0x90];
pub(super) const KEY: &[u8] = &[0x17, 1, 0, 0, 0, 0, 0, 0, 2, 0x65, 0x88];
pub(super) const INTER: &[u8] = &[0x27, 1, 0, 0, 0, 0, 0, 0, 2, 0x41, 0x9A];
pub(super) const AAC_FRAME: &[u8] = &[0xAF, 1, 0x21, 0x10];

#[derive(Clone, Default)]
pub(super) struct Script {
    turns: Vec<(Side, Vec<u8>)>,
    /// Nanoseconds that pass before a turn, beyond the usual.
    pauses: Vec<(usize, u64)>,
}

impl Script {
    pub(super) fn c1() -> Vec<u8> {
        let noise = (0..BLOCK_BYTES - 8).map(|at| (at * 7 % 251) as u8);
        [0; 8].into_iter().chain(noise).collect()
    }

    pub(super) fn s1() -> Vec<u8> {
        let noise = (0..BLOCK_BYTES - 8).map(|at| (at * 11 % 241) as u8);
        [0, 0, 0, 9, 0, 0, 0, 0].into_iter().chain(noise).collect()
    }

    /// After a plain handshake.
    pub(super) fn after_handshake() -> Self {
        let mut script = Self::default();
        script.raw(Side::Client, &[&[3][..], &Self::c1()].concat());
        script.raw(Side::Server, &[&[3][..], &Self::s1(), &Self::c1()].concat());
        script.raw(Side::Client, &Self::s1());
        script
    }

    /// Let in.
    pub(super) fn connected() -> Self {
        let mut script = Self::after_handshake();
        script.connects();
        script.control(Side::Server, 5, &2_500_000_u32.to_be_bytes());
        script.control(Side::Server, 6, &[0, 0x26, 0x25, 0xA0, 2]);
        script.control(Side::Server, 1, &60_000_u32.to_be_bytes());
        script.accepts_connect(1.0);
        script
    }

    /// With stream 1.
    pub(super) fn with_stream() -> Self {
        let mut script = Self::connected();
        script.call(Side::Client, 0, "createStream", 2.0, &[]);
        script.call(Side::Server, 0, "_result", 2.0, &[1.0.into()]);
        script
    }

    /// Has asked to `publish` or `play`.
    pub(super) fn asks(act: &str) -> Self {
        let mut script = Self::with_stream();
        script.call(Side::Client, 1, act, 3.0, &["x".into()]);
        script.control(Side::Server, 4, &[0, 0, 0, 0, 0, 1]);
        script
    }

    pub(super) fn starts(act: &str) -> Self {
        let mut script = Self::asks(act);
        if act == "play" {
            script.status(1, "status", "NetStream.Play.Reset", "");
            script.status(1, "status", "NetStream.Play.Start", "");
        } else {
            script.status(1, "status", "NetStream.Publish.Start", "");
        }
        script
    }

    pub(super) fn described(act: &str) -> Self {
        let mut script = Self::starts(act);
        script.metadata(act, Self::description());
        script
    }

    pub(super) fn description() -> Value {
        let object = Object::new().with("videocodecid", 7.0).with("audiocodecid", 10.0);
        Value::EcmaArray(object)
    }

    /// With both configurations, at time 0.
    pub(super) fn configured(act: &str) -> Self {
        let mut script = Self::described(act);
        script.media(Self::sender(act), 1, 9, 0, AVC_CONFIG);
        script.media(Self::sender(act), 1, 8, 0, AAC_CONFIG);
        script
    }

    /// A player's stream that names both codecs and has a configuration of one.
    pub(super) fn configured_video_only() -> Self {
        let mut script = Self::described("play");
        script.media(Side::Server, 1, 9, 0, AVC_CONFIG);
        script
    }

    fn flowing(act: &str) -> Self {
        let mut script = Self::configured(act);
        for (number, body) in [KEY, INTER, KEY, INTER].into_iter().enumerate() {
            script.media(Self::sender(act), 1, 9, number as u32 * 40, body);
            script.media(Self::sender(act), 1, 8, number as u32 * 40, AAC_FRAME);
        }
        script
    }

    pub(super) fn published() -> Self {
        Self::flowing("publish")
    }

    pub(super) fn played() -> Self {
        Self::flowing("play")
    }

    pub(super) fn sender(act: &str) -> Side {
        if act == "play" { Side::Server } else { Side::Client }
    }

    pub(super) fn raw(&mut self, side: Side, bytes: &[u8]) {
        self.turns.push((side, bytes.to_vec()));
    }

    pub(super) fn ends(&mut self, side: Side) {
        self.turns.push((side, Vec::new()));
    }

    /// Time passes.
    pub(super) fn waits(&mut self, ns: u64) {
        self.pauses.push((self.turns.len(), ns));
    }

    pub(super) fn connects(&mut self) {
        let object = Object::new().with("app", "live").with("tcUrl", "rtmp://h/live");
        self.command(Side::Client, 3, 0, &Command::new("connect", 1.0).object(object));
    }

    pub(super) fn accepts_connect(&mut self, transaction: f64) {
        let status = Status::new("NetConnection.Connect.Success", "");
        let result = Command::new("_result", transaction).object(Object::new().with("fmsVer", "x"));
        self.command(Side::Server, 3, 0, &result.with(status.to_object()));
    }

    pub(super) fn rejects_connect(&mut self, code: &'static str, description: &'static str) {
        let error = Command::new("_error", 1.0).with(Status::error(code, description).to_object());
        self.command(Side::Server, 3, 0, &error);
    }

    /// A command with a null object.
    pub(super) fn call(
        &mut self,
        side: Side,
        stream: u32,
        name: &str,
        transaction: f64,
        arguments: &[Value],
    ) {
        let command = arguments
            .iter()
            .fold(Command::new(name, transaction), |command, argument| command.with(argument.clone()));
        self.command(side, 3, stream, &command);
    }

    pub(super) fn command(&mut self, side: Side, chunk_stream: u32, stream: u32, command: &Command) {
        self.message(side, chunk_stream, stream, type_id::COMMAND, 0, &command.encode());
    }

    pub(super) fn status(&mut self, stream: u32, level: &str, code: &str, description: &str) {
        let object = Object::new().with("level", level).with("code", code).with("description", description);
        self.call(Side::Server, stream, "onStatus", 0.0, &[object.into()]);
    }

    pub(super) fn metadata(&mut self, act: &str, value: Value) {
        let mut payload = Vec::new();
        if act == "publish" {
            headwater_media::amf::amf0::encode(&"@setDataFrame".into(), &mut payload);
        }
        headwater_media::amf::amf0::encode(&"onMetaData".into(), &mut payload);
        headwater_media::amf::amf0::encode(&value, &mut payload);
        self.message(Self::sender(act), 5, 1, type_id::DATA, 0, &payload);
    }

    pub(super) fn control(&mut self, side: Side, type_id: u8, payload: &[u8]) {
        self.message(side, 2, 0, type_id, 0, payload);
    }

    pub(super) fn media(&mut self, side: Side, stream: u32, type_id: u8, timestamp: u32, body: &[u8]) {
        self.message(side, u32::from(type_id), stream, type_id, timestamp, body);
    }

    /// A message of type 0 chunks, in the chunk size of the start: longer ones need a size that both know.
    pub(super) fn message(
        &mut self,
        side: Side,
        chunk_stream: u32,
        stream: u32,
        type_id: u8,
        timestamp: u32,
        payload: &[u8],
    ) {
        let raw = RawMessage {
            chunk_stream: ChunkStreamId::new(chunk_stream).unwrap(),
            stream: MessageStreamId(stream),
            timestamp,
            type_id,
            payload: payload.to_vec().into(),
            at: 0,
        };
        let mut output = Output::default();
        encode(&mut output, &raw, self.chunk_size(side));
        self.raw(side, &output.drain());
    }

    /// Servers of these scripts change their size right before the answer to `connect`.
    fn chunk_size(&self, side: Side) -> u32 {
        let size = 60_000_u32.to_be_bytes();
        let has_changed = self.turns.iter().any(|(by, bytes)| *by == side && bytes.ends_with(&size));
        if has_changed { 60_000 } else { CHUNK_SIZE_DEFAULT }
    }

    /// Plays it to an observer, each turn cut into pieces of the length that `cut` names for each piece.
    pub(super) fn play(&self, observer: &mut Observer, cut: impl FnMut(usize) -> usize) {
        self.play_with(observer, cut, |_| {});
    }

    pub(super) fn play_with(
        &self,
        observer: &mut Observer,
        mut cut: impl FnMut(usize) -> usize,
        mut after: impl FnMut(&mut Observer),
    ) {
        let mut at_ns = 0;
        let mut pieces = 0;
        for (number, (side, bytes)) in self.turns.iter().enumerate() {
            at_ns += TURN_NS;
            at_ns += self.pauses.iter().filter(|(at, _)| *at == number).map(|(_, ns)| ns).sum::<u64>();
            let mut rest = &bytes[..];
            while !rest.is_empty() {
                let (piece, more) = rest.split_at(cut(pieces).min(rest.len()));
                observer.feed(*side, at_ns, piece);
                after(observer);
                (rest, pieces) = (more, pieces + 1);
            }
            if bytes.is_empty() {
                observer.end(*side, at_ns);
                after(observer);
            }
        }
    }
}
