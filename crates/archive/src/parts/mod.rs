//! Frames become parts: the maker. It does no I/O, reads no clock and runs no task; when it must be called again without
//! frames it says so ([`PartMaker::deadline`]).
//!
//! A part is made as soon as it is complete. Sound says how long it lasts, so its part is complete with its last frame;
//! a picture lasts until the next one, so its part is complete when that comes, or when it is overdue. Segments of all
//! renditions are cut at the same time (`segments`), and what a rendition gathers stands in `rendition`.

mod describing;
mod rendition;
mod script;
mod segments;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use headwater_hub::{Batch, DecoderSetup};
use headwater_media::flv::LeftOut;
use headwater_media::mp4::TrackFragments;
use headwater_media::{Frame, MediaKind, Timestamp, TrackId};

use self::rendition::{Rendition, Unit};
use self::script::Script;
use self::segments::{Candidate, Segments};
use crate::part::{Init, Part, PartSample};

pub use self::segments::TARGET_DURATION;

/// How parts and segments are cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartsConfig {
    /// Parts last at most this long, and nearly so.
    pub part_target: Timestamp,
    /// A segment ends at the first key frame behind this; of sound alone it lasts just this. At most 5 s.
    pub segment_target: Timestamp,
}

impl Default for PartsConfig {
    fn default() -> Self {
        Self { part_target: Timestamp::from_ms(335), segment_target: Timestamp::from_ms(2_000) }
    }
}

/// What has been made.
#[derive(Clone, Debug)]
pub enum Made {
    /// The parts that come are of these tracks, each as it is described from here on. Of several descriptions of one
    /// track each has a number of its own.
    Tracks(Arc<[TrackFragments]>),
    /// A segment begins, of all renditions.
    Segment {
        /// Its number.
        number: u64,
        /// When.
        at: Timestamp,
        /// Whether decoders have to begin anew.
        discontinuity: bool,
        /// How much later than its time says it was on the wall, since the broadcast began: publishers were away, and
        /// the hub closes such gaps.
        behind: Duration,
    },
    /// A rendition has a new description.
    Init(Arc<Init>),
    /// A part is complete; with its bytes.
    Part(Arc<Part>, Bytes),
    /// From the frame with this number in the hub's log on, this holds.
    Setup {
        /// The frame's number.
        since: u64,
        /// What decoders must know.
        setup: Arc<DecoderSetup>,
    },
    /// A rendition's segment is complete.
    SegmentEnded {
        /// The rendition.
        rendition: TrackId,
        /// The segment's number.
        number: u64,
    },
}

/// Makes parts of one broadcast's frames.
#[derive(Debug)]
pub struct PartMaker {
    config: PartsConfig,
    renditions: Vec<Rendition>,
    segments: Segments,
    /// Descriptions that there were, the newest first, and the number that the last new one got.
    described: VecDeque<TrackFragments>,
    numbers: u32,
    /// Fragments so far.
    fragments: u32,
    ordinal: u64,
    /// All frames with lower numbers have been taken.
    taken_to: u64,
    /// Frames were lost, or all was completed: what comes next does not follow what was.
    is_torn: bool,
    /// A part had to be made that is too short for more to follow in its segment.
    is_broken_off: bool,
    setup: Option<Arc<DecoderSetup>>,
    script: Script,
    left_out: LeftOut,
    made: Vec<Made>,
}

impl PartMaker {
    /// For a broadcast whose first segment bears the number `first_segment`.
    #[must_use]
    pub fn new(config: PartsConfig, first_segment: u64) -> Self {
        Self {
            config,
            renditions: Vec::new(),
            segments: Segments::new(config.segment_target, first_segment),
            described: VecDeque::new(),
            numbers: 0,
            fragments: 0,
            ordinal: 0,
            taken_to: 0,
            is_torn: false,
            is_broken_off: false,
            setup: None,
            script: Script::default(),
            left_out: LeftOut::default(),
            made: Vec::new(),
        }
    }

