//! A recording in FLV, into a file or to standard output. Late tracks and changes of configuration stand where
//! they happen, and from then on before every keyframe; the flags of a file's head are made true when they turn out to be wrong.

use std::io::{self, BufWriter, Seek, SeekFrom, Stdout, Write};
use std::path::Path;

use anyhow::Context;
use bytes::{Bytes, BytesMut};
use headwater_media::flv::{Dialect, Muxer, file_header, parse_on_metadata};
use headwater_media::{MediaKind, Timestamp, Track};
use headwater_vod::Item;

use super::file::AwaitedFile;
use super::{ReaderGone, replace};

/// Which kinds of tracks there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Kinds {
    audio: bool,
    video: bool,
}

enum Target {
    Stdout(Stdout),
    File(BufWriter<AwaitedFile>),
}

/// An FLV file, or as much of it as there is so far.
pub(crate) struct FlvFile {
    target: Target,
    /// From the first frame on.
    muxer: Option<Muxer>,
    tracks: Vec<Track>,
    metadata: Option<Bytes>,
    at: Timestamp,
    /// What the head says, and what has come.
    announced: Kinds,
    seen: Kinds,
}

impl FlvFile {
    pub(super) fn to_stdout() -> Self {
        Self::to(Target::Stdout(io::stdout()))
    }

    pub(super) fn create(path: &Path) -> anyhow::Result<Self> {
        Ok(Self::to(Target::File(BufWriter::new(AwaitedFile::open(path)?))))
    }

    fn to(target: Target) -> Self {
        let (announced, seen) = (Kinds::default(), Kinds::default());
        Self { target, muxer: None, tracks: Vec::new(), metadata: None, at: Timestamp::ZERO, announced, seen }
    }

    /// The file, if there is one and something was written to it.
    pub(super) fn path(&self) -> Option<&Path> {
        match &self.target {
            Target::File(out) if out.get_ref().has_begun() => Some(out.get_ref().path()),
            _ => None,
        }
    }

    pub(super) fn put(&mut self, item: Item) -> anyhow::Result<()> {
        let mut bytes = BytesMut::new();
        match (item, self.muxer.as_mut()) {
            (Item::Track(track), Some(muxer)) => muxer.write_track(&track, self.at, &mut bytes),
            (Item::Track(track), None) => replace(&mut self.tracks, track),
            (Item::Metadata(values), Some(muxer)) => muxer.write_script(&values, self.at, &mut bytes),
            (Item::Metadata(values), None) => self.metadata = Some(values),
            (Item::Frame(frame), _) => {
                self.at = frame.dts;
                self.seen.note(frame.track.kind);
                if self.muxer.is_none() {
                    self.begin(&mut bytes);
                }
                if let Some(muxer) = &mut self.muxer {
                    muxer.write_again(&frame, &mut bytes);
                    muxer.write_frame(&frame, &mut bytes);
                }
            }
        }
        self.target.write(&bytes)?;
        if self.seen.exceed(self.announced) {
            self.mend_head(self.announced.and(self.seen))?;
        }
        Ok(())
    }

    pub(super) fn finish(&mut self) -> anyhow::Result<()> {
        // A track that was announced and has never come: players would wait for it.
        if self.muxer.is_some() && self.announced != self.seen {
            self.mend_head(self.seen)?;
        }
        self.target.write(&[])?;
        match &mut self.target {
            Target::Stdout(_) => Ok(()),
            Target::File(out) => {
                out.flush().with_context(|| format!("cannot write {}", out.get_ref().path().display()))
            }
        }
    }

    fn begin(&mut self, bytes: &mut BytesMut) {
        let mut muxer = Muxer::new(self.at, Dialect::FULL);
        let of_tracks = self.tracks.iter().fold(self.seen, |kinds, track| kinds.with(track.id.kind));
        self.announced = of_tracks.and(Kinds::named(self.metadata.as_ref()));
        muxer.write_header(self.announced.audio, self.announced.video, bytes);
        if let Some(values) = &self.metadata {
            muxer.write_script(values, self.at, bytes);
        }
        self.tracks.iter().for_each(|track| muxer.write_track(track, self.at, bytes));
        self.muxer = Some(muxer);
    }

    /// Writes the flags anew, where there is a way back to them.
    fn mend_head(&mut self, kinds: Kinds) -> anyhow::Result<()> {
        self.announced = kinds;
        let Target::File(out) = &mut self.target else { return Ok(()) };
        let head = file_header(kinds.audio, kinds.video);
        // A pipe has no way back; its reader has passed the head long since.
        if out.seek(SeekFrom::Start(0)).is_err() {
            return Ok(());
        }
        let mended = out.write_all(&head).and_then(|()| out.seek(SeekFrom::End(0)));
        mended.map(drop).with_context(|| format!("cannot write {}", out.get_ref().path().display()))
    }
}

impl Target {
    fn write(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        match self {
            Self::Stdout(out) => match out.write_all(bytes).and_then(|()| out.flush()) {
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Err(ReaderGone.into()),
                written => written.context("cannot write to standard output"),
            },
            Self::File(out) => out
                .write_all(bytes)
                .with_context(|| format!("cannot write {}", out.get_ref().path().display())),
        }
    }
}

impl Kinds {
    /// Those that `onMetaData` names: their tracks may come later.
    fn named(metadata: Option<&Bytes>) -> Self {
        let Some(about) = metadata.and_then(|values| parse_on_metadata(values)) else {
            return Self::default();
        };
        let names = |key| about.get(key).is_some();
        Self { audio: names("audiocodecid"), video: names("videocodecid") }
    }

    fn note(&mut self, kind: MediaKind) {
        *self = self.with(kind);
    }

    fn with(self, kind: MediaKind) -> Self {
        let Self { audio, video } = self;
        Self { audio: audio || kind == MediaKind::Audio, video: video || kind == MediaKind::Video }
    }

    fn and(self, other: Self) -> Self {
        Self { audio: self.audio || other.audio, video: self.video || other.video }
    }

    fn exceed(self, other: Self) -> bool {
        self.and(other) != other
    }
}
