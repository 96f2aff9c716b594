//! Media time: one signed nanosecond scale for every container.
//!
//! Nanoseconds because every time base in use (milliseconds, 90 kHz, sample rates up to a few hundred
//! kilohertz, the nanosecond offsets of Enhanced RTMP) survives the way there and back without loss.

use std::fmt;
use std::ops::{Add, Sub};

const NANOS_PER_MS: i64 = 1_000_000;
const NANOS_PER_SECOND: i128 = 1_000_000_000;

/// A point on a stream's own timeline, or the distance between two such points, in nanoseconds.
///
/// Never wall-clock time. The range is ± 292 years; arithmetic saturates, so no value that a peer can
/// choose panics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The origin of a timeline.
    pub const ZERO: Self = Self(0);

    /// From milliseconds, the unit of RTMP and FLV.
    #[must_use]
    pub const fn from_ms(ms: i64) -> Self {
        Self(ms.saturating_mul(NANOS_PER_MS))
    }

    /// From nanoseconds.
    #[must_use]
    pub const fn from_nanos(nanos: i64) -> Self {
        Self(nanos)
    }

    /// From `ticks` of `1/timescale` seconds, rounded to the nearest nanosecond. A timescale of zero
    /// (malformed input) counts as one tick per second.
    #[must_use]
    pub fn from_ticks(ticks: i64, timescale: u32) -> Self {
        let timescale = i128::from(timescale.max(1));
        Self(saturate(div_round(i128::from(ticks) * NANOS_PER_SECOND, timescale)))
    }

    /// Whole milliseconds, rounded to the nearest: what RTMP and FLV carry.
    #[must_use]
    pub fn as_ms(self) -> i64 {
        saturate(div_round(i128::from(self.0), i128::from(NANOS_PER_MS)))
    }

    /// Nanoseconds.
    #[must_use]
    pub const fn as_nanos(self) -> i64 {
        self.0
    }

    /// Seconds, for people and for `onMetaData`.
    #[must_use]
    pub fn as_seconds(self) -> f64 {
        self.0 as f64 / 1e9
    }

    /// Ticks of `1/timescale` seconds, rounded to the nearest tick.
    #[must_use]
    pub fn to_ticks(self, timescale: u32) -> i64 {
        saturate(div_round(i128::from(self.0) * i128::from(timescale), NANOS_PER_SECOND))
    }
}

impl Add for Timestamp {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl Sub for Timestamp {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.3} s", self.as_seconds())
    }
}

fn div_round(value: i128, by: i128) -> i128 {
    (value + by / 2).div_euclid(by)
}

fn saturate(value: i128) -> i64 {
    i64::try_from(value).unwrap_or(if value < 0 { i64::MIN } else { i64::MAX })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn milliseconds_are_rounded_to_the_nearest() {
        assert_eq!(Timestamp::from_nanos(1_499_999).as_ms(), 1);
        assert_eq!(Timestamp::from_nanos(1_500_000).as_ms(), 2);
        assert_eq!(Timestamp::from_nanos(-1_500_001).as_ms(), -2);
    }

    #[test]
    fn extremes_saturate() {
        assert_eq!(Timestamp::from_ms(i64::MAX), Timestamp::from_nanos(i64::MAX));
        assert_eq!(Timestamp::from_ticks(i64::MIN, 0), Timestamp::from_nanos(i64::MIN));
        let sum = Timestamp::from_nanos(i64::MAX) + Timestamp::from_ms(1);
        assert_eq!(sum, Timestamp::from_nanos(i64::MAX));
    }

    proptest! {
        #[test]
        fn any_timescale_survives_the_round_trip(
            // One tick per second and more of them would leave the range of ± 292 years.
            ticks in -9_000_000_000i64..9_000_000_000,
            timescale in prop::sample::select(vec![1u32, 600, 1000, 11025, 44100, 48000, 90000, 192_000]),
        ) {
            prop_assert_eq!(Timestamp::from_ticks(ticks, timescale).to_ticks(timescale), ticks);
        }
    }
}
