//! Pixels, and how they become a JPEG.

use crate::refusal::{Refusal, RefusalKind};

/// How well a JPEG keeps a picture, 1 to 100.
#[cfg(feature = "thumbnails")]
const QUALITY: u8 = 80;

/// A picture as red, green and blue, 8 bits each, row by row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Canvas {
    pub(crate) width: u16,
    pub(crate) height: u16,
    pub(crate) rgb: Vec<u8>,
}

impl Canvas {
    /// A black canvas.
    pub(crate) fn black(width: u16, height: u16) -> Self {
        Self { width, height, rgb: vec![0; 3 * usize::from(width) * usize::from(height)] }
    }

    /// Lays a picture on this one, its upper left corner at `(x, y)`. What lies outside is cut off.
    pub(crate) fn paste(&mut self, picture: &Self, x: u16, y: u16) {
        let stride = 3 * usize::from(self.width);
        let length = 3 * usize::from(picture.width.min(self.width.saturating_sub(x)));
        let rows = picture.rgb.chunks_exact(3 * usize::from(picture.width.max(1)));
        let places = self.rgb.chunks_exact_mut(stride.max(1)).skip(usize::from(y));
        for (place, row) in places.zip(rows) {
            let from = 3 * usize::from(x);
            if let (Some(place), Some(row)) = (place.get_mut(from..from + length), row.get(..length)) {
                place.copy_from_slice(row);
            }
        }
    }

    /// The picture turned clockwise by so many quarters, left and right swapped before if it is mirrored.
    #[cfg(feature = "thumbnails")]
    pub(super) fn turned(self, quarters: u8, is_mirrored: bool) -> Self {
        if quarters.is_multiple_of(4) && !is_mirrored {
            return self;
        }
        let (width, height) = (usize::from(self.width), usize::from(self.height));
        let is_lying = quarters % 2 == 1;
        let (wide, high) = if is_lying { (self.height, self.width) } else { (self.width, self.height) };
        let mut out = Self::black(wide, high);
        for (at, pixel) in out.rgb.chunks_exact_mut(3).enumerate() {
            let (x, y) = (at % usize::from(wide.max(1)), at / usize::from(wide.max(1)));
            // Where it was before the turn.
            let (column, row) = match quarters % 4 {
                0 => (x, y),
                1 => (y, height - 1 - x),
                2 => (width - 1 - x, height - 1 - y),
                _ => (width - 1 - y, x),
            };
            let column = if is_mirrored { width - 1 - column } else { column };
            let from = 3 * (row * width + column);
            if let Some(source) = self.rgb.get(from..from + 3) {
                pixel.copy_from_slice(source);
            }
        }
        out
    }

    /// The picture as JPEG (JFIF).
    ///
    /// # Errors
    /// `Unsupported` for a picture without a pixel.
    #[cfg(feature = "thumbnails")]
    pub(crate) fn to_jpeg(&self) -> Result<Vec<u8>, Refusal> {
        let mut out = Vec::new();
        let mut encoder = jpeg_encoder::Encoder::new(&mut out, QUALITY);
        encoder.set_sampling_factor(jpeg_encoder::SamplingFactor::F_2_2);
        encoder.encode(&self.rgb, self.width, self.height, jpeg_encoder::ColorType::Rgb).map_err(
            |error| Refusal::new(RefusalKind::Unsupported, format!("the picture cannot be written: {error}")),
        )?;
        Ok(out)
    }

    /// Without an encoder there are no pictures.
    #[cfg(not(feature = "thumbnails"))]
    pub(crate) fn to_jpeg(&self) -> Result<Vec<u8>, Refusal> {
        Err(not_built())
    }
}

/// What is said where no decoder and no encoder is built in.
#[cfg(not(feature = "thumbnails"))]
pub(super) fn not_built() -> Refusal {
    Refusal::new(
        RefusalKind::Unsupported,
        "this binary was built without pictures (feature `thumbnails`)".to_owned(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(feature = "thumbnails")]
    #[test]
    fn a_picture_is_turned_clockwise() {
        // Three pixels above three others.
        let picture = Canvas { width: 3, height: 2, rgb: (1..=6).flat_map(|value| [value; 3]).collect() };
        let turned = |quarters, is_mirrored| {
            let canvas = picture.clone().turned(quarters, is_mirrored);
            let pixels: Vec<u8> = canvas.rgb.iter().step_by(3).copied().collect();
            (canvas.width, canvas.height, pixels)
        };
        assert_eq!(turned(0, false), (3, 2, vec![1, 2, 3, 4, 5, 6]));
        assert_eq!(turned(1, false), (2, 3, vec![4, 1, 5, 2, 6, 3]));
        assert_eq!(turned(2, false), (3, 2, vec![6, 5, 4, 3, 2, 1]));
        assert_eq!(turned(3, false), (2, 3, vec![3, 6, 2, 5, 1, 4]));
        assert_eq!(turned(0, true), (3, 2, vec![3, 2, 1, 6, 5, 4]));
        assert_eq!(turned(1, true), (2, 3, vec![6, 3, 5, 2, 4, 1]));
    }

    #[test]
    fn what_hangs_over_the_edge_is_cut_off() {
        let mut sheet = Canvas::black(4, 3);
        let white = Canvas { width: 3, height: 2, rgb: vec![255; 18] };
        sheet.paste(&white, 2, 2);
        sheet.paste(&white, 9, 9);
        let lit: Vec<usize> = (0..12).filter(|pixel| sheet.rgb[3 * pixel] == 255).collect();
        assert_eq!(lit, [10, 11]);
    }
}
