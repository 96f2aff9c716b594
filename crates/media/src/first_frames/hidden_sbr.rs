//! Which frames of AAC are asked for SBR that their configuration does not announce.

use super::{Configuration, FirstFrames, Work};
use crate::codec::sbr::{ImplicitSbr, SBR_FRAME_BYTES, SBR_FRAMES, SbrSearch};
use crate::{Codec, DescribedTrack};

impl FirstFrames {
    /// Frames that lie apart: what is there by chance in one would be there again in the next (silence).
    pub(super) fn sbr_of(&self, configuration: Configuration) -> Option<Work> {
        let DescribedTrack { track, .. } = self.described(configuration)?;
        if track.codec != Codec::Aac || !ImplicitSbr::may_be_in(&track.config) {
            return None;
        }
        let changes = self.index.changes.list();
        let change = configuration.change;
        let from = change.and_then(|change| changes.get(change)).map_or(0, |at| self.index.before(at.from));
        let next = changes.get(change.map_or(0, |change| change + 1)..).unwrap_or_default();
        let next = next.iter().find(|next| next.track.id == track.id);
        let until = next.map_or(self.index.samples.len(), |next| self.index.before(next.from));
        let of_track = self.index.samples.iter().enumerate().take(until).skip(from).filter(|(_, sample)| {
            usize::from(sample.track) == configuration.place
                && sample.size as usize <= SBR_FRAME_BYTES
                && !sample.needs_repair
        });
        let frames: Vec<usize> = of_track.map(|(number, _)| number).collect();
        let apart = frames.len().div_ceil(SBR_FRAMES).max(1);
        let samples: Vec<usize> = frames.into_iter().step_by(apart).collect();
        let is_any = !samples.is_empty();
        is_any.then(|| Work::FindSbr { configuration, samples, search: SbrSearch::default() })
    }

    pub(super) fn find_sbr(
        &mut self,
        configuration: Configuration,
        mut samples: Vec<usize>,
        mut search: SbrSearch,
        bytes: &[u8],
    ) -> Option<Work> {
        search.look(bytes);
        samples.pop();
        if !samples.is_empty() {
            return Some(Work::FindSbr { configuration, samples, search });
        }
        let entry = match configuration.change {
            Some(change) => &mut self.index.changes.at_mut(change)?.entry,
            None => &mut self.index.tracks.get_mut(configuration.place)?.entry,
        };
        entry.sbr = search.found();
        None
    }
}
