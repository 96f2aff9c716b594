//! Spectral band replication and parametric stereo (HE-AAC) that frames carry and the configuration does not announce.
//!
//! The data of SBR is a fill element (ISO 14496-3, 4.4.2.7) behind the coded spectrum, and where the spectrum ends only
//! Huffman decoding tells. The end of the frame tells it as well: there is an end mark, filled up to a whole byte, and
//! elements that say how long they are lead up to it. So elements are looked for from the end on. What looks like one
//! by chance is found in fewer than 3 of 100 frames of AAC-LC, the real one in every frame of HE-AAC: several frames
//! together leave no doubt. The same goes for parametric stereo, which ends the data of SBR.
//!
//! Not found is SBR that other channels stand behind, as in front of the bass channel of 5.1.

use super::aac::{AAC_LC, AudioSpecificConfig};

/// Frames of a film that are looked at. The parametric stereo of a single one is there by chance in nearly half of them.
pub(crate) const SBR_FRAMES: usize = 16;
/// Frames that say something, at least.
const FRAMES_MIN: usize = 4;
/// Frames that say something of parametric stereo, at least.
const STEREO_FRAMES_MIN: usize = 8;
/// The longest frame of two channels: 6144 bits for each (ISO 14496-3, 4.5.1.1).
pub(crate) const SBR_FRAME_BYTES: usize = 1536;
/// Above it no encoder puts SBR on top.
const CORE_RATE_MAX: u32 = 48_000;

/// The elements of a frame that say how long they are, and the end mark.
const ID_DATA_STREAM: u32 = 4;
const ID_FILL: u32 = 6;
const ID_END: u32 = 7;
/// Kinds of fill elements: SBR without and with a checksum.
const EXT_SBR: [u32; 2] = [13, 14];
/// The kind of extension of SBR that parametric stereo is.
const EXTENSION_PS: u32 = 2;

/// What frames carry though the configuration does not announce it: SBR, which doubles the rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImplicitSbr {
    /// Whether parametric stereo makes two channels of one.
    pub parametric_stereo: bool,
}

impl ImplicitSbr {
    /// Whether frames may say more than the configuration: it neither announces all that there is nor denies it.
    #[must_use]
    pub fn may_be_in(config: &[u8]) -> bool {
        let Ok((parsed, is_denied)) = AudioSpecificConfig::parse_whole(config) else { return false };
        let is_core = parsed.object_type == AAC_LC && parsed.sample_rate <= CORE_RATE_MAX;
        let is_stereo_open = parsed.channel_config == 1 && !parsed.parametric_stereo;
        is_core && !is_denied && (parsed.sbr_rate.is_none() || is_stereo_open)
    }

    /// The configuration as it would be if it said so too.
    #[must_use]
    pub fn announced(self, config: AudioSpecificConfig) -> AudioSpecificConfig {
        AudioSpecificConfig {
            sbr_rate: config.sbr_rate.or(Some(2 * config.sample_rate)),
            parametric_stereo: config.parametric_stereo
                || self.parametric_stereo && config.channel_config == 1,
            ..config
        }
    }
}

/// Looks for SBR in the frames of a track, best in some that lie apart.
#[derive(Clone, Copy, Debug, Default)]
pub struct SbrSearch {
    frames: usize,
    with_sbr: usize,
    with_stereo: usize,
}

impl SbrSearch {
    /// Looks at a whole frame; one that is too long counts for nothing.
    pub fn look(&mut self, frame: &[u8]) {
        if frame.len() > SBR_FRAME_BYTES {
            return;
        }
        let (has_sbr, has_stereo) = FrameEnd::new(frame).sbr();
        self.frames += 1;
        self.with_sbr += usize::from(has_sbr);
        self.with_stereo += usize::from(has_stereo);
    }

    /// What has been found. A few frames may lack it: encoders begin with some, or sound of both sorts was joined.
    #[must_use]
    pub const fn found(&self) -> Option<ImplicitSbr> {
        if self.frames < FRAMES_MIN || 4 * self.with_sbr < 3 * self.frames {
            return None;
        }
        let parametric_stereo = self.with_stereo == self.with_sbr && self.with_stereo >= STEREO_FRAMES_MIN;
        Some(ImplicitSbr { parametric_stereo })
    }
}

/// A frame, read from its end.
struct FrameEnd<'a> {
    frame: &'a [u8],
    bits: usize,
}

impl<'a> FrameEnd<'a> {
    const fn new(frame: &'a [u8]) -> Self {
        Self { frame, bits: 8 * frame.len() }
    }

