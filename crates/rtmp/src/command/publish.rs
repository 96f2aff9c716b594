//! `publish`: a client wants to send a stream (RTMP 1.0 §7.2.2.6).

use super::message::Command;
use super::status::code;
use crate::chunk::MessageStreamId;
use crate::url::StreamPath;

/// What a publisher wants done with its stream besides passing it on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PublishKind {
    /// Nothing.
    Live,
    /// A recording, in place of an older one.
    Record,
    /// A recording that continues an older one.
    Append,
}

impl PublishKind {
    /// Anything unknown is live; some encoders write capitals.
    pub(crate) fn read(command: &Command) -> Self {
        match command.text(1).unwrap_or_default().to_ascii_lowercase().as_str() {
            "record" => Self::Record,
            "append" | "appendwithgap" => Self::Append,
            _ => Self::Live,
        }
    }

    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Record => "record",
            Self::Append => "append",
        }
    }
}

/// A client wants to publish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublishRequest {
    /// The `NetStream` that will carry it.
    pub stream: MessageStreamId,
    /// What it is to be called. The name may be empty (GoPro, quirk 35).
    pub path: StreamPath,
    /// What else is wanted.
    pub kind: PublishKind,
}

/// Why a publisher is turned away. librtmp and OBS take all of these as final.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PublishRejection {
    /// The name is taken or no name.
    BadName,
    /// The publisher may not.
    Denied,
    /// By policy: too many streams, for instance.
    Rejected,
    /// Anything else.
    Failed,
}

impl PublishRejection {
    pub(crate) const fn code(self) -> &'static str {
        match self {
            Self::BadName => code::PUBLISH_BAD_NAME,
            Self::Denied => code::PUBLISH_DENIED,
            Self::Rejected => code::PUBLISH_REJECTED,
            Self::Failed => code::FAILED,
        }
    }
}
