//! What the first frames of a film say of its tracks, put into its index.
//!
//! A track is described by its sample entry *and* its first frames: parameter sets may lie among the pictures (`avc3`,
//! `hev1`, an empty record), AC-3, MP3, VP8, VP9 and the codecs of the Flash age say in their frames how large or how
//! fast they are, and whether decoding can start at a picture is what the picture says, not what a table claims of it. Frames of AAC may carry SBR that is announced nowhere.
//!
//! No I/O: [`FirstFrames`] names the bytes that it wants, as [`Scan`](crate::mp4::Scan) does. That is little: of each
//! configuration the beginning of a frame or a few, and of each track of pictures a few bytes of at most five key
//! frames, by which the table of key frames is believed or not. Only where it is not (there is none, it names a single
//! one, or pictures that need others) the beginning of every picture of the track is read; FLV, which has no tables, is always
//! read whole. All of it has a limit (`LOOKS_MAX`, `BYTES_MAX`).

mod describe;
mod hidden_sbr;
mod key_frames;
mod later_sets;
mod lead_ins;
mod records_in_front;

use std::ops::Range;

use bytes::Bytes;

use self::describe::{bytes_wanted, describe};
use self::key_frames::start;
use self::later_sets::LaterSets;
use self::lead_ins::shorten;
use self::records_in_front::{RECORD_BYTES, leading_record};
use crate::codec::sbr::{SBR_FRAME_BYTES, SbrSearch};
use crate::index::{Index, Sample};
use crate::picture_start::PictureStart;
use crate::{DescribedTrack, Error, MediaKind};

/// Frames in which the parameters of one configuration are looked for.
const TRIES_MAX: usize = 16;
/// Configurations of a film that frames are read for; of further ones what their sample entries say must do.
const DESCRIBED_MAX: usize = 256;
/// Looks at frames, all of a film together: a film of a day without a table of key frames has 2,160,000 pictures. Each look is
/// a read of its own, a few microseconds where the file is in memory.
const LOOKS_MAX: u64 = 3_000_000;
/// Bytes that they read together, a second or two of time: of nearly all films it is less than a hundredth. Pictures of two
/// hours that all hide behind messages of 4 KiB take 740 MB.
const BYTES_MAX: u64 = 1 << 30;
/// How much of a picture is read to tell whether it is a key frame: more, as long as the picture itself does not come.
/// Before it may stand parameter sets and what encoders and cameras say of themselves.
const HEAD_BYTES: [u32; 3] = [64, 4 << 10, 64 << 10];

/// Completes an index by the first frames of its tracks, whose bytes the caller reads.
///
/// ```
/// # use headwater_media::{Error, first_frames::FirstFrames, index::Index};
/// # fn example(index: Index, file: &[u8]) -> Result<Index, Error> {
/// let mut frames = FirstFrames::new(index);
/// while let Some(range) = frames.wants() {
///     // Read these bytes from wherever the file is.
///     frames.supply(&file[range.start as usize..range.end as usize]);
/// }
/// frames.finish()
/// # }
/// ```
#[derive(Debug)]
pub struct FirstFrames {
    index: Index,
    /// What is still to be done; the next stands last.
    work: Vec<Work>,
    /// Places of tracks that nothing describes.
    undescribed: Vec<usize>,
    /// Places of tracks of whose pictures some hold parameter sets.
    with_sets: Vec<usize>,
    /// Places of tracks in front of whose key frames a record has been looked for.
    with_records: Vec<usize>,
    /// What may still be read.
    left: Left,
}

/// Looks at frames, and bytes that they may read.
#[derive(Clone, Copy, Debug)]
struct Left {
    looks: u64,
    bytes: u64,
}

#[derive(Debug)]
enum Work {
    /// A configuration is looked for from this sample on.
    Describe { configuration: Configuration, sample: usize, tries: usize },
    /// SBR is looked for in these samples, the next one last.
    FindSbr { configuration: Configuration, samples: Vec<usize>, search: SbrSearch },
    /// A record may stand in front of this key frame.
    FindRecord { place: usize, sample: usize },
    /// A record that stands in front of this key frame and perhaps of those behind it is no part of them.
    Strip { place: usize, sample: usize, record: Bytes },
    /// Whether these samples, the next one last, are the key frames that the table calls them.
    Check { place: usize, samples: Vec<usize>, head: usize },
    /// Whether this picture, and all behind it, are key frames. Those that are so far.
    FindKeys { place: usize, sample: usize, head: usize, found: Vec<usize> },
    /// Which configurations the key frames of a track hold.
    LaterSets(Box<LaterSets>),
}

