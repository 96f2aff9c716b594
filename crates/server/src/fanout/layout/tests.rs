//! The layout against the chunk decoder: what goes out is what a player reads, however it was reused.

use std::time::Duration;

use bytes::BytesMut;
use headwater_hub::{Hub, HubConfig, Next, Publisher, PublisherInfo, Start, StreamName, Subscriber};
use headwater_media::flv::{Dialect, KeyframeGate};
use headwater_media::{Codec, Timestamp, Track, TrackId};
use headwater_rtmp::chunk::{Decoder, DecoderLimits, MessageStreamId};

use super::*;

const LAG_MAX: Timestamp = Timestamp::from_ms(6_000);
const LIMITS: DecoderLimits =
    DecoderLimits { message_bytes: 1 << 24, partial_bytes: 1 << 25, chunk_streams: 64 };

fn publish(hub: &Hub, frames: &[(TrackId, i64, bool, usize)]) -> (Publisher, Subscriber) {
    let name = StreamName::parse("live/a").unwrap();
    let mut publisher = hub.publish(&name, PublisherInfo::default(), Duration::ZERO).unwrap();
    let config = Bytes::from_static(&[1, 66, 0, 30, 255]);
    publisher.set_track(Track::new(TrackId::VIDEO, Codec::H264, config));
    for (track, ms, key, size) in frames {
        let codec = if track.kind == MediaKind::Video { Codec::H264 } else { Codec::Aac };
        let at = Timestamp::from_ms(*ms);
        let payload = (0..*size).map(|n| (n % 251) as u8).collect::<Vec<_>>().into();
        publisher.push(Frame { track: *track, codec, dts: at, pts: at, key: *key, payload }, Duration::ZERO);
    }
    let cursor = hub.subscribe(&name, Start::NewestKeyframe, LAG_MAX, Duration::ZERO).unwrap();
    (publisher, cursor)
}

fn form(chunk_size: usize) -> Form {
    Form {
        format: Format::Rtmp { stream: MessageStreamId(1), chunk_size },
        file_header: None,
        muted: Muted::default(),
        dialect: Dialect::PLAIN,
        begun: KeyframeGate::ALL,
    }
}

/// The whole batch in this form for a viewer that has seen `seen`.
fn lay_out<'a>(
    layouts: &'a mut Layouts,
    batch: &Batch,
    form: Form,
    seen: Option<u64>,
    origin_ms: i64,
) -> &'a Layout {
    layouts.of(batch, &Portion { frames: batch.frames.len(), form, seen, silent: &[], origin_ms })
}

/// (type, time, length) of each message, as a player reads them.
fn read(bytes: &[u8], chunk_size: u32) -> Vec<(u8, u32, usize)> {
    let mut decoder = Decoder::new(LIMITS, 0);
    decoder.set_chunk_size(chunk_size).unwrap();
    let mut input = BytesMut::from(bytes);
    let mut messages = Vec::new();
    while let Some(message) = decoder.read(&mut input).unwrap() {
        messages.push((message.type_id, message.timestamp, message.payload.len()));
    }
    assert!(input.is_empty(), "nothing is left over");
    messages
}

#[test]
fn viewers_side_by_side_share_the_bytes_and_have_their_own_time() {
    let hub = Hub::new(HubConfig::default());
    let frames =
        [(TrackId::VIDEO, 0, true, 9_000), (TrackId::AUDIO, 10, true, 100), (TrackId::VIDEO, 40, false, 3)];
    let (_publisher, mut cursor) = publish(&hub, &frames);
    let mut batch = Batch::default();
    assert_eq!(cursor.read(&mut batch), Next::Frames);
    let mut layouts = Layouts::default();
    for chunk_size in [1, 2, 5, 128, 60_000] {
        let form = form(chunk_size);
        let layout = lay_out(&mut layouts, &batch, form, None, 0);
        let expected = [(9, 0, 10), (9, 0, 9_005), (8, 10, 102), (9, 40, 8)];
        assert_eq!(read(layout.bytes(), chunk_size as u32), expected);
        let layout = lay_out(&mut layouts, &batch, form, Some(7), 0);
        assert_eq!(read(layout.bytes(), chunk_size as u32), expected[1..]);
        let room = layout.bytes().as_ptr();
        let layout = lay_out(&mut layouts, &batch, form, Some(7), -500);
        assert_eq!(read(layout.bytes(), chunk_size as u32), [(9, 500, 9_005), (8, 510, 102), (9, 540, 8)]);
        assert_eq!(room, layout.bytes().as_ptr(), "only the times were written over");
    }
}

#[test]
fn a_viewer_beyond_24_bits_of_time_gets_extended_timestamps() {
    let hub = Hub::new(HubConfig::default());
    let (_publisher, mut cursor) =
        publish(&hub, &[(TrackId::VIDEO, 0, true, 300), (TrackId::VIDEO, 40, false, 300)]);
    let mut batch = Batch::default();
    cursor.read(&mut batch);
    let mut layouts = Layouts::default();
    for origin in [0, 0xFF_FFFF - 20, 5, 0xFF_FFFF, 1 << 31, 7] {
        let layout = lay_out(&mut layouts, &batch, form(128), Some(7), -origin);
        let base = u32::try_from(origin).unwrap();
        assert_eq!(read(layout.bytes(), 128), [(9, base, 305), (9, base + 40, 305)]);
    }
}

#[test]
fn the_rest_of_a_frame_is_kept_byte_for_byte_wherever_the_socket_was_full() {
    let hub = Hub::new(HubConfig::default());
    let frames =
        [(TrackId::VIDEO, 0, true, 50), (TrackId::VIDEO, 40, false, 20_000), (TrackId::VIDEO, 80, false, 9)];
    let (_publisher, mut cursor) = publish(&hub, &frames);
    let mut batch = Batch::default();
    cursor.read(&mut batch);
    for chunk_size in [128, 5_000, 60_000] {
        let mut layouts = Layouts::default();
        let layout = lay_out(&mut layouts, &batch, form(chunk_size), None, 0);
        let all = layout.bytes().to_vec();
        for written in (0..all.len()).step_by(7) {
            let used = layout.frames_within(written);
            let mut outbox = Outbox::default();
            let end = layout.end_of(used + 1);
            layout.keep(written..end, &batch, &mut outbox);
            assert_eq!(
                outbox.waiting(),
                all[written..end],
                "chunk size {chunk_size}, {written} bytes written"
            );
        }
    }
}

#[test]
fn what_is_muted_takes_no_bytes_but_counts_as_used() {
    let hub = Hub::new(HubConfig::default());
    let frames =
        [(TrackId::VIDEO, 0, true, 50), (TrackId::AUDIO, 10, true, 100), (TrackId::AUDIO, 33, true, 100)];
    let (_publisher, mut cursor) = publish(&hub, &frames);
    let mut batch = Batch::default();
    cursor.read(&mut batch);
    let mut layouts = Layouts::default();
    let muted = Form { muted: Muted { audio: true, video: false }, ..form(60_000) };
    let layout = lay_out(&mut layouts, &batch, muted, Some(7), 0);
    assert_eq!(read(layout.bytes(), 60_000), [(9, 0, 55)]);
    assert_eq!(layout.frames_within(layout.bytes().len()), 3);
}
