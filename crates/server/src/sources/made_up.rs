//! A source that is neither log nor film, as a new one would be: pictures that are made when they are read.
//!
//! It stands behind the trait alone. The doors' tests play it, and nothing of the doors knows of it.

use std::sync::Arc;

use bytes::Bytes;
use headwater_hub::{
    Batch, Cursor, DecoderSetup, End, Next, PartContent, Playback, Range, Start, Watch, Watcher,
};
use headwater_media::{Codec, Frame, Timestamp, Track, TrackId};

/// How many pictures there are, one every 40 ms; each tenth is a keyframe.
pub(crate) const PICTURES: u64 = 50;

/// A place among pictures that do not exist before they are read.
#[derive(Debug)]
pub(crate) struct MadeUp {
    next: u64,
    seen: Option<u64>,
    setup: Arc<DecoderSetup>,
}

impl MadeUp {
    /// Playback of it, from its first picture on.
    pub(crate) fn play() -> Playback {
        let avcc = Bytes::from_static(&[1, 66, 0, 30, 255]);
        let track = PartContent::Track(Track::new(TrackId::VIDEO, Codec::H264, avcc));
        let made_up = Self { next: 0, seen: None, setup: Arc::new(DecoderSetup::new([track], 0)) };
        Playback::new(Box::new(made_up), std::time::Duration::ZERO, std::time::Duration::ZERO)
    }

    /// The payload of a picture, which tells its number.
    pub(crate) fn payload(number: u64) -> Bytes {
        format!("picture {number}").into()
    }

    fn time(number: u64) -> Timestamp {
        Timestamp::from_ms(i64::try_from(number * 40).unwrap_or(i64::MAX))
    }

    fn picture(number: u64) -> Frame {
        let (at, key) = (Self::time(number), number.is_multiple_of(10));
        Frame {
            track: TrackId::VIDEO,
            codec: Codec::H264,
            dts: at,
            pts: at,
            key,
            payload: Self::payload(number),
        }
    }
}

impl Cursor for MadeUp {
    fn read(&mut self, batch: &mut Batch) -> Next {
        let end = (self.next + 8).min(PICTURES);
        batch.refill(self.next, &self.setup, (self.next..end).map(Self::picture));
        if batch.frames.is_empty() { Next::Ended } else { Next::Frames }
    }

    fn advance(&mut self, batch: &Batch, frames: usize) {
        self.next = batch.first + frames as u64;
        self.seen = self.next.checked_sub(1);
    }

    fn catch_up(&mut self, _next: u64) {}

    fn seen(&self) -> Option<u64> {
        self.seen
    }

    fn watch(&self, watcher: Arc<dyn Watcher>) -> Watch {
        let called = Arc::clone(&watcher);
        tokio::spawn(async move { called.stream_changed() });
        Watch::new(watcher)
    }

    fn restart(&mut self, _start: Start) {
        self.seek(self.position());
    }

    fn resume(&mut self, _seen: Timestamp) {}

    fn origin(&self) -> Option<Timestamp> {
        Some(Timestamp::ZERO)
    }

    fn position(&self) -> Timestamp {
        Self::time(self.next)
    }

    fn range(&self) -> Range {
        Range { from: Timestamp::ZERO, to: Self::time(PICTURES) }
    }

    fn can_seek(&self) -> bool {
        true
    }

    fn length(&self) -> Option<Timestamp> {
        Some(Self::time(PICTURES))
    }

    fn seek(&mut self, at: Timestamp) -> Timestamp {
        let number = u64::try_from(at.as_ms() / 40).unwrap_or(0).min(PICTURES - 1);
        self.next = number / 10 * 10;
        self.seen = None;
        self.position()
    }

    fn end(&self) -> Option<End> {
        (self.next >= PICTURES).then_some(End::Complete)
    }
}
