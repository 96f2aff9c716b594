//! What a client wants or does, as the server's caller hears it; and how a server speaks. No behaviour.

use bytes::Bytes;
use headwater_media::MediaKind;

use crate::chunk::MessageStreamId;
use crate::command::{Capabilities, ConnectRequest, Play2Request, PlayRequest, PublishRequest};
use crate::message::DataScope;
use crate::session::limits::Limits;
use crate::url::{PathFault, StreamPath};

/// How a server speaks.
#[derive(Clone, Debug, PartialEq)]
pub struct ServerConfig {
    /// Our chunks' size, 1..=0xFFFFFF. Up to 65,536 is understood everywhere.
    pub chunk_size: u32,
    /// The window that we announce, in bytes. FFmpeg leaves at 0 or beyond 0x7FFFFFFF.
    pub window_ack_size: u32,
    /// `fmsVer`: clients look for features behind it.
    pub server_version: String,
    /// What we say that we take from publishers and pass on (Enhanced RTMP). The default says nothing:
    /// who uses the session knows whether it does.
    pub capabilities: Capabilities,
    /// What a peer may ask of us.
    pub limits: Limits,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            chunk_size: 60_000,
            window_ack_size: 2_500_000,
            server_version: "FMS/3,5,3,888".to_owned(),
            capabilities: Capabilities::default(),
            limits: Limits::default(),
        }
    }
}

/// What a client wants or does.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum ServerEvent {
    /// The client wants in: [`super::ServerSession::accept_connect`] or [`super::ServerSession::reject_connect`].
    Connect(ConnectRequest),
    /// The client wants to publish: [`super::ServerSession::accept_publish`] or
    /// [`super::ServerSession::reject_publish`].
    Publish(PublishRequest),
    /// The client wants to play: [`super::ServerSession::accept_play`] or [`super::ServerSession::reject_play`].
    Play(PlayRequest),
    /// A player wants more behind what it plays (`play` without `reset`). No answer: when its turn comes,
    /// [`super::ServerSession::play_next`].
    PlayLater(PlayRequest),
    /// A player wants something else in place of what it plays, or behind it:
    /// [`super::ServerSession::accept_transition`], and [`super::ServerSession::play_next`] when it comes to that.
    /// Where nothing plays, a `play2` comes as [`Self::Play`].
    Play2(Play2Request),
    /// The session has turned a `publish` or `play` down by itself, because of its name.
    Refused {
        /// The stream.
        stream: MessageStreamId,
        /// What is wrong with the name.
        fault: PathFault,
    },
    /// The client wants to know how long a stream is: [`super::ServerSession::answer_stream_length`], now or
    /// later.
    StreamLength(StreamLengthRequest),
    /// Audio or video of a publisher.
    Media {
        /// The stream that was accepted.
        stream: MessageStreamId,
        /// Audio or video, never data.
        kind: MediaKind,
        /// Milliseconds, wrapping.
        timestamp: u32,
        /// The FLV tag's body; may be empty.
        body: Bytes,
    },
    /// Script data of a publisher.
    Data {
        /// The stream that was accepted.
        stream: MessageStreamId,
        /// Milliseconds, wrapping.
        timestamp: u32,
        /// Whether it passes, is kept or clears what was kept.
        scope: DataScope,
        /// The handler's name and the values, AMF0.
        payload: Bytes,
    },
    /// A player pauses or goes on: [`super::ServerSession::confirm_pause`].
    Pause {
        /// The stream that plays.
        stream: MessageStreamId,
        /// Pause, or go on.
        pause: bool,
        /// Where the player stands, in milliseconds.
        position_ms: u64,
    },
    /// A player seeks: [`super::ServerSession::confirm_seek`] or [`super::ServerSession::reject_seek`].
    Seek {
        /// The stream that plays.
        stream: MessageStreamId,
        /// Where to, in milliseconds.
        position_ms: u64,
    },
    /// A player wants (no) audio or video; no answer. Video comes back with a key frame.
    Receive {
        /// The stream that plays.
        stream: MessageStreamId,
        /// Audio or video.
        kind: MediaKind,
        /// Whether it is wanted.
        on: bool,
    },
    /// How much a player holds in its buffer; may come before its `play`.
    BufferLength {
        /// The stream; 0 = all of the connection.
        stream: MessageStreamId,
        /// Milliseconds.
        ms: u32,
    },
    /// A publisher or player has stopped; the connection lives on. No answer.
    Stopped {
        /// The stream.
        stream: MessageStreamId,
        /// What it did.
        role: Role,
    },
    /// The answer to [`super::ServerSession::ping`]. OBS never answers.
    Pong {
        /// The time that was sent.
        sent_ms: u32,
    },
}

/// What a `NetStream` is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The client sends.
    Publisher,
    /// The client receives.
    Player,
}

/// A client asks for the length of a stream before it plays it.
#[derive(Clone, Debug, PartialEq)]
pub struct StreamLengthRequest {
    /// The stream.
    pub path: StreamPath,
    pub(super) transaction: f64,
}

/// Why one stream follows another on a `NetStream`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Following {
    /// The one before is over: `NetStream.Play.Switch`.
    Playlist,
    /// A `play2` has come to its end: `NetStream.Play.TransitionComplete`.
    Transition,
}

/// Why a player cannot go where it wants to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SeekRejection {
    /// The stream cannot be sought in.
    Failed,
    /// There is no such place in it.
    InvalidTime,
}
