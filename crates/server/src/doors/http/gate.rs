//! Who may see the console and the API.
//!
//! From this machine, directly and by a local name: open. From elsewhere, through a proxy, or by a
//! foreign `Host` (a page that has rebound its name to this machine): with the admin token as a bearer, or
//! with a session, whose name is in the cookie that `/login` sets and `/logout` takes away. There is no CORS
//! on these addresses.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::{Extensions, HeaderMap, Method, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};

use super::asker::Asker;
use super::body;
use super::pages::{self, LoginProblem};
use super::query::Query;
use super::shared::Shared;
use crate::access::{Access, AccessRequest, Action, Decision, Origin, Peer, Reason};
use crate::events::Event;

const COOKIE: &str = "headwater_session";
/// The body of a login form, at most.
const LOGIN_BYTES_MAX: usize = 1024;
/// Headers by which proxies say for whom they ask, besides all that begin as the first.
const FORWARDING: [&str; 7] =
    ["x-forwarded-for", "forwarded", "via", "x-real-ip", "x-client-ip", "true-client-ip", "cf-connecting-ip"];

/// Who asks: whoever connects from there, or somebody behind a proxy. A foreign `Host` makes nobody local
/// either.
pub(super) fn peer(access: &Access, origin: Origin, headers: &HeaderMap) -> Peer {
    let forwards = |name: &&str| name.starts_with("x-forwarded") || FORWARDING.contains(name);
    if let Some(name) = headers.keys().map(header::HeaderName::as_str).find(forwards) {
        return access.peer_behind(origin, name);
    }
    let peer = access.peer(origin);
    Peer { is_local: peer.is_local && has_local_host(headers), ..peer }
}

/// Lets admins through; sends people to the login page and programs away.
pub(super) async fn admin_only(State(shared): State<Arc<Shared>>, request: Request, next: Next) -> Response {
    let decision = {
        let (peer, headers, name) = (peer_of(request.extensions()), request.headers(), request.uri().path());
        authorize_admin(&shared, peer, headers, name).await
    };
    let (reason, text) = match decision {
        Decision::Allow if is_foreign(request.method(), request.headers()) => {
            let why = "a page of another site may not change anything here\n";
            return (StatusCode::FORBIDDEN, why).into_response();
        }
        Decision::Allow => return next.run(request).await,
        Decision::Refuse { reason, text } => (reason, text),
    };
    tell_refused(&shared, reason, &text);
    if request.uri().path() == "/" {
        return Redirect::to("/login").into_response();
    }
    (StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, "Bearer")], format!("{text}\n")).into_response()
}

/// Whether the request comes from an admin.
pub(super) async fn is_admin(shared: &Shared, peer: Peer, headers: &HeaderMap, path: &str) -> bool {
    authorize_admin(shared, peer, headers, path).await == Decision::Allow
}

/// Who asks, as every connection's service says. Who is unknown is a stranger.
pub(super) fn peer_of(extensions: &Extensions) -> Peer {
    let unknown = Peer { address: SocketAddr::from(([0; 4], 0)), is_local: false };
    extensions.get::<Asker>().map_or(unknown, |asker| asker.peer)
}

async fn authorize_admin(shared: &Shared, peer: Peer, headers: &HeaderMap, name: &str) -> Decision {
    let (key, session) = (bearer(headers), session(headers));
    shared.access.authorize(AccessRequest { action: Action::Admin, peer, name, key, session }).await
}

/// The answer to somebody who may not watch `name`.
pub(super) async fn refuse_viewer(shared: &Shared, peer: Peer, uri: &Uri, name: &str) -> Option<Response> {
    let key = Query::of(uri).value("key");
    match shared
        .access
        .authorize(AccessRequest { action: Action::Play, peer, name, key, session: None })
        .await
    {
        Decision::Allow => None,
        Decision::Refuse { reason, text } => {
            tell_refused(shared, reason, &text);
            Some((StatusCode::FORBIDDEN, format!("{text}\n")).into_response())
        }
    }
}

