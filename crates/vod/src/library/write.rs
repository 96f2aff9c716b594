//! New files for the library, and files taken out of it.

use std::path::PathBuf;

use super::Library;
use crate::blocking::blocking;
use crate::refusal::Refusal;

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
    pub async fn make_way(&self, app: &str, name: &str) -> Result<PathBuf, Refusal> {
        let (root, name) = (self.root(app)?.clone(), name.to_owned());
        blocking(move || root.make_way(&name)).await
    }

    /// Gives a film, or a file beside one, another name in the same app. What has that name already stays what it is.
    ///
    /// # Errors
    /// There is none, another has that name, no file may have it, or it cannot be done.
    pub async fn rename(&self, app: &str, from: &str, to: &str) -> Result<(), Refusal> {
        let (root, old, new) = (self.root(app)?.clone(), from.to_owned(), to.to_owned());
        blocking(move || root.rename(&old, &new)).await?;
        self.forget(app, from);
        self.forget(app, to);
        Ok(())
    }

    /// Removes a film, or a file beside one, by its exact path. Who is watching sees it to its end.
    ///
    /// # Errors
    /// There is none, or it cannot be removed.
    pub async fn remove(&self, app: &str, name: &str) -> Result<(), Refusal> {
        let (root, file) = (self.root(app)?.clone(), name.to_owned());
        blocking(move || root.remove(&file)).await?;
        self.forget(app, name);
        Ok(())
    }
}
