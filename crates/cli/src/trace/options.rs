//! What every conversation of one run shares, and how a tracer is made of it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use headwater_trace::{Detail, Transcript};
use parking_lot::Mutex;

use super::files::{PageFile, Recorder};
use super::screen::Screen;
use super::tracer::Tracer;
use crate::line::Trust;

/// What every conversation of one run shares.
#[derive(Clone)]
pub(super) struct Options {
    pub(super) screen: Arc<Mutex<Screen>>,
    pub(super) detail: Detail,
    pub(super) save: Option<PathBuf>,
    pub(super) html: Option<PathBuf>,
    pub(super) strict: bool,
    pub(super) trust: Trust,
}

impl Options {
    /// A tracer with all of its outputs. `about` says whose conversation it is, in recording and page; `number` tells
    /// it from others.
    pub(super) fn tracer(&self, about: &str, number: Option<usize>) -> anyhow::Result<Tracer> {
        let made = format!("headwater {}, trace", env!("CARGO_PKG_VERSION"));
        let save = self.save.as_deref().map(|path| numbered(path, number, "capture"));
        let recorder = save.map(|path| Recorder::create(path, &[about, &made])).transpose()?;
        let html = self.html.as_deref().map(|path| numbered(path, number, "html"));
        let page = html.map(PageFile::create).transpose()?;
        let transcript = Transcript::new(self.screen.lock().format(), self.detail, number);
        let transcript = if page.is_some() { transcript.with_page(about) } else { transcript };
        Ok(Tracer::new(number.unwrap_or(0), transcript, Arc::clone(&self.screen), recorder, page))
    }
}

/// The file of one of several conversations.
fn numbered(path: &Path, number: Option<usize>, ending: &str) -> PathBuf {
    match number {
        Some(number) if path.is_dir() => path.join(format!("{number}.{ending}")),
        None | Some(1) => path.to_owned(),
        Some(number) => {
            let mut name = path.to_owned().into_os_string();
            name.push(format!(".{number}"));
            name.into()
        }
    }
}
