//! Fragmented MP4 written: an initialisation segment, then fragments (ISO 14496-12, 8.8; CMAF).
//!
//! Samples keep the times they came with: durations are differences of rounded absolute times, so nothing
//! drifts however long a broadcast lasts.

use bytes::{BufMut, Bytes, BytesMut};

use super::description::{Description, unsupported};
use super::init;
use crate::codec::aac::AudioSpecificConfig;
use crate::codec::ac3::Ac3Header;
use crate::{Codec, Error, Frame, MediaKind, Timestamp, Track};

/// Ticks per second of video tracks, and of audio whose sample rate no configuration tells.
pub const VIDEO_TIMESCALE: u32 = 90_000;
const OPUS_TIMESCALE: u32 = 48_000;
/// A picture that stands alone is taken to last so many ticks: 1/25 s.
const LONE_PICTURE: i64 = 3600;
const KEY_FLAGS: u32 = 0x0200_0000;
const DEPENDENT_FLAGS: u32 = 0x0101_0000;

/// Turns frames into fragments. Configurations are fixed at the start: a change of one needs a new muxer
/// and a new initialisation segment.
#[derive(Clone, Debug)]
pub struct Muxer {
    tracks: Vec<Output>,
    origin: Timestamp,
    sequence: u32,
}

/// What a fragment says of one access unit.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Unit {
    pub(crate) dts: Timestamp,
    pub(crate) pts: Timestamp,
    pub(crate) key: bool,
    /// Bytes of its payload.
    pub(crate) len: u32,
}

impl From<&Frame> for Unit {
    fn from(frame: &Frame) -> Self {
        let Frame { dts, pts, key, ref payload, .. } = *frame;
        Self { dts, pts, key, len: payload.len() as u32 }
    }
}

/// A track as it is written; its `track_ID` is its place in the list plus one.
#[derive(Clone, Debug)]
pub(super) struct Output {
    pub(super) track: Track,
    /// How its samples are coded, as far as a sample had to tell.
    pub(super) description: Description,
    /// Three letters of ISO 639-2.
    pub(super) language: Option<String>,
    pub(super) timescale: u32,
    /// How long a frame lasts when nothing follows it, in ticks.
    usual_duration: i64,
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
        let tracks = tracks.iter().map(|track| Output::new(track, &[], None)).collect::<Result<_, _>>()?;
        Ok(Self { tracks, origin, sequence: 0 })
    }

    /// For one track, of whose first key frame the caller has the payload: AC-3 and VP9 are described by it.
    /// It may be empty for all other codecs.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub(crate) fn of_one(
        track: &Track,
        frame: &[u8],
        language: Option<&str>,
        origin: Timestamp,
    ) -> Result<Self, Error> {
        let track = Output::new(track, frame, language.map(str::to_owned))?;
        Ok(Self { tracks: vec![track], origin, sequence: 0 })
    }

    /// `ftyp` and `moov`: what a player must have before the first fragment.
    ///
    /// # Errors
    /// None today; a description that cannot be written is refused by [`new`](Self::new).
    pub fn init_segment(&self) -> Result<Bytes, Error> {
        Ok(init::segment(&self.tracks))
    }

    /// `moof` and `mdat` of the next frames, which are in decoding order per track. `until` is the
    /// decoding time of the first picture that will follow, if it is known: it makes the last picture's
    /// duration true. Frames of other tracks (script data) are left out; no frames make no bytes.
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
        let units = |run: &[&Frame]| run.iter().map(|&frame| Unit::from(frame)).collect::<Vec<_>>();
        let described: Vec<_> =
            runs.iter().map(|(number, output, run)| (*number, *output, units(run))).collect();
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
        units: &[Unit],
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
        runs: &[(u32, &Output, Vec<Unit>)],
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

fn check_data_len(data_len: u64) -> Result<(), Error> {
    const DATA_LEN_MAX: u64 = u32::MAX as u64 / 2;
    if data_len > DATA_LEN_MAX {
        return Err(Error::limit("size of an MP4 fragment in bytes", data_len, DATA_LEN_MAX));
    }
    Ok(())
}

