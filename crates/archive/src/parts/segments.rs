//! Where segments of all renditions are cut: at key frames of the pictures once a segment is long enough; where there are
//! no pictures, or their groups are longer than a segment may be, into pieces of even length. So the longest segment is
//! known before the first frame has come, as HLS has it (`EXT-X-TARGETDURATION` must never change).

use std::collections::VecDeque;
use std::time::Duration;

use headwater_media::regularity::KeyInterval;
use headwater_media::{MediaKind, Timestamp, TrackId};

/// No segment is longer, rounded to seconds (RFC 8216, 4.3.3.1), unless single pictures are: what `EXT-X-TARGETDURATION`
/// says of every broadcast.
pub const TARGET_DURATION: Duration = Duration::from_secs(6);
/// Where pictures lead, a segment without a key frame is cut here. The second that is left is for sound that runs ahead:
/// only when pictures have stayed away for that long does it cut by itself.
const LEADING_MAX: Timestamp = Timestamp::from_ms(5_000);
/// The longest that [`TARGET_DURATION`] allows: where pictures stay away, all others are cut here.
const FOLLOWING_MAX: Timestamp = Timestamp::from_ms(6_000);
/// A key frame this much early ends the segment all the same: encoders' clocks jitter.
const EARLY: Timestamp = Timestamp::from_ms(100);
/// What comes so much later than its time says has not been on its way for so long: its publisher was away.
const AWAY_MIN: Duration = Duration::from_millis(1_500);
/// How long a segment is kept open for renditions whose frames come late.
const LATE_MAX: Duration = Duration::from_millis(1_000);
/// Parts of one segment, of all renditions: thirty renditions of 6 s in parts of a third of a second. Frames whose time
/// stands still would otherwise fill one segment for ever.
const SEGMENT_PARTS_MAX: usize = 1_000;
/// Bytes of one segment, of all renditions: 6 s of 85 Mbit/s. A segment is kept or let go as a whole.
const SEGMENT_BYTES_MAX: usize = 64 << 20;

/// A frame at which a segment may be cut.
#[derive(Clone, Copy, Debug)]
pub(super) struct Candidate {
    pub(super) track: TrackId,
    pub(super) at: Timestamp,
    /// How long it probably lasts.
    pub(super) lasts: Timestamp,
    /// Whether a decoder can begin here.
    pub(super) is_start: bool,
    /// Whether its rendition has nothing in the segment yet.
    pub(super) is_first: bool,
}

/// That a segment is to begin, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    /// It begins where no group does: the next key frame begins one anyway.
    forced: bool,
    /// It counts from where the one before was to end, so that pieces of sound stay even.
    even: bool,
}

impl Wanted {
    pub(super) const FORCED: Self = Self { forced: true, even: false };
}

#[derive(Clone, Copy, Debug)]
struct Cut {
    number: u64,
    at: Timestamp,
    /// When renditions that have not come so far are moved on.
    until: Duration,
}

#[derive(Debug)]
pub(super) struct Segments {
    target: Timestamp,
    current: u64,
    start: Option<Timestamp>,
    is_forced: bool,
    /// Cuts that not all renditions have passed.
    cuts: VecDeque<Cut>,
    leader: Option<TrackId>,
    keys: KeyInterval,
    /// A time of the broadcast, and when that was.
    anchor: Option<(Timestamp, Duration)>,
    behind: Duration,
    parts: usize,
    bytes: usize,
}

impl Segments {
    pub(super) fn new(target: Timestamp, first: u64) -> Self {
        let target = target.min(LEADING_MAX);
        let (cuts, keys) = (VecDeque::new(), KeyInterval::default());
        Self {
            target,
            current: first,
            start: None,
            is_forced: false,
            cuts,
            leader: None,
            keys,
            anchor: None,
            behind: Duration::ZERO,
            parts: 0,
            bytes: 0,
        }
    }

    pub(super) const fn current(&self) -> u64 {
        self.current
    }

    /// Whether the first has begun.
    pub(super) const fn have_begun(&self) -> bool {
        self.start.is_some()
    }

    /// When the current one began.
    pub(super) const fn start(&self) -> Option<Timestamp> {
        self.start
    }

    /// Which rendition's frames decide where segments end.
    pub(super) fn lead(&mut self, leader: Option<TrackId>) {
        if self.leader != leader {
            self.leader = leader;
            self.keys = KeyInterval::default();
        }
    }

    /// The first segment begins with the first frame.
    pub(super) const fn begin_first(&mut self, at: Timestamp, now: Duration) {
        self.start = Some(at);
        self.anchor = Some((at, now));
    }

