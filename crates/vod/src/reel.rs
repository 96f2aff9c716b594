//! A viewer's place in a film: a little of it read ahead, at the pace that the viewer's buffer asks for.
//!
//! A task of the viewer's own reads the file; the watcher is called when there is something to send. The first
//! seconds come as fast as they can, to fill the player's buffer; from then on the buffer is kept full.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::{Arc, Weak};
use std::time::Duration;

use headwater_hub::{Batch, DecoderSetup, Next, PartContent, Watcher};
use headwater_media::flv::{film_metadata, on_metadata};
use headwater_media::index::{Index, Sample};
use headwater_media::{Frame, MediaKind, Timestamp};
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::{Film, Library};

/// Payload bytes read ahead for one viewer before it takes what is there.
const AHEAD_BYTES_MAX: usize = 512 << 10;
/// Script data sent out of turn, at most.
const SCRIPT_DATA_MAX: usize = 1_000;
/// Frames read from the file at once.
const READ_FRAMES_MAX: usize = 256;
/// What a player that says nothing is taken to hold.
const BUFFER_DEFAULT: Duration = Duration::from_secs(3);
/// A shorter buffer than this would run dry between two of our turns.
const BUFFER_MIN: Duration = Duration::from_millis(100);
/// How long to sleep at most once the buffer is full: the size of the portions that follow.
const PORTION_MAX: Duration = Duration::from_millis(250);
/// How often a file that is still being written is looked at for more.
const GROWTH_STEP: Duration = Duration::from_secs(1);
/// A file that has not grown for so long is at its end.
const GROWTH_WAIT: u32 = 5;

/// A viewer's place in a film.
#[derive(Debug)]
pub struct Reel {
    shared: Arc<Shared>,
    /// Where a viewer's time begins.
    origin: Timestamp,
    task: JoinHandle<()>,
}

#[derive(Debug)]
struct Shared {
    library: Arc<Library>,
    app: String,
    state: Mutex<State>,
    /// Rung when the task has something new to think about.
    bell: Notify,
    watcher: Mutex<Option<Weak<dyn Watcher>>>,
}

struct State {
    film: Arc<Film>,
    /// Read and not sent.
    frames: VecDeque<Frame>,
    bytes: usize,
    /// Number of the first of them; numbers only grow, also over a seek.
    first: u64,
    seen: Option<u64>,
    /// What holds for them; when it changes, the frames before are sent first.
    setup: Arc<DecoderSetup>,
    /// The number of the first sample that it does not hold for.
    setup_end: usize,
    /// The sample to be read next.
    next: usize,
    /// Whether the task waits until what was read is sent.
    is_ahead: bool,
    /// Changes with every jump: what was being read for the place before is of no use.
    jumps: u64,
    pace: Pace,
    /// Stop at this time of the film.
    until: Option<Timestamp>,
    /// Of a paused film, one picture is shown after a seek.
    still: Still,
    fill: Fill,
    data: ScriptData,
    end: Option<Ending>,
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

/// How it stands with the player's buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fill {
    /// It is being filled for the first time since the film began to run here.
    Filling,
    /// It is full: nothing is sent for a while.
    Full,
    /// It is kept full.
    Kept,
}

/// Why nothing more comes of a film.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// All that was asked for has been read.
    Complete,
    /// The file cannot be read any more.
    Broken(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Still {
    /// The film runs.
    Runs,
    /// It stands, and its picture has been shown.
    Shown,
    /// It stands at a new place, whose picture is still to be shown.
    Wanted,
}

/// How fast a film is sent.
#[derive(Clone, Copy, Debug)]
struct Pace {
    buffer: Duration,
    /// When the film began to run, and at which of its times.
    since: Option<(Instant, Timestamp)>,
}

/// What the task does next.
enum Turn {
    Read {
        film: Arc<Film>,
        samples: Range<usize>,
        jumps: u64,
    },
    Sleep(Instant),
    /// All script data, out of turn.
    ReadData(Arc<Film>),
    /// Nothing until the bell rings.
    Wait,
    /// The file's end: is there more by now?
    Grow(Arc<Film>),
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State")
            .field("film", &self.film.name())
            .field("next", &self.next)
            .finish_non_exhaustive()
    }
}

