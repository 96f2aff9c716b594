//! What both twins share between the handshake and the commands: messages in and out, protocol control,
//! acknowledgements, pings.
//!
//! It knows no command's meaning and no stream's state.

use bytes::{Bytes, BytesMut};
use headwater_media::MediaKind;

use crate::chunk::{
    self, CHUNK_SIZE_DEFAULT, ChunkStreamId, Decoder, DecoderLimits, MESSAGE_BYTES_MAX, MessageStreamId,
    RawMessage,
};
use crate::command::{Command, Status};
use crate::message::{Aggregate, Message, SharedObject, UserControl, type_id};
use crate::{Error, Output};

/// Received bytes between two acknowledgements before a peer has said what it wants: half of this.
const ACK_WINDOW_BYTES_DEFAULT: u32 = 2_500_000;

/// Acknowledgements come no closer than this, whatever window a peer names: an answer to every byte
/// would cost more than the stream.
const ACK_STEP_BYTES_MIN: u64 = 2048;

/// What concerns the session: everything else was dealt with.
pub(super) enum Received {
    /// A message, whole or part of an aggregate.
    Message { stream: MessageStreamId, timestamp: u32, at: u64, message: Message },
    /// The aggregate that began there has ended, and its last tag was cut short.
    CutAggregate { at: u64 },
}

/// A connection, below the commands.
#[derive(Debug)]
pub(super) struct Link {
    /// What is to be sent; the handshake writes here too.
    pub(super) output: Output,
    decoder: Decoder,
    aggregate: Option<Aggregate>,
    chunk_size: u32,
    ack_window_bytes: u32,
    acknowledged: u64,
}

impl Link {
    pub(super) fn new(limits: DecoderLimits) -> Self {
        Self {
            output: Output::default(),
            decoder: Decoder::new(limits, 0),
            aggregate: None,
            chunk_size: CHUNK_SIZE_DEFAULT,
            ack_window_bytes: ACK_WINDOW_BYTES_DEFAULT,
            acknowledged: 0,
        }
    }

    /// The handshake is over; the peer has sent `position` bytes for it.
    pub(super) fn start(&mut self, limits: DecoderLimits, position: u64) {
        self.decoder = Decoder::new(limits, position);
        self.acknowledged = position;
    }

    pub(super) fn set_limits(&mut self, limits: DecoderLimits) {
        self.decoder.set_limits(limits);
    }

    pub(super) fn position(&self) -> u64 {
        self.decoder.position()
    }

    pub(super) fn chunk_size(&self) -> u32 {
        self.chunk_size
    }

    pub(super) fn aborted(&self) -> u64 {
        self.decoder.aborted()
    }

    /// What comes next that concerns the session. Protocol control acts at once, also between the
    /// chunks of another message (RTMP 1.0 §5.4), and on whatever chunk stream it comes (PTZOptics,
    /// quirk 28).
    pub(super) fn read(&mut self, input: &mut BytesMut) -> Result<Option<Received>, Error> {
        loop {
            let raw = match self.aggregate.as_mut().and_then(Iterator::next) {
                Some(part) => Some(part),
                None => {
                    if let Some(cut) = self.aggregate.take().filter(Aggregate::is_cut) {
                        return Ok(Some(Received::CutAggregate { at: cut.at() }));
                    }
                    self.decoder.read(input)?
                }
            };
            self.acknowledge();
            let Some(raw) = raw else { return Ok(None) };
            if let Some(received) = self.take(raw)? {
                return Ok(Some(received));
            }
        }
    }

    fn take(&mut self, raw: RawMessage) -> Result<Option<Received>, Error> {
        // An aggregate carries media and data; anything else in it is nobody's order.
        let is_content =
            matches!(raw.type_id, type_id::AUDIO | type_id::VIDEO | type_id::DATA | type_id::DATA_AMF3);
        if self.aggregate.is_some() && !is_content {
            return Ok(None);
        }
        let message = match Message::decode(&raw)? {
            Message::SetChunkSize(size) => {
                self.decoder.set_chunk_size(size)?;
                return Ok(None);
            }
            Message::Abort(id) => {
                self.decoder.abort(id);
                return Ok(None);
            }
            Message::WindowAckSize(bytes) => {
                self.ack_window_bytes = bytes;
                return Ok(None);
            }
            Message::UserControl(UserControl::PingRequest(number)) => {
                self.send_user_control(UserControl::PingResponse(number));
                return Ok(None);
            }
            Message::Aggregate => {
                self.aggregate = Some(Aggregate::new(raw));
                return Ok(None);
            }
            // Nobody enforces windows, and half of the encoders never acknowledge.
            Message::Acknowledgement(_) | Message::SetPeerBandwidth(_) | Message::Ignored(_) => {
                return Ok(None);
            }
            message => message,
        };
        let RawMessage { stream, timestamp, at, .. } = raw;
        Ok(Some(Received::Message { stream, timestamp, at, message }))
    }

