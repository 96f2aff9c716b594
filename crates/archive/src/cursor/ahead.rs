//! A little of a window read ahead of its viewer, at the pace that the player's buffer asks for.
//!
//! Decides what is to be read next, and keeps what was read. Pure: who drives it reads the parts, waits and tells the time
//! ([`super::rewound`]). What films have an index for is asked of the window, which grows at its end and loses its front.

use std::collections::VecDeque;
use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use headwater_hub::{Batch, DecoderSetup, End, Fill, Next};
use headwater_media::{Frame, Timestamp};
use headwater_vod::{AHEAD_BYTES_MAX, Due, Pace};

use super::merge::Merge;
use crate::window::{Entry, Kept, Lookup, Window};

/// How long to wait for a window without any place to begin at.
const NOTHING_KEPT: Duration = Duration::from_millis(250);

/// What is to be done next.
#[derive(Debug)]
pub(super) enum Turn {
    /// Read this part.
    Read { kept: Arc<Kept>, jumps: u64 },
    /// Nothing for so long, unless something changes.
    Sleep(Duration),
    /// Nothing until something changes.
    Wait,
    /// All that the window has was read: nothing until it has more than so many parts.
    Grow(u64),
}

/// Where a viewer begins or goes on, and how.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) entry: Entry,
    /// The last frame that the viewer has seen, if it is to be told only what is new since.
    pub(super) seen: Option<u64>,
    /// It has everything up to this time.
    pub(super) had: Option<Timestamp>,
}

/// What is read ahead for one viewer, and where it goes on.
#[derive(Debug)]
pub(super) struct Ahead {
    window: Arc<Window>,
    merge: Merge,
    ready: VecDeque<Ready>,
    bytes: usize,
    /// What holds for the frame that was made ready last, and for which it holds.
    setup: (Range<u64>, Arc<DecoderSetup>),
    pace: Pace,
    /// It is no place that the viewer has chosen: it gets to the head as fast as its connection takes it.
    hurries: bool,
    /// The time of what was sent last, or where it begins.
    at: Timestamp,
    seen: Option<u64>,
    /// Whether nothing is read until what was read is sent.
    is_ahead: bool,
    /// Whether no more than the next frames are read.
    is_resting: bool,
    /// Whether all that the window has was read.
    is_at_edge: bool,
    /// Changes with every jump: what was being read for the place before is of no use.
    jumps: u64,
    skipped: u64,
    end: Option<End>,
}

/// A frame that can be sent.
#[derive(Debug)]
struct Ready {
    sequence: u64,
    frame: Frame,
    setup: Arc<DecoderSetup>,
}

impl Ahead {
    pub(super) fn new(window: Arc<Window>, place: Place) -> Self {
        Self {
            window,
            merge: Merge::new(&place.entry, place.had),
            ready: VecDeque::new(),
            bytes: 0,
            setup: (0..0, Arc::default()),
            pace: Pace::default(),
            hurries: false,
            at: place.entry.at,
            seen: place.seen,
            is_ahead: false,
            is_resting: false,
            is_at_edge: false,
            jumps: 0,
            skipped: 0,
            end: None,
        }
    }

    /// Fills `batch` with what was read: frames without a gap in their numbers, under one setup.
    pub(super) fn read(&self, batch: &mut Batch) -> Next {
        let Some(first) = self.ready.front() else {
            return if self.end.is_some() { Next::Ended } else { Next::Empty };
        };
        let follows = |(number, ready): &(u64, &Ready)| {
            ready.sequence == *number && Arc::ptr_eq(&ready.setup, &first.setup)
        };
        let run = (first.sequence..).zip(&self.ready).take_while(follows);
        batch.refill(first.sequence, &first.setup, run.map(|(_, ready)| ready.frame.clone()));
        Next::Frames
    }

    /// Lets go of what has been sent; whether there is room again where there was none.
    pub(super) fn advance(&mut self, batch: &Batch, frames: usize) -> bool {
        if frames == 0 || self.ready.front().is_none_or(|first| first.sequence != batch.first) {
            return false;
        }
        for sent in self.ready.drain(..frames.min(self.ready.len())) {
            self.bytes -= sent.frame.payload.len();
            (self.at, self.seen) = (sent.frame.dts, Some(sent.sequence));
        }
        let has_room = self.bytes < AHEAD_BYTES_MAX / 2 && (!self.is_resting || self.ready.is_empty());
        has_room && std::mem::take(&mut self.is_ahead)
    }

    /// Goes to another place.
    pub(super) fn go_to(&mut self, place: Place) {
        self.ready.clear();
        self.bytes = 0;
        self.merge = Merge::new(&place.entry, place.had);
        (self.at, self.seen) = (place.entry.at, place.seen);
        (self.is_at_edge, self.hurries) = (false, false);
        self.jumps += 1;
        self.end = None;
        self.pace.restart();
    }

