//! Where the segments of a track start: at key frames near the target, or at the times of another track; and in any case
//! where the film breaks and where the track takes another configuration.
//!
//! A film breaks where the track that leads takes another configuration: only there are discontinuities, and every
//! track has all of them. A sound that changes nearby, as when a publisher comes back, breaks where it changes; one that
//! changes elsewhere is only described anew.

use crate::index::Index;
use crate::{MediaKind, Timestamp};

/// A segment without a key frame in sight is cut when it has lasted so long.
pub const SEGMENT_MAX: Timestamp = Timestamp::from_ms(30_000);
/// What changes so near to a start of the track that leads begins its segment there: tracks of a publisher who comes back
/// begin within less.
const TOGETHER: Timestamp = Timestamp::from_ms(500);

/// Where a segment starts: the place of its first sample among those of its track.
pub(super) struct SegmentStart {
    pub(super) at: usize,
    pub(super) era: u32,
    pub(super) configuration: u32,
}

/// Places among the samples of a track that no segment goes across.
pub(super) struct Breaks {
    /// Where the film breaks: a place for each time that it does, in order.
    eras: Vec<usize>,
    /// Where the track takes another configuration, in order.
    changes: Vec<usize>,
    /// Of pictures: where their key frames are.
    keys: Option<Vec<usize>>,
}

impl Breaks {
    /// The places of a track at `place` among the film's. `times`: when the film breaks; of the track that leads they
    /// are [its own](Self::times).
    pub(super) fn new(index: &Index, place: usize, samples: &[u32], times: &[Timestamp]) -> Self {
        let is_key = |&at: &usize| samples.get(at).and_then(|&n| index.sample(n)).is_some_and(|s| s.key);
        let keys = is_video(index, place).then(|| (0..samples.len()).filter(is_key).collect());
        let mut breaks = Self { eras: Vec::new(), changes: changes(index, place, samples), keys };
        breaks.eras = times.iter().map(|&time| breaks.place_for(index, samples, time)).collect();
        breaks.eras.sort_unstable();
        breaks
    }

    /// When a film breaks that this track leads.
    pub(super) fn times(index: &Index, place: usize, samples: &[u32]) -> Vec<Timestamp> {
        let mut changes = changes(index, place, samples);
        changes.dedup();
        let behind_first = changes.into_iter().filter(|&at| at > 0);
        behind_first.filter_map(|at| shown(index, samples, at)).collect()
    }

    /// Where the segment of that time starts: where the track changes nearby, else with what is shown from then on.
    fn place_for(&self, index: &Index, samples: &[u32], time: Timestamp) -> usize {
        let shown = |at: usize| shown(index, samples, at);
        let is_before = |&at: &usize| shown(at).is_some_and(|shown| shown < time);
        let next = self.changes.partition_point(is_before);
        let near = self.changes.get(next.saturating_sub(1)..).unwrap_or_default().iter().take(2);
        let apart = |at: usize| shown(at).map(|shown| (shown - time).max(time - shown));
        let near =
            near.filter_map(|&at| Some((apart(at)?, at))).filter(|(apart, _)| *apart <= TOGETHER).min();
        let from = || match &self.keys {
            Some(keys) => keys.get(keys.partition_point(is_before)).copied().unwrap_or(samples.len()),
            None => samples.partition_point(|&n| index.sample(n).is_some_and(|sample| sample.pts < time)),
        };
        near.map_or_else(from, |(_, at)| at)
    }

    fn lies_at(&self, at: usize) -> bool {
        self.eras.binary_search(&at).is_ok() || self.changes.binary_search(&at).is_ok()
    }

    fn start(&self, at: usize) -> SegmentStart {
        let passed = |places: &[usize]| places.partition_point(|&from| from <= at) as u32;
        SegmentStart { at, era: passed(&self.eras), configuration: passed(&self.changes) }
    }
}

/// Where a track takes another configuration: the place of the first sample for which each of them holds.
fn changes(index: &Index, place: usize, samples: &[u32]) -> Vec<usize> {
    let decoded_before = |n: u32, from| index.sample(n).is_some_and(|sample| sample.dts < from);
    let Some(indexed) = index.tracks().get(place) else { return Vec::new() };
    let changes = index.changes.of_track(indexed.track.id).iter();
    changes.map(|change| samples.partition_point(|&n| decoded_before(n, change.from))).collect()
}

/// Whether the track at that place among the film's has pictures.
pub(super) fn is_video(index: &Index, place: usize) -> bool {
    index.tracks().get(place).is_some_and(|indexed| indexed.track.id.kind == MediaKind::Video)
}

fn shown(index: &Index, samples: &[u32], at: usize) -> Option<Timestamp> {
    Some(index.sample(*samples.get(at)?)?.pts)
}

/// Starts at key frames: each as near to the target as the key frames allow.
pub(super) fn at_keys(
    index: &Index,
    samples: &[u32],
    breaks: &Breaks,
    target: Timestamp,
) -> Vec<SegmentStart> {
    let mut starts = vec![breaks.start(0)];
    let Some(first) = samples.first().and_then(|&n| index.sample(n)) else { return starts };
    let mut begun = first.pts.max(Timestamp::ZERO);
    let mut candidate: Option<(usize, Timestamp)> = None;
    for (at, sample) in samples.iter().enumerate().skip(1).filter_map(|(at, &n)| Some((at, index.sample(n)?)))
    {
        if breaks.lies_at(at) {
            (begun, candidate) = (sample.pts, None);
            starts.push(breaks.start(at));
            continue;
        }
        let length = sample.pts - begun;
        let overdue = length > SEGMENT_MAX && candidate.is_none();
        if !sample.key && !overdue {
            continue;
        }
        // The key frame before the target may be nearer to it than this one.
        if let Some((before, shown)) = candidate.take()
            && length > target
            && target - (shown - begun) < length - target
        {
            starts.push(breaks.start(before));
            begun = shown;
        }
        let length = sample.pts - begun;
        if length >= target {
            starts.push(breaks.start(at));
            begun = sample.pts;
        } else if length > Timestamp::ZERO {
            candidate = Some((at, sample.pts));
        }
    }
    // A last segment of nearly twice the target is two.
    let end = samples.last().and_then(|&n| index.sample(n)).map_or(begun, |last| last.pts);
    if let Some((at, shown)) = candidate
        && end - begun > target
        && target - (shown - begun) < end - begun - target
    {
        starts.push(breaks.start(at));
    }
    starts
}

/// Starts at given times, those at which the segments of the track that leads begin.
pub(super) fn at_times(
    index: &Index,
    samples: &[u32],
    times: &[Timestamp],
    breaks: &Breaks,
) -> Vec<SegmentStart> {
    let mut places: Vec<usize> = times.iter().map(|&from| breaks.place_for(index, samples, from)).collect();
    places.extend(breaks.eras.iter().chain(&breaks.changes).chain(&[0]));
    places.sort_unstable();
    places.dedup();
    places.into_iter().filter(|&at| at < samples.len()).map(|at| breaks.start(at)).collect()
}