impl Reel {
    pub fn new(library: Arc<Library>, app: &str, film: Arc<Film>, at: Timestamp) -> Self {
        let mut state = State {
            frames: VecDeque::new(),
            bytes: 0,
            first: 0,
            seen: None,
            setup: Arc::default(),
            setup_end: 0,
            next: 0,
            is_ahead: false,
            jumps: 0,
            pace: Pace { buffer: BUFFER_DEFAULT, since: None },
            until: None,
            still: Still::Runs,
            fill: Fill::Filling,
            data: ScriptData::InTurn,
            end: None,
            film,
        };
        state.jump(state.sample_for(at));
        // Who begins in the middle counts from there: librtmp adds what it asked for.
        let origin = if at > Timestamp::ZERO { state.position() } else { Timestamp::ZERO };
        let shared = Arc::new(Shared {
            library,
            app: app.to_owned(),
            state: Mutex::new(state),
            bell: Notify::new(),
            watcher: Mutex::new(None),
        });
        let task = tokio::spawn(project(Arc::clone(&shared)));
        Self { shared, origin, task }
    }

    #[cfg(test)]
    fn film(&self) -> Arc<Film> {
        Arc::clone(&self.shared.state.lock().film)
    }

    /// The time of the film at which a viewer's time begins.
    pub const fn origin(&self) -> Timestamp {
        self.origin
    }

    /// How much the player holds in its buffer: it is filled at once and then kept full.
    pub fn set_buffer(&self, buffer: Duration) {
        self.change(|state| state.pace.buffer = buffer.max(BUFFER_MIN));
    }

    /// Sends all script data now, in front of the frames, and not again at its times.
    pub fn send_data_at_once(&self) {
        self.change(|state| state.data = ScriptData::Wanted);
    }

    /// Sends no frame that is due at this time of the film or later.
    pub fn play_until(&self, until: Option<Timestamp>) {
        self.change(|state| {
            state.until = until;
            state.end = None;
            if let Some(until) = until {
                state.drop_from(until);
            }
        });
    }

    /// Goes to the keyframe at or before this time; where that is comes back. Everything that a decoder must
    /// know is sent again. A paused film shows the picture there.
    pub fn seek(&self, at: Timestamp) -> Timestamp {
        self.change(|state| {
            state.jump(state.sample_for(at));
            state.time_of(state.next)
        })
    }

    /// Goes to the keyframe at or before the place where it stands.
    pub fn restart(&self) {
        self.change(|state| {
            let at = state.position();
            state.jump(state.sample_for(at));
        });
    }

    /// Stops.
    pub fn pause(&self) {
        self.change(|state| {
            state.still = Still::Shown;
            state.pace.since = None;
        });
    }

    /// Goes on behind what the player has seen: it has thrown away what is later than `at`. A player that
    /// claims to have seen more than was sent gets what follows that.
    pub fn resume(&self, at: Timestamp) {
        self.change(|state| {
            state.still = Still::Runs;
            state.pace.since = None;
            state.fill = Fill::Filling;
            let after =
                state.film.index().samples().partition_point(|sample| sample.dts <= at + state.origin());
            if state.seen.is_some() && at < state.position() {
                state.go_on_at(after);
            }
        });
    }

    /// How it stands with the player's buffer.
    pub fn fill(&self) -> Fill {
        self.shared.state.lock().fill
    }

    /// The first time from `at` on at which a decoder can begin; none behind the last key frame.
    pub fn start_after(&self, at: Timestamp) -> Option<Timestamp> {
        let state = self.shared.state.lock();
        let (index, at) = (state.film.index(), at + state.origin());
        let first = index.samples().partition_point(|sample| sample.dts < at);
        let lead = usize::from(index.samples().get(index.start_to_decode(at))?.track);
        let mut behind = index.samples()[first..].iter();
        let start = behind.find(|sample| sample.key && usize::from(sample.track) == lead)?;
        Some(start.dts - state.origin())
    }

    /// The time of the film up to which everything has been sent.
    pub fn position(&self) -> Timestamp {
        self.shared.state.lock().position()
    }

    /// The length of the film.
    pub fn duration(&self) -> Timestamp {
        self.shared.state.lock().film.index().duration()
    }

