//! What is to be recorded by the apps' policies and by who asks, and what is being recorded now.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use headwater_hub::StreamName;
use headwater_vod::{Refusal, RefusalKind};
use parking_lot::Mutex;
use serde::Serialize;
use tokio::sync::watch;

use crate::numbers::Numbers;
use crate::recording::{
    AppConfig, NAMES_MAX, Record, Recorder, RecordingsConfig, Removed, numbers_below, retain,
};

/// The app that recordings are films of.
pub const RECORDINGS_APP: &str = "recordings";

/// Policies, wishes, and files that grow.
#[derive(Debug, Default)]
pub struct Recordings {
    root: PathBuf,
    config: RecordingsConfig,
    apps: BTreeMap<String, AppConfig>,
    streams: Mutex<HashMap<StreamName, Status>>,
    /// Counts wishes.
    wishes: watch::Sender<u64>,
    /// Where the numbers of streams with recordings go on.
    numbers: Mutex<HashMap<StreamName, Numbers>>,
    /// Bytes of all recordings, as they were counted last.
    bytes: AtomicU64,
}

#[derive(Debug, Default)]
struct Status {
    /// What was asked for last.
    wish: Option<bool>,
    /// Its path below the directory.
    file: Option<String>,
    /// The disk is full or has failed: there is to be a file as soon as it can be had.
    awaits_disk: bool,
}

/// How a stream that is to be recorded is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Progress {
    /// A file grows.
    Growing,
    /// A file begins with the next key frame.
    AwaitsKeyframe,
    /// The disk is too full, or has failed: it is tried again.
    AwaitsDisk,
}

impl Recordings {
    /// Recordings below `root`; apps that are not named record nothing.
    #[must_use]
    pub fn new(root: PathBuf, config: RecordingsConfig, apps: BTreeMap<String, AppConfig>) -> Self {
        Self { root, config, apps, ..Self::default() }
    }

    /// Learns from the recordings that are there which numbers their streams' segments had. It opens each of them: once, at
    /// the start, before anybody publishes.
    #[must_use]
    pub fn recalled(mut self) -> Self {
        *self.numbers.get_mut() = numbers_below(&self.root);
        self
    }

    /// Where the numbers of a stream go on, if it has recordings.
    pub(crate) fn numbers(&self, name: &StreamName) -> Option<Numbers> {
        self.numbers.lock().get(name).copied()
    }

    /// The broadcast of a stream that may be recorded has come to these numbers.
    pub(crate) fn remember(&self, name: &StreamName, numbers: Numbers) {
        let mut all = self.numbers.lock();
        if self.policy(name.app()).is_some() && (all.len() < NAMES_MAX || all.contains_key(name)) {
            let known = all.entry(name.clone()).or_default();
            *known = known.max(numbers);
        }
    }

    /// The directory.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Bytes that are to stay free on the disk.
    pub(crate) const fn free_min(&self) -> u64 {
        self.config.free_min_bytes
    }

    /// Whether the disk has room for a new film of so many bytes beside those that are to stay free. It may wait for the disk.
    ///
    /// # Errors
    /// `Full`.
    pub fn check_room(&self, bytes: u64) -> Result<(), Refusal> {
        let free_min = self.free_min();
        let free = headwater_vod::free_bytes(&self.root).unwrap_or(u64::MAX);
        if free >= bytes.saturating_add(free_min) {
            return Ok(());
        }
        let text = format!(
            "The disk has {free} bytes free; the film has {bytes}, and {free_min} are left free ([recordings] free_min_bytes)."
        );
        Err(Refusal::new(RefusalKind::Full, text))
    }

    /// Whether any app may record.
    #[must_use]
    pub fn are_possible(&self) -> bool {
        self.apps.values().any(|app| app.record != Record::Never)
    }

    /// What an app's policy is, if it may record at all.
    #[must_use]
    pub fn policy(&self, app: &str) -> Option<&AppConfig> {
        self.apps.get(app).filter(|app| app.record != Record::Never)
    }

    /// Somebody wants a stream to be recorded, or not any more. It holds to the end of its broadcast.
    ///
    /// # Errors
    /// A sentence: the app's policy does not allow it.
    pub fn ask(&self, name: &StreamName, wanted: bool) -> Result<(), String> {
        let app = name.app();
        if self.policy(app).is_none() {
            return Err(format!(
                "The app {app} records nothing. Set record = \"on-demand\" or \"always\" under [apps.{app}] in the configuration."
            ));
        }
        self.streams.lock().entry(name.clone()).or_default().wish = Some(wanted);
        self.wishes.send_modify(|count| *count += 1);
        Ok(())
    }

    /// What was asked for of a stream.
    #[must_use]
    pub fn wish(&self, name: &StreamName) -> Option<bool> {
        self.streams.lock().get(name).and_then(|status| status.wish)
    }

    /// Changes whenever somebody asks.
    #[must_use]
    pub fn wishes(&self) -> watch::Receiver<u64> {
        self.wishes.subscribe()
    }

    /// Who writes a broadcast of this name that has just begun; none where the policy is never. `clock` is the wall's time
    /// at media time zero.
    #[must_use]
    pub fn recorder(&self, name: &StreamName, clock: SystemTime) -> Option<Recorder> {
        let policy = self.policy(name.app())?.clone();
        let is_on = self.wish(name).unwrap_or(policy.record == Record::Always);
        Some(Recorder::new(&self.root, &self.config, policy, name.clone(), clock, is_on))
    }

