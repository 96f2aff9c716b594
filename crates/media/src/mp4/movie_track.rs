//! The tracks of an MP4 file that is made of a film: which of the film's samples each has, and under which
//! configuration.

use super::description::Description;
use crate::index::{Index, IndexedTrack};
use crate::piece::Span;
use crate::{Codec, DescribedTrack, Error, MediaKind, Timestamp};

/// A track of a film, and those of its samples that are written. A track of MP4 has one codec: where that of the film
/// changes, there is one for each.
pub(super) struct MovieTrack<'a> {
    pub(super) indexed: &'a IndexedTrack,
    /// At least one: more where the configuration changes.
    pub(super) descriptions: Vec<Description>,
    /// The samples from which on another description holds, and the place of that.
    changes: Vec<(u32, usize)>,
    /// Numbers of its samples, in decoding order.
    pub(super) samples: Vec<u32>,
    /// How long the last one lasts.
    pub(super) last_lasts: Timestamp,
    /// The place of the track that it continues with another codec.
    pub(super) continues: Option<usize>,
    codec: Codec,
}

impl<'a> MovieTrack<'a> {
    fn new(indexed: &'a IndexedTrack, codec: Codec) -> Self {
        let (descriptions, changes, samples) = (Vec::new(), Vec::new(), Vec::new());
        Self { indexed, descriptions, changes, samples, last_lasts: Timestamp::ZERO, continues: None, codec }
    }

    pub(super) const fn kind(&self) -> MediaKind {
        self.indexed.track.id.kind
    }

    /// The number of the description that holds for a sample, from 1 on.
    pub(super) fn description_of(&self, sample: u32) -> u32 {
        let until = self.changes.partition_point(|(change, _)| *change <= sample);
        let place = until.checked_sub(1).and_then(|at| self.changes.get(at)).map_or(0, |(_, place)| *place);
        place as u32 + 1
    }

    /// From the sample of this number on the track is so.
    fn describe(&mut self, sample: u32, described: DescribedTrack<'_>) -> Result<(), Error> {
        let description = Description::of(described)?;
        let known = self.descriptions.iter().position(|known| *known == description);
        let place = known.unwrap_or(self.descriptions.len());
        if known.is_none() {
            self.descriptions.push(description);
        }
        self.changes.push((sample, place));
        Ok(())
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
        tracks.extend(by_codec(index, indexed, &samples)?);
    }
    // Readers number tracks of a kind in the order of the file.
    tracks.sort_by_key(|track| track.indexed.track.id);
    for place in 1..tracks.len() {
        let id = |track: &MovieTrack<'_>| track.indexed.track.id;
        let first = tracks.iter().position(|track| id(track) == id(&tracks[place]));
        tracks[place].continues = first.filter(|&first| first < place);
    }
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

/// These samples of a track by their codecs, that of the first one first.
fn by_codec<'a>(
    index: &Index,
    indexed: &'a IndexedTrack,
    samples: &[u32],
) -> Result<Vec<MovieTrack<'a>>, Error> {
    let id = indexed.track.id;
    let at = |number: Option<&u32>| number.copied().unwrap_or(0);
    let (first, last) = (at(samples.first()), at(samples.last()));
    let held = index.described_at(first as usize).into_iter().find(|described| described.track.id == id);
    let changes = index.changes_within(first as usize, last as usize + 1).into_iter();
    let changes = changes.filter_map(|(sample, change)| {
        let changed = index.changed(change).filter(|changed| changed.track.id == id)?;
        Some((sample as u32, changed))
    });
    let held = std::iter::once((first, held.unwrap_or_else(|| indexed.described())));
    let (mut tracks, mut rest): (Vec<MovieTrack<'_>>, _) = (Vec::new(), samples);
    let mut changes = held.chain(changes).peekable();
    while let Some((from, described)) = changes.next() {
        let codec = described.track.codec;
        let is_of =
            |track: &MovieTrack<'_>| std::mem::discriminant(&track.codec) == std::mem::discriminant(&codec);
        let place = tracks.iter().position(is_of).unwrap_or_else(|| {
            tracks.push(MovieTrack::new(indexed, codec));
            tracks.len() - 1
        });
        tracks[place].describe(from, described)?;
        let until =
            changes.peek().map_or(rest.len(), |(next, _)| rest.partition_point(|number| number < next));
        let (own, others) = rest.split_at(until);
        tracks[place].samples.extend_from_slice(own);
        rest = others;
    }
    tracks.retain(|track| !track.samples.is_empty());
    for track in &mut tracks {
        track.last_lasts = index.lasts(at(track.samples.last()) as usize);
    }
    Ok(tracks)
}
