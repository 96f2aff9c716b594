//! Thumbnails of a film: `thumbnail.jpg`, `sprite.vtt` and the sheets `sprite-0.jpg`, …
//!
//! They are made of key frames when somebody asks. Where none can be made of a codec, the answer is 501 with a
//! sentence, and a page paints its own.

use std::sync::Arc;

use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use headwater_media::Timestamp;

use super::film_address::FilmAddress;
use super::preconditions::if_none_match;
use super::query::Query;
use super::refusals::refused;
use super::shared::Shared;
use headwater_vod::thumbnails::{Moment, Sprite, WIDTH_MAX, WIDTH_MIN};
use headwater_vod::{Film, Refusal, RefusalKind};

/// The width of a thumbnail when nobody asks for one.
const WIDTH: u16 = 320;
/// The latest time that can be asked for, in seconds: a year.
const SECONDS_MAX: f64 = 366.0 * 86_400.0;
/// An address that names the film's state is good for ever, any other for a minute.
const FOR_EVER: &str = "public, max-age=31536000, immutable";
const FOR_A_MINUTE: &str = "public, max-age=60";

/// Which thumbnail, or what of the sprite, an address names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ThumbnailResource {
    Thumbnail,
    Layout,
    Sheet(usize),
}

impl ThumbnailResource {
    /// By what stands behind the film's name.
    pub(super) fn parse(part: &str) -> Option<Self> {
        match part {
            "thumbnail.jpg" => Some(Self::Thumbnail),
            "sprite.vtt" => Some(Self::Layout),
            _ => {
                let number = part.strip_prefix("sprite-")?.strip_suffix(".jpg")?;
                let plain = number.len() <= 6 && number.bytes().all(|digit| digit.is_ascii_digit());
                number.parse().ok().filter(|_| plain).map(Self::Sheet)
            }
        }
    }
}

/// Answers with a picture of the film.
pub(super) async fn serve(
    shared: &Arc<Shared>,
    address: FilmAddress<'_>,
    film: &Arc<Film>,
    resource: ThumbnailResource,
    request: &Parts,
) -> Response {
    let query = match ThumbnailQuery::read(Query::of(&request.uri)) {
        Ok(query) => query,
        Err(problem) => return (StatusCode::BAD_REQUEST, problem).into_response(),
    };
    let state = film.etag().trim_matches('"');
    let moment = query.time.map_or(Moment::Telling, |time| Moment::at(film, time));
    let which = match (resource, moment) {
        (ThumbnailResource::Thumbnail, Moment::Key(number)) => format!("{number}-{}", query.width),
        (ThumbnailResource::Thumbnail, Moment::Telling) => format!("telling-{}", query.width),
        (ThumbnailResource::Layout, _) => "sprite".to_owned(),
        (ThumbnailResource::Sheet(number), _) => format!("sprite-{number}"),
    };
    let etag = format!("\"{state}-{which}\"");
    let cache = if query.state == Some(state) { FOR_EVER } else { FOR_A_MINUTE };
    if if_none_match(&request.headers, &etag) == Some(true) {
        return (StatusCode::NOT_MODIFIED, [(header::ETAG, etag), (header::CACHE_CONTROL, cache.to_owned())])
            .into_response();
    }
    let path = format!("{}/{}", address.app, film.name());
    let (kind, made) = match resource {
        ThumbnailResource::Thumbnail => {
            ("image/jpeg", shared.thumbnails.thumbnail(&path, film, moment, query.width).await)
        }
        ThumbnailResource::Layout => ("text/vtt; charset=utf-8", layout(film, state)),
        ThumbnailResource::Sheet(number) => {
            ("image/jpeg", shared.thumbnails.sheet(&path, film, number).await)
        }
    };
    match made {
        Ok(bytes) => {
            let headers = [
                (header::CONTENT_TYPE, kind.to_owned()),
                (header::CACHE_CONTROL, cache.to_owned()),
                (header::ETAG, etag),
            ];
            shared.metrics.picture("sent");
            (headers, bytes).into_response()
        }
        Err(refusal) => {
            shared.metrics.picture(match refusal.kind {
                RefusalKind::Unsupported => "unsupported",
                RefusalKind::Damaged => "damaged",
                RefusalKind::NotFound => "absent",
                RefusalKind::Busy => "busy",
                _ => "failed",
            });
            refuse(&refusal)
        }
    }
}

/// The layout names the sheets of this state of the film, which never change.
fn layout(film: &Film, state: &str) -> Result<Bytes, Refusal> {
    Ok(Sprite::of(film)?.to_webvtt(&format!("?v={state}")).into())
}

fn refuse(refusal: &Refusal) -> Response {
    let mut response = refused(refusal);
    if response.status() == StatusCode::SERVICE_UNAVAILABLE {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    }
    response
}

#[derive(Debug, PartialEq)]
struct ThumbnailQuery<'a> {
    time: Option<Timestamp>,
    width: u16,
    state: Option<&'a str>,
}

impl<'a> ThumbnailQuery<'a> {
    fn read(text: Query<'a>) -> Result<Self, String> {
        let mut query = Self { time: None, width: WIDTH, state: None };
        for (key, value) in text.pairs() {
            match key {
                "t" => {
                    let seconds = value.parse().ok().filter(|seconds| (0.0..=SECONDS_MAX).contains(seconds));
                    let seconds: f64 =
                        seconds.ok_or_else(|| "t is a time in seconds, like t=12.5\n".to_owned())?;
                    query.time = Some(Timestamp::from_nanos((seconds * 1e9) as i64));
                }
                "width" => {
                    let wanted = |width: &u16| (WIDTH_MIN..=WIDTH_MAX).contains(width);
                    query.width = value.parse().ok().filter(wanted).ok_or_else(|| {
                        format!("width is a number of pixels from {WIDTH_MIN} to {WIDTH_MAX}\n")
                    })?;
                }
                "v" => query.state = Some(value),
                _ => {}
            }
        }
        Ok(query)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_have_their_names() {
        assert_eq!(ThumbnailResource::parse("thumbnail.jpg"), Some(ThumbnailResource::Thumbnail));
        assert_eq!(ThumbnailResource::parse("sprite.vtt"), Some(ThumbnailResource::Layout));
        assert_eq!(ThumbnailResource::parse("sprite-12.jpg"), Some(ThumbnailResource::Sheet(12)));
        for other in
            ["", "sprite-.jpg", "sprite-+1.jpg", "sprite-1.png", "sprite-9999999.jpg", "a/thumbnail.jpg"]
        {
            assert_eq!(ThumbnailResource::parse(other), None, "{other}");
        }
    }

    #[test]
    fn what_is_asked_for_is_checked() {
        let query = ThumbnailQuery::read(Query::new("t=1.5&width=64&v=a-b&more=1")).unwrap();
        assert_eq!((query.time, query.width, query.state), (Some(Timestamp::from_ms(1500)), 64, Some("a-b")));
        assert_eq!(
            ThumbnailQuery::read(Query::new("")).unwrap(),
            ThumbnailQuery { time: None, width: WIDTH, state: None }
        );
        for bad in
            ["t=-1", "t=NaN", "t=inf", "t=1e300", "t=x", "width=0", "width=31", "width=1281", "width=-5"]
        {
            assert!(ThumbnailQuery::read(Query::new(bad)).is_err(), "{bad}");
        }
    }
}
