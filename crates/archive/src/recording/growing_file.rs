//! One file of a broadcast while it grows: appended to only, whole after each write.
//!
//! It is made new, and never in the place of another. What is appended goes to the system at once: a program that is
//! killed loses nothing that was appended. The disk is told to keep it every [`SYNC_EVERY`], which is what a power cut may
//! cost.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use headwater_hub::StreamName;
use headwater_media::Timestamp;
use headwater_media::mp4::growing::{self, HeadPlaces};
use headwater_vod::{FileBlob, read_index};

use crate::numbers::{NOTE_LEN, Numbers};

/// Between two times that the disk is told to keep what there is.
const SYNC_EVERY: Duration = Duration::from_secs(5);
/// Bytes from the beginning to the first part.
const ROOM: u64 = 64 << 10;
/// Where in it the note of numbers begins: heads of the file go before it.
pub(super) const NOTE_AT: u64 = ROOM - NOTE_LEN;

/// A file that grows.
#[derive(Debug)]
pub(super) struct GrowingFile {
    file: File,
    /// For who reads what was appended.
    reader: Arc<File>,
    path: PathBuf,
    /// Where the next part goes.
    end: u64,
    /// The head that holds, and where heads lie.
    head: Bytes,
    heads: HeadPlaces,
    synced: Instant,
}

/// A file that is complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Completed {
    pub(super) bytes: u64,
    pub(super) duration: Timestamp,
}

impl GrowingFile {
    /// Makes the file with its head and the numbers of its stream. Directories on the way are made.
    pub(super) fn create(path: &Path, head: &Bytes, name: &StreamName, numbers: Numbers) -> io::Result<Self> {
        let (beginning, heads) = growing::begin_file(head, NOTE_AT).map_err(io::Error::other)?;
        let beginning = [beginning, numbers.note(name)].concat();
        let create = || {
            path.parent().map_or(Ok(()), fs::create_dir_all)?;
            OpenOptions::new().read(true).write(true).create_new(true).open(path)
        };
        // Once more, where the directory was empty and has just been removed.
        let file = create().or_else(|error| match error.kind() {
            io::ErrorKind::NotFound => create(),
            _ => Err(error),
        })?;
        let mut growing = Self {
            reader: Arc::new(File::open(path)?),
            file,
            path: path.to_owned(),
            end: 0,
            head: head.clone(),
            heads,
            synced: Instant::now(),
        };
        if let Err(error) = growing.append(&beginning) {
            // There is nothing in it.
            let _ = fs::remove_file(path);
            return Err(error);
        }
        Ok(growing)
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

    /// Whether nothing was appended yet.
    pub(super) const fn is_empty(&self) -> bool {
        self.end <= ROOM
    }

    /// Another head holds from now on: it has a track more. False if there is no room for it.
    pub(super) fn grow_head(&mut self, head: &Bytes) -> io::Result<bool> {
        if *head == self.head {
            return Ok(true);
        }
        let Ok((writes, heads)) = growing::grow_head(self.heads, head) else { return Ok(false) };
        for (at, bytes) in writes {
            write_at(&self.file, at, &bytes)?;
            // A power cut must not leave a later one without those before.
            self.file.sync_data()?;
        }
        (self.head, self.heads) = (head.clone(), heads);
        Ok(true)
    }

    /// Writes the numbers of its stream over those that it was told before.
    pub(super) fn note(&self, name: &StreamName, numbers: Numbers) -> io::Result<()> {
        write_at(&self.file, NOTE_AT, &numbers.note(name))
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

    /// Whether the file still has its name: others may have removed, replaced or renamed it.
    pub(super) fn has_its_name(&self) -> bool {
        let found = fs::symlink_metadata(&self.path);
        found.is_ok_and(|found| self.file.metadata().is_ok_and(|own| is_same(&found, &own)))
    }

    /// Makes an ordinary film of it. Of a file in which there is nothing, nothing is left.
    pub(super) fn complete(self) -> io::Result<Option<Completed>> {
        if self.is_empty() {
            if self.has_its_name() {
                fs::remove_file(&self.path)?;
            }
            return Ok(None);
        }
        complete(&self.file, self.end).map(Some)
    }
}

/// Completes a file whose media ends at `end`.
pub(super) fn complete(file: &File, end: u64) -> io::Result<Completed> {
    let mut start = [0; growing::START_LEN];
    let mut reader = file;
    reader.seek(SeekFrom::Start(0))?;
    reader.read_exact(&mut start)?;
    let blob = FileBlob::new(file.try_clone()?)?;
    let index = read_index(&blob).map_err(io::Error::other)?;
    let ((at, movie), (seal_at, seal)) = growing::complete(&index, &start, end).map_err(io::Error::other)?;
    let written = write_at(file, at, &movie).and_then(|()| file.sync_data());
    if let Err(error) = written {
        let _ = file.set_len(end);
        return Err(error);
    }
    write_at(file, seal_at, &seal)?;
    file.sync_all()?;
    Ok(Completed { bytes: at + movie.len() as u64, duration: index.duration() })
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

fn write_at(mut file: &File, at: u64, bytes: &[u8]) -> io::Result<()> {
    file.seek(SeekFrom::Start(at))?;
    file.write_all(bytes)
}
