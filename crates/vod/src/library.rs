//! The library: which films there are, and the ones that are being watched with their indices in memory.
//!
//! A film is indexed when it is first asked for, once however many ask at the same time. For a second what was
//! found is believed; then the file is looked at again, so that new, changed and removed files are noticed.

mod keeping;

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;

use super::film::Film;
use super::indexing::{self, Growth};
pub use super::place::Entry;
use super::place::{Found, Place};

/// What was found is believed for so long.
const BELIEVED: Duration = Duration::from_secs(1);
/// Files that are indexed at the same time; others wait.
const INDEXING_MAX: usize = 2;
/// Names that are remembered with the files they led to.
const NAMES_MAX: usize = 4096;
/// The app whose films lie in `media`.
const DEFAULT_APP: &str = "vod";

/// Films from directories; the section `[vod]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Further apps and their directories, beside `vod`.
    pub directories: BTreeMap<String, PathBuf>,
    /// Whether symbolic links are followed, also out of the directory.
    pub follow_symlinks: bool,
    /// Films that are kept open with their indices, at most.
    pub films_max: usize,
    /// Memory of the indices that are kept, in bytes, about. One is always kept, however large.
    pub index_bytes_max: usize,
    /// Files that a catalogue lists, at most.
    pub entries_max: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            directories: BTreeMap::new(),
            follow_symlinks: false,
            films_max: 256,
            index_bytes_max: 256 << 20,
            entries_max: 100_000,
        }
    }
}

/// Why a film cannot be had, as a sentence for who asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// There is no such film.
    NotFound(String),
    /// There is such a file, and nothing in it can be played.
    NoMedia(String),
    /// A name that is not served.
    Forbidden(String),
    /// Not now.
    Busy(String),
    /// The fault is on this side.
    Failed(String),
}

impl Refusal {
    pub fn no_film(name: &str) -> Self {
        Self::NotFound(format!("There is no film {name}."))
    }

    pub fn unreadable(name: &str, error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory | io::ErrorKind::InvalidFilename => {
                Self::no_film(name)
            }
            _ => Self::Failed(format!("{name} cannot be read: {error}.")),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::NotFound(text)
        | Self::NoMedia(text)
        | Self::Forbidden(text)
        | Self::Busy(text)
        | Self::Failed(text)) = self;
        f.write_str(text)
    }
}

/// Every app's films.
#[derive(Debug)]
pub struct Library {
    apps: BTreeMap<String, Place>,
    config: Config,
    indexing: Semaphore,
    shelf: Mutex<Shelf>,
}

/// What is in memory.
#[derive(Debug, Default)]
struct Shelf {
    /// App and name, as asked for; the file's name, and when that was found.
    names: HashMap<(String, String), (String, Instant)>,
    films: HashMap<(String, String), Arc<Slot>>,
    /// Grows with each use.
    clock: u64,
}

/// One file's place in memory.
#[derive(Debug, Default)]
struct Slot {
    kept: tokio::sync::Mutex<Option<Kept>>,
    seen: Mutex<Seen>,
}

/// What is known of a slot without waiting for it.
#[derive(Debug, Default)]
struct Seen {
    used: u64,
    weight: usize,
    /// The film and when it was last compared with its file.
    film: Option<(Arc<Film>, Instant)>,
}

#[derive(Debug)]
struct Kept {
    film: Arc<Film>,
    growth: Option<Growth>,
}

impl Library {
    /// `media` is the directory of the app `vod`.
    pub fn new(media: &Path, config: &Config) -> Self {
        let place = |directory: &Path| Place {
            directory: directory.to_owned(),
            follow_symlinks: config.follow_symlinks,
        };
        let mut apps: BTreeMap<String, Place> =
            config.directories.iter().map(|(app, directory)| (app.clone(), place(directory))).collect();
        apps.entry(DEFAULT_APP.to_owned()).or_insert_with(|| place(media));
        Self { apps, config: config.clone(), indexing: Semaphore::new(INDEXING_MAX), shelf: Mutex::default() }
    }

    /// The apps that have films.
    pub fn apps(&self) -> impl Iterator<Item = &str> {
        self.apps.keys().map(String::as_str)
    }

    /// Whether an app has films.
    pub fn has_app(&self, app: &str) -> bool {
        self.apps.contains_key(app)
    }

    /// The film that a client calls `name`, as it is now.
    pub async fn open(&self, app: &str, name: &str) -> Result<Arc<Film>, Refusal> {
        let key = match self.remembered(app, name) {
            Some(key) => key,
            None => self.look_up(app, name).await.inspect_err(|_| self.forget(app, name))?,
        };
        let slot = self.slot(&key);
        if let Some(film) = slot.believed() {
            return Ok(film);
        }
        let mut kept = slot.kept.lock().await;
        // Somebody else may have looked while we waited.
        if let Some(film) = slot.believed() {
            return Ok(film);
        }
        let opened = self.refresh(&key, kept.take()).await;
        match opened {
            Ok(fresh) => {
                let film = Arc::clone(&fresh.film);
                slot.note(&film);
                *kept = Some(fresh);
                drop(kept);
                self.trim(&key);
                Ok(film)
            }
            Err(refusal) => {
                drop(kept);
                self.shelf.lock().films.remove(&key);
                Err(refusal)
            }
        }
    }

    /// Lets go of a film that is there no more, so that its file can go: whoever plays it keeps it to the end.
    pub fn forget(&self, app: &str, name: &str) {
        let mut shelf = self.shelf.lock();
        let led_to = shelf.names.remove(&(app.to_owned(), name.to_owned()));
        let file = led_to.map_or_else(|| name.to_owned(), |(file, _)| file);
        shelf.films.remove(&(app.to_owned(), file));
    }

