//! A decoded picture, smaller and in colours.

use super::Canvas;
use super::colour::{Converter, Meaning};

/// The smallest side of a picture that is drawn, in pixels: what shares one colour difference.
const SIDE_MIN: u32 = 2;
/// The greatest height, in pixels: that of 4K. Widths are bounded by who asks.
const HEIGHT_MAX: u32 = 2160;

/// A picture as a decoder gives it: luma and two colour differences, cropped already.
#[derive(Clone, Debug)]
pub(super) struct Picture {
    pub width: u32,
    pub height: u32,
    pub shape: Shape,
    /// Width and height of the planes of colour differences.
    pub chroma: (u32, u32),
    /// Samples row by row, one byte each, or two (little end first) where they have more than 8 bits.
    pub planes: [Vec<u8>; 3],
    pub meaning: Meaning,
}

/// How a picture is shown, before it is scaled.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape {
    pub width: u32,
    pub height: u32,
    /// Width to height of one pixel, if the film says it.
    pub sample_aspect: Option<(u32, u32)>,
    /// Whether it is shown lying on its side, so that the width on the screen is the height here.
    pub is_turned: bool,
}

impl Shape {
    /// The size on the screen at which it is drawn when it may be `width` wide there.
    pub(super) fn fit(&self, width: u16) -> (u16, u16) {
        let (over, under) = self.sample_aspect.unwrap_or((1, 1));
        let shown_width = f64::from(self.width) * f64::from(over) / f64::from(under.max(1));
        let shown_height = f64::from(self.height);
        let (shown_width, shown_height) =
            if self.is_turned { (shown_height, shown_width) } else { (shown_width, shown_height) };
        let scale = (f64::from(width) / shown_width).min(f64::from(HEIGHT_MAX) / shown_height).min(1.0);
        // Float to integer casts saturate.
        let side = |length: f64| (length * scale).round().max(f64::from(SIDE_MIN)) as u16;
        (side(shown_width), side(shown_height))
    }
}

/// Draws the picture at that size.
pub(super) fn to_canvas(picture: &Picture, (width, height): (u16, u16)) -> Canvas {
    let two_bytes = picture.meaning.depth > 8;
    let (chroma_width, chroma_height) = picture.chroma;
    // Colour differences stand at the left one of the two pixels that they belong to (H.264, Annex E:
    // chroma_sample_loc_type 0), a quarter of their own distance off the middle.
    let left = if chroma_width < picture.width { 0.25 } else { 0.0 };
    let plane = |samples, (wide, high), shift| Resampler {
        samples,
        two_bytes,
        columns: taps(wide, width, shift),
        rows: taps(high, height, 0.0),
        stride: wide as usize,
        sum: vec![0.0; wide as usize],
    };
    let [luma, cb, cr] = &picture.planes;
    let mut luma = plane(luma, (picture.width, picture.height), 0.0);
    let mut cb = plane(cb, (chroma_width, chroma_height), left);
    let mut cr = plane(cr, (chroma_width, chroma_height), left);
    let converter = Converter::new(picture.meaning, picture.shape.height);
    let mut canvas = Canvas::black(width, height);
    let mut lines = [vec![0.0; width.into()], vec![0.0; width.into()], vec![0.0; width.into()]];
    for (number, row) in canvas.rgb.chunks_exact_mut(3 * usize::from(width).max(1)).enumerate() {
        let [y, u, v] = &mut lines;
        luma.line(number, y);
        cb.line(number, u);
        cr.line(number, v);
        for (((pixel, y), u), v) in row.chunks_exact_mut(3).zip(y).zip(u).zip(v) {
            pixel.copy_from_slice(&converter.rgb(*y, *u, *v));
        }
    }
    canvas
}

/// Which samples make one sample of the result: the first one, and the weight of each.
struct Taps {
    first: usize,
    weights: Vec<f32>,
}

/// A triangle over each new sample: as wide as two new samples where there are fewer of them, as wide as
/// two old ones where there are more.
fn taps(from: u32, to: u16, shift: f64) -> Vec<Taps> {
    let ratio = f64::from(from) / f64::from(to.max(1));
    let reach = ratio.max(1.0);
    let last = f64::from(from.saturating_sub(1));
    (0..to)
        .map(|place| {
            let centre = (f64::from(place) + 0.5) * ratio - 0.5 + shift;
            let first = (centre - reach).ceil().clamp(0.0, last);
            let end = (centre + reach).floor().clamp(0.0, last);
            let count = (end - first) as usize + 1;
            let weight = |step: usize| (1.0 - (first + step as f64 - centre).abs() / reach).max(0.0);
            let total: f64 = (0..count).map(weight).sum();
            let weights = if total > 0.0 {
                (0..count).map(|step| (weight(step) / total) as f32).collect()
            } else {
                vec![1.0]
            };
            Taps { first: first as usize, weights }
        })
        .collect()
}

