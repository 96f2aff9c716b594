//! One playing stream: a cursor, and how its frames go on the wire.
//!
//! The payload of a frame is shared by all viewers; a viewer's own bytes are the message heads, made
//! anew at each write, because its time starts at zero and its message stream has its own id. Nothing of
//! a frame is kept here, so a slow viewer costs a number.

use std::cell::RefCell;
use std::io::IoSlice;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use headwater_hub::{Batch, Next, PartContent, Start, State, Subscriber, Watch, Watcher};
use headwater_media::flv::{TagKind, config_body, frame_head};
use headwater_media::{Frame, MediaKind, Timestamp};
use headwater_rtmp::chunk::{ChunkStreamId, MessageStreamId, continuation_head, extended, message_head};
use parking_lot::Mutex;

use super::wire::{Outbox, SLICES_MAX, Wire};

/// A playing message stream of a connection. Lanes call it when its stream has grown.
#[derive(Debug)]
pub(super) struct Viewer {
    wire: Arc<Wire>,
    playing: Mutex<Playing>,
}

#[derive(Debug)]
struct Playing {
    subscriber: Subscriber,
    form: Form,
    start: Start,
    origin: Option<Timestamp>,
    muted: Muted,
    ended: bool,
}

/// What the viewer has asked not to get.
#[derive(Clone, Copy, Debug, Default)]
struct Muted {
    audio: bool,
    video: bool,
    everything: bool,
}

/// How messages look on this message stream.
#[derive(Clone, Copy, Debug)]
struct Form {
    stream: MessageStreamId,
    chunk_size: usize,
}

impl Watcher for Viewer {
    fn stream_changed(&self) {
        self.deliver();
    }
}

impl Viewer {
    pub(super) fn new(
        wire: Arc<Wire>,
        subscriber: Subscriber,
        start: Start,
        stream: MessageStreamId,
        chunk_size: usize,
    ) -> Self {
        let playing = Playing {
            subscriber,
            form: Form { stream, chunk_size },
            start,
            origin: None,
            muted: Muted::default(),
            ended: false,
        };
        Self { wire, playing: Mutex::new(playing) }
    }

    /// Has the viewer called whenever its stream grows, for as long as the watch is kept.
    pub(super) fn watch(viewer: &Arc<Self>) -> Watch {
        viewer.playing.lock().subscriber.watch(Arc::clone(viewer) as Arc<dyn Watcher>)
    }

    /// Writes what the log holds for this viewer, as far as the socket takes it.
    pub(super) fn deliver(&self) {
        let Some(mut outbox) = self.wire.clear_outbox() else { return };
        let mut playing = self.playing.lock();
        SCRATCH.with_borrow_mut(|scratch| while playing.deliver_batch(&self.wire, &mut outbox, scratch) {});
    }

    /// Whether the broadcast is over and everything of it is out.
    pub(super) fn has_ended(&self) -> bool {
        self.playing.lock().ended
    }

    /// Where the stream stands.
    pub(super) fn state(&self) -> State {
        self.playing.lock().subscriber.state()
    }

    /// Frames that this viewer was moved past.
    pub(super) fn skipped(&self) -> u64 {
        self.playing.lock().subscriber.skipped()
    }

    /// Stops or resumes everything; a viewer that resumes starts at a keyframe.
    pub(super) fn pause(&self, pause: bool) {
        {
            let mut playing = self.playing.lock();
            if playing.muted.everything && !pause {
                let start = playing.start;
                playing.subscriber.restart(start);
            }
            playing.muted.everything = pause;
        }
        self.deliver();
    }

    /// Stops or resumes sound.
    pub(super) fn receive_audio(&self, on: bool) {
        self.playing.lock().muted.audio = !on;
    }

    /// Stops or resumes pictures; they resume at a keyframe with their configuration.
    pub(super) fn receive_video(&self, on: bool) {
        let mut playing = self.playing.lock();
        if playing.muted.video && on {
            playing.subscriber.restart(Start::NextKeyframe);
        }
        playing.muted.video = !on;
    }
}

