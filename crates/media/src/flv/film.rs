//! A film's tags made from its index: what stands between the payloads, and the `onMetaData` that says where the
//! keyframes are.

use bytes::{BufMut, Bytes, BytesMut};

use super::dialect::Dialect;
use super::head::{config_bodies, frame_head};
use super::metadata::{KEYFRAMES_MAX, insert_keyframes, metadata_payload, on_metadata_of, parse_on_metadata};
use super::mux::{TAG_HEAD_LEN, TagKind, file_header, previous_tag_size, tag_head};
use crate::index::{Index, Sample};
use crate::piece::{Piece, Span};
use crate::{Error, Frame, MediaKind, Timestamp, Track, TrackId};

/// Steps of a sample: what stands before its payload, the payload, what stands behind it.
const STEPS: usize = 3;
/// Bytes behind a tag.
const TAIL_LEN: usize = 4;

/// The tags of an FLV file that is made.
#[derive(Debug)]
pub(crate) struct FilmTags {
    first: usize,
    end: usize,
    /// What is at time 0.
    origin: Timestamp,
    dialect: Dialect,
    /// Samples before which a configuration changes, and the number of the change.
    changes: Vec<(usize, usize)>,
    /// Tracks whose configuration stands before every keyframe, since it is not always the same: who comes to a keyframe by
    /// the list of them has not read what stands before. The first with pictures, then those that change.
    repeated: Vec<TrackId>,
}

impl FilmTags {
    /// Tags from the keyframe on that the span begins with; what stands before them comes with it.
    pub(crate) fn new(index: &Index, span: Span, dialect: Dialect) -> Result<(Self, Bytes), Error> {
        let first = span.from.map_or(0, |from| index.begin_at(from));
        let end = span.until.map_or_else(|| index.samples().len(), |until| index.shown_before(until));
        let origin = index.samples().get(first).map_or(Timestamp::ZERO, |sample| sample.dts);
        let origin = if first == 0 { index.origin() } else { origin };
        let (tags, tracks) = Self::of(index, first, end, origin, dialect)?;
        let head = tags.head(index, &tracks, span.until);
        Ok((tags, head))
    }

    /// Tags from sample `first` on at their times since `origin`, without metadata before them.
    pub(crate) fn tail(
        index: &Index,
        first: usize,
        origin: Timestamp,
        dialect: Dialect,
    ) -> Result<(Self, Bytes), Error> {
        let (tags, tracks) = Self::of(index, first, index.samples().len(), origin, dialect)?;
        let at = index.samples().get(first).map_or(0, |sample| tags.ms(sample));
        let head = [tags.header(&tracks), tags.configurations(&tracks, at)].concat();
        Ok((tags, head.into()))
    }

    fn of(
        index: &Index,
        first: usize,
        end: usize,
        origin: Timestamp,
        dialect: Dialect,
    ) -> Result<(Self, Vec<Track>), Error> {
        if first >= end {
            return Err(Error::malformed("part of a film", "there is nothing to play in it"));
        }
        let tracks = index.tracks_at(first);
        let dialect = dialect.fitted(tracks.iter()).map_err(|untaken| {
            Error::unsupported(
                format!("{} for this player", untaken.codec),
                "leave out the wishes of the address",
            )
        })?;
        let changes = index.changes_within(first, end);
        let repeated = repeated(index, &changes);
        Ok((Self { first, end, origin, dialect, changes, repeated }, tracks))
    }

    pub(crate) const fn steps(&self) -> usize {
        (self.end - self.first) * STEPS
    }

    pub(crate) const fn sample_of(&self, step: usize) -> usize {
        self.first + step / STEPS
    }

    /// The step that begins with the tag of a sample, or the configuration before it.
    pub(crate) const fn step_of(&self, number: usize) -> usize {
        number.saturating_sub(self.first) * STEPS
    }

