//! A track cut into segments: which samples each has, how long it is and how many bytes it takes.

use super::segment_starts::{SegmentStart, is_video};
use crate::index::{Index, Sample};
use crate::{DescribedTrack, Timestamp};

/// Key frames closer than this are not all listed for scrubbing.
pub const KEY_FRAMES_APART: Timestamp = Timestamp::from_ms(1000);

/// What a segment's head takes, and what it says of each sample.
const HEAD_BYTES: u64 = 140;
const SAMPLE_BYTES: u64 = 16;

/// A track cut into segments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SegmentedTrack {
    /// Its place in [`Index::tracks`].
    pub track: usize,
    /// Its segments, at least one.
    pub segments: Vec<MediaSegment>,
    /// Its key frames for scrubbing; none of sound, nor of pictures that are renewed gradually.
    pub keys: Vec<MediaSegment>,
    /// Whether every segment starts with a key frame that is a whole picture.
    pub independent: bool,
    /// The end of the last segment, on the presentation's timeline.
    pub end: Timestamp,
    /// Samples of the track, as for `EXT-X-STREAM-INF`'s `FRAME-RATE`.
    pub samples: usize,
    /// When the last access unit ends, in decoding time of the index.
    last_until: Timestamp,
}

/// A segment: those samples of its track that lie between two samples of the index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MediaSegment {
    /// The number of its first sample in the index.
    pub first: u32,
    /// The number of the sample behind its last.
    pub behind: u32,
    /// When it begins, on the presentation's timeline.
    pub start: Timestamp,
    /// Its bytes, heads included, about.
    pub bytes: u64,
    /// How often the film has broken before it, as for its Discontinuity Sequence Number.
    pub era: u32,
    /// Which of the track's configurations it needs, from 0.
    pub configuration: u32,
}

impl SegmentedTrack {
    /// Which of the track's configurations its segments need, in order.
    #[must_use]
    pub fn configurations(&self) -> Vec<u32> {
        let mut numbers: Vec<u32> = self.segments.iter().map(|segment| segment.configuration).collect();
        numbers.dedup();
        numbers
    }

    /// The track in one of its configurations, with all that describes it.
    #[must_use]
    pub fn described<'a>(&self, index: &'a Index, configuration: u32) -> Option<DescribedTrack<'a>> {
        index.configurations(self.track).nth(configuration as usize)
    }

    /// Bits per second: the most of any segment, and over all.
    #[must_use]
    pub fn bandwidth(&self) -> (u64, u64) {
        bandwidth(&self.segments, self.end)
    }

    /// As [`bandwidth`](Self::bandwidth), of the key frames alone.
    #[must_use]
    pub fn key_bandwidth(&self) -> (u64, u64) {
        bandwidth(&self.keys, self.end)
    }

    pub(super) fn new(
        index: &Index,
        track: usize,
        samples: &[u32],
        starts: &[SegmentStart],
        origin: Timestamp,
    ) -> Self {
        let of = |number: u32| index.sample(number);
        let last = samples.last().and_then(|&n| of(n)).map_or(Timestamp::ZERO, |sample| sample.dts);
        let (ends, lasts) = index
            .tracks()
            .get(track)
            .map_or((last, Timestamp::ZERO), |indexed| (indexed.end, indexed.last_lasts));
        let end = ends - origin;
        let mut segments: Vec<MediaSegment> = Vec::with_capacity(starts.len());
        for (at, start) in starts.iter().enumerate() {
            let end = starts.get(at + 1).map_or(samples.len(), |next| next.at);
            let run = samples.get(start.at..end).unwrap_or_default();
            let (Some(&first), Some(&last)) = (run.first(), run.last()) else { continue };
            let payloads: u64 =
                run.iter().filter_map(|&n| of(n)).map(|s| u64::from(index.payload_len(s))).sum();
            let bytes = payloads + HEAD_BYTES + SAMPLE_BYTES * run.len() as u64;
            // The first one begins with what the film shows first, so that all playlists do and last as long as it.
            let shown = of(first).map_or(Timestamp::ZERO, |sample| sample.pts.max(Timestamp::ZERO));
            let shown = if segments.is_empty() { Timestamp::ZERO } else { shown } - origin;
            let &SegmentStart { era, configuration, .. } = start;
            segments.push(MediaSegment { first, behind: last + 1, start: shown, bytes, era, configuration });
        }
        let are_whole = index.tracks().get(track).is_some_and(|indexed| !indexed.renews_gradually);
        let has_keys = is_video(index, track) && are_whole;
        let keys = if has_keys { key_segments(index, &segments, track, origin) } else { Vec::new() };
        let is_key = |segment: &MediaSegment| of(segment.first).is_some_and(|sample| sample.key);
        let independent = are_whole && segments.iter().all(is_key);
        let last_until = last + lasts;
        Self { track, segments, keys, independent, end, samples: samples.len(), last_until }
    }

    /// The decoding time of the track's next sample behind a segment.
    pub(super) fn decoded_behind(&self, index: &Index, segment: &MediaSegment) -> Timestamp {
        let segments = if self.segments.contains(segment) { &self.segments } else { &self.keys };
        let next = segments.iter().find(|next| next.first >= segment.behind);
        next.and_then(|next| index.sample(next.first)).map_or(self.last_until, |sample| sample.dts)
    }
}

