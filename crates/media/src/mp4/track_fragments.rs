//! One track written as fragments of its own, part by part, as a broadcast is kept and as HLS serves it (CMAF): where its
//! frames lie in its own clock, its initialisation segment, and one `moof` with its `mdat` for each run of samples.
//!
//! Everything is counted in the track's ticks, so that what one fragment says where the next begins is exact. Which
//! frames make a fragment, and how long the last one lasts, is for the caller to say.

use bytes::{BufMut, Bytes, BytesMut};

use super::boxes::{put_box, put_full};
use super::init;
use super::output_track::{DEPENDENT_FLAGS, KEY_FLAGS, OutputTrack};
use crate::sound_grid::{SoundFrame, SoundGrid};
use crate::{DescribedTrack, Error, Frame, MediaKind, SampleEntry, Track};

/// A track as it is written. Its configuration is fixed: another one is another value of this type.
#[derive(Clone, Debug)]
pub struct TrackFragments {
    /// `track_ID`.
    number: u32,
    output: OutputTrack,
    grid: SoundGrid,
}

/// Where a frame lies in its track's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placed {
    /// When it is to be decoded, in ticks of the stream's time.
    pub dts: i64,
    /// When it is to be shown.
    pub pts: i64,
    /// How many ticks it lasts, of sound whose frames say it. Pictures last until the next one.
    pub duration: Option<u32>,
}

/// One sample of a fragment. It is decoded where the one before it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// In ticks.
    pub duration: u32,
    /// Ticks from when it is decoded to when it is shown.
    pub composition: i32,
    /// Whether decoding can start here.
    pub key: bool,
    /// Bytes of its payload.
    pub len: u32,
}

impl TrackFragments {
    /// For `track`, which has this `track_ID` (from 1 on) in whatever file its fragments are put. AC-3, E-AC-3 and VP9
    /// are described by the payload of a key frame, MP3 better by one; it may be empty for all other codecs.
    ///
    /// # Errors
    /// `Unsupported` for codecs that MP4 does not hold, `Malformed` for configurations that cannot be read.
    pub fn new(number: u32, track: &Track, key_frame: &[u8]) -> Result<Self, Error> {
        let entry = SampleEntry::of_frame(key_frame);
        let output = OutputTrack::new(DescribedTrack { track, entry: &entry })?;
        Ok(Self { number, output, grid: SoundGrid::default() })
    }

    /// Its `track_ID`.
    #[must_use]
    pub const fn number(&self) -> u32 {
        self.number
    }

    /// The track with its configuration.
    #[must_use]
    pub const fn track(&self) -> &Track {
        &self.output.track
    }

    /// Ticks per second.
    #[must_use]
    pub const fn timescale(&self) -> u32 {
        self.output.timescale
    }

    /// Whether a frame of `track` can be one of its samples.
    #[must_use]
    pub fn is_of(&self, track: &Track) -> bool {
        let own = self.track();
        own.id == track.id && self.output.holds(track.codec) && own.config == track.config
    }

    /// Whether both are the same track, described in the same way.
    #[must_use]
    pub fn is_alike(&self, other: &Self) -> bool {
        let (own, other) = (&self.output, &other.output);
        own.track == other.track && own.description == other.description && own.timescale == other.timescale
    }

    /// Where the next frame lies. Sound that came by the millisecond is put on the grid of its samples.
    pub fn place(&mut self, frame: &Frame) -> Placed {
        let timescale = self.timescale();
        let is_sound = self.track().id.kind == MediaKind::Audio;
        let sound = SoundFrame::of(&self.output.track, &frame.payload).filter(|_| is_sound);
        let Some(sound) = sound else {
            let (dts, pts) = (frame.dts.to_ticks(timescale), frame.pts.to_ticks(timescale));
            return Placed { dts, pts, duration: None };
        };
        let at = self.grid.place(frame.dts, sound);
        let dts = at.to_ticks(timescale);
        let duration = (at + sound.lasts()).to_ticks(timescale) - dts;
        Placed { dts, pts: dts, duration: u32::try_from(duration).ok() }
    }

    /// `ftyp` and `moov` with this track alone: what a player of its fragments must have first.
    #[must_use]
    pub fn init_segment(&self) -> Bytes {
        init::segment([(self.number, &self.output)].into_iter())
    }

    /// `ftyp` and `moov` of a file with the fragments of all these. Another description of a track that is among them continues
    /// it: to who reads the file's [`Index`](crate::index::Index) they are one track, whose configuration changes.
    #[must_use]
    pub fn head_of<'a>(tracks: impl Iterator<Item = &'a Self> + Clone) -> Bytes {
        init::segment(tracks.map(|track| (track.number, &track.output)))
    }

    /// What stands before the payloads of `samples`: `moof`, and the head of `mdat`. The first is decoded at `dts`.
    ///
    /// # Errors
    /// `Misuse` without samples, `Limit` for payloads above 2 GiB.
    pub fn fragment_head(&self, sequence: u32, dts: i64, samples: &[Sample]) -> Result<Bytes, Error> {
        if samples.is_empty() {
            return Err(Error::Misuse("a fragment was asked for without samples"));
        }
        let data_len = samples.iter().map(|sample| u64::from(sample.len)).sum();
        super::mux::check_data_len(data_len)?;
        let mut out = BytesMut::with_capacity(120 + 16 * samples.len());
        let mut offset_field = 0;
        put_box(&mut out, b"moof", |out| {
            put_full(out, b"mfhd", 0, 0, |out| out.put_u32(sequence));
            put_box(out, b"traf", |out| offset_field = put_run(out, self.number, dts, samples));
        });
        let data_offset = out.len() as u32 + 8;
        out[offset_field..offset_field + 4].copy_from_slice(&data_offset.to_be_bytes());
        out.put_u32(data_len as u32 + 8);
        out.put_slice(b"mdat");
        Ok(out.freeze())
    }
}

