//! What a peer may ask of a session, and what of it holds at which stage.

use crate::chunk::{DecoderLimits, MESSAGE_BYTES_MAX};

/// What a peer may ask of a session. Passing one is [`crate::Error::Limit`] with the field's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Length of a message before `connect` was accepted. A `connect` takes less than 4 KiB.
    pub message_bytes_before_connect: u32,
    /// Length of a message afterwards, at most 16,777,215. A key frame of 4K video takes 2 MB.
    pub message_bytes: u32,
    /// Received bytes of all unfinished messages of a connection together.
    pub partial_bytes: usize,
    /// The same for a client that has not yet published: only publishers send much, and everybody else
    /// would fill the memory at no cost.
    pub partial_bytes_before_publish: usize,
    /// Chunk streams with unfinished messages that a peer may have at one time; idle ones beyond it are
    /// forgotten. Real peers use a handful.
    pub chunk_streams: usize,
    /// `NetStream`s that a peer may have at one time.
    pub message_streams: usize,
    /// Media for streams that nobody publishes, in bytes over the life of the connection.
    pub stray_media_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            message_bytes_before_connect: 64 << 10,
            message_bytes: MESSAGE_BYTES_MAX,
            partial_bytes: 32 << 20,
            partial_bytes_before_publish: 256 << 10,
            chunk_streams: 128,
            message_streams: 16,
            stray_media_bytes: 1 << 20,
        }
    }
}

impl Limits {
    pub(super) fn before_connect(&self) -> DecoderLimits {
        DecoderLimits { message_bytes: self.message_bytes_before_connect, ..self.before_publish() }
    }

    pub(super) fn before_publish(&self) -> DecoderLimits {
        let partial_bytes = self.partial_bytes.min(self.partial_bytes_before_publish);
        DecoderLimits { partial_bytes, ..self.after_connect() }
    }

    pub(super) fn after_connect(&self) -> DecoderLimits {
        DecoderLimits {
            message_bytes: self.message_bytes,
            partial_bytes: self.partial_bytes,
            chunk_streams: self.chunk_streams,
        }
    }
}
