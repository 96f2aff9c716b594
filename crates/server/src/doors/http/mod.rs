//! The HTTP door: HTTP-FLV, WebSocket-FLV, the pages, the API, health and metrics.
//!
//! One router on hyper's connections, which this door accepts itself so that every connection has a
//! seat, a deadline and a bounded farewell.

mod api;
mod assets;
mod body;
mod clips;
mod config;
mod cors;
mod files;
mod film_address;
mod films;
mod flv;
mod gate;
mod handover;
mod hls;
mod io;
mod live_hls;
mod live_picture;
mod negotiation;
mod pages;
mod preconditions;
mod query;
mod recordings;
mod refusals;
mod route;
mod rtmpt;
mod sendfile;
mod shared;
mod stall;
mod streaming;
mod target;
mod thumbnails;
mod tus;
mod uploads;
mod vod;
mod ws;

use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::http::header::RETRY_AFTER;
use axum::http::response::Parts;
use axum::response::{IntoResponse, Response};
use bytes::{Bytes, BytesMut};
use futures_util::future::{self, Either, FutureExt, Ready};
use hyper::body::Incoming;
use hyper_util::rt::{TokioIo, TokioTimer};
use parking_lot::Mutex;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

pub(crate) use self::config::Config;
pub(crate) use self::files::cuts::Cuts;
use self::handover::{Answering, Handover};
use self::io::Io;
pub(crate) use self::live_hls::{Audience, Playlists};
use self::sendfile::Ranges;
pub(crate) use self::shared::Shared;
use self::stall::StallLimit;
use self::streaming::{End, Streaming};

use crate::access::{Access, Origin};
use crate::events::{Event, Events};
use crate::fanout::Transport;
use crate::live::Live;
use crate::net::acceptor::Protocol;
use crate::net::listener::{Accepted, Stream};
use crate::net::seats::{GUEST_TIMEOUT, Seat};
use crate::stop::Stop;

/// HTTP among the listeners: it begins with a method.
pub(crate) static PROTOCOL: Protocol = Protocol {
    name: "http",
    tls_name: "https",
    alpn: Some("http/1.1"),
    begins_with: |first| first.is_ascii_uppercase(),
};
/// A request's head in memory, at most: thousands of peers may each send one slowly. What is written may wait in as
/// much.
const HEAD_BYTES_MAX: usize = 128 << 10;
/// How often it is looked which viewers of HLS have gone.
const SWEEP_EVERY: Duration = Duration::from_secs(1);
/// What is logged of a request's path.
const PLACE_LETTERS_MAX: usize = 200;

/// Whether the console and the watch page are in this binary.
pub(crate) fn pages_are_built() -> bool {
    assets::COMPLETE
}

/// Serves connections until `stop` turns true, then waits until each has finished its answer. A connection keeps the
/// `config` that it began with.
pub(crate) async fn serve(
    mut arrivals: mpsc::Receiver<Accepted>,
    config: Live<Config>,
    shared: Arc<Shared>,
    mut stop: Stop,
) {
    let router = route::router(&shared);
    let connections_stop = stop.clone();
    let mut connections = JoinSet::new();
    let mut sweeps = tokio::time::interval(SWEEP_EVERY);
    sweeps.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            Some(accepted) = arrivals.recv() => {
                let (shared, router, stop) = (Arc::clone(&shared), router.clone(), connections_stop.clone());
                connections.spawn(connection(accepted, config.get(), shared, router, stop));
            }
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
            _ = sweeps.tick() => shared.audience.sweep(&shared.events),
            () = stop.requested() => break,
        }
    }
    while connections.join_next().await.is_some() {}
}

