//! A viewer's place in a recording: what [`ReadAhead`] decides is done by a task of the viewer's own.
//!
//! The task reads, sleeps and calls the watcher when there is something to send, as a lane does for what is live.

use std::sync::Arc;
use std::time::Duration;

use headwater_hub::{Batch, Cursor, End, Fill, Next, OneWatcher, Range, Start, Watch, Watcher};
use headwater_media::Timestamp;
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::read_ahead::{Growth, ReadAhead, SampleSource, Turn, script_data};

/// How often a recording that is still being written is looked at for more.
const GROWTH_STEP: Duration = Duration::from_secs(1);

/// A cursor on a recording.
#[derive(Debug)]
pub struct RecordedCursor<S: SampleSource> {
    shared: Arc<Shared<S>>,
    origin: Timestamp,
    task: JoinHandle<()>,
}

#[derive(Debug)]
struct Shared<S> {
    ahead: Mutex<ReadAhead<S>>,
    /// Rung when the task has something new to think about.
    bell: Notify,
    watcher: OneWatcher,
}

impl<S: SampleSource> RecordedCursor<S> {
    /// A cursor at the keyframe at or before `at`. Must be called within a tokio runtime, which drives its task.
    #[must_use]
    pub fn new(source: S, at: Timestamp) -> Self {
        let ahead = ReadAhead::new(Arc::new(source), at);
        // Who begins in the middle counts from there: librtmp adds what it asked for.
        let origin = if at > Timestamp::ZERO { ahead.position() } else { Timestamp::ZERO };
        let shared = Arc::new(Shared {
            ahead: Mutex::new(ahead),
            bell: Notify::new(),
            watcher: OneWatcher::default(),
        });
        let task = tokio::spawn(read_ahead(Arc::clone(&shared)));
        Self { shared, origin, task }
    }

    fn change<T>(&self, change: impl FnOnce(&mut ReadAhead<S>) -> T) -> T {
        let changed = change(&mut self.shared.ahead.lock());
        self.shared.bell.notify_one();
        changed
    }
}

impl<S: SampleSource> Cursor for RecordedCursor<S> {
    fn read(&mut self, batch: &mut Batch) -> Next {
        self.shared.ahead.lock().read(batch)
    }

    fn advance(&mut self, batch: &Batch, frames: usize) {
        if self.shared.ahead.lock().advance(batch, frames) {
            self.shared.bell.notify_one();
        }
    }

    fn catch_up(&mut self, _next: u64) {}

    fn seen(&self) -> Option<u64> {
        self.shared.ahead.lock().seen()
    }

    fn watch(&self, watcher: Arc<dyn Watcher>) -> Watch {
        self.shared.watcher.set(&watcher);
        self.shared.bell.notify_one();
        Watch::new(Watched(Arc::clone(&self.shared)))
    }

    fn restart(&mut self, _start: Start) {
        self.change(|ahead| ahead.seek(ahead.position()));
    }

    fn resume(&mut self, seen: Timestamp) {
        self.change(|ahead| ahead.resume(seen));
    }

    fn origin(&self) -> Option<Timestamp> {
        Some(self.origin)
    }

    fn position(&self) -> Timestamp {
        self.shared.ahead.lock().position()
    }

    fn range(&self) -> Range {
        Range { from: Timestamp::ZERO, to: self.shared.ahead.lock().duration() }
    }

    fn can_seek(&self) -> bool {
        true
    }

    fn length(&self) -> Option<Timestamp> {
        Some(self.range().to)
    }

    fn seek(&mut self, at: Timestamp) -> Timestamp {
        self.change(|ahead| ahead.seek(at))
    }

    fn next_start(&self, at: Timestamp) -> Option<Timestamp> {
        self.shared.ahead.lock().next_start(at)
    }

    fn rest(&mut self) {
        self.change(ReadAhead::rest);
    }

    fn set_buffer(&mut self, buffer: Duration) {
        self.change(|ahead| ahead.set_buffer(buffer));
    }

    fn fill(&self) -> Fill {
        self.shared.ahead.lock().fill()
    }

    fn send_data_first(&mut self) {
        self.change(ReadAhead::send_data_first);
    }

    fn end(&self) -> Option<End> {
        self.shared.ahead.lock().end()
    }
}

impl<S: SampleSource> Drop for RecordedCursor<S> {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A watcher's place; dropping it ends the calls.
struct Watched<S>(Arc<Shared<S>>);

impl<S> Drop for Watched<S> {
    fn drop(&mut self) {
        self.0.watcher.clear();
    }
}

/// Reads ahead of the viewer until the cursor is dropped.
async fn read_ahead<S: SampleSource>(shared: Arc<Shared<S>>) {
    let began = Instant::now();
    loop {
        let turn = shared.ahead.lock().turn(began.elapsed());
        match turn {
            Turn::Read { source, samples, jumps } => {
                let end = samples.end;
                let samples: Vec<_> =
                    source.index().samples().get(samples).unwrap_or_default().iter().collect();
                let read = source.frames(&samples).await;
                shared.ahead.lock().finish_read(jumps, end, read);
                shared.watcher.call();
                // What is at hand is read without waiting: others get their turn.
                tokio::task::yield_now().await;
            }
            Turn::ReadData(source) => {
                let read = source.frames(&script_data(source.index())).await;
                // Where it cannot be read, the frames beside it cannot either.
                shared.ahead.lock().take_data(read.unwrap_or_default());
            }
            Turn::Sleep(rest) => {
                // That the buffer is full is news.
                shared.watcher.call();
                tokio::select! {
                    () = tokio::time::sleep(rest) => {}
                    () = shared.bell.notified() => {}
                }
            }
            Turn::Wait => {
                // The watcher may have come, or the end is news to it.
                shared.watcher.call();
                shared.bell.notified().await;
            }
            Turn::Grow { source, jumps } => match source.grown().await {
                Growth::More(more) => {
                    shared.ahead.lock().take_source(more);
                }
                Growth::NotYet => {
                    tokio::select! {
                        () = tokio::time::sleep(GROWTH_STEP) => {}
                        // A seek is not kept waiting.
                        () = shared.bell.notified() => {}
                    }
                }
                Growth::Whole => shared.ahead.lock().complete(jumps),
            },
        }
    }
}

#[cfg(test)]
mod tests;
