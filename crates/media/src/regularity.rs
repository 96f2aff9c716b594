//! How regular the times of a publisher's tracks are: steps that no stream should have, how far apart its key frames lie,
//! and how far its sound runs ahead of its pictures. Whoever explains a conversation and whoever watches a stream's health
//! judge by these.

use crate::Timestamp;

/// Steps of time and distances between tracks that go without a remark.
pub const REMARKABLE: Timestamp = Timestamp::from_ms(1_000);

/// A step between two frames of a track, in decoding order, that no stream should have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Irregularity {
    /// Time went back, by so much (less than zero).
    Back(Timestamp),
    /// Time leapt by so much, more than [`REMARKABLE`].
    Gap(Timestamp),
}

impl Irregularity {
    /// What is wrong with a step, if anything is.
    #[must_use]
    pub fn of_step(step: Timestamp) -> Option<Self> {
        if step < Timestamp::ZERO {
            Some(Self::Back(step))
        } else if step > REMARKABLE {
            Some(Self::Gap(step))
        } else {
            None
        }
    }

    /// By how much time went wrong.
    #[must_use]
    pub const fn by(self) -> Timestamp {
        match self {
            Self::Back(by) | Self::Gap(by) => by,
        }
    }
}

/// Key frames of one track: how far apart they lie.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KeyInterval {
    newest: Option<Timestamp>,
    whole: Option<Timestamp>,
}

impl KeyInterval {
    /// A key frame comes.
    pub fn key(&mut self, at: Timestamp) {
        if let Some(before) = self.newest.replace(at) {
            self.whole = Some(at - before);
        }
    }

    /// The time from one key frame to the next, of the two that came last; none before there are two.
    #[must_use]
    pub const fn whole(&self) -> Option<Timestamp> {
        self.whole
    }

    /// As [`whole`](Self::whole); or, where that is longer, the time since the newest key frame.
    #[must_use]
    pub fn at_least(&self, now: Timestamp) -> Option<Timestamp> {
        let open = self.newest.map(|newest| now - newest);
        self.whole.max(open)
    }
}

/// How far two tracks lie apart, told when it becomes remarkable and again only after they have come together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Apart {
    is_told: bool,
}

impl Apart {
    /// Looks at the tracks' newest times; the distance if it is to be told now.
    pub fn look(&mut self, audio: Timestamp, video: Timestamp) -> Option<Timestamp> {
        let ahead = audio - video;
        let is_apart = ahead > REMARKABLE || ahead < Timestamp::ZERO - REMARKABLE;
        let is_news = is_apart && !self.is_told;
        self.is_told = is_apart;
        is_news.then_some(ahead)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(ms: i64) -> Timestamp {
        Timestamp::from_ms(ms)
    }

    #[test]
    fn steps_back_and_leaps_are_irregular() {
        for regular in [0, 1, 40, 1000] {
            assert_eq!(Irregularity::of_step(ms(regular)), None, "{regular}");
        }
        assert_eq!(Irregularity::of_step(ms(-1)), Some(Irregularity::Back(ms(-1))));
        assert_eq!(Irregularity::of_step(ms(1001)).map(Irregularity::by), Some(ms(1001)));
    }

    #[test]
    fn key_frames_lie_as_far_apart_as_they_did_last_or_as_the_next_is_late() {
        let mut keys = KeyInterval::default();
        assert_eq!((keys.whole(), keys.at_least(ms(9_000))), (None, None));
        keys.key(ms(1_000));
        assert_eq!((keys.whole(), keys.at_least(ms(3_000))), (None, Some(ms(2_000))));
        keys.key(ms(11_000));
        keys.key(ms(13_000));
        assert_eq!((keys.whole(), keys.at_least(ms(13_500))), (Some(ms(2_000)), Some(ms(2_000))));
        assert_eq!(keys.at_least(ms(20_000)), Some(ms(7_000)));
    }

    #[test]
    fn that_tracks_lie_apart_is_told_once() {
        let mut apart = Apart::default();
        assert_eq!(apart.look(ms(1_000), ms(0)), None);
        assert_eq!(apart.look(ms(1_500), ms(0)), Some(ms(1_500)));
        assert_eq!(apart.look(ms(1_600), ms(0)), None);
        assert_eq!(apart.look(ms(1_600), ms(1_500)), None);
        assert_eq!(apart.look(ms(1_600), ms(3_000)), Some(ms(-1_400)));
    }
}
