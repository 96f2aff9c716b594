//! WebSocket-FLV: the bytes of HTTP-FLV as binary messages.

use std::sync::Arc;

use axum::extract::WebSocketUpgrade;
use axum::extract::ws::{Message, WebSocket};
use axum::response::Response;
use futures_util::StreamExt;
use headwater_hub::StreamName;

use super::flv::{self, Viewer};
use super::shared::Shared;
use crate::access::Peer;
use crate::events::{Event, Events};
use crate::sources::From;
use crate::track_selection::TrackSelection;

/// What a viewer may say: nothing but pings and a farewell.
const INBOUND_BYTES_MAX: usize = 4096;

/// How these viewers are counted.
pub(super) const DOOR: &str = "ws-flv";

/// Answers a WebSocket request for a stream or a film.
pub(super) async fn watch(
    shared: &Shared,
    name: &StreamName,
    from: From,
    selection: TrackSelection,
    peer: Peer,
    upgrade: WebSocketUpgrade,
) -> Response {
    match flv::open(shared, name, from, selection, DOOR).await {
        Ok(viewer) => {
            upgrade.max_message_size(INBOUND_BYTES_MAX).max_frame_size(INBOUND_BYTES_MAX).on_upgrade({
                let name = name.clone();
                let events = Arc::clone(&shared.events);
                move |socket| send(socket, viewer, peer, name, events)
            })
        }
        Err(refusal) => refusal,
    }
}

/// Sends until the broadcast ends or the viewer goes.
async fn send(mut socket: WebSocket, mut viewer: Viewer, peer: Peer, name: StreamName, events: Arc<Events>) {
    loop {
        tokio::select! {
            bytes = viewer.next() => match bytes {
                Some(bytes) => if socket.send(Message::Binary(bytes)).await.is_err() { return },
                None => break,
            },
            heard = socket.next() => match heard {
                Some(Ok(Message::Close(_))) | None => return,
                Some(Err(error)) => {
                    // It vanished, or it said more than a viewer may.
                    let (peer, stream, text) = (peer.address, name.to_string(), error.to_string());
                    return events.emit(Event::PlayBroke { door: DOOR, peer, stream, text });
                }
                Some(Ok(_)) => {}
            },
        }
    }
    // The viewer may be gone already; then there is nobody to say farewell to.
    let _ = socket.send(Message::Close(None)).await;
}
