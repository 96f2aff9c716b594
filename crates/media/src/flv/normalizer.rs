//! What one publisher sends, made regular: every known oddity of encoders ends here.
//!
//! Used wherever FLV tag bodies come in: at the RTMP publish door, in the RTMP play client, in FLV
//! files. What holds behind it is said at [`Normalizer`].

mod aac_guess;
mod audio;
mod channel;
mod clock;
mod config;
mod extra;
mod nal;
mod obu;
mod picture;
mod reframe;
mod repaired;
mod vp;

use std::collections::VecDeque;

use bytes::Bytes;

use self::audio::SoundFrames;
use self::channel::Channel;
use self::clock::Clock;
pub use self::repaired::Repaired;
use super::tag::{CodedFrame, TRACKS_MAX, TagBody, TagParts, decode_audio, decode_video};
use crate::{Codec, Error, Frame, MediaKind, Track, TrackId};

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
    frame: Option<Frame>,
    /// Behind these two, of messages with several tracks or frames only.
    more: VecDeque<MediaItem>,
}

impl MediaItems {
    fn push(&mut self, item: MediaItem) {
        match item {
            MediaItem::Track(track) if self.is_empty() => self.track = Some(track),
            MediaItem::Frame(frame) if self.frame.is_none() && self.more.is_empty() => {
                self.frame = Some(frame);
            }
            item => self.more.push_back(item),
        }
    }

    fn is_empty(&self) -> bool {
        self.track.is_none() && self.frame.is_none() && self.more.is_empty()
    }
}

impl Iterator for MediaItems {
    type Item = MediaItem;

    fn next(&mut self) -> Option<MediaItem> {
        let first =
            self.track.take().map(MediaItem::Track).or_else(|| self.frame.take().map(MediaItem::Frame));
        first.or_else(|| self.more.pop_front())
    }
}

/// Makes one publisher's messages regular.
///
/// A [`Track`] comes before the first frame that needs it and again when it changes, never without a
/// change. Decoding times of a track never go back. The payloads of H.264, H.265 and H.266 are
/// length-prefixed and tile, without start codes; those of AV1 have no temporal delimiter in front; those of AAC are
/// bare frames, one each. What is called a key frame is one by its bytes. There are at most [`TRACKS_MAX`] video and as many audio tracks. What `onMetaData` says of
/// codecs is not looked at: the tags know better.
///
/// An error concerns one message, which is ignored; the normalizer stays usable, and the caller decides
/// whether the publisher may go on.
#[derive(Clone, Debug, Default)]
pub struct Normalizer {
    /// In the order of their numbers, video first.
    channels: Vec<Channel>,
    clock: Clock,
    repaired: Repaired,
}

impl Normalizer {
    /// For one publisher, from its first message on.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the body of a video tag or message.
    ///
    /// # Errors
    /// `Unsupported` for unknown codecs, `Malformed` for a broken head or configuration, `Limit` for one
    /// track too many or a configuration too long. Of a message with several tracks only if nothing in it
    /// could be used.
    pub fn push_video(&mut self, timestamp_ms: u32, body: Bytes) -> Result<MediaItems, Error> {
        self.take(timestamp_ms, decode_video(body)?)
    }

    /// Takes the body of an audio tag or message.
    ///
    /// # Errors
    /// As [`push_video`](Self::push_video).
    pub fn push_audio(&mut self, timestamp_ms: u32, body: Bytes) -> Result<MediaItems, Error> {
        self.take(timestamp_ms, decode_audio(body)?)
    }

    /// Takes script data in AMF0: a name and values. `@setDataFrame` before the name and the format
    /// byte of AMF3 messages are taken off; what has no name is dropped.
    pub fn push_data(&mut self, timestamp_ms: u32, payload: Bytes) -> MediaItems {
        const STRING: u8 = 2;
        const SET_DATA_FRAME: &[u8] = b"\x02\x00\x0D@setDataFrame";
        let mut payload = payload;
        if payload.starts_with(&[0, STRING]) {
            payload = payload.slice(1..);
        }
        if payload.starts_with(SET_DATA_FRAME) {
            payload = payload.slice(SET_DATA_FRAME.len()..);
        }
        if payload.first() != Some(&STRING) {
            self.repaired.bad_data += 1;
            return MediaItems::default();
        }
        MediaItems { frame: Some(self.clock.data(timestamp_ms, payload)), ..MediaItems::default() }
    }

    /// The payload of the one frame in the body of a tag of `track`, made regular as it was when it came by
    /// in its file.
    ///
    /// # Errors
    /// `Malformed` if the body holds no such frame.
    pub(crate) fn repair(track: &Track, body: Bytes) -> Result<Bytes, Error> {
        let mut normalizer = Self::default();
        let channel = channel(&mut normalizer.channels, track.id)?;
        channel.take_config(track.codec, &track.config, &mut normalizer.repaired)?;
        let items = match track.id.kind {
            MediaKind::Video => normalizer.push_video(0, body)?,
            MediaKind::Audio => normalizer.push_audio(0, body)?,
            MediaKind::Data => normalizer.push_data(0, body),
        };
        let of_track = |item| match item {
            MediaItem::Frame(frame) if frame.track == track.id => Some(frame.payload),
            _ => None,
        };
        items.into_iter().find_map(of_track).ok_or_else(|| {
            Error::malformed("FLV tag", "it no longer holds the frame that it held when it was indexed")
        })
    }

