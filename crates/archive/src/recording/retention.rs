//! Which recordings are removed: the oldest first, by age, number and size of those of one app. One that grows is never
//! removed, nor one that is watched.

use std::fs;
use std::path::{Component, Path, PathBuf};
use std::time::{Duration, SystemTime};

use headwater_vod::is_film;

use super::policy::AppConfig;
use super::repair::unfinished;

/// Directories within each other, at most: as many as the library looks into.
const DEPTH_MAX: usize = 16;

/// A recording that was removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Removed {
    /// Its path below the directory of recordings.
    pub name: String,
    /// Its length.
    pub bytes: u64,
}

#[derive(Debug)]
struct Recording {
    path: PathBuf,
    name: String,
    bytes: u64,
    modified: SystemTime,
}

/// Removes what `policy` of `app` does not keep from the recordings below `root`, but for what `is_spared` by its path
/// below it. An app whose name leads elsewhere has none. It may wait for the disk.
pub fn retain(
    root: &Path,
    app: &str,
    policy: &AppConfig,
    now: SystemTime,
    is_spared: impl Fn(&str) -> bool,
) -> Vec<Removed> {
    if !stays_within(app) {
        return Vec::new();
    }
    let mut recordings = list(&root.join(app), app);
    recordings.sort_by(|a, b| (b.modified, &b.name).cmp(&(a.modified, &a.name)));
    let age_max = Duration::from_secs(u64::from(policy.keep_days) * 86_400);
    let (mut count, mut bytes, mut removed) = (0, 0_u64, Vec::new());
    // The newest first: what they take is not the others'.
    for recording in recordings {
        count += 1;
        bytes += recording.bytes;
        let age = now.duration_since(recording.modified).unwrap_or_default();
        let is_too_much = policy.keep_days > 0 && age > age_max
            || policy.keep_files > 0 && count > policy.keep_files
            || policy.keep_bytes > 0 && bytes > policy.keep_bytes;
        if is_too_much
            && !is_spared(&recording.name)
            && !grows(&recording.path)
            && fs::remove_file(&recording.path).is_ok()
        {
            count -= 1;
            bytes -= recording.bytes;
            remove_emptied(root, &recording.name);
            removed.push(Removed { name: recording.name, bytes: recording.bytes });
        }
    }
    removed
}

/// Removes the directories that have become empty since the recording at this path below `root` is there no more: all on the
/// way to it, but for `root` and the app's own. It may wait for the disk.
pub fn remove_emptied(root: &Path, recording: &str) {
    if !stays_within(recording) {
        return;
    }
    let above = Path::new(recording).ancestors().skip(1);
    for directory in above.take_while(|directory| directory.components().count() > 1) {
        // One that is not empty stays, and so do those around it.
        if fs::remove_dir(root.join(directory)).is_err() {
            return;
        }
    }
}

/// Whether it is a directory below another, by its name.
fn stays_within(app: &str) -> bool {
    let mut parts = Path::new(app).components().peekable();
    parts.peek().is_some() && parts.all(|part| matches!(part, Component::Normal(_)))
}

/// Bytes of all films below a directory.
pub(crate) fn bytes_below(directory: &Path) -> u64 {
    list(directory, "").iter().map(|recording| recording.bytes).sum()
}

fn list(directory: &Path, app: &str) -> Vec<Recording> {
    let (mut found, mut open) = (Vec::new(), vec![(directory.to_owned(), app.to_owned(), 0)]);
    while let Some((directory, prefix, depth)) = open.pop() {
        let Ok(listing) = fs::read_dir(directory) else { continue };
        for entry in listing.flatten() {
            let (Ok(about), Ok(name)) = (entry.metadata(), entry.file_name().into_string()) else { continue };
            let name = format!("{prefix}/{name}");
            if about.is_dir() && depth < DEPTH_MAX {
                open.push((entry.path(), name, depth + 1));
            } else if about.is_file() && is_film(&name) {
                let modified = about.modified().unwrap_or(SystemTime::UNIX_EPOCH);
                found.push(Recording { path: entry.path(), name, bytes: about.len(), modified });
            }
        }
    }
    found
}

/// Whether it is being written, or was left unfinished and is repaired at the next start.
fn grows(path: &Path) -> bool {
    unfinished(path).is_ok_and(|format| format.is_some())
}

#[cfg(test)]
mod tests;
