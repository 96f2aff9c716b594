//! What a client wants or does, as the server's caller hears it; and how a server speaks. No behaviour.

use std::ops::{Deref, DerefMut};

use bytes::Bytes;
use headwater_media::MediaKind;

use crate::chunk::MessageStreamId;
use crate::command::{Capabilities, ConnectRequest, Play2Request, PlayRequest, PublishRequest};
use crate::message::DataScope;
use crate::session::deadlines::Timeouts;
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
    /// How long a peer is waited for.
    pub timeouts: Timeouts,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            chunk_size: 60_000,
            window_ack_size: 2_500_000,
            server_version: "FMS/3,5,3,888".to_owned(),
            capabilities: Capabilities::default(),
            limits: Limits::default(),
            timeouts: Timeouts::default(),
        }
    }
}

/// A request of a client that awaits its answer. What is asked is read through it; `accept` and `reject` consume it.
///
/// After [`ServerEvent::Connect`], [`ServerEvent::Publish`] and [`ServerEvent::Play`] nothing more is heard of the
/// client before the answer. That a request is answered twice, the compiler does not allow:
///
/// ```compile_fail,E0382
/// # use headwater_rtmp::command::PublishRequest;
/// # use headwater_rtmp::session::{Pending, ServerSession};
/// fn twice(request: Pending<PublishRequest>, session: &mut ServerSession) {
///     request.accept(session);
///     request.accept(session);
/// }
/// ```
#[derive(Debug, PartialEq)]
#[must_use = "a request must be accepted or rejected"]
pub struct Pending<R> {
    pub(super) request: R,
}

impl<R> Pending<R> {
    pub(super) const fn new(request: R) -> Self {
        Self { request }
    }
}

impl<R> Deref for Pending<R> {
    type Target = R;

    fn deref(&self) -> &R {
        &self.request
    }
}

/// Before it is answered, what it asks for may be corrected: see [`StreamPath::uncut`]. The answer names the stream
/// as the request then does.
impl<R> DerefMut for Pending<R> {
    fn deref_mut(&mut self) -> &mut R {
        &mut self.request
    }
}

/// What a client wants or does.
#[derive(Debug, PartialEq)]
#[non_exhaustive]
pub enum ServerEvent {
    /// The client wants in.
    Connect(Pending<ConnectRequest>),
    /// The client wants to publish.
    Publish(Pending<PublishRequest>),
    /// The client wants to play.
    Play(Pending<PlayRequest>),
    /// A player wants more behind what it plays (`play` without `reset`). No answer: when its turn comes,
    /// [`super::ServerSession::play_next`].
    PlayLater(PlayRequest),
    /// A player wants something else in place of what it plays, or behind it. Where nothing plays, a `play2` comes
    /// as [`Self::Play`].
    Play2(Pending<Play2Request>),
    /// The session has turned a `publish` or `play` down by itself, because of its name.
    Refused {
        /// The stream.
        stream: MessageStreamId,
        /// What is wrong with the name.
        fault: PathFault,
    },
    /// The client wants to know how long a stream is, now or later.
    StreamLength(Pending<StreamLengthRequest>),
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
    /// A player pauses or goes on.
    Pause(Pending<PauseRequest>),
    /// A player seeks.
    Seek(Pending<SeekRequest>),
    /// A player wants (no) audio or video. Video comes back with a key frame.
    Receive(Pending<ReceiveRequest>),
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

/// A player pauses or goes on (RTMP 1.0 §7.2.2.8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PauseRequest {
    /// The stream that plays.
    pub stream: MessageStreamId,
    /// Pause, or go on.
    pub pause: bool,
    /// Where the player stands, in milliseconds.
    pub position_ms: u64,
}

/// A player seeks (RTMP 1.0 §7.2.2.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SeekRequest {
    /// The stream that plays.
    pub stream: MessageStreamId,
    /// Where to, in milliseconds. Below 0 it is before the player's beginning, as what is live may have such a place.
    pub position_ms: i64,
}

/// A player wants audio or video, or wants it no more (RTMP 1.0 §7.2.2.4, §7.2.2.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReceiveRequest {
    /// The stream that plays.
    pub stream: MessageStreamId,
    /// Audio or video.
    pub kind: MediaKind,
    /// Whether it is wanted.
    pub on: bool,
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
