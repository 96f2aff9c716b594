//! 32-bit timestamps made into one endless timeline.
//!
//! [`TimestampUnwrap`] undoes the wrap of the 32-bit field; [`SteadyTimeline`] keeps each track from going backwards.

/// How close to the 31-bit seam both sides of a jump must be to be taken for its wrap.
const SEAM_MS: i64 = 10 * 60 * 1000;
const HALF: i64 = 1 << 31;
/// A track that goes back by more than this has started over; less is jitter (quirk 54).
const RESTART_MS: i64 = 3000;

/// Extends the 32-bit millisecond timestamps of one sender to 64 bits.
///
/// Neighbours are taken to be within 2^31 ms of each other (serial arithmetic), so tracks may be
/// interleaved across the wrap in any order. Senders that mask bit 31 away (OBS in FLV, SRS) wrap at
/// 2^31; a jump over that seam with both ends within ten minutes of it counts as such a wrap.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct TimestampUnwrap {
    last: Option<(u32, i64)>,
}

impl TimestampUnwrap {
    /// The endless value of the next timestamp.
    pub(crate) fn extend(&mut self, timestamp_ms: u32) -> i64 {
        let extended = self.peek(timestamp_ms);
        self.last = Some((timestamp_ms, extended));
        extended
    }

    /// The endless value of a timestamp, without taking it for the neighbour of the next.
    pub(crate) fn peek(&self, timestamp_ms: u32) -> i64 {
        let Some((last, extended)) = self.last else { return i64::from(timestamp_ms) };
        // Reinterpreting the wrapped difference as signed is the serial comparison itself.
        let mut step = i64::from(timestamp_ms.wrapping_sub(last) as i32);
        if timestamp_ms >> 31 == 0 && last >> 31 == 0 {
            if step < SEAM_MS - HALF {
                step += HALF;
            } else if step > HALF - SEAM_MS {
                step -= HALF;
            }
        }
        extended.saturating_add(step)
    }
}

/// What was done to a timestamp.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// It stands as sent.
    Regular,
    /// It lay a little before its predecessor and was moved just behind it.
    Clamped,
    /// The sender had started its clock anew; the timeline goes on without a gap.
    Restarted,
}

/// Where a frame lies on the steady timeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TimelinePosition {
    /// Decoding time in milliseconds.
    pub(crate) dts_ms: i64,
    /// How far that is behind the time that was sent.
    pub(crate) delay_ms: i64,
    /// What was done.
    pub(crate) step: Step,
}

/// One track's part of [`SteadyTimeline`].
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct TrackTime {
    last: Option<i64>,
    shift: i64,
    /// Among the tracks of its sender; given with the first frame.
    number: usize,
    /// Where the frame before wanted to leap to and was not let, on the sender's clock.
    leap: Option<i64>,
}

impl TrackTime {
    /// Before the first frame.
    pub(crate) const NEW: Self = Self { last: None, shift: 0, number: 0, leap: None };
}

/// Keeps decoding times of each track from going backwards, and the tracks together.
///
/// When one track's clock starts over, its distance to the old timeline is kept as the stream's shift,
/// so that the other tracks, which start over a moment later, take the same and stay in step.
///
/// One frame alone that leaps away from its own track and from another one that runs beside it is believed
/// only when a second frame follows it there. Otherwise its time was a slip, and following it there and
/// back would leave the tracks apart.
#[derive(Clone, Debug, Default)]
pub(crate) struct SteadyTimeline {
    shift: i64,
    newest: Option<i64>,
    /// Of each track by its number: the last place, and where it wanted to leap to.
    tracks: Vec<(i64, Option<i64>)>,
}

impl SteadyTimeline {
    /// The place of `extended` on the steady timeline of `track`.
    pub(crate) fn place(&mut self, track: &mut TrackTime, extended: i64) -> TimelinePosition {
        if self.is_slip(track, extended) {
            return self.hold(track, extended);
        }
        let mut step = Step::Regular;
        match track.last {
            None => {
                track.shift = self.shift;
                track.number = self.tracks.len();
                self.tracks.push((0, None));
            }
            Some(last) if last.saturating_sub(extended.saturating_add(track.shift)) > RESTART_MS => {
                let by_stream = extended.saturating_add(self.shift);
                if !near(last, by_stream) {
                    let (place, clock) =
                        self.leapt(extended).unwrap_or_else(|| (last.saturating_add(1), extended));
                    self.shift = place.saturating_sub(clock);
                }
                track.shift = self.shift;
                step = Step::Restarted;
            }
            Some(_) => {}
        }
        let meant = extended.saturating_add(track.shift);
        let mut dts_ms = meant;
        if let Some(last) = track.last.filter(|&last| meant < last) {
            dts_ms = last.saturating_add(1);
            if step == Step::Regular {
                step = Step::Clamped;
            }
        }
        track.leap = None;
        self.keep(track, dts_ms);
        TimelinePosition { dts_ms, delay_ms: dts_ms.saturating_sub(meant), step }
    }

