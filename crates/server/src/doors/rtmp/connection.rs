//! One RTMP connection, from its first byte to its farewell.
//!
//! One task, one loop: what the socket brings goes to the session, what the session says goes to the wire.
//! Media to players is written by the lanes (see [`super::viewer`]); the task takes over while the socket
//! is full.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, BytesMut};
use headwater_hub::State;
use headwater_rtmp::command::{Capabilities, Status, code};
use headwater_rtmp::handshake::Nonce;
use headwater_rtmp::session::ServerSession;
use headwater_rtmp::{Error, MessageStreamId};
use tokio::io::Interest;

use super::Shared;
use super::playlist::Queued;
use super::publishing::Publishing;
use super::requests::sentence;
use super::transport::Transport;
use super::viewer::{PlayEnding, Viewer};
use super::wire::{Flow, Wire};
use crate::access;
use crate::events::Event;
use crate::metrics::Guard;
use crate::net::listener::Accepted;
use crate::net::tunnel;
use crate::sources::{self, Watch};
use crate::stop::Stop;

/// Room for one read from a publisher; a keyframe takes several.
const READ_BYTES: usize = 16 << 10;
/// Room for one read from a peer that does not publish: a greeting, a command, an acknowledgement.
const READ_BYTES_SMALL: usize = 2 << 10;
/// Events handled before other connections get a turn. A read holds a dozen; an aggregate may hold a
/// million.
const EVENTS_PER_TURN: usize = 64;
/// How often a connection looks at its deadlines.
const TICK: Duration = Duration::from_secs(1);
/// Replies that a peer may leave unread, in bytes. Who asks without reading would fill the memory.
const REPLIES_BYTES_MAX: usize = 64 << 10;
/// What is logged of a fault, and told to the peer.
const FAULT_LETTERS_MAX: usize = 300;
/// How long a peer has to take the last words and to hang up.
const FAREWELL_MAX: Duration = Duration::from_secs(2);

