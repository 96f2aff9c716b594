//! One rendition of a window: its segments with their parts, and how far it has come.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use headwater_media::{Timestamp, TrackId};
use tokio::sync::watch;

use super::kept::Kept;
use crate::part::{Init, Part};

/// Of all renditions' segments of one number.
#[derive(Clone, Copy, Debug)]
pub(super) struct Head {
    pub(super) number: u64,
    pub(super) at: Timestamp,
    pub(super) discontinuity: bool,
    pub(super) behind: Duration,
    /// Where its end is known: where the next begins, or the broadcast ended.
    pub(super) until: Option<Timestamp>,
}

/// A segment of one rendition as it stands.
#[derive(Clone, Debug)]
pub struct Segment {
    /// Its number.
    pub number: u64,
    /// When segments of this number begin; a rendition's own first part may begin a moment later.
    pub at: Timestamp,
    /// Where the next begins; `None` while it is the newest.
    pub until: Option<Timestamp>,
    /// Whether decoders have to begin anew here.
    pub discontinuity: bool,
    /// How much later than its times say it was on the wall, since the broadcast began.
    pub behind: Duration,
    /// Its parts so far.
    pub parts: Arc<Vec<Arc<Kept>>>,
    /// Whether no more parts come.
    pub is_complete: bool,
}

impl Segment {
    /// What describes it; `None` without parts.
    #[must_use]
    pub fn init(&self) -> Option<&Arc<Init>> {
        self.parts.first().map(|first| &first.part().init)
    }

    /// How many bytes its parts have.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.parts.iter().map(|kept| u64::from(kept.part().len)).sum()
    }

    /// Whether the rendition has nothing in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// What its parts last.
    #[must_use]
    pub fn duration(&self) -> Timestamp {
        let ends = self.parts.first().zip(self.parts.last());
        ends.map_or(Timestamp::ZERO, |(first, last)| last.part().until() - first.part().from())
    }
}

/// How far a rendition has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reach {
    /// The segment in which it stands.
    pub segment: u64,
    /// Parts there.
    pub parts: u32,
    /// Whether that segment is complete.
    pub is_complete: bool,
    /// Whether nothing more comes.
    pub is_ended: bool,
}

impl Reach {
    /// Whether a part, or without one the whole segment, has been made. Of parts beyond the end of an earlier segment it
    /// is said that they have, so that nobody waits for what cannot come: the next segment has begun instead.
    #[must_use]
    pub const fn has(&self, segment: u64, part: Option<u32>) -> bool {
        if self.segment != segment {
            return self.segment > segment;
        }
        match part {
            Some(part) => self.parts > part || self.is_complete && self.parts == 0,
            None => self.is_complete,
        }
    }
}

#[derive(Debug)]
struct Own {
    number: u64,
    parts: Arc<Vec<Arc<Kept>>>,
    is_complete: bool,
}

#[derive(Debug)]
pub(super) struct Rendition {
    pub(super) id: TrackId,
    inits: VecDeque<Arc<Init>>,
    /// Those that it has parts of, oldest first.
    segments: VecDeque<Own>,
    target: Timestamp,
    reach: watch::Sender<Reach>,
}

impl Rendition {
    pub(super) fn new(id: TrackId) -> Self {
        let (inits, segments) = (VecDeque::new(), VecDeque::new());
        Self { id, inits, segments, target: Timestamp::ZERO, reach: watch::Sender::new(Reach::default()) }
    }

    pub(super) fn describe(&mut self, init: Arc<Init>) {
        self.inits.push_back(init);
    }

    pub(super) fn add(&mut self, kept: &Arc<Kept>) {
        let part = kept.part();
        if self.segments.back().is_none_or(|last| last.number != part.segment) {
            if let Some(last) = self.segments.back_mut() {
                last.is_complete = true;
            }
            self.segments.push_back(Own { number: part.segment, parts: Arc::default(), is_complete: false });
        }
        if self.inits.is_empty() {
            self.inits.push_back(Arc::clone(&part.init));
        }
        if part.init.number == self.inits.back().map_or(0, |init| init.number) {
            self.target = part.target;
        }
        if let Some(last) = self.segments.back_mut() {
            Arc::make_mut(&mut last.parts).push(Arc::clone(kept));
            let reach = Reach {
                segment: last.number,
                parts: last.parts.len() as u32,
                is_complete: false,
                is_ended: false,
            };
            self.reach.send_replace(reach);
        }
    }

    pub(super) fn end_segment(&mut self, number: u64) {
        if let Some(last) = self.segments.back_mut().filter(|last| last.number == number) {
            last.is_complete = true;
            self.reach.send_modify(|reach| reach.is_complete = true);
        }
    }

