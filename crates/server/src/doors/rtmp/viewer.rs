//! One playing stream: a cursor, and when its frames go on the wire.
//!
//! What goes on the wire is laid out by [`super::layout`], once for all viewers that stand side by side.
//! Nothing of a frame is kept here, so a slow viewer costs a number.

use std::cell::RefCell;
use std::io::IoSlice;
use std::sync::Arc;

use headwater_hub::{Batch, DecoderSetup, Next, Start, State, Watcher};
use headwater_media::flv::{Dialect, KeyframeGate, UnacceptedCodec};
use headwater_media::{MediaKind, Timestamp};
use headwater_rtmp::MessageStreamId;
use parking_lot::Mutex;

use super::layout::{Form, Layout, Muted};
use super::wire::{Outbox, Wire};
use crate::sources::{Cursor, Ending, Fill, Reel, Watch};

/// Players know a film's length in whole seconds, or to the end of its sound: a place this far behind the end is taken
/// for the end.
const SEEK_BEYOND_MAX: Timestamp = Timestamp::from_ms(2_000);

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
    fitted: Option<Arc<DecoderSetup>>,
    /// Frames skipped so far: more of them, and every video track has to begin anew.
    skipped: u64,
    start: Start,
    /// The media time, in milliseconds, at which this viewer's time begins.
    origin_ms: Option<i64>,
    /// The media time of the newest frame that was sent, in milliseconds.
    newest_ms: i64,
    sent_bytes: u64,
    paused: bool,
    fill: Fill,
    fill_is_news: bool,
    /// Of a live stream, what is sent of it at most, in milliseconds.
    duration_ms: Option<i64>,
    /// Nothing is sent, because something has to be said first.
    held: bool,
    end: Option<PlayEnding>,
}

