//! The sequence parameter set (ITU-T H.265, 7.3.2.2 and Annex E): how large, how fast, how deep.

use std::fmt;

use bytes::{BufMut, BytesMut};

use super::nal_unit::{NAL_SPS, nal_type};
use crate::Error;
use crate::bits::BitReader;
use crate::codec::nal::without_emulation;
use crate::codec::vui;

/// An SPS longer than this is no SPS; real ones have 30 to 100 bytes.
const MAX_LEN: usize = 4096;

/// What a decoder must be able to do (`profile_tier_level`, 7.3.3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ProfileTierLevel {
    /// Which standard's profiles these are; 0 in practice.
    pub space: u8,
    /// Whether it is the high tier, for bit rates beyond the main tier's.
    pub high_tier: bool,
    /// `general_profile_idc`: 1 main, 2 main 10, 3 still picture, 4 range extensions…
    pub profile: u8,
    /// The profiles whose decoders can read it; the highest bit is profile 0.
    pub compatibility: u32,
    /// The constraint flags: progressive, interlaced, non-packed, frame only, and 44 more.
    pub constraints: [u8; 6],
    /// Thirty times the level: 93 is level 3.1.
    pub level: u8,
}

impl ProfileTierLevel {
    pub(super) fn read(reader: &mut BitReader<'_>) -> Result<Self, Error> {
        let mut profile = Self {
            space: reader.bits(2)? as u8,
            high_tier: reader.flag()?,
            profile: reader.bits(5)? as u8,
            compatibility: reader.bits(32)?,
            ..Self::default()
        };
        for byte in &mut profile.constraints {
            *byte = reader.bits(8)? as u8;
        }
        profile.level = reader.bits(8)? as u8;
        Ok(profile)
    }

    pub(super) fn put(&self, out: &mut BytesMut) {
        out.put_u8(self.space << 6 | u8::from(self.high_tier) << 5 | self.profile);
        out.put_u32(self.compatibility);
        out.put_slice(&self.constraints);
        out.put_u8(self.level);
    }
}

/// As it stands in a codec's name (ISO 14496-15, Annex E.3): `1.6.L93.B0`.
impl fmt::Display for ProfileTierLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(["", "A", "B", "C"][usize::from(self.space & 3)])?;
        let tier = if self.high_tier { 'H' } else { 'L' };
        write!(f, "{}.{:X}.{tier}{}", self.profile, self.compatibility.reverse_bits(), self.level)?;
        let last = self.constraints.iter().rposition(|&byte| byte != 0);
        let said = last.map_or(0, |last| last + 1);
        self.constraints.iter().take(said).try_for_each(|byte| write!(f, ".{byte:X}"))
    }
}

/// What a sequence parameter set says about the picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sps {
    /// ProfileTierLevel, tier and level.
    pub profile: ProfileTierLevel,
    /// Temporal layers: 1–7.
    pub temporal_layers: u8,
    /// Whether a decoder can go up to a higher temporal layer at any picture.
    pub temporal_id_nested: bool,
    /// 0 monochrome, 1 = 4:2:0, 2 = 4:2:2, 3 = 4:4:4.
    pub chroma_format: u8,
    /// Bits per luma sample: 8–15.
    pub bit_depth_luma: u8,
    /// Bits per chroma sample: 8–15.
    pub bit_depth_chroma: u8,
    /// Width in pixels inside the conformance window.
    pub width: u32,
    /// Height in pixels inside the conformance window.
    pub height: u32,
    /// Sample aspect ratio, width to height, if announced and not 0.
    pub sample_aspect: Option<(u16, u16)>,
    /// Pictures per second as a fraction, if announced and not 0.
    pub frame_rate: Option<(u32, u32)>,
}

