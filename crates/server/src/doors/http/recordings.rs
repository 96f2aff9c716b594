//! Recordings by API: which files grow, and that a live stream is to be recorded, or not any more. Files are films of the
//! app `recordings`; how they are listed, renamed and removed stands in `films`.

use std::fs;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use headwater_archive::RECORDINGS_APP;
use headwater_hub::StreamName;
use serde::Serialize;

use super::films;
use super::shared::Shared;

#[derive(Serialize)]
struct List {
    recordings: Vec<Growing>,
}

/// A file that grows.
#[derive(Serialize)]
struct Growing {
    stream: String,
    app: &'static str,
    name: String,
    url: String,
    /// When the file began, where the disk tells.
    since: Option<String>,
}

/// `GET /api/v1/recordings`
pub(super) async fn list(State(shared): State<Arc<Shared>>) -> Response {
    let recordings = shared.sources.archive.recordings();
    let (growing, root) = (recordings.growing(), recordings.root().to_owned());
    let look = move || {
        let began = |name: &str| fs::metadata(root.join(name)).and_then(|about| about.created()).ok();
        let growing = growing.into_iter().map(|(stream, name)| Growing {
            stream: stream.to_string(),
            app: RECORDINGS_APP,
            url: films::address(RECORDINGS_APP, &name),
            since: began(&name).map(films::rfc3339),
            name,
        });
        List { recordings: growing.collect() }
    };
    match tokio::task::spawn_blocking(look).await {
        Ok(list) => Json(list).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// `POST /api/v1/recordings/<app>/<name>`
pub(super) async fn begin(State(shared): State<Arc<Shared>>, Path(path): Path<String>) -> Response {
    ask(&shared, &path, true)
}

/// `DELETE /api/v1/recordings/<app>/<name>`: what was recorded stays.
pub(super) async fn end(State(shared): State<Arc<Shared>>, Path(path): Path<String>) -> Response {
    ask(&shared, &path, false)
}

fn ask(shared: &Shared, path: &str, wanted: bool) -> Response {
    let name = match StreamName::parse(path) {
        Ok(name) => name,
        Err(error) => return (StatusCode::BAD_REQUEST, format!("{error}\n")).into_response(),
    };
    if !shared.sources.hub.is_live(&name) {
        return (StatusCode::NOT_FOUND, format!("nobody publishes {name}\n")).into_response();
    }
    match shared.sources.archive.recordings().ask(&name, wanted) {
        Ok(()) => StatusCode::ACCEPTED.into_response(),
        Err(text) => (StatusCode::CONFLICT, format!("{text}\n")).into_response(),
    }
}
