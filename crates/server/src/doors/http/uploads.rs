//! Uploads over HTTP, as [`tus`] has them: begun, filled with bytes from where they stand, and asked for where that is.
//! They may also be begun with JSON, and are listed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::TryStreamExt;
use serde::Serialize;

use super::cors::method_not_allowed;
use super::refusals::status;
use super::shared::Shared;
use super::to_its_end::to_its_end;
use super::{body, films, tus};
use crate::events::Event;
use headwater_vod::uploads::{Order, Upload};
use headwater_vod::{Refusal, RefusalKind};

/// What is said of a new upload, at most.
const ORDER_BYTES_MAX: usize = 8 << 10;

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

/// `OPTIONS /api/v1/uploads`: what this server can of tus.
pub(super) async fn options(State(shared): State<Arc<Shared>>) -> Response {
    tus::options(shared.uploads.upload_max_bytes())
}

/// `POST /api/v1/uploads`: begins one, with `Upload-Length` and `Upload-Metadata`, or with a body
/// `{"app", "name", "bytes", "replace"}`.
pub(super) async fn begin(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let (request, body) = request.into_parts();
    if let Some(refused) = tus::refuse_version(&request.headers) {
        return refused;
    }
    let speaks_tus = tus::is_spoken(&request.headers);
    let order = match tus::order(&request.headers) {
        Some(order) => order,
        None => match order_of(body).await {
            Ok(order) => order,
            Err(status) => return status.into_response(),
        },
    };
    let order = match order {
        Ok(order) => order,
        Err(problem) => return tus::mark(malformed(problem)),
    };
    match shared.uploads.begin(order).await {
        Ok(upload) => {
            let place = format!("/api/v1/uploads/{}", upload.id());
            let mut response = stands(&shared, &upload, false, speaks_tus);
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

/// What a body orders, or why that is none; no body is a status.
async fn order_of(body: Body) -> Result<Result<Order, String>, StatusCode> {
    let body = body::read(body, ORDER_BYTES_MAX).await?;
    Ok(serde_json::from_slice(&body).map_err(|error| {
        format!(
            "An upload is begun with Upload-Length and Upload-Metadata, or with {{\"app\", \"name\", \"bytes\"}}: \
             {error}."
        )
    }))
}

/// `GET` and `HEAD /api/v1/uploads/{id}`: how much there is.
pub(super) async fn look(
    State(shared): State<Arc<Shared>>,
    Path(id): Path<String>,
    method: Method,
    headers: HeaderMap,
) -> Response {
    if let Some(refused) = tus::refuse_version(&headers) {
        return refused;
    }
    match shared.uploads.find(&id) {
        Ok(upload) => stands(&shared, &upload, false, method == Method::HEAD),
        Err(refusal) => refuse(&shared, &refusal),
    }
}

/// `PATCH /api/v1/uploads/{id}`: adds the body's bytes, which begin at `Upload-Offset`.
pub(super) async fn append(shared: State<Arc<Shared>>, id: Path<String>, request: Request) -> Response {
    // The body fails where its client hangs up; what has come is kept, and put in its place if it is whole.
    to_its_end(append_body(shared, id, request)).await
}

async fn append_body(
    State(shared): State<Arc<Shared>>,
    Path(id): Path<String>,
    request: Request,
) -> Response {
    let (request, body) = request.into_parts();
    if let Some(refused) = tus::refuse_version(&request.headers) {
        return refused;
    }
    let speaks_tus = tus::is_spoken(&request.headers);
    let upload = match shared.uploads.find(&id) {
        Ok(upload) => upload,
        Err(refusal) => return refuse(&shared, &refusal),
    };
    let text = |name| request.headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    if speaks_tus && text(header::CONTENT_TYPE) != Some(tus::BYTES) {
        let error = format!("The bytes of an upload are {}.", tus::BYTES);
        let refused = Refused { error, offset: None };
        return tus::mark((StatusCode::UNSUPPORTED_MEDIA_TYPE, Json(refused)).into_response());
    }
    let Some(offset) = text(tus::OFFSET).and_then(|offset| offset.parse().ok()) else {
        let error = "Upload-Offset says at which byte of the file the body begins.".to_owned();
        return tus::mark(malformed(error));
    };
    let _under_way = shared.metrics.uploading();
    let metrics = Arc::clone(&shared.metrics);
    let is_malformed = AtomicBool::new(false);
    let pieces = body.into_data_stream().inspect_ok(move |piece| {
        metrics.uploaded(piece.len() as u64);
    });
    let pieces = pieces.inspect_err(|error| is_malformed.store(body::is_malformed(error), Ordering::Relaxed));
    match shared.uploads.append(&upload, offset, pieces).await {
        Ok(done) => {
            if done {
                let Order { app, name, bytes, .. } = upload.order().clone();
                shared.cuts.forget(&app, &name);
                shared.events.emit(Event::UploadFinished { app, name, bytes });
            }
            stands(&shared, &upload, done, speaks_tus)
        }
        Err(Refusal { kind: RefusalKind::Cut(_), .. }) if is_malformed.load(Ordering::Relaxed) => {
            tus::mark(malformed("The body is not in chunks as it says.".to_owned()))
        }
        Err(refusal) => refuse(&shared, &refusal),
    }
}

/// `POST /api/v1/uploads/{id}` with `X-HTTP-Method-Override`: `PATCH` or `DELETE`, for clients that can send neither.
pub(super) async fn overridden(shared: State<Arc<Shared>>, id: Path<String>, request: Request) -> Response {
    let method = request.headers().get(tus::METHOD_OVERRIDE).cloned();
    match method.as_ref().map(HeaderValue::as_bytes) {
        Some(b"PATCH") => append(shared, id, request).await,
        Some(b"DELETE") => remove(shared, id).await,
        _ => method_not_allowed(),
    }
}

/// `DELETE /api/v1/uploads/{id}`: forgets it.
pub(super) async fn remove(State(shared): State<Arc<Shared>>, Path(id): Path<String>) -> Response {
    match shared.uploads.remove(&id) {
        Ok(()) => tus::mark(StatusCode::NO_CONTENT.into_response()),
        Err(refusal) => refuse(&shared, &refusal),
    }
}

fn malformed(error: String) -> Response {
    (StatusCode::BAD_REQUEST, Json(Refused { error, offset: None })).into_response()
}

fn standing(upload: &Upload, done: bool) -> Standing<'_> {
    let order = upload.order();
    let offset = if done { order.bytes } else { upload.received().unwrap_or(0) };
    Standing { id: upload.id(), order, offset, done }
}

/// How an upload stands: in the head, and in JSON unless it is to be told `by_head_alone`.
fn stands(shared: &Shared, upload: &Upload, done: bool, by_head_alone: bool) -> Response {
    let standing = standing(upload, done);
    let fields =
        [(tus::OFFSET, standing.offset.to_string()), (tus::LENGTH, standing.order.bytes.to_string())];
    let mut response = if by_head_alone {
        (StatusCode::NO_CONTENT, fields).into_response()
    } else {
        (fields, Json(&standing)).into_response()
    };
    if done {
        let film = films::address(&standing.order.app, &standing.order.name);
        if let Ok(film) = HeaderValue::try_from(film) {
            response.headers_mut().insert(header::CONTENT_LOCATION, film);
        }
    } else {
        tus::expires(&mut response, shared.uploads.expires(upload));
    }
    fresh(tus::mark(response))
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
        response.headers_mut().insert(tus::OFFSET, offset.into());
    }
    fresh(tus::mark(response))
}
