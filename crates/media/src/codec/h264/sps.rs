//! The sequence parameter set (ITU-T H.264, 7.3.2.1.1 and Annex E): how large, how fast, how deep.

use std::borrow::Cow;

use super::nal_unit::{NAL_SPS, nal_type};
use crate::Error;
use crate::bits::BitReader;
use crate::codec::nal::without_emulation;
use crate::codec::vui;

/// An SPS longer than this is no SPS; real ones have 10 to 60 bytes.
const MAX_LEN: usize = 4096;

/// What a sequence parameter set says about the picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sps {
    /// `profile_idc`: 66 baseline, 77 main, 100 high…
    pub profile: u8,
    /// The constraint flags byte.
    pub compatibility: u8,
    /// Ten times the level.
    pub level: u8,
    /// 0 monochrome, 1 = 4:2:0, 2 = 4:2:2, 3 = 4:4:4.
    pub chroma_format: u8,
    /// Bits per luma sample: 8–14.
    pub bit_depth_luma: u8,
    /// Bits per chroma sample: 8–14.
    pub bit_depth_chroma: u8,
    /// Width in pixels after cropping.
    pub width: u32,
    /// Height in pixels after cropping.
    pub height: u32,
    /// Whether pictures may be coded as fields.
    pub interlaced: bool,
    /// Sample aspect ratio, width to height, if announced and not 0.
    pub sample_aspect: Option<(u16, u16)>,
    /// Pictures per second as a fraction, if announced and not 0.
    pub frame_rate: Option<(u32, u32)>,
}

impl Sps {
    /// Reads an SPS NAL unit, its one-byte header included. A VUI that cannot be read is ignored.
    ///
    /// # Errors
    /// `Malformed` if it ends too early or a field is outside what the standard allows.
    pub fn parse(nal: &[u8]) -> Result<Self, Error> {
        if nal_type(nal) != NAL_SPS {
            return Err(malformed(format!("the NAL unit has type {}", nal_type(nal))));
        }
        if nal.len() > MAX_LEN {
            return Err(Error::limit("SPS length in bytes", nal.len() as u64, MAX_LEN as u64));
        }
        let payload = without_emulation(&nal[1..]);
        let mut reader = BitReader::new(&payload, "SPS");
        let mut sps = Self::read_head(&mut reader)?;
        sps.read_order_and_size(&mut reader)?;
        if reader.flag()? {
            // A damaged VUI must not cost the size that stands before it.
            let _ = sps.read_vui(&mut reader);
        }
        Ok(sps)
    }

    /// Pictures per second, if announced.
    #[must_use]
    pub fn frames_per_second(&self) -> Option<f64> {
        self.frame_rate.map(|(num, den)| f64::from(num) / f64::from(den))
    }

    /// Profile, level, and for the high profiles chroma, depth and scaling lists.
    fn read_head(reader: &mut BitReader<'_>) -> Result<Self, Error> {
        let mut sps = Self {
            profile: reader.bits(8)? as u8,
            compatibility: reader.bits(8)? as u8,
            level: reader.bits(8)? as u8,
            chroma_format: 1,
            bit_depth_luma: 8,
            bit_depth_chroma: 8,
            width: 0,
            height: 0,
            interlaced: false,
            sample_aspect: None,
            frame_rate: None,
        };
        reader.ue_at_most(31, "seq_parameter_set_id")?;
        if has_chroma_info(sps.profile) {
            sps.chroma_format = reader.ue_at_most(3, "chroma_format_idc")? as u8;
            if sps.chroma_format == 3 {
                reader.skip(1)?;
            }
            sps.bit_depth_luma = 8 + reader.ue_at_most(6, "bit_depth_luma_minus8")? as u8;
            sps.bit_depth_chroma = 8 + reader.ue_at_most(6, "bit_depth_chroma_minus8")? as u8;
            reader.skip(1)?;
            if reader.flag()? {
                let lists = if sps.chroma_format == 3 { 12 } else { 8 };
                for list in 0..lists {
                    if reader.flag()? {
                        skip_scaling_list(reader, if list < 6 { 16 } else { 64 })?;
                    }
                }
            }
        }
        Ok(sps)
    }

