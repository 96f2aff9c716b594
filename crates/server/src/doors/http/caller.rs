//! Whose requests a connection brings, and what each of them needs to know of it before it is answered. The same for
//! every version of HTTP.

use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::http::header::RETRY_AFTER;
use axum::response::{IntoResponse, Response};
use futures_util::future;
use hyper::body::Incoming;

use super::asked::Asked;
use super::asker::Asker;
use super::config::Config;
use super::route::Answer;
use super::sendfile::Ranges;
use super::shared::Shared;
use super::stall::StallLimit;
use super::{gate, route, target};
use crate::access::Origin;
use crate::events::{Event, Events};
use crate::net::seats::Seat;

/// Whose requests these are, and who answers them.
pub(super) struct Caller {
    pub(super) router: Router,
    pub(super) shared: Arc<Shared>,
    pub(super) config: Arc<Config>,
    pub(super) origin: Origin,
    pub(super) is_in_tls: bool,
    pub(super) seat: Arc<Seat>,
    pub(super) asked: Arc<Asked>,
}

impl Caller {
    /// Has a request answered. One that is none, or of a guest who wants more than a moment, is answered at once.
    /// `stall_limit` is for whoever answers, who says if a film is sent.
    pub(super) fn route(
        &self,
        mut request: Request<Incoming>,
        stall_limit: &Arc<StallLimit>,
        ranges: Option<&Arc<Ranges>>,
    ) -> Answer {
        let at_once = |response| -> Answer { Box::pin(future::ready(Ok(response))) };
        if let Err(malformed) = target::settle(&mut request) {
            let (reason, text) = ("bad_request", malformed.text().to_owned());
            self.shared.events.emit(Event::RequestRefused { door: "http", reason, text });
            return at_once(malformed.into_response());
        }
        if let Some(guest) = self.seat.guest() {
            guest.asks();
            if !route::is_for_guests(request.uri().path()) {
                return at_once(refuse_guest(&self.shared.events));
            }
        }
        stall_limit.sends_film(false);
        let peer = gate::peer(&self.shared.access, self.origin, request.headers());
        request.extensions_mut().insert(Asker {
            peer,
            is_in_tls: self.is_in_tls,
            config: Arc::clone(&self.config),
            stall_limit: Arc::clone(stall_limit),
            ranges: ranges.cloned(),
        });
        route::answer(&self.router, &self.shared, request)
    }
}

/// To somebody who was let in although all seats are taken, and wants more than a moment.
fn refuse_guest(events: &Events) -> Response {
    let text = "The server has no room for more connections now. Come again in a moment.".to_owned();
    let answer = (StatusCode::SERVICE_UNAVAILABLE, [(RETRY_AFTER, "5")], format!("{text}\n"));
    events.emit(Event::RequestRefused { door: "http", reason: "no_seat", text });
    answer.into_response()
}
