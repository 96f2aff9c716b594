//! A recording in MP4: fragments behind a head that has room to grow.
//!
//! A track that comes late is added to the head, in place. A configuration that changes (another size, codec or
//! sample rate) goes on in a further file, NAME-2.mp4: a second description in the same file would be legal, but
//! FFmpeg and mpv take no notice of it in fragments and show a broken picture. The further file begins with a key
//! frame; what comes before it still goes to the file that it fits.

use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use headwater_media::flv::LeftOut;
use headwater_media::mp4::Muxer;
use headwater_media::{Codec, Error, Frame, MediaKind, Timestamp, Track, TrackId};
use headwater_vod::Item;

use super::file::AwaitedFile;
use super::replace;

/// Bytes kept for the head of a file, beyond what it needs at first: a dozen further tracks.
const HEAD_ROOM_BYTES: usize = 8 << 10;
/// A fragment ends at the next key frame, or where it is this long: what a crash may cost, and what is kept in memory.
const FRAGMENT_SPAN_MAX: Timestamp = Timestamp::from_ms(10_000);
/// In bytes: 10 s of 12 Mbit/s, so that the time above decides for nearly all streams.
const FRAGMENT_BYTES_MAX: usize = 16 << 20;
/// The same without pictures.
const SOUND_SPAN: Timestamp = Timestamp::from_ms(1_000);
/// Files of one recording. A stream that changes more often is broken, or means harm.
const FILES_MAX: usize = 1_000;

/// The files of a recording.
pub(crate) struct Mp4Files {
    /// The name of the first; and all that there are.
    path: PathBuf,
    paths: Vec<PathBuf>,
    /// Made when the file was asked for, written to from the first fragment on.
    next_file: Option<AwaitedFile>,
    file: Option<Mp4File>,
    /// As the stream announced them last.
    tracks: Vec<Track>,
    /// As the frames of this file need them.
    held: Vec<Track>,
    /// Of the next fragment.
    fragment: Gathered,
    /// Of the next file, once it is known that there must be one.
    further: Option<Gathered>,
    left_out: LeftOut,
}

impl Mp4Files {
    pub(super) fn create(path: &Path) -> anyhow::Result<Self> {
        Ok(Self {
            path: path.to_owned(),
            paths: vec![path.to_owned()],
            next_file: Some(AwaitedFile::open(path)?),
            file: None,
            tracks: Vec::new(),
            held: Vec::new(),
            fragment: Gathered::default(),
            further: None,
            left_out: LeftOut::default(),
        })
    }

    pub(super) fn paths(&self) -> &[PathBuf] {
        &self.paths
    }

    pub(super) fn left_out(&self) -> &LeftOut {
        &self.left_out
    }

    pub(super) fn put(&mut self, item: Item) -> anyhow::Result<()> {
        match item {
            Item::Track(track) => replace(&mut self.tracks, track),
            Item::Frame(frame) if frame.track.kind != MediaKind::Data => self.put_frame(frame)?,
            Item::Metadata(_) | Item::Frame(_) => {}
        }
        Ok(())
    }

    pub(super) fn finish(&mut self) -> anyhow::Result<()> {
        self.write_fragment(None)?;
        if self.further.as_ref().is_some_and(|further| !further.frames.is_empty()) {
            self.turn_over()?;
            self.write_fragment(None)?;
        }
        // Nothing has come for it.
        if self.next_file.take().is_some() {
            self.paths.pop();
        }
        Ok(())
    }

    fn put_frame(&mut self, frame: Frame) -> anyhow::Result<()> {
        let fits = self.fits(&frame);
        if !fits && self.further.is_none() {
            self.further = Some(Gathered::default());
        }
        if let Some(further) = &self.further {
            if !frame.is_video_key() && self.has_pictures() && !further.is_over() {
                match fits {
                    true => self.fragment.push(frame),
                    false => self.further.get_or_insert_default().push(frame),
                }
                return Ok(());
            }
            self.write_fragment(Some(frame.dts).filter(|_| frame.track.kind == MediaKind::Video))?;
            self.turn_over()?;
        }
        self.end_fragment_before(&frame)?;
        self.hold(&frame);
        self.fragment.push(frame);
        Ok(())
    }

