//! A film: one file as it is now, with its index.

use std::io;
use std::ops::Range;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};

use anyhow::Context;
use bytes::Bytes;
use headwater_media::Frame;
use headwater_media::hls::{Presentation, SEGMENT_TARGET};
use headwater_media::index::{Index, Sample};

use crate::blob::{self, Blob};
use crate::blocking::blocking;
use crate::indexing::{NoIndex, read_index};
use crate::refusal::{Refusal, RefusalKind};

/// Samples that lie closer than this are read together with what is between them.
const GAP_BYTES_MAX: u64 = 64 << 10;
/// A file that was written to within this time may still be written.
const WRITING: Duration = Duration::from_secs(10);
/// The longest text that is taken, in bytes: far more than a long film has.
pub const TEXT_BYTES_MAX: u64 = 8 << 20;
/// Bytes read at once, at most; a larger sample comes alone.
const READ_BYTES_MAX: u64 = 4 << 20;

/// One file with its index. It never changes: a file that has changed is another film.
#[derive(Debug)]
pub struct Film {
    name: String,
    blob: Arc<dyn Blob>,
    index: Index,
    is_unfinished: bool,
    /// Made when somebody first asks for HLS.
    presentation: OnceLock<Result<Presentation, Refusal>>,
}

impl Film {
    /// A film that is in no library. It may wait for where its bytes are: not for a task's thread.
    ///
    /// # Errors
    /// It is no film, or cannot be read.
    pub fn of(name: String, blob: Arc<dyn Blob>) -> Result<Self, NoIndex> {
        let index = read_index(&*blob)?;
        Ok(Self::new(name, blob, index, false))
    }

    /// `is_unfinished`: the file says of itself that it is a recording that is not complete.
    pub(crate) const fn new(name: String, blob: Arc<dyn Blob>, index: Index, is_unfinished: bool) -> Self {
        Self { name, blob, index, is_unfinished, presentation: OnceLock::new() }
    }

    /// Its path below the app's directory, with the extension.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Tracks and samples.
    pub const fn index(&self) -> &Index {
        &self.index
    }

    /// The film cut for HLS.
    ///
    /// # Errors
    /// No track of it can be carried.
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
        self.blob.etag()
    }

    /// When the file was last written.
    pub fn modified(&self) -> SystemTime {
        self.blob.modified()
    }

    /// Whether more of the file may come: it is a recording that is not complete, or was written to a moment ago.
    pub fn is_being_written(&self) -> bool {
        self.is_unfinished || self.was_written_within(WRITING)
    }

    /// Whether the file says of itself that it is a recording that is not complete: one that grows, or that its recorder
    /// could not complete.
    pub(crate) const fn is_unfinished(&self) -> bool {
        self.is_unfinished
    }

    /// Whether the file was last written to no longer ago than this.
    pub(crate) fn was_written_within(&self, age_max: Duration) -> bool {
        SystemTime::now().duration_since(self.modified()).is_ok_and(|age| age < age_max)
    }

    /// The file's length.
    pub fn bytes(&self) -> u64 {
        self.blob.size()
    }

    /// The file's bytes.
    pub const fn blob(&self) -> &Arc<dyn Blob> {
        &self.blob
    }

    /// Memory that the index takes, in bytes, about.
    pub fn weight(&self) -> usize {
        self.index.weight() + (8 << 10)
    }

    /// Reads a range of the file.
    ///
    /// # Errors
    /// `UnexpectedEof` if the file has become shorter.
    pub(crate) async fn read(&self, range: Range<u64>) -> io::Result<Bytes> {
        blob::read(&self.blob, range).await
    }

    /// A track of text inside the film as WebVTT, its times those of the index. `number` is its place among
    /// [`Index::texts`].
    ///
    /// # Errors
    /// There is no such track, it is longer than any film's text, or the file cannot be read there any more.
    pub async fn text(&self, number: usize) -> Result<String, Refusal> {
        let refused = |kind, what: &str| Refusal::new(kind, format!("{} {what}.", self.name));
        let track = self.index.texts().get(number);
        let track = track.ok_or_else(|| refused(RefusalKind::NotFound, "has no such text"))?;
        let bytes: u64 = track.samples().iter().map(|sample| u64::from(sample.size)).sum();
        if bytes > TEXT_BYTES_MAX {
            return Err(refused(RefusalKind::NoMedia, &format!("has {bytes} bytes of text in one track")));
        }
        let mut payloads = Vec::with_capacity(track.samples().len());
        for sample in track.samples() {
            let read = self.read(sample.offset..sample.offset + u64::from(sample.size)).await;
            payloads.push(read.map_err(|error| Refusal::unreadable(&self.name, &error))?);
        }
        Ok(track.to_webvtt(&payloads))
    }

    /// The frames of these samples, in order, at the times of the index. Samples that lie near each other are
    /// read at once.
    ///
    /// # Errors
    /// The file cannot be read there any more.
    pub async fn frames(&self, samples: Range<usize>) -> anyhow::Result<Vec<Frame>> {
        let samples = self.index.samples().get(samples).unwrap_or_default();
        self.frames_of(&samples.iter().collect::<Vec<_>>()).await
    }

    /// As [`frames`](Self::frames), of any samples of the index.
    ///
    /// # Errors
    /// As there.
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