impl MediaSegment {
    /// The samples.
    pub fn samples<'a>(&self, index: &'a Index, track: usize) -> impl Iterator<Item = &'a Sample> + use<'a> {
        let range = self.first as usize..self.behind as usize;
        let between = index.samples().get(range).unwrap_or_default();
        between.iter().filter(move |sample| usize::from(sample.track) == track)
    }
}

/// Key frames at least [`KEY_FRAMES_APART`] from each other; each lasts until the next.
fn key_segments(
    index: &Index,
    segments: &[MediaSegment],
    track: usize,
    origin: Timestamp,
) -> Vec<MediaSegment> {
    let mut keys: Vec<MediaSegment> = Vec::new();
    for segment in segments {
        let numbers = segment.first..segment.behind;
        for (number, sample) in numbers.filter_map(|number| Some((number, index.sample(number)?))) {
            let start = sample.pts.max(Timestamp::ZERO) - origin;
            let far = keys.last().is_none_or(|last| {
                start - last.start >= KEY_FRAMES_APART || last.configuration != segment.configuration
            });
            // One that is decoded only stands for what it leads to, where there is no other.
            let is_shown = !sample.decode_only || keys.is_empty();
            if usize::from(sample.track) == track && sample.key && is_shown && far {
                let start = if keys.is_empty() { Timestamp::ZERO - origin } else { start };
                let bytes = u64::from(index.payload_len(sample)) + HEAD_BYTES + SAMPLE_BYTES;
                keys.push(MediaSegment { first: number, behind: number + 1, start, bytes, ..*segment });
            }
        }
    }
    keys
}

fn bandwidth(segments: &[MediaSegment], end: Timestamp) -> (u64, u64) {
    let rate = |bytes: u64, lasts: Timestamp| {
        let nanos = u128::try_from(lasts.as_nanos()).unwrap_or(0).max(1_000_000);
        u64::try_from(u128::from(bytes) * 8_000_000_000 / nanos).unwrap_or(u64::MAX)
    };
    let ends = segments.iter().skip(1).map(|segment| segment.start).chain([end]);
    let most = segments
        .iter()
        .zip(ends)
        .map(|(segment, end)| rate(segment.bytes, end - segment.start))
        .max()
        .unwrap_or(0);
    let average = rate(segments.iter().map(|segment| segment.bytes).sum(), end);
    // A last segment of a moment must not be announced as the film's rate; the average never exceeds the peak.
    (most.max(average), average)
}
