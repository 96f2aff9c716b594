//! The HTTP door: HTTP-FLV, WebSocket-FLV, the pages, the API, health and metrics.
//!
//! One router on hyper's connections, which this door accepts itself so that every connection has a
//! seat, a deadline and a bounded farewell.

mod api;
mod assets;
mod files;
mod films;
mod flv;
mod gate;
mod hls;
mod io;
mod pages;
mod pictures;
mod rtmpt;
mod sendfile;
mod stall;
mod uploads;
mod vod;
mod ws;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Extension, Request, State, WebSocketUpgrade};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use headwater_hub::StreamName;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use parking_lot::Mutex;
use percent_encoding::percent_decode_str;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

pub(crate) use self::files::Recent;
use self::io::Io;
use self::sendfile::Ranges;

use crate::access::Access;
use crate::events::{Event, Events};
use crate::live::Live;
use crate::metrics::Metrics;
use crate::net::acceptor::Protocol;
use crate::net::listener::Accepted;
use crate::net::tunnel::Tunnels;
use crate::sources::Sources;
use crate::stop::Stop;
use crate::track_selection::TrackSelection;
use headwater_vod::thumbnails::Gallery;
use headwater_vod::uploads::Uploads;

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
    pub(crate) head_ms_max: u64,
    /// Time that a write may make no progress before the connection is closed.
    pub(crate) stall_ms_max: u64,
    /// RTMP connections inside HTTP requests (RTMPT) at once, at most.
    pub(crate) tunnels_max: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((std::net::Ipv6Addr::UNSPECIFIED, 8080)),
            connections_max: 20_000,
            head_ms_max: 15_000,
            stall_ms_max: 30_000,
            tunnels_max: 1_000,
        }
    }
}

/// What the requests share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) sources: Sources,
    pub(crate) gallery: Gallery,
    pub(crate) uploads: Arc<Uploads>,
    pub(crate) access: Arc<Access>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) events: Arc<Events>,
    pub(crate) tunnels: Arc<Tunnels>,
    pub(crate) recent: Recent,
    pub(crate) rtmp_port: u16,
    pub(crate) http_port: u16,
}

/// How often the end of the last WebSockets is looked for.
const FAREWELL_STEP: Duration = Duration::from_millis(10);

/// The peer of a request, as an extension.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer(pub(crate) SocketAddr);

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
    let router = router(Arc::clone(&shared));
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
    let Accepted { stream, read, peer, seat: _seat } = accepted;
    let asked = Arc::new(Asked::default());
    let on_stall = {
        let (asked, shared, ms) = (Arc::clone(&asked), Arc::clone(&shared), config.stall_ms_max);
        move || {
            let text = format!("it read nothing for {ms} ms (limit stall_ms_max)");
            shared.events.emit(let_go(peer, &asked, "stalled", text));
        }
    };
    let stall_max = Duration::from_millis(config.stall_ms_max);
    let ranges = Ranges::of(&stream, shared.metrics.file_bytes("kernel"));
    let socket = Io::new(stream, read, ranges.clone());
    let io = TokioIo::new(stall::Guarded::new(socket, stall_max, on_stall));
    let service =
        TowerToHyperService::new(WithPeer { router, peer: Peer(peer), ranges, asked: Arc::clone(&asked) });
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        // librtmp looks for `Content-Length`, not for `content-length`.
        .title_case_headers(true)
        .header_read_timeout(Duration::from_millis(config.head_ms_max))
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
        report(&shared.events, peer, &asked, config.head_ms_max, &error);
    }
}

/// Tells why a connection was ended from here. One that was kept alive and has nothing more to ask is no
/// news, nor is a peer that hangs up; a stall was told when it was noticed.
fn report(events: &Events, peer: SocketAddr, asked: &Asked, head_ms_max: u64, error: &hyper::Error) {
    if error.is_parse() {
        events.emit(let_go(peer, asked, "protocol", format!("no HTTP request: {error}")));
    } else if error.is_timeout() && asked.is_nothing() {
        let text = format!("no request came within {head_ms_max} ms (limit head_ms_max)");
        events.emit(let_go(peer, asked, "silent", text));
    } else {
        tracing::debug!(%peer, place = asked.place(), %error, "http connection ended");
    }
}

fn let_go(peer: SocketAddr, asked: &Asked, reason: &'static str, text: String) -> Event {
    Event::LetGo { door: "http", reason, peer, place: asked.place(), text }
}

/// What a connection has asked for last.
#[derive(Debug, Default)]
struct Asked(Mutex<String>);

impl Asked {
    fn note<B>(&self, request: &Request<B>) {
        let letters = request.uri().path().chars().take(PLACE_LETTERS_MAX);
        *self.0.lock() = format!("{} {}", request.method(), letters.collect::<String>());
    }

    fn is_nothing(&self) -> bool {
        self.0.lock().is_empty()
    }

    /// For the log.
    fn place(&self) -> String {
        if self.is_nothing() { "before the first request".to_owned() } else { self.0.lock().clone() }
    }
}

