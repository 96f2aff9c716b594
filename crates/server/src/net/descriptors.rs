//! File descriptors: how many the system gives this process, and how many of them connections may take, all listeners
//! together. What is left is for films, uploads and the system's own; a few are the operator's.

use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;

/// Descriptors that are kept for files: an eighth of all, and so many at least. Films that are open, uploads, and what the
/// system opens for itself.
const FILES_MIN: usize = 8;
/// Films are kept open by the hundred (`films_max`); more would take viewers' places for nothing.
const FILES_MAX: usize = 512;
/// Where the system does not tell how many are open: what a server opens at its start.
const OPEN_AT_START: usize = 32;

/// The descriptors that connections may take.
#[derive(Debug)]
pub(crate) struct Descriptors {
    taken: AtomicUsize,
    max: usize,
    /// Held in reserve, so that one connection can be taken in and closed where there is none left for it: it would
    /// wait in the kernel's queue else, and everybody behind it.
    spare: Mutex<Option<File>>,
}

/// A connection's descriptor; dropping it gives it back.
#[derive(Debug)]
pub(crate) struct Descriptor(Arc<Descriptors>);

impl Descriptors {
    /// As many as the system still gives: to be asked once all listeners are open.
    pub(crate) fn measure() -> Self {
        let max = limit().map_or(usize::MAX, |limit| {
            let for_files = (limit / 8).clamp(FILES_MIN, FILES_MAX);
            limit.saturating_sub(open().unwrap_or(OPEN_AT_START) + for_files).max(1)
        });
        Self::new(max)
    }

    /// So many.
    pub(crate) fn new(max: usize) -> Self {
        Self { taken: AtomicUsize::new(0), max, spare: Mutex::new(spare()) }
    }

    /// How many connections may take one.
    pub(crate) const fn max(&self) -> usize {
        self.max
    }

    /// Takes one, if more than `kept` are left.
    pub(super) fn take(self: &Arc<Self>, kept: usize) -> Option<Descriptor> {
        let max = self.max.saturating_sub(kept);
        let more = |taken| (taken < max).then_some(taken + 1);
        self.taken.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).ok()?;
        Some(Descriptor(Arc::clone(self)))
    }

    /// Calls `close_one` with a descriptor more than there is.
    pub(super) fn lend_spare(&self, close_one: impl FnOnce()) {
        let mut held = self.spare.lock();
        drop(held.take());
        close_one();
        *held = spare();
    }
}

impl Drop for Descriptor {
    fn drop(&mut self) {
        self.0.taken.fetch_sub(1, Ordering::Relaxed);
    }
}

fn spare() -> Option<File> {
    File::open("/dev/null").ok()
}

/// How many this process may have open; `None` where there is no limit, or none that can be asked for.
fn limit() -> Option<usize> {
    #[cfg(unix)]
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    #[cfg(not(unix))]
    let limit: Option<u64> = None;
    limit.and_then(|limit| usize::try_from(limit).ok())
}

/// How many it has open.
fn open() -> Option<usize> {
    // The listing itself takes one.
    Some(std::fs::read_dir("/proc/self/fd").ok()?.count().saturating_sub(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_are_kept_and_all_come_back() {
        let descriptors = Arc::new(Descriptors::new(3));
        let held = [descriptors.take(1), descriptors.take(1)];
        assert!(held.iter().all(Option::is_some));
        assert!(descriptors.take(1).is_none(), "the last one is kept");
        let last = descriptors.take(0);
        assert!(last.is_some() && descriptors.take(0).is_none());
        drop(held);
        assert!(descriptors.take(1).is_some());
        let mut called = false;
        descriptors.lend_spare(|| called = true);
        assert!(called);
    }
}
