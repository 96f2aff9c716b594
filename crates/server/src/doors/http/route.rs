//! Which address leads where: the one list of fixed addresses, and the one list of ways that lead anywhere else.
//!
//! The router is made of these lists, and a test asks for everything in them as an admin and as a stranger.

use std::borrow::Cow;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, LazyLock};

use axum::body::{Bytes, HttpBody};
use axum::extract::{Request, State};
use axum::handler::Handler;
use axum::http::header::CONTENT_LENGTH;
use axum::http::request::Parts;
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodFilter, MethodRouter, on};
use axum::{BoxError, Router};
use futures_util::FutureExt as _;
use headwater_hub::StreamName;
use headwater_media::Timestamp;
use percent_encoding::percent_decode_str;

use super::asker::Asker;
use super::cors::{method_not_allowed, other_method, with_cors};
use super::film_address::FilmAddress;
use super::live_hls::{self, LiveResource};
use super::query::Query;
use super::shared::Shared;
use super::{
    api, clips, films, flv, gate, hls, live_picture, openapi, pages, recordings, rtmpt, thumbnails, uploads,
    vod, ws,
};
use crate::sources::{self, From};
use crate::track_selection::TrackSelection;

/// Who may come in by an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Who {
    /// Who is let through by [`gate::admin_only`].
    Admins,
    /// Everybody.
    All,
}

/// A fixed address and one method.
struct Route {
    who: Who,
    #[cfg_attr(not(test), expect(dead_code, reason = "`answers` knows it too, and does not tell"))]
    method: MethodFilter,
    path: &'static str,
    answers: MethodRouter<Arc<Shared>>,
}

