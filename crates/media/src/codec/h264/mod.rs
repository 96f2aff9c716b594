//! H.264: the AVCDecoderConfigurationRecord (ISO 14496-15, 5.3.3.1).
//!
//! The picture's measures are in [`sps`]. No slice is ever decoded.

mod nal_unit;
pub mod sps;

use bytes::{BufMut, Bytes, BytesMut};

pub use nal_unit::{
    NAL_IDR, NAL_PPS, NAL_SEI, NAL_SPS, SliceHead, is_ahead, is_idle, is_nal_head, nal_type, recovery_point,
};
pub use sps::Sps;

use self::sps::has_chroma_info;
pub use super::nal::{Framing, annex_b_nals, annex_b_to_length_prefixed, framing, nals, trimmed};
use super::nal::{merge_sets, put_unit, take_units};
use crate::Error;
use crate::bits::BitReader;

/// What an H.264 decoder must know: the meaning of an AVCDecoderConfigurationRecord.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AvcConfig {
    /// `AVCProfileIndication`: 66 baseline, 77 main, 100 high…
    pub profile: u8,
    /// The constraint flags byte.
    pub compatibility: u8,
    /// Ten times the level: 31 is level 3.1.
    pub level: u8,
    /// Bytes of the length before each NAL unit: 1–4.
    pub length_size: u8,
    /// Sequence parameter sets; empty if the stream carries them in-band only.
    pub sps: Vec<Bytes>,
    /// Picture parameter sets.
    pub pps: Vec<Bytes>,
    /// Chroma format and bit depths that follow for the high profiles, as sent; often missing.
    pub extension: Bytes,
}

impl AvcConfig {
    /// Reads a record, leniently: the version byte may be 0, the sets may be missing, the tail for
    /// high profiles may be missing. Parameter sets are slices of `record`.
    ///
    /// # Errors
    /// `Malformed` if it is shorter than 6 bytes, is no record at all, or a set overruns its end.
    pub fn parse(record: &Bytes) -> Result<Self, Error> {
        let &[version, profile, compatibility, level, length_size, sps_count, ..] = record.as_ref() else {
            return Err(malformed(format!("it has {} bytes, at least 6 are needed", record.len())));
        };
        if version > 1 {
            return Err(malformed(format!("version {version} is unknown")));
        }
        if record.starts_with(&[0, 0, 0, 1]) || record.starts_with(&[0, 0, 1]) {
            return Err(malformed("it holds Annex B start codes where a record belongs"));
        }
        let mut rest = record.slice(6..);
        let sps = take_sets(&mut rest, sps_count & 0x1F, NAL_SPS)?;
        let pps = if rest.is_empty() {
            Vec::new()
        } else {
            let count = rest.split_to(1)[0];
            take_sets(&mut rest, count, NAL_PPS)?
        };
        Ok(Self {
            profile,
            compatibility,
            level,
            length_size: (length_size & 3) + 1,
            sps,
            pps,
            extension: rest,
        })
    }

    /// Builds a record from parameter sets found in a stream; NAL lengths will have four bytes.
    ///
    /// # Errors
    /// `Malformed` if there is no SPS or PPS, too many, or the first SPS is too short or unreadable
    /// where the record must repeat it.
    pub fn from_parameter_sets(sps: Vec<Bytes>, pps: Vec<Bytes>) -> Result<Self, Error> {
        let Some(&[_, profile, compatibility, level, ..]) = sps.first().map(AsRef::as_ref) else {
            return Err(malformed("there is no sequence parameter set to build it from"));
        };
        if pps.is_empty() {
            return Err(malformed("there is no picture parameter set to build it from"));
        }
        let too_long = |sets: &[Bytes]| sets.iter().any(|set| set.len() > usize::from(u16::MAX));
        if sps.len() > 31 || pps.len() > 255 || too_long(&sps) || too_long(&pps) {
            return Err(malformed("there are more or longer parameter sets than it can hold"));
        }
        let extension = if has_chroma_info(profile) {
            let parsed = Sps::parse(&sps[0])?;
            Bytes::copy_from_slice(&[
                0xFC | parsed.chroma_format,
                0xF8 | (parsed.bit_depth_luma - 8),
                0xF8 | (parsed.bit_depth_chroma - 8),
                0,
            ])
        } else {
            Bytes::new()
        };
        Ok(Self { profile, compatibility, level, length_size: 4, sps, pps, extension })
    }