    /// A file of this stream grows now; `None`: none does.
    pub fn set_file(&self, name: &StreamName, path: Option<&Path>) {
        let file = path.map(|path| self.below(path));
        self.change(name, |status| {
            status.awaits_disk &= file.is_none();
            status.file = file;
        });
    }

    /// A stream's file has to wait for the disk, or does no more.
    pub fn set_awaits_disk(&self, name: &StreamName, awaits: bool) {
        self.change(name, |status| status.awaits_disk = awaits);
    }

    /// How a live stream is that is to be recorded; `None`: it is not.
    #[must_use]
    pub fn progress(&self, name: &StreamName) -> Option<Progress> {
        let policy = self.policy(name.app())?;
        let streams = self.streams.lock();
        let status = streams.get(name);
        if status.is_some_and(|status| status.file.is_some()) {
            return Some(Progress::Growing);
        }
        let wish = status.and_then(|status| status.wish);
        let is_wanted = wish.unwrap_or(policy.record == Record::Always);
        let awaits_disk = status.is_some_and(|status| status.awaits_disk);
        is_wanted.then_some(if awaits_disk { Progress::AwaitsDisk } else { Progress::AwaitsKeyframe })
    }

    /// The broadcast of this name is over: what was asked for holds no more.
    pub fn forget(&self, name: &StreamName) {
        self.change(name, |status| status.wish = None);
    }

    /// Keeps only what says something.
    fn change(&self, name: &StreamName, change: impl FnOnce(&mut Status)) {
        let mut streams = self.streams.lock();
        let status = streams.entry(name.clone()).or_default();
        change(status);
        if status.wish.is_none() && status.file.is_none() && !status.awaits_disk {
            streams.remove(name);
        }
    }

    /// The files that grow: their streams, and their paths below the directory.
    #[must_use]
    pub fn growing(&self) -> Vec<(StreamName, String)> {
        let streams = self.streams.lock();
        let mut growing: Vec<_> =
            streams.iter().filter_map(|(name, status)| Some((name.clone(), status.file.clone()?))).collect();
        growing.sort();
        growing
    }

    /// Whether the file at this path is one that grows, however one comes there. It may wait for the disk.
    #[must_use]
    pub fn is_growing(&self, path: &Path) -> bool {
        let growing = self.growing();
        if growing.is_empty() {
            return false;
        }
        if growing.iter().any(|(_, file)| self.root.join(file) == path) {
            return true;
        }
        // Another app's directory, or a link, may lead to the same file.
        let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let asked = real(path);
        growing.iter().any(|(_, file)| real(&self.root.join(file)) == asked)
    }

    /// A path as it is below the directory, with `/`.
    #[must_use]
    pub fn below(&self, path: &Path) -> String {
        let below = path.strip_prefix(&self.root).unwrap_or(path);
        let parts: Vec<_> = below.iter().map(|part| part.to_string_lossy()).collect();
        parts.join("/")
    }

    /// Removes what policies do not keep, but for what `is_spared` by its path below the directory, and counts what is
    /// there. It waits for the disk.
    pub fn retain(&self, now: SystemTime, is_spared: impl Fn(&str) -> bool) -> Vec<Removed> {
        let limited = self.apps.iter().filter(|(_, policy)| policy.has_limits());
        let removed =
            limited.flat_map(|(app, policy)| retain(&self.root, app, policy, now, &is_spared)).collect();
        self.bytes.store(crate::recording::bytes_below(&self.root), Ordering::Relaxed);
        removed
    }

    /// Bytes of all recordings, as they were counted last.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_recorded_against_the_policy() {
        let on_demand = AppConfig { record: Record::OnDemand, ..AppConfig::default() };
        let apps = BTreeMap::from([("live".to_owned(), on_demand), ("off".to_owned(), AppConfig::default())]);
        let recordings = Recordings::new("/nowhere".into(), RecordingsConfig::default(), apps);
        let name = |name| StreamName::parse(name).unwrap();
        for refused in ["off/a", "other/a"] {
            let text = recordings.ask(&name(refused), true).unwrap_err();
            assert!(text.contains("[apps."), "{text}");
            assert!(recordings.recorder(&name(refused), SystemTime::UNIX_EPOCH).is_none());
        }
        let mut wishes = recordings.wishes();
        recordings.ask(&name("live/a"), true).unwrap();
        assert!(wishes.has_changed().unwrap());
        wishes.mark_unchanged();
        assert_eq!(recordings.wish(&name("live/a")), Some(true));
        assert_eq!(recordings.progress(&name("live/a")), Some(Progress::AwaitsKeyframe));
        recordings.set_awaits_disk(&name("live/a"), true);
        assert_eq!(recordings.progress(&name("live/a")), Some(Progress::AwaitsDisk));
        assert_eq!([recordings.progress(&name("off/a")), recordings.progress(&name("live/b"))], [None; 2]);
        recordings.set_file(&name("live/a"), Some(Path::new("/nowhere/live/a/x.mp4")));
        assert_eq!(recordings.progress(&name("live/a")), Some(Progress::Growing));
        assert_eq!(recordings.growing(), [(name("live/a"), "live/a/x.mp4".to_owned())]);
        recordings.forget(&name("live/a"));
        recordings.set_file(&name("live/a"), None);
        assert!(
            recordings.streams.lock().is_empty()
                && recordings.growing().is_empty()
                && recordings.wish(&name("live/a")).is_none()
        );
    }
}