    /// Up to 25 bits from `at` on; `None` behind the end.
    fn read(&self, at: usize, count: usize) -> Option<u32> {
        if at + count > self.bits {
            return None;
        }
        let byte = |number: usize| u32::from(self.frame.get(at / 8 + number).copied().unwrap_or(0));
        let window = byte(0) << 24 | byte(1) << 16 | byte(2) << 8 | byte(3);
        Some(if count == 0 { 0 } else { window << (at % 8) >> (32 - count) })
    }

    /// Whether there is SBR, and parametric stereo in it.
    fn sbr(&self) -> (bool, bool) {
        // From where on elements lead to the end mark.
        let mut leads = vec![false; self.bits + 1];
        let mut found = (false, false);
        for at in (0..self.bits).rev() {
            let behind = match self.read(at, 3) {
                Some(ID_END) => {
                    let filling = self.bits - at - 3;
                    leads[at] = filling < 8 && self.read(at + 3, filling) == Some(0);
                    continue;
                }
                Some(ID_FILL) => self.counted(at + 3, 4),
                Some(ID_DATA_STREAM) => self.data_stream(at + 3),
                _ => None,
            };
            let Some((begin, end)) = behind.filter(|(_, end)| leads.get(*end) == Some(&true)) else {
                continue;
            };
            leads[at] = true;
            let is_fill = self.read(at, 3) == Some(ID_FILL);
            if is_fill && end > begin && self.read(begin, 4).is_some_and(|kind| EXT_SBR.contains(&kind)) {
                found = (true, found.1 || self.ends_with_stereo(begin + 4, end));
            }
        }
        found
    }

    /// From where to where the bytes of an element lie, behind their count of so many bits: what it holds at most means
    /// that eight bits more are added to it, of a fill element less one.
    fn counted(&self, at: usize, count_bits: usize) -> Option<(usize, usize)> {
        let (count, at) = (self.read(at, count_bits)?, at + count_bits);
        let most = (1 << count_bits) - 1;
        let (count, begin) = if count == most {
            let more = self.read(at, 8)?;
            (if count_bits == 4 { (count + more).saturating_sub(1) } else { count + more }, at + 8)
        } else {
            (count, at)
        };
        Some((begin, begin + 8 * count as usize))
    }

    /// The same of a data stream element: behind its tag and whether its bytes begin with a byte of the frame.
    fn data_stream(&self, at: usize) -> Option<(usize, usize)> {
        let is_aligned = self.read(at + 4, 1)? == 1;
        let (begin, end) = self.counted(at + 5, 8)?;
        let moved = if is_aligned { begin.next_multiple_of(8) - begin } else { 0 };
        Some((begin + moved, end + moved))
    }

