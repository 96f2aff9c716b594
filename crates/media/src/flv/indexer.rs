//! The index of an FLV file, made from all its bytes: FLV itself says nowhere where its frames are.

use std::collections::HashMap;

use bytes::Bytes;

use super::demux::{FileEnd, Tag, TagReader};
use super::metadata::is_on_metadata;
use super::mux::{TAG_HEAD_LEN, TagKind};
use super::normalizer::{MediaItem, Normalizer};
use crate::index::{Change, Index, IndexedTrack, MAX_SAMPLES, Sample};
use crate::{Error, Frame, MediaKind, Timestamp, Track, TrackId};

/// FLV counts milliseconds.
const TIMESCALE: u32 = 1000;

/// Reads an FLV file from its start to its end and notes where its frames lie. Payloads are not kept.
#[derive(Clone, Debug)]
pub struct Indexer {
    tags: TagReader,
    normalizer: Normalizer,
    tracks: Vec<GrowingTrack>,
    changes: Vec<Change>,
    /// Tracks that are announced anew and whose next frame has not come yet.
    announced: Vec<Track>,
    metadata: Option<Bytes>,
    samples: Vec<Sample>,
    repaired_lens: HashMap<u64, u32>,
    unusable: Unusable,
    /// Why reading does not go on.
    stopped: Option<Error>,
}

#[derive(Clone, Debug)]
struct GrowingTrack {
    indexed: IndexedTrack,
    first: Option<Timestamp>,
    last: Timestamp,
    step: Timestamp,
}

/// Tags that carry what this program has no use for.
#[derive(Clone, Debug, Default)]
struct Unusable {
    count: u64,
    first: Option<String>,
}

impl Indexer {
    /// Refuses tags with bodies above `max_body` bytes.
    #[must_use]
    pub fn new(max_body: u32) -> Self {
        Self {
            tags: TagReader::new(max_body),
            normalizer: Normalizer::new(),
            tracks: Vec::new(),
            changes: Vec::new(),
            announced: Vec::new(),
            metadata: None,
            samples: Vec::new(),
            repaired_lens: HashMap::new(),
            unusable: Unusable::default(),
            stopped: None,
        }
    }

    /// Takes the next bytes of the file, cut anywhere; more may come later if the file grows. Whether more
    /// are of use: not behind damage that hides where the next tag begins.
    pub fn feed(&mut self, bytes: &[u8]) -> bool {
        if self.stopped.is_some() {
            return false;
        }
        self.tags.feed(bytes);
        loop {
            match self.tags.next_tag() {
                Ok(Some(tag)) => self.take(tag),
                Ok(None) => return true,
                Err(error) => self.stopped = Some(error),
            }
            if self.samples.len() as u64 > MAX_SAMPLES {
                let found = self.samples.len() as u64;
                self.stopped = Some(Error::limit("number of FLV frames", found, MAX_SAMPLES));
            }
            if self.stopped.is_some() {
                return false;
            }
        }
    }

    /// The index of what has been read.
    ///
    /// # Errors
    /// If there is nothing to play: what stopped the reading, or `Malformed`.
    pub fn finish(self) -> Result<Index, Error> {
        if self.samples.iter().all(|sample| self.is_data(sample)) {
            let reason = match self.unusable.first {
                Some(first) => format!("it has no frame that can be played: {first}"),
                None => "it has no frame that can be played".to_owned(),
            };
            return Err(self.stopped.unwrap_or_else(|| Error::malformed("FLV file", reason)));
        }
        let notes = self.notes();
        let Self { tracks, mut changes, metadata, mut samples, repaired_lens, .. } = self;
        // A stable sort keeps each track's own order also where its times stand still.
        samples.sort_by_key(|sample| sample.dts);
        changes.sort_by_key(|change| change.from);
        let tracks = tracks.into_iter().map(GrowingTrack::finish).collect();
        Ok(Index { tracks, changes, metadata, skipped: Vec::new(), samples, repaired_lens, notes })
    }

