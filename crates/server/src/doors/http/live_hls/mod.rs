//! HLS of live streams, with low latency: playlists and fragments straight from a broadcast's window.
//!
//! `live/NAME/index.m3u8` is the master playlist; below `live/NAME/hls/` each track has a media playlist, its
//! initialisation segments, its segments and their parts. The fragments are the archive's: nothing is made here but text.
//! What has a number never changes, and numbers never come again: it may be kept for ever by whoever caches.

mod address;
pub(super) mod audience;
mod cue_points;
mod delivery;
mod extent;
mod outline;
pub(super) mod rendered;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use headwater_archive::{Data, Kept, TARGET_DURATION, Window};
use headwater_hub::StreamName;
use headwater_media::{MediaKind, Timestamp};
use headwater_vod::Blob;

pub(super) use self::address::LiveResource;
use self::delivery::{BLOCKED_MAX, Delivery};
use self::extent::Extent;
use self::rendered::{Wanted, gone};
use super::cors::other_method;
use super::files::{Piece, Plan, Representation, respond};
use super::line_name::LineName;
use super::preconditions::Validators;
use super::query::Query;
use super::shared::Shared;
use crate::access::Peer;

/// A key stands in every address of a playlist; no secret needs to be as long.
const KEY_BYTES_MAX: usize = 256;
/// How long the beginning of a stream is waited for: until its window is there, and all its tracks in it.
const BEGINNING_MAX: Duration = Duration::from_secs(3);
const BEGINNING_STEP: Duration = Duration::from_millis(100);

/// Answers a request for a playlist of a live stream, or for what a playlist names.
pub(super) async fn serve(
    shared: &Arc<Shared>,
    peer: Peer,
    name: &StreamName,
    resource: LiveResource,
    request: &Parts,
) -> Response {
    if let Some(answer) = other_method(&request.method) {
        return answer;
    }
    if shared.sources.archive.length().is_none() {
        let text = "there is no HLS of live streams: it is made of their windows, which are turned off ([window] enabled)\n";
        return (StatusCode::NOT_FOUND, text).into_response();
    }
    let Some(window) = window(shared, name).await else {
        return (StatusCode::NOT_FOUND, format!("nobody publishes {name}\n")).into_response();
    };
    let query = Query::of(&request.uri);
    if query.value("key").is_some_and(|key| key.len() > KEY_BYTES_MAX) {
        return (StatusCode::BAD_REQUEST, "that is no key: it is too long\n").into_response();
    }
    let extent = match Extent::read(query) {
        Ok(extent) => extent,
        Err(problem) => return (StatusCode::BAD_REQUEST, problem).into_response(),
    };
    match resource {
        LiveResource::Master => {
            wait_for_tracks(&window).await;
            rendered::master(request, &window, extent, query)
        }
        LiveResource::Media(line) => {
            let delivery = match Delivery::read(query) {
                Ok(delivery) => delivery,
                Err(problem) => return (StatusCode::BAD_REQUEST, problem).into_response(),
            };
            if window.reach(line.0).is_some() {
                let figures = (&*shared.metrics, &*shared.events);
                shared.audience.note(&shared.sources, figures, &window, peer, request);
            }
            if !delivery.is_blocked() {
                wait_for_segment(&window, line).await;
            }
            if let Err(refusal) = delivery.wait(&window, line.0).await {
                return refusal;
            }
            // At the edge alone there is nothing that a client need not have again.
            let skip = delivery.skip && extent == Extent::Window;
            let wanted = Wanted { line, extent, skip, keys: false };
            shared.playlists.answer(request, &window, wanted, query, delivery.is_blocked())
        }
        LiveResource::Keys(line) => {
            let wanted = Wanted { line, extent, skip: false, keys: true };
            shared.playlists.answer(request, &window, wanted, query, false)
        }
        LiveResource::Init(line, first_segment, number) => {
            init(shared, &window, line, (first_segment, number), request)
        }
        LiveResource::Segment(line, number) => segment(shared, &window, line, number, request),
        LiveResource::Part(line, number, part) => {
            one_part(shared, &window, line, (number, part), request).await
        }
    }
}

/// The window of a stream; of one that begins just now, as soon as it is there.
async fn window(shared: &Shared, name: &StreamName) -> Option<Arc<Window>> {
    let sources = &shared.sources;
    let mut waited = Duration::ZERO;
    loop {
        let found = sources.archive.broadcast(name);
        // What is over gives way to what begins.
        let is_over = found.as_ref().is_some_and(|window| window.is_ended()) && sources.hub.is_live(name);
        if (found.is_some() && !is_over) || !sources.hub.is_live(name) || waited >= BEGINNING_MAX {
            return found;
        }
        tokio::time::sleep(BEGINNING_STEP).await;
        waited += BEGINNING_STEP;
    }
}

