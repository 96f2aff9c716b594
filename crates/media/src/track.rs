//! Codecs, and what a decoder must know before a track's first frame.

use std::fmt;

use bytes::Bytes;

use crate::TrackId;

/// How the frames of a track are coded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Codec {
    /// H.264 / AVC; the configuration is an `AVCDecoderConfigurationRecord`.
    H264,
    /// AAC; the configuration is an `AudioSpecificConfig`.
    Aac,
    /// MP3 (MPEG-1/2 layer III); no configuration. FLV flags byte as the publisher sent it.
    Mp3 {
        /// The FLV audio tag's first byte (format, rate, size, channels).
        flv_flags: u8,
    },
    /// A video codec of the Flash age that is passed on untouched: the FLV codec id (1..=15).
    FlvVideo(u8),
    /// An audio codec of the Flash age that is passed on untouched: the FLV audio tag's first byte.
    FlvAudio(u8),
    /// Script data in AMF0.
    Script,
}

impl Codec {
    /// Whether frames can be decoded only with the track's configuration.
    #[must_use]
    pub const fn needs_config(self) -> bool {
        matches!(self, Self::H264 | Self::Aac)
    }
}

impl fmt::Display for Codec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::H264 => f.write_str("H.264"),
            Self::Aac => f.write_str("AAC"),
            Self::Mp3 { .. } => f.write_str("MP3"),
            Self::FlvVideo(id) => f.write_str(match id {
                2 => "Sorenson H.263",
                3 => "Screen video",
                4 => "VP6",
                5 => "VP6 with alpha",
                6 => "Screen video 2",
                _ => return write!(f, "FLV video codec {id}"),
            }),
            Self::FlvAudio(flags) => f.write_str(match flags >> 4 {
                0 | 3 => "PCM",
                1 => "ADPCM",
                4..=6 => "Nellymoser",
                7 => "G.711 A-law",
                8 => "G.711 µ-law",
                11 => "Speex",
                format => return write!(f, "FLV audio format {format}"),
            }),
            Self::Script => f.write_str("script data"),
        }
    }
}

/// One codec flow of a stream and the configuration that its decoder needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Track {
    /// Which track this is.
    pub id: TrackId,
    /// How its frames are coded.
    pub codec: Codec,
    /// The decoder configuration (see [`Codec`]); empty for codecs that need none.
    pub config: Bytes,
}
