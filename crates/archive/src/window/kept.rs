//! A part as it is kept, and where its bytes are.

use std::fs::File;
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;

use crate::part::Part;

/// A part that is kept.
#[derive(Debug)]
pub struct Kept {
    part: Arc<Part>,
    data: Mutex<Data>,
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
    pub(super) const fn new(part: Arc<Part>, bytes: Bytes) -> Self {
        Self { part, data: Mutex::new(Data::Memory(bytes)) }
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

    /// What it takes in memory.
    pub(super) fn weight(&self) -> usize {
        size_of::<Self>() + self.part.overhead() + self.part.len as usize
    }
}
