//! A sample description written: how the samples of a track are coded. Twin of `entry.rs`, which reads them.

use bytes::{BufMut, Bytes, BytesMut};

use super::boxes::{put_box, put_full};
use crate::codec::aac::AudioSpecificConfig;
use crate::codec::ac3::Ac3Header;
use crate::codec::flac::FlacConfig;
use crate::codec::h264::AvcConfig;
use crate::codec::opus::OpusConfig;
use crate::codec::vp9::VpConfig;
use crate::{Codec, Error, Track};

const OTI_AAC: u8 = 0x40;
const OTI_MP3: u8 = 0x6B;

/// What a sample description says.
#[derive(Clone, Debug)]
pub(super) enum Description {
    Video {
        entry: [u8; 4],
        width: u32,
        height: u32,
        aspect: Option<(u16, u16)>,
        kind: [u8; 4],
        record: Bytes,
    },
    Audio {
        entry: [u8; 4],
        channels: u16,
        rate: u32,
        specific: Specific,
    },
}

/// What an audio description says beyond channels and rate.
#[derive(Clone, Debug)]
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
    /// `Unsupported` for codecs whose configuration does not say what a description must, `Malformed` for one
    /// that cannot be read.
    pub(super) fn of(track: &Track) -> Result<Self, Error> {
        Self::with_frame(track, &[])
    }

    /// As [`of`](Self::of), with a key frame that says what the configurations of VP9 and AC-3 do not.
    pub(super) fn with_frame(track: &Track, frame: &[u8]) -> Result<Self, Error> {
        let record = &track.config;
        let audio = |entry: &[u8; 4], specific| {
            let details = track.details();
            let (channels, rate) =
                (details.channels.unwrap_or(2).into(), details.sample_rate.unwrap_or(48_000));
            Ok(Self::Audio { entry: *entry, channels, rate, specific })
        };
        match track.codec {
            Codec::Vp9 | Codec::Ac3 | Codec::Eac3 if frame.is_empty() => Err(unsupported(track.codec)),
            Codec::H264 => {
                let picture = AvcConfig::parse(record)?.picture()?;
                Ok(Self::Video {
                    entry: *b"avc1",
                    width: picture.width,
                    height: picture.height,
                    aspect: picture.sample_aspect.filter(|&(width, height)| width != height),
                    kind: *b"avcC",
                    record: record.clone(),
                })
            }
            Codec::H265 => Self::video(track, *b"hvc1", *b"hvcC"),
            Codec::Av1 => Self::video(track, *b"av01", *b"av1C"),
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
                let rate = if flv_flags >> 4 == 14 { 8000 } else { 44_100 >> (3 - (flv_flags >> 2 & 3)) };
                let channels = 1 + u16::from(flv_flags & 1);
                let specific = Specific::Esds { object_type: OTI_MP3, config: Bytes::new() };
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
                let details = track.details_with(frame);
                let (Some(width), Some(height)) = (details.width, details.height) else {
                    return Err(Error::malformed(
                        "VP9 key frame",
                        "it does not say how large the picture is",
                    ));
                };
                let mut full = BytesMut::from(&[1, 0, 0, 0][..]);
                full.put(VpConfig::parse(record)?.to_bytes());
                let record = full.freeze();
                Ok(Self::Video { entry: *b"vp09", width, height, aspect: None, kind: *b"vpcC", record })
            }
            Codec::Ac3 | Codec::Eac3 => {
                let head = Ac3Header::parse(frame)?;
                let (entry, kind) = if head.is_enhanced() { (b"ec-3", b"dec3") } else { (b"ac-3", b"dac3") };
                let specific = Specific::Box { kind: *kind, body: head.to_box_body().into() };
                let (channels, rate) = (head.channels.into(), head.sample_rate);
                Ok(Self::Audio { entry: *entry, channels, rate, specific })
            }
            other => Err(unsupported(other)),
        }
    }

    fn video(track: &Track, entry: [u8; 4], kind: [u8; 4]) -> Result<Self, Error> {
        let details = track.details();
        let (Some(width), Some(height)) = (details.width, details.height) else {
            return Err(Error::malformed("video configuration", "it does not say how large the picture is"));
        };
        Ok(Self::Video { entry, width, height, aspect: None, kind, record: track.config.clone() })
    }

    /// The size that a player shows the picture in; 0 for sound.
    pub(super) fn shown_size(&self) -> (u32, u32) {
        match self {
            Self::Video { width, height, aspect, .. } => {
                let (num, den) = aspect.unwrap_or((1, 1));
                (width.saturating_mul(u32::from(num)) / u32::from(den.max(1)), *height)
            }
            Self::Audio { .. } => (0, 0),
        }
    }

    /// Appends the sample entry.
    pub(super) fn put(&self, out: &mut BytesMut) {
        match self {
            Self::Video { entry, width, height, aspect, kind, record } => put_box(out, entry, |out| {
                put_picture(out, *width, *height);
                put_box(out, kind, |out| out.put_slice(record));
                if let Some((horizontal, vertical)) = *aspect {
                    put_box(out, b"pasp", |out| {
                        out.put_u32(horizontal.into());
                        out.put_u32(vertical.into());
                    });
                }
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
