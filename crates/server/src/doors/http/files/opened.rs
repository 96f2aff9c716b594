//! Files that were opened a moment ago, and films that were written anew: players ask for many ranges of the same,
//! and each of them would have the directory looked through, or the whole index.

use std::collections::{HashMap, VecDeque};
use std::fs::File;
use std::sync::Arc;
use std::time::{Duration, Instant};

use headwater_media::cut::Cut;
use parking_lot::Mutex;
use tokio::sync::Semaphore;

use super::conditions::Version;
use super::cutting::{self, Asked, Container};
use super::plan::Plan;
use headwater_vod::{Film, Library, Refusal, RefusalKind, blocking, etag};

/// What was found is believed for so long.
const BELIEVED: Duration = Duration::from_secs(1);
/// Files that are kept open, at most; it takes as many of the process's descriptors.
const OPENED_MAX: usize = 256;

/// Films written anew that are kept, at most.
const MADE_MAX: usize = 32;
/// Memory that they take, in bytes, at most; one is always kept.
const MADE_BYTES_MAX: usize = 64 << 20;
/// Films that are written anew at the same time; others wait.
const MAKING_MAX: usize = 2;

/// A file as it was when it was opened.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) file: Arc<File>,
    pub(super) bytes: u64,
    pub(super) version: Version,
}

/// Files by app and path, with when they were opened.
type Files = HashMap<(String, String), (Arc<Opened>, Instant)>;

/// What was asked for a moment ago.
#[derive(Debug)]
pub(crate) struct Recent {
    files: Mutex<Files>,
    /// The one that was used last stands last.
    made: Mutex<VecDeque<Made>>,
    making: Semaphore,
}

/// A film written anew, by its entity tag.
#[derive(Clone, Debug)]
struct Made {
    app: String,
    name: String,
    tag: String,
    film: Arc<Film>,
    cut: Arc<Cut>,
}

impl Default for Recent {
    fn default() -> Self {
        Self { files: Mutex::default(), made: Mutex::default(), making: Semaphore::new(MAKING_MAX) }
    }
}

impl Recent {
    /// The file of that path below the app's directory.
    pub(super) async fn open(
        &self,
        library: &Library,
        app: &str,
        path: &str,
    ) -> Result<Arc<Opened>, Refusal> {
        let key = (app.to_owned(), path.to_owned());
        if let Some((opened, since)) = self.files.lock().get(&key)
            && since.elapsed() < BELIEVED
        {
            return Ok(Arc::clone(opened));
        }
        let found = library.file(app, path).await?;
        let version = Version { etag: etag(found.bytes, found.modified), modified: found.modified };
        let opened = Arc::new(Opened { file: Arc::new(found.file), bytes: found.bytes, version });
        let mut files = self.files.lock();
        if files.len() >= OPENED_MAX {
            files.retain(|_, (_, since)| since.elapsed() < BELIEVED);
        }
        if files.len() < OPENED_MAX || files.contains_key(&key) {
            files.insert(key, (Arc::clone(&opened), Instant::now()));
        }
        Ok(opened)
    }

    /// Lets go of a file that is there no more or has become another one, so that its bytes on the disk can go.
    pub(in crate::doors::http) fn forget(&self, app: &str, path: &str) {
        self.files.lock().remove(&(app.to_owned(), path.to_owned()));
        self.made.lock().retain(|made| !(made.app == app && made.name == path));
    }

    /// A film of an app as it is asked for, with what names this version of it.
    pub(super) async fn make(
        &self,
        app: &str,
        film: Arc<Film>,
        container: Container,
        asked: Asked,
    ) -> Result<(Plan, Version), Refusal> {
        let tag = cutting::tag(&film, container, &asked);
        let version = Version { etag: tag.clone(), modified: film.modified() };
        if let Some(plan) = self.made(app, film.name(), &tag) {
            return Ok((plan, version));
        }
        let stopping = |_| Refusal::new(RefusalKind::Failed, "The server is stopping.");
        let _turn = self.making.acquire().await.map_err(stopping)?;
        if let Some(plan) = self.made(app, film.name(), &tag) {
            return Ok((plan, version));
        }
        let source = Arc::clone(&film);
        let cut = Arc::new(blocking(move || cutting::make(&source, container, &asked)).await?);
        let made = Made { app: app.to_owned(), name: film.name().to_owned(), tag, film, cut };
        let plan = made.plan();
        self.keep(made);
        Ok((plan, version))
    }

    fn made(&self, app: &str, name: &str, tag: &str) -> Option<Plan> {
        let mut kept = self.made.lock();
        let at = kept.iter().position(|made| {
            (made.app.as_str(), made.name.as_str(), made.tag.as_str()) == (app, name, tag)
        })?;
        let made = kept.remove(at)?;
        let plan = made.plan();
        kept.push_back(made);
        Some(plan)
    }

    fn keep(&self, made: Made) {
        let mut kept = self.made.lock();
        kept.push_back(made);
        let mut bytes: usize = kept.iter().map(|made| made.cut.weight()).sum();
        while kept.len() > 1 && (kept.len() > MADE_MAX || bytes > MADE_BYTES_MAX) {
            bytes -= kept.pop_front().map_or(0, |made| made.cut.weight());
        }
    }
}

impl Made {
    fn plan(&self) -> Plan {
        Plan::made(Arc::clone(&self.film), Arc::clone(&self.cut))
    }
}
