//! What is kept of a broadcast: its newest segments and their parts, found by number, by time, or one after the other.
//!
//! A window is shared by the one who fills it and by all who read it. Its lock is held for look-ups only, never while
//! bytes are read or sent. Who waits for a part is woken once per part of its rendition.

mod contents;
mod frames;
mod kept;
mod rendition;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::SystemTime;

use headwater_hub::{Range, StreamName};
use headwater_media::{MediaKind, Timestamp, TrackId};
use parking_lot::Mutex;
use tokio::sync::watch;

use self::contents::Contents;
use self::rendition::{Head, Rendition};
use crate::cue_point::CuePoint;
use crate::disk_use::DiskUse;
use crate::numbers::Numbers;
use crate::part::Init;
use crate::parts::Made;

pub use self::frames::{Entry, Lookup};
pub use self::kept::{Data, Kept};
pub use self::rendition::{Reach, Segment};

/// What each window keeps, at most. Whatever these say, the segment at hand and the one before it are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WindowConfig {
    /// Whether anybody but who records sees it.
    pub is_shown: bool,
    /// Media time.
    pub length: Timestamp,
    /// Bytes in memory of one broadcast.
    pub memory_max: usize,
    /// Bytes in memory of all broadcasts together.
    pub memory_in_all_max: usize,
    /// Bytes of one broadcast, wherever they are, once some of them are on the disk.
    pub disk_max: u64,
    /// The same of all broadcasts together.
    pub disk_in_all_max: u64,
}

/// Bytes of all windows together.
#[derive(Clone, Debug, Default)]
pub struct InAll {
    /// In memory, what is known of them included.
    memory: Arc<AtomicUsize>,
    /// Of parts, wherever they are.
    held: Arc<AtomicU64>,
    /// Of parts that are on the disk for windows alone.
    disk: Arc<AtomicU64>,
}

impl InAll {
    /// In memory.
    #[must_use]
    pub fn memory(&self) -> usize {
        self.memory.load(Ordering::Relaxed)
    }

    /// On the disk, recordings not counted.
    #[must_use]
    pub fn disk(&self) -> u64 {
        self.disk.load(Ordering::Relaxed)
    }
}

impl Default for WindowConfig {
    fn default() -> Self {
        Self {
            is_shown: true,
            length: Timestamp::from_ms(300_000),
            memory_max: 64 << 20,
            memory_in_all_max: 1 << 30,
            disk_max: 4 << 30,
            disk_in_all_max: 32 << 30,
        }
    }
}

/// Segments that are kept whatever the bounds say: the one at hand, and one to begin with.
const SEGMENTS_MIN: usize = 2;
/// Segments that are kept at most: five hours of two seconds. Each takes memory besides its parts.
const SEGMENTS_MAX: usize = 9_000;

/// What is kept of one broadcast.
#[derive(Debug)]
pub struct Window {
    name: StreamName,
    broadcast: u64,
    began: SystemTime,
    config: WindowConfig,
    in_all: InAll,
    /// On the disk.
    used: Arc<DiskUse>,
    inner: Mutex<Contents>,
    /// The ordinal that the next part will have, and whether there will be one.
    growth: watch::Sender<Growth>,
}

/// How far a broadcast has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Growth {
    /// Parts that were made so far, of all renditions: the next has this ordinal.
    pub parts: u64,
    /// Whether there will be no more.
    pub is_ended: bool,
}

/// One rendition as it stands, for who writes a playlist of it.
#[derive(Clone, Debug)]
pub struct Outline {
    /// Discontinuities in the broadcast before the first of [`segments`](Self::segments)
    /// (`EXT-X-DISCONTINUITY-SEQUENCE`); those of another broadcast of that name count too.
    pub discontinuity_sequence: u64,
    /// All segments that are kept, without gaps in their numbers; one of which the rendition has nothing has no parts.
    pub segments: Vec<Segment>,
    /// How long parts are at most; see [`Part::target`](crate::Part::target).
    pub part_target: Timestamp,
    /// Whether nothing more comes.
    pub is_ended: bool,
}

impl Outline {
    /// Whether the rendition has anything yet.
    #[must_use]
    pub fn has_parts(&self) -> bool {
        self.segments.iter().any(|segment| !segment.is_empty())
    }

    /// Where its newest part ends.
    #[must_use]
    pub fn end(&self) -> Timestamp {
        let newest = self.segments.iter().rev().find_map(|segment| segment.parts.last());
        newest.map_or(Timestamp::ZERO, |newest| newest.part().until())
    }
}

impl Window {
    /// Of a broadcast that began at `began` by the wall clock. `discontinuities` are those of earlier broadcasts of that
    /// name whose segment numbers this one goes on from; `in_all` counts the bytes of all windows.
    #[must_use]
    pub fn new(
        name: StreamName,
        broadcast: u64,
        began: SystemTime,
        config: WindowConfig,
        discontinuities: u64,
        in_all: InAll,
    ) -> Self {
        let used = Arc::new(DiskUse::of_all(&in_all.disk));
        let inner = Contents { discontinuities, ..Contents::default() };
        let growth = watch::Sender::new(Growth::default());
        Self { name, broadcast, began, config, in_all, used, inner: Mutex::new(inner), growth }
    }

