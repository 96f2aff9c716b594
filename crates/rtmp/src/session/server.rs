//! The server's side of a conversation. Twin of `client.rs`.
//!
//! ```text
//! handshake → connect ⇒ accept_connect → createStream → publish ⇒ accept_publish → Media, Data …
//!                                                     → play    ⇒ accept_play    → Pause, Seek …
//! ```
//!
//! It decides nothing about who may do what, holds no media, and does not send the media of a live stream
//! (a fan-out does that with [`crate::chunk::message_head`], for many players at once).

mod commands;

use std::borrow::Cow;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use headwater_media::MediaKind;
use headwater_media::amf::{Value, amf0};

use super::Limits;
use super::link::{Link, Received};
use crate::chunk::MessageStreamId;
use crate::command::{
    Base, Command, ConnectRejection, ConnectRequest, PlayRejection, PlayRequest, PublishRejection,
    PublishRequest, Status, code, connect,
};
use crate::handshake::{Form, Nonce, ServerHandshake};
use crate::message::{DataScope, Message, UserControl};
use crate::url::{PathFault, StreamPath};
use crate::{Error, Output};

/// How a server speaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerConfig {
    /// Our chunks' size, 1..=0xFFFFFF. Up to 65,536 is understood everywhere.
    pub chunk_size: u32,
    /// The window that we announce, in bytes. FFmpeg leaves at 0 or beyond 0x7FFFFFFF.
    pub window_ack_size: u32,
    /// `fmsVer`: clients look for features behind it.
    pub server_version: String,
    /// What a peer may ask of us.
    pub limits: Limits,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            chunk_size: 60_000,
            window_ack_size: 2_500_000,
            server_version: "FMS/3,5,3,888".to_owned(),
            limits: Limits::default(),
        }
    }
}

/// What a client wants or does.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum ServerEvent {
    /// The client wants in: [`ServerSession::accept_connect`] or [`ServerSession::reject_connect`].
    Connect(ConnectRequest),
    /// The client wants to publish: [`ServerSession::accept_publish`] or
    /// [`ServerSession::reject_publish`].
    Publish(PublishRequest),
    /// The client wants to play: [`ServerSession::accept_play`] or [`ServerSession::reject_play`].
    Play(PlayRequest),
    /// The session has turned a `publish` or `play` down by itself, because of its name.
    Refused {
        /// The stream.
        stream: MessageStreamId,
        /// What is wrong with the name.
        fault: PathFault,
    },
    /// The client wants to know how long a stream is: [`ServerSession::answer_stream_length`], now or
    /// later.
    StreamLength(StreamLengthRequest),
    /// Audio or video of a publisher.
    Media {
        /// The stream that was accepted.
        stream: MessageStreamId,
        /// Audio or video, never data.
        kind: MediaKind,
        /// Milliseconds, wrapping.
        timestamp: u32,
        /// The FLV tag's body; may be empty.
        body: Bytes,
    },
    /// Script data of a publisher.
    Data {
        /// The stream that was accepted.
        stream: MessageStreamId,
        /// Milliseconds, wrapping.
        timestamp: u32,
        /// Whether it passes, is kept or clears what was kept.
        scope: DataScope,
        /// The handler's name and the values, AMF0.
        payload: Bytes,
    },
    /// A player pauses or goes on: [`ServerSession::confirm_pause`].
    Pause {
        /// The stream that plays.
        stream: MessageStreamId,
        /// Pause, or go on.
        pause: bool,
        /// Where the player stands, in milliseconds.
        position_ms: u64,
    },
    /// A player seeks: [`ServerSession::confirm_seek`] or [`ServerSession::reject_seek`].
    Seek {
        /// The stream that plays.
        stream: MessageStreamId,
        /// Where to, in milliseconds.
        position_ms: u64,
    },
    /// A player wants (no) audio or video; no answer. Video comes back with a key frame.
    Receive {
        /// The stream that plays.
        stream: MessageStreamId,
        /// Audio or video.
        kind: MediaKind,
        /// Whether it is wanted.
        on: bool,
    },
    /// How much a player holds in its buffer; may come before its `play`.
    BufferLength {
        /// The stream; 0 = all of the connection.
        stream: MessageStreamId,
        /// Milliseconds.
        ms: u32,
    },
    /// A publisher or player has stopped; the connection lives on. No answer.
    Stopped {
        /// The stream.
        stream: MessageStreamId,
        /// What it did.
        role: Role,
    },
    /// The answer to [`ServerSession::ping`]. OBS never answers.
    Pong {
        /// The time that was sent.
        sent_ms: u32,
    },
}

