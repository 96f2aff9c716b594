//! Files that were opened a moment ago, so that players that ask for many small ranges do not have the directory
//! looked through each time.

use std::collections::HashMap;
use std::fs::File;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::conditions::Version;
use crate::vod::{Library, Refusal, etag};

/// What was found is believed for so long.
const BELIEVED: Duration = Duration::from_secs(1);
/// Files that are kept open, at most; it takes as many of the process's descriptors.
const OPENED_MAX: usize = 256;

/// A file as it was when it was opened.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) file: Arc<File>,
    pub(super) bytes: u64,
    pub(super) version: Version,
}

/// The files, by app and path.
#[derive(Debug, Default)]
pub(crate) struct Recent(Mutex<HashMap<(String, String), (Arc<Opened>, Instant)>>);

impl Recent {
    /// The file of that path below the app's directory.
    pub(super) async fn open(
        &self,
        library: &Library,
        app: &str,
        path: &str,
    ) -> Result<Arc<Opened>, Refusal> {
        let key = (app.to_owned(), path.to_owned());
        if let Some((opened, since)) = self.0.lock().get(&key)
            && since.elapsed() < BELIEVED
        {
            return Ok(Arc::clone(opened));
        }
        let found = library.file(app, path).await?;
        let version = Version { etag: etag(found.bytes, found.modified), modified: found.modified };
        let opened = Arc::new(Opened { file: Arc::new(found.file), bytes: found.bytes, version });
        let mut recent = self.0.lock();
        if recent.len() >= OPENED_MAX {
            recent.retain(|_, (_, since)| since.elapsed() < BELIEVED);
        }
        if recent.len() < OPENED_MAX || recent.contains_key(&key) {
            recent.insert(key, (Arc::clone(&opened), Instant::now()));
        }
        Ok(opened)
    }
}
