//! FLV files and HTTP-FLV responses, read without I/O: bytes in (cut anywhere), tags or items out.
//!
//! Written strictly, read leniently: wrong PreviousTagSize fields are counted and not believed, headers
//! of any length are passed over, a second header between tags (files joined with `cat`) as well, and
//! where the tags are lost the reader searches for the next one whose size fields agree.

use bytes::{Bytes, BytesMut};

use super::intake::{Intake, LeftOut};
use super::mux::{TAG_HEAD_LEN, TagKind};
use super::normalizer::{MediaItem, MediaItems, Normalizer};
use crate::Error;

const FILE_HEAD: usize = 9;
const SIZE_FIELD: usize = 4;
/// A header that claims to be longer is no FLV header.
const MAX_FILE_HEAD: u32 = 64 * 1024;
const ENCRYPTED: u8 = 0x20;

/// One tag as it stands in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tag {
    /// What it carries.
    pub kind: TagKind,
    /// Its time, modulo 2^32 ms.
    pub timestamp_ms: u32,
    /// Where its first byte stands in the file: what `keyframes.filepositions` refers to.
    pub position: u64,
    /// The body, as RTMP carries it.
    pub body: Bytes,
}

/// How the bytes ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileEnd {
    /// Behind a tag.
    Clean,
    /// Inside a tag or header that began at this position; it is lost.
    Truncated(u64),
}

/// What was wrong with a file and read nevertheless.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Irregularities {
    /// PreviousTagSize fields that fit no known habit of writers.
    pub wrong_sizes: u64,
    /// Bytes passed over in search of the next tag.
    pub skipped_bytes: u64,
    /// Tags of unknown type, passed over.
    pub unknown_tags: u64,
}

/// Reads tags. Feed, then take tags until there is none, then feed again.
#[derive(Clone, Debug)]
pub struct TagReader {
    buffer: BytesMut,
    position: u64,
    state: State,
    max_body: u32,
    last_body: u64,
    all_tags: u64,
    irregular: Irregularities,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Before a file header.
    Head,
    /// So many bytes of a long header are still to be passed over.
    HeadTail(u64),
    /// Before the first PreviousTagSize, which refers to nothing.
    FirstSize,
    /// Before a tag.
    Tag,
    /// Before the PreviousTagSize behind a tag.
    Size,
    /// The tags are lost.
    Search,
}

impl Default for TagReader {
    fn default() -> Self {
        Self::new(0xFF_FFFF)
    }
}

impl TagReader {
    /// Refuses tags with bodies above `max_body` bytes; the format itself ends at 16,777,215.
    #[must_use]
    pub fn new(max_body: u32) -> Self {
        Self {
            buffer: BytesMut::new(),
            position: 0,
            state: State::Head,
            max_body,
            last_body: 0,
            all_tags: 0,
            irregular: Irregularities::default(),
        }
    }

    /// For bytes that start at a tag at `position` (after a seek in a file).
    #[must_use]
    pub fn at_tag(max_body: u32, position: u64) -> Self {
        Self { position, state: State::Tag, ..Self::new(max_body) }
    }

    /// Appends the next bytes, cut anywhere.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next tag; `None` until more bytes are fed.
    ///
    /// # Errors
    /// `Malformed` if the bytes are not FLV, `Unsupported` if they are encrypted, `Limit` for a tag that
    /// is too large, each with its position. Reading cannot go on after an error.
    pub fn next_tag(&mut self) -> Result<Option<Tag>, Error> {
        loop {
            let tag = match self.state {
                State::Head => self.read_head()?,
                State::HeadTail(left) => self.skip_head(left),
                State::FirstSize => self.read_size(true),
                State::Size => self.read_size(false),
                State::Tag => self.read_tag()?,
                State::Search => self.search(),
            };
            match tag {
                Progress::Tag(tag) => return Ok(Some(tag)),
                Progress::Hungry => return Ok(None),
                Progress::On => {}
            }
        }
    }

    /// To be asked when no more bytes come: whether the last tag was whole.
    #[must_use]
    pub fn end(&self) -> FileEnd {
        // The size field behind the last tag is often missing after a crash; no frame is lost by it.
        let between = matches!(self.state, State::FirstSize | State::Size);
        if between || (self.buffer.is_empty() && self.state == State::Tag) {
            FileEnd::Clean
        } else {
            FileEnd::Truncated(self.position)
        }
    }

