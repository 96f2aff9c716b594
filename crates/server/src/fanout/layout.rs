//! One write laid out: the bytes of a batch in a [`Format`], made once and stamped with each viewer's time.
//!
//! Viewers side by side in a log get the same bytes but for the times, because each viewer's time starts at
//! zero. So a lane lays a batch out once, and for the next viewer only writes its times over. The bytes lie
//! in one piece: the kernel copies that several times faster than the same bytes from many places.

use std::io::IoSlice;
use std::ops::Range;

use bytes::Bytes;
use headwater_hub::{Batch, PartContent};
use headwater_media::flv::{Dialect, KeyframeGate, config_bodies, frame_head};
use headwater_media::{Frame, MediaKind, Timestamp, TrackId};

use super::format::{Format, Opened};
use super::step::{Place, Standing};
use super::wire::{Outbox, Wire};

/// Pieces of payload from this size on are shared, not copied, when a write stops within them.
const SHARE_BYTES_MIN: usize = 4 << 10;
/// Room that each form of a lane keeps between batches; what a larger one took is given back.
const ROOM_BYTES_KEPT: usize = 512 << 10;
/// Forms that a lane lays batches out in side by side: four doors, and players that take more or less.
const FORMS_KEPT: usize = 6;

/// How a viewer's messages look, and which there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Form {
    pub(super) format: Format,
    /// The head of the file, while it is to come: whether there is sound, and whether there are pictures.
    pub(super) file_header: Option<(bool, bool)>,
    pub(super) muted: Muted,
    /// What the viewer's side takes.
    pub(super) dialect: Dialect,
    /// Which of its video tracks have begun.
    pub(super) begun: KeyframeGate,
}

/// What a viewer has asked not to get.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Muted {
    pub(crate) audio: bool,
    pub(crate) video: bool,
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
    /// What it holds; `None` if only one viewer can use it.
    made_for: Option<Key>,
    /// Where a viewer stood that has got it: it is right for all who stand there.
    begins: Option<Place>,
    /// Where they stand that have used all of it.
    ends_at: Option<Place>,
    origin_ms: i64,
    newest_ms: i64,
}

/// What two viewers must have in common to get the same bytes, but for the times: the batch's version, how many of its
/// frames, their form, and where they stand if they have not been told everything yet.
type Key = (u64, usize, Form, Option<Option<u64>>);

/// What one viewer is to get of a batch.
pub(super) struct Portion<'a> {
    /// So many of its frames.
    pub(super) frames: usize,
    pub(super) form: Form,
    /// The last frame that the viewer has seen.
    pub(super) seen: Option<u64>,
    /// Tracks that are left out, each with when it began.
    pub(super) silent: &'a [(TrackId, u64)],
    /// Where the viewer's time begins.
    pub(super) origin_ms: i64,
}

impl Portion<'_> {
    fn key(&self, batch: &Batch) -> Option<Key> {
        let has_news = batch.setup.unseen(self.seen).next().is_some();
        let key = (batch.version(), self.frames, self.form, has_news.then_some(self.seen));
        self.silent.is_empty().then_some(key)
    }

    fn has(&self, track: TrackId) -> bool {
        self.silent.iter().all(|(silent, _)| *silent != track)
    }
}

/// The layouts of one batch for viewers that stand side by side and want it in different forms.
#[derive(Debug, Default)]
pub(super) struct Layouts {
    kept: [Layout; FORMS_KEPT],
    oldest: usize,
}

impl Layouts {
    /// The batch laid out for one viewer.
    pub(super) fn of(&mut self, batch: &Batch, portion: &Portion<'_>) -> &mut Layout {
        let key = portion.key(batch);
        let has = |same: fn(&Key, &Key) -> bool| {
            self.kept.iter().position(
                |layout| matches!((&layout.made_for, &key), (Some(made), Some(key)) if same(made, key)),
            )
        };
        let at =
            has(|made, key| made == key).or_else(|| has(|made, key| made.2 == key.2)).unwrap_or_else(|| {
                self.oldest = (self.oldest + 1) % FORMS_KEPT;
                self.oldest
            });
        let layout = &mut self.kept[at];
        layout.prepare(batch, portion, key);
        layout
    }

    /// The next viewer looks whether there is more by now.
    pub(super) fn look_again(&mut self) {
        self.kept.iter_mut().for_each(|layout| layout.begins = None);
    }

    /// The layout of `batch` that a viewer is to get who stands there, stamped for it; none if no other who stood there
    /// has got one.
    pub(super) fn behind(&mut self, standing: &Standing, batch: &Batch) -> Option<&mut Layout> {
        let is_next = |layout: &&mut Layout| {
            layout.begins.is_some()
                && layout.begins == standing.place
                && layout.made_for.is_some_and(|(version, ..)| version == batch.version())
        };
        let layout = self.kept.iter_mut().find(is_next)?;
        let format = layout.made_for?.2.format;
        layout.stamp(format, standing.origin_ms).then_some(layout)
    }
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
    fn prepare(&mut self, batch: &Batch, portion: &Portion<'_>, key: Option<Key>) {
        let form = portion.form;
        if key.is_some() && self.made_for == key && self.stamp(form.format, portion.origin_ms) {
            return;
        }
        self.clear();
        self.origin_ms = portion.origin_ms;
        self.made_for = key;
        if let Some((has_audio, has_video)) = form.file_header {
            form.format.put_file_header(has_audio, has_video, &mut self.bytes);
        }
        let first_ms = batch.frames.first().map_or(portion.origin_ms, |frame| frame.dts.as_ms());
        for part in batch.setup.unseen(portion.seen) {
            match part {
                PartContent::Metadata(values) => self.put(form.format, MediaKind::Data, first_ms, values),
                PartContent::Track(track) if portion.has(track.id) => {
                    for body in config_bodies(track, &form.dialect) {
                        self.put(form.format, track.id.kind, first_ms, &body);
                    }
                }
                PartContent::Track(_) => {}
            }
        }
        let mut begun = form.begun;
        for (index, frame) in batch.frames.iter().take(portion.frames).enumerate() {
            let is_wanted = form.muted.admits(frame.track.kind) && portion.has(frame.track);
            if is_wanted && begun.admits(frame) {
                self.put_frame(form, index, frame);
            }
            self.ends.push(self.bytes.len());
        }
    }

