//! Putting files into an app's directory and taking them out again.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use super::{BESIDE, DEPTH_MAX, FILMS, MediaRoot, fault_of, has_extension};
use crate::refusal::{Refusal, RefusalKind};

/// Bytes of one part of a name, as most file systems have it.
const PART_BYTES_MAX: usize = 255;
/// What stands in front of the number in the name of a file that is not whole yet. Hidden names are not served.
const UNFINISHED: &str = ".headwater-";
/// Digits of that number, at least.
const UNFINISHED_DIGITS: usize = 16;

/// Where a new file goes. The directories that were made for it go with this if nothing lies in them by then.
#[derive(Debug)]
pub(crate) struct Way {
    path: PathBuf,
    /// Each below the one before.
    made: Vec<PathBuf>,
}

impl Way {
    /// The path that the file gets.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Way {
    fn drop(&mut self) {
        // One that is not empty stays, and so do those around it.
        let _ = self.made.iter().rev().try_for_each(fs::remove_dir);
    }
}

impl MediaRoot {
    /// Whether a file of that name may lie here, and whether one does.
    pub(crate) fn holds(&self, name: &str) -> Result<bool, Refusal> {
        check_new(name)?;
        match self.check_any(name) {
            Ok((_, about)) if about.is_file() => Ok(true),
            Ok(_) => Err(Refusal::new(RefusalKind::Forbidden, format!("{name} is a directory."))),
            Err(refusal) if refusal.kind == RefusalKind::NotFound => Ok(false),
            Err(refusal) => Err(refusal),
        }
    }

    /// The way to a new file of that name. Directories are made; links are not followed unless they are allowed.
    pub(crate) fn make_way(&self, name: &str) -> Result<Way, Refusal> {
        self.holds(name)?;
        let failed = |error: io::Error| {
            Refusal::new(RefusalKind::Failed, format!("There can be no directory for {name}: {error}."))
        };
        fs::create_dir_all(&self.directory).map_err(failed)?;
        let mut way = Way { path: self.directory.clone(), made: Vec::new() };
        let mut parts = name.split('/').peekable();
        while let Some(part) = parts.next() {
            way.path.push(part);
            if parts.peek().is_none() {
                break;
            }
            match fs::create_dir(&way.path) {
                Ok(()) => way.made.push(way.path.clone()),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(failed(error)),
            }
        }
        // What was there before may be a link.
        self.holds(name)?;
        Ok(way)
    }

    /// Gives a film, or what lies beside one, another name. Who has it open goes on reading it.
    pub(crate) fn rename(&self, from: &str, to: &str) -> Result<(), Refusal> {
        let (old, _) = self.check(from)?;
        let ending = |name| Path::new(name).extension().map(OsStr::to_ascii_lowercase);
        if ending(from) != ending(to) {
            let text = format!("{to} ends otherwise than {from}; a name does not change what a file is.");
            return Err(Refusal::new(RefusalKind::Invalid, text));
        }
        let way = self.make_way(to)?;
        let new = way.path();
        // A link is only made where nothing is: a rename would write over what has come in between.
        let moved = fs::hard_link(&old, new).and_then(|()| fs::remove_file(&old));
        moved.map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => {
                Refusal::new(RefusalKind::Taken, format!("There is a {to} already."))
            }
            _ => Refusal::unreadable(from, &error),
        })
    }

    /// Makes a new file of what `write` writes, which appears under its name when it is whole.
    pub(crate) fn put(
        &self,
        name: &str,
        write: impl FnOnce(&mut File) -> io::Result<()>,
    ) -> Result<(), Refusal> {
        let way = self.make_way(name)?;
        let target = way.path();
        let failed = |error: io::Error| match error.kind() {
            io::ErrorKind::AlreadyExists => {
                Refusal::new(RefusalKind::Taken, format!("There is a {name} already."))
            }
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                Refusal::new(RefusalKind::Full, "The disk is full.")
            }
            _ => Refusal::new(RefusalKind::Failed, format!("{name} cannot be written: {error}.")),
        };
        if target.exists() {
            return Err(failed(io::ErrorKind::AlreadyExists.into()));
        }
        let mut random = [0; 8];
        getrandom::fill(&mut random).map_err(|error| failed(io::Error::other(error.to_string())))?;
        let beside = unfinished(target, &format!("{:016x}", u64::from_ne_bytes(random)));
        let written = File::create_new(&beside)
            .and_then(|mut file| write(&mut file).and_then(|()| file.sync_all()))
            .and_then(|()| appear(&beside, target, false));
        written.map_err(|error| {
            let _ = fs::remove_file(&beside);
            failed(error)
        })
    }

    /// Removes what was being written of a file of that name under this number, if there is something.
    pub(crate) fn remove_unfinished(&self, name: &str, number: &str) {
        if check_new(name).is_ok() {
            let _ = fs::remove_file(unfinished(&self.directory.join(name), number));
        }
    }

    /// Takes a film, or what lies beside one, out of the directory. Who has it open goes on reading it.
    pub(crate) fn remove(&self, name: &str) -> Result<(), Refusal> {
        let (path, _) = self.check(name)?;
        fs::remove_file(path).map_err(|error| Refusal::unreadable(name, &error))
    }
}

