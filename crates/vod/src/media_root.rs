//! From a film's name to its file: never outside the app's directory.

mod write;

pub use self::write::is_unfinished;
pub(crate) use self::write::{Way, appear, unfinished};

use std::fs::{self, File, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::blob::FileBlob;
use crate::foreign::Foreign;
use crate::refusal::{Refusal, RefusalKind};

/// What films are called, in the order in which a name without an extension is looked for.
pub(crate) const FILMS: [&str; 6] = ["mp4", "flv", "f4v", "m4v", "mov", "m4a"];
/// What may lie beside a film and is served as it is.
const BESIDE: [&str; 2] = ["vtt", "srt"];
/// Files of a directory that are looked at for what lies beside a film, at most.
const NEIGHBOURS_MAX: usize = 10_000;
/// Directories within each other, at most.
const DEPTH_MAX: usize = 16;

/// A film in a directory, unopened; or a file of another container, of which one can be made ([`Foreign::of`]).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its path below the directory, with `/`.
    pub name: String,
    /// The file's length.
    pub bytes: u64,
    /// When the file was last written.
    pub modified: SystemTime,
}

/// One app's directory.
#[derive(Clone, Debug)]
pub(crate) struct MediaRoot {
    pub directory: PathBuf,
    pub follow_symlinks: bool,
}

impl MediaRoot {
    /// The path below the directory of the film that a client calls `name`: with its extension or without,
    /// and with the prefixes of Flash (`mp4:`, `flv:`, `f4v:`).
    pub(crate) fn find(&self, name: &str) -> Result<String, Refusal> {
        let (preferred, bare) = match name.split_once(':') {
            Some((prefix @ ("mp4" | "flv" | "f4v"), bare)) => (Some(prefix), bare),
            _ => (None, name),
        };
        if has_extension(bare, &FILMS) {
            self.check(bare)?;
            return Ok(bare.to_owned());
        }
        // A bare name was an FLV for Flash; here it is whatever there is.
        for extension in preferred.into_iter().chain(FILMS) {
            let candidate = format!("{bare}.{extension}");
            match self.check(&candidate) {
                Ok(_) => return Ok(candidate),
                Err(refusal) if refusal.kind == RefusalKind::NotFound => {}
                Err(refusal) => return Err(refusal),
            }
        }
        if let Some(foreign) = Foreign::of(bare)
            && self.check_any(bare).is_ok_and(|(_, about)| about.is_file())
        {
            return Err(Refusal::new(RefusalKind::NoMedia, foreign.sentence(bare)));
        }
        Err(Refusal::no_film(name))
    }

    /// Opens a film or what lies beside one, by its path below the directory.
    pub(crate) fn open(&self, name: &str) -> Result<FileBlob, Refusal> {
        let (path, about) = self.check(name)?;
        let file = File::open(&path).map_err(|error| Refusal::unreadable(name, &error))?;
        // What was checked is not what was opened if the file was replaced in between.
        let opened = file.metadata().map_err(|error| Refusal::unreadable(name, &error))?;
        if !is_same(&about, &opened) {
            return Err(Refusal::new(
                RefusalKind::Busy,
                format!("{name} is just being replaced; try again."),
            ));
        }
        FileBlob::new(file).map_err(|error| Refusal::unreadable(name, &error))
    }

    /// Length and time of a file, unopened.
    pub(crate) fn stat(&self, name: &str) -> Result<(u64, SystemTime), Refusal> {
        let (_, about) = self.check(name)?;
        Ok((about.len(), about.modified().unwrap_or(SystemTime::UNIX_EPOCH)))
    }

    /// The films of the directory and of those within it, and files that are none yet, at most `entries_max`, by name. Whether there
    /// are more comes with them.
    pub(crate) fn list(&self, entries_max: usize) -> io::Result<(Vec<Entry>, bool)> {
        let mut entries = Vec::new();
        let mut open = vec![(self.directory.clone(), String::new(), 0)];
        while let Some((directory, prefix, depth)) = open.pop() {
            let listing = match fs::read_dir(&directory) {
                Ok(listing) => listing,
                // No directory is no films; one that went while we were on our way is none either.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) if depth == 0 => return Err(error),
                Err(_) => continue,
            };
            for entry in listing.flatten() {
                // A name that is no UTF-8 cannot be asked for.
                let Ok(name) = entry.file_name().into_string() else { continue };
                let name = format!("{prefix}{name}");
                let Ok((path, about)) = self.check_any(&name) else { continue };
                if about.is_dir() && depth < DEPTH_MAX {
                    open.push((path, format!("{name}/"), depth + 1));
                } else if about.is_file() && (is_film(&name) || Foreign::of(&name).is_some()) {
                    if entries.len() == entries_max {
                        return Ok((sorted(entries), true));
                    }
                    let modified = about.modified().unwrap_or(SystemTime::UNIX_EPOCH);
                    entries.push(Entry { name, bytes: about.len(), modified });
                }
            }
        }
        Ok((sorted(entries), false))
    }

