//! One RTMP connection, from its first byte to its farewell.
//!
//! One task, one loop: what the socket brings goes to the session, what the session says goes to the wire.
//! Media to players is written by the lanes (see [`crate::fanout`]); the task takes over while the socket
//! is full.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use headwater_hub::News;
use headwater_rtmp::MessageStreamId;
use headwater_rtmp::command::{Capabilities, Status, code};
use headwater_rtmp::handshake::Nonce;
use headwater_rtmp::session::{ServerEvent, ServerSession, TimedOut};
use tokio::io::Interest;

use super::conversation::Conversation;
use super::end::{End, sentence};
use super::playing::PlayingStream;
use super::publishing::Publishing;
use super::shared::Shared;
use crate::access::{LocalClient, Peer};
use crate::events::Event;
use crate::fanout::{Flow, READ_BYTES_MAX, Steps, Transport, Wire};
use crate::metrics::Guard;
use crate::net::listener::Accepted;
use crate::net::tunnel;
use crate::stop::Stop;

/// Read at once from a peer that does not publish: a greeting, a command, an acknowledgement.
const READ_BYTES_SMALL: usize = 2 << 10;
/// Events handled before other connections get a turn. A read holds a dozen; an aggregate may hold a
/// million.
const EVENTS_PER_TURN: usize = 64;
/// How often a connection that has deadlines looks at them.
const TICK: Duration = Duration::from_secs(1);
/// Replies that a peer may leave unread, in bytes. Who asks without reading would fill the memory.
const REPLIES_BYTES_MAX: usize = 64 << 10;

/// A connection with everything that hangs on it.
pub(super) struct Connection {
    pub(super) shared: Arc<Shared>,
    pub(super) peer: Peer,
    pub(super) conversation: Conversation,
    /// What the client calls itself.
    pub(super) agent: String,
    /// What the client says that it can do beyond RTMP 1.0.
    pub(super) capabilities: Capabilities,
    pub(super) publishing: Vec<Publishing>,
    pub(super) playing: Vec<PlayingStream>,
    /// What players hold in their buffers, in milliseconds; they may say it before they play.
    pub(super) buffers: Vec<(MessageStreamId, u32)>,
    input: BytesMut,
    /// How far the peer has come in taking what is written.
    steps: Steps,
    /// Counts the client while it can be sent elsewhere.
    pub(super) _movable: Option<Guard>,
    /// Counts the client if it is on this machine.
    pub(super) _counted: Option<LocalClient>,
    /// Since when it has been asked to come again, because the program stops.
    draining: Option<Duration>,
}

/// Serves one connection to its end.
pub(super) async fn serve(accepted: Accepted, shared: Arc<Shared>, mut stop: Stop) {
    let Accepted { stream, read, peer, seat: _seat } = accepted;
    let mut input = BytesMut::from(read);
    match Transport::new(stream, &mut input) {
        Ok(transport) => {
            transport.bound_send_buffer(shared.config.send_buffer_bytes);
            let peer = shared.access.peer(peer);
            converse(transport, input, peer, shared, &mut stop).await;
        }
        Err(error) => tracing::debug!(%peer, %error, "gone before it said what it wants"),
    }
}

/// Serves one tunnel to its end.
pub(super) async fn serve_tunnel(opened: tunnel::Opened, shared: Arc<Shared>, mut stop: Stop) {
    let tunnel::Opened { tunnel, peer } = opened;
    converse(Transport::Tunnel(tunnel), BytesMut::new(), peer, shared, &mut stop).await;
}

async fn converse(transport: Transport, input: BytesMut, peer: Peer, shared: Arc<Shared>, stop: &mut Stop) {
    let mut connection = match Connection::new(transport, input, peer, shared) {
        Ok(connection) => connection,
        Err(error) => return tracing::error!(%peer, %error, "closed: no random bytes for the handshake"),
    };
    let end = connection.run(stop).await;
    // Boxed: what a farewell needs would otherwise be part of every task from its first day.
    Box::pin(connection.close(end)).await;
}

