//! Finished pictures in memory, and the ones being made.

use std::collections::HashMap;
use std::future::Future;
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::{OnceCell, Semaphore};

use super::Moment;
use crate::film::Film;
use crate::refusal::{Refusal, RefusalKind};

/// What an entry takes beside its bytes, about: failures are bounded too.
const ENTRY_BYTES: usize = 256;

/// One picture of a film.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Job {
    /// At most so many pixels wide.
    Thumbnail(Moment, u16),
    /// A sheet of the sprite.
    Sheet(usize),
}

/// The film in its state, and which picture.
type Key = (String, String, Job);
type Made = Arc<OnceCell<Result<Bytes, Refusal>>>;

/// The pictures.
#[derive(Debug)]
pub(super) struct Kept {
    bytes_max: usize,
    waiting: Semaphore,
    shelf: Mutex<Shelf>,
}

#[derive(Debug, Default)]
struct Shelf {
    entries: HashMap<Key, Entry>,
    bytes: usize,
    /// Grows with each use.
    clock: u64,
}

#[derive(Debug)]
struct Entry {
    made: Made,
    used: u64,
    /// 0 while it is being made.
    weight: usize,
}

impl Kept {
    pub(super) fn new(bytes_max: usize, waiting_max: usize) -> Self {
        Self { bytes_max, waiting: Semaphore::new(waiting_max), shelf: Mutex::default() }
    }

    /// The picture, made by `work` unless it is there or somebody is making it.
    pub(super) async fn get(
        &self,
        path: &str,
        film: &Film,
        job: Job,
        work: impl Future<Output = Result<Vec<u8>, Refusal>>,
    ) -> Result<Bytes, Refusal> {
        let key = (path.to_owned(), film.etag().to_owned(), job);
        let made = self.shelf.lock().entry(&key);
        let claim = Claim { kept: self, key, made };
        if let Some(made) = claim.made.get() {
            return made.clone();
        }
        let Ok(_waiting) = self.waiting.try_acquire() else {
            return Err(Refusal::new(
                RefusalKind::Busy,
                "Too many pictures are being made; try again in a moment.".to_owned(),
            ));
        };
        let result = claim.made.get_or_init(|| async { work.await.map(Bytes::from) }).await.clone();
        self.shelf.lock().finish(&claim.key, &result, self.bytes_max);
        result
    }
}

/// One request's interest in a picture. The last one that gives up takes an unmade entry along, or requests
/// that are cut off would leave entries behind for ever.
struct Claim<'a> {
    kept: &'a Kept,
    key: Key,
    made: Made,
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        let mut shelf = self.kept.shelf.lock();
        // The shelf has one, this is the other.
        if !self.made.initialized() && Arc::strong_count(&self.made) <= 2 {
            shelf.entries.remove(&self.key);
        }
    }
}

impl Shelf {
    fn entry(&mut self, key: &Key) -> Made {
        self.clock += 1;
        let entry = self.entries.entry(key.clone()).or_insert_with(|| Entry {
            made: Made::default(),
            used: 0,
            weight: 0,
        });
        entry.used = self.clock;
        Arc::clone(&entry.made)
    }

    /// Takes a result into account, once; what will be different next time is not kept.
    fn finish(&mut self, key: &Key, result: &Result<Bytes, Refusal>, bytes_max: usize) {
        if matches!(result, Err(Refusal { kind: RefusalKind::Busy | RefusalKind::Failed, .. })) {
            self.remove(key);
            return;
        }
        if let Some(entry) = self.entries.get_mut(key).filter(|entry| entry.weight == 0) {
            entry.weight = ENTRY_BYTES + result.as_ref().map_or(0, Bytes::len);
            self.bytes += entry.weight;
        }
        while self.bytes > bytes_max {
            let finished = self.entries.iter().filter(|(_, entry)| entry.weight > 0);
            let Some(oldest) = finished.min_by_key(|(_, entry)| entry.used).map(|(key, _)| key.clone())
            else {
                return;
            };
            self.remove(&oldest);
        }
    }

    fn remove(&mut self, key: &Key) {
        if let Some(entry) = self.entries.remove(key) {
            self.bytes -= entry.weight;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(width: u16) -> Key {
        ("vod/film.mp4".to_owned(), "\"1\"".to_owned(), Job::Thumbnail(Moment::Telling, width))
    }

    #[test]
    fn the_ones_not_used_for_longest_go_first() {
        let mut shelf = Shelf::default();
        let finish = |shelf: &mut Shelf, width: u16| {
            let made = shelf.entry(&key(width));
            let result = made.get().cloned().unwrap_or(Ok(Bytes::from(vec![0; 1000])));
            let _ = made.set(result.clone());
            shelf.finish(&key(width), &result, 3 * (1000 + ENTRY_BYTES));
        };
        for width in [1, 2, 3, 1, 4] {
            finish(&mut shelf, width);
        }
        let mut kept: Vec<u16> = (0..9).filter(|&width| shelf.entries.contains_key(&key(width))).collect();
        kept.sort_unstable();
        assert_eq!((kept, shelf.bytes), (vec![1, 3, 4], 3 * (1000 + ENTRY_BYTES)));
    }

    #[test]
    fn failures_of_the_moment_are_not_kept_and_those_of_the_film_are_bounded() {
        let mut shelf = Shelf::default();
        let _ = shelf.entry(&key(0));
        shelf.finish(&key(0), &Err(Refusal::new(RefusalKind::Failed, String::new())), 10_000);
        assert!(shelf.entries.is_empty());
        for width in 0..1000 {
            let _ = shelf.entry(&key(width));
            shelf.finish(&key(width), &Err(Refusal::new(RefusalKind::Damaged, String::new())), 10_000);
        }
        assert_eq!(shelf.entries.len(), 10_000 / ENTRY_BYTES);
    }

    #[test]
    fn a_request_that_is_cut_off_leaves_nothing_behind() {
        let kept = Kept::new(1000, 1);
        let claim =
            |width| Claim { kept: &kept, key: key(width), made: kept.shelf.lock().entry(&key(width)) };
        let (first, second) = (claim(1), claim(1));
        drop(first);
        assert_eq!(kept.shelf.lock().entries.len(), 1, "somebody waits for it");
        drop(second);
        assert!(kept.shelf.lock().entries.is_empty());
    }
}