impl Sps {
    /// Reads an SPS NAL unit, its two-byte header included. What stands behind the bit depths is
    /// ignored where it cannot be read.
    ///
    /// # Errors
    /// `Malformed` if it ends too early, a field is outside what the standard allows, or it is one of a
    /// further layer, which is written otherwise; `Limit` above 4096 bytes.
    pub fn parse(nal: &[u8]) -> Result<Self, Error> {
        if nal_type(nal) != NAL_SPS {
            return Err(malformed(format!("the NAL unit has type {}", nal_type(nal))));
        }
        if nal.len() > MAX_LEN {
            return Err(Error::limit("SPS length in bytes", nal.len() as u64, MAX_LEN as u64));
        }
        let &[first, second, ..] = nal else { return Err(malformed("it ends inside its header")) };
        if first & 1 != 0 || second & 0xF8 != 0 {
            return Err(malformed("it is that of a further layer"));
        }
        let payload = without_emulation(&nal[2..]);
        let mut reader = BitReader::new(&payload, "SPS");
        let mut sps = Self::read_head(&mut reader)?;
        sps.read_size(&mut reader)?;
        // A damaged tail must not cost the size that stands before it.
        let _ = sps.read_tail(&mut reader);
        Ok(sps)
    }

    /// Pictures per second, if announced.
    #[must_use]
    pub fn frames_per_second(&self) -> Option<f64> {
        self.frame_rate.map(|(num, den)| f64::from(num) / f64::from(den))
    }

    /// Layers, and profile, tier and level.
    fn read_head(reader: &mut BitReader<'_>) -> Result<Self, Error> {
        reader.skip(4)?;
        let more_layers = reader.bits(3)?;
        if more_layers > 6 {
            return Err(malformed("it announces 8 temporal layers, at most 7 are legal"));
        }
        let temporal_id_nested = reader.flag()?;
        let profile = ProfileTierLevel::read(reader)?;
        skip_layer_profiles(reader, more_layers)?;
        Ok(Self {
            profile,
            temporal_layers: more_layers as u8 + 1,
            temporal_id_nested,
            chroma_format: 1,
            bit_depth_luma: 8,
            bit_depth_chroma: 8,
            width: 0,
            height: 0,
            sample_aspect: None,
            frame_rate: None,
        })
    }

    /// Chroma format, size, conformance window and bit depths.
    fn read_size(&mut self, reader: &mut BitReader<'_>) -> Result<(), Error> {
        /// Twice the side of the largest level, in luma samples.
        const SIDE_MAX: u32 = 65_535;
        reader.ue_at_most(15, "sps_seq_parameter_set_id")?;
        self.chroma_format = reader.ue_at_most(3, "chroma_format_idc")? as u8;
        if self.chroma_format == 3 {
            reader.skip(1)?;
        }
        let width = reader.ue_at_most(SIDE_MAX, "pic_width_in_luma_samples")?;
        let height = reader.ue_at_most(SIDE_MAX, "pic_height_in_luma_samples")?;
        let mut window = [0u32; 4];
        if reader.flag()? {
            for side in &mut window {
                *side = reader.ue_at_most(SIDE_MAX, "conformance window offset")?;
            }
        }
        let (unit_x, unit_y) = match self.chroma_format {
            1 => (2, 2),
            2 => (2, 1),
            _ => (1, 1),
        };
        let cropped = |size: u32, a: u32, b: u32, unit: u32| {
            size.checked_sub((a + b) * unit)
                .filter(|&left| left > 0)
                .ok_or_else(|| malformed("the conformance window leaves no picture"))
        };
        self.width = cropped(width, window[0], window[1], unit_x)?;
        self.height = cropped(height, window[2], window[3], unit_y)?;
        self.bit_depth_luma = 8 + reader.ue_at_most(7, "bit_depth_luma_minus8")? as u8;
        self.bit_depth_chroma = 8 + reader.ue_at_most(7, "bit_depth_chroma_minus8")? as u8;
        Ok(())
    }

    /// Everything up to the VUI, and of it aspect ratio and frame rate.
    fn read_tail(&mut self, reader: &mut BitReader<'_>) -> Result<(), Error> {
        let order_bits = 4 + reader.ue_at_most(12, "log2_max_pic_order_cnt_lsb_minus4")?;
        let layers = if reader.flag()? { self.temporal_layers } else { 1 };
        // Per layer three measures of the decoder's buffer, then six measures of coding blocks.
        for _ in 0..3 * u32::from(layers) + 6 {
            reader.ue()?;
        }
        let has_scaling_lists = reader.flag()? && reader.flag()?;
        if has_scaling_lists {
            skip_scaling_lists(reader)?;
        }
        reader.skip(2)?;
        let has_pcm = reader.flag()?;
        if has_pcm {
            reader.skip(8)?;
            reader.ue()?;
            reader.ue()?;
            reader.skip(1)?;
        }
        skip_reference_sets(reader)?;
        let has_long_term = reader.flag()?;
        if has_long_term {
            let count = reader.ue_at_most(32, "num_long_term_ref_pics_sps")?;
            reader.skip((count * (order_bits + 1)) as usize)?;
        }
        reader.skip(2)?;
        if reader.flag()? { self.read_vui(reader) } else { Ok(()) }
    }

