//! H.264, H.265 and H.266 made regular: NAL units with length prefixes that tile the payload, and a
//! configuration before them.

use bytes::Bytes;

use super::config::{DecoderConfig, Known};
use super::picture::Picture;
use super::reframe::reframe;
use super::repaired::{Dropped, Repaired};
use crate::codec::h264::AvcConfig;
use crate::codec::h265::HevcConfig;
use crate::codec::nal::{annex_b_nals, nals};
use crate::flv::tag::CodedFrame;
use crate::parameter_sets::ParameterSets;
use crate::picture_start::PictureStart;
use crate::{Codec, Error};

/// What one track has shown of where its pictures can be started at.
#[derive(Clone, Copy, Debug)]
pub(super) struct Starts {
    /// A picture that says so itself has come.
    seen: bool,
}

impl Starts {
    pub(super) const NEW: Self = Self { seen: false };

    /// Whether decoding can start with this picture. The flag of the sender (`flagged`) is believed of pictures
    /// that depend on no other, and of any as long as none has said by itself that it is one to start with.
    fn is_one(&mut self, picture: Picture, flagged: Option<bool>) -> bool {
        let flagged = flagged == Some(true);
        let says = match picture.start {
            Some(PictureStart::Key | PictureStart::Gradual) => true,
            Some(PictureStart::Intra) => flagged,
            Some(PictureStart::Dependent) | None => false,
        };
        self.seen |= says;
        says || flagged && !self.seen && !picture.goes_on
    }
}

/// Makes the payload of a message tile. What it says of its picture comes back.
pub(super) fn tile(
    coded: &mut CodedFrame,
    known: &Known,
    repaired: &mut Repaired,
) -> Result<Picture, Dropped> {
    let length_size = known.length_size(coded.codec);
    reframe(coded, length_size, repaired)?;
    Ok(Picture::of(coded.codec, &units(&coded.payload, length_size)))
}

/// Looks at a picture that tiles: whether decoding can start with it. Parameter sets inside that differ from the
/// configuration are a change of it (5.4): the record with them comes back.
pub(super) fn look_inside(
    coded: &mut CodedFrame,
    known: &Known,
    is_announced: bool,
    starts: &mut Starts,
    repaired: &mut Repaired,
) -> Option<Bytes> {
    let codec = coded.codec;
    let units = units(&coded.payload, known.length_size(codec));
    let key = starts.is_one(Picture::of(codec, &units), coded.key);
    repaired.key_flags += u64::from(coded.key.is_some_and(|flagged| flagged != key));
    coded.key = Some(key);
    if !key && is_announced {
        return None;
    }
    change(ParameterSets::find(codec, &coded.payload, units.into_iter()), codec, known)
}

fn units(payload: &[u8], length_size: u8) -> Vec<&[u8]> {
    nals(payload, length_size).map_while(Result::ok).collect()
}

/// Annex B stands in place of the record with some encoders.
pub(super) fn read_avc_config(record: &Bytes) -> Result<DecoderConfig, Error> {
    let config = if is_annex_b(record) {
        ParameterSets::find(Codec::H264, record, annex_b_nals(record)).avc()?
    } else {
        AvcConfig::parse(record)?
    };
    let bytes = if record.first() == Some(&1) { record.clone() } else { config.to_bytes() };
    Ok(DecoderConfig { known: Known::Avc(config), bytes })
}

/// As above.
pub(super) fn read_hevc_config(record: &Bytes) -> Result<DecoderConfig, Error> {
    let config = if is_annex_b(record) {
        ParameterSets::find(Codec::H265, record, annex_b_nals(record)).hevc()?
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

/// The record with these sets, if they change what is known.
fn change(found: ParameterSets, codec: Codec, known: &Known) -> Option<Bytes> {
    match (codec, known) {
        _ if found.is_empty() => None,
        (Codec::H264, Known::Avc(config)) => config.updated(&found.sps, &found.pps).map(|it| it.to_bytes()),
        (Codec::H264, _) => found.avc().ok().map(|it| it.to_bytes()),
        (Codec::H265, Known::Hevc(config)) => {
            config.updated(&found.vps, &found.sps, &found.pps).map(|it| it.to_bytes())
        }
        (Codec::H265, _) => found.hevc().ok().map(|it| it.to_bytes()),
        _ => None,
    }
}

fn is_annex_b(record: &[u8]) -> bool {
    record.starts_with(&[0, 0, 0, 1]) || record.starts_with(&[0, 0, 1])
}
