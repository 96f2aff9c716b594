//! What a server says or sends, as the client's caller hears it; and how a client speaks. No behaviour.

use bytes::Bytes;
use headwater_media::MediaKind;
use headwater_media::amf::Object;

use crate::Fault;
use crate::chunk::MessageStreamId;
use crate::command::{Capabilities, PlayStart, Status, Transition};
use crate::message::{DataScope, UserControl};
use crate::session::deadlines::Timeouts;
use crate::session::limits::Limits;
use crate::url::RtmpUrl;

/// How a client speaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientConfig {
    /// Our chunks' size, 1..=0xFFFFFF. Up to 65,536 is understood everywhere; announced before `connect`,
    /// as OBS does it.
    pub chunk_size: u32,
    /// The window that we announce, in bytes.
    pub window_ack_size: u32,
    /// `flashVer`: some servers let only known makes in. The default is FFmpeg's form.
    pub flash_ver: String,
    /// Whether C1 carries a digest. Flash Media Server wants it; the rest does not mind.
    pub offer_digest: bool,
    /// What we say that we take beyond RTMP 1.0 (Enhanced RTMP). The default says nothing: then servers
    /// send one track of each kind.
    pub capabilities: Capabilities,
    /// What a peer may ask of us.
    pub limits: Limits,
    /// How long a peer is waited for.
    pub timeouts: Timeouts,
}

impl Default for ClientConfig {
    fn default() -> Self {
        Self {
            chunk_size: 60_000,
            window_ack_size: 2_500_000,
            flash_ver: "FMLE/3.0 (compatible; Headwater)".to_owned(),
            offer_digest: true,
            capabilities: Capabilities::default(),
            limits: Limits::default(),
            timeouts: Timeouts::default(),
        }
    }
}

/// What a server says or sends.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum ClientEvent {
    /// We are let in: [`super::ClientSession::publish`] or [`super::ClientSession::play`].
    Connected {
        /// What the server says of itself: `fmsVer`, `capabilities`, Enhanced RTMP's maps.
        properties: Object,
        /// `code`, `objectEncoding` and what the server adds.
        information: Object,
    },
    /// The stream for a [`super::ClientSession::publish`] or [`super::ClientSession::play`] is there; its verdict
    /// follows.
    StreamCreated {
        /// The stream.
        stream: MessageStreamId,
    },
    /// Now [`super::ClientSession::send_media`].
    PublishStarted {
        /// The stream.
        stream: MessageStreamId,
    },
    /// Media follows, as soon as there is any.
    PlayStarted {
        /// The stream.
        stream: MessageStreamId,
    },
    /// A server's verdict against us. On stream 0 the connection is lost, else only that stream.
    Rejected {
        /// The stream; 0 = the connection.
        stream: MessageStreamId,
        /// `code` for programs, `description` for people.
        status: Status,
    },
    /// The server asks for the login that our URL carries, and has turned this connection away: close it,
    /// and open a new one with a new session to `url`, which now holds the answer ([`crate::login`]).
    /// Twice in a row is as it should be.
    LoginAsked {
        /// Where to: the same address and stream.
        url: RtmpUrl,
    },
    /// The server asks us to come again, because it is about to go (Enhanced RTMP v2, "Reconnect
    /// Request"): dial `url`, go on there from a key frame, then leave here. Media goes on meanwhile.
    ReconnectRequested {
        /// Where to: here again, if the server does not say or says what is no address.
        url: RtmpUrl,
        /// Why.
        status: Status,
    },
    /// Any other status, among them warnings, `NetStream.Pause.Notify` and, from `onPlayStatus`,
    /// `NetStream.Play.Switch`.
    Status {
        /// The stream; 0 = the connection.
        stream: MessageStreamId,
        /// What happened.
        status: Status,
    },
    /// Audio or video.
    Media {
        /// The stream that plays.
        stream: MessageStreamId,
        /// Audio or video, never data.
        kind: MediaKind,
        /// Milliseconds, wrapping.
        timestamp: u32,
        /// The FLV tag's body; may be empty.
        body: Bytes,
    },
    /// Script data, `onMetaData` and `|RtmpSampleAccess` included.
    Data {
        /// The stream that plays.
        stream: MessageStreamId,
        /// Milliseconds, wrapping.
        timestamp: u32,
        /// Whether it passes or is kept; servers as a rule send [`DataScope::Passing`].
        scope: DataScope,
        /// The handler's name and the values, AMF0.
        payload: Bytes,
    },
    /// A message, or a part of one, that cannot be read came in the middle of a stream. It is left out; the
    /// stream goes on.
    LeftOut {
        /// Bytes that the server had sent before it.
        at: u64,
        /// What is wrong with it.
        fault: Fault,
    },
    /// A user control event about a stream: begin, end, dry, recorded.
    UserControl(UserControl),
    /// The answer to [`super::ClientSession::request_stream_length`].
    StreamLength {
        /// Seconds; `None`: live, or not told.
        seconds: Option<f64>,
    },
    /// The stream has ended: all was played, or the publisher has gone.
    EndOfStream {
        /// The stream that played.
        stream: MessageStreamId,
        /// The server's words; the code says which of the two.
        status: Status,
    },
    /// The server asks to close the connection.
    Closed,
}

/// What is to be played, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlayOptions {
    /// Where to begin.
    pub start: PlayStart,
    /// How much, in milliseconds; `None` = to the end.
    pub duration_ms: Option<u64>,
    /// Whether what played before on the stream ends at once.
    pub reset: bool,
    /// The buffer that we announce: recorded streams come this much ahead of their time.
    pub buffer_ms: u32,
}

/// How one stream is to follow another ([`super::ClientSession::play2`]).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Play2Options {
    /// In which way.
    pub transition: Transition,
    /// The stream that is to be replaced; empty means the one that plays.
    pub old_name: String,
    /// Where to begin with it.
    pub start: PlayStart,
    /// How much, in milliseconds; `None` = to the end.
    pub duration_ms: Option<u64>,
    /// Where to switch or to go on, in milliseconds of the stream.
    pub offset_ms: Option<u64>,
}

impl Default for Play2Options {
    fn default() -> Self {
        Self {
            transition: Transition::default(),
            old_name: String::new(),
            start: PlayStart::LiveOrRecorded,
            duration_ms: None,
            offset_ms: None,
        }
    }
}

impl Default for PlayOptions {
    fn default() -> Self {
        Self { start: PlayStart::LiveOrRecorded, duration_ms: None, reset: true, buffer_ms: 3000 }
    }
}
