//! The parameter sets that lie among the NAL units of a frame, and the configuration record with them.

use bytes::Bytes;

use crate::codec::h264::{self, AvcConfig};
use crate::codec::h265::{self, HevcConfig};
use crate::codec::nal::trimmed;
use crate::{Codec, Error};

/// Parameter sets of one sort that are taken from a frame: as many as a decoder keeps of that which has the most of them
/// (picture parameter sets of H.264). Each is compared with all before it.
const SETS_MAX: usize = 256;

/// The parameter sets of a frame or record.
#[derive(Debug, Default)]
pub(crate) struct ParameterSets {
    /// None in H.264.
    pub(crate) vps: Vec<Bytes>,
    pub(crate) sps: Vec<Bytes>,
    pub(crate) pps: Vec<Bytes>,
}

impl ParameterSets {
    /// Each is a slice of `whole`.
    pub(crate) fn find<'a>(codec: Codec, whole: &Bytes, units: impl Iterator<Item = &'a [u8]>) -> Self {
        let mut found = Self::default();
        for unit in units {
            let sets = match (codec, h264::nal_type(unit), h265::nal_type(unit)) {
                (Codec::H264, h264::NAL_SPS, _) | (Codec::H265, _, h265::NAL_SPS) => &mut found.sps,
                (Codec::H264, h264::NAL_PPS, _) | (Codec::H265, _, h265::NAL_PPS) => &mut found.pps,
                (Codec::H265, _, h265::NAL_VPS) => &mut found.vps,
                _ => continue,
            };
            let set = trimmed(unit);
            if sets.len() < SETS_MAX && !sets.iter().any(|known| known == set) {
                sets.push(whole.slice_ref(set));
            }
        }
        found
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.vps.is_empty() && self.sps.is_empty() && self.pps.is_empty()
    }

    /// A record of H.264 made of these sets alone.
    pub(crate) fn avc(self) -> Result<AvcConfig, Error> {
        AvcConfig::from_parameter_sets(self.sps, self.pps)
    }

    /// A record of H.265 made of these sets alone.
    pub(crate) fn hevc(self) -> Result<HevcConfig, Error> {
        HevcConfig::from_parameter_sets(self.vps, self.sps, self.pps)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_each_sort_so_many_are_taken_and_no_more() {
        let whole: Bytes =
            (0..=300u16).flat_map(|number| [&[0x68][..], &number.to_be_bytes()].concat()).collect();
        // The last byte of each is not 0, which would be padding.
        let units = || whole.chunks(3).filter(|unit| unit[2] != 0);
        let found = ParameterSets::find(Codec::H264, &whole, units().chain(units()).take(SETS_MAX - 2));
        assert_eq!(found.pps.len(), SETS_MAX - 2);
        let found = ParameterSets::find(Codec::H264, &whole, units().chain(units()));
        assert_eq!((found.sps.len(), found.pps.len()), (0, SETS_MAX));
    }
}
