//! Files over HTTP: whole, in ranges, and cut on the fly.

mod answer;
mod body;
mod conditions;
pub(super) mod cuts;
mod cutting;
mod disk;
mod plan;
mod range;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use axum::http::request::Parts;
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};

pub(in crate::doors::http) use self::answer::Offer;
use self::answer::answer;
use self::body::Way;
pub(in crate::doors::http) use self::conditions::Version;
use self::cutting::{Asked, Container};
pub(in crate::doors::http) use self::plan::{Piece, Plan};
use super::refusals::refused;
use super::sendfile::Ranges;
use super::{Shared, method_not_allowed, preflight};
use headwater_vod::{Refusal, RefusalKind};

/// Answers a request for a file of an app with films, by its path below the app's directory.
pub(super) async fn serve(shared: &Arc<Shared>, app: &str, path: &str, request: &Parts) -> Response {
    match request.method {
        Method::GET | Method::HEAD => {}
        Method::OPTIONS => return preflight(),
        _ => return method_not_allowed(),
    }
    match offer(shared, app, path, request.uri.query().unwrap_or_default()).await {
        Ok(offer) => answer_offer(shared, request, offer),
        Err(refused) => refused,
    }
}

/// Answers `GET` and `HEAD` with a body that is known: conditions, ranges, and the way it leaves.
pub(super) fn answer_offer(shared: &Shared, request: &Parts, offer: Offer) -> Response {
    let kernel = request.extensions.get::<Arc<Ranges>>().cloned();
    let way = Way { kernel, copied: shared.metrics.file_bytes("copy") };
    answer(&request.method, &request.headers, offer, way)
}

/// What is there under that name: the file itself, a part of the film, or the film in a container of that name.
async fn offer(shared: &Shared, app: &str, path: &str, query: &str) -> Result<Offer, Response> {
    let asked = Asked::read(query)
        .map_err(|problem| (StatusCode::BAD_REQUEST, format!("{problem}\n")).into_response())?;
    let is_asked = |name| query.split('&').any(|pair| pair.split('=').next() == Some(name));
    let download = is_asked("download").then(|| path.rsplit('/').next().unwrap_or(path).to_owned());
    let library = &shared.sources.library;
    let container = Container::of(path).filter(|_| asked.is_part());
    let opened = match container {
        None => library.file(app, path).await,
        Some(_) => Err(Refusal::new(RefusalKind::NotFound, String::new())),
    };
    match opened {
        Ok(blob) => {
            let version = Version { etag: blob.etag().to_owned(), modified: blob.modified() };
            let len = blob.size();
            let mut plan = Plan::default();
            plan.push(Piece::Range { blob, offset: 0, len });
            Ok(Offer { plan, content_type: content_type(path), version, download })
        }
        Err(refusal) => {
            let made = make(shared, app, path, asked, refusal).await;
            let (plan, version, container) = made.map_err(|refusal| refused(&refusal))?;
            Ok(Offer { plan, content_type: container.content_type(), version, download })
        }
    }
}

/// The film of that name, or of that name with another extension, in the container that the name asks for; `refusal`
/// is what the file of that name has come to.
async fn make(
    shared: &Shared,
    app: &str,
    path: &str,
    asked: Asked,
    refusal: Refusal,
) -> Result<(Plan, Version, Container), Refusal> {
    let (RefusalKind::NotFound, Some((stem, container))) = (refusal.kind, cutting::stem(path)) else {
        return Err(refusal);
    };
    let library = &shared.sources.library;
    let film = match library.open(app, path).await {
        Err(absent) if absent.kind == RefusalKind::NotFound => {
            let by_stem = library.open(app, stem).await;
            by_stem.map_err(|other| if other.kind == RefusalKind::NotFound { absent } else { other })?
        }
        film => film?,
    };
    let (plan, version) = shared.cuts.get(app, &film, container, asked).await?;
    Ok((plan, version, container))
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
