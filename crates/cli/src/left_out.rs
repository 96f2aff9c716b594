//! What of a stream or file could not be used, as it is reported.

use headwater_media::flv::LeftOut;
use serde::Serialize;

/// Messages (of a file: tags) that were left out.
#[derive(Debug, Serialize)]
pub(super) struct LeftOutReport {
    messages: u64,
    reasons: Vec<Reason>,
}

#[derive(Debug, Serialize)]
struct Reason {
    messages: u64,
    reason: String,
}

impl From<LeftOut> for LeftOutReport {
    fn from(left_out: LeftOut) -> Self {
        let reason = |(reason, messages): (&str, u64)| Reason { messages, reason: reason.to_owned() };
        Self { messages: left_out.total(), reasons: left_out.reasons().map(reason).collect() }
    }
}

impl LeftOutReport {
    /// How many.
    pub(super) fn messages(&self) -> u64 {
        self.messages
    }

    /// Lines for people, each indented; empty if all could be used.
    pub(super) fn lines(&self) -> String {
        if self.messages == 0 {
            return String::new();
        }
        let mut text = format!("  left out {}:\n", counted(self.messages, "message"));
        for Reason { messages, reason } in &self.reasons {
            text += &format!("    {messages} x {reason}\n");
        }
        text
    }
}

/// `1 message`, `2 messages`.
pub(super) fn counted(count: u64, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}
