//! Waking: a publisher rings once per lane, never once per viewer.
//!
//! A *lane* is one task's share of all viewers; a program runs about one per processor. A stream keeps
//! its watchers lane by lane. When the stream grows, the publisher marks it on each lane that has
//! watchers and rings that lane's bell: the publisher's cost does not grow with its viewers. The lane's
//! task then calls the watchers, a bounded number at a time.

use std::any::Any;
use std::collections::VecDeque;
use std::fmt;
use std::hint::black_box;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use slab::Slab;
use tokio::sync::Notify;

/// Watchers that are prepared together: few, so that what was fetched for them is still at hand when they are called.
const GROUP: usize = 8;

/// Somebody to call when a stream has grown or ended.
///
/// The call comes on the lane's task, so it must not block. What it does is its own affair: write to a
/// socket that is ready, or wake a task.
pub trait Watcher: Send + Sync {
    /// The stream that is watched has grown or ended since the last call.
    fn stream_changed(&self);

    /// The call comes next, behind those of a few others. What it reads first can be looked at here, without a lock: the
    /// processor fetches for all of them at the same time what it would wait for one after the other.
    fn prepare(&self) {}
}

/// A watcher that wakes the task that waits for it.
#[derive(Debug, Default)]
pub struct Bell(Notify);

impl Bell {
    /// Waits until it was rung since the last time.
    pub async fn rung(&self) {
        self.0.notified().await;
    }
}

impl Watcher for Bell {
    fn stream_changed(&self) {
        self.0.notify_one();
    }
}

/// One task's share of all viewers. Drive it in rounds: [`Lane::rung`], then [`Lane::call_some`] until the round
/// is over. Streams that grow meanwhile wait for the next round, so that whoever drives decides how often
/// there is one.
#[derive(Debug, Default)]
pub struct Lane {
    /// Streams that have grown since the round began.
    due: Mutex<Vec<Arc<Audience>>>,
    /// What is left of the round.
    round: Mutex<VecDeque<Due>>,
    bell: Notify,
    watchers: AtomicUsize,
}

#[derive(Debug)]
struct Due {
    audience: Arc<Audience>,
    position: usize,
}

impl Lane {
    /// Waits until streams with watchers of this lane have grown, and begins a round of them.
    pub async fn rung(&self) {
        while !self.begin_round() {
            self.bell.notified().await;
        }
    }

    /// Begins a round of the streams that have grown; false if there are none.
    pub fn begin_round(&self) -> bool {
        let due = std::mem::take(&mut *self.due.lock());
        let mut round = self.round.lock();
        round.extend(due.into_iter().map(|audience| Due { audience, position: 0 }));
        !round.is_empty()
    }

    /// Calls at most `count_max` of the round's watchers; returns whether it goes on. Called by one task at
    /// a time.
    pub fn call_some(&self, count_max: usize, scratch: &mut Vec<Arc<dyn Watcher>>) -> bool {
        let Some(Due { audience, position }) = self.round.lock().pop_front() else {
            return false;
        };
        if position == 0 {
            // From here on, growth makes the stream due again.
            audience.queued.store(false, Ordering::Release);
        }
        let mut end = Some(position);
        let mut called = 0;
        while let Some(position) = end.filter(|_| called < count_max) {
            end = audience.collect(position, GROUP.min(count_max - called), scratch);
            called += scratch.len();
            scratch.iter().for_each(|watcher| watcher.prepare());
            for watcher in scratch.drain(..) {
                watcher.stream_changed();
            }
        }
        let mut round = self.round.lock();
        if let Some(position) = end {
            round.push_back(Due { audience, position });
        }
        !round.is_empty()
    }

    /// How many watchers the lane serves: new ones go to the lane with the fewest.
    #[must_use]
    pub fn watchers(&self) -> usize {
        self.watchers.load(Ordering::Relaxed)
    }

    fn ring(&self, audience: &Arc<Audience>) {
        if audience.count.load(Ordering::Acquire) == 0 || audience.queued.swap(true, Ordering::AcqRel) {
            return;
        }
        self.due.lock().push(Arc::clone(audience));
        self.bell.notify_one();
    }
}

