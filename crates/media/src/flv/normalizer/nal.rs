//! H.264, H.265 and H.266 made regular: NAL units with length prefixes that tile the payload, and a
//! configuration before them.

use bytes::Bytes;

use super::config::{DecoderConfig, Known};
use super::repaired::{Dropped, Repaired};
use crate::codec::h264::{self, AvcConfig};
use crate::codec::h265::{self, HevcConfig};
use crate::codec::nal::{Framing, annex_b_nals, annex_b_to_length_prefixed, framing, nals, trimmed};
use crate::flv::tag::CodedFrame;
use crate::{Codec, Error};

/// Makes the payload tile. Parameter sets inside a frame that differ from the configuration are a
/// change of it (5.4): the record with them comes back.
pub(super) fn tile(
    coded: &mut CodedFrame,
    known: &Known,
    is_announced: bool,
    repaired: &mut Repaired,
) -> Result<Option<Bytes>, Dropped> {
    let codec = coded.codec;
    let length_size = known.length_size(codec);
    reframe(coded, length_size, repaired)?;
    let key = *coded.key.get_or_insert_with(|| starts_decoding(codec, &coded.payload, length_size));
    if !key && is_announced {
        return Ok(None);
    }
    let units = nals(&coded.payload, length_size).map_while(Result::ok);
    let found = ParameterSets::find(codec, &coded.payload, units);
    Ok(found.change(codec, known))
}

/// Annex B stands in place of the record with some encoders.
pub(super) fn read_avc_config(record: &Bytes) -> Result<DecoderConfig, Error> {
    let config = if is_annex_b(record) {
        let ParameterSets { sps, pps, .. } = ParameterSets::find(Codec::H264, record, annex_b_nals(record));
        AvcConfig::from_parameter_sets(sps, pps)?
    } else {
        AvcConfig::parse(record)?
    };
    let bytes = if record.first() == Some(&1) { record.clone() } else { config.to_bytes() };
    Ok(DecoderConfig { known: Known::Avc(config), bytes })
}

/// As above.
pub(super) fn read_hevc_config(record: &Bytes) -> Result<DecoderConfig, Error> {
    let config = if is_annex_b(record) {
        let ParameterSets { vps, sps, pps } = ParameterSets::find(Codec::H265, record, annex_b_nals(record));
        HevcConfig::from_parameter_sets(vps, sps, pps)?
    } else {
        HevcConfig::parse(record)?
    };
    let bytes = if record.first() == Some(&1) { record.clone() } else { config.to_bytes() };
    Ok(DecoderConfig { known: Known::Hevc(config), bytes })
}

/// A VvcDecoderConfigurationRecord (ISO 14496-15, 11.2.4.2), of which only the first
/// byte is looked at.
pub(super) fn read_vvc_config(record: &Bytes) -> DecoderConfig {
    let flags = record.first().copied().unwrap_or_default();
    DecoderConfig { known: Known::Vvc { length_size: (flags >> 1 & 3) + 1 }, bytes: record.clone() }
}

/// The parameter sets of a frame or record.
#[derive(Debug, Default)]
struct ParameterSets {
    /// None in H.264.
    vps: Vec<Bytes>,
    sps: Vec<Bytes>,
    pps: Vec<Bytes>,
}

impl ParameterSets {
    /// Each is a slice of `whole`.
    fn find<'a>(codec: Codec, whole: &Bytes, units: impl Iterator<Item = &'a [u8]>) -> Self {
        let mut found = Self::default();
        for unit in units {
            let sets = match (codec, h264::nal_type(unit), h265::nal_type(unit)) {
                (Codec::H264, h264::NAL_SPS, _) | (Codec::H265, _, h265::NAL_SPS) => &mut found.sps,
                (Codec::H264, h264::NAL_PPS, _) | (Codec::H265, _, h265::NAL_PPS) => &mut found.pps,
                (Codec::H265, _, h265::NAL_VPS) => &mut found.vps,
                _ => continue,
            };
            let set = whole.slice_ref(trimmed(unit));
            if !sets.contains(&set) {
                sets.push(set);
            }
        }
        found
    }

    /// The record with these sets, if they change what is known.
    fn change(self, codec: Codec, known: &Known) -> Option<Bytes> {
        let Self { vps, sps, pps } = self;
        match (codec, known) {
            _ if vps.is_empty() && sps.is_empty() && pps.is_empty() => None,
            (Codec::H264, Known::Avc(config)) => config.updated(&sps, &pps).map(|it| it.to_bytes()),
            (Codec::H264, _) => AvcConfig::from_parameter_sets(sps, pps).ok().map(|it| it.to_bytes()),
            (Codec::H265, Known::Hevc(config)) => config.updated(&vps, &sps, &pps).map(|it| it.to_bytes()),
            (Codec::H265, _) => HevcConfig::from_parameter_sets(vps, sps, pps).ok().map(|it| it.to_bytes()),
            _ => None,
        }
    }
}

fn is_annex_b(record: &[u8]) -> bool {
    record.starts_with(&[0, 0, 0, 1]) || record.starts_with(&[0, 0, 1])
}

/// Puts the payload into length-prefixed form that tiles.
fn reframe(coded: &mut CodedFrame, length_size: u8, repaired: &mut Repaired) -> Result<(), Dropped> {
    match framing(&coded.payload, length_size) {
        Framing::LengthPrefixed { len } => {
            repaired.padded += u64::from(len < coded.payload.len());
            coded.payload.truncate(len);
        }
        Framing::AnnexB | Framing::Broken if restore_misread_time(coded, length_size) => {
            repaired.timeless += 1;
        }
        Framing::AnnexB => {
            let rewritten = annex_b_to_length_prefixed(&coded.payload, length_size);
            coded.payload = rewritten.map_err(|_| Dropped::Damaged)?;
            repaired.annex_b += 1;
        }
        Framing::Broken => return Err(Dropped::Damaged),
    }
    Ok(())
}

/// Early OBS with H.265 sent no composition time where one belongs (quirk 16): what was read as such are
/// then the first bytes of the payload, and put back in front of it they make it tile.
fn restore_misread_time(coded: &mut CodedFrame, length_size: u8) -> bool {
    if coded.codec != Codec::H265 {
        return false;
    }
    let [_, misread @ ..] = coded.composition_ms.to_be_bytes();
    let whole = Bytes::from([&misread[..], &coded.payload].concat());
    let tiles = framing(&whole, length_size) == Framing::LengthPrefixed { len: whole.len() };
    if tiles {
        coded.payload = whole;
        coded.composition_ms = 0;
    }
    tiles
}

/// Whether a picture of these NAL units can be decoded without others.
fn starts_decoding(codec: Codec, payload: &[u8], length_size: u8) -> bool {
    nals(payload, length_size).map_while(Result::ok).any(|nal| match (codec, nal) {
        (Codec::H265, nal) => h265::NAL_KEY.contains(&h265::nal_type(nal)),
        // IDR with and without leading pictures, CRA.
        (Codec::H266, [_, head, ..]) => (7..=9).contains(&(head >> 3)),
        (_, nal) => h264::nal_type(nal) == h264::NAL_IDR,
    })
}
