//! The files that a trace writes: the conversation byte for byte ([`headwater_rtmp::capture`]), and its page.

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
    pub(super) fn create(path: PathBuf, comments: &[&str]) -> anyhow::Result<Self> {
        let mut file = BufWriter::new(create(&path)?);
        let head = capture::head(comments.iter().copied());
        file.write_all(&head).with_context(|| cannot_write(&path))?;
        Ok(Self { path, file, buffer: Vec::new() })
    }

    /// Bytes of one side; none: it has closed its half.
    pub(super) fn record(&mut self, side: Side, at_ns: u64, bytes: &[u8]) -> anyhow::Result<()> {
        self.buffer.clear();
        capture::put_record(&mut self.buffer, side, at_ns, bytes);
        self.file.write_all(&self.buffer).with_context(|| cannot_write(&self.path))
    }

    /// Everything is on its way to the disk.
    pub(super) fn close(mut self) -> anyhow::Result<()> {
        self.file.flush().with_context(|| cannot_write(&self.path))
    }
}

/// The place of a page, which is written at the end.
#[derive(Debug)]
pub(super) struct PageFile {
    path: PathBuf,
    file: File,
}

impl PageFile {
    /// Begins a file, so that a place where nothing can be written is told at once.
    pub(super) fn create(path: PathBuf) -> anyhow::Result<Self> {
        let file = create(&path)?;
        Ok(Self { path, file })
    }

    /// Writes the whole page.
    pub(super) fn write(mut self, html: &str) -> anyhow::Result<()> {
        self.file.write_all(html.as_bytes()).with_context(|| cannot_write(&self.path))
    }
}

fn create(path: &Path) -> anyhow::Result<File> {
    File::create(path).with_context(|| cannot_write(path))
}

fn cannot_write(path: &Path) -> String {
    format!("cannot write {}", path.display())
}
