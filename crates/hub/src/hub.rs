//! The hub: names to streams; who may take a publisher's seat; what ends when.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use headwater_media::Timestamp;
use parking_lot::Mutex;
use tokio::sync::broadcast;

use crate::announce::{Announcement, Announcements, EndReason};
use crate::departures::Departures;
use crate::log::LogConfig;
use crate::name::StreamName;
use crate::position::Start;
use crate::publisher::Publisher;
use crate::reader::Reader;
use crate::snapshot::{PublisherInfo, Snapshot, State};
use crate::stream::Stream;
use crate::subscriber::Subscriber;
use crate::wake::Lane;

/// When a second publisher may take the seat of the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Takeover {
    /// Never, as long as the first is connected.
    Never,
    /// When the first has been silent for this long: it is probably gone without a farewell.
    WhenSilentFor(Duration),
    /// Always: the newest publisher wins.
    Always,
}

/// How the hub keeps streams.
#[derive(Clone, Debug)]
pub struct HubConfig {
    /// Bounds of each stream's log.
    pub log: LogConfig,
    /// When a second publisher may take the first one's seat.
    pub takeover: Takeover,
    /// How long a broadcast stays open, with its viewers, after its publisher has left.
    pub reconnect_window: Duration,
    /// Streams that exist at once, at most, awaited ones included. The last quarter is the publishers':
    /// anybody may await anything, and must not take their seats by it. Where all are there, a new publisher takes
    /// the place of the stream whose own has been away the longest and that nobody watches.
    pub streams_max: usize,
    /// Viewers' cursors open on one stream, at most.
    pub viewers_per_stream_max: usize,
    /// Readers open on one stream, at most. They are the server's own workers, a handful as a rule; each
    /// costs a call whenever the stream grows.
    pub readers_per_stream_max: usize,
    /// How many lanes share the viewers; about one per processor.
    pub lanes: usize,
    /// Announcements kept for listeners that are slow, in all; one that is slower is told that it has
    /// missed some. Between 1 and 65,536, rounded up to a power of two.
    pub announcements_kept: usize,
}

impl Default for HubConfig {
    fn default() -> Self {
        Self {
            log: LogConfig::default(),
            takeover: Takeover::WhenSilentFor(Duration::from_secs(5)),
            reconnect_window: Duration::from_secs(30),
            streams_max: 10_000,
            viewers_per_stream_max: 100_000,
            readers_per_stream_max: 64,
            lanes: 1,
            announcements_kept: 1024,
        }
    }
}

/// A limit of the hub that was reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Limit {
    /// [`HubConfig::streams_max`].
    #[error("the server holds {0} streams already (limit streams_max)")]
    Streams(usize),
    /// [`HubConfig::viewers_per_stream_max`].
    #[error("the stream has {0} viewers already (limit viewers_per_stream_max)")]
    Viewers(usize),
    /// [`HubConfig::readers_per_stream_max`].
    #[error("the stream has {0} readers already (limit readers_per_stream_max)")]
    Readers(usize),
}

/// Why a reader is not opened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReaderError {
    /// Nobody publishes this name, or has within the reconnect window, and nobody waits for it.
    #[error("there is no stream {0}")]
    NoStream(StreamName),
    /// A limit of the hub.
    #[error(transparent)]
    Limit(#[from] Limit),
}

/// Why a publisher is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PublishError {
    /// Somebody else publishes under this name.
    #[error("the stream {name} is already being published from {address} (last heard {silence_ms} ms ago)")]
    Taken {
        /// The name.
        name: StreamName,
        /// Address of the one who publishes.
        address: String,
        /// How long it has been silent.
        silence_ms: u128,
    },
    /// A limit of the hub.
    #[error(transparent)]
    Limit(#[from] Limit),
}

/// All live streams of the program.
#[derive(Debug)]
pub struct Hub {
    config: HubConfig,
    lanes: Arc<[Lane]>,
    streams: Mutex<HashMap<StreamName, Arc<Stream>>>,
    departures: Arc<Departures>,
    gave_way: AtomicU64,
    announcements: broadcast::Sender<Announcement>,
}

