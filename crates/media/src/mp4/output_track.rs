//! A track as fragments are written of it: its description, its time base, and what a fragment says of its samples.

use bytes::{BufMut, BytesMut};

use super::boxes::{put_box, put_full};
use super::description::{Description, unsupported};
use crate::codec::aac::AudioSpecificConfig;
use crate::codec::ac3::Ac3Header;
use crate::{Codec, DescribedTrack, Error, Frame, MediaKind, Orientation, Timestamp, Track};

/// Ticks per second of video tracks, and of audio whose sample rate no configuration tells.
pub const VIDEO_TIMESCALE: u32 = 90_000;
const OPUS_TIMESCALE: u32 = 48_000;
/// A picture that stands alone is taken to last so many ticks: 1/25 s.
const LONE_PICTURE: i64 = 3600;
pub(super) const KEY_FLAGS: u32 = 0x0200_0000;
pub(super) const DEPENDENT_FLAGS: u32 = 0x0101_0000;

/// What a fragment says of one access unit.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FragmentSample {
    pub(crate) dts: Timestamp,
    pub(crate) pts: Timestamp,
    pub(crate) key: bool,
    /// Bytes of its payload.
    pub(crate) len: u32,
}

impl From<&Frame> for FragmentSample {
    fn from(frame: &Frame) -> Self {
        let Frame { dts, pts, key, ref payload, .. } = *frame;
        Self { dts, pts, key, len: payload.len() as u32 }
    }
}

/// A track as it is written; its `track_ID` is its place in the list plus one.
#[derive(Clone, Debug)]
pub(super) struct OutputTrack {
    pub(super) track: Track,
    /// How its samples are coded.
    pub(super) description: Description,
    /// How its pictures are turned.
    pub(super) orientation: Orientation,
    /// Three letters of ISO 639-2.
    pub(super) language: Option<String>,
    pub(super) timescale: u32,
    /// How long a frame lasts when nothing follows it, in ticks.
    usual_duration: i64,
}

impl OutputTrack {
    /// Upright, of an undetermined language.
    pub(super) fn new(described: DescribedTrack<'_>) -> Result<Self, Error> {
        let track = described.track;
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
                let head = Ac3Header::parse(&described.entry.frame)?;
                (head.sample_rate, head.samples.into())
            }
            other => return Err(unsupported(other)),
        };
        // What cannot be described is refused now, not when the first fragment is due.
        let description = Description::of(described)?;
        let (track, orientation) = (track.clone(), Orientation::UPRIGHT);
        Ok(Self { track, description, orientation, language: None, timescale, usual_duration })
    }

    /// Whether a frame of this codec can be one of its samples.
    pub(super) fn holds(&self, codec: Codec) -> bool {
        match (self.track.codec, codec) {
            (Codec::Mp3 { .. }, Codec::Mp3 { .. }) => true,
            (own, other) => own == other,
        }
    }

    /// Writes `traf`; where its data offset stands in `out` comes back.
    pub(super) fn put_traf(
        &self,
        out: &mut BytesMut,
        number: u32,
        run: &[FragmentSample],
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
        run: &[FragmentSample],
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
