//! A little of a recording read ahead of its viewer, at the pace that the player's buffer asks for.
//!
//! Decides what is to be read next, and keeps what was read. Pure: who drives it reads the samples, waits and tells the
//! time ([`super::cursor`]). It knows no film: whatever has an [`Index`] can be read so.

mod pace;
mod window;

use std::fmt;
use std::future::Future;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use headwater_hub::{Batch, End, Fill, Next, PartContent};
use headwater_media::flv::{film_metadata, on_metadata};
use headwater_media::index::{Index, Sample};
use headwater_media::{Frame, MediaKind, Timestamp};

pub use self::pace::{Due, Pace};
use self::window::Window;

/// Payload bytes read ahead for one viewer before it takes what is there.
pub const AHEAD_BYTES_MAX: usize = 512 << 10;
/// Script data sent out of turn, at most.
const SCRIPT_DATA_MAX: usize = 1_000;
/// Frames read at once.
const READ_FRAMES_MAX: usize = 256;

/// A recording that can be read by its index: a film; later a broadcast's archive.
pub trait SampleSource: fmt::Debug + Send + Sync + 'static {
    /// What it is called, for the log.
    fn name(&self) -> &str;

    /// Where every sample of it lies, and when it is due.
    fn index(&self) -> &Index;

    /// The frames of these samples of the index, in order, at the times of the index.
    fn frames(&self, samples: &[&Sample]) -> impl Future<Output = anyhow::Result<Vec<Frame>>> + Send;

    /// Whether there is more of it by now; asked where the index ends.
    fn grown(&self) -> impl Future<Output = Growth<Self>> + Send
    where
        Self: Sized;
}

/// What has become of a recording whose index ends.
#[derive(Debug)]
pub enum Growth<S> {
    /// It goes on.
    More(S),
    /// It is still being written.
    NotYet,
    /// It is whole.
    Whole,
}

/// What is to be done next.
#[derive(Debug)]
pub(crate) enum Turn<S> {
    /// Read these samples.
    Read { source: Arc<S>, samples: Range<usize>, jumps: u64 },
    /// Read all script data, out of turn.
    ReadData(Arc<S>),
    /// Nothing for so long, unless something changes.
    Sleep(Duration),
    /// Nothing until something changes.
    Wait,
    /// The index ends: is there more by now?
    Grow { source: Arc<S>, jumps: u64 },
}

/// When script data is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ScriptData {
    /// Each at its time.
    InTurn,
    /// All of it now.
    Wanted,
    /// All of it has been.
    Sent,
}

/// What is read ahead for one viewer, and where it goes on.
#[derive(Debug)]
pub(crate) struct ReadAhead<S> {
    source: Arc<S>,
    window: Window,
    pace: Pace,
    /// The sample to be read next.
    next: usize,
    /// The sample that the last jump went to.
    began: usize,
    /// The number of the first sample that the setup does not hold for.
    setup_end: usize,
    /// Whether nothing is read until what was read is sent.
    is_ahead: bool,
    /// Whether no more than one picture is read.
    is_resting: bool,
    /// Changes with every jump: what was being read for the place before is of no use.
    jumps: u64,
    /// How often the viewer was told everything.
    tellings: u64,
    data: ScriptData,
    end: Option<End>,
}

impl<S: SampleSource> ReadAhead<S> {
    /// Begins at the keyframe at or before `at`.
    pub(crate) fn new(source: Arc<S>, at: Timestamp) -> Self {
        let mut ahead = Self {
            source,
            window: Window::default(),
            pace: Pace::default(),
            next: 0,
            began: 0,
            setup_end: 0,
            is_ahead: false,
            is_resting: false,
            jumps: 0,
            tellings: 0,
            data: ScriptData::InTurn,
            end: None,
        };
        ahead.seek(at);
        ahead
    }

    /// Fills `batch` with what was read.
    pub(crate) fn read(&self, batch: &mut Batch) -> Next {
        if self.window.is_empty() {
            return if self.end.is_some() { Next::Ended } else { Next::Empty };
        }
        self.window.read(batch);
        Next::Frames
    }

    /// Lets go of what has been sent; whether there is room again where there was none.
    pub(crate) fn advance(&mut self, batch: &Batch, frames: usize) -> bool {
        let has_room = self.window.advance(batch, frames) && self.window.bytes() < AHEAD_BYTES_MAX / 2;
        has_room && std::mem::take(&mut self.is_ahead)
    }

