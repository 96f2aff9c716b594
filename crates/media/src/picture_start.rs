//! Whether decoding can start at a picture, as its own bytes say: one rule for what encoders send and for what lies in
//! files. Flags and tables claim what they like of it.
//!
//! The rule is that of FFmpeg's parsers. IDR and what H.265 and H.266 call intra random access pictures are starts; so is
//! every recovery point, whether pictures come out right from it on at once (an open group of pictures) or only some
//! pictures later (intra refresh): streams with intra refresh have no other start behind their first picture.

use crate::Codec;
use crate::codec::{av1, h264, h265, h266, vp9};

/// What a picture says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PictureStart {
    /// Decoding can start here, and this picture comes out right.
    Key,
    /// Decoding can start here, but pictures come out right only a while later: each renews a part of what is seen.
    Gradual,
    /// It needs no other picture, but those behind it may need some before it.
    Intra,
    /// It needs others.
    Dependent,
}

impl PictureStart {
    /// Whether players can begin here, whatever stands before.
    pub(crate) const fn is_start(self) -> bool {
        matches!(self, Self::Key | Self::Gradual)
    }

    /// What the NAL units of a picture of H.264, H.265 or H.266 say, or those at its beginning; `None` if no slice is
    /// among them.
    pub(crate) fn of_units<'a>(codec: Codec, units: impl Iterator<Item = &'a [u8]>) -> Option<Self> {
        match codec {
            Codec::H264 => of_avc(units),
            Codec::H265 => of_hevc(units),
            Codec::H266 => of_vvc(units),
            _ => None,
        }
    }

    /// What a picture of AV1, VP8 or VP9 says by the bytes at its beginning; `None` if they are too few.
    pub(crate) fn of_bytes(codec: Codec, bytes: &[u8]) -> Option<Self> {
        let is_key = match codec {
            Codec::Av1 => av1::begins_with_key_frame(bytes)?,
            Codec::Vp8 => vp9::is_vp8_key_frame(bytes)?,
            Codec::Vp9 => vp9::is_vp9_key_frame(bytes)?,
            _ => return None,
        };
        Some(if is_key { Self::Key } else { Self::Dependent })
    }
}

fn of_avc<'a>(units: impl Iterator<Item = &'a [u8]>) -> Option<PictureStart> {
    let (mut recovers_after, mut is_intra) = (None, None);
    for unit in units {
        match h264::nal_type(unit) {
            h264::NAL_IDR => return Some(PictureStart::Key),
            h264::NAL_SEI => recovers_after = recovers_after.or_else(|| h264::recovery_point(unit)),
            // One slice that needs others is enough: the heads of those behind it need not be read.
            _ if is_intra != Some(false) => {
                is_intra = h264::SliceHead::parse(unit).map(|slice| slice.is_intra).or(is_intra);
            }
            _ => {}
        }
    }
    Some(match (is_intra?, recovers_after) {
        (true, Some(_)) | (false, Some(0)) => PictureStart::Key,
        (false, Some(_)) => PictureStart::Gradual,
        (true, None) => PictureStart::Intra,
        (false, None) => PictureStart::Dependent,
    })
}

fn of_hevc<'a>(units: impl Iterator<Item = &'a [u8]>) -> Option<PictureStart> {
    let (mut recovers_after, mut has_slice) = (None, false);
    for unit in units {
        let kind = h265::nal_type(unit);
        if h265::NAL_KEY.contains(&kind) {
            return Some(PictureStart::Key);
        }
        recovers_after = recovers_after.or_else(|| h265::recovery_point(unit));
        has_slice |= kind < h265::NO_SLICE;
    }
    has_slice.then_some(match recovers_after {
        Some(..=0) => PictureStart::Key,
        Some(_) => PictureStart::Gradual,
        None => PictureStart::Dependent,
    })
}

fn of_vvc<'a>(units: impl Iterator<Item = &'a [u8]>) -> Option<PictureStart> {
    let mut says = None;
    for kind in units.map(h266::nal_type).filter(|kind| *kind < h266::NO_SLICE) {
        match kind {
            h266::NAL_GRADUAL => return Some(PictureStart::Gradual),
            kind if h266::NAL_KEY.contains(&kind) => return Some(PictureStart::Key),
            _ => says = Some(PictureStart::Dependent),
        }
    }
    says
}

