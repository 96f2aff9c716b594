//! A message under examination, and what the examination has found: what every check takes and gives.

use headwater_rtmp::capture::Side;
use headwater_rtmp::chunk::{Oddities, RawMessage};
use headwater_rtmp::message::Message;
use headwater_rtmp::rule::{Deviation, Rule};

use crate::step::Step;
use crate::tag::Tag;

/// Bytes of a peer's name or text that are kept.
const TEXT_BYTES_MAX: usize = 1024;

/// A message under examination.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Observed<'a> {
    pub(crate) side: Side,
    pub(crate) at_ns: u64,
    /// Bytes that the side has sent up to its end.
    pub(crate) end: u64,
    pub(crate) raw: &'a RawMessage,
    pub(crate) message: &'a Message,
    pub(crate) tag: Option<&'a Tag>,
}

/// What an examination has found.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    pub(crate) deviations: Vec<Deviation>,
    /// The step that is completed, for the first time or again.
    pub(crate) step: Option<Step>,
}

impl Findings {
    pub(crate) fn deviation(&mut self, rule: Rule, side: Side, detail: String) {
        self.deviations.push(Deviation { rule, side, detail });
    }

    /// Unless it stands here already.
    pub(crate) fn deviation_once(&mut self, rule: Rule, side: Side, detail: String) {
        if !self.deviations.iter().any(|known| known.rule == rule) {
            self.deviation(rule, side, detail);
        }
    }

    pub(crate) fn step(&mut self, step: Step) {
        self.step = Some(step);
    }

    /// What the chunks of a message showed.
    pub(crate) fn oddities(&mut self, side: Side, before: Oddities, now: Oddities) {
        let found = [
            (Rule::Type3AfterType0, now.type3_after_type0 - before.type3_after_type0),
            (
                Rule::Type3Starts,
                (now.type3_starts - before.type3_starts)
                    .saturating_sub(now.type3_after_type0 - before.type3_after_type0),
            ),
            (Rule::FreshType1, now.fresh_type1 - before.fresh_type1),
            (Rule::ExtendedTimestamp, now.extended_omitted - before.extended_omitted),
            (Rule::MessageRestarted, now.restarted - before.restarted),
        ];
        for (rule, _) in found.into_iter().filter(|(_, count)| *count > 0) {
            self.deviation(rule, side, String::new());
        }
    }
}

/// One rule that one side has broken, however often.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tally {
    /// The rule.
    pub rule: Rule,
    /// Who broke it.
    pub side: Side,
    /// How often.
    pub count: u64,
    /// When for the first time, in nanoseconds since the conversation's first byte.
    pub first_ns: u64,
    /// What was seen then. Holds the peer's own text: escape it before it is shown.
    pub first_detail: String,
}

/// A peer's text, no longer than is worth keeping.
pub(crate) fn truncated(text: &str) -> String {
    let end = (0..=TEXT_BYTES_MAX.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    text.get(..end).unwrap_or_default().to_owned()
}
