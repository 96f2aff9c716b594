//! Writes a conversation down, in the form of [`headwater_rtmp::capture`].

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use headwater_rtmp::capture::{self, Side};

/// A capture under way.
#[derive(Debug)]
pub(super) struct Recorder {
    path: PathBuf,
    file: BufWriter<File>,
    buffer: Vec<u8>,
}

impl Recorder {
    /// Begins a file.
    pub(super) fn create(path: &Path, comments: &[&str]) -> anyhow::Result<Self> {
        let file = File::create(path).with_context(|| format!("cannot write {}", path.display()))?;
        let mut recorder = Self { path: path.to_owned(), file: BufWriter::new(file), buffer: Vec::new() };
        let head = capture::head(comments.iter().copied());
        recorder.file.write_all(&head).with_context(|| format!("cannot write {}", path.display()))?;
        Ok(recorder)
    }

    /// Bytes of one side; none: it has closed its half.
    pub(super) fn record(&mut self, side: Side, at_ns: u64, bytes: &[u8]) -> anyhow::Result<()> {
        self.buffer.clear();
        capture::put_record(&mut self.buffer, side, at_ns, bytes);
        self.file.write_all(&self.buffer).with_context(|| format!("cannot write {}", self.path.display()))
    }

    /// Everything is on its way to the disk.
    pub(super) fn close(mut self) -> anyhow::Result<()> {
        self.file.flush().with_context(|| format!("cannot write {}", self.path.display()))
    }
}
