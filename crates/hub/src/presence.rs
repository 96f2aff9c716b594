//! Which tracks of a publisher are there: one that has fallen silent is left out of what viewers are told until it is
//! back, and one that the metadata names is waited for.
//!
//! A player that is promised sound waits for it, and shows no picture meanwhile. So who comes while a microphone is
//! unplugged must not be promised any; and who comes before the camera is ready must be.
//!
//! A silence is measured in the media time of the other tracks since the track's last frame, so that a network that
//! stands still, clocks that drift apart and one track sent ahead of the other are none.

use headwater_media::{Frame, MediaKind, Timestamp, Track, TrackId};

/// A track of which nothing comes for so long, while others go on, has fallen silent; and so long after a publisher's
/// first frame, tracks that its metadata names are waited for.
pub const SILENT_AFTER: Timestamp = Timestamp::from_ms(4_000);
/// A track that comes seldom (a camera may send one picture in ten seconds) is given this many of its intervals.
const INTERVALS: i64 = 2;
/// But no longer than this, or a track that was away for an hour would be expected for two.
const SILENT_AFTER_MAX: Timestamp = Timestamp::from_ms(60_000);
/// How long a publisher has to show all its tracks, before those that only its predecessor had are forgotten: an
/// encoder without a camera may follow one with. Sooner would be too soon, tracks come one by one.
const SETTLE_AFTER: Timestamp = Timestamp::from_ms(2_000);

/// What has become of a publisher's tracks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Changed {
    /// Tracks are gone: those that are not [there](Presence::is_there).
    pub(crate) gone: bool,
    /// Nothing more is waited for that has only been named.
    pub(crate) given_up: bool,
}

/// The tracks of one publisher.
#[derive(Debug)]
pub(crate) struct Presence {
    tracks: Vec<Heard>,
    /// Time of its first frame, and the newest of any of its tracks, on the broadcast's line.
    first: Option<Timestamp>,
    newest: Timestamp,
    /// Whether tracks that only its predecessor had have been forgotten.
    is_settled: bool,
    /// Whether the tracks that its metadata names are no longer waited for.
    has_given_up: bool,
}

#[derive(Debug)]
struct Heard {
    track: Track,
    /// The newest time when its last frame came, or when it was announced.
    last: Timestamp,
    /// Between its last two frames.
    interval: Timestamp,
    is_silent: bool,
}

impl Presence {
    /// Of a publisher that has shown nothing yet; `has_predecessor`: another one's tracks are known still.
    pub(crate) fn new(has_predecessor: bool) -> Self {
        Self {
            tracks: Vec::new(),
            first: None,
            newest: Timestamp::ZERO,
            is_settled: !has_predecessor,
            has_given_up: false,
        }
    }

    /// The publisher announces a track or its new configuration. Returns whether viewers are to be told now: of one
    /// that is silent they are told when it is back.
    pub(crate) fn announce(&mut self, track: &Track) -> bool {
        if let Some(known) = self.tracks.iter_mut().find(|known| known.track.id == track.id) {
            known.track.clone_from(track);
            return !known.is_silent;
        }
        let (last, interval) = (self.newest, Timestamp::ZERO);
        self.tracks.push(Heard { track: track.clone(), last, interval, is_silent: false });
        true
    }

    /// A frame comes, with its time on the broadcast's line. Returns its track if that was silent and is back.
    pub(crate) fn hear(&mut self, frame: &Frame) -> Option<Track> {
        if frame.track.kind == MediaKind::Data {
            return None;
        }
        if self.first.is_none() {
            self.first = Some(frame.dts);
            self.tracks.iter_mut().for_each(|known| known.last = frame.dts);
            self.newest = frame.dts;
        }
        self.newest = self.newest.max(frame.dts);
        let known = self.tracks.iter_mut().find(|known| known.track.id == frame.track)?;
        known.interval = self.newest - known.last;
        known.last = self.newest;
        std::mem::take(&mut known.is_silent).then(|| known.track.clone())
    }

    /// What has changed by the time that has passed; each change is told once.
    pub(crate) fn look(&mut self) -> Changed {
        let age = self.first.map_or(Timestamp::ZERO, |first| self.newest - first);
        let settles = !self.is_settled && age >= SETTLE_AFTER;
        self.is_settled |= settles;
        let gives_up = !self.has_given_up && age >= SILENT_AFTER;
        self.has_given_up |= gives_up;
        let mut fell_silent = false;
        for known in &mut self.tracks {
            let silence = self.newest - known.last;
            if !known.is_silent && silence >= known.patience() {
                known.is_silent = true;
                fell_silent = true;
            }
        }
        Changed { gone: settles || fell_silent, given_up: gives_up }
    }

    /// Whether viewers are to be told of this track: it has not fallen silent, or a predecessor had it and this
    /// publisher may still announce it.
    pub(crate) fn is_there(&self, id: TrackId) -> bool {
        let known = self.tracks.iter().find(|known| known.track.id == id);
        known.map_or(!self.is_settled, |known| !known.is_silent)
    }