#[cfg(test)]
mod tests {
    use super::PictureStart::{Dependent, Gradual, Intra, Key};
    use super::*;

    /// H.264: slices of an IDR picture, of type I, of type P; recovery at once and after three frames.
    const IDR: &[u8] = &[0x65, 0x88, 0x84];
    const I: &[u8] = &[0x41, 0x88, 0x84];
    const P: &[u8] = &[0x41, 0x9A, 0x20];
    const AT_ONCE: &[u8] = &[0x06, 6, 1, 0xC4, 0x80];
    const LATER: &[u8] = &[0x06, 5, 1, 0x55, 6, 1, 0x24, 0x80];

    fn said(codec: Codec, units: &[&[u8]]) -> Option<PictureStart> {
        PictureStart::of_units(codec, units.iter().copied())
    }

    #[test]
    fn pictures_of_h264() {
        let cases: [(&[&[u8]], _); 10] = [
            (&[IDR], Some(Key)),
            (&[LATER, IDR], Some(Key)),
            (&[AT_ONCE, I], Some(Key)),
            (&[LATER, I], Some(Key)),
            (&[AT_ONCE, P], Some(Key)),
            (&[LATER, P], Some(Gradual)),
            (&[I, I], Some(Intra)),
            (&[I, P], Some(Dependent)),
            (&[P, I], Some(Dependent)),
            (&[AT_ONCE], None),
        ];
        for (units, expected) in cases {
            assert_eq!(said(Codec::H264, units), expected, "{units:02x?}");
        }
        // 0x00 0x00 0x03 in a message in front is no part of it.
        let emulated: &[u8] = &[0x06, 5, 4, 0, 0, 3, 0, 1, 6, 1, 0x24, 0x80];
        assert_eq!(said(Codec::H264, &[emulated, P]), Some(Gradual));
        assert_eq!(said(Codec::H264, &[&[6, 6], P]), Some(Dependent), "an empty message");
    }

    #[test]
    fn pictures_of_h265_and_h266() {
        let hevc = |kind: u8| [kind << 1, 1, 0xAF];
        for (kind, expected) in [(1, Dependent), (16, Key), (19, Key), (21, Key), (0, Dependent)] {
            assert_eq!(said(Codec::H265, &[&hevc(35), &hevc(kind)]), Some(expected), "{kind}");
        }
        // recovery_poc_cnt 0 and 5.
        for (message, expected) in [(0x80, Key), (0x14, Gradual)] {
            let sei = [39 << 1, 1, 6, 1, message, 0x80];
            assert_eq!(said(Codec::H265, &[&sei, &hevc(1)]), Some(expected), "{message:x}");
        }
        let vvc = |kind: u8| [0, kind << 3 | 1, 0xAF];
        for (kind, expected) in [(0, Dependent), (7, Key), (8, Key), (9, Key), (10, Gradual), (11, Dependent)]
        {
            assert_eq!(said(Codec::H266, &[&vvc(19), &vvc(kind)]), Some(expected), "{kind}");
        }
        for codec in [Codec::H265, Codec::H266] {
            assert_eq!(said(codec, &[]), None);
            assert_eq!(said(codec, &[&[40 << 1, 19 << 3 | 1]]), None, "no slice");
        }
    }

    #[test]
    fn pictures_that_are_no_nal_units() {
        for (codec, bytes, expected) in [
            (Codec::Vp8, &[0x10][..], Some(Key)),
            (Codec::Vp8, &[0x11], Some(Dependent)),
            (Codec::Vp9, &[0x82], Some(Key)),
            (Codec::Vp9, &[0x86], Some(Dependent)),
            (Codec::Vp9, &[0xB0], Some(Key)),
            (Codec::Av1, &[0x12, 0, 0x32, 1, 0x10], Some(Key)),
            (Codec::Av1, &[0x12, 0, 0x32, 1, 0x30], Some(Dependent)),
            (Codec::Av1, &[0x12, 0], None),
            (Codec::Vp8, &[], None),
            (Codec::FlvVideo(4), &[0; 9], None),
        ] {
            assert_eq!(PictureStart::of_bytes(codec, bytes), expected, "{codec} {bytes:02x?}");
        }
    }
}
