//! The configuration of AAC that came without one, guessed from what its frames show.
//!
//! Only AAC-LC in mono or stereo is guessed, and only where everything fits: frames of 1024 samples whose times
//! are those of a usual rate, and which all begin with the same element. A wrong guess would be noise.

use crate::codec::aac::AudioSpecificConfig;

/// Frames that must agree: a second of sound.
const FRAMES: u32 = 48;
/// Rates in Hz that are guessed. Others are rare, or those that codecs with shorter frames would seem to have.
const RATES: [u32; 9] = [48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000];
/// How far the measured rate may lie from it, in percent. Neighbours are 8 percent apart.
const OFF_PERCENT_MAX: u32 = 3;

/// What the frames have shown so far.
#[derive(Clone, Debug)]
pub(super) struct AacGuess {
    first: Option<Shown>,
    frames: u32,
}

/// What one frame shows.
#[derive(Clone, Copy, Debug)]
struct Shown {
    timestamp_ms: u32,
    /// The first element's type and number: seven bits.
    element: u8,
}

impl AacGuess {
    pub(super) const NEW: Self = Self { first: None, frames: 0 };

    /// Looks at the next frame. The configuration comes back once enough of them agree.
    pub(super) fn look(&mut self, timestamp_ms: u32, frame: &[u8]) -> Option<AudioSpecificConfig> {
        let shown = Shown { timestamp_ms, element: frame.first()? >> 1 };
        let first = *self.first.get_or_insert(shown);
        let channels = channels(first.element);
        if shown.element != first.element || channels.is_none() {
            *self = Self { first: Some(shown), frames: 0 };
            return None;
        }
        let elapsed_ms = timestamp_ms.wrapping_sub(first.timestamp_ms);
        let frames = self.frames;
        self.frames += 1;
        if frames < FRAMES {
            return None;
        }
        *self = Self { first: Some(shown), frames: 1 };
        let samples = u64::from(frames) * 1024 * 1000;
        let measured = u32::try_from(samples / u64::from(elapsed_ms.max(1))).ok()?;
        let rate = RATES.into_iter().find(|rate| rate.abs_diff(measured) <= rate / 100 * OFF_PERCENT_MAX)?;
        Some(AudioSpecificConfig::lc(rate, channels?))
    }
}

/// Channels of sound that begins with this element: one channel, or a pair, with the number 0.
const fn channels(element: u8) -> Option<u8> {
    match element {
        0b000_0000 => Some(1),
        0b001_0000 => Some(2),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEREO: &[u8] = &[0x21, 0x10, 0x04];
    const MONO: &[u8] = &[0x01, 0x40, 0x22];

    fn guess(rate: u32, samples: u32, frame: &[u8], jitter_ms: u32) -> Option<AudioSpecificConfig> {
        let mut guess = AacGuess::NEW;
        (0..60).find_map(|number: u32| {
            let time = number * samples * 1000 / rate + if number % 3 == 1 { jitter_ms } else { 0 };
            guess.look(time.wrapping_add(u32::MAX - 300), frame)
        })
    }

    #[test]
    fn usual_rates_are_told_by_the_times() {
        for rate in RATES {
            assert_eq!(guess(rate, 1024, STEREO, 0), Some(AudioSpecificConfig::lc(rate, 2)), "{rate}");
            assert_eq!(guess(rate, 1024, MONO, 9), Some(AudioSpecificConfig::lc(rate, 1)), "{rate}");
        }
    }

    #[test]
    fn what_does_not_fit_is_not_guessed() {
        assert_eq!(guess(48_000, 512, STEREO, 0), None, "frames of AAC-LD");
        assert_eq!(guess(64_000, 1024, STEREO, 0), None);
        assert_eq!(guess(40_000, 1024, STEREO, 0), None, "no usual rate");
        assert_eq!(guess(48_000, 1024, &[0xC0, 1], 0), None, "another element");
        let mut wandering = AacGuess::NEW;
        assert!(
            (0..200)
                .all(|number: u32| wandering.look(number * 21, &[(number % 7) as u8 * 2 + 0x20]).is_none())
        );
        let mut still = AacGuess::NEW;
        assert!((0..200).all(|_| still.look(7, STEREO).is_none()), "its times say nothing");
    }
}
