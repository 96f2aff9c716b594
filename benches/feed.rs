//! What the measurements are fed with: a publisher of 5 Mbit/s, as its messages, its bytes on the wire, and its frames.

use bytes::{Bytes, BytesMut};
use headwater_media::flv::Normalizer;
use headwater_media::{Codec, Frame, Timestamp, Track, TrackId};
use headwater_rtmp::chunk::{RawMessage, encode};
use headwater_rtmp::message::type_id;
use headwater_rtmp::{ChunkStreamId, MessageStreamId, Output};

/// Bytes of a chunk that OBS and FFmpeg-based encoders announce.
pub const CHUNK_SIZE: u32 = 4096;
/// A picture of 5 Mbit/s at 25 pictures a second.
pub const PICTURE_BYTES: usize = 25_000;
/// A frame of sound of 128 kbit/s.
pub const SOUND_BYTES: usize = 370;

const AVC_RECORD: &[u8] = &[
    1, 77, 64, 31, 0xFF, 0xE1, 0, 26, 0x67, 0x4D, 0x40, 0x1F, 0xA6, 0x11, 0x02, 0x80, 0xBF, 0xE5, 0xC0, 0x44,
    0, 0, 3, 0, 4, 0, 0, 3, 0, 0xC8, 0x3C, 0x60, 0xC8, 0x46, 1, 0, 5, 0x68, 0xE8, 0x43, 0x32, 0xC8,
];

/// Bytes without order, in which no start code stands.
fn noise(len: usize) -> impl Iterator<Item = u8> {
    let mut state = 0x2545_F491_4F6C_DD1Du64;
    (0..len).map(move |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state as u8).max(2)
    })
}

/// The body of a video message: one picture, a slice behind its length.
pub fn picture(number: u32) -> Bytes {
    let is_key = number.is_multiple_of(50);
    let mut body = vec![if is_key { 0x17 } else { 0x27 }, 1, 0, 0, 0];
    body.extend((PICTURE_BYTES as u32).to_be_bytes());
    body.extend(if is_key { [0x65, 0x88, 0x84] } else { [0x41, 0x9A, 0x20] });
    body.extend(noise(PICTURE_BYTES - 3));
    body.into()
}

/// The body of an audio message.
pub fn sound() -> Bytes {
    [0xAF, 1].into_iter().chain(noise(SOUND_BYTES)).collect()
}

/// A normalizer that knows both tracks.
pub fn normalizer() -> Normalizer {
    let mut normalizer = Normalizer::new();
    let video = [&[0x17, 0, 0, 0, 0][..], AVC_RECORD].concat();
    normalizer.push_video(0, video.into()).expect("a configuration").for_each(drop);
    normalizer
        .push_audio(0, Bytes::from_static(&[0xAF, 0, 0x12, 0x10]))
        .expect("a configuration")
        .for_each(drop);
    normalizer
}

/// The tracks as the normalizer announces them.
pub fn tracks() -> Vec<Track> {
    normalizer().tracks().cloned().collect()
}

/// A frame of the picture, as it is at the hub.
pub fn frame(number: u32) -> Frame {
    let at = Timestamp::from_ms(i64::from(number) * 40);
    let payload = picture(number).slice(5..);
    Frame {
        track: TrackId::VIDEO,
        codec: Codec::H264,
        dts: at,
        pts: at,
        key: number.is_multiple_of(50),
        payload,
    }
}

/// A second of the publisher on the wire: 25 pictures, and 43 frames of sound between them.
pub fn wire() -> BytesMut {
    let mut output = Output::default();
    for number in 0..25 {
        put(&mut output, ChunkStreamId::VIDEO, type_id::VIDEO, number * 40, picture(number));
        put(&mut output, ChunkStreamId::AUDIO, type_id::AUDIO, number * 40, sound());
        if number % 4 != 3 {
            put(&mut output, ChunkStreamId::AUDIO, type_id::AUDIO, number * 40 + 20, sound());
        }
    }
    BytesMut::from(output.drain().as_ref())
}

fn put(output: &mut Output, chunk_stream: ChunkStreamId, type_id: u8, timestamp: u32, payload: Bytes) {
    let stream = MessageStreamId(1);
    encode(output, &RawMessage { chunk_stream, stream, timestamp, type_id, payload, at: 0 }, CHUNK_SIZE);
}
