//! A sample description written: how the samples of a track are coded. Twin of `entry.rs`, which reads them.

use bytes::{BufMut, Bytes, BytesMut};

use super::boxes::{put_box, put_full};
use super::event_message::put_script_entry;
use crate::codec::aac::AudioSpecificConfig;
use crate::codec::ac3::Ac3Header;
use crate::codec::flac::FlacConfig;
use crate::codec::h264::AvcConfig;
use crate::codec::opus::OpusConfig;
use crate::codec::vp9::VpConfig;
use crate::{Codec, DescribedTrack, Error, TrackDetails};

const OTI_AAC: u8 = 0x40;
const OTI_MP3: u8 = 0x6B;

/// What a sample description says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Description {
    Video {
        entry: [u8; 4],
        width: u32,
        height: u32,
        /// How much wider than high a pixel is shown.
        aspect: Option<(u32, u32)>,
        kind: [u8; 4],
        record: Bytes,
        /// Boxes of the film's own entry.
        boxes: Bytes,
    },
    Audio {
        entry: [u8; 4],
        channels: u16,
        rate: u32,
        specific: Specific,
    },
    Script,
}

/// What an audio description says beyond channels and rate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Specific {
    /// An elementary stream descriptor.
    Esds { object_type: u8, config: Bytes },
    /// A box of the codec's own.
    Box { kind: [u8; 4], body: Bytes },
    /// The same with version and flags.
    FullBox { kind: [u8; 4], body: Bytes },
}

impl Description {
    /// # Errors
    /// `Unsupported` for codecs whose configuration and first frame do not say what a description must, `Malformed`
    /// for those that cannot be read.
    pub(super) fn of(described: DescribedTrack<'_>) -> Result<Self, Error> {
        let DescribedTrack { track, entry } = described;
        let (record, frame) = (&track.config, &entry.frame);
        let details = described.details();
        let audio = |entry: &[u8; 4], specific| {
            let (channels, rate) =
                (details.channels.unwrap_or(2).into(), details.sample_rate.unwrap_or(48_000));
            Ok(Self::Audio { entry: *entry, channels, rate, specific })
        };
        match track.codec {
            Codec::Vp9 | Codec::Ac3 | Codec::Eac3 if frame.is_empty() => Err(unsupported(track.codec)),
            Codec::H264 => {
                let picture = AvcConfig::parse(record)?.picture()?;
                let aspect = picture.sample_aspect.map(|(width, height)| (width.into(), height.into()));
                Self::video(described, &details, aspect, (*b"avc1", *b"avcC"), record.clone())
            }
            Codec::H265 => Self::video(described, &details, None, (*b"hvc1", *b"hvcC"), record.clone()),
            Codec::Av1 => Self::video(described, &details, None, (*b"av01", *b"av1C"), record.clone()),
            Codec::Aac => {
                let config = AudioSpecificConfig::parse(record)?;
                Ok(Self::Audio {
                    entry: *b"mp4a",
                    channels: config.channels().unwrap_or(2).into(),
                    rate: config.sample_rate,
                    specific: Specific::Esds { object_type: OTI_AAC, config: record.clone() },
                })
            }
            Codec::Mp3 { flv_flags } => {
                // What the flags mean, unless a frame was there to say it.
                let flagged = if flv_flags >> 4 == 14 { 8000 } else { 44_100 >> (3 - (flv_flags >> 2 & 3)) };
                let channels = details.channels.unwrap_or(1 + (flv_flags & 1)).into();
                let specific = Specific::Esds { object_type: OTI_MP3, config: Bytes::new() };
                let rate = details.sample_rate.unwrap_or(flagged);
                Ok(Self::Audio { entry: *b"mp4a", channels, rate, specific })
            }
            Codec::Opus if !record.is_empty() => {
                audio(b"Opus", Specific::Box { kind: *b"dOps", body: OpusConfig::parse(record)?.to_dops() })
            }
            Codec::Flac => audio(
                b"fLaC",
                Specific::FullBox { kind: *b"dfLa", body: FlacConfig::parse(record)?.to_blocks() },
            ),
            Codec::Vp9 => {
                let mut full = BytesMut::from(&[1, 0, 0, 0][..]);
                full.put(VpConfig::parse(record)?.to_bytes());
                Self::video(described, &details, None, (*b"vp09", *b"vpcC"), full.freeze())
            }
            Codec::Ac3 | Codec::Eac3 => {
                let head = Ac3Header::parse(frame)?;
                let (entry, kind) = if head.is_enhanced() { (b"ec-3", b"dec3") } else { (b"ac-3", b"dac3") };
                audio(entry, Specific::Box { kind: *kind, body: head.to_box_body().into() })
            }
            Codec::Script => Ok(Self::Script),
            other => Err(unsupported(other)),
        }
    }

