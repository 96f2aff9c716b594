//! Script data at every way out: what a publisher says by name comes again, byte for byte and at its times, live and from
//! what is recorded.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use headwater_media::amf::{Object, Value as AmfValue, amf0};
use headwater_media::index::Index;
use headwater_media::mp4::Scan;
use headwater_media::{MediaKind, TrackId};
use headwater_rtmp::session::PlayOptions;
use tungstenite::Message;

use crate::archive::always;
use crate::dialogues::Player;
use crate::flv_tags::{self, Tag};
use crate::harness::Server;
use crate::rewind::{BRIEFLY, NAME, Publisher, SOON, fetched, from, number, tags};

/// Script data as players and encoders send it, and such as nobody sends.
fn sayings(number: u32) -> [Vec<u8>; 3] {
    let cue = Object::new()
        .with("name", format!("goal {number}").as_str())
        .with("time", f64::from(number))
        .with("type", "event")
        .with("parameters", Object::new().with("minute", "12"));
    let odd = b"\x02\0\x03odd\x0B\x42\x70\0\0\0\0\0\0\0\x10\x06\x0D\x08\0\0\0\x63\0\x01a\x05\0\0\x09";
    [
        amf0::encode_all(&["onCuePoint".into(), AmfValue::EcmaArray(cue)]).to_vec(),
        amf0::encode_all(&["onTextData".into(), Object::new().with("text", "say \u{2603}").into()]).to_vec(),
        odd.to_vec(),
    ]
}

/// Whether it is one of those.
fn is_said(tag: &Tag) -> bool {
    tag.0 == 18 && [b"onC", b"onT", b"odd"].iter().any(|it| tag.2[3..].starts_with(*it))
}

/// What came of script data is what was sent from `begun` on, byte for byte, at its times.
#[track_caller]
fn check_said(got: &[Tag], said: &[Tag], begun: u32) {
    let got: Vec<_> = got.iter().filter(|tag| is_said(tag)).collect();
    let wanted: Vec<_> = said.iter().filter(|tag| tag.1 >= begun).collect();
    assert_eq!(got.len(), wanted.len(), "{:?}", got.iter().map(|tag| tag.1).collect::<Vec<_>>());
    for (got, wanted) in got.iter().zip(wanted) {
        assert_eq!(got.2, wanted.2);
        let off = i64::from(got.1) - i64::from(wanted.1 - begun);
        assert!(off.abs() <= 1, "what was said at {} comes {off} ms late", wanted.1);
    }
}

fn by_ws(server: &Server) -> String {
    format!("ws://{}", server.http_address())
}

/// The tags at an address by WebSocket, until there are so many with something said.
fn by_websocket(server: &str, path: &str, count: usize) -> Vec<Tag> {
    let (mut socket, _) = tungstenite::connect(format!("{server}{path}")).unwrap();
    let (mut bytes, end) = (Vec::new(), Instant::now() + SOON);
    loop {
        assert!(Instant::now() < end, "{path}: it does not come");
        match socket.read().unwrap() {
            Message::Binary(piece) => bytes.extend_from_slice(&piece),
            Message::Close(_) => return flv_tags::of(&bytes).1,
            _ => {}
        }
        let tags = if bytes.len() > 13 { flv_tags::of(&bytes).1 } else { Vec::new() };
        if tags.iter().filter(|tag| is_said(tag)).count() >= count {
            return tags;
        }
    }
}

