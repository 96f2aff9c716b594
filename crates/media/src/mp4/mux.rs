//! Fragmented MP4 written: an initialisation segment, then fragments (ISO 14496-12, 8.8; CMAF).
//!
//! Samples keep the times they came with: durations are differences of rounded absolute times, so nothing
//! drifts however long a broadcast lasts.

use bytes::{BufMut, Bytes, BytesMut};

use super::boxes::{put_box, put_full};
use super::init;
use super::output_track::{FragmentSample, OutputTrack};
use crate::index::IndexedTrack;
use crate::sound_grid::{SoundFrame, SoundGrid};
use crate::{DescribedTrack, Error, Frame, MediaKind, SampleEntry, Timestamp, Track, TrackId};

/// Turns frames into fragments. A track's configuration is fixed: a change of one needs a new muxer and a new
/// initialisation segment. Tracks may be added, which needs the same segment anew.
#[derive(Clone, Debug)]
pub struct Muxer {
    tracks: Vec<OutputTrack>,
    /// Of each track: where its sound stands among its samples.
    grids: Vec<SoundGrid>,
    origin: Timestamp,
    sequence: u32,
}

impl Muxer {
    /// `origin` becomes time 0 of all tracks; what lies before it is moved there.
    ///
    /// # Errors
    /// `Unsupported` for codecs that MP4 does not hold, `Malformed` for configurations that cannot be
    /// read, `Misuse` without tracks.
    pub fn new(tracks: &[Track], origin: Timestamp) -> Result<Self, Error> {
        if tracks.is_empty() {
            return Err(Error::Misuse("an MP4 muxer was asked for without tracks"));
        }
        let mut muxer = Self::starting_at(origin);
        tracks.iter().try_for_each(|track| muxer.add_track(track, &[]))?;
        Ok(muxer)
    }

    /// As [`new`](Self::new), without tracks yet: they are added.
    #[must_use]
    pub const fn starting_at(origin: Timestamp) -> Self {
        Self { tracks: Vec::new(), grids: Vec::new(), origin, sequence: 0 }
    }

    /// Adds a track. AC-3, E-AC-3 and VP9 are described by the payload of a key frame; it may be empty for all other
    /// codecs.
    ///
    /// # Errors
    /// As [`new`](Self::new); nothing has changed then.
    pub fn add_track(&mut self, track: &Track, key_frame: &[u8]) -> Result<(), Error> {
        let entry = SampleEntry::of_frame(key_frame);
        self.tracks.push(OutputTrack::new(DescribedTrack { track, entry: &entry })?);
        self.grids.push(SoundGrid::default());
        Ok(())
    }

    /// Whether it has this track.
    #[must_use]
    pub fn has(&self, id: TrackId) -> bool {
        self.tracks.iter().any(|output| output.track.id == id)
    }