impl Connection {
    fn new(transport: Transport, input: BytesMut, peer: Peer, shared: Arc<Shared>) -> anyhow::Result<Self> {
        let mut nonce = Nonce([0; 32]);
        getrandom::fill(&mut nonce.0).map_err(|error| anyhow::anyhow!("{error}"))?;
        let now = shared.sources.uptime.now();
        Ok(Self {
            conversation: Conversation {
                session: ServerSession::new(Arc::clone(&shared.session_config), nonce, now),
                wire: Arc::new(Wire::new(transport)),
            },
            shared,
            peer,
            agent: String::new(),
            capabilities: Capabilities::default(),
            publishing: Vec::new(),
            playing: Vec::new(),
            buffers: Vec::new(),
            input,
            steps: Steps::default(),
            _movable: None,
            _counted: None,
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
            let wire = Arc::clone(&self.conversation.wire);
            let interest =
                if wire.is_blocked() { Interest::READABLE | Interest::WRITABLE } else { Interest::READABLE };
            let release_in = self.release_in();
            let done = tokio::select! {
                ready = wire.transport.ready(interest) => match ready {
                    Err(_) => Err(End::Gone),
                    Ok(ready) => {
                        self.go_on(ready.is_readable() || ready.is_read_closed(), ready.is_writable()).await
                    }
                },
                () = wire.bell.notified() => Box::pin(self.look()).await,
                _ = tick.tick(), if self.has_deadline() => self.check_deadlines(),
                () = pause(release_in), if release_in.is_some() => self.release(),
                () = stop.requested(), if self.draining.is_none() => self.drain(),
            };
            if let Err(end) = done {
                return end;
            }
            if self.conversation.session.is_closed() {
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
        self.conversation.session.request_reconnect(elsewhere, "The server is stopping.");
        self.conversation.say();
        self.draining = Some(self.shared.sources.uptime.now());
        Ok(())
    }

    async fn go_on(&mut self, readable: bool, writable: bool) -> Result<(), End> {
        if writable && self.conversation.wire.is_blocked() && self.conversation.wire.unblock() == Flow::Clear
        {
            self.playing.iter().for_each(|playing| playing.viewer.deliver());
        }
        if readable { self.read().await } else { Ok(()) }
    }

    /// Takes what the socket has and lets the session make events of it.
    async fn read(&mut self) -> Result<(), End> {
        let bytes_max = if self.publishing.is_empty() { READ_BYTES_SMALL } else { READ_BYTES_MAX };
        match self.conversation.wire.transport.try_read(&mut self.input, bytes_max) {
            Ok(0) => return Err(End::Gone),
            Ok(_) => self.conversation.session.heard(self.shared.sources.uptime.now()),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.give_room_back();
                return Ok(());
            }
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
            let event =
                self.conversation.session.read(&mut self.input).map_err(|error| End::fault(&error))?;
            let Some(event) = event else { break };
            let handled = self.hear(event).await;
            self.conversation.say();
            handled?;
            if number.is_multiple_of(EVENTS_PER_TURN) {
                tokio::task::yield_now().await;
            }
        }
        self.conversation.say();
        let unread = self.conversation.wire.replies_waiting();
        if unread > REPLIES_BYTES_MAX {
            let text =
                format!("it asks and reads no answer: {unread} bytes wait (limit {REPLIES_BYTES_MAX})");
            return Err(End::LetGo("stalled", text));
        }
        self.give_room_back();
        Ok(())
    }

    /// A player's acknowledgements are rare; ten thousand players keep no buffer for them.
    fn give_room_back(&mut self) {
        if self.input.is_empty() && self.publishing.is_empty() {
            self.input = BytesMut::new();
        }
    }

    /// Tells what happened.
    pub(super) fn emit(&self, event: Event) {
        self.shared.events.emit(event);
    }

    /// Media goes its own way; everything else is something that the client asks for.
    async fn hear(&mut self, event: ServerEvent) -> Result<(), End> {
        let now = self.shared.sources.uptime.now();
        match event {
            ServerEvent::Media { stream, kind, timestamp, body } => match self.publishing(stream) {
                Some(publishing) => publishing.take(kind, timestamp, body, now),
                None => Ok(()),
            },
            ServerEvent::Data { stream, timestamp, scope, payload } => {
                if let Some(publishing) = self.publishing(stream) {
                    publishing.take_data(timestamp, scope, payload, now);
                }
                Ok(())
            }
            // Boxed, as is what follows a bell: requests are rare, and every task would have room for the largest.
            request => Box::pin(self.handle(request)).await,
        }
    }

    /// The bell rang: the wire is broken, or a player is to be told something.
    async fn look(&mut self) -> Result<(), End> {
        if self.conversation.wire.failure().is_some() {
            return Err(End::Gone);
        }
        for stream in self.playing.iter().map(|playing| playing.stream).collect::<Vec<_>>() {
            self.tell_news(stream).await?;
            self.conversation.say();
        }
        Ok(())
    }

    /// Tells a player how it stands with its stream, and goes on with what follows when it is over.
    async fn tell_news(&mut self, stream: MessageStreamId) -> Result<(), End> {
        while let Some(playing) = self.playing(stream) {
            let viewer = Arc::clone(&playing.viewer);
            if let Some(unaccepted) = viewer.unaccepted() {
                let text = sentence(&unaccepted);
                let status = Status::error(code::PLAY_NO_SUPPORTED_TRACK, text.clone());
                self.conversation.session.send_status(stream, &status);
                return Err(End::LetGo("untaken", text));
            }
            let has_next = !playing.playlist.is_empty();
            let (news, is_over) = viewer.with(|playback| (playback.news(), playback.has_ended()));
            let session = &mut self.conversation.session;
            // The stream is playing by the session's own account, so telling it cannot be refused.
            match news {
                Some(News::BufferFull) => drop(session.tell_buffer(stream, true)),
                Some(News::BufferFed) => drop(session.tell_buffer(stream, false)),
                Some(News::Ended(end)) => self.play_on(stream, Some(end)).await?,
                None if is_over && has_next => self.play_on(stream, None).await?,
                None => break,
            }
        }
        if self.playing.is_empty() && self.publishing.is_empty() { Err(End::Done) } else { Ok(()) }
    }

    pub(super) fn playing(&self, stream: MessageStreamId) -> Option<&PlayingStream> {
        self.playing.iter().find(|playing| playing.stream == stream)
    }

    fn publishing(&mut self, stream: MessageStreamId) -> Option<&mut Publishing> {
        self.publishing.iter_mut().find(|publishing| publishing.stream() == stream)
    }

    pub(super) fn stop_playing(&mut self, stream: MessageStreamId) {
        if let Some(at) = self.playing.iter().position(|playing| playing.stream == stream) {
            let playing = self.playing.swap_remove(at);
            let skipped = playing.viewer.with(|playback| playback.skipped());
            let peer = self.peer.address;
            self.emit(Event::PlayEnded { door: "rtmp", peer, stream: playing.name, skipped });
        }
    }

    /// How long until a publisher's picture that is held back is to go on as it is.
    fn release_in(&self) -> Option<Duration> {
        let at = self.publishing.iter().filter_map(Publishing::release_at).min()?;
        Some(at.saturating_sub(self.shared.sources.uptime.now()))
    }

    fn release(&mut self) -> Result<(), End> {
        let now = self.shared.sources.uptime.now();
        self.publishing.iter_mut().for_each(|publishing| publishing.release(now));
        Ok(())
    }

    /// Whether anything is waited for. A player that keeps up has no deadline: thousands of them wake nobody.
    fn has_deadline(&self) -> bool {
        self.conversation.wire.is_blocked()
            || self.conversation.session.next_deadline().is_some()
            || self.draining.is_some()
            || !self.publishing.is_empty()
            || self
                .playing
                .iter()
                .any(|playing| playing.viewer.with(|playback| playback.deadline().is_some()))
    }

    fn check_deadlines(&mut self) -> Result<(), End> {
        let now = self.shared.sources.uptime.now();
        let config = &self.shared.config;
        if self.draining.is_some_and(|since| now.saturating_sub(since).as_millis() >= config.drain_ms.into())
        {
            return Err(End::Stopped);
        }
        if self.publishing.iter().any(Publishing::is_evicted) {
            return Err(End::LetGo("evicted", "its stream was taken over or ended".into()));
        }
        let (is_clear, written) = self.conversation.wire.progress();
        let written = self.steps.count(written, self.shared.config.write_min_bytes);
        self.conversation.session.sent(now, written, !is_clear);
        self.conversation.session.check(now).map_err(timed_out)?;
        self.check_waiting(now)
    }

    /// Players that wait for a stream wait a bounded time.
    fn check_waiting(&mut self, now: Duration) -> Result<(), End> {
        let mut playing = self.playing.iter();
        let waited = playing.find(|playing| playing.viewer.with(|playback| playback.is_overdue(now)));
        let Some(playing) = waited else { return Ok(()) };
        let (stream, text) = (playing.stream, format!("Nobody publishes {}.", playing.name));
        self.conversation
            .session
            .send_status(stream, &Status::error(code::PLAY_STREAM_NOT_FOUND, text.clone()));
        Err(End::LetGo("not_found", text))
    }

    /// Says farewell, logs why, and hangs up so that the peer still reads the last words.
    async fn close(mut self, end: End) {
        let peer = self.peer;
        match &end {
            End::Gone | End::Done => tracing::debug!(%peer, "connection over"),
            End::Stopped => self.conversation.session.close("The server is stopping."),
            End::LetGo(reason, text) => {
                let place = self.place();
                let told = self.shared.access.masked(text).into_owned();
                self.emit(Event::LetGo {
                    door: "rtmp",
                    reason,
                    peer: peer.address,
                    place,
                    text: told.clone(),
                });
                self.conversation.session.close(told);
            }
        }
        self.conversation.say();
        self.publishing.clear();
        self.playing.clear();
        if !matches!(end, End::Gone) {
            self.conversation.wire.hang_up().await;
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
        match self.conversation.session.handshake_form() {
            None => format!("handshake, after {} bytes", self.conversation.session.received_bytes()),
            Some(_) => {
                format!("before publish or play, after {} bytes", self.conversation.session.received_bytes())
            }
        }
    }
}

/// Waits; without a time for ever.
async fn pause(time: Option<Duration>) {
    match time {
        Some(time) => tokio::time::sleep(time).await,
        None => std::future::pending().await,
    }
}

/// The limits by the names that an operator finds them under.
fn timed_out(why: TimedOut) -> End {
    let ms = |limit: Duration| limit.as_millis();
    let (reason, text) = match why {
        TimedOut::Setup(limit) => {
            let ms = ms(limit);
            ("silent", format!("it neither published nor played within {ms} ms (limit setup_timeout_ms)"))
        }
        TimedOut::Read(limit) => {
            ("silent", format!("the publisher sent nothing for {} ms (limit read_timeout_ms)", ms(limit)))
        }
        TimedOut::Write(limit) => {
            let text = format!(
                "it read nothing, or next to nothing (write_min_bytes), for {} ms (limit write_timeout_ms)",
                ms(limit)
            );
            ("stalled", text)
        }
    };
    End::LetGo(reason, text)
}
