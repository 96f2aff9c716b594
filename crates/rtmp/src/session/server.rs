//! The server's side of a conversation. Twin of `client.rs`.
//!
//! ```text
//! handshake → connect ⇒ Connect, accept → createStream → publish ⇒ Publish, accept → Media, Data …
//!                                                      → play    ⇒ Play, accept    → Pause, Seek …
//! ```
//!
//! It decides nothing about who may do what, holds no media, and does not send the media of a live stream
//! (a fan-out does that with [`crate::chunk::message_head`], for many players at once).

mod announcements;
mod answers;
mod commands;
mod event;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};

use super::deadlines::{Deadlines, TimedOut, Usage};
use super::link::{Link, Received};
use crate::chunk::MessageStreamId;
use crate::handshake::{Form, Nonce, ServerHandshake};
use crate::message::{Message, UserControl};
use crate::url::{PathFault, StreamPath};
use crate::{Error, Fault, Output};
pub use event::{
    Following, PauseRequest, Pending, ReceiveRequest, Role, SeekRejection, SeekRequest, ServerConfig,
    ServerEvent, StreamLengthRequest,
};

/// What a `NetStream` is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Use {
    Idle,
    /// The caller has not yet answered.
    Asked {
        role: Role,
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

/// What every stream name of one connection is resolved against.
#[derive(Clone, Debug, Default)]
struct Base {
    tc_url: Arc<str>,
    app: Arc<str>,
}

impl Base {
    fn resolve(&self, stream: &str) -> Result<StreamPath, PathFault> {
        StreamPath::resolve(&self.tc_url, &self.app, stream)
    }
}

/// The server's side of one connection. The contract: [`crate::session`].
#[derive(Debug)]
pub struct ServerSession {
    config: Arc<ServerConfig>,
    link: Link,
    phase: Phase,
    form: Option<Form>,
    has_published: bool,
    base: Base,
    streams: BTreeMap<MessageStreamId, Use>,
    events: VecDeque<ServerEvent>,
    stray_media_bytes: u64,
    deadlines: Deadlines,
}

/// The conversation.
impl ServerSession {
    /// Before the first byte. `nonce` must be fresh for every connection; `now` is where the deadlines and the
    /// handshake begin to count, any value will do.
    #[must_use]
    pub fn new(config: Arc<ServerConfig>, nonce: Nonce, now: Duration) -> Self {
        let deadlines = Deadlines::new(config.timeouts, now);
        Self {
            link: Link::new(config.limits.before_connect()),
            config,
            phase: Phase::Handshake(Box::new(ServerHandshake::new(nonce, now.as_millis() as u32))),
            form: None,
            has_published: false,
            base: Base::default(),
            streams: BTreeMap::new(),
            events: VecDeque::new(),
            stray_media_bytes: 0,
            deadlines,
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
                    let received = self.link.read(input).map_err(|error| self.early(error))?;
                    let Some(received) = received else {
                        if !self.has_published {
                            // Players say little; thousands of them keep no room for it.
                            self.events = VecDeque::new();
                        }
                        return Ok(None);
                    };
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
        // What was whole of a cut aggregate has been taken; of the rest nobody here is told.
        let Received::Message { stream, timestamp, at, message } = received else { return Ok(()) };
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
            Message::SharedObject(object) if matches!(self.phase, Phase::Connected) => {
                if let Some(answer) = object.answer() {
                    self.link.send_shared_object(stream, &answer);
                }
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
            return Err(Error::Peer { at, fault: Fault::MediaBeforeConnect });
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

    /// A limit by the name that an operator finds it under.
    fn early(&self, error: Error) -> Error {
        let Error::Limit { at, name, value, wanted } = error else { return error };
        let name = match name {
            "message_bytes" if matches!(self.phase, Phase::AwaitConnect) => "message_bytes_before_connect",
            "partial_bytes" if !self.has_published => "partial_bytes_before_publish",
            name => name,
        };
        Error::Limit { at, name, value, wanted }
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

/// Deadlines: [`crate::session::Timeouts`].
impl ServerSession {
    /// Bytes of the client have come. Say it before [`Self::read`].
    pub fn heard(&mut self, now: Duration) {
        let usage = self.usage();
        self.deadlines.heard(now, usage);
    }

    /// How the writing goes: `written` bytes have been taken since the connection opened, and more of them wait
    /// that the client does not take for now, or none do.
    pub fn sent(&mut self, now: Duration, written: u64, more_wait: bool) {
        let usage = self.usage();
        self.deadlines.sent(now, written, more_wait, usage);
    }

    /// When to [`check`](Self::check) again; it changes with whatever happens. `None`: nothing is waited for.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Duration> {
        self.deadlines.next(self.usage())
    }

    /// Whether the client is still within its time.
    ///
    /// # Errors
    /// [`TimedOut`]: close the connection.
    pub fn check(&mut self, now: Duration) -> Result<(), TimedOut> {
        let usage = self.usage();
        self.deadlines.check(now, usage)
    }

    fn usage(&self) -> Usage {
        let publishes = |state: &Use| state.role() == Some(Role::Publisher);
        Usage {
            any: self.streams.values().any(|state| state.role().is_some()),
            peer_sends: self.streams.values().any(publishes),
        }
    }
}
