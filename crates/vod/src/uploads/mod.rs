//! Uploads: files that come in pieces, are kept over a restart, and appear among the films when they are whole.
//!
//! The parts lie in the data directory, each with a note of what it will be. The length of a part is how much
//! of it there is: nothing else is remembered, so nothing can disagree with it.

mod part;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncWriteExt, BufWriter};

pub use self::part::Upload;
use crate::library::Library;
use crate::refusal::{Refusal, RefusalKind};

/// The directory of the parts, in the data directory.
const DIRECTORY: &str = "uploads";
/// Bytes that are gathered before they are written.
const GATHER_BYTES: usize = 1 << 20;

/// Uploads; the section `[uploads]` of the configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Unfinished uploads at once; 0 forbids uploading.
    pub uploads_max: usize,
    /// One file, in bytes.
    #[serde(alias = "upload_bytes_max")]
    pub upload_max_bytes: u64,
    /// Room on the disk that uploads leave free, in bytes.
    #[serde(alias = "free_bytes_min")]
    pub free_min_bytes: u64,
    /// Time that a request may send nothing before it is let go. What it has sent is kept.
    #[serde(alias = "silence_ms_max")]
    pub read_timeout_ms: u64,
    /// An unfinished upload that nothing was added to for so long is removed.
    pub keep_ms: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            uploads_max: 16,
            upload_max_bytes: 64 << 30,
            free_min_bytes: 1 << 30,
            read_timeout_ms: 30_000,
            keep_ms: 86_400_000,
        }
    }
}

/// What a client wants to bring.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// The app whose films it is to be among.
    pub app: String,
    /// The path below the app's directory.
    pub name: String,
    /// How long the file will be.
    pub bytes: u64,
    /// Whether a file of that name gives way to it.
    #[serde(default)]
    pub replace: bool,
}

/// All uploads.
#[derive(Debug)]
pub struct Uploads {
    config: Config,
    directory: PathBuf,
    library: Arc<Library>,
    open: Mutex<BTreeMap<String, Arc<Upload>>>,
}

impl Uploads {
    /// Finds the uploads that were unfinished when the server stopped.
    pub fn open(config: &Config, data: &Path, library: Arc<Library>) -> Self {
        let directory = data.join(DIRECTORY);
        let found = part::find(&directory);
        for upload in &found {
            // It may have been on its way to another disk.
            library.remove_unfinished(&upload.order().app, &upload.order().name, upload.id());
        }
        let open = found.into_iter().map(|upload| (upload.id().to_owned(), Arc::new(upload)));
        let uploads = Self { config: config.clone(), open: Mutex::new(open.collect()), directory, library };
        uploads.sweep();
        uploads
    }

    /// Removes what nothing was added to for too long.
    pub fn sweep(&self) {
        let keep = Duration::from_millis(self.config.keep_ms);
        let now = SystemTime::now();
        self.open.lock().retain(|_, upload| {
            let stale = now.duration_since(upload.touched()).is_ok_and(|age| age > keep) && !upload.is_busy();
            if stale {
                tracing::info!(
                    name = upload.order().name,
                    "an unfinished upload is removed: nobody went on with it"
                );
                upload.discard();
            }
            !stale
        });
    }

    /// The unfinished ones.
    pub fn list(&self) -> Vec<Arc<Upload>> {
        self.open.lock().values().cloned().collect()
    }

