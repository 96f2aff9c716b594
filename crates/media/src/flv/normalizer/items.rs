//! What the normalizer gives: tracks and frames, each frame with the messages that it was made of.

use std::collections::VecDeque;

use bytes::Bytes;

use crate::{Frame, Track};

/// A payload that is a smaller part of its message than one of so many is copied out of it: the other tracks of a
/// message are usually of its size, or come to nothing.
const BOUND_PART_MIN: usize = 4;

/// One regular thing that a publisher sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MediaItem {
    /// A track begins, or its codec or configuration changes from the next frame on.
    Track(Track),
    /// One access unit. Script data comes as frames without a track before them.
    Frame(Frame),
}

/// What one message amounts to: nothing, a track, a frame, a track and then a frame; of messages with
/// several tracks or frames more of that.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct MediaItems {
    track: Option<Track>,
    frame: Option<(Frame, Origin)>,
    /// Behind these two, of messages with several tracks or frames only.
    more: VecDeque<Made>,
}

/// An item, and of a frame its origin.
type Made = (MediaItem, Option<Origin>);

/// The messages that a frame was made of, counted from 0 over all that the normalizer was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Origin {
    pub(crate) first: u64,
    pub(crate) last: u64,
    /// Where in the body of its only message the payload lies as it is.
    pub(crate) at: Option<usize>,
}

/// The message that is looked at.
#[derive(Clone, Debug)]
pub(super) struct Message {
    pub(super) number: u64,
    pub(super) timestamp_ms: u32,
    pub(super) body: Bytes,
}

impl Message {
    /// The origin of a frame with this payload, which was made of this message alone.
    pub(super) fn origin(&self, payload: &Bytes) -> Origin {
        Origin { first: self.number, last: self.number, at: place_within(payload, &self.body) }
    }
}

impl MediaItems {
    pub(super) fn push_track(&mut self, track: Track) {
        if self.is_empty() {
            self.track = Some(track);
        } else {
            self.more.push_back((MediaItem::Track(track), None));
        }
    }

    pub(super) fn push_frame(&mut self, frame: Frame, origin: Origin) {
        if self.frame.is_none() && self.more.is_empty() {
            self.frame = Some((frame, origin));
        } else {
            self.more.push_back((MediaItem::Frame(frame), Some(origin)));
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.track.is_none() && self.frame.is_none() && self.more.is_empty()
    }

    /// The next item, and of a frame its origin.
    pub(crate) fn next_made(&mut self) -> Option<(MediaItem, Option<Origin>)> {
        if let Some(track) = self.track.take() {
            return Some((MediaItem::Track(track), None));
        }
        let frame = self.frame.take().map(|(frame, origin)| (MediaItem::Frame(frame), Some(origin)));
        frame.or_else(|| self.more.pop_front())
    }
}

impl Iterator for MediaItems {
    type Item = MediaItem;

    fn next(&mut self) -> Option<MediaItem> {
        self.next_made().map(|(item, _)| item)
    }
}

/// A payload that lives as long as its receivers need it: without the message that it is a small part of, which would
/// stay in memory with it and be reckoned nowhere.
pub(super) fn unbound(payload: &Bytes, body: &Bytes) -> Bytes {
    if payload.len() < body.len() / BOUND_PART_MIN {
        Bytes::copy_from_slice(payload)
    } else {
        payload.clone()
    }
}

/// Where in `body` a payload lies that is a slice of it.
pub(super) fn place_within(payload: &Bytes, body: &Bytes) -> Option<usize> {
    let at = (payload.as_ptr() as usize).checked_sub(body.as_ptr() as usize)?;
    (at + payload.len() <= body.len()).then_some(at)
}
