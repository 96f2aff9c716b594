//! Sound made regular: messages with several frames, AAC configurations and ADTS headers, what FLAC and MP3 need.

use bytes::Bytes;

use super::config::{DecoderConfig, Known};
use super::repaired::{Dropped, Repaired};
use crate::codec::aac::{AAC_LC, AdtsHeader, AudioSpecificConfig};
use crate::codec::ac3::Ac3Header;
use crate::codec::mp3::Mp3Header;
use crate::flv::tag::CodedFrame;
use crate::{Codec, Error};

/// Frames that one message may hold. Encoders that gather put three or four into one.
const FRAMES_MAX: usize = 256;

/// The frames of one message, each with the milliseconds between the message's time and its own: several AAC frames
/// with ADTS headers, or several of MP3 or AC-3, which tell how long they are. All else is one frame.
pub(super) struct SoundFrames {
    rest: Option<CodedFrame>,
    begun_ns: u64,
    given: usize,
}

impl SoundFrames {
    pub(super) const fn of(coded: CodedFrame) -> Self {
        Self { rest: Some(coded), begun_ns: 0, given: 0 }
    }

    /// Whether there was more than one.
    pub(super) const fn were_several(&self) -> bool {
        self.given > 1
    }
}

impl Iterator for SoundFrames {
    type Item = (u32, CodedFrame);

    fn next(&mut self) -> Option<(u32, CodedFrame)> {
        let mut frame = self.rest.take()?;
        let delay_ms = u32::try_from((self.begun_ns + 500_000) / 1_000_000).ok()?;
        self.given += 1;
        if let Some(first) = FrameHead::of(frame.codec, &frame.payload)
            && let Some(behind) = frame.payload.get(first.len..)
            && self.given < FRAMES_MAX
            && FrameHead::of(frame.codec, behind).is_some_and(|next| next.sample_rate == first.sample_rate)
        {
            self.rest = Some(CodedFrame { payload: frame.payload.split_off(first.len), ..frame.clone() });
            self.begun_ns += u64::from(first.samples) * 1_000_000_000 / u64::from(first.sample_rate.max(1));
        }
        Some((delay_ms, frame))
    }
}

/// What the head of a frame of sound says of it.
struct FrameHead {
    /// Bytes of the frame, its head included.
    len: usize,
    samples: u32,
    sample_rate: u32,
}

impl FrameHead {
    /// Of codecs whose frames say where they end.
    fn of(codec: Codec, data: &[u8]) -> Option<Self> {
        match codec {
            Codec::Aac => AdtsHeader::parse(data).map(|adts| Self {
                len: adts.frame_len,
                samples: adts.config().frame_length.into(),
                sample_rate: adts.sample_rate,
            }),
            Codec::Mp3 { .. } => Mp3Header::parse(data).map(|mp3| Self {
                len: mp3.frame_len,
                samples: mp3.samples,
                sample_rate: mp3.sample_rate,
            }),
            Codec::Ac3 => Ac3Header::parse(data).ok().map(|ac3| Self {
                len: ac3.frame_len,
                samples: ac3.samples.into(),
                sample_rate: ac3.sample_rate,
            }),
            _ => None,
        }
    }
}

/// Takes ADTS headers off (quirk 6); they correct the configuration, or stand in for it: then it comes back.
pub(super) fn strip_adts(
    coded: &mut CodedFrame,
    known: &Known,
    repaired: &mut Repaired,
) -> Result<Option<DecoderConfig>, Dropped> {
    let mut found = None;
    // A bare frame cannot start with twelve ones: that would be an end marker followed by nothing. So it is a header
    // also where the length in it is wrong.
    while let Some(header) = AdtsHeader::parse(&coded.payload) {
        coded.payload = coded.payload.slice(header.header_len.min(coded.payload.len())..);
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
    Mp3Header::parse(frame)
        .map_or(Codec::Mp3 { flv_flags: 0x2F }, |head| Codec::mp3(head.sample_rate, head.channels == 2))
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
