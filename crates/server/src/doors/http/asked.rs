//! What a peer has asked for last, and how it is told that it was let go over it.

use std::net::SocketAddr;

use axum::extract::Request;
use parking_lot::Mutex;

use super::stall::StallLimit;
use crate::access::Access;
use crate::events::Event;

/// What is logged of a request's path.
const PLACE_LETTERS_MAX: usize = 200;

/// What was asked for last: on a connection, or in one of the requests that share it.
#[derive(Debug, Default)]
pub(super) struct Asked(Mutex<String>);

impl Asked {
    pub(super) fn note<B>(&self, request: &Request<B>) {
        let path = request.uri().path();
        let end = path.char_indices().nth(PLACE_LETTERS_MAX).map_or(path.len(), |(end, _)| end);
        // In the place of the one before: a connection that is kept asks for much.
        let mut noted = self.0.lock();
        noted.clear();
        for part in [request.method().as_str(), " ", &path[..end]] {
            noted.push_str(part);
        }
    }

    pub(super) fn is_nothing(&self) -> bool {
        self.0.lock().is_empty()
    }

    /// For the log.
    pub(super) fn place(&self, access: &Access) -> String {
        if self.is_nothing() {
            return "before the first request".to_owned();
        }
        access.masked(&self.0.lock()).into_owned()
    }
}

/// It reads nothing and is let go.
pub(super) fn stalled(peer: SocketAddr, place: String, limit: &StallLimit) -> Event {
    let (limit, key) = limit.limit();
    let ms = limit.as_millis();
    let little = if key == "write_timeout_ms" { ", or next to nothing (write_min_bytes)," } else { "" };
    let text = format!("it read nothing{little} for {ms} ms (limit {key})");
    let_go(peer, place, "stalled", text)
}

/// A connection was ended from here.
pub(super) fn let_go(peer: SocketAddr, place: String, reason: &'static str, text: String) -> Event {
    Event::LetGo { door: "http", reason, peer, place, text }
}
