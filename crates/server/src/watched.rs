//! How long viewers were there, by door, and by stream and door. Who has a connection is there as long as that; who
//! watches over HLS has none, and each of its requests says that it has been there since the one before.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

type Door = &'static str;

/// The time of all viewers. Of streams it keeps as many as have viewers, and those that nobody has yet said are gone.
#[derive(Clone, Debug, Default)]
pub(crate) struct Watched(Arc<Mutex<Times>>);

#[derive(Debug, Default)]
struct Times {
    doors: BTreeMap<Door, Time>,
    streams: HashMap<String, BTreeMap<Door, Time>>,
}

/// Time that viewers were there, and how many are now.
#[derive(Clone, Copy, Debug, Default)]
struct Time {
    there: u32,
    /// Up to `settled`, of all of them.
    so_far: Duration,
    settled: Option<Instant>,
}

/// Somebody who is there as long as this lives.
#[derive(Debug)]
pub(crate) struct Presence {
    all: Watched,
    door: Door,
    stream: String,
}

impl Watched {
    /// A viewer of a stream comes.
    pub(crate) fn begin(&self, door: Door, stream: &str) -> Presence {
        self.change(door, stream, |time, now| time.settle(now).there += 1);
        Presence { all: self.clone(), door, stream: stream.to_owned() }
    }

    /// Viewers without a connection were there for so long.
    pub(crate) fn add(&self, door: Door, stream: &str, lasted: Duration) {
        self.change(door, stream, |time, _| time.so_far += lasted);
    }

    /// Of all streams together, by door.
    pub(crate) fn of_doors(&self) -> BTreeMap<Door, Duration> {
        let now = Instant::now();
        self.0.lock().doors.iter().map(|(door, time)| (*door, time.at(now))).collect()
    }

    /// Of one stream, by door.
    pub(crate) fn of_stream(&self, stream: &str) -> BTreeMap<Door, Duration> {
        let now = Instant::now();
        let times = self.0.lock();
        let found = times.streams.get(stream).into_iter().flatten();
        found.map(|(door, time)| (*door, time.at(now))).collect()
    }

    /// Lets go of streams that have no viewers and are no longer there. Call it about once a second.
    pub(crate) fn sweep(&self, is_there: impl Fn(&str) -> bool) {
        let nobody = |doors: &BTreeMap<Door, Time>| doors.values().all(|time| time.there == 0);
        self.0.lock().streams.retain(|stream, doors| !nobody(doors) || is_there(stream));
    }

    fn change(&self, door: Door, stream: &str, change: impl Fn(&mut Time, Instant)) {
        let now = Instant::now();
        let mut times = self.0.lock();
        change(times.doors.entry(door).or_default(), now);
        if let Some(doors) = times.streams.get_mut(stream) {
            return change(doors.entry(door).or_default(), now);
        }
        change(times.streams.entry(stream.to_owned()).or_default().entry(door).or_default(), now);
    }
}

impl Time {
    fn at(&self, now: Instant) -> Duration {
        let since = self.settled.map_or(Duration::ZERO, |settled| now.saturating_duration_since(settled));
        self.so_far + since.saturating_mul(self.there)
    }

    fn settle(&mut self, now: Instant) -> &mut Self {
        self.so_far = self.at(now);
        self.settled = Some(now);
        self
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        self.all.change(self.door, &self.stream, |time, now| time.settle(now).there -= 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_of_viewers_side_by_side_is_added_up() {
        let (began, mut time) = (Instant::now(), Time::default());
        let at = |seconds| began + Duration::from_secs(seconds);
        time.settle(at(0)).there += 1;
        time.settle(at(4)).there += 1;
        assert_eq!(time.at(at(10)), Duration::from_secs(16));
        time.settle(at(10)).there -= 1;
        time.settle(at(11)).there -= 1;
        assert_eq!((time.at(at(60)), time.there), (Duration::from_secs(17), 0));
    }

    #[test]
    fn streams_are_kept_while_they_are_there_or_watched() {
        let watched = Watched::default();
        let presence = watched.begin("rtmp", "live/a");
        watched.add("hls", "live/a", Duration::from_secs(3));
        watched.add("hls", "live/b", Duration::from_secs(5));
        watched.sweep(|stream| stream == "live/b");
        assert_eq!(watched.of_stream("live/a")["hls"], Duration::from_secs(3));
        assert!(watched.of_stream("live/a").contains_key("rtmp"));
        drop(presence);
        watched.sweep(|stream| stream == "live/b");
        assert!(watched.of_stream("live/a").is_empty());
        assert_eq!(watched.of_stream("live/b")["hls"], Duration::from_secs(5));
        watched.sweep(|_| false);
        assert_eq!(watched.of_doors()["hls"], Duration::from_secs(8));
        assert!(watched.0.lock().streams.is_empty());
    }
}
