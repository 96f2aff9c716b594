//! What an observer has seen.

use headwater_rtmp::Error;
use headwater_rtmp::capture::Side;
use headwater_rtmp::chunk::RawMessage;
use headwater_rtmp::handshake::{BLOCK_BYTES, Schema};
use headwater_rtmp::message::Message;
use headwater_rtmp::rule::Deviation;

use crate::step::Step;
use crate::tag::Tag;

/// Something that one side has sent, in full.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// Who sent it.
    pub side: Side,
    /// When its last byte came, in nanoseconds since the conversation's first byte.
    pub at_ns: u64,
    /// What it is.
    pub kind: EventKind,
    /// The step that it completes for the first time.
    pub step: Option<Step>,
    /// The rules that are broken by it, or whose breach shows with it.
    pub deviations: Vec<Deviation>,
}

/// What has been sent.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum EventKind {
    /// A part of the handshake.
    Handshake(Handshake),
    /// A message.
    Message(Box<DecodedMessage>),
    /// The side cannot be followed any more: from here on its bytes are counted only.
    Lost(Lost),
    /// The side has ended its half of the connection.
    Ended {
        /// Bytes of a message that had begun and did not come to its end.
        unfinished: usize,
    },
}

/// A message and its meaning.
#[derive(Clone, Debug, PartialEq)]
pub struct DecodedMessage {
    /// As it travelled.
    pub raw: RawMessage,
    /// What it means; [`Message::Ignored`] also for a command that cannot be read.
    pub message: Message,
    /// The head of an audio or video message.
    pub tag: Option<Tag>,
    /// For a result: the command that it answers.
    pub answers: Option<Answered>,
}

/// A command that has its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answered {
    /// The command's name, as the peer wrote it.
    pub name: String,
    /// How long it has waited, in nanoseconds.
    pub after_ns: u64,
}

/// A part of the handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Handshake {
    /// C0 and C1.
    C0C1 {
        /// C0.
        version: u8,
        /// The epoch of C1, in milliseconds.
        time_ms: u32,
        /// Bytes 4 to 7: zero, or the version of a client that speaks with digests.
        peer: [u8; 4],
        /// Where its digest is, if there is a right one.
        digest: Option<Schema>,
    },
    /// S0 and S1.
    S0S1 {
        /// S0.
        version: u8,
        /// The epoch of S1, in milliseconds.
        time_ms: u32,
        /// Bytes 4 to 7.
        peer: [u8; 4],
        /// Where its digest is, if there is a right one.
        digest: Option<Schema>,
    },
    /// S2.
    S2(Echo),
    /// C2.
    C2(Echo),
}

impl Handshake {
    /// How many bytes it takes.
    #[must_use]
    pub const fn bytes(self) -> u64 {
        match self {
            Self::C0C1 { .. } | Self::S0S1 { .. } => 1 + BLOCK_BYTES as u64,
            Self::S2(_) | Self::C2(_) => BLOCK_BYTES as u64,
        }
    }
}

/// What a C2 or S2 is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Echo {
    /// The other side's block.
    Copy,
    /// Noise with a signature of the other side's digest.
    Signed,
    /// Neither.
    Other {
        /// Bytes that are not as in the other side's block, of 1532.
        differing: usize,
    },
}

/// Why a side cannot be followed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Lost {
    /// RTMPE: encrypted behind the handshake. Its version byte.
    #[error("RTMPE (version {0}): encrypted, cannot be read")]
    Rtmpe(u8),
    /// TLS.
    #[error("TLS: encrypted, cannot be read; trace rtmps:// as its client, or where TLS ends")]
    Tls,
    /// HTTP, perhaps RTMP tunnelled in it.
    #[error("HTTP, not RTMP")]
    Http,
    /// Anything else. Its first byte.
    #[error("not RTMP: the first byte is 0x{0:02x}, not 3")]
    NotRtmp(u8),
    /// The chunks make no sense any more.
    #[error("{0}")]
    Chunks(Error),
}
