//! One write laid out: the bytes of a batch as RTMP, made once and stamped with each viewer's time.
//!
//! Viewers side by side in a log get the same bytes but for the times, because each viewer's time starts at
//! zero. So a lane lays a batch out once, and for the next viewer only writes its times over. The bytes lie
//! in one piece: the kernel copies that several times faster than the same bytes from many places.

use std::ops::Range;

use bytes::Bytes;
use headwater_hub::{Batch, PartContent};
use headwater_media::flv::{Dialect, KeyframeGate, TagKind, config_bodies, frame_head};
use headwater_media::{Frame, MediaKind};
use headwater_rtmp::chunk::{
    ChunkStreamId, Head, MessageStreamId, continuation_head, extended, message_head,
};

use super::wire::Outbox;

/// Pieces of payload from this size on are shared, not copied, when a write stops within them.
const SHARE_BYTES_MIN: usize = 4 << 10;
/// Room that a lane keeps between batches; a larger frame's is given back.
const ROOM_BYTES_KEPT: usize = 2 << 20;

/// How messages look on one message stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Form {
    pub(super) stream: MessageStreamId,
    pub(super) chunk_size: usize,
    pub(super) muted: Muted,
    /// What the viewer's side takes.
    pub(super) dialect: Dialect,
    /// Which of its video tracks have begun.
    pub(super) begun: KeyframeGate,
}

/// What a viewer has asked not to get.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Muted {
    pub(super) audio: bool,
    pub(super) video: bool,
}

impl Muted {
    fn admits(self, kind: MediaKind) -> bool {
        match kind {
            MediaKind::Audio => !self.audio,
            MediaKind::Video => !self.video,
            MediaKind::Data => true,
        }
    }
}

/// A batch as bytes for the wire.
#[derive(Debug, Default)]
pub(super) struct Layout {
    bytes: Vec<u8>,
    stamps: Vec<Stamp>,
    /// For each frame, where its bytes end.
    ends: Vec<usize>,
    shared: Vec<Shared>,
    /// The batch's version, how many of its frames, and the form that they are laid out in; `None` if it begins
    /// with what only one viewer has not seen yet.
    made_for: Option<(u64, usize, Form)>,
    origin_ms: i64,
    newest_ms: i64,
}

/// A place where a message's time stands.
#[derive(Debug)]
struct Stamp {
    at: usize,
    ms: i64,
}

/// Bytes that lie in a frame's payload as well.
#[derive(Debug)]
struct Shared {
    at: usize,
    frame: usize,
    range: Range<usize>,
}

impl Layout {
    /// Lays out the first `frames` frames of `batch` for a viewer that has seen `seen` and whose time begins at
    /// `origin_ms`.
    pub(super) fn prepare(
        &mut self,
        batch: &Batch,
        frames: usize,
        form: Form,
        seen: Option<u64>,
        origin_ms: i64,
    ) {
        let has_news = batch.setup.unseen(seen).next().is_some();
        let wanted = (!has_news).then(|| (batch.version(), frames, form));
        if wanted.is_some() && self.made_for == wanted && self.stamp(origin_ms) {
            return;
        }
        self.clear();
        self.origin_ms = origin_ms;
        self.made_for = wanted;
        let first_ms = batch.frames.first().map_or(origin_ms, |frame| frame.dts.as_ms());
        for part in batch.setup.unseen(seen) {
            match part {
                PartContent::Metadata(values) => self.put(form, MediaKind::Data, first_ms, values),
                PartContent::Track(track) => {
                    for body in config_bodies(track, &form.dialect) {
                        self.put(form, track.id.kind, first_ms, &body);
                    }
                }
            }
        }
        let mut begun = form.begun;
        for (index, frame) in batch.frames.iter().take(frames).enumerate() {
            if form.muted.admits(frame.track.kind) && begun.admits(frame) {
                self.put_frame(form, index, frame);
            }
            self.ends.push(self.bytes.len());
        }
    }

    /// The bytes.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// How many whole frames lie within the first `written` bytes.
    pub(super) fn frames_within(&self, written: usize) -> usize {
        self.ends.partition_point(|end| *end <= written)
    }

    /// Where the bytes of the first `frames` frames end, and of what goes before them.
    pub(super) fn end_of(&self, frames: usize) -> usize {
        frames.checked_sub(1).map_or(0, |last| self.ends[last])
    }

    /// Frames laid out.
    pub(super) fn frames(&self) -> usize {
        self.ends.len()
    }

