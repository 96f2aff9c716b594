//! One viewer: its wire, what it plays, and when that is written.

use std::cell::RefCell;
use std::hint::black_box;
use std::sync::Arc;

use headwater_hub::{Playback, Watch, Watcher};
use headwater_media::flv::{Dialect, UnacceptedCodec};
use parking_lot::{Mutex, MutexGuard};

use super::format::Format;
use super::playing::{Delivered, Playing, Scratch};
use super::step::Standing;
use super::wire::{Outbox, Wire};

/// A viewer on a connection. Lanes call it when its stream has grown; it rings the wire's bell when its connection has
/// something to tell the player, or has to wait for the socket.
#[derive(Debug)]
pub(crate) struct Viewer {
    wire: Arc<Wire>,
    /// Where it stands while it is in step with others. What it plays may not have been told of that yet.
    step: Mutex<Option<Standing>>,
    playing: Mutex<Playing>,
}

impl Watcher for Viewer {
    fn stream_changed(&self) {
        self.write();
    }

    fn prepare(&self) {
        black_box(self.wire.touch());
    }
}

impl Viewer {
    /// A viewer of `playback` in this format, whose side takes `dialect`.
    pub(crate) fn new(wire: Arc<Wire>, playback: Playback, format: Format, dialect: Dialect) -> Self {
        let playing = Mutex::new(Playing::new(playback, format, dialect));
        Self { wire, step: Mutex::default(), playing }
    }

    /// Has the viewer called whenever its stream grows, for as long as the watch is kept.
    pub(crate) fn watch(viewer: &Arc<Self>) -> Watch {
        viewer.playing().playback.watch(Arc::clone(viewer) as Arc<dyn Watcher>)
    }

    /// Forgets what viewers have got: the next that this thread writes to looks whether there is more by now. A lane begins
    /// so, for what is given to its viewers must have been read since it began to call them; of what comes later it is
    /// told.
    pub(super) fn look_again() {
        SCRATCH.with_borrow_mut(Scratch::look_again);
    }

    /// Writes what may go out to this viewer, as far as the socket takes it, at another time than its lane's.
    pub(crate) fn deliver(&self) {
        Self::look_again();
        self.write();
    }

    fn write(&self) {
        let Some(mut outbox) = self.wire.clear_outbox() else { return };
        SCRATCH.with_borrow_mut(|scratch| {
            if self.follow(&mut outbox, scratch) {
                return;
            }
            let (mut playing, mut stood) = self.caught_up();
            let standing = loop {
                match playing.deliver_batch(&self.wire, &mut outbox, scratch, stood.take()) {
                    Delivered::All => {}
                    Delivered::InStep(standing) => break Some(standing),
                    Delivered::Part | Delivered::Nothing => break None,
                }
            };
            *self.step.lock() = standing;
            if playing.unaccepted.is_some() || playing.playback.has_news() {
                self.wire.bell.notify_one();
            }
        });
    }

    /// Writes what another viewer has got who stood at the same place. False if there is no such, and nothing is written.
    fn follow(&self, outbox: &mut Outbox, scratch: &mut Scratch) -> bool {
        let mut step = self.step.lock();
        let Some(standing) = &mut *step else { return false };
        let Some((layout, batch)) = scratch.behind(standing) else { return false };
        let used = layout.write(&self.wire, outbox, batch);
        if used > 0 {
            *standing = layout.standing(batch, used);
        }
        true
    }

    /// What it plays, told how far it is, and out of step: it may be changed.
    fn playing(&self) -> MutexGuard<'_, Playing> {
        self.caught_up().0
    }

    /// The same, and where the viewer stood if it was in step.
    fn caught_up(&self) -> (MutexGuard<'_, Playing>, Option<Standing>) {
        let mut playing = self.playing.lock();
        let stood = self.step.lock().take();
        if let Some(standing) = stood {
            playing.playback.catch_up(standing.next, standing.newest);
        }
        (playing, stood)
    }

    /// Looks at the playback, or asks something of it.
    pub(crate) fn with<T>(&self, ask: impl FnOnce(&mut Playback) -> T) -> T {
        ask(&mut self.playing().playback)
    }

    /// Changes what is played. Nothing more goes out until [`release`](Self::release): the player is told first.
    pub(crate) fn hold<T>(&self, change: impl FnOnce(&mut Playing) -> T) -> T {
        let mut playing = self.playing();
        playing.playback.hold();
        change(&mut playing)
    }

    /// The player has been told: it goes on.
    pub(crate) fn release(&self) {
        self.playing().playback.release();
        self.deliver();
    }

    /// Why the player can use nothing of the stream, if that is so.
    pub(crate) fn unaccepted(&self) -> Option<UnacceptedCodec> {
        self.playing().unaccepted
    }
}

thread_local! {
    /// One per thread, not per viewer, so that viewers side by side share what is made for them.
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

#[cfg(test)]
mod tests;
