//! The examples, run against each other: what is published is what is recorded, frame by frame, through two
//! streams of the server and the relay between them.

#![allow(dead_code, missing_docs, unreachable_pub, reason = "each example is a program of its own")]
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

#[path = "../examples/auth_server.rs"]
mod auth_server;
#[path = "../examples/publisher.rs"]
mod publisher;
#[path = "../examples/recorder.rs"]
mod recorder;
#[path = "../examples/relay.rs"]
mod relay;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use headwater_media::flv::{Tag, TagKind, TagReader};
use headwater_rtmp::url::RtmpUrl;
use tokio::net::TcpListener;
use tokio::task::LocalSet;
use tokio::time::{sleep, timeout};

fn clip() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/keyframes.flv")
}

async fn server() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(auth_server::run(listener, "secret".to_owned()));
    address
}

fn media(file: &Path) -> Vec<(TagKind, u32, usize)> {
    let mut reader = TagReader::default();
    reader.feed(&std::fs::read(file).unwrap());
    let mut tags = Vec::new();
    while let Some(Tag { kind, timestamp_ms, body, .. }) = reader.next_tag().unwrap() {
        if kind != TagKind::Script {
            tags.push((kind, timestamp_ms, body.len()));
        }
    }
    tags
}

#[tokio::test]
async fn what_is_published_comes_through_the_relay_into_the_recording() {
    let server = server().await;
    let url = |name: &str| -> RtmpUrl { format!("rtmp://{server}/live/{name}").parse().unwrap() };
    let folder = std::env::temp_dir().join(format!("headwater-examples-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let recording = folder.join("copy.flv");
    let tasks = LocalSet::new();
    let everything = tasks.run_until(async {
        // Players may come first: so nothing is missed.
        let file = recording.clone();
        let copy = url("copy");
        let recorder = tokio::task::spawn_local(async move {
            recorder::record(copy, &file).await.map_err(|error| error.to_string())
        });
        let (from, to) = (url("cam"), url("copy?key=secret"));
        let relay = tokio::task::spawn_local(async move {
            relay::relay(from, to).await.map_err(|error| error.to_string())
        });
        sleep(Duration::from_millis(300)).await;
        publisher::publish(&clip(), url("cam?key=secret")).await.unwrap();
        relay.await.unwrap().unwrap();
        recorder.await.unwrap().unwrap()
    });
    let tags = timeout(Duration::from_secs(30), everything).await.unwrap();
    let (sent, recorded) = (media(&clip()), media(&recording));
    std::fs::remove_dir_all(&folder).unwrap();
    assert!(sent.len() > 50 && tags >= sent.len() as u64, "{tags} tags");
    assert_eq!(recorded, sent);
}

#[tokio::test]
async fn who_has_not_the_key_is_told_so() {
    let server = server().await;
    let url = format!("rtmp://{server}/live/cam?key=wrong").parse().unwrap();
    let refused = publisher::publish(&clip(), url).await.unwrap_err();
    assert_eq!(refused.to_string(), "the server refused: The key is wrong. (NetStream.Publish.Denied)");
}
