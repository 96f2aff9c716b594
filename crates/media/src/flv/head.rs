//! What stands before a payload in its tag body, in each [`Dialect`].

use bytes::{BufMut, Bytes, BytesMut};

use super::dialect::{Dialect, Numbering, TrackChoice};
use crate::codec::flac::FlacConfig;
use crate::{Codec, Frame, MediaKind, Track, TrackId};

/// First byte and packet types of the original tags.
pub(super) mod original {
    pub(in crate::flv) const KEY: u8 = 1;
    pub(in crate::flv) const INTER: u8 = 2;
    /// No picture: a command to the player, or with Enhanced RTMP metadata.
    pub(in crate::flv) const COMMAND: u8 = 5;
    pub(in crate::flv) const AVC: u8 = 7;
    /// H.265 as Chinese networks number it (Larix, ZLMediaKit, SRS); the tag is as AVC's.
    pub(in crate::flv) const UNOFFICIAL_HEVC: u8 = 12;
    /// AV1 in the same manner (SRS).
    pub(in crate::flv) const UNOFFICIAL_AV1: u8 = 13;
    pub(in crate::flv) const CODEC_CONFIG: u8 = 0;
    pub(in crate::flv) const CODED_FRAME: u8 = 1;
    pub(in crate::flv) const END_OF_SEQUENCE: u8 = 2;
    /// The audio tag's first byte for AAC, whatever the real rate and channels are.
    pub(in crate::flv) const AAC_FLAGS: u8 = 0xAF;
}

/// First byte and packet types of Enhanced RTMP's tags.
pub(super) mod enhanced {
    pub(in crate::flv) const VIDEO: u8 = 0x80;
    pub(in crate::flv) const AUDIO: u8 = 0x90;
    pub(in crate::flv) const SEQUENCE_START: u8 = 0;
    pub(in crate::flv) const CODED_FRAMES: u8 = 1;
    pub(in crate::flv) const CODED_FRAMES_X: u8 = 3;
    /// Video: metadata. Audio: the channel layout.
    pub(in crate::flv) const EXTRA: u8 = 4;
    pub(in crate::flv) const VIDEO_MULTITRACK: u8 = 6;
    pub(in crate::flv) const AUDIO_MULTITRACK: u8 = 5;
    pub(in crate::flv) const MOD_EX: u8 = 7;
    /// The kind of ModEx that carries nanoseconds.
    pub(in crate::flv) const TIMESTAMP_OFFSET_NANO: u8 = 0;
    /// The kind of multitrack message that carries one track.
    pub(in crate::flv) const ONE_TRACK: u8 = 0;
}

use enhanced as ex;
use original::{
    AAC_FLAGS, AVC, CODEC_CONFIG, CODED_FRAME, COMMAND, INTER, KEY, UNOFFICIAL_AV1, UNOFFICIAL_HEVC,
};

/// The longest head: ModEx, multitrack, FourCC, track number and composition time.
const HEAD_LEN_MAX: usize = 16;

/// The first bytes of a tag body, kept inline.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TagHead {
    bytes: [u8; HEAD_LEN_MAX],
    len: u8,
}

impl TagHead {
    /// The bytes.
    #[must_use]
    pub fn as_slice(&self) -> &[u8] {
        self.bytes.get(..self.len()).unwrap_or_default()
    }

    /// How many they are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len as usize
    }

    /// Whether there are none (script data).
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Appends bytes; what is beyond the longest head that exists is left out.
    fn put(mut self, bytes: &[u8]) -> Self {
        let end = (self.len() + bytes.len()).min(HEAD_LEN_MAX);
        for (place, byte) in self.bytes[self.len as usize..end].iter_mut().zip(bytes) {
            *place = *byte;
        }
        self.len = end as u8;
        self
    }
}

/// The bytes that stand before a frame's payload in its tag body; none for script data. `None`: the
/// frame is not for this receiver.
///
/// Called for every frame and kind of receiver: no allocation.
#[must_use]
pub fn frame_head(frame: &Frame, dialect: &Dialect) -> Option<TagHead> {
    if !dialect.admits(frame.track, frame.codec) {
        return None;
    }
    let head = TagHead::default();
    Some(match original_codec(frame.track, frame.codec, dialect) {
        Some(OriginalCodec::Video(id @ (AVC | UNOFFICIAL_HEVC | UNOFFICIAL_AV1))) => {
            head.put(&[frame_type(frame) << 4 | id, CODED_FRAME]).put(&composition_time(frame))
        }
        Some(OriginalCodec::Video(id)) => head.put(&[frame_type(frame) << 4 | id]),
        Some(OriginalCodec::Audio(AAC_FLAGS)) => head.put(&[AAC_FLAGS, CODED_FRAME]),
        Some(OriginalCodec::Audio(flags)) => head.put(&[flags]),
        None => match frame.codec.four_cc() {
            Some(four_cc) => enhanced_head(frame, four_cc, dialect),
            None => head,
        },
    })
}

