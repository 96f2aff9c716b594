//! Tracks that continue each other made one: a recording has a track in its file for each description, and who plays it
//! sees one whose description changes.

use super::{Index, IndexedTrack, Sample};
use crate::changes::{Change, Changes, ChangesRoom};
use crate::{Timestamp, TrackId};

/// Several tracks as one, while the samples of all are gone through.
struct Joined<'a> {
    /// The film's tracks as they are, and their changes.
    tracks: &'a [IndexedTrack],
    before: &'a Changes,
    indexed: IndexedTrack,
    /// The track of the last sample, and from when on its description holds.
    held: Option<(usize, Option<Timestamp>)>,
    /// When the last sample is decoded, and the longest time from one to the next.
    last: Timestamp,
    longest: Timestamp,
    /// Ticks per second that hold the times of all; 0 before the first.
    timescale: u64,
    changes: Vec<Change>,
    room: ChangesRoom,
    /// It has changed more often than is followed.
    is_over: bool,
}

impl Index {
    /// Makes one track of each and those that continue it. `continues` says of a track which one before it that is, which
    /// continues none itself. Samples and changes are settled.
    pub(crate) fn join(&mut self, continues: &[Option<usize>]) {
        if continues.iter().all(Option::is_none) {
            return;
        }
        let tracks = std::mem::take(&mut self.tracks);
        let before = std::mem::take(&mut self.changes);
        let first_of = |place: usize| continues.get(place).copied().flatten().unwrap_or(place);
        let is_continued = |place| continues.contains(&Some(place));
        let mut joined: Vec<_> = (0..tracks.len())
            .map(|place| is_continued(place).then(|| Joined::new(&tracks, &before, place)))
            .collect();
        self.samples.retain(|sample| {
            let place = usize::from(sample.track);
            let joined = joined.get_mut(first_of(place)).and_then(Option::as_mut);
            joined.is_none_or(|joined| joined.take(sample, place))
        });
        let mut places = vec![0; tracks.len()];
        for (place, joined) in joined.into_iter().enumerate().filter(|(place, _)| first_of(*place) == *place)
        {
            places[place] = self.tracks.len() as u8;
            match joined {
                Some(joined) => joined.put_into(self),
                None => {
                    self.put_joined(tracks[place].clone(), before.of_track(tracks[place].track.id).to_vec())
                }
            }
        }
        for sample in &mut self.samples {
            sample.track = places.get(first_of(sample.track.into())).copied().unwrap_or_default();
        }
        self.changes.settle(Timestamp::ZERO);
    }

    /// Puts a track behind the others, numbered among those of its kind.
    fn put_joined(&mut self, mut indexed: IndexedTrack, changes: Vec<Change>) {
        let of_kind = |other: &&IndexedTrack| other.track.id.kind == indexed.track.id.kind;
        let id = TrackId { index: self.tracks.iter().filter(of_kind).count() as u8, ..indexed.track.id };
        indexed.track.id = id;
        self.tracks.push(indexed);
        for mut change in changes {
            change.track.id = id;
            self.changes.push(change);
        }
    }
}

impl<'a> Joined<'a> {
    fn new(tracks: &'a [IndexedTrack], before: &'a Changes, first: usize) -> Self {
        Self {
            tracks,
            before,
            indexed: tracks[first].clone(),
            held: None,
            last: Timestamp::ZERO,
            longest: Timestamp::ZERO,
            timescale: 0,
            changes: Vec::new(),
            room: ChangesRoom::default(),
            is_over: false,
        }
    }

    /// Takes the next sample, which is of the track at `place`; whether it is kept.
    fn take(&mut self, sample: &Sample, place: usize) -> bool {
        let own = &self.tracks[place];
        let change = self.before.held_at(own.track.id, sample.dts);
        let holds = (place, change.map(|change| change.from));
        let step = self.held.map_or(Timestamp::ZERO, |_| sample.dts - self.last);
        (self.last, self.longest) = (sample.dts, self.longest.max(step));
        if self.held == Some(holds) {
            return !self.is_over;
        }
        let described = change.map_or_else(|| own.described(), Change::described);
        let (track, entry) = (described.track.clone(), described.entry.clone());
        if self.held.replace(holds).is_none() {
            (self.indexed.track, self.indexed.entry) = (track, entry);
        } else {
            let change = Change { from: sample.dts, track, entry };
            self.is_over |= !self.room.admits(&change);
            if !self.is_over {
                self.changes.push(change);
            }
        }
        self.take_in(own);
        !self.is_over
    }

    /// What is true of all together, now that samples of `own` are among them.
    fn take_in(&mut self, own: &IndexedTrack) {
        self.timescale = least_common_multiple(self.timescale, own.timescale.into());
        let indexed = &mut self.indexed;
        indexed.timescale = indexed.timescale.max(own.timescale);
        indexed.end = indexed.end.max(own.end);
        indexed.last_lasts = own.last_lasts;
        indexed.renews_gradually |= own.renews_gradually;
        indexed.leads_in_whole |= own.leads_in_whole;
    }

    /// Puts it behind the tracks of the index.
    fn put_into(mut self, index: &mut Index) {
        // Where the times of all are not whole ticks of any timescale that holds the longest gap, they are nearly so.
        let exact = u32::try_from(self.timescale).ok();
        let holds_longest = |timescale: &u32| u32::try_from(self.longest.to_ticks(*timescale)).is_ok();
        self.indexed.timescale = exact.filter(holds_longest).unwrap_or(self.indexed.timescale);
        if let Some(note) = self.room.note(self.indexed.number) {
            index.note(note);
        }
        index.put_joined(self.indexed, self.changes);
    }
}

/// Of 0 and another number: the other.
fn least_common_multiple(a: u64, b: u64) -> u64 {
    let (mut divisor, mut rest) = (a, b);
    while rest != 0 {
        (divisor, rest) = (rest, divisor % rest);
    }
    if a == 0 || b == 0 { a.max(b) } else { (a / divisor).saturating_mul(b) }
}

#[cfg(test)]
mod tests;