    /// Whether a frame leaps, neither the frame before nor another track has leapt there already, and
    /// another track goes on where this one was.
    fn is_slip(&self, track: &TrackTime, extended: i64) -> bool {
        let Some(last) = track.last else { return false };
        let (own, by_stream) = (extended.saturating_add(track.shift), extended.saturating_add(self.shift));
        if track.leap.is_some() || near(own, last) || near(by_stream, last) {
            return false;
        }
        let others = || self.tracks.iter().enumerate().filter(|(number, _)| *number != track.number);
        let has_leapt = |&(place, leap): &(i64, Option<i64>)| {
            near(own, place) || near(by_stream, place) || leap.is_some_and(|leap| near(leap, extended))
        };
        others().any(|(_, other)| near(other.0, last)) && !others().any(|(_, other)| has_leapt(other))
    }

    /// Puts a frame just behind its predecessor, whatever time it has.
    fn hold(&mut self, track: &mut TrackTime, extended: i64) -> TimelinePosition {
        track.leap = Some(extended);
        let dts_ms = track.last.map_or(extended, |last| last.saturating_add(1));
        self.keep(track, dts_ms);
        TimelinePosition { dts_ms, delay_ms: 0, step: Step::Clamped }
    }

    /// Where the frame that leapt to this clock first was put, and the time that it had on it.
    fn leapt(&self, extended: i64) -> Option<(i64, i64)> {
        let leaps = self.tracks.iter().filter_map(|&(place, leap)| Some((place, leap?)));
        leaps.into_iter().find(|&(_, clock)| near(clock, extended))
    }

    fn keep(&mut self, track: &mut TrackTime, dts_ms: i64) {
        track.last = Some(dts_ms);
        if let Some(mine) = self.tracks.get_mut(track.number) {
            *mine = (dts_ms, track.leap);
        }
        self.newest = self.newest.max(track.last);
    }

    /// The place of script data. Senders put it anywhere (often at 0), so a time far from the media is
    /// replaced by that of the newest frame, and it never moves the media.
    pub(crate) fn place_data(&self, extended: i64) -> i64 {
        let meant = extended.saturating_add(self.shift);
        match self.newest {
            Some(newest) if newest.saturating_sub(meant).saturating_abs() > RESTART_MS => newest,
            _ => meant,
        }
    }
}

