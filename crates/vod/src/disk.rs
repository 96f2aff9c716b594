//! How much room there is on a disk.

use std::path::Path;

/// Bytes that are free for us on the disk of a directory that is there or will be; `None` where it cannot be told.
#[cfg(unix)]
pub fn free_bytes(directory: &Path) -> Option<u64> {
    let there = directory.ancestors().find(|path| path.is_dir())?;
    let disk = rustix::fs::statvfs(there).ok()?;
    Some(disk.f_bavail.saturating_mul(disk.f_frsize))
}

/// Not known: only a full disk tells.
#[cfg(not(unix))]
pub fn free_bytes(_: &Path) -> Option<u64> {
    None
}