    /// Every half window, as FFmpeg and SRS do it: Flash Media Server and some CDNs stop at a full one.
    fn acknowledge(&mut self) {
        let position = self.decoder.position();
        let due = u64::from(self.ack_window_bytes / 2).max(ACK_STEP_BYTES_MIN);
        if position.saturating_sub(self.acknowledged) >= due {
            self.acknowledged = position;
            self.send_number(type_id::ACKNOWLEDGEMENT, position as u32);
        }
    }

    pub(super) fn send_window_ack_size(&mut self, bytes: u32) {
        self.send_number(type_id::WINDOW_ACK_SIZE, bytes);
    }

    /// Limit type 2, "dynamic", as every server sends it.
    pub(super) fn send_peer_bandwidth(&mut self, bytes: u32) {
        let mut payload = bytes.to_be_bytes().to_vec();
        payload.push(2);
        self.send_control(type_id::SET_PEER_BANDWIDTH, payload.into());
    }

    /// Announces the size in the old size, then uses it.
    pub(super) fn send_chunk_size(&mut self, size: u32) {
        let size = size.clamp(1, MESSAGE_BYTES_MAX);
        self.send_number(type_id::SET_CHUNK_SIZE, size);
        self.chunk_size = size;
    }

    pub(super) fn send_user_control(&mut self, event: UserControl) {
        self.send_control(type_id::USER_CONTROL, event.encode());
    }

    fn send_number(&mut self, type_id: u8, number: u32) {
        self.send_control(type_id, Bytes::copy_from_slice(&number.to_be_bytes()));
    }

    fn send_control(&mut self, type_id: u8, payload: Bytes) {
        let stream = MessageStreamId::CONNECTION;
        self.put(ChunkStreamId::CONTROL, stream, 0, type_id, &[payload]);
    }

    pub(super) fn send_command(&mut self, stream: MessageStreamId, command: &Command) {
        let payload = command.encode();
        self.put(ChunkStreamId::COMMAND, stream, 0, type_id::COMMAND, &[payload]);
    }

    pub(super) fn send_status(&mut self, stream: MessageStreamId, status: &Status) {
        self.send_command(stream, &status.to_command());
    }

    pub(super) fn send_shared_object(&mut self, stream: MessageStreamId, object: &SharedObject) {
        self.put(ChunkStreamId::COMMAND, stream, 0, object.type_id, &[object.encode()]);
    }

    /// A media or data message, on a chunk stream of its kind.
    pub(super) fn send_media(
        &mut self,
        stream: MessageStreamId,
        kind: MediaKind,
        timestamp: u32,
        pieces: &[Bytes],
    ) -> Result<(), Error> {
        if pieces.iter().map(Bytes::len).sum::<usize>() > MESSAGE_BYTES_MAX as usize {
            return Err(Error::Misuse("a message holds at most 16,777,215 bytes"));
        }
        self.put_media(stream, kind, timestamp, pieces);
        Ok(())
    }

    /// The same, for a message of our own that is not that long.
    pub(super) fn put_media(
        &mut self,
        stream: MessageStreamId,
        kind: MediaKind,
        timestamp: u32,
        pieces: &[Bytes],
    ) {
        let (id, type_id) = match kind {
            MediaKind::Audio => (ChunkStreamId::AUDIO, type_id::AUDIO),
            MediaKind::Video => (ChunkStreamId::VIDEO, type_id::VIDEO),
            MediaKind::Data => (ChunkStreamId::DATA, type_id::DATA),
        };
        self.put(id, stream, timestamp, type_id, pieces);
    }

    fn put(
        &mut self,
        chunk_stream: ChunkStreamId,
        stream: MessageStreamId,
        timestamp: u32,
        type_id: u8,
        pieces: &[Bytes],
    ) {
        let header = RawMessage { chunk_stream, stream, timestamp, type_id, payload: Bytes::new(), at: 0 };
        chunk::encode_pieces(&mut self.output, &header, pieces, self.chunk_size);
    }
}
