//! One viewer: its wire, what it plays, and when that is written.

use std::cell::RefCell;
use std::sync::Arc;

use headwater_hub::{Playback, Watch, Watcher};
use headwater_media::flv::{Dialect, UnacceptedCodec};
use parking_lot::Mutex;

use super::format::Format;
use super::playing::{Playing, Scratch};
use super::wire::Wire;

/// A viewer on a connection. Lanes call it when its stream has grown; it rings the wire's bell when its connection has
/// something to tell the player, or has to wait for the socket.
#[derive(Debug)]
pub(crate) struct Viewer {
    wire: Arc<Wire>,
    playing: Mutex<Playing>,
}

impl Watcher for Viewer {
    fn stream_changed(&self) {
        self.deliver();
    }
}

impl Viewer {
    /// A viewer of `playback` in this format, whose side takes `dialect`.
    pub(crate) fn new(wire: Arc<Wire>, playback: Playback, format: Format, dialect: Dialect) -> Self {
        Self { wire, playing: Mutex::new(Playing::new(playback, format, dialect)) }
    }

    /// Has the viewer called whenever its stream grows, for as long as the watch is kept.
    pub(crate) fn watch(viewer: &Arc<Self>) -> Watch {
        viewer.playing.lock().playback.watch(Arc::clone(viewer) as Arc<dyn Watcher>)
    }

    /// Writes what may go out to this viewer, as far as the socket takes it.
    pub(crate) fn deliver(&self) {
        let Some(mut outbox) = self.wire.clear_outbox() else { return };
        let mut playing = self.playing.lock();
        SCRATCH.with_borrow_mut(|scratch| while playing.deliver_batch(&self.wire, &mut outbox, scratch) {});
        if playing.unaccepted.is_some() || playing.playback.has_news() {
            self.wire.bell.notify_one();
        }
    }

    /// Looks at the playback, or asks something of it.
    pub(crate) fn with<T>(&self, ask: impl FnOnce(&mut Playback) -> T) -> T {
        ask(&mut self.playing.lock().playback)
    }

    /// Changes what is played. Nothing more goes out until [`release`](Self::release): the player is told first.
    pub(crate) fn hold<T>(&self, change: impl FnOnce(&mut Playing) -> T) -> T {
        let mut playing = self.playing.lock();
        playing.playback.hold();
        change(&mut playing)
    }

    /// The player has been told: it goes on.
    pub(crate) fn release(&self) {
        self.playing.lock().playback.release();
        self.deliver();
    }

    /// Why the player can use nothing of the stream, if that is so.
    pub(crate) fn unaccepted(&self) -> Option<UnacceptedCodec> {
        self.playing.lock().unaccepted
    }
}

thread_local! {
    /// One per thread, not per viewer, so that viewers side by side share what is made for them.
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

#[cfg(test)]
mod tests;
