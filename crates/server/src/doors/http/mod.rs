//! The HTTP door: HTTP-FLV, WebSocket-FLV, the pages, the API, health and metrics.
//!
//! Requests come by hyper's connections, which this door accepts itself so that every connection has a seat, a deadline
//! and a bounded farewell.

mod api;
mod asked;
mod asker;
mod assets;
mod body;
mod caller;
mod clips;
mod config;
mod cors;
mod exchange;
mod files;
mod film_address;
mod film_tracks;
mod films;
mod flv;
mod gate;
mod handover;
mod hls;
mod http2;
mod io;
mod line_name;
mod live_hls;
mod live_picture;
mod negotiation;
mod openapi;
mod pages;
mod playlist_text;
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
mod to_its_end;
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
use axum::http::response::Parts;
use axum::response::Response;
use bytes::{Bytes, BytesMut};
use futures_util::future;
use headwater_hub::StreamName;
use hyper::body::Incoming;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

use self::asked::{Asked, let_go, stalled};
use self::caller::Caller;
pub(crate) use self::config::Config;
pub(crate) use self::files::cuts::Cuts;
use self::handover::{Answering, Handover};
use self::io::Io;
pub(crate) use self::live_hls::audience::Audience;
pub(crate) use self::live_hls::rendered::Playlists;
use self::route::Answer;
use self::sendfile::Ranges;
pub(crate) use self::shared::Shared;
use self::stall::StallLimit;
use self::streaming::{Streaming, Watching};

use crate::fanout::Transport;
use crate::live::Live;
use crate::net::acceptor::Protocol;
use crate::net::listener::{Accepted, Stream};
use crate::net::seats::Seat;
use crate::stop::Stop;

/// HTTP among the listeners: it begins with a method.
pub(crate) static PROTOCOL: Protocol = Protocol {
    name: "http",
    tls_name: "https",
    alpn: &[http2::ALPN, "http/1.1"],
    begins_with: |first| first.is_ascii_uppercase(),
};
/// A request's head in memory, at most: thousands of peers may each send one slowly. What is written may wait in as
/// much.
const HEAD_BYTES_MAX: usize = 128 << 10;
/// How often it is looked which viewers of HLS have gone.
const SWEEP_EVERY: Duration = Duration::from_secs(1);

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
            _ = sweeps.tick() => sweep(&shared),
            () = stop.requested() => break,
        }
    }
    while connections.join_next().await.is_some() {}
}

/// Lets go of what nobody says is over.
fn sweep(shared: &Shared) {
    shared.audience.sweep(&shared.events);
    let is_there = |name: StreamName| shared.sources.hub.holds(&name);
    shared.metrics.watched().sweep(|stream| StreamName::parse(stream).is_ok_and(is_there));
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
    let Accepted { stream, read, peer: origin, seat } = accepted;
    let seat = Arc::new(seat);
    let peer = origin.address;
    let caller = Caller {
        router,
        config: Arc::clone(&config),
        shared: Arc::clone(&shared),
        origin,
        is_in_tls: matches!(stream, Stream::Tls(_)),
        seat: Arc::clone(&seat),
        asked: Arc::clone(&asked),
    };
    if http2::is_chosen(&stream) {
        return Box::pin(http2::serve((stream, read), &shared, caller, &mut stop)).await;
    }
    let stall_limit = Arc::new(StallLimit::of(&config));
    let write_min_bytes = config.write_min_bytes;
    // Boxed: what requests need is given back before a stream begins.
    let connection = (stream, read, Arc::clone(&stall_limit));
    let handed_over = Box::pin(requests(connection, &shared, caller, &mut stop)).await;
    let Some(Handed { head, streaming, stream, mut input }) = handed_over else { return };
    stream.set_unacknowledged_bounded(!stall_limit.is_for_film());
    let transport = match Transport::new(stream, &mut input) {
        Ok(transport) => transport,
        Err(error) => return tracing::debug!(%peer, %error, "gone before its stream began"),
    };
    let (events, stall_limit, place) = (&shared.events, &stall_limit, &|| asked.place(&shared.access));
    let watching = Watching { peer, events, stall_limit, write_min_bytes, place };
    streaming.play(Some(head), (transport, input), watching, &mut stop).await;
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
    (stream, read, stall_limit): (Stream, Bytes, Arc<StallLimit>),
    shared: &Arc<Shared>,
    caller: Caller,
    stop: &mut Stop,
) -> Option<Handed> {
    let (peer, asked, seat) = (caller.origin.address, Arc::clone(&caller.asked), Arc::clone(&caller.seat));
    let head_timeout = caller.head_timeout();
    let on_stall = {
        let (asked, shared, limit) = (Arc::clone(&asked), Arc::clone(shared), Arc::clone(&stall_limit));
        move || shared.events.emit(stalled(peer, asked.place(&shared.access), &limit))
    };
    let handover = Arc::new(Handover::default());
    let ranges = Ranges::of(&stream, shared.metrics.file_bytes("kernel"));
    let socket = Io::new(stream, read, ranges.clone(), Arc::clone(&handover));
    let io = TokioIo::new(stall::Guarded::new(socket, Arc::clone(&stall_limit), on_stall));
    let service = WithPeer { caller, stall_limit, ranges, handover: Arc::clone(&handover) };
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

/// Who answers, with what each request needs of its connection: the peer, where the kernel takes files for it, and who is
/// told that a film is sent.
struct WithPeer {
    caller: Caller,
    stall_limit: Arc<StallLimit>,
    ranges: Option<Arc<Ranges>>,
    handover: Arc<Handover>,
}

impl hyper::service::Service<Request<Incoming>> for WithPeer {
    type Response = Response;
    type Error = std::convert::Infallible;
    type Future = Answering<Answer>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        self.caller.asked.note(&request);
        let answer = self.caller.route(request, &self.stall_limit, self.ranges.as_ref());
        Answering::new(answer, Arc::clone(&self.handover))
    }
}