impl Hub {
    /// An empty hub.
    #[must_use]
    pub fn new(config: HubConfig) -> Self {
        let lanes = (0..config.lanes.max(1)).map(|_| Lane::default()).collect();
        let (announcements, _) = broadcast::channel(config.announcements_kept.clamp(1, 1 << 16));
        Self {
            config,
            lanes,
            streams: Mutex::default(),
            departures: Arc::default(),
            gave_way: AtomicU64::new(0),
            announcements,
        }
    }

    /// The lanes; one task each calls the watchers.
    #[must_use]
    pub fn lanes(&self) -> Arc<[Lane]> {
        Arc::clone(&self.lanes)
    }

    /// Hears from now on what becomes of streams. What is there already is in [`Hub::list`], to be asked
    /// for afterwards, so that nothing falls between the two.
    #[must_use]
    pub fn announcements(&self) -> Announcements {
        Announcements::new(&self.announcements)
    }

    /// Takes the publisher's seat of `name`.
    ///
    /// # Errors
    /// [`PublishError::Taken`] as long as another publisher keeps the seat; a limit.
    pub fn publish(
        &self,
        name: &StreamName,
        info: PublisherInfo,
        now: Duration,
    ) -> Result<Publisher, PublishError> {
        let silence_max = match self.config.takeover {
            Takeover::Never => None,
            Takeover::WhenSilentFor(silence) => Some(silence),
            Takeover::Always => Some(Duration::ZERO),
        };
        let room = || self.make_room();
        self.with_stream(name, now, self.config.streams_max, room, |stream| {
            let seated = stream.seat(info, silence_max, now).map_err(|silence| PublishError::Taken {
                name: name.clone(),
                address: stream.snapshot(now).publisher.unwrap_or_default().address,
                silence_ms: silence.as_millis(),
            });
            seated.map(|number| Publisher::new(Arc::clone(stream), number, Arc::clone(&self.departures)))
        })
    }

    /// Opens a viewer's cursor on `name`. A stream that is not there yet is waited for, and with that
    /// wanted. Farther behind than `lag_max`, in media time, the viewer jumps to the newest keyframe ahead
    /// of it, and the frames between are counted as skipped.
    ///
    /// # Errors
    /// A limit.
    pub fn subscribe(
        &self,
        name: &StreamName,
        start: Start,
        lag_max: Timestamp,
        now: Duration,
    ) -> Result<Subscriber, Limit> {
        let streams_max = self.config.streams_max - self.config.streams_max / 4;
        self.with_stream(
            name,
            now,
            streams_max,
            || None,
            |stream| {
                let viewers = stream.viewers.load(Ordering::Acquire);
                if viewers >= self.config.viewers_per_stream_max {
                    return Err(Limit::Viewers(viewers));
                }
                Ok(Subscriber::new(Arc::clone(stream), start, lag_max))
            },
        )
    }

    /// Opens a reader on a stream that is there. Who follows the announcements compares
    /// [`Reader::broadcast`]: a new broadcast may have taken the place of the one announced.
    ///
    /// # Errors
    /// [`ReaderError::NoStream`]: a reader does not wait for streams; a limit.
    pub fn reader(&self, name: &StreamName, start: Start) -> Result<Reader, ReaderError> {
        let streams = self.streams.lock();
        let stream = streams.get(name).ok_or_else(|| ReaderError::NoStream(name.clone()))?;
        let readers = stream.readers.load(Ordering::Acquire);
        if readers >= self.config.readers_per_stream_max {
            return Err(Limit::Readers(readers).into());
        }
        Ok(Reader::new(Arc::clone(stream), start))
    }

    /// Whether somebody publishes `name` or has left it within the reconnect window.
    #[must_use]
    pub fn is_live(&self, name: &StreamName) -> bool {
        self.streams
            .lock()
            .get(name)
            .is_some_and(|stream| matches!(stream.state(), State::Live | State::Paused))
    }

    /// Whether there is a stream of this name, in whatever state.
    #[must_use]
    pub fn holds(&self, name: &StreamName) -> bool {
        self.streams.lock().contains_key(name)
    }

