//! A viewer's place in a broadcast: in the hub's log at the head, in the window behind it, and the ways between the two.
//!
//! Both number frames alike, so that what a viewer has seen in the one it need not be told in the other, and that it goes
//! from the one to the other without a frame lost, doubled or out of order. Who only ever watches the head is read from
//! the log as if there were no window.

mod ahead;
mod merge;
mod rewound;

use std::sync::Arc;
use std::time::Duration;

use headwater_hub::{
    Batch, Cursor, End, Fill, Next, OneWatcher, Range, Shortfall, Start, State, Subscriber, Watch, Watcher,
};
use headwater_media::Timestamp;
use parking_lot::Mutex;

use self::ahead::{Ahead, Place};
use self::rewound::Rewound;
use crate::archive::Archive;
use crate::window::{Entry, Window};

/// A player that says of itself that it has seen this much less than it was sent has thrown the rest away; less than this
/// is the time that is on its way, and how far its tracks lie apart.
const THROWN_AWAY_MIN: Timestamp = Timestamp::from_ms(500);

/// Where in a broadcast a viewer begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// So long behind the broadcast's begin.
    Since(Timestamp),
    /// So long before now.
    Ago(Timestamp),
}

impl Moment {
    /// As a time of the broadcast whose newest frame is of the time `newest`.
    #[must_use]
    pub fn time(self, newest: Timestamp) -> Timestamp {
        match self {
            Self::Since(at) => at,
            Self::Ago(ago) => newest - ago,
        }
    }
}

/// A cursor on a broadcast.
#[derive(Debug)]
pub struct BroadcastCursor {
    archive: Arc<Archive>,
    live: Subscriber,
    /// Where it stands, unless that is the log.
    rewound: Option<Rewound>,
    called: Arc<Called>,
    /// Where it is to begin; asked for when there is something to begin with.
    wanted: Option<Moment>,
    /// Whether it has chosen its place: then it is not moved on for being late, as long as the window has that place.
    keeps_place: bool,
    is_resting: bool,
    buffer: Option<Duration>,
    /// The time of the first frame that it got.
    began: Option<Timestamp>,
    /// How it stood with the player's buffer when it came to the head.
    fill: Fill,
}

/// Who is called, by the hub's lane at the head and by a task behind it.
#[derive(Debug, Default)]
struct Called {
    watcher: Arc<OneWatcher>,
    seat: Mutex<Option<Watch>>,
}

/// A watcher's place; dropping it ends the calls.
struct Watched(Arc<Called>);

impl BroadcastCursor {
    /// A cursor that stands where `live` does; `archive` has the window, or will.
    #[must_use]
    pub fn new(archive: Arc<Archive>, live: Subscriber) -> Self {
        Self {
            archive,
            live,
            rewound: None,
            called: Arc::default(),
            wanted: None,
            keeps_place: false,
            is_resting: false,
            buffer: None,
            began: None,
            fill: Fill::Filling,
        }
    }

    /// Begins at the keyframe at or before `moment`, or at the nearest that is kept. It must be read within a tokio
    /// runtime.
    #[must_use]
    pub const fn at(mut self, moment: Moment) -> Self {
        self.wanted = Some(moment);
        self
    }

    /// The window of the broadcast that is watched, once there is a place to begin at in it.
    fn window(&self) -> Option<Arc<Window>> {
        if let Some(rewound) = &self.rewound {
            return Some(Arc::clone(rewound.window()));
        }
        let window = self.archive.broadcast(self.live.name())?;
        (window.broadcast() == self.live.broadcast() && window.has_start()).then_some(window)
    }

    /// Goes to where it is to begin, once there is something to begin with.
    fn begin(&mut self, moment: Moment) {
        if self.live.state() == State::Waiting {
            return;
        }
        self.wanted = None;
        let newest = Cursor::range(&self.live).to;
        let at = moment.time(newest);
        if at < newest {
            match self.window() {
                Some(window) => self.go_to_time(window, at),
                // A broadcast that has just begun is in the log as a whole.
                None => self.live.restart(Start::OldestKeyframe),
            }
        }
    }

