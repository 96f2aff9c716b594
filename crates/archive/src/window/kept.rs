//! A part as it is kept, and where its bytes are.

use std::fs::File;
use std::io;
use std::sync::{Arc, OnceLock};
use std::time::SystemTime;

use bytes::Bytes;
use headwater_vod::{Blob, blocking};
use parking_lot::Mutex;

use crate::disk_use::DiskUse;
use crate::part::Part;

/// A part that is kept.
#[derive(Debug)]
pub struct Kept {
    part: Arc<Part>,
    data: Mutex<Data>,
    /// Where it was written to.
    place: OnceLock<Place>,
}

/// A place in a file.
#[derive(Debug)]
struct Place {
    file: Arc<File>,
    offset: u64,
    /// Whose room on the disk it takes, if it is there for the window alone.
    used: Option<Arc<DiskUse>>,
}

/// Where the bytes of a part are.
#[derive(Clone, Debug)]
pub enum Data {
    /// In memory.
    Memory(Bytes),
    /// In a file, from this offset on, [`Part::len`] of them.
    File(Arc<File>, u64),
}

impl Kept {
    pub(crate) const fn new(part: Arc<Part>, bytes: Bytes) -> Self {
        Self { part, data: Mutex::new(Data::Memory(bytes)), place: OnceLock::new() }
    }

    /// What is known of it.
    #[must_use]
    pub fn part(&self) -> &Part {
        &self.part
    }

    /// Where its bytes are now.
    #[must_use]
    pub fn data(&self) -> Data {
        self.data.lock().clone()
    }

    /// Its bytes. Those in memory come at once; a file is waited for, so ask where that may be.
    ///
    /// # Errors
    /// The file's.
    pub fn read(&self) -> io::Result<Bytes> {
        match self.data() {
            Data::Memory(bytes) => Ok(bytes),
            Data::File(file, offset) => {
                let mut bytes = vec![0; self.part.len as usize];
                read_exact_at(&file, &mut bytes, offset)?;
                Ok(bytes.into())
            }
        }
    }

    /// Fills `bytes` with its own from `at` on. It may wait for the disk, as [`read`](Self::read) does.
    ///
    /// # Errors
    /// `UnexpectedEof` beyond its end; the file's.
    pub(crate) fn read_exact_at(&self, bytes: &mut [u8], at: usize) -> io::Result<()> {
        match self.data() {
            Data::Memory(own) => {
                let own = at.checked_add(bytes.len()).and_then(|end| own.get(at..end));
                bytes.copy_from_slice(own.ok_or(io::ErrorKind::UnexpectedEof)?);
                Ok(())
            }
            Data::File(..) if at.saturating_add(bytes.len()) > self.part.len as usize => {
                Err(io::ErrorKind::UnexpectedEof.into())
            }
            Data::File(file, offset) => read_exact_at(&file, bytes, offset + at as u64),
        }
    }

    /// Fills `bytes` with its own from `at` on, as far as they are in memory; how much that was.
    pub(crate) fn read_at_hand(&self, bytes: &mut [u8], at: usize) -> usize {
        match self.data() {
            Data::Memory(own) => {
                let own = own.get(at..).unwrap_or_default();
                let count = own.len().min(bytes.len());
                bytes[..count].copy_from_slice(&own[..count]);
                count
            }
            Data::File(file, offset) => {
                let left = (self.part.len as usize).saturating_sub(at).min(bytes.len());
                headwater_vod::read_at_hand(&file, &mut bytes[..left], offset + at as u64)
            }
        }
    }

    /// As [`read`](Self::read), without holding up the tasks that share a thread.
    ///
    /// # Errors
    /// The file's.
    pub async fn bytes(self: &Arc<Self>) -> io::Result<Bytes> {
        if let Data::Memory(bytes) = self.data() {
            return Ok(bytes);
        }
        let kept = Arc::clone(self);
        blocking(move || kept.read()).await
    }

    /// It was written into `file` at `offset`.
    pub(crate) fn lies_at(&self, file: &Arc<File>, offset: u64) {
        // Whoever wrote it first is as good as any other.
        let _ = self.place.set(Place { file: Arc::clone(file), offset, used: None });
    }

    /// It was written for the window alone, and its room on the disk was counted.
    pub(crate) fn is_spooled_to(&self, file: &Arc<File>, offset: u64, used: &Arc<DiskUse>) {
        let place = Place { file: Arc::clone(file), offset, used: Some(Arc::clone(used)) };
        if self.place.set(place).is_err() {
            used.give_back(self.part.len.into());
        }
    }

    /// Whether it lies in a file.
    pub(crate) fn is_written(&self) -> bool {
        self.place.get().is_some()
    }

    /// Lets go of its bytes in memory, if it was written; how much that is.
    pub(super) fn leave_memory(&self) -> Option<usize> {
        let Place { file, offset, .. } = self.place.get()?;
        *self.data.lock() = Data::File(Arc::clone(file), *offset);
        Some(self.part.len as usize)
    }

    /// What it takes in memory.
    pub(super) fn weight(&self) -> usize {
        let bytes = if let Data::Memory(bytes) = &*self.data.lock() { bytes.len() } else { 0 };
        size_of::<Self>() + self.part.overhead() + bytes
    }
}

/// Its bytes, for who reads them as a part of something: that says when it was made, and names it.
impl Blob for Kept {
    fn size(&self) -> u64 {
        self.part.len.into()
    }

    fn modified(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH
    }

    fn etag(&self) -> &'static str {
        "\"part\""
    }

    fn read_at_hand(&self, bytes: &mut [u8], offset: u64) -> usize {
        usize::try_from(offset).map_or(0, |at| Self::read_at_hand(self, bytes, at))
    }

    fn read_exact_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()> {
        let at = usize::try_from(offset).map_err(|_| io::ErrorKind::UnexpectedEof)?;
        Self::read_exact_at(self, bytes, at)
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        if let Some(used) = self.place.get().and_then(|place| place.used.as_ref()) {
            used.give_back(self.part.len.into());
        }
    }
}

#[cfg(unix)]
fn read_exact_at(file: &File, bytes: &mut [u8], offset: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, bytes, offset)
}

/// A handle of its own: the place in a file belongs to the handle here.
#[cfg(not(unix))]
fn read_exact_at(file: &File, bytes: &mut [u8], offset: u64) -> io::Result<()> {
    use std::io::{Read as _, Seek as _, SeekFrom};
    let mut file = file.try_clone()?;
    file.seek(SeekFrom::Start(offset))?;
    file.read_exact(bytes)
}
