//! What clients say that they can do: those that come again are asked to, those that take no codec of a
//! stream are told.

use std::time::{Duration, Instant};

use headwater_media::flv::CodecSet;
use headwater_rtmp::command::Capabilities;
use headwater_rtmp::session::{ClientConfig, ClientEvent};

use crate::healthy::Client;
use crate::server::Server;

fn able() -> ClientConfig {
    ClientConfig { capabilities: Capabilities::FULL, ..ClientConfig::default() }
}

/// The first event that is wanted, within ten seconds; `None` at the end of the connection.
fn find<T>(client: &mut Client, wanted: impl Fn(&ClientEvent) -> Option<T>) -> Option<T> {
    let deadline = Instant::now() + Duration::from_secs(10);
    while Instant::now() < deadline {
        match client.next_event(Duration::from_millis(100)) {
            Ok(Some(event)) => {
                if let Some(found) = wanted(&event) {
                    return Some(found);
                }
            }
            Ok(None) => {}
            Err(_) => return None,
        }
    }
    panic!("neither the event nor the end of the connection came");
}

#[test]
fn a_server_that_stops_sends_those_elsewhere_who_can_come_again() {
    let mut server = Server::start("[rtmp]\ndrain_ms = 8000\ndrain_to = \"//elsewhere:1999/live\"\n");
    let mut publisher = Client::connect_with(server.rtmp, "live", able());
    let stream = publisher.publish("a").unwrap();
    publisher.send_config(stream);
    publisher.send_frame(stream, 0, 0, 100).unwrap();
    let mut able_player = Client::connect_with(server.rtmp, "live", able());
    able_player.play("a").unwrap();
    let mut plain_player = Client::connect(server.rtmp, "live");
    plain_player.play("a").unwrap();
    let is_media = |event: &ClientEvent| matches!(event, ClientEvent::Media { .. }).then_some(());
    find(&mut able_player, is_media).expect("it plays before");
    find(&mut plain_player, is_media).expect("it plays before");

    let stopping = std::thread::spawn(move || server.stop(Duration::from_secs(7)));
    let sent_to = |event: &ClientEvent| match event {
        ClientEvent::ReconnectRequested { url, .. } => Some(url.to_string()),
        _ => None,
    };
    let elsewhere = find(&mut able_player, sent_to).expect("it is asked to come again");
    assert_eq!(elsewhere, "rtmp://elsewhere:1999/live");
    assert_eq!(find(&mut publisher, sent_to).as_deref(), Some("rtmp://elsewhere:1999/live"));
    assert_eq!(find(&mut plain_player, sent_to), None, "who said nothing is told farewell");
    publisher.send_frame(stream, 1, 0, 100).unwrap();
    find(&mut able_player, is_media).expect("the stream goes on meanwhile");
    drop((publisher, able_player));
    let took = stopping.join().unwrap();
    assert!(took < Duration::from_secs(7), "it waits no longer than until they have gone: {took:?}");
}

#[test]
fn a_player_that_takes_no_codec_of_the_stream_is_told_so() {
    const AV1_CONFIG: &[u8] = b"\x90av01\x81\x00\x0C\x00\x0A\x0B\x02\0\0\x04\xA1\xE7\xFD\xE2\x57\xC8\x02";
    const AV1_KEYFRAME: &[u8] = b"\x91av01\x32\x04\x10\0\x85\xA0";
    let server = Server::start("");
    let mut publisher = Client::connect(server.rtmp, "live");
    let stream = publisher.publish("a").unwrap();
    publisher.send_video(stream, 0, AV1_CONFIG);
    publisher.send_video(stream, 0, AV1_KEYFRAME);
    let is_media = |event: &ClientEvent| match event {
        ClientEvent::Media { body, .. } => Some(body.to_vec()),
        _ => None,
    };
    // Who says nothing gets it: ffmpeg takes AV1 and never says so.
    let mut silent = Client::connect(server.rtmp, "live");
    silent.play("a").unwrap();
    assert_eq!(find(&mut silent, is_media).as_deref(), Some(AV1_CONFIG));

    let codecs = Some(CodecSet::flash().with(*b"hvc1"));
    let capabilities = Capabilities { codecs, ..Capabilities::default() };
    let config = ClientConfig { capabilities, ..ClientConfig::default() };
    let mut choosy = Client::connect_with(server.rtmp, "live", config);
    choosy.play("a").unwrap();
    let verdict = find(&mut choosy, |event| match event {
        ClientEvent::Rejected { status, .. } => Some(status.clone()),
        ClientEvent::Media { .. } => panic!("it gets what it does not take"),
        _ => None,
    });
    let verdict = verdict.expect("it is told before it is let go");
    assert_eq!(verdict.code, "NetStream.Play.NoSupportedTrackFound");
    assert!(verdict.description.contains("AV1"), "{}", verdict.description);
}
