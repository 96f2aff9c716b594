//! Pictures of a film: `thumbnail.jpg`, `sprite.vtt` and the sheets `sprite-0.jpg`, …
//!
//! They are made of key frames when somebody asks. Where none can be made of a codec, the answer is 501 with a
//! sentence, and a page paints its own.

use std::sync::Arc;

use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use headwater_media::Timestamp;

use super::Shared;
use super::refusals::refused;
use super::vod::Address;
use headwater_vod::thumbnails::{Moment, Sprite, WIDTH_MAX, WIDTH_MIN};
use headwater_vod::{Film, Refusal, RefusalKind};

/// The width of a thumbnail when nobody asks for one.
const WIDTH: u16 = 320;
/// The latest time that can be asked for, in seconds: a year.
const SECONDS_MAX: f64 = 366.0 * 86_400.0;
/// An address that names the film's state is good for ever, any other for a minute.
const FOR_EVER: &str = "public, max-age=31536000, immutable";
const FOR_A_MINUTE: &str = "public, max-age=60";

/// Which picture an address names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    Thumbnail,
    Layout,
    Sheet(usize),
}

impl Wanted {
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
    address: Address<'_>,
    film: &Arc<Film>,
    wanted: Wanted,
    request: &Parts,
) -> Response {
    let query = match Query::read(request.uri.query().unwrap_or_default()) {
        Ok(query) => query,
        Err(problem) => return (StatusCode::BAD_REQUEST, problem).into_response(),
    };
    let state = film.etag().trim_matches('"');
    let moment = query.time.map_or(Moment::Telling, |time| Moment::at(film, time));
    let which = match (wanted, moment) {
        (Wanted::Thumbnail, Moment::Key(number)) => format!("{number}-{}", query.width),
        (Wanted::Thumbnail, Moment::Telling) => format!("telling-{}", query.width),
        (Wanted::Layout, _) => "sprite".to_owned(),
        (Wanted::Sheet(number), _) => format!("sprite-{number}"),
    };
    let etag = format!("\"{state}-{which}\"");
    let cache = if query.state == Some(state) { FOR_EVER } else { FOR_A_MINUTE };
    if is_known(&request.headers, &etag) {
        return (StatusCode::NOT_MODIFIED, [(header::ETAG, etag), (header::CACHE_CONTROL, cache.to_owned())])
            .into_response();
    }
    let path = format!("{}/{}", address.app, film.name());
    let (kind, made) = match wanted {
        Wanted::Thumbnail => {
            ("image/jpeg", shared.thumbnails.thumbnail(&path, film, moment, query.width).await)
        }
        Wanted::Layout => ("text/vtt; charset=utf-8", layout(film, state)),
        Wanted::Sheet(number) => ("image/jpeg", shared.thumbnails.sheet(&path, film, number).await),
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

/// Whether the client says that it has this already (RFC 9110, 13.1.2).
fn is_known(headers: &HeaderMap, etag: &str) -> bool {
    let named = headers.get_all(header::IF_NONE_MATCH).into_iter().filter_map(|value| value.to_str().ok());
    named
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == etag)
}

#[derive(Debug, PartialEq)]
struct Query<'a> {
    time: Option<Timestamp>,
    width: u16,
    state: Option<&'a str>,
}

impl<'a> Query<'a> {
    fn read(text: &'a str) -> Result<Self, String> {
        let mut query = Self { time: None, width: WIDTH, state: None };
        for (key, value) in text.split('&').filter_map(|pair| pair.split_once('=')) {
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
        assert_eq!(Wanted::parse("thumbnail.jpg"), Some(Wanted::Thumbnail));
        assert_eq!(Wanted::parse("sprite.vtt"), Some(Wanted::Layout));
        assert_eq!(Wanted::parse("sprite-12.jpg"), Some(Wanted::Sheet(12)));
        for other in
            ["", "sprite-.jpg", "sprite-+1.jpg", "sprite-1.png", "sprite-9999999.jpg", "a/thumbnail.jpg"]
        {
            assert_eq!(Wanted::parse(other), None, "{other}");
        }
    }

    #[test]
    fn what_is_asked_for_is_checked() {
        let query = Query::read("t=1.5&width=64&v=a-b&more=1").unwrap();
        assert_eq!((query.time, query.width, query.state), (Some(Timestamp::from_ms(1500)), 64, Some("a-b")));
        assert_eq!(Query::read("").unwrap(), Query { time: None, width: WIDTH, state: None });
        for bad in
            ["t=-1", "t=NaN", "t=inf", "t=1e300", "t=x", "width=0", "width=31", "width=1281", "width=-5"]
        {
            assert!(Query::read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_client_that_has_it_is_told_so() {
        let says = |value: &str| HeaderMap::from_iter([(header::IF_NONE_MATCH, value.parse().unwrap())]);
        assert!(is_known(&says("\"a\", W/\"b\""), "\"b\"") && is_known(&says("*"), "\"b\""));
        assert!(!is_known(&says("\"a\""), "\"b\"") && !is_known(&HeaderMap::new(), "\"b\""));
    }
}
