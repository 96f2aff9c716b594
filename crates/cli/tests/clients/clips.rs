//! Clips: spans of broadcasts and films, fetched and kept.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use serde_json::Value;

use crate::archive::{ALWAYS, LIMIT_S, NAME, fetch, files, growing, send, shown, wait};
use crate::harness::Server;
use crate::program::needs;
use crate::recording::{Recording, Wanted, compare};
use crate::rewind::{self, Publisher};
use crate::sources;

#[test]
fn a_clip_is_just_its_span_live_and_recorded() {
    needs!("ffmpeg", "ffprobe", "curl");
    let source = sources::bframes();
    let server = Server::start_with(ALWAYS);
    let mut publisher = server.publish(&source, NAME);
    let units = Recording::read(&source);
    let some = Wanted { units_min: 50, from_start: false, to_end: false };
    wait(&server, "four seconds", || {
        fetch(&server, &format!("/api/v1/clips/live/{NAME}?from=1.48&until=3.48"), "live.mp4") == "200"
            && shown(&server.file("live.mp4")) == 50
    });
    let bytes = fs::read(server.file("live.mp4")).unwrap();
    let at = |kind: &[u8]| bytes.windows(4).position(|four| four == kind).unwrap();
    assert!(at(b"moov") < at(b"mdat"), "players begin before they have all of it");
    compare(&units, &Recording::read(&server.file("live.mp4")), some).unwrap();
    let api =
        |from, until, format| format!("/api/v1/clips/live/{NAME}?from={from}&until={until}&format={format}");
    assert_eq!(fetch(&server, &api("1", "3", "flv"), "live.flv"), "200");
    compare(&units, &Recording::read(&server.file("live.flv")), Wanted { units_min: 45, ..some }).unwrap();
    for (from, until, format, status) in [
        ("-3", "0", "mp4", "200"),
        ("3", "1", "mp4", "400"),
        ("900", "901", "mp4", "404"),
        ("NaN", "1", "mp4", "400"),
        ("0", "1e300", "mp4", "400"),
        ("x", "1", "mp4", "400"),
        ("0", "1", "avi", "400"),
    ] {
        assert_eq!(fetch(&server, &api(from, until, format), "refused"), status, "{from} {until} {format}");
    }
    let keep = |name| {
        let body =
            format!(r#"{{"stream": "live/{NAME}", "from": -2.5, "until": -0.5, "name": "clips/{name}"}}"#);
        send(&server, "POST", "/api/v1/clips", &body)
    };
    let answer = keep("a goal.mp4");
    let made: Value = serde_json::from_str(answer.trim_end_matches(" 201")).unwrap();
    assert_eq!(made["url"], "/recordings/clips/a%20goal.mp4", "{made}");
    assert_eq!(fetch(&server, made["url"].as_str().unwrap(), "kept.mp4"), "200");
    compare(&units, &Recording::read(&server.file("kept.mp4")), Wanted { units_min: 45, ..some }).unwrap();
    let taken = keep("a goal.mp4");
    assert!(taken.contains("already") && taken.ends_with(" 409"), "{taken}");
    assert!(keep("a goal.mkv").ends_with(" 400"));

    publisher.wait(LIMIT_S);
    wait(&server, "the end of the recording", || growing(&server).is_empty());
    let film = files(&server)[0].file_name().unwrap().to_str().unwrap().to_owned();
    let recorded = format!("/api/v1/clips/recordings/live/{NAME}/{film}?from=1.48&until=3.48");
    assert_eq!(fetch(&server, &recorded, "recorded.mp4"), "200");
    // A film begins with what is shown first, which may lie within a picture of the broadcast.
    assert!((50..=51).contains(&shown(&server.file("recorded.mp4"))));
    compare(&units, &Recording::read(&server.file("recorded.mp4")), some).unwrap();
}

/// Asks for a clip of what [`Publisher`] publishes to be kept.
fn ask(server: &Server, name: &str) -> TcpStream {
    let stream = format!("live/{}", rewind::NAME);
    let body = format!(r#"{{"stream": {stream:?}, "from": 0.5, "until": 2.5, "name": {name:?}}}"#);
    let mut socket = TcpStream::connect(server.http_address()).unwrap();
    let head = format!(
        "POST /api/v1/clips HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n",
        server.http_address(),
        body.len()
    );
    socket.write_all(format!("{head}{body}").as_bytes()).unwrap();
    socket
}

#[test]
fn a_clip_of_another_broadcast_of_that_name_has_another_entity_tag() {
    let mut server = Server::start();
    let tag = |server: &Server| {
        let answer =
            server.request("GET", &format!("/api/v1/clips/live/{}?from=0.5&until=2.5", rewind::NAME));
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        let tag = answer.lines().find(|line| line.to_ascii_lowercase().starts_with("etag: "));
        tag.unwrap().to_owned()
    };
    let mut publisher = Publisher::new(&server);
    publisher.play(&server, 5);
    let first = tag(&server);
    assert_eq!(tag(&server), first);
    server.crash_and_start();
    // The same pictures and numbers, and yet another broadcast.
    let mut publisher = Publisher::new(&server);
    publisher.play(&server, 5);
    assert_ne!(tag(&server), first);
}

#[test]
fn a_clip_that_is_made_is_told_also_when_its_client_has_gone() {
    let server = Server::start();
    let mut publisher = Publisher::new(&server);
    publisher.play(&server, 5);
    // Some go before there is anything, some in the middle of it. The log has room for so many lines of a kind.
    for ms in 0..20 {
        let socket = ask(&server, &format!("clips/{ms}.mp4"));
        thread::sleep(Duration::from_millis(ms));
        drop(socket);
    }
    let mut answer = String::new();
    ask(&server, "clips/last.mp4").read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
    let clips = || fs::read_dir(server.file("data/recordings/clips")).unwrap().count();
    wait(&server, "as many events as clips", || {
        server.program.log().matches("made a clip").count() == clips()
    });
}

#[test]
fn a_clip_that_finds_no_room_is_refused_and_leaves_nothing() {
    let server = Server::start_with("[recordings]\nfree_min_bytes = 9000000000000000000\n");
    let mut publisher = Publisher::new(&server);
    publisher.play(&server, 5);
    let mut answer = String::new();
    ask(&server, "clips/full.mp4").read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 507") && answer.contains("[recordings] free_min_bytes"), "{answer}");
    assert!(!server.file("data/recordings/clips").exists());
}

#[test]
fn what_a_crash_left_of_a_clip_is_removed_at_the_start() {
    let mut server = Server::start();
    let left = server.file("data/recordings/clips/today/.headwater-0123456789abcdef");
    fs::create_dir_all(left.parent().unwrap()).unwrap();
    fs::write(&left, "a part").unwrap();
    server.crash_and_start();
    wait(&server, "its removal", || !left.parent().unwrap().exists());
    wait(&server, "the event", || server.program.log().contains("a file was left unfinished: removed"));
}
