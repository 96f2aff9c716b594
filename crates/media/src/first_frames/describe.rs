//! What a frame says of its track where the configuration is silent.

use bytes::Bytes;

use crate::codec::ac3::Ac3Header;
use crate::codec::av1::{self, Av1Config};
use crate::codec::flash;
use crate::codec::h264::AvcConfig;
use crate::codec::h265::HevcConfig;
use crate::codec::mp3::Mp3Header;
use crate::codec::nal::nals;
use crate::codec::opus;
use crate::codec::vp9::VpKeyFrame;
use crate::parameter_sets::ParameterSets;
use crate::{Codec, DescribedTrack, SampleEntry, Track};

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

/// Whether a decoder can start with the configuration alone.
pub(super) fn is_complete(track: &Track) -> bool {
    match track.codec {
        Codec::H264 => AvcConfig::parse(&track.config).is_ok_and(|avc| avc.has_parameter_sets()),
        Codec::H265 => HevcConfig::parse(&track.config).is_ok_and(|hevc| hevc.has_parameter_sets()),
        Codec::Av1 => Av1Config::parse(&track.config).is_ok_and(|av1| av1.picture().is_ok()),
        _ => true,
    }
}

/// Parameter sets that lie among the pictures become part of the record.
fn take_parameter_sets(track: &mut Track, frame: &[u8]) -> bool {
    if let Some(config) = updated_config(track, frame) {
        track.config = config;
    }
    is_complete(track)
}

/// The configuration with the parameter sets of a frame; `None` if it holds none that are new.
pub(super) fn updated_config(track: &Track, frame: &[u8]) -> Option<Bytes> {
    let frame = Bytes::copy_from_slice(frame);
    let find = |length_size| {
        ParameterSets::find(track.codec, &frame, nals(&frame, length_size).map_while(Result::ok))
    };
    match track.codec {
        Codec::H264 => match AvcConfig::parse(&track.config) {
            Ok(known) => {
                let found = find(known.length_size);
                known.updated(&found.sps, &found.pps).map(|record| record.to_bytes())
            }
            Err(_) => find(4).avc().ok().map(|record| record.to_bytes()),
        },
        Codec::H265 => match HevcConfig::parse(&track.config) {
            Ok(known) => {
                let found = find(known.length_size);
                known.updated(&found.vps, &found.sps, &found.pps).map(|record| record.to_bytes())
            }
            Err(_) => find(4).hevc().ok().map(|record| record.to_bytes()),
        },
        Codec::Av1 => {
            let known = Av1Config::parse(&track.config).ok()?;
            let found = av1::sequence_header(&frame)?;
            let is_new = av1::sequence_header(&known.obus).is_some_and(|known| known != found);
            is_new.then(|| Av1Config::from_temporal_unit(&frame).ok().map(|record| record.to_bytes()))?
        }
        _ => None,
    }
}
