//! New files for the library, and files taken out of it.

use std::fmt;
use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;

use super::Library;
use crate::blocking::blocking;
use crate::media_root::{MediaRoot, Way};
use crate::refusal::{Refusal, RefusalKind};

/// Whether the file at a path is being written.
#[derive(Clone)]
pub(super) struct Grows(Arc<dyn Fn(&Path) -> bool + Send + Sync>);

impl Library {
    /// Whether a file of that name may be put into an app's directory, and whether there is one already.
    ///
    /// # Errors
    /// The app has no films, or no file may have that name.
    pub async fn holds(&self, app: &str, name: &str) -> Result<bool, Refusal> {
        let (root, name) = (self.root(app)?.clone(), name.to_owned());
        blocking(move || root.holds(&name)).await
    }

    /// Where a new file of that name goes; directories on the way are made.
    ///
    /// # Errors
    /// As [`holds`](Self::holds); and a directory cannot be made.
    pub(crate) async fn make_way(&self, app: &str, name: &str) -> Result<Way, Refusal> {
        let (root, name) = (self.root(app)?.clone(), name.to_owned());
        blocking(move || root.make_way(&name)).await
    }

    /// Removes what a crash has left of a file that was being moved into an app's directory under this number. It may wait for
    /// the disk.
    pub(crate) fn remove_unfinished(&self, app: &str, name: &str, number: &str) {
        if let Ok(root) = self.root(app) {
            root.remove_unfinished(name, number);
        }
    }

    /// Makes a new file of what `write` writes; it appears under its name when it is whole.
    ///
    /// # Errors
    /// As [`holds`](Self::holds); `Taken`, `Full`, or it cannot be written.
    pub async fn put(
        &self,
        app: &str,
        name: &str,
        write: impl FnOnce(&mut File) -> io::Result<()> + Send + 'static,
    ) -> Result<(), Refusal> {
        let (root, file) = (self.root(app)?.clone(), name.to_owned());
        blocking(move || root.put(&file, write)).await?;
        self.forget(app, name);
        Ok(())
    }

    /// Gives a film, or a file beside one, another name in the same app. What has that name already stays what it is.
    ///
    /// # Errors
    /// `Growing`, `Taken`, `Invalid` if the ending is another, which would make another kind of film of it; there is none, no
    /// file may have that name, or it cannot be done.
    pub async fn rename(&self, app: &str, from: &str, to: &str) -> Result<(), Refusal> {
        let (root, old, new) = (self.root(app)?.clone(), from.to_owned(), to.to_owned());
        let grows = self.grows.clone();
        blocking(move || grows.refuse(&root, &old).and_then(|()| root.rename(&old, &new))).await?;
        self.forget(app, from);
        self.forget(app, to);
        Ok(())
    }

    /// Removes a film, or a file beside one, by its exact path. Who is watching sees it to its end.
    ///
    /// # Errors
    /// `Growing`; there is none, or it cannot be removed.
    pub async fn remove(&self, app: &str, name: &str) -> Result<(), Refusal> {
        let (root, file, grows) = (self.root(app)?.clone(), name.to_owned(), self.grows.clone());
        blocking(move || grows.refuse(&root, &file).and_then(|()| root.remove(&file))).await?;
        self.forget(app, name);
        Ok(())
    }

    /// Whether a film's file is being written by its recorder.
    pub(crate) async fn is_recorded(&self, app: &str, name: &str) -> bool {
        let Ok(path) = self.root(app).map(|root| root.directory.join(name)) else { return false };
        let grows = self.grows.clone();
        let asked = blocking(move || Ok::<_, tokio::task::JoinError>(grows.holds(&path)));
        asked.await.unwrap_or(false)
    }

    /// Refuses what nothing may be put in the place of.
    ///
    /// # Errors
    /// `Growing`; the app has no films.
    pub(crate) async fn refuse_growing(&self, app: &str, name: &str) -> Result<(), Refusal> {
        let (root, file, grows) = (self.root(app)?.clone(), name.to_owned(), self.grows.clone());
        blocking(move || grows.refuse(&root, &file)).await
    }
}

impl Grows {
    pub(super) fn new(grows: impl Fn(&Path) -> bool + Send + Sync + 'static) -> Self {
        Self(Arc::new(grows))
    }

    /// It may wait for the disk.
    pub(super) fn holds(&self, path: &Path) -> bool {
        (self.0)(path)
    }

    fn refuse(&self, root: &MediaRoot, name: &str) -> Result<(), Refusal> {
        if self.holds(&root.directory.join(name)) {
            let text = format!("{name} is being recorded; end the recording first.");
            return Err(Refusal::new(RefusalKind::Growing, text));
        }
        Ok(())
    }
}

impl Default for Grows {
    /// Nothing does.
    fn default() -> Self {
        Self::new(|_| false)
    }
}

impl fmt::Debug for Grows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Grows")
    }
}