    /// What was wrong so far.
    #[must_use]
    pub const fn irregular(&self) -> &Irregularities {
        &self.irregular
    }

    fn read_head(&mut self) -> Result<Progress, Error> {
        let seen = self.buffer.len().min(3);
        if self.buffer[..seen] != b"FLV"[..seen] {
            let reason = "it does not start with \"FLV\"; this is no FLV file";
            return Err(Error::malformed("FLV header", reason).located(self.position));
        }
        let Some(&[_, _, _, _, _, a, b, c, d]) = self.buffer.first_chunk::<FILE_HEAD>() else {
            return Ok(Progress::Hungry);
        };
        let len = u32::from_be_bytes([a, b, c, d]);
        if len > MAX_FILE_HEAD {
            let reason = format!("it claims a length of {len} bytes");
            return Err(Error::malformed("FLV header", reason).located(self.position));
        }
        self.take(FILE_HEAD);
        self.state = State::HeadTail(u64::from(len).saturating_sub(FILE_HEAD as u64));
        Ok(Progress::On)
    }

    fn skip_head(&mut self, left: u64) -> Progress {
        let here = usize::try_from(left).unwrap_or(usize::MAX).min(self.buffer.len());
        self.take(here);
        let left = left - here as u64;
        self.state = if left == 0 { State::FirstSize } else { State::HeadTail(left) };
        if left == 0 { Progress::On } else { Progress::Hungry }
    }

    fn read_size(&mut self, first: bool) -> Progress {
        let Some(&field) = self.buffer.first_chunk::<SIZE_FIELD>() else { return Progress::Hungry };
        let size = u64::from(u32::from_be_bytes(field));
        let body = self.last_body;
        // Broken writers leave out the head, or one byte, or add up all sizes (5.1).
        let running_sum = self.all_tags & 0xFFFF_FFFF;
        let habits = [body + TAG_HEAD_LEN as u64, body + 10, body, running_sum];
        let expected = if first { size == 0 } else { habits.contains(&size) };
        if !expected {
            self.irregular.wrong_sizes += 1;
        }
        self.take(SIZE_FIELD);
        self.state = State::Tag;
        Progress::On
    }

    fn read_tag(&mut self) -> Result<Progress, Error> {
        let Some(head) = self.buffer.first_chunk::<TAG_HEAD_LEN>().copied() else {
            return Ok(Progress::Hungry);
        };
        if head.starts_with(b"FLV\x01") {
            self.state = State::Head;
            return Ok(Progress::On);
        }
        let head = Head::parse(head);
        let Some(kind) = head.kind.filter(|_| head.reserved == 0) else {
            return Ok(self.pass_unknown(&head));
        };
        if head.encrypted {
            let mend = "decrypt the file with the tool that made it";
            return Err(Error::unsupported("an encrypted FLV tag", mend).located(self.position));
        }
        if head.body_len > self.max_body {
            let (found, limit) = (u64::from(head.body_len), u64::from(self.max_body));
            return Err(Error::limit("FLV tag body in bytes", found, limit).located(self.position));
        }
        let whole = TAG_HEAD_LEN + head.body_len as usize;
        if self.buffer.len() < whole {
            self.buffer.reserve(whole - self.buffer.len());
            return Ok(Progress::Hungry);
        }
        let position = self.position;
        let body = self.take(whole).freeze().slice(TAG_HEAD_LEN..);
        self.last_body = u64::from(head.body_len);
        self.all_tags += whole as u64;
        self.state = State::Size;
        Ok(Progress::Tag(Tag { kind, timestamp_ms: head.timestamp_ms, position, body }))
    }

    /// A tag of a type that is not known is passed over if its sizes agree, else the tags are lost.
    fn pass_unknown(&mut self, head: &Head) -> Progress {
        if head.reserved != 0 || head.stream_id != 0 || head.body_len > self.max_body {
            self.state = State::Search;
            return Progress::On;
        }
        match self.sizes_agree(head) {
            None => Progress::Hungry,
            Some(true) => {
                self.take(TAG_HEAD_LEN + head.body_len as usize + SIZE_FIELD);
                self.irregular.unknown_tags += 1;
                Progress::On
            }
            Some(false) => {
                self.state = State::Search;
                Progress::On
            }
        }
    }

