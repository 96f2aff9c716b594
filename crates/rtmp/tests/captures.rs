//! What real clients said to our server, replayed: a client's bytes go into a server session, a server's
//! into the decoder of a client, and what comes out is what the capture's origin says.
//!
//! How they were made stands in their heads (`testdata/captures`).

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use headwater_media::flv::{Demuxer, MediaItem, Normalizer};
use headwater_media::{Codec, Frame, MediaKind};
use headwater_rtmp::capture::{Reader, Side};
use headwater_rtmp::chunk::{Decoder, DecoderLimits};
use headwater_rtmp::command::{ConnectRequest, PlayRequest, PlayStart, PublishKind, PublishRequest};
use headwater_rtmp::handshake::{BLOCK_BYTES, Nonce};
use headwater_rtmp::message::Message;
use headwater_rtmp::session::{Role, ServerConfig, ServerEvent, ServerSession};

/// How the bytes are cut: as a whole, byte by byte, in odd pieces.
const CUTS: [usize; 4] = [usize::MAX, 1, 7, 1000];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/captures")
}

/// Everything that one side said.
fn said(name: &str, side: Side) -> Bytes {
    let file = std::fs::read(folder().join(format!("{name}.capture"))).unwrap();
    let capture = Reader::new(file).unwrap();
    assert!(!capture.comments().is_empty(), "{name} does not say where it comes from");
    let records = capture.map(Result::unwrap).filter(|record| record.side == side);
    records.flat_map(|record| record.bytes).collect::<Vec<u8>>().into()
}

/// What a client asked for, and everything else that was heard of it.
#[derive(Default, PartialEq)]
struct Heard {
    connects: Vec<ConnectRequest>,
    publishes: Vec<PublishRequest>,
    plays: Vec<PlayRequest>,
    events: Vec<ServerEvent>,
}

/// What a server that lets everybody in makes of a client's bytes.
fn heard_in(bytes: &[u8], cut: usize) -> Heard {
    let mut server = ServerSession::new(Arc::new(ServerConfig::default()), Nonce([4; 32]), Duration::ZERO);
    let (mut input, mut heard) = (BytesMut::new(), Heard::default());
    for piece in bytes.chunks(cut.min(bytes.len())) {
        input.extend_from_slice(piece);
        while let Some(event) = server.read(&mut input).unwrap() {
            match event {
                ServerEvent::Connect(request) => {
                    heard.connects.push(request.clone());
                    request.accept(&mut server);
                }
                ServerEvent::Publish(request) => {
                    heard.publishes.push(request.clone());
                    request.accept(&mut server);
                }
                ServerEvent::Play(request) => {
                    heard.plays.push(request.clone());
                    request.accept(&mut server, false);
                }
                ServerEvent::StreamLength(request) => request.accept(&mut server, None),
                event => heard.events.push(event),
            }
        }
        server.output().drain();
    }
    heard
}

/// The same, however the bytes are cut.
fn heard(name: &str) -> Heard {
    let bytes = said(name, Side::Client);
    let whole = heard_in(&bytes, usize::MAX);
    for cut in CUTS {
        assert!(heard_in(&bytes, cut) == whole, "{name} is another in pieces of {cut}");
    }
    whole
}

/// Messages made regular.
#[derive(Default)]
struct Received {
    normalizer: Normalizer,
    frames: Vec<Frame>,
}

impl Received {
    fn push(&mut self, kind: MediaKind, timestamp: u32, body: Bytes) {
        let items = match kind {
            MediaKind::Video => self.normalizer.push_video(timestamp, body).unwrap(),
            _ => self.normalizer.push_audio(timestamp, body).unwrap(),
        };
        self.frames.extend(items.filter_map(frame));
    }

    fn of(heard: &Heard) -> Self {
        let mut received = Self::default();
        for event in &heard.events {
            if let ServerEvent::Media { kind, timestamp, body, .. } = event {
                received.push(*kind, *timestamp, body.clone());
            }
        }
        received
    }

    fn payloads(&self, kind: MediaKind) -> Vec<Bytes> {
        payloads(&self.frames, kind)
    }
}

fn frame(item: MediaItem) -> Option<Frame> {
    match item {
        MediaItem::Frame(frame) => Some(frame),
        MediaItem::Track(_) => None,
    }
}

fn payloads(frames: &[Frame], kind: MediaKind) -> Vec<Bytes> {
    frames.iter().filter(|frame| frame.track.kind == kind).map(|frame| frame.payload.clone()).collect()
}

/// The clip that was published.
fn clip() -> Vec<Frame> {
    let mut demuxer = Demuxer::new(1 << 20);
    demuxer.feed(&std::fs::read(folder().join("clip.flv")).unwrap());
    let mut frames = Vec::new();
    while let Some(item) = demuxer.next_item().unwrap() {
        frames.extend(frame(item));
    }
    frames
}

/// The one publish of a conversation: name, kind.
fn publish_of(heard: &Heard) -> (String, PublishKind) {
    let [request] = &heard.publishes[..] else { panic!("{:?}", heard.publishes) };
    (request.path.to_string(), request.kind)
}

/// The one play of a conversation: name, start, and the buffer that was announced last.
fn play_of(heard: &Heard) -> (String, PlayStart, Option<u32>) {
    let [request] = &heard.plays[..] else { panic!("{:?}", heard.plays) };
    let buffer_ms = heard.events.iter().rev().find_map(|event| match event {
        ServerEvent::BufferLength { ms, .. } => Some(*ms),
        _ => None,
    });
    (request.path.to_string(), request.start, buffer_ms)
}

fn flash_ver(heard: &Heard) -> &str {
    &heard.connects[0].flash_ver
}

