//! Recordings: a broadcast's parts written into files as they are made. Everything here may wait for a disk: not for a
//! task's thread.

mod appended;
mod file_name;
mod flv_file;
mod growing_file;
mod policy;
mod remembered;
mod repair;
mod retention;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use headwater_hub::StreamName;
use headwater_media::index::{CHANGES_BYTES_MAX, CHANGES_MAX};
use headwater_media::mp4::TrackFragments;
use headwater_media::{MediaKind, Timestamp, Track};

use self::appended::Beginning;
use self::growing_file::GrowingFile;
use crate::numbers::Numbers;
use crate::part::Part;
use crate::parts::Made;
use crate::window::{Data, Kept, Window};

pub use self::policy::{AppConfig, Record, RecordFormat, RecordingsConfig};
pub(crate) use self::remembered::{NAMES_MAX, numbers_below};
pub use self::repair::{Outcome, Repaired, repair_all};
pub(crate) use self::retention::bytes_below;
pub use self::retention::{Removed, remove_emptied, retain};

/// After something went wrong a new file is tried for so much later.
const RETRY_AFTER: Duration = Duration::from_secs(10);
/// How often the disk's room is looked at.
const ROOM_EVERY: Duration = Duration::from_secs(1);
/// How often a file is told the numbers of its stream's segments, and it is looked whether it still has its name.
const NOTE_EVERY: Duration = Duration::from_secs(1);
/// Sound begins a file once pictures have stayed away for so long.
const WITHOUT_PICTURES: Timestamp = Timestamp::from_ms(10_000);
/// Times of FLV are milliseconds of 32 bits, which some players take for signed: 24 days.
const FLV_LASTS_MAX: Timestamp = Timestamp::from_ms(24 * 86_400_000);
/// Files of one name in one second: beyond, something is broken.
const ALIKE_MAX: u32 = 1_000;

/// What is to be written.
#[derive(Clone, Debug)]
pub enum Written {
    /// What comes is of these tracks.
    Tracks(Arc<[TrackFragments]>),
    /// A part.
    Part(Arc<Kept>),
    /// The file ends here, and if there is more it is not written until [`Written::Begin`].
    End,
    /// Writing begins at the next start of a segment.
    Begin,
    /// Parts are missing here: the file ends, and what is written goes on at the next start of a segment. What comes before
    /// that is lost too.
    Gap,
}

impl Written {
    /// Puts what was made into a window; what is to be written comes back in its order.
    #[must_use]
    pub fn through(window: &Window, made: Vec<Made>) -> Vec<Self> {
        let written = made.into_iter().flat_map(|made| match made {
            Made::Tracks(tracks) => vec![Self::Tracks(tracks)],
            made => window.take(vec![made]).into_iter().map(Self::Part).collect(),
        });
        written.collect()
    }
}

/// What has happened to a recording.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Happened {
    /// A file has begun.
    Began(PathBuf),
    /// A file is complete.
    Ended {
        /// The file.
        path: PathBuf,
        /// Its length.
        bytes: u64,
        /// How long it plays.
        duration: Timestamp,
    },
    /// Something went wrong, and the recording goes on in a new file later: a sentence.
    Failed {
        /// The file, or the one that there was to be.
        path: PathBuf,
        /// Why.
        text: String,
    },
    /// There is too little room on the disk: the recording stands still until there is more.
    OutOfRoom {
        /// The directory.
        path: PathBuf,
        /// Bytes that are free.
        free: u64,
    },
    /// So many parts were not written, because of what was told before.
    Lost(u64),
}

/// Writes one broadcast.
#[derive(Debug)]
pub struct Recorder {
    root: PathBuf,
    free_min: u64,
    policy: AppConfig,
    stream: StreamName,
    /// Wall-clock time at media time zero.
    clock: SystemTime,
    tracks: Arc<[TrackFragments]>,
    file: Option<Open>,
    /// The file, or the last one that there was or was to be.
    path: PathBuf,
    state: State,
    /// When the last picture was decoded: as long as there are some, files begin with them.
    pictured: Option<Timestamp>,
    lost: u64,
    /// Who gives the stream's segments their numbers.
    window: Weak<Window>,
    looked: Option<Instant>,
    happened: Vec<Happened>,
}

#[derive(Debug)]
struct Open {
    file: GrowingFile,
    /// What it describes: of a track all descriptions that have held since it began.
    tracks: Vec<TrackFragments>,
    /// How often others came to hold, and bytes of their configurations.
    changes: (usize, usize),
    from: Timestamp,
    /// When it was told the numbers of segments.
    noted: Instant,
}

