//! The catalogue: which films there are, what is in them, and how one is removed.
//!
//! What is in a film is known once it is indexed. Of a catalogue only the page that is shown is indexed, and
//! only for so long as a person likes to wait; the rest is `pending` and known the next time.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use axum::extract::{Path, Query, Request, State};
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use bytes::Bytes;
use headwater_archive::RECORDINGS_APP;
use headwater_media::Codec;
use headwater_media::index::Index;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize};

use super::asker::Asker;
use super::film_tracks::{Track, tracks_of};
use super::gate;
use super::hls::subtitles::short_language;
use super::preconditions;
use super::refusals::refused;
use super::shared::Shared;
use super::to_its_end::to_its_end;
use crate::events::Event;
use headwater_vod::{Entry, Foreign, Refusal, RefusalKind};

/// Films of a page when nobody asks for a number.
const LIMIT: usize = 50;
/// Films of a page at most: each may have to be opened to be described.
const LIMIT_MAX: usize = 200;
/// Letters of a search, at most.
const SEARCH_BYTES_MAX: usize = 200;
/// How long a catalogue waits for films that are read for the first time.
const PATIENCE: Duration = Duration::from_millis(1500);
/// What an address may have in a part of its path as it is.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A film, as far as it is known.
#[derive(Serialize)]
struct Description {
    app: String,
    name: String,
    bytes: u64,
    modified: String,
    #[serde(flatten)]
    content: Content,
    /// It is a recording that grows: it can be neither removed nor renamed.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    growing: bool,
    subtitles: Vec<Subtitle>,
    urls: BTreeMap<&'static str, String>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Content {
    Known {
        duration: f64,
        tracks: Vec<Track>,
        /// Size, codec or the like change in the middle: tracks are described as they are at first.
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        changes: bool,
        notes: Vec<String>,
        /// Languages of the tracks of text.
        #[serde(skip)]
        texts: Vec<Option<String>>,
    },
    Unreadable {
        error: String,
    },
    /// A file of another container: what makes a film of it.
    Foreign {
        error: String,
        container: String,
        command: String,
    },
    Unread {
        pending: bool,
    },
}

#[derive(Serialize)]
struct Subtitle {
    /// What stands between the film's name and the extension, as in `film.en.vtt`, or what a track inside says.
    language: Option<String>,
    name: String,
    /// The text as WebVTT in UTF-8, whatever the file is.
    url: String,
}

#[derive(Serialize)]
struct Catalogue {
    films: Vec<Description>,
    /// Films that match, on all pages.
    total: usize,
    /// Whether there are more than are listed at all (`vod.entries_max`).
    more: bool,
}

/// Which films of the catalogue are asked for.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct CatalogueQuery {
    search: String,
    app: Option<String>,
    offset: usize,
    limit: Option<usize>,
}

/// `GET /api/v1/films?search=&app=&offset=&limit=`
pub(super) async fn list(
    State(shared): State<Arc<Shared>>,
    Query(query): Query<CatalogueQuery>,
    headers: HeaderMap,
) -> Response {
    if query.search.len() > SEARCH_BYTES_MAX {
        return (StatusCode::BAD_REQUEST, "the search is too long\n").into_response();
    }
    let library = &shared.sources.library;
    let apps = library.apps().filter(|app| query.app.as_deref().is_none_or(|asked| asked == *app));
    let (mut entries, mut more) = (Vec::new(), false);
    for app in apps {
        match library.list(app).await {
            Ok((found, cut)) => {
                more |= cut;
                entries.extend(found.into_iter().map(|entry| (app.to_owned(), entry)));
            }
            Err(refusal) => return refused(&refusal),
        }
    }
    let words: Vec<String> = query.search.split_whitespace().map(str::to_lowercase).collect();
    entries.retain(|(_, entry)| {
        let name = entry.name.to_lowercase();
        words.iter().all(|word| name.contains(word))
    });
    let total = entries.len();
    let limit = query.limit.unwrap_or(LIMIT).min(LIMIT_MAX);
    let page = entries.into_iter().skip(query.offset).take(limit).collect();
    let films = describe_all(&shared, page, rtmp_host(&shared, &headers)).await;
    Json(Catalogue { films, total, more }).into_response()
}