    /// The path of a file that is there and may be served.
    fn check(&self, name: &str) -> Result<(PathBuf, Metadata), Refusal> {
        if !has_extension(name, &FILMS) && !has_extension(name, &BESIDE) {
            return Err(Refusal::no_film(name));
        }
        let (path, about) = self.check_any(name)?;
        if about.is_file() { Ok((path, about)) } else { Err(Refusal::no_film(name)) }
    }

    /// The names of the files beside a film that are called after it: `film.en.vtt`, `film.vtt`.
    pub(crate) fn beside(&self, film: &str) -> Result<Vec<String>, Refusal> {
        let (path, _) = self.check(film)?;
        let prefix = film.rfind('/').map_or("", |slash| &film[..=slash]);
        let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        let listing = path.parent().map(fs::read_dir);
        let Some(Ok(listing)) = listing else { return Ok(Vec::new()) };
        let mut names: Vec<String> = listing
            .flatten()
            .take(NEIGHBOURS_MAX)
            .filter_map(|entry| entry.file_name().into_string().ok())
            .filter(|name| name.strip_prefix(stem).is_some_and(|rest| rest.starts_with('.')))
            .filter(|name| has_extension(name, &BESIDE))
            .map(|name| format!("{prefix}{name}"))
            .filter(|name| self.check(name).is_ok())
            .collect();
        names.sort();
        Ok(names)
    }

    /// The path of what is there and lies within the directory. No part of the way may be a symbolic link
    /// unless they are allowed.
    fn check_any(&self, name: &str) -> Result<(PathBuf, Metadata), Refusal> {
        check_name(name)?;
        let mut path = self.directory.clone();
        let mut about = None;
        for part in name.split('/') {
            path.push(part);
            let found = fs::symlink_metadata(&path).map_err(|error| Refusal::unreadable(name, &error))?;
            if found.is_symlink() && !self.follow_symlinks {
                return Err(Refusal::new(
                    RefusalKind::Forbidden,
                    format!(
                        "{name} is reached by a symbolic link, which is not followed (vod.follow_symlinks)."
                    ),
                ));
            }
            about = Some(found);
        }
        match about {
            Some(link) if link.is_symlink() => {
                let target = fs::metadata(&path).map_err(|error| Refusal::unreadable(name, &error))?;
                Ok((path, target))
            }
            Some(about) => Ok((path, about)),
            None => Err(Refusal::no_film(name)),
        }
    }
}

/// Refuses names that could lead outside, that are hidden, or that no file can have.
pub(crate) fn check_name(name: &str) -> Result<(), Refusal> {
    let refusal = |why| Refusal::new(RefusalKind::Forbidden, format!("This name is not served: {why}."));
    fault_of(name).map_or(Ok(()), |why| Err(refusal(why)))
}

/// Why a name could lead outside, is hidden, or can be no file's; none if it is good. The parts of a name stand between
/// slashes.
fn fault_of(name: &str) -> Option<&'static str> {
    /// Longer than any name that people give, and a quarter of what a path may have on Linux.
    const NAME_BYTES_MAX: usize = 1024;
    if name.len() > NAME_BYTES_MAX {
        return Some("it is too long");
    }
    if name.chars().any(|letter| letter.is_control() || letter == '\\') {
        return Some("it has control characters or a backslash in it");
    }
    for part in name.split('/') {
        if part.is_empty() {
            return Some("a part of it is empty");
        }
        if part.starts_with('.') {
            return Some("a part of it begins with a dot");
        }
        // Drives and alternate streams.
        if cfg!(windows) && part.contains(':') {
            return Some("it has a colon in it");
        }
    }
    if Path::new(name).is_absolute() {
        return Some("it does not begin in the directory");
    }
    None
}

/// Whether a name is a film's by its extension.
pub fn is_film(name: &str) -> bool {
    has_extension(name, &FILMS)
}

fn has_extension(name: &str, extensions: &[&str]) -> bool {
    let extension = Path::new(name).extension().and_then(|extension| extension.to_str());
    extension.is_some_and(|extension| extensions.iter().any(|known| known.eq_ignore_ascii_case(extension)))
}

/// By name; and without files of which a film has been made.
fn sorted(mut entries: Vec<Entry>) -> Vec<Entry> {
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    let is_mended = |entry: &Entry| {
        let film = Foreign::of(&entry.name).map(|foreign| foreign.film);
        film.is_some_and(|film| entries.binary_search_by(|other| other.name.cmp(&film)).is_ok())
    };
    let mended: Vec<bool> = entries.iter().map(is_mended).collect();
    let mut mended = mended.into_iter();
    entries.retain(|_| !mended.next().unwrap_or(false));
    entries
}

#[cfg(unix)]
fn is_same(a: &Metadata, b: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    (a.dev(), a.ino()) == (b.dev(), b.ino())
}

#[cfg(not(unix))]
fn is_same(a: &Metadata, b: &Metadata) -> bool {
    a.len() == b.len()
}

#[cfg(test)]
mod tests;