    /// Writes it; returns how many frames have gone out. Of one that has gone in part, the rest goes first, whatever happens
    /// to the log.
    pub(super) fn write(&self, wire: &Wire, outbox: &mut Outbox, batch: &Batch) -> usize {
        let written = match self.bytes() {
            [] => 0,
            bytes => wire.write(outbox, &[IoSlice::new(bytes)]),
        };
        let used = self.frames_within(written);
        if used == self.frames() || written <= self.end_of(used) {
            return used;
        }
        self.keep(written..self.end_of(used + 1), batch, outbox);
        used + 1
    }

    /// It is what everyone gets who stands at `place`.
    pub(super) fn follows(&mut self, place: Option<Place>) {
        self.begins = place.or(self.begins);
    }

    /// Where the viewer stands that it was stamped for and that has got so many of its frames: all who have got all of
    /// them stand at one place.
    pub(super) fn standing(&mut self, batch: &Batch, used: usize) -> Standing {
        let is_all = used == self.frames();
        Standing {
            place: is_all.then(|| *self.ends_at.get_or_insert_with(Place::new)),
            next: batch.first + used as u64,
            newest: used.checked_sub(1).map_or(Timestamp::ZERO, |last| batch.frames[last].dts),
            origin_ms: self.origin_ms,
        }
    }

    /// The bytes.
    fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// How many whole frames lie within the first `written` bytes.
    fn frames_within(&self, written: usize) -> usize {
        self.ends.partition_point(|end| *end <= written)
    }

    /// Where the bytes of the first `frames` frames end, and of what goes before them.
    fn end_of(&self, frames: usize) -> usize {
        frames.checked_sub(1).map_or(0, |last| self.ends[last])
    }

    /// Frames laid out.
    pub(super) fn frames(&self) -> usize {
        self.ends.len()
    }

    /// Puts the bytes of `range` into the outbox; of large payloads, by reference.
    fn keep(&self, range: Range<usize>, batch: &Batch, outbox: &mut Outbox) {
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
    fn stamp(&mut self, format: Format, origin_ms: i64) -> bool {
        if self.origin_ms == origin_ms {
            return true;
        }
        let fits = |origin| format.can_stamp(time(self.newest_ms, origin));
        if !fits(origin_ms) || !fits(self.origin_ms) {
            return false;
        }
        for stamp in &self.stamps {
            format.stamp(time(stamp.ms, origin_ms), &mut self.bytes[stamp.at..]);
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
        (self.begins, self.ends_at) = (None, None);
        self.newest_ms = i64::MIN;
    }

    /// Appends a frame as a message: tag head and payload.
    fn put_frame(&mut self, form: Form, index: usize, frame: &Frame) {
        let Some(head) = frame_head(frame, &form.dialect) else { return };
        let length = head.len() + frame.payload.len();
        let mut body = self.open(form.format, frame.track.kind, frame.dts.as_ms(), length);
        self.put_body(&mut body, head.as_slice(), None);
        self.put_body(&mut body, &frame.payload, Some(index));
        form.format.close(length, &mut self.bytes);
    }

    /// Appends a message that is not a frame.
    fn put(&mut self, format: Format, kind: MediaKind, ms: i64, content: &[u8]) {
        let mut body = self.open(format, kind, ms, content.len());
        self.put_body(&mut body, content, None);
        format.close(content.len(), &mut self.bytes);
    }

    fn open(&mut self, format: Format, kind: MediaKind, ms: i64, length: usize) -> Body {
        let opened = format.open(kind, time(ms, self.origin_ms), length, &mut self.bytes);
        self.stamps.push(Stamp { at: opened.time_at, ms });
        self.newest_ms = self.newest_ms.max(ms);
        Body { left: opened.piece_max, opened }
    }

    /// Appends a part of a message's body, cut into pieces. `payload_of`: the frame whose payload it is.
    fn put_body(&mut self, body: &mut Body, content: &[u8], payload_of: Option<usize>) {
        let mut at = 0;
        while at < content.len() {
            if body.left == 0 {
                let continuation = body.opened.continuation.as_ref();
                self.bytes.extend_from_slice(continuation.map_or(&[], AsRef::as_ref));
                body.left = body.opened.piece_max;
            }
            let end = content.len().min(at.saturating_add(body.left));
            if let Some(frame) = payload_of.filter(|_| end - at >= SHARE_BYTES_MIN) {
                self.shared.push(Shared { at: self.bytes.len(), frame, range: at..end });
            }
            self.bytes.extend_from_slice(&content[at..end]);
            body.left -= end - at;
            at = end;
        }
    }
}

/// A message's body under way, and what is left of its piece.
struct Body {
    left: usize,
    opened: Opened,
}

/// Milliseconds since the viewer's first frame; a frame of another track may stand just before it. RTMP
/// time wraps at 2^32.
fn time(ms: i64, origin_ms: i64) -> u32 {
    let since = ms.saturating_sub(origin_ms).max(0);
    u32::try_from(since & i64::from(u32::MAX)).unwrap_or(0)
}

#[cfg(test)]
mod tests;
