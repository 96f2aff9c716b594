//! Which directories hold films: those of the section `[vod]`, and the one of recordings.

use headwater_archive::{RECORDINGS_APP, Recordings};
use headwater_vod as vod;

use super::Config;

impl Config {
    /// The library's configuration, with the recordings among its apps.
    pub(crate) fn libraries(&self) -> vod::Config {
        let mut libraries = self.vod.clone();
        let root = self.recordings.root(&self.data);
        libraries.directories.entry(RECORDINGS_APP.to_owned()).or_insert(root);
        libraries
    }

    /// What is recorded, and where.
    pub(crate) fn recordings(&self) -> Recordings {
        Recordings::new(self.recordings.root(&self.data), self.recordings.clone(), self.apps.clone())
    }
}