/// The complete tag bodies that announce a track: its configuration ("sequence header"), and what
/// there is beside it. None if the codec has none, or the track is not for this receiver.
#[must_use]
pub fn config_bodies(track: &Track, dialect: &Dialect) -> Vec<Bytes> {
    if !dialect.admits(track.id, track.codec) {
        return Vec::new();
    }
    let original = original_codec(track.id, track.codec, dialect);
    let head = TagHead::default();
    let start = match (original, track.codec.four_cc()) {
        (Some(OriginalCodec::Video(id @ (AVC | UNOFFICIAL_HEVC | UNOFFICIAL_AV1))), _) => {
            head.put(&[KEY << 4 | id, CODEC_CONFIG, 0, 0, 0])
        }
        (Some(OriginalCodec::Audio(AAC_FLAGS)), _) => head.put(&[AAC_FLAGS, CODEC_CONFIG]),
        (Some(_), _) | (None, None) => return Vec::new(),
        (None, Some(four_cc)) => packet_head(track.id, four_cc, KEY, ex::SEQUENCE_START, dialect),
    };
    // An empty one announces AC-3: FFmpeg sends it, and gortmplib (MediaMTX) takes no frame without.
    let is_bare = matches!(track.codec, Codec::Ac3 | Codec::Eac3);
    let announces = track.codec.needs_config() || !track.config.is_empty() || is_bare;
    let config = match FlacConfig::parse(&track.config) {
        Ok(flac) if track.codec == Codec::Flac && dialect.bare_flac => flac.stream_info,
        _ => track.config.clone(),
    };
    let mut bodies: Vec<_> = announces.then(|| whole(start, &config)).into_iter().collect();
    if let Some(four_cc) =
        track.codec.four_cc().filter(|_| !track.extra.is_empty() && has_extra(track.id, dialect))
    {
        bodies.push(whole(packet_head(track.id, four_cc, COMMAND, ex::EXTRA, dialect), &track.extra));
    }
    bodies
}

/// What one receiver has been told of the tracks, so that it is told only what is new: ffmpeg takes a
/// configuration that comes again for another one.
#[derive(Clone, Debug, Default)]
pub struct AnnouncedTracks(Vec<Track>);

impl AnnouncedTracks {
    /// The tracks, as it was last told.
    #[must_use]
    pub fn tracks(&self) -> &[Track] {
        &self.0
    }

    /// Whether there are pictures among them.
    #[must_use]
    pub fn has_video(&self) -> bool {
        self.0.iter().any(|track| track.id.kind == MediaKind::Video)
    }

    /// As [`config_bodies`], without a configuration that the receiver has.
    pub fn bodies(&mut self, track: &Track, dialect: &Dialect) -> Vec<Bytes> {
        let mut bodies = config_bodies(track, dialect);
        match self.0.iter_mut().find(|known| known.id == track.id) {
            Some(known) => {
                let has_config = known.codec == track.codec && known.config == track.config;
                if has_config && known.extra != track.extra && bodies.len() > 1 {
                    bodies.remove(0);
                } else if known == track {
                    bodies.clear();
                }
                *known = track.clone();
            }
            None => self.0.push(track.clone()),
        }
        bodies
    }
}

/// Whether what stands beside a configuration can be said. ffmpeg takes metadata for a picture unless its frame
/// type is that of a command; with a track number, that type turns it into a command. So tracks that need
/// their number leave it to the pictures themselves to say their colours.
fn has_extra(track: TrackId, dialect: &Dialect) -> bool {
    dialect.extras && !(track.kind == MediaKind::Video && must_be_numbered(track, dialect))
}

/// A codec as the original tags write it.
enum OriginalCodec {
    /// The codec id of a video tag.
    Video(u8),
    /// The first byte of an audio tag.
    Audio(u8),
}

/// How the original tags write this track, if they can.
fn original_codec(track: TrackId, codec: Codec, dialect: &Dialect) -> Option<OriginalCodec> {
    use OriginalCodec::{Audio, Video};
    let several = must_be_numbered(track, dialect);
    let unofficial = dialect.numbering == Numbering::Unofficial;
    match codec {
        Codec::FlvVideo(id) => Some(Video(id & 0xF)),
        Codec::FlvAudio(flags) => Some(Audio(flags)),
        _ if several => None,
        Codec::H264 => Some(Video(AVC)),
        Codec::Aac => Some(Audio(AAC_FLAGS)),
        Codec::Mp3 { flv_flags } => Some(Audio(flv_flags)),
        Codec::H265 if unofficial => Some(Video(UNOFFICIAL_HEVC)),
        Codec::Av1 if unofficial => Some(Video(UNOFFICIAL_AV1)),
        _ => None,
    }
}

