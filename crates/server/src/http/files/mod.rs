//! Files over HTTP: whole, in ranges, and cut on the fly.

mod answer;
mod body;
mod conditions;
mod disk;
mod opened;
mod plan;
mod range;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use axum::http::Method;
use axum::http::request::Parts;
use axum::response::Response;

use self::answer::{Offer, answer};
use self::body::Way;
pub(crate) use self::opened::Recent;
use self::plan::{Piece, Plan};
use super::sendfile::Ranges;
use super::{Shared, method_not_allowed, preflight, vod};
use crate::vod::Refusal;

/// Answers a request for a file of an app with films, by its path below the app's directory.
pub(super) async fn serve(shared: &Arc<Shared>, app: &str, path: &str, request: &Parts) -> Response {
    match request.method {
        Method::GET | Method::HEAD => {}
        Method::OPTIONS => return preflight(),
        _ => return method_not_allowed(),
    }
    match offer(shared, app, path, request).await {
        Ok(offer) => {
            let kernel = request.extensions.get::<Arc<Ranges>>().cloned();
            let way = Way { kernel, copied: shared.metrics.file_bytes("copy") };
            answer(&request.method, &request.headers, offer, way)
        }
        Err(refusal) => vod::refused(&refusal),
    }
}

async fn offer(shared: &Shared, app: &str, path: &str, request: &Parts) -> Result<Offer, Refusal> {
    let query = request.uri.query().unwrap_or_default();
    let asked = |name| query.split('&').any(|pair| pair.split('=').next() == Some(name));
    let opened = shared.recent.open(&shared.sources.library, app, path).await?;
    let mut plan = Plan::default();
    plan.push(Piece::File { file: Arc::clone(&opened.file), offset: 0, len: opened.bytes });
    let download = asked("download").then(|| path.rsplit('/').next().unwrap_or(path).to_owned());
    Ok(Offer { plan, content_type: content_type(path), version: opened.version.clone(), download })
}

/// The type of what may lie in a directory of films, by its extension.
fn content_type(path: &str) -> &'static str {
    let extension = path.rsplit('.').next().unwrap_or_default().to_ascii_lowercase();
    match extension.as_str() {
        "mp4" | "m4v" | "f4v" => "video/mp4",
        "m4a" => "audio/mp4",
        "mov" => "video/quicktime",
        "flv" => "video/x-flv",
        "vtt" => "text/vtt; charset=utf-8",
        "srt" => "application/x-subrip; charset=utf-8",
        _ => "application/octet-stream",
    }
}
