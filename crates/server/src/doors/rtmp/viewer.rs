//! One playing stream's way out: playback, and when its frames go on the wire.
//!
//! What goes on the wire is laid out by [`super::layout`], once for all viewers that stand side by side.
//! Nothing of a frame is kept here, so a slow viewer costs a number.

use std::cell::RefCell;
use std::io::IoSlice;
use std::sync::Arc;

use headwater_hub::{Batch, DecoderSetup, Next, Playback, Start, Watch, Watcher};
use headwater_media::flv::{Dialect, KeyframeGate, UnacceptedCodec};
use headwater_media::{MediaKind, Timestamp};
use headwater_rtmp::session::ServerSession;
use parking_lot::Mutex;

use super::conversation::Conversation;
use super::layout::{Form, Layout};
use super::wire::{Outbox, Wire};

/// A playing message stream of a connection. Lanes call it when its stream has grown.
#[derive(Debug)]
pub(super) struct Viewer {
    wire: Arc<Wire>,
    playing: Mutex<Playing>,
}

/// What a viewer plays, and in which form.
#[derive(Debug)]
pub(super) struct Playing {
    pub(super) playback: Playback,
    form: Form,
    /// What the player's side takes, and what it has asked for; the form's dialect is this one with tracks
    /// chosen for the setup in force.
    takes: Dialect,
    fitted: Option<Arc<DecoderSetup>>,
    /// Other tracks have been chosen, because those before are gone or back, and their configurations are to be told.
    has_new_choice: bool,
    /// The playback's breaks so far: one more, and every video track has to begin anew.
    breaks: u64,
    /// The stream has nothing that the player takes.
    unaccepted: Option<UnacceptedCodec>,
}

impl Watcher for Viewer {
    fn stream_changed(&self) {
        self.deliver();
    }
}

impl Viewer {
    pub(super) fn new(wire: Arc<Wire>, playback: Playback, form: Form) -> Self {
        let (takes, breaks) = (form.dialect, playback.breaks());
        let playing =
            Playing { playback, form, takes, fitted: None, has_new_choice: false, breaks, unaccepted: None };
        Self { wire, playing: Mutex::new(playing) }
    }

    /// Has the viewer called whenever its stream grows, for as long as the watch is kept.
    pub(super) fn watch(viewer: &Arc<Self>) -> Watch {
        viewer.playing.lock().playback.watch(Arc::clone(viewer) as Arc<dyn Watcher>)
    }

    /// Writes what may go out to this viewer, as far as the socket takes it.
    pub(super) fn deliver(&self) {
        let Some(mut outbox) = self.wire.clear_outbox() else { return };
        let mut playing = self.playing.lock();
        SCRATCH.with_borrow_mut(|scratch| while playing.deliver_batch(&self.wire, &mut outbox, scratch) {});
        if playing.unaccepted.is_some() || playing.playback.has_news() {
            self.wire.bell.notify_one();
        }
    }

    /// Looks at the playback, or asks something of it.
    pub(super) fn with<T>(&self, ask: impl FnOnce(&mut Playback) -> T) -> T {
        ask(&mut self.playing.lock().playback)
    }

    /// Changes what is played, and says so: nothing more goes out before the player has been told.
    pub(super) fn change<T>(
        &self,
        conversation: &mut Conversation,
        change: impl FnOnce(&mut Playing, &mut ServerSession) -> T,
    ) -> T {
        let changed = {
            let mut playing = self.playing.lock();
            playing.playback.hold();
            change(&mut playing, &mut conversation.session)
        };
        conversation.say();
        self.playing.lock().playback.release();
        self.deliver();
        changed
    }

    /// Why the player can use nothing of the stream, if that is so.
    pub(super) fn unaccepted(&self) -> Option<UnacceptedCodec> {
        self.playing.lock().unaccepted
    }
}