/// `GET /api/v1/films/<app>/<path>`: open to viewers. With `absent=null`, a film that is not there is `null`, and no
/// 404.
pub(super) async fn film(
    State(shared): State<Arc<Shared>>,
    Path(path): Path<String>,
    Extension(asker): Extension<Asker>,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    if let Some(refused) = gate::refuse_viewer(&shared, asker.peer, &uri, &path).await {
        return refused;
    }
    let takes_null = super::query::Query::of(&uri).takes_null();
    let Some((app, name)) = path.split_once('/') else { return no_app(&path) };
    match shared.sources.library.open(app, name).await {
        Err(Refusal { kind: RefusalKind::NotFound, .. }) if takes_null => {
            Json(None::<Description>).into_response()
        }
        Ok(film) => {
            let entry =
                Entry { name: film.name().to_owned(), bytes: film.bytes(), modified: film.modified() };
            let content = content(film.index());
            let host = rtmp_host(&shared, &headers);
            Json(describe(&shared, app, entry, content, &growing(&shared), &host).await).into_response()
        }
        Err(refusal) => refused(&refusal),
    }
}

/// `DELETE /api/v1/films/<app>/<path>`, by the exact name. With `If-Match`, only if the film is still the one
/// that was seen. Files beside it stay.
pub(super) async fn remove(shared: State<Arc<Shared>>, path: Path<String>, request: Request) -> Response {
    to_its_end(remove_film(shared, path.0, request)).await
}

async fn remove_film(State(shared): State<Arc<Shared>>, path: String, request: Request) -> Response {
    let Some((app, name)) = path.split_once('/') else { return no_app(&path) };
    let library = &shared.sources.library;
    if request.headers().contains_key(header::IF_MATCH) {
        let now = match library.etag(app, name).await {
            Ok(now) => now,
            Err(refusal) => return refused(&refusal),
        };
        if preconditions::if_match(request.headers(), &now) == Some(false) {
            let why = format!("{name} has changed since it was seen\n");
            return (StatusCode::PRECONDITION_FAILED, why).into_response();
        }
    }
    match library.remove(app, name).await {
        Ok(()) => {
            shared.cuts.forget(app, name);
            remove_emptied(&shared, app, name).await;
            shared.events.emit(Event::FilmRemoved { app: app.to_owned(), name: name.to_owned() });
            StatusCode::NO_CONTENT.into_response()
        }
        Err(refusal) => refused(&refusal),
    }
}

/// Another name for a film.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Renaming {
    name: String,
}

/// `PATCH /api/v1/films/<app>/<path>` with `{"name": "…"}`: another name in the same app. Files beside it keep theirs.
pub(super) async fn rename(shared: State<Arc<Shared>>, path: Path<String>, body: Bytes) -> Response {
    to_its_end(rename_film(shared, path.0, body)).await
}

async fn rename_film(State(shared): State<Arc<Shared>>, path: String, body: Bytes) -> Response {
    let Some((app, name)) = path.split_once('/') else { return no_app(&path) };
    let to = match serde_json::from_slice(&body) {
        Ok(Renaming { name }) => name,
        Err(error) => {
            let text = format!("a new name is {{\"name\": \"…\"}}: {error}\n");
            return (StatusCode::BAD_REQUEST, text).into_response();
        }
    };
    match shared.sources.library.rename(app, name, &to).await {
        Ok(()) => {
            shared.cuts.forget(app, name);
            remove_emptied(&shared, app, name).await;
            shared.events.emit(Event::FilmRenamed { app: app.to_owned(), name: name.to_owned(), to });
            StatusCode::NO_CONTENT.into_response()
        }
        Err(refusal) => refused(&refusal),
    }
}

