//! An answer that is a stream: lanes write it to the socket, this task listens to the peer and waits while the socket is
//! full. Over HTTP/2 a pipe is in the socket's place.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use axum::http::header::{CONNECTION, CONTENT_LENGTH, DATE, HeaderName, TRANSFER_ENCODING};
use axum::http::response::Parts;
use axum::http::{HeaderValue, StatusCode};
use bytes::{Bytes, BytesMut};
use headwater_hub::Playback;
use headwater_media::flv::Dialect;
use tokio::io::Interest;
use tokio::time::{Instant, MissedTickBehavior};
use tungstenite::protocol::frame::coding::CloseCode;

use super::asked::stalled;
use super::stall::StallLimit;
use super::ws::{self, Said};
use crate::events::{Event, Events};
use crate::fanout::{Envelope, Flow, Format, Steps, Transport, Viewer, Wire};
use crate::metrics::Viewing;
use crate::stop::Stop;

/// What the peer of an HTTP response may say behind its request, in bytes.
const INBOUND_BYTES_MAX: usize = 4096;
/// Answers to pings that a peer may leave unread, in bytes.
const REPLIES_BYTES_MAX: usize = 64 << 10;
/// How often it is looked whether a peer that takes nothing has been waited for long enough.
const TICK: Duration = Duration::from_secs(1);
/// Behind the last chunk (RFC 9112, 7.1).
const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

/// What is streamed, and to whom.
pub(super) struct Streaming {
    pub(super) playback: Playback,
    /// What the viewer's side takes.
    pub(super) dialect: Dialect,
    pub(super) envelope: Envelope,
    /// `http-flv` or `ws-flv`.
    pub(super) door: &'static str,
    /// Of the stream.
    pub(super) name: String,
    /// What the viewer calls itself.
    pub(super) agent: String,
    pub(super) counted: Viewing,
}

/// Who watches a stream, as far as is told of it, and how long is waited for them.
#[derive(Clone, Copy)]
pub(super) struct Watching<'a> {
    pub(super) peer: SocketAddr,
    pub(super) events: &'a Events,
    pub(super) stall_limit: &'a StallLimit,
    /// Less than this counts as nothing taken.
    pub(super) write_min_bytes: u64,
    /// What was asked for, for the log.
    pub(super) place: &'a (dyn Fn() -> String + Sync),
}

/// Why a stream was over.
#[derive(Debug)]
pub(super) enum End {
    /// All was sent, or the server stops.
    Over,
    /// The viewer went.
    Left,
    /// It took nothing for too long.
    Stalled,
    /// It said what it may not.
    Broke(CloseCode, String),
}

/// A connection that streams.
struct Connection {
    wire: Arc<Wire>,
    viewer: Arc<Viewer>,
    envelope: Envelope,
    /// What the peer has said and was not understood yet.
    input: BytesMut,
    /// Since when the socket has taken nothing, and how much it had taken before.
    stalled: Option<(Instant, u64)>,
    steps: Steps,
    /// Less than this counts as nothing.
    step_bytes: u64,
}

impl Streaming {
    /// Streams to the end, behind `head` where nobody else sends it, and tells of it. Returns why it was over.
    pub(super) async fn play(
        self,
        head: Option<Parts>,
        connection: (Transport, BytesMut),
        watching: Watching<'_>,
        stop: &mut Stop,
    ) -> End {
        let Watching { peer, events, stall_limit, write_min_bytes, place } = watching;
        let (door, stream, agent) = (self.door, self.name.clone(), self.agent.clone());
        events.emit(Event::PlayBegan { door, peer, stream: stream.clone(), agent });
        let patience = (stall_limit.limit().0, write_min_bytes);
        let (end, skipped) = self.run(head, connection, patience, stop).await;
        match &end {
            End::Over | End::Left => {}
            End::Stalled => events.emit(stalled(peer, place(), stall_limit)),
            End::Broke(_, text) => {
                events.emit(Event::PlayBroke { door, peer, stream: stream.clone(), text: text.clone() });
            }
        }
        events.emit(Event::PlayEnded { door, peer, stream, skipped });
        end
    }

    /// Returns why it was over, and how many frames were skipped.
    async fn run(
        self,
        head: Option<Parts>,
        (transport, input): (Transport, BytesMut),
        (stall_max, step_bytes): (Duration, u64),
        stop: &mut Stop,
    ) -> (End, u64) {
        let wire = Arc::new(Wire::new(transport));
        if let Some(head) = head {
            wire.send(head_bytes(head, self.envelope));
        }
        let format = Format::Flv(self.envelope);
        let viewer = Arc::new(Viewer::new(Arc::clone(&wire), self.playback, format, self.dialect));
        let watch = Viewer::watch(&viewer);
        let mut connection = Connection {
            wire,
            viewer,
            envelope: self.envelope,
            input,
            stalled: None,
            steps: Steps::default(),
            step_bytes,
        };
        let end = connection.run(stall_max, stop).await;
        drop((watch, self.counted));
        let skipped = connection.viewer.with(|playback| playback.skipped());
        // Boxed: what a farewell needs would otherwise be part of every task from its first day.
        Box::pin(connection.say_farewell(&end)).await;
        (end, skipped)
    }
}

