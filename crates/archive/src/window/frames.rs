//! A window read in the order of the hub's log: where reading begins, and what comes one after the other.

use std::ops::Range;
use std::sync::Arc;

use headwater_hub::DecoderSetup;
use headwater_media::{MediaKind, Timestamp};

use super::Window;
use super::kept::Kept;
use super::rendition::Rendition;

/// Where reading in the order of the hub's log begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The first part to look at.
    pub ordinal: u64,
    /// Frames with lower numbers in the log come before the start and are passed over.
    pub sequence: u64,
    /// Decoding time of the start.
    pub at: Timestamp,
}

/// What there is of the part with some ordinal.
#[derive(Clone, Debug)]
pub enum Lookup {
    /// Here it is.
    Part(Arc<Kept>),
    /// It has not been made yet.
    NotYet,
    /// It was let go; the oldest that is kept has this ordinal.
    Gone(u64),
    /// The broadcast ended before it.
    Ended,
}

impl Window {
    /// Where to begin for the time `at`: at the last key frame at or before it, else at the first that is kept. `None`
    /// while there is none.
    #[must_use]
    pub fn entry(&self, at: Timestamp) -> Option<Entry> {
        let inner = self.inner.lock();
        let (at, part, sequence) = inner.leader()?.start_for(at)?;
        let index = usize::try_from(part.checked_sub(inner.first_ordinal)?).ok()?;
        Some(Entry { ordinal: inner.first_with(index, sequence).unwrap_or(part), sequence, at })
    }

    /// The same for a newcomer: at the newest key frame. `None` where there are pictures and none of them is kept, as of
    /// codecs that have no place in MP4.
    #[must_use]
    pub fn newest_entry(&self) -> Option<Entry> {
        let lacks_pictures = {
            let inner = self.inner.lock();
            let setup = inner.setups.back().map(|(_, setup)| setup);
            let leads = inner.leader().map(|leader| leader.id.kind);
            setup.is_some_and(|setup| setup.has(MediaKind::Video)) && leads != Some(MediaKind::Video)
        };
        if lacks_pictures { None } else { self.entry(Timestamp::from_nanos(i64::MAX)) }
    }

    /// Whether there is a place to begin at.
    #[must_use]
    pub fn has_start(&self) -> bool {
        self.inner.lock().leader().and_then(Rendition::oldest_start).is_some()
    }

    /// Where to go on for who has had all frames below `sequence` and no other. `None` where one of those that follow is
    /// gone, or may be.
    #[must_use]
    pub fn entry_of(&self, sequence: u64) -> Option<Entry> {
        let inner = self.inner.lock();
        let index = inner.parts.partition_point(|kept| kept.part().complete_to <= sequence);
        let is_whole = index > 0
            || inner.first_ordinal == 0
            || inner.leader().and_then(Rendition::oldest_start).is_some_and(|(_, first)| first <= sequence);
        let ordinal = inner.first_with(index, sequence).unwrap_or(inner.first_ordinal + index as u64);
        let at = inner.parts.get(index).map_or_else(|| inner.newest(), |kept| kept.part().from());
        is_whole.then_some(Entry { ordinal, sequence, at })
    }

    /// The part with this ordinal, for who reads one after the other.
    #[must_use]
    pub fn lookup(&self, ordinal: u64) -> Lookup {
        let is_ended = self.is_ended();
        let inner = self.inner.lock();
        match ordinal.checked_sub(inner.first_ordinal).map(usize::try_from) {
            None => Lookup::Gone(inner.first_ordinal),
            Some(index) => match index.ok().and_then(|index| inner.parts.get(index)) {
                Some(kept) => Lookup::Part(Arc::clone(kept)),
                None if is_ended => Lookup::Ended,
                None => Lookup::NotYet,
            },
        }
    }

    /// What holds for the frame with this number in the hub's log, and for which frames.
    #[must_use]
    pub fn setup(&self, sequence: u64) -> Option<(Range<u64>, Arc<DecoderSetup>)> {
        let inner = self.inner.lock();
        let at = inner.setups.partition_point(|(since, _)| *since <= sequence).saturating_sub(1);
        let until = inner.setups.get(at + 1).map_or(u64::MAX, |(since, _)| *since);
        inner.setups.get(at).map(|(since, setup)| (*since..until, Arc::clone(setup)))
    }
}
