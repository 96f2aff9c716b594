//! The console, the watch page and their files, as built into the binary.

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};

use super::assets::{self, Asset, CONTENT_SECURITY_POLICY};
use super::preconditions::if_none_match;

/// The login page has a form and nothing else.
const LOGIN_SECURITY_POLICY: &str =
    "default-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

const LOGIN: &str = include_str!("login.html");

/// `/`
pub(super) async fn console(headers: HeaderMap) -> Response {
    file("/", &headers)
}

/// `/watch/<app>/<name>`: the page reads the name from its own address.
pub(super) async fn watch(headers: HeaderMap) -> Response {
    file("/watch", &headers)
}

/// `/login`
pub(super) async fn login() -> Response {
    login_page("")
}

/// The login page with a message.
pub(super) fn login_page(message: &'static str) -> Response {
    guarded(Html(LOGIN.replace("{message}", message)).into_response(), LOGIN_SECURITY_POLICY)
}

/// A built file, or 404.
pub(super) fn file(path: &str, headers: &HeaderMap) -> Response {
    match assets::find(path) {
        Some(asset) => guarded(serve(asset, headers), CONTENT_SECURITY_POLICY),
        None => (
            StatusCode::NOT_FOUND,
            "there is nothing here; streams are at /<app>/<name>.flv and /watch/<app>/<name>\n",
        )
            .into_response(),
    }
}

fn serve(asset: &'static Asset, headers: &HeaderMap) -> Response {
    let cache = if asset.immutable { "public, max-age=31536000, immutable" } else { "no-cache" };
    let fixed = [
        (header::CONTENT_TYPE, asset.content_type),
        (header::CACHE_CONTROL, cache),
        (header::ETAG, asset.etag),
    ];
    if if_none_match(headers, asset.etag) == Some(true) {
        return (StatusCode::NOT_MODIFIED, fixed).into_response();
    }
    (fixed, asset.bytes).into_response()
}

fn guarded(mut response: Response, policy: &'static str) -> Response {
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}
