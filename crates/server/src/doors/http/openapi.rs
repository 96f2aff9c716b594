//! What the API can, for programs that read it: an OpenAPI document, written by hand and held against the routes and
//! their answers by the tests of [`route`](super::route).

use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};

/// The document. An address such as `/api/v1/films/{*path}` is `/api/v1/films/{app}/{name}` in it.
pub(super) const DOCUMENT: &str = include_str!("openapi.json");

/// `GET /api/v1/openapi.json`
pub(super) async fn document() -> Response {
    ([(CONTENT_TYPE, "application/json")], DOCUMENT).into_response()
}
