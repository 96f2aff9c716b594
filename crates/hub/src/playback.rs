//! One viewer's playback: a cursor with everything that a player can ask of it.
//!
//! Pause, limit, end, the state of the player's buffer and the wait for a stream that is not there yet live here, once,
//! for every door with a session. The clock is an argument.

use std::sync::Arc;
use std::time::Duration;

use headwater_media::{MediaKind, Timestamp};

use crate::batch::Batch;
use crate::cursor::{Cursor, End, Fill, Next};
use crate::position::Start;
use crate::wake::{Watch, Watcher};

/// Players know a length in whole seconds, or to the end of the sound: a place this far behind the end is taken for the
/// end.
const SEEK_BEYOND_MAX: Timestamp = Timestamp::from_ms(2_000);

/// What a player is to be told, each once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// Its buffer is full: nothing more comes for a while.
    BufferFull,
    /// It gets more again.
    BufferFed,
    /// Nothing more comes.
    Ended(End),
}

/// Why a player does not get to a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SeekError {
    /// What is watched has no other place.
    #[error("a live stream cannot be sought in")]
    NotSeekable,
    /// It is shorter.
    #[error("it is shorter than that")]
    BeyondEnd,
}

/// A viewer's playback.
#[derive(Debug)]
pub struct Playback {
    cursor: Box<dyn Cursor>,
    /// Where the viewer's time begins; known with its first frame, if not before.
    origin: Option<Timestamp>,
    /// How much of the viewer's time had passed before what is watched now.
    elapsed: Timestamp,
    /// The time of the newest frame of it that has gone out.
    newest: Option<Timestamp>,
    sent_bytes: u64,
    /// Frames of the batch that was read last that may go out.
    admitted: usize,
    skipped: u64,
    breaks: u64,
    is_held: bool,
    pause: Pause,
    limit: Option<Limit>,
    end: Option<End>,
    end_is_told: bool,
    fill: Fill,
    fill_is_told: bool,
    /// Since when it has been there, and how long it waits for a stream that is not.
    since: Duration,
    wait_max: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pause {
    /// It runs.
    Runs,
    /// It stands.
    Stands,
    /// It stands at a new place, whose picture is still to be shown.
    ShowsPicture,
}

/// What is sent at most.
#[derive(Clone, Copy, Debug)]
enum Limit {
    /// Nothing from this time on.
    Until(Timestamp),
    /// This much from the first frame on.
    Lasting(Timestamp),
}

impl Playback {
    /// Playback from where `cursor` stands, which waits up to `wait_max` for a stream that is not there yet.
    #[must_use]
    pub fn new(cursor: Box<dyn Cursor>, now: Duration, wait_max: Duration) -> Self {
        Self {
            origin: cursor.origin(),
            elapsed: Timestamp::ZERO,
            newest: None,
            sent_bytes: 0,
            admitted: 0,
            skipped: 0,
            breaks: 0,
            is_held: false,
            pause: Pause::Runs,
            limit: None,
            end: None,
            end_is_told: false,
            fill: Fill::Filling,
            fill_is_told: true,
            since: now,
            wait_max,
            cursor,
        }
    }

    /// Fills `batch` with what may go out next, of which only the first [`admitted`](Self::admitted) frames are meant.
    pub fn read(&mut self, batch: &mut Batch) -> Next {
        if self.end.is_some() {
            return Next::Ended;
        }
        if self.is_held || self.pause == Pause::Stands {
            return Next::Empty;
        }
        match self.cursor.read(batch) {
            Next::Frames => {}
            Next::Ended => return self.finish(self.cursor.end().unwrap_or(End::Over)),
            other => {
                self.look_at_buffer();
                return other;
            }
        }
        if self.skipped != self.cursor.skipped() {
            self.skipped = self.cursor.skipped();
            self.breaks += 1;
        }
        let first = batch.frames.first().map_or(Timestamp::ZERO, |frame| frame.dts);
        let elapsed = self.elapsed;
        let origin = *self.origin.get_or_insert_with(|| first - elapsed);
        self.admitted = self.admit(batch, origin);
        if self.admitted == 0 { self.finish(End::Complete) } else { Next::Frames }
    }

    /// Frames of the batch that was read last that may go out.
    #[must_use]
    pub const fn admitted(&self) -> usize {
        self.admitted
    }

    /// Moves past the first `frames` frames of the batch that was read last.
    pub fn advance(&mut self, batch: &Batch, frames: usize) {
        let Some(last) = frames.checked_sub(1) else { return };
        self.newest = Some(batch.frames[last].dts);
        if self.cursor.length().is_some() {
            self.sent_bytes +=
                batch.frames[..frames].iter().map(|frame| frame.payload.len() as u64).sum::<u64>();
        }
        if self.pause == Pause::ShowsPicture && frames >= self.admitted {
            self.pause = Pause::Stands;
        }
        self.cursor.advance(batch, frames);
        if batch.is_all() && frames == batch.frames.len() {
            self.look_at_buffer();
        }
    }

