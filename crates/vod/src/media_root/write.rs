//! Putting files into an app's directory and taking them out again.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use super::{BESIDE, DEPTH_MAX, FILMS, MediaRoot, check_name, has_extension};
use crate::refusal::{Refusal, RefusalKind};

/// Bytes of one part of a name, as most file systems have it.
const PART_BYTES_MAX: usize = 255;

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

    /// The path that a new file of that name gets. Directories on the way are made; links are not followed
    /// unless they are allowed.
    pub(crate) fn make_way(&self, name: &str) -> Result<PathBuf, Refusal> {
        self.holds(name)?;
        let failed = |error: io::Error| {
            Refusal::new(RefusalKind::Failed, format!("There can be no directory for {name}: {error}."))
        };
        fs::create_dir_all(&self.directory).map_err(failed)?;
        let mut path = self.directory.clone();
        let mut parts = name.split('/').peekable();
        while let Some(part) = parts.next() {
            path.push(part);
            if parts.peek().is_none() {
                break;
            }
            match fs::create_dir(&path) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(failed(error)),
            }
        }
        // What was there before may be a link.
        self.holds(name)?;
        Ok(path)
    }

    /// Gives a film, or what lies beside one, another name. Who has it open goes on reading it.
    pub(crate) fn rename(&self, from: &str, to: &str) -> Result<(), Refusal> {
        let (old, _) = self.check(from)?;
        let ending = |name| Path::new(name).extension().map(OsStr::to_ascii_lowercase);
        if ending(from) != ending(to) {
            let text = format!("{to} ends otherwise than {from}; a name does not change what a file is.");
            return Err(Refusal::new(RefusalKind::Invalid, text));
        }
        let new = self.make_way(to)?;
        // A link is only made where nothing is: a rename would write over what has come in between.
        let moved = fs::hard_link(&old, &new).and_then(|()| fs::remove_file(&old));
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
        let target = self.make_way(name)?;
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
        // Hidden names are not served.
        let beside = target.with_file_name(format!(".headwater-{:016x}", u64::from_ne_bytes(random)));
        let written = File::create_new(&beside)
            .and_then(|mut file| write(&mut file).and_then(|()| file.sync_all()))
            .and_then(|()| appear(&beside, &target, false));
        written.map_err(|error| {
            let _ = fs::remove_file(&beside);
            failed(error)
        })
    }

    /// Takes a film, or what lies beside one, out of the directory. Who has it open goes on reading it.
    pub(crate) fn remove(&self, name: &str) -> Result<(), Refusal> {
        let (path, _) = self.check(name)?;
        fs::remove_file(path).map_err(|error| Refusal::unreadable(name, &error))
    }
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
    check_name(name)?;
    let refuse =
        |why: &str| Err(Refusal::new(RefusalKind::Forbidden, format!("No file can have this name: {why}.")));
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
