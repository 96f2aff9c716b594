//! Where a film is cut, and what stands before the payloads of each segment.
//!
//! Everything follows from the index: who asks for the same segment of the same film gets the same bytes, whatever
//! was asked for before. All tracks share one timeline, on which the first access unit is decoded at 0: no decoding
//! time lies before 0, no composition offset is negative and no edit list is needed. Where pictures are reordered the
//! first of them is shown a moment after 0, and the sound as much later. (Offsets below zero would do without that
//! moment, but FFmpeg 5.1 takes their size from the first fragment and shows such pictures too late.)

use bytes::Bytes;

use crate::index::{Index, Sample};
use crate::mp4::{FragmentSample, Muxer};
use crate::piece::Piece;
use crate::{Codec, Error, MediaKind, Timestamp, Track};

/// How long segments are to be: cuts lie at the key frames nearest to it.
pub const SEGMENT_TARGET: Timestamp = Timestamp::from_ms(6000);
/// A segment without a key frame in sight is cut when it has lasted so long.
pub const SEGMENT_MAX: Timestamp = Timestamp::from_ms(30_000);
/// Key frames closer than this are not all listed for scrubbing.
pub const KEY_FRAMES_APART: Timestamp = Timestamp::from_ms(1000);
/// A last access unit that is said to last longer is not believed: more likely the end of the file is missing.
const LAST_MAX: Timestamp = Timestamp::from_ms(10_000);
/// How long one lasts that nothing follows, if nothing is said.
const LONE: Timestamp = Timestamp::from_ms(40);

/// What a segment's head takes, and what it says of each sample.
const HEAD_BYTES: u64 = 140;
const SAMPLE_BYTES: u64 = 16;

/// A film cut into segments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Presentation {
    origin: Timestamp,
    lines: Vec<SegmentedTrack>,
    left_out: Vec<String>,
}

/// A track cut into segments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SegmentedTrack {
    /// Its place in [`Index::tracks`].
    pub track: usize,
    /// Its segments, at least one.
    pub segments: Vec<MediaSegment>,
    /// Its key frames for scrubbing; none of sound.
    pub keys: Vec<MediaSegment>,
    /// Whether every segment starts with a key frame.
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
    /// Which of the track's configurations it needs; one more than before means a break.
    pub era: u32,
}

impl Presentation {
    /// Cuts a film into segments of about `target`; [`SEGMENT_TARGET`] suits most.
    ///
    /// # Errors
    /// `Unsupported` if none of its tracks can be carried, with the reason for each.
    pub fn new(index: &Index, target: Timestamp) -> Result<Self, Error> {
        let mut left_out = Vec::new();
        let mut carried = Vec::new();
        for (place, indexed) in index.tracks().iter().enumerate() {
            if indexed.track.id.kind == MediaKind::Data {
                continue;
            }
            match check(index, place) {
                Ok(samples) if samples.is_empty() => {}
                Ok(samples) => carried.push((place, samples)),
                Err(error) => left_out.push(format!("{} is left out: {error}", indexed.track.codec)),
            }
        }
        let first =
            |samples: &Vec<u32>| samples.first().and_then(|&n| sample(index, n)).map(|s| s.dts.min(s.pts));
        let origin = carried.iter().filter_map(|(_, samples)| first(samples)).min();
        let Some(origin) = origin else {
            let reasons =
                if left_out.is_empty() { "it has no sample".to_owned() } else { left_out.join("; ") };
            let mend = "HLS carries H.264, H.265, AV1, VP9, AAC, MP3, Opus, FLAC and AC-3";
            return Err(Error::unsupported(format!("a film of these tracks ({reasons})"), mend));
        };
        let breaks = index.breaks();
        let is_video = |place: usize| kind(index, place) == MediaKind::Video;
        let leader = carried.iter().find(|(place, _)| is_video(*place)).map(|(place, _)| *place);
        let mut lines: Vec<SegmentedTrack> = Vec::with_capacity(carried.len());
        // The picture first: sound is cut at its times.
        carried.sort_by_key(|(place, _)| Some(*place) != leader);
        let mut times: Option<Vec<Timestamp>> = None;
        for (place, samples) in carried {
            let starts = match &times {
                Some(times) if !is_video(place) => at_times(index, &samples, times, &breaks),
                _ => at_keys(index, &samples, &breaks, target),
            };
            let line = SegmentedTrack::new(index, place, &samples, &starts, origin);
            times.get_or_insert_with(|| line.segments.iter().skip(1).map(|cut| cut.start + origin).collect());
            lines.push(line);
        }
        lines.sort_by_key(|line| line.track);
        Ok(Self { origin, lines, left_out })
    }

