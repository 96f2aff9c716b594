//! RTMPT: RTMP inside POST requests, for networks that let nothing else through (protocol of Flash Media Server;
//! ffmpeg and librtmp speak it). What the bodies mean is the RTMP door's matter.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Extension, Path, Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::asker::Asker;
use super::body;
use super::shared::Shared;
use crate::events::Event;
use crate::net::tunnel::Refusal;

/// A body, at most. Clients send what they have every few milliseconds.
const BODY_BYTES_MAX: usize = 4 << 20;
/// What stands in a body that has nothing to say: it is no part of the conversation.
const FILLER: &[u8] = &[0];
const CONTENT_TYPE: &str = "application/x-fcs";

/// `POST /fcs/ident2`: another server's address. There is none, and clients go on.
pub(super) async fn ident(request: Request) -> Response {
    if let Err(status) = body::read(request.into_body(), BODY_BYTES_MAX).await {
        return status.into_response();
    }
    (StatusCode::NOT_FOUND, answer_headers(), "no other address\n").into_response()
}

/// `POST /open/1`: the new tunnel's name.
pub(super) async fn open(
    State(shared): State<Arc<Shared>>,
    Extension(asker): Extension<Asker>,
    request: Request,
) -> Response {
    let mut random = [0; 16];
    if let Err(error) = getrandom::fill(&mut random) {
        tracing::error!(peer = %asker.peer, %error, "no random bytes for the name of a tunnel");
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    let name: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
    // A connection whose request was not read to its end cannot be used again, and ffmpeg uses it again.
    if let Err(status) = body::read(request.into_body(), BODY_BYTES_MAX).await {
        return status.into_response();
    }
    match shared.tunnels.open(name.clone(), asker.peer).await {
        Ok(()) => (answer_headers(), format!("{name}\n")).into_response(),
        Err(refusal) => refused(&shared, refusal),
    }
}

/// `POST /send/NAME/TURN` and `/idle/NAME/TURN`: bytes there, bytes back.
pub(super) async fn exchange(
    State(shared): State<Arc<Shared>>,
    Path((name, turn)): Path<(String, u64)>,
    request: Request,
) -> Response {
    let is_send = request.uri().path().starts_with("/send/");
    let body = match body::read(request.into_body(), BODY_BYTES_MAX).await {
        Ok(body) => body,
        Err(status) => return status.into_response(),
    };
    let brought = if is_send && body != FILLER { &body[..] } else { &[] };
    match shared.tunnels.exchange(&name, turn, brought).await {
        Ok((interval, bytes)) => {
            let mut whole = Vec::with_capacity(1 + bytes.len());
            whole.push(interval);
            whole.extend_from_slice(&bytes);
            (answer_headers(), Bytes::from(whole)).into_response()
        }
        Err(refusal) => refused(&shared, refusal),
    }
}

/// `POST /close/NAME[/TURN]`
pub(super) async fn close(
    State(shared): State<Arc<Shared>>,
    Path(rest): Path<String>,
    request: Request,
) -> Response {
    if let Err(status) = body::read(request.into_body(), BODY_BYTES_MAX).await {
        return status.into_response();
    }
    let name = rest.split('/').next().unwrap_or_default();
    match shared.tunnels.close(name) {
        Ok(()) => (answer_headers(), FILLER).into_response(),
        Err(refusal) => refused(&shared, refusal),
    }
}

fn answer_headers() -> [(header::HeaderName, &'static str); 2] {
    [(header::CONTENT_TYPE, CONTENT_TYPE), (header::CACHE_CONTROL, "no-cache")]
}

fn refused(shared: &Shared, refusal: Refusal) -> Response {
    let (status, reason) = match refusal {
        Refusal::Unknown => (StatusCode::NOT_FOUND, "tunnel_unknown"),
        Refusal::TooMany => (StatusCode::SERVICE_UNAVAILABLE, "tunnels_max"),
        Refusal::TooManyFromThere => (StatusCode::TOO_MANY_REQUESTS, "tunnels_per_address_max"),
        Refusal::OutOfOrder => (StatusCode::BAD_REQUEST, "tunnel_order"),
        Refusal::Full => (StatusCode::SERVICE_UNAVAILABLE, "tunnel_full"),
    };
    shared.events.emit(Event::RequestRefused { door: "http", reason, text: refusal.to_string() });
    (status, format!("{refusal}\n")).into_response()
}