    fn take(&mut self, tag: Tag) {
        let Tag { kind, timestamp_ms, position, body } = tag;
        let body_at = position + TAG_HEAD_LEN as u64;
        let items = match kind {
            TagKind::Video => self.normalizer.push_video(timestamp_ms, body.clone()),
            TagKind::Audio => self.normalizer.push_audio(timestamp_ms, body.clone()),
            TagKind::Script => Ok(self.normalizer.push_data(timestamp_ms, body.clone())),
        };
        match items {
            Ok(items) => items.for_each(|item| match item {
                MediaItem::Track(track) => self.announced.push(track),
                MediaItem::Frame(frame) => self.add(&frame, &body, body_at),
            }),
            Err(error) => {
                self.unusable.count += 1;
                self.unusable.first.get_or_insert_with(|| error.located(position).to_string());
            }
        }
    }

    fn add(&mut self, frame: &Frame, body: &Bytes, body_at: u64) {
        if frame.track.kind == MediaKind::Data && is_on_metadata(&frame.payload) {
            self.metadata.get_or_insert_with(|| Bytes::copy_from_slice(&frame.payload));
            return;
        }
        let track = self.track(frame);
        let growing = &mut self.tracks[usize::from(track)];
        growing.step = growing.first.map_or(Timestamp::ZERO, |_| frame.dts - growing.last);
        growing.first.get_or_insert(frame.dts);
        growing.last = frame.dts;
        let place = place_within(&frame.payload, body);
        let (offset, size) = place.map_or((body_at, body.len()), |at| (body_at + at, frame.payload.len()));
        if place.is_none() {
            self.repaired_lens.insert(offset, frame.payload.len() as u32);
        }
        self.samples.push(Sample {
            offset,
            dts: frame.dts,
            pts: frame.pts,
            size: size as u32,
            track,
            key: frame.key,
            needs_repair: place.is_none(),
        });
    }

    /// The number of the frame's track in the list, which may be new or change with this frame.
    fn track(&mut self, frame: &Frame) -> u16 {
        let announced = self.announced.iter().rposition(|track| track.id == frame.track);
        let announced = announced.map(|at| self.announced.swap_remove(at));
        self.announced.retain(|track| track.id != frame.track);
        let known = self.tracks.iter().position(|growing| growing.indexed.track.id == frame.track);
        let at = match (known, announced) {
            (Some(at), Some(track)) => {
                self.changes.push(Change { from: frame.dts, track });
                at
            }
            (Some(at), None) => at,
            (None, announced) => {
                let bare = || Track::new(frame.track, frame.codec, Bytes::new());
                self.begin(announced.unwrap_or_else(bare));
                self.tracks.len() - 1
            }
        };
        at as u16
    }

    fn begin(&mut self, track: Track) {
        let number = self.tracks.len() as u32 + 1;
        let duration = Timestamp::ZERO;
        let indexed = IndexedTrack { track, number, timescale: TIMESCALE, duration, language: None };
        let zero = Timestamp::ZERO;
        self.tracks.push(GrowingTrack { indexed, first: None, last: zero, step: zero });
    }

    fn is_data(&self, sample: &Sample) -> bool {
        let growing = self.tracks.get(usize::from(sample.track));
        growing.is_none_or(|growing| growing.indexed.track.id == TrackId::DATA)
    }

    fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if let Some(error) = &self.stopped {
            notes.push(format!("nothing behind the damage can be played: {error}"));
        } else if let FileEnd::Truncated(at) = self.tags.end() {
            notes.push(format!("it ends inside the tag at byte {at}, which is left out"));
        }
        let skipped = self.tags.irregular().skipped_bytes;
        if skipped > 0 {
            notes.push(format!("{skipped} bytes between tags are no tags and are left out"));
        }
        if let Some(first) = &self.unusable.first {
            notes.push(format!("{} tags cannot be used and are left out; {first}", self.unusable.count));
        }
        notes
    }
}

impl GrowingTrack {
    fn finish(mut self) -> IndexedTrack {
        let first = self.first.unwrap_or(self.last);
        self.indexed.duration = self.last + self.step - first;
        self.indexed
    }
}

/// Where in `body` a payload lies that is a slice of it.
fn place_within(payload: &Bytes, body: &Bytes) -> Option<u64> {
    let at = (payload.as_ptr() as usize).checked_sub(body.as_ptr() as usize)?;
    (at + payload.len() <= body.len()).then_some(at as u64)
}
