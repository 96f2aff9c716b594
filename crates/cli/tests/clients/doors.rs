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

/// A film's tags from `start` seconds on, by WebSocket.
fn film_by_websocket(server: &Server, start: &str) -> Vec<flv_tags::Tag> {
    let url = server.http_film(&format!("bframes.flv{start}")).replacen("http", "ws", 1);
    let (mut socket, _) = tungstenite::connect(url).unwrap();
    let mut bytes = Vec::new();
    while let Message::Binary(piece) = socket.read().unwrap() {
        bytes.extend_from_slice(&piece);
    }
    let path = server.file("film.flv");
    fs::write(&path, bytes).unwrap();
    flv_tags::read(&path).1
}

#[test]
fn a_film_is_watched_by_websocket_from_any_place() {
    needs!("curl");
    let server =
        Server::start_with_films(Some(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../testdata"))));
    let body = server.file("body.flv");
    curl(&server, &["-o", body.to_str().unwrap(), &server.http_film("bframes.flv")]).succeed(LIMIT_S);
    let media = |tags: Vec<flv_tags::Tag>| {
        tags.into_iter().filter(|tag| tag.0 != 18 && !flv_tags::is_config(tag)).collect::<Vec<_>>()
    };
    let (by_http, whole) = (media(flv_tags::read(&body).1), media(film_by_websocket(&server, "")));
    assert!(by_http.len() > 90, "{} tags", by_http.len());
    let bodies = |tags: &[flv_tags::Tag]| tags.iter().map(|tag| (tag.0, tag.2.clone())).collect::<Vec<_>>();
    assert!(bodies(&by_http) == bodies(&whole), "every frame, in the file's order");
    let part = media(film_by_websocket(&server, "?start=1.5"));
    let from = whole.iter().position(|tag| tag == &whole[whole.len() - part.len()]).unwrap();
    assert!((10..whole.len()).contains(&from) && part[0].1 == 0, "it begins later, and at time zero");
    assert_eq!(bodies(&part), bodies(&whole[from..]));
    assert_eq!(film_status(&server, "?start=soon"), 400);
}

/// What a WebSocket request is refused with.
fn film_status(server: &Server, start: &str) -> u16 {
    let url = server.http_film(&format!("bframes.flv{start}")).replacen("http", "ws", 1);
    match tungstenite::connect(url) {
        Err(tungstenite::Error::Http(response)) => response.status().as_u16(),
        other => panic!("{other:?}"),
    }
}
