//! Clips: a span of a broadcast, live or recorded, as a file of its own: to be fetched, or as a film among the recordings.
//! Nothing is coded anew: a clip begins with the key frame before the span, and says by an edit list what is shown first.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use headwater_archive::{CLIP_BYTES_MAX, RECORDINGS_APP, clip};
use headwater_hub::StreamName;
use headwater_media::Timestamp;
use headwater_media::cut::{Cut, Span};
use headwater_media::flv::Dialect;
use headwater_vod::{Film, Refusal, RefusalKind, blocking};
use serde::{Deserialize, Serialize};

use super::files::{self, Container, Plan, Representation, respond};
use super::films;
use super::preconditions::Validators;
use super::query::Query;
use super::refusals::refused;
use super::shared::Shared;
use super::to_its_end::to_its_end;
use crate::events::Event;

/// No broadcast is as long, in seconds.
const SECONDS_MAX: f64 = 1e8;

/// What is asked for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    /// A live stream, or a film: app and name.
    stream: String,
    /// Seconds from its beginning; of a live stream below 0: before now, and `until` 0 is now then.
    from: f64,
    until: f64,
    /// What the film is to be called below the recordings, with its ending.
    name: String,
}

#[derive(Serialize)]
struct Made {
    app: &'static str,
    name: String,
    bytes: u64,
    url: String,
}

/// `GET /api/v1/clips/<app>/<name>?from=&until=&format=`: the clip itself.
pub(super) async fn fetch(
    State(shared): State<Arc<Shared>>,
    Path(path): Path<String>,
    request: Request,
) -> Response {
    let (request, _) = request.into_parts();
    let query = Query::of(&request.uri);
    let (container, ending) = match query.value("format") {
        None | Some("mp4") => (Container::Mp4, "mp4"),
        Some("flv") => (Container::Flv, "flv"),
        Some(_) => return (StatusCode::BAD_REQUEST, "format is mp4 or flv\n").into_response(),
    };
    let seconds = |name| query.value(name).and_then(|value| value.parse::<f64>().ok());
    let (Some(from), Some(until)) = (seconds("from"), seconds("until")) else {
        return (StatusCode::BAD_REQUEST, "from and until are seconds, like from=12.5&until=20\n")
            .into_response();
    };
    match make(&shared, &path, (from, until), container).await {
        Ok(Clip { plan, validators }) => {
            let content_type = container.content_type();
            let download = Some(format!("clip.{ending}"));
            let representation = Representation { plan, content_type, validators, download, may_pause: true };
            respond(&shared, &request, representation)
        }
        Err(refusal) => refused(&refusal),
    }
}

/// `POST /api/v1/clips`: the clip becomes a film of the app `recordings`.
pub(super) async fn keep(State(shared): State<Arc<Shared>>, body: Bytes) -> Response {
    let wanted: Wanted = match serde_json::from_slice(&body) {
        Ok(wanted) => wanted,
        Err(error) => {
            let text = "a clip is {\"stream\": \"live/NAME\", \"from\": 12.5, \"until\": 20, \"name\": \"clips/goal.mp4\"}";
            return (StatusCode::BAD_REQUEST, format!("{text}: {error}\n")).into_response();
        }
    };
    to_its_end(async move {
        match keep_as_film(&shared, wanted).await {
            Ok(made) => {
                (StatusCode::CREATED, [(header::LOCATION, made.url.clone())], Json(made)).into_response()
            }
            Err(refusal) => refused(&refusal),
        }
    })
    .await
}

async fn keep_as_film(shared: &Shared, wanted: Wanted) -> Result<Made, Refusal> {
    let Wanted { stream, from, until, name } = wanted;
    let container = match name.rsplit_once('.').map(|(_, ending)| ending.to_ascii_lowercase()).as_deref() {
        Some("mp4") => Container::Mp4,
        Some("flv") => Container::Flv,
        _ => {
            let text = format!("The name {name} has to end in .mp4 or .flv.");
            return Err(Refusal::new(RefusalKind::Invalid, text));
        }
    };
    if shared.sources.library.holds(RECORDINGS_APP, &name).await? {
        return Err(Refusal::new(RefusalKind::Taken, format!("There is a {name} already.")));
    }
    let Clip { plan, .. } = make(shared, &stream, (from, until), container).await?;
    let len = plan.len();
    let archive = Arc::clone(&shared.sources.archive);
    blocking(move || archive.recordings().check_room(len)).await?;
    shared.sources.library.put(RECORDINGS_APP, &name, move |file| plan.write_to(file)).await?;
    shared.events.emit(Event::ClipMade { stream, file: name.clone(), bytes: len });
    let url = films::address(RECORDINGS_APP, &name);
    Ok(Made { app: RECORDINGS_APP, name, bytes: len, url })
}

