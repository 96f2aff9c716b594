//! Where the segments of a track start: at key frames near the target, or at the times of another track.

use crate::Timestamp;
use crate::index::Index;

/// A segment without a key frame in sight is cut when it has lasted so long.
pub const SEGMENT_MAX: Timestamp = Timestamp::from_ms(30_000);

/// Where a segment starts: the place of its first sample among those of its track.
pub(super) struct SegmentStart {
    pub(super) at: usize,
    pub(super) era: u32,
}

/// Starts at key frames: each as near to the target as the key frames allow.
pub(super) fn at_keys(
    index: &Index,
    samples: &[u32],
    breaks: &[Timestamp],
    target: Timestamp,
) -> Vec<SegmentStart> {
    let mut starts = vec![SegmentStart { at: 0, era: 0 }];
    let Some(first) = samples.first().and_then(|&n| index.sample(n)) else { return starts };
    let mut begun = first.pts.max(Timestamp::ZERO);
    let mut candidate: Option<(usize, Timestamp)> = None;
    let mut era = era_of(breaks, first.dts);
    if let Some(start) = starts.first_mut() {
        start.era = era;
    }
    for (at, sample) in samples.iter().enumerate().skip(1).filter_map(|(at, &n)| Some((at, index.sample(n)?)))
    {
        let own_era = era_of(breaks, sample.dts);
        if own_era != era {
            era = own_era;
            (begun, candidate) = (sample.pts, None);
            starts.push(SegmentStart { at, era });
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
            starts.push(SegmentStart { at: before, era });
            begun = shown;
        }
        let length = sample.pts - begun;
        if length >= target {
            starts.push(SegmentStart { at, era });
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
        starts.push(SegmentStart { at, era });
    }
    starts
}

/// Starts at the first samples of a track from given times on.
pub(super) fn at_times(
    index: &Index,
    samples: &[u32],
    times: &[Timestamp],
    breaks: &[Timestamp],
) -> Vec<SegmentStart> {
    let time = |number: &u32| index.sample(*number).map_or(Timestamp::ZERO, |sample| sample.pts);
    let mut starts: Vec<SegmentStart> = Vec::new();
    let mut places: Vec<usize> = vec![0];
    places.extend(times.iter().chain(breaks).map(|&from| samples.partition_point(|n| time(n) < from)));
    places.sort_unstable();
    places.dedup();
    for at in places.into_iter().filter(|&at| at < samples.len()) {
        let era = samples.get(at).map_or(0, |number| era_of(breaks, time(number)));
        starts.push(SegmentStart { at, era });
    }
    starts
}

fn era_of(breaks: &[Timestamp], at: Timestamp) -> u32 {
    breaks.partition_point(|&from| from <= at) as u32
}