    /// Whether this file can have the frame. One whose track is new to it can.
    fn fits(&self, frame: &Frame) -> bool {
        let of_frame = |track: &&Track| track.id == frame.track;
        let (now, held) = (self.tracks.iter().find(of_frame), self.held.iter().find(of_frame));
        now.zip(held).is_none_or(|(now, held)| is_same(now, held))
    }

    fn hold(&mut self, frame: &Frame) {
        if !self.held.iter().any(|track| track.id == frame.track)
            && let Some(track) = self.tracks.iter().find(|track| track.id == frame.track)
        {
            replace(&mut self.held, track.clone());
        }
    }

    fn has_pictures(&self) -> bool {
        self.tracks.iter().any(|track| track.id.kind == MediaKind::Video)
    }

    fn end_fragment_before(&mut self, frame: &Frame) -> anyhow::Result<()> {
        let Some(first) = self.fragment.frames.first() else { return Ok(()) };
        let is_video = frame.track.kind == MediaKind::Video;
        let pictures_wait = self.fragment.frames.iter().any(|frame| frame.track.kind == MediaKind::Video);
        let span = frame.dts - first.dts;
        let ends = match (is_video, pictures_wait) {
            (true, true) => frame.key || self.fragment.is_over(),
            // Of a stream that begins, sound comes a moment before the first picture: they belong together.
            (_, false) => span >= SOUND_SPAN,
            // The pictures have stopped: nobody knows for how long the last one is to be shown.
            (false, true) => self.fragment.is_over() && span > FRAGMENT_SPAN_MAX + SOUND_SPAN,
        };
        if !ends {
            return Ok(());
        }
        let until = Some(frame.dts).filter(|_| is_video == pictures_wait);
        self.write_fragment(until)
    }

    /// Writes the frames gathered, before the first ones the start of the file.
    fn write_fragment(&mut self, until: Option<Timestamp>) -> anyhow::Result<()> {
        let Some(origin) = self.fragment.frames.iter().map(|frame| frame.dts).min() else { return Ok(()) };
        let path = self.paths.last().unwrap_or(&self.path).clone();
        let writing = || format!("cannot write {}", path.display());
        let is_first = self.file.is_none();
        let mut file = match (self.file.take(), self.next_file.take()) {
            (Some(file), _) => file,
            (None, Some(out)) => Mp4File::new(out, origin),
            (None, None) => bail!("there is no file to write to"),
        };
        let mut refused = None;
        for track in &self.held {
            if !file.muxer.has(track.id)
                && let Err(error) = file.add_track(track, &self.fragment.frames)
            {
                refused = refused.or(Some((track.id, error)));
            }
        }
        if let Some((id, error)) = refused {
            // At the beginning somebody is there who can choose another form; later the rest goes on.
            if is_first && self.paths.len() == 1 {
                self.paths.clear();
                return Err(error.into());
            }
            self.leave_out(id, &error);
        }
        file.write_head().with_context(writing)?;
        let fragment = file.muxer.fragment(&self.fragment.frames, until)?;
        file.out.write_all(&fragment).with_context(writing)?;
        self.file = Some(file);
        self.fragment = Gathered::default();
        Ok(())
    }

    /// Counts the frames of a track that this form has no place for.
    fn leave_out(&mut self, id: TrackId, error: &Error) {
        let reason = error.to_string();
        if !self.left_out.reasons().any(|(known, _)| known == reason) {
            tracing::warn!("left out: {reason}");
        }
        let count = self.fragment.frames.iter().filter(|frame| frame.track == id).count();
        self.left_out.add(reason, count as u64);
    }

    /// Begins the further file, with the frames that wait for it.
    fn turn_over(&mut self) -> anyhow::Result<()> {
        if self.paths.len() >= FILES_MAX {
            bail!("the stream's configuration has changed {FILES_MAX} times; that many files are enough");
        }
        let (path, out) = further_file(&self.path, self.paths.len() + 1)?;
        let changed = self
            .tracks
            .iter()
            .filter(|now| self.held.iter().any(|held| held.id == now.id && !is_same(now, held)));
        let changed: Vec<_> = changed.map(described).collect();
        tracing::info!(
            "the stream is now {}; the recording goes on in {}",
            changed.join(", "),
            path.display()
        );
        self.paths.push(path);
        (self.next_file, self.file) = (Some(out), None);
        self.held.clear();
        for frame in self.further.take().unwrap_or_default().frames {
            self.hold(&frame);
            self.fragment.push(frame);
        }
        Ok(())
    }
}

