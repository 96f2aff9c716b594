//! A part as it is kept, and where its bytes are.

use std::fs::File;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use parking_lot::Mutex;

use crate::part::Part;

/// A part that is kept.
#[derive(Debug)]
pub struct Kept {
    part: Arc<Part>,
    data: Mutex<Data>,
    /// Where it was written to.
    place: OnceLock<(Arc<File>, u64)>,
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

    /// It was written into `file` at `offset`.
    pub(crate) fn lies_at(&self, file: &Arc<File>, offset: u64) {
        // Whoever wrote it first is as good as any other.
        let _ = self.place.set((Arc::clone(file), offset));
    }

    /// Lets go of its bytes in memory, if it was written; how much that is.
    pub(super) fn leave_memory(&self) -> Option<usize> {
        let (file, offset) = self.place.get()?;
        *self.data.lock() = Data::File(Arc::clone(file), *offset);
        Some(self.part.len as usize)
    }

    /// What it takes in memory.
    pub(super) fn weight(&self) -> usize {
        let bytes = if let Data::Memory(bytes) = &*self.data.lock() { bytes.len() } else { 0 };
        size_of::<Self>() + self.part.overhead() + bytes
    }
}