fn near(a: i64, b: i64) -> bool {
    a.saturating_sub(b).saturating_abs() <= RESTART_MS
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn starts_just_before_each_seam_go_through_it() {
        for seam in [0x00FF_FFFFu64, 1 << 31, 1 << 32] {
            let start = seam - 5000;
            let mut unwrap = TimestampUnwrap::default();
            for step in 0..1000 {
                let sent = (start + step * 10) as u32;
                assert_eq!(unwrap.extend(sent), (start + step * 10) as i64, "seam {seam:#x}");
            }
        }
    }

    #[test]
    fn a_sender_that_masks_bit_31_goes_through_its_wrap_with_interleaved_tracks() {
        let start = (1i64 << 31) - 5000;
        let mut unwrap = TimestampUnwrap::default();
        for step in 0..1000 {
            for late in [0, 800] {
                let time = start + step * 10 - late;
                assert_eq!(unwrap.extend((time & 0x7FFF_FFFF) as u32), time);
            }
        }
    }

    #[test]
    fn a_full_32_bit_sender_and_one_that_masks_are_told_apart_at_the_seam() {
        let mut full = TimestampUnwrap::default();
        assert_eq!(full.extend(0x7FFF_FFFF), 0x7FFF_FFFF);
        assert_eq!(full.extend(0x8000_0000), 0x8000_0000);
        let mut masked = TimestampUnwrap::default();
        masked.extend(0x7FFF_FFFF);
        assert_eq!(masked.extend(0), 0x8000_0000);
    }

    #[test]
    fn a_restart_of_the_clock_keeps_both_tracks_in_step() {
        let mut steady = SteadyTimeline::default();
        let (mut video, mut audio) = (TrackTime::default(), TrackTime::default());
        steady.place(&mut video, 60_000);
        steady.place(&mut audio, 60_010);
        let mut place = |track: &mut TrackTime, at| {
            let place = steady.place(track, at);
            (place.dts_ms, place.step)
        };
        assert_eq!(place(&mut video, 0), (60_001, Step::Clamped), "not yet believed");
        assert_eq!(place(&mut audio, 60_030), (60_030, Step::Regular), "a late message of old");
        assert_eq!(place(&mut audio, 10), (60_031, Step::Restarted), "shifted as video, then clamped");
        assert_eq!(place(&mut video, 40), (60_041, Step::Restarted));
        assert_eq!(place(&mut audio, 40), (60_041, Step::Regular));
    }

    #[test]
    fn one_frame_alone_that_slips_moves_nothing() {
        for slip in [0, 900_000_000, -5000, 70_000] {
            let mut steady = SteadyTimeline::default();
            let (mut video, mut audio) = (TrackTime::default(), TrackTime::default());
            for step in 0..50 {
                let at = 60_000 + step * 40;
                let sent = if step % 10 == 9 { slip } else { at };
                let (video, audio) =
                    (steady.place(&mut video, sent).dts_ms, steady.place(&mut audio, at).dts_ms);
                let expected = if sent == at { at } else { at - 39 };
                assert_eq!((video, audio), (expected, at), "slip to {slip}");
            }
        }
    }

    #[test]
    fn a_leap_ahead_of_both_tracks_is_believed_with_the_second_frame() {
        let mut steady = SteadyTimeline::default();
        let (mut video, mut audio) = (TrackTime::default(), TrackTime::default());
        steady.place(&mut video, 0);
        steady.place(&mut audio, 10);
        assert_eq!(steady.place(&mut video, 900_000).dts_ms, 1, "not yet believed");
        assert_eq!(steady.place(&mut audio, 900_010).dts_ms, 900_010);
        assert_eq!(steady.place(&mut video, 900_040).dts_ms, 900_040);
        // A track that is alone is believed at once, and so is one that leaps to where another is.
        let (mut steady, mut video) = (SteadyTimeline::default(), TrackTime::default());
        steady.place(&mut video, 0);
        assert_eq!(steady.place(&mut video, 10_000).dts_ms, 10_000);
        let mut audio = TrackTime::default();
        assert_eq!(steady.place(&mut audio, 10_010).dts_ms, 10_010);
        assert_eq!(steady.place(&mut audio, 20_000).dts_ms, 10_011);
        assert_eq!(steady.place(&mut video, 20_000).dts_ms, 20_000);
    }

    #[test]
    fn jitter_is_clamped_and_equal_times_are_left() {
        let mut steady = SteadyTimeline::default();
        let mut track = TrackTime::default();
        let placed: Vec<i64> =
            [100, 140, 130, 140, 180, 180].map(|at| steady.place(&mut track, at).dts_ms).into();
        assert_eq!(placed, [100, 140, 141, 142, 180, 180]);
    }

    proptest! {
        #[test]
        fn any_timestamps_never_go_back(times in prop::collection::vec(any::<u32>(), 0..200)) {
            let (mut unwrap, mut steady) = (TimestampUnwrap::default(), SteadyTimeline::default());
            let mut track = TrackTime::default();
            let mut last = i64::MIN;
            for time in times {
                let placed = steady.place(&mut track, unwrap.extend(time)).dts_ms;
                prop_assert!(placed >= last);
                last = placed;
            }
        }

        #[test]
        fn small_steps_forward_are_kept_to_the_millisecond(
            start in any::<u32>(), steps in prop::collection::vec(0u32..2000, 1..200),
        ) {
            let mut unwrap = TimestampUnwrap::default();
            let mut sent = start;
            let mut expected = i64::from(start);
            prop_assert_eq!(unwrap.extend(sent), expected);
            for step in steps {
                sent = sent.wrapping_add(step);
                expected += i64::from(step);
                prop_assert_eq!(unwrap.extend(sent), expected);
            }
        }
    }
}