impl Open {
    /// The parts that come are of these tracks; false if the file cannot say so.
    fn describe(&mut self, tracks: &[TrackFragments]) -> io::Result<bool> {
        let (count, bytes) = &mut self.changes;
        *count += 1;
        *bytes += tracks.iter().map(|it| it.track().config.len() + it.track().extra.len()).sum::<usize>();
        if *count > CHANGES_MAX || *bytes > CHANGES_BYTES_MAX {
            return Ok(false);
        }
        for track in tracks {
            if !self.tracks.iter().any(|known| known.number() == track.number()) {
                self.tracks.push(track.clone());
            }
        }
        self.file.describe(&self.tracks)
    }
}

/// Whether there is to be a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// With whatever part comes next.
    AtOnce,
    /// From the next start of a segment on. Nobody misses what comes before.
    AtSegment,
    /// The same behind a gap.
    BehindGap,
    /// From the next start of a segment after this time on.
    After(Instant),
    Off,
}

impl Recorder {
    /// For a broadcast that has just begun. `clock` is the wall's time at media time zero; `is_on`: it is written from its
    /// first part on.
    #[must_use]
    pub fn new(
        root: &Path,
        recordings: &RecordingsConfig,
        policy: AppConfig,
        stream: StreamName,
        clock: SystemTime,
        is_on: bool,
    ) -> Self {
        Self {
            root: root.to_owned(),
            free_min: recordings.free_min_bytes,
            state: if is_on { State::AtOnce } else { State::Off },
            policy,
            clock,
            tracks: Arc::default(),
            file: None,
            path: root.join(stream.app()),
            stream,
            pictured: None,
            lost: 0,
            window: Weak::new(),
            looked: None,
            happened: Vec::new(),
        }
    }

    /// Files remember the numbers that this window's segments have.
    #[must_use]
    pub fn numbered_by(mut self, window: &Arc<Window>) -> Self {
        self.window = Arc::downgrade(window);
        self
    }

    fn numbers(&self) -> Option<Numbers> {
        self.window.upgrade().map(|window| window.numbers())
    }

