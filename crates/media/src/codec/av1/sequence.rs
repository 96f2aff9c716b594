//! The sequence header (AV1 bitstream specification, 5.5): how large, how fast, how deep, what colours.

use crate::Error;
use crate::bits::BitReader;
use crate::codec::colours::Colours;
use crate::codec::vui::reduced;

/// What a sequence header says about the picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SequenceHeader {
    /// 0 main, 1 high, 2 professional.
    pub profile: u8,
    /// `seq_level_idx` of the first operating point.
    pub level: u8,
    /// Whether the first operating point is of the high tier.
    pub high_tier: bool,
    /// The largest width in pixels.
    pub width: u32,
    /// The largest height in pixels.
    pub height: u32,
    /// Bits per sample: 8, 10 or 12.
    pub bit_depth: u8,
    /// Whether there is only luma.
    pub monochrome: bool,
    /// Whether chroma is halved across and down.
    pub subsampling: (bool, bool),
    /// Where chroma samples lie: 0 unknown, 1 left, 2 top left.
    pub chroma_position: u8,
    /// What colours are meant.
    pub colours: Colours,
    /// Pictures per second as a fraction, if they are announced as equally long.
    pub frame_rate: Option<(u32, u32)>,
}

impl SequenceHeader {
    /// Reads the payload of a sequence header OBU.
    ///
    /// # Errors
    /// `Malformed` if it ends too early or uses a reserved profile.
    pub fn parse(payload: &[u8]) -> Result<Self, Error> {
        let mut reader = BitReader::new(payload, WHAT);
        let profile = reader.bits(3)? as u8;
        if profile > 2 {
            return Err(Error::malformed(WHAT, format!("profile {profile} is reserved")));
        }
        let mut header = Self {
            profile,
            level: 0,
            high_tier: false,
            width: 0,
            height: 0,
            bit_depth: 8,
            monochrome: false,
            subsampling: (true, true),
            chroma_position: 0,
            colours: Colours::UNSPECIFIED,
            frame_rate: None,
        };
        let _still_picture = reader.flag()?;
        let is_reduced = reader.flag()?;
        if is_reduced {
            header.level = reader.bits(5)? as u8;
        } else {
            header.read_operating_points(&mut reader)?;
        }
        let (width_bits, height_bits) = (reader.bits(4)? + 1, reader.bits(4)? + 1);
        header.width = reader.bits(width_bits)? + 1;
        header.height = reader.bits(height_bits)? + 1;
        skip_tools(&mut reader, is_reduced)?;
        header.read_colours(&mut reader)?;
        Ok(header)
    }

    /// Pictures per second, if announced.
    #[must_use]
    pub fn frames_per_second(&self) -> Option<f64> {
        self.frame_rate.map(|(num, den)| f64::from(num) / f64::from(den))
    }

    /// Timing, and level and tier of the first operating point.
    fn read_operating_points(&mut self, reader: &mut BitReader<'_>) -> Result<(), Error> {
        let mut delay_bits = None;
        let has_timing = reader.flag()?;
        if has_timing {
            self.read_timing(reader)?;
            let has_decoder_model = reader.flag()?;
            if has_decoder_model {
                delay_bits = Some(reader.bits(5)? as usize + 1);
                reader.skip(32 + 5 + 5)?;
            }
        }
        let has_display_delay = reader.flag()?;
        let points = reader.bits(5)? + 1;
        for point in 0..points {
            reader.skip(12)?;
            let level = reader.bits(5)? as u8;
            let high_tier = level > 7 && reader.flag()?;
            if point == 0 {
                (self.level, self.high_tier) = (level, high_tier);
            }
            if let Some(bits) = delay_bits {
                let is_present = reader.flag()?;
                reader.skip(if is_present { 2 * bits + 1 } else { 0 })?;
            }
            let is_delayed = has_display_delay && reader.flag()?;
            reader.skip(if is_delayed { 4 } else { 0 })?;
        }
        Ok(())
    }

    fn read_timing(&mut self, reader: &mut BitReader<'_>) -> Result<(), Error> {
        let units_in_tick = reader.bits(32)?;
        let time_scale = reader.bits(32)?;
        let equally_long = reader.flag()?;
        if equally_long {
            // The same code as Exp-Golomb's.
            let ticks = reader.ue()?.checked_add(1);
            let den = ticks.and_then(|ticks| units_in_tick.checked_mul(ticks));
            let den = den.filter(|&den| den > 0 && time_scale > 0);
            self.frame_rate = den.map(|den| reduced(time_scale, den));
        }
        Ok(())
    }

    /// 5.5.2.
    fn read_colours(&mut self, reader: &mut BitReader<'_>) -> Result<(), Error> {
        const SRGB: Colours = Colours { primaries: 1, transfer: 13, matrix: 0, full_range: true };
        let high = reader.flag()?;
        let twelve = self.profile == 2 && high && reader.flag()?;
        self.bit_depth = bit_depth(high, twelve);
        self.monochrome = self.profile != 1 && reader.flag()?;
        let mut colours = Colours::UNSPECIFIED;
        let is_described = reader.flag()?;
        if is_described {
            colours.primaries = reader.bits(8)? as u8;
            colours.transfer = reader.bits(8)? as u8;
            colours.matrix = reader.bits(8)? as u8;
        }
        if !self.monochrome && (Colours { full_range: true, ..colours }) == SRGB {
            self.subsampling = (false, false);
            self.colours = SRGB;
            return Ok(());
        }
        colours.full_range = reader.flag()?;
        self.colours = colours;
        self.subsampling = match (self.profile, self.bit_depth) {
            _ if self.monochrome => (true, true),
            (0, _) => (true, true),
            (1, _) => (false, false),
            (_, 12) => {
                let across = reader.flag()?;
                (across, across && reader.flag()?)
            }
            _ => (true, false),
        };
        if self.subsampling == (true, true) && !self.monochrome {
            self.chroma_position = reader.bits(2)? as u8;
        }
        Ok(())
    }
}

/// What stands between size and colours: which tools the encoder may use.
fn skip_tools(reader: &mut BitReader<'_>, is_reduced: bool) -> Result<(), Error> {
    const SELECTED_BY_FRAME: u32 = 2;
    if !is_reduced {
        let has_frame_ids = reader.flag()?;
        reader.skip(if has_frame_ids { 7 } else { 0 })?;
    }
    // Superblock size, filter intra, intra edge filter.
    reader.skip(3)?;
    if !is_reduced {
        // Inter-intra, masks, warps, dual filter.
        reader.skip(4)?;
        let has_order_hints = reader.flag()?;
        reader.skip(if has_order_hints { 2 } else { 0 })?;
        let chooses_screen_content = reader.flag()?;
        let screen_content = if chooses_screen_content { SELECTED_BY_FRAME } else { reader.bits(1)? };
        if screen_content > 0 {
            let chooses_integer_motion = reader.flag()?;
            reader.skip(if chooses_integer_motion { 0 } else { 1 })?;
        }
        reader.skip(if has_order_hints { 3 } else { 0 })?;
    }
    // Super-resolution, directional enhancement, restoration.
    reader.skip(3)
}

/// Bits per sample, of the two flags that tell it.
pub(super) const fn bit_depth(high: bool, twelve: bool) -> u8 {
    match (high, twelve) {
        (false, _) => 8,
        (true, false) => 10,
        (true, true) => 12,
    }
}

const WHAT: &str = "AV1 sequence header";