    /// Everything before the frame `next` has gone out, the last of it at `newest`, of a live log in which it was
    /// [steady](Self::is_steady) at the head.
    pub fn catch_up(&mut self, next: u64, newest: Timestamp) {
        self.newest = Some(newest);
        self.cursor.catch_up(next);
    }

    /// Whether frames go out as they come, without a limit, and the player is to be told nothing.
    #[must_use]
    pub fn is_steady(&self) -> bool {
        let runs = self.pause == Pause::Runs && !self.is_held;
        runs && self.limit.is_none() && self.end.is_none() && !self.has_news()
    }

    /// Has `watcher` called whenever there is something to do, for as long as the watch is kept.
    pub fn watch(&self, watcher: Arc<dyn Watcher>) -> Watch {
        self.cursor.watch(watcher)
    }

    /// Number of the last frame that has gone out; what [`crate::DecoderSetup::unseen`] asks for.
    #[must_use]
    pub fn seen(&self) -> Option<u64> {
        self.cursor.seen()
    }

    /// Where the viewer's time begins; of a stream that has not come yet, zero.
    #[must_use]
    pub fn origin(&self) -> Timestamp {
        self.origin.unwrap_or_default()
    }

    /// Grows whenever the frames do not go on where they stopped: decoders begin at a keyframe then.
    #[must_use]
    pub const fn breaks(&self) -> u64 {
        self.breaks
    }

    /// Frames that the viewer was moved past because it was too slow.
    #[must_use]
    pub fn skipped(&self) -> u64 {
        self.cursor.skipped()
    }

    /// How much has gone out: the viewer's time, and of what has a length, payload bytes.
    #[must_use]
    pub fn sent(&self) -> (Timestamp, u64) {
        (self.newest.map_or(self.elapsed, |newest| newest - self.origin()), self.sent_bytes)
    }

    /// The time of what is watched up to which everything has gone out.
    #[must_use]
    pub fn position(&self) -> Timestamp {
        self.cursor.position()
    }

    /// The length of what has one.
    #[must_use]
    pub fn duration(&self) -> Option<Timestamp> {
        self.cursor.length()
    }

    /// Whether nothing more comes, unless the player goes back.
    #[must_use]
    pub const fn has_ended(&self) -> bool {
        self.end.is_some()
    }

    /// When it has to be looked whether the wait for a stream has been long enough.
    #[must_use]
    pub fn deadline(&self) -> Option<Duration> {
        self.cursor.is_waiting().then(|| self.since.saturating_add(self.wait_max))
    }

    /// Whether it has waited long enough for a stream that is not there.
    #[must_use]
    pub fn is_overdue(&self, now: Duration) -> bool {
        self.deadline().is_some_and(|deadline| now >= deadline)
    }

    /// Nothing goes out until [`release`](Self::release): something has to be said first.
    pub const fn hold(&mut self) {
        self.is_held = true;
    }

    /// Frames may go out again.
    pub const fn release(&mut self) {
        self.is_held = false;
    }

    /// Stands still.
    pub fn pause(&mut self) {
        self.pause = Pause::Stands;
        self.cursor.rest();
    }

    /// Goes on: live at a keyframe; else behind what the player has seen, which is up to `seen` of its time.
    pub fn resume(&mut self, seen: Timestamp) {
        if std::mem::replace(&mut self.pause, Pause::Runs) == Pause::Runs {
            return;
        }
        let before = self.cursor.position();
        self.cursor.resume(self.media_time(seen));
        self.breaks += u64::from(!self.cursor.can_seek());
        // A player that has thrown away what it had not shown gets it again, also behind the end.
        if self.cursor.can_seek() && self.cursor.position() < before {
            self.reopen();
        }
    }

    /// Goes to a place of the player's time; what follows comes with everything that a decoder must know. While it
    /// stands, one picture of the new place is shown. A place before the player's beginning, below 0, is its beginning from
    /// then on: no protocol has times below 0.
    ///
    /// # Errors
    /// What is watched cannot be sought in, or has no such place.
    pub fn seek(&mut self, at: Timestamp) -> Result<(), SeekError> {
        let at = self.media_time(at);
        if !self.cursor.can_seek() {
            return Err(SeekError::NotSeekable);
        }
        // What is live has an end that nobody knows: who asks for more gets the newest.
        if self.duration().is_some_and(|length| at > length + SEEK_BEYOND_MAX) {
            return Err(SeekError::BeyondEnd);
        }
        let place = self.cursor.seek(at);
        if self.origin.is_some_and(|origin| place < origin) {
            (self.origin, self.elapsed) = (Some(place), Timestamp::ZERO);
        }
        self.breaks += 1;
        self.reopen();
        if self.pause == Pause::Stands {
            self.pause = Pause::ShowsPicture;
        }
        Ok(())
    }

