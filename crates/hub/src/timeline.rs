//! The timeline of a broadcast: one continuous, monotonic line, whatever the publishers' clocks do.
//!
//! A publisher may start at any value, jump by hours, step back, or be replaced by another one. Viewers
//! see time go on. All tracks are moved by the same amount, so sound and picture stay together. A step
//! that took as long as it says is none of these: a camera may send one picture in ten seconds.

use std::time::Duration;

use headwater_media::{Frame, Timestamp, TrackId};

/// A step between two frames of one track beyond which the publisher's clock counts as reset.
const JUMP: Timestamp = Timestamp::from_ms(3_000);
/// The step put in place of a jump or a publisher's absence: about one picture.
const BRIDGE: Timestamp = Timestamp::from_ms(40);

/// What was repaired in a broadcast's timestamps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RepairedTimestamps {
    /// Jumps of more than three seconds, forwards or backwards, that were closed.
    pub jumps: u64,
    /// Frames that stood before their predecessor and were moved up to it.
    pub clamped: u64,
}

/// One track's way.
#[derive(Clone, Copy, Debug)]
struct Line {
    track: TrackId,
    /// What is added to the publisher's timestamps.
    offset: Timestamp,
    /// The publisher's last timestamp; none before the first frame of this publisher.
    last_in: Option<Timestamp>,
    /// When it came.
    last_now: Duration,
    /// The last timestamp given out on this track, over all publishers.
    last_out: Option<Timestamp>,
}

/// Maps the timestamps of successive publishers onto the broadcast's own line, which starts at zero.
#[derive(Debug, Default)]
pub(crate) struct Timeline {
    /// One for each track that has come; publishers have a handful of tracks.
    lines: Vec<Line>,
    repaired: RepairedTimestamps,
}

impl Timeline {
    /// A new publisher: its clock has nothing to do with the one before.
    pub(crate) fn restart(&mut self) {
        for line in &mut self.lines {
            line.last_in = None;
        }
    }

    /// Moves a frame that came at `now` onto the line. The distance of `pts` from `dts` is kept.
    pub(crate) fn place(&mut self, frame: &mut Frame, now: Duration) {
        let at = self.line_of(frame.track);
        let dts = frame.dts;
        let composition = frame.pts - frame.dts;
        let offset = self.offset_for(at, dts, now);
        let head = self.lines[at].last_out.unwrap_or(Timestamp::ZERO);
        let line = &mut self.lines[at];
        line.offset = offset;
        line.last_in = Some(dts);
        line.last_now = now;
        frame.dts = dts + offset;
        if frame.dts < head {
            self.repaired.clamped += u64::from(line.last_out.is_some());
            frame.dts = head;
        }
        line.last_out = Some(frame.dts);
        frame.pts = frame.dts + composition;
    }

    /// The newest time given out, over all tracks.
    pub(crate) fn head(&self) -> Option<Timestamp> {
        self.lines.iter().filter_map(|line| line.last_out).max()
    }

    pub(crate) fn repaired(&self) -> RepairedTimestamps {
        self.repaired
    }

    /// What was repaired elsewhere.
    pub(crate) fn count(&mut self, repaired: RepairedTimestamps) {
        self.repaired.jumps += repaired.jumps;
        self.repaired.clamped += repaired.clamped;
    }

    fn line_of(&mut self, track: TrackId) -> usize {
        if let Some(at) = self.lines.iter().position(|line| line.track == track) {
            return at;
        }
        let (offset, last_now) = (Timestamp::ZERO, Duration::ZERO);
        self.lines.push(Line { track, offset, last_in: None, last_now, last_out: None });
        self.lines.len() - 1
    }

    fn offset_for(&mut self, at: usize, dts: Timestamp, now: Duration) -> Timestamp {
        let line = self.lines[at];
        let goes_on = |line: &Line| {
            let waited = i64::try_from(now.saturating_sub(line.last_now).as_nanos()).unwrap_or(i64::MAX);
            let last = line.last_in?;
            (near(last, dts) || near(last + Timestamp::from_nanos(waited), dts)).then_some(line.offset)
        };
        if let Some(offset) = goes_on(&line) {
            return offset;
        }
        // The first frame of this track from this publisher, or a jump. Another track may have gone
        // through the same already: then its offset is right for this one too.
        let mut siblings = self.lines.iter().enumerate().filter(|(other, _)| *other != at);
        let sibling = siblings.find_map(|(_, candidate)| goes_on(candidate));
        if let Some(offset) = sibling {
            return offset;
        }
        if line.last_in.is_some() {
            self.repaired.jumps += 1;
        }
        let resume = self.head().map_or(Timestamp::ZERO, |head| head + BRIDGE);
        resume - dts
    }
}

fn near(a: Timestamp, b: Timestamp) -> bool {
    a - b <= JUMP && b - a <= JUMP
}

#[cfg(test)]
mod tests;
