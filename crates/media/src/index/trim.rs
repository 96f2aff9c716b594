//! What is left out of an index: a track that nothing can be made of, and the end of a file that still grows.

use super::{Index, IndexedTrack, SkippedTrack};
use crate::mp4::boxes::FourCc;
use crate::{MediaKind, Timestamp};

impl Index {
    /// Leaves a track out: nothing can be made of its samples.
    pub(crate) fn leave_out(&mut self, place: usize, reason: &str) {
        if place >= self.tracks.len() {
            return;
        }
        let IndexedTrack { number, track, .. } = self.tracks.remove(place);
        let kind = FourCc(track.codec.four_cc().unwrap_or(*b"----"));
        self.skip(SkippedTrack { number, kind, reason: reason.to_owned() });
        self.changes.leave_out(track.id);
        self.samples.retain(|sample| usize::from(sample.track) != place);
        for sample in self.samples.iter_mut().filter(|sample| usize::from(sample.track) > place) {
            sample.track -= 1;
        }
    }

    /// Of a file whose tracks are written in turns and that still grows: leaves out what is decoded behind the last sample of
    /// another track, so that all that comes later goes to the end. A track that has fallen silent holds back no more
    /// than `silent_after`; script data, of which nobody knows when more comes, holds back nothing.
    pub fn even_end(&mut self, silent_after: Timestamp) {
        let mut last = vec![None; self.tracks.len()];
        for sample in &self.samples {
            if let Some(last) = last.get_mut(usize::from(sample.track)) {
                *last = Some(sample.dts);
            }
        }
        let is_media = |(track, last): (&IndexedTrack, Option<Timestamp>)| {
            last.filter(|_| track.track.id.kind != MediaKind::Data)
        };
        let last: Vec<_> = self.tracks.iter().zip(last).filter_map(is_media).collect();
        let Some(newest) = last.iter().max().copied() else { return };
        let going_on = last.into_iter().filter(|last| newest - *last <= silent_after);
        let even = going_on.min().unwrap_or(newest);
        self.samples.truncate(self.before_or_at(even));
    }
}
