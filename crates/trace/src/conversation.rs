//! What the two sides have agreed on so far: the state that gives a message its meaning, and the sum of what was
//! broken.

use std::collections::BTreeMap;

use crate::commands::Dialogue;
use crate::control::Control;
use crate::event::{Answered, Greeting, Lost, What};
use crate::media::Media;
use crate::step::{Step, Steps};
use crate::tag::Tag;
use crate::verdict::Tally;
use headwater_rtmp::capture::Side;
use headwater_rtmp::chunk::{Oddities, RawMessage};
use headwater_rtmp::message::Message;
use headwater_rtmp::rule::{Deviation, Rule};

/// A message under examination.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    pub side: Side,
    pub at_ns: u64,
    /// Bytes that the side has sent up to its end.
    pub end: u64,
    pub raw: &'a RawMessage,
    pub message: &'a Message,
    pub tag: Option<&'a Tag>,
}

/// What an examination has found.
#[derive(Debug, Default)]
pub struct Notes {
    deviations: Vec<Deviation>,
    step: Option<Step>,
}

impl Notes {
    pub fn deviation(&mut self, rule: Rule, side: Side, detail: String) {
        self.deviations.push(Deviation { rule, side, detail });
    }

    /// Unless it stands here already.
    pub fn deviation_once(&mut self, rule: Rule, side: Side, detail: String) {
        if !self.deviations.iter().any(|known| known.rule == rule) {
            self.deviation(rule, side, detail);
        }
    }

    pub fn step(&mut self, step: Step) {
        self.step = Some(step);
    }

    /// What the chunks of a message showed.
    pub fn oddities(&mut self, side: Side, before: Oddities, now: Oddities) {
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

/// The state of the conversation.
#[derive(Debug, Default)]
pub struct Talk {
    pub steps: Steps,
    pub control: Control,
    pub dialogue: Dialogue,
    pub media: Media,
    pub lost: [Option<Lost>; 2],
    pub ended: [Option<u64>; 2],
    pub last_ns: u64,
    /// Bounded by the number of rules.
    tallies: BTreeMap<(Rule, usize), Tally>,
}

impl Talk {
    /// A message: what it breaks, the step that it completes, and what it answers.
    pub fn message(&mut self, subject: &Subject<'_>, notes: &mut Notes) -> Option<Answered> {
        self.control.heed(subject, &self.dialogue, &self.steps, notes);
        let answers = self.dialogue.heed(subject, &self.control, &self.steps, notes);
        self.media.heed(subject, &self.dialogue, notes);
        if let (Message::Ignored(_), Some((rule, detail))) = (subject.message, unknown(subject.raw)) {
            notes.deviation_once(rule, subject.side, detail);
        }
        answers
    }

    /// Everything that is no message.
    pub fn heed(&mut self, side: Side, at_ns: u64, what: &What, notes: &mut Notes) {
        self.last_ns = self.last_ns.max(at_ns);
        match what {
            What::Greeting(greeting) => notes.step(match greeting {
                Greeting::ClientHello { .. } => Step::ClientHello,
                Greeting::ServerHello { .. } => Step::ServerHello,
                Greeting::ServerEcho(_) => Step::ServerEcho,
                Greeting::ClientEcho(_) => Step::ClientEcho,
            }),
            What::Lost(lost) => {
                if let Lost::Chunks(error) = lost {
                    notes.deviation(Rule::Untracked, side, error.to_string());
                }
                if let Some(slot) = self.lost.get_mut(side as usize) {
                    *slot = Some(lost.clone());
                }
            }
            What::Message(_) | What::Ended { .. } => {}
        }
    }

    /// A side has ended.
    pub fn ended(&mut self, side: Side, at_ns: u64) {
        self.last_ns = self.last_ns.max(at_ns);
        if let Some(slot) = self.ended.get_mut(side as usize) {
            *slot = Some(at_ns);
        }
    }

    /// Bytes have come at this time.
    pub fn passed(&mut self, at_ns: u64) {
        self.last_ns = self.last_ns.max(at_ns);
    }

    /// Counts what was found; the step only if it is the first of its kind.
    pub fn settle(&mut self, at_ns: u64, notes: Notes) -> (Option<Step>, Vec<Deviation>) {
        for deviation in &notes.deviations {
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
        if let Some((step, at_ns, _)) = self.dialogue.refusal() {
            self.steps.refuse(*step, *at_ns);
        }
        let step = notes.step.filter(|step| self.steps.see(*step, at_ns));
        (step, notes.deviations)
    }

    /// What only the end shows.
    pub fn finish(&mut self) {
        let mut notes = Notes::default();
        self.control.finish(self.last_ns, &mut notes);
        self.dialogue.finish(self.last_ns, &mut notes);
        self.media.finish(&mut notes);
        self.settle(self.last_ns, notes);
    }

    pub fn tallies(&self) -> Vec<Tally> {
        let mut tallies: Vec<Tally> = self.tallies.values().cloned().collect();
        tallies.sort_by_key(|tally| (tally.rule.severity(), tally.first_ns, tally.rule));
        tallies
    }
}

/// Types that nobody knows. The known ones that were ignored have their own rules.
fn unknown(raw: &RawMessage) -> Option<(Rule, String)> {
    let is_known = matches!(raw.type_id, 1..=9 | 15..=20 | 22);
    (!is_known).then(|| (Rule::UnknownType, format!("type {}", raw.type_id)))
}