/// Why a connection ends.
pub(super) enum End {
    /// The peer hung up, or the network did.
    Gone,
    /// Everything was said; hang up.
    Done,
    /// The program stops.
    Stopped,
    /// The peer is let go: a reason from a small set for the metric, and words for the log.
    LetGo(&'static str, String),
}

/// A connection with everything that hangs on it.
pub(super) struct Connection {
    pub(super) shared: Arc<Shared>,
    pub(super) peer: SocketAddr,
    /// Whether the peer is on this machine, and nobody in between.
    pub(super) is_local: bool,
    pub(super) wire: Arc<Wire>,
    pub(super) session: ServerSession,
    /// What the client calls itself.
    pub(super) agent: String,
    /// What the client says that it can do beyond RTMP 1.0.
    pub(super) capabilities: Capabilities,
    pub(super) publishing: Vec<Publishing>,
    pub(super) playing: Vec<PlayingStream>,
    /// What players hold in their buffers, in milliseconds; they may say it before they play.
    pub(super) buffers: Vec<(MessageStreamId, u32)>,
    input: BytesMut,
    since: Duration,
    heard: Duration,
    written: u64,
    progressed: Duration,
    /// Counts the client while it can be sent elsewhere.
    pub(super) _movable: Option<Guard>,
    /// Since when it has been asked to come again, because the program stops.
    draining: Option<Duration>,
}

/// A message stream that plays.
pub(super) struct PlayingStream {
    pub(super) stream: MessageStreamId,
    pub(super) name: String,
    pub(super) viewer: Arc<Viewer>,
    pub(super) since: Duration,
    /// What follows when it is over.
    pub(super) playlist: VecDeque<Queued>,
    /// Whether the player has been told that all of a film was sent.
    pub(super) is_complete: bool,
    pub(super) watch: Watch,
    pub(super) _counted: Guard,
}

/// Serves one connection to its end.
pub(super) async fn serve(accepted: Accepted, shared: Arc<Shared>, mut stop: Stop) {
    let Accepted { stream, read, peer, seat: _seat } = accepted;
    let mut input = BytesMut::from(read);
    match Transport::new(stream, &mut input) {
        Ok(transport) => {
            transport.bound_send_buffer(shared.config.send_buffer_bytes);
            converse(transport, input, (peer, access::is_local(peer)), shared, &mut stop).await;
        }
        Err(error) => tracing::debug!(%peer, %error, "gone before it said what it wants"),
    }
}

/// Serves one tunnel to its end.
pub(super) async fn serve_tunnel(opened: tunnel::Opened, shared: Arc<Shared>, mut stop: Stop) {
    let tunnel::Opened { tunnel, peer, is_local } = opened;
    converse(Transport::Tunnel(tunnel), BytesMut::new(), (peer, is_local), shared, &mut stop).await;
}

async fn converse(
    transport: Transport,
    input: BytesMut,
    (peer, is_local): (SocketAddr, bool),
    shared: Arc<Shared>,
    stop: &mut Stop,
) {
    let mut connection = match Connection::new(transport, input, (peer, is_local), shared) {
        Ok(connection) => connection,
        Err(error) => return tracing::error!(%peer, %error, "closed: no random bytes for the handshake"),
    };
    let end = connection.run(stop).await;
    // Boxed: what a farewell needs would otherwise be part of every task from its first day.
    Box::pin(connection.close(end)).await;
}

impl Connection {
    fn new(
        transport: Transport,
        input: BytesMut,
        (peer, is_local): (SocketAddr, bool),
        shared: Arc<Shared>,
    ) -> anyhow::Result<Self> {
        let mut nonce = Nonce([0; 32]);
        getrandom::fill(&mut nonce.0).map_err(|error| anyhow::anyhow!("{error}"))?;
        let now = shared.sources.uptime.now();
        let epoch_ms = u32::try_from(now.as_millis() & u128::from(u32::MAX)).unwrap_or(0);
        Ok(Self {
            session: ServerSession::new(Arc::clone(&shared.session_config), nonce, epoch_ms),
            wire: Arc::new(Wire::new(transport)),
            shared,
            peer,
            is_local,
            agent: String::new(),
            capabilities: Capabilities::default(),
            publishing: Vec::new(),
            playing: Vec::new(),
            buffers: Vec::new(),
            input,
            since: now,
            heard: now,
            written: 0,
            progressed: now,
            _movable: None,
            draining: None,
        })
    }

    async fn run(&mut self, stop: &mut Stop) -> End {
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        // What came with the end of the TLS handshake.
        if let Err(end) = self.take_input().await {
            return end;
        }
        loop {
            let wire = Arc::clone(&self.wire);
            let interest =
                if wire.is_blocked() { Interest::READABLE | Interest::WRITABLE } else { Interest::READABLE };
            let done = tokio::select! {
                ready = wire.transport.ready(interest) => match ready {
                    Err(_) => Err(End::Gone),
                    Ok(ready) => {
                        self.go_on(ready.is_readable() || ready.is_read_closed(), ready.is_writable()).await
                    }
                },
                () = wire.bell.notified() => self.look().await,
                _ = tick.tick() => self.check_deadlines(),
                () = stop.requested(), if self.draining.is_none() => self.drain(),
            };
            if let Err(end) = done {
                return end;
            }
            if self.session.is_closed() {
                return End::Done;
            }
        }
    }

    /// The program stops. Who can come again is asked to, and served until it has.
    fn drain(&mut self) -> Result<(), End> {
        let config = &self.shared.config;
        let is_busy = !self.publishing.is_empty() || !self.playing.is_empty();
        if !self.capabilities.reconnect || !is_busy || config.drain_ms == 0 {
            return Err(End::Stopped);
        }
        let elsewhere = Some(config.drain_to.as_str()).filter(|url| !url.is_empty());
        self.session.request_reconnect(elsewhere, "The server is stopping.");
        self.say();
        self.draining = Some(self.shared.sources.uptime.now());
        Ok(())
    }

    async fn go_on(&mut self, readable: bool, writable: bool) -> Result<(), End> {
        if writable && self.wire.is_blocked() && self.wire.unblock() == Flow::Clear {
            self.playing.iter().for_each(|playing| playing.viewer.deliver());
        }
        if readable { self.read().await } else { Ok(()) }
    }