    /// Why nothing more comes, once everything that was read has been sent.
    pub fn ending(&self) -> Option<Ending> {
        let state = self.shared.state.lock();
        state.end.clone().filter(|_| state.frames.is_empty())
    }

    pub fn seen(&self) -> Option<u64> {
        self.shared.state.lock().seen
    }

    pub fn read(&self, batch: &mut Batch) -> Next {
        let state = self.shared.state.lock();
        if state.frames.is_empty() {
            return if state.end.is_some() { Next::Ended } else { Next::Empty };
        }
        if state.still == Still::Shown {
            return Next::Empty;
        }
        batch.refill(state.first, &state.setup, state.frames.iter().cloned());
        Next::Frames
    }

    pub fn advance(&self, batch: &Batch, frames: usize) {
        let mut state = self.shared.state.lock();
        // A jump since the batch was read has numbered the frames anew.
        if frames == 0 || batch.first != state.first {
            return;
        }
        let sent = frames.min(state.frames.len());
        let sent_bytes: usize = state.frames.drain(..sent).map(|frame| frame.payload.len()).sum();
        state.bytes -= sent_bytes;
        state.first += sent as u64;
        state.seen = Some(state.first - 1);
        if state.still == Still::Wanted && state.frames.is_empty() {
            state.still = Still::Shown;
        }
        if state.is_ahead && state.bytes < AHEAD_BYTES_MAX / 2 {
            state.is_ahead = false;
            self.shared.bell.notify_one();
        }
    }

    pub fn watch(&self, watcher: &Arc<dyn Watcher>) -> Watched {
        *self.shared.watcher.lock() = Some(Arc::downgrade(watcher));
        self.shared.bell.notify_one();
        Watched(Arc::clone(&self.shared))
    }

    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let changed = change(&mut self.shared.state.lock());
        self.shared.bell.notify_one();
        changed
    }
}

impl Drop for Reel {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A watcher's place at a film; dropping it ends the calls.
#[derive(Debug)]
pub struct Watched(Arc<Shared>);

impl Drop for Watched {
    fn drop(&mut self) {
        *self.0.watcher.lock() = None;
    }
}

impl Shared {
    fn call_watcher(&self) {
        let watcher = self.watcher.lock().as_ref().and_then(Weak::upgrade);
        if let Some(watcher) = watcher {
            watcher.stream_changed();
        }
    }
}

/// Reads the film ahead of its viewer until the reel is dropped.
async fn project(shared: Arc<Shared>) {
    let mut unchanged = 0;
    loop {
        let turn = shared.state.lock().turn(Instant::now());
        match turn {
            Turn::Read { film, samples, jumps } => {
                let read = film.frames(samples.clone()).await;
                shared.state.lock().finish_read(jumps, samples.end, read);
                unchanged = 0;
                shared.call_watcher();
                // What is at hand is read without waiting: others get their turn.
                tokio::task::yield_now().await;
            }
            Turn::ReadData(film) => {
                let read = film.frames_of(&script_data(film.index())).await;
                // Where it cannot be read, the frames beside it cannot either.
                shared.state.lock().take_data(read.unwrap_or_default());
            }
            Turn::Sleep(until) => {
                // That the buffer is full is news.
                shared.call_watcher();
                tokio::select! {
                    () = tokio::time::sleep_until(until) => {}
                    () = shared.bell.notified() => {}
                }
            }
            Turn::Wait => {
                // The watcher may have come, or the end is news to it.
                shared.call_watcher();
                shared.bell.notified().await;
            }
            Turn::Grow(film) => {
                let newer = shared.library.open(&shared.app, film.name()).await.ok();
                let waits = match newer.filter(|newer| newer.bytes() > film.bytes()) {
                    Some(newer) => {
                        shared.state.lock().film = newer;
                        unchanged = 0;
                        false
                    }
                    None if film.is_being_written() && unchanged < GROWTH_WAIT => {
                        unchanged += 1;
                        true
                    }
                    None => {
                        shared.state.lock().end = Some(Ending::Complete);
                        false
                    }
                };
                if waits {
                    tokio::time::sleep(GROWTH_STEP).await;
                }
            }
        }
    }
}

impl State {
    fn index(&self) -> &Index {
        self.film.index()
    }