/// Recordings lie in directories that were made for them: one goes with the last film in it.
async fn remove_emptied(shared: &Shared, app: &str, name: &str) {
    if app != RECORDINGS_APP {
        return;
    }
    let (root, name) = (shared.sources.archive.recordings().root().to_owned(), name.to_owned());
    let removing = tokio::task::spawn_blocking(move || headwater_archive::remove_emptied(&root, &name));
    let _ = removing.await;
}

/// The address of a film's file.
pub(super) fn address(app: &str, name: &str) -> String {
    let parts = std::iter::once(app).chain(name.split('/'));
    parts.map(|part| format!("/{}", utf8_percent_encode(part, PLAIN))).collect()
}

fn no_app(path: &str) -> Response {
    refused(&Refusal::new(RefusalKind::NotFound, format!("A film is <app>/<name>, and {path} is none.")))
}

/// Describes a page; what is not read in time is read on behind it.
async fn describe_all(shared: &Arc<Shared>, page: Vec<(String, Entry)>, host: String) -> Vec<Description> {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    // Each is a task of its own, so that it goes on when nobody waits any more; the library indexes few at once.
    let readings: Vec<_> = page
        .iter()
        .map(|(app, entry)| {
            if let Some(foreign) = Foreign::of(&entry.name) {
                return tokio::spawn(std::future::ready(Ok(foreign_content(&entry.name, foreign))));
            }
            let (library, app, name) = (Arc::clone(&shared.sources.library), app.clone(), entry.name.clone());
            tokio::spawn(async move { library.open(&app, &name).await.map(|film| content(film.index())) })
        })
        .collect();
    let growing = growing(shared);
    let mut films = Vec::with_capacity(page.len());
    for ((app, entry), reading) in page.into_iter().zip(readings) {
        let content = match tokio::time::timeout_at(deadline, reading).await {
            Ok(Ok(Ok(content))) => content,
            Ok(Ok(Err(refusal))) => Content::Unreadable { error: refusal.to_string() },
            Ok(Err(error)) => Content::Unreadable { error: format!("It cannot be read: {error}.") },
            Err(_) => Content::Unread { pending: true },
        };
        films.push(describe(shared, &app, entry, content, &growing, &host).await);
    }
    films
}

fn foreign_content(name: &str, foreign: Foreign) -> Content {
    let error = foreign.sentence(name);
    let Foreign { container, command, .. } = foreign;
    Content::Foreign { error, container, command }
}

impl Content {
    /// Whether pictures are made of its key frames: of H.264 only.
    fn has_pictures(&self) -> bool {
        let Self::Known { tracks, .. } = self else { return false };
        cfg!(feature = "thumbnails") && tracks.iter().any(|track| track.codec == Codec::H264.to_string())
    }
}

async fn describe(
    shared: &Arc<Shared>,
    app: &str,
    entry: Entry,
    content: Content,
    growing: &HashSet<String>,
    rtmp_host: &str,
) -> Description {
    let Entry { name, bytes, modified } = entry;
    let beside = shared.sources.library.beside(app, &name).await.unwrap_or_default();
    let stem = name.rsplit_once('.').map_or(name.as_str(), |(stem, _)| stem);
    let file = address(app, &name);
    let subtitles = subtitles(&file, stem, beside, &content);
    let bare = address(app, stem);
    let mut urls = BTreeMap::from([
        ("hls", format!("{file}/index.m3u8")),
        ("flv", format!("{bare}.flv")),
        ("rtmp", format!("rtmp://{rtmp_host}{bare}")),
        ("watch", format!("/watch{file}")),
        ("file", file.clone()),
    ]);
    if content.has_pictures() {
        urls.insert("thumbnail", format!("{file}/thumbnail.jpg"));
        urls.insert("sprite", format!("{file}/sprite.vtt"));
    }
    let growing = app == RECORDINGS_APP && growing.contains(&name);
    Description {
        app: app.to_owned(),
        name,
        bytes,
        modified: rfc3339(modified),
        content,
        growing,
        subtitles,
        urls,
    }
}