/// Where a file is written that is to be at `target` when it is whole: beside it. `number` is hexadecimal, and nobody else's.
pub(crate) fn unfinished(target: &Path, number: &str) -> PathBuf {
    target.with_file_name(format!("{UNFINISHED}{number}"))
}

/// Whether a file in an app's directory is one of ours that is not whole, by its name. Once nobody writes it nothing will
/// become of it.
pub fn is_unfinished(path: &Path) -> bool {
    let name = path.file_name().and_then(OsStr::to_str).unwrap_or_default();
    name.strip_prefix(UNFINISHED).is_some_and(|number| {
        number.len() >= UNFINISHED_DIGITS && number.bytes().all(|digit| digit.is_ascii_hexdigit())
    })
}

/// Moves a file within its file system, over another one or not.
pub(crate) fn appear(from: &Path, target: &Path, replace: bool) -> io::Result<()> {
    if replace {
        return fs::rename(from, target);
    }
    // A link fails where there is a file, even one that appears at this moment; a rename would not.
    match fs::hard_link(from, target) {
        Ok(()) => fs::remove_file(from),
        Err(error)
            if matches!(error.kind(), io::ErrorKind::AlreadyExists | io::ErrorKind::CrossesDevices) =>
        {
            Err(error)
        }
        // Not every file system has links.
        Err(_) if !target.exists() => fs::rename(from, target),
        Err(_) => Err(io::ErrorKind::AlreadyExists.into()),
    }
}

/// Refuses names that a new file may not have.
fn check_new(name: &str) -> Result<(), Refusal> {
    let refuse =
        |why: &str| Err(Refusal::new(RefusalKind::Forbidden, format!("No film can have this name: {why}.")));
    if let Some(fault) = fault_of(name) {
        return refuse(fault);
    }
    if !has_extension(name, &FILMS) && !has_extension(name, &BESIDE) {
        let known = FILMS.iter().chain(&BESIDE).copied().collect::<Vec<_>>().join(", ");
        return refuse(&format!("it ends in none of {known}"));
    }
    if name.split('/').count() > DEPTH_MAX {
        return refuse("it has too many parts");
    }
    // What stands behind a film's name in an address is a part of it.
    if name.rmatch_indices('/').any(|(slash, _)| has_extension(&name[..slash], &FILMS)) {
        return refuse("a directory in it is called like a film");
    }
    if name.split('/').any(|part| part.len() > PART_BYTES_MAX) {
        return refuse("a part of it is too long");
    }
    Ok(())
}