    /// What comes next of the window; none if that is in the log, where the cursor stands then.
    fn read_rewound(&mut self, batch: &mut Batch) -> Option<Next> {
        let rewound = self.rewound.as_ref()?;
        let (next, skipped, edge, late) = rewound.with(|ahead| {
            let next = ahead.read(batch);
            let late = ahead.hurries().then(|| (ahead.next(), ahead.position(), ahead.seen()));
            (next, ahead.take_skipped(), ahead.edge().map(|edge| (edge, ahead.seen())), late)
        });
        if skipped > 0 {
            self.live.count_skipped(skipped);
        }
        // Who is on the way to the head and too slow for it is moved on, as in the log.
        if let Some((from, at, seen)) = late
            && let Some(start) = self.live.newer_start(from, at)
            && self.live.join(start, seen)
        {
            self.live.count_skipped(start - from);
            self.leave_window();
            return None;
        }
        if next == Next::Empty
            && let Some((sequence, seen)) = edge
            && self.live.join(sequence, seen)
        {
            self.leave_window();
            return None;
        }
        Some(next)
    }

    /// The log alone does not do: goes to the window. Returns whether it could.
    fn go_back(&mut self, shortfall: Shortfall) -> bool {
        let Some(window) = self.window() else { return false };
        let (next, entry) = match shortfall {
            // Whoever watches the head wants to be there.
            Shortfall::Late(_) if !self.keeps_place => return false,
            Shortfall::Late(next) | Shortfall::Gone(next) => (Some(next), window.entry_of(next)),
            Shortfall::NoStart => (None, window.newest_entry()),
        };
        let seen = self.live.seen();
        match (entry, next) {
            (Some(entry), _) => self.rewind(window, Place { entry, seen, had: None }),
            (None, Some(next)) if self.keeps_place => {
                let Some(entry) = window.entry(Timestamp::ZERO) else { return false };
                self.live.count_skipped(entry.sequence.saturating_sub(next));
                self.rewind(window, Place { entry, seen, had: None });
            }
            (None, _) => return false,
        }
        if !self.keeps_place
            && let Some(rewound) = &self.rewound
        {
            rewound.change(Ahead::hurry);
        }
        true
    }

    fn go_to_time(&mut self, window: Arc<Window>, at: Timestamp) {
        if let Some(entry) = window.entry(at) {
            self.keeps_place = true;
            self.rewind(window, Place { entry, seen: None, had: None });
        }
    }

    fn rewind(&mut self, window: Arc<Window>, place: Place) {
        if let Some(rewound) = &self.rewound {
            return rewound.change(|ahead| ahead.go_to(place));
        }
        *self.called.seat.lock() = None;
        let mut ahead = Ahead::new(Arc::clone(&window), place);
        if let Some(buffer) = self.buffer {
            ahead.set_buffer(buffer);
        }
        if self.is_resting {
            ahead.rest();
        }
        self.rewound = Some(Rewound::new(window, ahead, Arc::clone(&self.called.watcher)));
    }

    /// From here on the hub's lane calls.
    fn leave_window(&mut self) {
        let Some(rewound) = self.rewound.take() else { return };
        self.fill = match rewound.with(|ahead| ahead.fill()) {
            Fill::Filling => Fill::Filling,
            Fill::Full | Fill::Kept => Fill::Kept,
        };
        let watcher = self.called.watcher.watcher();
        *self.called.seat.lock() = watcher.map(|watcher| self.live.watch(watcher));
    }

    /// Where a player goes on that has thrown away what is later than `seen`. Some players know no place in a live stream and
    /// say 0 (quirk 93).
    fn place_behind(&self, window: &Window, seen: Timestamp) -> Option<Place> {
        let is_told = self.began.is_some_and(|began| seen > began);
        if !is_told || seen + THROWN_AWAY_MIN > Cursor::position(self) {
            return None;
        }
        let entry: Entry = window.entry(seen)?;
        Some(Place { entry, seen: Cursor::seen(self), had: Some(seen) })
    }
}

