//! The API as JSON, and the metrics.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Extension, Path, State};
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use headwater_archive::{Moment, Progress, Record};
use headwater_hub::{Ailment, Snapshot, State as StreamState, StreamName};
use headwater_media::{MediaKind, Timestamp, Track, TrackId};
use serde::{Deserialize, Serialize};

use super::asker::Asker;
use super::query::Query;
use super::shared::Shared;
use super::{films, gate, live_picture};
use crate::events::Event;
use crate::metrics::Held;
use crate::sources;

/// Streams of a page, at most: a page is made while others wait, and is a megabyte of text.
const LIMIT_MAX: usize = 1000;

#[derive(Serialize)]
struct Info {
    version: &'static str,
    rtmp_port: u16,
    http_port: u16,
    /// Whether pages of other origins may show the watch page (`http.embed_origins`).
    embeddable: bool,
}

/// How to publish, for an admin.
#[derive(Serialize)]
struct Access {
    /// Whether publishing needs the key from where the question comes, and from other machines than the server's.
    key_needed: bool,
    key_needed_elsewhere: bool,
    publish_key: String,
    /// Of who has logged in; `null` for everybody else.
    session_ends_in_ms: Option<u128>,
}

#[derive(Serialize)]
struct Streams {
    streams: Vec<Stream>,
    /// Streams on all pages.
    total: usize,
    /// What the next page comes `after`; `null` where this is the last.
    next: Option<String>,
}

/// Which page of the streams is asked for.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct PageQuery {
    /// Streams on it, at most.
    limit: Option<usize>,
    /// The path of the last stream before it.
    after: Option<String>,
}

#[derive(Serialize)]
struct Stream {
    app: String,
    name: String,
    path: String,
    state: &'static str,
    uptime_ms: u128,
    viewers: usize,
    /// How long viewers were there, all together, by door.
    watched_s: BTreeMap<&'static str, u64>,
    bitrate_bps: u64,
    bytes_in: u64,
    frames_in: u64,
    frames_skipped: u64,
    timestamps_mended: u64,
    left_out: Vec<LeftOut>,
    health: Vec<Finding>,
    video: Option<Video>,
    audio: Option<Audio>,
    publisher: Option<Publisher>,
    window: Option<Kept>,
    /// Where there is a picture of it, once one can be made.
    thumbnail: Option<String>,
    /// Whether its app's streams are recorded; only admins are told.
    record: Option<Record>,
    /// How its recording is, if it is to be recorded; only admins are told.
    recording: Option<Progress>,
}

/// What can be gone back to, in milliseconds behind the broadcast's begin.
#[derive(Serialize)]
struct Kept {
    /// Where the oldest that is kept begins.
    from_ms: i64,
    /// Now.
    to_ms: i64,
    /// With `start=` in the question, as in the stream's own address: where who asks for that begins.
    #[serde(skip_serializing_if = "Option::is_none")]
    start_ms: Option<i64>,
}

/// Messages of the publisher that cannot be used, and why.
#[derive(Serialize)]
struct LeftOut {
    reason: String,
    messages: u64,
}

/// What is wrong with what the publisher sends. The words are the page's.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum Finding {
    NoKeyframe { for_ms: u128 },
    KeyframesFar { every_ms: i64 },
    Silent { track: &'static str, for_ms: i64 },
    Apart { audio_ahead_ms: i64 },
    Pace { permille: u32 },
    Jumped { by_ms: Option<i64>, ago_ms: u128, times: u64 },
}

impl From<Ailment> for Finding {
    fn from(ailment: Ailment) -> Self {
        match ailment {
            Ailment::NoKeyframe(waits) => Self::NoKeyframe { for_ms: waits.as_millis() },
            Ailment::KeyframesFar(every) => Self::KeyframesFar { every_ms: every.as_ms() },
            Ailment::Silent(kind, lasting) => {
                let track = if kind == MediaKind::Audio { "audio" } else { "video" };
                Self::Silent { track, for_ms: lasting.as_ms() }
            }
            Ailment::Apart(ahead) => Self::Apart { audio_ahead_ms: ahead.as_ms() },
            Ailment::Pace(permille) => Self::Pace { permille },
            Ailment::Jumped { by, ago, times } => {
                let by_ms = by.map(Timestamp::as_ms);
                Self::Jumped { by_ms, ago_ms: ago.as_millis(), times }
            }
        }
    }
}

