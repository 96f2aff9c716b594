//! A film's `moov` made from its index, and the order of its samples in `mdat` (ISO 14496-12, 8.1 to 8.7).

use bytes::{BufMut, Bytes, BytesMut};

use super::boxes::{put_box, put_full};
use super::continuation;
use super::description::Description;
use super::init::{language, put_handler, put_matrix, put_media_information};
use super::movie_track::{MovieTrack, leave_said, tracks_of};
use super::sample_table_writer::{SampleTableWriter, patch_chunk_offsets};
use crate::index::{Index, ROUNDING, Sample};
use crate::piece::{Piece, Span};
use crate::{Error, MediaKind, Orientation, Timestamp};

/// Ticks per second of the movie itself: fine enough for the edges of edits.
const MOVIE_TIMESCALE: u32 = 90_000;
/// A portion, where samples are put in a new order.
const PORTION: Timestamp = Timestamp::from_ms(1000);
/// The file's own order is kept if a track changes to another so often in a portion, at most.
const CHANGES_MAX: usize = 4;
/// And if it changes at least once in so many portions.
const PORTIONS_MAX: usize = 4;

/// The samples of an MP4 file that is made, in their order in `mdat`.
#[derive(Debug)]
pub(crate) struct Movie {
    /// Numbers of samples.
    order: Vec<u32>,
}

impl Movie {
    /// What stands before the samples comes with it.
    pub(crate) fn new(index: &Index, span: Span) -> Result<(Self, Bytes), Error> {
        let mut tracks = tracks_of(index, span)?;
        let shown = span.from.map_or(Timestamp::ZERO, |from| picture_at(index, &tracks, from));
        if span.from.is_some() || span.until.is_some() {
            let begin = span.from.map_or(Timestamp::from_nanos(i64::MIN), |_| shown);
            leave_said(index, &mut tracks, begin, span.until);
        }
        let order = order(index, &tracks);
        let data_len: u64 =
            order.iter().filter_map(|&number| index.sample(number)).map(|s| len(index, s)).sum();
        let mut tables = SampleTableWriter::new(index, &tracks, &order);
        // An offset has 64 bits where 32 might not do.
        tables.wide = data_len > u64::from(u32::MAX / 2);
        let mut out = BytesMut::with_capacity(4096 + 16 * order.len());
        put_box(&mut out, b"ftyp", |out| out.put_slice(b"isom\0\0\x02\0isomiso2iso4mp41mp42"));
        let mut offsets = Vec::new();
        put_box(&mut out, b"moov", |out| {
            let edits: Vec<_> =
                tracks.iter().map(|track| Edit::new(index, track, shown, span.until)).collect();
            put_movie_header(out, lasts(&tracks, &edits), tracks.len() as u32 + 1);
            for (place, edit) in edits.iter().enumerate() {
                offsets.push(put_track(out, index, &tracks, place, edit, &tables));
            }
        });
        let data_head_len = if tables.wide { 16 } else { 8 };
        let data_at = (out.len() + data_head_len) as u64;
        patch_chunk_offsets(&mut out, &offsets, data_at, tables.wide);
        if tables.wide {
            out.put_u32(1);
            out.put_slice(b"mdat");
            out.put_u64(data_len + 16);
        } else {
            out.put_u32(data_len as u32 + 8);
            out.put_slice(b"mdat");
        }
        Ok((Self { order }, out.freeze()))
    }

    /// `moov` of samples that stay where they lie in the film's own file.
    pub(super) fn in_place(index: &Index) -> Result<Bytes, Error> {
        let tracks = tracks_of(index, Span::default())?;
        let tables = SampleTableWriter::in_place(index, &tracks);
        let mut out = BytesMut::with_capacity(4096 + 16 * index.samples().len());
        put_box(&mut out, b"moov", |out| {
            let edits: Vec<_> =
                tracks.iter().map(|track| Edit::new(index, track, Timestamp::ZERO, None)).collect();
            put_movie_header(out, lasts(&tracks, &edits), tracks.len() as u32 + 1);
            for (place, edit) in edits.iter().enumerate() {
                put_track(out, index, &tracks, place, edit, &tables);
            }
        });
        Ok(out.freeze())
    }