fn admins<H, T>(method: MethodFilter, path: &'static str, handler: H) -> Route
where
    H: Handler<T, Arc<Shared>>,
    T: 'static,
{
    Route { who: Who::Admins, method, path, answers: on(method, handler) }
}

fn all<H, T>(method: MethodFilter, path: &'static str, handler: H) -> Route
where
    H: Handler<T, Arc<Shared>>,
    T: 'static,
{
    Route { who: Who::All, ..admins(method, path, handler) }
}

/// Every fixed address.
fn routes() -> Vec<Route> {
    use MethodFilter as M;
    vec![
        admins(M::GET, "/", pages::console),
        admins(M::GET, "/metrics", api::metrics),
        admins(M::GET, "/api/v1/access", api::access),
        admins(M::GET, "/api/v1/streams", api::streams),
        admins(M::DELETE, "/api/v1/streams/{*path}", api::stop),
        admins(M::GET, "/api/v1/films", films::list),
        admins(M::DELETE, "/api/v1/films/{*path}", films::remove),
        admins(M::PATCH, "/api/v1/films/{*path}", films::rename),
        admins(M::POST, "/api/v1/clips", clips::keep),
        admins(M::GET, "/api/v1/clips/{*path}", clips::fetch),
        admins(M::GET, "/api/v1/recordings", recordings::list),
        admins(M::POST, "/api/v1/recordings/{*path}", recordings::begin),
        admins(M::DELETE, "/api/v1/recordings/{*path}", recordings::end),
        admins(M::GET, "/api/v1/uploads", uploads::list),
        admins(M::POST, "/api/v1/uploads", uploads::begin),
        admins(M::OPTIONS, "/api/v1/uploads", uploads::options),
        admins(M::GET, "/api/v1/uploads/{id}", uploads::look),
        admins(M::PATCH, "/api/v1/uploads/{id}", uploads::append),
        admins(M::POST, "/api/v1/uploads/{id}", uploads::overridden),
        admins(M::DELETE, "/api/v1/uploads/{id}", uploads::remove),
        all(M::POST, "/fcs/ident2", rtmpt::ident),
        all(M::POST, "/open/1", rtmpt::open),
        all(M::POST, "/send/{name}/{turn}", rtmpt::exchange),
        all(M::POST, "/idle/{name}/{turn}", rtmpt::exchange),
        all(M::POST, "/close/{*rest}", rtmpt::close),
        // Before what ends in `.flv` is taken for a stream: a film's page may end so too.
        all(M::GET, "/watch/{*name}", pages::watch),
        all(M::GET, "/house.css", pages::style),
        all(M::GET, "/login", pages::login),
        all(M::POST, "/login", gate::login),
        all(M::POST, "/logout", gate::logout),
        all(M::GET, "/api/v1/info", api::info),
        all(M::GET, "/api/v1/openapi.json", openapi::document),
        all(M::GET, "/api/v1/streams/{*path}", api::stream),
        all(M::GET, "/api/v1/films/{*path}", films::film),
        all(M::GET, "/healthz", async || "ok\n"),
        all(M::GET, "/readyz", async || "ready\n"),
    ]
}

/// What is served where all seats are taken: what operators need, and is answered at once.
pub(super) fn is_for_guests(path: &str) -> bool {
    const PLACES: [&str; 7] = ["/", "/login", "/logout", "/house.css", "/metrics", "/healthz", "/readyz"];
    PLACES.contains(&path) || path.starts_with("/api/") || path.starts_with("/assets/")
}

/// The answer to come.
pub(super) type Answer = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

/// Has a request answered: by the router only where that may know the address. Streams and films are asked for most, and it
/// would pass them on.
pub(super) fn answer<B>(router: &Router, shared: &Arc<Shared>, request: Request<B>) -> Answer
where
    B: HttpBody<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    if may_be_fixed(request.uri().path()) {
        // A router is always ready.
        return Box::pin(tower_service::Service::call(&mut router.clone(), request));
    }
    Box::pin(elsewhere(Arc::clone(shared), request).map(Ok))
}

/// Whether a path begins as a fixed address does.
fn may_be_fixed(path: &str) -> bool {
    static BEGINNINGS: LazyLock<Vec<&str>> = LazyLock::new(|| {
        let mut beginnings: Vec<_> = routes().iter().map(|route| beginning(route.path)).collect();
        beginnings.sort_unstable();
        beginnings.dedup();
        debug_assert!(
            beginnings.iter().all(|beginning| !beginning.contains('{')),
            "no path would be taken for a fixed one by it"
        );
        beginnings
    });
    BEGINNINGS.contains(&beginning(path))
}

/// The first segment of a path.
fn beginning(path: &str) -> &str {
    path.split('/').nth(1).unwrap_or_default()
}

/// The router of all addresses.
pub(super) fn router(shared: &Arc<Shared>) -> Router {
    let (mut admin, mut open) = (Router::new(), Router::new());
    for Route { who, path, answers, .. } in routes() {
        match who {
            Who::Admins => admin = admin.route(path, answers),
            Who::All => open = open.route(path, answers),
        }
    }
    let gate = axum::middleware::from_fn_with_state(Arc::clone(shared), gate::admin_only);
    let strayed = async |State(shared), request: Request| elsewhere(shared, request).await;
    open.merge(admin.route_layer(gate)).fallback(strayed).with_state(Arc::clone(shared))
}

/// Where a path leads that is no fixed address.
enum Destination<'a> {
    /// A film's file.
    File(FilmAddress<'a>),
    /// A picture of a film.
    Picture(FilmAddress<'a>, thumbnails::ThumbnailResource),
    /// A playlist of a film or what it names.
    Hls(FilmAddress<'a>, hls::HlsResource),
    /// What a film does not have.
    Nothing(FilmAddress<'a>),
    /// A playlist of a live stream or what it names.
    LiveHls(&'a StreamName, LiveResource),
    /// A live stream: `<app>/<name>`, coded.
    Stream(&'a str),
    /// The newest picture of one, likewise.
    LivePicture(&'a str),
    /// A file of the pages.
    Page(&'a str),
}

/// A path that is taken apart.
struct Path<'a> {
    /// As it was sent.
    raw: &'a str,
    /// Decoded once, in an app that has films; not where the name is that of a live stream.
    film: Option<FilmAddress<'a>>,
    /// What of a live stream HLS is asked for.
    live: Option<(StreamName, LiveResource)>,
}

/// A way that leads somewhere, or not.
type Way = for<'a> fn(&'a Path<'a>) -> Option<Destination<'a>>;

/// The ways to all that has no fixed address. The first that leads somewhere is taken.
const WAYS: [(&str, Way); 8] = [
    ("live hls", |path| path.live.as_ref().map(|(name, resource)| Destination::LiveHls(name, *resource))),
    ("file", |path| path.film.filter(|film| film.part.is_empty()).map(Destination::File)),
    ("picture", |path| {
        let film = path.film?;
        Some(Destination::Picture(film, thumbnails::ThumbnailResource::parse(film.part)?))
    }),
    ("hls", |path| {
        let film = path.film?;
        Some(Destination::Hls(film, hls::HlsResource::parse(film.part)?))
    }),
    ("nothing", |path| path.film.map(Destination::Nothing)),
    ("live picture", |path| live_picture::stream_of(path.raw).map(Destination::LivePicture)),
    ("stream", |path| path.raw.strip_suffix(".flv").map(Destination::Stream)),
    ("page", |path| Some(Destination::Page(path.raw))),
];

/// Answers for everything that is no fixed address.
async fn elsewhere<B>(shared: Arc<Shared>, request: Request<B>) -> Response {
    // Nothing there takes a body.
    let (request, _) = request.into_parts();
    let response = find(&shared, &request).await;
    if request.method == Method::HEAD { without_body(response) } else { response }
}

/// The answer without its body, whose length it says.
fn without_body(mut response: Response) -> Response {
    let body = std::mem::take(response.body_mut());
    if let Some(len) = body.size_hint().exact() {
        response.headers_mut().entry(CONTENT_LENGTH).or_insert_with(|| len.into());
    }
    response
}

/// Finds what is asked for. Who wants to watch something is asked for first.
async fn find(shared: &Arc<Shared>, request: &Parts) -> Response {
    let peer = gate::peer_of(&request.extensions);
    let path = request.uri.path();
    let decoded = decode(path).ok();
    let film = decoded.as_deref().and_then(|decoded| film(shared, decoded));
    let live = decoded.as_deref().and_then(|decoded| live(shared, decoded));
    let path = Path { raw: path, film, live };
    let Some(destination) = WAYS.iter().find_map(|(_, way)| way(&path)) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let name = decoded.as_deref().unwrap_or(path.raw);
    if !matches!(destination, Destination::Page(_))
        && let Some(refused) = gate::refuse_viewer(shared, peer, &request.uri, name).await
    {
        return with_cors(refused);
    }
    // All but a film's file are boxed: every request would have room for the largest of them.
    match destination {
        Destination::File(film) => with_cors(match ws::key(request) {
            Some(_) if name.ends_with(".flv") => Box::pin(film_stream(shared, name, request)).await,
            _ => vod::file(shared, film, request).await,
        }),
        Destination::Picture(film, wanted) => {
            with_cors(Box::pin(vod::picture(shared, film, wanted, request)).await)
        }
        Destination::Hls(film, wanted) => with_cors(Box::pin(vod::hls(shared, film, wanted, request)).await),
        Destination::Nothing(film) => with_cors(Box::pin(vod::nothing(shared, film)).await),
        Destination::LiveHls(name, wanted) => {
            with_cors(Box::pin(live_hls::serve(shared, peer, name, wanted, request)).await)
        }
        Destination::LivePicture(name) => with_cors(match stream_name(name) {
            Ok(name) => Box::pin(live_picture::serve(shared, &name, request)).await,
            Err(refused) => *refused,
        }),
        Destination::Stream(name) => with_cors(Box::pin(stream(shared, name, request)).await),
        Destination::Page(path) => match request.method {
            Method::GET | Method::HEAD => pages::file(path, &request.headers),
            _ => method_not_allowed(),
        },
    }
}

/// A live stream over HTTP or WebSocket.
async fn stream(shared: &Shared, name: &str, request: &Parts) -> Response {
    let name = match stream_name(name) {
        Ok(name) => name,
        Err(refused) => return *refused,
    };
    let query = Query::of(&request.uri);
    let from = match query.start() {
        Ok(start) => start.map_or(From::Live, |start| From::Rewound(sources::moment(start))),
        Err(problem) => return (StatusCode::BAD_REQUEST, problem).into_response(),
    };
    let selection = TrackSelection::read(query.pairs());
    if let Some(answer) = other_method(&request.method) {
        return answer;
    }
    may_pause(request, from != From::Live);
    flv::watch(shared, &name, from, selection, request).await
}

/// The name of a live stream, as it was sent.
fn stream_name(name: &str) -> Result<StreamName, Box<Response>> {
    let name = decode(name).and_then(|name| StreamName::parse(&name).map_err(|error| error.to_string()));
    name.map_err(|problem| Box::new((StatusCode::BAD_REQUEST, format!("{problem}\n")).into_response()))
}

/// A film as a stream over WebSocket, from `start` seconds on.
async fn film_stream(shared: &Shared, name: &str, request: &Parts) -> Response {
    let name = match StreamName::parse(name.strip_suffix(".flv").unwrap_or(name)) {
        Ok(name) => name,
        Err(problem) => return (StatusCode::BAD_REQUEST, format!("{problem}\n")).into_response(),
    };
    let query = Query::of(&request.uri);
    let start = match query.start().map(|start| start.unwrap_or(0.0)) {
        Ok(start @ 0.0..) => start,
        Ok(_) => return (StatusCode::BAD_REQUEST, "start is behind a film's begin\n").into_response(),
        Err(problem) => return (StatusCode::BAD_REQUEST, problem).into_response(),
    };
    may_pause(request, true);
    let from = From::At(Timestamp::from_nanos((start * 1e9) as i64));
    flv::watch(shared, &name, from, TrackSelection::read(query.pairs()), request).await
}

/// Whether the viewer may read nothing for as long as that of a film: it has a place to come back to.
fn may_pause(request: &Parts, has_place: bool) {
    if let Some(asker) = request.extensions.get::<Asker>() {
        asker.stall_limit.sends_film(has_place);
    }
}

/// A path percent-decoded once, without its first slash.
fn decode(path: &str) -> Result<Cow<'_, str>, String> {
    let decoded = percent_decode_str(path.trim_start_matches('/')).decode_utf8();
    decoded.map_err(|_| "the stream name is not valid UTF-8".to_owned())
}

/// The film, or what of it, that a decoded path means.
fn film<'a>(shared: &Shared, decoded: &'a str) -> Option<FilmAddress<'a>> {
    let (app, name) = decoded.split_once('/')?;
    if !shared.sources.library.has_app(app) {
        return None;
    }
    let stem = decoded.strip_suffix(".flv").unwrap_or(decoded);
    let is_live = StreamName::parse(stem).is_ok_and(|stream| shared.sources.hub.is_live(&stream));
    (!is_live).then(|| FilmAddress::parse(app, name))
}

/// What of a live stream a decoded path means in HLS. In an app that has films a stream must be there for that.
fn live(shared: &Shared, decoded: &str) -> Option<(StreamName, LiveResource)> {
    let (name, resource) = LiveResource::parse(decoded)?;
    let name = StreamName::parse(name).ok()?;
    let sources = &shared.sources;
    let is_there = || sources.hub.is_live(&name) || sources.archive.broadcast(&name).is_some();
    (!sources.library.has_app(name.app()) || is_there()).then_some((name, resource))
}

#[cfg(test)]
mod tests;
