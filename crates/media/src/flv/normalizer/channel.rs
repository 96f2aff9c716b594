//! One track of a publisher: what is known of it, and its frames made regular.

use bytes::Bytes;

use super::aac_guess::AacGuess;
use super::access_unit::{Gathering, Patience, Piece};
use super::config::{DecoderConfig, Known};
use super::items::{Message, unbound};
use super::nal::Starts;
use super::repaired::{Dropped, Repaired};
use super::{audio, extra, nal, obu, vp};
use crate::codec::av1::{Av1Config, begins_with_key_frame};
use crate::flv::tag::CodedFrame;
use crate::flv::timeline::TrackTime;
use crate::{Codec, Error, Track, TrackId};

/// Longest decoder configuration. They have a hundred bytes or two; comments may stand in FLAC's.
const CONFIG_LEN_MAX: usize = 64 << 10;

/// What is known of one track.
#[derive(Clone, Debug)]
pub(super) struct Channel {
    pub(super) id: TrackId,
    pub(super) time: TrackTime,
    /// As announced; `None` until the first complete configuration.
    track: Option<Track>,
    /// The configuration as it was last sent, to tell a repeat from a change.
    sent: Option<(Codec, Bytes)>,
    known: Known,
    /// AV1's configuration, until its first key frame: senders make it up before their encoder has said anything
    /// (gortmplib), and some players take no second one.
    unproven: Option<Bytes>,
    /// What was said beside the configuration; it may come before it.
    extra: Bytes,
    pub(super) gathering: Gathering,
    starts: Starts,
    aac_guess: AacGuess,
    /// Frames of which nobody has told how to decode them: what they are coded as, and how many came in a row.
    undecodable: Option<(Codec, u64)>,
}

impl Channel {
    pub(super) const fn new(id: TrackId) -> Self {
        Self {
            id,
            time: TrackTime::NEW,
            track: None,
            sent: None,
            known: Known::Nothing,
            unproven: None,
            extra: Bytes::new(),
            gathering: Gathering::NEW,
            starts: Starts::NEW,
            aac_guess: AacGuess::NEW,
            undecodable: None,
        }
    }

    /// As last announced.
    pub(super) const fn track(&self) -> Option<&Track> {
        self.track.as_ref()
    }

    /// What its frames are coded as, as far as it was said.
    pub(super) fn codec(&self) -> Option<Codec> {
        let unproven = self.unproven.as_ref().map(|_| Codec::Av1);
        unproven.or_else(|| self.track.as_ref().map(|track| track.codec))
    }

    /// Takes a configuration as it was sent; the track is returned if it changes and is complete.
    pub(super) fn take_config(
        &mut self,
        codec: Codec,
        config: &Bytes,
        repaired: &mut Repaired,
    ) -> Result<Option<Track>, Error> {
        if matches!(codec, Codec::Mp3 { .. }) {
            // It has none, and what the track is called only its frames tell.
            repaired.count(Dropped::Empty);
            return Ok(None);
        }
        if self.sent.as_ref().is_some_and(|(of, sent)| *of == codec && sent == config) {
            repaired.repeated_configs += 1;
            return Ok(None);
        }
        // It outlives its message: a slice would keep all of a message with several tracks in memory.
        let config = Bytes::copy_from_slice(config);
        let read = read_config(codec, &config)?;
        // FLAC's has another form in tags than everywhere else: no repair.
        repaired.synthesised_configs += u64::from(read.bytes != config && codec != Codec::Flac);
        if codec == Codec::Av1 && !self.is_announced(codec) {
            self.unproven = Some(read.bytes);
            self.sent = Some((codec, config));
            return Ok(None);
        }
        let track = self.announce(codec, read);
        self.sent = Some((codec, config));
        Ok(track)
    }

    /// Takes what is said beside the configuration; the track is returned if that changes it.
    pub(super) fn take_extra(
        &mut self,
        bytes: &Bytes,
        repaired: &mut Repaired,
    ) -> Result<Option<Track>, Error> {
        let extra = extra::read(self.id.kind, bytes)?;
        if self.extra == extra {
            repaired.repeated_configs += 1;
            return Ok(None);
        }
        self.extra = extra;
        let Some(track) = &mut self.track else { return Ok(None) };
        track.extra = self.extra.clone();
        Ok(Some(track.clone()))
    }

    /// Frames that came in a row and of which nobody has told how to decode them: what they are coded as, and how
    /// many they are.
    pub(super) const fn undecodable(&self) -> Option<(Codec, u64)> {
        self.undecodable
    }

    /// Takes what a message has of a frame. What is whole comes back, the frame before in front; of codecs without
    /// NAL units it is this one.
    pub(super) fn gather(
        &mut self,
        message: &Message,
        timestamp_ms: u32,
        mut coded: CodedFrame,
        patience: Patience,
        repaired: &mut Repaired,
    ) -> Result<[Option<Piece>; 2], Dropped> {
        if !matches!(coded.codec, Codec::H264 | Codec::H265 | Codec::H266) {
            let origin = message.origin(&coded.payload);
            coded.payload = unbound(&coded.payload, &message.body);
            return Ok([self.gathering.close(), Some(Piece { timestamp_ms, coded, origin })]);
        }
        let picture = nal::tile(&mut coded, &self.known, repaired)?;
        let origin = message.origin(&coded.payload);
        coded.payload = unbound(&coded.payload, &message.body);
        Ok(self.gathering.take(Piece { timestamp_ms, coded, origin }, picture, patience))
    }