    fn read_vui(&mut self, reader: &mut BitReader<'_>) -> Result<(), Error> {
        self.sample_aspect = vui::sample_aspect(reader)?;
        let has_overscan = reader.flag()?;
        if has_overscan {
            reader.skip(1)?;
        }
        let has_video_signal = reader.flag()?;
        if has_video_signal {
            reader.skip(4)?;
            let has_colours = reader.flag()?;
            if has_colours {
                reader.skip(24)?;
            }
        }
        let has_chroma_location = reader.flag()?;
        if has_chroma_location {
            reader.ue()?;
            reader.ue()?;
        }
        reader.skip(3)?;
        let has_display_window = reader.flag()?;
        if has_display_window {
            for _ in 0..4 {
                reader.ue()?;
            }
        }
        let has_timing = reader.flag()?;
        if has_timing {
            let units_in_tick = reader.bits(32)?;
            let time_scale = reader.bits(32)?;
            let is_rate = units_in_tick > 0 && time_scale > 0;
            self.frame_rate = is_rate.then(|| vui::reduced(time_scale, units_in_tick));
        }
        Ok(())
    }
}

/// The number of an SPS, which stands behind the profiles of its layers.
pub(super) fn number(nal: &[u8]) -> Option<u32> {
    let payload = without_emulation(nal.get(2..)?);
    let mut reader = BitReader::new(&payload, "SPS");
    Sps::read_head(&mut reader).and_then(|_| reader.ue()).ok()
}

fn skip_layer_profiles(reader: &mut BitReader<'_>, more_layers: u32) -> Result<(), Error> {
    const PROFILE_BITS: usize = 88;
    const LEVEL_BITS: usize = 8;
    if more_layers == 0 {
        return Ok(());
    }
    // Two flags for each of eight layers, present or not.
    let flags = reader.bits(16)?;
    for layer in 0..more_layers {
        let has_profile = flags >> (15 - 2 * layer) & 1 == 1;
        let has_level = flags >> (14 - 2 * layer) & 1 == 1;
        reader.skip(PROFILE_BITS * usize::from(has_profile) + LEVEL_BITS * usize::from(has_level))?;
    }
    Ok(())
}

/// 7.3.4.
fn skip_scaling_lists(reader: &mut BitReader<'_>) -> Result<(), Error> {
    for size in 0..4u32 {
        let matrices = if size == 3 { 2 } else { 6 };
        for _ in 0..matrices {
            let is_listed = reader.flag()?;
            if !is_listed {
                reader.ue()?;
                continue;
            }
            let coefficients = 64.min(1 << (4 + 2 * size));
            for _ in 0..coefficients + u32::from(size > 1) {
                reader.se()?;
            }
        }
    }
    Ok(())
}

/// The short-term reference picture sets, 7.3.7. Each may be coded as a difference to the one before it.
fn skip_reference_sets(reader: &mut BitReader<'_>) -> Result<(), Error> {
    let mut pictures = 0;
    for index in 0..reader.ue_at_most(64, "num_short_term_ref_pic_sets")? {
        let is_predicted = index > 0 && reader.flag()?;
        if is_predicted {
            reader.skip(1)?;
            reader.ue()?;
            let mut kept = 0;
            for _ in 0..=pictures {
                let is_used = reader.flag()?;
                kept += u32::from(is_used || reader.flag()?);
            }
            pictures = kept;
        } else {
            let before = reader.ue_at_most(16, "num_negative_pics")?;
            pictures = before + reader.ue_at_most(16, "num_positive_pics")?;
            for _ in 0..pictures {
                reader.ue()?;
                reader.skip(1)?;
            }
        }
    }
    Ok(())
}

fn malformed(reason: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::malformed("SPS", reason)
}
