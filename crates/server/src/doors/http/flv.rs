//! HTTP-FLV and WebSocket-FLV: a stream as one FLV file, live without an end, from a keyframe on and from time zero.

use std::sync::Arc;
use std::time::Duration;

use axum::http::request::Parts;
use axum::http::{Method, StatusCode, Version, header};
use axum::response::{IntoResponse, Response};
use headwater_hub::{Batch, Bell, Next, Playback, StreamName, Watcher};
use headwater_media::flv::Dialect;

use super::handover;
use super::refusals::refused;
use super::shared::Shared;
use super::streaming::Streaming;
use super::ws;
use crate::fanout::Envelope;
use crate::sources::{self, From};
use crate::track_selection::TrackSelection;

/// How often a waiting request looks whether it has waited long enough.
const WAIT_STEP: Duration = Duration::from_millis(500);
/// What is kept of a viewer's name for itself.
const AGENT_LETTERS_MAX: usize = 100;

/// Answers a request for a stream, or for a film as a stream: by WebSocket if it asks for one.
pub(super) async fn watch(
    shared: &Shared,
    name: &StreamName,
    from: From,
    selection: TrackSelection,
    request: &Parts,
) -> Response {
    let head = [(header::CONTENT_TYPE, "video/x-flv"), (header::CACHE_CONTROL, "no-cache, no-store")];
    if request.method == Method::HEAD {
        let status = if shared.sources.hub.is_live(name) { StatusCode::OK } else { StatusCode::NOT_FOUND };
        return (status, head).into_response();
    }
    let key = ws::key(request);
    let (door, envelope) = match (key, request.version) {
        (Some(_), _) => ("ws-flv", Envelope::WebSocketMessage),
        // HTTP/2 has frames of its own.
        (None, Version::HTTP_10 | Version::HTTP_2) => ("http-flv", Envelope::Bare),
        (None, _) => ("http-flv", Envelope::HttpChunk),
    };
    let counted = shared.metrics.viewing(door, name.path());
    let mut playback = match open(shared, name, from).await {
        Ok(playback) => playback,
        Err(refusal) => return refusal,
    };
    if key.is_none() {
        // Who reads a file takes what it has room for; a browser's WebSocket takes whatever comes.
        playback.set_buffer(Duration::MAX);
    }
    let agent = request.headers.get(header::USER_AGENT).and_then(|agent| agent.to_str().ok());
    let streaming = Streaming {
        playback,
        dialect: selection.apply(Dialect::PLAIN),
        envelope,
        door,
        name: name.to_string(),
        agent: agent.unwrap_or_default().chars().take(AGENT_LETTERS_MAX).collect(),
        counted,
    };
    match key {
        Some(key) => handover::stream(ws::accept(key), streaming),
        None => handover::stream(head, streaming),
    }
}

/// Opens what `name` is and waits for the first frames; the refusal says why there are none.
async fn open(shared: &Shared, name: &StreamName, from: From) -> Result<Playback, Response> {
    let cursor = sources::open(&shared.sources, name, name.name(), from).await;
    let mut playback = shared.sources.playback(cursor.map_err(|refusal| refused(&refusal))?);
    let (bell, mut batch) = (Arc::new(Bell::default()), Batch::default());
    if playback.read(&mut batch) != Next::Empty {
        return Ok(playback);
    }
    let since = shared.sources.uptime.now();
    let _watch = playback.watch(Arc::clone(&bell) as Arc<dyn Watcher>);
    while playback.read(&mut batch) == Next::Empty {
        let now = shared.sources.uptime.now();
        if playback.is_overdue(now) {
            let waited = now.saturating_sub(since);
            let text = format!("nobody publishes {name}; waited {} s\n", waited.as_secs());
            return Err((StatusCode::NOT_FOUND, text).into_response());
        }
        // Rung or not, it looks again.
        let _ = tokio::time::timeout(WAIT_STEP, bell.rung()).await;
    }
    Ok(playback)
}