    /// Begins anew where a decoder can.
    pub fn restart(&mut self, start: Start) {
        self.cursor.restart(start);
        self.breaks += 1;
    }

    /// Ends after this much: of what is recorded from where it stands, of what is live from when it comes. Nothing at
    /// all is one frame.
    pub fn limit(&mut self, duration: Timestamp) {
        let duration = duration.max(Timestamp::from_nanos(1));
        self.limit = Some(match self.cursor.length().is_some() {
            true => Limit::Until(self.cursor.position() + duration),
            false => Limit::Lasting(duration),
        });
    }

    /// Ends at this time of what is watched.
    pub fn play_until(&mut self, until: Timestamp) {
        self.limit = Some(Limit::Until(until));
        self.reopen();
    }

    /// Ends here: nothing more goes out of what has a length. What is live goes on.
    pub fn end_here(&mut self) {
        if self.cursor.length().is_some() {
            self.end = Some(End::Complete);
        }
    }

    /// The first time from `at` on at which another rate of the same can take over.
    #[must_use]
    pub fn next_start(&self, at: Timestamp) -> Option<Timestamp> {
        self.cursor.next_start(at)
    }

    /// Goes on with another cursor. The player's time goes on too: from where what was played ended, or, of another rate
    /// of the same (`same_time`), as it is. The wait for a stream that is not there begins anew at `now`. The watch has
    /// to be renewed.
    pub fn follow(&mut self, cursor: Box<dyn Cursor>, same_time: bool, now: Duration) {
        if !same_time {
            if let Some(newest) = self.newest {
                self.elapsed = newest - self.origin();
            }
            self.newest = None;
            self.origin = cursor.origin().map(|_| cursor.position() - self.elapsed);
        }
        self.since = now;
        self.cursor = cursor;
        self.skipped = 0;
        self.breaks += 1;
        self.limit = None;
        (self.fill, self.fill_is_told) = (Fill::Filling, true);
        self.pause = Pause::Runs;
        self.cursor.resume(self.cursor.position());
        self.reopen();
    }

    /// How much the player holds in its buffer.
    pub fn set_buffer(&mut self, buffer: Duration) {
        self.cursor.set_buffer(buffer);
    }

    /// Sends all script data now.
    pub fn send_data_first(&mut self) {
        self.cursor.send_data_first();
    }

    /// Whether there is something that the player is to be told.
    #[must_use]
    pub const fn has_news(&self) -> bool {
        !self.fill_is_told || (self.end.is_some() && !self.end_is_told)
    }

    /// What the player is to be told, each once.
    pub fn news(&mut self) -> Option<News> {
        if !std::mem::replace(&mut self.fill_is_told, true) {
            return Some(if self.fill == Fill::Full { News::BufferFull } else { News::BufferFed });
        }
        let end = self.end.clone().filter(|_| !self.end_is_told)?;
        self.end_is_told = true;
        Some(News::Ended(end))
    }

    /// A place of the player's time as a time of what is watched.
    fn media_time(&self, at: Timestamp) -> Timestamp {
        (at + self.origin()).max(Timestamp::ZERO)
    }

    /// How many frames of the batch may go out: up to the limit, and while it stands one picture.
    fn admit(&self, batch: &Batch, origin: Timestamp) -> usize {
        let frames = &batch.frames;
        let up_to_limit = match self.limit {
            None => frames.len(),
            Some(limit) => {
                let until = match limit {
                    Limit::Until(until) => until,
                    Limit::Lasting(duration) => origin + self.elapsed + duration,
                };
                frames.iter().position(|frame| frame.dts >= until).unwrap_or(frames.len())
            }
        };
        if self.pause != Pause::ShowsPicture {
            return up_to_limit;
        }
        let is_picture = |frame: &headwater_media::Frame| frame.track.kind == MediaKind::Video;
        up_to_limit.min(frames.iter().position(is_picture).map_or(frames.len(), |at| at + 1))
    }

    fn look_at_buffer(&mut self) {
        let fill = self.cursor.fill();
        if fill != self.fill {
            self.fill = fill;
            self.fill_is_told = fill == Fill::Filling;
        }
    }

    fn finish(&mut self, end: End) -> Next {
        self.end = Some(end);
        Next::Ended
    }

    /// There is something to send again.
    fn reopen(&mut self) {
        self.end = None;
        self.end_is_told = false;
    }
}
