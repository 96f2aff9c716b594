//! Which cursor a name leads to: the one place that knows what there is to watch, live streams and films.
//!
//! A door opens a cursor here and plays it, whatever it is. A new source is a new arm of [`open`].

#[cfg(test)]
pub(crate) mod made_up;

use std::sync::Arc;
use std::time::Duration;

use headwater_archive::{Archive, BroadcastCursor, Moment};
use headwater_hub::{Cursor, Hub, Playback, Start, StreamName};
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
    /// The live stream from this moment on, as far as it is kept.
    Rewound(Moment),
    /// From this time on: the live stream from so long behind its begin, else the film. From the beginning on, the live
    /// stream at its head: librtmp asks so for whatever it plays (quirk 92).
    At(Timestamp),
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
    let moment = match from {
        From::Rewound(moment) => Some(moment),
        From::At(at) if at > Timestamp::ZERO => Some(Moment::Since(at)),
        From::Any | From::Live | From::At(_) => None,
    };
    let live = || open_live(sources, name, moment);
    let must_be_live = matches!(from, From::Live | From::Rewound(_));
    if must_be_live || !sources.library.has_app(name.app()) || sources.hub.is_live(name) {
        return live();
    }
    match sources.library.open(name.app(), asked).await {
        Ok(film) => {
            let at = if let From::At(at) = from { at } else { Timestamp::ZERO };
            Ok(Box::new(FilmCursor::on(Arc::clone(&sources.library), name.app(), film, at)))
        }
        Err(refusal) if refusal.kind == RefusalKind::NotFound && from == From::Any => live(),
        Err(refusal) => Err(refusal),
    }
}

/// Opens a cursor on the live stream `name`, whether it is there yet or not: at `moment`, else at its head.
fn open_live(
    sources: &Sources,
    name: &StreamName,
    moment: Option<Moment>,
) -> Result<Box<dyn Cursor>, Refusal> {
    let Viewing { start, lag_max, .. } = *sources.viewing.get();
    let subscriber = sources.hub.subscribe(name, start, lag_max, sources.uptime.now());
    let subscriber = subscriber.map_err(|limit| Refusal::new(RefusalKind::Busy, limit.to_string()))?;
    let cursor = BroadcastCursor::new(Arc::clone(&sources.archive), subscriber);
    Ok(Box::new(match moment {
        Some(moment) => cursor.at(moment),
        None => cursor,
    }))
}

/// What `start` of an address means, in seconds: behind the broadcast's begin, or, below zero, before now.
pub(crate) fn moment(start: f64) -> Moment {
    let time = Timestamp::from_nanos((start.abs() * 1e9) as i64);
    if start.is_sign_negative() { Moment::Ago(time) } else { Moment::Since(time) }
}

impl Sources {
    /// Playback of what was opened, from now on.
    pub(crate) fn playback(&self, cursor: Box<dyn Cursor>) -> Playback {
        Playback::new(cursor, self.uptime.now(), self.viewing.get().wait)
    }
}