/// Makes lines of one plane at the new size, without a copy of the plane.
struct Resampler<'a> {
    samples: &'a [u8],
    two_bytes: bool,
    stride: usize,
    columns: Vec<Taps>,
    rows: Vec<Taps>,
    sum: Vec<f32>,
}

impl Resampler<'_> {
    /// Line `number` of the result.
    fn line(&mut self, number: usize, out: &mut [f32]) {
        let Some(taps) = self.rows.get(number) else { return };
        self.sum.fill(0.0);
        for (row, weight) in (taps.first..).zip(&taps.weights) {
            if self.two_bytes {
                let bytes = self.samples.chunks_exact(2).skip(row * self.stride);
                for (sum, sample) in self.sum.iter_mut().zip(bytes) {
                    *sum += weight * f32::from(u16::from_le_bytes([sample[0], sample[1]]));
                }
            } else {
                let bytes = self.samples.get(row * self.stride..).unwrap_or_default();
                for (sum, sample) in self.sum.iter_mut().zip(bytes) {
                    *sum += weight * f32::from(*sample);
                }
            }
        }
        for (out, taps) in out.iter_mut().zip(&self.columns) {
            let samples = self.sum.get(taps.first..).unwrap_or_default();
            *out = samples.iter().zip(&taps.weights).map(|(sample, weight)| sample * weight).sum();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(width: u32, height: u32, sample_aspect: Option<(u32, u32)>) -> Shape {
        Shape { width, height, sample_aspect, is_turned: false }
    }

    fn grey(width: u32, height: u32) -> Picture {
        let chroma = (width / 2, height / 2);
        let plane = |(width, height), value| vec![value; (width * height) as usize];
        Picture {
            width,
            height,
            shape: shape(width, height, None),
            chroma,
            planes: [plane((width, height), 120), plane(chroma, 128), plane(chroma, 128)],
            meaning: Meaning { matrix: 1, full_range: true, depth: 8 },
        }
    }

    #[test]
    fn the_shape_on_the_screen_is_kept_and_nothing_is_enlarged() {
        assert_eq!(shape(1920, 1080, None).fit(320), (320, 180));
        assert_eq!(shape(160, 90, None).fit(320), (160, 90));
        // PAL, wide.
        assert_eq!(shape(720, 576, Some((64, 45))).fit(512), (512, 288));
        // Narrow pixels.
        assert_eq!(shape(720, 480, Some((8, 9))).fit(320), (320, 240));
        // One of a telephone, held upright.
        assert_eq!(shape(1080, 1920, None).fit(320), (320, 569));
        let lying = Shape { is_turned: true, ..shape(1920, 1080, None) };
        assert_eq!(lying.fit(320), (320, 569));
        assert_eq!(Shape { is_turned: true, ..shape(720, 576, Some((64, 45))) }.fit(288), (288, 512));
        assert_eq!(shape(4096, 16, Some((65_535, 1))).fit(100), (100, 2));
        assert_eq!(shape(16, 2304, None).fit(u16::MAX).1, 2160);
    }

    #[test]
    fn an_even_area_stays_even_at_every_size() {
        for size in [(2, 2), (33, 17), (64, 64), (100, 7), (200, 300)] {
            let canvas = to_canvas(&grey(64, 48), size);
            assert_eq!(canvas.rgb.len(), 3 * usize::from(size.0) * usize::from(size.1));
            assert!(canvas.rgb.iter().all(|value| *value == 120), "{size:?}");
        }
    }

    #[test]
    fn every_sample_counts_the_same() {
        let columns = taps(1000, 10, 0.0);
        let mut shares = vec![0.0; 1000];
        for taps in &columns {
            assert!((taps.weights.iter().sum::<f32>() - 1.0).abs() < 1e-5);
            (taps.first..).zip(&taps.weights).for_each(|(place, weight)| shares[place] += weight);
        }
        // Beyond the edges there is nothing to share with.
        assert!(shares[150..850].iter().all(|share| (share - 0.01_f32).abs() < 1e-4));
    }
}
