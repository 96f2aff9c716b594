//! The end of it: whether the conversation came to its media, and if not, where it stuck and what mends it.

use headwater_rtmp::capture::Side;
use headwater_rtmp::command::Status;
use headwater_rtmp::rule::Severity;

use crate::commands::Refusal;
use crate::conversation::Conversation;
use crate::event::Lost;
use crate::figures::TrackFigures;
use crate::findings::Tally;
use crate::step::{Phase, Step, StepState};

/// The verdict on a conversation.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// Whether it came to its media.
    pub outcome: Outcome,
    /// The phases that it went through or stuck in, each with its steps.
    pub phases: Vec<(Phase, Vec<(Step, StepState)>)>,
    /// What was broken: each rule and side once, the weightiest first.
    pub tallies: Vec<Tally>,
    /// Figures of the media, one per track.
    pub tracks: Vec<TrackFigures>,
    /// Bytes that the client has sent.
    pub client_bytes: u64,
    /// Bytes that the server has sent.
    pub server_bytes: u64,
    /// When the last byte came, in nanoseconds since the first.
    pub duration_ns: u64,
}

/// How the conversation went.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// Media flowed.
    Works,
    /// It did not come to that.
    Failed(Failure),
}

/// Why a conversation did not come to its media.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The first step that is missing.
    pub step: Step,
    /// What was seen in its place. Holds the peer's own text: escape it before it is shown.
    pub seen: String,
    /// What the likely cause is, and what mends it.
    pub mend: &'static str,
}

impl Verdict {
    pub(crate) fn new(conversation: &Conversation, [client_bytes, server_bytes]: [u64; 2]) -> Self {
        let plays = conversation.session.steps.has(Step::Play);
        let publishes = conversation.session.steps.has(Step::Publish) || !plays;
        let phases = [Phase::Handshake, Phase::Connection, Phase::Stream, Phase::Publish, Phase::Play];
        let phases = phases.into_iter().filter(|phase| match phase {
            Phase::Publish => publishes && conversation.session.steps.has(Step::Publish),
            Phase::Play => plays,
            _ => true,
        });
        let phases = phases.map(|phase| {
            let steps = Step::ALL.iter().filter(|step| step.phase() == phase);
            (phase, steps.map(|step| (*step, conversation.session.steps.state(*step))).collect())
        });
        Self {
            outcome: outcome(conversation),
            phases: phases.collect(),
            tallies: conversation.tallies(),
            tracks: conversation.media.figures().cloned().collect(),
            client_bytes,
            server_bytes,
            duration_ns: conversation.last_ns,
        }
    }

    /// Whether the conversation counts as good: it works and, if that is to be held too, has neither errors nor
    /// warnings. Notes do not count.
    #[must_use]
    pub fn is_good(&self, strict: bool) -> bool {
        let is_clean = self.count(Severity::Error) + self.count(Severity::Warning) == 0;
        self.outcome == Outcome::Works && (is_clean || !strict)
    }

    /// How many deviations of a weight there were, each occurrence counted.
    #[must_use]
    pub fn count(&self, severity: Severity) -> u64 {
        self.tallies.iter().filter(|tally| tally.rule.severity() == severity).map(|tally| tally.count).sum()
    }
}

fn outcome(conversation: &Conversation) -> Outcome {
    if conversation.session.steps.has(Step::PublishMedia) || conversation.session.steps.has(Step::PlayMedia) {
        return Outcome::Works;
    }
    let step = Step::ALL.iter().copied().find(|step| {
        let other_way = match step.phase() {
            Phase::Publish => conversation.session.steps.has(Step::Play),
            Phase::Play => !conversation.session.steps.has(Step::Play),
            _ => false,
        };
        step.is_needed() && !other_way && !conversation.session.steps.has(*step)
    });
    let step = step.unwrap_or(Step::PlayMedia);
    let (seen, mend) = cause(conversation, step);
    Outcome::Failed(Failure { step, seen, mend })
}

