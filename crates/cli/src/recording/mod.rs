//! Where a recording goes: nowhere, to an FLV file or standard output, or to MP4 files. Each form is playable up to
//! where it was cut off.
//!
//! Whatever the stream does, the recording goes on: a track may come late, stop, or change its size or codec. FLV
//! says so in place; of MP4 see [`mp4`].

mod file;
mod flv;
mod mp4;

use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::bail;
use headwater_media::Track;
use headwater_media::flv::LeftOut;
use headwater_vod::Item;

use self::flv::FlvFile;
use self::mp4::Mp4Files;

/// Who read standard output has closed it.
#[derive(Debug)]
pub(super) struct ReaderGone;

impl fmt::Display for ReaderGone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("nobody reads standard output any more")
    }
}

impl std::error::Error for ReaderGone {}

/// A recording as it is written.
pub(super) enum Recording {
    Nowhere,
    Flv(Box<FlvFile>),
    Mp4(Box<Mp4Files>),
}

impl Recording {
    /// Begins; what form it has, the name says. `-` is standard output.
    pub(super) fn create(output: Option<&Path>) -> anyhow::Result<Self> {
        let Some(path) = output else { return Ok(Self::Nowhere) };
        if path.as_os_str() == "-" {
            return Ok(Self::Flv(Box::new(FlvFile::to_stdout())));
        }
        let extension = path.extension().map(|extension| extension.to_string_lossy().to_lowercase());
        match extension.as_deref() {
            Some("mp4" | "m4v" | "m4a" | "mov" | "f4v") => Ok(Self::Mp4(Box::new(Mp4Files::create(path)?))),
            Some("flv") => Ok(Self::Flv(Box::new(FlvFile::create(path)?))),
            _ => bail!("{}: name the file .flv or .mp4, or - for standard output", path.display()),
        }
    }

    /// Takes what has come.
    pub(super) fn put(&mut self, item: Item) -> anyhow::Result<()> {
        match self {
            Self::Nowhere => Ok(()),
            Self::Flv(file) => file.put(item),
            Self::Mp4(files) => files.put(item),
        }
    }

    /// Writes what is still held back. To be called whatever has happened before.
    pub(super) fn finish(&mut self) -> anyhow::Result<()> {
        match self {
            Self::Nowhere => Ok(()),
            Self::Flv(file) => file.finish(),
            Self::Mp4(files) => files.finish(),
        }
    }

    /// The files, in the order of time.
    pub(super) fn files(&self) -> Vec<PathBuf> {
        match self {
            Self::Nowhere => Vec::new(),
            Self::Flv(file) => file.path().map(Path::to_owned).into_iter().collect(),
            Self::Mp4(files) => files.paths().to_vec(),
        }
    }

    /// What this form has no place for.
    pub(super) fn left_out(&self) -> LeftOut {
        match self {
            Self::Nowhere | Self::Flv(_) => LeftOut::default(),
            Self::Mp4(files) => files.left_out().clone(),
        }
    }
}

/// Puts the track in the place of what was known of it.
fn replace(tracks: &mut Vec<Track>, track: Track) {
    tracks.retain(|known| known.id != track.id);
    tracks.push(track);
    tracks.sort_by_key(|track| track.id);
}
