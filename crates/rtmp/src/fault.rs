//! What a peer did that conversations do not survive: the faults of the sessions, each against one rule.
//!
//! [`crate::rule`] is the list of all rules; an onlooker reports every one that is broken, a session ends at these
//! few. What a client in use gets away with is no fault. A client that plays outlives those of single messages:
//! [`crate::session::ClientEvent::LeftOut`].

use headwater_media::amf;

use crate::capture::Side;
use crate::chunk::MessageStreamId;
use crate::rule::Rule;

/// What the peer did. Shown, it also says what the peer should have done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// Its first byte is not RTMP's: TLS, HTTP, RTMPE or something else (RTMP 1.0 §5.2.2).
    #[error("{}", version_text(*.by, *.first))]
    Version {
        /// Who it is.
        by: Side,
        /// C0 or S0.
        first: u8,
    },
    /// A chunk stream opens with a header that inherits a length (RTMP 1.0 §5.3.1.2).
    #[error("chunk stream {chunk_stream} opens with a type {fmt} header, which inherits from nothing")]
    ChunkFromNothing {
        /// The chunk stream.
        chunk_stream: u32,
        /// The header's type, 2 or 3.
        fmt: u8,
    },
    /// Set Chunk Size with 0 (RTMP 1.0 §5.4.1).
    #[error("it sets a chunk size of 0; the least is 1")]
    ChunkSizeZero,
    /// A command is not AMF, or a bomb (RTMP 1.0 §7.1.1).
    #[error("its command cannot be read: {0}")]
    CommandBroken(amf::Error),
    /// A command does not begin with a name (RTMP 1.0 §7.1.1).
    #[error("its command has no name")]
    CommandNameless,
    /// The last tag of an aggregate is cut short (RTMP 1.0 §7.1.6). It is lost, and the conversation goes on.
    #[error("a tag of its aggregate message is cut short")]
    AggregateCut,
    /// A command before `connect` was accepted (RTMP 1.0 §7.2.1.1).
    #[error("it sends `{}` before `connect`", .command.escape_debug())]
    BeforeConnect {
        /// The command's name, shortened.
        command: String,
    },
    /// A second `connect` (RTMP 1.0 §7.2.1.1).
    #[error("it sends a second `connect`; one a connection is allowed")]
    ConnectTwice,
    /// Media before `connect` was accepted (RTMP 1.0 §7.2.2).
    #[error("it sends media before `connect`")]
    MediaBeforeConnect,
    /// `publish` or `play` on a stream that is not there (RTMP 1.0 §7.2.2).
    #[error("it sends `{command}` for message stream {stream}, which it never created")]
    StreamMissing {
        /// The command's name.
        command: String,
        /// Where it came.
        stream: MessageStreamId,
    },
    /// A result of `createStream` names no stream, the connection's own, or one that is in use (RTMP 1.0 §7.2.1.3).
    #[error("it answers `createStream` with {id}, which is no new stream")]
    NoNewStream {
        /// The number; 0 also when there is none.
        id: u32,
    },
}

impl Fault {
    /// The rule that it breaks.
    #[must_use]
    pub const fn rule(&self) -> Rule {
        match self {
            Self::Version { .. } => Rule::Version,
            Self::ChunkFromNothing { .. } | Self::ChunkSizeZero | Self::AggregateCut => Rule::Untracked,
            Self::CommandBroken(_) | Self::CommandNameless => Rule::AmfBroken,
            Self::BeforeConnect { .. } => Rule::BeforeConnect,
            Self::ConnectTwice => Rule::ConnectTwice,
            Self::MediaBeforeConnect => Rule::MediaStream,
            Self::StreamMissing { .. } => Rule::CommandStream,
            Self::NoNewStream { .. } => Rule::CreateStreamShape,
        }
    }
}

/// Who seems to be at the wrong door, and which is the right one.
fn version_text(by: Side, first: u8) -> String {
    match (by, first) {
        (Side::Client, 6 | 8 | 9) => {
            format!("the peer opens with RTMPE (version {first}); publish or play with rtmp:// or rtmps://")
        }
        (Side::Client, 0x16) => {
            "the peer opens with TLS; use rtmps:// on the TLS port, rtmp:// on this one".to_owned()
        }
        (Side::Client, b'A'..=b'Z') => {
            let letter = char::from(first);
            format!("the peer opens with `{letter}`, as HTTP does; this port speaks RTMP only")
        }
        (Side::Client, _) => format!("the peer opens with byte 0x{first:02x}, which is not RTMP"),
        (Side::Server, 6 | 8 | 9) => "the peer answers with RTMPE, which was not asked for".to_owned(),
        (Side::Server, 0x15 | 0x16) => "the peer answers with TLS; use rtmps:// for it".to_owned(),
        (Side::Server, b'H') => "the peer answers with HTTP; the address is that of a web server".to_owned(),
        (Side::Server, _) => format!("the peer answers with byte 0x{first:02x}, which is not RTMP"),
    }
}