    /// Picture order count fields, size in macroblocks and cropping.
    fn read_order_and_size(&mut self, reader: &mut BitReader<'_>) -> Result<(), Error> {
        reader.ue_at_most(12, "log2_max_frame_num_minus4")?;
        match reader.ue_at_most(2, "pic_order_cnt_type")? {
            0 => {
                reader.ue_at_most(12, "log2_max_pic_order_cnt_lsb_minus4")?;
            }
            1 => {
                reader.skip(1)?;
                reader.se()?;
                reader.se()?;
                for _ in 0..reader.ue_at_most(255, "num_ref_frames_in_pic_order_cnt_cycle")? {
                    reader.se()?;
                }
            }
            _ => {}
        }
        reader.ue()?;
        reader.skip(1)?;
        // 16 × 4096 = 65,536 pixels: four times the side of the largest level.
        let width = 16 * (reader.ue_at_most(4095, "pic_width_in_mbs_minus1")? + 1);
        let map_units = reader.ue_at_most(4095, "pic_height_in_map_units_minus1")? + 1;
        self.interlaced = !reader.flag()?;
        let fields = if self.interlaced { 2 } else { 1 };
        let height = 16 * map_units * fields;
        if self.interlaced {
            reader.skip(1)?;
        }
        reader.skip(1)?;
        let mut crop = [0u32; 4];
        if reader.flag()? {
            for side in &mut crop {
                *side = reader.ue_at_most(65_536, "frame cropping offset")?;
            }
        }
        let (unit_x, unit_y) = match self.chroma_format {
            1 => (2, 2 * fields),
            2 => (2, fields),
            _ => (1, fields),
        };
        let cropped = |size: u32, a: u32, b: u32, unit: u32| {
            size.checked_sub((a + b) * unit)
                .filter(|&left| left > 0)
                .ok_or_else(|| malformed("the cropping leaves no picture"))
        };
        self.width = cropped(width, crop[0], crop[1], unit_x)?;
        self.height = cropped(height, crop[2], crop[3], unit_y)?;
        Ok(())
    }

    /// Annex E up to the timing: aspect ratio and frame rate.
    fn read_vui(&mut self, reader: &mut BitReader<'_>) -> Result<(), Error> {
        self.sample_aspect = vui::sample_aspect(reader)?;
        if reader.flag()? {
            reader.skip(1)?;
        }
        if reader.flag()? {
            reader.skip(4)?;
            if reader.flag()? {
                reader.skip(24)?;
            }
        }
        if reader.flag()? {
            reader.ue()?;
            reader.ue()?;
        }
        if reader.flag()? {
            let units_in_tick = reader.bits(32)?;
            let time_scale = reader.bits(32)?;
            // A tick is a field: two make a picture.
            let den = units_in_tick.checked_mul(2).filter(|&den| den > 0 && time_scale > 0);
            self.frame_rate = den.map(|den| vui::reduced(time_scale, den));
        }
        Ok(())
    }
}

fn skip_scaling_list(reader: &mut BitReader<'_>, size: u32) -> Result<(), Error> {
    let mut last = 8i64;
    let mut next = 8i64;
    for _ in 0..size {
        if next != 0 {
            next = (last + reader.se()?).rem_euclid(256);
        }
        if next != 0 {
            last = next;
        }
    }
    Ok(())
}

/// Profiles whose SPS and record carry chroma format and bit depth.
pub(super) const fn has_chroma_info(profile: u8) -> bool {
    matches!(profile, 100 | 110 | 122 | 144 | 244 | 44 | 83 | 86 | 118 | 128 | 138 | 139 | 134 | 135)
}

fn malformed(reason: impl Into<Cow<'static, str>>) -> Error {
    Error::malformed("SPS", reason)
}
