//! The library: which films there are, their files open, and the ones that are being watched with their indices in
//! memory.
//!
//! A film is indexed when it is first asked for, once however many ask at the same time. For a second what was
//! found is believed; then the file is looked at again, so that new, changed and removed files are noticed.

mod write;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use headwater_media::mp4::growing;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;

use self::write::Grows;
use crate::blob::{Blob, FileBlob, file_etag};
use crate::blocking::blocking;
use crate::cache::{Cache, Limits};
use crate::film::Film;
use crate::indexing::{self, Found, Growth};
use crate::media_root::{Entry, MediaRoot};
use crate::refusal::{Refusal, RefusalKind};

/// What was found is believed for so long.
const BELIEVED: Duration = Duration::from_secs(1);
/// Files that are indexed at the same time; others wait.
const INDEXING_MAX: usize = 2;
/// Names that are remembered with the files they led to.
const NAMES_MAX: usize = 4096;
/// Files that are kept open beside those of the films in memory, at most; it takes as many of the process's
/// descriptors.
const FILES_MAX: usize = 256;
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
    #[serde(alias = "index_bytes_max")]
    pub index_max_bytes: usize,
    /// Files that a catalogue lists, at most.
    pub entries_max: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            directories: BTreeMap::new(),
            follow_symlinks: false,
            films_max: 256,
            index_max_bytes: 256 << 20,
            entries_max: 100_000,
        }
    }
}

/// App and name: as asked for, or of the file.
type Key = (String, String);

/// Every app's films.
#[derive(Debug)]
pub struct Library {
    apps: BTreeMap<String, MediaRoot>,
    entries_max: usize,
    indexing: Semaphore,
    /// The files' names by the names that were asked for.
    names: Cache<Key, String>,
    files: Cache<Key, OpenFile>,
    films: Cache<Key, Indexed>,
    grows: Grows,
}

/// A file that is open.
#[derive(Clone, Debug)]
struct OpenFile {
    blob: Arc<dyn Blob>,
    /// Whether it is a recording as MP4 that is not complete.
    is_growing: bool,
}

impl OpenFile {
    /// Looks into the file: it may wait for the disk.
    fn new(file: FileBlob) -> Self {
        let mut start = [0; growing::START_LEN];
        let len = file.size().min(start.len() as u64) as usize;
        // What cannot be read is said to whoever reads it.
        let is_read = file.read_exact_at(&mut start[..len], 0).is_ok();
        Self { is_growing: is_read && growing::is_growing(&start[..len]), blob: Arc::new(file) }
    }
}

/// What others are given under the name of a file.
#[derive(Debug)]
pub enum FileOrFilm {
    /// The file as it lies.
    File(Arc<dyn Blob>),
    /// The film, to be written anew for them.
    Film(Arc<Film>),
}

/// A film in memory.
#[derive(Clone, Debug)]
struct Indexed {
    film: Arc<Film>,
    /// Taken by who makes the index longer.
    growth: Arc<Mutex<Option<Growth>>>,
}

impl Library {
    /// `media` is the directory of the app `vod`.
    pub fn new(media: &Path, config: &Config) -> Self {
        let root = |directory: &Path| MediaRoot {
            directory: directory.to_owned(),
            follow_symlinks: config.follow_symlinks,
        };
        let mut apps: BTreeMap<String, MediaRoot> =
            config.directories.iter().map(|(app, directory)| (app.clone(), root(directory))).collect();
        apps.entry(DEFAULT_APP.to_owned()).or_insert_with(|| root(media));
        let believed = |entries_max| Limits { entries_max, weight_max: usize::MAX, age_max: Some(BELIEVED) };
        let films =
            Limits { entries_max: config.films_max, weight_max: config.index_max_bytes, age_max: None };
        Self {
            apps,
            entries_max: config.entries_max,
            indexing: Semaphore::new(INDEXING_MAX),
            names: Cache::new(believed(NAMES_MAX), |_| 0),
            files: Cache::new(believed(FILES_MAX), |_| 0),
            films: Cache::new(films, |indexed| indexed.film.weight()),
            grows: Grows::default(),
        }
    }