fn tell_refused(shared: &Shared, reason: Reason, text: &str) {
    let (reason, text) = (reason.word(), text.to_owned());
    shared.events.emit(Event::RequestRefused { door: "http", reason, text });
}

/// Whether a page of another site has a browser change something in its user's name. The token as a bearer is
/// something that no other site has.
fn is_foreign(method: &Method, headers: &HeaderMap) -> bool {
    if method.is_safe() || bearer(headers).is_some() {
        return false;
    }
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(site) = text("sec-fetch-site") {
        return !matches!(site, "same-origin" | "none");
    }
    // Browsers say the site only where they trust the connection, the origin always; programs say neither.
    let Some(origin) = headers.get(header::ORIGIN) else { return false };
    let origin = origin.to_str().ok().and_then(|origin| origin.split_once("://"));
    origin.is_none_or(|(_, host)| text("host") != Some(host))
}

/// Checks a token that a person typed in, and begins a session.
pub(super) async fn login(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let (request, body) = request.into_parts();
    let body = match body::read(body, LOGIN_BYTES_MAX).await {
        Ok(body) => body,
        Err(status) => return status.into_response(),
    };
    let text = String::from_utf8_lossy(&body);
    let token = text.strip_prefix("token=").unwrap_or_default().trim();
    if token.is_empty() {
        return login_again(&request.headers, LoginProblem::NoToken);
    }
    if !shared.access.is_admin_token(token) {
        tell_refused(&shared, Reason::Wrong, "That is not the admin token.");
        return login_again(&request.headers, LoginProblem::WrongToken);
    }
    let (session, length) = match shared.access.begin_session() {
        Ok(begun) => begun,
        Err(error) => return (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")).into_response(),
    };
    let set = cookie(&session, length, is_secure(&request.extensions, &request.headers));
    ([(header::SET_COOKIE, set)], Redirect::to("/")).into_response()
}

fn login_again(headers: &HeaderMap, problem: LoginProblem) -> Response {
    (StatusCode::UNAUTHORIZED, pages::login_page(headers, Some(problem))).into_response()
}

/// `POST /logout`: ends the session, here and in the browser.
pub(super) async fn logout(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    if is_foreign(request.method(), request.headers()) {
        return (StatusCode::FORBIDDEN, "a page of another site may not log you out\n").into_response();
    }
    if let Some(session) = session(request.headers()) {
        shared.access.end_session(session);
    }
    let set = cookie("", Duration::ZERO, is_secure(request.extensions(), request.headers()));
    ([(header::SET_COOKIE, set)], Redirect::to("/login")).into_response()
}

/// Whether the browser has come by HTTPS: to us, or to a proxy that says so.
fn is_secure(extensions: &Extensions, headers: &HeaderMap) -> bool {
    let forwarded = headers.get("x-forwarded-proto").is_some_and(|scheme| scheme.as_bytes() == b"https");
    forwarded || extensions.get::<Asker>().is_some_and(|asker| asker.is_in_tls)
}

/// The cookie that names a session. One that came by HTTPS never goes by HTTP.
fn cookie(session: &str, length: Duration, is_secure: bool) -> String {
    let secure = if is_secure { "; Secure" } else { "" };
    format!("{COOKIE}={session}; Path=/; HttpOnly; SameSite=Strict; Max-Age={}{secure}", length.as_secs())
}

/// The token that a request shows.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    value.strip_prefix("Bearer ").map(str::trim)
}

/// The session that a request names.
pub(super) fn session(headers: &HeaderMap) -> Option<&str> {
    // HTTP/2 may give each cookie a line of its own (RFC 9113, 8.2.3).
    let lines = headers.get_all(header::COOKIE).into_iter().filter_map(|line| line.to_str().ok());
    lines
        .flat_map(|line| line.split(';'))
        .find_map(|cookie| cookie.trim().strip_prefix(COOKIE)?.strip_prefix('='))
}

