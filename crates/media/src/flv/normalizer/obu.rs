//! AV1 made regular: no temporal delimiters, as MP4 and Enhanced RTMP want it, and a configuration.

use bytes::Bytes;

use super::channel::{Channel, Known};
use super::repaired::Repaired;
use crate::codec::av1::{Av1Config, sequence_header, without_delimiter};
use crate::flv::tag::CodedFrame;
use crate::{Codec, Track};

/// Bytes of the configuration before its OBUs.
const CONFIG_HEAD_LEN: usize = 4;

impl Channel {
    /// Takes temporal delimiters off. A sequence header that differs from the configuration's is a change
    /// of it, or stands in for it. Decoding can start where there is one.
    pub(super) fn take_obus(&mut self, coded: &mut CodedFrame, repaired: &mut Repaired) -> Option<Track> {
        loop {
            let rest = without_delimiter(&coded.payload);
            if rest.len() == coded.payload.len() {
                break;
            }
            coded.payload = rest;
        }
        if coded.key == Some(false) && self.is_announced(Codec::Av1) {
            return None;
        }
        let found = sequence_header(&coded.payload);
        let key = found.is_some();
        coded.key.get_or_insert(key);
        let found = found?;
        let known = self.track().filter(|track| track.codec == Codec::Av1);
        if let Some(known) = known {
            let announced = sequence_header(known.config.get(CONFIG_HEAD_LEN..).unwrap_or_default());
            if announced.is_none_or(|announced| announced == found) {
                return None;
            }
        }
        let config: Bytes = Av1Config::from_temporal_unit(&coded.payload).ok()?.to_bytes();
        repaired.synthesised_configs += 1;
        self.announce(Codec::Av1, Known::Nothing, config)
    }
}
