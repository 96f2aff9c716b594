//! The conversation as a whole: every message goes through all checks, and what they find is summed up.

use std::collections::BTreeMap;

use headwater_rtmp::capture::Side;
use headwater_rtmp::chunk::RawMessage;
use headwater_rtmp::message::Message;
use headwater_rtmp::rule::{Deviation, Rule};

use crate::commands::Commands;
use crate::control::Control;
use crate::event::{Answered, EventKind, Handshake, Lost};
use crate::findings::{Findings, Observed, Tally};
use crate::media::Media;
use crate::session::Session;
use crate::step::Step;

/// The state of the conversation.
#[derive(Debug, Default)]
pub(crate) struct Conversation {
    pub(crate) session: Session,
    control: Control,
    pub(crate) commands: Commands,
    pub(crate) media: Media,
    /// By side: why it cannot be followed any more.
    pub(crate) lost: [Option<Lost>; 2],
    /// By side: when it has ended its half of the connection.
    pub(crate) ended: [Option<u64>; 2],
    /// When the newest bytes came.
    pub(crate) last_ns: u64,
    /// Bounded by the number of rules.
    tallies: BTreeMap<(Rule, usize), Tally>,
}

impl Conversation {
    /// A message: what it breaks, the step that it completes, and what it answers.
    pub(crate) fn on_message(
        &mut self,
        observed: &Observed<'_>,
        findings: &mut Findings,
    ) -> Option<Answered> {
        self.control.on_message(observed, &mut self.session, findings);
        let answers = self.commands.on_message(observed, &mut self.session, findings);
        self.media.on_message(observed, &self.session, findings);
        if let (Message::Ignored(_), Some((rule, detail))) = (observed.message, unknown_type(observed.raw)) {
            findings.deviation_once(rule, observed.side, detail);
        }
        answers
    }

    /// Every event: what is no message completes a step or ends a side.
    pub(crate) fn on_event(&mut self, side: Side, at_ns: u64, kind: &EventKind, findings: &mut Findings) {
        self.last_ns = self.last_ns.max(at_ns);
        match kind {
            EventKind::Handshake(part) => findings.step(match part {
                Handshake::C0C1 { .. } => Step::C0C1,
                Handshake::S0S1 { .. } => Step::S0S1,
                Handshake::S2(_) => Step::S2,
                Handshake::C2(_) => Step::C2,
            }),
            EventKind::Lost(lost) => {
                if let Lost::Chunks(error) = lost {
                    findings.deviation(Rule::Untracked, side, error.to_string());
                }
                if let Some(slot) = self.lost.get_mut(side as usize) {
                    *slot = Some(lost.clone());
                }
            }
            EventKind::Message(_) | EventKind::Ended { .. } => {}
        }
    }

    /// A side has ended.
    pub(crate) fn on_end(&mut self, side: Side, at_ns: u64) {
        self.last_ns = self.last_ns.max(at_ns);
        if let Some(slot) = self.ended.get_mut(side as usize) {
            *slot = Some(at_ns);
        }
    }

    /// Bytes have come at this time.
    pub(crate) fn on_bytes(&mut self, at_ns: u64) {
        self.last_ns = self.last_ns.max(at_ns);
    }

    /// Counts what was found; the step only if it is the first of its kind.
    pub(crate) fn record(&mut self, at_ns: u64, findings: Findings) -> (Option<Step>, Vec<Deviation>) {
        for deviation in &findings.deviations {
            let tally =
                self.tallies.entry((deviation.rule, deviation.side as usize)).or_insert_with(|| Tally {
                    rule: deviation.rule,
                    side: deviation.side,
                    count: 0,
                    first_ns: at_ns,
                    first_detail: deviation.detail.clone(),
                });
            tally.count += 1;
        }
        if let Some(refusal) = self.commands.refusal() {
            self.session.steps.refuse(refusal.step, refusal.at_ns);
        }
        let step = findings.step.filter(|step| self.session.steps.complete(*step, at_ns));
        (step, findings.deviations)
    }

    /// What only the end shows.
    pub(crate) fn finish(&mut self) {
        let mut findings = Findings::default();
        self.control.finish(self.last_ns, &mut findings);
        self.commands.finish(self.last_ns, &mut findings);
        self.media.finish(&mut findings);
        self.record(self.last_ns, findings);
    }

    /// What was broken: each rule and side once, the weightiest first.
    pub(crate) fn tallies(&self) -> Vec<Tally> {
        let mut tallies: Vec<Tally> = self.tallies.values().cloned().collect();
        tallies.sort_by_key(|tally| (tally.rule.severity(), tally.first_ns, tally.rule));
        tallies
    }
}

/// Types that nobody knows. The known ones that were ignored have their own rules.
fn unknown_type(raw: &RawMessage) -> Option<(Rule, String)> {
    let is_known = matches!(raw.type_id, 1..=9 | 15..=20 | 22);
    (!is_known).then(|| (Rule::UnknownType, format!("type {}", raw.type_id)))
}
