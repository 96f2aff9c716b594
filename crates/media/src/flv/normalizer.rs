//! What one publisher sends, made regular: every known oddity of encoders ends here.
//!
//! Used wherever FLV tag bodies come in: at the RTMP publish door, in the RTMP play client, in FLV
//! files. What holds behind it is said at [`Normalizer`].

mod aac_guess;
pub(crate) mod access_unit;
mod audio;
mod channel;
mod clock;
mod config;
mod extra;
mod items;
mod nal;
mod obu;
mod picture;
mod reframe;
mod repaired;
mod vp;

use bytes::Bytes;

pub use self::access_unit::Patience;
use self::access_unit::{HELD_BYTES_MAX, HELD_MESSAGES_MAX, Piece};
use self::audio::SoundFrames;
use self::channel::Channel;
use self::clock::Clock;
pub(crate) use self::items::Origin;
pub use self::items::{MediaItem, MediaItems};
use self::items::{Message, place_within};
pub use self::repaired::Repaired;
use super::tag::{CodedFrame, TRACKS_MAX, TagBody, TagParts, decode_audio, decode_video};
use crate::{Codec, Error, Track, TrackId};

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
    patience: Patience,
    /// Messages taken so far.
    messages: u64,
}

impl Normalizer {
    /// For one publisher, from its first message on.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// As [`new`](Self::new), holding back as many pictures as `patience` says. See [`is_waiting`](Self::is_waiting).
    #[must_use]
    pub fn with_patience(patience: Patience) -> Self {
        Self { patience, ..Self::default() }
    }

    /// For a part of a file, in which this configuration holds.
    pub(crate) fn of_file_with(track: &Track) -> Result<Self, Error> {
        let mut normalizer = Self::with_patience(Patience::Always);
        let channel = channel(&mut normalizer.channels, track.id)?;
        channel.take_config(track.codec, &track.config, &mut normalizer.repaired)?;
        Ok(normalizer)
    }

    /// Takes the body of a video tag or message.
    ///
    /// # Errors
    /// `Unsupported` for unknown codecs, `Malformed` for a broken head or configuration, `Limit` for one
    /// track too many or a configuration too long. Of a message with several tracks only if nothing in it
    /// could be used.
    pub fn push_video(&mut self, timestamp_ms: u32, body: Bytes) -> Result<MediaItems, Error> {
        let message = self.message(timestamp_ms, body);
        self.take(&message, decode_video(message.body.clone())?)
    }

    /// Takes the body of an audio tag or message.
    ///
    /// # Errors
    /// As [`push_video`](Self::push_video).
    pub fn push_audio(&mut self, timestamp_ms: u32, body: Bytes) -> Result<MediaItems, Error> {
        let message = self.message(timestamp_ms, body);
        self.take(&message, decode_audio(message.body.clone())?)
    }

    /// Takes script data in AMF0: a name and values. `@setDataFrame` before the name and the format
    /// byte of AMF3 messages are taken off; what has no name is dropped.
    pub fn push_data(&mut self, timestamp_ms: u32, payload: Bytes) -> MediaItems {
        const STRING: u8 = 2;
        const SET_DATA_FRAME: &[u8] = b"\x02\x00\x0D@setDataFrame";
        let message = self.message(timestamp_ms, payload);
        let mut payload = message.body.clone();
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
        let mut items = MediaItems::default();
        let origin = message.origin(&payload);
        items.push_frame(self.clock.data(timestamp_ms, payload), origin);
        items
    }