/// One file that is written.
struct Mp4File {
    out: AwaitedFile,
    muxer: Muxer,
    /// Bytes of the head with its room; 0 before it is written.
    head_len: usize,
    /// Whether there are tracks that the head does not have yet.
    has_grown: bool,
}

impl Mp4File {
    fn new(out: AwaitedFile, origin: Timestamp) -> Self {
        Self { out, muxer: Muxer::starting_at(origin), head_len: 0, has_grown: false }
    }

    /// The track is described by its configuration, and of some codecs by its first key frame among `frames`.
    fn add_track(&mut self, track: &Track, frames: &[Frame]) -> Result<(), Error> {
        let key = frames.iter().find(|frame| frame.track == track.id && frame.key);
        let mut grown = self.muxer.clone();
        grown.add_track(track, key.map_or(&[], |key| &key.payload))?;
        if self.head_len > 0 {
            grown.init_segment_within(self.head_len)?;
        }
        (self.muxer, self.has_grown) = (grown, true);
        Ok(())
    }

    /// Writes the head if it has changed, over the one before.
    fn write_head(&mut self) -> anyhow::Result<()> {
        if !std::mem::take(&mut self.has_grown) {
            return Ok(());
        }
        if self.head_len == 0 {
            self.head_len = self.muxer.init_segment()?.len() + HEAD_ROOM_BYTES;
            return Ok(self.out.write_all(&self.muxer.init_segment_within(self.head_len)?)?);
        }
        self.out.seek(SeekFrom::Start(0))?;
        self.out.write_all(&self.muxer.init_segment_within(self.head_len)?)?;
        self.out.seek(SeekFrom::End(0))?;
        Ok(())
    }
}

/// Frames in memory.
#[derive(Default)]
struct Gathered {
    frames: Vec<Frame>,
    bytes: usize,
}

impl Gathered {
    fn push(&mut self, frame: Frame) {
        self.bytes += frame.payload.len() + size_of::<Frame>();
        self.frames.push(frame);
    }

    /// Whether that is enough.
    fn is_over(&self) -> bool {
        let span = self.frames.first().zip(self.frames.last()).map(|(first, last)| last.dts - first.dts);
        self.bytes >= FRAGMENT_BYTES_MAX || span.is_some_and(|span| span >= FRAGMENT_SPAN_MAX)
    }
}

/// Whether frames of one can follow frames of the other. Frames of MP3 say all that has to be known.
fn is_same(one: &Track, other: &Track) -> bool {
    match (one.codec, other.codec) {
        (Codec::Mp3 { .. }, Codec::Mp3 { .. }) => true,
        (codec, other_codec) => codec == other_codec && one.config == other.config,
    }
}

/// A track, as people speak of it.
fn described(track: &Track) -> String {
    let details = track.details();
    let codec = track.codec;
    match (details.width.zip(details.height), details.sample_rate) {
        (Some((width, height)), _) => format!("{codec} {width}x{height}"),
        (None, Some(rate)) => format!("{codec} {rate} Hz"),
        (None, None) => codec.to_string(),
    }
}

/// `NAME-2.mp4` or the next that is not there yet: nobody has asked to write over those.
fn further_file(path: &Path, number: usize) -> anyhow::Result<(PathBuf, AwaitedFile)> {
    let (stem, extension) = (path.file_stem().unwrap_or_default(), path.extension().unwrap_or_default());
    for number in number..number + FILES_MAX {
        let mut name = stem.to_owned();
        name.push(format!("-{number}."));
        name.push(extension);
        let further = path.with_file_name(name);
        match AwaitedFile::create_new(&further) {
            Ok(file) => return Ok((further, file)),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(error) => {
                return Err(error).with_context(|| format!("cannot write {}", further.display()));
            }
        }
    }
    bail!("cannot go on in a further file: all names like {} are taken", path.display())
}
