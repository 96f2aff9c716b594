//! What is wrong with what a publisher sends, as far as its frames tell: found while they pass, in numbers; the words are
//! for who shows it.

use std::collections::VecDeque;
use std::time::Duration;

use headwater_media::regularity::{Irregularity, KeyInterval, REMARKABLE};
use headwater_media::{Frame, MediaKind, Timestamp, TrackId};

/// Key frames farther apart than this keep newcomers waiting, or far behind. Encoders are told to send one every two
/// seconds; four are common.
const KEY_INTERVAL_MAX: Timestamp = Timestamp::from_ms(5_000);
/// How long pictures may come before their first key frame.
const KEY_PATIENCE: Duration = Duration::from_secs(3);
/// Sound and pictures that stay farther apart than this are seen and heard to be.
const APART_MAX: Timestamp = Timestamp::from_ms(250);
/// Over so long the tracks must not have come together once: what a network hands over in lumps is not apart.
const APART_WINDOW: Duration = Duration::from_secs(5);
/// Over so long media time is held against the clock.
const PACE_WINDOW: Duration = Duration::from_secs(12);
/// How often the pace is noted.
const PACE_EVERY: Duration = Duration::from_secs(1);
/// Slower than this, in thousandths of real time, viewers run dry every few minutes.
const PACE_MIN: u32 = 930;
/// Faster than this, in thousandths of real time, it is no live source: clocks differ by less than one in a thousand.
const PACE_MAX: u32 = 1_100;
/// For so long a jump of the publisher's clock is told of.
const JUMP_KEPT: Duration = Duration::from_secs(600);
/// The jumps of all tracks within so long are one.
const JUMP_LASTS: Duration = Duration::from_secs(2);
/// Tracks whose times are looked at; no player takes as many.
const TRACKS_MAX: usize = 16;

/// Something that is wrong now, or was a moment ago.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ailment {
    /// Pictures come, and for so long no key frame with which one could begin: nobody sees anything.
    NoKeyframe(Duration),
    /// Key frames lie so far apart.
    KeyframesFar(Timestamp),
    /// Nothing has come of a track for so long, while others went on.
    Silent(MediaKind, Timestamp),
    /// Sound comes so far ahead of the pictures, or behind them if less than zero.
    Apart(Timestamp),
    /// Media comes at this many thousandths of the speed at which it is played.
    Pace(u32),
    /// The publisher's clock has jumped.
    Jumped {
        /// By how much, where that is known: of a clock that began anew it is not.
        by: Option<Timestamp>,
        /// How long ago the last time was.
        ago: Duration,
        /// How often this publisher's clock has.
        times: u64,
    },
}

/// What one publisher's frames have told so far.
#[derive(Debug, Default)]
pub(crate) struct Health {
    tracks: Vec<(TrackId, Newest)>,
    keys: KeyInterval,
    /// When the first picture came that nobody can begin with.
    undecodable_since: Option<Duration>,
    apart: Distance,
    pace: Pace,
    jump: Option<(Option<Timestamp>, Duration)>,
    jumps: u64,
}

/// A track's newest frame.
#[derive(Clone, Copy, Debug)]
struct Newest {
    dts: Timestamp,
    came: Duration,
}

impl Health {
    /// A frame comes, with the publisher's own times.
    pub(crate) fn hear(&mut self, frame: &Frame, now: Duration) {
        if frame.track.kind == MediaKind::Data {
            return;
        }
        let newest = Newest { dts: frame.dts, came: now };
        if let Some((_, known)) = self.tracks.iter_mut().find(|(id, _)| *id == frame.track) {
            let before = std::mem::replace(known, newest);
            self.step(before, newest);
        } else if self.tracks.len() < TRACKS_MAX {
            self.tracks.push((frame.track, newest));
        } else {
            return;
        }
        if frame.track == TrackId::VIDEO && frame.key {
            self.keys.key(frame.dts);
            self.undecodable_since = None;
        }
        self.pace.note(frame.dts, now);
        let video = self.newest(MediaKind::Video);
        let audio = self.newest(MediaKind::Audio);
        if let (Some(audio), Some(video)) = (audio, video) {
            self.apart.note(audio - video, frame.track.kind, now);
        }
    }

    /// A picture comes before the first key frame, and is left out.
    pub(crate) fn is_undecodable(&mut self, now: Duration) {
        self.undecodable_since.get_or_insert(now);
    }

    /// The publisher's clock began anew, as whoever reads its messages has noticed.
    pub(crate) fn clock_restarted(&mut self, now: Duration) {
        self.jumped(None, now);
    }

