//! Connections that speak HTTP/2 (RFC 9113), which clients choose inside TLS (ALPN): many requests at once, none of which
//! can take the socket for itself. Live streams are bodies here; WebSockets are not offered, browsers open another
//! connection for them.

use std::convert::Infallible;
use std::error::Error;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::extract::Request;
use axum::http::header::CONTENT_LENGTH;
use axum::response::Response;
use bytes::{Bytes, BytesMut};
use hyper::body::Incoming;
use hyper::server::conn::http2::Builder;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::time::MissedTickBehavior;

use super::asked::{let_go, stalled};
use super::caller::Caller;
use super::exchange::{Exchange, Exchanges, Watched};
use super::handover::{self, Handover};
use super::io::Io;
use super::shared::Shared;
use super::stall::{Guarded, StallLimit};
use super::streaming::{End, Streaming, Watching};
use super::{Config, gives_way};
use crate::fanout::Transport;
use crate::net::listener::Stream;
use crate::net::pipe;
use crate::net::seats::GUEST_TIMEOUT;
use crate::stop::Stop;

/// What clients call it (ALPN).
pub(super) const ALPN: &str = "h2";
/// The head of a request, unpacked, in bytes: somewhat more than the longest target that is read.
const HEAD_BYTES_MAX: u32 = 64 << 10;
/// What a peer may put into one frame, in bytes; the least that there may be (RFC 9113, 4.2), and it is kept in memory.
const FRAME_BYTES_MAX: u32 = 16 << 10;
/// Bytes of bodies that a peer may send before they are read: on one connection, so that an upload is not held up over long
/// distances, and nobody can have more kept in memory.
const RECEIVED_BYTES_MAX: u32 = 1 << 20;
/// Bytes of an answer that wait for the socket, at most, beside the piece that comes next.
const SENT_BYTES_MAX: usize = 64 << 10;
/// Requests that a peer takes back before they were looked at, at most ("rapid reset"): after that it is cut off.
const TAKEN_BACK_MAX: usize = 20;
/// Requests that were ended because the peer broke the rules in them, at most: after that it is cut off.
const BROKEN_MAX: usize = 64;
/// How often it is asked whether a silent peer is still there.
const PING_EVERY: Duration = Duration::from_secs(30);
/// How long it has to answer: longer than what was sent before can wait in the network, on a slow line.
const PING_MAX: Duration = Duration::from_secs(60);
/// How often it is looked whether answers are taken.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Whether the client has chosen it.
pub(super) fn is_chosen(stream: &Stream) -> bool {
    matches!(stream, Stream::Tls(tls) if tls.get_ref().1.alpn_protocol() == Some(ALPN.as_bytes()))
}

/// Answers requests until the connection ends.
pub(super) async fn serve(
    (stream, read): (Stream, Bytes),
    shared: &Arc<Shared>,
    caller: Caller,
    stop: &mut Stop,
) {
    let _counted = shared.metrics.http2();
    let exchanges = Exchanges::new(caller.config.http2_requests_max);
    let caller = Arc::new(caller);
    let stall_limit = Arc::new(StallLimit::of(&caller.config));
    let on_stall = {
        let (caller, limit) = (Arc::clone(&caller), Arc::clone(&stall_limit));
        move || caller.emit_stalled(&limit)
    };
    let socket = Io::new(stream, read, None, Arc::new(Handover::default()));
    let io = TokioIo::new(Guarded::new(socket, Arc::clone(&stall_limit), on_stall));
    let service = Service { caller: Arc::clone(&caller), exchanges: exchanges.clone(), stop: stop.clone() };
    let mut connection = pin!(builder(&caller.config, &exchanges).serve_connection(io, service));
    let mut watch = Watch::new(&caller, &exchanges, &stall_limit);
    let mut look = tokio::time::interval(LOOK_EVERY);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut is_stopping = false;
    loop {
        let next = tokio::select! {
            ended = &mut connection => {
                if let Err(error) = ended {
                    report(&caller, &error);
                }
                break;
            }
            () = gives_way(&caller.seat) => break,
            () = stop.requested(), if !is_stopping => {
                is_stopping = true;
                Next::Leave
            }
            _ = look.tick() => watch.look(),
        };
        match next {
            Next::GoOn => {}
            Next::Leave => connection.as_mut().graceful_shutdown(),
            Next::Cut => break,
        }
    }
    exchanges.end().await;
}

fn builder(config: &Config, exchanges: &Exchanges) -> Builder<Exchanges> {
    let mut builder = Builder::new(exchanges.clone());
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(config.http2_requests_max)
        .max_header_list_size(HEAD_BYTES_MAX)
        .max_frame_size(FRAME_BYTES_MAX)
        .initial_connection_window_size(RECEIVED_BYTES_MAX)
        .initial_stream_window_size(RECEIVED_BYTES_MAX)
        .max_send_buf_size(SENT_BYTES_MAX)
        .max_pending_accept_reset_streams(TAKEN_BACK_MAX)
        .max_local_error_reset_streams(BROKEN_MAX)
        .keep_alive_interval(PING_EVERY)
        .keep_alive_timeout(PING_MAX);
    builder
}

/// What becomes of a connection.
#[derive(Debug, PartialEq, Eq)]
enum Next {
    GoOn,
    /// It takes no more requests, and ends when those under way are answered.
    Leave,
    /// It ends now.
    Cut,
}

/// Looks after a connection: what it takes, and whether it still wants anything.
struct Watch<'a> {
    caller: &'a Caller,
    exchanges: &'a Exchanges,
    /// Of the socket.
    stall_limit: &'a StallLimit,
    /// Since when nothing is under way.
    idle: Instant,
    is_leaving: bool,
}

