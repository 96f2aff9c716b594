//! Files as frames from their start to their end: FLV and MP4, in the order and at the times that they were
//! made for.
//!
//! Reading is bounded: of an FLV file one tag at a time, of an MP4 file its index and one sample.

use std::fs::File;
use std::io::{Cursor, Read};
use std::path::Path;

use anyhow::{Context, bail};
use bytes::Bytes;
use headwater_media::Timestamp;
use headwater_media::container::{Container, RECOGNISED_BYTES};
use headwater_media::flv::{Demuxer, LeftOut};

use crate::item::Item;
use crate::mp4::Mp4Reader;

/// A tag's body, at most: larger than any frame that people make.
pub(crate) const TAG_BYTES_MAX: u32 = 16 << 20;
/// Bytes read from a file at once.
const READ_BYTES: usize = 64 << 10;

/// Reads a file from its start to its end.
pub struct Reader(Reading);

enum Reading {
    Flv(Box<FlvReader>),
    Mp4(Box<Mp4Reader>),
}

impl Reader {
    /// Opens a file; what it is, is told by its first bytes.
    ///
    /// # Errors
    /// The file cannot be read, is neither FLV nor MP4, or its index is damaged.
    pub fn open(path: &Path) -> anyhow::Result<Self> {
        let mut file = File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
        let mut start = [0; RECOGNISED_BYTES];
        let read =
            read_full(&mut file, &mut start).with_context(|| format!("cannot read {}", path.display()))?;
        if read == 0 {
            bail!("{} is empty", path.display());
        }
        let reader = match Container::recognise(&start[..read]) {
            Ok(Container::Flv) => {
                let rest = Cursor::new(start[..read].to_vec()).chain(file);
                Ok(Self(Reading::Flv(Box::new(FlvReader::new(Box::new(rest))))))
            }
            Ok(Container::Mp4) => Mp4Reader::open(file).map(|reader| Self(Reading::Mp4(Box::new(reader)))),
            Err(foreign) => Err(foreign.into()),
        };
        reader.with_context(|| format!("cannot play {}", path.display()))
    }

    /// Reads an FLV file that is in memory.
    pub fn from_flv(bytes: Bytes) -> Self {
        Self(Reading::Flv(Box::new(FlvReader::new(Box::new(Cursor::new(bytes))))))
    }

    /// The next item; `None` at the end.
    ///
    /// # Errors
    /// The file cannot be read any more, or is damaged here.
    pub fn next_item(&mut self) -> anyhow::Result<Option<Item>> {
        match &mut self.0 {
            Reading::Flv(reader) => reader.next_item(),
            Reading::Mp4(reader) => reader.next_item(),
        }
    }

    /// What of the file could not be used so far: tags of FLV with a damaged body or of an unknown codec.
    pub fn left_out(&self) -> LeftOut {
        match &self.0 {
            Reading::Flv(reader) => reader.demuxer.left_out(),
            Reading::Mp4(_) => LeftOut::default(),
        }
    }

    /// How long the file plays, where its header says so.
    pub fn duration(&self) -> Option<Timestamp> {
        match &self.0 {
            Reading::Flv(_) => None,
            Reading::Mp4(reader) => Some(reader.duration()),
        }
    }
}

/// Reads FLV.
struct FlvReader {
    source: Box<dyn Read + Send>,
    demuxer: Demuxer,
    buffer: Vec<u8>,
    ended: bool,
}

impl FlvReader {
    fn new(source: Box<dyn Read + Send>) -> Self {
        Self { source, demuxer: Demuxer::new(TAG_BYTES_MAX), buffer: vec![0; READ_BYTES], ended: false }
    }

    fn next_item(&mut self) -> anyhow::Result<Option<Item>> {
        loop {
            if let Some(item) = self.demuxer.next_item()? {
                return Ok(Some(item.into()));
            }
            if self.ended {
                return Ok(None);
            }
            let count = self.source.read(&mut self.buffer)?;
            self.ended = count == 0;
            if self.ended {
                self.demuxer.finish();
                continue;
            }
            self.demuxer.feed(&self.buffer[..count]);
        }
    }
}

fn read_full(file: &mut File, buffer: &mut [u8]) -> std::io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match file.read(&mut buffer[filled..])? {
            0 => break,
            count => filled += count,
        }
    }
    Ok(filled)
}