    /// Takes frames that came at `now` (any monotonic clock); what they complete comes back in order.
    pub fn put(&mut self, batch: &Batch, now: Duration) -> Vec<Made> {
        if self.setup.as_ref().is_none_or(|setup| !Arc::ptr_eq(setup, &batch.setup)) {
            self.setup = Some(Arc::clone(&batch.setup));
            self.made.push(Made::Setup { since: batch.first, setup: Arc::clone(&batch.setup) });
        }
        self.segments.lead(self.leader(&batch.setup));
        for (sequence, frame) in (batch.first..).zip(&batch.frames) {
            self.taken_to = sequence;
            if frame.track.kind == MediaKind::Data {
                self.put_script(sequence, frame);
            } else {
                self.put_frame(sequence, frame, &batch.setup, now);
            }
            self.taken_to = sequence + 1;
        }
        self.segments.forget_passed(self.renditions.iter().map(|rendition| rendition.segment));
        self.take()
    }

    /// When [`due`](Self::due) must be called if no frames come before; `None`: nothing waits.
    #[must_use]
    pub fn deadline(&self) -> Option<Duration> {
        let open =
            self.renditions.iter().filter_map(|rendition| rendition.overdue_at(self.config.part_target));
        open.chain(self.segments.overdue_at()).min()
    }

    /// Completes what waits for frames that have not come by `now`.
    pub fn due(&mut self, now: Duration) -> Vec<Made> {
        for at in 0..self.renditions.len() {
            let is_due = |due: Duration| due <= now;
            let open = self.renditions[at].overdue_at(self.config.part_target);
            if let Some(number) = self.segments.overdue(self.renditions[at].segment, now) {
                self.enter_segment(at, number);
            } else if open.is_some_and(is_due) {
                let target = self.config.part_target;
                let lasts = self.emit(at, usize::MAX);
                self.is_broken_off |= lasts.is_some_and(|lasts| self.renditions[at].is_short(lasts, target));
            }
        }
        self.segments.forget_passed(self.renditions.iter().map(|rendition| rendition.segment));
        self.take()
    }

    /// Frames were lost before those that come next: what there is is completed, and a segment begins with the next.
    pub fn lost(&mut self) -> Vec<Made> {
        self.is_torn = true;
        for at in 0..self.renditions.len() {
            self.emit(at, usize::MAX);
        }
        self.take()
    }

    /// The broadcast is over: completes everything.
    pub fn finish(&mut self) -> Vec<Made> {
        for at in 0..self.renditions.len() {
            self.emit(at, usize::MAX);
            self.end_segment(at);
        }
        self.take()
    }

    /// Frames that have no place in MP4, by why.
    #[must_use]
    pub const fn left_out(&self) -> &LeftOut {
        &self.left_out
    }

    /// The segment that is being made.
    #[must_use]
    pub const fn segment(&self) -> u64 {
        self.segments.current()
    }

    fn take(&mut self) -> Vec<Made> {
        std::mem::take(&mut self.made)
    }

    fn put_frame(&mut self, sequence: u64, frame: &Frame, setup: &Arc<DecoderSetup>, now: Duration) {
        let Some(at) = self.rendition_for(frame, setup, now) else { return };
        let placed = self.renditions[at].place(frame);
        let unit = Unit::new(sequence, placed, frame);
        let target = self.config.part_target;
        let is_gap = self.renditions[at].settle(&unit);
        match self.renditions[at].fitting(target) {
            0 => {}
            fitting => drop(self.emit(at, fitting)),
        }
        self.is_broken_off |= is_gap && self.renditions[at].has_little(target);
        let closes = is_gap || self.renditions[at].ends_before(&unit, target);
        let candidate = Candidate {
            track: frame.track,
            at: frame.dts,
            lasts: self.renditions[at].usual_duration(),
            is_first: self.renditions[at].is_empty_handed(),
            is_start: frame.is_video_key() && self.renditions[at].is_new_key(&unit),
        };
        let is_late = (candidate.is_start || self.is_broken_off) && self.segments.is_late(frame.dts, now);
        if self.is_torn || self.is_broken_off || is_late {
            self.cut(frame.dts, is_late, now);
        } else if let Some(cut) = self.segments.wanted(&candidate) {
            self.begin_segment(frame.dts, cut, now);
        }
        if let Some(number) = self.segments.entered(self.renditions[at].segment, frame.dts) {
            self.enter_segment(at, number);
        } else if closes {
            self.emit(at, usize::MAX);
        }
        self.renditions[at].push(unit, now);
        self.taken_to = sequence + 1;
        if self.renditions[at].is_complete(target) {
            self.emit(at, usize::MAX);
        }
    }

