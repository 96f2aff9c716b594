//! File descriptors: how many the system gives this process, and how many of them connections may take, all listeners
//! together. What is left is for films, recordings, the windows of broadcasts, uploads and the system's own; a few are the
//! operator's.

use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// Descriptors that are kept for files: an eighth of all, and so many at least. Films that are open, uploads, and what the
/// system opens for itself.
const FILES_MIN: usize = 8;
/// Films are kept open by the hundred (`films_max`); more would take viewers' places for nothing.
const FILES_MAX: usize = 512;
/// Where the system does not tell how many are open: what a server opens at its start.
const OPEN_AT_START: usize = 32;
/// How often it is counted what files have taken: a broadcast that is kept and recorded holds about five, so that hundreds
/// of them outgrow what is kept for files. Counting looks at every descriptor before Linux 6.2, and takes milliseconds then.
const COUNTED_EVERY: Duration = Duration::from_secs(2);

/// The descriptors that connections may take.
#[derive(Debug)]
pub(crate) struct Descriptors {
    taken: AtomicUsize,
    max: AtomicUsize,
    /// Where there is a limit.
    budget: Option<Mutex<Budget>>,
    /// Held in reserve, so that one connection can be taken in and closed where there is none left for it: it would
    /// wait in the kernel's queue else, and everybody behind it.
    spare: Mutex<Option<File>>,
}

/// A connection's descriptor; dropping it gives it back.
#[derive(Debug)]
pub(crate) struct Descriptor(Arc<Descriptors>);

/// What the system gives, and who has it.
#[derive(Debug)]
struct Budget {
    limit: usize,
    open_at_start: usize,
    counted: Instant,
}

impl Budget {
    /// How many are left for connections, of which none is among the `others` that are open.
    fn for_connections(&self, others: usize) -> usize {
        let for_files = (self.limit / 8).clamp(FILES_MIN, FILES_MAX);
        let files = others.saturating_sub(self.open_at_start);
        let kept = for_files.max(files + FILES_MIN);
        self.limit.saturating_sub(self.open_at_start + kept).max(1)
    }
}

impl Descriptors {
    /// As many as the system still gives: to be asked once all listeners are open.
    pub(crate) fn measure() -> Self {
        let open_at_start = open().unwrap_or(OPEN_AT_START);
        let budget = limit().map(|limit| Budget { limit, open_at_start, counted: Instant::now() });
        let max = budget.as_ref().map_or(usize::MAX, |budget| budget.for_connections(open_at_start));
        Self { budget: budget.map(Mutex::new), ..Self::new(max) }
    }

    /// So many.
    pub(crate) fn new(max: usize) -> Self {
        Self {
            taken: AtomicUsize::new(0),
            max: AtomicUsize::new(max),
            budget: None,
            spare: Mutex::new(spare()),
        }
    }

    /// How many connections may take one.
    pub(crate) fn max(&self) -> usize {
        self.max.load(Ordering::Relaxed)
    }

    /// Takes one, if more than `kept` are left.
    pub(super) fn take(self: &Arc<Self>, kept: usize) -> Option<Descriptor> {
        self.count_again(Instant::now());
        let max = self.max().saturating_sub(kept);
        let more = |taken| (taken < max).then_some(taken + 1);
        self.taken.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).ok()?;
        Some(Descriptor(Arc::clone(self)))
    }

    /// Counts what is open beside connections, if that is due.
    fn count_again(&self, now: Instant) {
        // Who finds another counting goes by what was.
        let Some(mut budget) = self.budget.as_ref().and_then(|budget| budget.try_lock()) else { return };
        if now.saturating_duration_since(budget.counted) < COUNTED_EVERY {
            return;
        }
        budget.counted = now;
        if let Some(open) = open() {
            let others = open.saturating_sub(self.taken.load(Ordering::Relaxed));
            self.max.store(budget.for_connections(others), Ordering::Relaxed);
        }
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
    #[cfg(target_os = "linux")]
    {
        // The directory's length is their number since Linux 6.2, and zero before.
        use std::os::unix::fs::MetadataExt as _;
        let count = std::fs::metadata("/proc/self/fd").ok()?.size();
        if count > 0 {
            return usize::try_from(count).ok();
        }
    }
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

    #[test]
    fn files_beyond_their_part_take_the_places_of_connections() {
        let budget = Budget { limit: 1_024, open_at_start: 24, counted: Instant::now() };
        // Few files lie within the eighth that is theirs.
        assert_eq!(budget.for_connections(24), 872);
        assert_eq!(budget.for_connections(24 + 120), 872);
        assert_eq!(budget.for_connections(24 + 500), 492);
        assert_eq!(budget.for_connections(24 + 2_000), 1);
    }

    #[test]
    fn what_is_opened_later_is_seen_when_it_is_counted_again() {
        let descriptors = Descriptors::measure();
        let (before, budget) = (descriptors.max(), descriptors.budget.as_ref().unwrap());
        // Other tests of this process open and close some meanwhile.
        let for_files = (budget.lock().limit / 8).clamp(FILES_MIN, FILES_MAX);
        let files: Vec<_> = (0..for_files + 200).map(|_| File::open("/dev/null").unwrap()).collect();
        descriptors.count_again(Instant::now());
        assert_eq!(descriptors.max(), before, "it is not due");
        descriptors.count_again(Instant::now() + COUNTED_EVERY);
        assert!(descriptors.max() < before - 100, "{before} -> {}", descriptors.max());
        drop(files);
    }
}