    /// The stream's name.
    #[must_use]
    pub const fn name(&self) -> &StreamName {
        &self.name
    }

    /// Number of the broadcast, as in [`headwater_hub::Snapshot::broadcast`].
    #[must_use]
    pub const fn broadcast(&self) -> u64 {
        self.broadcast
    }

    /// Wall-clock time at media time zero.
    #[must_use]
    pub const fn began(&self) -> SystemTime {
        self.began
    }

    /// Tells the broadcast from all others of that name, those of other runs of the server too: for entity tags. Letters and
    /// digits.
    #[must_use]
    pub fn tag(&self) -> String {
        let since = self.began.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        format!("{:x}", since.as_nanos())
    }

    /// Takes what the maker has made, in its order, and lets go of what is too old. The parts come back as they are kept.
    pub fn take(&self, made: Vec<Made>) -> Vec<Arc<Kept>> {
        let mut fresh = Vec::new();
        let mut inner = self.inner.lock();
        let (before, held) = (inner.bytes, inner.held);
        for made in made {
            match made {
                Made::Segment { number, at, discontinuity, behind } => {
                    inner.begin_segment(Head { number, at, discontinuity, behind, until: None });
                }
                Made::Init(init) => inner.rendition(init.rendition).describe(init),
                Made::Part(part, bytes) => {
                    let is_data = part.rendition().kind == MediaKind::Data;
                    if let Some(cue) = is_data.then(|| CuePoint::of(&part, &bytes)).flatten() {
                        inner.add_cue_point(cue);
                    }
                    let kept = Arc::new(Kept::new(part, bytes));
                    fresh.push(Arc::clone(&kept));
                    inner.add(kept);
                }
                Made::SegmentEnded { rendition, number } => inner.rendition(rendition).end_segment(number),
                Made::Setup { since, setup } => inner.add_setup(since, setup),
                Made::Tracks(_) => {}
            }
        }
        self.count(before, inner.bytes);
        self.in_all.held.fetch_add(inner.held - held, Ordering::Relaxed);
        self.trim(&mut inner);
        let parts = inner.next_ordinal();
        drop(inner);
        if !fresh.is_empty() {
            self.growth.send_modify(|growth| growth.parts = parts);
        }
        fresh
    }

    /// The broadcast is over, and all was taken.
    pub fn end(&self) {
        let mut inner = self.inner.lock();
        let until = inner.newest();
        if let Some(last) = inner.segments.back_mut() {
            last.until = Some(until);
        }
        // First, so that whoever is woken by a rendition's end sees that all is over.
        self.growth.send_modify(|growth| growth.is_ended = true);
        inner.renditions.iter_mut().for_each(Rendition::end);
    }

    /// How far the broadcast has come; its receiver is woken once per part, and at the end.
    #[must_use]
    pub fn growth(&self) -> watch::Receiver<Growth> {
        self.growth.subscribe()
    }

    /// Whether nothing more comes.
    #[must_use]
    pub fn is_ended(&self) -> bool {
        self.growth.borrow().is_ended
    }

    /// The renditions, each with what describes it now: pictures first. Script data is none.
    #[must_use]
    pub fn renditions(&self) -> Vec<Arc<Init>> {
        let inner = self.inner.lock();
        let players = inner.renditions.iter().filter(|rendition| rendition.id.kind != MediaKind::Data);
        let mut inits: Vec<_> = players.filter_map(Rendition::newest_init).cloned().collect();
        inits.sort_by_key(|init| init.rendition);
        inits
    }

    /// A description of a rendition by its number.
    #[must_use]
    pub fn init(&self, rendition: TrackId, number: u32) -> Option<Arc<Init>> {
        self.inner.lock().find(rendition)?.init(number).cloned()
    }

    /// A rendition as it stands; `None` if there is none such.
    #[must_use]
    pub fn outline(&self, rendition: TrackId) -> Option<Outline> {
        let inner = self.inner.lock();
        let is_ended = self.is_ended();
        let found = inner.find(rendition)?;
        Some(Outline {
            discontinuity_sequence: inner.discontinuities,
            segments: inner.segments.iter().map(|head| found.segment(head)).collect(),
            part_target: found.part_target(),
            is_ended,
        })
    }

    /// A segment of a rendition; `None` if it is not kept, or has not begun.
    #[must_use]
    pub fn segment(&self, rendition: TrackId, number: u64) -> Option<Segment> {
        let inner = self.inner.lock();
        let first = inner.segments.front()?.number;
        let head = inner.segments.get(usize::try_from(number.checked_sub(first)?).ok()?)?;
        Some(inner.find(rendition)?.segment(head))
    }

    /// A part of a rendition by its segment and its number there.
    #[must_use]
    pub fn part(&self, rendition: TrackId, segment: u64, part: u32) -> Option<Arc<Kept>> {
        self.inner.lock().find(rendition)?.part(segment, part).cloned()
    }