    /// Makes a whole frame regular; the track is returned if it changes with this frame.
    pub(super) fn take_frame(
        &mut self,
        piece: &mut Piece,
        repaired: &mut Repaired,
    ) -> Result<Option<Track>, Dropped> {
        let Piece { timestamp_ms, coded, origin } = piece;
        repaired.joined_messages += origin.last - origin.first;
        let found = self.look_inside(coded, repaired)?;
        // What is announced must reach whoever is told: nothing is told with a frame that is dropped.
        if coded.payload.is_empty() {
            return Err(Dropped::Empty);
        }
        let is_unproven =
            coded.codec == Codec::Av1 && !self.is_announced(Codec::Av1) && coded.key != Some(true);
        let mut track = match found {
            Some(found) if is_unproven => {
                self.unproven = Some(found.bytes);
                None
            }
            found => found.and_then(|found| self.announce(coded.codec, found)),
        };
        repaired.synthesised_configs += u64::from(track.is_some());
        if coded.codec == Codec::Av1 {
            track = track.or_else(|| self.prove(coded));
        }
        let codec = coded.codec;
        if self.is_announced(codec) {
            self.undecodable = None;
            return Ok(track);
        }
        if !codec.needs_config() {
            return Ok(self.announce(codec, DecoderConfig::opaque(Bytes::new())));
        }
        if codec == Codec::Aac
            && let Some(config) = self.aac_guess.look(*timestamp_ms, &coded.payload)
        {
            repaired.guessed_configs += 1;
            self.undecodable = None;
            let bytes = config.to_bytes();
            return Ok(self.announce(codec, DecoderConfig { known: Known::Aac(config), bytes }));
        }
        if self.unproven.is_some() {
            return Err(Dropped::Unannounced);
        }
        let before = self.undecodable.filter(|(of, _)| *of == codec).map_or(0, |(_, count)| count);
        self.undecodable = Some((codec, before + 1));
        Err(Dropped::Unannounced)
    }

    /// Makes the payload and the key flag regular. The configuration is returned if one stands inside that differs
    /// from what is announced, or if it can be told from the frame.
    fn look_inside(
        &mut self,
        coded: &mut CodedFrame,
        repaired: &mut Repaired,
    ) -> Result<Option<DecoderConfig>, Dropped> {
        let codec = coded.codec;
        let is_announced = self.is_announced(codec);
        Ok(match codec {
            Codec::H264 | Codec::H265 | Codec::H266 => {
                // Read again, so that no slice of the frame is kept.
                let record = nal::look_inside(coded, &self.known, is_announced, &mut self.starts, repaired);
                record.and_then(|record| read_config(codec, &record).ok())
            }
            Codec::Aac => audio::strip_adts(coded, &self.known, repaired)?,
            Codec::Av1 => {
                let announced = self.track.as_ref().filter(|_| is_announced).map(|track| &track.config);
                let announced = announced.or(self.unproven.as_ref());
                obu::strip_delimiters(coded, announced, repaired)
            }
            Codec::Vp8 | Codec::Vp9 => vp::look_inside(coded, is_announced, repaired),
            CodedFrame::MP3_UNKNOWN => {
                coded.codec = audio::mp3_codec(&coded.payload);
                None
            }
            _ => None,
        })
    }

    /// Announces AV1 with its first key frame, which says the same as the configuration or nothing.
    fn prove(&mut self, coded: &CodedFrame) -> Option<Track> {
        let begins = || coded.key == Some(true) || begins_with_key_frame(&coded.payload) == Some(true);
        let config = self.unproven.take_if(|_| begins())?;
        self.announce(Codec::Av1, DecoderConfig::opaque(config))
    }

    fn is_announced(&self, codec: Codec) -> bool {
        self.track.as_ref().is_some_and(|track| track.codec == codec)
    }

    /// Remembers a configuration. The track is returned if that is a change and if it is complete.
    fn announce(&mut self, codec: Codec, config: DecoderConfig) -> Option<Track> {
        let DecoderConfig { known, bytes } = config;
        if self.track.as_ref().is_some_and(|track| track.codec != codec) {
            // What was said of the old codec's frames says nothing of the new one's.
            self.extra = Bytes::new();
            self.sent = None;
            self.starts = Starts::NEW;
        }
        self.unproven = None;
        let complete = known.is_complete();
        self.known = known;
        let track = Track { extra: self.extra.clone(), ..Track::new(self.id, codec, bytes) };
        if self.track.as_ref() == Some(&track) {
            return None;
        }
        self.track = complete.then_some(track);
        self.track.clone()
    }
}

/// What must be known of a configuration, and the bytes that go to decoders: as they were sent, unless
/// decoders would stumble over them.
fn read_config(codec: Codec, config: &Bytes) -> Result<DecoderConfig, Error> {
    if config.len() > CONFIG_LEN_MAX {
        return Err(Error::limit(
            "decoder configuration in bytes",
            config.len() as u64,
            CONFIG_LEN_MAX as u64,
        ));
    }
    match codec {
        Codec::H264 => nal::read_avc_config(config),
        Codec::H265 => nal::read_hevc_config(config),
        Codec::H266 => Ok(nal::read_vvc_config(config)),
        Codec::Aac => audio::read_aac_config(config),
        Codec::Av1 => Av1Config::parse(config).map(|_| DecoderConfig::opaque(config.clone())),
        Codec::Flac => audio::read_flac_config(config),
        Codec::Vp8 | Codec::Vp9 => vp::read_vp_config(config),
        _ => Ok(DecoderConfig::opaque(config.clone())),
    }
}