/// What a `NetStream` is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The client sends.
    Publisher,
    /// The client receives.
    Player,
}

/// A client asks for the length of a stream before it plays it.
#[derive(Clone, Debug, PartialEq)]
pub struct StreamLengthRequest {
    /// The stream.
    pub path: StreamPath,
    transaction: f64,
}

/// How a stream ends for a player.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum PlayEnd {
    /// Everything was sent: `NetStream.Play.Complete`, then `NetStream.Play.Stop`.
    Complete {
        /// The length in seconds.
        duration: f64,
        /// The bytes that were sent.
        bytes: u64,
    },
    /// It was cut off: `NetStream.Play.Stop`.
    Stopped,
}

/// What a `NetStream` is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Use {
    Idle,
    /// The caller has not yet answered.
    Asked {
        role: Role,
        name: String,
    },
    Publishing {
        name: String,
    },
    Playing {
        name: String,
        recorded: bool,
    },
}

impl Use {
    const fn role(&self) -> Option<Role> {
        match self {
            Self::Publishing { .. } => Some(Role::Publisher),
            Self::Playing { .. } => Some(Role::Player),
            Self::Idle | Self::Asked { .. } => None,
        }
    }
}

#[derive(Debug)]
enum Phase {
    Handshake(Box<ServerHandshake>),
    AwaitConnect,
    /// `connect` has come; the caller has not yet answered.
    Asked {
        transaction: f64,
    },
    Connected,
    /// Turned away or closed: what the client still says is not heard.
    Closed,
}

/// The server's side of one connection. The contract: [`crate::session`].
#[derive(Debug)]
pub struct ServerSession {
    config: Arc<ServerConfig>,
    link: Link,
    phase: Phase,
    form: Option<Form>,
    base: Base,
    streams: BTreeMap<MessageStreamId, Use>,
    events: VecDeque<ServerEvent>,
    stray_media_bytes: u64,
}

/// The conversation.
impl ServerSession {
    /// Before the first byte. `nonce` must be fresh for every connection; `time_ms` is the epoch that the
    /// handshake announces, any value will do.
    #[must_use]
    pub fn new(config: Arc<ServerConfig>, nonce: Nonce, time_ms: u32) -> Self {
        Self {
            link: Link::new(config.limits.before_connect()),
            config,
            phase: Phase::Handshake(Box::new(ServerHandshake::new(nonce, time_ms))),
            form: None,
            base: Base::default(),
            streams: BTreeMap::new(),
            events: VecDeque::new(),
            stray_media_bytes: 0,
        }
    }

