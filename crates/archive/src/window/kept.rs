//! A part as it is kept, and where its bytes are.

use std::fs::File;
use std::io;
use std::sync::{Arc, OnceLock};
use std::time::SystemTime;

use bytes::Bytes;
use headwater_vod::{Blob, blocking, read_at_hand, read_exact_at};
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
        let left = self.size().saturating_sub(offset).min(bytes.len() as u64) as usize;
        match self.data() {
            Data::Memory(_) => self.read_exact_at(&mut bytes[..left], offset).map_or(0, |()| left),
            Data::File(file, from) => read_at_hand(&file, &mut bytes[..left], from + offset),
        }
    }

    fn read_exact_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()> {
        let end = offset.saturating_add(bytes.len() as u64);
        if end > self.size() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        match self.data() {
            Data::Memory(own) => {
                let own = own.get(offset as usize..end as usize).ok_or(io::ErrorKind::UnexpectedEof)?;
                bytes.copy_from_slice(own);
                Ok(())
            }
            Data::File(file, from) => read_exact_at(&file, bytes, from + offset),
        }
    }

    /// A part that was written to a window's file, or into a recording, is never written over.
    fn in_file(&self) -> Option<(&Arc<File>, u64)> {
        self.place.get().map(|place| (&place.file, place.offset))
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        if let Some(used) = self.place.get().and_then(|place| place.used.as_ref()) {
            used.give_back(self.part.len.into());
        }
    }
}
