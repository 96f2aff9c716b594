//! A file that somebody has asked for, written to only once there is something to write.
//!
//! That it can be written is known at once. What lies there already is kept until the first byte comes, and where
//! none comes no empty file stays behind.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;

/// The file.
pub(super) struct AwaitedFile {
    file: File,
    path: PathBuf,
    /// Whether it was not there before.
    is_new: bool,
    has_begun: bool,
}

impl AwaitedFile {
    /// Opens a file, or makes it.
    ///
    /// # Errors
    /// It cannot be written.
    pub(super) fn open(path: &Path) -> anyhow::Result<Self> {
        let is_new = fs::symlink_metadata(path).is_err();
        // What is in it goes when something comes in its place.
        let file = OpenOptions::new().write(true).create(true).truncate(false).open(path);
        let file = file.with_context(|| format!("cannot write {}", path.display()))?;
        Ok(Self { file, path: path.to_owned(), is_new, has_begun: false })
    }

    /// Makes a file that must not be there yet.
    ///
    /// # Errors
    /// It is there, or cannot be written.
    pub(super) fn create_new(path: &Path) -> io::Result<Self> {
        let file = File::create_new(path)?;
        Ok(Self { file, path: path.to_owned(), is_new: true, has_begun: false })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether something was written.
    pub(super) fn has_begun(&self) -> bool {
        self.has_begun
    }
}

impl Write for AwaitedFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if !self.has_begun {
            // A pipe or a device has no length.
            if self.file.metadata()?.is_file() {
                self.file.set_len(0)?;
            }
            self.has_begun = true;
        }
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Seek for AwaitedFile {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.file.seek(to)
    }
}

impl Drop for AwaitedFile {
    fn drop(&mut self) {
        if self.is_new && !self.has_begun {
            let _ = fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_lost_or_left_behind_before_the_first_byte() {
        let path = std::env::temp_dir().join(format!("headwater-awaited-{}", std::process::id()));
        drop(AwaitedFile::open(&path).unwrap());
        assert!(!path.exists());
        fs::write(&path, "an older recording").unwrap();
        drop(AwaitedFile::open(&path).unwrap());
        assert_eq!(fs::read(&path).unwrap(), b"an older recording");
        let mut file = AwaitedFile::open(&path).unwrap();
        file.write_all(b"new").unwrap();
        assert!(file.has_begun());
        drop(file);
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert!(AwaitedFile::create_new(&path).is_err());
        fs::remove_file(&path).unwrap();
        assert!(AwaitedFile::open(&path.join("below")).is_err());
    }
}