    /// Takes what the socket has and lets the session make events of it.
    async fn read(&mut self) -> Result<(), End> {
        let publishes = !self.publishing.is_empty();
        self.input.reserve(if publishes { READ_BYTES } else { READ_BYTES_SMALL });
        match self.wire.transport.try_read(&mut self.input) {
            Ok(0) => return Err(End::Gone),
            Ok(_) => self.heard = self.shared.sources.uptime.now(),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                return Err(End::LetGo("tls", format!("TLS: {error}")));
            }
            Err(_) => return Err(End::Gone),
        }
        self.take_input().await
    }

    /// Lets the session make events of what has come.
    async fn take_input(&mut self) -> Result<(), End> {
        for number in 1_usize.. {
            let event = self.session.read(&mut self.input).map_err(|error| self.fault(&error))?;
            let Some(event) = event else { break };
            let handled = self.handle(event).await;
            self.say();
            handled?;
            if number.is_multiple_of(EVENTS_PER_TURN) {
                tokio::task::yield_now().await;
            }
        }
        self.say();
        let unread = self.wire.replies_waiting();
        if unread > REPLIES_BYTES_MAX {
            let text =
                format!("it asks and reads no answer: {unread} bytes wait (limit {REPLIES_BYTES_MAX})");
            return Err(End::LetGo("stalled", text));
        }
        if self.input.is_empty() && self.publishing.is_empty() {
            // A player's acknowledgements are rare; ten thousand players keep no buffer for them.
            self.input = BytesMut::new();
        }
        Ok(())
    }

    /// Tells what happened.
    pub(super) fn emit(&self, event: Event) {
        self.shared.events.emit(event);
    }

    /// Passes what the session wants to say to the wire.
    pub(super) fn say(&mut self) {
        let output = self.session.output();
        if !output.is_empty() {
            let bytes = output.copy_to_bytes(output.remaining());
            self.wire.send(bytes);
        }
    }

    /// The bell rang: the wire is broken, a stream has ended, or a player's buffer is full.
    async fn look(&mut self) -> Result<(), End> {
        if self.wire.failure().is_some() {
            return Err(End::Gone);
        }
        let news =
            self.playing.iter().filter_map(|playing| Some((playing.stream, playing.viewer.buffer_news()?)));
        for (stream, is_full) in news.collect::<Vec<_>>() {
            // The stream is playing by the session's own account, so this cannot be refused.
            let _ = self.session.tell_buffer(stream, is_full);
        }
        self.say();
        let ended =
            self.playing.iter().filter_map(|playing| Some((playing.stream, playing.viewer.ending()?)));
        for (stream, ending) in ended.collect::<Vec<_>>() {
            if let PlayEnding::Untaken(untaken) = ending {
                let text = sentence(&untaken);
                self.session.send_status(stream, &Status::error(code::PLAY_NO_SUPPORTED_TRACK, text.clone()));
                return Err(End::LetGo("untaken", text));
            }
            self.play_on(stream).await?;
            self.say();
            if self.playing.is_empty() && self.publishing.is_empty() {
                return Err(End::Done);
            }
        }
        Ok(())
    }

    pub(super) fn stop_playing(&mut self, stream: MessageStreamId) {
        if let Some(at) = self.playing.iter().position(|playing| playing.stream == stream) {
            let playing = self.playing.swap_remove(at);
            let skipped = playing.viewer.skipped();
            self.emit(Event::PlayEnded { door: "rtmp", peer: self.peer, stream: playing.name, skipped });
        }
    }