/// What was seen in place of the step, and what mends it.
fn cause(conversation: &Conversation, step: Step) -> (String, &'static str) {
    if let Some(Refusal { step, status, .. }) = conversation.commands.refusal() {
        let seen = format!("The server refused {}: {}", step.name(), reason(status));
        return (seen, refusal_mend(*step, status));
    }
    for (side, who) in [(Side::Client, "client"), (Side::Server, "server")] {
        if let Some(Some(lost)) = conversation.lost.get(side as usize) {
            return (format!("The {who} sends {lost}"), lost_mend(lost));
        }
    }
    let seen = match conversation.ended {
        [Some(client), Some(server)] if server <= client => "The server closed the connection",
        [None, Some(_)] => "The server closed the connection",
        [Some(_), _] => "The client closed the connection",
        [None, None] => "Nothing more came",
    };
    (format!("{seen} before {}", step.name()), silence_mend(step))
}

fn reason(status: &Status) -> String {
    match (status.code.is_empty(), status.description.is_empty()) {
        (false, false) => format!("{} ({})", status.description, status.code),
        (false, true) => status.code.clone().into_owned(),
        (true, false) => status.description.clone().into_owned(),
        (true, true) => "it gives no reason".into(),
    }
}

fn refusal_mend(step: Step, status: &Status) -> &'static str {
    let text = &*status.description;
    match (step, &*status.code) {
        _ if text.contains("authmod=adobe") || text.contains("authmod=llnw") => {
            "The server wants a login (Adobe's authmod). Give the encoder a user and a password."
        }
        (_, code) if code.ends_with("InvalidApp") => {
            "There is no such app on the server. The app is the first part of the path: rtmp://HOST/APP/NAME."
        }
        (_, code) if code.ends_with("BadName") => {
            "The name is taken or not allowed. Stop the other publisher, or take another name."
        }
        (_, code) if code.ends_with("StreamNotFound") => {
            "Nobody publishes under this name, and there is no file of it. Check app and name, letter by letter."
        }
        (Step::Connected, _) => "Check the app and the key in the address; the server's log says more.",
        (Step::PublishStart, _) => "Check the stream key and whether this address may publish.",
        _ => "The server's log says more.",
    }
}

const fn lost_mend(lost: &Lost) -> &'static str {
    match lost {
        Lost::Rtmpe(_) => "Use rtmp:// or rtmps:// in place of rtmpe://.",
        Lost::Tls => "One side speaks TLS. Use rtmps:// with the TLS port, and rtmp:// with the plain one.",
        Lost::Http => "One side speaks HTTP. Check the port: RTMP is 1935 as a rule.",
        Lost::NotRtmp(_) => "Check the port, and what listens there.",
        Lost::Chunks(_) => {
            "The bytes make no sense as chunks. The sender has lost count, or a size was changed behind our back."
        }
    }
}

const fn silence_mend(step: Step) -> &'static str {
    match step {
        Step::C0C1 => "Nothing was sent. The client must speak first.",
        Step::S0S1 => {
            "The server does not answer. Check that RTMP listens on this port, and that nothing between drops it."
        }
        Step::S2 => {
            "The server keeps S2 back. FFmpeg and GStreamer wait for it before they send C2: send it at once after C1."
        }
        Step::C2 | Step::Connect => "The client goes no further after the handshake.",
        Step::Connected => {
            "The server does not answer connect. Check the app in the address, and the server's log."
        }
        Step::CreateStream => "The client never asked for a stream.",
        Step::StreamCreated => "The server does not answer createStream; its log says more.",
        Step::Publish => "The client asked neither to publish nor to play.",
        Step::PublishStart => {
            "The server does not let the publisher begin. It may wait for an authorization (on_publish hook) or refuse in silence: check the key."
        }
        Step::PublishMedia => "The client sent no media.",
        Step::PlayStart => {
            "The server does not start to play. It may wait for a publisher: check app and name."
        }
        Step::PlayMedia => {
            "The server plays, but nothing comes. Nobody publishes under this name, or not yet a key frame."
        }
        _ => "The server's log says more.",
    }
}