    /// Whether a picture is held back because it may not be whole. If nothing comes for a while, the caller is to ask
    /// for it: [`flush`](Self::flush).
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        self.channels.iter().any(|channel| channel.gathering.holds_picture())
    }

    /// The pictures that were held back, as they are: at the end, or when nothing has come for a while.
    pub fn flush(&mut self) -> MediaItems {
        let mut items = MediaItems::default();
        for channel in &mut self.channels {
            close(channel, &mut self.clock, &mut self.repaired, &mut items);
        }
        items
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

    fn message(&mut self, timestamp_ms: u32, body: Bytes) -> Message {
        let number = self.messages;
        self.messages += 1;
        Message { number, timestamp_ms, body }
    }

    fn take(&mut self, message: &Message, parts: TagParts) -> Result<MediaItems, Error> {
        let mut items = MediaItems::default();
        let mut failed = None;
        for part in parts {
            if let Err(error) = self.take_part(message, part, &mut items) {
                failed = failed.or(Some(error));
            }
        }
        self.let_go(message.number, &mut items);
        match failed {
            Some(error) if items.is_empty() => return Err(error),
            failed => self.repaired.partly_used += u64::from(failed.is_some()),
        }
        Ok(items)
    }

    fn take_part(&mut self, message: &Message, part: TagBody, items: &mut MediaItems) -> Result<(), Error> {
        let id = match &part {
            TagBody::Frame(_) | TagBody::Empty | TagBody::Command => None,
            TagBody::Config(sent) => Some(sent.id),
            TagBody::Extra { track, codec, .. } => Some(self.meant(*track, *codec)),
            TagBody::EndOfSequence(track) => Some(*track),
        };
        // What is said of a track holds from the next picture on.
        if let Some(channel) = self.channels.iter_mut().find(|channel| Some(channel.id) == id) {
            close(channel, &mut self.clock, &mut self.repaired, items);
        }
        let track = match (part, id) {
            (TagBody::Frame(coded), _) => return self.take_coded(message, coded, items),
            (TagBody::Config(sent), _) => {
                let channel = channel(&mut self.channels, sent.id)?;
                channel.take_config(sent.codec, &sent.config, &mut self.repaired)?
            }
            (TagBody::Extra { bytes, .. }, Some(meant)) => {
                let channel = channel(&mut self.channels, meant)?;
                channel.take_extra(&bytes, &mut self.repaired)?
            }
            _ => {
                self.repaired.empty += 1;
                None
            }
        };
        track.into_iter().for_each(|track| items.push_track(track));
        Ok(())
    }

    /// Lets go on what has been held for too long, and the largest pictures where all together are too large.
    fn let_go(&mut self, message: u64, items: &mut MediaItems) {
        let oldest = message.saturating_sub(HELD_MESSAGES_MAX);
        let mut held: usize = self.channels.iter().map(|channel| channel.gathering.held_bytes()).sum();
        let largest = |channels: &[Channel]| {
            let bytes = channels.iter().map(|channel| channel.gathering.held_bytes());
            bytes.enumerate().max_by_key(|(_, bytes)| *bytes).map(|(at, _)| at)
        };
        while held > HELD_BYTES_MAX
            && let Some(channel) = largest(&self.channels).and_then(|at| self.channels.get_mut(at))
        {
            held -= channel.gathering.held_bytes();
            close(channel, &mut self.clock, &mut self.repaired, items);
        }
        for channel in &mut self.channels {
            if channel.gathering.held_since().is_some_and(|first| first < oldest) {
                close(channel, &mut self.clock, &mut self.repaired, items);
            }
        }
    }

    /// Takes what a message has of one track: a frame or a part of one, or several of sound.
    fn take_coded(
        &mut self,
        message: &Message,
        coded: CodedFrame,
        items: &mut MediaItems,
    ) -> Result<(), Error> {
        let channel = channel(&mut self.channels, coded.track)?;
        let mut frames = SoundFrames::of(coded);
        for (delay_ms, coded) in frames.by_ref() {
            let timestamp_ms = message.timestamp_ms.wrapping_add(delay_ms);
            match channel.gather(message, timestamp_ms, coded, self.patience, &mut self.repaired) {
                Ok(whole) => whole
                    .into_iter()
                    .flatten()
                    .for_each(|piece| emit(channel, piece, &mut self.clock, &mut self.repaired, items)),
                Err(dropped) => self.repaired.count(dropped),
            }
        }
        self.repaired.several_frames += u64::from(frames.were_several());
        Ok(())
    }
}

/// Lets the picture that is held of a track go on as it is, if there is one.
fn close(channel: &mut Channel, clock: &mut Clock, repaired: &mut Repaired, items: &mut MediaItems) {
    if let Some(piece) = channel.gathering.close() {
        emit(channel, piece, clock, repaired, items);
    }
}

/// Makes a whole frame regular and gives it its times.
fn emit(
    channel: &mut Channel,
    mut piece: Piece,
    clock: &mut Clock,
    repaired: &mut Repaired,
    items: &mut MediaItems,
) {
    let payload = piece.coded.payload.clone();
    match channel.take_frame(&mut piece, repaired) {
        Ok(track) => {
            let Piece { timestamp_ms, coded, mut origin } = piece;
            origin.at = origin.at.and_then(|at| Some(at + place_within(&coded.payload, &payload)?));
            let frame = clock.frame(&mut channel.time, timestamp_ms, coded, repaired);
            track.into_iter().for_each(|track| items.push_track(track));
            items.push_frame(frame, origin);
        }
        Err(dropped) => repaired.count(dropped),
    }
}

impl Normalizer {
    /// The track that `codec` is the codec of: ffmpeg sends colours of any video track without its number.
    fn meant(&self, id: TrackId, codec: Codec) -> TrackId {
        let is_of = |channel: &&Channel| channel.codec().is_some_and(|it| it.four_cc() == codec.four_cc());
        let of_id = self.channels.iter().find(|channel| channel.id == id && channel.codec().is_some());
        if of_id.is_none_or(|channel| is_of(&channel)) {
            return id;
        }
        let mut of_kind = self.channels.iter().filter(|channel| channel.id.kind == id.kind);
        of_kind.find(is_of).map_or(id, |channel| channel.id)
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
