//! H.265: the HEVCDecoderConfigurationRecord (ISO 14496-15, 8.3.3.1).
//!
//! The picture's measures are in [`sps`]. No slice is ever decoded.

mod nal_unit;
pub mod sps;

use bytes::{BufMut, Bytes, BytesMut};

pub use nal_unit::{
    NAL_KEY, NAL_PPS, NAL_SPS, NAL_VPS, NO_SLICE, is_ahead, is_first_slice, is_idle, is_nal_head, nal_type,
    recovery_point,
};
pub use sps::{ProfileTierLevel, Sps};

use self::nal_unit::NAL_SEI;
use super::nal::{merge_sets, put_unit, take_units};
use crate::Error;
use crate::bits::BitReader;

/// How many video parameter sets the standard can number.
const VPS_MAX: usize = 16;
/// Sequence parameter sets, likewise.
const SPS_MAX: usize = 16;
/// Picture parameter sets, likewise.
const PPS_MAX: usize = 64;
/// More units of one kind are no configuration.
const UNITS_MAX: usize = 64;

/// What an H.265 decoder must know: the meaning of an HEVCDecoderConfigurationRecord.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HevcConfig {
    /// ProfileTierLevel, tier and level.
    pub profile: ProfileTierLevel,
    /// How finely pictures are at least cut for parallel decoding; 0 = unknown.
    pub min_spatial_segmentation: u16,
    /// 0 = unknown, 1 slices, 2 tiles, 3 wavefronts.
    pub parallelism: u8,
    /// 0 monochrome, 1 = 4:2:0, 2 = 4:2:2, 3 = 4:4:4.
    pub chroma_format: u8,
    /// Bits per luma sample: 8–15.
    pub bit_depth_luma: u8,
    /// Bits per chroma sample: 8–15.
    pub bit_depth_chroma: u8,
    /// Pictures in 256 seconds; 0 = unknown, which is what most writers say.
    pub avg_frame_rate: u16,
    /// 0 = unknown, 1 = constant, 2 = constant in each temporal layer.
    pub constant_frame_rate: u8,
    /// Temporal layers: 0 = unknown, 1 = one, …
    pub temporal_layers: u8,
    /// Whether a decoder can go up to a higher temporal layer at any picture.
    pub temporal_id_nested: bool,
    /// Bytes of the length before each NAL unit: 1–4.
    pub length_size: u8,
    /// Video parameter sets.
    pub vps: Vec<Bytes>,
    /// Sequence parameter sets; empty if the stream carries them in-band only.
    pub sps: Vec<Bytes>,
    /// Picture parameter sets.
    pub pps: Vec<Bytes>,
    /// Supplemental information for the whole stream: HDR measures, the encoder's name.
    pub sei: Vec<Bytes>,
    /// Whether the parameter sets are said to be all there are: none comes in-band.
    pub complete: bool,
}

impl HevcConfig {
    /// Reads a record, leniently: the version byte may be 0, the sets may be missing. Parameter sets
    /// are slices of `record`.
    ///
    /// # Errors
    /// `Malformed` if it is shorter than 22 bytes, is no record at all, holds too many units or a set
    /// overruns its end.
    pub fn parse(record: &Bytes) -> Result<Self, Error> {
        if record.starts_with(&[0, 0, 0, 1]) || record.starts_with(&[0, 0, 1]) {
            return Err(malformed("it holds Annex B start codes where a record belongs"));
        }
        let mut config = Self::read_head(record)?;
        let mut rest = record.slice(23.min(record.len())..);
        let arrays = record.get(22).copied().unwrap_or(0);
        let mut flagged = true;
        for index in 0..arrays {
            let &[head, high, low, ..] = rest.as_ref() else {
                return Err(malformed(format!("it ends before array {index} of {arrays}")));
            };
            let _ = rest.split_to(3);
            let kind = head & 0x3F;
            let count = u16::from_be_bytes([high, low]);
            // A unit of another kind, or an empty one, is of no use to anyone.
            let wanted = |unit: &[u8]| !unit.is_empty() && nal_type(unit) == kind;
            let units = take_units(&mut rest, count, wanted).map_err(malformed)?;
            let kept = match kind {
                NAL_VPS => &mut config.vps,
                NAL_SPS => &mut config.sps,
                NAL_PPS => &mut config.pps,
                kind if NAL_SEI.contains(&kind) => &mut config.sei,
                _ => continue,
            };
            if kept.len() + units.len() > UNITS_MAX {
                return Err(malformed(format!("it holds more than {UNITS_MAX} units of type {kind}")));
            }
            flagged &= head & 0x80 != 0 || NAL_SEI.contains(&kind) || units.is_empty();
            kept.extend(units);
        }
        config.complete = flagged && !config.sps.is_empty();
        Ok(config)
    }