    /// A description of pictures. What the film's own entry says of the shape of a pixel counts before `aspect`.
    fn video(
        described: DescribedTrack<'_>,
        details: &TrackDetails,
        aspect: Option<(u32, u32)>,
        (entry, kind): ([u8; 4], [u8; 4]),
        record: Bytes,
    ) -> Result<Self, Error> {
        let (Some(width), Some(height)) = (details.width, details.height) else {
            return Err(Error::malformed("video configuration", "it does not say how large the picture is"));
        };
        let aspect = described.entry.pixel_aspect.or(aspect).filter(|&(across, down)| across != down);
        let boxes = described.entry.boxes.clone();
        Ok(Self::Video { entry, width, height, aspect, kind, record, boxes })
    }

    /// The size that a player shows the picture in; 0 where there is none.
    pub(super) fn shown_size(&self) -> (u32, u32) {
        match self {
            Self::Video { width, height, aspect, .. } => {
                let (num, den) = aspect.unwrap_or((1, 1));
                let shown = u64::from(*width) * u64::from(num) / u64::from(den.max(1));
                (u32::try_from(shown).unwrap_or(u32::MAX), *height)
            }
            Self::Audio { .. } | Self::Script => (0, 0),
        }
    }

    /// Appends the sample entry.
    pub(super) fn put(&self, out: &mut BytesMut) {
        match self {
            Self::Video { entry, width, height, aspect, kind, record, boxes } => put_box(out, entry, |out| {
                put_picture(out, *width, *height);
                put_box(out, kind, |out| out.put_slice(record));
                if let Some((horizontal, vertical)) = *aspect {
                    put_box(out, b"pasp", |out| {
                        out.put_u32(horizontal);
                        out.put_u32(vertical);
                    });
                }
                out.put_slice(boxes);
            }),
            Self::Audio { entry, channels, rate, specific } => put_box(out, entry, |out| {
                out.put_slice(&[0, 0, 0, 0, 0, 0, 0, 1]);
                out.put_slice(&[0; 8]);
                out.put_u16(*channels);
                out.put_u16(16);
                out.put_u32(0);
                // The field holds 16 bits of hertz; beyond, only the configuration tells.
                out.put_u32(if *rate > 0xFFFF { 0 } else { rate << 16 });
                match specific {
                    Specific::Esds { object_type, config } => {
                        put_full(out, b"esds", 0, 0, |out| put_stream_descriptor(out, *object_type, config));
                    }
                    Specific::Box { kind, body } => put_box(out, kind, |out| out.put_slice(body)),
                    Specific::FullBox { kind, body } => put_full(out, kind, 0, 0, |out| out.put_slice(body)),
                }
            }),
            Self::Script => put_script_entry(out),
        }
    }
}

/// The refusal of a codec that this muxer does not describe.
pub(super) fn unsupported(codec: Codec) -> Error {
    Error::unsupported(
        format!("{codec} in MP4"),
        "MP4 is written of H.264, H.265, AV1, VP9, AAC, MP3, Opus, FLAC, AC-3 and E-AC-3; record to FLV",
    )
}

/// The fields that every video sample entry starts with.
fn put_picture(out: &mut BytesMut, width: u32, height: u32) {
    const DOTS_PER_INCH: u32 = 72 << 16;
    out.put_slice(&[0, 0, 0, 0, 0, 0, 0, 1]);
    out.put_slice(&[0; 16]);
    out.put_u16(width.min(0xFFFF) as u16);
    out.put_u16(height.min(0xFFFF) as u16);
    out.put_u32(DOTS_PER_INCH);
    out.put_u32(DOTS_PER_INCH);
    out.put_u32(0);
    out.put_u16(1);
    out.put_slice(&[0; 32]);
    out.put_u16(24);
    out.put_u16(0xFFFF);
}

/// ES_Descriptor → DecoderConfigDescriptor → DecoderSpecificInfo, and the SLConfig that MP4 prescribes.
fn put_stream_descriptor(out: &mut BytesMut, object_type: u8, specific: &[u8]) {
    const AUDIO_STREAM: u8 = 5 << 2 | 1;
    let specific_len = if specific.is_empty() { 0 } else { 5 + specific.len() };
    let decoder_len = 13 + specific_len;
    put_descriptor_head(out, 3, 3 + 5 + decoder_len + 5 + 1);
    out.put_slice(&[0, 0, 0]);
    put_descriptor_head(out, 4, decoder_len);
    out.put_u8(object_type);
    out.put_u8(AUDIO_STREAM);
    out.put_slice(&[0; 11]);
    if !specific.is_empty() {
        put_descriptor_head(out, 5, specific.len());
        out.put_slice(specific);
    }
    put_descriptor_head(out, 6, 1);
    out.put_u8(2);
}

/// A tag and a length in the four-byte form, which every reader knows.
fn put_descriptor_head(out: &mut BytesMut, tag: u8, len: usize) {
    out.put_u8(tag);
    for shift in [21, 14, 7] {
        out.put_u8(0x80 | (len >> shift & 0x7F) as u8);
    }
    out.put_u8((len & 0x7F) as u8);
}