/// Whether `Host` names this machine in a way that no foreign page can make its own. A request without
/// `Host` comes from no browser.
fn has_local_host(headers: &HeaderMap) -> bool {
    let Some(host) = headers.get(header::HOST) else { return true };
    let Ok(host) = host.to_str() else { return false };
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    name.eq_ignore_ascii_case("localhost")
        || name.parse::<std::net::IpAddr>().is_ok_and(|address| address.to_canonical().is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(value: &str) -> bool {
        has_local_host(&HeaderMap::from_iter([(header::HOST, value.parse().unwrap())]))
    }

    #[test]
    fn a_rebound_name_is_not_local() {
        assert!(host("localhost:8080") && host("127.0.0.1") && host("[::1]:8080") && host("LOCALHOST"));
        assert!(!host("evil.example:8080") && !host("127.0.0.1.evil.example") && !host("192.0.2.1"));
    }

    #[test]
    fn only_pages_of_this_site_change_things() {
        let foreign = |method: Method, pairs: &[(&'static str, &'static str)]| {
            let pairs = pairs.iter().map(|(name, value)| {
                (header::HeaderName::from_static(name), header::HeaderValue::from_static(value))
            });
            is_foreign(&method, &pairs.collect())
        };
        let (post, host) = (Method::POST, ("host", "a:8080"));
        assert!(!foreign(post.clone(), &[host]));
        assert!(!foreign(post.clone(), &[host, ("origin", "http://a:8080")]));
        assert!(!foreign(
            post.clone(),
            &[("host", "inner"), ("origin", "https://a"), ("sec-fetch-site", "same-origin")]
        ));
        assert!(!foreign(Method::GET, &[host, ("origin", "http://b")]));
        assert!(!foreign(post.clone(), &[host, ("origin", "http://b"), ("authorization", "Bearer x")]));
        // Which a page of another site can have a browser send, by http://a:b@host/.
        assert!(foreign(post.clone(), &[host, ("origin", "http://b"), ("authorization", "Basic YTpi")]));
        for origin in ["http://a", "http://b:8080", "null", "http://a:80800"] {
            assert!(foreign(post.clone(), &[host, ("origin", origin)]), "{origin}");
        }
        for site in ["cross-site", "same-site"] {
            assert!(foreign(Method::DELETE, &[host, ("origin", "http://a:8080"), ("sec-fetch-site", site)]));
        }
    }

    #[test]
    fn a_session_that_came_by_https_stays_there() {
        let (mut extensions, mut headers) = (Extensions::new(), HeaderMap::new());
        let hour = Duration::from_secs(3600);
        let plain = "headwater_session=a; Path=/; HttpOnly; SameSite=Strict; Max-Age=3600";
        assert_eq!(cookie("a", hour, is_secure(&extensions, &headers)), plain);
        let asker = Asker::of(Peer { address: SocketAddr::from(([0; 4], 0)), is_local: false });
        extensions.insert(Asker { is_in_tls: true, ..asker });
        assert_eq!(cookie("a", hour, is_secure(&extensions, &headers)), format!("{plain}; Secure"));
        headers.insert("x-forwarded-proto", "https".parse().unwrap());
        assert!(is_secure(&Extensions::new(), &headers));
    }

    #[test]
    fn a_token_is_a_bearer_and_a_session_is_in_the_cookie() {
        let shown = |name, value: &'static str| HeaderMap::from_iter([(name, value.parse().unwrap())]);
        let token = shown(header::AUTHORIZATION, "Bearer abc");
        let cookie = shown(header::COOKIE, "a=b; headwater_session=abc; headwater_session2=d");
        assert_eq!((bearer(&token), session(&token)), (Some("abc"), None));
        assert_eq!((bearer(&cookie), session(&cookie)), (None, Some("abc")));
        let mut apart = shown(header::COOKIE, "a=b");
        apart.append(header::COOKIE, "headwater_session=abc".parse().unwrap());
        assert_eq!(session(&apart), Some("abc"));
        assert_eq!(bearer(&shown(header::AUTHORIZATION, "Basic YTpi")), None);
    }
}
