//! `play`: a client wants to receive a stream (RTMP 1.0 §7.2.2.1).

use headwater_media::amf::Value;

use super::message::Command;
use super::status::code;
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
    /// Whether all script data is wanted at once, before the frames (`reset` 2 and 3).
    pub data_at_once: bool,
}

/// A client that plays wants another stream in place of the one it has, or behind it (`play2`, Flash 10's
/// `NetStreamPlayOptions`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Play2Request {
    /// What it wants to see, and which part of it.
    pub play: PlayRequest,
    /// How to come there.
    pub transition: Transition,
    /// The stream that is to be replaced; empty means the one that plays.
    pub old_name: String,
    /// Where to switch or to go on, in milliseconds of the stream; `None`: as soon as possible.
    pub offset_ms: Option<u64>,
}

/// How one stream follows another (`NetStreamPlayTransitions`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Transition {
    /// Another rate of the same film, from its next key frame on: time goes on.
    #[default]
    Switch,
    /// Another film in the place of `old_name` in the playlist.
    Swap,
    /// Behind what plays.
    Append,
    /// Behind what plays, and nothing begins by itself.
    AppendAndWait,
    /// At once; what played and the playlist are over.
    Reset,
    /// On a new connection, where the old one broke off.
    Resume,
    /// Nothing more of the playlist.
    Stop,
}

impl Transition {
    const ALL: [(Self, &str); 7] = [
        (Self::Switch, "switch"),
        (Self::Swap, "swap"),
        (Self::Append, "append"),
        (Self::AppendAndWait, "appendAndWait"),
        (Self::Reset, "reset"),
        (Self::Resume, "resume"),
        (Self::Stop, "stop"),
    ];

    /// The word on the wire.
    #[must_use]
    pub fn word(self) -> &'static str {
        Self::ALL.iter().find(|(transition, _)| *transition == self).map_or("switch", |(_, word)| word)
    }

    /// What is no known word means the default.
    fn read(word: &str) -> Self {
        Self::ALL
            .iter()
            .find(|(_, known)| *known == word)
            .map_or_else(Self::default, |(transition, _)| *transition)
    }
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
            reset: is_reset(command.argument(3)),
            data_at_once: command.argument(3).as_number().is_some_and(|reset| reset >= 2.0),
        }
    }
}

/// 0 and 2 keep what plays, 1 and 3 end it, as true does.
fn is_reset(value: &Value) -> bool {
    match value.as_number() {
        Some(reset) => reset != 0.0 && reset != 2.0,
        None => value.as_bool().unwrap_or(true),
    }
}

impl Play2Request {
    /// The argument of `play2` is one object.
    pub(crate) fn read(stream: MessageStreamId, path: StreamPath, command: &Command) -> Self {
        let options = command.argument(0).as_object();
        let option = |key| options.and_then(|options| options.get(key)).unwrap_or(&Value::Undefined);
        let text =
            |key| option(key).as_text().map(|text| text.to_str_lossy().into_owned()).unwrap_or_default();
        let transition = Transition::read(&text("transition"));
        let positive = |number: &f64| *number >= 0.0;
        let duration = option("len").as_number().filter(positive);
        // `offset` counts seconds, unlike everything else on the wire.
        let offset = option("offset").as_number().filter(positive);
        let play = PlayRequest {
            stream,
            path,
            start: PlayStart::read(option("start")),
            duration_ms: duration.map(|duration| duration as u64),
            reset: transition == Transition::Reset,
            data_at_once: false,
        };
        let offset_ms = offset.map(|offset| (offset * 1000.0) as u64);
        Self { play, transition, old_name: text("oldStreamName"), offset_ms }
    }

    /// Where nothing plays yet there is nothing to come from: it begins, where it is to go on if it says so.
    pub(crate) fn into_beginning(self) -> PlayRequest {
        let start = self.offset_ms.map_or(self.play.start, |ms| PlayStart::Recorded { ms });
        PlayRequest { start, reset: true, ..self.play }
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
    /// The `code` of the status that says it.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::StreamNotFound => code::PLAY_STREAM_NOT_FOUND,
            Self::FileStructureInvalid => code::PLAY_FILE_STRUCTURE_INVALID,
            Self::Failed => code::PLAY_FAILED,
        }
    }
}
