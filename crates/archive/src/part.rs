//! A part: one fragment of one track, made once and read by all; and what must be known before it. Plain data.

use std::sync::Arc;

use bytes::Bytes;
use headwater_media::mp4::Sample;
use headwater_media::{Frame, Timestamp, Track, TrackId};

/// A fragment (`moof` and `mdat`) of one track: a fraction of a second of a broadcast. Of script data, which is no
/// rendition that a player fetches, it is one message (`emsg`).
#[derive(Clone, Debug)]
pub struct Part {
    /// Its place among all parts of the broadcast in the order they were made, from 0 on, without gaps.
    pub ordinal: u64,
    /// What describes it. Parts of one rendition and one description share it.
    pub init: Arc<Init>,
    /// The segment that it belongs to. Segments of all renditions bear the same numbers.
    pub segment: u64,
    /// Its place in the segment of its rendition, from 0 on.
    pub number: u32,
    /// Decoding time of its first sample, in ticks of the broadcast's time.
    pub start: i64,
    /// What its samples last, in ticks. The next part of the rendition starts at `start + duration`, or later where
    /// nothing was sent for a while, never earlier.
    pub duration: u64,
    /// Whether a decoder can begin with its first sample.
    pub independent: bool,
    /// Whether what comes before it in its rendition is of another description, or frames were lost in between. Stands
    /// at the first part of a segment only.
    pub discontinuity: bool,
    /// How many bytes it has.
    pub len: u32,
    /// Its samples, in decoding order.
    pub samples: Arc<[PartSample]>,
    /// Where the first sample's payload begins in its bytes; they lie one after the other.
    pub payload_at: u32,
    /// How long parts of its rendition are at most, as far as is known here: from the first whole part on it stays what
    /// it is while the frames' own length stays (`PART-TARGET` of HLS). Longer only where single pictures are.
    pub target: Timestamp,
    /// All frames of the broadcast with lower numbers in the hub's log are in this part or in those made before it: who
    /// puts the frames of several renditions in the order of the log can let these go.
    pub complete_to: u64,
}

/// One sample of a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartSample {
    /// Its length and times.
    pub sample: Sample,
    /// The frame's number in the hub's log.
    pub sequence: u64,
}

/// What a player must know before the parts of one rendition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Init {
    /// The track that the rendition is of.
    pub rendition: TrackId,
    /// Its number among the descriptions of its rendition, from 1 on.
    pub number: u32,
    /// Codec and configuration. [`Track::details`] says what players are told; of codecs whose frames describe
    /// themselves [`key_frame`](Self::key_frame) says the rest.
    pub track: Track,
    /// The head of the first frame, for [`Track::details_with`].
    pub key_frame: Bytes,
    /// `track_ID` in files and fragments: another one for each description.
    pub track_number: u32,
    /// Ticks per second.
    pub timescale: u32,
    /// The initialisation segment (`ftyp`, `moov`) with this track alone; empty of script data.
    pub bytes: Bytes,
}

impl Part {
    /// The rendition.
    #[must_use]
    pub fn rendition(&self) -> TrackId {
        self.init.rendition
    }

    /// Decoding time of its first sample.
    #[must_use]
    pub fn from(&self) -> Timestamp {
        Timestamp::from_ticks(self.start, self.init.timescale)
    }

    /// Decoding time of what follows it.
    #[must_use]
    pub fn until(&self) -> Timestamp {
        Timestamp::from_ticks(self.end(), self.init.timescale)
    }

    /// The end in ticks.
    #[must_use]
    pub fn end(&self) -> i64 {
        self.start.saturating_add_unsigned(self.duration)
    }

    /// Number of its first frame in the hub's log.
    #[must_use]
    pub fn first_sequence(&self) -> u64 {
        self.samples.first().map_or(0, |first| first.sequence)
    }

    /// Number of its last frame.
    #[must_use]
    pub fn last_sequence(&self) -> u64 {
        self.samples.last().map_or(0, |last| last.sequence)
    }

    /// Its frames with their numbers in the hub's log; their payloads share `bytes`, which are the part's, from wherever
    /// they were kept. Of fewer bytes only the frames that are whole come back.
    pub fn frames<'a>(&'a self, bytes: &'a Bytes) -> impl Iterator<Item = (u64, Frame)> + 'a {
        let mut at = self.payload_at as usize;
        let mut dts = self.start;
        self.samples.iter().map_while(move |PartSample { sample, sequence }| {
            let end = at.checked_add(sample.len as usize)?;
            let payload = (end <= bytes.len()).then(|| bytes.slice(at..end))?;
            let time = |ticks| Timestamp::from_ticks(ticks, self.init.timescale);
            let frame = Frame {
                track: self.rendition(),
                codec: self.init.track.codec,
                dts: time(dts),
                pts: time(dts.saturating_add(sample.composition.into())),
                key: sample.key,
                payload,
            };
            at = end;
            dts = dts.saturating_add(sample.duration.into());
            Some((*sequence, frame))
        })
    }

    /// What it takes in memory besides its bytes.
    pub(crate) fn overhead(&self) -> usize {
        size_of::<Self>() + self.samples.len() * size_of::<PartSample>()
    }
}
