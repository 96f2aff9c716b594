//! The bytes of a film wherever they are kept. At present that is a file of this machine; whoever can read at an
//! offset can stand in its place.

use std::fmt;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::pin::Pin;
use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;

use crate::blocking::blocking;

/// Bytes on their way.
pub type Reading = Pin<Box<dyn Future<Output = io::Result<Bytes>> + Send>>;

/// Bytes of known length in one state: what has changed is another blob.
pub trait Blob: fmt::Debug + Send + Sync + 'static {
    /// How many bytes there are.
    fn size(&self) -> u64;

    /// When they were last written.
    fn modified(&self) -> SystemTime;

    /// Names this state of the bytes: a strong entity tag of HTTP (RFC 9110, 8.8.3), in quotes.
    fn etag(&self) -> &str;

    /// Reads from `offset` on what is in memory, without waiting; how much that was, from the start of `bytes`.
    fn read_at_hand(&self, bytes: &mut [u8], offset: u64) -> usize;

    /// Fills `bytes` from `offset` on. It may wait: not for a task's thread.
    ///
    /// # Errors
    /// `UnexpectedEof` if there is less by now, and those of where the bytes are kept.
    fn read_exact_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()>;

    /// Reads a range, without holding up the tasks that share a thread.
    ///
    /// # Errors
    /// As [`read_exact_at`](Self::read_exact_at).
    fn read_at(self: Arc<Self>, range: Range<u64>) -> Reading {
        Box::pin(blocking(move || {
            let mut bytes = vec![0; len(&range)];
            self.read_exact_at(&mut bytes, range.start)?;
            Ok(bytes.into())
        }))
    }

    /// The file in which they lie in one piece, never to be changed, and where in it they begin: the kernel can send them from there by
    /// itself.
    fn in_file(&self) -> Option<(&Arc<File>, u64)> {
        None
    }
}

/// A file of this machine.
#[derive(Debug)]
pub struct FileBlob {
    file: Arc<File>,
    size: u64,
    modified: SystemTime,
    etag: String,
}

impl FileBlob {
    /// The file as it is now.
    ///
    /// # Errors
    /// The file's length and time cannot be told.
    pub fn new(file: File) -> io::Result<Self> {
        let about = file.metadata()?;
        let (size, modified) = (about.len(), about.modified().unwrap_or(SystemTime::UNIX_EPOCH));
        Ok(Self { file: Arc::new(file), size, modified, etag: file_etag(size, modified) })
    }
}

impl Blob for FileBlob {
    fn size(&self) -> u64 {
        self.size
    }

    fn modified(&self) -> SystemTime {
        self.modified
    }

    fn etag(&self) -> &str {
        &self.etag
    }

    fn read_at_hand(&self, bytes: &mut [u8], offset: u64) -> usize {
        read_at_hand(&self.file, bytes, offset)
    }

    fn read_exact_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()> {
        read_exact_at(&self.file, bytes, offset)
    }

    fn in_file(&self) -> Option<(&Arc<File>, u64)> {
        Some((&self.file, 0))
    }
}

/// Reads a range: at once what is in memory, else without holding up the tasks that share a thread.
///
/// # Errors
/// As [`Blob::read_exact_at`].
pub(crate) async fn read(blob: &Arc<dyn Blob>, range: Range<u64>) -> io::Result<Bytes> {
    let mut bytes = vec![0; len(&range)];
    let at_hand = blob.read_at_hand(&mut bytes, range.start);
    if at_hand == bytes.len() {
        return Ok(bytes.into());
    }
    Arc::clone(blob).read_at(range).await
}

/// The entity tag of a file of that length, last written at that time.
pub(crate) fn file_etag(size: u64, modified: SystemTime) -> String {
    let since = modified.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    format!("\"{:x}-{size:x}\"", since.as_nanos())
}

fn len(range: &Range<u64>) -> usize {
    usize::try_from(range.end.saturating_sub(range.start)).unwrap_or(usize::MAX)
}

/// Reads from `offset` on what of a file is in memory, without waiting; how much that was. Nothing where nobody can tell.
#[cfg(target_os = "linux")]
#[must_use]
pub fn read_at_hand(file: &File, bytes: &mut [u8], offset: u64) -> usize {
    use rustix::io::{ReadWriteFlags, preadv2};
    let mut filled = 0;
    while filled < bytes.len() {
        let rest = &mut [io::IoSliceMut::new(&mut bytes[filled..])];
        match preadv2(file, rest, offset + filled as u64, ReadWriteFlags::NOWAIT) {
            Ok(0) | Err(_) => break,
            Ok(count) => filled += count,
        }
    }
    filled
}

/// Reads from `offset` on what of a file is in memory, without waiting; how much that was. Nothing where nobody can tell.
#[cfg(not(target_os = "linux"))]
#[must_use]
pub const fn read_at_hand(_: &File, _: &mut [u8], _: u64) -> usize {
    0
}

/// Fills `bytes` from `offset` of a file on. It may wait for the disk.
///
/// # Errors
/// `UnexpectedEof` if the file ends before; the file's.
#[cfg(unix)]
pub fn read_exact_at(file: &File, bytes: &mut [u8], offset: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, bytes, offset)
}

/// Fills `bytes` from `offset` of a file on. It may wait for the disk.
///
/// # Errors
/// `UnexpectedEof` if the file ends before; the file's.
#[cfg(windows)]
pub fn read_exact_at(file: &File, bytes: &mut [u8], offset: u64) -> io::Result<()> {
    let mut filled = 0;
    while filled < bytes.len() {
        match std::os::windows::fs::FileExt::seek_read(file, &mut bytes[filled..], offset + filled as u64)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            count => filled += count,
        }
    }
    Ok(())
}
