//! The presented time of a film, computed once when it is indexed: 0 is the first moment that is shown, whatever the
//! clock of the file said then, and every track ends where the last of it that is shown ends.
//!
//! Here all tracks get the same shift. What an edit list cuts away from a track is decided before (`mp4/edits`).

use std::ops::Range;

use crate::changes::Changes;
use crate::index::{IndexedTrack, Sample};
use crate::{MediaKind, Timestamp};

/// Times of one film lie within this, a year: what is farther off is damage, and left out. It keeps all that is
/// reckoned with times behind far from the limits of their fields.
pub(crate) const SPAN_MAX: Timestamp = Timestamp::from_ms(365 * 24 * 3600 * 1000);
/// A last access unit that is said to last longer is not believed where nothing else speaks for it.
pub(crate) const LAST_MAX: Timestamp = Timestamp::from_ms(10_000);
/// What is shown at 0 is decoded so long before, at most: receivers that know no time below 0 see all later by that.
const LEAD_MAX: Timestamp = Timestamp::from_ms(10_000);
/// How long a last access unit lasts of which nothing is known.
pub(crate) const LONE: Timestamp = Timestamp::from_ms(40);

/// Moves a film to its presented time and puts its samples in decoding order. `shown` is for each track from when to
/// when it shows something, at the times of the samples. What the file's clock says at 0 comes back, and what has to be
/// said about the file.
pub(crate) fn settle(
    tracks: &mut [IndexedTrack],
    shown: &mut [Range<Timestamp>],
    samples: &mut Vec<Sample>,
    changes: &mut Changes,
) -> (Timestamp, Vec<String>) {
    let notes = leave_out_far(tracks, shown, samples);
    let is_media = |track: &IndexedTrack| track.track.id.kind != MediaKind::Data;
    let media = tracks.iter().zip(&*shown).filter(|(track, shown)| is_media(track) && !shown.is_empty());
    let zero = media.map(|(_, shown)| shown.start).min().unwrap_or_default();
    let is_data: Vec<bool> = tracks.iter().map(|track| !is_media(track)).collect();
    for sample in &mut *samples {
        sample.dts = (sample.dts - zero).max(Timestamp::ZERO - LEAD_MAX);
        sample.pts = sample.pts - zero;
        // Script data stands anywhere in a file, often at its time 0.
        if is_data.get(usize::from(sample.track)).copied().unwrap_or(false) {
            sample.dts = sample.dts.max(Timestamp::ZERO);
            sample.pts = sample.pts.max(Timestamp::ZERO);
        }
    }
    changes.settle(zero);
    for (track, shown) in tracks.iter_mut().zip(shown) {
        // An edit may go on for longer than all that it shows.
        shown.end = shown.end.min(zero + SPAN_MAX);
        track.end = if shown.is_empty() { Timestamp::ZERO } else { shown.end - zero };
        track.last_lasts = track.last_lasts.min(SPAN_MAX);
    }
    // A stable sort keeps each track's own order also where its times stand still.
    samples.sort_by_key(|sample| sample.dts);
    (zero, notes)
}

/// Leaves out samples that lie more than [`SPAN_MAX`] from where their film begins.
fn leave_out_far(
    tracks: &mut [IndexedTrack],
    shown: &mut [Range<Timestamp>],
    samples: &mut Vec<Sample>,
) -> Vec<String> {
    let Some(any) = samples.first().map(|sample| sample.dts) else { return Vec::new() };
    let (earliest, latest) = samples.iter().fold((any, any), |(earliest, latest), sample| {
        (earliest.min(sample.dts).min(sample.pts), latest.max(sample.dts).max(sample.pts))
    });
    if latest - earliest <= SPAN_MAX {
        return Vec::new();
    }
    // The samples are still in the order of the file, in which damage rarely comes first.
    let begin = samples.first().map_or(Timestamp::ZERO, |sample| sample.pts);
    let near = |time: Timestamp| (time - begin).max(begin - time) <= SPAN_MAX;
    let before = samples.len();
    samples.retain(|sample| near(sample.dts) && near(sample.pts));
    for (place, (track, shown)) in tracks.iter_mut().zip(shown).enumerate() {
        track.last_lasts = track.last_lasts.min(LAST_MAX);
        let own = samples.iter().filter(|sample| usize::from(sample.track) == place && !sample.decode_only);
        let (first, last) = (own.clone().map(|s| s.pts).min(), own.map(|s| s.pts).max());
        *shown = match first.zip(last) {
            Some((first, last)) => first.max(shown.start)..shown.end.min(last + track.last_lasts),
            None => Timestamp::ZERO..Timestamp::ZERO,
        };
    }
    let left_out = before - samples.len();
    if left_out == 0 {
        Vec::new()
    } else {
        vec![format!("{left_out} frames lie more than a year from the first one and are left out")]
    }
}