impl Playing {
    /// Stops or resumes sound or pictures; pictures resume at a keyframe with their configuration.
    pub(super) fn receive(&mut self, kind: MediaKind, on: bool) {
        match kind {
            MediaKind::Audio => self.form.muted.audio = !on,
            MediaKind::Video => {
                if self.form.muted.video && on {
                    self.playback.restart(Start::NextKeyframe);
                }
                self.form.muted.video = !on;
            }
            MediaKind::Data => {}
        }
    }

    /// How much has been sent, in the player's time.
    pub(super) fn sent_ms(&self) -> u64 {
        let (time, _) = self.playback.sent();
        u64::try_from(time.as_ms()).unwrap_or(0)
    }

    /// Writes one batch; returns whether it is worth going on.
    fn deliver_batch(&mut self, wire: &Wire, outbox: &mut Outbox, scratch: &mut Scratch) -> bool {
        let Scratch { batch, layout } = scratch;
        if self.unaccepted.is_some() || self.playback.read(batch) != Next::Frames || !self.fit(batch) {
            return false;
        }
        let (frames, seen) =
            (self.playback.admitted(), self.playback.seen().filter(|_| !self.has_new_choice));
        layout.prepare(batch, frames, self.form, seen, self.playback.origin().as_ms());
        let written = match layout.bytes() {
            [] => 0,
            bytes => wire.write(outbox, &[IoSlice::new(bytes)]),
        };
        let mut used = layout.frames_within(written);
        let all = used == layout.frames();
        if !all && written > layout.end_of(used) {
            // A part of the next frame is on its way: its rest goes first, whatever happens to the log.
            layout.keep(written..layout.end_of(used + 1), batch, outbox);
            used += 1;
        }
        self.has_new_choice &= used == 0;
        self.playback.advance(batch, used);
        self.begin(batch, used);
        all
    }

    /// Fits the form to what the batch holds; false where nothing of it can be used.
    fn fit(&mut self, batch: &Batch) -> bool {
        if self.breaks != self.playback.breaks() {
            self.breaks = self.playback.breaks();
            self.form.begun = KeyframeGate::default();
        }
        if !self.fitted.as_ref().is_some_and(|setup| Arc::ptr_eq(setup, &batch.setup)) {
            match self.takes.fitted(batch.setup.tracks()) {
                Ok(dialect) if dialect == self.form.dialect => {}
                Ok(dialect) => {
                    self.has_new_choice = self.fitted.is_some();
                    self.form.dialect = dialect;
                    self.form.begun = KeyframeGate::default();
                }
                // A track that the player takes has fallen silent; it may come back.
                Err(_) if self.has_only_lost(&batch.setup) => {}
                Err(unaccepted) => self.unaccepted = Some(unaccepted),
            }
            self.fitted = Some(Arc::clone(&batch.setup));
        }
        self.unaccepted.is_none()
    }

    /// Whether `setup` has no track that was not there before.
    fn has_only_lost(&self, setup: &DecoderSetup) -> bool {
        let before = self.fitted.as_ref();
        before.is_some_and(|before| setup.tracks().all(|track| before.track(track.id) == Some(track)))
    }

    /// Takes note of the tracks that have begun. Once all have, the viewer's bytes are those of all others.
    fn begin(&mut self, batch: &Batch, used: usize) {
        if self.form.begun == KeyframeGate::ALL {
            return;
        }
        for frame in batch.frames.iter().take(used) {
            self.form.begun.admits(frame);
        }
        let mut tracks = batch.setup.tracks().filter(|track| track.id.kind == MediaKind::Video);
        // Pictures that are away may come back in the middle of a group.
        if batch.setup.has(MediaKind::Video) && tracks.all(|track| self.form.begun.has(track.id.index)) {
            self.form.begun = KeyframeGate::ALL;
        }
    }
}

/// A time that a player names, in milliseconds.
pub(super) fn player_time(ms: u64) -> Timestamp {
    Timestamp::from_ms(i64::try_from(ms).unwrap_or(i64::MAX))
}

thread_local! {
    /// Room for a batch and its layout; one per thread, not per viewer, so that viewers side by side share
    /// them.
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

#[derive(Default)]
struct Scratch {
    batch: Batch,
    layout: Layout,
}

#[cfg(test)]
mod tests;
