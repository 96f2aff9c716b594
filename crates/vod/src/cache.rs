//! A cache: what was found or made stays in memory, is made once for all who ask at the same time, and the values
//! that were not used for longest go first.

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::hash::Hash;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// What a [`Cache`] holds, at most. The newest value is always kept, however heavy.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Values.
    pub entries_max: usize,
    /// The sum of their weights, in bytes.
    pub weight_max: usize,
    /// For how long a value is believed; for ever without.
    pub age_max: Option<Duration>,
}

/// Values by their keys. Clones of a value should be cheap: they are what is given out.
pub struct Cache<K, V> {
    limits: Limits,
    weigh: fn(&V) -> usize,
    entries: Mutex<Entries<K, V>>,
}

struct Entries<K, V> {
    by_key: HashMap<K, Entry<V>>,
    /// Of the values alone.
    count: usize,
    weight: usize,
    /// Grows with each use.
    clock: u64,
}

struct Entry<V> {
    /// None while the first is being made.
    value: Option<Value<V>>,
    used: u64,
    /// Held by the one who makes it; those who wait for it queue here.
    making: Arc<tokio::sync::Mutex<()>>,
}

struct Value<V> {
    value: V,
    weight: usize,
    since: Instant,
}

impl<K: Clone + Eq + Hash, V: Clone> Cache<K, V> {
    /// An empty cache; `weigh` tells what a value takes, in bytes, about.
    pub fn new(limits: Limits, weigh: fn(&V) -> usize) -> Self {
        let entries = Entries { by_key: HashMap::new(), count: 0, weight: 0, clock: 0 };
        Self { limits, weigh, entries: Mutex::new(entries) }
    }

    /// The value, if it is there and not too old.
    pub fn get(&self, key: &K) -> Option<V> {
        let mut entries = self.entries.lock();
        entries.clock += 1;
        let clock = entries.clock;
        let entry = entries.by_key.get_mut(key)?;
        entry.used = clock;
        let value = entry.value.as_ref().filter(|value| self.limits.believes(value.since))?;
        Some(value.value.clone())
    }

    /// The value, if it is there, not too old, and `is_current`. If not, `make` makes it of what was there before,
    /// once for all who ask at the same time.
    ///
    /// # Errors
    /// Those of `make`; then nothing is kept, and the next who waits tries again.
    pub async fn get_or_make<E, F: Future<Output = Result<V, E>>>(
        &self,
        key: &K,
        is_current: impl Fn(&V) -> bool,
        make: impl FnOnce(Option<V>) -> F,
    ) -> Result<V, E> {
        if let Some(value) = self.get(key).filter(&is_current) {
            return Ok(value);
        }
        let claim = self.claim(key);
        let _turn = claim.making.lock().await;
        // Somebody else may have made it while we waited.
        if let Some(value) = self.get(key).filter(&is_current) {
            return Ok(value);
        }
        let before = claim.before();
        let made = make(before).await;
        claim.finish(made.as_ref().ok());
        made
    }

    /// Lets go of a value; one that is just being made will not be kept.
    pub fn remove(&self, key: &K) {
        self.entries.lock().remove(key);
    }

    /// Lets go of all values but those of these keys.
    pub fn retain(&self, is_kept: impl Fn(&K) -> bool) {
        let mut entries = self.entries.lock();
        let gone: Vec<K> = entries.by_key.keys().filter(|key| !is_kept(key)).cloned().collect();
        gone.iter().for_each(|key| entries.remove(key));
    }

    /// How many values there are, and the sum of their weights.
    pub fn size(&self) -> (usize, usize) {
        let entries = self.entries.lock();
        (entries.count, entries.weight)
    }

    fn claim<'a>(&'a self, key: &'a K) -> Claim<'a, K, V> {
        let mut entries = self.entries.lock();
        let used = entries.clock;
        let absent = || Entry { value: None, used, making: Arc::default() };
        let making = Arc::clone(&entries.by_key.entry(key.clone()).or_insert_with(absent).making);
        Claim { cache: self, key, making }
    }
}

/// One asker's interest in a value that is to be made. The last one that gives up takes an entry without a value
/// along, or requests that are cut off would leave entries behind for ever.
struct Claim<'a, K: Clone + Eq + Hash, V> {
    cache: &'a Cache<K, V>,
    key: &'a K,
    making: Arc<tokio::sync::Mutex<()>>,
}

impl<K: Clone + Eq + Hash, V> Claim<'_, K, V> {
    /// What there is, however old.
    fn before(&self) -> Option<V>
    where
        V: Clone,
    {
        let entries = self.cache.entries.lock();
        Some(entries.by_key.get(self.key)?.value.as_ref()?.value.clone())
    }

    /// Keeps what was made, or that nothing was; not if the value was removed in the meantime.
    fn finish(&self, made: Option<&V>)
    where
        V: Clone,
    {
        let mut entries = self.cache.entries.lock();
        if !entries.by_key.get(self.key).is_some_and(|entry| Arc::ptr_eq(&entry.making, &self.making)) {
            return;
        }
        let value = made.map(|made| Value {
            value: made.clone(),
            weight: (self.cache.weigh)(made),
            since: Instant::now(),
        });
        entries.set(self.key, value);
        entries.trim(&self.cache.limits, self.key);
    }
}

