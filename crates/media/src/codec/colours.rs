//! What colours are meant, by the numbers that all codecs and MP4 share (ITU-T H.273).

/// How the numbers of a picture become colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Colours {
    /// Colour primaries: 1 = BT.709, 2 = unspecified, 9 = BT.2020…
    pub primaries: u8,
    /// Transfer characteristics: 1 = BT.709, 2 = unspecified, 16 = PQ, 18 = HLG…
    pub transfer: u8,
    /// Matrix coefficients: 0 = RGB, 1 = BT.709, 2 = unspecified, 9 = BT.2020…
    pub matrix: u8,
    /// Whether numbers run from 0 to the largest, not in the limited range of television.
    pub full_range: bool,
}

impl Colours {
    /// Nothing is said.
    pub const UNSPECIFIED: Self = Self { primaries: 2, transfer: 2, matrix: 2, full_range: false };

    /// Whether they are what players take for granted: BT.709 or nothing said, in limited range.
    #[must_use]
    pub fn are_usual(self) -> bool {
        let Self { primaries, transfer, matrix, full_range } = self;
        !full_range && [primaries, transfer, matrix].iter().all(|number| matches!(number, 1 | 2))
    }
}
