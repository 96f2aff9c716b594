//! The configuration: built-in defaults, then the file, then the environment and the flags.
//!
//! Each part of the server defines what it needs; this file composes and names them. Keys that can change while the
//! server runs reach their parts through [`settings`]; which cannot is said in [`start_keys`]. It is documented key by key in
//! `docs/configuration.md`, and a test holds the two together.

mod directories;
mod libraries;
pub(crate) mod reload;
mod renamed;
pub(crate) mod settings;
mod start_keys;
mod streams;
mod suggestion;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

use crate::access;
use crate::doors::{http, rtmp};
use crate::net::{proxy, tls};
use headwater_archive as archive;
use headwater_vod::{self as vod, thumbnails, uploads};

use self::streams::Streams;

/// What a sample begins with.
const SAMPLE_HEAD: &str = "\
# Headwater's configuration. Every key is here at its default: change what you like, strike the rest.
# `headwater check -c FILE` says whether it is valid. Keys marked `# start` are read when the server starts,
# all others also on SIGHUP.
";

/// Everything that an operator can set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where the server writes.
    pub(crate) data: PathBuf,
    /// Where the films are.
    pub(crate) media: PathBuf,
    /// The RTMP door.
    pub(crate) rtmp: rtmp::Config,
    /// The HTTP door.
    pub(crate) http: http::Config,
    /// Certificates, and where they are used.
    pub(crate) tls: tls::Config,
    /// Proxies that speak for others.
    pub(crate) proxy: proxy::Config,
    /// Live streams.
    pub(crate) streams: Streams,
    /// What is kept of live streams.
    pub(crate) window: archive::Config,
    /// Where recordings are kept.
    pub(crate) recordings: archive::RecordingsConfig,
    /// What is done with the streams of each app.
    pub(crate) apps: BTreeMap<String, archive::AppConfig>,
    /// Films on demand.
    pub(crate) vod: vod::Config,
    /// Pictures of films.
    pub(crate) pictures: thumbnails::Config,
    /// Films that are brought over HTTP.
    pub(crate) uploads: uploads::Config,
    /// Who may do what.
    pub(crate) access: access::Config,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            data: "headwater-data".into(),
            media: "media".into(),
            rtmp: rtmp::Config::default(),
            http: http::Config::default(),
            tls: tls::Config::default(),
            proxy: proxy::Config::default(),
            streams: Streams::default(),
            window: archive::Config::default(),
            recordings: archive::RecordingsConfig::default(),
            apps: BTreeMap::new(),
            vod: vod::Config::default(),
            pictures: thumbnails::Config::default(),
            uploads: uploads::Config::default(),
            access: access::Config::default(),
        }
    }
}

/// What flags and environment say; both win over the file.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    /// Where to listen for RTMP.
    pub rtmp: Option<SocketAddr>,
    /// Where to listen for HTTP.
    pub http: Option<SocketAddr>,
    /// Where to listen for RTMPS.
    pub rtmps: Option<SocketAddr>,
    /// Where to listen for HTTPS.
    pub https: Option<SocketAddr>,
    /// Where the server writes.
    pub data: Option<PathBuf>,
    /// Where the films are.
    pub media: Option<PathBuf>,
    /// The publish key. By the environment only: flags are read by every user of the machine.
    pub publish_key: Option<String>,
    /// The admin token, likewise.
    pub admin_token: Option<String>,
}

/// Where the configuration comes from, at the start and again at each SIGHUP.
#[derive(Clone, Debug, Default)]
pub struct Origin {
    /// The file, if there is one.
    pub file: Option<PathBuf>,
    /// What flags and environment say.
    pub overrides: Overrides,
}

impl Origin {
    /// Reads it.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn load(&self) -> anyhow::Result<Config> {
        Config::load(self.file.as_deref(), self.overrides.clone())
    }
}

