//! Protocol control and user control: on which stream, with what in it, and whether it is heeded
//! (RTMP 1.0 §5.4, §7.1.7).

use crate::commands::Dialogue;
use crate::conversation::{Notes, Subject};
use crate::step::{Step, Steps};
use headwater_rtmp::MessageStreamId;
use headwater_rtmp::capture::Side;
use headwater_rtmp::chunk::{CHUNK_SIZE_DEFAULT, ChunkStreamId};
use headwater_rtmp::message::{Message, UserControl, type_id};
use headwater_rtmp::rule::Rule;

/// nginx-rtmp and gortmplib refuse more.
const CHUNK_SIZE_USUAL_MAX: u32 = 10 << 20;

/// What a window may be exceeded by before it counts as unacknowledged: bytes under way are no fault.
const UNDER_WAY_BYTES: u64 = 1 << 20;

/// How long an answer to a ping may take, at the end of a conversation.
const PING_NS_MAX: u64 = 1_000_000_000;

/// Pings of one side that are remembered.
const PINGS_MAX: usize = 16;

/// What each side has announced and received.
#[derive(Debug, Default)]
pub struct Control {
    client: Announced,
    server: Announced,
    begun: Vec<u32>,
    /// The server has said something longer than the default chunk.
    has_long_reply: bool,
}

#[derive(Debug, Default)]
struct Announced {
    /// The chunk size; `None` = as it was at the start.
    chunk_size: Option<u32>,
    window: Option<u32>,
    /// Bytes sent.
    sent: u64,
    /// Of them, when the other side acknowledged last, or was asked to.
    acknowledged: u64,
    /// Pings that wait for an answer, and since when.
    pings: Vec<(u32, u64)>,
}

impl Control {
    /// Whether the server has sent StreamBegin for this stream.
    pub fn has_begun(&self, stream: MessageStreamId) -> bool {
        self.begun.contains(&stream.0)
    }

    pub fn heed(&mut self, subject: &Subject<'_>, dialogue: &Dialogue, steps: &Steps, notes: &mut Notes) {
        let Subject { side, raw, message, .. } = *subject;
        self.count(subject, notes);
        if matches!(raw.type_id, 1..=6) {
            place(subject, notes);
        }
        match *message {
            Message::SetChunkSize(size) => {
                if side == Side::Server {
                    notes.step(Step::ChunkSize);
                }
                self.chunk_size(side, size, dialogue, notes);
            }
            Message::WindowAckSize(size) => {
                let sent = self.of(side).sent;
                let announced = self.of(side);
                announced.window = Some(size).filter(|size| *size > 0);
                announced.acknowledged = sent;
                window(side, size, notes);
                if side == Side::Server {
                    notes.step(Step::Window);
                }
            }
            Message::SetPeerBandwidth(size) => {
                window(side, size, notes);
                if raw.payload.len() < 5 {
                    notes.deviation(Rule::ControlShort, side, "4 bytes, without the limit's kind".into());
                }
                if side == Side::Server {
                    notes.step(Step::Bandwidth);
                }
            }
            Message::Acknowledgement(_) => {
                let other = self.of(side.other());
                other.acknowledged = other.sent;
            }
            Message::UserControl(event) => self.user_control(subject, event, dialogue, notes),
            Message::Ignored(type_id @ 1..=6) => short(side, type_id, &raw.payload, notes),
            Message::Command(_) if side == Side::Server && steps.has(Step::Connect) => {
                self.has_long_reply |= raw.payload.len() > CHUNK_SIZE_DEFAULT as usize;
            }
            _ => {}
        }
    }

    /// Bytes sent, and whether those before were acknowledged.
    fn count(&mut self, subject: &Subject<'_>, notes: &mut Notes) {
        let announced = self.of(subject.side);
        announced.sent = subject.end;
        let Some(window) = announced.window else { return };
        let open = subject.end.saturating_sub(announced.acknowledged);
        if open > u64::from(window) * 2 + UNDER_WAY_BYTES {
            announced.acknowledged = subject.end;
            let detail = format!("{open} bytes came, the window is {window}");
            notes.deviation(Rule::AcknowledgementMissing, subject.side.other(), detail);
        }
    }

