//! The [`Dialect`]: what one receiver of FLV tags takes, and so how tracks and frames are written for it.
//!
//! FLV and RTMP have been extended twice: by FourCC tags with several tracks (Enhanced RTMP), and before
//! that by codec numbers that nobody standardised. What a receiver cannot take is left out or written
//! the older way; a receiver that can take nothing of what it came for is told so ([`UnacceptedCodec`]).

use std::fmt;

use crate::{Codec, MediaKind, Track, TrackId};

/// What one receiver takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Dialect {
    /// The codecs.
    pub codecs: CodecSet,
    /// Which of several tracks.
    pub tracks: TrackChoice,
    /// How codecs are named that the original FLV does not know.
    pub numbering: Numbering,
    /// Whether colour information and channel layouts ([`Track::extra`]) are understood.
    pub extras: bool,
    /// Whether presentation times finer than a millisecond are understood (ModEx).
    pub nanos: bool,
    /// Whether FLAC's configuration is written as STREAMINFO alone, which is what FFmpeg and gortmplib (MediaMTX) send,
    /// and all that gortmplib reads; else as Enhanced RTMP describes it, with the mark and the head of its block.
    pub bare_flac: bool,
}

/// Which of several tracks a receiver takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TrackChoice {
    /// All of them: those after the first as multitrack messages.
    All,
    /// One video and one audio track, by number.
    One {
        /// The video track.
        video: u8,
        /// The audio track.
        audio: u8,
    },
}

/// How codecs are named that the original FLV does not know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Numbering {
    /// By FourCC, as Enhanced RTMP has it.
    FourCc,
    /// By the numbers that came into use before it: H.265 12, AV1 and Opus 13, VP8 14, VP9 15. Codecs
    /// without such a number are written by FourCC.
    Unofficial,
}

impl Dialect {
    /// Everything that tags can carry: for files, and for receivers that have said that they take it.
    pub const FULL: Self = Self {
        codecs: CodecSet::ALL,
        tracks: TrackChoice::All,
        numbering: Numbering::FourCc,
        extras: true,
        nanos: true,
        bare_flac: false,
    };

    /// For receivers that have said nothing: every codec, the first video and audio track, nothing beside.
    pub const PLAIN: Self =
        Self { tracks: TrackChoice::One { video: 0, audio: 0 }, extras: false, nanos: false, ..Self::FULL };

    /// Whether frames of this track are for the receiver. Script data always is.
    #[must_use]
    pub fn admits(&self, track: TrackId, codec: Codec) -> bool {
        let chosen = match (self.tracks, track.kind) {
            (TrackChoice::All, _) | (_, MediaKind::Data) => true,
            (TrackChoice::One { video, .. }, MediaKind::Video) => track.index == video,
            (TrackChoice::One { audio, .. }, MediaKind::Audio) => track.index == audio,
        };
        chosen && self.codecs.contains(codec)
    }

    /// The dialect with its tracks chosen for a stream with `tracks`: where the wanted one is missing or
    /// cannot be taken, the first that can.
    ///
    /// # Errors
    /// [`UnacceptedCodec`] if the stream has pictures, and none that the receiver takes; or has only sound, and
    /// none that it takes.
    pub fn fitted<'a>(
        self,
        tracks: impl Iterator<Item = &'a Track> + Clone,
    ) -> Result<Self, UnacceptedCodec> {
        let of = |kind| tracks.clone().filter(move |track| track.id.kind == kind);
        let taken = |kind, wanted| {
            let mut fitting = of(kind).filter(|track| self.codecs.contains(track.codec));
            let first = fitting.clone().map(|track| track.id.index).min();
            fitting.find(|track| track.id.index == wanted).map(|track| track.id.index).or(first)
        };
        let (video, audio) = match self.tracks {
            TrackChoice::One { video, audio } => (video, audio),
            TrackChoice::All => (0, 0),
        };
        let (shown, heard) = (taken(MediaKind::Video, video), taken(MediaKind::Audio, audio));
        let (pictures, sounds) = (of(MediaKind::Video).next(), of(MediaKind::Audio).next());
        match (shown, heard, pictures, sounds) {
            (None, _, Some(missed), _) | (None, None, None, Some(missed)) => {
                return Err(UnacceptedCodec { codec: missed.codec });
            }
            _ => {}
        }
        let tracks = match self.tracks {
            TrackChoice::All => TrackChoice::All,
            TrackChoice::One { .. } => {
                TrackChoice::One { video: shown.unwrap_or(video), audio: heard.unwrap_or(audio) }
            }
        };
        Ok(Self { tracks, ..self })
    }
}

/// A stream has nothing that a receiver takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the stream is {codec}, which this player says it does not take")]
pub struct UnacceptedCodec {
    /// The codec of the first track that the receiver would have needed.
    pub codec: Codec,
}

