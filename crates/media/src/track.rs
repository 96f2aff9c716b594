//! Tracks: their names, their codecs, and what a decoder must know before the first frame.

use std::fmt;

use bytes::Bytes;

use crate::Error;
use crate::codec::aac::AudioSpecificConfig;
use crate::codec::ac3::Ac3Header;
use crate::codec::av1::Av1Config;
use crate::codec::flac::FlacConfig;
use crate::codec::flash;
use crate::codec::h264::AvcConfig;
use crate::codec::h265::HevcConfig;
use crate::codec::mp3::Mp3Header;
use crate::codec::opus::{self, OpusConfig};
use crate::codec::vp9::{VpConfig, VpKeyFrame};

/// What a track carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MediaKind {
    /// Pictures.
    Video,
    /// Sound.
    Audio,
    /// Script data: cue points, captions, anything a publisher sends by name.
    Data,
}

/// Which track of a stream: the kind, and the number within the kind (0 = the main one).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TrackId {
    /// What the track carries.
    pub kind: MediaKind,
    /// The track's number within its kind, as Enhanced RTMP counts them.
    pub index: u8,
}

impl TrackId {
    /// The main video track.
    pub const VIDEO: Self = Self { kind: MediaKind::Video, index: 0 };
    /// The main audio track.
    pub const AUDIO: Self = Self { kind: MediaKind::Audio, index: 0 };
    /// The script data track.
    pub const DATA: Self = Self { kind: MediaKind::Data, index: 0 };
}

/// How the frames of a track are coded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Codec {
    /// H.264 / AVC; the configuration is an `AVCDecoderConfigurationRecord`.
    H264,
    /// H.265 / HEVC; the configuration is an `HEVCDecoderConfigurationRecord`.
    H265,
    /// H.266 / VVC; the configuration is a `VvcDecoderConfigurationRecord`. Passed on, not looked into.
    H266,
    /// AV1; the configuration is an `AV1CodecConfigurationRecord`.
    Av1,
    /// VP8; the configuration is a `VPCodecConfigurationRecord`, and may be empty.
    Vp8,
    /// VP9; the configuration is a `VPCodecConfigurationRecord`.
    Vp9,
    /// AAC; the configuration is an `AudioSpecificConfig`.
    Aac,
    /// Opus; the configuration is the identification header of RFC 7845 §5.1, and may be empty.
    Opus,
    /// FLAC; the configuration is `fLaC` and the STREAMINFO block with its header.
    Flac,
    /// AC-3; no configuration, each frame describes itself.
    Ac3,
    /// Enhanced AC-3; no configuration, each frame describes itself.
    Eac3,
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
        use Codec::{Aac, Av1, Flac, H264, H265, H266, Vp9};
        matches!(self, H264 | H265 | H266 | Av1 | Vp9 | Aac | Flac)
    }

    /// MP3 with the flags that FLV's own tags would have for such frames; 48 kHz is flagged 44 kHz, as ffmpeg does.
    pub(crate) const fn mp3(sample_rate: u32, is_stereo: bool) -> Self {
        const MP3: u8 = 2;
        const MP3_8_KHZ: u8 = 14;
        const SIXTEEN_BIT: u8 = 2;
        let (format, rate) = match sample_rate {
            0..=8_000 => (MP3_8_KHZ, 0),
            8_001..=12_000 => (MP3, 1),
            12_001..=24_000 => (MP3, 2),
            _ => (MP3, 3),
        };
        Self::Mp3 { flv_flags: format << 4 | rate << 2 | SIXTEEN_BIT | is_stereo as u8 }
    }

    /// The codec's name in Enhanced RTMP and MP4; `None` for the codecs of the Flash age.
    #[must_use]
    pub const fn four_cc(self) -> Option<[u8; 4]> {
        Some(match self {
            Self::H264 => *b"avc1",
            Self::H265 => *b"hvc1",
            Self::H266 => *b"vvc1",
            Self::Av1 => *b"av01",
            Self::Vp8 => *b"vp08",
            Self::Vp9 => *b"vp09",
            Self::Aac => *b"mp4a",
            Self::Mp3 { .. } => *b".mp3",
            Self::Opus => *b"Opus",
            Self::Flac => *b"fLaC",
            Self::Ac3 => *b"ac-3",
            Self::Eac3 => *b"ec-3",
            Self::FlvVideo(_) | Self::FlvAudio(_) | Self::Script => return None,
        })
    }
}