/// A chosen track stands alone, whatever its number; only beside others must it carry one.
fn must_be_numbered(track: TrackId, dialect: &Dialect) -> bool {
    dialect.tracks == TrackChoice::All && track.index > 0
}

fn enhanced_head(frame: &Frame, four_cc: [u8; 4], dialect: &Dialect) -> TagHead {
    let nal_units = matches!(frame.codec, Codec::H264 | Codec::H265 | Codec::H266);
    let composition = composition_time(frame);
    let packet_type = if nal_units && composition == [0; 3] { ex::CODED_FRAMES_X } else { ex::CODED_FRAMES };
    let nanos = if dialect.nanos { nanos_of(frame) } else { 0 };
    let head = match nanos {
        0 => packet_head(frame.track, four_cc, frame_type(frame), packet_type, dialect),
        nanos => {
            let [_, high, middle, low] = nanos.to_be_bytes();
            let next = ex::TIMESTAMP_OFFSET_NANO << 4 | outer_type(frame.track, packet_type, dialect);
            let first = first_byte(frame.track.kind, frame_type(frame), ex::MOD_EX);
            let head = TagHead::default().put(&[first, 2, high, middle, low, next]);
            put_names(head, frame.track, four_cc, packet_type, dialect)
        }
    };
    if packet_type == ex::CODED_FRAMES && nal_units { head.put(&composition) } else { head }
}

/// First byte, multitrack byte, FourCC and track number.
fn packet_head(
    track: TrackId,
    four_cc: [u8; 4],
    frame_type: u8,
    packet_type: u8,
    dialect: &Dialect,
) -> TagHead {
    let first = first_byte(track.kind, frame_type, outer_type(track, packet_type, dialect));
    put_names(TagHead::default().put(&[first]), track, four_cc, packet_type, dialect)
}

fn first_byte(kind: MediaKind, frame_type: u8, packet_type: u8) -> u8 {
    match kind {
        MediaKind::Video => ex::VIDEO | frame_type << 4 | packet_type,
        MediaKind::Audio | MediaKind::Data => ex::AUDIO | packet_type,
    }
}

/// The packet type that stands outermost (ModEx aside).
fn outer_type(track: TrackId, packet_type: u8, dialect: &Dialect) -> u8 {
    match (must_be_numbered(track, dialect), track.kind) {
        (false, _) => packet_type,
        (true, MediaKind::Video) => ex::VIDEO_MULTITRACK,
        (true, MediaKind::Audio | MediaKind::Data) => ex::AUDIO_MULTITRACK,
    }
}

fn put_names(head: TagHead, track: TrackId, four_cc: [u8; 4], packet_type: u8, dialect: &Dialect) -> TagHead {
    if must_be_numbered(track, dialect) {
        head.put(&[ex::ONE_TRACK << 4 | packet_type]).put(&four_cc).put(&[track.index])
    } else {
        head.put(&four_cc)
    }
}

const fn frame_type(frame: &Frame) -> u8 {
    if frame.key { KEY } else { INTER }
}

/// Presentation minus decoding time in milliseconds, as the tags carry it.
fn composition_time(frame: &Frame) -> [u8; 3] {
    let ms = frame.pts.as_ms().saturating_sub(frame.dts.as_ms()).clamp(-0x80_0000, 0x7F_FFFF);
    let [.., high, middle, low] = ms.to_be_bytes();
    [high, middle, low]
}

/// What milliseconds cut off from the presentation time: 0 ..= 999,999 ns. Times are rounded to the
/// nearest millisecond on the wire, and ModEx can only add: what was rounded up has nothing to say.
fn nanos_of(frame: &Frame) -> u32 {
    let offset = (frame.pts - crate::Timestamp::from_ms(frame.pts.as_ms())).as_nanos();
    u32::try_from(offset).unwrap_or(0)
}

