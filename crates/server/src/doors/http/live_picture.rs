//! A picture of a live stream: `/<app>/<name>/thumbnail.jpg`, of its newest key frame or of that at a place in its window,
//! made when somebody looks.

use std::io;
use std::sync::Arc;

use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use headwater_archive::{Entry, Kept, Lookup, Moment, Window};
use headwater_hub::StreamName;
use headwater_media::{Codec, MediaKind};
use headwater_vod::thumbnails::{WIDTH_MAX, WIDTH_MIN};
use headwater_vod::{Refusal, RefusalKind};

use super::cors::other_method;
use super::preconditions::if_none_match;
use super::query::Query;
use super::refusals::refused;
use super::shared::Shared;
use crate::sources;

/// The width when nobody asks for one, in pixels.
const WIDTH: u16 = 320;
/// What stands behind the stream's name.
const NAME: &str = "/thumbnail.jpg";
/// A moment later there is another.
const FOR_A_MOMENT: &str = "public, max-age=1";
/// The picture of a place stays, but another broadcast may have the name.
const FOR_A_MINUTE: &str = "public, max-age=60";
/// Parts between where reading begins and the picture: those of other tracks that begin before it, some seconds of many.
const PARTS_MAX: u64 = 256;

/// The stream of which this path is the picture.
pub(super) fn stream_of(path: &str) -> Option<&str> {
    path.strip_suffix(NAME)
}

/// Whether there is a picture of this stream that can be drawn.
pub(super) fn is_possible(shared: &Shared, name: &StreamName) -> bool {
    let window = shared.sources.archive.broadcast(name).filter(|window| !window.is_ended());
    let newest = window.and_then(|window| window.newest_picture());
    cfg!(feature = "thumbnails")
        && newest.is_some_and(|(kept, _)| kept.part().init.track.codec == Codec::H264)
}

/// Answers with a picture of a stream: its newest, or that of a place in its window (`?t=`).
pub(super) async fn serve(shared: &Shared, name: &StreamName, request: &Parts) -> Response {
    if let Some(answer) = other_method(&request.method) {
        return answer;
    }
    let (width, at) = match wanted(Query::of(&request.uri)) {
        Ok(wanted) => wanted,
        Err(problem) => return (StatusCode::BAD_REQUEST, problem).into_response(),
    };
    let Some(found) = KeyFrame::find(shared, name, at) else {
        let text =
            format!("There is no picture of {name}: nobody publishes it, or no key frame has come yet.");
        return refused(&Refusal::new(RefusalKind::NotFound, text));
    };
    let KeyFrame { kept, number, state, cache } = found;
    let etag = format!("\"{state}-{width}\"");
    if if_none_match(&request.headers, &etag) == Some(true) {
        let headers = [(header::ETAG, etag), (header::CACHE_CONTROL, cache.to_owned())];
        return (StatusCode::NOT_MODIFIED, headers).into_response();
    }
    let track = kept.part().init.track.clone();
    let key_frame = async {
        let bytes = kept.bytes().await?;
        let frame = kept.part().frames(&bytes).nth(number);
        frame.map(|(_, frame)| frame.payload).ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    };
    match shared.thumbnails.picture(name.path(), &state, track, key_frame, width).await {
        Ok(bytes) => {
            shared.metrics.picture("sent");
            let headers = [
                (header::CONTENT_TYPE, "image/jpeg".to_owned()),
                (header::CACHE_CONTROL, cache.to_owned()),
                (header::ETAG, etag),
            ];
            (headers, bytes).into_response()
        }
        Err(refusal) => {
            shared.metrics.picture(match refusal.kind {
                RefusalKind::Unsupported => "unsupported",
                RefusalKind::Damaged => "damaged",
                RefusalKind::Busy => "busy",
                _ => "failed",
            });
            refused(&refusal)
        }
    }
}

/// The width, and the place if one is asked for.
fn wanted(query: Query<'_>) -> Result<(u16, Option<Moment>), String> {
    let width = query.value("width").map_or(Ok(WIDTH), str::parse).ok();
    let width = width.filter(|width| (WIDTH_MIN..=WIDTH_MAX).contains(width));
    let width =
        width.ok_or_else(|| format!("width is a number of pixels from {WIDTH_MIN} to {WIDTH_MAX}\n"))?;
    Ok((width, query.seconds("t")?.map(sources::moment)))
}

/// The key frame that a picture is made of.
struct KeyFrame {
    kept: Arc<Kept>,
    /// Which sample of the part it is.
    number: usize,
    /// Tells it from the stream's others.
    state: String,
    cache: &'static str,
}

impl KeyFrame {
    /// The newest, or the last at or before a place, as who begins to watch there gets it: out of range is the nearest.
    fn find(shared: &Shared, name: &StreamName, at: Option<Moment>) -> Option<Self> {
        let window = shared.sources.archive.broadcast(name).filter(|window| !window.is_ended())?;
        let newest = window.newest_picture()?;
        let sequence_of =
            |(kept, number): &(Arc<Kept>, usize)| Some(kept.part().samples.get(*number)?.sequence);
        let newest_sequence = sequence_of(&newest)?;
        let (found, stays) = match at {
            None => (newest, false),
            Some(at) => {
                let entry = window.entry(at.time(window.range().to))?;
                let stays = matches!(at, Moment::Since(at) if at >= entry.at);
                (picture_at(&window, entry).unwrap_or(newest), stays)
            }
        };
        let sequence = sequence_of(&found)?;
        let cache = if stays && sequence != newest_sequence { FOR_A_MINUTE } else { FOR_A_MOMENT };
        let (kept, number) = found;
        Some(Self { kept, number, state: format!("{}-{sequence}", window.tag()), cache })
    }
}

/// The picture at which an entry begins; none if it has just been let go.
fn picture_at(window: &Window, entry: Entry) -> Option<(Arc<Kept>, usize)> {
    (entry.ordinal..entry.ordinal + PARTS_MAX)
        .map_while(|ordinal| match window.lookup(ordinal) {
            Lookup::Part(kept) => Some(kept),
            _ => None,
        })
        .filter(|kept| kept.part().init.track.id.kind == MediaKind::Video)
        .find_map(|kept| {
            let number = kept.part().samples.iter().position(|sample| sample.sequence == entry.sequence)?;
            Some((kept, number))
        })
}