    /// Writes the record. Sets beyond what its counters hold (31 SPS, 255 PPS) are left out.
    #[must_use]
    pub fn to_bytes(&self) -> Bytes {
        let sets = self.sps.iter().chain(&self.pps);
        let mut out =
            BytesMut::with_capacity(7 + sets.map(|set| 2 + set.len()).sum::<usize>() + self.extension.len());
        let length_size = 0xFC | (self.length_size.clamp(1, 4) - 1);
        out.put_slice(&[1, self.profile, self.compatibility, self.level, length_size]);
        put_sets(&mut out, &self.sps, 31, 0xE0);
        put_sets(&mut out, &self.pps, 255, 0);
        out.put_slice(&self.extension);
        out.freeze()
    }

    /// Whether a decoder can start with it alone: there is a set of each kind.
    #[must_use]
    pub const fn has_parameter_sets(&self) -> bool {
        !self.sps.is_empty() && !self.pps.is_empty()
    }

    /// The measures of the picture, from the first SPS.
    ///
    /// # Errors
    /// `Malformed` if there is none or it cannot be read.
    pub fn picture(&self) -> Result<Sps, Error> {
        self.sps
            .first()
            .ok_or_else(|| malformed("it holds no sequence parameter set"))
            .and_then(|sps| Sps::parse(sps))
    }

    /// The codec's name in an HTTP or HLS `codecs` list: `avc1.4D401F`.
    #[must_use]
    pub fn codec_string(&self) -> String {
        format!("avc1.{:02X}{:02X}{:02X}", self.profile, self.compatibility, self.level)
    }

    /// This configuration with parameter sets found in-band: each replaces the one with its number, or
    /// is added. `None` if all of them are known byte for byte (5.4: a difference is a change).
    #[must_use]
    pub fn updated(&self, sps: &[Bytes], pps: &[Bytes]) -> Option<Self> {
        let mut updated = self.clone();
        let sps_changed = merge_sets(&mut updated.sps, sps, sps_number, 31);
        let pps_changed = merge_sets(&mut updated.pps, pps, pps_number, 255);
        if !sps_changed && !pps_changed {
            return None;
        }
        if let Ok(fresh) = Self::from_parameter_sets(updated.sps.clone(), updated.pps.clone()) {
            updated = Self { length_size: self.length_size, ..fresh };
        }
        Some(updated)
    }
}

fn take_sets(rest: &mut Bytes, count: u8, kind: u8) -> Result<Vec<Bytes>, Error> {
    // A set of another kind, or an empty one, is of no use to anyone; some encoders pad with them.
    take_units(rest, count.into(), |set| nal_type(set) == kind).map_err(malformed)
}

fn put_sets(out: &mut BytesMut, sets: &[Bytes], limit: usize, count_bits: u8) {
    let fitting = || sets.iter().filter(|set| set.len() <= usize::from(u16::MAX)).take(limit);
    out.put_u8(count_bits | fitting().count() as u8);
    fitting().for_each(|set| put_unit(out, set));
}

fn sps_number(nal: &[u8]) -> Option<u32> {
    // Header, profile, constraints, level; the number is so small that no emulation byte precedes it.
    BitReader::new(nal.get(4..)?, "SPS").ue().ok()
}

fn pps_number(nal: &[u8]) -> Option<u32> {
    BitReader::new(nal.get(1..)?, "PPS").ue().ok()
}

fn malformed(reason: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::malformed("AVCDecoderConfigurationRecord", reason)
}

#[cfg(test)]
mod tests;
