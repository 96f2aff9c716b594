//! VP8 and VP9: their configuration, and which frames decoding can start at.

use bytes::Bytes;

use super::config::DecoderConfig;
use super::repaired::Repaired;
use crate::codec::vp9::VpKeyFrame;
use crate::flv::tag::CodedFrame;
use crate::picture_start::PictureStart;
use crate::{Codec, Error};

/// The version and flags that stand before the record in MP4, and that ffmpeg sends, are
/// added where a sender left them out, for they are not of the record itself.
pub(super) fn read_vp_config(config: &Bytes) -> Result<DecoderConfig, Error> {
    const VERSION_AND_FLAGS: [u8; 4] = [1, 0, 0, 0];
    const RECORD_LEN: usize = 8;
    let bytes = match config.len() {
        ..RECORD_LEN => {
            return Err(Error::malformed("VPCodecConfigurationRecord", "it has less than 8 bytes"));
        }
        // As a record, these would be one without bits per sample.
        12.. if config.starts_with(&VERSION_AND_FLAGS) => config.clone(),
        _ => [&VERSION_AND_FLAGS, config.as_ref()].concat().into(),
    };
    Ok(DecoderConfig::opaque(bytes))
}

/// Whether decoding can start with a frame of VP8 or VP9 is told by its head, whatever the sender says. VP9 without
/// a configuration gets one from its first key frame.
pub(super) fn look_inside(
    coded: &mut CodedFrame,
    is_announced: bool,
    repaired: &mut Repaired,
) -> Option<DecoderConfig> {
    let key = PictureStart::of_bytes(coded.codec, &coded.payload) == Some(PictureStart::Key);
    repaired.key_flags += u64::from(coded.key.is_some_and(|flagged| flagged != key));
    coded.key = Some(key);
    if is_announced || !key || coded.codec == Codec::Vp8 {
        return None;
    }
    let head = VpKeyFrame::parse_vp9(&coded.payload).ok()?;
    read_vp_config(&head.config.to_bytes()).ok()
}