    /// Any file that may be served by its exact path below the app's directory, opened.
    pub async fn file(&self, app: &str, path: &str) -> Result<Found, Refusal> {
        let place = self.place(app)?.clone();
        let path = path.to_owned();
        blocking(move || place.open(&path)).await
    }

    /// The films of an app by name, at most `vod.entries_max`, and whether there are more.
    pub async fn list(&self, app: &str) -> Result<(Vec<Entry>, bool), Refusal> {
        let place = self.place(app)?.clone();
        let entries_max = self.config.entries_max;
        blocking(move || {
            let failed = |error: io::Error| {
                let directory = place.directory.display();
                Refusal::Failed(format!("The directory {directory} cannot be read: {error}."))
            };
            place.list(entries_max).map_err(failed)
        })
        .await
    }

    /// Files beside a film that are called after it, by their paths: subtitles.
    pub async fn beside(&self, app: &str, film: &str) -> Result<Vec<String>, Refusal> {
        let (place, film) = (self.place(app)?.clone(), film.to_owned());
        blocking(move || place.beside(&film)).await
    }

    /// Films in memory, and the memory that their indices take in bytes, about.
    pub fn kept(&self) -> (usize, usize) {
        let shelf = self.shelf.lock();
        (shelf.films.len(), shelf.films.values().map(|slot| slot.seen.lock().weight).sum())
    }

    fn place(&self, app: &str) -> Result<&Place, Refusal> {
        self.apps.get(app).ok_or_else(|| Refusal::NotFound(format!("There are no films in {app}.")))
    }

    fn remembered(&self, app: &str, name: &str) -> Option<(String, String)> {
        let shelf = self.shelf.lock();
        let (file, since) = shelf.names.get(&(app.to_owned(), name.to_owned()))?;
        (since.elapsed() < BELIEVED).then(|| (app.to_owned(), file.clone()))
    }

    async fn look_up(&self, app: &str, name: &str) -> Result<(String, String), Refusal> {
        let place = self.place(app)?.clone();
        let asked = name.to_owned();
        let file = blocking(move || place.find(&asked)).await?;
        let mut shelf = self.shelf.lock();
        if shelf.names.len() >= NAMES_MAX {
            shelf.names.retain(|_, (_, since)| since.elapsed() < BELIEVED);
        }
        if shelf.names.len() < NAMES_MAX {
            shelf.names.insert((app.to_owned(), name.to_owned()), (file.clone(), Instant::now()));
        }
        Ok((app.to_owned(), file))
    }

    fn slot(&self, key: &(String, String)) -> Arc<Slot> {
        let mut shelf = self.shelf.lock();
        shelf.clock += 1;
        let clock = shelf.clock;
        let slot = Arc::clone(shelf.films.entry(key.clone()).or_default());
        slot.seen.lock().used = clock;
        slot
    }

    /// Compares the file with what is known of it; reads it, or what is new of it.
    async fn refresh(&self, (app, name): &(String, String), kept: Option<Kept>) -> Result<Kept, Refusal> {
        let place = self.place(app)?.clone();
        let file = name.clone();
        let (bytes, modified) = blocking(move || place.stat(&file)).await?;
        let growth = match kept {
            Some(kept) if (kept.film.bytes(), kept.film.modified()) == (bytes, modified) => return Ok(kept),
            Some(kept) if bytes > kept.film.bytes() => kept.growth,
            _ => None,
        };
        let stopped = || Refusal::Failed("The server is stopping.".to_owned());
        let _turn = self.indexing.acquire().await.map_err(|_| stopped())?;
        let place = self.place(app)?.clone();
        let file = name.clone();
        blocking(move || {
            let began = Instant::now();
            let found = place.open(&file)?;
            let (index, growth) = indexing::index(&found, growth)
                .map_err(|error| Refusal::NoMedia(format!("{file} cannot be played: {error}.")))?;
            let film = Arc::new(Film::new(found, index));
            for note in film.index().notes() {
                tracing::warn!(film = file, "irregular: {note}");
            }
            let took_ms = began.elapsed().as_millis();
            tracing::debug!(film = file, samples = film.index().samples().len(), took_ms, "indexed");
            Ok(Kept { film, growth })
        })
        .await
    }

    /// Lets go of the films that were not used for longest, until the limits hold; never of `newest`.
    fn trim(&self, newest: &(String, String)) {
        let mut shelf = self.shelf.lock();
        let mut by_use: Vec<_> = shelf
            .films
            .iter()
            .map(|(key, slot)| {
                let seen = slot.seen.lock();
                (seen.used, seen.weight, key.clone())
            })
            .collect();
        by_use.sort_unstable();
        let mut count = by_use.len();
        let mut bytes: usize = by_use.iter().map(|(_, weight, _)| weight).sum();
        for (_, weight, key) in by_use {
            if count <= self.config.films_max && bytes <= self.config.index_bytes_max {
                break;
            }
            if key != *newest {
                shelf.films.remove(&key);
                count -= 1;
                bytes -= weight;
            }
        }
    }
}

impl Slot {
    fn believed(&self) -> Option<Arc<Film>> {
        let seen = self.seen.lock();
        let (film, since) = seen.film.as_ref()?;
        (since.elapsed() < BELIEVED).then(|| Arc::clone(film))
    }

    fn note(&self, film: &Arc<Film>) {
        let mut seen = self.seen.lock();
        seen.weight = film.weight();
        seen.film = Some((Arc::clone(film), Instant::now()));
    }
}

/// Does what may wait for a disk on a thread that may wait.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Refusal> + Send + 'static,
) -> Result<T, Refusal> {
    let joined = tokio::task::spawn_blocking(work).await;
    joined.unwrap_or_else(|error| Err(Refusal::Failed(format!("The film could not be read: {error}."))))
}

#[cfg(test)]
mod tests;
