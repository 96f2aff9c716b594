//! What one rendition gathers until a part of it is complete.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use headwater_media::mp4::{Placed, Sample, TrackFragments};
use headwater_media::{Frame, MediaKind, Timestamp, TrackId};

use crate::part::Init;

/// Bytes of one part: a third of a second of 190 Mbit/s. Time alone does not bound them, for it may stand still.
const PART_BYTES_MAX: usize = 8 << 20;
/// Frames of one part, likewise: far more than pictures or sound have in a second.
const PART_FRAMES_MAX: usize = 1_000;
/// A frame of sound that is missed is filled by the one before, up to here: players hold out for that, and parts stay as
/// long as they should be. What is longer is a gap.
const GAP_MIN: Timestamp = Timestamp::from_ms(150);
/// How long a picture is waited for at most, however far apart they were before.
const WAIT_MAX: Timestamp = Timestamp::from_ms(2_000);
/// Nothing is overdue before: the network holds frames up for a moment and lets them all go together.
const OVERDUE_MIN: Timestamp = Timestamp::from_ms(1_500);
/// Of its target a part has at least this much, if another one follows in its segment (RFC 8216bis, 4.4.3.7).
const FULL_PERCENT: u32 = 85;
/// How long a picture lasts when nothing is known.
const LONE_PICTURE: Timestamp = Timestamp::from_ms(40);

/// One frame on its way into a part.
#[derive(Clone, Debug)]
pub(super) struct Unit {
    sequence: u64,
    dts: i64,
    pts: i64,
    /// Known of sound at once, of pictures when the next comes.
    duration: Option<u32>,
    key: bool,
    payload: Bytes,
}

impl Unit {
    pub(super) fn new(sequence: u64, placed: Placed, frame: &Frame) -> Self {
        let Placed { dts, pts, duration } = placed;
        Self { sequence, dts, pts, duration, key: frame.key, payload: frame.payload.clone() }
    }
}

/// Frames that are a part.
pub(super) struct Gathered {
    pub(super) start: i64,
    pub(super) duration: u64,
    pub(super) samples: Vec<Sample>,
    pub(super) sequences: Vec<u64>,
    pub(super) payloads: Vec<Bytes>,
    pub(super) bytes: usize,
}

#[derive(Debug)]
pub(super) struct Rendition {
    pub(super) id: TrackId,
    pub(super) fragments: TrackFragments,
    pub(super) init: Arc<Init>,
    /// Its configuration has changed: the next frame needs another description.
    pub(super) is_stale: bool,
    /// The segment in which it stands.
    pub(super) segment: u64,
    /// The next part's number there.
    part: u32,
    /// Whether the next part does not follow the one before.
    pub(super) discontinuity: bool,
    open: Vec<Unit>,
    open_bytes: usize,
    /// Where the last part ended.
    end: Option<i64>,
    /// Ticks of the last frame whose length is known.
    step: Option<u32>,
    /// When the newest frame came.
    came: Duration,
}

impl Rendition {
    pub(super) const fn new(fragments: TrackFragments, init: Arc<Init>, segment: u64) -> Self {
        Self {
            id: init_rendition(&fragments),
            fragments,
            init,
            is_stale: false,
            segment,
            part: 0,
            discontinuity: false,
            open: Vec::new(),
            open_bytes: 0,
            end: None,
            step: None,
            came: Duration::ZERO,
        }
    }

    /// Another description from now on; all that was gathered has become parts.
    pub(super) fn describe(&mut self, fragments: TrackFragments, init: Arc<Init>) {
        let Self { id, segment, part, .. } = *self;
        *self = Self { id, segment, part, discontinuity: true, ..Self::new(fragments, init, segment) };
    }

    /// Where a frame lies, never before what has been made.
    pub(super) fn place(&mut self, frame: &Frame) -> Placed {
        let placed = self.fragments.place(frame);
        let floor = self.open.last().map(|last| last.dts).max(self.end).unwrap_or(0);
        let dts = placed.dts.max(floor);
        let pts = if self.id.kind == MediaKind::Audio { dts } else { placed.pts };
        Placed { dts, pts, ..placed }
    }

