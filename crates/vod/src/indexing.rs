//! The index of a file made, and made longer when the file has grown. Blocking: not for a task's thread.

use std::io;
use std::ops::Range;
use std::time::{Duration, SystemTime};

use headwater_media::Error;
use headwater_media::Timestamp;
use headwater_media::container::{Container, Foreign, RECOGNISED_BYTES};
use headwater_media::first_frames::FirstFrames;
use headwater_media::flv::{Indexer, growing as flv};
use headwater_media::index::Index;
use headwater_media::mp4::{Scan, growing as mp4};

use crate::blob::Blob;
use crate::reader::TAG_BYTES_MAX;

/// Bytes of an FLV file read at once.
const READ_BYTES: usize = 1 << 20;
/// Bytes at either end by which a file is known again.
const MARK_BYTES: usize = 4 << 10;
/// What an index goes on from is kept for so long after the file was last written to.
const KEPT: Duration = Duration::from_secs(60);
/// A track of a recording of which nothing has come for so long has fallen silent: parts of tracks that go on are written
/// within a second of each other.
const SILENT_AFTER: Timestamp = Timestamp::from_ms(3_000);

/// What an index of a file that grows goes on from.
#[derive(Debug)]
pub(crate) struct Growth {
    read: Read,
    mark: Mark,
}

/// How far a file has been read.
#[derive(Debug)]
enum Read {
    Flv { indexer: Box<Indexer>, read: u64 },
    Mp4(Box<Scan>),
}

/// Bytes of a file at its start and at its end: a file that has only grown still has them.
#[derive(Debug, PartialEq, Eq)]
struct Mark {
    bytes: u64,
    start: Vec<u8>,
    end: Vec<u8>,
}

impl Mark {
    /// Of the file as it was when it had this length.
    fn read(blob: &dyn Blob, bytes: u64) -> io::Result<Self> {
        let length = bytes.min(MARK_BYTES as u64) as usize;
        let (mut start, mut end) = (vec![0; length], vec![0; length]);
        blob.read_exact_at(&mut start, 0)?;
        blob.read_exact_at(&mut end, bytes - length as u64)?;
        Ok(Self { bytes, start, end })
    }
}

