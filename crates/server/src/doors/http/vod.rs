//! Films over HTTP: where an address in an app with films leads.
//!
//! `film.mp4` is the file; what stands behind a film's name and a slash is made of it.

use std::sync::Arc;

use axum::http::request::Parts;
use axum::response::Response;

use super::refusals::refused;
use super::{Shared, files, hls, pictures};
use headwater_vod::{Refusal, RefusalKind, is_film};

/// A film's address taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Address<'a> {
    pub(super) app: &'a str,
    /// The film's name, or the whole path where nothing stands behind it.
    pub(super) film: &'a str,
    /// What of it, as in `index.m3u8`; empty for the file itself.
    pub(super) part: &'a str,
}

impl<'a> Address<'a> {
    /// Takes a decoded path below an app apart: the film is the first part with a film's extension that has
    /// something behind it.
    pub(super) fn parse(app: &'a str, path: &'a str) -> Self {
        let mut slashes = path.match_indices('/').map(|(at, _)| at);
        let cut = slashes.find(|&at| is_film(&path[..at]));
        let (film, part) = cut.map_or((path, ""), |at| (&path[..at], &path[at + 1..]));
        Self { app, film, part }
    }
}

/// Answers a request for a film's file.
pub(super) async fn file(shared: &Arc<Shared>, address: Address<'_>, request: &Parts) -> Response {
    files::serve(shared, address.app, address.film, request).await
}

/// Answers a request for a picture of a film.
pub(super) async fn picture(
    shared: &Arc<Shared>,
    address: Address<'_>,
    wanted: pictures::Wanted,
    request: &Parts,
) -> Response {
    match shared.sources.library.open(address.app, address.film).await {
        Ok(film) => pictures::serve(shared, address, &film, wanted, request).await,
        Err(refusal) => refused(&refusal),
    }
}

/// Answers a request for a playlist of a film or what it names.
pub(super) async fn hls(
    shared: &Arc<Shared>,
    address: Address<'_>,
    wanted: hls::Wanted,
    request: &Parts,
) -> Response {
    match shared.sources.library.open(address.app, address.film).await {
        Ok(film) => hls::serve(shared, address, &film, wanted, request).await,
        Err(refusal) => refused(&refusal),
    }
}

/// Answers a request for what a film does not have.
pub(super) async fn nothing(shared: &Arc<Shared>, address: Address<'_>) -> Response {
    match shared.sources.library.open(address.app, address.film).await {
        Ok(film) => {
            refused(&Refusal::new(RefusalKind::NotFound, format!("{} has no {}.", film.name(), address.part)))
        }
        Err(refusal) => refused(&refusal),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(path: &str) -> (&str, &str) {
        let address = Address::parse("vod", path);
        (address.film, address.part)
    }

    #[test]
    fn what_stands_behind_a_film_is_made_of_it() {
        assert_eq!(parse("film.mp4"), ("film.mp4", ""));
        assert_eq!(parse("a/b/film.mp4/index.m3u8"), ("a/b/film.mp4", "index.m3u8"));
        assert_eq!(parse("film.mp4/hls/video-0/1.m4s"), ("film.mp4", "hls/video-0/1.m4s"));
        assert_eq!(parse("old.mp4/new.mp4/index.m3u8"), ("old.mp4", "new.mp4/index.m3u8"));
        assert_eq!(parse("a/film"), ("a/film", ""));
    }
}