    /// Settles how long the last frame lasts, now that `next` follows; whether there is a gap between them.
    pub(super) fn settle(&mut self, next: &Unit) -> bool {
        let gap_min = self.ticks(GAP_MIN);
        let Some(last) = self.open.last_mut() else { return false };
        let distance = next.dts.saturating_sub(last.dts);
        let is_gap = last.duration.is_some_and(|known| distance - i64::from(known) > gap_min);
        if !is_gap {
            last.duration = u32::try_from(distance).ok();
        }
        let step = last.duration.filter(|&step| step > 0);
        self.step = step.or(self.step);
        is_gap
    }

    /// Another description begins at this time: until then the last picture of this one stands, as far as the part has room for
    /// it. A camera that is turned takes a moment.
    pub(super) fn last_stands_until(&mut self, until: Timestamp, target: Timestamp) {
        let (room, until) = (self.ticks(target), self.ticks(until));
        let Some((first, last)) = self.open.first().map(|first| first.dts).zip(self.open.last_mut()) else {
            return;
        };
        last.duration = u32::try_from((until - last.dts).min(first + room - last.dts)).ok().max(self.step);
    }

    /// Whether what is gathered is too little for a part that is not the last of its segment.
    pub(super) fn has_little(&self, target: Timestamp) -> bool {
        !self.open.is_empty() && !self.is_nearly_full(target)
    }

    /// Frames that make a part by themselves, since the last one turned out longer than was expected; 0 if all fit.
    pub(super) fn fitting(&self, target: Timestamp) -> usize {
        let is_too_long = self.open.len() > 1 && self.length() > self.ticks(target);
        if is_too_long { self.open.len() - 1 } else { 0 }
    }

    /// Whether a part ends before `next`.
    pub(super) fn ends_before(&self, next: &Unit, target: Timestamp) -> bool {
        if self.open.is_empty() {
            return false;
        }
        let key_ends = next.key && self.id.kind == MediaKind::Video && self.is_nearly_full(target);
        let lasts = next.duration.or(self.step).unwrap_or(0);
        key_ends || self.is_over() || self.is_beyond(lasts, target)
    }

    /// Whether a key frame is the first of its picture: an encoder may send each slice as a frame of its own.
    pub(super) fn is_new_key(&self, unit: &Unit) -> bool {
        self.open.last().is_none_or(|last| !last.key || last.dts < unit.dts)
    }

    pub(super) fn push(&mut self, unit: Unit, now: Duration) {
        self.came = now;
        self.open_bytes += unit.payload.len();
        if let Some(duration) = unit.duration {
            self.step = Some(duration);
        }
        self.open.push(unit);
    }

    /// Whether the part is complete with what there is: of sound, whose frames say how long they last.
    pub(super) fn is_complete(&self, target: Timestamp) -> bool {
        let lasts = self.open.last().and_then(|last| last.duration);
        lasts.is_some_and(|lasts| self.is_beyond(lasts, target)) || self.is_over()
    }

    /// When the next frame is overdue.
    pub(super) fn overdue_at(&self, target: Timestamp) -> Option<Duration> {
        let wait = (self.usual_duration().min(WAIT_MAX) + target).max(OVERDUE_MIN);
        (!self.open.is_empty()).then(|| self.came + duration(wait))
    }

    /// How long a frame lasts as a rule.
    pub(super) fn usual_duration(&self) -> Timestamp {
        let ticks = self.step.map(|step| Timestamp::from_ticks(step.into(), self.fragments.timescale()));
        ticks.unwrap_or(LONE_PICTURE)
    }

    pub(super) fn first_sequence(&self) -> Option<u64> {
        self.open.first().map(|unit| unit.sequence)
    }

