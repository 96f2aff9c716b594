//! What stands around a message's body on the wire: an RTMP message's chunk headers, or an FLV tag's head and tail, bare,
//! in a chunk of an HTTP response or in a WebSocket message.

use std::io::Write;

use headwater_media::MediaKind;
use headwater_media::flv::{
    FILE_HEADER_LEN, TAG_HEAD_LEN, TagKind, file_header, previous_tag_size, tag_head,
};
use headwater_rtmp::chunk::{
    ChunkStreamId, Head, MessageStreamId, continuation_head, extended, message_head,
};
use tungstenite::protocol::frame::FrameHeader;
use tungstenite::protocol::frame::coding::{Data, OpCode};

/// Bytes behind a tag's body.
const PREVIOUS_TAG_SIZE_LEN: usize = 4;

/// How messages are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// RTMP messages on one message stream, in chunks of this size.
    Rtmp {
        stream: MessageStreamId,
        chunk_size: usize,
    },
    Flv(Envelope),
}

/// What each FLV tag, and the head of the file, is put into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Envelope {
    /// Nothing: an HTTP response that ends with its connection.
    Bare,
    /// A chunk of an HTTP/1.1 response (RFC 9112, 7.1).
    HttpChunk,
    /// A WebSocket message in one frame (RFC 6455, 5.2).
    WebSocketMessage,
}

/// A message whose body may follow.
pub(super) struct Opened {
    /// Where its time stands.
    pub(super) time_at: usize,
    /// So much of its body goes in one piece.
    pub(super) piece_max: usize,
    /// What begins each further piece.
    pub(super) continuation: Option<Head>,
}

impl Format {
    /// Whether a stream begins with the head of a file, which says what there is in it.
    pub(super) const fn has_file_header(self) -> bool {
        matches!(self, Self::Flv(_))
    }

    /// Appends the head of the file.
    pub(super) fn put_file_header(self, has_audio: bool, has_video: bool, out: &mut Vec<u8>) {
        if let Self::Flv(envelope) = self {
            envelope.open(FILE_HEADER_LEN, out);
            out.extend_from_slice(&file_header(has_audio, has_video));
            envelope.close(out);
        }
    }

    /// Appends what stands before a body of `length` bytes.
    pub(super) fn open(self, kind: MediaKind, time: u32, length: usize, out: &mut Vec<u8>) -> Opened {
        match self {
            Self::Rtmp { stream, chunk_size } => {
                let id = chunk_stream(kind);
                let wire_length = u32::try_from(length).unwrap_or(u32::MAX);
                // The time stands behind the basic header, which has one byte for our chunk streams.
                let time_at = out.len() + 1;
                let head = message_head(id, time, wire_length, TagKind::from(kind) as u8, stream);
                out.extend_from_slice(head.as_ref());
                let continuation = continuation_head(id, extended(time));
                Opened { time_at, piece_max: chunk_size, continuation: Some(continuation) }
            }
            Self::Flv(envelope) => {
                envelope.open(TAG_HEAD_LEN + length + PREVIOUS_TAG_SIZE_LEN, out);
                // Kind and length stand before the time.
                let time_at = out.len() + 4;
                out.extend_from_slice(&tag_head(kind.into(), length, time));
                Opened { time_at, piece_max: usize::MAX, continuation: None }
            }
        }
    }

    /// Appends what stands behind a body of `length` bytes.
    pub(super) fn close(self, length: usize, out: &mut Vec<u8>) {
        if let Self::Flv(envelope) = self {
            out.extend_from_slice(&previous_tag_size(length));
            envelope.close(out);
        }
    }

    /// Whether a message with this time has it at a fixed place, and nowhere else.
    pub(super) const fn can_stamp(self, time: u32) -> bool {
        match self {
            Self::Rtmp { .. } => extended(time).is_none(),
            Self::Flv(_) => true,
        }
    }

    /// Writes another time where one stands, at the beginning of `at`.
    pub(super) fn stamp(self, time: u32, at: &mut [u8]) {
        let [high, middle, low, lowest] = time.to_be_bytes();
        match self {
            Self::Rtmp { .. } => at[..3].copy_from_slice(&[middle, low, lowest]),
            Self::Flv(_) => at[..4].copy_from_slice(&[middle, low, lowest, high]),
        }
    }
}

impl Envelope {
    fn open(self, length: usize, out: &mut Vec<u8>) {
        // Writing to memory does not fail.
        match self {
            Self::Bare => {}
            Self::HttpChunk => drop(write!(out, "{length:x}\r\n")),
            Self::WebSocketMessage => {
                let opcode = OpCode::Data(Data::Binary);
                drop(FrameHeader { opcode, ..FrameHeader::default() }.format(length as u64, out));
            }
        }
    }

    fn close(self, out: &mut Vec<u8>) {
        if self == Self::HttpChunk {
            out.extend_from_slice(b"\r\n");
        }
    }
}

/// Media has chunk streams of its own, which the session never uses: so the two never mix state.
const fn chunk_stream(kind: MediaKind) -> ChunkStreamId {
    match kind {
        MediaKind::Video => ChunkStreamId::VIDEO,
        MediaKind::Audio => ChunkStreamId::AUDIO,
        MediaKind::Data => ChunkStreamId::DATA,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_envelope_holds_one_tag_of_any_length() {
        for (length, head) in [
            (5, &[0x82, 20][..]),
            (300, &[0x82, 126, 1, 59]),
            (70_000, &[0x82, 127, 0, 0, 0, 0, 0, 1, 17, 127]),
        ] {
            let mut out = Vec::new();
            let format = Format::Flv(Envelope::WebSocketMessage);
            let opened = format.open(MediaKind::Video, 0x0102_0304, length, &mut out);
            assert_eq!((&out[..head.len()], out.len()), (head, head.len() + TAG_HEAD_LEN));
            assert_eq!(out[opened.time_at..opened.time_at + 4], [2, 3, 4, 1]);
            format.stamp(0x0A0B_0C0D, &mut out[opened.time_at..]);
            assert_eq!(out[head.len()..], tag_head(TagKind::Video, length, 0x0A0B_0C0D));
        }
        let mut out = Vec::new();
        let format = Format::Flv(Envelope::HttpChunk);
        format.put_file_header(true, false, &mut out);
        format.open(MediaKind::Audio, 7, 1, &mut out);
        out.push(b'!');
        format.close(1, &mut out);
        let tag = [&tag_head(TagKind::Audio, 1, 7)[..], b"!", &previous_tag_size(1)].concat();
        assert_eq!(out, [b"d\r\n", &file_header(true, false)[..], b"\r\n10\r\n", &tag, b"\r\n"].concat());
    }
}