    /// Files of which `grows` is true are being written: they are neither removed nor replaced nor renamed, and who plays them
    /// waits for more. It is asked by path, on a thread that may wait.
    #[must_use]
    pub fn sparing(mut self, grows: impl Fn(&Path) -> bool + Send + Sync + 'static) -> Self {
        self.grows = Grows::new(grows);
        self
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
    ///
    /// # Errors
    /// There is none, it may not be served, or nothing in it can be played.
    pub async fn open(&self, app: &str, name: &str) -> Result<Arc<Film>, Refusal> {
        let name = self.find(app, name).await?;
        let key = (app.to_owned(), name);
        let blob = self.file(app, &key.1).await.inspect_err(|_| self.films.remove(&key))?;
        let is_current = |indexed: &Indexed| indexed.film.etag() == blob.etag();
        let index = |before| self.index(&key, Arc::clone(&blob), before);
        Ok(self.films.get_or_make(&key, is_current, index).await?.film)
    }

    /// Lets go of a film that is there no more, so that its file can go: whoever plays it keeps it to the end.
    pub fn forget(&self, app: &str, name: &str) {
        let asked = (app.to_owned(), name.to_owned());
        let led_to = self.names.get(&asked);
        self.names.remove(&asked);
        let file = led_to.map_or(asked, |file| (app.to_owned(), file));
        self.films.remove(&file);
        self.files.remove(&file);
    }

    /// Any file that may be served by its exact path below the app's directory, as it was at most a second ago.
    ///
    /// # Errors
    /// There is none, it may not be served, or it cannot be read.
    pub async fn file(&self, app: &str, path: &str) -> Result<Arc<dyn Blob>, Refusal> {
        Ok(self.opened(app, path).await?.blob)
    }

    /// As [`file`](Self::file), for those who hand it to others: of a recording that grows and whose description has changed it
    /// is the film, since its file has a track for each description, which others take for several.
    ///
    /// # Errors
    /// As [`file`](Self::file).
    pub async fn file_or_film(&self, app: &str, path: &str) -> Result<FileOrFilm, Refusal> {
        let OpenFile { blob, is_growing } = self.opened(app, path).await?;
        if !is_growing {
            return Ok(FileOrFilm::File(blob));
        }
        // One that has just begun may be no film yet.
        match self.open(app, path).await {
            Ok(film) if film.index().has_changes() => Ok(FileOrFilm::Film(film)),
            _ => Ok(FileOrFilm::File(blob)),
        }
    }

    async fn opened(&self, app: &str, path: &str) -> Result<OpenFile, Refusal> {
        let root = self.root(app)?;
        let key = (app.to_owned(), path.to_owned());
        let open = |before: Option<OpenFile>| {
            let (root, path) = (root.clone(), path.to_owned());
            blocking(move || match before {
                Some(before) if root.stat(&path)? == (before.blob.size(), before.blob.modified()) => {
                    Ok(before)
                }
                _ => root.open(&path).map(OpenFile::new),
            })
        };
        self.files.get_or_make(&key, |_| true, open).await
    }

    /// The entity tag of a file by its exact path, as it is now.
    ///
    /// # Errors
    /// As [`file`](Self::file).
    pub async fn etag(&self, app: &str, path: &str) -> Result<String, Refusal> {
        let (root, path) = (self.root(app)?.clone(), path.to_owned());
        let (size, modified) = blocking(move || root.stat(&path)).await?;
        Ok(file_etag(size, modified))
    }

    /// The films of an app by name, at most `vod.entries_max`, and whether there are more.
    ///
    /// # Errors
    /// The app has no films, or its directory cannot be read.
    pub async fn list(&self, app: &str) -> Result<(Vec<Entry>, bool), Refusal> {
        let root = self.root(app)?.clone();
        let entries_max = self.entries_max;
        blocking(move || {
            let failed = |error: io::Error| {
                let directory = root.directory.display();
                let text = format!("The directory {directory} cannot be read: {error}.");
                Refusal::new(RefusalKind::Failed, text)
            };
            root.list(entries_max).map_err(failed)
        })
        .await
    }

    /// Files beside a film that are called after it, by their paths: subtitles.
    ///
    /// # Errors
    /// There is no such film.
    pub async fn beside(&self, app: &str, film: &str) -> Result<Vec<String>, Refusal> {
        let (root, film) = (self.root(app)?.clone(), film.to_owned());
        blocking(move || root.beside(&film)).await
    }

    /// Films in memory, and the memory that their indices take in bytes, about.
    pub fn in_memory(&self) -> (usize, usize) {
        self.films.size()
    }

    /// Whether somebody is being sent this film, or was a moment ago.
    pub fn is_watched(&self, app: &str, file: &str) -> bool {
        /// The cache's own, and the one that is looked at.
        const OWN: usize = 2;
        let key = (app.to_owned(), file.to_owned());
        let plays = self.films.get(&key).is_some_and(|indexed| Arc::strong_count(&indexed.film) > OWN);
        // A film in memory has its file too.
        let own = OWN + usize::from(self.films.get(&key).is_some());
        plays || self.files.get(&key).is_some_and(|file| Arc::strong_count(&file.blob) > own)
    }

    fn root(&self, app: &str) -> Result<&MediaRoot, Refusal> {
        self.apps
            .get(app)
            .ok_or_else(|| Refusal::new(RefusalKind::NotFound, format!("There are no films in {app}.")))
    }

    /// The name of the file that a client calls `name`.
    async fn find(&self, app: &str, name: &str) -> Result<String, Refusal> {
        let root = self.root(app)?;
        let key = (app.to_owned(), name.to_owned());
        let look_up = async |before: Option<String>| {
            let (root, asked) = (root.clone(), name.to_owned());
            let found = blocking(move || root.find(&asked)).await;
            found.inspect_err(|_| self.forget(app, before.as_deref().unwrap_or(name)))
        };
        self.names.get_or_make(&key, |_| true, look_up).await
    }

    /// Reads a file's index, or what is new of it.
    async fn index(
        &self,
        (app, name): &Key,
        blob: Arc<dyn Blob>,
        before: Option<Indexed>,
    ) -> Result<Indexed, Refusal> {
        let shorter = before.filter(|before| before.film.bytes() < blob.size());
        let growth = shorter.and_then(|before| before.growth.lock().take());
        let _turn = self.indexing.acquire().await.map_err(|_| Refusal::stopping())?;
        let (name, path, grows) = (name.clone(), self.root(app)?.directory.join(name), self.grows.clone());
        blocking(move || {
            let began = Instant::now();
            let is_recorded = || grows.holds(&path);
            let Found { index, growth, is_unfinished } = indexing::index(&*blob, growth, is_recorded)
                .map_err(|error| {
                    Refusal::new(RefusalKind::NoMedia, format!("{name} cannot be played: {error}."))
                })?;
            for note in index.notes() {
                tracing::warn!(film = name, "irregular: {note}");
            }
            let took_ms = began.elapsed().as_millis();
            tracing::debug!(film = name, samples = index.samples().len(), took_ms, "indexed");
            let film = Arc::new(Film::new(name, blob, index, is_unfinished));
            Ok(Indexed { film, growth: Arc::new(Mutex::new(growth)) })
        })
        .await
    }
}

#[cfg(test)]
mod tests;
