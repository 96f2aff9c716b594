//! HLS of films: playlists and segments are made when they are asked for, of the index; nothing is kept on disk.
//!
//! `film.mp4/index.m3u8` is the master playlist; below `film.mp4/hls/` each track has a media playlist, its
//! initialisation segments and its segments, and pictures a playlist of their key frames.

mod address;
mod playlists;
pub(super) mod subtitles;

use std::sync::Arc;

use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use headwater_media::Timestamp;
use headwater_media::hls::{Presentation, SegmentedTrack};

pub(super) use self::address::HlsResource;
use self::subtitles::Subtitle;
use super::cors::other_method;
use super::files::{Piece, Plan, Representation, respond};
use super::film_address::FilmAddress;
use super::line_name::LineName;
use super::playlist_text::PlaylistText;
use super::preconditions::Validators;
use super::query::Query;
use super::refusals::refused;
use super::shared::Shared;
use headwater_vod::{Film, Refusal, RefusalKind};

/// Grows when other bytes are made of the same film.
const WRITER: u32 = 3;
/// An address that names the film's state is good for ever.
const FOR_EVER: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");

/// What an address of a film's HLS leads to.
enum Made {
    Playlist(String),
    Media(Representation),
}

/// A film as it is asked for.
struct Showing<'a> {
    film: &'a Arc<Film>,
    presentation: &'a Presentation,
    /// Subtitles beside the film and inside it.
    subtitles: Vec<Subtitle>,
    /// What the addresses of segments end in: the film's state, unless it may change in a moment.
    state: String,
}

/// Answers a request for a playlist or a segment of a film.
pub(super) async fn serve(
    shared: &Arc<Shared>,
    address: FilmAddress<'_>,
    film: &Arc<Film>,
    resource: HlsResource,
    request: &Parts,
) -> Response {
    if let Some(answer) = other_method(&request.method) {
        return answer;
    }
    let state = film.etag().trim_matches('"');
    let asked_state = Query::of(&request.uri).value("v");
    if asked_state.is_some_and(|asked| asked != state) {
        let text = format!("{} has been replaced; load its playlist again.\n", film.name());
        return (StatusCode::GONE, text).into_response();
    }
    let mut response = match make(shared, address, film, resource).await {
        // Kept, and asked for again each time, as all that is made of a film under its name.
        Ok(Made::Playlist(text)) => PlaylistText::new(text).answer(&request.headers, "no-cache"),
        Ok(Made::Media(representation)) => respond(shared, request, representation),
        Err(refusal) => return refused(&refusal),
    };
    if asked_state.is_some()
        && (response.status().is_success() || response.status() == StatusCode::NOT_MODIFIED)
    {
        response.headers_mut().insert(header::CACHE_CONTROL, FOR_EVER);
    }
    response
}

async fn make(
    shared: &Arc<Shared>,
    address: FilmAddress<'_>,
    film: &Arc<Film>,
    resource: HlsResource,
) -> Result<Made, Refusal> {
    let library = &shared.sources.library;
    let subtitles = match resource {
        HlsResource::Master | HlsResource::Subtitles(_) | HlsResource::SubtitleText(_) => {
            subtitles::all(library.beside(address.app, film.name()).await?, film)
        }
        _ => Vec::new(),
    };
    let presentation = film.presentation().await;
    if let HlsResource::SubtitleText(number) = resource {
        // Also of a film that HLS does not carry: pages show it beside the film's file.
        let origin = presentation.map_or(Timestamp::ZERO, Presentation::origin);
        let none =
            || Refusal::new(RefusalKind::NotFound, format!("{} has no subtitles {number}.", film.name()));
        let subtitle = subtitles.get(number).ok_or_else(none)?;
        let read = subtitles::read(library, address.app, film, subtitle).await?;
        let plan = text(subtitles::to_segment(&read, origin));
        return Ok(Made::Media(representation(film, resource, "text/vtt; charset=utf-8", plan)));
    }
    let presentation = presentation?;
    let state =
        if film.is_being_written() { String::new() } else { format!("?v={}", film.etag().trim_matches('"')) };
    let showing = Showing { film, presentation, subtitles, state };
    let (content_type, plan) = match resource {
        HlsResource::Master => return Ok(Made::Playlist(showing.master())),
        HlsResource::Media(name) => return Ok(Made::Playlist(showing.media(name, showing.line(name)?))),
        HlsResource::Keys(name) => return Ok(Made::Playlist(showing.keys(name, showing.line(name)?)?)),
        HlsResource::Subtitles(number) => return Ok(Made::Playlist(showing.subtitle_playlist(number)?)),
        HlsResource::Init(name, number) => (name.content_type(), showing.init(showing.line(name)?, number)?),
        HlsResource::Segment(name, number) => {
            (name.content_type(), showing.segment(showing.line(name)?, number)?)
        }
        HlsResource::Key(name, number) => (name.content_type(), showing.key(showing.line(name)?, number)?),
        HlsResource::SubtitleText(number) => return Err(showing.none(&format!("subtitles {number}"))),
    };
    Ok(Made::Media(representation(film, resource, content_type, plan)))
}

