//! Protocol control and user control: on which stream, with what in it, and whether it is answered
//! (RTMP 1.0 §5.4, §7.1.7).

use headwater_rtmp::MessageStreamId;
use headwater_rtmp::capture::Side;
use headwater_rtmp::chunk::{CHUNK_SIZE_DEFAULT, ChunkStreamId};
use headwater_rtmp::message::{Message, UserControl, type_id};
use headwater_rtmp::rule::Rule;

use crate::findings::{Findings, Observed};
use crate::session::{Session, Streams};
use crate::step::Step;

/// nginx-rtmp and gortmplib refuse more.
const CHUNK_SIZE_USUAL_MAX: u32 = 10 << 20;

/// What a window may be exceeded by before it counts as unacknowledged: bytes under way are no fault.
const UNDER_WAY_BYTES: u64 = 1 << 20;

/// How long an answer to a ping may take, at the end of a conversation.
const PING_NS_MAX: u64 = 1_000_000_000;

/// Pings of one side that are remembered.
const PINGS_MAX: usize = 16;

/// The state of protocol control.
#[derive(Debug, Default)]
pub(crate) struct Control {
    client: Announcements,
    server: Announcements,
    /// The server has said something longer than the default chunk.
    has_long_reply: bool,
}

/// What one side has announced, and what became of it.
#[derive(Debug, Default)]
struct Announcements {
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
    /// A message, of whatever kind: all count into the windows.
    pub(crate) fn on_message(
        &mut self,
        observed: &Observed<'_>,
        session: &mut Session,
        findings: &mut Findings,
    ) {
        let Observed { side, raw, message, .. } = *observed;
        self.count(observed, findings);
        if matches!(raw.type_id, 1..=6) {
            check_streams(observed, findings);
        }
        match *message {
            Message::SetChunkSize(size) => {
                if side == Side::Server {
                    findings.step(Step::ChunkSize);
                }
                self.chunk_size(side, size, &session.streams, findings);
            }
            Message::WindowAckSize(size) => {
                let announced = self.announced(side);
                announced.window = Some(size).filter(|size| *size > 0);
                announced.acknowledged = announced.sent;
                check_window(side, size, findings);
                if side == Side::Server {
                    findings.step(Step::Window);
                }
            }
            Message::SetPeerBandwidth(size) => {
                check_window(side, size, findings);
                if raw.payload.len() < 5 {
                    findings.deviation(Rule::ControlShort, side, "4 bytes, without the limit's kind".into());
                }
                if side == Side::Server {
                    findings.step(Step::Bandwidth);
                }
            }
            Message::Acknowledgement(_) => {
                let other = self.announced(side.other());
                other.acknowledged = other.sent;
            }
            Message::UserControl(event) => self.user_control(observed, event, &mut session.streams, findings),
            Message::Ignored(type_id @ 1..=6) => check_length(side, type_id, &raw.payload, findings),
            Message::Command(_) if side == Side::Server && session.steps.has(Step::Connect) => {
                self.has_long_reply |= raw.payload.len() > CHUNK_SIZE_DEFAULT as usize;
            }
            _ => {}
        }
    }

    /// Bytes sent, and whether those before were acknowledged.
    fn count(&mut self, observed: &Observed<'_>, findings: &mut Findings) {
        let announced = self.announced(observed.side);
        announced.sent = observed.end;
        let Some(window) = announced.window else { return };
        let open = observed.end.saturating_sub(announced.acknowledged);
        if open > u64::from(window) * 2 + UNDER_WAY_BYTES {
            announced.acknowledged = observed.end;
            let detail = format!("{open} bytes came, the window is {window}");
            findings.deviation(Rule::AcknowledgementMissing, observed.side.other(), detail);
        }
    }

    fn chunk_size(&mut self, side: Side, size: u32, streams: &Streams, findings: &mut Findings) {
        let bytes = size & 0x7FFF_FFFF;
        let detail = format!("{bytes}");
        if bytes != size {
            findings.deviation(Rule::ChunkSizeBit, side, format!("0x{size:08x}"));
        }
        if bytes < CHUNK_SIZE_DEFAULT {
            findings.deviation(Rule::ChunkSizeSmall, side, detail);
        } else if bytes > CHUNK_SIZE_USUAL_MAX {
            findings.deviation(Rule::ChunkSizeLarge, side, detail);
        }
        let is_new = self.announced(side).chunk_size.replace(bytes) != Some(bytes);
        if side == Side::Server && is_new {
            if streams.is_publishing() {
                findings.deviation(Rule::ChunkSizeToPublisher, side, String::new());
            } else if self.has_long_reply {
                findings.deviation(Rule::ChunkSizeLate, side, String::new());
            }
        }
    }

    fn user_control(
        &mut self,
        observed: &Observed<'_>,
        event: UserControl,
        streams: &mut Streams,
        findings: &mut Findings,
    ) {
        let side = observed.side;
        match event {
            UserControl::StreamBegin(stream) if side == Side::Server => {
                streams.begin(stream);
                if let Some(step) = streams.begin_step(stream) {
                    findings.step(step);
                }
            }
            UserControl::PingRequest(number) => {
                let pings = &mut self.announced(side).pings;
                if pings.len() < PINGS_MAX {
                    pings.push((number, observed.at_ns));
                }
            }
            UserControl::PingResponse(number) => {
                self.announced(side.other()).pings.retain(|(asked, _)| *asked != number);
            }
            _ => {}
        }
    }

    /// What stays without an answer.
    pub(crate) fn finish(&self, last_ns: u64, findings: &mut Findings) {
        for (side, announced) in [(Side::Client, &self.client), (Side::Server, &self.server)] {
            let late = announced.pings.iter().filter(|(_, at_ns)| at_ns + PING_NS_MAX < last_ns);
            for (number, _) in late {
                findings.deviation(Rule::PingUnanswered, side.other(), format!("ping {number}"));
            }
        }
    }

    fn announced(&mut self, side: Side) -> &mut Announcements {
        match side {
            Side::Client => &mut self.client,
            Side::Server => &mut self.server,
        }
    }
}

fn check_streams(observed: &Observed<'_>, findings: &mut Findings) {
    let Observed { side, raw, .. } = *observed;
    if raw.chunk_stream != ChunkStreamId::CONTROL {
        findings.deviation(Rule::ControlChunkStream, side, format!("chunk stream {}", raw.chunk_stream));
    }
    if raw.stream != MessageStreamId::CONNECTION {
        findings.deviation(Rule::ControlMessageStream, side, format!("message stream {}", raw.stream));
    }
}

fn check_window(side: Side, size: u32, findings: &mut Findings) {
    if size == 0 || size >> 31 != 0 {
        findings.deviation(Rule::WindowZero, side, format!("{size}"));
    }
}

fn check_length(side: Side, type_id: u8, payload: &[u8], findings: &mut Findings) {
    const KNOWN_EVENTS: [u16; 11] = [0, 1, 2, 3, 4, 6, 7, 26, 27, 31, 32];
    let event = payload.first_chunk().map(|bytes| u16::from_be_bytes(*bytes));
    match event {
        // SWF verification is ignored, not misread.
        Some(26 | 27) if type_id == type_id::USER_CONTROL => {}
        Some(event) if type_id == type_id::USER_CONTROL && !KNOWN_EVENTS.contains(&event) => {
            findings.deviation(Rule::UnknownControl, side, format!("event {event}"));
        }
        _ => findings.deviation(Rule::ControlShort, side, format!("{} bytes", payload.len())),
    }
}
