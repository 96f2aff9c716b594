//! Files over HTTP: whole, in ranges, and cut on the fly.

mod answer;
mod body;
pub(super) mod cuts;
mod cutting;
mod disk;
mod plan;
mod range;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};

pub(in crate::doors::http) use self::answer::Representation;
use self::answer::answer;
use self::body::SendPath;
use self::cutting::CutRequest;
pub(in crate::doors::http) use self::cutting::{Container, tag};
pub(in crate::doors::http) use self::plan::{Piece, Plan};
use super::asker::Asker;
use super::cors::other_method;
use super::preconditions::Validators;
use super::query::Query;
use super::refusals::refused;
use super::shared::Shared;
use headwater_vod::{FileOrFilm, Refusal, RefusalKind};

/// Answers a request for a file of an app with films, by its path below the app's directory.
pub(super) async fn serve(shared: &Arc<Shared>, app: &str, path: &str, request: &Parts) -> Response {
    if let Some(answer) = other_method(&request.method) {
        return answer;
    }
    match represent(shared, app, path, Query::of(&request.uri)).await {
        Ok(representation) => respond(shared, request, representation),
        Err(refused) => refused,
    }
}

/// Answers `GET` and `HEAD` with a body that is known: conditions, ranges, and how its bytes leave.
pub(super) fn respond(shared: &Shared, request: &Parts, representation: Representation) -> Response {
    let asker = request.extensions.get::<Asker>();
    if let Some(asker) = asker {
        asker.stall_limit.sends_film(representation.may_pause);
    }
    let kernel = asker.and_then(|asker| asker.ranges.clone());
    let send_path = SendPath { kernel, copied: shared.metrics.file_bytes("copy") };
    answer(&request.method, &request.headers, representation, send_path)
}

/// What is there under that name: the file itself, a part of the film, or the film in a container of that name.
async fn represent(
    shared: &Shared,
    app: &str,
    path: &str,
    query: Query<'_>,
) -> Result<Representation, Response> {
    let asked = CutRequest::read(query)
        .map_err(|problem| (StatusCode::BAD_REQUEST, format!("{problem}\n")).into_response())?;
    let download = query.has("download").then(|| path.rsplit('/').next().unwrap_or(path).to_owned());
    let library = &shared.sources.library;
    let container = Container::of(path).filter(|_| asked.is_part());
    let opened = match container {
        None => library.file_or_film(app, path).await,
        Some(_) => Err(Refusal::new(RefusalKind::NotFound, String::new())),
    };
    let (plan, validators, content_type) = match opened {
        Ok(FileOrFilm::File(blob)) => {
            let validators = Validators { etag: blob.etag().to_owned(), modified: blob.modified() };
            let len = blob.size();
            let mut plan = Plan::default();
            plan.push(Piece::Range { blob, offset: 0, len });
            (plan, validators, content_type(path))
        }
        Ok(FileOrFilm::Film(film)) => {
            let container = Container::of(path).unwrap_or(Container::Mp4);
            let made = Box::pin(shared.cuts.get(app, &film, container, asked)).await;
            let (plan, validators) = made.map_err(|refusal| refused(&refusal))?;
            (plan, validators, content_type(path))
        }
        Err(refusal) => {
            // Boxed: it needs more room than the file itself, which is asked for most.
            let made = Box::pin(make(shared, app, path, asked, refusal)).await;
            let (plan, validators, container) = made.map_err(|refusal| refused(&refusal))?;
            (plan, validators, container.content_type())
        }
    };
    Ok(Representation { plan, content_type, validators, download, may_pause: true })
}

/// The film of that name, or of that name with another extension, in the container that the name asks for; `refusal`
/// is what the file of that name has come to.
async fn make(
    shared: &Shared,
    app: &str,
    path: &str,
    asked: CutRequest,
    refusal: Refusal,
) -> Result<(Plan, Validators, Container), Refusal> {
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
    let (plan, validators) = shared.cuts.get(app, &film, container, asked).await?;
    Ok((plan, validators, container))
}

/// The type of what may lie in a directory of films, by its extension.
fn content_type(path: &str) -> &'static str {
    const TYPES: [(&str, &str); 8] = [
        ("mp4", "video/mp4"),
        ("m4v", "video/mp4"),
        ("f4v", "video/mp4"),
        ("m4a", "audio/mp4"),
        ("mov", "video/quicktime"),
        ("flv", "video/x-flv"),
        ("vtt", "text/vtt; charset=utf-8"),
        ("srt", "application/x-subrip; charset=utf-8"),
    ];
    let extension = path.rsplit('.').next().unwrap_or_default();
    let known = TYPES.into_iter().find(|(known, _)| extension.eq_ignore_ascii_case(known));
    known.map_or("application/octet-stream", |(_, content_type)| content_type)
}
