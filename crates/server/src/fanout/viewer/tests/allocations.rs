//! What a frame costs in memory for each viewer: nothing.

use allocation_counter::measure;
use bytes::Bytes;

use super::*;

/// Viewers in each format.
const VIEWERS: usize = 20;

#[tokio::test]
async fn a_frame_is_written_to_a_viewer_without_an_allocation() {
    let pictures = track(TrackId::VIDEO, Codec::H264, &[1, 66, 0, 30, 255]);
    let hub = Hub::new(HubConfig::default());
    let name = StreamName::parse("live/a").unwrap();
    let mut publisher = hub.publish(&name, PublisherInfo::default(), Duration::ZERO).unwrap();
    publisher.set_track(pictures.clone());
    send(&mut publisher, &pictures, (0, 100));
    let formats = [
        Format::Rtmp { stream: MessageStreamId(1), chunk_size: 60_000 },
        Format::Flv(Envelope::HttpChunk),
        Format::Flv(Envelope::WebSocketMessage),
    ];
    let mut viewers = Vec::new();
    for format in formats.into_iter().cycle().take(VIEWERS * formats.len()) {
        let lag_max = Timestamp::from_ms(60_000);
        let cursor = hub.subscribe(&name, Start::NewestKeyframe, lag_max, Duration::ZERO).unwrap();
        let playback = Playback::new(Box::new(cursor), Duration::ZERO, Duration::ZERO);
        viewers.push(viewer_in(format, playback, Dialect::PLAIN).await);
    }
    let mut allocated = Vec::new();
    for ms in (100..2_000).step_by(40) {
        let at = Timestamp::from_ms(ms);
        let payload = Bytes::from(vec![7; 5_000]);
        // The first clone counts its owners from then on, as what is read of a socket does from the beginning.
        let _shared = payload.clone();
        publisher.push(
            Frame { track: TrackId::VIDEO, codec: Codec::H264, dts: at, pts: at, key: false, payload },
            Duration::ZERO,
        );
        let round = measure(|| viewers.iter().for_each(|(viewer, _)| viewer.deliver()));
        allocated.push(round.count_total);
        let mut discarded = Vec::with_capacity(8_192);
        for (_, player) in &mut viewers {
            discarded.clear();
            assert!(player.read_buf(&mut discarded).await.unwrap() > 5_000, "every viewer gets every frame");
        }
    }
    // The rooms for a batch and its layouts grow at first.
    assert!(allocated[20..].iter().all(|count| *count == 0), "{allocated:?}");
}