/// One of the configurations of an index: the first of the track at that place, or that of a change.
#[derive(Clone, Copy, Debug)]
struct Configuration {
    place: usize,
    change: Option<usize>,
}

impl FirstFrames {
    /// For the index that the file's tables or tags make.
    #[must_use]
    pub fn new(index: Index) -> Self {
        Self::within(index, Left { looks: LOOKS_MAX, bytes: BYTES_MAX })
    }

    fn within(index: Index, left: Left) -> Self {
        let [undescribed, with_sets, with_records] = [Vec::new(), Vec::new(), Vec::new()];
        let mut frames = Self { index, work: Vec::new(), undescribed, with_sets, with_records, left };
        for place in (0..frames.index.tracks.len()).rev() {
            frames.work.extend(frames.key_frames_of(place));
        }
        let changes = (0..frames.index.changes.list().len()).filter_map(|change| {
            let id = frames.index.changes.list().get(change)?.track.id;
            let place = frames.index.tracks.iter().position(|indexed| indexed.track.id == id)?;
            Some(Configuration { place, change: Some(change) })
        });
        let first = (0..frames.index.tracks.len()).map(|place| Configuration { place, change: None });
        let configurations: Vec<_> = first.chain(changes).take(DESCRIBED_MAX).collect();
        for configuration in configurations.into_iter().rev() {
            frames.work.extend(frames.sbr_of(configuration));
            frames.work.extend(frames.description_of(configuration));
        }
        frames
    }

    /// The bytes of the file to be given to [`supply`](Self::supply) next; `None` when all is read.
    #[must_use]
    pub fn wants(&self) -> Option<Range<u64>> {
        let (sample, len) = match self.work.last()? {
            Work::Describe { configuration, sample, .. } => {
                (*sample, self.described(*configuration).and_then(bytes_wanted).unwrap_or(0))
            }
            Work::FindRecord { sample, .. } => (*sample, RECORD_BYTES),
            Work::FindSbr { samples, .. } => (*samples.last()?, SBR_FRAME_BYTES as u32),
            Work::Strip { sample, record, .. } => (*sample, record.len() as u32),
            Work::Check { samples, head, .. } => (*samples.last()?, head_bytes(*head)),
            Work::FindKeys { sample, head, .. } => (*sample, head_bytes(*head)),
            Work::LaterSets(sets) => sets.wants(),
        };
        let sample = self.index.samples.get(sample)?;
        Some(sample.offset..sample.offset + u64::from(sample.size.min(len)))
    }

    /// Takes the bytes that [`wants`](Self::wants) named.
    pub fn supply(&mut self, bytes: &[u8]) {
        let Left { looks, bytes: left } = self.left;
        self.left = Left { looks: looks.saturating_sub(1), bytes: left.saturating_sub(bytes.len() as u64) };
        let next = match self.work.pop() {
            Some(Work::Describe { configuration, sample, tries }) => {
                self.read_description(configuration, sample, tries, bytes)
            }
            Some(Work::FindRecord { place, sample }) => self.find_record(place, sample, bytes),
            Some(Work::FindSbr { configuration, samples, search }) => {
                self.find_sbr(configuration, samples, search, bytes)
            }
            Some(Work::Strip { place, sample, record }) => self.strip(place, sample, record, bytes),
            Some(Work::Check { place, samples, head }) => self.check(place, samples, head, bytes),
            Some(Work::FindKeys { place, sample, head, found }) => {
                self.find_keys(place, sample, head, found, bytes)
            }
            Some(Work::LaterSets(sets)) => self.read_later_sets(sets, bytes),
            None => None,
        };
        self.work.extend(next);
        if (self.left.looks == 0 || self.left.bytes == 0) && !self.work.is_empty() {
            self.stop();
        }
    }

    /// Enough has been read: what is known by now must do.
    fn stop(&mut self) {
        for work in std::mem::take(&mut self.work) {
            match work {
                Work::Describe { configuration, .. } => self.give_up(configuration),
                Work::FindKeys { place, found, .. } => self.set_keys(place, found),
                Work::LaterSets(sets) => self.keep_sets(*sets),
                Work::FindRecord { .. } | Work::FindSbr { .. } | Work::Strip { .. } | Work::Check { .. } => {}
            }
        }
        self.index.note(
            "what its frames say of it is more than is read of a film; the rest is as its tables have it, and \
             no key frame where they were not believed"
                .to_owned(),
        );
    }