/// Serves one connection: requests, and then perhaps a stream to its end.
async fn connection(
    accepted: Accepted,
    config: Arc<Config>,
    shared: Arc<Shared>,
    router: Router,
    mut stop: Stop,
) {
    let asked = Arc::new(Asked::default());
    let stall_limit = Arc::new(StallLimit::new(
        Duration::from_millis(config.write_timeout_ms),
        Duration::from_millis(config.film_write_timeout_ms),
    ));
    let write_min_bytes = config.write_min_bytes;
    let Accepted { stream, read, peer: origin, seat } = accepted;
    let seat = Arc::new(seat);
    let peer = origin.address;
    let caller = Caller {
        router,
        config: Arc::clone(&config),
        access: Arc::clone(&shared.access),
        events: Arc::clone(&shared.events),
        origin,
        is_in_tls: matches!(stream, Stream::Tls(_)),
        seat: Arc::clone(&seat),
        stall_limit: Arc::clone(&stall_limit),
        asked: Arc::clone(&asked),
    };
    // Boxed: what requests need is given back before a stream begins.
    let handed_over = Box::pin(requests((stream, read), config, &shared, caller, &mut stop)).await;
    let Some(Handed { head, streaming, stream, mut input }) = handed_over else { return };
    stream.set_unacknowledged_bounded(!stall_limit.is_for_film());
    let transport = match Transport::new(stream, &mut input) {
        Ok(transport) => transport,
        Err(error) => return tracing::debug!(%peer, %error, "gone before its stream began"),
    };
    let (door, name, agent) = (streaming.door, streaming.name.clone(), streaming.agent.clone());
    shared.events.emit(Event::PlayBegan { door, peer, stream: name.clone(), agent });
    let patience = (stall_limit.limit().0, write_min_bytes);
    let (end, skipped) = streaming.run(head, (transport, input), patience, &mut stop).await;
    match end {
        End::Over | End::Left => {}
        End::Stalled => shared.events.emit(stalled(peer, asked.place(&shared.access), &stall_limit)),
        End::Broke(_, text) => {
            shared.events.emit(Event::PlayBroke { door, peer, stream: name.clone(), text });
        }
    }
    shared.events.emit(Event::PlayEnded { door, peer, stream: name, skipped });
}

/// What a stream needs that follows requests.
struct Handed {
    head: Parts,
    streaming: Streaming,
    stream: Stream,
    input: BytesMut,
}

/// Answers requests until the connection ends, or an answer is a stream.
async fn requests(
    (stream, read): (Stream, Bytes),
    config: Arc<Config>,
    shared: &Arc<Shared>,
    caller: Caller,
    stop: &mut Stop,
) -> Option<Handed> {
    let (peer, asked, seat) = (caller.origin.address, Arc::clone(&caller.asked), Arc::clone(&caller.seat));
    let stall_limit = Arc::clone(&caller.stall_limit);
    let on_stall = {
        let (asked, shared, limit) = (Arc::clone(&asked), Arc::clone(shared), Arc::clone(&stall_limit));
        move || shared.events.emit(stalled(peer, asked.place(&shared.access), &limit))
    };
    let handover = Arc::new(Handover::default());
    let ranges = Ranges::of(&stream, shared.metrics.file_bytes("kernel"));
    let socket = Io::new(stream, read, ranges.clone(), Arc::clone(&handover));
    let io = TokioIo::new(stall::Guarded::new(socket, stall_limit, on_stall));
    let service = WithPeer { caller, ranges, handover: Arc::clone(&handover) };
    let mut head_timeout = Duration::from_millis(config.head_timeout_ms);
    if seat.guest().is_some() {
        head_timeout = head_timeout.min(GUEST_TIMEOUT);
    }
    let mut connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        // librtmp looks for `Content-Length`, not for `content-length`.
        .title_case_headers(true)
        .max_buf_size(HEAD_BYTES_MAX)
        .keep_alive(seat.guest().is_none())
        .header_read_timeout(head_timeout)
        .serve_connection(io, service);
    let mut is_stopping = false;
    loop {
        let step = poll_fn(|context| match Pin::new(&mut connection).poll(context) {
            Poll::Ready(ended) => Poll::Ready(Err(ended)),
            Poll::Pending => {
                handover.take().map_or(Poll::Pending, |handed_over| Poll::Ready(Ok(handed_over)))
            }
        });
        tokio::select! {
            step = step => match step {
                Ok((head, streaming)) => {
                    let parts = connection.into_parts();
                    let (stream, read) = parts.io.into_inner().into_inner().into_parts();
                    // What hyper has read came before what it has not.
                    let mut input = BytesMut::from(parts.read_buf);
                    input.extend_from_slice(&read);
                    return Some(Handed { head, streaming, stream, input });
                }
                Err(ended) => {
                    if let Err(error) = ended {
                        report(shared, peer, &asked, head_timeout, &error);
                    }
                    return None;
                }
            },
            () = gives_way(&seat) => return None,
            () = stop.requested(), if !is_stopping => {
                is_stopping = true;
                Pin::new(&mut connection).graceful_shutdown();
            }
        }
    }
}

/// A guest makes room for the next one; everybody else stays.
async fn gives_way(seat: &Seat) {
    match seat.guest() {
        Some(guest) => guest.gives_way().await,
        None => future::pending().await,
    }
}

/// It reads nothing and is let go.
fn stalled(peer: SocketAddr, place: String, limit: &StallLimit) -> Event {
    let (limit, key) = limit.limit();
    let ms = limit.as_millis();
    let little = if key == "write_timeout_ms" { ", or next to nothing (write_min_bytes)," } else { "" };
    let text = format!("it read nothing{little} for {ms} ms (limit {key})");
    let_go(peer, place, "stalled", text)
}

