//! A viewer's place in a window: what [`Ahead`] decides is done by a task of the viewer's own, which reads, sleeps and calls
//! the watcher when there is something to send, as a lane does for what is live.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use headwater_hub::OneWatcher;
use headwater_vod::blocking;
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::ahead::{Ahead, Turn};
use crate::window::{Data, Kept, Window};

/// A place in a window, and the task that reads ahead of it; dropping it ends the task.
#[derive(Debug)]
pub(super) struct Rewound {
    shared: Arc<Shared>,
    window: Arc<Window>,
    task: JoinHandle<()>,
}

#[derive(Debug)]
struct Shared {
    ahead: Mutex<Ahead>,
    /// Rung when the task has something new to think about.
    bell: Notify,
}

impl Rewound {
    /// Reads `window` as `ahead` decides, for who stands in `watcher`. Must be called within a tokio runtime.
    pub(super) fn new(window: Arc<Window>, ahead: Ahead, watcher: Arc<OneWatcher>) -> Self {
        let shared = Arc::new(Shared { ahead: Mutex::new(ahead), bell: Notify::new() });
        let task = tokio::spawn(read_ahead(Arc::clone(&shared), Arc::clone(&window), watcher));
        Self { shared, window, task }
    }

    pub(super) const fn window(&self) -> &Arc<Window> {
        &self.window
    }

    /// Looks at what is read ahead, or takes of it.
    pub(super) fn with<T>(&self, look: impl FnOnce(&mut Ahead) -> T) -> T {
        look(&mut self.shared.ahead.lock())
    }

    /// Changes what is to be done next.
    pub(super) fn change<T>(&self, change: impl FnOnce(&mut Ahead) -> T) -> T {
        let changed = self.with(change);
        self.ring(true);
        changed
    }

    /// Tells the task, if there is something to tell.
    pub(super) fn ring(&self, has_changed: bool) {
        if has_changed {
            self.shared.bell.notify_one();
        }
    }
}

impl Drop for Rewound {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn read_ahead(shared: Arc<Shared>, window: Arc<Window>, watcher: Arc<OneWatcher>) {
    let began = Instant::now();
    let mut growth = window.growth();
    loop {
        let turn = shared.ahead.lock().turn(began.elapsed());
        match turn {
            Turn::Read { kept, jumps } => {
                let read = bytes_of(&kept).await;
                shared.ahead.lock().finish_read(jumps, &kept, read);
                watcher.call();
                // What is at hand is read without waiting: others get their turn.
                tokio::task::yield_now().await;
            }
            Turn::Sleep(rest) => {
                // That the buffer is full is news.
                watcher.call();
                tokio::select! {
                    () = tokio::time::sleep(rest) => {}
                    () = shared.bell.notified() => {}
                }
            }
            Turn::Wait => {
                // The watcher may have come, or the end is news to it.
                watcher.call();
                shared.bell.notified().await;
            }
            Turn::Grow(parts) => {
                // It may go on in the hub's log.
                watcher.call();
                tokio::select! {
                    _ = growth.wait_for(|growth| growth.parts > parts || growth.is_ended) => {}
                    () = shared.bell.notified() => {}
                }
            }
        }
    }
}

async fn bytes_of(kept: &Arc<Kept>) -> io::Result<Bytes> {
    match kept.data() {
        Data::Memory(bytes) => Ok(bytes),
        Data::File(..) => {
            let kept = Arc::clone(kept);
            blocking(move || kept.read()).await
        }
    }
}
