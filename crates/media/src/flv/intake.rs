//! What one publisher sends, made regular: every known oddity of encoders ends here.
//!
//! Used wherever FLV tag bodies come in: at the RTMP publish door, in the RTMP play client, in FLV
//! files. What holds behind it is said at [`Intake`].

use bytes::Bytes;

use super::tag::{TagBody, decode_audio, decode_video};
use super::timeline::{Place, Steady, Step, TrackTime, Unwrap};
use crate::codec::aac::{AAC_LC, AdtsHeader, AudioSpecificConfig};
use crate::codec::h264::{self, AvcConfig, Framing, NAL_PPS, NAL_SPS};
use crate::{Codec, Error, Frame, Timestamp, Track, TrackId};

/// One regular thing that a publisher sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// A track begins, or its codec or configuration changes from the next frame on.
    Track(Track),
    /// One access unit. Script data comes as frames without a track before them.
    Frame(Frame),
}

/// What one message amounts to: nothing, a track, a frame, or a track and then a frame.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct Items {
    track: Option<Track>,
    frame: Option<Frame>,
}

impl Iterator for Items {
    type Item = Item;

    fn next(&mut self) -> Option<Item> {
        self.track.take().map(Item::Track).or_else(|| self.frame.take().map(Item::Frame))
    }
}

/// How often the intake had to mend what was sent, and what it dropped. For operators and `probe`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Mended {
    /// Messages that carry nothing: no bytes, an empty AAC configuration, player commands.
    pub empty: u64,
    /// Configurations that were sent again unchanged.
    pub repeated_configs: u64,
    /// Configurations made from parameter sets or ADTS headers inside frames, or repaired.
    pub synthesised_configs: u64,
    /// Video messages rewritten from Annex B start codes.
    pub annex_b: u64,
    /// Audio messages whose ADTS header was taken off.
    pub adts: u64,
    /// Messages with zeros behind the last NAL unit, taken off.
    pub padded: u64,
    /// Messages dropped because NAL lengths run past their end (some DJI drones).
    pub damaged: u64,
    /// Frames dropped because nothing had yet told how to decode them.
    pub unannounced: u64,
    /// Data messages dropped because they hold no AMF0 name (the time codes of ffmpeg).
    pub bad_data: u64,
    /// Timestamps that lay up to 3 s before their predecessor and were moved behind it.
    pub clamped_timestamps: u64,
    /// Times that a track's clock started over.
    pub restarted_clocks: u64,
}

/// Makes one publisher's messages regular.
///
/// A [`Track`] comes before the first frame that needs it and again when it changes, never without a
/// change. Decoding times of a track never go back. H.264 payloads are length-prefixed and tile; AAC
/// payloads are bare frames.
///
/// An error concerns one message, which is ignored; the intake stays usable, and the caller decides
/// whether the publisher may go on.
#[derive(Clone, Debug, Default)]
pub struct Intake {
    video: Channel,
    avc: Option<AvcConfig>,
    audio: Channel,
    aac: Option<AudioSpecificConfig>,
    unwrap: Unwrap,
    steady: Steady,
    data_last_ms: Option<i64>,
    mended: Mended,
}

/// What is known of one track.
#[derive(Clone, Debug, Default)]
struct Channel {
    /// As announced; `None` until the first complete configuration.
    track: Option<Track>,
    /// The configuration as it was last sent, to tell a repeat from a change.
    sent: Bytes,
    time: TrackTime,
}

impl Intake {
    /// For one publisher, from its first message on.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the body of a video tag or message.
    ///
    /// # Errors
    /// `Unsupported` for unknown codecs, `Malformed` for a broken head or configuration.
    pub fn push_video(&mut self, timestamp_ms: u32, body: Bytes) -> Result<Items, Error> {
        match decode_video(body)? {
            TagBody::Config(track) => self.take_avc_config(&track.config),
            TagBody::Frame { codec: Codec::H264, key, composition_ms, payload } => {
                Ok(self.take_avc_frame(timestamp_ms, key, composition_ms, payload))
            }
            TagBody::Frame { codec, key, payload, .. } => {
                let track = self.video.change_codec(TrackId::VIDEO, codec);
                let frame = self.frame(TrackId::VIDEO, codec, timestamp_ms, key, 0, payload);
                Ok(Items { track, frame: Some(frame) })
            }
            TagBody::EndOfSequence | TagBody::Empty | TagBody::Command => Ok(self.nothing()),
        }
    }

    /// Takes the body of an audio tag or message.
    ///
    /// # Errors
    /// As [`push_video`](Self::push_video).
    pub fn push_audio(&mut self, timestamp_ms: u32, body: Bytes) -> Result<Items, Error> {
        match decode_audio(body)? {
            TagBody::Config(track) => self.take_aac_config(track.config),
            TagBody::Frame { codec: Codec::Aac, payload, .. } => {
                Ok(self.take_aac_frame(timestamp_ms, payload))
            }
            TagBody::Frame { codec, payload, .. } => {
                let track = self.audio.change_codec(TrackId::AUDIO, codec);
                let frame = self.frame(TrackId::AUDIO, codec, timestamp_ms, true, 0, payload);
                Ok(Items { track, frame: Some(frame) })
            }
            TagBody::EndOfSequence | TagBody::Empty | TagBody::Command => Ok(self.nothing()),
        }
    }

