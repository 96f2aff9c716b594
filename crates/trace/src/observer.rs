//! A passive observer: the bytes of both sides of a conversation go in, what they mean comes out, with every deviation
//! from the specification and from what programs in use need.
//!
//! It takes no part: nothing is ever sent. It serves a client that explains what it does, a proxy between two
//! others, and a recorded conversation alike, and it lives without a clock.
//!
//! # Contract
//!
//! Feed the bytes of either side in the order in which they came, with their times; drain
//! [`Observer::next_event`]. How the bytes of a side were cut never changes the events, if the order between the
//! sides is kept. [`Observer::finish`] ends it and gives the verdict.
//!
//! Memory is bounded whatever the sides send: by the longest message, by the unfinished messages of each side
//! ([`PARTIAL_BYTES_MAX`]), and by small numbers of streams, tracks and open calls. What cannot be followed (RTMPE,
//! TLS, chunks that make no sense) is counted from there on, not kept.

use std::collections::VecDeque;

use bytes::BytesMut;
use headwater_rtmp::Error;
use headwater_rtmp::capture::Side;
use headwater_rtmp::chunk::{Decoder, DecoderLimits, MESSAGE_BYTES_MAX, Oddities, RawMessage};
use headwater_rtmp::handshake::BLOCK_BYTES;
use headwater_rtmp::message::Message;
use headwater_rtmp::rule::Rule;

use crate::conversation::Conversation;
use crate::event::{DecodedMessage, Event, EventKind, Handshake, Lost};
use crate::figures::TrackFigures;
use crate::findings::{Findings, Observed};
use crate::handshake::{HandshakeCheck, not_rtmp};
use crate::tag::Tag;
use crate::verdict::Verdict;

/// Bytes of unfinished messages that are held for one side, at most. What needs more is lost.
pub const PARTIAL_BYTES_MAX: usize = 17 << 20;

/// Chunk streams of one side that are remembered.
const CHUNK_STREAMS_MAX: usize = 64;

/// Bytes of a side before its first chunk.
const HANDSHAKE_BYTES: u64 = 1 + 2 * BLOCK_BYTES as u64;

/// A passive observer of one conversation.
#[derive(Debug)]
pub struct Observer {
    client: Half,
    server: Half,
    handshake: HandshakeCheck,
    conversation: Conversation,
    events: VecDeque<Event>,
}

/// What one side sends.
#[derive(Debug)]
struct Half {
    input: BytesMut,
    state: HalfState,
    bytes: u64,
    has_ended: bool,
    /// What was found before the next event was whole, and belongs to it.
    pending: Findings,
}

#[derive(Debug)]
enum HalfState {
    Hello,
    Echo,
    Messages(Box<Messages>),
    Lost,
}

/// A side after its handshake.
#[derive(Debug)]
struct Messages {
    decoder: Decoder,
    /// Those of the messages so far.
    oddities: Oddities,
}

impl Default for Observer {
    fn default() -> Self {
        Self::new()
    }
}

impl Observer {
    /// Before the first byte.
    #[must_use]
    pub fn new() -> Self {
        Self {
            client: Half::new(),
            server: Half::new(),
            handshake: HandshakeCheck::default(),
            conversation: Conversation::default(),
            events: VecDeque::new(),
        }
    }

    /// Bytes that `side` has sent, at a time in nanoseconds since the conversation's first byte.
    pub fn feed(&mut self, side: Side, at_ns: u64, bytes: &[u8]) {
        let half = self.half_mut(side);
        half.bytes += bytes.len() as u64;
        if half.has_ended || matches!(half.state, HalfState::Lost) {
            return;
        }
        half.input.extend_from_slice(bytes);
        while self.step(side, at_ns) {}
        self.conversation.on_bytes(at_ns);
    }

    /// `side` has ended its half of the connection.
    pub fn end(&mut self, side: Side, at_ns: u64) {
        let half = self.half_mut(side);
        if std::mem::replace(&mut half.has_ended, true) {
            return;
        }
        let unfinished = match &half.state {
            HalfState::Messages(messages) => messages.decoder.partial_bytes() + half.input.len(),
            _ => half.input.len(),
        };
        half.input = BytesMut::new();
        self.conversation.on_end(side, at_ns);
        self.emit(side, at_ns, EventKind::Ended { unfinished }, Findings::default());
    }

    /// What was seen, one after the other; `None` when there is no more before the next bytes.
    pub fn next_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Bytes that `side` has sent, the unreadable ones included.
    #[must_use]
    pub fn bytes(&self, side: Side) -> u64 {
        match side {
            Side::Client => self.client.bytes,
            Side::Server => self.server.bytes,
        }
    }

    /// Figures of the media so far, one per track.
    pub fn tracks(&self) -> impl Iterator<Item = &TrackFigures> {
        self.conversation.media.figures()
    }