impl Config {
    /// Reads `file` if there is one and lays the overrides on top.
    ///
    /// # Errors
    /// A file that cannot be read, a key that does not exist, a value that cannot be; each with its line.
    pub fn load(file: Option<&Path>, overrides: Overrides) -> anyhow::Result<Self> {
        let mut config = match file {
            None => Self::default(),
            Some(path) => {
                let text = std::fs::read_to_string(path).map_err(|error| {
                    anyhow::anyhow!("cannot read the configuration {}: {error}", path.display())
                })?;
                Self::parse(&text).map_err(|error| anyhow::anyhow!("{}: {error}", path.display()))?
            }
        };
        config.rtmp.listen = overrides.rtmp.unwrap_or(config.rtmp.listen);
        config.http.listen = overrides.http.unwrap_or(config.http.listen);
        config.tls.rtmps = overrides.rtmps.unwrap_or(config.tls.rtmps);
        config.tls.https = overrides.https.unwrap_or(config.tls.https);
        config.data = overrides.data.unwrap_or(config.data);
        config.media = overrides.media.unwrap_or(config.media);
        config.access.take_environment(overrides.publish_key, overrides.admin_token)?;
        Ok(config)
    }

    /// Looks at the files and directories that the configuration names. What could be meant so and may surprise is
    /// given back, a sentence each.
    ///
    /// # Errors
    /// A directory that is missing or cannot be written, a certificate or key that cannot be used, and why; secrets of
    /// an earlier start that will not do.
    pub fn check_files(&self) -> anyhow::Result<Vec<String>> {
        directories::check_data(&self.data)?;
        let is_default = self.media == Self::default().media;
        let mut notes = directories::check_media(&self.media, is_default, self.uploads.uploads_max > 0)?;
        for (app, directory) in &self.vod.directories {
            let of_app = directories::check_media(directory, false, false);
            notes.extend(of_app.with_context(|| format!("[vod] directories, {app}"))?);
        }
        self.access.check_file(&self.data)?;
        self.tls.check()?;
        Ok(notes)
    }

    /// A whole configuration file with every key at its default, and what it means.
    #[must_use]
    pub fn sample() -> String {
        format!("{SAMPLE_HEAD}\n{}", example())
    }

    fn parse(text: &str) -> anyhow::Result<Self> {
        let config: Self = toml::from_str(text).map_err(|error| {
            let keys = Self::default().keys();
            anyhow::anyhow!(suggestion::suggest(
                &access::explain(text, &error),
                keys.keys().map(String::as_str)
            ))
        })?;
        renamed::warn(text);
        config.rtmp.check()?;
        config.http.check()?;
        config.access.check()?;
        config.streams.check()?;
        config.window.check().map_err(anyhow::Error::msg)?;
        config.apps.iter().try_for_each(|(app, of_app)| of_app.check(app)).map_err(anyhow::Error::msg)?;
        Ok(config)
    }
}