    /// Whether there is to be a file.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.state != State::Off
    }

    /// Writes; what has happened comes back.
    pub fn write(&mut self, all: Vec<Written>) -> Vec<Happened> {
        for written in all {
            match written {
                Written::Tracks(tracks) => self.take_tracks(tracks),
                Written::Part(kept) => self.put(&kept),
                Written::End => {
                    self.complete();
                    self.state = State::Off;
                }
                Written::Begin if self.state == State::Off => self.state = State::AtSegment,
                Written::Gap if self.file.is_some() => {
                    self.complete();
                    self.state = State::BehindGap;
                }
                Written::Begin | Written::Gap => {}
            }
        }
        std::mem::take(&mut self.happened)
    }

    /// The broadcast is over.
    pub fn finish(mut self) -> Vec<Happened> {
        self.complete();
        self.tell_lost();
        self.happened
    }

    fn take_tracks(&mut self, tracks: Arc<[TrackFragments]>) {
        match self.file.as_mut().map_or(Ok(true), |open| open.describe(&tracks)) {
            Ok(true) => {}
            Ok(false) => {
                // Another film, and nothing between them is lost.
                self.complete();
                self.state = State::AtOnce;
            }
            Err(error) => self.fail(&error),
        }
        self.tracks = tracks;
    }

    fn put(&mut self, kept: &Kept) {
        let part = kept.part();
        let starts = self.is_start(part);
        if self.file.as_ref().is_some_and(|open| starts && self.is_long_enough(open, part)) {
            self.complete();
            self.state = State::AtOnce;
        }
        if self.file.is_none() && !self.begins(part, starts) || self.is_out_of_room() {
            self.lost += u64::from(matches!(self.state, State::BehindGap | State::After(_)));
            return;
        }
        let Data::Memory(bytes) = kept.data() else { return };
        if let Err(error) = self.append(kept, &bytes) {
            self.lost += 1;
            self.fail(&error);
        }
    }

    /// Whether a file can begin with this part.
    fn is_start(&mut self, part: &Part) -> bool {
        let is_first = part.number == 0 && part.independent;
        match part.rendition().kind {
            MediaKind::Video => {
                self.pictured = Some(part.until());
                is_first
            }
            MediaKind::Audio => {
                is_first && self.pictured.is_none_or(|last| part.from() - last > WITHOUT_PICTURES)
            }
            MediaKind::Data => false,
        }
    }

    /// Whether a file begins with this part.
    fn begins(&self, part: &Part, starts: bool) -> bool {
        match self.state {
            State::AtOnce => part.rendition().kind != MediaKind::Data,
            State::AtSegment | State::BehindGap => starts,
            State::After(time) => starts && Instant::now() >= time,
            State::Off => false,
        }
    }

    fn is_long_enough(&self, open: &Open, part: &Part) -> bool {
        let AppConfig { split_minutes, split_bytes, .. } = self.policy;
        let minutes = Timestamp::from_ms(i64::from(split_minutes) * 60_000);
        split_minutes > 0 && part.from() - open.from >= minutes
            || split_bytes > 0 && open.file.appended().len() >= split_bytes
            || self.policy.record_format == RecordFormat::Flv && part.from() - open.from >= FLV_LASTS_MAX
    }

    fn append(&mut self, kept: &Kept, bytes: &Bytes) -> io::Result<()> {
        if self.file.is_none() {
            self.begin(kept.part())?;
        }
        let numbers = self.numbers();
        let Some(open) = &mut self.file else { return Ok(()) };
        self.lost += open.file.put(kept, bytes)?;
        if open.noted.elapsed() < NOTE_EVERY {
            return Ok(());
        }
        open.noted = Instant::now();
        let appended = open.file.appended();
        numbers.map_or(Ok(()), |numbers| appended.note(&self.stream, numbers))?;
        if !appended.has_its_name() {
            // The rest goes where it can be found.
            self.complete();
            self.state = State::BehindGap;
        }
        Ok(())
    }

    fn begin(&mut self, part: &Part) -> io::Result<()> {
        let tracks = self.tracks.to_vec();
        if tracks.is_empty() {
            return Ok(());
        }
        let head = TrackFragments::head_of(tracks.iter());
        let since = Duration::from_nanos(u64::try_from(part.from().as_nanos()).unwrap_or(0));
        let began = self.clock + since;
        let (format, stream) = (self.policy.record_format, &self.stream);
        let name = |alike| file_name::fill(&self.policy.name, stream, began, alike);
        let numbers = self.numbers().unwrap_or_default();
        let (said, known) = self.known(part);
        let beginning = Beginning { stream, numbers, head: &head, said, tracks: known };
        for alike in 1..=ALIKE_MAX {
            let path = self.root.join(stream.app()).join(format!("{}.{}", name(alike), format.ending()));
            self.path.clone_from(&path);
            match GrowingFile::create(format, &path, &beginning) {
                Ok(file) => {
                    self.tell_lost();
                    self.happened.push(Happened::Began(path));
                    let (from, noted) = (part.from(), Instant::now());
                    self.file = Some(Open { file, tracks, changes: (0, 0), from, noted });
                    self.state = State::AtOnce;
                    return Ok(());
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
        Err(io::Error::other("all names like that are taken"))
    }

    /// What is known where this part begins: the publisher's `onMetaData`, and the tracks that there are parts of.
    fn known(&self, part: &Part) -> (Option<Bytes>, Vec<Track>) {
        let Some(window) = self.window.upgrade() else { return Default::default() };
        let Some((_, setup)) = window.setup(part.first_sequence()) else { return Default::default() };
        let renditions = window.renditions();
        let has_parts = |track: &&Track| renditions.iter().any(|init| init.rendition == track.id);
        (setup.metadata().cloned(), setup.tracks().filter(has_parts).cloned().collect())
    }

    /// Stops cleanly while there still is room to do so.
    fn is_out_of_room(&mut self) -> bool {
        if self.state == State::Off || self.looked.is_some_and(|looked| looked.elapsed() < ROOM_EVERY) {
            return false;
        }
        self.looked = Some(Instant::now());
        let free = headwater_vod::free_bytes(&self.root).filter(|&free| free < self.free_min);
        let Some(free) = free else { return false };
        if !matches!(self.state, State::After(_)) {
            self.happened.push(Happened::OutOfRoom { path: self.root.clone(), free });
        }
        self.complete();
        self.state = State::After(Instant::now() + ROOM_EVERY);
        true
    }

    fn complete(&mut self) {
        let Some(open) = self.file.take() else { return };
        let appended = open.file.appended();
        let (path, has_its_name) = (appended.path().to_owned(), appended.has_its_name());
        let noted = self.numbers().map_or(Ok(()), |numbers| appended.note(&self.stream, numbers));
        match noted.and_then(|()| open.file.complete()) {
            Ok(_) if !has_its_name => {
                let text = "it was removed, replaced or renamed by others while it was recorded; what was written is lost \
                            unless it has another name";
                self.happened.push(Happened::Failed { path, text: text.to_owned() });
            }
            Ok(Some(done)) => {
                self.happened.push(Happened::Ended { path, bytes: done.bytes, duration: done.duration });
            }
            Ok(None) => {}
            Err(error) => {
                let text =
                    format!("it is whole as far as it goes, and is completed at the next start: {error}");
                self.happened.push(Happened::Failed { path, text });
            }
        }
    }

    /// What was written stays a film; the rest goes on in another file.
    fn fail(&mut self, error: &io::Error) {
        self.happened.push(Happened::Failed { path: self.path.clone(), text: error.to_string() });
        self.complete();
        self.state = State::After(Instant::now() + RETRY_AFTER);
    }

    fn tell_lost(&mut self) {
        if self.lost > 0 {
            self.happened.push(Happened::Lost(std::mem::take(&mut self.lost)));
        }
    }
}

#[cfg(test)]
mod tests;
