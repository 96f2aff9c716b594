//! The times of a document (TTML 2, 12.3.1): a clock, or a number with its unit.

use super::xml::Tag;
use crate::Timestamp;

const SECOND: u128 = 1_000_000_000;

/// What frames and ticks are in a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Clock {
    /// Frames in so many seconds.
    frames: u32,
    seconds: u32,
    /// Frames that a second of a clock counts.
    counted: u32,
    /// Ticks per second.
    ticks: u32,
}

impl Clock {
    /// As the root element says; `None` if it cannot be read.
    pub(super) fn of(root: &Tag<'_>) -> Option<Self> {
        let positive = |name, usual| match root.attribute(name) {
            Some(value) => value.trim().parse::<u32>().ok().filter(|value| *value > 0),
            None => Some(usual),
        };
        let has_frames = root.attribute("frameRate").is_some();
        let rate = positive("frameRate", 30)?;
        let (times, seconds) = match root.attribute("frameRateMultiplier") {
            Some(multiplier) => {
                let (times, seconds) = multiplier.trim().split_once([' ', ':'])?;
                let positive = |value: &str| value.trim().parse::<u32>().ok().filter(|value| *value > 0);
                (positive(times)?, positive(seconds)?)
            }
            None => (1, 1),
        };
        let parts = positive("subFrameRate", 1)?;
        let ticks = if has_frames { rate.checked_mul(parts)? } else { 1 };
        let ticks = positive("tickRate", ticks)?;
        Some(Self { frames: rate.checked_mul(times)?, seconds, counted: rate, ticks })
    }

    /// Reads a time; `None` if it is none.
    pub(super) fn time(&self, text: &str) -> Option<Timestamp> {
        let text = text.trim();
        let nanos = if text.contains(':') { self.clock_time(text)? } else { self.offset(text)? };
        i64::try_from(nanos).ok().map(Timestamp::from_nanos)
    }

    /// `01:02:03`, with a fraction or with frames behind it.
    fn clock_time(&self, text: &str) -> Option<u128> {
        let mut parts = text.split(':');
        let hours = whole(parts.next()?)?;
        let minutes = whole(parts.next()?).filter(|minutes| *minutes < 60)?;
        let seconds = decimal(parts.next()?).filter(|seconds| *seconds < 60 * SECOND)?;
        let frames = match parts.next() {
            // Parts of a frame are finer than anybody shows them.
            Some(frames) => decimal(frames.split_once('.').map_or(frames, |(frames, _)| frames))?,
            None => 0,
        };
        // Counted as if the multiplier were 1: 30 for 29.97.
        let is_within = frames < u128::from(self.counted) * SECOND;
        if parts.next().is_some() || !is_within {
            return None;
        }
        Some((hours * 3600 + minutes * 60) * SECOND + seconds + self.framed(frames))
    }

    /// `1.5s`, `36f`, `90000t`.
    fn offset(&self, text: &str) -> Option<u128> {
        let unit = text.find(|letter: char| letter.is_ascii_alphabetic())?;
        let (number, unit) = text.split_at(unit);
        let number = decimal(number)?;
        Some(match unit {
            "h" => number * 3600,
            "m" => number * 60,
            "s" => number,
            "ms" => number / 1000,
            "f" => self.framed(number),
            "t" => number / u128::from(self.ticks),
            _ => return None,
        })
    }

    /// Nanoseconds of so many thousand millionths of a frame.
    fn framed(&self, frames: u128) -> u128 {
        frames * u128::from(self.seconds) / u128::from(self.frames)
    }
}

/// Digits alone, not too many.
fn whole(text: &str) -> Option<u128> {
    let is_number = (1..=12).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    if is_number { text.parse().ok() } else { None }
}

/// A number in thousand millionths of one.
fn decimal(text: &str) -> Option<u128> {
    let (before, fraction) = text.split_once('.').unwrap_or((text, "0"));
    if fraction.is_empty() || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let digits = fraction.get(..fraction.len().min(9))?;
    let scale = 10u128.pow(9 - u32::try_from(digits.len()).ok()?);
    Some(whole(before)? * SECOND + digits.parse::<u128>().ok()? * scale)
}

#[cfg(test)]
mod tests {
    use super::super::xml::{Token, Tokens};
    use super::*;

    fn clock(attributes: &str) -> Option<Clock> {
        let document = format!("<tt {attributes}>");
        let Some(Ok(Token::Open(root))) = Tokens::new(&document).next() else { panic!("{document}") };
        Clock::of(&root)
    }

    #[test]
    fn times_in_every_form() {
        let clock = clock("ttp:frameRate='25' ttp:tickRate='10000000'").unwrap();
        for (text, nanos) in [
            ("00:00:01", 1_000_000_000),
            ("01:02:03.456", 3_723_456_000_000),
            ("100:00:00.5", 360_000_500_000_000),
            ("00:00:01:05", 1_200_000_000),
            ("00:00:01:05.1", 1_200_000_000),
            ("1.5s", 1_500_000_000),
            ("250ms", 250_000_000),
            ("1.5m", 90_000_000_000),
            ("2h", 7_200_000_000_000),
            ("36f", 1_440_000_000),
            ("12345678t", 1_234_567_800),
            (" 7s ", 7_000_000_000),
        ] {
            assert_eq!(clock.time(text), Some(Timestamp::from_nanos(nanos)), "{text}");
        }
        for text in [
            "",
            "1",
            "s",
            "1:2",
            "00:00:01:25",
            "00:60:00",
            "00:00:60",
            "-1s",
            "1.s",
            "1e3s",
            "0:0:0:0:0",
            "5x",
        ] {
            assert_eq!(clock.time(text), None, "{text}");
        }
    }

    #[test]
    fn frames_and_ticks_are_what_the_document_says() {
        let ntsc = clock("ttp:frameRate=\"30\" ttp:frameRateMultiplier=\"1000 1001\"").unwrap();
        assert_eq!(ntsc.time("30f"), Some(Timestamp::from_nanos(1_001_000_000)));
        assert_eq!(ntsc.time("00:00:00:29"), Some(Timestamp::from_nanos(967_633_333)));
        assert_eq!(
            ntsc.time("30t"),
            Some(Timestamp::from_ms(1000)),
            "a tick is a frame without its multiplier"
        );
        assert_eq!(clock("").unwrap().time("3t"), Some(Timestamp::from_ms(3000)));
        assert_eq!(clock("").unwrap().time("15f"), Some(Timestamp::from_ms(500)), "thirty frames a second");
        let parts = clock("frameRate='25' subFrameRate='4'").unwrap();
        assert_eq!(parts.time("100t"), Some(Timestamp::from_ms(1000)));
        for broken in ["frameRate='0'", "frameRate='x'", "tickRate='0'", "frameRateMultiplier='1'"] {
            assert_eq!(clock(broken), None, "{broken}");
        }
    }
}