    /// The index, when nothing more is wanted.
    ///
    /// # Errors
    /// `Malformed` if nothing describes any of its tracks.
    pub fn finish(mut self) -> Result<Index, Error> {
        for place in 0..self.index.tracks.len() {
            shorten(&mut self.index, place);
        }
        self.undescribed.sort_unstable();
        self.undescribed.dedup();
        for place in self.undescribed.into_iter().rev() {
            let reason = "neither its sample entry nor its first frames say how it is to be decoded";
            self.index.leave_out(place, reason);
        }
        if self.index.tracks.is_empty() {
            let reason = "neither sample entries nor first frames say how it is to be decoded";
            return Err(Error::malformed("film", reason));
        }
        Ok(self.index)
    }

    fn described(&self, Configuration { place, change }: Configuration) -> Option<DescribedTrack<'_>> {
        match change {
            Some(change) => self.index.changed(change),
            None => self.index.tracks.get(place).map(crate::index::IndexedTrack::described),
        }
    }

    /// What is to be done for a configuration, if frames must say something of it.
    fn description_of(&self, configuration: Configuration) -> Option<Work> {
        self.described(configuration).and_then(bytes_wanted)?;
        let change = configuration.change.and_then(|change| self.index.changes.list().get(change));
        let from = change.map_or(0, |change| self.index.before(change.from));
        let sample = self.next_of(configuration.place, from)?;
        Some(Work::Describe { configuration, sample, tries: TRIES_MAX })
    }

    fn read_description(
        &mut self,
        configuration: Configuration,
        sample: usize,
        tries: usize,
        bytes: &[u8],
    ) -> Option<Work> {
        let size = self.index.samples.get(sample).map_or(0, |sample| sample.size);
        let described = match configuration.change {
            Some(change) => self.index.changes.at_mut(change).map(|it| (&mut it.track, &mut it.entry)),
            None => self.index.tracks.get_mut(configuration.place).map(|it| (&mut it.track, &mut it.entry)),
        };
        let (track, entry) = described?;
        if let Some(record) = leading_record(track.codec, bytes, size) {
            track.config = Bytes::copy_from_slice(record);
            return Some(Work::Strip { place: configuration.place, sample, record: track.config.clone() });
        }
        if describe(track, entry, bytes) {
            return None;
        }
        let next = self.next_of(configuration.place, sample + 1);
        if let Some(sample) = next.filter(|_| tries > 1) {
            return Some(Work::Describe { configuration, sample, tries: tries - 1 });
        }
        self.give_up(configuration);
        None
    }

    /// The frames do not say what they should.
    fn give_up(&mut self, configuration: Configuration) {
        let Some(DescribedTrack { track, .. }) = self.described(configuration) else { return };
        if track.codec.needs_config() && track.config.is_empty() {
            self.undescribed.push(configuration.place);
            return;
        }
        let (codec, needs_config) = (track.codec, track.codec.needs_config());
        let number = self.index.tracks.get(configuration.place).map_or(0, |indexed| indexed.number);
        self.index.note(if needs_config {
            format!(
                "track {number}: neither its sample entry nor its first frames hold the parameter sets of {codec}"
            )
        } else {
            format!("track {number}: its first frames are not {codec} as far as can be told")
        });
    }

    /// What is to be done to know the key frames of a track of pictures.
    fn key_frames_of(&self, place: usize) -> Option<Work> {
        let indexed = self.index.tracks.get(place)?;
        if indexed.track.id.kind != MediaKind::Video {
            return None;
        }
        let of_track = |(_, sample): &(usize, &Sample)| usize::from(sample.track) == place;
        let own = || self.index.samples.iter().enumerate().filter(of_track);
        let keys: Vec<usize> = own().filter(|(_, sample)| sample.key).map(|(number, _)| number).collect();
        let first = own().next()?.0;
        if keys.is_empty() {
            return Some(Work::FindKeys { place, sample: first, head: 0, found: Vec::new() });
        }
        own().nth(1)?;
        let mut chosen = [0, 1, 2, keys.len() / 2, keys.len() - 1].to_vec();
        chosen.dedup();
        let mut samples: Vec<usize> = chosen.into_iter().filter_map(|at| keys.get(at).copied()).collect();
        samples.sort_unstable();
        samples.dedup();
        samples.reverse();
        Some(Work::Check { place, samples, head: 0 })
    }

    fn check(&mut self, place: usize, mut samples: Vec<usize>, head: usize, bytes: &[u8]) -> Option<Work> {
        let sample = samples.last().copied()?;
        if self.may_have_record(place, sample, bytes) {
            self.work.push(Work::Check { place, samples, head });
            return Some(Work::FindRecord { place, sample });
        }
        self.look_for_sets(place, sample, bytes);
        let says = self.start_of(sample, bytes);
        match says {
            None if self.has_more(sample, head) => {
                return Some(Work::Check { place, samples, head: head + 1 });
            }
            // A picture without others at a place where players can begin: the table may know that.
            None | Some(PictureStart::Key | PictureStart::Intra) => {}
            Some(PictureStart::Gradual) => self.renews_gradually(place),
            Some(PictureStart::Dependent) => {
                let sample = self.next_of(place, 0)?;
                return Some(Work::FindKeys { place, sample, head: 0, found: Vec::new() });
            }
        }
        samples.pop();
        if !samples.is_empty() {
            return Some(Work::Check { place, samples, head: 0 });
        }
        // Who names one key frame among many pictures has often named the first and left it at that.
        match self.next_of(place, 0).filter(|_| says.is_some() && self.has_lone_key(place)) {
            Some(sample) => Some(Work::FindKeys { place, sample, head: 0, found: Vec::new() }),
            None => self.later_sets_of(place),
        }
    }

    fn find_keys(
        &mut self,
        place: usize,
        sample: usize,
        head: usize,
        mut found: Vec<usize>,
        bytes: &[u8],
    ) -> Option<Work> {
        self.look_for_sets(place, sample, bytes);
        match self.start_of(sample, bytes) {
            None if self.has_more(sample, head) => {
                return Some(Work::FindKeys { place, sample, head: head + 1, found });
            }
            Some(start) if start.is_start() => {
                found.push(sample);
                if start == PictureStart::Gradual {
                    self.renews_gradually(place);
                }
            }
            _ => {}
        }
        if let Some(sample) = self.next_of(place, sample + 1) {
            return Some(Work::FindKeys { place, sample, head: 0, found });
        }
        self.set_keys(place, found);
        self.later_sets_of(place)
    }

    /// Whether the table names a single key frame of the track.
    fn has_lone_key(&self, place: usize) -> bool {
        let keys = self.index.samples.iter().filter(|s| s.key && usize::from(s.track) == place);
        keys.take(2).count() == 1
    }

    /// Players can begin at key frames of this track, but not every one is a whole picture.
    fn renews_gradually(&mut self, place: usize) {
        if let Some(indexed) = self.index.tracks.get_mut(place) {
            indexed.renews_gradually = true;
        }
    }

    /// The table of key frames is replaced by what was found.
    fn set_keys(&mut self, place: usize, mut found: Vec<usize>) {
        if found.is_empty() {
            // Players have to begin somewhere.
            found.extend(self.next_of(place, 0));
        }
        let (mut found, mut was_right) = (found.into_iter().peekable(), true);
        for (number, sample) in self.index.samples.iter_mut().enumerate() {
            if usize::from(sample.track) == place {
                let is_key = found.next_if_eq(&number).is_some();
                was_right &= sample.key == is_key;
                sample.key = is_key;
            }
        }
        if was_right {
            return;
        }
        let number = self.index.tracks.get(place).map_or(0, |indexed| indexed.number);
        self.index.note(format!(
            "track {number}: its table of key frames is missing or wrong; the pictures themselves were read for them"
        ));
    }

    fn start_of(&self, sample: usize, bytes: &[u8]) -> Option<PictureStart> {
        let sample = self.index.samples.get(sample).filter(|sample| !sample.needs_repair)?;
        start(self.index.track_of(sample)?, bytes)
    }

    /// Whether more of the sample can be read than the first so many steps.
    fn has_more(&self, sample: usize, head: usize) -> bool {
        let size = self.index.samples.get(sample).map_or(0, |sample| sample.size);
        head + 1 < HEAD_BYTES.len() && size > head_bytes(head)
    }

    /// The first sample of a track from that number on.
    fn next_of(&self, place: usize, from: usize) -> Option<usize> {
        let rest = self.index.samples.get(from..)?;
        let at = rest.iter().position(|sample| usize::from(sample.track) == place)?;
        Some(from + at)
    }
}

fn head_bytes(head: usize) -> u32 {
    HEAD_BYTES.get(head).copied().unwrap_or(0)
}

#[cfg(test)]
mod tests;