    /// Nothing follows: the verdict. What is missing at the end becomes a deviation too.
    #[must_use]
    pub fn finish(mut self) -> Verdict {
        self.conversation.finish();
        Verdict::new(&self.conversation, [self.client.bytes, self.server.bytes])
    }

    fn half_mut(&mut self, side: Side) -> &mut Half {
        match side {
            Side::Client => &mut self.client,
            Side::Server => &mut self.server,
        }
    }

    /// Takes one thing from a side's bytes; false when more bytes are needed.
    fn step(&mut self, side: Side, at_ns: u64) -> bool {
        let half = match side {
            Side::Client => &mut self.client,
            Side::Server => &mut self.server,
        };
        let mut findings = std::mem::take(&mut half.pending);
        let Some(&first) = half.input.first() else {
            half.pending = findings;
            return false;
        };
        let kind = match &mut half.state {
            HalfState::Lost => None,
            HalfState::Hello => match not_rtmp(side, first) {
                Some(lost) => Some(EventKind::Lost(lost)),
                None => self.handshake.hello(side, &mut half.input, &mut findings).map(EventKind::Handshake),
            },
            HalfState::Echo => {
                if side == Side::Client && !self.handshake.allows_c2() {
                    findings.deviation_once(Rule::C2Early, side, String::new());
                }
                self.handshake.echo(side, &mut half.input, &mut findings).map(EventKind::Handshake)
            }
            HalfState::Messages(messages) => {
                if !self.handshake.allows_messages(side) && messages.decoder.position() == HANDSHAKE_BYTES {
                    findings.deviation_once(Rule::ChunksEarly, side, String::new());
                }
                let read = messages.decoder.read(&mut half.input).transpose();
                let conversation = &mut self.conversation;
                read.map(|read| {
                    read.and_then(|raw| messages.message(side, at_ns, raw, conversation, &mut findings))
                        .unwrap_or_else(|error| EventKind::Lost(Lost::Chunks(error)))
                })
            }
        };
        let Some(kind) = kind else {
            half.pending = findings;
            return false;
        };
        half.advance(&kind);
        self.conversation.on_event(side, at_ns, &kind, &mut findings);
        self.emit(side, at_ns, kind, findings);
        true
    }

    fn emit(&mut self, side: Side, at_ns: u64, kind: EventKind, findings: Findings) {
        let (step, deviations) = self.conversation.record(at_ns, findings);
        self.events.push_back(Event { side, at_ns, kind, step, deviations });
    }
}

impl Half {
    fn new() -> Self {
        Self {
            input: BytesMut::new(),
            state: HalfState::Hello,
            bytes: 0,
            has_ended: false,
            pending: Findings::default(),
        }
    }

    /// What follows after an event.
    fn advance(&mut self, kind: &EventKind) {
        match kind {
            EventKind::Handshake(Handshake::C0C1 { .. } | Handshake::S0S1 { .. }) => {
                self.state = HalfState::Echo;
            }
            EventKind::Handshake(_) => {
                let limits = DecoderLimits {
                    message_bytes: MESSAGE_BYTES_MAX,
                    partial_bytes: PARTIAL_BYTES_MAX,
                    chunk_streams: CHUNK_STREAMS_MAX,
                };
                let decoder = Decoder::new(limits, HANDSHAKE_BYTES);
                self.state =
                    HalfState::Messages(Box::new(Messages { decoder, oddities: Oddities::default() }));
            }
            EventKind::Lost(_) => {
                self.state = HalfState::Lost;
                self.input = BytesMut::new();
            }
            EventKind::Message(_) | EventKind::Ended { .. } => {}
        }
    }
}

impl Messages {
    /// A message with its meaning; what it says about chunks is done.
    ///
    /// # Errors
    /// The chunks behind it cannot be read.
    fn message(
        &mut self,
        side: Side,
        at_ns: u64,
        raw: RawMessage,
        conversation: &mut Conversation,
        findings: &mut Findings,
    ) -> Result<EventKind, Error> {
        let message = match Message::decode(&raw) {
            Ok(message) => message,
            Err(error) => {
                findings.deviation(Rule::AmfBroken, side, error.to_string());
                Message::Ignored(raw.type_id)
            }
        };
        let before = std::mem::replace(&mut self.oddities, self.decoder.oddities());
        findings.oddities(side, before, self.oddities);
        let end = self.decoder.position();
        match message {
            Message::SetChunkSize(size) => self.decoder.set_chunk_size(size)?,
            Message::Abort(id) => self.decoder.abort(id),
            _ => {}
        }
        let tag = match &message {
            Message::Media { kind, body } => Some(Tag::read(*kind, body)),
            _ => None,
        };
        let observed = Observed { side, at_ns, end, raw: &raw, message: &message, tag: tag.as_ref() };
        let answers = conversation.on_message(&observed, findings);
        Ok(EventKind::Message(Box::new(DecodedMessage { raw, message, tag, answers })))
    }
}

#[cfg(test)]
mod tests;