impl Playing {
    /// Writes one batch; returns whether it is worth going on.
    fn deliver_batch(&mut self, wire: &Wire, outbox: &mut Outbox, scratch: &mut Scratch) -> bool {
        if self.muted.everything {
            return false;
        }
        match self.subscriber.read(&mut scratch.batch) {
            Next::Frames => {}
            Next::Empty => return false,
            Next::Ended => {
                self.ended = true;
                wire.bell.notify_one();
                return false;
            }
        }
        self.lay_out(scratch);
        let written = scratch.write(wire, outbox);
        let complete = scratch.ends.iter().take_while(|end| **end <= written).count();
        let mut used = complete;
        let laid_out = scratch.ends.len();
        let all = complete == laid_out;
        if !all && written > complete.checked_sub(1).map_or(0, |last| scratch.ends[last]) {
            // A part of the next frame is on its way: its rest goes first, whatever happens to the log.
            scratch.keep_rest(written..scratch.ends[complete], outbox);
            used += 1;
        }
        self.subscriber.advance(&scratch.batch, used);
        scratch.batch.frames.clear();
        all
    }

    /// Makes the heads of as many frames of the batch as fit into one write.
    fn lay_out(&mut self, scratch: &mut Scratch) {
        scratch.clear();
        let first = scratch.batch.frames.first().map_or(Timestamp::ZERO, |frame| frame.dts);
        self.origin.get_or_insert(first);
        let setup = Arc::clone(&scratch.batch.setup);
        for part in setup.unseen(self.subscriber.seen()) {
            let time = self.time(first);
            match part {
                PartContent::Metadata(values) => self.form.put_own(scratch, MediaKind::Data, time, values),
                PartContent::Track(track) => {
                    if let Some(body) = config_body(track) {
                        self.form.put_own(scratch, track.id.kind, time, &body);
                    }
                }
            }
        }
        let frames = std::mem::take(&mut scratch.batch.frames);
        for (index, frame) in frames.iter().enumerate() {
            if scratch.pieces.len() + self.form.pieces_of(frame) > SLICES_MAX && index > 0 {
                break;
            }
            if self.muted.admits(frame.track.kind) {
                self.form.put_frame(scratch, index, frame, self.time(frame.dts));
            }
            scratch.ends.push(scratch.length);
        }
        scratch.batch.frames = frames;
    }