    /// Takes script data in AMF0: a name and values. `@setDataFrame` before the name and the format
    /// byte of AMF3 messages are taken off; what has no name is dropped.
    pub fn push_data(&mut self, timestamp_ms: u32, payload: Bytes) -> Items {
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
            self.mended.bad_data += 1;
            return Items::default();
        }
        let placed = self.steady.place_data(self.unwrap.peek(timestamp_ms));
        let dts_ms = self.data_last_ms.map_or(placed, |last| placed.max(last));
        self.data_last_ms = Some(dts_ms);
        let dts = Timestamp::from_ms(dts_ms);
        let frame = Frame { track: TrackId::DATA, codec: Codec::Script, dts, pts: dts, key: true, payload };
        Items { track: None, frame: Some(frame) }
    }

    /// The tracks as last announced, video first.
    pub fn tracks(&self) -> impl Iterator<Item = &Track> {
        [&self.video, &self.audio].into_iter().filter_map(|channel| channel.track.as_ref())
    }

    /// What had to be mended so far.
    #[must_use]
    pub const fn mended(&self) -> &Mended {
        &self.mended
    }

    fn take_avc_config(&mut self, record: &Bytes) -> Result<Items, Error> {
        if self.avc.is_some() && self.video.sent == *record {
            self.mended.repeated_configs += 1;
            return Ok(Items::default());
        }
        let annex_b = record.starts_with(&[0, 0, 0, 1]) || record.starts_with(&[0, 0, 1]);
        let config = if annex_b {
            let (sps, pps) = parameter_sets(record, h264::annex_b_nals(record));
            AvcConfig::from_parameter_sets(sps, pps)?
        } else {
            AvcConfig::parse(record)?
        };
        // The record goes to decoders as it was sent unless they would stumble over it.
        let as_sent = record.first() == Some(&1);
        if !as_sent {
            self.mended.synthesised_configs += 1;
        }
        let bytes = if as_sent { record.clone() } else { config.to_bytes() };
        self.video.sent = record.clone();
        Ok(Items { track: self.announce_avc(config, bytes), frame: None })
    }

    fn take_avc_frame(&mut self, timestamp_ms: u32, key: bool, composition_ms: i32, payload: Bytes) -> Items {
        let length_size = self.avc.as_ref().map_or(4, |config| config.length_size);
        let Some(payload) = self.regular_nals(payload, length_size) else { return Items::default() };
        if payload.is_empty() {
            return self.nothing();
        }
        let complete = self.avc.as_ref().is_some_and(is_complete);
        let track = if key || !complete { self.adopt_in_band_sets(&payload, length_size) } else { None };
        if !self.avc.as_ref().is_some_and(is_complete) {
            self.mended.unannounced += 1;
            return Items::default();
        }
        let frame = self.frame(TrackId::VIDEO, Codec::H264, timestamp_ms, key, composition_ms, payload);
        Items { track, frame: Some(frame) }
    }

    /// The payload in length-prefixed form that tiles; `None` if it cannot be had.
    fn regular_nals(&mut self, payload: Bytes, length_size: u8) -> Option<Bytes> {
        match h264::framing(&payload, length_size) {
            Framing::LengthPrefixed { len } => {
                self.mended.padded += u64::from(len < payload.len());
                Some(payload.slice(..len))
            }
            Framing::AnnexB => {
                let rewritten = h264::annex_b_to_length_prefixed(&payload, length_size).ok();
                let counter =
                    if rewritten.is_some() { &mut self.mended.annex_b } else { &mut self.mended.damaged };
                *counter += 1;
                rewritten
            }
            Framing::Broken => {
                self.mended.damaged += 1;
                None
            }
        }
    }

    /// Parameter sets inside a frame that differ from the configuration are a change of it.
    fn adopt_in_band_sets(&mut self, payload: &Bytes, length_size: u8) -> Option<Track> {
        let (sps, pps) = parameter_sets(payload, h264::nals(payload, length_size).map_while(Result::ok));
        if sps.is_empty() && pps.is_empty() {
            return None;
        }
        let config = match &self.avc {
            Some(config) => config.updated(&sps, &pps)?,
            None => AvcConfig::from_parameter_sets(sps, pps).ok()?,
        };
        let bytes = config.to_bytes();
        let track = self.announce_avc(config, bytes);
        self.mended.synthesised_configs += u64::from(track.is_some());
        track
    }

    /// Remembers a configuration; a track comes of it once it is complete.
    fn announce_avc(&mut self, config: AvcConfig, bytes: Bytes) -> Option<Track> {
        let complete = is_complete(&config);
        self.avc = Some(config);
        if !complete {
            self.video.track = None;
            return None;
        }
        self.video.change(Track::new(TrackId::VIDEO, Codec::H264, bytes))
    }

    fn take_aac_config(&mut self, config: Bytes) -> Result<Items, Error> {
        if self.aac.is_some() && self.audio.sent == config {
            self.mended.repeated_configs += 1;
            return Ok(Items::default());
        }
        let parsed = AudioSpecificConfig::parse(&config)?;
        self.audio.sent = config.clone();
        let bytes = if has_garbage_tail(&parsed, &config) {
            self.mended.synthesised_configs += 1;
            parsed.to_bytes()
        } else {
            config
        };
        Ok(Items { track: self.announce_aac(parsed, bytes), frame: None })
    }

    fn take_aac_frame(&mut self, timestamp_ms: u32, payload: Bytes) -> Items {
        let mut payload = payload;
        let mut track = None;
        // A bare frame cannot start with twelve ones: that would be an end marker followed by nothing.
        if let Some(header) = AdtsHeader::parse(&payload).filter(|header| header.frame_len == payload.len()) {
            payload = payload.slice(header.header_len..);
            self.mended.adts += 1;
            let found = header.config();
            let same_core = |known: &AudioSpecificConfig| {
                known.sample_rate == found.sample_rate
                    && (known.channel_config == found.channel_config || found.channel_config == 0)
            };
            if !self.aac.as_ref().is_some_and(same_core) {
                self.mended.synthesised_configs += 1;
                track = self.announce_aac(found, found.to_bytes());
            }
        }
        if payload.is_empty() {
            self.mended.empty += 1;
            return Items { track, frame: None };
        }
        if self.aac.is_none() {
            self.mended.unannounced += 1;
            return Items::default();
        }
        let frame = self.frame(TrackId::AUDIO, Codec::Aac, timestamp_ms, true, 0, payload);
        Items { track, frame: Some(frame) }
    }

    fn announce_aac(&mut self, config: AudioSpecificConfig, bytes: Bytes) -> Option<Track> {
        self.aac = Some(config);
        self.audio.change(Track::new(TrackId::AUDIO, Codec::Aac, bytes))
    }

    fn nothing(&mut self) -> Items {
        self.mended.empty += 1;
        Items::default()
    }

    fn frame(
        &mut self,
        track: TrackId,
        codec: Codec,
        timestamp_ms: u32,
        key: bool,
        composition_ms: i32,
        payload: Bytes,
    ) -> Frame {
        let channel = if track == TrackId::VIDEO { &mut self.video } else { &mut self.audio };
        let extended = self.unwrap.extend(timestamp_ms);
        let Place { dts_ms, delay_ms, step } = self.steady.place(&mut channel.time, extended);
        match step {
            Step::Regular => {}
            Step::Clamped => self.mended.clamped_timestamps += 1,
            Step::Restarted => self.mended.restarted_clocks += 1,
        }
        // A picture that was moved in decoding order is still to be shown when its sender meant it to be.
        let composition = i64::from(composition_ms);
        let composition =
            if delay_ms == 0 { composition } else { composition.saturating_sub(delay_ms).max(0) };
        Frame {
            track,
            codec,
            dts: Timestamp::from_ms(dts_ms),
            pts: Timestamp::from_ms(dts_ms.saturating_add(composition)),
            key,
            payload,
        }
    }
}

