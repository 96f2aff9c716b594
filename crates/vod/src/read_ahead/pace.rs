//! How fast recorded frames are sent: the player's buffer is filled at once and then kept full.

use std::time::Duration;

use headwater_hub::Fill;
use headwater_media::Timestamp;

/// What a player that says nothing is taken to hold.
const BUFFER_DEFAULT: Duration = Duration::from_secs(3);
/// A shorter buffer than this would run dry between two of our turns.
const BUFFER_MIN: Duration = Duration::from_millis(100);
/// How long to sleep at most once the buffer is full: the size of the portions that follow.
const PORTION_MAX: Duration = Duration::from_millis(250);

/// How fast frames are sent. The clock is an argument: time since any moment that stays the same.
#[derive(Debug)]
pub struct Pace {
    buffer: Duration,
    /// When it began to run, and with a frame of which time.
    since: Option<(Duration, Timestamp)>,
    fill: Fill,
}

/// What the pace allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// Frames of a time before this.
    Until(Timestamp),
    /// None for so long.
    After(Duration),
}

impl Default for Pace {
    fn default() -> Self {
        Self { buffer: BUFFER_DEFAULT, since: None, fill: Fill::Filling }
    }
}

impl Pace {
    /// How much the player holds.
    pub fn set_buffer(&mut self, buffer: Duration) {
        self.buffer = buffer.max(BUFFER_MIN);
    }

    /// Begins anew with an empty buffer.
    pub const fn restart(&mut self) {
        self.since = None;
        self.fill = Fill::Filling;
    }

    /// How it stands with the player's buffer.
    pub const fn fill(&self) -> Fill {
        self.fill
    }

    /// What may go out at `now`, where the next frame's time is `next`.
    pub fn due(&mut self, now: Duration, next: Timestamp) -> Due {
        let (since, base) = *self.since.get_or_insert((now, next));
        let ahead = now.saturating_sub(since).saturating_add(self.buffer).as_nanos();
        let horizon = base + Timestamp::from_nanos(i64::try_from(ahead).unwrap_or(i64::MAX));
        if next < horizon {
            if self.fill == Fill::Full {
                self.fill = Fill::Kept;
            }
            return Due::Until(horizon);
        }
        if self.fill == Fill::Filling {
            self.fill = Fill::Full;
        }
        let early = Duration::from_nanos(u64::try_from((next - horizon).as_nanos()).unwrap_or(0));
        Due::After(early.max(PORTION_MAX.min(self.buffer / 4)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn a_buffer_is_filled_then_kept_full_in_portions() {
        let mut pace = Pace::default();
        pace.set_buffer(ms(2_000));
        let began = ms(70_000);
        assert_eq!(pace.due(began, Timestamp::from_ms(500)), Due::Until(Timestamp::from_ms(2_500)));
        assert_eq!(pace.fill(), Fill::Filling);
        assert_eq!(pace.due(began + ms(10), Timestamp::from_ms(2_520)), Due::After(PORTION_MAX));
        assert_eq!(pace.fill(), Fill::Full);
        let due = pace.due(began + ms(300), Timestamp::from_ms(2_520));
        assert_eq!((due, pace.fill()), (Due::Until(Timestamp::from_ms(2_800)), Fill::Kept));
    }

    #[test]
    fn a_gap_is_slept_through_at_once_and_a_restart_begins_with_an_empty_buffer() {
        let mut pace = Pace::default();
        pace.set_buffer(ms(0));
        assert_eq!(pace.due(ms(0), Timestamp::ZERO), Due::Until(Timestamp::from_ms(100)));
        assert_eq!(pace.due(ms(0), Timestamp::from_ms(5_000)), Due::After(ms(4_900)));
        pace.restart();
        assert_eq!(pace.fill(), Fill::Filling);
        assert_eq!(pace.due(ms(9), Timestamp::from_ms(5_000)), Due::Until(Timestamp::from_ms(5_100)));
    }

    #[test]
    fn a_buffer_of_years_takes_everything() {
        let mut pace = Pace::default();
        pace.set_buffer(Duration::MAX);
        let Due::Until(horizon) = pace.due(ms(1), Timestamp::from_ms(7)) else { panic!("it waits") };
        assert!(horizon > Timestamp::from_ms(i64::from(u32::MAX)));
    }
}
