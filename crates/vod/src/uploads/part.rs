//! One upload on the disk: the part and the note of what it will be.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use parking_lot::Mutex;
use tokio::sync::{MutexGuard, watch};

use super::Order;
use crate::blocking::blocking;
use crate::media_root::{Way, appear, unfinished};

const PART: &str = "part";
const NOTE: &str = "toml";
/// Random bytes of an upload's name.
const ID_BYTES: usize = 16;

/// An unfinished upload.
#[derive(Debug)]
pub struct Upload {
    id: String,
    order: Order,
    directory: PathBuf,
    /// When bytes were last added.
    touched: Mutex<SystemTime>,
    /// Counts the requests that wanted to add bytes; the newest is the one that may.
    turns: watch::Sender<u64>,
    writing: tokio::sync::Mutex<()>,
}

/// The right to add bytes, until the next one comes.
pub(super) struct Turn<'a> {
    upload: &'a Upload,
    over: watch::Receiver<u64>,
    _writing: MutexGuard<'a, ()>,
}

impl Turn<'_> {
    /// Resolves when somebody else wants to add bytes, or the upload is removed.
    pub(super) async fn is_over(&mut self) {
        // The sender lives as long as the upload.
        let _ = self.over.changed().await;
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        *self.upload.touched.lock() = SystemTime::now();
    }
}

impl Upload {
    /// Makes an empty part and its note.
    pub(super) fn new(directory: &Path, order: Order) -> io::Result<Self> {
        fs::create_dir_all(directory)?;
        let mut random = [0; ID_BYTES];
        getrandom::fill(&mut random).map_err(|error| io::Error::other(error.to_string()))?;
        let id: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
        let upload = Self::at(directory, id, order, SystemTime::now());
        let note = toml::to_string(&upload.order).map_err(io::Error::other)?;
        File::create_new(upload.path(PART))?;
        fs::write(upload.path(NOTE), note).inspect_err(|_| upload.discard())?;
        Ok(upload)
    }

    fn at(directory: &Path, id: String, order: Order, touched: SystemTime) -> Self {
        Self {
            id,
            order,
            directory: directory.to_owned(),
            touched: Mutex::new(touched),
            turns: watch::Sender::new(0),
            writing: tokio::sync::Mutex::default(),
        }
    }

    /// Its name in addresses: letters and digits.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// What it will be.
    pub const fn order(&self) -> &Order {
        &self.order
    }

    /// How much there is of it, in bytes.
    ///
    /// # Errors
    /// `NotFound` if it was removed, and those of the disk.
    pub fn received(&self) -> io::Result<u64> {
        Ok(fs::metadata(self.path(PART))?.len())
    }

    /// When bytes were last added.
    pub(super) fn touched(&self) -> SystemTime {
        *self.touched.lock()
    }

    /// Whether somebody is adding bytes.
    pub(super) fn is_busy(&self) -> bool {
        self.writing.try_lock().is_err()
    }

    /// Waits until the request before has put down what it had.
    pub(super) async fn take_turn(&self) -> Turn<'_> {
        self.interrupt();
        let over = self.turns.subscribe();
        let writing = self.writing.lock().await;
        Turn { upload: self, over, _writing: writing }
    }

    /// Ends the turn of whoever has it.
    pub(super) fn interrupt(&self) {
        self.turns.send_modify(|turns| *turns += 1);
    }

    /// The part, to be written at its end.
    pub(super) async fn append_to(&self) -> io::Result<tokio::fs::File> {
        tokio::fs::OpenOptions::new().append(true).open(self.path(PART)).await
    }

    /// Removes what there is.
    pub(super) fn discard(&self) {
        for kind in [PART, NOTE] {
            if let Err(error) = fs::remove_file(self.path(kind)) {
                tracing::debug!(id = self.id, %error, "a file of an upload is gone already");
            }
        }
    }

    /// Gives the whole file its name. `AlreadyExists` if there is one and it was not to be replaced.
    pub(super) async fn move_to(&self, way: Way) -> io::Result<()> {
        let (part, note) = (self.path(PART), self.path(NOTE));
        let (id, replace) = (self.id.clone(), self.order.replace);
        let work = move || {
            let target = way.path();
            File::open(&part)?.sync_all()?;
            match appear(&part, target, replace) {
                Err(error) if error.kind() == io::ErrorKind::CrossesDevices => {
                    // Beside its target a file can be renamed.
                    let beside = unfinished(target, &id);
                    let moved = fs::copy(&part, &beside)
                        .and_then(|_| File::open(&beside)?.sync_all())
                        .and_then(|()| appear(&beside, target, replace));
                    if moved.is_err() {
                        let _ = fs::remove_file(&beside);
                    }
                    moved?;
                    fs::remove_file(&part)?;
                }
                result => result?,
            }
            fs::remove_file(&note)
        };
        blocking(work).await
    }

    fn path(&self, kind: &str) -> PathBuf {
        self.directory.join(format!("{}.{kind}", self.id))
    }
}

/// The uploads of a directory. What has lost its note or its part is removed.
pub(super) fn find(directory: &Path) -> Vec<Upload> {
    let Ok(listing) = fs::read_dir(directory) else { return Vec::new() };
    let mut found = Vec::new();
    for path in listing.flatten().map(|entry| entry.path()) {
        let id = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default().to_owned();
        let is = |kind: &str| path.extension().is_some_and(|extension| extension == kind);
        if is(PART) && !path.with_extension(NOTE).exists() {
            let _ = fs::remove_file(&path);
        }
        if !is(NOTE) {
            continue;
        }
        let order = fs::read_to_string(&path).ok().and_then(|text| toml::from_str(&text).ok());
        let about = fs::metadata(path.with_extension(PART)).and_then(|about| about.modified());
        if let (Some(order), Ok(touched)) = (order, about) {
            found.push(Upload::at(directory, id, order, touched));
        } else {
            tracing::warn!(note = %path.display(), "an upload cannot be gone on with and is removed");
            let _ = fs::remove_file(path.with_extension(PART));
            let _ = fs::remove_file(&path);
        }
    }
    found
}
