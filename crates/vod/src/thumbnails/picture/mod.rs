//! Still pictures: one key frame decoded, scaled and written as JPEG.
//!
//! No file and no task here: bytes in, bytes out, however long it takes. Who calls does so off the
//! asynchronous threads. The bytes are a stranger's: size and work are bounded before anything is
//! decoded, and a decoder that panics costs the picture and nothing else.

mod canvas;
#[cfg(feature = "thumbnails")]
mod colour;
#[cfg(feature = "thumbnails")]
mod h264;
#[cfg(feature = "thumbnails")]
mod scale;

use headwater_media::index::Index;
use headwater_media::{Orientation, Track};

use crate::refusal::Refusal;
#[cfg(feature = "thumbnails")]
use crate::refusal::RefusalKind;

pub(super) use self::canvas::Canvas;

/// A key frame of more bytes is not decoded.
pub(super) const KEY_FRAME_BYTES_MAX: u32 = 8 << 20;

/// A film's track with what must be known to draw its pictures as they are shown.
#[derive(Clone, Debug)]
#[cfg_attr(
    not(feature = "thumbnails"),
    expect(dead_code, reason = "without a decoder nothing is drawn of it")
)]
pub(super) struct PictureTrack {
    pub(super) track: Track,
    /// Width to height of one pixel, if the film's file says it beside the pictures themselves.
    pub(super) pixel_aspect: Option<(u32, u32)>,
    pub(super) orientation: Orientation,
}

impl PictureTrack {
    /// The track of a sample, as it is there.
    pub(super) fn of(index: &Index, number: usize) -> Option<Self> {
        let sample = index.samples().get(number)?;
        let indexed = index.tracks().get(usize::from(sample.track))?;
        let described = index.described_at(number);
        let described = described.iter().find(|described| described.track.id == indexed.track.id)?;
        Some(Self {
            track: described.track.clone(),
            pixel_aspect: described.entry.pixel_aspect,
            orientation: indexed.orientation,
        })
    }

    /// The shape that it has on the screen, of the one that its pictures have by themselves.
    #[cfg(feature = "thumbnails")]
    fn shown(&self, mut shape: scale::Shape) -> scale::Shape {
        shape.sample_aspect = self.pixel_aspect.or(shape.sample_aspect);
        shape.is_turned = self.orientation.quarter_turns().is_some_and(|(turns, _)| turns % 2 == 1);
        shape
    }
}

/// Draws a key frame of the track, at most `width` pixels wide and never larger than it is. The height
/// follows from the picture as it is shown: cropped, with its pixels' aspect ratio, and turned upright where a quarter
/// turn or two does that.
///
/// # Errors
/// `Unsupported` unless the codec is H.264 in 4:2:0 or 4:2:2; `Damaged` where decoding fails.
#[cfg(feature = "thumbnails")]
pub(super) fn draw(film: &PictureTrack, key_frame: &[u8], width: u16) -> Result<Canvas, Refusal> {
    check(&film.track)?;
    // The decoder is left behind after a panic: nothing of it is used again.
    let decoded = std::panic::catch_unwind(|| h264::decode(&film.track.config, key_frame));
    let picture = decoded
        .map_err(|_| Refusal::new(RefusalKind::Damaged, "the key frame broke the decoder".to_owned()))??;
    let shape = film.shown(picture.shape);
    let (width, height) = shape.fit(width);
    let coded = if shape.is_turned { (height, width) } else { (width, height) };
    let canvas = scale::to_canvas(&picture, coded);
    let (turns, is_mirrored) = film.orientation.quarter_turns().unwrap_or_default();
    Ok(canvas.turned(turns, is_mirrored))
}

/// The width and height that [`draw`] gives, without a key frame.
///
/// # Errors
/// As [`draw`].
#[cfg(feature = "thumbnails")]
pub(super) fn size(film: &PictureTrack, width: u16) -> Result<(u16, u16), Refusal> {
    check(&film.track)?;
    let shape = std::panic::catch_unwind(|| h264::shape(&film.track.config));
    let shape = shape.map_err(|_| {
        Refusal::new(RefusalKind::Damaged, "the configuration broke the decoder".to_owned())
    })??;
    Ok(film.shown(shape).fit(width))
}

#[cfg(feature = "thumbnails")]
fn check(track: &Track) -> Result<(), Refusal> {
    if track.codec == headwater_media::Codec::H264 {
        return Ok(());
    }
    Err(Refusal::new(
        RefusalKind::Unsupported,
        format!("pictures are made of H.264 only, and this film is {}", track.codec),
    ))
}

/// Without a decoder there are no pictures.
#[cfg(not(feature = "thumbnails"))]
pub(super) fn draw(_: &PictureTrack, _: &[u8], _: u16) -> Result<Canvas, Refusal> {
    Err(canvas::not_built())
}

/// Without a decoder there are no pictures.
#[cfg(not(feature = "thumbnails"))]
pub(super) fn size(_: &PictureTrack, _: u16) -> Result<(u16, u16), Refusal> {
    Err(canvas::not_built())
}

#[cfg(all(test, feature = "thumbnails"))]
mod tests;