    /// The tracks that have fallen silent, and how long ago.
    pub(crate) fn silent(&self) -> impl Iterator<Item = (MediaKind, Timestamp)> {
        let silent = self.tracks.iter().filter(|known| known.is_silent);
        silent.map(|known| (known.track.id.kind, self.newest - known.last))
    }

    /// Whether tracks that its metadata names are still waited for.
    pub(crate) const fn awaits_tracks(&self) -> bool {
        !self.has_given_up
    }
}

impl Heard {
    fn patience(&self) -> Timestamp {
        let seldom = Timestamp::from_nanos(self.interval.as_nanos().saturating_mul(INTERVALS));
        seldom.min(SILENT_AFTER_MAX).max(SILENT_AFTER)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use headwater_media::Codec;

    const SOUND: TrackId = TrackId::AUDIO;
    const PICTURE: TrackId = TrackId::VIDEO;

    fn publisher(tracks: &[TrackId]) -> Presence {
        let mut presence = Presence::new(false);
        for &id in tracks {
            assert!(presence.announce(&Track::new(id, Codec::H264, Bytes::new())));
        }
        presence
    }

    /// Frames of `track` every `step` ms, from `from` up to `to`; the times at which tracks went, and came back.
    fn send(
        presence: &mut Presence,
        track: TrackId,
        (from, to, step): (i64, i64, usize),
    ) -> Vec<(i64, bool)> {
        let mut changes = Vec::new();
        for ms in (from..to).step_by(step) {
            let at = Timestamp::from_ms(ms);
            let frame =
                Frame { track, codec: Codec::H264, dts: at, pts: at, key: true, payload: Bytes::new() };
            if presence.hear(&frame).is_some() {
                changes.push((ms, true));
            }
            if presence.look().gone {
                changes.push((ms, false));
            }
        }
        changes
    }

    #[test]
    fn a_track_that_stops_is_gone_after_four_seconds_and_back_with_its_next_frame() {
        let mut presence = publisher(&[PICTURE, SOUND]);
        assert_eq!(send(&mut presence, SOUND, (1_000, 1_040, 20)), []);
        assert_eq!(send(&mut presence, PICTURE, (1_000, 20_000, 40)), [(5_040, false)], "told once");
        assert!(presence.is_there(PICTURE) && !presence.is_there(SOUND));
        let track = Track::new(SOUND, Codec::Aac, Bytes::from_static(b"new"));
        assert!(!presence.announce(&track), "a configuration alone is no sound");
        assert_eq!(send(&mut presence, SOUND, (20_000, 20_100, 20)), [(20_000, true)]);
        assert!(presence.is_there(SOUND));
        assert_eq!(presence.tracks[1].track, track, "as it was announced last");
        // What was away for long is not waited for so long again.
        assert_eq!(send(&mut presence, PICTURE, (20_080, 30_000, 40)), [(24_080, false)]);
    }

    #[test]
    fn a_track_that_was_announced_and_never_comes_is_gone_too() {
        let mut presence = publisher(&[PICTURE, SOUND]);
        assert_eq!(send(&mut presence, SOUND, (500, 8_000, 20)), [(4_500, false)]);
        assert!(!presence.is_there(PICTURE) && presence.is_there(SOUND));
    }

    #[test]
    fn one_picture_in_ten_seconds_is_no_silence_once_it_is_known() {
        let mut presence = publisher(&[PICTURE, SOUND]);
        let mut changes = Vec::new();
        for n in 0..6 {
            changes.extend(send(&mut presence, PICTURE, (n * 10_000, n * 10_000 + 1, 1)));
            changes.extend(send(&mut presence, SOUND, (n * 10_000, (n + 1) * 10_000, 20)));
        }
        assert_eq!(changes, [(4_000, false), (10_000, true)]);
    }

    #[test]
    fn a_network_that_stands_still_and_clocks_that_drift_apart_are_no_silence() {
        let mut presence = publisher(&[PICTURE, SOUND]);
        assert_eq!(send(&mut presence, PICTURE, (0, 1_000, 40)), []);
        assert_eq!(send(&mut presence, SOUND, (0, 1_000, 20)), []);
        // Ten seconds later everything comes at once, and then sound runs half as fast as the pictures.
        for n in 0..50 {
            assert_eq!(send(&mut presence, PICTURE, (1_000 + n * 1_000, 2_000 + n * 1_000, 40)), []);
            assert_eq!(send(&mut presence, SOUND, (1_000 + n * 500, 1_500 + n * 500, 20)), []);
        }
    }

    #[test]
    fn a_predecessors_tracks_are_forgotten_after_two_seconds_and_promises_after_four() {
        let mut presence = Presence::new(true);
        presence.announce(&Track::new(SOUND, Codec::Aac, Bytes::new()));
        assert!(presence.is_there(PICTURE), "it may still come");
        assert_eq!(send(&mut presence, SOUND, (7_000, 9_001, 20)), [(9_000, false)]);
        assert!(!presence.is_there(PICTURE) && presence.is_there(SOUND) && presence.awaits_tracks());
        assert_eq!(send(&mut presence, SOUND, (9_020, 11_020, 20)), []);
        assert!(!presence.awaits_tracks());
    }
}
