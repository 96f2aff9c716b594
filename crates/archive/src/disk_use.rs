//! How much of the disk windows take: counted where parts are written, given back when the last who holds a part lets go
//! of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Bytes on the disk: of one window, and of all.
#[derive(Debug, Default)]
pub(crate) struct DiskUse {
    own: AtomicU64,
    in_all: Arc<AtomicU64>,
}

impl DiskUse {
    pub(crate) fn of_all(in_all: &Arc<AtomicU64>) -> Self {
        Self { own: AtomicU64::new(0), in_all: Arc::clone(in_all) }
    }

    /// Of this window, and of all.
    pub(crate) fn bytes(&self) -> (u64, u64) {
        (self.own.load(Ordering::Relaxed), self.in_all.load(Ordering::Relaxed))
    }

    pub(crate) fn add(&self, bytes: u64) {
        self.own.fetch_add(bytes, Ordering::Relaxed);
        self.in_all.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(crate) fn give_back(&self, bytes: u64) {
        self.own.fetch_sub(bytes, Ordering::Relaxed);
        self.in_all.fetch_sub(bytes, Ordering::Relaxed);
    }
}