    /// Goes to the keyframe at or before this presented time; where that is comes back.
    pub(crate) fn seek(&mut self, at: Timestamp) -> Timestamp {
        self.jump(self.index().begin_at(at));
        self.time_of(self.next)
    }

    /// Reads no more than one picture from here on.
    pub(crate) const fn rest(&mut self) {
        self.is_resting = true;
        self.pace.restart();
    }

    /// Goes on behind what the player has seen: it has thrown away what is later than `seen`. A player that claims to
    /// have seen more than was sent gets what follows that.
    pub(crate) fn resume(&mut self, seen: Timestamp) {
        self.is_resting = false;
        self.pace.restart();
        if self.window.seen().is_some() && seen < self.position() {
            let until = seen + self.origin();
            self.go_on_at(self.index().samples().partition_point(|sample| sample.dts <= until));
        }
    }

    /// How much the player holds in its buffer.
    pub(crate) fn set_buffer(&mut self, buffer: Duration) {
        self.pace.set_buffer(buffer);
    }

    /// Sends all script data now, and not again at its times; in front of all frames if none has been sent.
    pub(crate) fn send_data_first(&mut self) {
        self.data = ScriptData::Wanted;
        if self.window.seen().is_none() {
            self.go_on_at(self.began);
        }
    }

    /// The first time from `at` on at which a decoder can begin; none behind the last keyframe.
    pub(crate) fn next_start(&self, at: Timestamp) -> Option<Timestamp> {
        let (index, at) = (self.index(), at + self.origin());
        let first = index.samples().partition_point(|sample| sample.dts < at);
        let lead = usize::from(index.samples().get(index.start_for(at))?.track);
        let mut behind = index.samples()[first..].iter();
        let start = behind.find(|sample| sample.key && usize::from(sample.track) == lead)?;
        Some(start.dts - self.origin())
    }

    /// The time of the first frame that has not been sent.
    pub(crate) fn position(&self) -> Timestamp {
        self.window.position().unwrap_or_else(|| self.time_of(self.next))
    }

    /// The length of the recording.
    pub(crate) fn duration(&self) -> Timestamp {
        self.index().duration()
    }

    /// How it stands with the player's buffer.
    pub(crate) const fn fill(&self) -> Fill {
        self.pace.fill()
    }

    /// Number of the last frame that was sent since the viewer was told everything.
    pub(crate) const fn seen(&self) -> Option<u64> {
        self.window.seen()
    }

    /// Why nothing more comes, once everything that was read has been sent.
    pub(crate) fn end(&self) -> Option<End> {
        self.end.clone().filter(|_| self.window.is_empty())
    }

    /// What is to be done next, `now` being the time since any moment that stays the same.
    pub(crate) fn turn(&mut self, now: Duration) -> Turn<S> {
        if self.end.is_some() {
            return Turn::Wait;
        }
        // Only in front of everything: what a viewer holds of the window has its numbers.
        if self.data == ScriptData::Wanted && self.window.is_empty() {
            self.data = ScriptData::Sent;
            return Turn::ReadData(Arc::clone(&self.source));
        }
        if self.next >= self.index().samples().len() {
            return Turn::Grow { source: Arc::clone(&self.source), jumps: self.jumps };
        }
        let is_change = self.next >= self.setup_end;
        self.is_ahead = self.window.bytes() >= AHEAD_BYTES_MAX
            || ((is_change || self.is_resting) && !self.window.is_empty());
        if self.is_ahead {
            return Turn::Wait;
        }
        if is_change {
            self.renew_setup();
        }
        let end = match self.is_resting {
            true => self.picture_end(),
            false => match self.pace.due(now, self.time_of(self.next)) {
                Due::Until(horizon) => self.read_end(horizon),
                Due::After(rest) => return Turn::Sleep(rest),
            },
        };
        Turn::Read { source: Arc::clone(&self.source), samples: self.next..end, jumps: self.jumps }
    }

    /// Takes what was read, up to the sample `end`, unless it has been sought in since.
    pub(crate) fn finish_read(&mut self, jumps: u64, end: usize, read: anyhow::Result<Vec<Frame>>) {
        match read {
            _ if self.jumps != jumps => {}
            Ok(frames) => {
                self.next = end;
                self.take(frames);
            }
            Err(error) => {
                tracing::warn!(film = self.source.name(), "the film ends early: {error:#}");
                self.end = Some(End::Broken(format!("{error:#}")));
            }
        }
    }

    /// Puts all script data in front of what comes, at the time of that.
    pub(crate) fn take_data(&mut self, frames: Vec<Frame>) {
        self.window.push_front(frames, self.position());
    }

