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

use headwater_media::Track;

use crate::refusal::Refusal;
#[cfg(feature = "thumbnails")]
use crate::refusal::RefusalKind;

pub(super) use self::canvas::Canvas;

/// A key frame of more bytes is not decoded.
pub(super) const KEY_FRAME_BYTES_MAX: u32 = 8 << 20;

/// Draws a key frame of the track, at most `width` pixels wide and never larger than it is. The height
/// follows from the picture as it is shown: cropped, and with its pixels' aspect ratio.
///
/// # Errors
/// `Unsupported` unless the codec is H.264 in 4:2:0 or 4:2:2; `Damaged` where decoding fails.
#[cfg(feature = "thumbnails")]
pub(super) fn draw(track: &Track, key_frame: &[u8], width: u16) -> Result<Canvas, Refusal> {
    check(track)?;
    // The decoder is left behind after a panic: nothing of it is used again.
    let decoded = std::panic::catch_unwind(|| h264::decode(&track.config, key_frame));
    let picture = decoded
        .map_err(|_| Refusal::new(RefusalKind::Damaged, "the key frame broke the decoder".to_owned()))??;
    Ok(scale::to_canvas(&picture, picture.shape.fit(width)))
}

/// The width and height that [`draw`] gives, without a key frame.
///
/// # Errors
/// As [`draw`].
#[cfg(feature = "thumbnails")]
pub(super) fn size(track: &Track, width: u16) -> Result<(u16, u16), Refusal> {
    check(track)?;
    let shape = std::panic::catch_unwind(|| h264::shape(&track.config));
    let shape = shape.map_err(|_| {
        Refusal::new(RefusalKind::Damaged, "the configuration broke the decoder".to_owned())
    })??;
    Ok(shape.fit(width))
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
pub(super) fn draw(_: &Track, _: &[u8], _: u16) -> Result<Canvas, Refusal> {
    Err(canvas::not_built())
}

/// Without a decoder there are no pictures.
#[cfg(not(feature = "thumbnails"))]
pub(super) fn size(_: &Track, _: u16) -> Result<(u16, u16), Refusal> {
    Err(canvas::not_built())
}

#[cfg(all(test, feature = "thumbnails"))]
mod tests;