fn has_stopped(heard: &Heard) -> bool {
    heard.events.iter().any(|event| matches!(event, ServerEvent::Stopped { role: Role::Publisher, .. }))
}

#[test]
fn ffmpeg_publishes_every_frame_of_the_clip() {
    let heard = heard("ffmpeg-publishes");
    assert!(flash_ver(&heard).starts_with("FMLE/3.0 (compatible; Lavf"), "{}", flash_ver(&heard));
    assert_eq!(publish_of(&heard), ("live/cam".into(), PublishKind::Live));
    let (received, clip) = (Received::of(&heard), clip());
    for kind in [MediaKind::Video, MediaKind::Audio] {
        assert!(received.payloads(kind) == payloads(&clip, kind), "{kind:?}");
    }
    assert!(has_stopped(&heard), "it says goodbye");
}

#[test]
fn gstreamer_publishes_every_frame_of_the_clip() {
    let heard = heard("gstreamer-publishes");
    assert_eq!(publish_of(&heard), ("live/gst".into(), PublishKind::Live));
    let (received, clip) = (Received::of(&heard), clip());
    for kind in [MediaKind::Video, MediaKind::Audio] {
        assert!(received.payloads(kind) == payloads(&clip, kind), "{kind:?}");
    }
}

#[test]
fn obs_publishes_what_it_was_set_to() {
    let heard = heard("obs-publishes");
    assert!(flash_ver(&heard).starts_with("FMLE/3.0 (compatible; FMSc/1.0)"), "{}", flash_ver(&heard));
    assert_eq!(publish_of(&heard), ("live/obs".into(), PublishKind::Live));
    let received = Received::of(&heard);
    let tracks: Vec<_> = received.normalizer.tracks().map(|track| (track.codec, track.details())).collect();
    assert_eq!(tracks.iter().map(|(codec, _)| *codec).collect::<Vec<_>>(), [Codec::H264, Codec::Aac]);
    let [(_, video), (_, audio)] = &tracks[..] else { panic!("{tracks:?}") };
    assert!(format!("{video:?}").contains("320") && format!("{audio:?}").contains("44100"), "{tracks:?}");
    let pictures = received.payloads(MediaKind::Video).len();
    let sounds = received.payloads(MediaKind::Audio).len();
    // Ten pictures and 43 sounds a second.
    assert!(
        pictures > 30 && sounds.abs_diff(pictures * 43 / 10) < 20,
        "{pictures} pictures, {sounds} sounds"
    );
    assert_eq!(received.normalizer.repaired().clamped_timestamps, 0);
}

/// A player asked for this, and what it got from the server is an unbroken run of the clip from a key frame
/// on, at least so many pictures long.
#[track_caller]
fn check_player(name: &str, make: &str, start: PlayStart, buffer_ms: Option<u32>, pictures_min: usize) {
    let heard = heard(name);
    assert!(flash_ver(&heard).contains(make), "{name}: {}", flash_ver(&heard));
    assert_eq!(play_of(&heard), ("live/loop".into(), start, buffer_ms), "{name}");

    let (received, clip) = (played(name), clip());
    assert!(received.frames.iter().find(|frame| frame.track.kind == MediaKind::Video).unwrap().key);
    for kind in [MediaKind::Video, MediaKind::Audio] {
        let (got, whole) = (received.payloads(kind), payloads(&clip, kind));
        let starts = (0..whole.len()).filter(|&at| whole[at] == got[0]);
        let is_run =
            |at: usize| got.iter().zip(whole.iter().cycle().skip(at)).all(|(one, other)| one == other);
        assert!(starts.into_iter().any(is_run), "{name}: {kind:?} is no run of the clip");
        assert!(kind == MediaKind::Audio || got.len() >= pictures_min, "{name}: {} pictures", got.len());
    }
}

/// What a client's decoder makes of the server's half.
fn played(name: &str) -> Received {
    let mut bytes = BytesMut::from(&said(name, Side::Server)[..]);
    bytes.advance(1 + 2 * BLOCK_BYTES);
    let limits = DecoderLimits { message_bytes: 0xFF_FFFF, partial_bytes: 1 << 20, chunk_streams: 16 };
    let mut decoder = Decoder::new(limits, 0);
    let mut received = Received::default();
    while let Some(raw) = decoder.read(&mut bytes).unwrap() {
        match Message::decode(&raw).unwrap() {
            Message::SetChunkSize(size) => decoder.set_chunk_size(size).unwrap(),
            Message::Media { kind, body } => received.push(kind, raw.timestamp, body),
            _ => {}
        }
    }
    received
}

#[test]
fn ffmpeg_plays() {
    check_player("ffmpeg-plays", "LNX 9,0,124,2", PlayStart::LiveOrRecorded, Some(3000), 20);
}

#[test]
fn rtmpdump_plays() {
    check_player("rtmpdump-plays", "LNX 10,0,32,18", PlayStart::Live, Some(36_000_000), 20);
}

#[test]
fn gstreamer_plays() {
    check_player("gstreamer-plays", "LNX", PlayStart::LiveOrRecorded, Some(30_000), 20);
}

#[test]
fn vlc_plays_as_ffmpeg_does() {
    check_player("vlc-plays", "LNX 9,0,124,2", PlayStart::LiveOrRecorded, Some(3000), 20);
}

/// A small sum is all that a repository can carry for ever.
#[test]
fn captures_are_small() {
    let files = std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().metadata().unwrap().len());
    let sizes: Vec<u64> = files.collect();
    assert!(sizes.iter().all(|size| *size < 150_000) && sizes.iter().sum::<u64>() < 1_500_000, "{sizes:?}");
}