    /// What is taken from the index's times: a film's time begins at zero.
    fn origin(&self) -> Timestamp {
        self.index().origin().min(Timestamp::ZERO)
    }

    /// Where to begin in order to see what is shown at `at`: the key frame before, with what is due when it is;
    /// of the film's first key frame also what comes before it.
    fn sample_for(&self, at: Timestamp) -> usize {
        let samples = self.index().samples();
        let key = self.index().start_to_decode(at + self.origin());
        let Some(Sample { dts, track, .. }) = samples.get(key).copied() else { return 0 };
        if samples[..key].iter().all(|sample| sample.track != track) {
            return 0;
        }
        samples.partition_point(|sample| sample.dts < dts)
    }

    /// Up to which sample to read for a picture.
    fn still_end(&self) -> usize {
        let tracks = self.index().tracks();
        let is_picture = |sample: &Sample| {
            let track = tracks.get(usize::from(sample.track));
            track.is_some_and(|track| track.track.id.kind == MediaKind::Video)
        };
        let near = self.index().samples()[self.next..].iter().take(READ_FRAMES_MAX);
        self.next + 1 + near.into_iter().position(is_picture).unwrap_or(0)
    }

    fn time_of(&self, sample: usize) -> Timestamp {
        match self.index().samples().get(sample) {
            Some(sample) => sample.dts - self.origin(),
            None => self.index().duration(),
        }
    }

    /// The time of the first frame that has not been sent.
    fn position(&self) -> Timestamp {
        self.frames.front().map_or_else(|| self.time_of(self.next), |frame| frame.dts)
    }

    /// Forgets what was read ahead that is due at this time or later.
    fn drop_from(&mut self, until: Timestamp) {
        let kept = self.frames.partition_point(|frame| frame.dts < until);
        if kept == self.frames.len() {
            return;
        }
        let dropped: usize = self.frames.drain(kept..).map(|frame| frame.payload.len()).sum();
        self.bytes -= dropped;
        let until = until + self.origin();
        self.next = self.index().samples().partition_point(|sample| sample.dts < until);
        self.jumps += 1;
    }

    /// Puts all script data in front of what comes, at the time of that.
    fn take_data(&mut self, frames: Vec<Frame>) {
        let at = self.position();
        for frame in frames.into_iter().rev() {
            self.bytes += frame.payload.len();
            self.frames.push_front(Frame { dts: at, pts: at, ..frame });
        }
    }

    /// Goes to a sample where a decoder can begin.
    fn jump(&mut self, sample: usize) {
        self.go_on_at(sample);
        self.seen = None;
        let tracks = self.index().tracks_at(sample);
        // The list of key frames is for who begins; a seek does not need it again.
        let metadata = match self.jumps {
            1 => film_metadata(self.index(), self.origin()),
            _ => on_metadata(&tracks, Some(self.index().duration())),
        };
        let contents = tracks.into_iter().map(PartContent::Track);
        let contents = std::iter::once(PartContent::Metadata(metadata)).chain(contents);
        self.setup = Arc::new(DecoderSetup::new(contents, self.first));
        if self.still == Still::Shown {
            self.still = Still::Wanted;
        }
    }

    /// Goes to a sample that follows what the viewer has.
    fn go_on_at(&mut self, sample: usize) {
        self.first += self.frames.len() as u64;
        self.frames.clear();
        self.bytes = 0;
        self.next = sample;
        self.jumps += 1;
        self.end = None;
        self.pace.since = None;
        self.fill = Fill::Filling;
        self.renew_setup();
    }

    /// What holds for the next sample; what is new in it is told with the next frame.
    fn renew_setup(&mut self) {
        for track in self.index().tracks_at(self.next) {
            if self.setup.track(track.id) != Some(&track) {
                self.setup = Arc::new(self.setup.with(PartContent::Track(track), self.first));
            }
        }
        self.setup_end = self.index().next_change(self.next).unwrap_or(usize::MAX);
    }