impl<K: Clone + Eq + Hash, V> Drop for Claim<'_, K, V> {
    fn drop(&mut self) {
        let mut entries = self.cache.entries.lock();
        let is_mine = |entry: &Entry<V>| entry.value.is_none() && Arc::ptr_eq(&entry.making, &self.making);
        // The entry has one, this is the other.
        if Arc::strong_count(&self.making) <= 2 && entries.by_key.get(self.key).is_some_and(is_mine) {
            entries.by_key.remove(self.key);
        }
    }
}

impl<K: Clone + Eq + Hash, V> Entries<K, V> {
    fn set(&mut self, key: &K, value: Option<Value<V>>) {
        let Some(entry) = self.by_key.get_mut(key) else { return };
        if let Some(new) = &value {
            self.count += 1;
            self.weight += new.weight;
        }
        if let Some(old) = std::mem::replace(&mut entry.value, value) {
            self.count -= 1;
            self.weight -= old.weight;
        }
    }

    fn remove(&mut self, key: &K) {
        self.set(key, None);
        self.by_key.remove(key);
    }

    /// Lets go of what was not used for longest until the limits hold; never of `newest`.
    fn trim(&mut self, limits: &Limits, newest: &K) {
        while self.count > limits.entries_max || self.weight > limits.weight_max {
            let others = self.by_key.iter().filter(|(key, entry)| entry.value.is_some() && *key != newest);
            let Some(oldest) = others.min_by_key(|(_, entry)| entry.used).map(|(key, _)| key.clone()) else {
                return;
            };
            self.remove(&oldest);
        }
    }
}

impl Limits {
    fn believes(&self, since: Instant) -> bool {
        self.age_max.is_none_or(|age_max| since.elapsed() < age_max)
    }
}

impl<K, V> fmt::Debug for Cache<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cache").field("limits", &self.limits).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures_util::future::join_all;

    use super::*;

    const HEAVY: usize = 1000;

    fn cache(limits: Limits) -> Cache<u16, usize> {
        Cache::new(limits, |value| *value)
    }

    fn bounded(entries_max: usize, weight_max: usize) -> Cache<u16, usize> {
        cache(Limits { entries_max, weight_max, age_max: None })
    }

    async fn fill(cache: &Cache<u16, usize>, key: u16) {
        let made = cache.get_or_make(&key, |_| true, |_| async { Ok::<_, Infallible>(HEAVY) }).await;
        assert_eq!(made, Ok(HEAVY));
    }

    #[tokio::test]
    async fn the_ones_not_used_for_longest_go_first() {
        for cache in [bounded(99, 3 * HEAVY), bounded(3, 99 * HEAVY)] {
            for key in [1, 2, 3, 1, 4] {
                fill(&cache, key).await;
            }
            let kept: Vec<u16> = (0..9).filter(|key| cache.get(key).is_some()).collect();
            assert_eq!((kept, cache.size()), (vec![1, 3, 4], (3, 3 * HEAVY)));
        }
        let small = bounded(99, 1);
        for key in 0..3 {
            fill(&small, key).await;
            assert_eq!((small.get(&key), small.size()), (Some(HEAVY), (1, HEAVY)), "one is always kept");
        }
    }

    #[tokio::test]
    async fn a_value_is_made_once_for_all_who_ask() {
        let (cache, made) = (bounded(9, 9 * HEAVY), AtomicUsize::new(0));
        let ask = || {
            cache.get_or_make(
                &1,
                |_| true,
                |before| {
                    assert_eq!(before, None);
                    made.fetch_add(1, Ordering::Relaxed);
                    async {
                        tokio::task::yield_now().await;
                        Ok::<_, Infallible>(HEAVY)
                    }
                },
            )
        };
        let asked = join_all((0..20).map(|_| ask())).await;
        assert!(asked.iter().all(|value| *value == Ok(HEAVY)));
        assert_eq!(made.load(Ordering::Relaxed), 1);
    }

    #[tokio::test]
    async fn what_is_old_or_not_current_is_made_anew_of_what_was_there() {
        let limits = Limits { entries_max: 9, weight_max: 9 * HEAVY, age_max: Some(Duration::ZERO) };
        for (cache, is_current) in [(cache(limits), true), (bounded(9, 9 * HEAVY), false)] {
            fill(&cache, 1).await;
            let made = cache.get_or_make(
                &1,
                |_| is_current,
                |before| async move { Ok::<_, Infallible>(before.unwrap_or_default() + 1) },
            );
            assert_eq!((made.await, cache.size()), (Ok(HEAVY + 1), (1, HEAVY + 1)));
        }
    }

    #[tokio::test]
    async fn failures_and_what_was_removed_meanwhile_are_not_kept() {
        let cache = bounded(9, 9 * HEAVY);
        fill(&cache, 1).await;
        assert_eq!(cache.get_or_make(&1, |_| false, |_| async { Err::<usize, _>("no") }).await, Err("no"));
        assert_eq!((cache.size(), cache.entries.lock().by_key.len()), ((0, 0), 0));
        let made = cache.get_or_make(
            &2,
            |_| true,
            |_| async {
                cache.remove(&2);
                Ok::<_, Infallible>(HEAVY)
            },
        );
        assert_eq!((made.await, cache.get(&2), cache.size()), (Ok(HEAVY), None, (0, 0)));
    }

    #[tokio::test]
    async fn a_request_that_is_cut_off_leaves_nothing_behind() {
        let cache = bounded(9, 9 * HEAVY);
        let (first, second) = (cache.claim(&1), cache.claim(&1));
        drop(first);
        assert_eq!(cache.entries.lock().by_key.len(), 1, "somebody waits for it");
        drop(second);
        assert!(cache.entries.lock().by_key.is_empty());
    }
}
