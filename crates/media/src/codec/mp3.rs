//! MP3: the 4-byte header of an MPEG-1/2/2.5 layer III frame.

/// What the header of one frame says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mp3Header {
    /// Sample rate in Hz.
    pub sample_rate: u32,
    /// 1 or 2.
    pub channels: u8,
    /// Bit rate in kbit/s.
    pub bit_rate_kbps: u32,
    /// Bytes of the frame with its header.
    pub frame_len: usize,
    /// Samples per channel in the frame: 1152 (MPEG-1) or 576.
    pub samples: u32,
}

impl Mp3Header {
    /// Reads a header from the front of `data`; `None` if it is no layer III frame of known length.
    #[must_use]
    pub fn parse(data: &[u8]) -> Option<Self> {
        const MPEG1: [u32; 15] = [0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320];
        const MPEG2: [u32; 15] = [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160];
        let &[0xFF, version, rates, mode, ..] = data else { return None };
        if version & 0xE6 != 0xE2 {
            return None;
        }
        let base = *[44_100, 48_000, 32_000].get(usize::from(rates >> 2 & 3))?;
        let (rate_table, sample_rate, samples) = match version >> 3 & 3 {
            3 => (&MPEG1, base, 1152),
            2 => (&MPEG2, base / 2, 576),
            0 => (&MPEG2, base / 4, 576),
            _ => return None,
        };
        let bit_rate_kbps = *rate_table.get(usize::from(rates >> 4)).filter(|&&rate| rate > 0)?;
        let padding = u32::from(rates >> 1 & 1);
        let frame_len = (samples / 8 * bit_rate_kbps * 1000 / sample_rate + padding) as usize;
        let channels = if mode >> 6 == 3 { 1 } else { 2 };
        Some(Self { sample_rate, channels, bit_rate_kbps, frame_len, samples })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_of_the_three_generations() {
        let mpeg1 = Mp3Header::parse(&[0xFF, 0xFB, 0x90, 0x64]).unwrap();
        assert_eq!((mpeg1.sample_rate, mpeg1.channels, mpeg1.bit_rate_kbps), (44_100, 2, 128));
        assert_eq!((mpeg1.frame_len, mpeg1.samples), (417, 1152));
        let mpeg2 = Mp3Header::parse(&[0xFF, 0xF3, 0x84, 0xC4]).unwrap();
        assert_eq!((mpeg2.sample_rate, mpeg2.channels, mpeg2.frame_len), (24_000, 1, 192));
        assert_eq!(Mp3Header::parse(&[0xFF, 0xFB, 0xF0, 0x64]), None);
        assert_eq!(Mp3Header::parse(&[0xFF, 0xF1, 0x50, 0x80]), None, "ADTS is not MP3");
    }
}