/// What is said in an MP4 at an address, as tags.
fn in_mp4(server: &Server, path: &str) -> Vec<Tag> {
    let mut socket = TcpStream::connect(server.http_address()).unwrap();
    write!(socket, "GET {path} HTTP/1.0\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer).unwrap();
    assert!(answer.starts_with(b"HTTP/1.0 200"), "{path}: {}", String::from_utf8_lossy(&answer));
    let file = answer.split_off(answer.windows(4).position(|at| at == b"\r\n\r\n").unwrap() + 4);
    let index = index(&file);
    let script = index.tracks().iter().position(|track| track.track.id == TrackId::DATA);
    let said = index.samples().iter().filter(|sample| Some(usize::from(sample.track)) == script);
    let tag = |sample: &headwater_media::index::Sample| {
        let at = sample.offset as usize;
        // The pictures may begin before what is shown.
        (18, (sample.pts).as_ms() as u32, file[at..at + sample.size as usize].to_vec())
    };
    said.map(tag).collect()
}

fn index(file: &[u8]) -> Index {
    let mut scan = Scan::new(file.len() as u64);
    while let Some(range) = scan.wants() {
        scan.supply(&file[range.start as usize..range.end as usize]).unwrap();
    }
    scan.finish().unwrap()
}

/// Publishes seven seconds in which something is said; and what it is. The last second of it is of no picture yet.
fn publish(server: &Server) -> (Publisher, Vec<Tag>) {
    let mut publisher = Publisher::new(server);
    let mut said: Vec<Tag> = Vec::new();
    let mut say = |publisher: &mut Publisher, at: u32, body: Vec<u8>| {
        publisher.send(MediaKind::Data, at, Bytes::from(body.clone()));
        said.push((18, at, body));
    };
    // Before there is a picture, too.
    sayings(0).into_iter().for_each(|body| say(&mut publisher, 0, body));
    for second in 1..7 {
        publisher.play(server, 1);
        for (at, body) in (0..).map(|nth| second * 1_000 - 10 + 3 * nth).zip(sayings(second)) {
            say(&mut publisher, at, body);
        }
    }
    publisher.play(server, 1);
    (publisher, said)
}

fn within(said: &[Tag], from: u32, until: u32) -> Vec<Tag> {
    said.iter().filter(|tag| (from..until).contains(&tag.1)).cloned().collect()
}

#[test]
fn script_data_comes_again_in_rewind_and_in_clips_of_a_live_stream() {
    let server = Server::start();
    let (publisher, said) = publish(&server);
    let last = publisher.sent.lock().unwrap().len() - 40;
    // One of each second, and the access to samples.
    check_said(&watch(&server, NAME, from(2_000), 4 * 3 + 1), &said, 2_000);
    let live = format!("/live/{NAME}.flv?start=2");
    let got = tags(&server, &live, |tags| {
        tags.iter().filter(|tag| tag.0 != 18).rev().find_map(number) >= Some(last)
    });
    check_said(&got, &said, 2_000);
    check_said(&by_websocket(&by_ws(&server), &live, 5 * 3), &said, 2_000);
    let clip = |until| format!("/api/v1/clips/live/{NAME}?from=2&until={until}");
    check_said(&in_mp4(&server, &clip(5)), &within(&said, 2_000, 5_000), 2_000);
    let clip = fetched(&server, &format!("{}&format=flv", clip(5)), 300);
    check_said(&clip, &within(&said, 2_000, 5_000), 2_000);
}

fn watch(server: &Server, name: &str, options: PlayOptions, count: usize) -> Vec<Tag> {
    let mut player = Player::watch(server, name, options);
    let end = Instant::now() + SOON;
    while player.data.iter().filter(|tag| !tag.2[3..].starts_with(b"onM")).count() < count {
        assert!(Instant::now() < end, "only {:?} comes", player.data);
        player.turn();
    }
    player.hear(BRIEFLY);
    player.data
}

#[test]
fn script_data_comes_again_from_recordings_that_grow_and_that_are_complete() {
    for format in ["mp4", "flv"] {
        let server = Server::start_with(&always(format));
        let (publisher, said) = publish(&server);
        // All that there is, but what waits for more of its part.
        let last = publisher.sent.lock().unwrap().len() - 5;
        let mut follower = None;
        for is_complete in [false, true] {
            if is_complete {
                let (film, url) = (film(&server), by_ws(&server));
                follower =
                    Some(thread::spawn(move || by_websocket(&url, &format!("/{film}.flv"), usize::MAX)));
                publisher.socket.shutdown(Shutdown::Both).unwrap();
                let end = Instant::now() + SOON;
                while !server.request("GET", "/api/v1/recordings").contains("\"recordings\":[]") {
                    assert!(Instant::now() < end, "the recording does not end");
                    thread::sleep(Duration::from_millis(20));
                }
            }
            check_film(&server, &said, last, is_complete);
        }
        // Who was there before the end is sent all that came.
        let followed = follower.unwrap().join().unwrap();
        check_said(&followed, &said, 0);
        let frames = publisher.sent.lock().unwrap().len();
        assert_eq!(followed.iter().filter_map(number).collect::<BTreeSet<_>>().len(), frames, "{format}");
    }
}

/// The address of the one recording that there is, without its ending.
fn film(server: &Server) -> String {
    let directory = server.file("data/recordings/live").join(NAME);
    let file = std::fs::read_dir(&directory).unwrap().next().unwrap().unwrap().path();
    format!("recordings/live/{NAME}/{}", file.file_stem().unwrap().to_str().unwrap())
}

/// The one recording that there is, at every door.
fn check_film(server: &Server, said: &[Tag], last: usize, is_complete: bool) {
    let film = film(server);
    check_said(&fetched(server, &format!("/{film}.flv"), last), said, 0);
    check_said(&fetched(server, &format!("/{film}.flv?start=2"), last), said, 2_000);
    check_said(&by_websocket(&by_ws(server), &format!("/{film}.flv"), 7 * 3), said, 0);
    check_said(&by_websocket(&by_ws(server), &format!("/{film}.flv?start=2"), 5 * 3), said, 2_000);
    check_said(&in_mp4(server, &format!("/{film}.mp4?start=2&end=5")), &within(said, 2_000, 5_000), 2_000);
    if is_complete {
        check_said(&in_mp4(server, &format!("/{film}.mp4?start=0")), said, 0);
    }
    let (app, name) = film.split_once('/').unwrap();
    let mut player = Player::connect_to(server, &format!("rtmp://{}/{app}/x", server.rtmp_address()));
    player.session.play(name, from(0)).unwrap();
    let end = Instant::now() + SOON;
    while player.media.iter().rev().find_map(number) < Some(last) {
        assert!(Instant::now() < end, "the film does not come");
        player.turn();
    }
    check_said(&player.data, said, 0);
}
