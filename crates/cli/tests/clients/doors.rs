//! The HTTP door: headers, the FLV head's flags, and WebSocket-FLV against HTTP-FLV.

use std::path::Path;
use std::process::Command;
use std::thread;
use std::{fs, thread::JoinHandle};

use tungstenite::Message;

use crate::flv_tags;
use crate::harness::Server;
use crate::program::{Program, needs};
use crate::sources;

const NAME: &str = "door";
const LIMIT_S: u64 = 30;

fn curl(server: &Server, arguments: &[&str]) -> Program {
    let mut command = Command::new("curl");
    command.args(["-sS", "--max-time", "25"]).args(arguments);
    server.run("curl", command)
}

#[test]
fn http_flv_has_the_headers_that_pages_need() {
    needs!("ffmpeg", "curl");
    let server = Server::start();
    let source = sources::plain();
    let mut publisher = server.publish(&source, NAME);
    server.wait_live(NAME);
    let (head, body) = (server.file("head"), server.file("body.flv"));
    let url = server.flv(NAME);
    let mut get = curl(&server, &["-D", head.to_str().unwrap(), "-o", body.to_str().unwrap(), &url]);
    publisher.succeed(LIMIT_S);
    get.succeed(LIMIT_S);
    let head = fs::read_to_string(head).unwrap().to_ascii_lowercase();
    for line in ["http/1.1 200 ok", "content-type: video/x-flv", "access-control-allow-origin: *"] {
        assert!(head.contains(line), "no {line:?} in\n{head}");
    }
    assert!(!head.contains("content-length"), "{head}");
    let preflight = server.request("OPTIONS", "/live/door.flv").to_ascii_lowercase();
    assert!(preflight.starts_with("http/1.1 204"), "{preflight}");
    assert!(preflight.contains("access-control-allow-origin: *"), "{preflight}");
}

/// The FLV head of what a viewer gets who waited for `source`.
fn flags(source: &Path) -> u8 {
    let server = Server::start();
    let body = server.file("body.flv");
    let mut get = curl(&server, &["-o", body.to_str().unwrap(), &server.flv(NAME)]);
    server.wait_viewers(NAME, 1);
    server.publish(source, NAME).succeed(LIMIT_S);
    get.succeed(LIMIT_S);
    flv_tags::read(&body).0
}

#[test]
fn the_flv_head_says_which_tracks_there_are() {
    needs!("ffmpeg", "curl");
    let wanted = [(sources::plain(), 5), (sources::audio_only(), 4), (sources::video_only(), 1)];
    let seen = wanted.map(|(source, wanted)| (thread::spawn(move || flags(&source)), wanted));
    for (seen, wanted) in seen {
        assert_eq!(seen.join().unwrap(), wanted);
    }
}

#[test]
fn websocket_flv_is_http_flv() {
    needs!("ffmpeg", "curl");
    let server = Server::start();
    let body = server.file("body.flv");
    let mut get = curl(&server, &["-o", body.to_str().unwrap(), &server.flv(NAME)]);
    let url = server.flv(NAME).replacen("http", "ws", 1);
    let reader: JoinHandle<Vec<u8>> = thread::spawn(move || {
        let (mut socket, _) = tungstenite::connect(url).unwrap();
        let mut bytes = Vec::new();
        loop {
            match socket.read().unwrap() {
                Message::Binary(piece) => bytes.extend_from_slice(&piece),
                Message::Close(_) => return bytes,
                _ => {}
            }
        }
    });
    server.wait_viewers(NAME, 2);
    server.publish(&sources::plain(), NAME).succeed(LIMIT_S);
    get.succeed(LIMIT_S);
    let websocket = server.file("websocket.flv");
    fs::write(&websocket, reader.join().unwrap()).unwrap();
    let (http, websocket) = (flv_tags::read(&body), flv_tags::read(&websocket));
    assert!(http.1.len() > 400, "{} tags", http.1.len());
    assert_eq!(http.0, websocket.0);
    let lines =
        |tags: &[flv_tags::Tag]| tags.iter().map(|tag| (tag.0, tag.1, tag.2.len())).collect::<Vec<_>>();
    assert_eq!(lines(&http.1), lines(&websocket.1));
    assert!(http.1 == websocket.1, "the same tags, but other bytes");
}
