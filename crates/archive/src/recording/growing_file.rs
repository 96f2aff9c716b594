//! One file of a broadcast while it grows: whole after each write, and completed when it ends.
//!
//! What kind of file it is matters here alone: to its [`Recorder`](super::Recorder) it takes parts and is long.

use std::fs::File;
use std::io;
use std::path::Path;

use bytes::Bytes;
use headwater_media::mp4::TrackFragments;
use headwater_media::mp4::growing::{self, HeadPlaces};
use headwater_vod::{FileBlob, read_index};

use super::appended::{Appended, Beginning, Completed, NOTE_AT, read_start, write_at};
use super::flv_file::FlvFile;
use super::policy::RecordFormat;
use crate::window::Kept;

/// A file that grows.
#[derive(Debug)]
pub(super) enum GrowingFile {
    Mp4(Mp4File),
    Flv(Box<FlvFile>),
}

impl GrowingFile {
    /// Makes the file. Directories on the way are made.
    pub(super) fn create(format: RecordFormat, path: &Path, beginning: &Beginning<'_>) -> io::Result<Self> {
        Ok(match format {
            RecordFormat::Mp4 => Self::Mp4(Mp4File::create(path, beginning)?),
            RecordFormat::Flv => Self::Flv(Box::new(FlvFile::create(path, beginning)?)),
        })
    }

    /// What is the same in all kinds of files.
    pub(super) const fn appended(&self) -> &Appended {
        match self {
            Self::Mp4(file) => &file.appended,
            Self::Flv(file) => file.appended(),
        }
    }

    /// Parts that are described so come too. An MP4 says it in its head, and false if there is no room for that; an FLV says
    /// it where they come.
    pub(super) fn describe(&mut self, tracks: &[TrackFragments]) -> io::Result<bool> {
        match self {
            Self::Mp4(file) => file.grow_head(&TrackFragments::head_of(tracks.iter())),
            Self::Flv(_) => Ok(true),
        }
    }

    /// Takes a part and its bytes; how many frames have no place in such a file comes back.
    pub(super) fn put(&mut self, kept: &Kept, bytes: &Bytes) -> io::Result<u64> {
        match self {
            Self::Mp4(file) => {
                let at = file.appended.append(bytes)?;
                kept.lies_at(file.appended.reader(), at);
                Ok(0)
            }
            Self::Flv(file) => file.put(kept.part(), bytes),
        }
    }

    /// Makes an ordinary film of it. Of a file in which there is nothing, nothing is left.
    pub(super) fn complete(self) -> io::Result<Option<Completed>> {
        match self {
            Self::Mp4(file) if file.appended.is_empty() => file.appended.remove().map(|()| None),
            Self::Mp4(file) => complete(file.appended.file(), file.appended.len()).map(Some),
            Self::Flv(file) => file.complete(),
        }
    }
}

/// An MP4: fragments, as the parts come.
#[derive(Debug)]
pub(super) struct Mp4File {
    appended: Appended,
    /// The head that holds, and where heads lie.
    head: Bytes,
    heads: HeadPlaces,
}

impl Mp4File {
    fn create(path: &Path, beginning: &Beginning<'_>) -> io::Result<Self> {
        let Beginning { stream, numbers, head, .. } = beginning;
        let (front, heads) = growing::begin_file(head, NOTE_AT).map_err(io::Error::other)?;
        let appended = Appended::create(path, &[front, numbers.note(stream)].concat())?;
        Ok(Self { appended, head: (*head).clone(), heads })
    }

    /// Another head holds from now on: it has a track more. False if there is no room for it.
    fn grow_head(&mut self, head: &Bytes) -> io::Result<bool> {
        if *head == self.head {
            return Ok(true);
        }
        let Ok((writes, heads)) = growing::grow_head(self.heads, head) else { return Ok(false) };
        for (at, bytes) in writes {
            write_at(self.appended.file(), at, &bytes)?;
            // A power cut must not leave a later one without those before.
            self.appended.file().sync_data()?;
        }
        (self.head, self.heads) = (head.clone(), heads);
        Ok(true)
    }
}

/// Completes an MP4 whose media ends at `end`.
pub(super) fn complete(file: &File, end: u64) -> io::Result<Completed> {
    let mut start = [0; growing::START_LEN];
    read_start(file, &mut start)?;
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
