//! MP4 (MOV, M4V, F4V) as frames: the index in memory, one sample at a time from the file.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::ops::Range;

use anyhow::Context;
use bytes::Bytes;
use headwater_media::first_frames::FirstFrames;
use headwater_media::index::Index;
use headwater_media::mp4::Scan;
use headwater_media::{Frame, Timestamp, Track};

use crate::item::Item;

/// Reads an MP4 file.
pub(crate) struct Mp4Reader {
    file: File,
    index: Index,
    /// Tracks as they were announced last, and those that are to be announced next.
    announced: Vec<Track>,
    ready: VecDeque<Track>,
    next: usize,
    /// The number of the sample for which other configurations hold.
    setup_end: usize,
}

impl Mp4Reader {
    /// Reads the index, wherever in the file it lies.
    pub(crate) fn open(mut file: File) -> anyhow::Result<Self> {
        let length = file.metadata()?.len();
        let mut scan = Scan::new(length);
        while let Some(range) = scan.wants() {
            let bytes = read_range(&mut file, range)?;
            scan.supply(&bytes)?;
        }
        let mut frames = FirstFrames::new(scan.finish()?);
        while let Some(range) = frames.wants() {
            frames.supply(&read_range(&mut file, range)?);
        }
        let index = frames.finish()?;
        for note in index.notes() {
            tracing::warn!("the file is irregular: {note}");
        }
        for skipped in index.skipped() {
            tracing::warn!(track = skipped.number, "left out: {}", skipped.reason);
        }
        let (announced, ready) = (Vec::new(), VecDeque::new());
        Ok(Self { file, index, announced, ready, next: 0, setup_end: 0 })
    }

    /// How long the file plays.
    pub(crate) fn duration(&self) -> Timestamp {
        self.index.duration()
    }

    /// The tracks first and where their configurations change, then the frames, their times moved so that none is negative.
    pub(crate) fn next_item(&mut self) -> anyhow::Result<Option<Item>> {
        if self.next == self.setup_end {
            let tracks = self.index.tracks_at(self.next);
            self.ready.extend(tracks.iter().filter(|track| !self.announced.contains(track)).cloned());
            self.announced = tracks;
            self.setup_end = self.index.next_change(self.next).unwrap_or(usize::MAX);
        }
        if let Some(track) = self.ready.pop_front() {
            return Ok(Some(Item::Track(track)));
        }
        let Some(sample) = self.index.samples().get(self.next).copied() else { return Ok(None) };
        self.next += 1;
        let end = sample.offset + u64::from(sample.size);
        let payload = read_range(&mut self.file, sample.offset..end)
            .with_context(|| format!("cannot read the frame at byte {}", sample.offset))?;
        let mut frame: Frame = self.index.frame(&sample, payload)?;
        let origin = self.index.origin();
        frame.dts = frame.dts - origin;
        frame.pts = frame.pts - origin;
        Ok(Some(Item::Frame(frame)))
    }
}

/// Reads a range of the file; less than asked for if the file ends within. Memory grows with what is
/// there, not with what a damaged box announces.
fn read_range(file: &mut File, range: Range<u64>) -> std::io::Result<Bytes> {
    file.seek(SeekFrom::Start(range.start))?;
    let mut bytes = Vec::new();
    file.take(range.end.saturating_sub(range.start)).read_to_end(&mut bytes)?;
    Ok(bytes.into())
}
