//! What one viewer plays, and in which form it is written.

use std::sync::Arc;

use headwater_hub::{Batch, DecoderSetup, Next, Playback, Start};
use headwater_media::flv::{Dialect, KeyframeGate, UnacceptedCodec};
use headwater_media::{MediaKind, TrackId};

use super::format::Format;
use super::layout::{Form, Layout, Layouts, Muted, Portion};
use super::step::Standing;
use super::wire::{Outbox, Wire};

/// Room for a batch and its layouts, which viewers side by side share.
#[derive(Default)]
pub(super) struct Scratch {
    batch: Batch,
    layouts: Layouts,
}

impl Scratch {
    /// The next viewer looks whether there is more by now, and is not given what others have got.
    pub(super) fn look_again(&mut self) {
        self.layouts.look_again();
    }

    /// What others have got that stood there, and the batch that it was made of.
    pub(super) fn behind(&mut self, standing: &Standing) -> Option<(&mut Layout, &Batch)> {
        Some((self.layouts.behind(standing, &self.batch)?, &self.batch))
    }
}

/// How far a batch has gone out.
#[derive(Debug)]
pub(super) enum Delivered {
    /// There is none, or nothing that may go out.
    Nothing,
    /// A part: the socket is full.
    Part,
    /// As a whole, and there may be more.
    All,
    /// As a whole, and that was all; the viewer is in step with whoever has got the same.
    InStep(Standing),
}

/// What a viewer plays, and in which form.
#[derive(Debug)]
pub(crate) struct Playing {
    pub(crate) playback: Playback,
    form: Form,
    /// What the player's side takes, and what it has asked for; the form's dialect is this one with tracks
    /// chosen for the setup in force.
    takes: Dialect,
    fitted: Option<Arc<DecoderSetup>>,
    /// Other tracks have been chosen, because those before are gone or back, and their configurations are to be told.
    has_new_choice: bool,
    /// The playback's breaks so far: one more, and every video track has to begin anew.
    breaks: u64,
    /// The head of the file is still to come.
    is_new: bool,
    /// Tracks that had fallen silent when the viewer came, and that the log still held where it began, each with when
    /// it began: the head does not promise them, so they are left out until they are back.
    silent: Vec<(TrackId, u64)>,
    /// The stream has nothing that the player takes.
    pub(super) unaccepted: Option<UnacceptedCodec>,
}

impl Playing {
    pub(super) fn new(playback: Playback, format: Format, takes: Dialect) -> Self {
        let (dialect, begun) = (takes, KeyframeGate::default());
        Self {
            breaks: playback.breaks(),
            playback,
            form: Form { format, file_header: None, muted: Muted::default(), dialect, begun },
            takes,
            fitted: None,
            has_new_choice: false,
            is_new: format.has_file_header(),
            silent: Vec::new(),
            unaccepted: None,
        }
    }

    /// Stops or resumes sound or pictures; pictures resume at a keyframe with their configuration.
    pub(crate) fn receive(&mut self, kind: MediaKind, on: bool) {
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
    pub(crate) fn sent_ms(&self) -> u64 {
        let (time, _) = self.playback.sent();
        u64::try_from(time.as_ms()).unwrap_or(0)
    }

    /// Writes one batch to a viewer that `stood` there, if it was in step until now.
    pub(super) fn deliver_batch(
        &mut self,
        wire: &Wire,
        outbox: &mut Outbox,
        scratch: &mut Scratch,
        stood: Option<Standing>,
    ) -> Delivered {
        let Scratch { batch, layouts } = scratch;
        if self.unaccepted.is_some() {
            return Delivered::Nothing;
        }
        match self.playback.read(batch) {
            Next::Frames => {}
            // It was in step until now, and nothing has come.
            Next::Empty if self.playback.is_steady() => {
                return stood.map_or(Delivered::Nothing, Delivered::InStep);
            }
            Next::Empty | Next::Ended => return Delivered::Nothing,
        }
        let is_fitted = self.is_fitted(batch);
        if !self.fit(batch) {
            return Delivered::Nothing;
        }
        let layout = layouts.of(
            batch,
            &Portion {
                frames: self.playback.admitted(),
                form: self.form,
                seen: self.playback.seen().filter(|_| !self.has_new_choice),
                silent: &self.silent,
                origin_ms: self.playback.origin().as_ms(),
            },
        );
        let used = layout.write(wire, outbox, batch);
        self.move_past(used, batch);
        if used < layout.frames() || wire.is_blocked() {
            return Delivered::Part;
        }
        if !self.is_in_step(batch) {
            return Delivered::All;
        }
        if let Some(stood) = stood.filter(|stood| is_fitted && stood.next == batch.first) {
            layout.follows(stood.place);
        }
        Delivered::InStep(layout.standing(batch, used))
    }

    /// So many frames have gone out.
    fn move_past(&mut self, used: usize, batch: &Batch) {
        if used > 0 {
            self.has_new_choice = false;
            self.is_new = false;
            self.form.file_header = None;
        }
        self.playback.advance(batch, used);
        self.begin(batch, used);
    }

    /// Whether all that can be known of what the viewer gets next is where it stands: behind all of `batch`, and of its
    /// log.
    fn is_in_step(&self, batch: &Batch) -> bool {
        let has_begun = self.form.begun == KeyframeGate::ALL || !batch.setup.has(MediaKind::Video);
        batch.is_all() && self.playback.is_steady() && self.silent.is_empty() && has_begun
    }

    /// Whether the form has been fitted to just this setup.
    fn is_fitted(&self, batch: &Batch) -> bool {
        self.fitted.as_ref().is_some_and(|setup| Arc::ptr_eq(setup, &batch.setup))
    }

    /// Fits the form to what the batch holds; false where nothing of it can be used.
    fn fit(&mut self, batch: &Batch) -> bool {
        if self.breaks != self.playback.breaks() {
            self.breaks = self.playback.breaks();
            self.form.begun = KeyframeGate::default();
        }
        if self.is_new {
            let promises = |kind| batch.newest_setup.promises(kind);
            self.form.file_header = Some((promises(MediaKind::Audio), promises(MediaKind::Video)));
            self.silent = silent_tracks(batch);
        }
        if !self.is_fitted(batch) {
            self.silent.retain(|(id, since)| batch.setup.since(*id) == Some(*since));
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

/// The tracks that the log still holds at the place of this batch, and that have fallen silent since, each with when
/// it began.
fn silent_tracks(batch: &Batch) -> Vec<(TrackId, u64)> {
    let ids = batch.setup.tracks().map(|track| track.id);
    let silent = ids.filter(|id| !batch.newest_setup.promises(id.kind));
    silent.filter_map(|id| Some((id, batch.setup.since(id)?))).collect()
}
