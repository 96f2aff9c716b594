//! What a viewer must know before it can use frames: metadata, tracks and their decoder configurations.

use bytes::Bytes;
use headwater_media::{MediaKind, Track, TrackId};

/// One thing that a viewer must have been told before a frame, and since when it holds.
#[derive(Clone, Debug)]
pub struct Part {
    /// Sequence number of the first frame that it holds for.
    pub since: u64,
    /// What it is.
    pub content: PartContent,
}

/// What a viewer must know before it can use frames.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PartContent {
    /// The publisher's `onMetaData`: AMF0 values, handler name first.
    Metadata(Bytes),
    /// A track and its decoder configuration.
    Track(Track),
}

/// What holds at one place of the log: metadata first, then the tracks.
#[derive(Clone, Debug, Default)]
pub struct DecoderSetup {
    parts: Vec<Part>,
    /// Kinds of tracks that the publisher's metadata names, as long as they are waited for.
    awaited: Vec<MediaKind>,
}

impl DecoderSetup {
    /// For frames that come from elsewhere than a log: `contents` hold from `since` on.
    #[must_use]
    pub fn new(contents: impl IntoIterator<Item = PartContent>, since: u64) -> Self {
        let mut setup = Self::default();
        contents.into_iter().for_each(|content| setup.replace(content, since));
        setup
    }

    /// The same with a part that holds from `since` on in place of the one before.
    #[must_use]
    pub fn with(&self, content: PartContent, since: u64) -> Self {
        let mut setup = self.clone();
        setup.replace(content, since);
        setup
    }

    /// The parts that a viewer has not been told whose last frame was `seen` (`None`: has seen nothing).
    pub fn unseen(&self, seen: Option<u64>) -> impl Iterator<Item = &PartContent> {
        self.parts
            .iter()
            .filter(move |part| seen.is_none_or(|seen| part.since > seen))
            .map(|part| &part.content)
    }

    /// The tracks.
    pub fn tracks(&self) -> impl Iterator<Item = &Track> + Clone {
        self.parts.iter().filter_map(|part| match &part.content {
            PartContent::Track(track) => Some(track),
            PartContent::Metadata(_) => None,
        })
    }

    /// The publisher's `onMetaData`, if it has sent one.
    #[must_use]
    pub fn metadata(&self) -> Option<&Bytes> {
        self.parts.iter().find_map(|part| match &part.content {
            PartContent::Metadata(values) => Some(values),
            PartContent::Track(_) => None,
        })
    }

    /// The track `id`, if the stream has it.
    #[must_use]
    pub fn track(&self, id: TrackId) -> Option<&Track> {
        self.tracks().find(|track| track.id == id)
    }

    /// Whether there is a track of this kind.
    #[must_use]
    pub fn has(&self, kind: MediaKind) -> bool {
        self.tracks().any(|track| track.id.kind == kind)
    }

    /// Whether there is a track of this kind, or will be soon: the publisher's metadata names one, and has done so for
    /// less than [`SILENT_AFTER`](crate::SILENT_AFTER). What the head of a file tells.
    #[must_use]
    pub fn promises(&self, kind: MediaKind) -> bool {
        self.has(kind) || self.awaited.contains(&kind)
    }

    /// Since when the track `id` is there with this configuration; `None` if the stream has it not. A track that was
    /// away is there since it came back.
    #[must_use]
    pub fn since(&self, id: TrackId) -> Option<u64> {
        let is_it = |part: &&Part| matches!(&part.content, PartContent::Track(track) if track.id == id);
        self.parts.iter().find(is_it).map(|part| part.since)
    }

    /// The same while `awaited` are waited for; `None` if it says that already.
    pub(crate) fn with_awaited(&self, awaited: Vec<MediaKind>) -> Option<Self> {
        (self.awaited != awaited).then(|| Self { parts: self.parts.clone(), awaited })
    }

    /// Whether it says just this already.
    pub(crate) fn says(&self, content: &PartContent) -> bool {
        self.parts.iter().any(|part| part.content == *content)
    }

    /// The same without the tracks that are not `still_there`; `None` if all are.
    pub(crate) fn without_tracks(&self, still_there: impl Fn(TrackId) -> bool) -> Option<Self> {
        let stays = |part: &Part| match &part.content {
            PartContent::Track(track) => still_there(track.id),
            PartContent::Metadata(_) => true,
        };
        let parts: Vec<_> = self.parts.iter().filter(|part| stays(part)).cloned().collect();
        (parts.len() != self.parts.len()).then(|| Self { parts, awaited: self.awaited.clone() })
    }

    fn replace(&mut self, content: PartContent, since: u64) {
        let same_place = |part: &Part| match (&part.content, &content) {
            (PartContent::Metadata(_), PartContent::Metadata(_)) => true,
            (PartContent::Track(old), PartContent::Track(new)) => old.id == new.id,
            _ => false,
        };
        match self.parts.iter_mut().find(|part| same_place(part)) {
            Some(part) => *part = Part { since, content },
            None => self.parts.push(Part { since, content }),
        }
        self.parts.sort_by_key(|part| match &part.content {
            PartContent::Metadata(_) => None,
            PartContent::Track(track) => Some(track.id),
        });
    }
}
