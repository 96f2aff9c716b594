//! The HTTP door: HTTP-FLV, WebSocket-FLV, the pages, the API, health and metrics.
//!
//! One router on hyper's connections, which this door accepts itself so that every connection has a
//! seat, a deadline and a bounded farewell.

mod api;
mod assets;
mod cors;
mod files;
mod film_address;
mod films;
mod flv;
mod gate;
mod hls;
mod io;
mod pages;
mod preconditions;
mod query;
mod refusals;
mod route;
mod rtmpt;
mod sendfile;
mod shared;
mod stall;
mod thumbnails;
mod uploads;
mod vod;
mod ws;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::response::Response;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

pub(crate) use self::files::cuts::Cuts;
use self::io::Io;
use self::sendfile::Ranges;
pub(crate) use self::shared::Shared;

use crate::access::{Access, Origin};
use crate::events::Event;
use crate::live::Live;
use crate::net::acceptor::Protocol;
use crate::net::listener::Accepted;
use crate::stop::Stop;

/// HTTP among the listeners: it begins with a method.
pub(crate) static PROTOCOL: Protocol = Protocol {
    name: "http",
    tls_name: "https",
    alpn: Some("http/1.1"),
    begins_with: |first| first.is_ascii_uppercase(),
};
/// What is logged of a request's path.
const PLACE_LETTERS_MAX: usize = 200;

/// The HTTP door's settings; the section `[http]` of the configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Config {
    /// Where to listen.
    pub(crate) listen: SocketAddr,
    /// Connections at once, at most.
    pub(crate) connections_max: usize,
    /// Time that a peer has to send the head of a request, also on a kept-alive connection. Before it, as much for
    /// what comes before HTTP at its listeners.
    #[serde(alias = "head_ms_max")]
    pub(crate) head_timeout_ms: u64,
    /// Time that a write may make no progress before the connection is closed.
    #[serde(alias = "stall_ms_max")]
    pub(crate) write_timeout_ms: u64,
    /// RTMP connections inside HTTP requests (RTMPT) at once, at most.
    pub(crate) tunnels_max: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((std::net::Ipv6Addr::UNSPECIFIED, 8080)),
            connections_max: 20_000,
            head_timeout_ms: 15_000,
            write_timeout_ms: 30_000,
            tunnels_max: 1_000,
        }
    }
}

/// How often the end of the last WebSockets is looked for.
const FAREWELL_STEP: Duration = Duration::from_millis(10);

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
    loop {
        tokio::select! {
            Some(accepted) = arrivals.recv() => {
                let (shared, router, stop) = (Arc::clone(&shared), router.clone(), connections_stop.clone());
                connections.spawn(connection(accepted, config.get(), shared, router, stop));
            }
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
            () = stop.requested() => break,
        }
    }
    while connections.join_next().await.is_some() {}
    // WebSockets have left their connections' tasks and live in tasks of their own.
    while shared.metrics.viewers(ws::DOOR) > 0 {
        tokio::time::sleep(FAREWELL_STEP).await;
    }
}

async fn connection(
    accepted: Accepted,
    config: Arc<Config>,
    shared: Arc<Shared>,
    router: Router,
    mut stop: Stop,
) {
    let Accepted { stream, read, peer: origin, seat: _seat } = accepted;
    let peer = origin.address;
    let asked = Arc::new(Asked::default());
    let on_stall = {
        let (asked, shared, ms) = (Arc::clone(&asked), Arc::clone(&shared), config.write_timeout_ms);
        move || {
            let text = format!("it read nothing for {ms} ms (limit write_timeout_ms)");
            shared.events.emit(let_go(peer, asked.place(&shared.access), "stalled", text));
        }
    };
    let stall_max = Duration::from_millis(config.write_timeout_ms);
    let ranges = Ranges::of(&stream, shared.metrics.file_bytes("kernel"));
    let socket = Io::new(stream, read, ranges.clone());
    let io = TokioIo::new(stall::Guarded::new(socket, stall_max, on_stall));
    let access = Arc::clone(&shared.access);
    let service =
        TowerToHyperService::new(WithPeer { router, access, origin, ranges, asked: Arc::clone(&asked) });
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        // librtmp looks for `Content-Length`, not for `content-length`.
        .title_case_headers(true)
        .header_read_timeout(Duration::from_millis(config.head_timeout_ms))
        .serve_connection(io, service)
        .with_upgrades();
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop.requested() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        report(&shared, peer, &asked, config.head_timeout_ms, &error);
    }
}

/// Tells why a connection was ended from here. One that was kept alive and has nothing more to ask is no
/// news, nor is a peer that hangs up; a stall was told when it was noticed.
fn report(shared: &Shared, peer: SocketAddr, asked: &Asked, head_timeout_ms: u64, error: &hyper::Error) {
    let (events, place) = (&shared.events, asked.place(&shared.access));
    if error.is_parse() {
        events.emit(let_go(peer, place, "protocol", format!("no HTTP request: {error}")));
    } else if error.is_timeout() && asked.is_nothing() {
        let text = format!("no request came within {head_timeout_ms} ms (limit head_timeout_ms)");
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

/// The router with the peer added to each request, and where the kernel takes files for it.
#[derive(Clone)]
struct WithPeer {
    router: Router,
    access: Arc<Access>,
    origin: Origin,
    ranges: Option<Arc<Ranges>>,
    asked: Arc<Asked>,
}

impl tower_service::Service<Request<hyper::body::Incoming>> for WithPeer {
    type Response = Response;
    type Error = std::convert::Infallible;
    type Future = <Router as tower_service::Service<Request<hyper::body::Incoming>>>::Future;

    fn poll_ready(
        &mut self,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Result<(), Self::Error>> {
        tower_service::Service::<Request<hyper::body::Incoming>>::poll_ready(&mut self.router, context)
    }

    fn call(&mut self, mut request: Request<hyper::body::Incoming>) -> Self::Future {
        self.asked.note(&request);
        let peer = gate::peer(&self.access, self.origin, request.headers());
        request.extensions_mut().insert(peer);
        if let Some(ranges) = &self.ranges {
            request.extensions_mut().insert(Arc::clone(ranges));
        }
        self.router.call(request)
    }
}