#[derive(Serialize)]
struct Video {
    codec: String,
    codec_string: Option<String>,
    width: Option<u32>,
    height: Option<u32>,
    frame_rate: Option<f64>,
}

#[derive(Serialize)]
struct Audio {
    codec: String,
    codec_string: Option<String>,
    sample_rate: Option<u32>,
    channels: Option<u8>,
}

#[derive(Serialize)]
struct Publisher {
    address: String,
    agent: String,
    protocol: &'static str,
}

/// `GET /api/v1/info`
pub(super) async fn info(State(shared): State<Arc<Shared>>, Extension(asker): Extension<Asker>) -> Response {
    let info = Info {
        version: env!("CARGO_PKG_VERSION"),
        rtmp_port: shared.rtmp_port,
        http_port: shared.http_port,
        embeddable: !asker.config.embed_origins.is_empty(),
    };
    Json(info).into_response()
}

/// `GET /api/v1/access`: what publishing takes, and whether who asks has logged in.
pub(super) async fn access(
    State(shared): State<Arc<Shared>>,
    Extension(asker): Extension<Asker>,
    headers: HeaderMap,
) -> Response {
    let (needed_here, needed_elsewhere) = shared.access.needs_key();
    let left = gate::session(&headers).and_then(|session| shared.access.session_left(session));
    let access = Access {
        key_needed: if asker.peer.is_local { needed_here } else { needed_elsewhere },
        key_needed_elsewhere: needed_elsewhere,
        publish_key: shared.access.publish_key().to_owned(),
        session_ends_in_ms: left.map(|left| left.as_millis()),
    };
    ([(header::CACHE_CONTROL, "no-store")], Json(access)).into_response()
}

/// `GET /api/v1/streams?limit=&after=`: by name, page by page.
pub(super) async fn streams(
    State(shared): State<Arc<Shared>>,
    page: axum::extract::Query<PageQuery>,
) -> Response {
    let limit = page.limit.unwrap_or(LIMIT_MAX).clamp(1, LIMIT_MAX);
    let now = shared.sources.uptime.now();
    // One more tells whether there is a next page.
    let (mut found, total) = shared.sources.hub.page(page.after.as_deref(), limit + 1, now);
    let is_last = found.len() <= limit;
    found.truncate(limit);
    let next = found.last().filter(|_| !is_last).map(|last| last.name.path().to_owned());
    let streams = found.into_iter().map(|snapshot| describe(&shared, snapshot, true, None)).collect();
    Json(Streams { streams, total, next }).into_response()
}

/// `GET /api/v1/streams/<app>/<name>`: open to viewers, who are not told who publishes. With `absent=null`, a name that
/// nobody publishes or awaits is `null`, and no 404.
pub(super) async fn stream(
    State(shared): State<Arc<Shared>>,
    Path(path): Path<String>,
    Extension(asker): Extension<Asker>,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    if let Some(refused) = gate::refuse_viewer(&shared, asker.peer, &uri, &path).await {
        return refused;
    }
    let admin = gate::is_admin(&shared, asker.peer, &headers, uri.path()).await;
    let query = Query::of(&uri);
    let start = match query.start() {
        Ok(start) => start.map(sources::moment),
        Err(problem) => return (StatusCode::BAD_REQUEST, problem).into_response(),
    };
    match StreamName::parse(&path) {
        Err(error) => (StatusCode::BAD_REQUEST, format!("{error}\n")).into_response(),
        Ok(name) => match shared.sources.hub.snapshot(&name, shared.sources.uptime.now()) {
            Some(snapshot) => Json(describe(&shared, snapshot, admin, start)).into_response(),
            None if query.takes_null() => Json(None::<Stream>).into_response(),
            None => (StatusCode::NOT_FOUND, format!("nobody publishes or awaits {name}\n")).into_response(),
        },
    }
}

/// `DELETE /api/v1/streams/<app>/<name>`: ends the broadcast. Its publisher is let go and its viewers see the end; an
/// encoder that reconnects by itself begins the next one.
pub(super) async fn stop(State(shared): State<Arc<Shared>>, Path(path): Path<String>) -> Response {
    let name = match StreamName::parse(&path) {
        Ok(name) => name,
        Err(error) => return (StatusCode::BAD_REQUEST, format!("{error}\n")).into_response(),
    };
    if !shared.sources.hub.stop(&name) {
        return (StatusCode::NOT_FOUND, format!("nobody publishes {name}\n")).into_response();
    }
    shared.events.emit(Event::StreamStopped { stream: name.to_string() });
    StatusCode::NO_CONTENT.into_response()
}