    /// The tracks as last announced, video first, in the order of their numbers.
    pub fn tracks(&self) -> impl Iterator<Item = &Track> {
        self.channels.iter().filter_map(Channel::track)
    }

    /// Tracks of which frames come that nobody has told how to decode: what they are coded as, and how many came in
    /// a row.
    pub fn undecodable(&self) -> impl Iterator<Item = (TrackId, Codec, u64)> {
        let of_channel =
            |channel: &Channel| channel.undecodable().map(|(codec, count)| (channel.id, codec, count));
        self.channels.iter().filter_map(of_channel)
    }

    /// What had to be repaired so far.
    #[must_use]
    pub const fn repaired(&self) -> &Repaired {
        &self.repaired
    }

    fn take(&mut self, timestamp_ms: u32, parts: TagParts) -> Result<MediaItems, Error> {
        let mut items = MediaItems::default();
        let mut failed = None;
        for part in parts {
            if let Err(error) = self.take_part(timestamp_ms, part, &mut items) {
                failed = failed.or(Some(error));
            }
        }
        match failed {
            Some(error) if items.is_empty() => return Err(error),
            failed => self.repaired.partly_used += u64::from(failed.is_some()),
        }
        Ok(items)
    }

    fn take_part(&mut self, timestamp_ms: u32, part: TagBody, items: &mut MediaItems) -> Result<(), Error> {
        let track = match part {
            TagBody::Config(sent) => {
                let channel = channel(&mut self.channels, sent.id)?;
                channel.take_config(sent.codec, &sent.config, &mut self.repaired)?
            }
            TagBody::Extra { track, codec, bytes } => {
                let meant = self.meant(track, codec);
                let channel = channel(&mut self.channels, meant)?;
                channel.take_extra(&bytes, &mut self.repaired)?
            }
            TagBody::Frame(coded) => return self.take_coded(timestamp_ms, coded, items),
            TagBody::EndOfSequence(_) | TagBody::Empty | TagBody::Command => {
                self.repaired.empty += 1;
                None
            }
        };
        track.into_iter().for_each(|track| items.push(MediaItem::Track(track)));
        Ok(())
    }

    /// Takes what a message has of one track: a frame, or several of sound.
    fn take_coded(
        &mut self,
        timestamp_ms: u32,
        coded: CodedFrame,
        items: &mut MediaItems,
    ) -> Result<(), Error> {
        let channel = channel(&mut self.channels, coded.track)?;
        let mut frames = SoundFrames::of(coded);
        for (delay_ms, mut coded) in frames.by_ref() {
            let timestamp_ms = timestamp_ms.wrapping_add(delay_ms);
            match channel.take_frame(timestamp_ms, &mut coded, &mut self.repaired) {
                Ok(track) => {
                    let frame = self.clock.frame(&mut channel.time, timestamp_ms, coded, &mut self.repaired);
                    track.into_iter().for_each(|track| items.push(MediaItem::Track(track)));
                    items.push(MediaItem::Frame(frame));
                }
                Err(dropped) => self.repaired.count(dropped),
            }
        }
        self.repaired.several_frames += u64::from(frames.were_several());
        Ok(())
    }
}

impl Normalizer {
    /// The track that `codec` is the codec of: ffmpeg sends colours of any video track without its number.
    fn meant(&self, id: TrackId, codec: Codec) -> TrackId {
        let is_of = |track: &&Track| track.codec.four_cc() == codec.four_cc();
        if self.tracks().find(|track| track.id == id).is_none_or(|track| is_of(&track)) {
            return id;
        }
        let of_kind = self.tracks().filter(|track| track.id.kind == id.kind);
        of_kind.filter(is_of).map(|track| track.id).next().unwrap_or(id)
    }
}

/// The channel of a track, which may be new.
fn channel(channels: &mut Vec<Channel>, id: TrackId) -> Result<&mut Channel, Error> {
    let at = match channels.binary_search_by_key(&id, |channel| channel.id) {
        Ok(at) => at,
        Err(at) => {
            let of_kind = channels.iter().filter(|channel| channel.id.kind == id.kind).count();
            if of_kind >= TRACKS_MAX {
                return Err(Error::limit("tracks of one kind", of_kind as u64 + 1, TRACKS_MAX as u64));
            }
            channels.insert(at, Channel::new(id));
            at
        }
    };
    Ok(&mut channels[at])
}

#[cfg(test)]
mod tests;
