//! All broadcasts whose frames are kept: which window a name leads to, and when it is let go of.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use headwater_hub::StreamName;
use parking_lot::Mutex;

use crate::numbers::Numbers;
use crate::parts::{PartMaker, PartsConfig};
use crate::recordings::Recordings;
use crate::spool::Spool;
use crate::window::{InAll, Window, WindowConfig};

/// When the first count of discontinuities would have been 0, in seconds of the Unix epoch.
const YEAR_2026: u64 = 1_767_225_600;
/// So many seconds are one discontinuity. hls.js walks a list from 0 to the count for each fragment: with a count of
/// seconds it stood still for half a minute.
const DISCONTINUITY_SECONDS: u64 = 600;

/// How broadcasts are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ArchiveConfig {
    /// How parts and segments are cut.
    pub parts: PartsConfig,
    /// What each window keeps.
    pub window: WindowConfig,
}

/// All windows, by the names of their streams.
#[derive(Debug, Default)]
pub struct Archive {
    config: ArchiveConfig,
    recordings: Recordings,
    spools: Option<PathBuf>,
    in_all: InAll,
    windows: Mutex<HashMap<StreamName, Entry>>,
}

#[derive(Debug)]
struct Entry {
    window: Arc<Window>,
    /// When it is let go of, once the broadcast is over.
    until: Option<Duration>,
}

impl Archive {
    /// An empty one. `spools` is the directory for windows' older parts; without one they stay in memory.
    #[must_use]
    pub fn new(config: ArchiveConfig, recordings: Recordings, spools: Option<PathBuf>) -> Self {
        Self { config, recordings, spools, ..Self::default() }
    }

    /// What is recorded.
    #[must_use]
    pub const fn recordings(&self) -> &Recordings {
        &self.recordings
    }

    /// The window of the broadcast that is live under this name, or was last; it stays for its own length after the
    /// broadcast's end.
    #[must_use]
    pub fn broadcast(&self, name: &StreamName) -> Option<Arc<Window>> {
        let windows = self.windows.lock();
        windows.get(name).filter(|_| self.config.window.is_shown).map(|entry| Arc::clone(&entry.window))
    }

    /// How much of each broadcast is kept for who goes back; `None`: nothing.
    #[must_use]
    pub fn length(&self) -> Option<Duration> {
        let WindowConfig { is_shown, length, .. } = self.config.window;
        is_shown.then(|| Duration::from_nanos(u64::try_from(length.as_nanos()).unwrap_or(0)))
    }

    /// All windows.
    #[must_use]
    pub fn list(&self) -> Vec<Arc<Window>> {
        self.windows.lock().values().map(|entry| Arc::clone(&entry.window)).collect()
    }

    /// Bytes of all windows.
    #[must_use]
    pub const fn in_all(&self) -> &InAll {
        &self.in_all
    }

    /// Who writes a window's older parts to the disk; none where the disk is not used for that.
    #[must_use]
    pub fn spool(&self, window: &Window) -> Option<Spool> {
        let WindowConfig { is_shown, disk_max, .. } = self.config.window;
        let directory = self.spools.clone().filter(|_| is_shown && disk_max > 0)?;
        Some(Spool::new(directory, self.recordings.free_min(), Arc::clone(window.disk_use())))
    }

    /// Begins a broadcast: an empty window, and the maker that fills it. `clock` is the time on the wall at media time
    /// zero. Segment numbers, and the count of discontinuities, go on from the last broadcast of that name, if that is
    /// known, also by its recordings, and are never below the clock on the wall: segments in seconds, for none is shorter for
    /// long, so that a server that was started anew gives no number again; discontinuities more coarsely, for players keep a
    /// list of them.
    pub fn begin(&self, name: &StreamName, broadcast: u64, clock: SystemTime) -> (Arc<Window>, PartMaker) {
        let mut windows = self.windows.lock();
        let seconds = clock.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let coarse = seconds.saturating_sub(YEAR_2026) / DISCONTINUITY_SECONDS;
        let last = windows.get(name).map(|last| last.window.numbers());
        let recorded = self.recordings.numbers(name).unwrap_or_default();
        let floor = Numbers { segment: seconds, discontinuities: last.map_or(coarse, |_| 0) };
        // Parts of what was before do not go on in what begins.
        let behind = |last: Numbers| Numbers { discontinuities: last.discontinuities + 1, ..last };
        let Numbers { segment, discontinuities } =
            last.map(behind).unwrap_or_default().max(recorded).max(floor);
        let config = self.config;
        let in_all = self.in_all.clone();
        let window =
            Arc::new(Window::new(name.clone(), broadcast, clock, config.window, discontinuities, in_all));
        windows.insert(name.clone(), Entry { window: Arc::clone(&window), until: None });
        (window, PartMaker::new(config.parts, segment))
    }

    /// The broadcast of this window is over: nothing more comes. It is let go of after its own length.
    pub fn end(&self, window: &Window, now: Duration) {
        window.end();
        self.recordings.remember(window.name(), window.numbers());
        let length = u64::try_from(self.config.window.length.as_nanos()).unwrap_or(0);
        let mut windows = self.windows.lock();
        if let Some(entry) =
            windows.get_mut(window.name()).filter(|entry| entry.window.broadcast() == window.broadcast())
        {
            entry.until = Some(now + Duration::from_nanos(length));
        }
    }

    /// Lets go of windows whose time has come. Call it about once a second.
    pub fn sweep(&self, now: Duration) {
        self.windows.lock().retain(|_, entry| entry.until.is_none_or(|until| now < until));
    }
}

#[cfg(test)]
mod tests {
    use headwater_media::Timestamp;

    use super::*;

    #[test]
    fn a_window_outlives_its_broadcast_by_its_own_length_and_the_next_goes_on_from_its_numbers() {
        let window = WindowConfig { length: Timestamp::from_ms(10_000), ..WindowConfig::default() };
        let archive =
            Archive::new(ArchiveConfig { window, ..ArchiveConfig::default() }, Recordings::default(), None);
        let name = StreamName::parse("live/a").unwrap();
        let clock = SystemTime::UNIX_EPOCH + Duration::from_secs(5_000);
        let (window, maker) = archive.begin(&name, 1, clock);
        assert_eq!((maker.segment(), window.is_ended()), (5_000, false));
        archive.end(&window, Duration::from_secs(1));
        archive.sweep(Duration::from_secs(10));
        assert!(archive.broadcast(&name).is_some_and(|window| window.is_ended()));
        archive.sweep(Duration::from_secs(11));
        assert!(archive.broadcast(&name).is_none());
        // The end of the one before is told late: the new one stays.
        let (_, maker) = archive.begin(&name, 2, clock + Duration::from_secs(60));
        archive.end(&window, Duration::from_secs(1));
        archive.sweep(Duration::from_secs(90));
        assert!(archive.broadcast(&name).is_some_and(|window| !window.is_ended()));
        assert_eq!(maker.segment(), 5_060);
    }
}
