//! How the pictures of a track are turned for showing: the matrix of `tkhd` (ISO 14496-12, 8.3.2).

/// A matrix as MP4 has it: a, b, u, c, d, v, x, y, w, where u, v and w have 2 bits before the point and 30 behind it,
/// the others 16 and 16. Phones note by it how they were held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Orientation([i32; 9]);

/// 1 in 16.16 and in 2.30.
const ONE: i32 = 1 << 16;
const ONE_OF_W: i32 = 1 << 30;

impl Default for Orientation {
    fn default() -> Self {
        Self::UPRIGHT
    }
}

impl Orientation {
    /// As the pictures are coded.
    pub const UPRIGHT: Self = Self([ONE, 0, 0, 0, ONE, 0, 0, 0, ONE_OF_W]);

    /// From the fields of a box.
    #[must_use]
    pub const fn new(fields: [i32; 9]) -> Self {
        Self(fields)
    }

    /// The fields, as a box has them.
    #[must_use]
    pub const fn fields(&self) -> &[i32; 9] {
        &self.0
    }

    /// First turned as `self` says and then as `next` does: `tkhd`, and then the movie's own (6.2.2).
    #[must_use]
    pub fn then(self, next: Self) -> Self {
        if next == Self::UPRIGHT {
            return self;
        }
        // Products have the sum of both numbers of bits behind the point; one of the two is taken off again.
        const POINT: [u32; 3] = [16, 16, 30];
        let mut out = [0; 9];
        for (at, field) in out.iter_mut().enumerate() {
            let (row, column) = (3 * (at / 3), at % 3);
            let product = |inner: usize| {
                let factors = i64::from(self.0[row + inner]) * i64::from(next.0[3 * inner + column]);
                factors >> POINT[inner]
            };
            let sum: i64 = (0..3).map(product).sum();
            *field = sum.clamp(i32::MIN.into(), i32::MAX.into()) as i32;
        }
        Self(out)
    }

    /// How many quarters of a full turn, clockwise, and whether left and right were swapped before; `None` if it is
    /// another turn, which players alone can show. By how much it also grows or moves is left out.
    #[must_use]
    pub fn quarter_turns(&self) -> Option<(u8, bool)> {
        let [a, b, _, c, d, ..] = self.0;
        match [a.signum(), b.signum(), c.signum(), d.signum()] {
            [1, 0, 0, 1] => Some((0, false)),
            [0, 1, -1, 0] => Some((1, false)),
            [-1, 0, 0, -1] => Some((2, false)),
            [0, -1, 1, 0] => Some((3, false)),
            [-1, 0, 0, 1] => Some((0, true)),
            [0, -1, -1, 0] => Some((1, true)),
            [1, 0, 0, -1] => Some((2, true)),
            [0, 1, 1, 0] => Some((3, true)),
            _ => None,
        }
    }

    /// The same in degrees clockwise, as people say it; 0 if it is upright, mirrored or another turn.
    #[must_use]
    pub fn degrees(&self) -> u16 {
        match self.quarter_turns() {
            Some((turns, false)) => u16::from(turns) * 90,
            _ => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUARTER: Orientation = Orientation([0, ONE, 0, -ONE, 0, 0, 480 * ONE, 0, ONE_OF_W]);
    const MIRROR: Orientation = Orientation([-ONE, 0, 0, 0, ONE, 0, 0, 0, ONE_OF_W]);

    #[test]
    fn quarters_add_up_to_a_whole_turn() {
        let half = QUARTER.then(QUARTER);
        let turns = [Orientation::UPRIGHT, QUARTER, half, half.then(QUARTER), half.then(half)];
        let degrees = turns.map(|turn| turn.degrees());
        assert_eq!(degrees, [0, 90, 180, 270, 0]);
        assert_eq!(QUARTER.then(Orientation::UPRIGHT), QUARTER);
        assert_eq!(Orientation::UPRIGHT.then(QUARTER), QUARTER);
        // What is at (480, 0) comes to (480, 480).
        assert_eq!(half.fields()[6..8], [480 * ONE, 480 * ONE]);
    }

    #[test]
    fn a_mirror_comes_before_the_turn() {
        assert_eq!(MIRROR.quarter_turns(), Some((0, true)));
        assert_eq!(MIRROR.then(QUARTER).quarter_turns(), Some((1, true)));
        assert_eq!(MIRROR.then(QUARTER).then(QUARTER).quarter_turns(), Some((2, true)));
        assert_eq!(MIRROR.then(MIRROR), Orientation::UPRIGHT);
        let slanted = Orientation([ONE, ONE, 0, -ONE, ONE, 0, 0, 0, ONE_OF_W]);
        assert_eq!((slanted.quarter_turns(), slanted.degrees()), (None, 0));
    }
}
