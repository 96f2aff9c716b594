//! `onStatus` and the information objects of `_result` and `_error`: a level, a code, a description.

use std::borrow::Cow;

use headwater_media::amf::{Object, Value};

use super::message::{Command, text_of};

/// The codes that we send, and those that a client acts upon.
pub mod code {
    /// The client is let in.
    pub const CONNECT_SUCCESS: &str = "NetConnection.Connect.Success";
    /// The client is turned away, by policy or for a login.
    pub const CONNECT_REJECTED: &str = "NetConnection.Connect.Rejected";
    /// There is no such application.
    pub const CONNECT_INVALID_APP: &str = "NetConnection.Connect.InvalidApp";
    /// The client is turned away, by the server's fault.
    pub const CONNECT_FAILED: &str = "NetConnection.Connect.Failed";
    /// The application or the server goes down.
    pub const CONNECT_APP_SHUTDOWN: &str = "NetConnection.Connect.AppShutdown";
    /// The connection is closed in good order.
    pub const CONNECT_CLOSED: &str = "NetConnection.Connect.Closed";
    /// The client is to come again (Enhanced RTMP v2).
    pub const CONNECT_RECONNECT_REQUEST: &str = "NetConnection.Connect.ReconnectRequest";
    /// There is no such procedure.
    pub const CALL_FAILED: &str = "NetConnection.Call.Failed";
    /// The publisher may send.
    pub const PUBLISH_START: &str = "NetStream.Publish.Start";
    /// The name is taken, or no name.
    pub const PUBLISH_BAD_NAME: &str = "NetStream.Publish.BadName";
    /// The publisher may not.
    pub const PUBLISH_DENIED: &str = "NetStream.Publish.Denied";
    /// The publisher is turned away by policy.
    pub const PUBLISH_REJECTED: &str = "NetStream.Publish.Rejected";
    /// The publisher has stopped.
    pub const UNPUBLISH_SUCCESS: &str = "NetStream.Unpublish.Success";
    /// A recording may not be written.
    pub const RECORD_NO_ACCESS: &str = "NetStream.Record.NoAccess";
    /// What was played before on this stream is over.
    pub const PLAY_RESET: &str = "NetStream.Play.Reset";
    /// Media follows.
    pub const PLAY_START: &str = "NetStream.Play.Start";
    /// No more media follows.
    pub const PLAY_STOP: &str = "NetStream.Play.Stop";
    /// All was sent; in an `onPlayStatus`.
    pub const PLAY_COMPLETE: &str = "NetStream.Play.Complete";
    /// The playlist has come to its next stream; in an `onPlayStatus`.
    pub const PLAY_SWITCH: &str = "NetStream.Play.Switch";
    /// A `play2` will be followed.
    pub const PLAY_TRANSITION: &str = "NetStream.Play.Transition";
    /// A `play2` has been followed; in an `onPlayStatus`.
    pub const PLAY_TRANSITION_COMPLETE: &str = "NetStream.Play.TransitionComplete";
    /// It cannot be played.
    pub const PLAY_FAILED: &str = "NetStream.Play.Failed";
    /// There is no such stream.
    pub const PLAY_STREAM_NOT_FOUND: &str = "NetStream.Play.StreamNotFound";
    /// The publisher has come.
    pub const PLAY_PUBLISH_NOTIFY: &str = "NetStream.Play.PublishNotify";
    /// The publisher has gone.
    pub const PLAY_UNPUBLISH_NOTIFY: &str = "NetStream.Play.UnpublishNotify";
    /// The file is broken.
    pub const PLAY_FILE_STRUCTURE_INVALID: &str = "NetStream.Play.FileStructureInvalid";
    /// No track of it can be played.
    pub const PLAY_NO_SUPPORTED_TRACK: &str = "NetStream.Play.NoSupportedTrackFound";
    /// Frames were left out, because the client is too slow.
    pub const PLAY_INSUFFICIENT_BW: &str = "NetStream.Play.InsufficientBW";
    /// The stream is paused.
    pub const PAUSE_NOTIFY: &str = "NetStream.Pause.Notify";
    /// The stream goes on.
    pub const UNPAUSE_NOTIFY: &str = "NetStream.Unpause.Notify";
    /// The stream goes on from another place.
    pub const SEEK_NOTIFY: &str = "NetStream.Seek.Notify";
    /// The stream cannot be sought in.
    pub const SEEK_FAILED: &str = "NetStream.Seek.Failed";
    /// There is no such place in the stream.
    pub const SEEK_INVALID_TIME: &str = "NetStream.Seek.InvalidTime";
    /// Anything else that went wrong.
    pub const FAILED: &str = "NetStream.Failed";
}

/// How serious a status is. FFmpeg ends at the first error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// As it should be.
    Status,
    /// Not as it should be, but it goes on.
    Warning,
    /// It does not go on.
    Error,
}

impl Level {
    const fn word(self) -> &'static str {
        match self {
            Self::Status => "status",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// A status: what happened, for programs (`code`) and for people (`description`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// How serious it is.
    pub level: Level,
    /// What happened; one of [`code`] as a rule.
    pub code: Cow<'static, str>,
    /// What happened, as a sentence.
    pub description: Cow<'static, str>,
    /// The stream's name, where it is about one; may be empty.
    pub details: String,
}

impl Status {
    /// All is well.
    #[must_use]
    pub fn new(code: &'static str, description: impl Into<Cow<'static, str>>) -> Self {
        Self {
            level: Level::Status,
            code: code.into(),
            description: description.into(),
            details: String::new(),
        }
    }

    /// It does not go on.
    #[must_use]
    pub fn error(code: &'static str, description: impl Into<Cow<'static, str>>) -> Self {
        Self { level: Level::Error, ..Self::new(code, description) }
    }

    /// Something is amiss, but it goes on.
    #[must_use]
    pub fn warning(code: &'static str, description: impl Into<Cow<'static, str>>) -> Self {
        Self { level: Level::Warning, ..Self::new(code, description) }
    }

    /// About this stream.
    #[must_use]
    pub fn details(mut self, name: &str) -> Self {
        self.details = name.to_owned();
        self
    }

    /// The information object.
    #[must_use]
    pub fn to_object(&self) -> Object {
        let object = Object::new()
            .with("level", self.level.word())
            .with("code", &*self.code)
            .with("description", &*self.description);
        if self.details.is_empty() { object } else { object.with("details", &*self.details) }
    }

    /// The `onStatus` command: transaction 0, as everybody but gortmplib sends it.
    #[must_use]
    pub fn to_command(&self) -> Command {
        Command::new("onStatus", 0.0).with(self.to_object())
    }

    /// Reads an information object; whatever is missing is empty.
    #[must_use]
    pub fn from_value(value: &Value) -> Self {
        let empty = Object::new();
        let object = value.as_object().unwrap_or(&empty);
        Self {
            level: match text_of(object, "level").as_str() {
                "error" => Level::Error,
                "warning" => Level::Warning,
                _ => Level::Status,
            },
            code: text_of(object, "code").into(),
            description: text_of(object, "description").into(),
            details: text_of(object, "details"),
        }
    }
}

impl Command {
    /// The answer "no such call".
    #[must_use]
    pub fn call_failed(name: &str, transaction: f64) -> Self {
        let information = Status::error(code::CALL_FAILED, format!("There is no procedure \"{name}\" here."));
        Self::new("_error", transaction).with(information.to_object())
    }
}
