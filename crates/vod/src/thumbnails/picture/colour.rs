//! From luma and two colour differences to red, green and blue (ITU-T H.273, 8.3).

/// What the numbers of a picture mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Meaning {
    /// Matrix coefficients as H.273 numbers them.
    pub matrix: u8,
    /// Whether numbers run from 0 to the largest, not in the limited range of television.
    pub full_range: bool,
    /// Bits per sample.
    pub depth: u8,
}

/// One picture's way from its samples to colours.
#[derive(Clone, Copy, Debug)]
pub(super) struct Converter {
    black: f32,
    luma: f32,
    middle: f32,
    red_cr: f32,
    green_cb: f32,
    green_cr: f32,
    blue_cb: f32,
}

impl Converter {
    /// `height` decides where the film does not say its matrix, as players do: high definition is BT.709.
    pub(super) fn new(meaning: Meaning, height: u32) -> Self {
        let (red, blue) = match meaning.matrix {
            1 => (0.2126, 0.0722),
            4 => (0.30, 0.11),
            5 | 6 => (0.299, 0.114),
            7 => (0.212, 0.087),
            9 | 10 => (0.2627, 0.0593),
            _ if height >= 720 => (0.2126, 0.0722),
            _ => (0.299, 0.114),
        };
        let green = 1.0 - red - blue;
        let unit = f32::from(1_u16 << meaning.depth.saturating_sub(8).min(8));
        let (black, luma_span, chroma_span) = if meaning.full_range {
            let largest = 256.0 * unit - 1.0;
            (0.0, largest, largest)
        } else {
            (16.0 * unit, 219.0 * unit, 224.0 * unit)
        };
        let (luma, chroma) = (255.0 / luma_span, 255.0 / chroma_span);
        Self {
            black,
            luma,
            middle: 128.0 * unit,
            red_cr: chroma * 2.0 * (1.0 - red),
            green_cb: chroma * 2.0 * (1.0 - blue) * blue / green,
            green_cr: chroma * 2.0 * (1.0 - red) * red / green,
            blue_cb: chroma * 2.0 * (1.0 - blue),
        }
    }

    /// One pixel.
    pub(super) fn rgb(&self, luma: f32, cb: f32, cr: f32) -> [u8; 3] {
        let luma = (luma - self.black) * self.luma;
        let (cb, cr) = (cb - self.middle, cr - self.middle);
        // Float to integer casts saturate.
        let byte = |value: f32| (value + 0.5) as u8;
        [
            byte(luma + self.red_cr * cr),
            byte(luma - self.green_cb * cb - self.green_cr * cr),
            byte(luma + self.blue_cb * cb),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn converter(matrix: u8, full_range: bool, depth: u8) -> Converter {
        Converter::new(Meaning { matrix, full_range, depth }, 480)
    }

    #[test]
    fn the_ends_of_each_range_are_black_and_white() {
        for (full_range, depth, black, white) in [
            (false, 8, 16.0, 235.0),
            (true, 8, 0.0, 255.0),
            (false, 10, 64.0, 940.0),
            (true, 10, 0.0, 1023.0),
        ] {
            let middle = if depth == 8 { 128.0 } else { 512.0 };
            let converter = converter(1, full_range, depth);
            assert_eq!(converter.rgb(black, middle, middle), [0; 3]);
            assert_eq!(converter.rgb(white, middle, middle), [255; 3]);
        }
    }

    #[test]
    fn pure_red_is_red_in_each_matrix() {
        // Y, Cb, Cr of red in 8 bits, limited range, as the recommendations give them.
        for (matrix, samples) in
            [(6, [81.0, 90.0, 240.0]), (1, [63.0, 102.0, 240.0]), (9, [74.0, 97.0, 240.0])]
        {
            let [red, green, blue] = converter(matrix, false, 8).rgb(samples[0], samples[1], samples[2]);
            assert!(red >= 253 && green <= 2 && blue <= 2, "{matrix}: {red} {green} {blue}");
        }
    }

    #[test]
    fn what_is_not_said_follows_from_the_height() {
        let meaning = Meaning { matrix: 2, full_range: false, depth: 8 };
        let (small, large) = (Converter::new(meaning, 576), Converter::new(meaning, 720));
        assert_eq!(small.red_cr, converter(6, false, 8).red_cr);
        assert_eq!(large.red_cr, converter(1, false, 8).red_cr);
    }
}