fn representation(
    film: &Film,
    resource: HlsResource,
    content_type: &'static str,
    plan: Plan,
) -> Representation {
    let tag = format!(
        "{}-h{WRITER}-{}\"",
        film.etag().trim_end_matches('"'),
        tag_of(&plan, resource, content_type)
    );
    Representation {
        plan,
        content_type,
        validators: Validators { etag: tag, modified: film.modified() },
        download: None,
        may_pause: true,
    }
}

/// Tells one thing made of a film from another. Subtitles follow from other files as well: theirs is by what they say.
fn tag_of(plan: &Plan, resource: HlsResource, content_type: &str) -> String {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    (resource, content_type, plan.len()).hash(&mut hasher);
    plan.bytes_in_front().hash(&mut hasher);
    format!("{:x}", hasher.finish())
}

fn text(text: String) -> Plan {
    let mut plan = Plan::default();
    plan.push(Piece::Bytes(Bytes::from(text)));
    plan
}

impl Showing<'_> {
    fn line(&self, name: LineName) -> Result<&SegmentedTrack, Refusal> {
        let index = self.film.index();
        let is_it = |line: &&SegmentedTrack| {
            index.tracks().get(line.track).is_some_and(|track| track.track.id == name.0)
        };
        let found = self.presentation.tracks().iter().find(is_it);
        found.ok_or_else(|| self.none(&format!("track {name}")))
    }

    fn none(&self, what: &str) -> Refusal {
        Refusal::new(RefusalKind::NotFound, format!("{} has no {what}.", self.film.name()))
    }

    fn failed(&self, error: &dyn std::fmt::Display) -> Refusal {
        Refusal::new(RefusalKind::NoMedia, format!("{} cannot be cut for HLS: {error}.", self.film.name()))
    }

    fn init(&self, line: &SegmentedTrack, configuration: u32) -> Result<Plan, Refusal> {
        if !line.configurations().contains(&configuration) {
            return Err(self.none(&format!("initialisation segment {configuration}")));
        }
        let init = self.presentation.init(self.film.index(), line, configuration);
        let mut plan = Plan::default();
        plan.push(Piece::Bytes(init.map_err(|error| self.failed(&error))?));
        Ok(plan)
    }

    fn segment(&self, line: &SegmentedTrack, number: usize) -> Result<Plan, Refusal> {
        let cut = line.segments.get(number).ok_or_else(|| self.none(&format!("segment {number}")))?;
        self.cut(line, number, cut)
    }

    fn key(&self, line: &SegmentedTrack, number: usize) -> Result<Plan, Refusal> {
        let cut = line.keys.get(number).ok_or_else(|| self.none(&format!("key frame {number}")))?;
        self.cut(line, number, cut)
    }

    fn cut(
        &self,
        line: &SegmentedTrack,
        number: usize,
        cut: &headwater_media::hls::MediaSegment,
    ) -> Result<Plan, Refusal> {
        let made = self.presentation.segment(self.film.index(), line, number, cut);
        let (head, pieces) = made.map_err(|error| self.failed(&error))?;
        let mut plan = Plan::default();
        plan.push(Piece::Bytes(head));
        for piece in pieces {
            plan.push(Piece::of(self.film, piece));
        }
        Ok(plan)
    }
}
