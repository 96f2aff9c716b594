//! Where a viewer's frames come from: the live log or a film.
//!
//! Doors ask here and do not know which it is: a [`Cursor`] is read, moved on and watched the same way.

use std::sync::Arc;
use std::time::Duration;

use headwater_hub::{Batch, Hub, LagPolicy, Next, Start, State, StreamName, Subscriber, Watcher};
use headwater_media::Timestamp;

use crate::live::Live;
use crate::uptime::Uptime;
use headwater_vod::Watched;
pub(crate) use headwater_vod::{Ending, Fill, Reel};
use headwater_vod::{Library, Refusal};

/// How viewers are served.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Viewing {
    /// Where a viewer starts.
    pub(crate) start: Start,
    /// What becomes of a slow viewer.
    pub(crate) policy: LagPolicy,
    /// How long a viewer waits for a stream that is not there yet.
    pub(crate) wait: Duration,
}

/// Everything that can be watched.
#[derive(Clone, Debug)]
pub(crate) struct Sources {
    pub(crate) hub: Arc<Hub>,
    pub(crate) library: Arc<Library>,
    pub(crate) viewing: Live<Viewing>,
    pub(crate) uptime: Uptime,
}

/// What a viewer wants to see of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum From {
    /// The live stream, else the film, else the live stream when it comes.
    Any,
    /// The live stream, now or when it comes.
    Live,
    /// The film from this time on. From its beginning on, a live stream of that name will do as well:
    /// librtmp asks so for whatever it plays.
    Film(Timestamp),
}

/// Opens a cursor. `asked` is the name as the client wrote it, with Flash's prefixes; `name` is the stream that
/// it would be.
///
/// # Errors
/// A sentence: no such film (in an app that has only films), a film that cannot be played, a limit.
pub(crate) async fn open(
    sources: &Sources,
    name: &StreamName,
    asked: &str,
    from: From,
) -> Result<Cursor, Refusal> {
    let live = || open_live(sources, name).map(Cursor::Live);
    let may_be_live = !matches!(from, From::Film(at) if at > Timestamp::ZERO);
    let has_films = sources.library.has_app(name.app());
    if from == From::Live || !has_films || (may_be_live && sources.hub.is_live(name)) {
        return live();
    }
    match sources.library.open(name.app(), asked).await {
        Ok(film) => {
            let at = if let From::Film(at) = from { at } else { Timestamp::ZERO };
            Ok(Cursor::Film(Reel::new(Arc::clone(&sources.library), name.app(), film, at)))
        }
        Err(Refusal::NotFound(_)) if from == From::Any => live(),
        Err(refusal) => Err(refusal),
    }
}

/// Opens a cursor on the live stream `name`, whether it is there yet or not.
pub(crate) fn open_live(sources: &Sources, name: &StreamName) -> Result<Subscriber, Refusal> {
    let Viewing { start, policy, .. } = *sources.viewing.get();
    let subscriber = sources.hub.subscribe(name, start, policy, sources.uptime.now());
    subscriber.map_err(|limit| Refusal::Busy(limit.to_string()))
}

/// Whether a viewer that has waited this long for a stream has waited long enough.
pub(crate) fn waited_enough(viewing: Viewing, waited: Duration) -> bool {
    waited >= viewing.wait
}

/// A viewer's place in what it watches.
#[derive(Debug)]
pub(crate) enum Cursor {
    Live(Subscriber),
    Film(Reel),
}

/// A watcher's place; dropping it ends the calls.
#[derive(Debug)]
pub(crate) enum Watch {
    Live { _watch: headwater_hub::Watch },
    Film { _watch: Watched },
}

impl Cursor {
    /// The film, if it is one: it can be sought in and paced.
    pub(crate) const fn film(&self) -> Option<&Reel> {
        match self {
            Self::Live(_) => None,
            Self::Film(reel) => Some(reel),
        }
    }

    /// Where the stream stands; a film is there.
    pub(crate) fn state(&self) -> State {
        match self {
            Self::Live(subscriber) => subscriber.state(),
            Self::Film(_) => State::Live,
        }
    }

    /// Fills `batch` with what comes next and moves nothing.
    pub(crate) fn read(&mut self, batch: &mut Batch) -> Next {
        match self {
            Self::Live(subscriber) => subscriber.read(batch),
            Self::Film(reel) => reel.read(batch),
        }
    }

    /// Moves past the first `frames` frames of the last batch.
    pub(crate) fn advance(&mut self, batch: &Batch, frames: usize) {
        match self {
            Self::Live(subscriber) => subscriber.advance(batch, frames),
            Self::Film(reel) => reel.advance(batch, frames),
        }
    }

    /// Number of the last frame that was used; what [`headwater_hub::DecoderSetup::unseen`] asks for.
    pub(crate) fn seen(&self) -> Option<u64> {
        match self {
            Self::Live(subscriber) => subscriber.seen(),
            Self::Film(reel) => reel.seen(),
        }
    }

    /// Frames that this viewer was moved past because it was too slow; of a film none is.
    pub(crate) fn skipped(&self) -> u64 {
        match self {
            Self::Live(subscriber) => subscriber.skipped(),
            Self::Film(_) => 0,
        }
    }

    /// Where in its own time it stands; live streams have none.
    pub(crate) fn position(&self) -> Timestamp {
        match self {
            Self::Live(_) => Timestamp::ZERO,
            Self::Film(reel) => reel.position(),
        }
    }

    /// Moves to where a viewer can begin anew: of a film, to the keyframe before where it stands.
    pub(crate) fn restart(&mut self, start: Start) {
        match self {
            Self::Live(subscriber) => subscriber.restart(start),
            Self::Film(reel) => reel.restart(),
        }
    }

    /// Has `watcher` called whenever there is something to read, and once soon after this call.
    pub(crate) fn watch(&self, watcher: Arc<dyn Watcher>) -> Watch {
        match self {
            Self::Live(subscriber) => Watch::Live { _watch: subscriber.watch(watcher) },
            Self::Film(reel) => Watch::Film { _watch: reel.watch(&watcher) },
        }
    }

    /// The media time at which the viewer's time begins, where that is not the first frame it gets: a film's
    /// times are those of the film, from where it was begun.
    pub(crate) const fn origin(&self) -> Option<Timestamp> {
        match self {
            Self::Live(_) => None,
            Self::Film(reel) => Some(reel.origin()),
        }
    }
}
