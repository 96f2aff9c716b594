//! A broadcast as FLV: the frames of its parts, put back into their order, as tags. A change of configuration is a tag like any
//! other, so one file holds whatever comes; from then on it stands before every key frame.
//!
//! What is appended are whole tags. When the file ends, its description in front is written anew, with the places of the key
//! frames (`headwater_media::flv::growing` says how).

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek as _, SeekFrom};
use std::path::Path;
use std::sync::Arc;

use bytes::{Buf as _, Bytes, BytesMut};
use headwater_media::flv::{
    Contents, Dialect, Muxer, TAG_HEAD_LEN, Tag, growing, parse_tag_head, previous_tag_size,
};
use headwater_media::{Frame, Track};

use super::appended::{Appended, Beginning, Completed, NOTE_AT, ROOM, read_start, write_at};
use crate::numbers::NOTE_LEN;
use crate::part::{Init, Part};

/// Where the first tag of media lies: behind the room, and the size of the tag that it is.
const MEDIA_AT: u64 = ROOM + SIZE_LEN as u64;
const SIZE_LEN: usize = previous_tag_size(0).len();
/// The last bytes of the description, which hold the note of numbers.
const NOTE: usize = NOTE_LEN as usize;
const _: () = assert!(NOTE_AT + NOTE_LEN == ROOM, "the note is what the description ends with");
/// The body of a tag has 24 bits for its length; a head in front of a frame is shorter than this.
const PAYLOAD_BYTES_MAX: usize = 0xFF_FFFF - 64;
/// Presentation times finer than a millisecond are left out: most players of FLV stop at them.
const DIALECT: Dialect = Dialect { nanos: false, ..Dialect::FULL };
/// Bytes that are read at once in search of the last whole tag.
const READ_BYTES: usize = 1 << 20;

/// A file that grows.
#[derive(Debug)]
pub(super) struct FlvFile {
    appended: Appended,
    /// From the first frame on, which is at time 0.
    muxer: Option<Muxer>,
    /// Tracks that are told of before it.
    known: Vec<Track>,
    contents: Contents,
    /// What kinds of tracks the header tells of.
    told: (bool, bool),
    /// Frames by their numbers in the hub's log: others may come before them. They wait as long as a part of another track
    /// takes to be made, which is bounded as parts are.
    waiting: BTreeMap<u64, (Arc<Init>, Frame)>,
}

impl FlvFile {
    pub(super) fn create(path: &Path, beginning: &Beginning<'_>) -> io::Result<Self> {
        let (contents, note) = (Contents::default(), beginning.numbers.note(beginning.stream));
        let front = growing::begin_file(beginning.said.as_ref(), &contents, MEDIA_AT as usize, &note);
        let appended = Appended::create(path, &front.map_err(io::Error::other)?)?;
        let (known, waiting) = (beginning.tracks.clone(), BTreeMap::new());
        Ok(Self { appended, muxer: None, known, contents, told: (false, false), waiting })
    }

    pub(super) const fn appended(&self) -> &Appended {
        &self.appended
    }

    /// Takes a part, and appends the frames that no others can come before any more; how many are too large comes back.
    pub(super) fn put(&mut self, part: &Part, bytes: &Bytes) -> io::Result<u64> {
        let fits = |(_, frame): &(u64, Frame)| frame.payload.len() <= PAYLOAD_BYTES_MAX;
        let frames = part.frames(bytes).filter(fits);
        let before = self.waiting.len();
        self.waiting.extend(frames.map(|(sequence, frame)| (sequence, (Arc::clone(&part.init), frame))));
        let left_out = part.samples.len() - (self.waiting.len() - before);
        self.append_below(part.complete_to)?;
        Ok(left_out as u64)
    }

    /// Makes a film of it in which players seek. Of a file in which there is nothing, nothing is left.
    pub(super) fn complete(mut self) -> io::Result<Option<Completed>> {
        let appended = self.append_below(u64::MAX);
        if self.contents.is_empty() {
            let removed = self.appended.remove();
            return appended.and(removed).map(|()| None);
        }
        // It needs no more room, so that a disk that is full can do it.
        let completed = complete(self.appended.file(), &self.contents, self.appended.len())?;
        appended.map(|()| Some(completed))
    }

