//! The tracks of an MP4 file that is made of a film: which of the film's samples each has, and under which
//! configuration.

use super::description::Description;
use crate::index::{Index, IndexedTrack};
use crate::piece::Span;
use crate::{Error, MediaKind, Timestamp, Track};

/// A track of a film, and those of its samples that are written.
pub(super) struct MovieTrack<'a> {
    pub(super) indexed: &'a IndexedTrack,
    pub(super) description: Description,
    /// Numbers of its samples, in decoding order.
    pub(super) samples: Vec<u32>,
    /// How long the last one lasts.
    pub(super) last_lasts: Timestamp,
}

/// The tracks with their samples within the span.
pub(super) fn tracks_of(index: &Index, span: Span) -> Result<Vec<MovieTrack<'_>>, Error> {
    let until = span.until.map_or_else(|| index.samples().len(), |until| index.shown_before(until));
    let starts = span.from.map(|from| index.starts_for(from));
    let mut tracks = Vec::new();
    for (place, indexed) in index.tracks().iter().enumerate() {
        if indexed.track.id.kind == MediaKind::Data {
            continue;
        }
        let start = starts.as_ref().map_or(0, |starts| starts.get(place).copied().unwrap_or(0));
        let within = |number: &usize| {
            index.samples().get(*number).is_some_and(|sample| usize::from(sample.track) == place)
        };
        let samples: Vec<u32> = (start..until).filter(within).map(|number| number as u32).collect();
        if let Some(&last) = samples.last() {
            let track = configured(index, indexed, &samples)?;
            let description = Description::of(&track)?;
            let last_lasts = index.lasts(last as usize);
            tracks.push(MovieTrack { indexed, description, samples, last_lasts });
        }
    }
    // Readers number tracks of a kind in the order of the file.
    tracks.sort_by_key(|track| track.indexed.track.id);
    if tracks.is_empty() {
        return Err(Error::malformed("part of a film", "there is nothing to play in it"));
    }
    Ok(tracks)
}

/// The track with the configuration that holds for these samples: an MP4 file is written with one.
fn configured(index: &Index, indexed: &IndexedTrack, samples: &[u32]) -> Result<Track, Error> {
    let Track { id, codec, .. } = indexed.track;
    let at = |number: Option<&u32>| number.map_or(0, |&number| number as usize);
    let (first, last) = (at(samples.first()), at(samples.last()));
    let changes = index.changes_within(first, last + 1);
    if changes.iter().any(|(_, change)| index.changed_track(*change).is_some_and(|track| track.id == id)) {
        let what = format!("another configuration of {codec} in the middle of an MP4 file");
        return Err(Error::unsupported(what, "ask for FLV, or for a part without the change"));
    }
    let held = index.tracks_at(first).into_iter().find(|track| track.id == id);
    Ok(held.unwrap_or_else(|| indexed.track.clone()))
}