    /// One for each sample.
    pub(crate) const fn steps(&self) -> usize {
        self.order.len()
    }

    pub(crate) fn step_len(&self, index: &Index, step: usize) -> u64 {
        self.sample(index, step).map_or(0, |sample| len(index, sample))
    }

    /// As many samples from `step` on as lie in one piece of the file, and how many they are.
    pub(crate) fn pieces(&self, index: &Index, step: usize) -> Option<(Piece, usize)> {
        let first = self.sample(index, step)?;
        if first.needs_repair {
            return Some((Piece::Repaired(*first), 1));
        }
        let mut end = first.offset;
        let mut steps = 0;
        while let Some(sample) = self.sample(index, step + steps)
            && sample.offset == end
            && !sample.needs_repair
        {
            end += u64::from(sample.size);
            steps += 1;
        }
        Some((Piece::File { offset: first.offset, len: end - first.offset }, steps))
    }

    fn sample<'a>(&self, index: &'a Index, step: usize) -> Option<&'a Sample> {
        index.sample(*self.order.get(step)?)
    }
}

fn len(index: &Index, sample: &Sample) -> u64 {
    index.payload_len(sample).into()
}

/// The samples of all tracks as they are to lie in the file.
fn order(index: &Index, tracks: &[MovieTrack<'_>]) -> Vec<u32> {
    let media = || tracks.iter().filter(|track| track.kind() != MediaKind::Data);
    let all = || media().flat_map(|track| &track.samples).copied();
    let at = |number: u32| index.sample(number).map_or(0, |sample| sample.offset);
    let mut order: Vec<u32> = all().collect();
    order.sort_unstable_by_key(|&number| at(number));
    let track = |number: u32| index.sample(number).map_or(0, |sample| sample.track);
    // Nobody waits for script data, wherever it lies.
    let changes = order.windows(2).filter(|pair| track(pair[0]) != track(pair[1])).count();
    let forward = tracks.iter().all(|track| track.samples.windows(2).all(|pair| at(pair[0]) < at(pair[1])));
    let time = |number: Option<u32>| {
        number.and_then(|number| index.sample(number)).map_or(Timestamp::ZERO, |s| s.dts)
    };
    let (first, last) = (time(all().min()), time(all().max()));
    let portion = |number: u32| (time(Some(number)) - first).as_nanos() / PORTION.as_nanos();
    let portions = ((last - first).as_nanos() / PORTION.as_nanos()) as usize + 1;
    let others = media().count() - 1;
    let is_fine = changes <= CHANGES_MAX * (others + 1) * portions;
    let is_mixed = changes + 1 >= others * portions / PORTIONS_MAX;
    let said = tracks.iter().filter(|track| track.kind() == MediaKind::Data);
    order.extend(said.flat_map(|track| &track.samples));
    if forward && is_fine && is_mixed {
        order.sort_unstable_by_key(|&number| at(number));
    } else {
        order.sort_unstable_by_key(|&number| (portion(number), track(number), number));
    }
    order
}

/// When the picture that is seen at `at` appears: FFmpeg begins an edit with a whole picture, and moves sound that
/// does not against it.
fn picture_at(index: &Index, tracks: &[MovieTrack<'_>], at: Timestamp) -> Timestamp {
    let Some(track) = tracks.first().filter(|track| track.indexed.track.id.kind == MediaKind::Video) else {
        return at;
    };
    let times = track.samples.iter().filter_map(|&number| Some(index.sample(number)?.pts));
    times.filter(|&pts| pts <= at + ROUNDING).max().unwrap_or(at).max(Timestamp::ZERO)
}

/// What of a track is presented, and when.
struct Edit {
    /// In ticks of the movie: nothing is shown for so long, then the track for so long.
    delay: i64,
    lasts: i64,
    /// In ticks of the track: where in its samples that begins.
    media_time: i64,
    /// In ticks of the track: all its samples.
    media_len: i64,
    /// Whether players need to be told.
    is_needed: bool,
}

impl Edit {
    /// `shown` is the time of the film at which the movie begins.
    fn new(index: &Index, track: &MovieTrack<'_>, shown: Timestamp, until: Option<Timestamp>) -> Self {
        let samples = || track.samples.iter().filter_map(|&number| index.sample(number));
        let first = samples().next().map_or(shown, |sample| sample.dts);
        let last = samples().last().map_or(first, |sample| sample.dts);
        let earliest = samples().map(|sample| sample.pts).min().unwrap_or(first);
        let shown_last = samples().filter(|sample| !sample.decode_only).map(|sample| sample.pts).max();
        let latest = shown_last.unwrap_or(first);
        let begin = earliest.max(shown);
        let all = latest + track.last_lasts;
        let end = until.map_or(all, |until| until.min(all)).max(begin);
        let ticks = |time: Timestamp| time.to_ticks(track.indexed.timescale);
        let delay = (begin - shown).to_ticks(MOVIE_TIMESCALE);
        let media_time = ticks(begin - first).max(0);
        Self {
            delay,
            lasts: (end - begin).to_ticks(MOVIE_TIMESCALE),
            media_time,
            media_len: ticks(last + track.last_lasts - first),
            is_needed: delay > 0
                || media_time > 0
                || end < all
                || shown_last < samples().map(|s| s.pts).max(),
        }
    }

    const fn presented(&self) -> i64 {
        self.delay + self.lasts
    }

    fn put(&self, out: &mut BytesMut) {
        const NORMAL_SPEED: u32 = 0x1_0000;
        // Of a gap nothing is shown (-1).
        let gap = (self.delay > 0).then_some((self.delay, -1));
        let edits = || gap.into_iter().chain([(self.lasts, self.media_time)]);
        // Where an edit begins has a sign.
        let version = version_for(edits().map(|(lasts, from)| lasts.max(from * 2)));
        put_box(out, b"edts", |out| {
            put_full(out, b"elst", version, 0, |out| {
                out.put_u32(edits().count() as u32);
                for (lasts, from) in edits() {
                    put_time(out, version, lasts);
                    put_time(out, version, from);
                    out.put_u32(NORMAL_SPEED);
                }
            });
        });
    }
}

/// How long the movie is. Script data may come behind the last picture; no player waits for it.
fn lasts(tracks: &[MovieTrack<'_>], edits: &[Edit]) -> i64 {
    let media = tracks.iter().zip(edits).filter(|(track, _)| track.kind() != MediaKind::Data);
    media.map(|(_, edit)| edit.presented()).max().unwrap_or(0)
}

/// The version of a box with these times: 0, whose times have 32 bits, wherever they do. Old readers know no other
/// (libquicktime finds no track in a file with version 1).
fn version_for(times: impl IntoIterator<Item = i64>) -> u8 {
    u8::from(times.into_iter().any(|time| time > i64::from(u32::MAX)))
}

/// A time, in as many bits as that version has.
fn put_time(out: &mut BytesMut, version: u8, time: i64) {
    match version {
        0 => out.put_u32(time as u32),
        _ => out.put_i64(time),
    }
}

/// When something was made and last changed: never, for nobody asks.
fn put_no_dates(out: &mut BytesMut, version: u8) {
    put_time(out, version, 0);
    put_time(out, version, 0);
}

fn put_movie_header(out: &mut BytesMut, lasts: i64, next_track: u32) {
    let version = version_for([lasts]);
    put_full(out, b"mvhd", version, 0, |out| {
        put_no_dates(out, version);
        out.put_u32(MOVIE_TIMESCALE);
        put_time(out, version, lasts);
        out.put_u32(0x1_0000);
        out.put_u16(0x100);
        out.put_slice(&[0; 10]);
        put_matrix(out, Orientation::UPRIGHT);
        out.put_slice(&[0; 24]);
        out.put_u32(next_track);
    });
}

/// Writes `trak` of the track at that place, whose number is one more; where its chunk offsets stand in `out` comes back.
fn put_track(
    out: &mut BytesMut,
    index: &Index,
    tracks: &[MovieTrack<'_>],
    place: usize,
    edit: &Edit,
    tables: &SampleTableWriter,
) -> std::ops::Range<usize> {
    let track = &tracks[place];
    let number = |place: usize| place as u32 + 1;
    // Of several tracks of a kind the first is on.
    let flags = if track.indexed.track.id.index == 0 { 3 } else { 2 };
    let kind = track.kind();
    let (width, height) = track.descriptions.first().map_or((0, 0), Description::shown_size);
    let mut offsets = 0..0;
    put_box(out, b"trak", |out| {
        let version = version_for([edit.presented()]);
        put_full(out, b"tkhd", version, flags, |out| {
            put_no_dates(out, version);
            out.put_u32(number(place));
            out.put_u32(0);
            put_time(out, version, edit.presented());
            out.put_slice(&[0; 10]);
            // Players choose one of an alternate group: not between a sound and what continues it.
            let is_chosen = tracks.iter().all(|track| track.kind() != kind || track.continues.is_none());
            out.put_u16(u16::from(kind == MediaKind::Audio && is_chosen));
            out.put_u16(if kind == MediaKind::Audio { 0x100 } else { 0 });
            out.put_u16(0);
            put_matrix(out, track.indexed.orientation);
            out.put_u32(width.min(0xFFFF) << 16);
            out.put_u32(height.min(0xFFFF) << 16);
        });
        if edit.is_needed {
            edit.put(out);
        }
        continuation::put(out, track.continues.map(number));
        put_box(out, b"mdia", |out| {
            let version = version_for([edit.media_len]);
            put_full(out, b"mdhd", version, 0, |out| {
                put_no_dates(out, version);
                out.put_u32(track.indexed.timescale.max(1));
                put_time(out, version, edit.media_len);
                out.put_u16(language(track.indexed.language.as_deref()));
                out.put_u16(0);
            });
            put_full(out, b"hdlr", 0, 0, |out| {
                out.put_u32(0);
                put_handler(out, kind);
            });
            put_media_information(out, kind, &track.descriptions, |out| {
                offsets = tables.put(out, index, track, place);
            });
        });
    });
    offsets
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_take_64_bits_only_where_they_need_them() {
        let edit = |delay, lasts, media_time| {
            let mut out = BytesMut::new();
            Edit { delay, lasts, media_time, media_len: 0, is_needed: true }.put(&mut out);
            // Behind the heads of two boxes and the version.
            (out[16], out.len() - 8)
        };
        let [most, largest] = [i64::from(i32::MAX), i64::from(u32::MAX)];
        assert_eq!(edit(0, 1, 2), (0, 8 + 8 + 12));
        assert_eq!(edit(3, largest, most), (0, 8 + 8 + 24));
        assert_eq!(edit(0, largest + 1, 0), (1, 8 + 8 + 20));
        assert_eq!(edit(0, 0, most + 1), (1, 8 + 8 + 20));

        let mut out = BytesMut::new();
        put_movie_header(&mut out, largest, 2);
        assert_eq!((out[8], &out[24..28]), (0, &[0xFF; 4][..]));
        out.clear();
        put_movie_header(&mut out, largest + 1, 2);
        assert_eq!((out[8], &out[32..40]), (1, &[0, 0, 0, 1, 0, 0, 0, 0][..]));
    }
}