    /// Takes from `input` what makes the next event. `None`: feed more, unless a request awaits its answer
    /// (then answer it; nothing is taken until then).
    ///
    /// # Errors
    /// Any but [`Error::Misuse`]. What [`ServerSession::output`] holds is still worth sending; then close.
    pub fn read(&mut self, input: &mut BytesMut) -> Result<Option<ServerEvent>, Error> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Ok(Some(event));
            }
            if self.awaits_answer() {
                return Ok(None);
            }
            match &mut self.phase {
                Phase::Handshake(handshake) => {
                    let Some(form) = handshake.read(input, &mut self.link.output)? else { return Ok(None) };
                    self.link.start(self.config.limits.before_connect(), handshake.position());
                    self.form = Some(form);
                    self.phase = Phase::AwaitConnect;
                }
                Phase::Closed => {
                    input.clear();
                    return Ok(None);
                }
                Phase::AwaitConnect | Phase::Asked { .. } | Phase::Connected => {
                    let Some(received) = self.link.read(input)? else { return Ok(None) };
                    self.take(received)?;
                }
            }
        }
    }

    /// What is to be sent.
    pub fn output(&mut self) -> &mut Output {
        &mut self.link.output
    }

    /// Whether a request was handed out that is not yet answered.
    #[must_use]
    pub fn awaits_answer(&self) -> bool {
        matches!(self.phase, Phase::Asked { .. })
            || self.streams.values().any(|stream| matches!(stream, Use::Asked { .. }))
    }

    /// Whether the session has said its last word: write the output out, close the sending half, and
    /// the socket soon after (DJI's cameras stay otherwise, quirk 33).
    #[must_use]
    pub fn is_closed(&self) -> bool {
        matches!(self.phase, Phase::Closed)
    }

    /// How the client greeted; `None` before it has.
    #[must_use]
    pub fn handshake_form(&self) -> Option<Form> {
        self.form
    }

    /// The chunk size in force for what we send: that of [`ServerConfig`] once `connect` is accepted.
    #[must_use]
    pub fn chunk_size(&self) -> u32 {
        self.link.chunk_size()
    }

    /// Bytes taken from the client so far.
    #[must_use]
    pub fn received_bytes(&self) -> u64 {
        match &self.phase {
            Phase::Handshake(handshake) => handshake.position(),
            _ => self.link.position(),
        }
    }

    /// Messages that the client began and never finished: a sign of a bad encoder (OBS, quirk 11).
    #[must_use]
    pub fn aborted_messages(&self) -> u64 {
        self.link.aborted()
    }

    /// What the stream is used for, if it was accepted.
    #[must_use]
    pub fn role(&self, stream: MessageStreamId) -> Option<Role> {
        self.streams.get(&stream).and_then(Use::role)
    }

    fn take(&mut self, received: Received) -> Result<(), Error> {
        let Received { stream, timestamp, at, message } = received;
        match message {
            Message::Command(command) => self.take_command(stream, &command, at),
            Message::Media { kind, body } => {
                let event = |stream, body| ServerEvent::Media { stream, kind, timestamp, body };
                self.take_media(stream, body, at, event)
            }
            Message::Data(data) => {
                let scope = data.scope;
                let event = |stream, payload| ServerEvent::Data { stream, timestamp, scope, payload };
                self.take_media(stream, data.payload, at, event)
            }
            Message::UserControl(UserControl::SetBufferLength { stream, ms }) => {
                self.events.push_back(ServerEvent::BufferLength { stream, ms });
                Ok(())
            }
            Message::UserControl(UserControl::PingResponse(sent_ms)) => {
                self.events.push_back(ServerEvent::Pong { sent_ms });
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Media for a stream that nobody publishes is dropped, as after a `deleteStream` (quirk 72), but not
    /// for ever.
    fn take_media(
        &mut self,
        stream: MessageStreamId,
        body: Bytes,
        at: u64,
        event: impl FnOnce(MessageStreamId, Bytes) -> ServerEvent,
    ) -> Result<(), Error> {
        if !matches!(self.phase, Phase::Connected) {
            return Err(Error::peer(at, "it sends media before `connect`"));
        }
        if let Some(stream) = self.publishing(stream) {
            self.events.push_back(event(stream, body));
            return Ok(());
        }
        self.stray_media_bytes = self.stray_media_bytes.saturating_add(body.len() as u64);
        let value = self.config.limits.stray_media_bytes;
        if self.stray_media_bytes > value {
            return Err(Error::Limit {
                at,
                name: "stray_media_bytes",
                value,
                wanted: self.stray_media_bytes,
            });
        }
        Ok(())
    }

    /// The publishing stream that media on `stream` belongs to: itself, or for the connection's stream 0
    /// the only one that publishes.
    fn publishing(&self, stream: MessageStreamId) -> Option<MessageStreamId> {
        let publishes = |state: &Use| matches!(state, Use::Publishing { .. });
        if stream != MessageStreamId::CONNECTION {
            return self.streams.get(&stream).filter(|state| publishes(state)).map(|_| stream);
        }
        let mut all = self.streams.iter().filter(|(_, state)| publishes(state));
        let only = all.next().map(|(&stream, _)| stream);
        if all.next().is_some() { None } else { only }
    }
}

/// Answers, each the whole sequence in one place.
impl ServerSession {
    /// Lets the client in.
    ///
    /// Set Chunk Size stands before `_result`, because OBS misread a `_result` cut at 128 bytes when the
    /// new size followed it (quirk 9). FFmpeg mirrors the size when it publishes.
    ///
    /// # Errors
    /// [`Error::Misuse`] when no `connect` awaits its answer.
    pub fn accept_connect(&mut self) -> Result<(), Error> {
        let transaction = self.take_connect()?;
        let window = self.config.window_ack_size;
        self.link.send_window_ack_size(window);
        self.link.send_peer_bandwidth(window);
        self.link.send_user_control(UserControl::StreamBegin(MessageStreamId::CONNECTION));
        self.link.send_chunk_size(self.config.chunk_size);
        let result = connect::success(transaction, &self.config.server_version);
        self.link.send_command(MessageStreamId::CONNECTION, &result);
        self.link.set_limits(self.config.limits.after_connect());
        self.phase = Phase::Connected;
        Ok(())
    }

    /// Turns the client away: `_error`, and the session is closed.
    ///
    /// # Errors
    /// [`Error::Misuse`] when no `connect` awaits its answer.
    pub fn reject_connect(
        &mut self,
        reason: ConnectRejection,
        description: impl Into<Cow<'static, str>>,
    ) -> Result<(), Error> {
        let transaction = self.take_connect()?;
        let error = connect::rejection(transaction, reason, description);
        self.link.send_command(MessageStreamId::CONNECTION, &error);
        self.phase = Phase::Closed;
        Ok(())
    }

    /// Lets the publisher begin: Stream Begin, `NetStream.Publish.Start`. From here on OBS hears nothing
    /// more (quirk 8), so nothing that matters is sent to a publisher.
    ///
    /// # Errors
    /// [`Error::Misuse`] when no `publish` of that stream awaits its answer.
    pub fn accept_publish(&mut self, stream: MessageStreamId) -> Result<(), Error> {
        let name = self.take_asked(stream, Role::Publisher)?;
        self.link.send_user_control(UserControl::StreamBegin(stream));
        let status = Status::new(code::PUBLISH_START, format!("{name} is now published.")).details(&name);
        self.link.send_status(stream, &status);
        self.streams.insert(stream, Use::Publishing { name });
        Ok(())
    }

    /// Turns the publisher away. Close once the output is written: not every encoder leaves by itself.
    ///
    /// # Errors
    /// [`Error::Misuse`] when no `publish` of that stream awaits its answer.
    pub fn reject_publish(
        &mut self,
        stream: MessageStreamId,
        reason: PublishRejection,
        description: impl Into<Cow<'static, str>>,
    ) -> Result<(), Error> {
        let name = self.take_asked(stream, Role::Publisher)?;
        self.link.send_status(stream, &Status::error(reason.code(), description).details(&name));
        Ok(())
    }

    /// Lets the player begin: Set Chunk Size, (Stream Is Recorded,) Stream Begin, `NetStream.Play.Reset`,
    /// `NetStream.Play.Start`, `|RtmpSampleAccess`. The caller sends metadata, configurations and media
    /// next, on this stream and in [`ServerSession::chunk_size`].
    ///
    /// No other status may come before these: GStreamer takes the first for the verdict.
    ///
    /// # Errors
    /// [`Error::Misuse`] when no `play` of that stream awaits its answer.
    pub fn accept_play(&mut self, stream: MessageStreamId, recorded: bool) -> Result<(), Error> {
        let name = self.take_asked(stream, Role::Player)?;
        // A publisher on the same connection has stopped listening; the size is in force anyway.
        if !self.streams.values().any(|state| matches!(state, Use::Publishing { .. })) {
            self.link.send_chunk_size(self.config.chunk_size);
        }
        self.begin_stream(stream, recorded);
        let reset = Status::new(code::PLAY_RESET, format!("Playing and resetting {name}.")).details(&name);
        self.link.send_status(stream, &reset);
        self.send_play_start(stream, &name);
        let access = [Value::string("|RtmpSampleAccess"), Value::Boolean(true), Value::Boolean(true)];
        self.link.send_media(stream, MediaKind::Data, 0, &[amf0::encode_all(&access)])?;
        self.streams.insert(stream, Use::Playing { name, recorded });
        Ok(())
    }

    /// Turns the player away; the connection may try again.
    ///
    /// # Errors
    /// [`Error::Misuse`] when no `play` of that stream awaits its answer.
    pub fn reject_play(
        &mut self,
        stream: MessageStreamId,
        reason: PlayRejection,
        description: impl Into<Cow<'static, str>>,
    ) -> Result<(), Error> {
        let name = self.take_asked(stream, Role::Player)?;
        self.link.send_status(stream, &Status::error(reason.code(), description).details(&name));
        Ok(())
    }

    /// Answers `getStreamLength`; `None` for a live stream or one that is not there (0 on the wire).
    pub fn answer_stream_length(&mut self, request: &StreamLengthRequest, seconds: Option<f64>) {
        let result = Command::new("_result", request.transaction).with(seconds.unwrap_or(0.0));
        self.link.send_command(MessageStreamId::CONNECTION, &result);
    }

    /// Confirms [`ServerEvent::Pause`]. Media that was on its way goes first: call it when the sending has
    /// stopped, or before it goes on.
    ///
    /// # Errors
    /// [`Error::Misuse`] when the stream does not play.
    pub fn confirm_pause(&mut self, stream: MessageStreamId, pause: bool) -> Result<(), Error> {
        let (name, _) = self.playing(stream)?;
        if pause {
            let status = Status::new(code::PAUSE_NOTIFY, format!("{name} is paused.")).details(&name);
            self.link.send_status(stream, &status);
            self.link.send_user_control(UserControl::StreamEof(stream));
        } else {
            self.link.send_user_control(UserControl::StreamBegin(stream));
            let status = Status::new(code::UNPAUSE_NOTIFY, format!("{name} goes on.")).details(&name);
            self.link.send_status(stream, &status);
        }
        Ok(())
    }

    /// Confirms [`ServerEvent::Seek`]; configurations and the key frame at or before the place come next.
    ///
    /// # Errors
    /// [`Error::Misuse`] when the stream does not play.
    pub fn confirm_seek(&mut self, stream: MessageStreamId, position_ms: u64) -> Result<(), Error> {
        let (name, recorded) = self.playing(stream)?;
        self.link.send_user_control(UserControl::StreamEof(stream));
        self.begin_stream(stream, recorded);
        let status =
            Status::new(code::SEEK_NOTIFY, format!("Seeking {position_ms} ms in {name}.")).details(&name);
        self.link.send_status(stream, &status);
        self.send_play_start(stream, &name);
        Ok(())
    }

    /// Refuses [`ServerEvent::Seek`]; playing goes on where it was. A warning: FFmpeg ends at errors.
    ///
    /// # Errors
    /// [`Error::Misuse`] when the stream does not play.
    pub fn reject_seek(
        &mut self,
        stream: MessageStreamId,
        description: impl Into<Cow<'static, str>>,
    ) -> Result<(), Error> {
        let (name, _) = self.playing(stream)?;
        let status = Status::warning(code::SEEK_FAILED, description).details(&name);
        self.link.send_status(stream, &status);
        Ok(())
    }

    /// Ends a player's stream: Stream EOF, `NetStream.Play.Stop`. The connection may play something else.
    ///
    /// # Errors
    /// [`Error::Misuse`] when the stream does not play.
    pub fn end_play(&mut self, stream: MessageStreamId, end: PlayEnd) -> Result<(), Error> {
        let (name, _) = self.playing(stream)?;
        self.link.send_user_control(UserControl::StreamEof(stream));
        if let PlayEnd::Complete { duration, bytes } = end {
            let information = Status::new(code::PLAY_COMPLETE, format!("{name} is complete.")).to_object();
            let information = information.with("duration", duration).with("bytes", bytes as f64);
            let values = [Value::string("onPlayStatus"), Value::Object(information)];
            self.link.send_media(stream, MediaKind::Data, 0, &[amf0::encode_all(&values)])?;
        }
        let status = Status::new(code::PLAY_STOP, format!("Stopped playing {name}.")).details(&name);
        self.link.send_status(stream, &status);
        self.streams.insert(stream, Use::Idle);
        Ok(())
    }

    /// Tells a player that the publisher has come or gone, while it goes on waiting. FFmpeg, VLC and
    /// librtmp leave when the publisher goes: keep silent if they are to survive its return.
    ///
    /// # Errors
    /// [`Error::Misuse`] when the stream does not play.
    pub fn notify_publisher(&mut self, stream: MessageStreamId, is_there: bool) -> Result<(), Error> {
        let (name, _) = self.playing(stream)?;
        let status = if is_there {
            self.link.send_user_control(UserControl::StreamBegin(stream));
            Status::new(code::PLAY_PUBLISH_NOTIFY, format!("{name} is now published."))
        } else {
            self.link.send_user_control(UserControl::StreamEof(stream));
            Status::new(code::PLAY_UNPUBLISH_NOTIFY, format!("{name} is now unpublished."))
        };
        self.link.send_status(stream, &status.details(&name));
        Ok(())
    }

    /// Sends a status about a stream, whatever it is used for; on stream 0 about the connection.
    pub fn send_status(&mut self, stream: MessageStreamId, status: &Status) {
        self.link.send_status(stream, status);
    }

    /// Sends audio, video or data (handler's name first) to a player. The message is `pieces` in order;
    /// large ones are shared.
    ///
    /// # Errors
    /// [`Error::Misuse`] when the stream does not play or the message is too long.
    pub fn send_media(
        &mut self,
        stream: MessageStreamId,
        kind: MediaKind,
        timestamp: u32,
        pieces: &[Bytes],
    ) -> Result<(), Error> {
        self.playing(stream)?;
        self.link.send_media(stream, kind, timestamp, pieces)
    }

    /// Asks whether the client still listens; [`ServerEvent::Pong`] if it does.
    pub fn ping(&mut self, now_ms: u32) {
        self.link.send_user_control(UserControl::PingRequest(now_ms));
    }

    /// Ends every stream and the connection with a word of why, and hears no more.
    pub fn close(&mut self, description: impl Into<Cow<'static, str>>) {
        for (stream, state) in std::mem::take(&mut self.streams) {
            let status = match state {
                Use::Playing { name, .. } => {
                    self.link.send_user_control(UserControl::StreamEof(stream));
                    Status::new(code::PLAY_STOP, format!("Stopped playing {name}.")).details(&name)
                }
                Use::Publishing { name } => {
                    Status::new(code::UNPUBLISH_SUCCESS, format!("{name} is now unpublished.")).details(&name)
                }
                Use::Idle | Use::Asked { .. } => continue,
            };
            self.link.send_status(stream, &status);
        }
        match self.phase {
            Phase::Connected => {
                let status = Status::new(code::CONNECT_CLOSED, description);
                self.link.send_status(MessageStreamId::CONNECTION, &status);
            }
            Phase::Asked { transaction } => {
                let error = connect::rejection(transaction, ConnectRejection::AppShutdown, description);
                self.link.send_command(MessageStreamId::CONNECTION, &error);
            }
            Phase::Handshake(_) | Phase::AwaitConnect | Phase::Closed => {}
        }
        self.phase = Phase::Closed;
    }

    fn begin_stream(&mut self, stream: MessageStreamId, recorded: bool) {
        if recorded {
            self.link.send_user_control(UserControl::StreamIsRecorded(stream));
        }
        self.link.send_user_control(UserControl::StreamBegin(stream));
    }

    fn send_play_start(&mut self, stream: MessageStreamId, name: &str) {
        let status = Status::new(code::PLAY_START, format!("Started playing {name}.")).details(name);
        self.link.send_status(stream, &status);
    }

    fn take_connect(&mut self) -> Result<f64, Error> {
        match self.phase {
            Phase::Asked { transaction } => Ok(transaction),
            _ => Err(Error::Misuse("no `connect` awaits its answer")),
        }
    }

    /// The stream's name, and the stream is idle again.
    fn take_asked(&mut self, stream: MessageStreamId, role: Role) -> Result<String, Error> {
        match self.streams.get_mut(&stream) {
            Some(state @ Use::Asked { .. }) => match std::mem::replace(state, Use::Idle) {
                Use::Asked { role: asked, name } if asked == role => Ok(name),
                other => {
                    *state = other;
                    Err(Error::Misuse("the stream awaits another answer"))
                }
            },
            _ => Err(Error::Misuse("no request of that stream awaits its answer")),
        }
    }

    fn playing(&self, stream: MessageStreamId) -> Result<(String, bool), Error> {
        match self.streams.get(&stream) {
            Some(Use::Playing { name, recorded }) => Ok((name.clone(), *recorded)),
            _ => Err(Error::Misuse("the stream does not play")),
        }
    }
}
