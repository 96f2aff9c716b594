//! The client's side of a conversation. Twin of `server.rs`.
//!
//! ```text
//! handshake → connect ⇒ Connected → publish() ⇒ StreamCreated, PublishStarted → send_media …
//!                                 → play()    ⇒ StreamCreated, PlayStarted    → Media, Data …
//! ```
//!
//! It never dials: a login is [`ClientEvent::LoginAsked`] and then a new session. It follows no redirect:
//! [`ClientEvent::Rejected`] carries what the server said.

mod event;
mod replies;
mod requests;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use headwater_media::amf::Object;

use super::deadlines::{Deadlines, TimedOut, Usage};
use super::link::{Link, Received};
use crate::chunk::MessageStreamId;
use crate::command::{Command, PublishKind};
use crate::handshake::{ClientHandshake, Form, Nonce};
use crate::message::Message;
use crate::url::RtmpUrl;
use crate::{Error, Fault, Output};
pub use event::{ClientConfig, ClientEvent, Play2Options, PlayOptions};

/// What an answer is awaited for.
#[derive(Clone, Debug)]
enum Asked {
    Connect,
    CreateStream(Purpose),
    StreamLength,
    /// `releaseStream`, `FCPublish` and their like: an error is of no consequence.
    Courtesy,
}

#[derive(Clone, Debug)]
enum Purpose {
    Publish { name: String, kind: PublishKind },
    Play { name: String, options: PlayOptions },
}

/// What a stream is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Use {
    AskedToPublish {
        name: String,
    },
    Publishing {
        name: String,
    },
    AskedToPlay,
    Playing,
    /// Rejected or ended; the server may yet revive it.
    Over,
}

#[derive(Debug)]
enum Phase {
    Handshake(Box<ClientHandshake>),
    AwaitConnected,
    Connected,
    Closed,
}

/// The client's side of one connection. The contract: [`crate::session`].
#[derive(Debug)]
pub struct ClientSession {
    config: Arc<ClientConfig>,
    url: RtmpUrl,
    nonce: Nonce,
    link: Link,
    phase: Phase,
    form: Option<Form>,
    transaction: u32,
    asked: BTreeMap<u32, Asked>,
    streams: BTreeMap<MessageStreamId, Use>,
    events: VecDeque<ClientEvent>,
    deadlines: Deadlines,
}

/// The conversation.
impl ClientSession {
    /// Greets at once: [`ClientSession::output`] holds C0 and C1. `connect` follows the handshake by
    /// itself. `nonce` must be fresh for every connection; `now` is where the deadlines and the handshake
    /// begin to count, any value will do.
    #[must_use]
    pub fn new(config: Arc<ClientConfig>, url: RtmpUrl, nonce: Nonce, now: Duration) -> Self {
        let deadlines = Deadlines::new(config.timeouts, now);
        let time_ms = now.as_millis() as u32;
        let mut link = Link::new(config.limits.after_connect());
        let handshake = ClientHandshake::start(nonce, time_ms, config.offer_digest, &mut link.output);
        Self {
            config,
            url,
            nonce,
            link,
            phase: Phase::Handshake(Box::new(handshake)),
            form: None,
            transaction: 0,
            asked: BTreeMap::new(),
            streams: BTreeMap::new(),
            events: VecDeque::new(),
            deadlines,
        }
    }