    /// Milliseconds since this viewer's first frame; a frame of another track may stand just before it.
    /// RTMP time wraps at 2^32.
    fn time(&self, dts: Timestamp) -> u32 {
        let since = (dts - self.origin.unwrap_or(dts)).as_ms().max(0);
        u32::try_from(since & i64::from(u32::MAX)).unwrap_or(0)
    }
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

thread_local! {
    /// Room to lay out a write; one per thread, not per viewer.
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

/// The layout of one write: which bytes of which frame follow which heads.
#[derive(Default)]
struct Scratch {
    batch: Batch,
    /// Message heads and configurations, one after the other.
    own: Vec<u8>,
    pieces: Vec<Piece>,
    /// Bytes laid out so far.
    length: usize,
    /// For each frame laid out, where its bytes end.
    ends: Vec<usize>,
}

#[derive(Clone, Debug)]
enum Piece {
    /// Bytes of `own`.
    Own(Range<usize>),
    /// Bytes of a frame's payload.
    Payload(usize, Range<usize>),
}

impl Scratch {
    fn clear(&mut self) {
        self.own.clear();
        self.pieces.clear();
        self.ends.clear();
        self.length = 0;
    }

    /// Adds bytes of `own` from `from` on; they join an own piece just before them.
    fn push_own(&mut self, from: usize) {
        let to = self.own.len();
        self.length += to - from;
        match self.pieces.last_mut() {
            Some(Piece::Own(range)) if range.end == from => range.end = to,
            _ => self.pieces.push(Piece::Own(from..to)),
        }
    }

    fn push_payload(&mut self, frame: usize, range: Range<usize>) {
        self.length += range.len();
        self.pieces.push(Piece::Payload(frame, range));
    }

    fn bytes(&self, piece: &Piece) -> &[u8] {
        match piece {
            Piece::Own(range) => &self.own[range.clone()],
            Piece::Payload(frame, range) => &self.batch.frames[*frame].payload[range.clone()],
        }
    }

    /// Writes all pieces, a bounded number at a time; returns the bytes that the socket took.
    fn write(&self, wire: &Wire, outbox: &mut Outbox) -> usize {
        let mut total = 0;
        for pieces in self.pieces.chunks(SLICES_MAX) {
            let mut slices = [IoSlice::new(&[]); SLICES_MAX];
            let mut wanted = 0;
            for (slice, piece) in slices.iter_mut().zip(pieces) {
                let bytes = self.bytes(piece);
                wanted += bytes.len();
                *slice = IoSlice::new(bytes);
            }
            let written = wire.write(outbox, &slices[..pieces.len()]);
            total += written;
            if written < wanted {
                break;
            }
        }
        total
    }

    /// Puts the laid out bytes of `range` into the outbox; payload is shared, heads are copied.
    fn keep_rest(&self, range: Range<usize>, outbox: &mut Outbox) {
        let mut start = 0;
        for piece in &self.pieces {
            let bytes = self.bytes(piece);
            let end = start + bytes.len();
            let from = range.start.clamp(start, end) - start;
            let to = range.end.clamp(start, end) - start;
            if from < to {
                outbox.keep(match piece {
                    Piece::Own(_) => Bytes::copy_from_slice(&bytes[from..to]),
                    Piece::Payload(frame, within) => {
                        self.batch.frames[*frame].payload.slice(within.start + from..within.start + to)
                    }
                });
            }
            start = end;
        }
    }
}

impl Form {
    /// Slices that a frame takes, at most.
    fn pieces_of(self, frame: &Frame) -> usize {
        2 + 2 * (frame.payload.len() / self.chunk_size)
    }

    /// Lays out a message whose body is small and the viewer's own: metadata, a configuration.
    fn put_own(self, scratch: &mut Scratch, kind: MediaKind, time: u32, body: &[u8]) {
        let from = scratch.own.len();
        self.head(&mut scratch.own, kind, time, body.len());
        for (index, chunk) in body.chunks(self.chunk_size).enumerate() {
            if index > 0 {
                self.continuation(&mut scratch.own, kind, time);
            }
            scratch.own.extend_from_slice(chunk);
        }
        scratch.push_own(from);
    }

    /// Lays out a frame: message head, tag head, and the shared payload cut into chunks.
    fn put_frame(self, scratch: &mut Scratch, index: usize, frame: &Frame, time: u32) {
        let kind = frame.track.kind;
        let tag_head = frame_head(frame);
        let tag_head = tag_head.as_slice();
        let payload = frame.payload.len();
        let from = scratch.own.len();
        self.head(&mut scratch.own, kind, time, tag_head.len() + payload);
        for (at, byte) in tag_head.iter().enumerate() {
            if at > 0 && at % self.chunk_size == 0 {
                self.continuation(&mut scratch.own, kind, time);
            }
            scratch.own.push(*byte);
        }
        scratch.push_own(from);
        let mut room = (self.chunk_size - tag_head.len() % self.chunk_size) % self.chunk_size;
        if tag_head.is_empty() {
            room = self.chunk_size;
        }
        let mut at = 0;
        while at < payload {
            if room == 0 {
                let from = scratch.own.len();
                self.continuation(&mut scratch.own, kind, time);
                scratch.push_own(from);
                room = self.chunk_size;
            }
            let end = payload.min(at + room);
            scratch.push_payload(index, at..end);
            room -= end - at;
            at = end;
        }
    }

    fn head(self, own: &mut Vec<u8>, kind: MediaKind, time: u32, length: usize) {
        let length = u32::try_from(length).unwrap_or(u32::MAX);
        let head = message_head(chunk_stream(kind), time, length, TagKind::from(kind) as u8, self.stream);
        own.extend_from_slice(head.as_ref());
    }

    fn continuation(self, own: &mut Vec<u8>, kind: MediaKind, time: u32) {
        own.extend_from_slice(continuation_head(chunk_stream(kind), extended(time)).as_ref());
    }
}

/// Media has chunk streams of its own, which the session never uses: so the two never mix state.
fn chunk_stream(kind: MediaKind) -> ChunkStreamId {
    match kind {
        MediaKind::Video => ChunkStreamId::VIDEO,
        MediaKind::Audio => ChunkStreamId::AUDIO,
        MediaKind::Data => ChunkStreamId::DATA,
    }
}