impl fmt::Display for Codec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::H264 => f.write_str("H.264"),
            Self::H265 => f.write_str("H.265"),
            Self::H266 => f.write_str("H.266"),
            Self::Av1 => f.write_str("AV1"),
            Self::Vp8 => f.write_str("VP8"),
            Self::Vp9 => f.write_str("VP9"),
            Self::Aac => f.write_str("AAC"),
            Self::Opus => f.write_str("Opus"),
            Self::Flac => f.write_str("FLAC"),
            Self::Ac3 => f.write_str("AC-3"),
            Self::Eac3 => f.write_str("E-AC-3"),
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
    /// What Enhanced RTMP says of the track beside the configuration, as it was sent: of pictures the
    /// metadata packet (AMF0 pairs, `colorInfo` for HDR), of sound the body of the multichannel
    /// configuration. Empty for most tracks.
    pub extra: Bytes,
}

/// What a track's configuration says, for people and for players. What it does not say is `None`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TrackDetails {
    /// The codec as browsers name it (RFC 6381): `avc1.64001F`, `mp4a.40.2`.
    pub codec_string: Option<String>,
    /// Width of the picture, in pixels.
    pub width: Option<u32>,
    /// Height of the picture, in pixels.
    pub height: Option<u32>,
    /// Pictures per second, as the configuration announces them.
    pub frame_rate: Option<f64>,
    /// Samples per second, as they come out of the decoder.
    pub sample_rate: Option<u32>,
    /// Channels of sound.
    pub channels: Option<u8>,
}

impl Track {
    /// A track with its configuration and nothing beside it.
    #[must_use]
    pub const fn new(id: TrackId, codec: Codec, config: Bytes) -> Self {
        Self { id, codec, config, extra: Bytes::new() }
    }

    /// Reads the configuration. One that cannot be read says nothing; of codecs whose frames describe
    /// themselves the name is known.
    #[must_use]
    pub fn details(&self) -> TrackDetails {
        self.read().unwrap_or_default()
    }

    /// As [`details`](Self::details), with what a frame says where the configuration does not: AC-3,
    /// MP3, Opus, Sorenson H.263 and Screen video in any frame, VP8, VP9 and VP6 in a key frame.
    #[must_use]
    pub fn details_with(&self, frame: &[u8]) -> TrackDetails {
        let mut details = self.details();
        match self.codec {
            Codec::Vp8 | Codec::Vp9 => {
                let is_vp8 = self.codec == Codec::Vp8;
                let parse = if is_vp8 { VpKeyFrame::parse_vp8 } else { VpKeyFrame::parse_vp9 };
                if let Ok(head) = parse(frame) {
                    details.width = Some(head.width);
                    details.height = Some(head.height);
                }
            }
            Codec::Ac3 | Codec::Eac3 => {
                if let Ok(head) = Ac3Header::parse(frame) {
                    details.sample_rate = Some(head.sample_rate);
                    details.channels = Some(head.channels);
                }
            }
            Codec::Mp3 { .. } => {
                if let Some(head) = Mp3Header::parse(frame) {
                    details.sample_rate = Some(head.sample_rate);
                    details.channels = Some(head.channels);
                }
            }
            Codec::Opus => details.channels = details.channels.or_else(|| opus::packet_channels(frame)),
            Codec::FlvVideo(codec) => {
                if let Some((width, height)) = flash::picture_size(codec, frame) {
                    details.width = Some(width);
                    details.height = Some(height);
                }
            }
            _ => {}
        }
        details
    }