/// A clip as it is sent or written, piece by piece.
struct Clip {
    plan: Plan,
    validators: Validators,
}

async fn make(shared: &Shared, path: &str, span: (f64, f64), container: Container) -> Result<Clip, Refusal> {
    let is_possible = |seconds: f64| (-SECONDS_MAX..=SECONDS_MAX).contains(&seconds);
    if !is_possible(span.0) || !is_possible(span.1) {
        let text = "from and until are seconds of a broadcast, like 12.5 and 20; these are none.";
        return Err(Refusal::new(RefusalKind::Invalid, text));
    }
    let time = |seconds: f64| Timestamp::from_nanos((seconds * 1e9) as i64);
    let (film, span) = open(shared, path, (time(span.0), time(span.1))).await?;
    let (source, name) = (Arc::clone(&film), path.to_owned());
    let cut = blocking(move || {
        let cut = match container {
            Container::Mp4 => Cut::mp4(source.index(), span),
            Container::Flv => Cut::flv(source.index(), span, Dialect::PLAIN),
        };
        let failed = |error| Refusal::new(RefusalKind::NoMedia, format!("{name} cannot be cut so: {error}."));
        cut.map_err(failed)
    })
    .await?;
    if cut.len() > CLIP_BYTES_MAX {
        let text = format!(
            "This clip would have {} bytes; {CLIP_BYTES_MAX} are as many as one may have.",
            cut.len()
        );
        return Err(Refusal::new(RefusalKind::TooLarge, text));
    }
    let times = [span.from, span.until].map(|time| time.unwrap_or_default().as_nanos());
    let etag = files::tag(&film, container, &times);
    let validators = Validators { etag, modified: film.modified() };
    Ok(Clip { plan: Plan::made(film, Arc::new(cut)), validators })
}

/// What holds the span, and where the span lies in it.
async fn open(
    shared: &Shared,
    path: &str,
    (from, until): (Timestamp, Timestamp),
) -> Result<(Arc<Film>, Span), Refusal> {
    let sources = &shared.sources;
    let stream = StreamName::parse(path).ok();
    let window = stream.as_ref().and_then(|name| sources.archive.broadcast(name));
    if let Some(window) = window {
        let now = window.range().to;
        let (from, until) = counted((from, until), now);
        must_follow(from, until)?;
        let film = clip(&window, from, until).await?;
        let clock = film.index().clock();
        let span = Span { from: Some((from - clock).max(Timestamp::ZERO)), until: Some(until - clock) };
        return Ok((Arc::new(film), span));
    }
    let from = from.max(Timestamp::ZERO);
    must_follow(from, until)?;
    let film = match path.split_once('/') {
        Some((app, name)) if sources.library.has_app(app) => sources.library.open(app, name).await?,
        _ => {
            let text = format!("{path} is neither a live stream with a window nor a film.");
            return Err(Refusal::new(RefusalKind::NotFound, text));
        }
    };
    Ok((film, Span { from: Some(from), until: Some(until) }))
}

/// Times of a live broadcast whose newest is `now`: those below zero are before now, and until 0 is until now if it begins
/// before now.
fn counted((from, until): (Timestamp, Timestamp), now: Timestamp) -> (Timestamp, Timestamp) {
    let is_until_now = from < Timestamp::ZERO && until == Timestamp::ZERO;
    let counted = |at: Timestamp| if at < Timestamp::ZERO { now + at } else { at };
    (counted(from), if is_until_now { now } else { counted(until) })
}

fn must_follow(from: Timestamp, until: Timestamp) -> Result<(), Refusal> {
    if until > from {
        return Ok(());
    }
    Err(Refusal::new(RefusalKind::Invalid, "The end asked for is not behind the start."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_below_zero_are_before_now() {
        let seconds = |seconds: i64| Timestamp::from_ms(seconds * 1_000);
        for (asked, meant) in [
            ((-5, 0), (95, 100)),
            ((-5, -2), (95, 98)),
            ((3, 5), (3, 5)),
            ((0, 0), (0, 0)),
            ((-5, 97), (95, 97)),
        ] {
            let counted = counted((seconds(asked.0), seconds(asked.1)), seconds(100));
            assert_eq!(counted, (seconds(meant.0), seconds(meant.1)), "{asked:?}");
        }
        assert_eq!(must_follow(seconds(1), seconds(1)).unwrap_err().kind, RefusalKind::Invalid);
        assert!(must_follow(seconds(1), seconds(2)).is_ok());
    }
}
