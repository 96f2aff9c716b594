//! Files that a crash has left: found at the start, cut behind their last whole fragment or tag, and completed; but clips and
//! uploads that were being put among them are removed, for they can be had again.
//!
//! Whether a file is one of ours that was not completed is said by its first bytes, so nothing that is remembered elsewhere
//! can disagree with it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use headwater_media::Timestamp;
use headwater_media::flv::growing as flv;
use headwater_media::mp4::{BoxHeader, growing as mp4};
use headwater_vod::is_unfinished;

use super::appended::Completed;
use super::flv_file;
use super::growing_file::complete;
use super::policy::RecordFormat;

/// Directories within each other, at most: as many as the library looks into.
pub(super) const DEPTH_MAX: usize = 16;

/// What has become of a file that was found unfinished.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repaired {
    /// The file.
    pub path: PathBuf,
    /// What it came to.
    pub outcome: Outcome,
}

/// What a repair came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is a film.
    Completed {
        /// Bytes at its end that were no whole fragment or tag.
        cut: u64,
        /// How long it is.
        duration: Timestamp,
    },
    /// There was nothing in it, and it was removed.
    Empty,
    /// It was a part of a clip or of an upload, and was removed.
    Removed,
    /// It stays as it is: a sentence.
    Failed(String),
}

/// Repairs or removes all unfinished files below `directory` that were written last before `before`; a recording without a byte is
/// what a power cut may leave of one. It reads every film's first bytes and may take a while.
pub fn repair_all(directory: &Path, before: SystemTime, mut tell: impl FnMut(Repaired)) {
    let mut open = vec![(directory.to_owned(), 0)];
    while let Some((directory, depth)) = open.pop() {
        let Ok(listing) = fs::read_dir(&directory) else { continue };
        for entry in listing.flatten() {
            let Ok(about) = entry.metadata() else { continue };
            let path = entry.path();
            if about.is_dir() && depth < DEPTH_MAX {
                open.push((path, depth + 1));
            } else if about.is_file()
                && about.modified().is_ok_and(|modified| modified <= before)
                && let Some(outcome) = settle(&path)
            {
                let outcome = outcome.unwrap_or_else(|error| Outcome::Failed(error.to_string()));
                tell(Repaired { path, outcome });
            }
        }
    }
}

/// What becomes of a file if it is unfinished.
fn settle(path: &Path) -> Option<io::Result<Outcome>> {
    if is_unfinished(path) {
        return Some(fs::remove_file(path).map(|()| Outcome::Removed));
    }
    let is_empty = || fs::metadata(path).is_ok_and(|about| about.len() == 0);
    let is_left = is_recording(path) && (is_empty() || unfinished(path).is_ok_and(|format| format.is_some()));
    is_left.then(|| repair(path))
}

/// Whether a file may be a recording by its name.
pub(super) fn is_recording(path: &Path) -> bool {
    let is_of = |format: RecordFormat| path.extension().is_some_and(|ending| ending == format.ending());
    is_of(RecordFormat::Mp4) || is_of(RecordFormat::Flv)
}

/// Whether a file is one of ours that grows, or was left unfinished; and what kind it is.
pub(super) fn unfinished(path: &Path) -> io::Result<Option<RecordFormat>> {
    const START_LEN: usize = if mp4::START_LEN > flv::START_LEN { mp4::START_LEN } else { flv::START_LEN };
    let mut start = Vec::with_capacity(START_LEN);
    File::open(path)?.take(START_LEN as u64).read_to_end(&mut start)?;
    let is_flv = flv::is_growing(&start).then_some(RecordFormat::Flv);
    Ok(if mp4::is_growing(&start) { Some(RecordFormat::Mp4) } else { is_flv })
}

/// Repairs one file that is unfinished.
pub(super) fn repair(path: &Path) -> io::Result<Outcome> {
    let format = unfinished(path)?;
    let file = OpenOptions::new().read(true).write(true).open(path)?;
    let repaired = match format {
        _ if file.metadata()?.len() == 0 => None,
        Some(RecordFormat::Flv) => flv_file::repair(&file)?,
        Some(RecordFormat::Mp4) | None => repair_mp4(&file)?,
    };
    let Some((cut, Completed { duration, .. })) = repaired else {
        drop(file);
        fs::remove_file(path)?;
        return Ok(Outcome::Empty);
    };
    Ok(Outcome::Completed { cut, duration })
}

/// Cuts off what is no whole fragment, and completes the file; how many bytes that were comes with it. `None` where no
/// fragment is whole.
fn repair_mp4(file: &File) -> io::Result<Option<(u64, Completed)>> {
    let len = file.metadata()?.len();
    let Some(end) = whole_until(file, len)? else { return Ok(None) };
    file.set_len(end)?;
    Ok(Some((len - end, complete(file, end)?)))
}

/// Where the last fragment ends that is whole: its `moof` can be read, and its `mdat` is there and holds what it says.
/// `None` without any.
fn whole_until(file: &File, len: u64) -> io::Result<Option<u64>> {
    let (mut at, mut whole, mut has_description) = (0, None, false);
    while let Some(header) = header_at(file, at, len)? {
        let Some(end) = header.len.and_then(|size| at.checked_add(size)).filter(|&end| end <= len) else {
            break;
        };
        match &header.kind.0 {
            b"moof" => has_description = true,
            b"mdat" if has_description => (whole, has_description) = (Some(end), false),
            b"emsg" if whole.is_some() => whole = Some(end),
            b"ftyp" | b"free" => {}
            b"moov" if whole.is_none() => {}
            // What completed it did not come to its end, or power was cut while it was written.
            _ => break,
        }
        at = end;
    }
    Ok(whole)
}

fn header_at(mut file: &File, at: u64, len: u64) -> io::Result<Option<BoxHeader>> {
    let mut bytes = Vec::with_capacity(BoxHeader::MAX_LEN);
    if at >= len {
        return Ok(None);
    }
    file.seek(SeekFrom::Start(at))?;
    file.take(BoxHeader::MAX_LEN as u64).read_to_end(&mut bytes)?;
    Ok(BoxHeader::parse(&bytes).ok().flatten())
}