fn whole(head: TagHead, rest: &[u8]) -> Bytes {
    let mut body = BytesMut::with_capacity(head.len() + rest.len());
    body.put_slice(head.as_slice());
    body.put_slice(rest);
    body.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Timestamp;

    const SECOND: TrackId = TrackId { kind: MediaKind::Video, index: 1 };

    fn frame(track: TrackId, codec: Codec, key: bool, composition_ms: i64) -> Frame {
        let dts = Timestamp::from_ms(1000);
        let pts = dts + Timestamp::from_ms(composition_ms);
        Frame { track, codec, dts, pts, key, payload: Bytes::new() }
    }

    fn head(frame: &Frame, dialect: Dialect) -> Vec<u8> {
        frame_head(frame, &dialect).expect("the dialect admits it").as_slice().to_vec()
    }

    #[test]
    fn enhanced_heads_are_as_obs_and_ffmpeg_write_them() {
        let hevc = |key, composition_ms| frame(TrackId::VIDEO, Codec::H265, key, composition_ms);
        assert_eq!(head(&hevc(true, 40), Dialect::PLAIN), b"\x91hvc1\0\0\x28");
        assert_eq!(head(&hevc(true, 0), Dialect::PLAIN), b"\x93hvc1");
        assert_eq!(head(&hevc(false, 0), Dialect::PLAIN), b"\xA3hvc1");
        assert_eq!(head(&frame(TrackId::VIDEO, Codec::Av1, true, 0), Dialect::PLAIN), b"\x91av01");
        assert_eq!(head(&frame(TrackId::AUDIO, Codec::Opus, true, 0), Dialect::PLAIN), b"\x91Opus");
        let track = Track::new(SECOND, Codec::H265, Bytes::from_static(b"!"));
        assert_eq!(config_bodies(&track, &Dialect::FULL), [&b"\x96\0hvc1\x01!"[..]]);
        let first = Track::new(TrackId::VIDEO, Codec::H265, Bytes::from_static(b"!"));
        assert_eq!(config_bodies(&first, &Dialect::FULL), [&b"\x90hvc1!"[..]]);
    }

    #[test]
    fn the_second_track_carries_its_number_beside_others_and_none_alone() {
        let avc = frame(SECOND, Codec::H264, true, 40);
        assert_eq!(head(&avc, Dialect::FULL), b"\x96\x01avc1\x01\0\0\x28");
        let alone = Dialect { tracks: TrackChoice::One { video: 1, audio: 0 }, ..Dialect::PLAIN };
        assert_eq!(head(&avc, alone), [0x17, 1, 0, 0, 40]);
        assert_eq!(frame_head(&avc, &Dialect::PLAIN), None);
        let sound = TrackId { kind: MediaKind::Audio, index: 3 };
        assert_eq!(head(&frame(sound, Codec::Aac, true, 0), Dialect::FULL), b"\x95\x01mp4a\x03");
    }

    #[test]
    fn nanoseconds_go_before_everything_else() {
        let mut fine = frame(SECOND, Codec::H265, false, 40);
        fine.pts = fine.pts + Timestamp::from_nanos(0x01_02_03);
        let with_nanos = head(&fine, Dialect::FULL);
        assert_eq!(with_nanos, b"\xA7\x02\x01\x02\x03\x06\x01hvc1\x01\0\0\x28");
        assert_eq!(head(&fine, Dialect { nanos: false, ..Dialect::FULL }), b"\xA6\x01hvc1\x01\0\0\x28");
    }

    #[test]
    fn unofficial_numbers_are_for_those_who_ask() {
        let asked = Dialect { numbering: Numbering::Unofficial, ..Dialect::PLAIN };
        let hevc = frame(TrackId::VIDEO, Codec::H265, true, 40);
        assert_eq!(head(&hevc, asked), [0x1C, 1, 0, 0, 40]);
        let track = Track::new(TrackId::VIDEO, Codec::H265, Bytes::from_static(b"!"));
        assert_eq!(config_bodies(&track, &asked), [&[0x1C, 0, 0, 0, 0, b'!'][..]]);
        assert_eq!(head(&frame(TrackId::AUDIO, Codec::Opus, true, 0), asked), b"\x91Opus");
    }

    #[test]
    fn what_stands_beside_the_configuration_goes_to_those_who_understand_it() {
        let mut track = Track::new(TrackId::VIDEO, Codec::H265, Bytes::from_static(b"!"));
        track.extra = Bytes::from_static(b"colors");
        assert_eq!(config_bodies(&track, &Dialect::PLAIN).len(), 1);
        assert_eq!(config_bodies(&track, &Dialect::FULL)[1], &b"\xD4hvc1colors"[..]);
        let second = Track { id: SECOND, ..track };
        assert_eq!(config_bodies(&second, &Dialect::FULL).len(), 1);
    }

    #[test]
    fn a_receiver_is_told_only_what_is_new() {
        let mut announced = AnnouncedTracks::default();
        let mut track = Track::new(TrackId::VIDEO, Codec::H265, Bytes::from_static(b"!"));
        assert_eq!(announced.bodies(&track, &Dialect::FULL).len(), 1);
        assert_eq!(announced.bodies(&track, &Dialect::FULL).len(), 0);
        track.extra = Bytes::from_static(b"colors");
        assert_eq!(announced.bodies(&track, &Dialect::FULL), [&b"\xD4hvc1colors"[..]]);
        track.config = Bytes::from_static(b"?");
        assert_eq!(announced.bodies(&track, &Dialect::FULL).len(), 2);
    }
}
