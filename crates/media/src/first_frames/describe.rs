//! What a frame says of its track where the configuration is silent.

use bytes::Bytes;

use crate::codec::ac3::Ac3Header;
use crate::codec::av1::Av1Config;
use crate::codec::flash;
use crate::codec::h264::AvcConfig;
use crate::codec::h265::HevcConfig;
use crate::codec::mp3::Mp3Header;
use crate::codec::nal::nals;
use crate::codec::opus;
use crate::codec::vp9::VpKeyFrame;
use crate::parameter_sets::ParameterSets;
use crate::{Codec, DescribedTrack, SampleEntry, Track, TrackId};

/// The heads of frames that describe themselves are shorter.
const HEAD_BYTES: u32 = 64;
/// Parameter sets stand before the picture, behind what cameras may say of themselves.
const PARAMETER_SETS_BYTES: u32 = 64 << 10;

/// How much of a frame is to be read to describe the track; `None` if nothing is missing.
pub(super) fn bytes_wanted(described: DescribedTrack<'_>) -> Option<u32> {
    let DescribedTrack { track, .. } = described;
    match track.codec {
        Codec::H264 | Codec::H265 | Codec::Av1 => (!is_complete(track)).then_some(PARAMETER_SETS_BYTES),
        Codec::Opus => track.config.is_empty().then_some(HEAD_BYTES),
        Codec::Vp8 | Codec::Vp9 | Codec::Ac3 | Codec::Eac3 | Codec::Mp3 { .. } => Some(HEAD_BYTES),
        // The codecs whose frames say their size.
        Codec::FlvVideo(2..=6) => Some(HEAD_BYTES),
        _ => None,
    }
}

/// Takes what the beginning of a frame says into the description of its track. Whether it said what is missing.
pub(super) fn describe(track: &mut Track, entry: &mut SampleEntry, frame: &[u8]) -> bool {
    let said = match track.codec {
        Codec::H264 | Codec::H265 => return take_parameter_sets(track, frame),
        Codec::Av1 => {
            let Ok(found) = Av1Config::from_temporal_unit(frame) else { return false };
            track.config = found.to_bytes();
            return true;
        }
        Codec::Vp8 => VpKeyFrame::parse_vp8(frame).is_ok(),
        Codec::Vp9 => {
            let head = VpKeyFrame::parse_vp9(frame);
            if let Ok(head) = &head
                && track.config.is_empty()
            {
                track.config = head.config.to_bytes();
            }
            head.is_ok()
        }
        Codec::Ac3 | Codec::Eac3 => Ac3Header::parse(frame).is_ok(),
        Codec::Mp3 { .. } => {
            let head = Mp3Header::parse(frame);
            if let Some(head) = &head {
                track.codec = Codec::mp3(head.sample_rate, head.channels == 2);
            }
            head.is_some()
        }
        Codec::Opus => opus::packet_channels(frame).is_some(),
        Codec::FlvVideo(codec) => flash::picture_size(codec, frame).is_some(),
        _ => false,
    };
    if said {
        let len = frame.len().min(HEAD_BYTES as usize);
        entry.frame = Bytes::copy_from_slice(&frame[..len]);
    }
    said
}

/// The configuration record that stands whole in front of the NAL units of a frame: programs that repeat "extra data"
/// before key frames (ffmpeg's `dump_extra`) put it there in MP4. `size` is that of the whole frame.
pub(super) fn leading_record(codec: Codec, frame: &[u8], size: u32) -> Option<&[u8]> {
    // As the length of a unit, its first bytes lead beyond the frame.
    let length = u32::from_be_bytes(*frame.first_chunk()?);
    if frame.first() != Some(&1) || length < size {
        return None;
    }
    let len = match codec {
        Codec::H264 => avc_record_len(frame)?,
        Codec::H265 => hevc_record_len(frame)?,
        _ => return None,
    };
    let record = frame.get(..len)?;
    let track = Track::new(TrackId::VIDEO, codec, Bytes::copy_from_slice(record));
    is_complete(&track).then_some(record)
}

fn avc_record_len(frame: &[u8]) -> Option<usize> {
    let mut at = 5;
    for (mask, reserved) in [(0x1F, 0xE0), (0xFF, 0)] {
        let &count = frame.get(at)?;
        at += 1;
        if count & reserved != reserved {
            return None;
        }
        at = skip_sets(frame, at, (count & mask).into())?;
    }
    // Chroma format and depths of the high profiles; a length does not begin so.
    let has_chroma =
        matches!(frame.get(at..at + 4)?, &[a, b, c, _] if a >> 2 == 0x3F && b >> 3 == 0x1F && c >> 3 == 0x1F);
    Some(if has_chroma { at + 4 } else { at })
}

fn hevc_record_len(frame: &[u8]) -> Option<usize> {
    let &arrays = frame.get(22)?;
    let mut at = 23;
    for _ in 0..arrays {
        let &[_, high, low] = frame.get(at..at + 3)?.first_chunk::<3>()?;
        at = skip_sets(frame, at + 3, u16::from_be_bytes([high, low]).into())?;
    }
    Some(at)
}

/// Where so many units behind lengths of 16 bits end.
fn skip_sets(frame: &[u8], mut at: usize, count: usize) -> Option<usize> {
    for _ in 0..count {
        let length = u16::from_be_bytes(*frame.get(at..)?.first_chunk()?);
        at += 2 + usize::from(length);
    }
    (at <= frame.len()).then_some(at)
}

/// Whether a decoder can start with the configuration alone.
fn is_complete(track: &Track) -> bool {
    match track.codec {
        Codec::H264 => AvcConfig::parse(&track.config).is_ok_and(|avc| avc.has_parameter_sets()),
        Codec::H265 => HevcConfig::parse(&track.config).is_ok_and(|hevc| hevc.has_parameter_sets()),
        Codec::Av1 => Av1Config::parse(&track.config).is_ok_and(|av1| av1.picture().is_ok()),
        _ => true,
    }
}

/// Parameter sets that lie among the pictures become part of the record.
fn take_parameter_sets(track: &mut Track, frame: &[u8]) -> bool {
    let frame = Bytes::copy_from_slice(frame);
    let find = |length_size| {
        ParameterSets::find(track.codec, &frame, nals(&frame, length_size).map_while(Result::ok))
    };
    let record = if track.codec == Codec::H264 {
        match AvcConfig::parse(&track.config) {
            Ok(known) => {
                let found = find(known.length_size);
                known.updated(&found.sps, &found.pps).map(|record| record.to_bytes())
            }
            Err(_) => find(4).avc().ok().map(|record| record.to_bytes()),
        }
    } else {
        match HevcConfig::parse(&track.config) {
            Ok(known) => {
                let found = find(known.length_size);
                known.updated(&found.vps, &found.sps, &found.pps).map(|record| record.to_bytes())
            }
            Err(_) => find(4).hevc().ok().map(|record| record.to_bytes()),
        }
    };
    if let Some(record) = record {
        track.config = record;
    }
    is_complete(track)
}