    /// Appends the frames with lower numbers, all at once.
    fn append_below(&mut self, sequence: u64) -> io::Result<()> {
        let rest = self.waiting.split_off(&sequence);
        let ready = std::mem::replace(&mut self.waiting, rest);
        let mut out = BytesMut::new();
        for (init, frame) in ready.into_values() {
            self.write(&init, &frame, &mut out);
        }
        if out.is_empty() {
            return Ok(());
        }
        let (out, at) = (out.freeze(), self.appended.len());
        let appended = self.appended.append(&out);
        if self.appended.len() == at {
            // What found no room is not told of, and nothing goes behind it.
            self.waiting.clear();
            return appended.map(drop);
        }
        self.tell(out, at)?;
        appended?;
        let has = (self.contents.has_audio(), self.contents.has_video());
        if has != self.told {
            let (at, flags) = growing::grow_header(&self.contents);
            write_at(self.appended.file(), at, &flags)?;
            self.told = has;
        }
        Ok(())
    }

    fn write(&mut self, init: &Init, frame: &Frame, out: &mut BytesMut) {
        let known = std::mem::take(&mut self.known);
        let muxer = self.muxer.get_or_insert_with(|| {
            let mut muxer = Muxer::new(frame.dts, DIALECT);
            known.iter().for_each(|track| muxer.write_track(track, frame.dts, out));
            muxer
        });
        if init.track_number == 0 {
            return muxer.write_script(&frame.payload, frame.dts, out);
        }
        muxer.write_track(&init.track, frame.dts, out);
        muxer.write_again(frame, out);
        muxer.write_frame(frame, out);
    }

    /// Tags have been appended at byte `at`.
    fn tell(&mut self, tags: Bytes, at: u64) -> io::Result<()> {
        let (end, mut at) = (at + tags.len() as u64, at);
        let mut reader = tags.reader();
        while let Some(tag) = next_tag(&mut reader, at, end)? {
            at += (TAG_HEAD_LEN + tag.body.len() + SIZE_LEN) as u64;
            self.contents.take_tag(tag);
        }
        Ok(())
    }
}

/// Completes a file that ends at `end`, with these contents.
fn complete(file: &File, contents: &Contents, end: u64) -> io::Result<Completed> {
    let mut front = vec![0; MEDIA_AT as usize];
    read_start(file, &mut front)?;
    for (at, bytes) in growing::complete(contents, &front, NOTE, end).map_err(io::Error::other)? {
        write_at(file, at, &bytes)?;
        file.sync_data()?;
    }
    file.sync_all()?;
    Ok(Completed { bytes: end, duration: contents.duration() })
}

/// Cuts off what is no whole tag, and completes the file; how many bytes that were comes with it. `None` where no frame is
/// whole.
pub(super) fn repair(file: &File) -> io::Result<Option<(u64, Completed)>> {
    let len = file.metadata()?.len();
    let (end, contents) = whole_tags(file, len)?;
    if contents.is_empty() {
        return Ok(None);
    }
    file.set_len(end)?;
    Ok(Some((len - end, complete(file, &contents, end)?)))
}

/// Where the last whole tag ends, and what is in those up to there. It reads all of the file.
fn whole_tags(mut file: &File, len: u64) -> io::Result<(u64, Contents)> {
    let (mut end, mut contents) = (MEDIA_AT, Contents::default());
    file.seek(SeekFrom::Start(end))?;
    let mut reader = BufReader::with_capacity(READ_BYTES, file);
    while let Some(tag) = next_tag(&mut reader, end, len)? {
        end += (TAG_HEAD_LEN + tag.body.len() + SIZE_LEN) as u64;
        contents.take_tag(tag);
    }
    Ok((end.min(len), contents))
}

/// The tag at byte `at`, if it is whole.
fn next_tag(reader: &mut impl Read, at: u64, len: u64) -> io::Result<Option<Tag>> {
    let mut head = [0; TAG_HEAD_LEN];
    if at.saturating_add((TAG_HEAD_LEN + SIZE_LEN) as u64) > len {
        return Ok(None);
    }
    reader.read_exact(&mut head)?;
    let Some((kind, body_len, timestamp_ms)) = parse_tag_head(&head) else { return Ok(None) };
    if at + (TAG_HEAD_LEN + body_len + SIZE_LEN) as u64 > len {
        return Ok(None);
    }
    let mut body = vec![0; body_len];
    reader.read_exact(&mut body)?;
    let mut size = [0; SIZE_LEN];
    reader.read_exact(&mut size)?;
    let is_whole = size == previous_tag_size(body_len);
    Ok(is_whole.then(|| Tag { kind, timestamp_ms, position: at, body: body.into() }))
}

#[cfg(test)]
mod tests;