    /// For one track of a film, as `described`.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub(crate) fn of_film(
        indexed: &IndexedTrack,
        described: DescribedTrack<'_>,
        origin: Timestamp,
    ) -> Result<Self, Error> {
        let mut track = OutputTrack::new(described)?;
        track.orientation = indexed.orientation;
        track.language.clone_from(&indexed.language);
        Ok(Self { tracks: vec![track], grids: Vec::new(), origin, sequence: 0 })
    }

    /// `ftyp` and `moov`: what a player must have before the first fragment.
    ///
    /// # Errors
    /// None today; a description that cannot be written is refused by [`new`](Self::new).
    pub fn init_segment(&self) -> Result<Bytes, Error> {
        Ok(init::segment((1..).zip(&self.tracks)))
    }

    /// The same in exactly `len` bytes, so that it can be written over one with fewer tracks: a `free` box fills it up.
    ///
    /// # Errors
    /// `Limit` if it does not fit.
    pub fn init_segment_within(&self, len: usize) -> Result<Bytes, Error> {
        const HEAD_LEN: usize = 8;
        let segment = self.init_segment()?;
        if segment.len() == len {
            return Ok(segment);
        }
        let Some(free) = len.checked_sub(segment.len() + HEAD_LEN) else {
            return Err(Error::limit("size of an MP4 head in bytes", segment.len() as u64, len as u64));
        };
        let mut out = BytesMut::from(&segment[..]);
        put_box(&mut out, b"free", |out| out.put_bytes(0, free));
        Ok(out.freeze())
    }

    /// `moof` and `mdat` of the next frames, which are in decoding order per track. `until` is the
    /// decoding time of the first picture that will follow, if it is known: it makes the last picture's
    /// duration true. Frames of tracks that it does not have (script data) are left out; no frames make no bytes. Sound
    /// that came by the millisecond is put back on the grid of its samples.
    ///
    /// # Errors
    /// `Misuse` if a frame's codec is not its track's, `Limit` above 4 GiB.
    pub fn fragment(&mut self, frames: &[Frame], until: Option<Timestamp>) -> Result<Bytes, Error> {
        let mut runs = Vec::with_capacity(self.tracks.len());
        for (index, output) in self.tracks.iter().enumerate() {
            let run: Vec<&Frame> = frames.iter().filter(|frame| frame.track == output.track.id).collect();
            if run.iter().any(|frame| !output.holds(frame.codec)) {
                return Err(Error::Misuse("a frame's codec is not that of its MP4 track"));
            }
            if !run.is_empty() {
                runs.push((index as u32 + 1, output, run));
            }
        }
        if runs.is_empty() {
            return Ok(Bytes::new());
        }
        let data_len: u64 = frames.iter().map(|frame| frame.payload.len() as u64).sum();
        check_data_len(data_len)?;
        self.sequence = self.sequence.wrapping_add(1);
        let mut out = BytesMut::with_capacity(data_len as usize + 128 + 16 * frames.len());
        let mut described = Vec::with_capacity(runs.len());
        for (number, output, run) in &runs {
            let mut units: Vec<_> = run.iter().map(|&frame| FragmentSample::from(frame)).collect();
            if let Some(grid) = self.grids.get_mut(*number as usize - 1) {
                on_grid(&output.track, grid, run, &mut units);
            }
            described.push((*number, *output, units));
        }
        self.put_moof(&mut out, self.sequence, &described, until);
        put_box(&mut out, b"mdat", |out| {
            for frame in runs.iter().flat_map(|(_, _, run)| run) {
                out.put_slice(&frame.payload);
            }
        });
        Ok(out.freeze())
    }

    /// What stands before the payloads of a fragment of a single track: `styp`, `moof`, and the head of
    /// `mdat`. `until` is when the next access unit is to be decoded.
    ///
    /// # Errors
    /// `Misuse` without units, `Limit` for payloads above 2 GiB.
    pub(crate) fn fragment_head(
        &self,
        sequence: u32,
        units: &[FragmentSample],
        until: Timestamp,
    ) -> Result<Bytes, Error> {
        let ([output], false) = (self.tracks.as_slice(), units.is_empty()) else {
            return Err(Error::Misuse("the head of a fragment is made of units of one track"));
        };
        let data_len = units.iter().map(|unit| u64::from(unit.len)).sum();
        check_data_len(data_len)?;
        let mut out = BytesMut::with_capacity(160 + 16 * units.len());
        put_box(&mut out, b"styp", |out| out.put_slice(b"msdh\0\0\0\0msdhcmfs"));
        let start = out.len();
        let mut moof = out.split_off(start);
        self.put_moof(&mut moof, sequence, &[(1, output, units.to_vec())], Some(until));
        out.unsplit(moof);
        out.put_u32(data_len as u32 + 8);
        out.put_slice(b"mdat");
        Ok(out.freeze())
    }

    /// `moof` at the very start of `out`; behind it `mdat` has the runs one after the other.
    fn put_moof(
        &self,
        out: &mut BytesMut,
        sequence: u32,
        runs: &[(u32, &OutputTrack, Vec<FragmentSample>)],
        until: Option<Timestamp>,
    ) {
        let mut offsets = Vec::with_capacity(runs.len());
        let alone = self.tracks.len() == 1;
        put_box(out, b"moof", |out| {
            put_full(out, b"mfhd", 0, 0, |out| out.put_u32(sequence));
            for (number, output, run) in runs {
                // Of several tracks only the pictures are cut at `until`.
                let is_cut = alone || output.track.id.kind == MediaKind::Video;
                let until = until.filter(|_| is_cut);
                offsets.push(output.put_traf(out, *number, run, self.origin, until));
            }
        });
        // The data of one track lies behind that of the other; offsets count from the start of moof.
        let mut data_offset = out.len() as u32 + 8;
        for (field, (_, _, run)) in offsets.into_iter().zip(runs) {
            out[field..field + 4].copy_from_slice(&data_offset.to_be_bytes());
            data_offset += run.iter().map(|unit| unit.len).sum::<u32>();
        }
    }
}

/// Puts frames of sound where their samples are.
fn on_grid(track: &Track, grid: &mut SoundGrid, run: &[&Frame], units: &mut [FragmentSample]) {
    for (frame, unit) in run.iter().zip(units) {
        let sound = SoundFrame::of(track, &frame.payload).filter(|_| track.id.kind == MediaKind::Audio);
        if let Some(sound) = sound {
            unit.dts = grid.place(frame.dts, sound);
            unit.pts = unit.dts;
        }
    }
}

pub(super) fn check_data_len(data_len: u64) -> Result<(), Error> {
    /// In bytes: offsets within a fragment are signed numbers of 32 bits.
    const DATA_LEN_MAX: u64 = u32::MAX as u64 / 2;
    if data_len > DATA_LEN_MAX {
        return Err(Error::limit("size of an MP4 fragment in bytes", data_len, DATA_LEN_MAX));
    }
    Ok(())
}
