//! Any messages as a publisher's: no panic, and times of a track never go back.
#![no_main]

use bytes::Bytes;
use headwater_media::Timestamp;
use headwater_media::codec::h264::{AvcConfig, Framing, framing};
use headwater_media::flv::{Intake, Item, Dialect, config_bodies, frame_head};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut intake = Intake::new();
    let mut last = [Timestamp::from_nanos(i64::MIN); 3];
    let mut length_size = 4;
    let mut rest = bytes;
    // Messages of a kind, a length and a time, then the body.
    while let Some((&[kind, len, a, b, c, d], tail)) = rest.split_first_chunk::<6>() {
        let (body, tail) = tail.split_at(usize::from(len).min(tail.len()));
        rest = tail;
        let (time, body) = (u32::from_be_bytes([a, b, c, d]), Bytes::copy_from_slice(body));
        let items = match kind % 3 {
            0 => intake.push_video(time, body),
            1 => intake.push_audio(time, body),
            _ => Ok(intake.push_data(time, body)),
        };
        for item in items.into_iter().flatten() {
            match item {
                Item::Track(track) => {
                    let _ = config_bodies(&track, &Dialect::FULL);
                    if let Ok(config) = AvcConfig::parse(&track.config) {
                        length_size = config.length_size;
                    }
                }
                Item::Frame(frame) => {
                    let newest = &mut last[frame.track.kind as usize];
                    assert!(frame.dts >= *newest);
                    *newest = frame.dts;
                    let _ = frame_head(&frame, &Dialect::FULL);
                    if frame.codec == headwater_media::Codec::H264 {
                        let tiled = Framing::LengthPrefixed { len: frame.payload.len() };
                        assert_eq!(framing(&frame.payload, length_size), tiled);
                    }
                }
            }
        }
    }
});
