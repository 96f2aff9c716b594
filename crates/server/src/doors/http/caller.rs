//! Whose requests a connection brings, and what each of them needs to know of it before the router answers. The same for
//! every version of HTTP.

use std::convert::Infallible;
use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::http::header::RETRY_AFTER;
use axum::response::{IntoResponse, Response};
use futures_util::future::{self, Either, Ready};
use hyper::body::Incoming;

use super::asked::Asked;
use super::config::Config;
use super::stall::StallLimit;
use super::{gate, route, target};
use crate::access::{Access, Origin};
use crate::events::{Event, Events};
use crate::net::seats::Seat;

/// Whose requests these are, and who answers them.
pub(super) struct Caller {
    pub(super) router: Router,
    pub(super) config: Arc<Config>,
    pub(super) access: Arc<Access>,
    pub(super) events: Arc<Events>,
    pub(super) origin: Origin,
    pub(super) is_in_tls: bool,
    pub(super) seat: Arc<Seat>,
    pub(super) asked: Arc<Asked>,
}

/// The answer to come: the router's, or one that is there at once.
pub(super) type Answer = Either<Routed, Ready<Result<Response, Infallible>>>;
type Routed = <Router as tower_service::Service<Request<Incoming>>>::Future;

impl Caller {
    /// Hands a request to the router, but for one that is none, or of a guest who wants more than a moment: that is answered
    /// at once. `stall_limit` is for whoever answers: from the start no film is sent.
    pub(super) fn route(&self, mut request: Request<Incoming>, stall_limit: &Arc<StallLimit>) -> Answer {
        let at_once = |response| Either::Right(future::ready(Ok(response)));
        if let Err(malformed) = target::settle(&mut request) {
            let (reason, text) = ("bad_request", malformed.text().to_owned());
            self.events.emit(Event::RequestRefused { door: "http", reason, text });
            return at_once(malformed.into_response());
        }
        if let Some(guest) = self.seat.guest() {
            guest.asks();
            if !route::is_for_guests(request.uri().path()) {
                return at_once(refuse_guest(&self.events));
            }
        }
        let peer = gate::peer(&self.access, self.origin, request.headers());
        request.extensions_mut().insert(peer);
        if self.is_in_tls {
            request.extensions_mut().insert(gate::InTls);
        }
        request.extensions_mut().insert(Arc::clone(&self.config));
        stall_limit.sends_film(false);
        request.extensions_mut().insert(Arc::clone(stall_limit));
        // A router is always ready.
        Either::Left(tower_service::Service::call(&mut self.router.clone(), request))
    }
}

/// To somebody who was let in although all seats are taken, and wants more than a moment.
fn refuse_guest(events: &Events) -> Response {
    let text = "The server has no room for more connections now. Come again in a moment.".to_owned();
    let answer = (StatusCode::SERVICE_UNAVAILABLE, [(RETRY_AFTER, "5")], format!("{text}\n"));
    events.emit(Event::RequestRefused { door: "http", reason: "no_seat", text });
    answer.into_response()
}