/// The body of `traf`; where its data offset stands comes back. Samples that are all alike, as those of sound are, cost
/// four bytes each.
fn put_run(out: &mut BytesMut, number: u32, dts: i64, samples: &[Sample]) -> usize {
    const DEFAULT_BASE_IS_MOOF: u32 = 0x2_0000;
    const DEFAULT_DURATION_AND_FLAGS: u32 = 0x8 | 0x20;
    const OFFSET_AND_SIZE: u32 = 0x1 | 0x200;
    const DURATION_FLAGS_CTS: u32 = 0x100 | 0x400 | 0x800;
    let flags = |sample: &Sample| if sample.key { KEY_FLAGS } else { DEPENDENT_FLAGS };
    let alike = samples.first().filter(|first| {
        samples
            .iter()
            .all(|sample| Sample { len: first.len, ..*sample } == Sample { composition: 0, ..**first })
    });
    let head_flags = alike.map_or(0, |_| DEFAULT_DURATION_AND_FLAGS);
    put_full(out, b"tfhd", 0, DEFAULT_BASE_IS_MOOF | head_flags, |out| {
        out.put_u32(number);
        if let Some(sample) = alike {
            out.put_u32(sample.duration);
            out.put_u32(flags(sample));
        }
    });
    put_full(out, b"tfdt", 1, 0, |out| out.put_i64(dts.max(0)));
    let mut offset_field = 0;
    let run_flags = OFFSET_AND_SIZE | alike.map_or(DURATION_FLAGS_CTS, |_| 0);
    put_full(out, b"trun", 1, run_flags, |out| {
        out.put_u32(samples.len() as u32);
        offset_field = out.len();
        out.put_u32(0);
        for sample in samples {
            if alike.is_some() {
                out.put_u32(sample.len);
            } else {
                out.put_u32(sample.duration);
                out.put_u32(sample.len);
                out.put_u32(flags(sample));
                out.put_i32(sample.composition);
            }
        }
    });
    offset_field
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mp4::Scan;
    use crate::{Codec, Timestamp, TrackId};

    fn aac() -> Track {
        Track::new(TrackId::AUDIO, Codec::Aac, Bytes::from_static(&[0x12, 0x10]))
    }

    fn frame(track: &Track, at: Timestamp) -> Frame {
        let payload = Bytes::from_static(&[0x21, 7, 7]);
        Frame { track: track.id, codec: track.codec, dts: at, pts: at, key: true, payload }
    }

    #[test]
    fn sound_by_the_millisecond_is_placed_without_jitter() {
        let track = aac();
        let mut fragments = TrackFragments::new(2, &track, &[]).unwrap();
        for number in 0..5000 {
            let ms = Timestamp::from_ms(1024 * 1000 * number / 44_100);
            let placed = fragments.place(&frame(&track, ms));
            assert_eq!(placed, Placed { dts: number * 1024, pts: number * 1024, duration: Some(1024) });
        }
    }

    #[test]
    fn fragments_of_two_tracks_behind_one_head_are_a_file() {
        let sound = aac();
        let mut other = sound.clone();
        other.id.index = 1;
        let tracks = [(1, &sound), (7, &other)].map(|(n, t)| TrackFragments::new(n, t, &[]).unwrap());
        let mut file = BytesMut::from(&TrackFragments::head_of(tracks.iter())[..]);
        let alike = [Sample { duration: 1024, composition: 0, key: true, len: 3 }; 3];
        let mut uneven = alike;
        uneven[1].duration = 2000;
        for (at, track) in tracks.iter().enumerate() {
            for (number, samples) in [alike, uneven].iter().enumerate() {
                let head = track.fragment_head(number as u32, 3072 * number as i64, samples).unwrap();
                file.put(head);
                file.put_slice(&[at as u8; 9]);
            }
        }
        let mut scan = Scan::new(file.len() as u64);
        while let Some(range) = scan.wants() {
            scan.supply(&file[range.start as usize..range.end as usize]).unwrap();
        }
        let index = scan.finish().unwrap();
        assert_eq!(index.tracks().len(), 2);
        let times = |track: u8| -> Vec<_> {
            let own = index.samples().iter().filter(|sample| sample.track == track);
            own.map(|sample| (sample.dts.to_ticks(44_100), sample.key)).collect()
        };
        let expected = [0, 1024, 2048, 3072, 4096, 6096].map(|at| (at, true));
        assert_eq!((times(0), times(1)), (expected.to_vec(), expected.to_vec()));
        let first = index.samples().iter().find(|sample| sample.track == 1).unwrap();
        assert_eq!(&file[first.offset as usize..][..3], &[1, 1, 1]);
    }

    #[test]
    fn no_samples_are_no_fragment() {
        let fragments = TrackFragments::new(1, &aac(), &[]).unwrap();
        assert!(matches!(fragments.fragment_head(1, 0, &[]), Err(Error::Misuse(_))));
    }
}