    /// Begins a segment of all renditions, each of which enters it with its first frame from then on.
    fn begin_segment(&mut self, at: Timestamp, cut: segments::Wanted, now: Duration) {
        let number = self.segments.begin(at, cut, now);
        let behind = self.segments.behind();
        self.made.push(Made::Segment { number, at, discontinuity: false, behind });
        for rendition in 0..self.renditions.len() {
            // Sound runs ahead: what has gathered from there on goes over.
            if self.renditions[rendition].reaches(at)
                && let Some(number) = self.segments.entered(self.renditions[rendition].segment, at)
            {
                self.enter_segment_at(rendition, number, at);
            }
        }
    }

    /// Completes everything and begins a segment at once.
    fn cut(&mut self, at: Timestamp, discontinuity: bool, now: Duration) {
        let discontinuity = discontinuity | std::mem::take(&mut self.is_torn);
        self.is_broken_off = false;
        if discontinuity {
            self.segments.catch_up(at, now);
        }
        let number = self.segments.begin(at, segments::Wanted::FORCED, now);
        let behind = self.segments.behind();
        self.made.push(Made::Segment { number, at, discontinuity, behind });
        for rendition in 0..self.renditions.len() {
            self.enter_segment(rendition, number);
            self.renditions[rendition].discontinuity |= discontinuity;
        }
    }

    fn enter_segment(&mut self, at: usize, number: u64) {
        self.emit(at, usize::MAX);
        self.end_segment(at);
        self.renditions[at].enter(number);
    }

    fn enter_segment_at(&mut self, at: usize, number: u64, from: Timestamp) {
        let before = self.renditions[at].count_before(from);
        self.emit(at, before);
        self.end_segment(at);
        self.renditions[at].enter(number);
    }

    fn end_segment(&mut self, at: usize) {
        let rendition = &self.renditions[at];
        if rendition.has_parts() {
            self.made.push(Made::SegmentEnded { rendition: rendition.id, number: rendition.segment });
        }
    }

    /// Makes a part of the first `count` frames that a rendition has gathered; how long it lasts, in ticks.
    fn emit(&mut self, at: usize, count: usize) -> Option<u64> {
        self.fragments = self.fragments.wrapping_add(1);
        let sequence = self.fragments;
        let gathered = self.renditions[at].gathered(count)?;
        let rendition = &mut self.renditions[at];
        let Ok(head) = rendition.fragments.fragment_head(sequence, gathered.start, &gathered.samples) else {
            // Gathered frames are bounded far below what a fragment holds.
            self.left_out.add("a fragment of more than 2 GiB", gathered.samples.len() as u64);
            return None;
        };
        let lasts = gathered.duration;
        let payload_at = head.len() as u32;
        let mut bytes = BytesMut::with_capacity(head.len() + gathered.bytes);
        bytes.extend_from_slice(&head);
        gathered.payloads.iter().for_each(|payload| bytes.extend_from_slice(payload));
        let samples = gathered.samples.iter().zip(&gathered.sequences);
        let part = Part {
            ordinal: 0,
            init: Arc::clone(&rendition.init),
            segment: rendition.segment,
            number: rendition.next_part(),
            start: gathered.start,
            duration: gathered.duration,
            independent: gathered.samples.first().is_some_and(|first| first.key),
            discontinuity: std::mem::take(&mut rendition.discontinuity),
            len: bytes.len() as u32,
            samples: samples.map(|(&sample, &sequence)| PartSample { sample, sequence }).collect(),
            payload_at,
            target: rendition.target(self.config.part_target, gathered.duration),
            complete_to: 0,
        };
        self.segments.count_part(bytes.len());
        self.add(part, bytes.freeze());
        Some(lasts)
    }

    /// Gives a part its place among all parts.
    fn add(&mut self, mut part: Part, bytes: Bytes) {
        part.ordinal = self.ordinal;
        let waiting = self.renditions.iter().filter_map(Rendition::first_sequence);
        part.complete_to =
            waiting.chain(self.script.first_held()).min().unwrap_or(self.taken_to).min(self.taken_to);
        self.ordinal += 1;
        let is_media = part.rendition().kind != MediaKind::Data;
        let begins = part.from();
        let at = self.segments.start().map_or(begins, |start| start.min(begins));
        self.made.push(Made::Part(Arc::new(part), bytes));
        if is_media {
            self.put_held_script(at);
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