    fn check_deadlines(&mut self) -> Result<(), End> {
        let now = self.shared.sources.uptime.now();
        let config = &self.shared.config;
        let after = |since: Duration, ms: u64| now.saturating_sub(since) >= Duration::from_millis(ms);
        if self.draining.is_some_and(|since| after(since, config.drain_ms)) {
            return Err(End::Stopped);
        }
        if self.publishing.iter().any(Publishing::is_evicted) {
            return Err(End::LetGo("evicted", "its stream was taken over or ended".into()));
        }
        if self.publishing.is_empty() && self.playing.is_empty() && after(self.since, config.hello_ms_max) {
            let text = format!(
                "it neither published nor played within {} ms (limit hello_ms_max)",
                config.hello_ms_max
            );
            return Err(End::LetGo("silent", text));
        }
        if !self.publishing.is_empty() && after(self.heard, config.silence_ms_max) {
            let text =
                format!("the publisher sent nothing for {} ms (limit silence_ms_max)", config.silence_ms_max);
            return Err(End::LetGo("silent", text));
        }
        let (clear, written) = self.wire.progress();
        if clear || written != self.written {
            (self.written, self.progressed) = (written, now);
        } else if after(self.progressed, config.stall_ms_max) {
            let text = format!("it read nothing for {} ms (limit stall_ms_max)", config.stall_ms_max);
            return Err(End::LetGo("stalled", text));
        }
        self.check_waiting(now)
    }

    /// Players that wait for a stream wait a bounded time.
    fn check_waiting(&mut self, now: Duration) -> Result<(), End> {
        let viewing = *self.shared.sources.viewing.get();
        let waited = self.playing.iter().find(|playing| {
            playing.viewer.state() == State::Waiting
                && sources::waited_enough(viewing, now.saturating_sub(playing.since))
        });
        let Some(playing) = waited else { return Ok(()) };
        let (stream, text) = (playing.stream, format!("Nobody publishes {}.", playing.name));
        self.session.send_status(stream, &Status::error(code::PLAY_STREAM_NOT_FOUND, text.clone()));
        Err(End::LetGo("not_found", text))
    }

    /// From now on the peer has to say in time what it wants next.
    pub(super) fn restart_hello(&mut self) {
        self.since = self.shared.sources.uptime.now();
    }

    fn fault(&self, error: &Error) -> End {
        let reason = match error {
            Error::Limit { .. } => "limit",
            Error::Unsupported { .. } => "unsupported",
            _ => "protocol",
        };
        // The text may quote the peer, who may have said 64 KiB.
        End::LetGo(reason, error.to_string().chars().take(FAULT_LETTERS_MAX).collect())
    }

    /// Says farewell, logs why, and hangs up so that the peer still reads the last words.
    async fn close(mut self, end: End) {
        let peer = self.peer;
        match &end {
            End::Gone | End::Done => tracing::debug!(%peer, "connection over"),
            End::Stopped => self.session.close("The server is stopping."),
            End::LetGo(reason, text) => {
                let place = self.place();
                self.emit(Event::LetGo { door: "rtmp", reason, peer, place, text: text.clone() });
                self.session.close(text.clone());
            }
        }
        self.say();
        self.publishing.clear();
        self.playing.clear();
        if !matches!(end, End::Gone) {
            // A peer that takes no farewell is cut off.
            let _ = tokio::time::timeout(FAREWELL_MAX, hang_up(&self.wire)).await;
        }
    }

    /// Where in the conversation the connection stands, for the log.
    fn place(&self) -> String {
        if let Some(publishing) = self.publishing.first() {
            return format!("publishing {}", publishing.name());
        }
        if let Some(playing) = self.playing.first() {
            return format!("playing {}", playing.name);
        }
        match self.session.handshake_form() {
            None => format!("handshake, after {} bytes", self.session.received_bytes()),
            Some(_) => format!("before publish or play, after {} bytes", self.session.received_bytes()),
        }
    }
}

/// Writes out what waits, closes the sending half and reads until the peer closes its own: a reset would
/// take the last words away from it.
async fn hang_up(wire: &Wire) {
    while wire.is_blocked() && wire.failure().is_none() {
        if wire.transport.ready(Interest::WRITABLE).await.is_err() {
            return;
        }
        wire.unblock();
    }
    if wire.transport.shut_down().is_err() {
        return;
    }
    let mut discarded = BytesMut::new();
    while wire.transport.ready(Interest::READABLE).await.is_ok() {
        discarded.clear();
        discarded.reserve(READ_BYTES_SMALL);
        match wire.transport.try_read(&mut discarded) {
            Ok(0) => return,
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => return,
            _ => {}
        }
    }
}