    /// The time of the index that is 0 here.
    #[must_use]
    pub const fn origin(&self) -> Timestamp {
        self.origin
    }

    /// The tracks that are carried, in the file's order.
    #[must_use]
    pub fn tracks(&self) -> &[SegmentedTrack] {
        &self.lines
    }

    /// What is not carried, in words.
    #[must_use]
    pub fn left_out(&self) -> &[String] {
        &self.left_out
    }

    /// When the last of the tracks ends.
    #[must_use]
    pub fn end(&self) -> Timestamp {
        self.lines.iter().map(|line| line.end).max().unwrap_or_default()
    }

    /// The initialisation segment of a line for the segments of an era. `frame` is the payload of the first sample
    /// of that era; only AC-3 and VP9 need it ([`SegmentedTrack::needs_frame`]).
    ///
    /// # Errors
    /// As [`Muxer::new`].
    pub fn init(&self, index: &Index, line: &SegmentedTrack, era: u32, frame: &[u8]) -> Result<Bytes, Error> {
        self.muxer(index, line, era, frame)?.init_segment()
    }

    /// A segment (or a key frame's) of a line: its head, then the payloads as pieces of the film's file. `number`
    /// is its place in the playlist, `frame` as for [`init`](Self::init).
    ///
    /// # Errors
    /// `Misuse` for a cut of another film, `Limit` for a segment above 2 GiB.
    pub fn segment(
        &self,
        index: &Index,
        line: &SegmentedTrack,
        number: usize,
        cut: &MediaSegment,
        frame: &[u8],
    ) -> Result<(Bytes, Vec<Piece>), Error> {
        let samples = || cut.samples(index, line.track);
        let units: Vec<FragmentSample> = samples()
            .map(|sample| FragmentSample {
                dts: sample.dts,
                pts: sample.pts,
                key: sample.key,
                len: index.payload_len(sample),
            })
            .collect();
        let until = line.decoded_behind(index, cut);
        let sequence = u32::try_from(number).unwrap_or(u32::MAX).saturating_add(1);
        let head = self.muxer(index, line, cut.era, frame)?.fragment_head(sequence, &units, until)?;
        let mut pieces: Vec<Piece> = Vec::new();
        for sample in samples() {
            match pieces.last_mut() {
                _ if sample.needs_repair => pieces.push(Piece::Repaired(*sample)),
                Some(Piece::File { offset, len }) if *offset + *len == sample.offset => {
                    *len += u64::from(sample.size);
                }
                _ => pieces.push(Piece::File { offset: sample.offset, len: sample.size.into() }),
            }
        }
        Ok((head, pieces))
    }

    fn muxer(&self, index: &Index, line: &SegmentedTrack, era: u32, frame: &[u8]) -> Result<Muxer, Error> {
        let indexed = index.tracks().get(line.track).ok_or(Error::Misuse("a line of another film"))?;
        let track = line.track_of(index, era).unwrap_or_else(|| indexed.track.clone());
        Muxer::of_one(&track, frame, indexed.language.as_deref(), self.origin)
    }
}

impl SegmentedTrack {
    /// Whether the codec is described by a frame.
    #[must_use]
    pub fn needs_frame(&self, index: &Index) -> bool {
        let codec = index.tracks().get(self.track).map(|indexed| indexed.track.codec);
        matches!(codec, Some(Codec::Ac3 | Codec::Eac3 | Codec::Vp9))
    }

    /// The number of the first sample of an era.
    #[must_use]
    pub fn first_of(&self, era: u32) -> Option<usize> {
        self.segments.iter().find(|cut| cut.era == era).map(|cut| cut.first as usize)
    }