    /// Puts the bytes of `range` into the outbox; of large payloads, by reference.
    pub(super) fn keep(&self, range: Range<usize>, batch: &Batch, outbox: &mut Outbox) {
        let mut at = range.start;
        for shared in &self.shared {
            let end = shared.at + shared.range.len();
            if end <= at || shared.at >= range.end {
                continue;
            }
            if at < shared.at {
                outbox.keep(Bytes::copy_from_slice(&self.bytes[at..shared.at]));
                at = shared.at;
            }
            let from = shared.range.start + (at - shared.at);
            let to = shared.range.start + (end.min(range.end) - shared.at);
            outbox.keep(batch.frames[shared.frame].payload.slice(from..to));
            at = end.min(range.end);
        }
        if at < range.end {
            outbox.keep(Bytes::copy_from_slice(&self.bytes[at..range.end]));
        }
    }

    /// Writes another viewer's times over; false if they do not fit into the same places.
    fn stamp(&mut self, origin_ms: i64) -> bool {
        if self.origin_ms == origin_ms {
            return true;
        }
        let fits = |origin| extended(time(self.newest_ms, origin)).is_none();
        if !fits(origin_ms) || !fits(self.origin_ms) {
            return false;
        }
        for stamp in &self.stamps {
            let [_, time @ ..] = time(stamp.ms, origin_ms).to_be_bytes();
            self.bytes[stamp.at..stamp.at + 3].copy_from_slice(&time);
        }
        self.origin_ms = origin_ms;
        true
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.bytes.shrink_to(ROOM_BYTES_KEPT);
        self.stamps.clear();
        self.ends.clear();
        self.shared.clear();
        self.newest_ms = i64::MIN;
    }

    /// Appends a frame as a message: tag head and payload.
    fn put_frame(&mut self, form: Form, index: usize, frame: &Frame) {
        let Some(head) = frame_head(frame, &form.dialect) else { return };
        let kind = frame.track.kind;
        let mut room = self.put_head(form, kind, frame.dts.as_ms(), head.len() + frame.payload.len());
        self.put_body(&mut room, head.as_slice(), None);
        self.put_body(&mut room, &frame.payload, Some(index));
    }

    /// Appends a message that is not a frame.
    fn put(&mut self, form: Form, kind: MediaKind, ms: i64, body: &[u8]) {
        let mut room = self.put_head(form, kind, ms, body.len());
        self.put_body(&mut room, body, None);
    }

    fn put_head(&mut self, form: Form, kind: MediaKind, ms: i64, length: usize) -> Room {
        let length = u32::try_from(length).unwrap_or(u32::MAX);
        let (id, time) = (chunk_stream(kind), time(ms, self.origin_ms));
        // The time stands behind the basic header, which has one byte for our chunk streams.
        self.stamps.push(Stamp { at: self.bytes.len() + 1, ms });
        self.newest_ms = self.newest_ms.max(ms);
        let head = message_head(id, time, length, TagKind::from(kind) as u8, form.stream);
        self.bytes.extend_from_slice(head.as_ref());
        let continuation = continuation_head(id, extended(time));
        Room { left: form.chunk_size, chunk_size: form.chunk_size, continuation }
    }

    /// Appends a part of a message's body, cut into chunks. `payload_of`: the frame whose payload it is.
    fn put_body(&mut self, room: &mut Room, body: &[u8], payload_of: Option<usize>) {
        let mut at = 0;
        while at < body.len() {
            if room.left == 0 {
                self.bytes.extend_from_slice(room.continuation.as_ref());
                room.left = room.chunk_size;
            }
            let end = body.len().min(at + room.left);
            if let Some(frame) = payload_of.filter(|_| end - at >= SHARE_BYTES_MIN) {
                self.shared.push(Shared { at: self.bytes.len(), frame, range: at..end });
            }
            self.bytes.extend_from_slice(&body[at..end]);
            room.left -= end - at;
            at = end;
        }
    }
}

/// What is left of the chunk under way, and what begins the next one.
struct Room {
    left: usize,
    chunk_size: usize,
    continuation: Head,
}

/// Milliseconds since the viewer's first frame; a frame of another track may stand just before it. RTMP
/// time wraps at 2^32.
fn time(ms: i64, origin_ms: i64) -> u32 {
    let since = ms.saturating_sub(origin_ms).max(0);
    u32::try_from(since & i64::from(u32::MAX)).unwrap_or(0)
}

/// Media has chunk streams of its own, which the session never uses: so the two never mix state.
fn chunk_stream(kind: MediaKind) -> ChunkStreamId {
    match kind {
        MediaKind::Video => ChunkStreamId::VIDEO,
        MediaKind::Audio => ChunkStreamId::AUDIO,
        MediaKind::Data => ChunkStreamId::DATA,
    }
}

#[cfg(test)]
mod tests;
