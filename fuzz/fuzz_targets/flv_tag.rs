//! Any messages as a publisher's: no panic, times of a track never go back, what comes out keeps the
//! normalizer's promises, and written for any receiver it is read back as the same.
#![no_main]

use std::collections::HashMap;

use bytes::Bytes;
use headwater_media::codec::nal::{Framing, framing};
use headwater_media::flv::{
    CodecSet, Dialect, MediaItem, Normalizer, Numbering, Patience, TrackChoice, config_bodies, frame_head,
};
use headwater_media::{Codec, Error, Frame, MediaKind, Timestamp, Track, TrackId};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Some((&dialect, mut rest)) = bytes.split_first() else { return };
    let mut viewer =
        Viewer { dialect: dialect_of(dialect), normalizer: Normalizer::new(), tracks: HashMap::new() };
    let patience = if dialect & 16 == 0 { Patience::IfSliced } else { Patience::Always };
    let mut normalizer = Normalizer::with_patience(patience);
    let mut newest: HashMap<TrackId, Timestamp> = HashMap::new();
    // Messages of a kind, a length and a time, then the body.
    while let Some((&[kind, len, a, b, c, d], tail)) = rest.split_first_chunk::<6>() {
        let (body, tail) = tail.split_at(usize::from(len).min(tail.len()));
        rest = tail;
        let (time, body) = (u32::from_be_bytes([a, b, c, d]), Bytes::copy_from_slice(body));
        let items = match kind % 3 {
            0 => normalizer.push_video(time, body),
            1 => normalizer.push_audio(time, body),
            _ => Ok(normalizer.push_data(time, body)),
        };
        items.into_iter().flatten().for_each(|item| viewer.take(item, &mut newest));
    }
    normalizer.flush().for_each(|item| viewer.take(item, &mut newest));
    let announced: Vec<&Track> = normalizer.tracks().collect();
    assert!(announced.iter().all(|track| viewer.tracks.contains_key(&track.id)));
});

fn dialect_of(bits: u8) -> Dialect {
    Dialect {
        codecs: CodecSet::ALL,
        tracks: if bits & 1 == 0 { TrackChoice::All } else { TrackChoice::One { video: 0, audio: 0 } },
        numbering: if bits & 2 == 0 { Numbering::FourCc } else { Numbering::Unofficial },
        extras: bits & 4 == 0,
        nanos: bits & 8 == 0,
        bare_flac: bits & 32 != 0,
    }
}

/// Someone who gets what the publisher's normalizer yields, written in his dialect.
struct Viewer {
    dialect: Dialect,
    normalizer: Normalizer,
    /// As announced by the publisher's normalizer.
    tracks: HashMap<TrackId, Track>,
}

impl Viewer {
    fn take(&mut self, item: MediaItem, newest: &mut HashMap<TrackId, Timestamp>) {
        match item {
            MediaItem::Track(track) => self.take_track(track),
            MediaItem::Frame(frame) => {
                let newest = newest.entry(frame.track).or_insert(frame.dts);
                assert!(frame.dts >= *newest);
                *newest = frame.dts;
                if frame.codec != Codec::Script {
                    self.take_frame(&frame);
                }
            }
        }
    }

    fn take_track(&mut self, track: Track) {
        for body in config_bodies(&track, &self.dialect) {
            self.push(track.id.kind, 0, body).expect("what is written can be read");
        }
        self.tracks.insert(track.id, track);
    }

    fn take_frame(&mut self, frame: &Frame) {
        let track = &self.tracks[&frame.track];
        assert_eq!(track.codec, frame.codec, "announced before it is used");
        if let Some(length_size) = length_size(track) {
            let tiled = Framing::LengthPrefixed { len: frame.payload.len() };
            assert_eq!(framing(&frame.payload, length_size), tiled);
        }
        let Some(head) = frame_head(frame, &self.dialect) else { return };
        let body = Bytes::from([head.as_slice(), &frame.payload].concat());
        let time = frame.dts.as_ms() as u32;
        let items = self.push(frame.track.kind, time, body).expect("what is written can be read");
        let Some(MediaItem::Frame(found)) = items.last() else { panic!("no frame came back of {frame:?}") };
        assert_eq!((found.track, found.codec, found.key), (frame.track, frame.codec, frame.key));
        assert_eq!(found.payload, frame.payload);
        let sent = &self.tracks[&frame.track];
        let back = self.normalizer.tracks().find(|track| track.id == frame.track).expect("it was announced");
        assert_eq!(back.config, sent.config);
    }

    /// What a message is read as, whole as it is.
    fn push(&mut self, kind: MediaKind, time: u32, body: Bytes) -> Result<Vec<MediaItem>, Error> {
        let items = match kind {
            MediaKind::Video => self.normalizer.push_video(time, body),
            _ => self.normalizer.push_audio(time, body),
        }?;
        Ok(items.chain(self.normalizer.flush()).collect())
    }
}

fn length_size(track: &Track) -> Option<u8> {
    let byte = |at: usize| track.config.get(at).copied();
    match track.codec {
        Codec::H264 => Some((byte(4)? & 3) + 1),
        Codec::H265 => Some((byte(21)? & 3) + 1),
        Codec::H266 => Some((byte(0)? >> 1 & 3) + 1),
        _ => None,
    }
}