/// Why there is no index.
#[derive(Debug, thiserror::Error)]
pub enum NoIndex {
    /// It has no bytes.
    #[error("it is empty")]
    Empty,
    /// It is no film.
    #[error(transparent)]
    Foreign(#[from] Foreign),
    /// It cannot be played.
    #[error(transparent)]
    Media(#[from] Error),
    /// It cannot be read.
    #[error("it cannot be read: {0}")]
    Io(#[from] io::Error),
}

/// Reads the index of a file that nobody writes. It may wait for the disk: not for a task's thread.
///
/// # Errors
/// It is no film, or cannot be read.
pub fn read_index(blob: &dyn Blob) -> Result<Index, NoIndex> {
    describe(blob, begin(blob)?.finish()?)
}

/// The index of a file that may grow.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) index: Index,
    /// From where it can be made longer.
    pub(crate) growth: Option<Growth>,
    /// Whether the file says of itself that it is a recording that is not complete.
    pub(crate) is_unfinished: bool,
}

/// Makes the index of a file, from where `growth` stands if the file has only grown since. `is_recorded` tells of a recording
/// that is not complete whether its recorder still has it.
pub(crate) fn index(
    blob: &dyn Blob,
    growth: Option<Growth>,
    is_recorded: impl FnOnce() -> bool,
) -> Result<Found, NoIndex> {
    // Before all else: a head that changes meanwhile is another mark the next time.
    let mark = Mark::read(blob, blob.size())?;
    let read = match growth {
        Some(Growth { read, mark }) if Mark::read(blob, mark.bytes)? == mark => go_on(blob, read)?,
        _ => begin(blob)?,
    };
    let is_unfinished = is_unfinished(blob)?;
    let was_written_to = SystemTime::now().duration_since(blob.modified()).is_ok_and(|age| age < KEPT);
    if !(was_written_to || is_unfinished && is_recorded()) {
        return Ok(Found { index: describe(blob, read.finish()?)?, growth: None, is_unfinished });
    }
    let index = match &read {
        Read::Flv { indexer, .. } => indexer.clone().finish()?,
        Read::Mp4(scan) => scan.clone().finish()?,
    };
    let mut index = describe(blob, index)?;
    // More comes, and be it what completes it.
    if is_unfinished {
        index.even_end(SILENT_AFTER);
    }
    Ok(Found { index, growth: Some(Growth { read, mark }), is_unfinished })
}

/// Whether it is a recording of ours that is not complete.
fn is_unfinished(blob: &dyn Blob) -> io::Result<bool> {
    const START_LEN: usize = if mp4::START_LEN > flv::START_LEN { mp4::START_LEN } else { flv::START_LEN };
    let mut start = [0; START_LEN];
    let len = blob.size().min(start.len() as u64) as usize;
    blob.read_exact_at(&mut start[..len], 0)?;
    Ok(mp4::is_growing(&start[..len]) || flv::is_growing(&start[..len]))
}

/// What the first frames of each track say is part of what is known of it.
fn describe(blob: &dyn Blob, index: Index) -> Result<Index, NoIndex> {
    let mut frames = FirstFrames::new(index);
    let mut bytes = Vec::new();
    while let Some(Range { start, end }) = frames.wants() {
        // Samples lie within the file, and only their beginnings are asked for.
        bytes.resize(usize::try_from(end.saturating_sub(start)).unwrap_or(0), 0);
        blob.read_exact_at(&mut bytes, start)?;
        frames.supply(&bytes);
    }
    Ok(frames.finish()?)
}

impl Read {
    fn finish(self) -> Result<Index, Error> {
        match self {
            Self::Flv { indexer, .. } => indexer.finish(),
            Self::Mp4(scan) => scan.finish(),
        }
    }
}

fn go_on(blob: &dyn Blob, read: Read) -> Result<Read, NoIndex> {
    match read {
        Read::Flv { indexer, read } => index_flv(blob, indexer, read),
        Read::Mp4(scan) => grow_mp4(blob, scan),
    }
}

fn begin(blob: &dyn Blob) -> Result<Read, NoIndex> {
    let mut start = [0; RECOGNISED_BYTES];
    let length = blob.size().min(start.len() as u64) as usize;
    blob.read_exact_at(&mut start[..length], 0)?;
    if length == 0 {
        return Err(NoIndex::Empty);
    }
    match Container::recognise(&start[..length])? {
        Container::Flv => index_flv(blob, Box::new(Indexer::new(TAG_BYTES_MAX)), 0),
        Container::Mp4 => {
            let mut scan = Box::new(Scan::new(blob.size()));
            supply(blob, &mut scan)?;
            Ok(Read::Mp4(scan))
        }
    }
}

fn index_flv(blob: &dyn Blob, mut indexer: Box<Indexer>, mut read: u64) -> Result<Read, NoIndex> {
    let mut buffer = vec![0; READ_BYTES];
    while read < blob.size() {
        let count = (blob.size() - read).min(READ_BYTES as u64) as usize;
        blob.read_exact_at(&mut buffer[..count], read)?;
        read += count as u64;
        if !indexer.feed(&buffer[..count]) {
            break;
        }
    }
    Ok(Read::Flv { indexer, read })
}

fn grow_mp4(blob: &dyn Blob, mut scan: Box<Scan>) -> Result<Read, NoIndex> {
    if !scan.grow(blob.size()) {
        return begin(blob);
    }
    supply(blob, &mut scan)?;
    Ok(Read::Mp4(scan))
}

fn supply(blob: &dyn Blob, scan: &mut Scan) -> Result<(), NoIndex> {
    while let Some(Range { start, end }) = scan.wants() {
        // The scan has compared what boxes announce with the file's length and its limits.
        let mut bytes = vec![0; usize::try_from(end.saturating_sub(start)).unwrap_or(0)];
        blob.read_exact_at(&mut bytes, start)?;
        scan.supply(&bytes)?;
    }
    Ok(())
}
