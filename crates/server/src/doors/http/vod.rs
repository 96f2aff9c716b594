//! Films over HTTP: the film that an address names, opened, and handed to who answers for what is asked of it.

use std::sync::Arc;

use axum::http::request::Parts;
use axum::response::Response;

use super::cors::other_method;
use super::film_address::FilmAddress;
use super::refusals::refused;
use super::shared::Shared;
use super::{files, hls, thumbnails};
use headwater_vod::{Refusal, RefusalKind};

/// Answers a request for a film's file.
pub(super) async fn file(shared: &Arc<Shared>, address: FilmAddress<'_>, request: &Parts) -> Response {
    files::serve(shared, address.app, address.film, request).await
}

/// Answers a request for a picture of a film.
pub(super) async fn picture(
    shared: &Arc<Shared>,
    address: FilmAddress<'_>,
    resource: thumbnails::ThumbnailResource,
    request: &Parts,
) -> Response {
    if let Some(answer) = other_method(&request.method) {
        return answer;
    }
    match shared.sources.library.open(address.app, address.film).await {
        Ok(film) => thumbnails::serve(shared, address, &film, resource, request).await,
        Err(refusal) => refused(&refusal),
    }
}

/// Answers a request for a playlist of a film or what it names.
pub(super) async fn hls(
    shared: &Arc<Shared>,
    address: FilmAddress<'_>,
    resource: hls::HlsResource,
    request: &Parts,
) -> Response {
    match shared.sources.library.open(address.app, address.film).await {
        Ok(film) => hls::serve(shared, address, &film, resource, request).await,
        Err(refusal) => refused(&refusal),
    }
}

/// Answers a request for what a film does not have.
pub(super) async fn nothing(shared: &Arc<Shared>, address: FilmAddress<'_>) -> Response {
    match shared.sources.library.open(address.app, address.film).await {
        Ok(film) => {
            refused(&Refusal::new(RefusalKind::NotFound, format!("{} has no {}.", film.name(), address.part)))
        }
        Err(refusal) => refused(&refusal),
    }
}
