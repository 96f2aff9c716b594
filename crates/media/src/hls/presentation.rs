//! Where a film is cut, and what stands before the payloads of each segment.
//!
//! Everything follows from the index: who asks for the same segment of the same film gets the same bytes, whatever
//! was asked for before. All tracks share one timeline, on which the first access unit is decoded at 0: no decoding
//! time lies before 0, no composition offset is negative and no edit list is needed. Where pictures are reordered the
//! first of them is shown a moment after 0, and the sound as much later. (Offsets below zero would do without that
//! moment, but FFmpeg 5.1 takes their size from the first fragment and shows such pictures too late.)

use bytes::Bytes;

use super::segment_starts::{Breaks, at_keys, at_times, is_video};
use super::segmented_track::{MediaSegment, SegmentedTrack};
use crate::index::{Index, Sample};
use crate::mp4::{FragmentSample, Muxer};
use crate::piece::Piece;
use crate::{Error, MediaKind, Timestamp};

/// How long segments are to be: cuts lie at the key frames nearest to it.
pub const SEGMENT_TARGET: Timestamp = Timestamp::from_ms(6000);

/// A film cut into segments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Presentation {
    origin: Timestamp,
    tracks: Vec<SegmentedTrack>,
    left_out: Vec<String>,
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
            |samples: &Vec<u32>| samples.first().and_then(|&n| index.sample(n)).map(|s| s.dts.min(s.pts));
        let origin = carried.iter().filter_map(|(_, samples)| first(samples)).min();
        let Some(origin) = origin.map(|origin| origin.min(Timestamp::ZERO)) else {
            let reasons =
                if left_out.is_empty() { "it has no sample".to_owned() } else { left_out.join("; ") };
            let mend = "HLS carries H.264, H.265, AV1, VP9, AAC, MP3, Opus, FLAC and AC-3";
            return Err(Error::unsupported(format!("a film of these tracks ({reasons})"), mend));
        };
        let leader = carried.iter().find(|(place, _)| is_video(index, *place)).map(|(place, _)| *place);
        let mut tracks: Vec<SegmentedTrack> = Vec::with_capacity(carried.len());
        // The picture first: sound is cut at its times.
        carried.sort_by_key(|(place, _)| Some(*place) != leader);
        let break_times =
            carried.first().map_or_else(Vec::new, |(place, samples)| Breaks::times(index, *place, samples));
        let mut times: Option<Vec<Timestamp>> = None;
        for (place, samples) in carried {
            let breaks = Breaks::new(index, place, &samples, &break_times);
            let starts = match &times {
                Some(times) if !is_video(index, place) => at_times(index, &samples, times, &breaks),
                _ => at_keys(index, &samples, &breaks, target),
            };
            let track = SegmentedTrack::new(index, place, &samples, &starts, origin);
            times.get_or_insert_with(|| {
                track.segments.iter().skip(1).map(|segment| segment.start + origin).collect()
            });
            tracks.push(track);
        }
        tracks.sort_by_key(|track| track.track);
        Ok(Self { origin, tracks, left_out })
    }

    /// The time of the index that is 0 here: 0 itself or a little before, for what is decoded earlier than it is shown.
    #[must_use]
    pub const fn origin(&self) -> Timestamp {
        self.origin
    }

    /// The tracks that are carried, in the file's order.
    #[must_use]
    pub fn tracks(&self) -> &[SegmentedTrack] {
        &self.tracks
    }

    /// What is not carried, in words.
    #[must_use]
    pub fn left_out(&self) -> &[String] {
        &self.left_out
    }

    /// When what the film shows first begins, on its own timeline.
    #[must_use]
    pub fn start(&self) -> Timestamp {
        Timestamp::ZERO - self.origin
    }

    /// When the last of the tracks ends.
    #[must_use]
    pub fn end(&self) -> Timestamp {
        self.tracks.iter().map(|track| track.end).max().unwrap_or_default()
    }

    /// The initialisation segment of a track for the segments of one of its configurations.
    ///
    /// # Errors
    /// As [`Muxer::new`].
    pub fn init(&self, index: &Index, track: &SegmentedTrack, configuration: u32) -> Result<Bytes, Error> {
        self.muxer(index, track, configuration)?.init_segment()
    }

    /// A segment (or a key frame's) of a track: its head, then the payloads as pieces of the film's file. `number`
    /// is its place in the playlist.
    ///
    /// # Errors
    /// `Misuse` for a segment of another film, `Limit` for a segment above 2 GiB.
    pub fn segment(
        &self,
        index: &Index,
        track: &SegmentedTrack,
        number: usize,
        segment: &MediaSegment,
    ) -> Result<(Bytes, Vec<Piece>), Error> {
        let samples = || segment.samples(index, track.track);
        let units: Vec<FragmentSample> = samples()
            .map(|sample| FragmentSample {
                dts: sample.dts,
                pts: sample.pts,
                key: sample.key,
                len: index.payload_len(sample),
            })
            .collect();
        let until = track.decoded_behind(index, segment);
        let sequence = u32::try_from(number).unwrap_or(u32::MAX).saturating_add(1);
        let head = self.muxer(index, track, segment.configuration)?.fragment_head(sequence, &units, until)?;
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

    fn muxer(&self, index: &Index, track: &SegmentedTrack, configuration: u32) -> Result<Muxer, Error> {
        let indexed = index.tracks().get(track.track).ok_or(Error::Misuse("a track of another film"))?;
        let described = track.described(index, configuration).unwrap_or_else(|| indexed.described());
        Muxer::of_film(indexed, described, self.origin)
    }
}

/// The samples of a track, if HLS can carry it.
fn check(index: &Index, place: usize) -> Result<Vec<u32>, Error> {
    let own = |(_, sample): &(usize, &Sample)| usize::from(sample.track) == place;
    let samples: Vec<u32> =
        index.samples().iter().enumerate().filter(own).map(|(number, _)| number as u32).collect();
    if let Some(indexed) = index.tracks().get(place) {
        for described in index.configurations(place) {
            Muxer::of_film(indexed, described, Timestamp::ZERO)?;
        }
    }
    Ok(samples)
}