impl<'a> Watch<'a> {
    fn new(caller: &'a Caller, exchanges: &'a Exchanges, stall_limit: &'a StallLimit) -> Self {
        Self { caller, exchanges, stall_limit, idle: Instant::now(), is_leaving: false }
    }

    fn look(&mut self) -> Next {
        let standing = self.exchanges.look();
        for exchange in &standing.given_up {
            self.caller.emit_given_up(exchange);
        }
        self.stall_limit.sends_film(standing.sends_film);
        if !standing.is_idle {
            self.idle = Instant::now();
        }
        let (has_asked, idle) = (!self.caller.asked.is_nothing(), self.idle.elapsed());
        let (guest, head_timeout) = (self.caller.seat.guest(), self.caller.head_timeout());
        if self.is_leaving {
            // Everything is answered, and the peer does not take the rest.
            let is_stuck = idle >= self.stall_limit.limit().0;
            if is_stuck {
                self.caller.emit_stalled(self.stall_limit);
            }
            return if is_stuck { Next::Cut } else { Next::GoOn };
        }
        if !has_asked && idle >= head_timeout {
            self.caller.emit_silent(head_timeout);
            return Next::Cut;
        }
        if idle < head_timeout && !(guest.is_some() && has_asked) {
            return Next::GoOn;
        }
        self.is_leaving = true;
        self.idle = Instant::now();
        Next::Leave
    }
}

impl Caller {
    /// How long it has to ask for something.
    pub(super) fn head_timeout(&self) -> Duration {
        let configured = Duration::from_millis(self.config.head_timeout_ms);
        if self.seat.guest().is_some() { configured.min(GUEST_TIMEOUT) } else { configured }
    }

    fn emit_stalled(&self, limit: &StallLimit) {
        self.shared.events.emit(stalled(self.origin.address, self.asked.place(&self.shared.access), limit));
    }

    fn emit_given_up(&self, exchange: &Exchange) {
        let place = exchange.asked.place(&self.shared.access);
        self.shared.events.emit(stalled(self.origin.address, place, &exchange.stall_limit));
    }

    /// Nothing was asked for.
    pub(super) fn emit_silent(&self, head_timeout: Duration) {
        let ms = head_timeout.as_millis();
        let text = format!("no request came within {ms} ms (limit head_timeout_ms)");
        self.shared.events.emit(let_go(
            self.origin.address,
            self.asked.place(&self.shared.access),
            "silent",
            text,
        ));
    }
}

/// Tells why a connection was ended from here. A peer that hangs up is no news; a stall was told when it was noticed.
fn report(caller: &Caller, error: &hyper::Error) {
    let (peer, place) = (caller.origin.address, caller.asked.place(&caller.shared.access));
    let mut text = error.to_string();
    let (mut next, mut is_of_socket) = (error.source(), false);
    while let Some(source) = next {
        is_of_socket |= source.is::<io::Error>();
        text = format!("{text}: {source}");
        next = source.source();
    }
    if is_of_socket || error.is_timeout() {
        return tracing::debug!(%peer, place, text, "http/2 connection ended");
    }
    caller.shared.events.emit(let_go(peer, place, "protocol", format!("no HTTP/2: {text}")));
}

/// Who answers the requests of one connection.
struct Service {
    caller: Arc<Caller>,
    exchanges: Exchanges,
    stop: Stop,
}

impl hyper::service::Service<Request<Incoming>> for Service {
    type Response = Response<Watched>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let exchange = Arc::new(Exchange::new(StallLimit::of(&self.caller.config)));
        exchange.asked.note(&request);
        self.caller.asked.note(&request);
        self.exchanges.begin(Arc::clone(&exchange));
        let routed = self.caller.route(request, &exchange.stall_limit, None);
        let (caller, exchanges, stop) = (Arc::clone(&self.caller), self.exchanges.clone(), self.stop.clone());
        Box::pin(async move { Ok(answer(routed.await?, exchange, &caller, &exchanges, stop)) })
    }
}

/// The answer as it is sent: one that is a stream gets its body, whose other end the lanes write to.
fn answer(
    mut response: Response,
    exchange: Arc<Exchange>,
    caller: &Arc<Caller>,
    exchanges: &Exchanges,
    stop: Stop,
) -> Response<Watched> {
    if let Some(streaming) = handover::detach(&mut response) {
        let (writer, body) = pipe::pipe();
        exchange.streams();
        // The router, where the path begins as one of its own does, takes it for a response without a body.
        response.headers_mut().remove(CONTENT_LENGTH);
        *response.body_mut() = Body::new(body);
        let stream = (streaming, Transport::Pipe(writer));
        exchanges.run(play(stream, Arc::clone(&exchange), Arc::clone(caller), exchanges.clone(), stop));
    }
    response.map(|body| Watched::new(body, exchange))
}

/// Plays a stream into an answer's body.
async fn play(
    (streaming, transport): (Streaming, Transport),
    exchange: Arc<Exchange>,
    caller: Arc<Caller>,
    exchanges: Exchanges,
    mut stop: Stop,
) {
    let watching = Watching {
        peer: caller.origin.address,
        events: &caller.shared.events,
        stall_limit: &exchange.stall_limit,
        write_min_bytes: caller.config.write_min_bytes,
        place: &|| exchange.asked.place(&caller.shared.access),
    };
    let end = streaming.play(None, (transport, BytesMut::new()), watching, &mut stop).await;
    if matches!(end, End::Stalled) {
        exchanges.give_up(&exchange);
    }
}