/// The manual's example: the one place where every key is written down with its meaning and its default.
fn example() -> &'static str {
    let manual = include_str!("../../../../docs/configuration.md");
    let block = manual.split_once("```toml\n").and_then(|(_, rest)| rest.split_once("```"));
    block.map_or("", |(example, _)| example)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistyped_key_is_named_with_its_place() {
        let error = Config::parse("[streams]\ngop_cash = true\n").unwrap_err().to_string();
        assert!(
            error.contains("line 2") && error.contains("gop_cash") && error.contains("gop_cache"),
            "{error}"
        );
    }

    #[test]
    fn an_app_that_would_lead_out_of_its_directory_is_refused() {
        for app in ["../x", ".", ".."] {
            let error = Config::parse(&format!("[apps.\"{app}\"]\nkeep_days = 1\n")).unwrap_err().to_string();
            assert!(error.contains(&format!("[apps.\"{app}\"] is no app")), "{error}");
        }
        assert!(Config::parse("[apps.\"\"]\nkeep_days = 1\n").is_err());
        Config::parse("[apps.live]\nkeep_days = 1\n").unwrap();
    }

    #[test]
    fn a_wrong_value_is_named_with_its_place() {
        let error = Config::parse("[rtmp]\nlisten = \"everywhere\"\n").unwrap_err().to_string();
        assert!(error.contains("line 2") && error.contains("listen"), "{error}");
        let error = Config::parse("[rtmp]\nchunk_size = 0\n").unwrap_err().to_string();
        assert!(error.contains("chunk_size"), "{error}");
    }

    #[test]
    fn weak_secrets_are_refused_with_the_mend_and_never_quoted() {
        for (value, fault) in [("", "is empty"), (" \t ", "is blank"), ("s3cr3t!", "is too short")] {
            for key in ["publish_key", "admin_token"] {
                let text = format!("[access]\n{key} = \"{value}\"\n");
                let error = Config::parse(&text).unwrap_err().to_string();
                assert!(error.starts_with(&format!("[access] {key} {fault}")), "{error}");
                assert!(error.contains("at least 8") && !error.contains("s3cr3t"), "{error}");
            }
        }
        Config::parse("[access]\npublish_key = \"12345678\"\n").unwrap();
        for value in [" s3cr3t-of-mine", "s3cr3t-of-mine\\n"] {
            let error =
                Config::parse(&format!("[access]\npublish_key = \"{value}\"\n")).unwrap_err().to_string();
            assert!(error.starts_with("[access] publish_key begins or ends with white space"), "{error}");
            assert!(error.contains("take it away") && !error.contains("s3cr3t"), "{error}");
        }
        for (text, place) in [
            ("[access]\nadmin_tokn = \"s3cr3t-of-mine\"\n", "line 2, column 1"),
            ("[access]\nadmin_token = \"s3cr3t-of-mine\n", "line 2, column"),
            ("[access]\nadmin_token = 5377237\n", "line 2, column 15"),
            ("access = \"s3cr3t-of-mine\"\n", "line 1, column 10"),
            ("[access]\npublish_key = \"\"\"planted\n  s3cr3t-of-mine\n", "not shown"),
            ("access.admin_token = \"\"\"planted\n[x]\n  s3cr3t-of-mine\n", "not shown"),
            ("access.publish_key = [\"s3cr3t-of-mine\"]\n", "line 1, column 22"),
        ] {
            let error = Config::parse(text).unwrap_err().to_string();
            assert!(error.contains(place), "{error}");
            assert!(!error.contains("s3cr3t") && !error.contains("5377237"), "{error}");
        }
    }

    #[test]
    fn secrets_of_the_environment_win_over_the_file_and_are_as_strong() {
        let load = |key: &str| {
            Config::load(None, Overrides { publish_key: Some(key.to_owned()), ..Overrides::default() })
        };
        assert!(load("12345678").unwrap().access.publish_key.is_some());
        for weak in ["", "  ", "1234567"] {
            let error = load(weak).unwrap_err().to_string();
            assert!(error.starts_with("HEADWATER_PUBLISH_KEY is ") && error.contains("unset"), "{error}");
        }
        let debugged = format!("{:?}", load("s3cr3t-of-mine").unwrap());
        assert!(!debugged.contains("s3cr3t"), "{debugged}");
    }

    #[test]
    fn flags_win_over_the_file() {
        let address: SocketAddr = "127.0.0.1:1".parse().unwrap();
        let overrides = Overrides { rtmp: Some(address), ..Overrides::default() };
        let config = Config::load(None, overrides).unwrap();
        assert_eq!((config.rtmp.listen, config.http.listen.port()), (address, 8080));
    }

    #[test]
    fn the_documented_example_is_valid_and_names_every_key() {
        let example = example();
        for text in [example, &Config::sample()] {
            let parsed = Config::parse(text).unwrap();
            assert_eq!(parsed, Config::default(), "the manual has every key at its default");
        }
        assert!(Config::sample().starts_with("# ") && Config::sample().ends_with(example));
        let written: toml::Table = toml::from_str(example).unwrap();
        let is_written = |key: &str| match key.split_once('.') {
            Some((section, key)) => written[section].get(key).is_some(),
            None => written.contains_key(key),
        };
        for key in Config::default().keys().into_keys() {
            // Secrets have no default to be written.
            let (_, name) = key.rsplit_once('.').unwrap_or(("", &key));
            let is_there = is_written(&key) || example.contains(&format!("\n# {name} = \"…\""));
            assert!(is_there, "the manual's example does not name {key}");
        }
    }
}
