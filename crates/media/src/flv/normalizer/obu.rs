//! AV1 made regular: no temporal delimiters, as MP4 and Enhanced RTMP want it, and a configuration.

use bytes::Bytes;

use super::config::DecoderConfig;
use super::repaired::Repaired;
use crate::Codec;
use crate::codec::av1::{Av1Config, sequence_header, without_delimiter};
use crate::flv::tag::CodedFrame;
use crate::picture_start::PictureStart;

/// Bytes of the configuration before its OBUs.
const CONFIG_HEAD_LEN: usize = 4;

/// Takes temporal delimiters off. A sequence header that differs from that of the configuration is a change of
/// it, or stands in for it: then the configuration comes back. Decoding can start with a key frame that is shown,
/// whatever the sender says, if a sequence header stands before it or in the configuration. `announced` is the
/// configuration that goes to decoders, if the track is announced as AV1.
pub(super) fn strip_delimiters(
    coded: &mut CodedFrame,
    announced: Option<&Bytes>,
    repaired: &mut Repaired,
) -> Option<DecoderConfig> {
    loop {
        let rest = without_delimiter(&coded.payload);
        if rest.len() == coded.payload.len() {
            break;
        }
        coded.payload = rest;
    }
    let found = sequence_header(&coded.payload);
    let known = announced.and_then(|announced| sequence_header(announced.get(CONFIG_HEAD_LEN..)?));
    let is_described = found.is_some() || known.is_some();
    let says = PictureStart::of_bytes(Codec::Av1, &coded.payload).map(PictureStart::is_start);
    let key = is_described && says.or(coded.key) != Some(false);
    repaired.key_flags += u64::from(coded.key.is_some_and(|flagged| flagged != key));
    coded.key = Some(key);
    let found = found?;
    if announced.is_some() && known.is_none_or(|known| known == found) {
        return None;
    }
    Some(DecoderConfig::opaque(Av1Config::from_temporal_unit(&coded.payload).ok()?.to_bytes()))
}
