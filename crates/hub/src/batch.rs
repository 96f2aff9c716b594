//! What a cursor reads at once: frames that follow each other and share one setup.

use std::sync::Arc;

use headwater_media::Frame;

use crate::groups::Group;
use crate::setup::DecoderSetup;

/// Frames that follow each other and share one setup; what a cursor reads at once.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// Sequence number of the first frame.
    pub first: u64,
    /// The frames, in order.
    pub frames: Vec<Frame>,
    /// What holds for them.
    pub setup: Arc<DecoderSetup>,
    /// What holds at the end of all that has come: a track that is missing here has fallen silent since, and one that
    /// is here alone is on its way.
    pub newest_setup: Arc<DecoderSetup>,
    /// The group of the first frame, then those that begin in the batch.
    pub(crate) groups: Vec<Group>,
    /// Which stream's log it was filled from, and where that log's head was.
    filled: Option<(u64, u64)>,
    /// Whether nothing lay behind it when it was read last.
    is_all: bool,
    version: u64,
}

impl Batch {
    /// Changes whenever the batch is filled anew: who has made something of it can tell whether that
    /// still holds.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.version
    }

    /// Whether there is nothing behind it for now: who has used all of it need not read again before it is called. Never
    /// so at the end of a broadcast, which is read.
    #[must_use]
    pub const fn is_all(&self) -> bool {
        self.is_all
    }

    /// The groups that the frames belong to: that of the first frame, then those that begin in the batch.
    /// None for frames that come from elsewhere than a log.
    #[must_use]
    pub fn groups(&self) -> &[Group] {
        &self.groups
    }

    /// The group that frame `at` of the batch belongs to.
    #[must_use]
    pub fn group(&self, at: usize) -> Option<Group> {
        let sequence = self.first.saturating_add(at as u64);
        self.groups.iter().rev().find(|group| group.first <= sequence).copied()
    }

    /// Fills in frames that come from elsewhere than a log. Nobody shares them.
    pub fn refill(&mut self, first: u64, setup: &Arc<DecoderSetup>, frames: impl IntoIterator<Item = Frame>) {
        self.begin(first, setup, setup);
        self.frames.extend(frames);
    }

    /// Empties it for the frames that come from `first` on, under `setup`.
    pub(crate) fn begin(&mut self, first: u64, setup: &Arc<DecoderSetup>, newest: &Arc<DecoderSetup>) {
        self.first = first;
        self.frames.clear();
        self.groups.clear();
        for (held, now) in [(&mut self.setup, setup), (&mut self.newest_setup, newest)] {
            if !Arc::ptr_eq(held, now) {
                *held = Arc::clone(now);
            }
        }
        self.filled = None;
        self.is_all = false;
        self.version += 1;
    }

    /// Whether reading `stream` at `sequence` with its log's head at `head` would fill in just this.
    pub(crate) fn is_current(&self, stream: u64, sequence: u64, head: u64) -> bool {
        self.filled == Some((stream, head)) && self.first == sequence && !self.frames.is_empty()
    }

    /// What it holds was filled in from the log of `stream`, whose head is at `head`.
    pub(crate) fn filled_from(&mut self, stream: u64, head: u64) {
        self.filled = Some((stream, head));
    }

    /// `may_grow`: frames may come behind `head`, of which watchers are told.
    pub(crate) fn look_behind(&mut self, head: u64, may_grow: bool) {
        self.is_all = may_grow && self.first + self.frames.len() as u64 == head;
    }
}
