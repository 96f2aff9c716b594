//! The publisher: the one who appends to a stream's log.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use headwater_media::{Frame, Track};

use crate::departures::Departures;
use crate::name::StreamName;
use crate::setup::PartContent;
use crate::stream::Stream;
use crate::timeline::RepairedTimestamps;

/// The one who appends to a stream's log. Dropping it leaves the stream paused, so that viewers stay
/// through a reconnect.
#[derive(Debug)]
pub struct Publisher {
    stream: Arc<Stream>,
    number: u64,
    departures: Arc<Departures>,
}

impl Publisher {
    pub(crate) fn new(stream: Arc<Stream>, number: u64, departures: Arc<Departures>) -> Self {
        Self { stream, number, departures }
    }

    /// The stream's name.
    #[must_use]
    pub fn name(&self) -> &StreamName {
        &self.stream.name
    }

    /// Announces a track or its new configuration; holds from the next frame on.
    pub fn set_track(&mut self, track: Track) {
        self.stream.set(self.number, PartContent::Track(track));
    }

    /// Sets the stream's `onMetaData` (AMF0 values, handler name first); holds from the next frame on.
    pub fn set_metadata(&mut self, values: Bytes) {
        self.stream.set(self.number, PartContent::Metadata(values));
    }

    /// Appends a frame and rings the lanes that have viewers. The frame's timestamps are the
    /// publisher's own; the log holds them moved onto the broadcast's line. Frames of a publisher that
    /// has lost its seat are dropped, and so are its pictures before its first keyframe.
    pub fn push(&mut self, frame: Frame, now: Duration) {
        self.stream.push(self.number, frame, now);
    }

    /// Adds what was repaired in this publisher's timestamps before they came here, so that operators see
    /// all of it in [`crate::Snapshot::repaired`].
    pub fn count_repaired(&mut self, repaired: RepairedTimestamps) {
        self.stream.count_repaired(repaired);
    }

    /// Tells operators that messages of this publisher cannot be used, and why: see [`crate::Snapshot::left_out`].
    pub fn leave_out(&mut self, reason: &str, messages: u64) {
        self.stream.leave_out(self.number, reason, messages);
    }

    /// What was left out for this reason can be used from now on.
    pub fn takes_again(&mut self, reason: &str) {
        self.stream.takes_again(self.number, reason);
    }

    /// Whether another publisher has taken the seat or the broadcast was ended. The peer is to be let go
    /// then.
    #[must_use]
    pub fn is_evicted(&self) -> bool {
        !self.stream.has_seated(self.number)
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        if self.stream.leave(self.number) {
            self.departures.note(&self.stream, self.number);
        }
    }
}