    fn chunk_size(&mut self, side: Side, size: u32, dialogue: &Dialogue, notes: &mut Notes) {
        let bytes = size & 0x7FFF_FFFF;
        let detail = format!("{bytes}");
        if bytes != size {
            notes.deviation(Rule::ChunkSizeBit, side, format!("0x{size:08x}"));
        }
        if bytes < CHUNK_SIZE_DEFAULT {
            notes.deviation(Rule::ChunkSizeSmall, side, detail);
        } else if bytes > CHUNK_SIZE_USUAL_MAX {
            notes.deviation(Rule::ChunkSizeLarge, side, detail);
        }
        let is_new = self.of(side).chunk_size.replace(bytes) != Some(bytes);
        if side == Side::Server && is_new {
            if dialogue.is_publishing() {
                notes.deviation(Rule::ChunkSizeToPublisher, side, String::new());
            } else if self.has_long_reply {
                notes.deviation(Rule::ChunkSizeLate, side, String::new());
            }
        }
    }

    fn user_control(
        &mut self,
        subject: &Subject<'_>,
        event: UserControl,
        dialogue: &Dialogue,
        notes: &mut Notes,
    ) {
        let side = subject.side;
        match event {
            UserControl::StreamBegin(stream) if side == Side::Server => {
                if !self.has_begun(stream) && self.begun.len() < PINGS_MAX {
                    self.begun.push(stream.0);
                }
                if let Some(step) = dialogue.begin_of(stream) {
                    notes.step(step);
                }
            }
            UserControl::PingRequest(number) => {
                let pings = &mut self.of(side).pings;
                if pings.len() < PINGS_MAX {
                    pings.push((number, subject.at_ns));
                }
            }
            UserControl::PingResponse(number) => {
                self.of(side.other()).pings.retain(|(asked, _)| *asked != number);
            }
            _ => {}
        }
    }

    /// What stays without an answer.
    pub fn finish(&self, last_ns: u64, notes: &mut Notes) {
        for (side, announced) in [(Side::Client, &self.client), (Side::Server, &self.server)] {
            let late = announced.pings.iter().filter(|(_, at_ns)| at_ns + PING_NS_MAX < last_ns);
            for (number, _) in late {
                notes.deviation(Rule::PingUnanswered, side.other(), format!("ping {number}"));
            }
        }
    }

    fn of(&mut self, side: Side) -> &mut Announced {
        match side {
            Side::Client => &mut self.client,
            Side::Server => &mut self.server,
        }
    }
}

fn place(subject: &Subject<'_>, notes: &mut Notes) {
    let Subject { side, raw, .. } = *subject;
    if raw.chunk_stream != ChunkStreamId::CONTROL {
        notes.deviation(Rule::ControlChunkStream, side, format!("chunk stream {}", raw.chunk_stream));
    }
    if raw.stream != MessageStreamId::CONNECTION {
        notes.deviation(Rule::ControlMessageStream, side, format!("message stream {}", raw.stream));
    }
}

fn window(side: Side, size: u32, notes: &mut Notes) {
    if size == 0 || size >> 31 != 0 {
        notes.deviation(Rule::WindowZero, side, format!("{size}"));
    }
}

fn short(side: Side, type_id: u8, payload: &[u8], notes: &mut Notes) {
    const KNOWN_EVENTS: [u16; 11] = [0, 1, 2, 3, 4, 6, 7, 26, 27, 31, 32];
    let event = payload.first_chunk().map(|bytes| u16::from_be_bytes(*bytes));
    match event {
        // SWF verification is ignored, not misread.
        Some(26 | 27) if type_id == type_id::USER_CONTROL => {}
        Some(event) if type_id == type_id::USER_CONTROL && !KNOWN_EVENTS.contains(&event) => {
            notes.deviation(Rule::UnknownControl, side, format!("event {event}"));
        }
        _ => notes.deviation(Rule::ControlShort, side, format!("{} bytes", payload.len())),
    }
}