    /// Whether it has come to this time.
    pub(super) fn reaches(&self, at: Timestamp) -> bool {
        self.open.last().is_some_and(|last| last.dts >= self.ticks(at))
    }

    /// How many frames lie before this time.
    pub(super) fn count_before(&self, at: Timestamp) -> usize {
        let at = self.ticks(at);
        self.open.iter().take_while(|unit| unit.dts < at).count()
    }

    pub(super) const fn enter(&mut self, segment: u64) {
        self.segment = segment;
        self.part = 0;
    }

    /// Whether it has nothing in the segment in which it stands.
    pub(super) const fn is_empty_handed(&self) -> bool {
        self.part == 0 && self.open.is_empty()
    }

    pub(super) const fn has_parts(&self) -> bool {
        self.part > 0
    }

    pub(super) const fn next_part(&mut self) -> u32 {
        self.part += 1;
        self.part - 1
    }

    /// Takes the first `count` frames; none if there are none.
    pub(super) fn gathered(&mut self, count: usize) -> Option<Gathered> {
        let count = count.min(self.open.len());
        let start = self.open.get(..count)?.first()?.dts;
        let usual = self.usual_duration().to_ticks(self.fragments.timescale());
        let units: Vec<_> = self.open.drain(..count).collect();
        let mut gathered = Gathered {
            start,
            duration: 0,
            samples: Vec::with_capacity(count),
            sequences: units.iter().map(|unit| unit.sequence).collect(),
            payloads: Vec::with_capacity(count),
            bytes: 0,
        };
        for unit in units {
            let duration = unit.duration.unwrap_or_else(|| u32::try_from(usual).unwrap_or(0));
            let composition = (unit.pts - unit.dts).clamp(i64::from(i32::MIN), i64::from(i32::MAX)) as i32;
            let len = unit.payload.len();
            gathered.samples.push(Sample { duration, composition, key: unit.key, len: len as u32 });
            gathered.duration += u64::from(duration);
            gathered.bytes += len;
            gathered.payloads.push(unit.payload);
        }
        self.open_bytes -= gathered.bytes;
        self.end = Some(start.saturating_add_unsigned(gathered.duration));
        Some(gathered)
    }

    /// How long its parts are at most, after one of `duration` ticks.
    pub(super) fn target(&self, target: Timestamp, duration: u64) -> Timestamp {
        let ticks = i64::try_from(duration).unwrap_or(i64::MAX);
        target.max(Timestamp::from_ticks(ticks, self.fragments.timescale()))
    }

    /// Whether so many ticks are too few for a part that is not the last of its segment.
    pub(super) fn is_short(&self, duration: u64, target: Timestamp) -> bool {
        i128::from(duration) * 100 < i128::from(self.ticks(target)) * i128::from(FULL_PERCENT)
    }

    fn ticks(&self, time: Timestamp) -> i64 {
        time.to_ticks(self.fragments.timescale())
    }

    /// What has been gathered, in ticks, as far as it is known.
    fn length(&self) -> i64 {
        let Some((first, last)) = self.open.first().zip(self.open.last()) else { return 0 };
        last.dts - first.dts + i64::from(last.duration.unwrap_or(0))
    }

    /// Whether a frame of `lasts` more would make the part too long.
    fn is_beyond(&self, lasts: u32, target: Timestamp) -> bool {
        let length = self.length();
        length > 0 && length + i64::from(lasts) > self.ticks(target)
    }

    fn is_nearly_full(&self, target: Timestamp) -> bool {
        u64::try_from(self.length()).is_ok_and(|length| !self.is_short(length, target))
    }

    const fn is_over(&self) -> bool {
        self.open_bytes >= PART_BYTES_MAX || self.open.len() >= PART_FRAMES_MAX
    }
}

const fn init_rendition(fragments: &TrackFragments) -> TrackId {
    fragments.track().id
}

fn duration(time: Timestamp) -> Duration {
    Duration::from_nanos(u64::try_from(time.as_nanos()).unwrap_or(0))
}
