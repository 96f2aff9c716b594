//! Pages of other origins: what they may ask for streams and films with, and that they may read the answer.

use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};

/// The answer to a method by which a stream or a film is not sent; none to `GET` and `HEAD`.
pub(super) fn other_method(method: &Method) -> Option<Response> {
    match *method {
        Method::GET | Method::HEAD => None,
        Method::OPTIONS => Some(preflight()),
        _ => Some(method_not_allowed()),
    }
}

/// What a page of another origin may ask for streams and films with.
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

/// The answer to a method that streams and films do not have.
pub(super) fn method_not_allowed() -> Response {
    (StatusCode::METHOD_NOT_ALLOWED, [(header::ALLOW, "GET, HEAD, OPTIONS")], "use GET\n").into_response()
}

/// Streams may be embedded anywhere; they carry no credentials.
pub(super) fn with_cors(mut response: Response) -> Response {
    response.headers_mut().insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    response
}
