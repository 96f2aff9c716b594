//! The tracks of an MP4 file that is made of a film: which of the film's samples each has, and under which
//! configuration.

use super::description::Description;
use crate::index::{Index, IndexedTrack};
use crate::piece::Span;
use crate::{Error, MediaKind, Timestamp, Track};

/// A track of a film, and those of its samples that are written.
pub(super) struct MovieTrack<'a> {
    pub(super) indexed: &'a IndexedTrack,
    /// At least one: more where the configuration changes.
    pub(super) descriptions: Vec<Description>,
    /// Numbers of the samples that the further descriptions begin with.
    changes: Vec<u32>,
    /// Numbers of its samples, in decoding order.
    pub(super) samples: Vec<u32>,
    /// How long the last one lasts.
    pub(super) last_lasts: Timestamp,
}

impl MovieTrack<'_> {
    pub(super) const fn kind(&self) -> MediaKind {
        self.indexed.track.id.kind
    }

    /// The number of the description that holds for a sample, from 1 on.
    pub(super) fn description_of(&self, sample: u32) -> u32 {
        self.changes.partition_point(|&change| change <= sample) as u32 + 1
    }
}

/// The tracks with their samples within the span.
pub(super) fn tracks_of(index: &Index, span: Span) -> Result<Vec<MovieTrack<'_>>, Error> {
    let until = span.until.map_or_else(|| index.samples().len(), |until| index.shown_before(until));
    let starts = span.from.map(|from| index.starts_for(from));
    let mut tracks = Vec::new();
    for (place, indexed) in index.tracks().iter().enumerate() {
        // Of script data nothing is needed for what comes later: see `leave_said`.
        let starts = starts.as_ref().filter(|_| indexed.track.id.kind != MediaKind::Data);
        let start = starts.map_or(0, |starts| starts.get(place).copied().unwrap_or(0));
        let within = |number: &usize| {
            index.samples().get(*number).is_some_and(|sample| usize::from(sample.track) == place)
        };
        let samples: Vec<u32> = (start..until).filter(within).map(|number| number as u32).collect();
        if let Some(&last) = samples.last() {
            let (descriptions, changes) = describe(index, indexed, &samples)?;
            let last_lasts = index.lasts(last as usize);
            tracks.push(MovieTrack { indexed, descriptions, changes, samples, last_lasts });
        }
    }
    // Readers number tracks of a kind in the order of the file.
    tracks.sort_by_key(|track| track.indexed.track.id);
    if tracks.iter().all(|track| track.kind() == MediaKind::Data) {
        return Err(Error::malformed("part of a film", "there is nothing to play in it"));
    }
    Ok(tracks)
}

/// Leaves of script data what is said from `from` on, and before the end of the span: nothing of it lasts.
pub(super) fn leave_said(
    index: &Index,
    tracks: &mut Vec<MovieTrack<'_>>,
    from: Timestamp,
    until: Option<Timestamp>,
) {
    let is_within = |at: Timestamp| at >= from && until.is_none_or(|until| at < until);
    for track in tracks.iter_mut().filter(|track| track.kind() == MediaKind::Data) {
        track.samples.retain(|&number| index.sample(number).is_some_and(|sample| is_within(sample.pts)));
    }
    tracks.retain(|track| !track.samples.is_empty());
}

/// How these samples of a track are described, and with which of them further descriptions begin. A track of MP4 has
/// one codec.
fn describe(
    index: &Index,
    indexed: &IndexedTrack,
    samples: &[u32],
) -> Result<(Vec<Description>, Vec<u32>), Error> {
    let Track { id, .. } = indexed.track;
    let at = |number: Option<&u32>| number.map_or(0, |&number| number as usize);
    let (first, last) = (at(samples.first()), at(samples.last()));
    let held = index.described_at(first).into_iter().find(|described| described.track.id == id);
    let held = held.unwrap_or_else(|| indexed.described());
    let (mut descriptions, mut changes) = (vec![Description::of(held)?], Vec::new());
    for (sample, change) in index.changes_within(first, last + 1) {
        let Some(changed) = index.changed(change).filter(|changed| changed.track.id == id) else { continue };
        let codec = changed.track.codec;
        if codec != held.track.codec {
            let what = format!("a change from {} to {codec} in the middle of an MP4 file", held.track.codec);
            return Err(Error::unsupported(what, "ask for FLV, or for a part without the change"));
        }
        descriptions.push(Description::of(changed)?);
        changes.push(sample as u32);
    }
    Ok((descriptions, changes))
}