impl Output {
    fn new(track: &Track, frame: &[u8], language: Option<String>) -> Result<Self, Error> {
        let (timescale, usual_duration) = match track.codec {
            Codec::H264 | Codec::H265 | Codec::Av1 | Codec::Vp9 => (VIDEO_TIMESCALE, LONE_PICTURE),
            Codec::Aac => {
                let config = AudioSpecificConfig::parse(&track.config)?;
                (config.sample_rate, i64::from(config.frame_length))
            }
            // 1152 samples at 44.1 kHz.
            Codec::Mp3 { .. } => (VIDEO_TIMESCALE, 2351),
            // 20 ms, the usual packet.
            Codec::Opus => (OPUS_TIMESCALE, 960),
            Codec::Flac => (track.details().sample_rate.unwrap_or(OPUS_TIMESCALE), 4096),
            Codec::Ac3 | Codec::Eac3 => {
                let head = Ac3Header::parse(frame)?;
                (head.sample_rate, head.samples.into())
            }
            other => return Err(unsupported(other)),
        };
        // What cannot be described is refused now, not when the first fragment is due.
        let description = Description::with_frame(track, frame)?;
        Ok(Self { track: track.clone(), description, language, timescale, usual_duration })
    }

    fn holds(&self, codec: Codec) -> bool {
        match (self.track.codec, codec) {
            (Codec::Mp3 { .. }, Codec::Mp3 { .. }) => true,
            (own, other) => own == other,
        }
    }

    /// Writes `traf`; where its data offset stands in `out` comes back.
    fn put_traf(
        &self,
        out: &mut BytesMut,
        number: u32,
        run: &[Unit],
        origin: Timestamp,
        until: Option<Timestamp>,
    ) -> usize {
        const DEFAULT_BASE_IS_MOOF: u32 = 0x2_0000;
        const OFFSET_DURATION_SIZE_FLAGS_CTS: u32 = 0x1 | 0x100 | 0x200 | 0x400 | 0x800;
        let ticks = |at: Timestamp| (at - origin).to_ticks(self.timescale).max(0);
        let first = run.first().map_or(0, |unit| ticks(unit.dts));
        let durations = self.durations(run, ticks, until);
        let mut offset_field = 0;
        put_box(out, b"traf", |out| {
            put_full(out, b"tfhd", 0, DEFAULT_BASE_IS_MOOF, |out| out.put_u32(number));
            put_full(out, b"tfdt", 1, 0, |out| out.put_i64(first));
            put_full(out, b"trun", 1, OFFSET_DURATION_SIZE_FLAGS_CTS, |out| {
                out.put_u32(run.len() as u32);
                offset_field = out.len();
                out.put_u32(0);
                for (unit, duration) in run.iter().zip(durations) {
                    let composition = (unit.pts - origin).to_ticks(self.timescale) - ticks(unit.dts);
                    out.put_u32(duration);
                    out.put_u32(unit.len);
                    out.put_u32(if unit.key { KEY_FLAGS } else { DEPENDENT_FLAGS });
                    out.put_i32(composition.clamp(i64::from(i32::MIN), i64::from(i32::MAX)) as i32);
                }
            });
        });
        offset_field
    }

    /// From each frame to the next; the last until `until`, or as long as usual.
    fn durations(
        &self,
        run: &[Unit],
        ticks: impl Fn(Timestamp) -> i64,
        until: Option<Timestamp>,
    ) -> Vec<u32> {
        let times: Vec<i64> = run.iter().map(|unit| ticks(unit.dts)).collect();
        let mut durations: Vec<i64> = times.windows(2).map(|pair| pair[1].saturating_sub(pair[0])).collect();
        let is_video = self.track.id.kind == MediaKind::Video;
        let usual = if is_video { durations.last().copied() } else { None }.unwrap_or(self.usual_duration);
        let known = until.zip(times.last()).map(|(until, &last)| ticks(until) - last);
        durations.push(known.filter(|&duration| duration > 0).unwrap_or(usual));
        durations.into_iter().map(|duration| duration.clamp(0, i64::from(u32::MAX)) as u32).collect()
    }
}

/// Appends a box; its size is filled in when its body is written.
pub(super) fn put_box(out: &mut BytesMut, kind: &[u8; 4], body: impl FnOnce(&mut BytesMut)) {
    let start = out.len();
    out.put_u32(0);
    out.put_slice(kind);
    body(out);
    let len = (out.len() - start) as u32;
    out[start..start + 4].copy_from_slice(&len.to_be_bytes());
}

/// Appends a full box.
pub(super) fn put_full(
    out: &mut BytesMut,
    kind: &[u8; 4],
    version: u8,
    flags: u32,
    body: impl FnOnce(&mut BytesMut),
) {
    put_box(out, kind, |out| {
        out.put_u32(u32::from(version) << 24 | flags);
        body(out);
    });
}
