//! A file that is appended to only, whatever is in it. It is made new, and never in the place of another. What is appended
//! goes to the system at once: a program that is killed loses nothing that was appended. The disk is told to keep it every
//! [`SYNC_EVERY`], which is what a power cut may cost.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use headwater_hub::StreamName;
use headwater_media::{Timestamp, Track};

use crate::numbers::{NOTE_LEN, Numbers};

/// Between two times that the disk is told to keep what there is.
const SYNC_EVERY: Duration = Duration::from_secs(5);
/// Bytes in front of the media, where descriptions have their room.
pub(super) const ROOM: u64 = 64 << 10;
/// Where in it the note of numbers begins, in whatever kind of file: every description goes before it.
pub(super) const NOTE_AT: u64 = ROOM - NOTE_LEN;

/// A file that grows.
#[derive(Debug)]
pub(super) struct Appended {
    file: File,
    /// For who reads what was appended.
    reader: Arc<File>,
    path: PathBuf,
    /// Where the media begins, and where the next of it goes.
    begin: u64,
    end: u64,
    synced: Instant,
}

/// What a file begins with.
#[derive(Debug)]
pub(super) struct Beginning<'a> {
    pub(super) stream: &'a StreamName,
    pub(super) numbers: Numbers,
    /// What describes an MP4: `ftyp` and `moov`.
    pub(super) head: &'a Bytes,
    /// What the publisher says of itself (`onMetaData`).
    pub(super) said: Option<Bytes>,
    /// The tracks that are known: of them an FLV tells first of all, in this order.
    pub(super) tracks: Vec<Track>,
}

/// A file that is complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Completed {
    pub(super) bytes: u64,
    pub(super) duration: Timestamp,
}

impl Appended {
    /// Makes the file with what stands in front of its media. Directories on the way are made.
    pub(super) fn create(path: &Path, beginning: &[u8]) -> io::Result<Self> {
        let create = || {
            path.parent().map_or(Ok(()), fs::create_dir_all)?;
            OpenOptions::new().read(true).write(true).create_new(true).open(path)
        };
        // Once more, where the directory was empty and has just been removed.
        let file = create().or_else(|error| match error.kind() {
            io::ErrorKind::NotFound => create(),
            _ => Err(error),
        })?;
        let reader = Arc::new(File::open(path)?);
        let begin = beginning.len() as u64;
        let mut appended =
            Self { reader, file, path: path.to_owned(), begin, end: 0, synced: Instant::now() };
        if let Err(error) = appended.append(beginning) {
            // There is nothing in it.
            let _ = fs::remove_file(path);
            return Err(error);
        }
        Ok(appended)
    }

    pub(super) const fn file(&self) -> &File {
        &self.file
    }

    /// As on a disk that is full: nothing can be written any more.
    #[cfg(test)]
    pub(super) fn fill_disk(&mut self) {
        self.file = File::open(&self.path).unwrap();
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The file, for who reads what was appended.
    pub(super) const fn reader(&self) -> &Arc<File> {
        &self.reader
    }

    pub(super) const fn len(&self) -> u64 {
        self.end
    }

    /// Whether no media was appended yet.
    pub(super) const fn is_empty(&self) -> bool {
        self.end <= self.begin
    }

    /// Appends bytes; where they lie comes back. What goes wrong leaves the file as it was.
    pub(super) fn append(&mut self, bytes: &[u8]) -> io::Result<u64> {
        let at = self.end;
        if let Err(error) = write_at(&self.file, at, bytes) {
            // What is cut off here is found at the next start otherwise.
            let _ = self.file.set_len(at);
            return Err(error);
        }
        self.end += bytes.len() as u64;
        if self.synced.elapsed() >= SYNC_EVERY {
            self.file.sync_data()?;
            self.synced = Instant::now();
        }
        Ok(at)
    }

    /// Writes the numbers of its stream over those that it was told before.
    pub(super) fn note(&self, name: &StreamName, numbers: Numbers) -> io::Result<()> {
        write_at(&self.file, NOTE_AT, &numbers.note(name))
    }

    /// Whether the file still has its name: others may have removed, replaced or renamed it.
    pub(super) fn has_its_name(&self) -> bool {
        let found = fs::symlink_metadata(&self.path);
        found.is_ok_and(|found| self.file.metadata().is_ok_and(|own| is_same(&found, &own)))
    }

    /// Removes a file in which there is nothing.
    pub(super) fn remove(self) -> io::Result<()> {
        if self.has_its_name() { fs::remove_file(&self.path) } else { Ok(()) }
    }
}

#[cfg(unix)]
fn is_same(a: &Metadata, b: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    (a.dev(), a.ino()) == (b.dev(), b.ino())
}

/// Elsewhere a file that is open keeps its name.
#[cfg(not(unix))]
fn is_same(_: &Metadata, _: &Metadata) -> bool {
    true
}

pub(super) fn write_at(mut file: &File, at: u64, bytes: &[u8]) -> io::Result<()> {
    file.seek(SeekFrom::Start(at))?;
    file.write_all(bytes)
}

/// The first bytes of a file.
pub(super) fn read_start(mut file: &File, start: &mut [u8]) -> io::Result<()> {
    file.seek(SeekFrom::Start(0))?;
    file.read_exact(start)
}
