//! What is to be played later on a stream that plays.

use headwater_hub::Cursor;
use headwater_media::Timestamp;
use headwater_rtmp::command::{PlayRequest, PlayStart};
use headwater_rtmp::session::Following;
use headwater_rtmp::url::StreamPath;

use crate::sources::From;

/// What is to be played when its turn comes.
#[derive(Debug)]
pub(super) struct Queued {
    pub(super) path: StreamPath,
    pub(super) from: From,
    pub(super) duration_ms: Option<u64>,
    pub(super) data_first: bool,
    pub(super) following: Following,
    /// Another rate of the same film: opened already, at the place where it takes over.
    pub(super) opened: Option<(String, Box<dyn Cursor>)>,
}

impl Queued {
    pub(super) fn new(request: &PlayRequest) -> Self {
        let (path, duration_ms) = (request.path.clone(), request.duration_ms);
        // What is appended is a film from its beginning on unless it says otherwise.
        Self {
            path,
            from: from(request.start),
            duration_ms,
            data_first: request.data_at_once,
            following: Following::Playlist,
            opened: None,
        }
    }
}

/// Where a client wants to begin.
pub(super) fn from(start: PlayStart) -> From {
    match start {
        PlayStart::LiveOrRecorded => From::Any,
        PlayStart::Live => From::Live,
        PlayStart::Recorded { ms } => From::At(player_time(ms)),
    }
}

/// A time that a player names, in milliseconds.
pub(super) fn player_time(ms: u64) -> Timestamp {
    Timestamp::from_ms(i64::try_from(ms).unwrap_or(i64::MAX))
}