/// The recordings that grow.
fn growing(shared: &Shared) -> HashSet<String> {
    shared.sources.archive.recordings().growing().into_iter().map(|(_, name)| name).collect()
}

/// The texts beside the film at `file` and inside it, as HLS numbers them.
fn subtitles(file: &str, stem: &str, beside: Vec<String>, content: &Content) -> Vec<Subtitle> {
    let texts = match content {
        Content::Known { texts, .. } => texts.as_slice(),
        _ => &[],
    };
    let beside = beside.into_iter().map(|name| (language_beside(stem, &name), name));
    let inside = (1..).zip(texts).map(|(number, language)| (language.clone(), format!("Subtitles {number}")));
    let url = |number| format!("{file}/hls/subtitles-{number}.vtt");
    let numbered = (0..).zip(beside.chain(inside));
    numbered.map(|(number, (language, name))| Subtitle { language, name, url: url(number) }).collect()
}

/// What stands between the film's name and the ending.
fn language_beside(stem: &str, name: &str) -> Option<String> {
    let middle = name.strip_prefix(stem).and_then(|rest| rest.rsplit_once('.')).map(|(middle, _)| middle);
    let language = middle.map(|middle| middle.trim_start_matches('.'));
    language.filter(|language| !language.is_empty()).map(str::to_owned)
}

fn content(index: &Index) -> Content {
    let duration = index.duration().as_seconds();
    let skipped = index.skipped().iter();
    let skipped = skipped.map(|track| format!("Track {} is left out: {}.", track.number, track.reason));
    let notes = index.notes().iter().cloned().chain(skipped).collect();
    let texts = index.texts().iter().map(|text| text.language.as_deref().map(short_language)).collect();
    Content::Known { duration, tracks: tracks_of(index), changes: index.has_changes(), notes, texts }
}

/// The name by which the client knows this machine, and the port of the RTMP door.
fn rtmp_host(shared: &Shared, headers: &HeaderMap) -> String {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or("localhost");
    let end = if host.starts_with('[') { host.find(']').map(|at| at + 1) } else { host.find(':') };
    format!("{}:{}", &host[..end.unwrap_or(host.len())], shared.rtmp_port)
}

/// A time as RFC 3339 has it, to the second, in UTC.
pub(super) fn rfc3339(time: SystemTime) -> String {
    let seconds = time.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    // Years that begin in March have their leap day at the end: 400 of them are 146,097 days.
    let days = days + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, turned) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    let year = year + era * 400 + turned;
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", second / 3600, second / 60 % 60, second % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_everybody_writes_them() {
        let at = |seconds| rfc3339(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds));
        assert_eq!(at(0), "1970-01-01T00:00:00Z");
        assert_eq!(at(951_782_399), "2000-02-28T23:59:59Z");
        assert_eq!(at(951_782_400), "2000-02-29T00:00:00Z");
        assert_eq!(at(1_735_689_599), "2024-12-31T23:59:59Z");
        assert_eq!(at(4_107_542_400), "2100-03-01T00:00:00Z");
    }

    #[test]
    fn addresses_hold_any_name() {
        assert_eq!(address("vod", "a b/ü?#.mp4"), "/vod/a%20b/%C3%BC%3F%23.mp4");
    }

    #[test]
    fn the_language_stands_in_the_name() {
        let language = |name: &str| language_beside("a/film", name);
        assert_eq!(language("a/film.en.vtt").as_deref(), Some("en"));
        assert_eq!(language("a/film.pt-BR.srt").as_deref(), Some("pt-BR"));
        assert_eq!(language("a/film.vtt"), None);
    }
}