impl Channel {
    /// Replaces the track; it is returned if that is a change.
    fn change(&mut self, track: Track) -> Option<Track> {
        if self.track.as_ref() == Some(&track) {
            return None;
        }
        self.track = Some(track.clone());
        Some(track)
    }

    /// For codecs without a configuration: the codec is all that can change.
    fn change_codec(&mut self, id: TrackId, codec: Codec) -> Option<Track> {
        if self.track.as_ref().is_some_and(|track| track.codec == codec) {
            return None;
        }
        self.change(Track::new(id, codec, Bytes::new()))
    }
}

fn is_complete(config: &AvcConfig) -> bool {
    !config.sps.is_empty() && !config.pps.is_empty()
}

/// Whether bytes follow a two-byte AAC-LC configuration that are no announcement of HE-AAC (Omnia).
fn has_garbage_tail(parsed: &AudioSpecificConfig, config: &[u8]) -> bool {
    parsed.object_type == AAC_LC
        && parsed.channel_config != 0
        && parsed.sbr_rate.is_none()
        && config.len() > 2
        && config.get(2..4) != Some(&[0x56, 0xE5])
        && config.starts_with(&parsed.to_bytes())
}

fn parameter_sets<'a>(whole: &Bytes, nals: impl Iterator<Item = &'a [u8]>) -> (Vec<Bytes>, Vec<Bytes>) {
    let (mut sps, mut pps) = (Vec::new(), Vec::new());
    for nal in nals {
        let sets = match h264::nal_type(nal) {
            NAL_SPS => &mut sps,
            NAL_PPS => &mut pps,
            _ => continue,
        };
        let set = whole.slice_ref(h264::trimmed(nal));
        if !sets.contains(&set) {
            sets.push(set);
        }
    }
    (sps, pps)
}

#[cfg(test)]
mod tests;
