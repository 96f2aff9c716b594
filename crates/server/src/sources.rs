//! Which cursor a name leads to: the one place that knows what there is to watch, live streams and films.
//!
//! A door opens a cursor here and plays it, whatever it is. A new source is a new arm of [`open`].

#[cfg(test)]
pub(crate) mod made_up;

use std::sync::Arc;
use std::time::Duration;

use headwater_archive::Archive;
use headwater_hub::{Cursor, Hub, Playback, Start, StreamName, Subscriber};
use headwater_media::Timestamp;
use headwater_vod::{FilmCursor, Library, Refusal, RefusalKind};

use crate::live::Live;
use crate::uptime::Uptime;

/// How viewers are served.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Viewing {
    /// Where a viewer starts.
    pub(crate) start: Start,
    /// How far behind a viewer may fall before it is moved on.
    pub(crate) lag_max: Timestamp,
    /// How long a viewer waits for a stream that is not there yet.
    pub(crate) wait: Duration,
}

/// Everything that can be watched.
#[derive(Clone, Debug)]
pub(crate) struct Sources {
    pub(crate) hub: Arc<Hub>,
    pub(crate) library: Arc<Library>,
    /// The windows of live streams; none where they are turned off.
    pub(crate) archive: Arc<Archive>,
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

/// The last parts of addresses that lead to something of a stream or film: no stream is called so.
const TAKEN: [&str; 3] = ["index.m3u8", "thumbnail.jpg", "sprite.vtt"];

/// Why nobody can publish under a name, where its address would be one of ours.
pub(crate) fn taken_name(name: &StreamName) -> Option<String> {
    let last = name.path().rsplit('/').next()?;
    let taken = TAKEN.iter().find(|taken| last.eq_ignore_ascii_case(taken))?;
    Some(format!(
        "a stream cannot be called {taken}: its address would be that of another's. Choose another name."
    ))
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
) -> Result<Box<dyn Cursor>, Refusal> {
    let live = || open_live(sources, name).map(|subscriber| Box::new(subscriber) as Box<dyn Cursor>);
    let may_be_live = !matches!(from, From::Film(at) if at > Timestamp::ZERO);
    let has_films = sources.library.has_app(name.app());
    if from == From::Live || !has_films || (may_be_live && sources.hub.is_live(name)) {
        return live();
    }
    match sources.library.open(name.app(), asked).await {
        Ok(film) => {
            let at = if let From::Film(at) = from { at } else { Timestamp::ZERO };
            Ok(Box::new(FilmCursor::on(Arc::clone(&sources.library), name.app(), film, at)))
        }
        Err(refusal) if refusal.kind == RefusalKind::NotFound && from == From::Any => live(),
        Err(refusal) => Err(refusal),
    }
}

/// Opens a cursor on the live stream `name`, whether it is there yet or not.
fn open_live(sources: &Sources, name: &StreamName) -> Result<Subscriber, Refusal> {
    let Viewing { start, lag_max, .. } = *sources.viewing.get();
    let subscriber = sources.hub.subscribe(name, start, lag_max, sources.uptime.now());
    subscriber.map_err(|limit| Refusal::new(RefusalKind::Busy, limit.to_string()))
}

impl Sources {
    /// Playback of what was opened, from now on.
    pub(crate) fn playback(&self, cursor: Box<dyn Cursor>) -> Playback {
        Playback::new(cursor, self.uptime.now(), self.viewing.get().wait)
    }
}
