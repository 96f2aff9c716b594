//! One server for one data directory and one directory of recordings: a second would write into the first one's files.

use std::fs::{File, TryLockError};
use std::io;
use std::path::Path;

/// Holds a directory as long as it lives; the system lets go of it when the program ends, however it ends.
#[derive(Debug)]
pub struct DirectoryLock {
    _file: File,
}

impl DirectoryLock {
    /// Takes the data directory.
    ///
    /// # Errors
    /// A sentence: another server has it, or no file can be made in it.
    pub fn take(directory: &Path) -> Result<Self, String> {
        let shown = directory.display();
        let file = open(directory).map_err(|error| {
            format!("nothing can be written in the data directory {shown} ({error}); change whose it is, or name another")
        })?;
        hold(file).ok_or_else(|| {
            format!("another Headwater runs on the data directory {shown}; stop it, or give this one its own with --data")
        })
    }

    /// Takes the directory of recordings; `data` is taken already. It is made if something `is_recorded`. None if it is
    /// the data directory, or cannot be written: recordings say that themselves, and live streams go on.
    ///
    /// # Errors
    /// A sentence: another server has it.
    pub fn take_recordings(root: &Path, data: &Path, is_recorded: bool) -> Result<Option<Self>, String> {
        // Where nothing is and nothing is to be, there is nothing that two could write.
        if !is_recorded && !root.exists() {
            return Ok(None);
        }
        let Ok(file) = open(root) else { return Ok(None) };
        if root.canonicalize().ok() == data.canonicalize().ok() {
            return Ok(None);
        }
        let shown = root.display();
        hold(file).map(Some).ok_or_else(|| {
            format!(
                "another Headwater keeps its recordings in {shown}; stop it, or give this one its own with directory under \
                 [recordings]"
            )
        })
    }
}

/// The file that is locked; its directory is made.
fn open(directory: &Path) -> io::Result<File> {
    std::fs::create_dir_all(directory)?;
    File::options().create(true).append(true).open(directory.join("lock"))
}

/// None if another has it.
fn hold(file: File) -> Option<DirectoryLock> {
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => None,
        // File systems without locks are the operator's own risk, and not a reason to serve nobody.
        Ok(()) | Err(TryLockError::Error(_)) => Some(DirectoryLock { _file: file }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_one_is_refused_until_the_first_is_gone() {
        let directory = std::env::temp_dir().join(format!("headwater-lock-{}", std::process::id()));
        let first = DirectoryLock::take(&directory).unwrap();
        let refused = DirectoryLock::take(&directory).unwrap_err();
        assert!(refused.contains("another Headwater") && refused.contains("--data"), "{refused}");
        drop(first);
        DirectoryLock::take(&directory).unwrap();
        std::fs::remove_dir_all(directory).unwrap();
    }

    #[test]
    fn recordings_are_one_servers_wherever_they_lie() {
        let place = std::env::temp_dir().join(format!("headwater-lock-recordings-{}", std::process::id()));
        let [one, two] = ["one", "two"].map(|name| place.join(name));
        let _data = [&one, &two].map(|data| DirectoryLock::take(data).unwrap());
        let take = DirectoryLock::take_recordings;
        let shared = one.join("recordings");
        assert!(
            take(&shared, &two, false).unwrap().is_none() && !shared.exists(),
            "nothing is made for nothing"
        );
        let first = take(&shared, &one, true).unwrap();
        assert!(first.is_some());
        for is_recorded in [false, true] {
            let refused = take(&shared, &two, is_recorded).unwrap_err();
            assert!(refused.contains("another Headwater keeps its recordings in"), "{refused}");
        }
        assert!(take(&one.join("../one"), &one, true).unwrap().is_none(), "it is the same lock");
        assert!(take(&one, &two, true).is_err(), "a data directory is its server's");
        drop(first);
        assert!(take(&shared, &two, true).unwrap().is_some());
        std::fs::remove_dir_all(place).unwrap();
    }
}
