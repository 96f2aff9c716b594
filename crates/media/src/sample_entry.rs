//! What describes the samples of a track beside codec and configuration: its sample entry in the file, and its first
//! frame.

use bytes::Bytes;

use crate::codec::aac::AudioSpecificConfig;
use crate::codec::sbr::ImplicitSbr;
use crate::{Codec, MediaKind, Track, TrackDetails};

/// What a film's file says of the samples of a track that the decoder configuration does not. Everything may be
/// missing; FLV has no sample entries.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SampleEntry {
    /// Width and height of the pictures in pixels, as the entry has them. Where the configuration or a frame says
    /// them too, those count.
    pub size: Option<(u32, u32)>,
    /// How much wider than high a pixel is shown (`pasp`, ISO 14496-12, 12.1.4), if it is not square.
    pub pixel_aspect: Option<(u32, u32)>,
    /// Boxes on colour, brightness and the like, whole, as they stand in the entry: what is written of the film has
    /// them again.
    pub(crate) boxes: Bytes,
    /// The beginning of the first frame, of codecs whose frames describe themselves.
    pub(crate) frame: Bytes,
    /// What frames of AAC carry and the configuration does not announce.
    pub sbr: Option<ImplicitSbr>,
}

impl SampleEntry {
    /// Nothing is said.
    pub const NONE: Self =
        Self { size: None, pixel_aspect: None, boxes: Bytes::new(), frame: Bytes::new(), sbr: None };

    /// What a frame says of its track, by its head.
    #[must_use]
    pub fn of_frame(frame: &[u8]) -> Self {
        /// The heads of frames that describe themselves are shorter.
        const HEAD_BYTES: usize = 64;
        Self { frame: Bytes::copy_from_slice(&frame[..frame.len().min(HEAD_BYTES)]), ..Self::NONE }
    }
}

/// A track with all that describes it: configuration, sample entry, and what its first frame says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DescribedTrack<'a> {
    /// Codec and configuration.
    pub track: &'a Track,
    /// The rest.
    pub entry: &'a SampleEntry,
}

impl<'a> DescribedTrack<'a> {
    /// A track of which nothing but its configuration is known.
    #[must_use]
    pub const fn bare(track: &'a Track) -> Self {
        static NONE: SampleEntry = SampleEntry::NONE;
        Self { track, entry: &NONE }
    }

    /// What is known of the track, for people and for players: what configuration and first frame say, and the size of
    /// the sample entry where they are silent.
    #[must_use]
    pub fn details(&self) -> TrackDetails {
        let mut details = self.track.details_with(&self.entry.frame);
        if self.track.id.kind == MediaKind::Video
            && details.width.is_none()
            && let Some((width, height)) = self.entry.size
        {
            details.width = Some(width);
            details.height = Some(height);
        }
        if self.track.codec == Codec::Aac
            && let Some(sbr) = self.entry.sbr
            && let Ok(config) = AudioSpecificConfig::parse(&self.track.config)
        {
            let config = sbr.announced(config);
            details.codec_string = Some(config.codec_string());
            details.sample_rate = Some(config.output_rate());
            details.channels = config.channels();
        }
        details
    }
}