    /// Goes on with more of the same recording, behind what was read of it.
    pub(crate) fn take_source(&mut self, source: S) {
        let before = std::mem::replace(&mut self.source, Arc::new(source));
        let (old, new) = (before.index(), self.index());
        if let Some(last) = self.next.checked_sub(1).and_then(|last| old.samples().get(last)) {
            let place = |sample: &Sample| (sample.offset, sample.track);
            if new.samples().get(self.next - 1).map(place) != Some(place(last)) {
                // The beginning of a track that came late stands before it: what has been read is not read again.
                let read_to = last.dts + old.clock() - new.clock();
                self.next = new.samples().partition_point(|sample| sample.dts <= read_to);
            }
        }
        let tracks = self.index().tracks_at(self.next);
        let is_told = self.next < self.index().samples().len() && self.window.holds(&tracks);
        let next_change = self.index().next_change(self.next).unwrap_or(usize::MAX);
        self.setup_end = if is_told { next_change } else { self.next };
    }

    /// The recording is whole, and all of it was read, unless it has been sought in since.
    pub(crate) fn complete(&mut self, jumps: u64) {
        if self.jumps == jumps {
            self.end = Some(End::Complete);
        }
    }

    fn take(&mut self, frames: Vec<Frame>) {
        let origin = self.origin();
        let data_was_sent = self.data == ScriptData::Sent;
        for mut frame in frames {
            if data_was_sent && frame.track.kind == MediaKind::Data {
                continue;
            }
            frame.dts = frame.dts - origin;
            frame.pts = frame.pts - origin;
            self.window.push(frame);
        }
    }

    /// Goes to a sample where a decoder can begin.
    fn jump(&mut self, sample: usize) {
        self.began = sample;
        self.go_on_at(sample);
        self.tellings += 1;
        let tracks = self.index().tracks_at(sample);
        // The list of key frames is for who begins; a seek does not need it again.
        let metadata = match self.tellings {
            1 => film_metadata(self.index()),
            _ => on_metadata(&tracks, Some(self.index().duration())),
        };
        let contents = tracks.into_iter().map(PartContent::Track);
        self.window.begin(std::iter::once(PartContent::Metadata(metadata)).chain(contents));
    }

    /// Goes to a sample that follows what the viewer has.
    fn go_on_at(&mut self, sample: usize) {
        self.window.clear();
        self.next = sample;
        self.jumps += 1;
        self.end = None;
        self.pace.restart();
        self.renew_setup();
    }

    /// What holds for the next sample; what is new in it is told with the next frame.
    fn renew_setup(&mut self) {
        let tracks = self.index().tracks_at(self.next);
        self.window.set_tracks(tracks);
        self.setup_end = self.index().next_change(self.next).unwrap_or(usize::MAX);
    }

    /// Up to which sample to read for a picture.
    fn picture_end(&self) -> usize {
        let near = self.index().samples()[self.next..].iter().take(READ_FRAMES_MAX);
        self.next
            + 1
            + near.into_iter().position(|sample| is(self.index(), sample, MediaKind::Video)).unwrap_or(0)
    }

    /// Up to which sample to read now: at least one.
    fn read_end(&self, horizon: Timestamp) -> usize {
        let samples = self.index().samples();
        let limit = horizon + self.origin();
        let last = self.setup_end.min(samples.len()).min(self.next + READ_FRAMES_MAX);
        let mut bytes = self.window.bytes();
        let due = samples[self.next..last].iter().take_while(|sample| {
            let fits = bytes < AHEAD_BYTES_MAX && sample.dts < limit;
            bytes += sample.size as usize;
            fits
        });
        self.next + due.count().max(1)
    }

    fn time_of(&self, sample: usize) -> Timestamp {
        match self.index().samples().get(sample) {
            Some(sample) => sample.dts - self.origin(),
            None => self.index().duration(),
        }
    }

    /// What is taken from the index's times: a player's time begins at zero, with what is decoded first.
    fn origin(&self) -> Timestamp {
        self.index().origin()
    }

    fn index(&self) -> &Index {
        self.source.index()
    }
}

/// The samples of script data, [`SCRIPT_DATA_MAX`] at most.
pub(crate) fn script_data(index: &Index) -> Vec<&Sample> {
    index.samples().iter().filter(|sample| is(index, sample, MediaKind::Data)).take(SCRIPT_DATA_MAX).collect()
}

fn is(index: &Index, sample: &Sample, kind: MediaKind) -> bool {
    index.tracks().get(usize::from(sample.track)).is_some_and(|track| track.track.id.kind == kind)
}