/// The watchers of one stream on one lane.
#[derive(Default)]
struct Audience {
    queued: AtomicBool,
    count: AtomicUsize,
    watchers: Mutex<Slab<Arc<dyn Watcher>>>,
}

impl fmt::Debug for Audience {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Audience").field("count", &self.count).finish_non_exhaustive()
    }
}

impl Audience {
    /// Copies up to `count_max` watchers from slot `position` on; returns where to go on, or `None` at the end.
    fn collect(&self, position: usize, count_max: usize, into: &mut Vec<Arc<dyn Watcher>>) -> Option<usize> {
        let watchers = self.watchers.lock();
        let slots = watchers.capacity();
        for slot in position..slots.min(position.saturating_add(count_max)) {
            // As in `prepare`: a count that is to be changed is waited for, one that is read is not.
            black_box(watchers.get(slot).map(Arc::strong_count));
        }
        for slot in position..slots {
            if into.len() >= count_max {
                return Some(slot);
            }
            if let Some(watcher) = watchers.get(slot) {
                into.push(Arc::clone(watcher));
            }
        }
        None
    }
}

/// A watcher's place; dropping it ends the calls.
pub struct Watch {
    _place: Box<dyn Any + Send + Sync>,
}

impl Watch {
    /// Holds `place`, whose drop ends the calls, for as long as they are wanted.
    pub fn new(place: impl Any + Send + Sync) -> Self {
        Self { _place: Box::new(place) }
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Watch")
    }
}

/// A place for one watcher, of a cursor that calls it by itself. It keeps no watcher alive.
#[derive(Default)]
pub struct OneWatcher(Mutex<Option<Weak<dyn Watcher>>>);

impl OneWatcher {
    /// The watcher takes the place of the one before.
    pub fn set(&self, watcher: &Arc<dyn Watcher>) {
        *self.0.lock() = Some(Arc::downgrade(watcher));
    }

    /// Nobody is called any more.
    pub fn clear(&self) {
        *self.0.lock() = None;
    }

    /// Who is called, if it is there.
    #[must_use]
    pub fn watcher(&self) -> Option<Arc<dyn Watcher>> {
        self.0.lock().as_ref().and_then(Weak::upgrade)
    }

    /// Calls it. The place can be taken meanwhile.
    pub fn call(&self) {
        if let Some(watcher) = self.watcher() {
            watcher.stream_changed();
        }
    }
}

impl fmt::Debug for OneWatcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OneWatcher")
    }
}

/// All watchers of one stream, on all lanes.
#[derive(Debug)]
pub(crate) struct Audiences {
    lanes: Arc<[Lane]>,
    audiences: Box<[Arc<Audience>]>,
}

#[derive(Debug)]
struct Seat {
    lanes: Arc<[Lane]>,
    lane: usize,
    audience: Arc<Audience>,
    slot: usize,
}

impl Audiences {
    pub(crate) fn new(lanes: &Arc<[Lane]>) -> Self {
        let audiences = lanes.iter().map(|_| Arc::default()).collect();
        Self { lanes: Arc::clone(lanes), audiences }
    }

    /// Rings every lane that has watchers of this stream.
    pub(crate) fn ring(&self) {
        for (lane, audience) in self.lanes.iter().zip(&self.audiences) {
            lane.ring(audience);
        }
    }

    /// Adds a watcher on the lane that has the fewest; its first call comes at once.
    pub(crate) fn add(&self, watcher: Arc<dyn Watcher>) -> Watch {
        Watch::new(self.seat(watcher))
    }

    fn seat(&self, watcher: Arc<dyn Watcher>) -> Option<Seat> {
        let lane = (0..self.lanes.len()).min_by_key(|lane| self.lanes.get(*lane).map(Lane::watchers))?;
        let audience = Arc::clone(self.audiences.get(lane)?);
        let slot = audience.watchers.lock().insert(watcher);
        audience.count.fetch_add(1, Ordering::AcqRel);
        self.lanes[lane].watchers.fetch_add(1, Ordering::Relaxed);
        self.lanes[lane].ring(&audience);
        Some(Seat { lanes: Arc::clone(&self.lanes), lane, audience, slot })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.audience.watchers.lock().try_remove(self.slot);
        self.audience.count.fetch_sub(1, Ordering::AcqRel);
        self.lanes[self.lane].watchers.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests;