/// Tells why a connection was ended from here. One that was kept alive and has nothing more to ask is no
/// news, nor is a peer that hangs up; a stall was told when it was noticed.
fn report(shared: &Shared, peer: SocketAddr, asked: &Asked, head_timeout: Duration, error: &hyper::Error) {
    let (events, place) = (&shared.events, asked.place(&shared.access));
    if error.is_parse() {
        events.emit(let_go(peer, place, "protocol", format!("no HTTP request: {error}")));
    } else if error.is_timeout() && asked.is_nothing() {
        let ms = head_timeout.as_millis();
        let text = format!("no request came within {ms} ms (limit head_timeout_ms)");
        events.emit(let_go(peer, place, "silent", text));
    } else {
        tracing::debug!(%peer, place, %error, "http connection ended");
    }
}

fn let_go(peer: SocketAddr, place: String, reason: &'static str, text: String) -> Event {
    Event::LetGo { door: "http", reason, peer, place, text }
}

/// What a connection has asked for last.
#[derive(Debug, Default)]
struct Asked(Mutex<String>);

impl Asked {
    fn note<B>(&self, request: &Request<B>) {
        let path = request.uri().path();
        let end = path.char_indices().nth(PLACE_LETTERS_MAX).map_or(path.len(), |(end, _)| end);
        // In the place of the one before: a connection that is kept asks for much.
        let mut noted = self.0.lock();
        noted.clear();
        for part in [request.method().as_str(), " ", &path[..end]] {
            noted.push_str(part);
        }
    }

    fn is_nothing(&self) -> bool {
        self.0.lock().is_empty()
    }

    /// For the log.
    fn place(&self, access: &Access) -> String {
        if self.is_nothing() {
            return "before the first request".to_owned();
        }
        access.masked(&self.0.lock()).into_owned()
    }
}

/// Whose requests these are, and who answers them.
struct Caller {
    router: Router,
    config: Arc<Config>,
    access: Arc<Access>,
    events: Arc<Events>,
    origin: Origin,
    is_in_tls: bool,
    seat: Arc<Seat>,
    stall_limit: Arc<StallLimit>,
    asked: Arc<Asked>,
}

/// The router's answer to come.
type Routed = <Router as tower_service::Service<Request<Incoming>>>::Future;

/// The router with what each request needs of its connection: the peer, where the kernel takes files for it, and who is
/// told that a film is sent.
struct WithPeer {
    caller: Caller,
    ranges: Option<Arc<Ranges>>,
    handover: Arc<Handover>,
}

impl WithPeer {
    /// An answer that is there at once.
    fn answer(&self, response: Response) -> <Self as hyper::service::Service<Request<Incoming>>>::Future {
        Answering::new(future::ready(Ok(response)).right_future(), Arc::clone(&self.handover))
    }
}

/// To somebody who was let in although all seats are taken, and wants more than a moment.
fn refuse_guest(events: &Events) -> Response {
    let text = "The server has no room for more connections now. Come again in a moment.".to_owned();
    let answer = (StatusCode::SERVICE_UNAVAILABLE, [(RETRY_AFTER, "5")], format!("{text}\n"));
    events.emit(Event::RequestRefused { door: "http", reason: "no_seat", text });
    answer.into_response()
}

impl hyper::service::Service<Request<Incoming>> for WithPeer {
    type Response = Response;
    type Error = std::convert::Infallible;
    type Future = Answering<Either<Routed, Ready<Result<Response, Self::Error>>>>;

    fn call(&self, mut request: Request<Incoming>) -> Self::Future {
        let Caller { router, config, access, events, origin, is_in_tls, seat, stall_limit, asked } =
            &self.caller;
        asked.note(&request);
        if let Err(malformed) = target::settle(&mut request) {
            let (reason, text) = ("bad_request", malformed.text().to_owned());
            events.emit(Event::RequestRefused { door: "http", reason, text });
            return self.answer(malformed.into_response());
        }
        if let Some(guest) = seat.guest() {
            guest.asks();
            if !route::is_for_guests(request.uri().path()) {
                return self.answer(refuse_guest(events));
            }
        }
        let peer = gate::peer(access, *origin, request.headers());
        request.extensions_mut().insert(peer);
        if *is_in_tls {
            request.extensions_mut().insert(gate::InTls);
        }
        request.extensions_mut().insert(Arc::clone(config));
        stall_limit.sends_film(false);
        request.extensions_mut().insert(Arc::clone(stall_limit));
        if let Some(ranges) = &self.ranges {
            request.extensions_mut().insert(Arc::clone(ranges));
        }
        // A router is always ready.
        let answering = tower_service::Service::call(&mut router.clone(), request);
        Answering::new(answering.left_future(), Arc::clone(&self.handover))
    }
}
