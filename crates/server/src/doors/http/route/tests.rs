//! Every address, asked for by friend and stranger. A new address without a row here fails.

mod document;

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use axum::body::Body;
use axum::http::header::{AUTHORIZATION, COOKIE, HOST};
use headwater_hub::{Hub, Publisher, PublisherInfo};
use headwater_vod::Library;
use headwater_vod::thumbnails::Thumbnails;
use headwater_vod::uploads::Uploads;

use super::super::{Cuts, assets};
use super::*;
use crate::access::{Access, Origin, Peer};
use crate::config::Config;
use crate::config::settings::Settings;
use crate::events::{Events, Heard};
use crate::net::tunnel::{Opened, Tunnels};
use crate::sources::Sources;
use crate::uptime::Uptime;

const TOKEN: &str = "to/ken+of=mine%2F";
const CODED: &str = "to%2Fken%2Bof%3Dmine%252F";
const KEY: &str = "ke/y+of=mine";

/// Tells admins the publish key, and nobody else.
const ACCESS: &str = "/api/v1/access";

/// What those get who ask for a page or a picture.
const PAGE: u16 = if assets::COMPLETE { 200 } else { 404 };
const PICTURE: u16 = if cfg!(feature = "thumbnails") { 200 } else { 501 };

/// One request, the entry of [`routes`] or [`WAYS`] that it is to reach, and what is answered to those who may.
struct Row(&'static str, &'static str, &'static str, u16);

/// At least one for every entry.
const ROWS: [Row; 48] = [
    Row("GET", "/", "/", PAGE),
    Row("GET", "/metrics", "/metrics", 200),
    Row("GET", ACCESS, ACCESS, 200),
    Row("GET", "/api/v1/streams", "/api/v1/streams", 200),
    Row("DELETE", "/api/v1/streams/{*path}", "/api/v1/streams/live/none", 404),
    Row("GET", "/api/v1/films", "/api/v1/films", 200),
    Row("DELETE", "/api/v1/films/{*path}", "/api/v1/films/vod/none.mp4", 404),
    Row("PATCH", "/api/v1/films/{*path}", "/api/v1/films/vod/none.mp4", 400),
    Row("POST", "/api/v1/clips", "/api/v1/clips", 400),
    Row("GET", "/api/v1/clips/{*path}", "/api/v1/clips/live/cam?from=0&until=1", 404),
    Row("GET", "/api/v1/recordings", "/api/v1/recordings", 200),
    Row("POST", "/api/v1/recordings/{*path}", "/api/v1/recordings/live/none", 404),
    Row("DELETE", "/api/v1/recordings/{*path}", "/api/v1/recordings/live/cam", 409),
    Row("GET", "/api/v1/uploads", "/api/v1/uploads", 200),
    Row("POST", "/api/v1/uploads", "/api/v1/uploads", 400),
    Row("OPTIONS", "/api/v1/uploads", "/api/v1/uploads", 204),
    Row("POST", "/api/v1/uploads/{id}", "/api/v1/uploads/none", 405),
    Row("GET", "/api/v1/uploads/{id}", "/api/v1/uploads/none", 404),
    Row("PATCH", "/api/v1/uploads/{id}", "/api/v1/uploads/none", 404),
    Row("DELETE", "/api/v1/uploads/{id}", "/api/v1/uploads/none", 404),
    Row("POST", "/fcs/ident2", "/fcs/ident2", 404),
    Row("POST", "/open/1", "/open/1", 200),
    Row("POST", "/send/{name}/{turn}", "/send/none/1", 404),
    Row("POST", "/idle/{name}/{turn}", "/idle/none/1", 404),
    Row("POST", "/close/{*rest}", "/close/none/1", 404),
    Row("GET", "/watch/{*name}", "/watch/live/cam", PAGE),
    Row("GET", "/house.css", "/house.css", 200),
    Row("GET", "/login", "/login", 200),
    Row("POST", "/login", "/login", 401),
    Row("POST", "/logout", "/logout", 303),
    Row("GET", "/api/v1/openapi.json", "/api/v1/openapi.json", 200),
    Row("GET", "/api/v1/info", "/api/v1/info", 200),
    Row("GET", "/api/v1/streams/{*path}", "/api/v1/streams/live/cam", 200),
    Row("GET", "/api/v1/films/{*path}", "/api/v1/films/vod/bframes.mp4", 200),
    Row("GET", "/healthz", "/healthz", 200),
    Row("GET", "/readyz", "/readyz", 200),
    Row("GET", "file", "/vod/bframes.mp4", 200),
    Row("GET", "file", "/vod/bframes.flv", 200),
    Row("GET", "picture", "/vod/bframes.mp4/sprite.vtt", PICTURE),
    Row("GET", "hls", "/vod/bframes.mp4/index.m3u8", 200),
    Row("GET", "hls", "/vod/bframes.mp4/hls/video-0/0.m4s", 200),
    Row("GET", "nothing", "/vod/bframes.mp4/else", 404),
    Row("GET", "live hls", "/live/none/index.m3u8", 404),
    Row("POST", "live hls", "/live/cam/hls/video-0.m3u8", 405),
    Row("GET", "live picture", "/live/cam/thumbnail.jpg", 404),
    Row("HEAD", "stream", "/live/cam.flv", 200),
    Row("POST", "stream", "/live/cam.flv", 405),
    Row("GET", "page", "/nowhere", 404),
];

/// Where somebody asks from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum From {
    Here,
    There,
    /// This machine, with a header that a proxy adds.
    Proxy(&'static str),
    /// This machine, by a name that a page may have rebound.
    Rebound,
}

const FROM: [From; 6] = [
    From::Here,
    From::There,
    From::Proxy("x-forwarded-for"),
    From::Proxy("x-forwarded-proto"),
    From::Proxy("via"),
    From::Rebound,
];

/// What is shown, and whether it is right.
const SHOWN: [(Shown, Verdict); 9] = [
    (Shown::Nothing, Verdict::Missing),
    (Shown::Bearer(""), Verdict::Missing),
    (Shown::Cookie(""), Verdict::Missing),
    (Shown::Bearer("wrong-wrong"), Verdict::Wrong),
    (Shown::Bearer(TOKEN), Verdict::Right),
    // A cookie names a session, and is no token.
    (Shown::Cookie(KEY), Verdict::Missing),
    (Shown::Cookie(TOKEN), Verdict::Missing),
    (Shown::Cookie(CODED), Verdict::Missing),
    (Shown::Session, Verdict::Right),
];

#[derive(Clone, Copy, Debug)]
enum Shown {
    Nothing,
    Bearer(&'static str),
    Cookie(&'static str),
    Session,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Missing,
    Wrong,
    Right,
}

/// The router with a stream `live/cam` and the films of the test data.
struct House {
    shared: Arc<Shared>,
    router: Router,
    directory: PathBuf,
    _publisher: Publisher,
    _tunnels: tokio::sync::mpsc::Receiver<Opened>,
}

impl House {
    fn new(trust_local: bool) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let directory =
            std::env::temp_dir().join(format!("headwater-routes-{}-{number}", std::process::id()));
        let media = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../testdata");
        let mut config = Config { data: directory.clone(), media, ..Config::default() };
        config.access.trust_local = trust_local;
        config.access.take_environment(Some(KEY.to_owned()), Some(TOKEN.to_owned())).unwrap();
        let (settings, uptime) = (Settings::new(&config), Uptime::start());
        let hub = Arc::new(Hub::new(config.streams.hub(1)));
        let name = StreamName::parse("live/cam").unwrap();
        let publisher = hub.publish(&name, PublisherInfo::default(), Duration::ZERO).unwrap();
        let library = Arc::new(Library::new(&config.media, &config.libraries()));
        let (tunnels, opened) = Tunnels::new(settings.tunnels.live(), uptime);
        let shared = Arc::new(Shared {
            uploads: Arc::new(Uploads::open(&config.uploads, &config.data, Arc::clone(&library))),
            sources: Sources {
                hub,
                library,
                archive: Arc::default(),
                viewing: settings.viewing.live(),
                uptime,
            },
            thumbnails: Thumbnails::new(&config.pictures),
            access: Arc::new(Access::open(&config.access, settings.publish.live(), &config.data).unwrap()),
            events: Arc::new(Events::new(Arc::default())),
            metrics: Arc::default(),
            tunnels: Arc::new(tunnels),
            cuts: Cuts::default(),
            playlists: Default::default(),
            audience: Default::default(),
            rtmp_port: 1935,
            http_port: 8080,
        });
        let router = router(&shared);
        Self { shared, router, directory, _publisher: publisher, _tunnels: opened }
    }

    /// Status and text of an answer; the text is where to go for one that leads elsewhere.
    async fn ask(&self, row: &Row, from: From, shown: Shown) -> (u16, String) {
        let address = if from == From::There { "192.0.2.7:5" } else { "127.0.0.1:5" };
        let host = if from == From::Rebound { "evil.example:8080" } else { "localhost:8080" };
        let mut request = Request::builder().method(row.0).uri(row.2).header(HOST, host);
        if let From::Proxy(header) = from {
            request = request.header(header, "198.51.100.3");
        }
        request = match shown {
            Shown::Nothing => request,
            Shown::Bearer(token) => request.header(AUTHORIZATION, format!("Bearer {token}")),
            Shown::Cookie(session) => request.header(COOKIE, format!("a=b; headwater_session={session}")),
            Shown::Session => {
                let (session, _) = self.shared.access.begin_session().unwrap();
                request.header(COOKIE, format!("a=b; headwater_session={session}"))
            }
        };
        let mut request = request.body(Body::empty()).unwrap();
        let peer =
            gate::peer(&self.shared.access, Origin::direct(address.parse().unwrap()), request.headers());
        request.extensions_mut().insert(Asker::of(peer));
        let response = answer(&self.router, &self.shared, request).await.unwrap();
        let status = response.status().as_u16();
        let place = response.headers().get("location").map(|place| place.to_str().unwrap().to_owned());
        let body = axum::body::to_bytes(response.into_body(), 64 << 20).await.unwrap();
        (status, place.unwrap_or_else(|| String::from_utf8_lossy(&body).into_owned()))
    }

    /// A form, sent from elsewhere.
    async fn post(&self, path: &str, headers: &[(&str, &str)], body: &str) -> Response {
        let mut request = Request::post(path).header(HOST, "headwater.example:8080");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut request = request.body(Body::from(body.to_owned())).unwrap();
        let origin = Origin::direct("192.0.2.7:5".parse().unwrap());
        let peer = gate::peer(&self.shared.access, origin, request.headers());
        request.extensions_mut().insert(Asker::of(peer));
        answer(&self.router, &self.shared, request).await.unwrap()
    }
}

impl Drop for House {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

/// Whether a path is one of those that a pattern such as `/a/{*rest}` means.
fn fits(pattern: &str, path: &str) -> bool {
    let (mut wanted, mut there) = (pattern.split('/'), path.split('/'));
    loop {
        match (wanted.next(), there.next()) {
            (None, None) => return true,
            (Some(rest), Some(_)) if rest.starts_with("{*") => return true,
            (Some(part), Some(there)) if part == there || part.starts_with('{') => {}
            _ => return false,
        }
    }
}

#[tokio::test]
async fn every_address_has_a_row_and_every_row_reaches_what_it_names() {
    let house = House::new(true);
    let mut reached = Vec::new();
    for Row(method, entry, path, _) in &ROWS {
        let method = MethodFilter::try_from(Method::from_bytes(method.as_bytes()).unwrap()).unwrap();
        let fixed = routes().into_iter().find(|route| route.method == method && fits(route.path, path));
        let decoded = path.trim_start_matches('/');
        let (film, live) = (film(&house.shared, decoded), live(&house.shared, decoded));
        let place = Path { raw: path, film, live };
        match fixed {
            Some(route) => reached.push((route.path.to_owned(), Some(method))),
            None => {
                let way = WAYS.iter().find(|(_, way)| way(&place).is_some()).unwrap();
                reached.push((way.0.to_owned(), None));
            }
        }
        assert_eq!(&reached.last().unwrap().0, entry, "{path} reaches something else");
    }
    for route in routes() {
        let entry = (route.path.to_owned(), Some(route.method));
        assert!(reached.contains(&entry), "{entry:?} has no row: add one, and say who may come in");
    }
    for (way, _) in WAYS {
        assert!(reached.contains(&(way.to_owned(), None)), "the way to a {way} has no row: add one");
    }
}

#[tokio::test]
async fn strangers_are_let_in_where_everybody_is_and_nowhere_else() {
    for trust_local in [true, false] {
        let house = House::new(trust_local);
        for row in &ROWS {
            let Row(method, entry, path, status) = row;
            let is_it = |route: &Route| {
                let filter = MethodFilter::try_from(Method::from_bytes(method.as_bytes()).unwrap());
                route.path == *entry && Ok(route.method) == filter.map_err(drop)
            };
            let is_open =
                routes().iter().find(|route| is_it(route)).is_none_or(|route| route.who == Who::All);
            for from in FROM {
                for (shown, verdict) in SHOWN {
                    let asked =
                        format!("{method} {path} from {from:?}, trusted: {trust_local}, with {shown:?}");
                    let answer = house.ask(row, from, shown).await;
                    let is_local = trust_local && from == From::Here;
                    if is_open || is_local || verdict == Verdict::Right {
                        assert_eq!(answer.0, *status, "{asked}: {answer:?}");
                    } else if *path == "/" {
                        assert_eq!(answer, (303, "/login".to_owned()), "{asked}");
                    } else {
                        assert_eq!(answer.0, 401, "{asked}: {answer:?}");
                        let says_wrong = answer.1.contains("the admin token is wrong");
                        assert_eq!(says_wrong, verdict == Verdict::Wrong, "{asked}: {answer:?}");
                    }
                    for secret in [KEY, TOKEN, CODED] {
                        if *entry == ACCESS && answer.0 == 200 && secret == KEY {
                            assert!(answer.1.contains(KEY), "{asked}: {answer:?}");
                            continue;
                        }
                        assert!(!answer.1.contains(secret), "{asked} tells a secret: {answer:?}");
                    }
                }
            }
        }
    }
}

#[tokio::test]
async fn the_form_takes_a_token_as_browsers_send_it_and_begins_a_session_that_logging_out_ends() {
    let house = House::new(true);
    let there = From::There;
    let streams = Row("GET", "/api/v1/streams", "/api/v1/streams", 200);
    for (body, status) in [("token=", 401), ("token=wrong-wrong", 401), (TOKEN, 401)]
        .into_iter()
        .map(|(body, status)| (body.to_owned(), status))
        .chain([TOKEN, CODED].map(|token| (format!("token={token}"), 303)))
    {
        let response = house.post("/login", &[], &body).await;
        assert_eq!(response.status().as_u16(), status, "{body}");
        let cookie = response.headers().get("set-cookie").map(|cookie| cookie.to_str().unwrap().to_owned());
        assert_eq!(cookie.is_some(), status == 303);
        let Some(cookie) = cookie else { continue };
        let (session, rest) = cookie.strip_prefix("headwater_session=").unwrap().split_once(';').unwrap();
        assert!(session.len() > 20 && !cookie.contains(TOKEN) && !cookie.contains(CODED), "{cookie}");
        assert_eq!(rest, " Path=/; HttpOnly; SameSite=Strict; Max-Age=604800");
        let session: &'static str = session.to_owned().leak();
        assert_eq!(house.ask(&streams, there, Shown::Cookie(session)).await.0, 200);
        // It opens whatever name the server was asked for by, and not what another site's page wants changed.
        assert_eq!(house.ask(&streams, From::Rebound, Shown::Cookie(session)).await.0, 200);
        let cookie = format!("headwater_session={session}");
        let foreign = [("cookie", cookie.as_str()), ("origin", "http://evil.example")];
        for path in ["/api/v1/uploads", "/logout"] {
            assert_eq!(house.post(path, &foreign, "").await.status().as_u16(), 403, "{path}");
        }
        assert_eq!(house.ask(&streams, there, Shown::Cookie(session)).await.0, 200);
        let left = house.post("/logout", &foreign[..1], "").await;
        let told = left.headers().get("set-cookie").unwrap().to_str().unwrap();
        assert!(told.starts_with("headwater_session=;") && told.ends_with("Max-Age=0"), "{told}");
        let (status, text) = house.ask(&streams, there, Shown::Cookie(session)).await;
        assert!(status == 401 && text.contains("the session is over"), "{status} {text}");
    }
}

#[tokio::test]
async fn an_admin_is_told_how_to_publish_from_where_it_asks() {
    for (trust_local, from, needed) in
        [(true, From::Here, false), (true, From::There, true), (false, From::Here, true)]
    {
        let house = House::new(trust_local);
        let shown = if from == From::Here && trust_local { Shown::Nothing } else { Shown::Session };
        let (status, text) = house.ask(&Row("GET", ACCESS, ACCESS, 200), from, shown).await;
        assert_eq!(status, 200, "{text}");
        let told: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(told["key_needed"], needed, "{from:?}: {text}");
        assert_eq!((&told["key_needed_elsewhere"], &told["publish_key"]), (&true.into(), &KEY.into()));
        assert_eq!(told["session_ends_in_ms"].is_u64(), matches!(shown, Shown::Session), "{text}");
    }
}

#[tokio::test]
async fn a_secret_as_a_name_is_refused_and_not_repeated() {
    let house = House::new(true);
    for row in [
        Row("GET", "/api/v1/films/{*path}", "/api/v1/films/vod/ke%2Fy+of=mine", 403),
        Row("GET", "/api/v1/films/{*path}", "/api/v1/films/to%2Fken+of=mine%252F", 403),
        Row("GET", "/api/v1/streams/{*path}", "/api/v1/streams/live/ke%2Fy+of=mine", 403),
    ] {
        for from in FROM {
            let (status, text) = house.ask(&row, from, Shown::Nothing).await;
            assert_eq!(status, row.3, "{} from {from:?}: {text}", row.2);
            assert!(!text.contains(KEY) && !text.contains(TOKEN), "{} from {from:?}: {text}", row.2);
        }
    }
}

#[tokio::test]
async fn who_is_refused_is_told_of_as_an_event_with_the_reason() {
    let house = House::new(true);
    let mut heard = house.shared.events.listen();
    let metrics = Row("GET", "/metrics", "/metrics", 401);
    for (shown, reason) in [(Shown::Nothing, "key_missing"), (Shown::Bearer(KEY), "key_wrong")] {
        assert_eq!(house.ask(&metrics, From::There, shown).await.0, 401);
        let Some(Heard::Event(event)) = heard.next().await else { panic!("nothing is told") };
        assert_eq!(event.refusal(), Some(("http", reason)), "{event:?}");
    }
}

#[tokio::test]
async fn who_asks_for_the_head_is_told_the_length_and_sent_nothing() {
    let house = House::new(true);
    for path in
        ["/vod/faststart.mp4", "/vod/faststart.mp4/index.m3u8", "/vod/none.mp4", "/house.css", "/none"]
    {
        let ask = async |method: &str| {
            let mut request = Request::builder().method(method).uri(path).body(Body::empty()).unwrap();
            let peer = Peer { address: "127.0.0.1:5".parse().unwrap(), is_local: true };
            request.extensions_mut().insert(Asker::of(peer));
            answer(&house.router, &house.shared, request).await.unwrap()
        };
        let (got, head) = (ask("GET").await, ask("HEAD").await);
        assert_eq!(got.status(), head.status(), "{path}");
        let says = head.headers().get(CONTENT_LENGTH).map(|len| len.to_str().unwrap().parse::<usize>());
        let [got, nothing] = [got, head].map(|answer| axum::body::to_bytes(answer.into_body(), 64 << 20));
        let (got, nothing) = (got.await.unwrap(), nothing.await.unwrap());
        assert!(nothing.is_empty() && says == Some(Ok(got.len())), "{path}: {says:?} of {}", got.len());
    }
}

#[tokio::test]
async fn who_is_sent_a_film_may_pause() {
    let house = House::new(true);
    for (path, may_pause) in
        [("/vod/faststart.mp4", true), ("/vod/faststart.mp4/index.m3u8", false), ("/house.css", false)]
    {
        let mut request = Request::get(path).body(Body::empty()).unwrap();
        let asker = Asker::of(Peer { address: "127.0.0.1:5".parse().unwrap(), is_local: true });
        let stall_limit = Arc::clone(&asker.stall_limit);
        request.extensions_mut().insert(asker);
        assert_eq!(answer(&house.router, &house.shared, request).await.unwrap().status(), 200);
        assert_eq!(stall_limit.is_for_film(), may_pause, "{path}");
    }
}

#[tokio::test]
async fn no_spelling_of_an_address_leads_past_its_gate() {
    let house = House::new(false);
    let row = |path| Row("GET", "", path, 0);
    let (open, _) = house.ask(&row("/metrics"), From::There, Shown::Bearer(TOKEN)).await;
    assert_eq!(open, 200);
    let spellings = [
        "/metrics",
        "/metrics?x",
        "//metrics",
        "/metrics/",
        "/./metrics",
        "/%6detrics",
        "/METRICS",
        "/api/../metrics",
        "/api/v1/access",
        "/api//v1/access",
        "/%61pi/v1/access",
        "/api/v1/access/",
        "/x/../api/v1/access",
    ];
    for path in spellings {
        let (status, text) = house.ask(&row(path), From::There, Shown::Nothing).await;
        assert!(matches!(status, 401 | 404), "{path}: {status} {text}");
    }
    for route in routes() {
        assert!(may_be_fixed(route.path) && !beginning(route.path).contains('{'), "{}", route.path);
    }
    for path in ["/vod/a.mp4", "/live/a.flv", "/live/a/index.m3u8", "/assets/x.js", "/metric", "/apis/x"] {
        assert!(!may_be_fixed(path), "{path}");
    }
}

#[tokio::test]
async fn films_and_what_is_made_of_them_have_the_same_methods() {
    let house = House::new(true);
    for path in ["/vod/faststart.mp4", "/vod/faststart.mp4/index.m3u8", "/vod/faststart.mp4/thumbnail.jpg"] {
        for (method, status) in [("OPTIONS", 204), ("POST", 405), ("DELETE", 405), ("PUT", 405)] {
            let answered = house.ask(&Row(method, "", path, 0), From::Here, Shown::Nothing).await;
            assert_eq!(answered.0, status, "{method} {path}");
        }
    }
}
