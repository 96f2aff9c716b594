//! What is recorded, under which names, and for how long: the sections `[recordings]` and `[apps.NAME]` of the configuration.

use std::path::{Path, PathBuf};

use headwater_hub::StreamName;
use serde::{Deserialize, Serialize};

use super::file_name;

/// Where recordings are kept; the section `[recordings]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RecordingsConfig {
    /// The directory; empty: `recordings` in the data directory.
    pub directory: PathBuf,
    /// Room on the disk that recordings leave free, in bytes: below it they stop until there is more.
    pub free_min_bytes: u64,
}

impl Default for RecordingsConfig {
    fn default() -> Self {
        Self { directory: PathBuf::new(), free_min_bytes: 1 << 30 }
    }
}

impl RecordingsConfig {
    /// The directory of recordings, with the data directory `data`.
    #[must_use]
    pub fn root(&self, data: &Path) -> PathBuf {
        if self.directory.as_os_str().is_empty() { data.join("recordings") } else { self.directory.clone() }
    }
}

/// What is done with the streams of one app; a section `[apps.NAME]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AppConfig {
    /// Whether its broadcasts are recorded.
    pub record: Record,
    /// What kind of files they are recorded into.
    pub record_format: RecordFormat,
    /// What the files are called, below the app's directory and without their ending.
    pub name: String,
    /// A new file begins at the first key frame after so many minutes; 0: never.
    pub split_minutes: u32,
    /// Or after so many bytes; 0: never.
    pub split_bytes: u64,
    /// Recordings older than so many days are removed; 0: none.
    pub keep_days: u32,
    /// Of more recordings than this the oldest are removed; 0: none.
    pub keep_files: u32,
    /// Of more bytes than this the oldest are removed; 0: none.
    pub keep_bytes: u64,
}

/// Whether broadcasts are recorded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Record {
    /// None is, whoever asks.
    #[default]
    Never,
    /// All are.
    Always,
    /// Those are that somebody asks for.
    OnDemand,
}

/// What kind of file a broadcast is recorded into.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RecordFormat {
    /// Fragments while it grows, an ordinary MP4 when it ends.
    #[default]
    Mp4,
    /// Tags; at the end with the places of the key frames in front.
    Flv,
}

impl RecordFormat {
    /// What its files' names end with.
    pub(super) const fn ending(self) -> &'static str {
        match self {
            Self::Mp4 => "mp4",
            Self::Flv => "flv",
        }
    }
}

impl Default for AppConfig {
    fn default() -> Self {
        Self {
            record: Record::Never,
            record_format: RecordFormat::Mp4,
            name: "{name}/{time}".into(),
            split_minutes: 0,
            split_bytes: 0,
            keep_days: 0,
            keep_files: 0,
            keep_bytes: 0,
        }
    }
}

impl AppConfig {
    /// Whether all values can be.
    ///
    /// # Errors
    /// A sentence that names the key and the mend; `app` is the section's name.
    pub fn check(&self, app: &str) -> Result<(), String> {
        // Its directory is called so; a drive's letter or a backslash leads elsewhere on Windows.
        let leads_on = app.contains(['/', '\\']) || cfg!(windows) && app.contains(':');
        if leads_on || StreamName::new(app, "name").is_err() {
            return Err(format!(
                "[apps.{app:?}] is no app: give the first part of a stream's name, without slashes or control characters, \
                 and neither empty nor \".\" nor \"..\""
            ));
        }
        file_name::check(&self.name).map_err(|fault| {
            format!("[apps.{app}] name = {:?} {fault}; the default is \"{{name}}/{{time}}\"", self.name)
        })
    }

    /// Whether anything is removed by time, number or size.
    #[must_use]
    pub const fn has_limits(&self) -> bool {
        self.keep_days > 0 || self.keep_files > 0 || self.keep_bytes > 0
    }
}