    /// Moves forward to the next head of a known tag whose size is repeated behind it.
    fn search(&mut self) -> Progress {
        while let Some(head) = self.buffer.first_chunk::<TAG_HEAD_LEN>().copied() {
            let head = Head::parse(head);
            let possible = head.kind.is_some()
                && head.reserved == 0
                && !head.encrypted
                && head.stream_id == 0
                && head.body_len <= self.max_body;
            if possible {
                match self.sizes_agree(&head) {
                    None => return Progress::Hungry,
                    Some(true) => {
                        self.state = State::Tag;
                        return Progress::On;
                    }
                    Some(false) => {}
                }
            }
            self.take(1);
            self.irregular.skipped_bytes += 1;
        }
        Progress::Hungry
    }

    fn sizes_agree(&self, head: &Head) -> Option<bool> {
        let whole = TAG_HEAD_LEN + head.body_len as usize;
        let field = self.buffer.get(whole..)?.first_chunk::<SIZE_FIELD>()?;
        Some(u32::from_be_bytes(*field) as usize == whole)
    }

    fn take(&mut self, len: usize) -> BytesMut {
        self.position += len as u64;
        self.buffer.split_to(len)
    }
}

/// Reads items: the tags of [`TagReader`] made regular by an [`Intake`], which leaves out what cannot be used.
#[derive(Clone, Debug, Default)]
pub struct Demuxer {
    tags: TagReader,
    intake: Intake,
    items: MediaItems,
}

impl Demuxer {
    /// Refuses tags with bodies above `max_body` bytes.
    #[must_use]
    pub fn new(max_body: u32) -> Self {
        Self { tags: TagReader::new(max_body), ..Self::default() }
    }

    /// Appends the next bytes, cut anywhere.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.tags.feed(bytes);
    }

    /// No more bytes come, and [`next_item`](Self::next_item) has given all: whether it has more to give now, which was
    /// held back because it might not have been whole.
    pub fn finish(&mut self) -> bool {
        self.items = self.intake.flush();
        !self.items.is_empty()
    }

    /// The next item; `None` until more bytes are fed.
    ///
    /// # Errors
    /// Those of [`TagReader::next_tag`]: the bytes are no FLV, or no more of it can be found. A tag with a body
    /// that cannot be used is no error: see [`Self::left_out`].
    pub fn next_item(&mut self) -> Result<Option<MediaItem>, Error> {
        loop {
            if let Some(item) = self.items.next() {
                return Ok(Some(item));
            }
            let Some(tag) = self.tags.next_tag()? else { return Ok(None) };
            self.items = self.intake.take(tag.kind.media(), tag.timestamp_ms, tag.body);
        }
    }

    /// See [`TagReader::end`].
    #[must_use]
    pub fn end(&self) -> FileEnd {
        self.tags.end()
    }

    /// See [`TagReader::irregular`].
    #[must_use]
    pub const fn irregular(&self) -> &Irregularities {
        self.tags.irregular()
    }

    /// The state behind the items: tracks and what was repaired.
    #[must_use]
    pub const fn normalizer(&self) -> &Normalizer {
        self.intake.normalizer()
    }

    /// Tags whose bodies could not be used so far, and why.
    #[must_use]
    pub fn left_out(&self) -> LeftOut {
        self.intake.left_out()
    }

    /// How many they are. Cheap: to be asked behind every item.
    #[must_use]
    pub fn left_out_count(&self) -> u64 {
        self.intake.left_out_count()
    }
}

enum Progress {
    Tag(Tag),
    On,
    Hungry,
}

struct Head {
    kind: Option<TagKind>,
    reserved: u8,
    encrypted: bool,
    body_len: u32,
    timestamp_ms: u32,
    stream_id: u32,
}

impl Head {
    fn parse(head: [u8; TAG_HEAD_LEN]) -> Self {
        let [kind, s2, s1, s0, t2, t1, t0, t3, i2, i1, i0] = head;
        Self {
            kind: TagKind::from_id(kind & 0x1F),
            reserved: kind & 0xC0,
            encrypted: kind & ENCRYPTED != 0,
            body_len: u32::from_be_bytes([0, s2, s1, s0]),
            timestamp_ms: u32::from_be_bytes([t3, t2, t1, t0]),
            stream_id: u32::from_be_bytes([0, i2, i1, i0]),
        }
    }
}

#[cfg(test)]
mod tests;