/// The router with the peer's address added to each request, and where the kernel takes files for it.
#[derive(Clone)]
struct WithPeer {
    router: Router,
    peer: Peer,
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
        request.extensions_mut().insert(self.peer);
        if let Some(ranges) = &self.ranges {
            request.extensions_mut().insert(Arc::clone(ranges));
        }
        self.router.call(request)
    }
}

fn router(shared: Arc<Shared>) -> Router {
    let admin = Router::new()
        .route("/", get(pages::console))
        .route("/api/v1/streams", get(api::streams))
        .route("/metrics", get(api::metrics))
        .route("/api/v1/films", get(films::list))
        .route("/api/v1/films/{*path}", delete(films::remove))
        .route("/api/v1/uploads", get(uploads::list).post(uploads::begin))
        .route("/api/v1/uploads/{id}", get(uploads::look).patch(uploads::append).delete(uploads::remove))
        .route_layer(axum::middleware::from_fn_with_state(Arc::clone(&shared), gate::admin_only));
    Router::new()
        .merge(admin)
        .route("/fcs/ident2", post(rtmpt::ident))
        .route("/open/1", post(rtmpt::open))
        .route("/send/{name}/{turn}", post(rtmpt::exchange))
        .route("/idle/{name}/{turn}", post(rtmpt::exchange))
        .route("/close/{*rest}", post(rtmpt::close))
        // Before what ends in `.flv` is taken for a stream: a film's page may end so too.
        .route("/watch/{*name}", get(pages::watch))
        .route("/login", get(pages::login).post(gate::login))
        .route("/api/v1/info", get(api::info))
        .route("/api/v1/streams/{*path}", get(api::stream))
        .route("/api/v1/films/{*path}", get(films::film))
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(|| async { "ready\n" }))
        .fallback(other)
        .with_state(shared)
}

/// Everything that is no fixed address: built files of the pages, and streams as `<app>/<name>.flv`.
async fn other(
    State(shared): State<Arc<Shared>>,
    Extension(Peer(peer)): Extension<Peer>,
    upgrade: Result<WebSocketUpgrade, axum::extract::ws::rejection::WebSocketUpgradeRejection>,
    request: Request,
) -> Response {
    let path = request.uri().path();
    if let Some((app, rest)) = film_path(&shared, path) {
        let (parts, _) = request.into_parts();
        return with_cors(vod::serve(&shared, vod::Address::parse(&app, &rest), &parts).await);
    }
    if let Some(stem) = path.strip_suffix(".flv") {
        let name = match stream_name(stem) {
            Ok(name) => name,
            Err(problem) => return (StatusCode::BAD_REQUEST, problem).into_response(),
        };
        let query = request.uri().query().unwrap_or_default();
        let selection = TrackSelection::read(query.split('&').filter_map(|pair| pair.split_once('=')));
        let response = match (request.method(), upgrade) {
            (&Method::GET, Ok(upgrade)) => ws::watch(&shared, &name, selection, peer, upgrade).await,
            (&Method::GET | &Method::HEAD, Err(_)) => {
                flv::watch(&shared, &name, selection, request.method()).await
            }
            (&Method::OPTIONS, _) => preflight(),
            _ => method_not_allowed(),
        };
        return with_cors(response);
    }
    match *request.method() {
        Method::GET | Method::HEAD => pages::file(path, request.headers()),
        _ => method_not_allowed(),
    }
}

/// App and name, percent-decoded once, of a path in an app that has films; not where the name is that of a live
/// stream.
fn film_path(shared: &Shared, path: &str) -> Option<(String, String)> {
    let decoded = percent_decode_str(path.strip_prefix('/')?).decode_utf8().ok()?;
    let (app, name) = decoded.split_once('/')?;
    if !shared.sources.library.has_app(app) {
        return None;
    }
    let stem = decoded.strip_suffix(".flv").unwrap_or(&decoded);
    let is_live = StreamName::parse(stem).is_ok_and(|stream| shared.sources.hub.is_live(&stream));
    (!is_live).then(|| (app.to_owned(), name.to_owned()))
}

/// The stream that a path names, percent-decoded once.
fn stream_name(path: &str) -> Result<StreamName, String> {
    let decoded = percent_decode_str(path.trim_start_matches('/'))
        .decode_utf8()
        .map_err(|_| "the stream name is not valid UTF-8\n".to_owned())?;
    StreamName::parse(&decoded).map_err(|error| format!("{error}\n"))
}

fn preflight() -> Response {
    let headers = [
        (header::ACCESS_CONTROL_ALLOW_METHODS, "GET, HEAD, OPTIONS"),
        (
            header::ACCESS_CONTROL_ALLOW_HEADERS,
            "Range, If-Range, If-None-Match, If-Modified-Since, Cache-Control",
        ),
        (header::ACCESS_CONTROL_MAX_AGE, "86400"),
    ];
    (StatusCode::NO_CONTENT, headers).into_response()
}

fn method_not_allowed() -> Response {
    (StatusCode::METHOD_NOT_ALLOWED, [(header::ALLOW, "GET, HEAD, OPTIONS")], "use GET\n").into_response()
}

/// Streams may be embedded anywhere; they carry no credentials.
fn with_cors(mut response: Response) -> Response {
    response.headers_mut().insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    response
}
