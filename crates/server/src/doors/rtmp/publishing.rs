//! One publishing stream of a connection: its messages made regular and put into the log.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use headwater_hub::{Publisher, RepairedTimestamps, StreamName};
use headwater_media::amf::{self, amf0};
use headwater_media::flv::{MediaItem, Normalizer};
use headwater_media::{Error, MediaKind};
use headwater_rtmp::MessageStreamId;
use headwater_rtmp::message::DataScope;

use super::end::End;
use super::left_out::LeftOut;
use crate::access::Peer;
use crate::events::{Event, Events};
use crate::net::seats::Place;
use headwater_vod::is_metadata;

/// A message stream that publishes.
pub(super) struct Publishing {
    stream: MessageStreamId,
    peer: Peer,
    events: Arc<Events>,
    publisher: Publisher,
    _place: Option<Place>,
    normalizer: Normalizer,
    left_out: LeftOut,
    /// What of the normalizer's mending the stream's figures have.
    counted: RepairedTimestamps,
    /// When the last picture, or part of one, came.
    pictured: Duration,
}

/// How long a picture that may not be whole waits for its rest, if nothing else comes that tells. Encoders that send
/// pictures in pieces do so within the time of one picture.
const HELD_MAX: Duration = Duration::from_millis(100);

impl Publishing {
    pub(super) fn new(
        stream: MessageStreamId,
        peer: Peer,
        (publisher, place): (Publisher, Option<Place>),
        events: Arc<Events>,
    ) -> Self {
        Self {
            stream,
            peer,
            events,
            publisher,
            _place: place,
            normalizer: Normalizer::new(),
            left_out: LeftOut::default(),
            counted: RepairedTimestamps::default(),
            pictured: Duration::ZERO,
        }
    }

    pub(super) fn stream(&self) -> MessageStreamId {
        self.stream
    }

    pub(super) fn name(&self) -> &StreamName {
        self.publisher.name()
    }

    pub(super) fn is_evicted(&self) -> bool {
        self.publisher.is_evicted()
    }

    /// Takes an audio or video message. One that cannot be used is left out, and that is told: its other tracks go
    /// on. A publisher that has nothing else ends, for a black picture would tell nobody why.
    pub(super) fn take(
        &mut self,
        kind: MediaKind,
        timestamp: u32,
        body: Bytes,
        now: Duration,
    ) -> Result<(), End> {
        if kind == MediaKind::Video {
            self.pictured = now;
        }
        let items = match kind {
            MediaKind::Audio => self.normalizer.push_audio(timestamp, body),
            _ => self.normalizer.push_video(timestamp, body),
        };
        match items {
            Ok(items) => items.for_each(|item| self.put(item, now)),
            Err(error) => {
                let is_unsupported = matches!(error, Error::Unsupported { .. });
                if is_unsupported && self.left_out.is_hopeless(&self.normalizer, now) {
                    return Err(End::LetGo("unsupported", error.to_string()));
                }
                self.leave_out(timestamp, &error);
            }
        }
        self.count_repaired();
        if let Some(text) = self.left_out.look(&self.normalizer, &mut self.publisher, now) {
            self.log_left_out(timestamp, text);
        }
        Ok(())
    }

    /// Takes script data: `onMetaData` becomes the stream's metadata, the rest passes. Whether it came with
    /// `@setDataFrame` does not matter: nginx-rtmp pushes it without.
    pub(super) fn take_data(&mut self, timestamp: u32, scope: DataScope, payload: Bytes, now: Duration) {
        if scope == DataScope::Cleared {
            return;
        }
        if let Err(bomb) = nests_within_reason(&payload) {
            return self.leave_out(timestamp, &bomb);
        }
        for item in self.normalizer.push_data(timestamp, payload) {
            match item {
                MediaItem::Frame(frame) if is_metadata(&frame) => self.publisher.set_metadata(frame.payload),
                item => self.put(item, now),
            }
        }
    }

    /// When a picture that is held back is to go on as it is: [`release`](Self::release).
    pub(super) fn release_at(&self) -> Option<Duration> {
        self.normalizer.is_waiting().then(|| self.pictured + HELD_MAX)
    }

    /// Lets a picture go on that has waited long enough.
    pub(super) fn release(&mut self, now: Duration) {
        if self.release_at().is_some_and(|at| at <= now) {
            self.normalizer.flush().for_each(|item| self.put(item, now));
        }
    }

    fn leave_out(&mut self, timestamp: u32, error: &dyn std::fmt::Display) {
        let told = self.left_out.message(error.to_string(), &mut self.publisher);
        told.into_iter().for_each(|text| self.log_left_out(timestamp, text));
    }

    fn log_left_out(&self, timestamp: u32, text: String) {
        let (peer, stream) = (self.peer.address, self.name().to_string());
        self.events.emit(Event::MessageLeftOut { door: "rtmp", peer, stream, timestamp, text });
    }

    /// Tells the stream what the normalizer has mended in timestamps.
    fn count_repaired(&mut self) {
        let mended = self.normalizer.repaired();
        let all = RepairedTimestamps { jumps: mended.restarted_clocks, clamped: mended.clamped_timestamps };
        if all != self.counted {
            let (jumps, clamped) = (all.jumps - self.counted.jumps, all.clamped - self.counted.clamped);
            self.publisher.count_repaired(RepairedTimestamps { jumps, clamped });
            self.counted = all;
        }
    }

    fn put(&mut self, item: MediaItem, now: Duration) {
        match item {
            MediaItem::Track(track) => self.publisher.set_track(track),
            MediaItem::Frame(frame) => self.publisher.push(frame, now),
        }
    }
}

/// Script data passes as it came, odd forms included; but nesting that would break a viewer's reader does
/// not pass.
fn nests_within_reason(payload: &[u8]) -> Result<(), amf::Error> {
    let mut decoder = amf0::Decoder::new(payload, &amf::Limits::FILE);
    loop {
        match decoder.next_value() {
            Ok(Some(_)) => {}
            Err(bomb @ amf::Error::TooDeep { .. }) => return Err(bomb),
            Ok(None) | Err(_) => return Ok(()),
        }
    }
}

impl Drop for Publishing {
    fn drop(&mut self) {
        let last = self.pictured;
        self.normalizer.flush().for_each(|item| self.put(item, last));
        let (unusable, repaired) = (self.left_out.messages, *self.normalizer.repaired());
        let (peer, stream) = (self.peer.address, self.name().to_string());
        self.events.emit(Event::PublishEnded { door: "rtmp", peer, stream, unusable, repaired });
    }
}
