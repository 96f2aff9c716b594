//! The index of an FLV file, made from all its bytes: FLV itself says nowhere where its frames are.

use std::collections::{HashMap, VecDeque};
use std::ops::Range;

use bytes::Bytes;

use super::demux::{FileEnd, Tag, TagReader};
use super::metadata::is_on_metadata;
use super::mux::{TAG_HEAD_LEN, TagKind};
use super::normalizer::access_unit::HELD_MESSAGES_MAX;
use super::normalizer::{MediaItem, MediaItems, Normalizer, Origin, Patience};
use crate::changes::{Change, Changes, ChangesRoom};
use crate::index::{Index, IndexedTrack, MAX_SAMPLES, SAMPLE_LEN_MAX, Sample};
use crate::presented::{self, LAST_MAX, LONE};
use crate::sound_grid::{SoundFrame, SoundGrid};
use crate::{Codec, Error, Frame, MediaKind, Orientation, SampleEntry, Timestamp, Track, TrackId};

/// Tracks of one file that are indexed, at most: a sample has a byte for its track's number.
const TRACKS_MAX: usize = 255;
/// FLV counts milliseconds.
const TIMESCALE: u32 = 1000;

/// Reads an FLV file from its start to its end and notes where its frames lie. Payloads are not kept.
#[derive(Clone, Debug)]
pub struct Indexer {
    tags: TagReader,
    normalizer: Normalizer,
    /// Tags taken so far.
    taken: u64,
    /// Where the last of them lie: as many as a frame may be made of.
    recent: VecDeque<Place>,
    tracks: Vec<GrowingTrack>,
    changes: Changes,
    /// Tracks that are announced anew and whose next frame has not come yet.
    announced: Vec<Track>,
    metadata: Option<Bytes>,
    samples: Vec<Sample>,
    repaired_lens: HashMap<(u64, u8), u32>,
    unusable: Unusable,
    /// Why reading does not go on.
    stopped: Option<Error>,
}

/// Where a tag lies in the file.
#[derive(Clone, Copy, Debug)]
struct Place {
    start: u64,
    end: u64,
}

#[derive(Clone, Debug)]
struct GrowingTrack {
    indexed: IndexedTrack,
    /// The track as it is by now.
    configured: Track,
    changes_room: ChangesRoom,
    /// How long all its frames are, where the configuration says.
    sound: Option<SoundFrame>,
    /// Of sound whose frames are of known length.
    grid: SoundGrid,
    /// When the first of it is shown, and the last.
    shown: Option<(Timestamp, Timestamp)>,
    last: Timestamp,
    /// How long the last frame lasts.
    lasts: Timestamp,
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
            normalizer: Normalizer::with_patience(Patience::Always),
            taken: 0,
            recent: VecDeque::new(),
            tracks: Vec::new(),
            changes: Changes::default(),
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
    pub fn finish(mut self) -> Result<Index, Error> {
        let held = self.normalizer.flush();
        self.note(held);
        if self.samples.iter().all(|sample| self.is_data(sample)) {
            let reason = match self.unusable.first {
                Some(first) => format!("it has no frame that can be played: {first}"),
                None => "it has no frame that can be played".to_owned(),
            };
            return Err(self.stopped.unwrap_or_else(|| Error::malformed("FLV file", reason)));
        }
        let mut notes = self.notes();
        let Self { tracks, mut changes, metadata, mut samples, repaired_lens, .. } = self;
        // Pictures are noted when the next one begins: back to the order of the file.
        samples.sort_by_key(|sample| sample.offset);
        let (mut tracks, mut shown): (Vec<_>, Vec<_>) = tracks.into_iter().map(GrowingTrack::finish).unzip();
        let (clock, more) = presented::settle(&mut tracks, &mut shown, &mut samples, &mut changes);
        notes.extend(more);
        let (skipped, texts) = (Vec::new(), Vec::new());
        Ok(Index { tracks, changes, metadata, skipped, texts, samples, clock, repaired_lens, notes })
    }

    fn take(&mut self, tag: Tag) {
        let Tag { kind, timestamp_ms, position, body } = tag;
        let end = position + (TAG_HEAD_LEN + body.len()) as u64;
        self.taken += 1;
        self.recent.push_back(Place { start: position, end });
        if self.recent.len() as u64 > HELD_MESSAGES_MAX + 2 {
            self.recent.pop_front();
        }
        let items = match kind {
            TagKind::Video => self.normalizer.push_video(timestamp_ms, body),
            TagKind::Audio => self.normalizer.push_audio(timestamp_ms, body),
            TagKind::Script => Ok(self.normalizer.push_data(timestamp_ms, body)),
        };
        match items {
            Ok(items) => self.note(items),
            Err(error) => self.leave_out(error.located(position).to_string()),
        }
    }

    fn note(&mut self, mut items: MediaItems) {
        while let Some(made) = items.next_made() {
            match made {
                (MediaItem::Track(track), _) => self.announced.push(track),
                (MediaItem::Frame(frame), Some(origin)) => self.add(frame, origin),
                (MediaItem::Frame(_), None) => {}
            }
        }
    }

