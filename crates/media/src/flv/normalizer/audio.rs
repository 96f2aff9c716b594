//! Sound made regular: AAC configurations and ADTS headers, what FLAC and MP3 need.

use bytes::Bytes;

use super::config::{DecoderConfig, Known};
use super::repaired::{Dropped, Repaired};
use crate::codec::aac::{AAC_LC, AdtsHeader, AudioSpecificConfig};
use crate::codec::mp3::Mp3Header;
use crate::flv::tag::CodedFrame;
use crate::{Codec, Error};

/// Takes ADTS headers off (quirk 6); they correct the configuration, or stand in for it: then it comes back.
pub(super) fn strip_adts(
    coded: &mut CodedFrame,
    known: &Known,
    repaired: &mut Repaired,
) -> Result<Option<DecoderConfig>, Dropped> {
    let mut found = None;
    // A bare frame cannot start with twelve ones: that would be an end marker followed by nothing.
    while let Some(header) = AdtsHeader::parse(&coded.payload)
        && header.frame_len == coded.payload.len()
    {
        coded.payload = coded.payload.slice(header.header_len..);
        found = Some(header.config());
    }
    let Some(found) = found else { return Ok(None) };
    repaired.adts += 1;
    if coded.payload.is_empty() {
        return Err(Dropped::Empty);
    }
    if matches!(known, Known::Aac(known) if is_same_core(known, &found)) {
        return Ok(None);
    }
    let bytes = found.to_bytes();
    Ok(Some(DecoderConfig { known: Known::Aac(found), bytes }))
}

/// A configuration with garbage behind it is cut.
pub(super) fn read_aac_config(config: &Bytes) -> Result<DecoderConfig, Error> {
    let parsed = AudioSpecificConfig::parse(config)?;
    let bytes = if has_garbage_tail(&parsed, config) { parsed.to_bytes() } else { config.clone() };
    Ok(DecoderConfig { known: Known::Aac(parsed), bytes })
}

/// `fLaC` and STREAMINFO, with the head of its block, which is what ffmpeg's decoder takes and
/// the specification wants. ffmpeg itself sends STREAMINFO alone; mpegts.js reads `fLaC` and STREAMINFO.
pub(super) fn read_flac_config(config: &Bytes) -> Result<DecoderConfig, Error> {
    const MARK: &[u8] = b"fLaC";
    const STREAM_INFO_LEN: usize = 34;
    const LAST_BLOCK: u8 = 0x80;
    /// The head of a block of type 0 with 34 bytes, the last one.
    const BLOCK_HEAD: [u8; 4] = [LAST_BLOCK, 0, 0, STREAM_INFO_LEN as u8];
    let block = config.strip_prefix(MARK).unwrap_or(config);
    let info = match block.split_at_checked(BLOCK_HEAD.len()) {
        Some(([kind, rest @ ..], info)) if kind & !LAST_BLOCK == 0 && *rest == BLOCK_HEAD[1..] => info,
        _ => block,
    };
    let info = info.get(..STREAM_INFO_LEN).ok_or_else(|| {
        Error::malformed("FLAC configuration", format!("its STREAMINFO has {} of 34 bytes", info.len()))
    })?;
    Ok(DecoderConfig::opaque([MARK, &BLOCK_HEAD, info].concat().into()))
}

/// The codec with the flags that FLV's own MP3 tags would have for this frame.
pub(super) fn mp3_codec(frame: &[u8]) -> Codec {
    const MP3: u8 = 2;
    const MP3_8_KHZ: u8 = 14;
    const SIXTEEN_BIT: u8 = 2;
    let Some(header) = Mp3Header::parse(frame) else { return Codec::Mp3 { flv_flags: 0x2F } };
    let (format, rate) = match header.sample_rate {
        ..=8000 => (MP3_8_KHZ, 0),
        8001..=12_000 => (MP3, 1),
        12_001..=24_000 => (MP3, 2),
        _ => (MP3, 3),
    };
    Codec::Mp3 { flv_flags: format << 4 | rate << 2 | SIXTEEN_BIT | u8::from(header.channels == 2) }
}

fn is_same_core(known: &AudioSpecificConfig, found: &AudioSpecificConfig) -> bool {
    known.sample_rate == found.sample_rate
        && (known.channel_config == found.channel_config || found.channel_config == 0)
}

/// Whether bytes follow a two-byte AAC-LC configuration that are no announcement of HE-AAC (Omnia).
fn has_garbage_tail(parsed: &AudioSpecificConfig, config: &[u8]) -> bool {
    parsed.object_type == AAC_LC
        && parsed.channel_config != 0
        && parsed.sbr_rate.is_none()
        && config.len() > 2
        && config.get(2..4) != Some(&[0x56, 0xE5])
        && config.starts_with(&parsed.to_bytes())
}