    /// Builds a record from parameter sets found in a stream; NAL lengths will have four bytes.
    ///
    /// # Errors
    /// `Malformed` if there is no VPS, SPS or PPS, too many or too long ones, or the first SPS is
    /// unreadable: the record must repeat much of it.
    pub fn from_parameter_sets(vps: Vec<Bytes>, sps: Vec<Bytes>, pps: Vec<Bytes>) -> Result<Self, Error> {
        let (Some(first), false, false) = (sps.first(), vps.is_empty(), pps.is_empty()) else {
            return Err(malformed("a video, sequence or picture parameter set is missing to build it from"));
        };
        let too_long = |sets: &[Bytes]| sets.iter().any(|set| set.len() > usize::from(u16::MAX));
        let too_many = vps.len() > VPS_MAX || sps.len() > SPS_MAX || pps.len() > PPS_MAX;
        if too_many || [&vps, &sps, &pps].into_iter().any(|sets| too_long(sets)) {
            return Err(malformed("there are more or longer parameter sets than it can hold"));
        }
        let picture = Sps::parse(first)?;
        Ok(Self {
            profile: picture.profile,
            min_spatial_segmentation: 0,
            parallelism: 0,
            chroma_format: picture.chroma_format,
            bit_depth_luma: picture.bit_depth_luma,
            bit_depth_chroma: picture.bit_depth_chroma,
            avg_frame_rate: 0,
            constant_frame_rate: 0,
            temporal_layers: picture.temporal_layers,
            temporal_id_nested: picture.temporal_id_nested,
            length_size: 4,
            vps,
            sps,
            pps,
            sei: Vec::new(),
            complete: false,
        })
    }

    /// Writes the record. Units longer than 65,535 bytes do not fit and are left out.
    #[must_use]
    pub fn to_bytes(&self) -> Bytes {
        let sets = [&self.vps, &self.sps, &self.pps, &self.sei];
        let units: usize = sets.into_iter().flatten().map(|unit| 2 + unit.len()).sum();
        let mut out = BytesMut::with_capacity(23 + 5 * 3 + units);
        let Self { profile, .. } = self;
        out.put_u8(1);
        profile.put(&mut out);
        out.put_u16(0xF000 | self.min_spatial_segmentation);
        out.put_u8(0xFC | self.parallelism);
        out.put_u8(0xFC | self.chroma_format);
        out.put_u8(0xF8 | self.bit_depth_luma.saturating_sub(8));
        out.put_u8(0xF8 | self.bit_depth_chroma.saturating_sub(8));
        out.put_u16(self.avg_frame_rate);
        out.put_u8(
            self.constant_frame_rate << 6
                | (self.temporal_layers & 7) << 3
                | u8::from(self.temporal_id_nested) << 2
                | (self.length_size.clamp(1, 4) - 1),
        );
        let arrays = self.arrays();
        out.put_u8(arrays.len() as u8);
        for (kind, units) in arrays {
            let complete = self.complete && !NAL_SEI.contains(&kind);
            out.put_u8(u8::from(complete) << 7 | kind);
            out.put_u16(units.len() as u16);
            units.iter().for_each(|unit| put_unit(&mut out, unit));
        }
        out.freeze()
    }

    /// The measures of the picture, from the first SPS that can be read: those of a second layer
    /// (stereo pictures) are written otherwise.
    ///
    /// # Errors
    /// `Malformed` if there is none.
    pub fn picture(&self) -> Result<Sps, Error> {
        let mut result = Err(malformed("it holds no sequence parameter set"));
        for sps in &self.sps {
            result = Sps::parse(sps);
            if result.is_ok() {
                break;
            }
        }
        result
    }