    /// One stream in figures.
    #[must_use]
    pub fn snapshot(&self, name: &StreamName, now: Duration) -> Option<Snapshot> {
        let stream = self.streams.lock().get(name).cloned()?;
        Some(stream.snapshot(now))
    }

    /// All streams in figures, by name.
    #[must_use]
    pub fn list(&self, now: Duration) -> Vec<Snapshot> {
        let streams: Vec<_> = self.streams.lock().values().cloned().collect();
        let mut list: Vec<_> = streams.iter().map(|stream| stream.snapshot(now)).collect();
        list.retain(|snapshot| snapshot.state != State::Ended);
        list.sort_by(|a, b| a.name.cmp(&b.name));
        list
    }

    /// At most `limit` streams in figures, those that come after the path `after`, by name; and how many there are in
    /// all. What it costs hardly depends on those that are not asked for.
    #[must_use]
    pub fn page(&self, after: Option<&str>, limit: usize, now: Duration) -> (Vec<Snapshot>, usize) {
        let all: Vec<_> = self.streams.lock().values().cloned().collect();
        let mut streams: Vec<_> = all.iter().filter(|stream| stream.state() != State::Ended).collect();
        let total = streams.len();
        streams.retain(|stream| after.is_none_or(|after| stream.name.path() > after));
        streams.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        (streams.into_iter().take(limit).map(|stream| stream.snapshot(now)).collect(), total)
    }

    /// Ends what is over: broadcasts whose publisher did not come back, streams that nobody waits for
    /// any more. Call it about once a second.
    pub fn sweep(&self, now: Duration) {
        let window = self.config.reconnect_window;
        self.streams.lock().retain(|_, stream| !stream.sweep(window, now));
        self.departures.sweep();
    }

    /// Streams that have given way to others since the start, because there was no room for both.
    #[must_use]
    pub fn gave_way(&self) -> u64 {
        self.gave_way.load(Ordering::Relaxed)
    }

    /// Ends a broadcast: its publisher is let go, and the name is free. Returns whether there was one.
    pub fn stop(&self, name: &StreamName) -> bool {
        let streams = self.streams.lock();
        let stream = streams.get(name).filter(|stream| matches!(stream.state(), State::Live | State::Paused));
        stream.inspect(|stream| stream.end(EndReason::Stopped)).is_some()
    }

    /// Ends every broadcast, as the program stops.
    pub fn end_all(&self) {
        let streams = std::mem::take(&mut *self.streams.lock());
        streams.values().for_each(|stream| stream.end(EndReason::Shutdown));
    }

    /// Ends the stream whose publisher has been away the longest, if there is one that nobody watches.
    fn make_room(&self) -> Option<StreamName> {
        let stream = self.departures.take_unwatched()?;
        stream.end(EndReason::GaveWay);
        self.gave_way.fetch_add(1, Ordering::Relaxed);
        Some(stream.name.clone())
    }

    /// Calls `seat` with the stream of that name, a new one if there is none and fewer than `streams_max`
    /// are there, or `room` has ended one; a new one stays only if somebody is seated. The map stays locked
    /// meanwhile, so that a sweep cannot remove the stream before somebody sits in it.
    fn with_stream<T, E: From<Limit>>(
        &self,
        name: &StreamName,
        now: Duration,
        streams_max: usize,
        room: impl FnOnce() -> Option<StreamName>,
        seat: impl FnOnce(&Arc<Stream>) -> Result<T, E>,
    ) -> Result<T, E> {
        let mut streams = self.streams.lock();
        if let Some(stream) = streams.get(name).filter(|stream| stream.state() != State::Ended) {
            return seat(stream);
        }
        if streams.len() >= streams_max && room().and_then(|ended| streams.remove(&ended)).is_none() {
            return Err(Limit::Streams(streams.len()).into());
        }
        let log = self.config.log.clone();
        let stream = Arc::new(Stream::new(name.clone(), log, &self.lanes, &self.announcements, now));
        let seated = seat(&stream)?;
        streams.insert(name.clone(), stream);
        Ok(seated)
    }
}
