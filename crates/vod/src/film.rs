//! A film: one file as it is now, with its index.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};

use anyhow::Context;
use bytes::Bytes;
use headwater_media::Frame;
use headwater_media::hls::{Presentation, SEGMENT_TARGET};
use headwater_media::index::{Index, Sample};

use crate::blocking::blocking;
use crate::media_root::Found;
use crate::refusal::{Refusal, RefusalKind};

/// Samples that lie closer than this are read together with what is between them.
const GAP_BYTES_MAX: u64 = 64 << 10;
/// A file that was written to within this time may still be written.
pub(crate) const WRITING: Duration = Duration::from_secs(10);
/// Bytes read at once, at most; a larger sample comes alone.
const READ_BYTES_MAX: u64 = 4 << 20;

/// One file with its index. It never changes: a file that has changed is another film.
#[derive(Debug)]
pub struct Film {
    name: String,
    file: Arc<File>,
    bytes: u64,
    modified: SystemTime,
    etag: String,
    index: Index,
    /// Made when somebody first asks for HLS.
    presentation: OnceLock<Result<Presentation, Refusal>>,
}

impl Film {
    pub fn new(found: Found, index: Index) -> Self {
        let Found { name, file, bytes, modified } = found;
        let etag = etag(bytes, modified);
        Self { name, file: Arc::new(file), bytes, modified, etag, index, presentation: OnceLock::new() }
    }

    /// Its path below the app's directory, with the extension.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Tracks and samples.
    pub const fn index(&self) -> &Index {
        &self.index
    }

    /// The film cut for HLS; where no track of it can be carried, why.
    pub async fn presentation(self: &Arc<Self>) -> Result<&Presentation, Refusal> {
        if self.presentation.get().is_none() {
            let film = Arc::clone(self);
            blocking(move || {
                film.presentation.get_or_init(|| film.cut()).as_ref().map(drop).map_err(Clone::clone)
            })
            .await?;
        }
        self.presentation.get_or_init(|| self.cut()).as_ref().map_err(Clone::clone)
    }

    fn cut(&self) -> Result<Presentation, Refusal> {
        Presentation::new(&self.index, SEGMENT_TARGET).map_err(|error| {
            Refusal::new(RefusalKind::NoMedia, format!("{} cannot be had as HLS: {error}.", self.name))
        })
    }

    /// Names this state of the file: a strong entity tag of HTTP, in quotes.
    pub fn etag(&self) -> &str {
        &self.etag
    }

    /// When the file was last written.
    pub const fn modified(&self) -> SystemTime {
        self.modified
    }

    /// Whether the file was written to a moment ago, so that more of it may come.
    pub fn is_being_written(&self) -> bool {
        SystemTime::now().duration_since(self.modified).is_ok_and(|age| age < WRITING)
    }

    /// The file's length.
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The file itself.
    pub const fn file(&self) -> &Arc<File> {
        &self.file
    }

    /// Memory that the index takes, in bytes, about.
    pub fn weight(&self) -> usize {
        size_of_val(self.index.samples()) + (8 << 10)
    }

    /// Reads a range of the file.
    ///
    /// # Errors
    /// `UnexpectedEof` if the file has become shorter.
    pub async fn read(&self, range: Range<u64>) -> io::Result<Bytes> {
        let length = usize::try_from(range.end.saturating_sub(range.start)).unwrap_or(usize::MAX);
        let mut bytes = vec![0; length];
        let at_hand = read_at_hand(&self.file, &mut bytes, range.start);
        if at_hand == length {
            return Ok(bytes.into());
        }
        let file = Arc::clone(&self.file);
        let read = move || {
            read_exact_at(&file, &mut bytes[at_hand..], range.start + at_hand as u64)?;
            Ok(bytes.into())
        };
        blocking(read).await
    }

    /// The frames of these samples, in order, at the times of the index. Samples that lie near each other are
    /// read at once.
    pub async fn frames(&self, samples: Range<usize>) -> anyhow::Result<Vec<Frame>> {
        let samples = self.index.samples().get(samples).unwrap_or_default();
        self.frames_of(&samples.iter().collect::<Vec<_>>()).await
    }

    /// As [`frames`](Self::frames), of any samples of the index.
    pub async fn frames_of(&self, samples: &[&Sample]) -> anyhow::Result<Vec<Frame>> {
        let mut order: Vec<usize> = (0..samples.len()).collect();
        order.sort_by_key(|&at| samples[at].offset);
        let mut payloads = vec![Bytes::new(); samples.len()];
        let mut rest = order.as_slice();
        while let Some((&first, _)) = rest.split_first() {
            let start = samples[first].offset;
            let mut end = start;
            let mut count = 0;
            for &at in rest {
                let sample = samples[at];
                let sample_end = sample.offset + u64::from(sample.size);
                let near = sample.offset <= end + GAP_BYTES_MAX && sample_end - start <= READ_BYTES_MAX;
                if count > 0 && !near {
                    break;
                }
                end = end.max(sample_end);
                count += 1;
            }
            let bytes = self
                .read(start..end)
                .await
                .with_context(|| format!("{} cannot be read at bytes {start} to {end}", self.name))?;
            let (together, behind) = rest.split_at(count);
            for &at in together {
                let sample = samples[at];
                let from = (sample.offset - start) as usize;
                payloads[at] = bytes.slice(from..from + sample.size as usize);
            }
            rest = behind;
        }
        let frame = |(sample, payload): (&&Sample, Bytes)| Ok(self.index.frame(sample, payload)?);
        samples.iter().zip(payloads).map(frame).collect()
    }
}

/// A strong entity tag of a file in this state, in quotes.
pub fn etag(bytes: u64, modified: SystemTime) -> String {
    let since = modified.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    format!("\"{:x}-{bytes:x}\"", since.as_nanos())
}

/// Reads what the system has in memory, without waiting for a disk; how much that was.
#[cfg(target_os = "linux")]
pub fn read_at_hand(file: &File, bytes: &mut [u8], offset: u64) -> usize {
    use rustix::io::{ReadWriteFlags, preadv2};
    let mut filled = 0;
    while filled < bytes.len() {
        let rest = &mut [io::IoSliceMut::new(&mut bytes[filled..])];
        match preadv2(file, rest, offset + filled as u64, ReadWriteFlags::NOWAIT) {
            Ok(0) | Err(_) => break,
            Ok(count) => filled += count,
        }
    }
    filled
}

#[cfg(not(target_os = "linux"))]
pub const fn read_at_hand(_: &File, _: &mut [u8], _: u64) -> usize {
    0
}

/// Reads until `bytes` is full.
#[cfg(unix)]
pub(crate) fn read_exact_at(file: &File, bytes: &mut [u8], offset: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, bytes, offset)
}

/// Reads until `bytes` is full.
#[cfg(windows)]
pub fn read_exact_at(file: &File, bytes: &mut [u8], offset: u64) -> io::Result<()> {
    let mut filled = 0;
    while filled < bytes.len() {
        match std::os::windows::fs::FileExt::seek_read(file, &mut bytes[filled..], offset + filled as u64)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            count => filled += count,
        }
    }
    Ok(())
}