    pub(crate) fn step_len(&self, index: &Index, step: usize) -> u64 {
        let number = self.sample_of(step);
        let Some(sample) = index.samples().get(number) else { return 0 };
        let Some(head) = self.body_head(index, sample) else { return 0 };
        match step % STEPS {
            0 => (self.told_before(index, number, sample).len() + TAG_HEAD_LEN + head.len()) as u64,
            1 => index.payload_len(sample).into(),
            _ => TAIL_LEN as u64,
        }
    }

    pub(crate) fn piece(&self, index: &Index, step: usize) -> Option<Piece> {
        let number = self.sample_of(step);
        if number >= self.end {
            return None;
        }
        let sample = index.samples().get(number)?;
        let Some(head) = self.body_head(index, sample) else { return Some(Piece::Bytes(Bytes::new())) };
        let body_len = head.len() + index.payload_len(sample) as usize;
        Some(match step % STEPS {
            0 => {
                let mut bytes = BytesMut::from(self.told_before(index, number, sample).as_ref());
                let kind = index.track_of(sample)?.id.kind.into();
                bytes.put_slice(&tag_head(kind, body_len, self.ms(sample)));
                bytes.put_slice(head.as_slice());
                Piece::Bytes(bytes.freeze())
            }
            1 if sample.needs_repair => Piece::Repaired(*sample),
            1 => Piece::File { offset: sample.offset, len: sample.size.into() },
            _ => Piece::Bytes(Bytes::copy_from_slice(&previous_tag_size(body_len))),
        })
    }

    /// What stands before a payload in its tag; `None` if the frame is not for this receiver.
    fn body_head(&self, index: &Index, sample: &Sample) -> Option<super::head::TagHead> {
        let Track { id, codec, .. } = *index.track_of(sample)?;
        let (dts, pts) = (sample.dts - self.origin, sample.pts - self.origin);
        let frame = Frame { track: id, codec, dts, pts, key: sample.key, payload: Bytes::new() };
        frame_head(&frame, &self.dialect)
    }

    /// Tags that announce what changes with this sample, or hold for it if it is a keyframe of a film that changes.
    fn told_before(&self, index: &Index, number: usize, sample: &Sample) -> Bytes {
        let mut out = BytesMut::new();
        if !self.repeated.is_empty() && index.is_start(number) {
            let tracks = index.tracks_at(number);
            let holds = |id: &TrackId| tracks.iter().find(|track| track.id == *id);
            let repeated = self.repeated.iter().filter_map(holds);
            repeated.for_each(|track| self.put_configuration(track, self.ms(sample), &mut out));
            return out.freeze();
        }
        let begin = self.changes.partition_point(|(at, _)| *at < number);
        for &(_, change) in self.changes.iter().skip(begin).take_while(|(at, _)| *at == number) {
            if let Some(changed) = index.changed(change) {
                self.put_configuration(changed.track, self.ms(sample), &mut out);
            }
        }
        out.freeze()
    }

    /// The field is 32 bits wide and wraps after 49.7 days; readers expect it to.
    fn ms(&self, sample: &Sample) -> u32 {
        (sample.dts - self.origin).as_ms().max(0) as u32
    }

    fn header(&self, tracks: &[Track]) -> Vec<u8> {
        let has = |kind| {
            tracks.iter().any(|track| track.id.kind == kind && self.dialect.admits(track.id, track.codec))
        };
        file_header(has(MediaKind::Audio), has(MediaKind::Video)).to_vec()
    }

    fn configurations(&self, tracks: &[Track], at_ms: u32) -> Vec<u8> {
        let mut out = BytesMut::new();
        tracks.iter().for_each(|track| self.put_configuration(track, at_ms, &mut out));
        out.to_vec()
    }

    fn put_configuration(&self, track: &Track, at_ms: u32, out: &mut BytesMut) {
        for body in config_bodies(track, &self.dialect) {
            put_tag(track.id.kind.into(), at_ms, &body, out);
        }
    }