/// Waits until each track that has been announced has come, for a while: a master playlist is read once. Of a stream that
/// has lasted for longer, what has not come does not come (MP4 may not hold it).
async fn wait_for_tracks(window: &Window) {
    let is_young = || {
        let range = window.range();
        range.to - range.from < Timestamp::from_ms(BEGINNING_MAX.as_millis() as i64)
    };
    let mut growth = window.growth();
    let has_all = || {
        let renditions = window.renditions();
        let announced = window
            .setup(u64::MAX)
            .map_or(0, |(_, setup)| setup.tracks().filter(|track| track.id.kind != MediaKind::Data).count());
        let have_parts = |id| window.outline(id).is_some_and(|outline| outline.has_parts());
        !renditions.is_empty()
            && renditions.len() >= announced
            && renditions.iter().all(|init| have_parts(init.rendition))
    };
    let all = async {
        while is_young() && !has_all() && !window.is_ended() {
            if growth.changed().await.is_err() {
                break;
            }
        }
    };
    // One that does not come is left out.
    let _ = tokio::time::timeout(BEGINNING_MAX, all).await;
}

/// Waits until the first segment of a stream is complete. Players that know no parts find nothing in a playlist without
/// one, and give up: FFmpeg ("Empty segment"), shaka 5.2 unless it is told of low latency.
async fn wait_for_segment(window: &Window, line: LineName) {
    let Some(first) = window.first_number() else { return };
    let complete = window.reached(line.0, first, None);
    let _ = tokio::time::timeout(TARGET_DURATION, complete).await;
}

fn init(
    shared: &Shared,
    window: &Window,
    line: LineName,
    (first_segment, number): (u64, u32),
    request: &Parts,
) -> Response {
    let found = (window.first_number() == Some(first_segment)).then(|| window.init(line.0, number)).flatten();
    match found {
        Some(init) => {
            let tag = format!("\"{line}-i{first_segment}-{number}\"");
            let mut plan = Plan::default();
            plan.push(Piece::Bytes(init.bytes.clone()));
            fragments(shared, request, line, tag, plan, window.began())
        }
        None => gone(window, &format!("initialisation segment {number} of {line}")),
    }
}

fn segment(shared: &Shared, window: &Window, line: LineName, number: u64, request: &Parts) -> Response {
    let found = window.segment(line.0, number).filter(|segment| segment.is_complete && !segment.is_empty());
    let Some(segment) = found else { return gone(window, &format!("segment {number} of {line}")) };
    let mut plan = Plan::default();
    segment.parts.iter().for_each(|kept| plan.push(piece(kept)));
    fragments(shared, request, line, format!("\"{line}-{number}\""), plan, window.began())
}

/// A part; the one that comes next is waited for (RFC 8216bis, 6.2.6).
async fn one_part(
    shared: &Shared,
    window: &Window,
    line: LineName,
    (segment, number): (u64, u32),
    request: &Parts,
) -> Response {
    let none = || gone(window, &format!("part {segment}.{number} of {line}"));
    let Some(reach) = window.reach(line.0) else { return none() };
    let stands = *reach.borrow();
    let is_next = (stands.segment == segment && stands.parts == number)
        || (stands.is_complete && stands.segment + 1 == segment && number == 0);
    if is_next && !stands.is_ended {
        // In vain, if the segment has come to its end without it.
        let waiting = window.reached(line.0, segment, Some(number));
        let _ = tokio::time::timeout(BLOCKED_MAX, waiting).await;
    }
    let Some(kept) = window.part(line.0, segment, number) else { return none() };
    let mut plan = Plan::default();
    plan.push(piece(&kept));
    fragments(shared, request, line, format!("\"{line}-{segment}.{number}\""), plan, window.began())
}

/// A part as it is sent, from wherever it lies.
fn piece(kept: &Arc<Kept>) -> Piece {
    match kept.data() {
        Data::Memory(bytes) => Piece::Bytes(bytes),
        Data::File(..) => {
            let len = u64::from(kept.part().len);
            Piece::Range { blob: Arc::clone(kept) as Arc<dyn Blob>, offset: 0, len }
        }
    }
}

/// Fragments as an answer that may be kept for ever.
fn fragments(
    shared: &Shared,
    request: &Parts,
    line: LineName,
    etag: String,
    plan: Plan,
    modified: SystemTime,
) -> Response {
    const FOR_EVER: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");
    let validators = Validators { etag, modified };
    let content_type = line.content_type();
    // Patience would let who reads nothing keep files of the window for as long.
    let representation = Representation { plan, content_type, validators, download: None, may_pause: false };
    let mut response = respond(shared, request, representation);
    if response.status().is_success() || response.status() == StatusCode::NOT_MODIFIED {
        response.headers_mut().insert(header::CACHE_CONTROL, FOR_EVER);
    }
    response
}