/// A set of codecs. The codecs of the Flash age (and script data) are members of every set.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct CodecSet(u16);

/// The codecs that a set can leave out, in the order of their bits.
const BITS: [Codec; 12] = [
    Codec::H264,
    Codec::H265,
    Codec::H266,
    Codec::Av1,
    Codec::Vp8,
    Codec::Vp9,
    Codec::Aac,
    Codec::Mp3 { flv_flags: 0x2F },
    Codec::Opus,
    Codec::Flac,
    Codec::Ac3,
    Codec::Eac3,
];

impl CodecSet {
    /// Every codec.
    pub const ALL: Self = Self((1 << BITS.len()) - 1);

    /// What FLV carried before Enhanced RTMP: H.264, AAC, MP3 and older.
    #[must_use]
    pub fn flash() -> Self {
        [*b"avc1", *b"mp4a", *b".mp3"].into_iter().fold(Self(0), Self::with)
    }

    /// The set with one codec more, by FourCC; `*` followed by anything stands for all. A FourCC that
    /// nobody knows adds nothing.
    #[must_use]
    pub fn with(self, four_cc: [u8; 4]) -> Self {
        let bit = BITS.iter().position(|codec| codec.four_cc() == Some(four_cc));
        bit.map_or(self, |bit| Self(self.0 | 1 << bit))
    }

    /// Whether frames of this codec are taken.
    #[must_use]
    pub fn contains(self, codec: Codec) -> bool {
        let Some(four_cc) = codec.four_cc() else { return true };
        self.with(four_cc) == self
    }

    /// The FourCCs of the set, video first.
    pub fn four_ccs(self) -> impl Iterator<Item = [u8; 4]> {
        BITS.iter().filter(move |codec| self.contains(**codec)).filter_map(|codec| codec.four_cc())
    }
}

impl fmt::Debug for CodecSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.four_ccs().map(|code| code.escape_ascii().to_string())).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn track(kind: MediaKind, index: u8, codec: Codec) -> Track {
        Track::new(TrackId { kind, index }, codec, Bytes::new())
    }

    #[test]
    fn a_set_knows_its_members_and_never_leaves_out_the_flash_age() {
        assert!(CodecSet::ALL.contains(Codec::Av1) && CodecSet::ALL.contains(Codec::Eac3));
        let flash = CodecSet::flash();
        assert!(flash.contains(Codec::Aac) && flash.contains(Codec::FlvAudio(0xB2)));
        assert!(flash.contains(Codec::Mp3 { flv_flags: 0x22 }) && !flash.contains(Codec::H265));
        assert!(flash.with(*b"hvc1").contains(Codec::H265));
        assert_eq!(flash.with(*b"none"), flash);
    }

    #[test]
    fn the_first_track_that_can_be_taken_stands_in_for_the_wanted_one() {
        let tracks = [
            track(MediaKind::Video, 0, Codec::H265),
            track(MediaKind::Video, 1, Codec::H264),
            track(MediaKind::Audio, 2, Codec::Aac),
        ];
        let flash = Dialect { codecs: CodecSet::flash(), ..Dialect::PLAIN };
        let fitted = flash.fitted(tracks.iter()).unwrap();
        assert_eq!(fitted.tracks, TrackChoice::One { video: 1, audio: 2 });
        assert!(fitted.admits(tracks[1].id, Codec::H264) && !fitted.admits(tracks[0].id, Codec::H265));
        let wanting = Dialect { tracks: TrackChoice::One { video: 1, audio: 9 }, ..Dialect::PLAIN };
        assert_eq!(wanting.fitted(tracks.iter()).unwrap().tracks, TrackChoice::One { video: 1, audio: 2 });
        assert_eq!(Dialect::FULL.fitted(tracks.iter()), Ok(Dialect::FULL));
    }

    #[test]
    fn who_can_take_nothing_is_told() {
        let flash = Dialect { codecs: CodecSet::flash(), ..Dialect::PLAIN };
        let (hevc, aac) = (track(MediaKind::Video, 0, Codec::H265), track(MediaKind::Audio, 0, Codec::Aac));
        assert_eq!(flash.fitted([&hevc, &aac].into_iter()), Err(UnacceptedCodec { codec: Codec::H265 }));
        let opus = track(MediaKind::Audio, 0, Codec::Opus);
        assert_eq!(flash.fitted([&opus].into_iter()), Err(UnacceptedCodec { codec: Codec::Opus }));
        let avc = track(MediaKind::Video, 0, Codec::H264);
        assert!(
            flash.fitted([&avc, &opus].into_iter()).is_ok(),
            "pictures without sound are no black screen"
        );
        assert!(flash.fitted([].into_iter()).is_ok(), "nothing is known yet");
    }
}
