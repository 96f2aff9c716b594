//! One server for one data directory: a second would write into the first one's files.

use std::fs::{File, TryLockError};
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
        let path = directory.join("lock");
        let file = std::fs::create_dir_all(directory)
            .and_then(|()| File::options().create(true).append(true).open(path))
            .map_err(|error| {
                format!("nothing can be written in the data directory {shown} ({error}); change whose it is, or name another")
            })?;
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: file }),
            Err(TryLockError::WouldBlock) => Err(format!(
                "another Headwater runs on the data directory {shown}; stop it, or give this one its own with --data"
            )),
            // File systems without locks are the operator's own risk, and not a reason to serve nobody.
            Err(TryLockError::Error(_)) => Ok(Self { _file: file }),
        }
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
}