    fn read(&self) -> Result<TrackDetails, Error> {
        let config = &self.config;
        let sound = TrackDetails::of_sound;
        Ok(match self.codec {
            Codec::H264 => {
                let avc = AvcConfig::parse(config)?;
                let picture = avc.picture().ok().map(|sps| (sps.width, sps.height, sps.frames_per_second()));
                TrackDetails::of_pictures(avc.codec_string(), picture)
            }
            Codec::H265 => {
                let hevc = HevcConfig::parse(config)?;
                let picture = hevc.picture().ok().map(|sps| (sps.width, sps.height, sps.frames_per_second()));
                TrackDetails::of_pictures(hevc.codec_string(), picture)
            }
            Codec::Av1 => {
                let av1 = Av1Config::parse(config)?;
                let picture = av1.picture().ok().map(|seq| (seq.width, seq.height, seq.frames_per_second()));
                TrackDetails::of_pictures(av1.codec_string(), picture)
            }
            Codec::Vp8 if config.is_empty() => TrackDetails::of_pictures("vp8".to_owned(), None),
            Codec::Vp8 | Codec::Vp9 => {
                let name = if self.codec == Codec::Vp8 { "vp08" } else { "vp09" };
                TrackDetails::of_pictures(VpConfig::parse(config)?.codec_string(name), None)
            }
            Codec::Aac => {
                let aac = AudioSpecificConfig::parse(config)?;
                sound(&aac.codec_string(), Some(aac.output_rate()), aac.channels())
            }
            Codec::Opus => {
                let channels = OpusConfig::parse(config).ok().map(|opus| opus.channels);
                sound("opus", Some(opus::SAMPLE_RATE), channels)
            }
            Codec::Flac => {
                let flac = FlacConfig::parse(config)?;
                sound("flac", Some(flac.sample_rate), Some(flac.channels))
            }
            Codec::Ac3 => sound("ac-3", None, None),
            Codec::Eac3 => sound("ec-3", None, None),
            // The flags have no number for 48 kHz: the rate is in the frames only.
            Codec::Mp3 { flv_flags } => sound("mp4a.6B", None, Some(1 + (flv_flags & 1))),
            Codec::FlvAudio(flags) => {
                TrackDetails { channels: Some(1 + (flags & 1)), ..TrackDetails::default() }
            }
            Codec::H266 | Codec::FlvVideo(_) | Codec::Script => TrackDetails::default(),
        })
    }
}

impl TrackDetails {
    /// Of pictures: name; width, height and rate if they are known.
    fn of_pictures(codec_string: String, picture: Option<(u32, u32, Option<f64>)>) -> Self {
        Self {
            codec_string: Some(codec_string),
            width: picture.map(|(width, ..)| width),
            height: picture.map(|(_, height, _)| height),
            frame_rate: picture.and_then(|(.., rate)| rate),
            ..Self::default()
        }
    }

    fn of_sound(codec_string: &str, sample_rate: Option<u32>, channels: Option<u8>) -> Self {
        Self { codec_string: Some(codec_string.to_owned()), sample_rate, channels, ..Self::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn details_are_what_the_configuration_says() {
        let config = Bytes::from_static(&[0x12, 0x10]);
        let audio = Track::new(TrackId::AUDIO, Codec::Aac, config);
        let details = audio.details();
        assert_eq!(details.codec_string.as_deref(), Some("mp4a.40.2"));
        assert_eq!((details.sample_rate, details.channels, details.width), (Some(44100), Some(2), None));
        let opus = Track::new(TrackId::AUDIO, Codec::Opus, Bytes::new());
        assert_eq!((opus.details().sample_rate, opus.details().channels), (Some(48_000), None));
        assert_eq!(opus.details_with(&[0xFC]).channels, Some(2));
        let ac3 = Track::new(TrackId::AUDIO, Codec::Ac3, Bytes::new());
        let framed = ac3.details_with(&[0x0B, 0x77, 0xFE, 0x95, 0x14, 0x40, 0x43]);
        assert_eq!(framed, TrackDetails::of_sound("ac-3", Some(48_000), Some(2)));
        assert_eq!(ac3.details_with(&[]), ac3.details());
        let vp8 = Track::new(TrackId::VIDEO, Codec::Vp8, Bytes::new());
        let framed = vp8.details_with(&[0xD0, 0x4A, 0, 0x9D, 1, 0x2A, 0xB0, 0, 0x90, 0]);
        assert_eq!((framed.width, framed.height), (Some(176), Some(144)));
        let damaged = Track::new(TrackId::VIDEO, Codec::H264, Bytes::new());
        assert_eq!(damaged.details(), TrackDetails::default());
    }
}