impl Cursor for BroadcastCursor {
    fn read(&mut self, batch: &mut Batch) -> Next {
        if let Some(moment) = self.wanted {
            self.begin(moment);
        }
        let next = match self.read_rewound(batch) {
            Some(next) => next,
            None => match self.live.read_all(batch) {
                Ok(next) => next,
                Err(shortfall) if self.go_back(shortfall) => Next::Empty,
                Err(_) => self.live.read(batch),
            },
        };
        if next == Next::Frames && self.began.is_none() {
            self.began = batch.frames.first().map(|frame| frame.dts);
        }
        next
    }

    fn advance(&mut self, batch: &Batch, frames: usize) {
        match &self.rewound {
            Some(rewound) => rewound.ring(rewound.with(|ahead| ahead.advance(batch, frames))),
            None => self.live.advance(batch, frames),
        }
    }

    fn catch_up(&mut self, next: u64) {
        self.live.catch_up(next);
    }

    fn seen(&self) -> Option<u64> {
        self.rewound.as_ref().map_or_else(|| self.live.seen(), |rewound| rewound.with(|ahead| ahead.seen()))
    }

    fn watch(&self, watcher: Arc<dyn Watcher>) -> Watch {
        self.called.watcher.set(&watcher);
        let mut seat = self.called.seat.lock();
        match &self.rewound {
            Some(rewound) => rewound.ring(true),
            None => *seat = Some(self.live.watch(watcher)),
        }
        Watch::new(Watched(Arc::clone(&self.called)))
    }

    fn restart(&mut self, start: Start) {
        match &self.rewound {
            Some(_) => drop(self.seek(Cursor::position(self))),
            None => self.live.restart(start),
        }
    }

    fn resume(&mut self, seen: Timestamp) {
        self.is_resting = false;
        let Some(window) = self.window() else { return Cursor::resume(&mut self.live, seen) };
        self.keeps_place = true;
        if let Some(place) = self.place_behind(&window, seen) {
            self.rewind(window, place);
        }
        if let Some(rewound) = &self.rewound {
            rewound.change(Ahead::resume);
        }
    }

    fn is_waiting(&self) -> bool {
        self.live.state() == State::Waiting
    }

    fn skipped(&self) -> u64 {
        self.live.skipped()
    }

    fn position(&self) -> Timestamp {
        self.rewound
            .as_ref()
            .map_or_else(|| self.live.position(), |rewound| rewound.with(|ahead| ahead.position()))
    }

    fn range(&self) -> Range {
        let live = Cursor::range(&self.live);
        let from = self.window().map_or(live.from, |window| window.range().from.min(live.from));
        Range { from, to: live.to }
    }

    fn can_seek(&self) -> bool {
        self.window().is_some()
    }

    fn seek(&mut self, at: Timestamp) -> Timestamp {
        if let Some(window) = self.window() {
            self.wanted = None;
            if at < Cursor::range(&self.live).to {
                self.go_to_time(window, at);
            } else {
                self.leave_window();
                self.keeps_place = false;
                self.live.restart(Start::NewestKeyframe);
            }
        }
        Cursor::position(self)
    }

    fn next_start(&self, at: Timestamp) -> Option<Timestamp> {
        self.window()?.next_start(at)
    }

    fn rest(&mut self) {
        self.is_resting = true;
        if let Some(rewound) = &self.rewound {
            rewound.change(Ahead::rest);
        }
    }

    fn set_buffer(&mut self, buffer: Duration) {
        self.buffer = Some(buffer);
        if let Some(rewound) = &self.rewound {
            rewound.change(|ahead| ahead.set_buffer(buffer));
        }
    }

    fn fill(&self) -> Fill {
        self.rewound.as_ref().map_or(self.fill, |rewound| rewound.with(|ahead| ahead.fill()))
    }

    fn end(&self) -> Option<End> {
        self.rewound
            .as_ref()
            .map_or_else(|| Cursor::end(&self.live), |rewound| rewound.with(|ahead| ahead.end()))
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.0.watcher.clear();
        *self.0.seat.lock() = None;
    }
}

#[cfg(test)]
mod tests;