    /// The codec's name in an HTTP or HLS `codecs` list: `hvc1.1.6.L93.B0`.
    #[must_use]
    pub fn codec_string(&self) -> String {
        format!("hvc1.{}", self.profile)
    }

    /// This configuration with parameter sets found in-band: each replaces the one with its number, or
    /// is added. `None` if all of them are known byte for byte (5.4: a difference is a change).
    #[must_use]
    pub fn updated(&self, vps: &[Bytes], sps: &[Bytes], pps: &[Bytes]) -> Option<Self> {
        let mut updated = self.clone();
        let vps_changed = merge_sets(&mut updated.vps, vps, vps_number, VPS_MAX);
        let sps_changed = merge_sets(&mut updated.sps, sps, sps::number, SPS_MAX);
        let pps_changed = merge_sets(&mut updated.pps, pps, pps_number, PPS_MAX);
        if !vps_changed && !sps_changed && !pps_changed {
            return None;
        }
        updated.complete = false;
        let (vps, sps, pps) = (updated.vps.clone(), updated.sps.clone(), updated.pps.clone());
        if let Ok(fresh) = Self::from_parameter_sets(vps, sps, pps) {
            updated = Self { length_size: self.length_size, sei: updated.sei, ..fresh };
        }
        Some(updated)
    }

    /// Whether a decoder can start with it alone: there is a set of each kind.
    #[must_use]
    pub const fn has_parameter_sets(&self) -> bool {
        !self.vps.is_empty() && !self.sps.is_empty() && !self.pps.is_empty()
    }

    /// All that stands before the arrays.
    fn read_head(record: &[u8]) -> Result<Self, Error> {
        let mut reader = BitReader::new(record, WHAT);
        let version = reader.bits(8)?;
        if version > 1 {
            return Err(malformed(format!("version {version} is unknown")));
        }
        let profile = ProfileTierLevel::read(&mut reader)?;
        let mut field = |reserved: usize, bits: u32| -> Result<u32, Error> {
            reader.skip(reserved)?;
            reader.bits(bits)
        };
        Ok(Self {
            profile,
            min_spatial_segmentation: field(4, 12)? as u16,
            parallelism: field(6, 2)? as u8,
            chroma_format: field(6, 2)? as u8,
            bit_depth_luma: field(5, 3)? as u8 + 8,
            bit_depth_chroma: field(5, 3)? as u8 + 8,
            avg_frame_rate: field(0, 16)? as u16,
            constant_frame_rate: field(0, 2)? as u8,
            temporal_layers: field(0, 3)? as u8,
            temporal_id_nested: field(0, 1)? == 1,
            length_size: field(0, 2)? as u8 + 1,
            vps: Vec::new(),
            sps: Vec::new(),
            pps: Vec::new(),
            sei: Vec::new(),
            complete: false,
        })
    }

    /// The units by type, as many as fit; no empty array.
    fn arrays(&self) -> Vec<(u8, Vec<&Bytes>)> {
        let kinds = [
            (NAL_VPS, &self.vps),
            (NAL_SPS, &self.sps),
            (NAL_PPS, &self.pps),
            (*NAL_SEI.start(), &self.sei),
            (*NAL_SEI.end(), &self.sei),
        ];
        let fits = |kind, unit: &Bytes| unit.len() <= usize::from(u16::MAX) && nal_type(unit) == kind;
        let filled =
            kinds.map(|(kind, units)| (kind, units.iter().filter(|unit| fits(kind, unit)).collect()));
        filled.into_iter().filter(|(_, units): &(u8, Vec<&Bytes>)| !units.is_empty()).collect()
    }
}

fn vps_number(nal: &[u8]) -> Option<u32> {
    nal.get(2).map(|&byte| u32::from(byte >> 4))
}

fn pps_number(nal: &[u8]) -> Option<u32> {
    // The number is so small that no emulation byte precedes it.
    BitReader::new(nal.get(2..)?, "PPS").ue().ok()
}

const WHAT: &str = "HEVCDecoderConfigurationRecord";

fn malformed(reason: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::malformed(WHAT, reason)
}

#[cfg(test)]
mod tests;
