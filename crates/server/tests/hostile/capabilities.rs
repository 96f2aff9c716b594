//! What clients say that they can do: those that come again are asked to, those that take no codec of a
//! stream are told.

use std::time::{Duration, Instant};

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