    /// Takes from `input` what makes the next event. `None`: feed more.
    ///
    /// # Errors
    /// Any but [`Error::Misuse`]. Close after it.
    pub fn read(&mut self, input: &mut BytesMut) -> Result<Option<ClientEvent>, Error> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Ok(Some(event));
            }
            match &mut self.phase {
                Phase::Handshake(handshake) => {
                    let Some(form) = handshake.read(input, &mut self.link.output)? else { return Ok(None) };
                    self.link.start(self.config.limits.after_connect(), handshake.position());
                    self.form = Some(form);
                    self.phase = Phase::AwaitConnected;
                    self.connect();
                }
                Phase::Closed => {
                    input.clear();
                    return Ok(None);
                }
                Phase::AwaitConnected | Phase::Connected => match self.link.read(input) {
                    Ok(Some(received)) => self.take(received)?,
                    Ok(None) => return Ok(None),
                    Err(error) => self.outlive(error)?,
                },
            }
        }
    }

    /// What is to be sent.
    pub fn output(&mut self) -> &mut Output {
        &mut self.link.output
    }

    /// Whether nothing more will be heard: the server has turned us away or asked to close.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        matches!(self.phase, Phase::Closed)
    }

    /// How the server greeted; `None` before it has.
    #[must_use]
    pub fn handshake_form(&self) -> Option<Form> {
        self.form
    }

    /// The chunk size in force for what we send.
    #[must_use]
    pub fn chunk_size(&self) -> u32 {
        self.link.chunk_size()
    }

    /// Bytes taken from the server so far.
    #[must_use]
    pub fn received_bytes(&self) -> u64 {
        match &self.phase {
            Phase::Handshake(handshake) => handshake.position(),
            _ => self.link.position(),
        }
    }

    /// Where we went.
    #[must_use]
    pub fn url(&self) -> &RtmpUrl {
        &self.url
    }

    fn take(&mut self, received: Received) -> Result<(), Error> {
        let (stream, timestamp, at, message) = match received {
            Received::Message { stream, timestamp, at, message } => (stream, timestamp, at, message),
            Received::CutAggregate { at } => {
                self.events.push_back(ClientEvent::LeftOut { at, fault: Fault::AggregateCut });
                return Ok(());
            }
        };
        match message {
            Message::Command(command) => self.take_command(stream, &command, at)?,
            Message::Media { kind, body } => {
                self.events.push_back(ClientEvent::Media { stream, kind, timestamp, body });
            }
            Message::Data(data) => self.take_data(stream, timestamp, data.scope, data.payload),
            Message::UserControl(event) => self.events.push_back(ClientEvent::UserControl(event)),
            _ => {}
        }
        Ok(())
    }

    /// A command that cannot be read ends a conversation that has yet to begin; of a stream that runs it costs
    /// nothing but itself.
    fn outlive(&mut self, error: Error) -> Result<(), Error> {
        match error {
            Error::Peer { at, fault: fault @ (Fault::CommandBroken(_) | Fault::CommandNameless) }
                if self.usage().any =>
            {
                self.events.push_back(ClientEvent::LeftOut { at, fault });
                Ok(())
            }
            error => Err(error),
        }
    }

    /// The window is announced first, the chunk size before anything long; then everything that any
    /// server asks for in `connect`, for playing and publishing alike.
    fn connect(&mut self) {
        self.link.send_chunk_size(self.config.chunk_size);
        let object = Object::new()
            .with("app", format!("{}{}", self.url.app, self.url.login).as_str())
            .with("type", "nonprivate")
            .with("flashVer", self.config.flash_ver.as_str())
            .with("tcUrl", format!("{}{}", self.url.tc_url(), self.url.login).as_str())
            .with("fpad", false)
            .with("capabilities", 15.0)
            .with("audioCodecs", 4071.0)
            .with("videoCodecs", 252.0)
            .with("objectEncoding", 0.0);
        let object = self.config.capabilities.in_connect(object);
        let transaction = self.ask(Asked::Connect);
        let command = Command::new("connect", transaction).object(object);
        self.link.send_command(MessageStreamId::CONNECTION, &command);
    }

    /// A transaction whose answer is remembered.
    fn ask(&mut self, what: Asked) -> f64 {
        self.transaction = self.transaction.wrapping_add(1).max(1);
        self.asked.insert(self.transaction, what);
        self.transaction.into()
    }
}

/// Deadlines: [`crate::session::Timeouts`].
impl ClientSession {
    /// Bytes of the server have come. Say it before [`Self::read`].
    pub fn heard(&mut self, now: Duration) {
        let usage = self.usage();
        self.deadlines.heard(now, usage);
    }

    /// How the writing goes: `written` bytes have been taken since the connection opened, and more of them wait
    /// that the server does not take for now, or none do.
    pub fn sent(&mut self, now: Duration, written: u64, more_wait: bool) {
        let usage = self.usage();
        self.deadlines.sent(now, written, more_wait, usage);
    }

    /// When to [`check`](Self::check) again; it changes with whatever happens. `None`: nothing is waited for.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Duration> {
        self.deadlines.next(self.usage())
    }

    /// Whether the server is still within its time.
    ///
    /// # Errors
    /// [`TimedOut`]: close the connection.
    pub fn check(&mut self, now: Duration) -> Result<(), TimedOut> {
        let usage = self.usage();
        self.deadlines.check(now, usage)
    }

    fn usage(&self) -> Usage {
        let plays = |state: &Use| *state == Use::Playing;
        let publishes = |state: &Use| matches!(state, Use::Publishing { .. });
        Usage {
            any: self.streams.values().any(|state| plays(state) || publishes(state)),
            peer_sends: self.streams.values().any(plays),
        }
    }
}
