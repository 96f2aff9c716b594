//! One key frame of H.264, decoded by itself.

use bytes::Bytes;
use headwater_media::codec::h264::{self, AvcConfig, NAL_IDR, NAL_PPS, NAL_SPS, Sps};
use rust_h264::decoder::{Decoder, Frame};
use rust_h264::nal::{NalUnit, SpsInfo, parse_avcc, parse_sps_info};

use super::KEY_FRAME_BYTES_MAX;
use super::colour::Meaning;
use super::scale::{Picture, Shape};
use crate::refusal::{Refusal, RefusalKind};

/// NAL unit type of a slice of a picture that is not IDR; an open group of pictures begins with one.
const NAL_SLICE: u8 = 1;
/// Macroblocks of a picture, at most: level 5.2, 4096 × 2304. Decoding takes about 2 KB for each.
const MACROBLOCKS_MAX: u64 = 36_864;
/// Slices of a picture, at most: the decoder copies its state for each.
const SLICES_MAX: usize = 512;
/// Coded pictures in a key frame: two fields.
const PICTURES_MAX: usize = 2;

/// Decodes the access unit, length-prefixed, with the configuration of its track.
///
/// # Errors
/// `Unsupported` for formats and sizes that the decoder does not take; `Damaged` for all else.
pub(super) fn decode(config: &Bytes, key_frame: &[u8]) -> Result<Picture, Refusal> {
    if key_frame.len() > KEY_FRAME_BYTES_MAX as usize {
        return Err(Refusal::new(
            RefusalKind::Unsupported,
            format!("the key frame has {} bytes; {KEY_FRAME_BYTES_MAX} are decoded", key_frame.len()),
        ));
    }
    let config =
        AvcConfig::parse(config).map_err(|error| Refusal::new(RefusalKind::Damaged, error.to_string()))?;
    let mut reading = Reading::new();
    for set in config.sps.iter().chain(&config.pps) {
        reading.take(set)?;
    }
    for nal in h264::nals(key_frame, config.length_size) {
        // Whatever comes before the damage may be picture enough.
        let Ok(nal) = nal else { break };
        reading.take(nal)?;
    }
    reading.finish()
}

/// A decoder, and what has gone into it.
struct Reading {
    decoder: Decoder,
    said: Option<(SpsInfo, Shape)>,
    frame: Option<Frame>,
    slices: usize,
    pictures: usize,
    problem: Option<String>,
}

impl Reading {
    fn new() -> Self {
        Self { decoder: Decoder::new(), said: None, frame: None, slices: 0, pictures: 0, problem: None }
    }

    /// Feeds one NAL unit, if it is of a kind that makes the picture.
    fn take(&mut self, nal: &[u8]) -> Result<(), Refusal> {
        match h264::nal_type(nal) {
            NAL_SPS | NAL_PPS => {}
            NAL_SLICE | NAL_IDR => {
                // The first field, `first_mb_in_slice`, is 0 where its first bit is set.
                let begins = nal.get(1).is_some_and(|byte| byte & 0x80 != 0);
                self.pictures += usize::from(begins);
                self.slices += 1;
                if self.pictures > PICTURES_MAX || self.slices > SLICES_MAX {
                    return Ok(());
                }
            }
            _ => return Ok(()),
        }
        let framed = framed(nal);
        let Some(unit) = parse_avcc(&framed, 4).pop() else { return Ok(()) };
        if h264::nal_type(nal) == NAL_SPS {
            self.said = Some(read_sps(nal, &unit)?);
        }
        match self.decoder.decode_nal(&unit) {
            Ok(frame) => self.frame = frame.or_else(|| self.frame.take()),
            Err(rust_h264::error::DecodeError::Unsupported(what)) => {
                return Err(Refusal::new(
                    RefusalKind::Unsupported,
                    format!("the decoder does not know this H.264: {what}"),
                ));
            }
            Err(error) => self.problem = Some(error.to_string()),
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Picture, Refusal> {
        let frame = self.decoder.flush().or(self.frame);
        let Some((frame, (info, shape))) = frame.zip(self.said) else {
            let why = self.problem.unwrap_or_else(|| "it holds no picture".to_owned());
            return Err(Refusal::new(
                RefusalKind::Damaged,
                format!("the key frame cannot be decoded: {why}"),
            ));
        };
        let meaning = Meaning { matrix: info.matrix, full_range: info.full_range, depth: frame.bit_depth };
        let chroma = (frame.chroma_width(), frame.chroma_height());
        // A field without its other half is half as high as it is shown, so what is shown is said apart.
        Ok(Picture {
            width: frame.width,
            height: frame.height,
            shape,
            chroma,
            planes: [frame.y, frame.u, frame.v],
            meaning,
        })
    }
}

/// How pictures of a track with that configuration are shown.
///
/// # Errors
/// As [`decode`].
pub(super) fn shape(config: &Bytes) -> Result<Shape, Refusal> {
    let config =
        AvcConfig::parse(config).map_err(|error| Refusal::new(RefusalKind::Damaged, error.to_string()))?;
    let sps = config
        .sps
        .first()
        .ok_or_else(|| Refusal::new(RefusalKind::Damaged, "there is no sequence parameter set".to_owned()))?;
    let framed = framed(sps);
    let unit = parse_avcc(&framed, 4).pop();
    let unit = unit.ok_or_else(|| {
        Refusal::new(RefusalKind::Damaged, "the sequence parameter set is empty".to_owned())
    })?;
    Ok(read_sps(sps, &unit)?.1)
}

/// A NAL unit with its length in front.
fn framed(nal: &[u8]) -> Vec<u8> {
    [&(nal.len() as u32).to_be_bytes(), nal].concat()
}

/// What the SPS says, if pictures of that size are decoded at all.
fn read_sps(nal: &[u8], unit: &NalUnit<'_>) -> Result<(SpsInfo, Shape), Refusal> {
    let info = parse_sps_info(unit).map_err(|error| {
        Refusal::new(RefusalKind::Damaged, format!("the sequence parameter set cannot be read: {error}"))
    })?;
    let macroblocks = u64::from(info.coded_width / 16) * u64::from(info.coded_height / 16);
    if macroblocks > MACROBLOCKS_MAX {
        let (width, height) = (info.coded_width, info.coded_height);
        return Err(Refusal::new(
            RefusalKind::Unsupported,
            format!("pictures of {width} × {height} are not decoded; up to 4096 × 2304 are"),
        ));
    }
    let sample_aspect = Sps::parse(nal).ok().and_then(|sps| sps.sample_aspect);
    let sample_aspect = sample_aspect.map(|(width, height)| (width.into(), height.into()));
    let (width, height) = (info.width.max(1), info.height.max(1));
    let shape = Shape { width, height, sample_aspect, is_turned: false };
    Ok((info, shape))
}
