//! A cursor that a task awaits instead of being called.
//!
//! What awaiting means is the same for every cursor; what a cursor passes out is said where it is.

use std::sync::Arc;

use crate::wake::{Bell, Watch, Watcher};

/// A cursor that a task awaits instead of being called.
#[derive(Debug)]
pub struct Awaited<C> {
    cursor: C,
    bell: Arc<Bell>,
    _watch: Watch,
}

impl<C> Awaited<C> {
    pub(crate) fn new(cursor: C, watch: impl FnOnce(&C, Arc<dyn Watcher>) -> Watch) -> Self {
        let bell = Arc::new(Bell::default());
        let watch = watch(&cursor, Arc::clone(&bell) as Arc<dyn Watcher>);
        Self { cursor, bell, _watch: watch }
    }

    pub(crate) fn cursor(&self) -> &C {
        &self.cursor
    }

    pub(crate) fn cursor_mut(&mut self) -> &mut C {
        &mut self.cursor
    }

    /// Waits until the stream has grown or ended since the last call.
    pub(crate) async fn rung(&self) {
        self.bell.rung().await;
    }
}
