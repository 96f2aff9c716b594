//! `play`: a client wants to receive a stream (RTMP 1.0 §7.2.2.1).

use headwater_media::amf::Value;

use super::{Command, code};
use crate::chunk::MessageStreamId;
use crate::url::StreamPath;

/// Where a player wants to begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlayStart {
    /// The live stream of that name, else the recorded one, else wait for a live one (-2, the default).
    LiveOrRecorded,
    /// The live stream only (-1).
    Live,
    /// The recorded stream, from this many milliseconds.
    Recorded {
        /// Milliseconds from the beginning.
        ms: u64,
    },
}

impl PlayStart {
    /// The specification counts seconds, but the field sends milliseconds, -2000 and -1000 included
    /// (FFmpeg, librtmp); GStreamer sends -2.
    pub(crate) fn read(value: &Value) -> Self {
        match value.as_number() {
            None => Self::LiveOrRecorded,
            Some(start) if start >= 0.0 => Self::Recorded { ms: start as u64 },
            Some(start) if start == -1.0 || start == -1000.0 => Self::Live,
            Some(_) => Self::LiveOrRecorded,
        }
    }

    /// As FFmpeg sends it.
    pub(crate) fn number(self) -> f64 {
        match self {
            Self::LiveOrRecorded => -2000.0,
            Self::Live => -1000.0,
            Self::Recorded { ms } => ms as f64,
        }
    }
}

/// A client wants to play.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlayRequest {
    /// The `NetStream` that is to carry it.
    pub stream: MessageStreamId,
    /// What it wants to see.
    pub path: StreamPath,
    /// Where it wants to begin.
    pub start: PlayStart,
    /// How much of it, in milliseconds; `None` = to the end.
    pub duration_ms: Option<u64>,
    /// Whether what played before ends at once (else it is played to its end first).
    pub reset: bool,
}

impl PlayRequest {
    /// The arguments of `play` after the name.
    pub(crate) fn read(stream: MessageStreamId, path: StreamPath, command: &Command) -> Self {
        let duration = command.argument(2).as_number();
        Self {
            stream,
            path,
            start: PlayStart::read(command.argument(1)),
            duration_ms: duration.filter(|duration| *duration >= 0.0).map(|duration| duration as u64),
            reset: command.argument(3).as_bool().unwrap_or(true),
        }
    }

    /// The arguments of `play2`: one object (Flash's switch of bit rates).
    pub(crate) fn read_switch(stream: MessageStreamId, path: StreamPath, command: &Command) -> Self {
        let options = command.argument(0).as_object();
        let option = |key| options.and_then(|options| options.get(key)).unwrap_or(&Value::Undefined);
        let duration = option("len").as_number();
        Self {
            stream,
            path,
            start: PlayStart::read(option("start")),
            duration_ms: duration.filter(|duration| *duration >= 0.0).map(|duration| duration as u64),
            reset: option("transition").as_text().is_some_and(|transition| *transition == *"reset"),
        }
    }
}

/// Why a player is turned away. FFmpeg, VLC and librtmp take all of these as final.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PlayRejection {
    /// There is no such stream.
    StreamNotFound,
    /// The file is broken.
    FileStructureInvalid,
    /// Not allowed, or anything else.
    Failed,
}

impl PlayRejection {
    pub(crate) const fn code(self) -> &'static str {
        match self {
            Self::StreamNotFound => code::PLAY_STREAM_NOT_FOUND,
            Self::FileStructureInvalid => code::PLAY_FILE_STRUCTURE_INVALID,
            Self::Failed => code::PLAY_FAILED,
        }
    }
}