    /// How far a rendition has come: its receiver is woken once per part of it, and at the end of each segment. Look-ups
    /// of a thousand waiting requests so cost no lock: compare with [`Reach::has`].
    #[must_use]
    pub fn reach(&self, rendition: TrackId) -> Option<watch::Receiver<Reach>> {
        Some(self.inner.lock().find(rendition)?.reach())
    }

    /// Waits until part `part` of segment `segment` is there, or without `part` the whole segment; false if the broadcast
    /// ends before it, or the rendition is not there. It may wait for ever: who asks sets a limit.
    pub async fn reached(&self, rendition: TrackId, segment: u64, part: Option<u32>) -> bool {
        let Some(mut reach) = self.reach(rendition) else { return false };
        let found = reach.wait_for(|reach| reach.has(segment, part) || reach.is_ended).await;
        found.is_ok_and(|reach| reach.has(segment, part))
    }

    /// The times that can be gone to: from the first start of a decoder that is kept to the end of the newest part.
    #[must_use]
    pub fn range(&self) -> Range {
        let inner = self.inner.lock();
        let to = inner.newest();
        let from = inner.leader().and_then(Rendition::oldest_start).map_or(to, |(at, _)| at);
        Range { from, to }
    }

    /// The first start of a decoder at or behind `at`; `None` if none is kept.
    #[must_use]
    pub fn next_start(&self, at: Timestamp) -> Option<Timestamp> {
        self.inner.lock().leader()?.start_from(at)
    }

    /// The newest picture at which decoding can start: its part, and which sample of it. For thumbnails.
    #[must_use]
    pub fn newest_picture(&self) -> Option<(Arc<Kept>, usize)> {
        let inner = self.inner.lock();
        let leader = inner.leader().filter(|leader| leader.id.kind == MediaKind::Video)?;
        leader.newest_start()
    }

    /// Bytes in memory: of parts, and of what is known of them.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.inner.lock().bytes
    }

    /// The number of the broadcast's first segment; `None` before its first frame. No other broadcast of that name has it.
    #[must_use]
    pub fn first_number(&self) -> Option<u64> {
        self.inner.lock().first_number
    }

    /// The cue points of the segments that are kept, oldest first; not more than a playlist can list.
    #[must_use]
    pub fn cue_points(&self) -> Vec<CuePoint> {
        self.inner.lock().cue_points.iter().cloned().collect()
    }

    /// The numbers of the segments that are kept; empty before there is one.
    #[must_use]
    pub fn kept_numbers(&self) -> std::ops::Range<u64> {
        let inner = self.inner.lock();
        let ends = inner.segments.front().zip(inner.segments.back());
        ends.map_or(0..0, |(first, last)| first.number..last.number + 1)
    }

    /// The number behind the last segment, 0 before there is one, and all discontinuities so far: where another broadcast of
    /// that name goes on.
    pub(crate) fn numbers(&self) -> Numbers {
        let inner = self.inner.lock();
        let kept = inner.segments.iter().filter(|segment| segment.discontinuity).count() as u64;
        Numbers {
            segment: inner.segments.back().map_or(0, |last| last.number + 1),
            discontinuities: inner.discontinuities + kept,
        }
    }

    pub(crate) const fn disk_use(&self) -> &Arc<DiskUse> {
        &self.used
    }

    fn count(&self, before: usize, now: usize) {
        if now >= before {
            self.in_all.memory.fetch_add(now - before, Ordering::Relaxed);
        } else {
            self.in_all.memory.fetch_sub(before - now, Ordering::Relaxed);
        }
    }

    /// Lets go of what is too old, or too much.
    fn trim(&self, inner: &mut Contents) {
        let WindowConfig { length, memory_max, memory_in_all_max, disk_max, disk_in_all_max, .. } =
            self.config;
        let is_much = |bytes| bytes > memory_max || self.in_all.memory() > memory_in_all_max;
        // What readers hold a moment longer than the window does not count.
        let is_on_disk = self.used.bytes().0 > 0;
        let is_much_on_disk = |held| {
            is_on_disk && (held > disk_max || self.in_all.held.load(Ordering::Relaxed) > disk_in_all_max)
        };
        loop {
            let before = inner.bytes;
            if !inner.leave_memory(is_much(before)) {
                break;
            }
            self.count(before, inner.bytes);
        }
        while inner.segments.len() > SEGMENTS_MIN {
            let second = inner.segments.get(1).map_or(Timestamp::ZERO, |second| second.at);
            let is_old = inner.newest() - second > length;
            if !is_old
                && !is_much(inner.bytes)
                && !is_much_on_disk(inner.held)
                && inner.segments.len() <= SEGMENTS_MAX
            {
                break;
            }
            let (before, held) = (inner.bytes, inner.held);
            inner.let_go_of_oldest();
            self.count(before, inner.bytes);
            self.in_all.held.fetch_sub(held - inner.held, Ordering::Relaxed);
        }
    }
}

impl Drop for Window {
    fn drop(&mut self) {
        let (bytes, held) = (self.inner.get_mut().bytes, self.inner.get_mut().held);
        self.count(bytes, 0);
        self.in_all.held.fetch_sub(held, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests;
