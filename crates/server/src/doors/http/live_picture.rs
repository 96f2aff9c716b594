//! A picture of a live stream: `/<app>/<name>/thumbnail.jpg`, of its newest key frame, made when somebody looks.

use std::io;

use axum::http::request::Parts;
use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use headwater_hub::StreamName;
use headwater_media::Codec;
use headwater_vod::thumbnails::{WIDTH_MAX, WIDTH_MIN};
use headwater_vod::{Refusal, RefusalKind};

use super::cors::{method_not_allowed, preflight};
use super::preconditions::if_none_match;
use super::query::Query;
use super::refusals::refused;
use super::shared::Shared;

/// The width when nobody asks for one, in pixels.
const WIDTH: u16 = 320;
/// What stands behind the stream's name.
const NAME: &str = "/thumbnail.jpg";
/// A moment later there is another.
const FOR_A_MOMENT: &str = "public, max-age=1";

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

/// Answers with the newest picture of a stream.
pub(super) async fn serve(shared: &Shared, name: &StreamName, request: &Parts) -> Response {
    match request.method {
        Method::GET | Method::HEAD => {}
        Method::OPTIONS => return preflight(),
        _ => return method_not_allowed(),
    }
    let width = Query::of(&request.uri).value("width").map_or(Ok(WIDTH), str::parse);
    let Some(width) = width.ok().filter(|width| (WIDTH_MIN..=WIDTH_MAX).contains(width)) else {
        let text = format!("width is a number of pixels from {WIDTH_MIN} to {WIDTH_MAX}\n");
        return (StatusCode::BAD_REQUEST, text).into_response();
    };
    let window = shared.sources.archive.broadcast(name).filter(|window| !window.is_ended());
    let Some((window, (kept, number))) =
        window.and_then(|window| Some((window.clone(), window.newest_picture()?)))
    else {
        let text =
            format!("There is no picture of {name}: nobody publishes it, or no key frame has come yet.");
        return refused(&Refusal::new(RefusalKind::NotFound, text));
    };
    let sequence = kept.part().samples.get(number).map_or(0, |sample| sample.sequence);
    let state = format!("{}-{sequence}", window.broadcast());
    let etag = format!("\"{state}-{width}\"");
    if if_none_match(&request.headers, &etag) == Some(true) {
        return (StatusCode::NOT_MODIFIED, [(header::ETAG, etag)]).into_response();
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
                (header::CACHE_CONTROL, FOR_A_MOMENT.to_owned()),
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
