//! A viewer on a real socket: what a player reads of a source that no door knows.

use bytes::BytesMut;
use headwater_hub::News;
use headwater_rtmp::chunk::{Decoder, DecoderLimits, MessageStreamId};
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};

use super::super::layout::Muted;
use super::super::transport::Transport;
use super::*;
use crate::sources::made_up::{MadeUp, PICTURES};

const LIMITS: DecoderLimits =
    DecoderLimits { message_bytes: 1 << 20, partial_bytes: 1 << 20, chunk_streams: 64 };

/// A viewer, and the player's end of its connection.
async fn viewer() -> (Arc<Viewer>, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (player, accepted) =
        tokio::join!(TcpStream::connect(listener.local_addr().unwrap()), listener.accept());
    let wire = Arc::new(Wire::new(Transport::Tcp(accepted.unwrap().0)));
    let form = Form {
        stream: MessageStreamId(1),
        chunk_size: 128,
        muted: Muted::default(),
        dialect: Dialect::PLAIN,
        begun: KeyframeGate::default(),
    };
    wire.transport.ready(tokio::io::Interest::WRITABLE).await.unwrap();
    (Arc::new(Viewer::new(wire, MadeUp::play(), form)), player.unwrap())
}

/// The pictures' times and payloads that have come, until `count` of them have.
async fn pictures(player: &mut TcpStream, count: usize) -> Vec<(u32, BytesMut)> {
    let mut decoder = Decoder::new(LIMITS, 0);
    let mut input = BytesMut::new();
    let mut pictures = Vec::new();
    while pictures.len() < count {
        player.read_buf(&mut input).await.unwrap();
        while let Some(message) = decoder.read(&mut input).unwrap() {
            // Frame type and codec, packet type (1: a frame, not a configuration), composition time.
            if message.type_id == 9 && message.payload[1] == 1 {
                pictures.push((message.timestamp, BytesMut::from(&message.payload[5..])));
            }
        }
    }
    pictures
}

#[tokio::test]
async fn a_source_that_no_door_knows_is_played_over_rtmp() {
    let (viewer, mut player) = viewer().await;
    let _watch = Viewer::watch(&viewer);
    let got = pictures(&mut player, PICTURES as usize).await;
    for (number, (ms, payload)) in (0..PICTURES).zip(&got) {
        assert_eq!((*ms, &payload[..]), (number as u32 * 40, &MadeUp::payload(number)[..]));
    }
    assert!(matches!(viewer.with(|playback| playback.news()), Some(News::Ended(_))));

    viewer.with(|playback| playback.seek(Timestamp::from_ms(1_250))).unwrap();
    viewer.deliver();
    let again = pictures(&mut player, 20).await;
    assert_eq!(again[0], (1_200, BytesMut::from(&MadeUp::payload(30)[..])), "from the keyframe before");
    assert_eq!(viewer.with(|playback| playback.duration()), Some(Timestamp::from_ms(2_000)));
    assert!(viewer.unaccepted().is_none());
}