/// `GET /metrics`
pub(super) async fn metrics(State(shared): State<Arc<Shared>>) -> Response {
    let sources = &shared.sources;
    let archive = &sources.archive;
    let held = Held {
        gave_way: sources.hub.gave_way(),
        films: sources.library.in_memory(),
        windows: (archive.list().len(), archive.in_all().memory(), archive.in_all().disk()),
        recordings_bytes: archive.recordings().bytes(),
    };
    let text = shared.metrics.encode(&sources.hub.list(sources.uptime.now()), held);
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, kind)], text).into_response()
}

fn describe(shared: &Shared, snapshot: Snapshot, admin: bool, start: Option<Moment>) -> Stream {
    let window = kept(shared, &snapshot, start);
    let state = match snapshot.state {
        StreamState::Waiting => "waiting",
        StreamState::Live => "live",
        StreamState::Paused => "paused",
        StreamState::Ended => "ended",
    };
    let publisher = snapshot.publisher.filter(|_| admin).map(|publisher| Publisher {
        address: publisher.address,
        agent: publisher.agent,
        protocol: publisher.protocol,
    });
    let thumbnail = live_picture::is_possible(shared, &snapshot.name)
        .then(|| format!("{}/thumbnail.jpg", films::address(snapshot.name.app(), snapshot.name.name())));
    let policy =
        || shared.sources.archive.recordings().policy(snapshot.name.app()).map(|policy| policy.record);
    let record = admin.then(|| policy().unwrap_or_default());
    let is_live = matches!(snapshot.state, StreamState::Live | StreamState::Paused);
    let progress = || shared.sources.archive.recordings().progress(&snapshot.name);
    let recording = (admin && is_live).then(progress).flatten();
    let watched = shared.metrics.watched().of_stream(snapshot.name.path());
    Stream {
        thumbnail,
        record,
        recording,
        watched_s: watched.into_iter().map(|(door, time)| (door, time.as_secs())).collect(),
        app: snapshot.name.app().to_owned(),
        name: snapshot.name.name().to_owned(),
        path: snapshot.name.path().to_owned(),
        state,
        uptime_ms: snapshot.uptime.as_millis(),
        viewers: snapshot.viewers,
        bitrate_bps: snapshot.bitrate_bps,
        bytes_in: snapshot.bytes_in,
        frames_in: snapshot.frames_in,
        frames_skipped: snapshot.frames_skipped,
        timestamps_mended: snapshot.repaired.jumps + snapshot.repaired.clamped,
        left_out: snapshot
            .left_out
            .into_iter()
            .map(|left| LeftOut { reason: left.reason, messages: left.messages })
            .collect(),
        health: snapshot.health.into_iter().map(Finding::from).collect(),
        video: snapshot.setup.track(TrackId::VIDEO).map(video),
        audio: snapshot.setup.tracks().find(|track| track.id.kind == MediaKind::Audio).map(audio),
        publisher,
        window,
    }
}

fn kept(shared: &Shared, snapshot: &Snapshot, start: Option<Moment>) -> Option<Kept> {
    let window = shared.sources.archive.broadcast(&snapshot.name)?;
    let is_it = window.broadcast() == snapshot.broadcast && window.has_start();
    let range = is_it.then(|| window.range())?;
    let newest = snapshot.newest.unwrap_or(range.to).max(range.to);
    let begins = start.and_then(|start| window.entry(start.time(newest)));
    Some(Kept {
        from_ms: ms_from(range.from),
        to_ms: newest.as_ms(),
        start_ms: begins.map(|entry| ms_from(entry.at)),
    })
}

/// The first whole millisecond at or behind a time: who asks for it gets what begins at that time.
fn ms_from(at: Timestamp) -> i64 {
    let ms = at.as_ms();
    ms + i64::from(Timestamp::from_ms(ms) < at)
}

fn video(track: &Track) -> Video {
    let details = track.details();
    Video {
        codec: track.codec.to_string(),
        codec_string: details.codec_string,
        width: details.width,
        height: details.height,
        frame_rate: details.frame_rate,
    }
}

fn audio(track: &Track) -> Audio {
    let details = track.details();
    Audio {
        codec: track.codec.to_string(),
        codec_string: details.codec_string,
        sample_rate: details.sample_rate,
        channels: details.channels,
    }
}
