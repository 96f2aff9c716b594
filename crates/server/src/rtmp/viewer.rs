//! One playing stream: a cursor, and when its frames go on the wire.
//!
//! What goes on the wire is laid out by [`super::layout`], once for all viewers that stand side by side.
//! Nothing of a frame is kept here, so a slow viewer costs a number.

use std::cell::RefCell;
use std::io::IoSlice;
use std::sync::Arc;

use headwater_hub::{Batch, Next, Setup, Start, State, Watcher};
use headwater_media::flv::{Begun, Dialect, Untaken};
use headwater_media::{MediaKind, Timestamp};
use headwater_rtmp::MessageStreamId;
use parking_lot::Mutex;

use super::layout::{Form, Layout, Muted};
use super::wire::{Outbox, Wire};
use crate::source::{Cursor, Watch};

/// A playing message stream of a connection. Lanes call it when its stream has grown.
#[derive(Debug)]
pub(super) struct Viewer {
    wire: Arc<Wire>,
    playing: Mutex<Playing>,
}

#[derive(Debug)]
struct Playing {
    cursor: Cursor,
    form: Form,
    /// What the player's side takes, and what it has asked for; the form's dialect is this one with tracks
    /// chosen for the setup in force.
    takes: Dialect,
    fitted: Option<Arc<Setup>>,
    /// Frames skipped so far: more of them, and every video track has to begin anew.
    skipped: u64,
    start: Start,
    /// The media time, in milliseconds, at which this viewer's time begins.
    origin_ms: Option<i64>,
    paused: bool,
    end: Option<PlayEnding>,
}

/// Why nothing more comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PlayEnding {
    /// The broadcast is over and everything of it is out.
    Ended,
    /// The stream has nothing that the player takes.
    Untaken(Untaken),
}

impl Watcher for Viewer {
    fn stream_changed(&self) {
        self.deliver();
    }
}

impl Viewer {
    pub(super) fn new(
        wire: Arc<Wire>,
        cursor: Cursor,
        start: Start,
        takes: Dialect,
        (stream, chunk_size): (MessageStreamId, usize),
    ) -> Self {
        let playing = Playing {
            form: Form {
                stream,
                chunk_size,
                muted: Muted::default(),
                dialect: takes,
                begun: Begun::default(),
            },
            takes,
            fitted: None,
            skipped: 0,
            start,
            origin_ms: cursor.origin().map(Timestamp::as_ms),
            cursor,
            paused: false,
            end: None,
        };
        Self { wire, playing: Mutex::new(playing) }
    }

    /// Has the viewer called whenever its stream grows, for as long as the watch is kept.
    pub(super) fn watch(viewer: &Arc<Self>) -> Watch {
        viewer.playing.lock().cursor.watch(Arc::clone(viewer) as Arc<dyn Watcher>)
    }

    /// Writes what the log holds for this viewer, as far as the socket takes it.
    pub(super) fn deliver(&self) {
        let Some(mut outbox) = self.wire.clear_outbox() else { return };
        let mut playing = self.playing.lock();
        SCRATCH.with_borrow_mut(|scratch| while playing.deliver_batch(&self.wire, &mut outbox, scratch) {});
    }

    /// Why nothing more comes, if so.
    pub(super) fn ending(&self) -> Option<PlayEnding> {
        self.playing.lock().end
    }

    /// Where the stream stands.
    pub(super) fn state(&self) -> State {
        self.playing.lock().cursor.state()
    }

    /// Frames that this viewer was moved past.
    pub(super) fn skipped(&self) -> u64 {
        self.playing.lock().cursor.skipped()
    }

    /// Stops or resumes everything; a viewer that resumes starts at a keyframe.
    pub(super) fn pause(&self, pause: bool) {
        {
            let mut playing = self.playing.lock();
            if playing.paused && !pause {
                let start = playing.start;
                playing.restart(start);
            }
            playing.paused = pause;
        }
        self.deliver();
    }

    /// Stops or resumes sound.
    pub(super) fn receive_audio(&self, on: bool) {
        self.playing.lock().form.muted.audio = !on;
    }

    /// Stops or resumes pictures; they resume at a keyframe with their configuration.
    pub(super) fn receive_video(&self, on: bool) {
        let mut playing = self.playing.lock();
        if playing.form.muted.video && on {
            playing.restart(Start::NextKeyframe);
        }
        playing.form.muted.video = !on;
    }
}

impl Playing {
    /// Writes one batch; returns whether it is worth going on.
    fn deliver_batch(&mut self, wire: &Wire, outbox: &mut Outbox, scratch: &mut Scratch) -> bool {
        if self.paused || self.end.is_some() {
            return false;
        }
        let Scratch { batch, layout } = scratch;
        match self.cursor.read(batch) {
            Next::Frames => {}
            Next::Empty => return false,
            Next::Ended => {
                return self.finish(wire, PlayEnding::Ended);
            }
        }
        if self.skipped != self.cursor.skipped() {
            self.skipped = self.cursor.skipped();
            self.form.begun = Begun::default();
        }
        if !self.fitted.as_ref().is_some_and(|setup| Arc::ptr_eq(setup, &batch.setup)) {
            match self.takes.fitted(batch.setup.tracks()) {
                Ok(dialect) => self.form.dialect = dialect,
                Err(untaken) => return self.finish(wire, PlayEnding::Untaken(untaken)),
            }
            self.fitted = Some(Arc::clone(&batch.setup));
        }
        let first = batch.frames.first().map_or(Timestamp::ZERO, |frame| frame.dts);
        let origin_ms = *self.origin_ms.get_or_insert_with(|| first.as_ms());
        layout.prepare(batch, self.form, self.cursor.seen(), origin_ms);
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
        self.cursor.advance(batch, used);
        self.begin(batch, used);
        all
    }

    fn restart(&mut self, start: Start) {
        self.cursor.restart(start);
        self.form.begun = Begun::default();
    }

    /// Takes note of the tracks that have begun. Once all have, the viewer's bytes are those of all others.
    fn begin(&mut self, batch: &Batch, used: usize) {
        if self.form.begun == Begun::ALL {
            return;
        }
        for frame in batch.frames.iter().take(used) {
            self.form.begun.admits(frame);
        }
        let mut tracks = batch.setup.tracks().filter(|track| track.id.kind == MediaKind::Video);
        if tracks.all(|track| self.form.begun.has(track.id.index)) {
            self.form.begun = Begun::ALL;
        }
    }

    fn finish(&mut self, wire: &Wire, end: PlayEnding) -> bool {
        self.end = Some(end);
        wire.bell.notify_one();
        false
    }
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