    /// An unfinished one.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn find(&self, id: &str) -> Result<Arc<Upload>, Refusal> {
        self.open.lock().get(id).cloned().ok_or_else(unknown)
    }

    /// Begins an upload.
    ///
    /// # Errors
    /// `TooLarge`, `Taken`, `Growing`, `TooMany` or `Full`; a name that no file may have; the disk fails.
    pub async fn begin(&self, order: Order) -> Result<Arc<Upload>, Refusal> {
        let Config { uploads_max, upload_max_bytes, .. } = self.config;
        if order.bytes == 0 || order.bytes > upload_max_bytes {
            let bytes = order.bytes;
            return Err(Refusal::new(
                RefusalKind::TooLarge,
                format!(
                    "A file has 1 to {upload_max_bytes} bytes (uploads.upload_max_bytes); this one has {bytes}."
                ),
            ));
        }
        if self.library.holds(&order.app, &order.name).await? && !order.replace {
            return Err(Refusal::new(RefusalKind::Taken, format!("There is a file {} already.", order.name)));
        }
        self.library.refuse_growing(&order.app, &order.name).await?;
        self.check_room(order.bytes)?;
        let upload = Arc::new(Upload::new(&self.directory, order).map_err(|error| self.failed(&error))?);
        let mut open = self.open.lock();
        if open.len() >= uploads_max {
            upload.discard();
            return Err(Refusal::new(
                RefusalKind::TooMany,
                format!(
                    "{uploads_max} uploads are unfinished (limit uploads.uploads_max); finish or remove one."
                ),
            ));
        }
        open.insert(upload.id().to_owned(), Arc::clone(&upload));
        Ok(upload)
    }

    /// Adds bytes that begin at `offset`; whether the file is whole now. A request that was adding before gives
    /// way: its client has most likely gone and come again. What has come is kept whatever happens.
    ///
    /// # Errors
    /// `Offset` if it stands elsewhere, `Cut` if the body ends early, `TooLarge` if more comes than was announced,
    /// `TakenSince`, `Growing`, `Full`; the disk fails.
    pub async fn append<E: std::fmt::Display>(
        &self,
        upload: &Upload,
        offset: u64,
        body: impl Stream<Item = Result<Bytes, E>> + Unpin,
    ) -> Result<bool, Refusal> {
        let mut turn = upload.take_turn().await;
        let stands = upload.received().map_err(|error| self.failed(&error))?;
        if stands != offset {
            return Err(go_on(RefusalKind::Offset(stands), stands));
        }
        self.check_room(0)?;
        let written = self.write(upload, offset, body, &mut turn).await;
        let stands = upload.received().map_err(|error| self.failed(&error))?;
        match written {
            Ok(()) if stands == upload.order().bytes => {
                self.finish(upload).await?;
                Ok(true)
            }
            Ok(()) => Ok(false),
            Err(Refusal { kind: RefusalKind::Cut(_), .. }) => Err(go_on(RefusalKind::Cut(stands), stands)),
            Err(refusal) => Err(refusal),
        }
    }

    /// When an unfinished upload is removed if nothing more is added to it.
    pub fn expires(&self, upload: &Upload) -> SystemTime {
        upload.touched() + Duration::from_millis(self.config.keep_ms)
    }

    /// The longest file that is taken, in bytes.
    pub const fn upload_max_bytes(&self) -> u64 {
        self.config.upload_max_bytes
    }

    /// Forgets an upload and what there is of it.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn remove(&self, id: &str) -> Result<(), Refusal> {
        let upload = self.open.lock().remove(id).ok_or_else(unknown)?;
        upload.interrupt();
        upload.discard();
        Ok(())
    }

    async fn write<E: std::fmt::Display>(
        &self,
        upload: &Upload,
        offset: u64,
        mut body: impl Stream<Item = Result<Bytes, E>> + Unpin,
        turn: &mut part::Turn<'_>,
    ) -> Result<(), Refusal> {
        let file = upload.append_to().await.map_err(|error| self.failed(&error))?;
        let mut file = BufWriter::with_capacity(GATHER_BYTES, file);
        let silence = Duration::from_millis(self.config.read_timeout_ms);
        let mut left = upload.order().bytes - offset;
        let ended = loop {
            let piece = tokio::select! {
                piece = tokio::time::timeout(silence, body.next()) => piece,
                () = turn.is_over() => break Err(go_on(RefusalKind::Cut(0), 0)),
            };
            let piece = match piece {
                Ok(Some(Ok(piece))) => piece,
                Ok(None) => break Ok(()),
                Ok(Some(Err(_))) | Err(_) => break Err(go_on(RefusalKind::Cut(0), 0)),
            };
            if piece.len() as u64 > left {
                let bytes = upload.order().bytes;
                break Err(Refusal::new(
                    RefusalKind::TooLarge,
                    format!("More bytes came than the {bytes} that were announced."),
                ));
            }
            left -= piece.len() as u64;
            if let Err(error) = file.write_all(&piece).await {
                break Err(self.failed(&error));
            }
        };
        file.flush().await.map_err(|error| self.failed(&error)).and(ended)
    }

    /// The file is whole: it appears under its name, at once or not at all.
    async fn finish(&self, upload: &Upload) -> Result<(), Refusal> {
        let Order { app, name, .. } = upload.order();
        let way = self.library.make_way(app, name).await?;
        // What is recorded may have begun since.
        self.library.refuse_growing(app, name).await?;
        match upload.move_to(way).await {
            Ok(()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
                return Err(Refusal::new(RefusalKind::TakenSince, format!("There is a file {name} by now.")));
            }
            Err(error) => return Err(self.failed(&error)),
        }
        self.open.lock().remove(upload.id());
        self.library.forget(app, name);
        Ok(())
    }

    /// Whether the disk has room for so many bytes more than all uploads have announced.
    fn check_room(&self, bytes: u64) -> Result<(), Refusal> {
        let Some(free) = crate::disk::free_bytes(&self.directory) else { return Ok(()) };
        let announced: u64 = self
            .list()
            .iter()
            .map(|upload| upload.order().bytes.saturating_sub(upload.received().unwrap_or(0)))
            .fold(bytes, u64::saturating_add);
        let needed = announced.saturating_add(self.config.free_min_bytes);
        if free >= needed {
            return Ok(());
        }
        let free_min_bytes = self.config.free_min_bytes;
        Err(Refusal::new(
            RefusalKind::Full,
            format!(
                "The disk has {free} bytes free; {announced} are announced, and {free_min_bytes} are left free \
             (uploads.free_min_bytes)."
            ),
        ))
    }

    fn failed(&self, error: &std::io::Error) -> Refusal {
        match error.kind() {
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => {
                Refusal::new(RefusalKind::Full, "The disk is full.".to_owned())
            }
            std::io::ErrorKind::NotFound => unknown(),
            _ => {
                tracing::error!(directory = %self.directory.display(), %error, "an upload cannot be written");
                Refusal::new(
                    RefusalKind::Failed,
                    "The server cannot write the file; its log says why.".to_owned(),
                )
            }
        }
    }
}

fn unknown() -> Refusal {
    Refusal::new(RefusalKind::NotFound, "There is no such upload (any more).")
}

/// Where a client that has lost its place goes on.
fn go_on(kind: RefusalKind, at: u64) -> Refusal {
    Refusal::new(kind, format!("Go on at byte {at}."))
}
