//! The conversation as rows: what is worth a line, in which phase, and with which remarks. Text and page are drawn
//! from the same rows.

use std::collections::BTreeMap;

use headwater_rtmp::capture::Side;
use headwater_rtmp::rule::{Deviation, Rule, Severity};

use super::meaning;
use super::plain::{clean, grouped};
use crate::event::{Event, EventKind};
use crate::step::{Phase, Step};

/// Media messages and acknowledgements of one side and kind that are shown before the rest is only counted.
const SHOWN_OFTEN: u64 = 3;
/// Messages of any other type.
const SHOWN_SELDOM: u64 = 100;
/// Occurrences of a deviation that are marked at their place.
const MARKED_MAX: u64 = 3;

/// How much of a conversation is shown.
#[derive(Clone, Copy, Debug, Default)]
pub struct Detail {
    /// Every media message, and every deviation each time.
    pub all: bool,
    /// AMF values whole, as trees.
    pub expand: bool,
}

/// A line of the conversation.
#[derive(Clone, Debug)]
pub(super) struct Row {
    /// The phase that begins with it.
    pub(super) phase: Option<Phase>,
    /// What was left out before it.
    pub(super) skipped: Option<String>,
    pub(super) tick: Tick,
    /// When it came, in nanoseconds since the conversation's first byte.
    pub(super) at_ns: u64,
    pub(super) side: Side,
    /// Chunk stream and message stream; nothing for what is no message.
    pub(super) streams: Option<(u32, u32)>,
    /// The message's type, a word of at most 13 characters.
    pub(super) kind: &'static str,
    /// Bytes, of a message or a part of the handshake.
    pub(super) size: Option<u64>,
    pub(super) meaning: String,
    /// AMF values, one a line.
    pub(super) tree: Vec<String>,
    pub(super) remarks: Vec<Remark>,
}

/// Whether a row completes a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tick {
    /// It does.
    Done,
    /// It refuses one.
    Refused,
    /// It does neither.
    None,
}

/// A deviation at its place.
#[derive(Clone, Debug)]
pub(super) struct Remark {
    pub(super) severity: Severity,
    pub(super) text: String,
}

/// Makes rows of a conversation's events, and counts what it leaves out.
#[derive(Debug)]
pub(super) struct Rows {
    detail: Detail,
    phase: Option<Phase>,
    is_connected: bool,
    shown: BTreeMap<(Side, &'static str), u64>,
    skipped: BTreeMap<&'static str, u64>,
    marked: BTreeMap<(Rule, Side), u64>,
}

impl Rows {
    pub(super) fn new(detail: Detail) -> Self {
        Self {
            detail,
            phase: None,
            is_connected: false,
            shown: BTreeMap::new(),
            skipped: BTreeMap::new(),
            marked: BTreeMap::new(),
        }
    }

    /// The row of an event; `None` for what is only counted.
    pub(super) fn row(&mut self, event: &Event) -> Option<Row> {
        let kind = meaning::type_label(event);
        let remarks = self.remarks(&event.deviations);
        let shown = self.shown.entry((event.side, kind)).or_default();
        let is_often = matches!(kind, "audio" | "video" | "aggregate" | "Ack");
        let most = if is_often { SHOWN_OFTEN } else { SHOWN_SELDOM };
        let is_shown = self.detail.all || *shown < most || event.step.is_some() || !remarks.is_empty();
        if !is_shown {
            *self.skipped.entry(kind).or_default() += 1;
            return None;
        }
        *shown += 1;
        let tick = match event.step {
            _ if meaning::refuses(event) => Tick::Refused,
            Some(_) => Tick::Done,
            None => Tick::None,
        };
        let (streams, size) = match &event.kind {
            EventKind::Message(message) => {
                let raw = &message.raw;
                (Some((raw.chunk_stream.get(), raw.stream.0)), Some(raw.payload.len() as u64))
            }
            EventKind::Handshake(part) => (None, Some(part.bytes())),
            _ => (None, None),
        };
        Some(Row {
            phase: self.enter(event),
            skipped: self.skipped(),
            tick,
            at_ns: event.at_ns,
            side: event.side,
            streams,
            kind,
            size,
            meaning: meaning::meaning(event),
            tree: if self.detail.expand { meaning::tree(event) } else { Vec::new() },
            remarks,
        })
    }

    /// What was left out since the last row.
    pub(super) fn skipped(&mut self) -> Option<String> {
        let skipped = std::mem::take(&mut self.skipped);
        let counts: Vec<String> =
            skipped.into_iter().map(|(kind, count)| format!("{} {kind}", grouped(count))).collect();
        (!counts.is_empty()).then(|| counts.join(", "))
    }

    /// The phase that begins with an event.
    fn enter(&mut self, event: &Event) -> Option<Phase> {
        let phase = match (event.step, &event.kind) {
            (Some(step), _) => step.phase(),
            (None, EventKind::Message(_)) if self.is_connected => Phase::Stream,
            (None, EventKind::Message(_)) => Phase::Connection,
            (None, _) => Phase::Handshake,
        };
        self.is_connected |= event.step == Some(Step::Connected);
        if self.phase.is_some_and(|now| phase <= now) {
            return None;
        }
        self.phase = Some(phase);
        Some(phase)
    }

    /// The first time with its rule in words, then in short, then not at all: the verdict counts them.
    fn remarks(&mut self, deviations: &[Deviation]) -> Vec<Remark> {
        let mut remarks = Vec::new();
        for Deviation { rule, side, detail } in deviations {
            let marked = self.marked.entry((*rule, *side)).or_default();
            *marked += 1;
            if *marked > MARKED_MAX && !self.detail.all {
                continue;
            }
            let seen = if detail.is_empty() { String::new() } else { format!(" Here: {}.", clean(detail)) };
            let text = if *marked == 1 {
                format!("{}: {}.{seen} [{}]", rule.id(), rule.text(), rule.source())
            } else {
                format!("{} again.{seen}", rule.id())
            };
            remarks.push(Remark { severity: rule.severity(), text });
        }
        remarks
    }
}