    /// Header, `onMetaData` and configurations. Where the keyframes are depends on how long it is itself, and its
    /// length not on where they are.
    fn head(&self, index: &Index, tracks: &[Track], until: Option<Timestamp>) -> Bytes {
        let end = until.map_or_else(|| index.duration(), |until| until.min(index.duration()));
        let lasts = end - self.shown_first(index);
        let keyframes = self.keyframes(index, lasts);
        let with = |shift: u64| {
            let metadata = self.metadata(index, lasts, &keyframes, shift);
            let mut out = BytesMut::from(self.header(tracks).as_slice());
            put_tag(TagKind::Script, 0, &metadata, &mut out);
            out.put_slice(&self.configurations(tracks, 0));
            out.freeze()
        };
        let head_len = with(0).len() as u64;
        with(head_len)
    }

    /// When what is shown first begins.
    fn shown_first(&self, index: &Index) -> Timestamp {
        /// More than stand before the first picture in the order of decoding.
        const NEAR: usize = 64;
        let near = index.samples().get(self.first..self.end).unwrap_or_default().iter().take(NEAR);
        near.map(|sample| sample.pts).min().unwrap_or_default().max(Timestamp::ZERO)
    }

    /// Times and places of keyframes, the places counted from the first tag. Of a whole film the times are those that
    /// a start is asked for by.
    fn keyframes(&self, index: &Index, lasts: Timestamp) -> Vec<(Timestamp, u64)> {
        let apart = Timestamp::from_nanos(lasts.as_nanos() / KEYFRAMES_MAX);
        let begin = if self.first == 0 { Timestamp::ZERO } else { self.origin };
        let mut found: Vec<(Timestamp, u64)> = Vec::new();
        let mut position = 0;
        for number in self.first..self.end {
            let is_picture = index.samples().get(number).and_then(|sample| index.track_of(sample));
            let is_picture = is_picture.is_some_and(|track| track.id.kind == MediaKind::Video);
            if is_picture && index.is_start(number) {
                let at = index.samples().get(number).map_or(begin, |sample| sample.pts.max(begin)) - begin;
                if found.last().is_none_or(|(before, _)| at - *before >= apart) {
                    found.push((at, position));
                }
            }
            let step = (number - self.first) * STEPS;
            position += (step..step + STEPS).map(|step| self.step_len(index, step)).sum::<u64>();
        }
        found
    }

    fn metadata(&self, index: &Index, lasts: Timestamp, keyframes: &[(Timestamp, u64)], shift: u64) -> Bytes {
        let mut admitted = index.described_at(self.first);
        admitted.retain(|described| self.dialect.admits(described.track.id, described.track.codec));
        let mut about = parse_on_metadata(&on_metadata_of(&admitted, Some(lasts))).unwrap_or_default();
        let last = index.samples().get(self.end.saturating_sub(1));
        about.insert("lasttimestamp", last.map_or(0.0, |sample| (sample.dts - self.origin).as_seconds()));
        let shifted: Vec<_> = keyframes.iter().map(|(at, position)| (*at, position + shift)).collect();
        insert_keyframes(&mut about, &shifted);
        metadata_payload(about)
    }
}

/// The first track with pictures and those that change; none if none does, or nothing is listed as a keyframe.
fn repeated(index: &Index, changes: &[(usize, usize)]) -> Vec<TrackId> {
    let pictures = index.tracks().iter().map(|track| track.track.id).find(|id| id.kind == MediaKind::Video);
    let Some(first) = pictures.filter(|_| !changes.is_empty()) else { return Vec::new() };
    let mut repeated = vec![first];
    for changed in changes.iter().filter_map(|&(_, change)| index.changed(change)) {
        if !repeated.contains(&changed.track.id) {
            repeated.push(changed.track.id);
        }
    }
    repeated
}

fn put_tag(kind: TagKind, at_ms: u32, body: &[u8], out: &mut BytesMut) {
    out.put_slice(&tag_head(kind, body.len(), at_ms));
    out.put_slice(body);
    out.put_slice(&previous_tag_size(body.len()));
}
