//! Uploads over HTTP: begun with JSON, filled with bytes from where they stand, and asked for where that is.
//!
//! `PATCH` with `Upload-Offset` is the one way in, as in tus, whose other fields nobody here needs.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::TryStreamExt;
use serde::Serialize;

use super::films;
use super::refusals::status;
use super::shared::Shared;
use crate::events::Event;
use headwater_vod::uploads::{Order, Upload};
use headwater_vod::{Refusal, RefusalKind};

const OFFSET: HeaderName = HeaderName::from_static("upload-offset");
const LENGTH: HeaderName = HeaderName::from_static("upload-length");
/// What is said of a new upload, at most.
const ORDER_BYTES_MAX: usize = 8 << 10;
/// How long that may take to come.
const ORDER_MAX: Duration = Duration::from_secs(5);

#[derive(Serialize)]
struct Standing<'a> {
    id: &'a str,
    #[serde(flatten)]
    order: &'a Order,
    offset: u64,
    /// Whether the file is among the films now.
    done: bool,
}

#[derive(Serialize)]
struct List<'a> {
    uploads: Vec<Standing<'a>>,
}

#[derive(Serialize)]
struct Refused {
    error: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    offset: Option<u64>,
}

/// `GET /api/v1/uploads`: the unfinished ones.
pub(super) async fn list(State(shared): State<Arc<Shared>>) -> Response {
    let uploads = shared.uploads.list();
    let uploads = uploads.iter().map(|upload| standing(upload, false)).collect();
    fresh(Json(List { uploads }).into_response())
}

/// `POST /api/v1/uploads` with `{"app", "name", "bytes", "replace"}`: begins one.
pub(super) async fn begin(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let body = axum::body::to_bytes(request.into_body(), ORDER_BYTES_MAX);
    let body = match tokio::time::timeout(ORDER_MAX, body).await {
        Ok(Ok(body)) => body,
        Ok(Err(_)) => return StatusCode::PAYLOAD_TOO_LARGE.into_response(),
        Err(_) => return StatusCode::REQUEST_TIMEOUT.into_response(),
    };
    let order: Order = match serde_json::from_slice(&body) {
        Ok(order) => order,
        Err(error) => {
            let error = format!("An upload is begun with {{\"app\", \"name\", \"bytes\"}}: {error}.");
            return (StatusCode::BAD_REQUEST, Json(Refused { error, offset: None })).into_response();
        }
    };
    match shared.uploads.begin(order).await {
        Ok(upload) => {
            let place = format!("/api/v1/uploads/{}", upload.id());
            let mut response = stands(&upload, false);
            *response.status_mut() = StatusCode::CREATED;
            // An identifier is made of letters and digits.
            if let Ok(place) = HeaderValue::try_from(place) {
                response.headers_mut().insert(header::LOCATION, place);
            }
            response
        }
        Err(refusal) => refuse(&shared, &refusal),
    }
}

/// `GET` and `HEAD /api/v1/uploads/{id}`: how much there is.
pub(super) async fn look(State(shared): State<Arc<Shared>>, Path(id): Path<String>) -> Response {
    match shared.uploads.find(&id) {
        Ok(upload) => stands(&upload, false),
        Err(refusal) => refuse(&shared, &refusal),
    }
}

/// `PATCH /api/v1/uploads/{id}`: adds the body's bytes, which begin at `Upload-Offset`.
pub(super) async fn append(
    State(shared): State<Arc<Shared>>,
    Path(id): Path<String>,
    request: Request,
) -> Response {
    let upload = match shared.uploads.find(&id) {
        Ok(upload) => upload,
        Err(refusal) => return refuse(&shared, &refusal),
    };
    let offset = request.headers().get(OFFSET).and_then(|value| value.to_str().ok()?.parse().ok());
    let Some(offset) = offset else {
        let error = "Upload-Offset says at which byte of the file the body begins.".to_owned();
        return (StatusCode::BAD_REQUEST, Json(Refused { error, offset: None })).into_response();
    };
    let _under_way = shared.metrics.uploading();
    let metrics = Arc::clone(&shared.metrics);
    let pieces = request.into_body().into_data_stream().inspect_ok(move |piece| {
        metrics.uploaded(piece.len() as u64);
    });
    match shared.uploads.append(&upload, offset, pieces).await {
        Ok(done) => {
            if done {
                let Order { app, name, bytes, .. } = upload.order().clone();
                shared.cuts.forget(&app, &name);
                shared.events.emit(Event::UploadFinished { app, name, bytes });
            }
            stands(&upload, done)
        }
        Err(refusal) => refuse(&shared, &refusal),
    }
}

/// `DELETE /api/v1/uploads/{id}`: forgets it.
pub(super) async fn remove(State(shared): State<Arc<Shared>>, Path(id): Path<String>) -> Response {
    match shared.uploads.remove(&id) {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(refusal) => refuse(&shared, &refusal),
    }
}

fn standing(upload: &Upload, done: bool) -> Standing<'_> {
    let order = upload.order();
    let offset = if done { order.bytes } else { upload.received().unwrap_or(0) };
    Standing { id: upload.id(), order, offset, done }
}

fn stands(upload: &Upload, done: bool) -> Response {
    let standing = standing(upload, done);
    let fields = [(OFFSET, standing.offset.to_string()), (LENGTH, standing.order.bytes.to_string())];
    let mut response = (fields, Json(&standing)).into_response();
    if done {
        let film = films::address(&standing.order.app, &standing.order.name);
        if let Ok(film) = HeaderValue::try_from(film) {
            response.headers_mut().insert(header::CONTENT_LOCATION, film);
        }
    }
    fresh(response)
}

/// How an upload stands is never what it was.
fn fresh(mut response: Response) -> Response {
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn refuse(shared: &Shared, refusal: &Refusal) -> Response {
    let reason = match refusal.kind {
        RefusalKind::TooLarge => Some("upload-size"),
        RefusalKind::TooMany => Some("uploads"),
        RefusalKind::Full => Some("disk"),
        _ => None,
    };
    let error = refusal.to_string();
    if let Some(reason) = reason {
        shared.events.emit(Event::RequestRefused { door: "http", reason, text: error.clone() });
    }
    let offset = match refusal.kind {
        RefusalKind::Offset(at) | RefusalKind::Cut(at) => Some(at),
        _ => None,
    };
    let mut response = (status(refusal.kind), Json(Refused { error, offset })).into_response();
    if let Some(offset) = offset {
        response.headers_mut().insert(OFFSET, offset.into());
    }
    fresh(response)
}
