//! The initialisation segment: `ftyp`, and a `moov` with empty sample tables.

use bytes::{BufMut, Bytes, BytesMut};

use super::mux::{Output, put_box, put_full};
use crate::codec::aac::AudioSpecificConfig;
use crate::codec::h264::AvcConfig;
use crate::{Codec, Error, MediaKind};

/// Ticks per second of the movie itself; the tracks have their own.
const MOVIE_TIMESCALE: u32 = 1000;
/// The matrix that leaves a picture as it is.
const UNITY: [u32; 9] = [0x1_0000, 0, 0, 0, 0x1_0000, 0, 0, 0, 0x4000_0000];
const UNDETERMINED_LANGUAGE: u16 = 0x55C4;
const OTI_AAC: u8 = 0x40;
const OTI_MP3: u8 = 0x6B;

pub(super) fn segment(tracks: &[Output]) -> Result<Bytes, Error> {
    let descriptions = tracks.iter().map(Description::of).collect::<Result<Vec<_>, _>>()?;
    let mut out = BytesMut::with_capacity(2048);
    put_box(&mut out, b"ftyp", |out| out.put_slice(b"iso6\0\0\0\0iso5iso6cmfcmp42"));
    put_box(&mut out, b"moov", |out| {
        put_full(out, b"mvhd", 0, 0, |out| {
            out.put_slice(&[0; 8]);
            out.put_u32(MOVIE_TIMESCALE);
            out.put_u32(0);
            out.put_u32(0x1_0000);
            out.put_u16(0x100);
            out.put_slice(&[0; 10]);
            put_matrix(out);
            out.put_slice(&[0; 24]);
            out.put_u32(tracks.len() as u32 + 1);
        });
        for (number, (output, description)) in (1..).zip(tracks.iter().zip(&descriptions)) {
            put_track(out, number, output, description);
        }
        put_box(out, b"mvex", |out| {
            for (number, _) in (1u32..).zip(tracks) {
                put_full(out, b"trex", 0, 0, |out| {
                    // Track, description 1, no default duration, size or flags.
                    for field in [number, 1, 0, 0, 0] {
                        out.put_u32(field);
                    }
                });
            }
        });
    });
    Ok(out.freeze())
}

/// What a sample description needs beyond the configuration itself.
enum Description<'a> {
    Avc { width: u32, height: u32, aspect: Option<(u16, u16)>, record: &'a [u8] },
    Audio { object_type: u8, channels: u16, rate: u32, specific: &'a [u8] },
}

impl<'a> Description<'a> {
    fn of(output: &'a Output) -> Result<Self, Error> {
        let record = &output.track.config;
        match output.track.codec {
            Codec::H264 => {
                let picture = AvcConfig::parse(record)?.picture()?;
                Ok(Self::Avc {
                    width: picture.width,
                    height: picture.height,
                    aspect: picture.sample_aspect.filter(|&(width, height)| width != height),
                    record,
                })
            }
            Codec::Aac => {
                let config = AudioSpecificConfig::parse(record)?;
                Ok(Self::Audio {
                    object_type: OTI_AAC,
                    channels: config.channels().unwrap_or(2).into(),
                    rate: config.sample_rate,
                    specific: record,
                })
            }
            Codec::Mp3 { flv_flags } => {
                let rate = if flv_flags >> 4 == 14 { 8000 } else { 44_100 >> (3 - (flv_flags >> 2 & 3)) };
                let channels = 1 + u16::from(flv_flags & 1);
                Ok(Self::Audio { object_type: OTI_MP3, channels, rate, specific: &[] })
            }
            _ => Err(Error::Misuse("an MP4 sample description was asked for a codec without one")),
        }
    }
}

fn put_track(out: &mut BytesMut, number: u32, output: &Output, description: &Description<'_>) {
    let is_video = output.track.id.kind == MediaKind::Video;
    let (width, height) = match description {
        Description::Avc { width, height, aspect, .. } => {
            let (num, den) = aspect.unwrap_or((1, 1));
            (width.saturating_mul(u32::from(num)) / u32::from(den.max(1)), *height)
        }
        Description::Audio { .. } => (0, 0),
    };
    put_box(out, b"trak", |out| {
        const ENABLED_IN_MOVIE: u32 = 3;
        put_full(out, b"tkhd", 0, ENABLED_IN_MOVIE, |out| {
            out.put_slice(&[0; 8]);
            out.put_u32(number);
            out.put_slice(&[0; 16]);
            out.put_slice(&[0; 4]);
            out.put_u16(if is_video { 0 } else { 0x100 });
            out.put_u16(0);
            put_matrix(out);
            out.put_u32(width.min(0xFFFF) << 16);
            out.put_u32(height.min(0xFFFF) << 16);
        });
        put_box(out, b"mdia", |out| {
            put_full(out, b"mdhd", 0, 0, |out| {
                out.put_slice(&[0; 8]);
                out.put_u32(output.timescale);
                out.put_u32(0);
                out.put_u16(UNDETERMINED_LANGUAGE);
                out.put_u16(0);
            });
            put_full(out, b"hdlr", 0, 0, |out| {
                out.put_u32(0);
                out.put_slice(if is_video { b"vide" } else { b"soun" });
                out.put_slice(&[0; 12]);
                out.put_slice(if is_video { b"video\0" } else { b"sound\0" });
            });
            put_media_information(out, is_video, description);
        });
    });
}

fn put_media_information(out: &mut BytesMut, is_video: bool, description: &Description<'_>) {
    put_box(out, b"minf", |out| {
        if is_video {
            put_full(out, b"vmhd", 0, 1, |out| out.put_slice(&[0; 8]));
        } else {
            put_full(out, b"smhd", 0, 0, |out| out.put_slice(&[0; 4]));
        }
        put_box(out, b"dinf", |out| {
            put_full(out, b"dref", 0, 0, |out| {
                out.put_u32(1);
                put_full(out, b"url ", 0, 1, |_| {});
            });
        });
        put_box(out, b"stbl", |out| {
            put_full(out, b"stsd", 0, 0, |out| {
                out.put_u32(1);
                put_description(out, description);
            });
            for table in [b"stts", b"stsc", b"stco"] {
                put_full(out, table, 0, 0, |out| out.put_u32(0));
            }
            put_full(out, b"stsz", 0, 0, |out| out.put_u64(0));
        });
    });
}

fn put_description(out: &mut BytesMut, description: &Description<'_>) {
    match *description {
        Description::Avc { width, height, aspect, record } => put_box(out, b"avc1", |out| {
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
            put_box(out, b"avcC", |out| out.put_slice(record));
            if let Some((horizontal, vertical)) = aspect {
                put_box(out, b"pasp", |out| {
                    out.put_u32(horizontal.into());
                    out.put_u32(vertical.into());
                });
            }
        }),
        Description::Audio { object_type, channels, rate, specific } => put_box(out, b"mp4a", |out| {
            out.put_slice(&[0, 0, 0, 0, 0, 0, 0, 1]);
            out.put_slice(&[0; 8]);
            out.put_u16(channels);
            out.put_u16(16);
            out.put_u32(0);
            // The field holds 16 bits of hertz; beyond, only the configuration tells.
            out.put_u32(if rate > 0xFFFF { 0 } else { rate << 16 });
            put_full(out, b"esds", 0, 0, |out| put_stream_descriptor(out, object_type, specific));
        }),
    }
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

fn put_matrix(out: &mut BytesMut) {
    for field in UNITY {
        out.put_u32(field);
    }
}