/// Why nothing more comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PlayEnding {
    /// The broadcast is over and everything of it is out.
    Ended,
    /// The stream has nothing that the player takes.
    Untaken(UnacceptedCodec),
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
                begun: KeyframeGate::default(),
            },
            takes,
            fitted: None,
            skipped: 0,
            start,
            origin_ms: cursor.origin().map(Timestamp::as_ms),
            cursor,
            newest_ms: 0,
            sent_bytes: 0,
            paused: false,
            fill: Fill::Filling,
            fill_is_news: false,
            duration_ms: None,
            held: false,
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

    /// Stops everything.
    pub(super) fn pause(&self) {
        let mut playing = self.playing.lock();
        playing.paused = true;
        if let Some(film) = playing.cursor.film() {
            film.pause();
        }
    }

    /// Goes on: live at a keyframe; a film behind what the player has seen, which is up to `position_ms` of
    /// its time.
    pub(super) fn resume(&self, position_ms: u64) {
        {
            let mut playing = self.playing.lock();
            let at = playing.film_time(position_ms);
            let was_paused = std::mem::take(&mut playing.paused);
            let start = playing.start;
            match playing.cursor.film() {
                Some(film) => film.resume(at),
                None if was_paused => playing.restart(start),
                None => {}
            }
        }
        self.deliver();
    }

    /// Holds everything back, also what a paused film would show, until [`go_on`](Self::go_on).
    pub(super) fn hold(&self) {
        self.playing.lock().held = true;
    }

    /// Sends again what was held back.
    pub(super) fn go_on(&self) {
        self.playing.lock().held = false;
        self.deliver();
    }

    /// Goes to a place of the player's time in a film; what follows comes with everything that a decoder must
    /// know. False where there is no film or no such place in it.
    pub(super) fn seek(&self, position_ms: u64) -> bool {
        let mut playing = self.playing.lock();
        let at = playing.film_time(position_ms);
        let Some(film) = playing.cursor.film() else { return false };
        if at > film.duration() + SEEK_BEYOND_MAX {
            return false;
        }
        film.seek(at);
        playing.form.begun = KeyframeGate::default();
        playing.end = None;
        true
    }

    /// What a film is asked to do; nothing where there is none.
    pub(super) fn with_film<T>(&self, ask: impl FnOnce(&Reel) -> T) -> Option<T> {
        self.playing.lock().cursor.film().map(ask)
    }

    /// Goes on with another cursor. The player's time goes on too: of the next film of a playlist from where
    /// the one before ended, of another rate of the same film (`same_time`) as it is. The watch has to be renewed.
    pub(super) fn follow_with(&self, cursor: Cursor, same_time: bool) {
        let mut playing = self.playing.lock();
        let (ended, begins) = (playing.newest_ms, cursor.position().as_ms());
        if !same_time {
            playing.origin_ms = Some(begins - (ended - playing.origin_ms.unwrap_or(ended)));
        }
        playing.cursor = cursor;
        playing.form.begun = KeyframeGate::default();
        playing.fitted = None;
        playing.end = None;
    }

    /// Ends after this much: of a film from where it begins, of a live stream from when it comes. Nothing at
    /// all is one frame.
    pub(super) fn limit(&self, duration_ms: u64) {
        let duration_ms = i64::try_from(duration_ms).unwrap_or(i64::MAX);
        let mut playing = self.playing.lock();
        match playing.cursor.film() {
            Some(film) => {
                let duration = Timestamp::from_ms(duration_ms).max(Timestamp::from_nanos(1));
                film.play_until(Some(film.position() + duration));
            }
            None => playing.duration_ms = Some(duration_ms.max(1)),
        }
    }

    /// Whether the player's buffer has become full (true) or gets more again, since it was asked last.
    pub(super) fn buffer_news(&self) -> Option<bool> {
        let mut playing = self.playing.lock();
        let is_full = playing.fill == Fill::Full;
        std::mem::take(&mut playing.fill_is_news).then_some(is_full)
    }

    /// Why the film cannot be read to its end, if that is so.
    pub(super) fn breakage(&self) -> Option<String> {
        match self.playing.lock().cursor.film()?.ending()? {
            Ending::Broken(text) => Some(text),
            Ending::Complete => None,
        }
    }

    /// How much has been sent: the player's time in milliseconds, and payload bytes.
    pub(super) fn sent(&self) -> (i64, u64) {
        let playing = self.playing.lock();
        (playing.newest_ms - playing.origin_ms.unwrap_or(playing.newest_ms), playing.sent_bytes)
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
    /// A place of the player's time as a time of the film.
    fn film_time(&self, position_ms: u64) -> Timestamp {
        let position_ms = i64::try_from(position_ms).unwrap_or(i64::MAX);
        Timestamp::from_ms(position_ms.saturating_add(self.origin_ms.unwrap_or(0)).max(0))
    }

    /// Writes one batch; returns whether it is worth going on.
    fn deliver_batch(&mut self, wire: &Wire, outbox: &mut Outbox, scratch: &mut Scratch) -> bool {
        let stands = self.paused && self.cursor.origin().is_none();
        if stands || self.held || self.end.is_some() {
            return false;
        }
        let Scratch { batch, layout } = scratch;
        match self.cursor.read(batch) {
            Next::Frames => {}
            Next::Empty => {
                self.look_at_buffer(wire);
                return false;
            }
            Next::Ended => {
                return self.finish(wire, PlayEnding::Ended);
            }
        }
        if self.skipped != self.cursor.skipped() {
            self.skipped = self.cursor.skipped();
            self.form.begun = KeyframeGate::default();
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
        if self.duration_ms.is_some_and(|duration| first.as_ms() - origin_ms >= duration) {
            return self.finish(wire, PlayEnding::Ended);
        }
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
        if let (true, Some(last)) = (self.cursor.origin().is_some(), used.checked_sub(1)) {
            let sent = &batch.frames[..used];
            self.newest_ms = sent[last].dts.as_ms();
            self.sent_bytes += sent.iter().map(|frame| frame.payload.len() as u64).sum::<u64>();
        }
        self.cursor.advance(batch, used);
        self.begin(batch, used);
        all
    }

    /// Has the connection tell the player when its buffer is full, and when it gets more.
    fn look_at_buffer(&mut self, wire: &Wire) {
        let Some(film) = self.cursor.film() else { return };
        if film.fill() != self.fill {
            self.fill = film.fill();
            self.fill_is_news = self.fill != Fill::Filling;
            wire.bell.notify_one();
        }
    }

    fn restart(&mut self, start: Start) {
        self.cursor.restart(start);
        self.form.begun = KeyframeGate::default();
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
        if tracks.all(|track| self.form.begun.has(track.id.index)) {
            self.form.begun = KeyframeGate::ALL;
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