    /// Reads no more than the next frames from here on.
    pub(super) const fn rest(&mut self) {
        self.is_resting = true;
        self.pace.restart();
    }

    /// Goes on.
    pub(super) const fn resume(&mut self) {
        self.is_resting = false;
        self.pace.restart();
    }

    /// Reads as fast as the viewer takes it.
    pub(super) const fn hurry(&mut self) {
        self.hurries = true;
    }

    pub(super) const fn hurries(&self) -> bool {
        self.hurries
    }

    /// How much the player holds in its buffer.
    pub(super) fn set_buffer(&mut self, buffer: Duration) {
        self.pace.set_buffer(buffer);
    }

    /// How it stands with the player's buffer.
    pub(super) const fn fill(&self) -> Fill {
        self.pace.fill()
    }

    /// The time of the first frame that has not been sent.
    pub(super) fn position(&self) -> Timestamp {
        self.ready.front().map_or(self.at, |first| first.frame.dts)
    }

    /// Number of the last frame that was sent since the viewer was told everything.
    pub(super) const fn seen(&self) -> Option<u64> {
        self.seen
    }

    /// Number of the first frame that has not been sent.
    pub(super) fn next(&self) -> u64 {
        self.ready.front().map_or_else(|| self.merge.next(), |first| first.sequence)
    }

    /// The frame to go on with in the hub's log, once all that the window has was sent.
    pub(super) fn edge(&self) -> Option<u64> {
        (self.is_at_edge && self.ready.is_empty()).then(|| self.merge.next())
    }

    /// Frames that the window's front has passed since this was asked last.
    pub(super) const fn take_skipped(&mut self) -> u64 {
        std::mem::replace(&mut self.skipped, 0)
    }

    /// Why nothing more comes, once everything that was read has been sent.
    pub(super) fn end(&self) -> Option<End> {
        self.end.clone().filter(|_| self.ready.is_empty())
    }

    /// What is to be done next, `now` being the time since any moment that stays the same.
    pub(super) fn turn(&mut self, now: Duration) -> Turn {
        self.is_ahead = self.bytes >= AHEAD_BYTES_MAX || (self.is_resting && !self.ready.is_empty());
        if self.end.is_some() || self.is_ahead {
            return Turn::Wait;
        }
        match self.window.lookup(self.merge.ordinal()) {
            Lookup::Part(kept) => {
                self.is_at_edge = false;
                let is_paced = !self.is_resting && !self.hurries;
                if is_paced && let Due::After(rest) = self.pace.due(now, kept.part().from()) {
                    return Turn::Sleep(rest);
                }
                Turn::Read { kept, jumps: self.jumps }
            }
            Lookup::NotYet => {
                self.is_at_edge = true;
                Turn::Grow(self.merge.ordinal())
            }
            Lookup::Gone(_) => self.jump_to_front(),
            Lookup::Ended => {
                self.merge.finish();
                self.make_ready();
                self.end = Some(End::Over);
                Turn::Wait
            }
        }
    }

    /// Takes what was read of a part, unless the viewer has gone elsewhere since.
    pub(super) fn finish_read(&mut self, jumps: u64, kept: &Kept, read: io::Result<Bytes>) {
        match read {
            _ if self.jumps != jumps => {}
            Ok(bytes) => {
                self.merge.take(kept.part(), &bytes);
                self.make_ready();
            }
            Err(error) => {
                let name = self.window.name();
                self.end = Some(End::Broken(format!("what is kept of {name} cannot be read: {error}")));
            }
        }
    }

    /// The window's front has passed the viewer: once what was read is sent, it goes on at the oldest start that is kept.
    fn jump_to_front(&mut self) -> Turn {
        if !self.ready.is_empty() {
            self.is_ahead = true;
            return Turn::Wait;
        }
        let next = self.merge.next();
        let Some(entry) = self.window.entry(Timestamp::ZERO) else { return Turn::Sleep(NOTHING_KEPT) };
        let (seen, hurries) = (self.seen, self.hurries);
        // Who has seen nothing yet begins there.
        self.skipped += seen.map_or(0, |_| entry.sequence.saturating_sub(next));
        self.go_to(Place { entry, seen, had: None });
        self.hurries = hurries;
        Turn::Sleep(Duration::ZERO)
    }

    fn make_ready(&mut self) {
        while let Some((sequence, frame)) = self.merge.pop() {
            if !self.setup.0.contains(&sequence)
                && let Some(setup) = self.window.setup(sequence)
            {
                self.setup = setup;
            }
            self.bytes += frame.payload.len();
            self.ready.push_back(Ready { sequence, frame, setup: Arc::clone(&self.setup.1) });
        }
    }
}