    /// The track as it is in an era.
    #[must_use]
    pub fn track_of(&self, index: &Index, era: u32) -> Option<Track> {
        let id = index.tracks().get(self.track)?.track.id;
        index.tracks_at(self.first_of(era)?).into_iter().find(|track| track.id == id)
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

    fn new(index: &Index, track: usize, samples: &[u32], starts: &[Start], origin: Timestamp) -> Self {
        let of = |number: u32| sample(index, number);
        let dts = |number: Option<&u32>| number.and_then(|&n| of(n)).map_or(Timestamp::ZERO, |s| s.dts);
        let (first, last) = (dts(samples.first()), dts(samples.last()));
        let before_last = samples.len().checked_sub(2).and_then(|at| samples.get(at));
        let usual = before_last.map_or(LONE, |before| last - dts(Some(before)));
        let said = index.tracks().get(track).map_or(Timestamp::ZERO, |t| first + t.duration - last);
        let lasts = if said > Timestamp::ZERO && said <= LAST_MAX { said } else { usual };
        let last_shown = samples.iter().rev().take(64).filter_map(|&n| of(n)).map(|s| s.pts).max();
        let end = last_shown.unwrap_or(last) + lasts - origin;
        let mut segments: Vec<MediaSegment> = Vec::with_capacity(starts.len());
        for (at, start) in starts.iter().enumerate() {
            let end = starts.get(at + 1).map_or(samples.len(), |next| next.at);
            let run = samples.get(start.at..end).unwrap_or_default();
            let (Some(&first), Some(&last)) = (run.first(), run.last()) else { continue };
            let payloads: u64 =
                run.iter().filter_map(|&n| of(n)).map(|s| u64::from(index.payload_len(s))).sum();
            let bytes = payloads + HEAD_BYTES + SAMPLE_BYTES * run.len() as u64;
            // The first one begins with the presentation, so that all playlists do.
            let shown = of(first).map_or(Timestamp::ZERO, |sample| sample.pts - origin);
            let shown = if segments.is_empty() { Timestamp::ZERO } else { shown };
            segments.push(MediaSegment { first, behind: last + 1, start: shown, bytes, era: start.era });
        }
        let keys = if kind(index, track) == MediaKind::Video {
            keys(index, &segments, track, origin)
        } else {
            Vec::new()
        };
        let is_key = |cut: &MediaSegment| of(cut.first).is_some_and(|sample| sample.key);
        let independent = segments.iter().all(is_key);
        let last_until = last + lasts;
        Self { track, segments, keys, independent, end, samples: samples.len(), last_until }
    }

    /// The decoding time of the track's next sample behind a cut.
    fn decoded_behind(&self, index: &Index, cut: &MediaSegment) -> Timestamp {
        let cuts = if self.segments.contains(cut) { &self.segments } else { &self.keys };
        let next = cuts.iter().find(|next| next.first >= cut.behind);
        next.and_then(|next| sample(index, next.first)).map_or(self.last_until, |sample| sample.dts)
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

/// Where a segment starts: the place of its first sample among those of its track.
struct Start {
    at: usize,
    era: u32,
}

/// The samples of a track, if HLS can carry it.
fn check(index: &Index, place: usize) -> Result<Vec<u32>, Error> {
    let own = |(_, sample): &(usize, &Sample)| usize::from(sample.track) == place;
    let samples: Vec<u32> =
        index.samples().iter().enumerate().filter(own).map(|(number, _)| number as u32).collect();
    for track in index.configurations(place) {
        // What AC-3 and VP9 are is known from their frames, which are not at hand.
        if !matches!(track.codec, Codec::Ac3 | Codec::Eac3 | Codec::Vp9) {
            Muxer::of_one(track, &[], None, Timestamp::ZERO)?;
        }
    }
    Ok(samples)
}

/// Starts at key frames: each as near to the target as the key frames allow.
fn at_keys(index: &Index, samples: &[u32], breaks: &[Timestamp], target: Timestamp) -> Vec<Start> {
    let mut starts = vec![Start { at: 0, era: 0 }];
    let Some(first) = samples.first().and_then(|&n| sample(index, n)) else { return starts };
    let mut begun = first.pts;
    let mut candidate: Option<(usize, Timestamp)> = None;
    let mut era = era_of(breaks, first.dts);
    if let Some(start) = starts.first_mut() {
        start.era = era;
    }
    for (at, sample) in
        samples.iter().enumerate().skip(1).filter_map(|(at, &n)| Some((at, sample(index, n)?)))
    {
        let own_era = era_of(breaks, sample.dts);
        if own_era != era {
            era = own_era;
            (begun, candidate) = (sample.pts, None);
            starts.push(Start { at, era });
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
            starts.push(Start { at: before, era });
            begun = shown;
        }
        let length = sample.pts - begun;
        if length >= target {
            starts.push(Start { at, era });
            begun = sample.pts;
        } else if length > Timestamp::ZERO {
            candidate = Some((at, sample.pts));
        }
    }
    // A last segment of nearly twice the target is two.
    let end = samples.last().and_then(|&n| sample(index, n)).map_or(begun, |last| last.pts);
    if let Some((at, shown)) = candidate
        && end - begun > target
        && target - (shown - begun) < end - begun - target
    {
        starts.push(Start { at, era });
    }
    starts
}

/// Starts at the first samples of a track from given times on.
fn at_times(index: &Index, samples: &[u32], times: &[Timestamp], breaks: &[Timestamp]) -> Vec<Start> {
    let time = |number: &u32| sample(index, *number).map_or(Timestamp::ZERO, |sample| sample.pts);
    let mut starts: Vec<Start> = Vec::new();
    let mut places: Vec<usize> = vec![0];
    places.extend(times.iter().chain(breaks).map(|&from| samples.partition_point(|n| time(n) < from)));
    places.sort_unstable();
    places.dedup();
    for at in places.into_iter().filter(|&at| at < samples.len()) {
        let era = samples.get(at).map_or(0, |number| era_of(breaks, time(number)));
        starts.push(Start { at, era });
    }
    starts
}

/// Key frames at least [`KEY_FRAMES_APART`] from each other; each lasts until the next.
fn keys(index: &Index, segments: &[MediaSegment], track: usize, origin: Timestamp) -> Vec<MediaSegment> {
    let mut keys: Vec<MediaSegment> = Vec::new();
    for cut in segments {
        let numbers = cut.first..cut.behind;
        for (number, sample) in numbers.filter_map(|number| Some((number, sample(index, number)?))) {
            let start = (sample.pts - origin).max(Timestamp::ZERO);
            let far =
                keys.last().is_none_or(|last| start - last.start >= KEY_FRAMES_APART || last.era != cut.era);
            if usize::from(sample.track) == track && sample.key && far {
                let start = if keys.is_empty() { Timestamp::ZERO } else { start };
                let bytes = u64::from(index.payload_len(sample)) + HEAD_BYTES + SAMPLE_BYTES;
                keys.push(MediaSegment { first: number, behind: number + 1, start, bytes, era: cut.era });
            }
        }
    }
    keys
}

fn bandwidth(cuts: &[MediaSegment], end: Timestamp) -> (u64, u64) {
    let rate = |bytes: u64, lasts: Timestamp| {
        let nanos = u128::try_from(lasts.as_nanos()).unwrap_or(0).max(1_000_000);
        u64::try_from(u128::from(bytes) * 8_000_000_000 / nanos).unwrap_or(u64::MAX)
    };
    let ends = cuts.iter().skip(1).map(|cut| cut.start).chain([end]);
    let most = cuts.iter().zip(ends).map(|(cut, end)| rate(cut.bytes, end - cut.start)).max().unwrap_or(0);
    let average = rate(cuts.iter().map(|cut| cut.bytes).sum(), end);
    // A last segment of a moment must not be announced as the film's rate; the average never exceeds the peak.
    (most.max(average), average)
}

fn era_of(breaks: &[Timestamp], at: Timestamp) -> u32 {
    breaks.partition_point(|&from| from <= at) as u32
}

fn kind(index: &Index, place: usize) -> MediaKind {
    index.tracks().get(place).map_or(MediaKind::Data, |indexed| indexed.track.id.kind)
}

fn sample(index: &Index, number: u32) -> Option<&Sample> {
    index.samples().get(number as usize)
}