    /// Whether what comes at `now` is so late that its publisher was away.
    pub(super) fn is_late(&self, at: Timestamp, now: Duration) -> bool {
        self.late_by(at, now) >= AWAY_MIN
    }

    /// From here on times are those of `now`: what was late is on time.
    pub(super) fn catch_up(&mut self, at: Timestamp, now: Duration) {
        if self.is_late(at, now) {
            self.behind += self.late_by(at, now);
            self.anchor = Some((at, now));
        }
    }

    /// How much later than their times say frames have come since the broadcast began.
    pub(super) const fn behind(&self) -> Duration {
        self.behind
    }

    fn late_by(&self, at: Timestamp, now: Duration) -> Duration {
        let Some((anchor, then)) = self.anchor else { return Duration::ZERO };
        let media = u64::try_from((at - anchor).as_nanos()).map_or(Duration::ZERO, Duration::from_nanos);
        now.saturating_sub(then).saturating_sub(media)
    }

    /// Whether a segment is to begin with this frame.
    pub(super) fn wanted(&mut self, frame: &Candidate) -> Option<Wanted> {
        let leads = Some(frame.track) == self.leader;
        if leads && frame.is_start {
            self.keys.key(frame.at);
        }
        let elapsed = frame.at - self.start?;
        if elapsed <= Timestamp::ZERO {
            return self.is_full().then_some(Wanted::FORCED);
        }
        let forced = |is_wanted: bool| (is_wanted || self.is_full()).then_some(Wanted::FORCED);
        let end = elapsed + frame.lasts;
        match (leads, frame.track.kind) {
            // The segment began with sound a moment ago, for who comes back: it is the one that this was to begin.
            (true, MediaKind::Video) if frame.is_start && frame.is_first && self.is_forced => {
                self.is_forced = false;
                None
            }
            (true, MediaKind::Video)
                if frame.is_start && (self.is_forced || elapsed + EARLY >= self.target) =>
            {
                Some(Wanted { forced: false, even: false })
            }
            (true, MediaKind::Video) => forced(end > self.piece()),
            (true, _) if elapsed >= self.target => Some(Wanted { forced: false, even: true }),
            (true, _) => forced(false),
            (false, _) => forced(end > FOLLOWING_MAX),
        }
    }

    /// Begins the next segment; its number comes back.
    pub(super) fn begin(&mut self, at: Timestamp, wanted: Wanted, now: Duration) -> u64 {
        let due = self.start.map(|start| start + self.target);
        let is_near = |due: &Timestamp| wanted.even && at - *due < self.target;
        self.start = Some(due.filter(is_near).unwrap_or(at));
        self.is_forced = wanted.forced;
        self.current += 1;
        (self.parts, self.bytes) = (0, 0);
        self.cuts.push_back(Cut { number: self.current, at, until: now + LATE_MAX });
        self.current
    }

    /// The segment that a rendition which stands in `segment` enters with a frame at `at`, if it is another.
    pub(super) fn entered(&self, segment: u64, at: Timestamp) -> Option<u64> {
        let passed = self.cuts.iter().rev().find(|cut| cut.at <= at)?;
        (passed.number > segment).then_some(passed.number)
    }

    /// The segment that a rendition which stands in `segment` is moved to because it has not come so far by `now`.
    pub(super) fn overdue(&self, segment: u64, now: Duration) -> Option<u64> {
        let passed = self.cuts.iter().rev().find(|cut| cut.until <= now)?;
        (passed.number > segment).then_some(passed.number)
    }

    pub(super) fn overdue_at(&self) -> Option<Duration> {
        self.cuts.front().map(|cut| cut.until)
    }

    /// Lets go of cuts that all renditions have passed; `standing` are the segments in which they stand.
    pub(super) fn forget_passed(&mut self, standing: impl Iterator<Item = u64>) {
        let last = standing.min().unwrap_or(self.current);
        while self.cuts.front().is_some_and(|cut| cut.number <= last) {
            self.cuts.pop_front();
        }
    }

    pub(super) const fn count_part(&mut self, bytes: usize) {
        self.parts += 1;
        self.bytes += bytes;
    }

    const fn is_full(&self) -> bool {
        self.parts >= SEGMENT_PARTS_MAX || self.bytes >= SEGMENT_BYTES_MAX
    }

    /// How long a segment without a key frame may be: groups of known length are cut into even pieces.
    fn piece(&self) -> Timestamp {
        let (max, group) = (LEADING_MAX.as_nanos(), self.keys.whole().map_or(0, Timestamp::as_nanos));
        if group <= max {
            return LEADING_MAX;
        }
        let pieces = (group - 1) / max + 1;
        // A frame's time is rounded to milliseconds.
        Timestamp::from_nanos(group / pieces + 1_000_000).min(LEADING_MAX)
    }
}
