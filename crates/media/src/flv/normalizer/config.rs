//! A decoder configuration that was read: what makes frames regular, and what goes to decoders.

use bytes::Bytes;

use crate::Codec;
use crate::codec::aac::AudioSpecificConfig;
use crate::codec::h264::AvcConfig;
use crate::codec::h265::HevcConfig;

/// What is known of a configuration, and the bytes of it that go to decoders.
#[derive(Clone, Debug)]
pub(super) struct DecoderConfig {
    pub(super) known: Known,
    pub(super) bytes: Bytes,
}

impl DecoderConfig {
    /// One of which nothing has to be known.
    pub(super) const fn opaque(bytes: Bytes) -> Self {
        Self { known: Known::Nothing, bytes }
    }
}

/// What must be known of a configuration to make frames regular.
#[derive(Clone, Debug)]
pub(super) enum Known {
    /// Nothing, or nothing has to be.
    Nothing,
    /// All of H.264's, for it may change inside frames.
    Avc(AvcConfig),
    /// All of H.265's, likewise.
    Hevc(HevcConfig),
    /// H.266.
    Vvc {
        /// How many bytes the lengths of NAL units have.
        length_size: u8,
    },
    /// AAC's core, to compare it with ADTS headers.
    Aac(AudioSpecificConfig),
}

impl Known {
    /// Whether a decoder can start with it.
    pub(super) fn is_complete(&self) -> bool {
        match self {
            Self::Avc(config) => config.has_parameter_sets(),
            Self::Hevc(config) => config.has_parameter_sets(),
            Self::Nothing | Self::Vvc { .. } | Self::Aac(_) => true,
        }
    }

    /// How many bytes the lengths of this codec's NAL units have: four until somebody says otherwise.
    pub(super) fn length_size(&self, codec: Codec) -> u8 {
        match (self, codec) {
            (Self::Avc(config), Codec::H264) => config.length_size,
            (Self::Hevc(config), Codec::H265) => config.length_size,
            (Self::Vvc { length_size }, Codec::H266) => *length_size,
            _ => 4,
        }
    }
}