    /// What is wrong, the worst first. `silent` are the tracks that have fallen silent, and for how long.
    pub(crate) fn ailments(
        &self,
        silent: impl Iterator<Item = (MediaKind, Timestamp)>,
        now: Duration,
    ) -> Vec<Ailment> {
        let waits = self.undecodable_since.map(|since| now.saturating_sub(since));
        let no_keyframe = waits.filter(|&waits| waits >= KEY_PATIENCE).map(Ailment::NoKeyframe);
        let mut ailments: Vec<Ailment> = no_keyframe.into_iter().collect();
        let mut is_silent = false;
        ailments.extend(silent.map(|(kind, lasting)| {
            is_silent = true;
            Ailment::Silent(kind, lasting)
        }));
        if !is_silent {
            ailments
                .extend(self.apart.settled.filter(|&ahead| is_farther(ahead, APART_MAX)).map(Ailment::Apart));
        }
        let interval = self.newest(MediaKind::Video).and_then(|newest| self.keys.at_least(newest));
        ailments.extend(interval.filter(|&every| every > KEY_INTERVAL_MAX).map(Ailment::KeyframesFar));
        let pace = self.pace.permille(now);
        ailments.extend(pace.filter(|pace| !(PACE_MIN..=PACE_MAX).contains(pace)).map(Ailment::Pace));
        if let Some((by, at)) = self.jump {
            let ago = now.saturating_sub(at);
            if ago < JUMP_KEPT {
                ailments.push(Ailment::Jumped { by, ago, times: self.jumps });
            }
        }
        ailments
    }

    /// A leap that took as long as it says is none: a camera may send one picture in ten seconds.
    fn step(&mut self, before: Newest, now: Newest) {
        let Some(irregular) = Irregularity::of_step(now.dts - before.dts) else { return };
        let waited = i64::try_from(now.came.saturating_sub(before.came).as_nanos()).unwrap_or(i64::MAX);
        let excess = irregular.by() - Timestamp::from_nanos(waited);
        if is_farther(excess, REMARKABLE) {
            self.jumped(Some(irregular.by()), now.came);
        }
    }

    fn jumped(&mut self, by: Option<Timestamp>, now: Duration) {
        let is_same = self.jump.is_some_and(|(_, at)| now.saturating_sub(at) < JUMP_LASTS);
        if !is_same {
            self.jumps += 1;
            self.jump = Some((by, now));
        }
        self.pace = Pace::default();
        self.apart = Distance::default();
        self.keys = KeyInterval::default();
    }

    fn newest(&self, kind: MediaKind) -> Option<Timestamp> {
        self.tracks.iter().filter(|(id, _)| id.kind == kind).map(|(_, newest)| newest.dts).max()
    }
}

fn is_farther(distance: Timestamp, max: Timestamp) -> bool {
    distance > max || distance < Timestamp::ZERO - max
}

/// How far sound runs ahead of the pictures: the least distance of a window in which both have come.
#[derive(Clone, Copy, Debug, Default)]
struct Distance {
    began: Duration,
    /// The least distance since then, and whether sound and pictures have come.
    least: Option<Timestamp>,
    heard: (bool, bool),
    /// That of the last whole window.
    settled: Option<Timestamp>,
}

impl Distance {
    fn note(&mut self, ahead: Timestamp, kind: MediaKind, now: Duration) {
        let Some(least) = self.least else {
            *self = Self { began: now, least: Some(ahead), heard: (false, false), settled: self.settled };
            return;
        };
        if !is_farther(ahead, Timestamp::from_nanos(least.as_nanos().saturating_abs())) {
            self.least = Some(ahead);
        }
        match kind {
            MediaKind::Audio => self.heard.0 = true,
            _ => self.heard.1 = true,
        }
        if now.saturating_sub(self.began) >= APART_WINDOW && self.heard == (true, true) {
            self.settled = self.least.take();
        }
    }
}

/// Media time against the clock.
#[derive(Debug, Default)]
struct Pace {
    /// The newest time and when it came, about once a second; the oldest first.
    notes: VecDeque<(Timestamp, Duration)>,
}

impl Pace {
    fn note(&mut self, dts: Timestamp, now: Duration) {
        let is_due = self.notes.back().is_none_or(|(_, at)| now.saturating_sub(*at) >= PACE_EVERY);
        if !is_due {
            return;
        }
        self.notes.push_back((dts, now));
        while self.notes.len() > 2
            && self.notes.get(1).is_some_and(|(_, at)| now.saturating_sub(*at) >= PACE_WINDOW)
        {
            self.notes.pop_front();
        }
    }

    /// Thousandths of real time; none until enough has passed. A publisher of which nothing comes slows down.
    fn permille(&self, now: Duration) -> Option<u32> {
        let ((first, began), (last, at)) = (self.notes.front()?, self.notes.back()?);
        // The newest note may be a second old, and the frame after it late.
        let until = (*at).max(now.saturating_sub(PACE_EVERY * 2));
        let passed = until.saturating_sub(*began);
        if passed < PACE_WINDOW {
            return None;
        }
        let media = i128::from((*last - *first).as_nanos().max(0));
        let permille = media * 1000 / i128::try_from(passed.as_nanos()).ok()?.max(1);
        Some(u32::try_from(permille).unwrap_or(u32::MAX))
    }
}

#[cfg(test)]
mod tests;