    fn add(&mut self, mut frame: Frame, origin: Origin) {
        if frame.track.kind == MediaKind::Data && is_on_metadata(&frame.payload) {
            self.metadata.get_or_insert_with(|| Bytes::copy_from_slice(&frame.payload));
            return;
        }
        let (Some(first), Some(last)) = (self.place(origin.first), self.place(origin.last)) else { return };
        let (offset, size) = match origin.at {
            Some(at) => (first.start + (TAG_HEAD_LEN + at) as u64, frame.payload.len() as u64),
            None => (first.start, last.end - first.start),
        };
        if size > SAMPLE_LEN_MAX {
            return self
                .leave_out(format!("the tags of one picture from byte {offset} on lie too far apart"));
        }
        let Some(track) = self.track(&frame) else {
            return self.leave_out(format!("more than {TRACKS_MAX} tracks"));
        };
        self.tracks[usize::from(track)].place(&mut frame);
        let needs_repair = origin.at.is_none();
        if needs_repair {
            self.repaired_lens.insert((offset, track), frame.payload.len() as u32);
        }
        self.samples.push(Sample {
            offset,
            dts: frame.dts,
            pts: frame.pts,
            size: size as u32,
            track,
            key: frame.key,
            decode_only: false,
            needs_repair,
        });
    }

    fn leave_out(&mut self, reason: String) {
        self.unusable.count += 1;
        self.unusable.first.get_or_insert(reason);
    }

    /// Where the tag with this number lies.
    fn place(&self, number: u64) -> Option<Place> {
        let back = usize::try_from(self.taken.checked_sub(number)?).ok()?;
        self.recent.get(self.recent.len().checked_sub(back)?).copied()
    }

    /// The number of the frame's track in the list, which may be new or change with this frame; none if there are too
    /// many.
    fn track(&mut self, frame: &Frame) -> Option<u8> {
        let announced = self.announced.iter().rposition(|track| track.id == frame.track);
        let announced = announced.map(|at| self.announced.swap_remove(at));
        self.announced.retain(|track| track.id != frame.track);
        let known = self.tracks.iter().position(|growing| growing.indexed.track.id == frame.track);
        let at = match (known, announced) {
            (Some(at), Some(track)) => {
                let change = Change { from: frame.dts, track, entry: SampleEntry::NONE };
                self.tracks[at].take_change(change, &mut self.changes);
                at
            }
            (Some(at), None) => at,
            (None, _) if self.tracks.len() == TRACKS_MAX => return None,
            (None, announced) => {
                let bare = || Track::new(frame.track, frame.codec, Bytes::new());
                self.begin(announced.unwrap_or_else(bare));
                self.tracks.len() - 1
            }
        };
        u8::try_from(at).ok()
    }

    fn begin(&mut self, track: Track) {
        let number = self.tracks.len() as u32 + 1;
        let (end, last_lasts) = (Timestamp::ZERO, Timestamp::ZERO);
        let configured = track.clone();
        let indexed = IndexedTrack {
            track,
            entry: SampleEntry::NONE,
            number,
            orientation: Orientation::UPRIGHT,
            timescale: TIMESCALE,
            end,
            renews_gradually: false,
            leads_in_whole: false,
            last_lasts,
            language: None,
        };
        let growing = GrowingTrack {
            indexed,
            configured,
            changes_room: ChangesRoom::default(),
            sound: None,
            grid: SoundGrid::default(),
            shown: None,
            last: end,
            lasts: end,
        };
        self.tracks.push(growing);
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
        for (track, codec, count) in self.normalizer.undecodable() {
            let what = if track.kind == MediaKind::Video { "pictures" } else { "sound" };
            notes.push(format!(
                "{count} frames of {codec} {what} are left out, for no configuration tells how to decode them"
            ));
        }
        notes.extend(
            self.tracks.iter().filter_map(|growing| growing.changes_room.note(growing.indexed.number)),
        );
        if let Some(first) = &self.unusable.first {
            notes.push(format!("{} tags cannot be used and are left out; {first}", self.unusable.count));
        }
        notes
    }
}

impl GrowingTrack {
    /// Takes another configuration, unless there have been too many of them.
    fn take_change(&mut self, change: Change, changes: &mut Changes) {
        if self.changes_room.admits(&change) {
            self.configured = change.track.clone();
            self.sound = None;
            changes.push(change);
        }
    }

    /// Takes a frame; of sound its times become those of its samples, which a millisecond is too coarse for.
    fn place(&mut self, frame: &mut Frame) {
        let is_sound = frame.track.kind == MediaKind::Audio;
        let known = self.sound.filter(|_| is_sound);
        let read = || SoundFrame::of(&self.configured, &frame.payload).filter(|_| is_sound);
        let sound = known.or_else(read);
        if matches!(frame.codec, Codec::Aac | Codec::Flac) {
            self.sound = sound;
        }
        if let Some(sound) = sound {
            frame.dts = self.grid.place(frame.dts, sound);
            frame.pts = frame.dts;
            if self.shown.is_none() {
                self.indexed.timescale = sound.rate;
            }
        }
        let step = if self.shown.is_some() { frame.dts - self.last } else { LONE };
        self.last = frame.dts;
        self.lasts = match sound {
            Some(sound) => sound.lasts(),
            None if step > Timestamp::ZERO && step <= LAST_MAX => step,
            None => LONE,
        };
        let (first, last) = self.shown.unwrap_or((frame.pts, frame.pts));
        self.shown = Some((first.min(frame.pts), last.max(frame.pts)));
    }

    /// The track, and from when to when it shows something.
    fn finish(mut self) -> (IndexedTrack, Range<Timestamp>) {
        self.indexed.last_lasts = self.lasts;
        let (first, last) = self.shown.unwrap_or_default();
        (self.indexed, first..last + self.lasts)
    }
}
