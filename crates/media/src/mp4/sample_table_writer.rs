//! The sample tables of a track written (ISO 14496-12, 8.6 and 8.7). Twin of `sample_table_reader.rs`, which reads them.

use std::ops::Range;

use bytes::{BufMut, BytesMut};

use super::boxes::put_full;
use super::movie_track::MovieTrack;
use crate::MediaKind;
use crate::index::{Index, Sample};

/// The chunks of all tracks: samples of one track that lie together.
pub(super) struct SampleTableWriter {
    /// Of each track.
    chunks: Vec<Vec<Chunk>>,
    /// Whether offsets have 64 bits.
    pub(super) wide: bool,
}

#[derive(Clone, Copy)]
struct Chunk {
    /// Counted from the first sample of all.
    offset: u64,
    samples: u32,
    /// The number of their description, from 1 on.
    description: u32,
}

impl SampleTableWriter {
    /// `order` is that of the samples in the file.
    pub(super) fn new(index: &Index, tracks: &[MovieTrack<'_>], order: &[u32]) -> Self {
        let mut chunks: Vec<Vec<Chunk>> = vec![Vec::new(); tracks.len()];
        let (mut offset, mut before) = (0, None);
        let mut places = vec![0_u16; index.samples().len()];
        for (place, track) in tracks.iter().enumerate() {
            track.samples.iter().for_each(|&number| places[number as usize] = place as u16);
        }
        for (number, sample) in order.iter().filter_map(|&number| Some((number, index.sample(number)?))) {
            let place = usize::from(places[number as usize]);
            let description = tracks[place].description_of(number);
            match chunks[place].last_mut() {
                Some(chunk) if before == Some((place, description)) => chunk.samples += 1,
                _ => chunks[place].push(Chunk { offset, samples: 1, description }),
            }
            before = Some((place, description));
            offset += u64::from(index.payload_len(sample));
        }
        debug_assert!(tracks.iter().all(|track| !track.samples.is_empty()));
        Self { chunks, wide: false }
    }

    /// Of samples that stay where they lie: offsets are those of the film's own file.
    pub(super) fn in_place(index: &Index, tracks: &[MovieTrack<'_>]) -> Self {
        let mut chunks: Vec<Vec<Chunk>> = vec![Vec::new(); tracks.len()];
        let mut end = 0;
        for (track, chunks) in tracks.iter().zip(&mut chunks) {
            let mut chunk_end = None;
            for &number in &track.samples {
                let Some(sample) = index.sample(number) else { continue };
                let description = track.description_of(number);
                match chunks.last_mut() {
                    Some(chunk) if chunk_end == Some(sample.offset) && chunk.description == description => {
                        chunk.samples += 1;
                    }
                    _ => chunks.push(Chunk { offset: sample.offset, samples: 1, description }),
                }
                chunk_end = Some(sample.offset + u64::from(sample.size));
                end = end.max(sample.offset);
            }
        }
        Self { chunks, wide: end > u64::from(u32::MAX) }
    }

    /// Writes the tables of the track at that place; where its chunk offsets stand in `out` comes back.
    pub(super) fn put(
        &self,
        out: &mut BytesMut,
        index: &Index,
        track: &MovieTrack<'_>,
        place: usize,
    ) -> Range<usize> {
        let samples = || track.samples.iter().filter_map(|&number| index.sample(number));
        let scale = track.indexed.timescale;
        let first = samples().next().map(|sample| sample.dts).unwrap_or_default();
        let ticks = |sample: &Sample| (sample.dts - first).to_ticks(scale);
        let next = samples().skip(1).map(ticks);
        let last = samples().last().map_or(0, ticks) + track.last_lasts.to_ticks(scale).max(1);
        let durations = samples().map(ticks).zip(next.chain([last])).map(|(from, to)| in_range(to - from));
        put_runs(out, b"stts", 0, durations);
        let composition = |sample: &Sample| (sample.pts - first).to_ticks(scale) - ticks(sample);
        if samples().any(|sample| composition(sample) != 0) {
            let version = u8::from(samples().any(|sample| composition(sample) < 0));
            let ranged = |offset: i64| offset.clamp(i32::MIN.into(), i32::MAX.into()) as i32 as u32;
            put_runs(out, b"ctts", version, samples().map(|sample| ranged(composition(sample))));
        }
        if track.indexed.track.id.kind == MediaKind::Video && samples().any(|sample| !sample.key) {
            let keys = (1..).zip(samples()).filter(|(_, sample)| sample.key);
            put_list(out, b"stss", keys.map(|(number, _)| number));
        }
        put_sizes(out, samples().map(|sample| index.payload_len(sample)));
        self.put_chunks(out, self.chunks.get(place).map_or(&[], Vec::as_slice))
    }

    fn put_chunks(&self, out: &mut BytesMut, chunks: &[Chunk]) -> Range<usize> {
        put_full(out, b"stsc", 0, 0, |out| {
            let count_at = out.len();
            out.put_u32(0);
            let (mut count, mut before) = (0u32, None);
            for (number, chunk) in (1u32..).zip(chunks) {
                let run = (chunk.samples, chunk.description);
                if before != Some(run) {
                    out.put_u32(number);
                    out.put_u32(chunk.samples);
                    out.put_u32(chunk.description);
                    count += 1;
                }
                before = Some(run);
            }
            out[count_at..count_at + 4].copy_from_slice(&count.to_be_bytes());
        });
        let mut offsets = 0..0;
        put_full(out, if self.wide { b"co64" } else { b"stco" }, 0, 0, |out| {
            out.put_u32(chunks.len() as u32);
            offsets = out.len()..out.len();
            for chunk in chunks {
                if self.wide { out.put_u64(chunk.offset) } else { out.put_u32(chunk.offset as u32) }
            }
            offsets.end = out.len();
        });
        offsets
    }
}

/// Adds where the samples begin to offsets that were written without it.
pub(super) fn patch_chunk_offsets(out: &mut BytesMut, places: &[Range<usize>], data_at: u64, wide: bool) {
    for place in places {
        let table = &mut out[place.clone()];
        if wide {
            for offset in table.as_chunks_mut::<8>().0 {
                *offset = (u64::from_be_bytes(*offset) + data_at).to_be_bytes();
            }
        } else {
            for offset in table.as_chunks_mut::<4>().0 {
                *offset = u32::from_be_bytes(*offset).wrapping_add(data_at as u32).to_be_bytes();
            }
        }
    }
}

fn in_range(ticks: i64) -> u32 {
    ticks.clamp(0, u32::MAX.into()) as u32
}

/// A run-length table: counts and values.
fn put_runs(out: &mut BytesMut, kind: &[u8; 4], version: u8, values: impl Iterator<Item = u32>) {
    put_full(out, kind, version, 0, |out| {
        let count_at = out.len();
        out.put_u32(0);
        let (mut runs, mut run) = (0u32, None::<(u32, u32)>);
        for value in values {
            match &mut run {
                Some((count, current)) if *current == value => *count += 1,
                _ => {
                    if let Some((count, current)) = run.replace((1, value)) {
                        out.put_u32(count);
                        out.put_u32(current);
                    }
                    runs += 1;
                }
            }
        }
        if let Some((count, current)) = run {
            out.put_u32(count);
            out.put_u32(current);
        }
        out[count_at..count_at + 4].copy_from_slice(&runs.to_be_bytes());
    });
}

fn put_sizes(out: &mut BytesMut, sizes: impl Iterator<Item = u32> + Clone) {
    let first = sizes.clone().next().unwrap_or(0);
    if sizes.clone().all(|size| size == first) {
        put_full(out, b"stsz", 0, 0, |out| {
            out.put_u32(first);
            out.put_u32(sizes.count() as u32);
        });
        return;
    }
    put_full(out, b"stsz", 0, 0, |out| {
        out.put_u32(0);
        put_numbers(out, sizes);
    });
}

fn put_list(out: &mut BytesMut, kind: &[u8; 4], numbers: impl Iterator<Item = u32>) {
    put_full(out, kind, 0, 0, |out| put_numbers(out, numbers));
}

/// A count, then the numbers.
fn put_numbers(out: &mut BytesMut, numbers: impl Iterator<Item = u32>) {
    let count_at = out.len();
    out.put_u32(0);
    let mut count = 0u32;
    for number in numbers {
        out.put_u32(number);
        count += 1;
    }
    out[count_at..count_at + 4].copy_from_slice(&count.to_be_bytes());
}