impl Connection {
    async fn run(&mut self, stall_max: Duration, stop: &mut Stop) -> End {
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut end = self.hear();
        while end.is_ok() {
            let wire = Arc::clone(&self.wire);
            let is_blocked = wire.is_blocked();
            let interest =
                if is_blocked { Interest::READABLE | Interest::WRITABLE } else { Interest::READABLE };
            end = tokio::select! {
                ready = wire.transport.ready(interest) => match ready {
                    Err(_) => Err(End::Left),
                    Ok(ready) => {
                        if ready.is_writable() && is_blocked && wire.unblock() == Flow::Clear {
                            self.viewer.deliver();
                        }
                        if ready.is_readable() || ready.is_read_closed() { self.read() } else { Ok(()) }
                    }
                },
                () = wire.bell.notified() => self.look(),
                _ = tick.tick(), if is_blocked => self.check_stall(stall_max),
                () = stop.requested() => Err(End::Over),
            };
        }
        end.err().unwrap_or(End::Over)
    }

    /// The bell rang: the wire is broken, it is full, or everything has been sent.
    fn look(&self) -> Result<(), End> {
        if self.wire.failure().is_some() {
            return Err(End::Left);
        }
        self.viewer.with(|playback| {
            // How full its buffer is, is nothing that such a viewer can be told.
            while playback.news().is_some() {}
            if playback.has_ended() { Err(End::Over) } else { Ok(()) }
        })
    }

    fn check_stall(&mut self, stall_max: Duration) -> Result<(), End> {
        let (is_clear, written) = self.wire.progress();
        let written = self.steps.count(written, self.step_bytes);
        let same = self.stalled.filter(|(_, before)| *before == written && !is_clear);
        let (since, _) = *self.stalled.insert(same.unwrap_or_else(|| (Instant::now(), written)));
        if since.elapsed() >= stall_max { Err(End::Stalled) } else { Ok(()) }
    }

    fn read(&mut self) -> Result<(), End> {
        match self.wire.transport.try_read(&mut self.input, INBOUND_BYTES_MAX / 4) {
            Ok(1..) => self.hear(),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.give_room_back();
                Ok(())
            }
            Ok(0) | Err(_) => Err(End::Left),
        }
    }

    /// Answers what the peer has said.
    fn hear(&mut self) -> Result<(), End> {
        if self.envelope != Envelope::WebSocketMessage {
            let is_too_much = self.input.len() > INBOUND_BYTES_MAX;
            let text = "it goes on talking instead of watching".to_owned();
            return if is_too_much { Err(End::Broke(CloseCode::Policy, text)) } else { Ok(()) };
        }
        while let Some(said) =
            ws::hear(&mut self.input).map_err(|fault| End::Broke(fault.code, fault.text))?
        {
            match said {
                Said::Ping(content) => self.wire.send(ws::pong(content)),
                Said::Close => return Err(End::Left),
            }
        }
        let unread = self.wire.replies_waiting();
        if unread > REPLIES_BYTES_MAX {
            let text =
                format!("it asks and reads no answer: {unread} bytes wait (limit {REPLIES_BYTES_MAX})");
            return Err(End::Broke(CloseCode::Policy, text));
        }
        self.give_room_back();
        Ok(())
    }

    /// Viewers hardly say anything; thousands of them keep no buffer for it.
    fn give_room_back(&mut self) {
        if self.input.is_empty() {
            self.input = BytesMut::new();
        }
    }

    /// Says that it is over, to who can still hear it.
    async fn say_farewell(&self, end: &End) {
        let code = match end {
            End::Over | End::Left => CloseCode::Normal,
            End::Broke(code, _) => *code,
            End::Stalled => return,
        };
        match (self.envelope, end) {
            (Envelope::WebSocketMessage, _) => self.wire.send(ws::close(code)),
            (Envelope::HttpChunk, End::Over) => self.wire.send(Bytes::from_static(LAST_CHUNK)),
            _ => {}
        }
        self.wire.hang_up().await;
    }
}

/// The head of a response that the stream follows; with it the connection ends. The names are written as HTTP/1.0 did:
/// librtmp looks for `Content-Length`, not for `content-length`.
fn head_bytes(head: Parts, envelope: Envelope) -> Bytes {
    let Parts { status, mut headers, .. } = head;
    // The router, where the path begins as one of its own does, takes it for a response without a body.
    headers.remove(CONTENT_LENGTH);
    let version = if envelope == Envelope::Bare { "HTTP/1.0" } else { "HTTP/1.1" };
    if status != StatusCode::SWITCHING_PROTOCOLS {
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    if envelope == Envelope::HttpChunk {
        headers.insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
    }
    if let Ok(now) = HeaderValue::try_from(httpdate::fmt_http_date(SystemTime::now())) {
        headers.insert(DATE, now);
    }
    let mut bytes = format!("{version} {status}\r\n").into_bytes();
    for (name, value) in &headers {
        bytes.extend_from_slice(title_case(name).as_bytes());
        bytes.extend_from_slice(b": ");
        bytes.extend_from_slice(value.as_bytes());
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(b"\r\n");
    bytes.into()
}

fn title_case(name: &HeaderName) -> String {
    let mut begins = true;
    let letters = name.as_str().chars().map(|letter| {
        let cased = if begins { letter.to_ascii_uppercase() } else { letter };
        begins = letter == '-';
        cased
    });
    letters.collect()
}