    pub(super) fn end(&mut self) {
        if let Some(last) = self.segments.back_mut() {
            last.is_complete = true;
        }
        self.reach.send_modify(|reach| (reach.is_complete, reach.is_ended) = (true, true));
    }

    /// Lets go of segments up to this one, and of descriptions that nothing has any more.
    pub(super) fn forget_to(&mut self, number: u64) {
        while self.segments.front().is_some_and(|segment| segment.number <= number) {
            self.segments.pop_front();
        }
        let oldest =
            self.segments.front().and_then(|own| own.parts.first()).map(|kept| kept.part().init.number);
        while self.inits.len() > 1
            && self.inits.front().is_some_and(|init| oldest.is_none_or(|oldest| init.number < oldest))
        {
            self.inits.pop_front();
        }
    }

    pub(super) fn segment(&self, head: &Head) -> Segment {
        let own = self.own(head.number);
        Segment {
            number: head.number,
            at: head.at,
            until: head.until,
            discontinuity: head.discontinuity,
            behind: head.behind,
            parts: own.map(|own| Arc::clone(&own.parts)).unwrap_or_default(),
            is_complete: own
                .map_or_else(|| self.reach.borrow().has(head.number, None), |own| own.is_complete),
        }
    }

    pub(super) fn part(&self, segment: u64, part: u32) -> Option<&Arc<Kept>> {
        self.own(segment)?.parts.get(part as usize)
    }

    pub(super) fn newest_init(&self) -> Option<&Arc<Init>> {
        self.inits.back()
    }

    pub(super) fn init(&self, number: u32) -> Option<&Arc<Init>> {
        self.inits.iter().find(|init| init.number == number)
    }

    pub(super) fn reach(&self) -> watch::Receiver<Reach> {
        self.reach.subscribe()
    }

    pub(super) const fn part_target(&self) -> Timestamp {
        self.target
    }

    pub(super) fn has_parts(&self) -> bool {
        !self.segments.is_empty()
    }

    pub(super) fn newest_end(&self) -> Option<Timestamp> {
        self.segments.back()?.parts.last().map(|kept| kept.part().until())
    }

    /// The first start of a decoder that is kept: its time, and its number in the log.
    pub(super) fn oldest_start(&self) -> Option<(Timestamp, u64)> {
        let parts = self.segments.iter().flat_map(|own| own.parts.iter());
        parts.flat_map(|kept| starts(kept.part())).next()
    }

    /// The last start at or before `at`, else the first: its time, the ordinal of its part, its number in the log.
    pub(super) fn start_for(&self, at: Timestamp) -> Option<(Timestamp, u64, u64)> {
        let begins = |own: &Own| own.parts.first().is_some_and(|first| first.part().from() <= at);
        let until = self.segments.partition_point(begins);
        let before = self.segments.iter().take(until).rev().flat_map(|own| own.parts.iter().rev());
        let last = before.filter(|kept| kept.part().from() <= at).find_map(|kept| {
            let start = starts(kept.part()).take_while(|(start, _)| *start <= at).last();
            start.map(|(start, sequence)| (start, kept.part().ordinal, sequence))
        });
        last.or_else(|| {
            let parts = self.segments.iter().flat_map(|own| own.parts.iter());
            let mut all =
                parts.flat_map(|kept| starts(kept.part()).map(|it| (it.0, kept.part().ordinal, it.1)));
            all.next()
        })
    }

    /// The first start at or behind `at`.
    pub(super) fn start_from(&self, at: Timestamp) -> Option<Timestamp> {
        let ends = |own: &Own| own.parts.last().is_some_and(|last| last.part().until() <= at);
        let from = self.segments.partition_point(ends);
        let parts = self.segments.iter().skip(from).flat_map(|own| own.parts.iter());
        parts.flat_map(|kept| starts(kept.part())).map(|(start, _)| start).find(|start| *start >= at)
    }

    /// The newest start: its part, and which sample of it.
    pub(super) fn newest_start(&self) -> Option<(Arc<Kept>, usize)> {
        let mut parts = self.segments.iter().rev().flat_map(|own| own.parts.iter().rev());
        parts.find_map(|kept| {
            let key = kept.part().samples.iter().rposition(|it| it.sample.key)?;
            Some((Arc::clone(kept), key))
        })
    }

    fn own(&self, number: u64) -> Option<&Own> {
        let at = self.segments.binary_search_by_key(&number, |own| own.number).ok()?;
        self.segments.get(at)
    }
}

/// The frames of a part with which a decoder can begin: their times, and their numbers in the log.
fn starts(part: &Part) -> impl Iterator<Item = (Timestamp, u64)> {
    let mut dts = part.start;
    part.samples.iter().filter_map(move |it| {
        let at = dts;
        dts += i64::from(it.sample.duration);
        it.sample.key.then(|| (Timestamp::from_ticks(at, part.init.timescale), it.sequence))
    })
}