    /// Whether the data of SBR that lies there ends with parametric stereo: a flag, the number of bytes (4 bits, and 8
    /// more if they do not do), the kind, and less than a byte behind it all.
    fn ends_with_stereo(&self, begin: usize, end: usize) -> bool {
        const MOST: usize = 15;
        let filled = (0..8).take_while(|&filling| {
            end.checked_sub(filling).is_some_and(|at| self.read(at, filling) == Some(0))
        });
        let bytes_max = (end.saturating_sub(begin) / 8).min(MOST + 255);
        filled.into_iter().any(|filling| {
            (1..=bytes_max).any(|bytes| {
                let head = if bytes < MOST { 5 } else { 13 };
                let Some(at) = end.checked_sub(filling + 8 * bytes + head).filter(|&at| at >= begin) else {
                    return false;
                };
                let is_count = self.read(at, 5) == Some(1 << 4 | bytes.min(MOST) as u32);
                let is_rest = bytes < MOST || self.read(at + 5, 8) == Some((bytes - MOST) as u32);
                is_count && is_rest && self.read(at + head, 2) == Some(EXTENSION_PS)
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::bits::BitWriter;

    /// Values and how many bits each takes.
    type Bits = &'static [(u32, u32)];

    /// A frame: some bits for the spectrum, elements, the end mark.
    fn frame(elements: &[Bits]) -> Vec<u8> {
        let mut writer = BitWriter::default();
        for (value, count) in [&[(0x2A_1234, 23), (0x55, 8)][..]].iter().chain(elements).copied().flatten() {
            writer.bits(*value, *count);
        }
        writer.bits(ID_END, 3);
        writer.into_bytes()
    }

    fn said(frame: &[u8]) -> (bool, bool) {
        FrameEnd::new(frame).sbr()
    }

    /// SBR of five bytes, and the same with parametric stereo of two bytes at its end.
    const SBR: Bits = &[(ID_FILL, 3), (5, 4), (13, 4), (0x77_7777, 24), (0x777, 12)];
    const STEREO: Bits =
        &[(ID_FILL, 3), (5, 4), (14, 4), (0x777, 12), (1, 1), (2, 4), (2, 2), (0x155, 14), (0, 3)];
    const PADDING: Bits = &[(ID_FILL, 3), (15, 4), (1, 8), (0, 24), (0, 24), (0, 24), (0, 24), (0, 24)];
    const DATA: Bits = &[(ID_DATA_STREAM, 3), (3, 4), (0, 1), (2, 8), (0x1234, 16)];

    #[test]
    fn elements_lead_from_the_end_of_a_frame_to_sbr() {
        for (elements, expected) in [
            (&[SBR][..], (true, false)),
            (&[STEREO], (true, true)),
            (&[SBR, PADDING], (true, false)),
            (&[STEREO, PADDING, DATA], (true, true)),
            (&[PADDING], (false, false)),
            (&[DATA], (false, false)),
            (&[], (false, false)),
        ] {
            assert_eq!(said(&frame(elements)), expected, "{elements:?}");
        }
        let cut = frame(&[SBR]);
        assert_eq!(said(&cut[..cut.len() - 1]), (false, false));
        assert_eq!(said(&[]), (false, false));
    }

    #[test]
    fn several_frames_say_it_together() {
        let search = |frames: &[(&[Bits], usize)]| {
            let mut search = SbrSearch::default();
            frames
                .iter()
                .for_each(|(elements, count)| (0..*count).for_each(|_| search.look(&frame(elements))));
            search.found().map(|found| found.parametric_stereo)
        };
        assert_eq!(search(&[(&[SBR], 3)]), None, "too few");
        assert_eq!(search(&[(&[SBR], 4)]), Some(false));
        assert_eq!(search(&[(&[], 4), (&[SBR], 12)]), Some(false));
        assert_eq!(search(&[(&[], 5), (&[SBR], 11)]), None);
        assert_eq!(search(&[(&[], 1), (&[STEREO], 15)]), Some(true));
        assert_eq!(search(&[(&[STEREO], 15), (&[SBR], 1)]), Some(false));
        assert_eq!(search(&[(&[STEREO], 7)]), Some(false), "that may be by chance");
    }

    #[test]
    fn a_configuration_leaves_it_open_or_does_not() {
        let open = |config: &[u8]| ImplicitSbr::may_be_in(config);
        assert!(open(&[0x13, 0x10]) && open(&[0x13, 0x08]));
        assert!(!open(&[0x13, 0x10, 0x56, 0xE5, 0x98]), "SBR is announced, of two channels");
        assert!(!open(&[0x13, 0x10, 0x56, 0xE5, 0x00]), "and denied");
        assert!(open(&[0x13, 0x08, 0x56, 0xE5, 0x98]), "one channel may become two");
        assert!(!open(&[0x13, 0x08, 0x56, 0xE5, 0x9D, 0x48, 0x00]), "unless that is denied");
        assert!(!open(&[0x13, 0x08, 0x56, 0xE5, 0x9D, 0x48, 0x80]), "or announced");
        assert!(!open(&[0x0B, 0x10]) && !open(&[0x10, 0x10]) && !open(&[]), "AAC Main, 96 kHz, nothing");
        let core = AudioSpecificConfig::lc(24_000, 1);
        let announced = ImplicitSbr { parametric_stereo: true }.announced(core);
        assert_eq!((announced.output_rate(), announced.channels()), (48_000, Some(2)));
        let two = ImplicitSbr { parametric_stereo: true }.announced(AudioSpecificConfig::lc(22_050, 2));
        assert_eq!((two.output_rate(), two.codec_string().as_str()), (44_100, "mp4a.40.5"));
    }

    proptest! {
        #[test]
        fn any_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = (said(&bytes), ImplicitSbr::may_be_in(&bytes));
        }

        /// As [`FrameEnd::read`] takes bits, so does the reader of everything else.
        #[test]
        fn bits_are_those_of_the_bytes(bytes in prop::collection::vec(any::<u8>(), 1..9), at in 0usize..64, count in 0usize..26) {
            let mut reader = crate::bits::BitReader::new(&bytes, "test");
            let expected = reader.skip(at).and_then(|()| reader.bits(count as u32)).ok();
            prop_assert_eq!(FrameEnd::new(&bytes).read(at, count), expected);
        }
    }
}
