//! H.264, H.265 and H.266 made regular: NAL units with length prefixes that tile the payload, and a
//! configuration before them.

use bytes::Bytes;

use super::channel::{Channel, Known};
use super::mended::{Dropped, Mended};
use crate::codec::h264::{self, AvcConfig, Framing, NAL_IDR, NAL_PPS, NAL_SPS};
use crate::flv::tag::Coded;
use crate::{Codec, Error, Track};

impl Channel {
    /// Makes the payload tile. Parameter sets inside an H.264 frame that differ from the configuration
    /// are a change of it (5.4).
    pub(super) fn take_nals(
        &mut self,
        coded: &mut Coded,
        mended: &mut Mended,
    ) -> Result<Option<Track>, Dropped> {
        let length_size = self.length_size();
        reframe(coded, length_size, mended)?;
        let codec = coded.codec;
        let key = *coded.key.get_or_insert_with(|| starts_decoding(codec, &coded.payload, length_size));
        if codec != Codec::H264 || (!key && self.is_announced(codec)) {
            return Ok(None);
        }
        let Some(config) = self.with_sets_in_band(&coded.payload, length_size) else { return Ok(None) };
        let bytes = config.to_bytes();
        let track = self.announce(codec, Known::Avc(config), bytes);
        mended.synthesised_configs += u64::from(track.is_some());
        Ok(track)
    }

    fn length_size(&self) -> u8 {
        match self.known() {
            Known::Avc(config) => config.length_size,
            Known::LengthSize(size) => *size,
            Known::Nothing | Known::Aac(_) => 4,
        }
    }

    /// The configuration with the parameter sets of a frame, if they change it.
    fn with_sets_in_band(&self, payload: &Bytes, length_size: u8) -> Option<AvcConfig> {
        let (sps, pps) = parameter_sets(payload, h264::nals(payload, length_size).map_while(Result::ok));
        match self.known() {
            _ if sps.is_empty() && pps.is_empty() => None,
            Known::Avc(config) => config.updated(&sps, &pps),
            _ => AvcConfig::from_parameter_sets(sps, pps).ok(),
        }
    }
}

/// See `read_config`. Annex B stands in place of the record with some encoders.
pub(super) fn read_avc_config(record: &Bytes) -> Result<(Known, Bytes), Error> {
    let annex_b = record.starts_with(&[0, 0, 0, 1]) || record.starts_with(&[0, 0, 1]);
    let config = if annex_b {
        let (sps, pps) = parameter_sets(record, h264::annex_b_nals(record));
        AvcConfig::from_parameter_sets(sps, pps)?
    } else {
        AvcConfig::parse(record)?
    };
    let bytes = if record.first() == Some(&1) { record.clone() } else { config.to_bytes() };
    Ok((Known::Avc(config), bytes))
}

/// See `read_config`: an HEVCDecoderConfigurationRecord (ISO 14496-15, 8.3.3.1).
pub(super) fn read_hevc_config(record: &Bytes) -> Result<(Known, Bytes), Error> {
    const LENGTH_SIZE_AT: usize = 21;
    match (record.first(), record.get(LENGTH_SIZE_AT)) {
        (Some(1), Some(flags)) => Ok((Known::LengthSize((flags & 3) + 1), record.clone())),
        (Some(1), None) => {
            Err(Error::malformed("HEVCDecoderConfigurationRecord", "it has less than 22 bytes"))
        }
        _ => Err(Error::malformed("HEVCDecoderConfigurationRecord", "its version is not 1")),
    }
}

/// See `read_config`: a VvcDecoderConfigurationRecord (ISO 14496-15, 11.2.4.2).
pub(super) fn read_vvc_config(record: &Bytes) -> Result<(Known, Bytes), Error> {
    let flags = record.first().copied().unwrap_or_default();
    Ok((Known::LengthSize((flags >> 1 & 3) + 1), record.clone()))
}

/// Puts the payload into length-prefixed form that tiles.
fn reframe(coded: &mut Coded, length_size: u8, mended: &mut Mended) -> Result<(), Dropped> {
    match h264::framing(&coded.payload, length_size) {
        Framing::LengthPrefixed { len } => {
            mended.padded += u64::from(len < coded.payload.len());
            coded.payload.truncate(len);
        }
        Framing::AnnexB | Framing::Broken if restore_misread_time(coded, length_size) => mended.timeless += 1,
        Framing::AnnexB => {
            let rewritten = h264::annex_b_to_length_prefixed(&coded.payload, length_size);
            coded.payload = rewritten.map_err(|_| Dropped::Damaged)?;
            mended.annex_b += 1;
        }
        Framing::Broken => return Err(Dropped::Damaged),
    }
    Ok(())
}

/// Early OBS with H.265 sent no composition time where one belongs (quirk 16): what was read as such are
/// then the first bytes of the payload, and put back in front of it they make it tile.
fn restore_misread_time(coded: &mut Coded, length_size: u8) -> bool {
    if coded.codec != Codec::H265 {
        return false;
    }
    let [_, misread @ ..] = coded.composition_ms.to_be_bytes();
    let whole = Bytes::from([&misread[..], &coded.payload].concat());
    let tiles = h264::framing(&whole, length_size) == Framing::LengthPrefixed { len: whole.len() };
    if tiles {
        coded.payload = whole;
        coded.composition_ms = 0;
    }
    tiles
}

/// Whether a picture of these NAL units can be decoded without others.
fn starts_decoding(codec: Codec, payload: &[u8], length_size: u8) -> bool {
    h264::nals(payload, length_size).map_while(Result::ok).any(|nal| match (codec, nal) {
        (Codec::H265, [head, ..]) => (16..=21).contains(&(head >> 1 & 0x3F)),
        (Codec::H266, [_, head, ..]) => (7..=9).contains(&(head >> 3)),
        (_, nal) => h264::nal_type(nal) == NAL_IDR,
    })
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
