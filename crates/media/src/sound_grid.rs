//! The grid of a sound's samples: FLV and RTMP count milliseconds, so a frame of 1024 samples comes 23 or 24 of them after the one
//! before; here it is put back where it was.

use crate::codec::aac::AudioSpecificConfig;
use crate::codec::ac3::Ac3Header;
use crate::codec::flac::FlacConfig;
use crate::codec::mp3::Mp3Header;
use crate::codec::opus;
use crate::{Codec, Timestamp, Track};

/// A frame this near to its place on the grid is put there: a millisecond each way is rounding, another one what
/// the sender's own clock may add. A frame farther off is believed, so that gaps stay gaps.
const TOLERANCE: Timestamp = Timestamp::from_nanos(2_000_000);

/// How many samples a frame of sound holds, of how many a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SoundFrame {
    /// Samples per second.
    pub(crate) rate: u32,
    /// Samples of each channel.
    pub(crate) samples: u32,
}

/// The frames of one track, placed one after the other.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct SoundGrid {
    /// Where the grid was begun, its rate, and how many samples behind that the next frame is due.
    begun: Option<(Timestamp, u32, u64)>,
    last: Option<Timestamp>,
}

impl SoundFrame {
    /// What is known of a frame; nothing of codecs whose frames can be of any length.
    pub(crate) fn of(track: &Track, payload: &[u8]) -> Option<Self> {
        let (rate, samples) = match track.codec {
            Codec::Aac => {
                let aac = AudioSpecificConfig::parse(&track.config).ok()?;
                (aac.sample_rate, aac.frame_length.into())
            }
            Codec::Mp3 { .. } => {
                let head = Mp3Header::parse(payload)?;
                (head.sample_rate, head.samples)
            }
            Codec::Opus => (opus::SAMPLE_RATE, opus::packet_samples(payload)?),
            // Only the last block of a stream of fixed blocks is shorter, and nothing follows it.
            Codec::Flac => {
                let flac = FlacConfig::parse(&track.config).ok()?;
                (flac.sample_rate, flac.block_len.into())
            }
            Codec::Ac3 | Codec::Eac3 => {
                let head = Ac3Header::parse(payload).ok()?;
                (head.sample_rate, head.samples.into())
            }
            _ => return None,
        };
        (rate > 0 && samples > 0).then_some(Self { rate, samples })
    }

    /// How long it lasts.
    pub(crate) fn lasts(self) -> Timestamp {
        Timestamp::from_ticks(self.samples.into(), self.rate)
    }
}

impl SoundGrid {
    /// The time of the next frame, which came with `given`.
    pub(crate) fn place(&mut self, given: Timestamp, frame: SoundFrame) -> Timestamp {
        let due = self.begun.filter(|(_, rate, _)| *rate == frame.rate).map(|(at, rate, samples)| {
            at + Timestamp::from_ticks(i64::try_from(samples).unwrap_or(i64::MAX), rate)
        });
        let is_near = |due: &Timestamp| (*due - given).max(given - *due) <= TOLERANCE;
        let samples = u64::from(frame.samples);
        let place = match (due.filter(is_near), &mut self.begun) {
            (Some(due), Some((_, _, passed))) => {
                *passed = passed.saturating_add(samples);
                due
            }
            _ => {
                // A frame never goes back behind one that was put later than it came.
                let at = self.last.map_or(given, |last| given.max(last));
                self.begun = Some((at, frame.rate, samples));
                at
            }
        };
        self.last = Some(place);
        place
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const AAC_44100: SoundFrame = SoundFrame { rate: 44_100, samples: 1024 };

    #[test]
    fn rounded_times_go_back_to_the_grid_and_gaps_stay() {
        let mut grid = SoundGrid::default();
        for number in 0..100_000 {
            let exact = Timestamp::from_ticks(1024 * number, 44_100);
            assert_eq!(grid.place(Timestamp::from_ms(exact.as_ms()), AAC_44100), exact);
        }
        let end = Timestamp::from_ticks(1024 * 100_000, 44_100);
        let late = Timestamp::from_ms(end.as_ms() + 40);
        assert_eq!(grid.place(late, AAC_44100), late);
        let next = grid.place(Timestamp::from_ms(late.as_ms() + 23), AAC_44100);
        assert_eq!((next - late).to_ticks(44_100), 1024);
    }

    #[test]
    fn times_that_were_cut_off_find_the_grid_as_well() {
        let mut grid = SoundGrid::default();
        let times: Vec<i64> = (0..1000)
            .map(|number| {
                let cut = Timestamp::from_ms(1024 * 1000 * number / 44_100);
                grid.place(cut, AAC_44100).to_ticks(44_100)
            })
            .collect();
        assert!(times.windows(2).all(|pair| pair[1] - pair[0] == 1024));
    }

    #[test]
    fn a_clock_that_drifts_is_followed() {
        let mut grid = SoundGrid::default();
        // A hundredth too fast.
        for number in 0..100_000i64 {
            let given = Timestamp::from_ms(1024 * 1010 * number / 44_100);
            let place = grid.place(given, AAC_44100);
            assert!((place - given).max(given - place) <= TOLERANCE, "frame {number}");
        }
    }

    proptest! {
        #[test]
        fn any_times_in_order_stay_in_order_and_near(steps in prop::collection::vec(0i64..100, 1..300)) {
            let mut grid = SoundGrid::default();
            let (mut given, mut last) = (0, Timestamp::from_ms(i64::MIN));
            for step in steps {
                given += step;
                let at = Timestamp::from_ms(given);
                let place = grid.place(at, AAC_44100);
                prop_assert!(place >= last);
                prop_assert!((place - at).max(at - place) <= TOLERANCE);
                last = place;
            }
        }
    }
}
