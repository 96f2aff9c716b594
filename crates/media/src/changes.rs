//! Where in a film its tracks take another codec or configuration, and what holds at a time of it.
//!
//! Whatever the container: FLV announces configurations anew, MP4 has several sample entries.

use crate::{DescribedTrack, SampleEntry, Timestamp, Track, TrackId};

/// How often one track takes another configuration, at most: joined recordings do it now and then. Each is kept, is a break
/// in HLS and a sample entry of an MP4 that is made.
pub const CHANGES_MAX: usize = 1000;
/// Bytes of their configurations, those of a track together: a thousand of the longest that encoders make, and short of
/// what a file of tags with large ones could fill memory with.
pub const CHANGES_BYTES_MAX: usize = 1 << 20;

/// From some time on a track has another codec or configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Change {
    /// Decoding time of the first frame that it holds for.
    pub(crate) from: Timestamp,
    pub(crate) track: Track,
    pub(crate) entry: SampleEntry,
}

impl Change {
    pub(crate) const fn described(&self) -> DescribedTrack<'_> {
        DescribedTrack { track: &self.track, entry: &self.entry }
    }

    fn bytes(&self) -> usize {
        self.track.config.len() + self.track.extra.len() + self.entry.boxes.len()
    }
}

/// All changes of a film.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Changes {
    /// By their tracks, and of each track by their times, once settled.
    list: Vec<Change>,
    /// Their times, each once, once settled.
    times: Vec<Timestamp>,
}

/// How much of the changes of one track is kept: asked before each.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ChangesRoom {
    count: usize,
    bytes: usize,
    refused: u64,
}

impl ChangesRoom {
    /// Whether one more is to be kept.
    pub(crate) fn admits(&mut self, change: &Change) -> bool {
        let bytes = self.bytes + change.bytes();
        let is_admitted = self.count < CHANGES_MAX && bytes <= CHANGES_BYTES_MAX;
        if is_admitted {
            (self.count, self.bytes) = (self.count + 1, bytes);
        } else {
            self.refused += 1;
        }
        is_admitted
    }

    /// What is to be said of the changes that were not kept, if there were any. `track` is its number in the file.
    pub(crate) fn note(&self, track: u32) -> Option<String> {
        (self.refused > 0).then(|| {
            let kept = self.count;
            format!("track {track}: its configuration changes more than {kept} times, which is not followed further")
        })
    }
}

impl Changes {
    /// Adds one; [`settle`](Self::settle) before the next look.
    pub(crate) fn push(&mut self, change: Change) {
        self.list.push(change);
    }

    /// Adds those of a track, in order of their times, each in place of the one that it had at the same time; likewise.
    pub(crate) fn put(&mut self, id: TrackId, found: Vec<Change>) {
        let is_found = |from: Timestamp| found.binary_search_by_key(&from, |change| change.from).is_ok();
        self.list.retain(|change| change.track.id != id || !is_found(change.from));
        self.list.extend(found);
    }

    /// Puts all in order, `shift` earlier. Of a track's changes at the same time the one that came last holds.
    pub(crate) fn settle(&mut self, shift: Timestamp) {
        for change in &mut self.list {
            change.from = change.from - shift;
        }
        self.list.sort_by_key(|change| (change.track.id, change.from));
        self.times = self.list.iter().map(|change| change.from).collect();
        self.times.sort_unstable();
        self.times.dedup();
    }

    /// Leaves out those of a track.
    pub(crate) fn leave_out(&mut self, id: TrackId) {
        self.list.retain(|change| change.track.id != id);
        self.settle(Timestamp::ZERO);
    }

    /// All, by their numbers.
    pub(crate) fn list(&self) -> &[Change] {
        &self.list
    }

    /// One by its number.
    pub(crate) fn at_mut(&mut self, number: usize) -> Option<&mut Change> {
        self.list.get_mut(number)
    }

    /// When any track changes, in order; each time once.
    pub(crate) fn times(&self) -> &[Timestamp] {
        &self.times
    }

    /// The first time behind `time` at which any track changes.
    pub(crate) fn next_time(&self, time: Timestamp) -> Option<Timestamp> {
        self.times.get(self.times.partition_point(|&at| at <= time)).copied()
    }

    /// Those of a track, in order.
    pub(crate) fn of_track(&self, id: TrackId) -> &[Change] {
        let begin = self.list.partition_point(|change| change.track.id < id);
        let of_track = self.list.get(begin..).unwrap_or_default();
        &of_track[..of_track.partition_point(|change| change.track.id == id)]
    }

    /// The one that holds for a track at `time`; none before the first.
    pub(crate) fn held_at(&self, id: TrackId, time: Timestamp) -> Option<&Change> {
        let of_track = self.of_track(id);
        of_track.get(of_track.partition_point(|change| change.from <= time).checked_sub(1)?)
    }

    /// Bytes of memory that all take.
    pub(crate) fn weight(&self) -> usize {
        self.list.iter().map(|change| size_of::<Change>() + change.bytes()).sum()
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::Codec;

    fn change(id: TrackId, from_ms: i64, config: &[u8]) -> Change {
        let track = Track::new(id, Codec::H264, Bytes::copy_from_slice(config));
        Change { from: Timestamp::from_ms(from_ms), track, entry: SampleEntry::NONE }
    }

    #[test]
    fn what_holds_is_found_for_each_track() {
        let second = TrackId { index: 1, ..TrackId::VIDEO };
        let mut changes = Changes::default();
        for (id, from, config) in
            [(second, 110, 9), (TrackId::VIDEO, 130, 1), (TrackId::AUDIO, 110, 5), (TrackId::VIDEO, 120, 2)]
        {
            changes.push(change(id, from, &[config]));
        }
        changes.push(change(TrackId::VIDEO, 130, &[3]));
        changes.settle(Timestamp::from_ms(100));
        let held = |id, ms| Some(changes.held_at(id, Timestamp::from_ms(ms))?.track.config[0]);
        let of_video = [(19, None), (20, Some(2)), (29, Some(2)), (30, Some(3)), (99, Some(3))];
        assert_eq!(of_video.map(|(ms, _)| (ms, held(TrackId::VIDEO, ms))), of_video);
        assert_eq!((held(second, 9), held(second, 10), held(TrackId::AUDIO, 50)), (None, Some(9), Some(5)));
        assert_eq!(held(TrackId { index: 2, ..TrackId::VIDEO }, 50), None);
        assert_eq!(changes.times(), [10, 20, 30].map(Timestamp::from_ms));
        let next = |ms| changes.next_time(Timestamp::from_ms(ms)).map(Timestamp::as_ms);
        assert_eq!([0, 10, 29, 30].map(next), [Some(10), Some(20), Some(30), None]);
        changes.leave_out(TrackId::VIDEO);
        assert_eq!((changes.list().len(), changes.times().len()), (2, 1));
    }

    #[test]
    fn a_track_changes_so_often_and_no_more() {
        let mut room = ChangesRoom::default();
        let small = change(TrackId::VIDEO, 0, &[1]);
        assert!((0..CHANGES_MAX).all(|_| room.admits(&small)));
        assert_eq!(room.note(7), None);
        assert!(!room.admits(&small));
        assert!(room.note(7).unwrap().starts_with("track 7: its configuration changes more than 1000 times"));
        let mut room = ChangesRoom::default();
        let large = change(TrackId::VIDEO, 0, &[1; CHANGES_BYTES_MAX / 2]);
        assert_eq!([0; 3].map(|_| room.admits(&large)), [true, true, false]);
        assert!(room.note(7).is_some());
    }
}