    /// Takes what was read, unless the film has been sought in since.
    fn finish_read(&mut self, jumps: u64, end: usize, read: anyhow::Result<Vec<Frame>>) {
        match read {
            _ if self.jumps != jumps => {}
            Ok(frames) => self.take(end, frames),
            Err(error) => {
                tracing::warn!(film = self.film.name(), "the film ends early: {error:#}");
                self.end = Some(Ending::Broken(format!("{error:#}")));
            }
        }
    }

    /// Takes what was read, up to the sample `end`.
    fn take(&mut self, end: usize, frames: Vec<Frame>) {
        let origin = self.origin();
        self.next = end;
        let data_was_sent = self.data == ScriptData::Sent;
        for mut frame in frames {
            if data_was_sent && frame.track.kind == MediaKind::Data {
                continue;
            }
            frame.dts = frame.dts - origin;
            frame.pts = frame.pts - origin;
            self.bytes += frame.payload.len();
            self.frames.push_back(frame);
        }
    }

    /// What the task does next.
    fn turn(&mut self, now: Instant) -> Turn {
        if self.end.is_some() || self.still == Still::Shown {
            return Turn::Wait;
        }
        if self.data == ScriptData::Wanted {
            self.data = ScriptData::Sent;
            return Turn::ReadData(Arc::clone(&self.film));
        }
        let next_time = self.time_of(self.next);
        if self.until.is_some_and(|until| next_time >= until) {
            self.end = Some(Ending::Complete);
            return Turn::Wait;
        }
        if self.next >= self.index().samples().len() {
            return Turn::Grow(Arc::clone(&self.film));
        }
        let change = self.next >= self.setup_end;
        let still = self.still == Still::Wanted;
        self.is_ahead = self.bytes >= AHEAD_BYTES_MAX || ((change || still) && !self.frames.is_empty());
        if self.is_ahead {
            return Turn::Wait;
        }
        if change {
            self.renew_setup();
        }
        let since = *self.pace.since.get_or_insert((now, next_time));
        let horizon = self.pace.horizon(now, since);
        if next_time >= horizon {
            if self.fill == Fill::Filling {
                self.fill = Fill::Full;
            }
            return Turn::Sleep(now + self.pace.rest(next_time - horizon));
        }
        if self.fill == Fill::Full {
            self.fill = Fill::Kept;
        }
        let end = if still { self.still_end() } else { self.read_end(horizon) };
        Turn::Read { film: Arc::clone(&self.film), samples: self.next..end, jumps: self.jumps }
    }

    /// Up to which sample to read now: at least one.
    fn read_end(&self, horizon: Timestamp) -> usize {
        let samples = self.index().samples();
        let limit = self.until.map_or(horizon, |until| until.min(horizon)) + self.origin();
        let last = self.setup_end.min(samples.len()).min(self.next + READ_FRAMES_MAX);
        let mut bytes = self.bytes;
        let due = samples[self.next..last].iter().take_while(|sample| {
            let fits = bytes < AHEAD_BYTES_MAX && sample.dts < limit;
            bytes += sample.size as usize;
            fits
        });
        self.next + due.count().max(1)
    }
}

/// The samples of script data, [`SCRIPT_DATA_MAX`] at most.
fn script_data(index: &Index) -> Vec<&Sample> {
    let tracks = index.tracks();
    let is_data = |sample: &&Sample| {
        let track = tracks.get(usize::from(sample.track));
        track.is_some_and(|track| track.track.id.kind == MediaKind::Data)
    };
    index.samples().iter().filter(is_data).take(SCRIPT_DATA_MAX).collect()
}

impl Pace {
    /// Up to which time of the film the player's buffer takes frames.
    fn horizon(&self, now: Instant, (since, base): (Instant, Timestamp)) -> Timestamp {
        let nanos = (now - since).saturating_add(self.buffer).as_nanos();
        base + Timestamp::from_nanos(i64::try_from(nanos).unwrap_or(i64::MAX))
    }

    /// How long to sleep when the next frame is early by `early`: until a portion is due.
    fn rest(&self, early: Timestamp) -> Duration {
        let early = Duration::from_nanos(u64::try_from(early.as_nanos()).unwrap_or(0));
        early.max(PORTION_MAX.min(self.buffer / 4))
    }
}

#[cfg(test)]
mod tests;
