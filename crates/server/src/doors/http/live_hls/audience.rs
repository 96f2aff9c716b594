//! Who watches over HLS. There is no connection that is a viewer: a viewer is who asks for a media playlist again and
//! again. It is known by the name that its player chose for it (`?viewer=`, as the watch page does), else by its address
//! and what it calls itself: viewers behind one address with one kind of player count as one, and behind a cache that
//! asks once for all, the cache is what is seen.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use axum::http::header;
use axum::http::request::Parts;
use headwater_archive::{TARGET_DURATION, Window};
use headwater_hub::{Start, State, StreamName, Subscriber};
use parking_lot::Mutex;

use crate::access::Peer;
use crate::doors::http::query::Query;
use crate::events::{Event, Events};
use crate::metrics::{Guard, Metrics};
use crate::sources::Sources;

const DOOR: &str = "hls";
/// Who has asked for nothing for so long has gone: playlists are loaded at least once in a target duration, and a request
/// may wait for three.
const GONE_AFTER: Duration = Duration::from_secs(4 * TARGET_DURATION.as_secs());
/// Viewers of one address that are told apart: as many as it may have connections. More is a crowd behind a cache, or
/// somebody who makes up names.
const SESSIONS_PER_ADDRESS_MAX: usize = 2_000;
/// Viewers that are told apart at once; a crowd beyond it is served, and not counted. Each takes less than a kilobyte.
const SESSIONS_MAX: usize = 50_000;
/// What is kept of a viewer's name for itself.
const AGENT_LETTERS_MAX: usize = 100;
/// What is kept of the name that its player chose for it: random names of players are half as long.
const VIEWER_LETTERS_MAX: usize = 64;

/// All who watch over HLS.
#[derive(Debug, Default)]
pub(crate) struct Audience(Mutex<Sessions>);

#[derive(Debug, Default)]
struct Sessions {
    all: HashMap<(StreamName, String), Session>,
    by_address: HashMap<IpAddr, usize>,
}

#[derive(Debug)]
struct Session {
    peer: SocketAddr,
    last: Instant,
    /// From the second request on.
    watching: Option<Watching>,
}

/// Somebody who watches.
#[derive(Debug)]
struct Watching {
    /// A viewer's place at the stream that reads nothing: it makes the stream's figures true.
    viewer: Option<Subscriber>,
    _counted: Guard,
}

impl Audience {
    /// Takes note that somebody has asked for a media playlist.
    pub(super) fn note(
        &self,
        sources: &Sources,
        (metrics, events): (&Metrics, &Events),
        window: &Window,
        peer: Peer,
        request: &Parts,
    ) {
        let agent = request.headers.get(header::USER_AGENT).and_then(|agent| agent.to_str().ok());
        let agent: String = agent.unwrap_or_default().chars().take(AGENT_LETTERS_MAX).collect();
        let chosen = Query::of(&request.uri).value("viewer").filter(|viewer| !viewer.is_empty());
        let who = match chosen {
            Some(viewer) => viewer.chars().take(VIEWER_LETTERS_MAX).collect(),
            None => format!("{} {agent}", peer.address.ip()),
        };
        let (name, address) = (window.name().clone(), peer.address.ip());
        let mut sessions = self.0.lock();
        let Sessions { all, by_address } = &mut *sessions;
        let key = (name.clone(), who);
        let Some(session) = all.get_mut(&key) else {
            let own = by_address.entry(address).or_default();
            if all.len() < SESSIONS_MAX && *own < SESSIONS_PER_ADDRESS_MAX {
                *own += 1;
                all.insert(key, Session { peer: peer.address, last: Instant::now(), watching: None });
            }
            return;
        };
        let now = Instant::now();
        // Of its last moments nothing is known: it may have gone right after it has asked.
        metrics.watched().add(DOOR, name.path(), now.saturating_duration_since(session.last).min(GONE_AFTER));
        session.last = now;
        if let Some(watching) = &mut session.watching {
            if watching.viewer.as_ref().is_none_or(|viewer| viewer.state() == State::Ended) {
                watching.viewer = place(sources, &name);
            }
            return;
        }
        session.watching = Some(Watching { viewer: place(sources, &name), _counted: metrics.viewer(DOOR) });
        drop(sessions);
        let stream = name.to_string();
        events.emit(Event::PlayBegan { door: DOOR, peer: peer.address, stream, agent });
    }

    /// Lets go of who has gone. Call it about once a second.
    pub(crate) fn sweep(&self, events: &Events) {
        let mut gone = Vec::new();
        {
            let mut sessions = self.0.lock();
            let Sessions { all, by_address } = &mut *sessions;
            all.retain(|(name, _), session| {
                let stays = session.last.elapsed() < GONE_AFTER;
                if !stays {
                    if let Some(own) = by_address.get_mut(&session.peer.ip()) {
                        *own -= 1;
                    }
                    gone.extend(session.watching.as_ref().map(|_| (name.to_string(), session.peer)));
                }
                stays
            });
            by_address.retain(|_, own| *own > 0);
        }
        for (stream, peer) in gone {
            events.emit(Event::PlayEnded { door: DOOR, peer, stream, skipped: 0 });
        }
    }
}

/// A place at the stream, if it is live and has one left.
fn place(sources: &Sources, name: &StreamName) -> Option<Subscriber> {
    let lag_max = sources.viewing.get().lag_max;
    let subscribe = || sources.hub.subscribe(name, Start::NextKeyframe, lag_max, sources.uptime.now()).ok();
    sources.hub.is_live(name).then(subscribe).flatten()
}
