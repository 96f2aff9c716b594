//! What `headwater publish` sends, message by message, held against what ffprobe reads in the file itself; and what
//! comes out of a server.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use headwater_media::MediaKind;
use headwater_media::flv::parse_on_metadata;
use headwater_rtmp::handshake::Nonce;
use headwater_rtmp::session::{ServerConfig, ServerEvent, ServerSession};
use headwater_rtmp::tokio::Connection;

use crate::films::{self, Recipe};
use crate::flv_tags::{self, Tag};
use crate::harness::{Server, headwater};
use crate::program::needs;
use crate::recording::{Recording, compare, whole};
use crate::scripted;
use crate::sources;

const LIMIT_S: u64 = 60;

/// A server that takes one publisher and keeps all that it sends; its address, and the messages after the end.
fn sink() -> (String, Receiver<Vec<Tag>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("rtmp://{}/live/sink", listener.local_addr().unwrap());
    let (sender, receiver) = channel();
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let _ = sender.send(runtime.block_on(take(listener)));
    });
    (url, receiver)
}

async fn take(listener: TcpListener) -> Vec<Tag> {
    listener.set_nonblocking(true).unwrap();
    let (socket, _) = tokio::net::TcpListener::from_std(listener).unwrap().accept().await.unwrap();
    let session = ServerSession::new(Arc::new(ServerConfig::default()), Nonce([7; 32]), Duration::ZERO);
    let mut client = Connection::accepted(socket, session);
    let mut tags = Vec::new();
    // A publisher that is killed leaves by an error.
    while let Ok(Some(event)) = client.next_event().await {
        match event {
            ServerEvent::Connect(request) => request.accept(client.session()),
            ServerEvent::Publish(request) => request.accept(client.session()),
            ServerEvent::Media { kind, timestamp, body, .. } => {
                let kind = if kind == MediaKind::Audio { 8 } else { 9 };
                tags.push((kind, timestamp, body.to_vec()));
            }
            ServerEvent::Data { timestamp, payload, .. } => tags.push((18, timestamp, payload.to_vec())),
            _ => {}
        }
    }
    tags
}

fn publish(files: &[&Path], url: &str, more: &[&str]) -> Command {
    let mut command = headwater();
    command.arg("publish").args(files).arg(url).args(more);
    command
}

/// What is sent of these files, as fast as it goes.
#[track_caller]
fn sent(files: &[&Path]) -> Vec<Tag> {
    let (url, tags) = sink();
    let output = publish(files, &url, &["--speed", "1000"]).output().unwrap();
    assert!(output.status.success(), "{files:?}: {}", String::from_utf8_lossy(&output.stderr));
    tags.recv_timeout(Duration::from_secs(LIMIT_S)).unwrap()
}

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("publishing-{}-{name}", std::process::id()))
}

/// The messages as ffprobe reads them.
fn read(tags: &[Tag], name: &str) -> Recording {
    let path = file(name);
    fs::write(&path, scripted::flv(tags)).unwrap();
    let recording = Recording::read(&path);
    fs::remove_file(path).unwrap();
    recording
}

/// What ffprobe reads in a film.
fn of_film(name: &str) -> Recording {
    let mut source = Recording::read(&films::film(name));
    if name == "cmaf.mp4" {
        // Of fragments with offsets below zero ffprobe shifts what is shown; not so of the same pictures here.
        source.video = Recording::read(&films::film("negative.mp4")).video;
    }
    source
}

#[track_caller]
fn assert_same(what: &str, source: &Recording, got: &Recording) {
    if let Err(wrong) = compare(source, got, whole(source)) {
        panic!("{what}: {wrong}");
    }
    assert_eq!((got.video.len(), got.audio.len()), (source.video.len(), source.audio.len()), "{what}");
}

#[test]
fn every_form_of_film_is_sent_as_it_is() {
    needs!("ffmpeg", "ffprobe");
    for Recipe(name, arguments) in &films::recipes() {
        let film = films::made(&Recipe(name, arguments.clone()));
        let tags = sent(&[&film]);
        assert_same(name, &of_film(name), &read(&tags, "form.flv"));
        let first = tags.iter().filter(|tag| tag.0 != 18).map(|tag| tag.1).min();
        assert_eq!(first, Some(0), "{name} begins at 0");
        // The description comes first, and says nothing of a length: it is a live stream.
        let (kind, _, description) = &tags[0];
        let about = parse_on_metadata(description).unwrap();
        assert_eq!(*kind, 18);
        for key in ["duration", "filesize", "keyframes"] {
            assert!(about.get(key).is_none(), "{name}: {key}");
        }
    }
}

#[test]
fn every_form_of_film_comes_out_of_a_server() {
    needs!("ffmpeg", "ffprobe");
    let server = Server::start_with("[streams]\nreconnect_window_ms = 500\n");
    for (number, Recipe(name, arguments)) in films::recipes().iter().enumerate() {
        let film = films::made(&Recipe(name, arguments.clone()));
        let stream = format!("film-{number}");
        let url = if number % 2 == 0 { server.rtmp(&stream) } else { server.flv(&stream) };
        let received = server.file(&format!("{number}.flv"));
        let mut play = headwater();
        play.args(["play", &url, "-o"]).arg(&received);
        let mut viewer = server.run("play", play);
        server.wait_viewers(&stream, 1);
        let command = publish(&[&film], &server.rtmp(&stream), &["--speed", "8"]);
        server.run("publish", command).succeed(LIMIT_S);
        viewer.succeed(LIMIT_S);
        let (source, got) = (of_film(name), Recording::read(&received));
        if *name == "late_picture.mp4" {
            // Who watches begins with the first picture, and hears what belongs to it.
            assert_eq!(got.video.len(), source.video.len());
            continue;
        }
        if let Err(wrong) = compare(&source, &got, whole(&source)) {
            panic!("{name}: {wrong}");
        }
    }
}

#[test]
fn files_in_a_row_are_one_stream() {
    needs!("ffmpeg", "ffprobe");
    let (first, second) = (films::film("plain.mp4"), sources::small());
    let tags = sent(&[&first, &second, &first]);
    let configs: Vec<_> = tags.iter().filter(|tag| flv_tags::is_config(tag)).collect();
    assert_eq!(configs.len(), 6, "each track's configuration three times");
    assert!(configs[0].2 == configs[4].2 && configs[0].2 != configs[2].2);
    for kind in [8, 9] {
        let times: Vec<u32> = tags.iter().filter(|tag| tag.0 == kind).map(|tag| tag.1).collect();
        let steps = || times.windows(2).map(|pair| i64::from(pair[1]) - i64::from(pair[0]));
        assert!(steps().all(|step| (0..200).contains(&step)), "{kind}: {:?}", steps().max());
    }
    let got = read(&tags, "row.flv");
    let [first, second] = [first, second].map(|path| Recording::read(&path));
    let hashes = |units: &[crate::recording::Unit]| -> Vec<String> {
        units.iter().map(|unit| unit.hash.clone()).collect()
    };
    let row = |of: fn(&Recording) -> &Vec<_>| {
        [hashes(of(&first)), hashes(of(&second)), hashes(of(&first))].concat()
    };
    assert_eq!(hashes(&got.video), row(|recording| &recording.video));
    assert_eq!(hashes(&got.audio), row(|recording| &recording.audio));
}

#[test]
fn a_file_whose_clock_begins_late_is_sent_at_once() {
    needs!("ffmpeg", "ffprobe");
    let source = sources::bframes();
    let (_, tags) = flv_tags::read(&source);
    let late: Vec<Tag> = tags.into_iter().map(|(kind, time, body)| (kind, time + 100_000, body)).collect();
    let path = file("late-source.flv");
    fs::write(&path, scripted::flv(&late)).unwrap();
    let began = Instant::now();
    let tags = sent(&[&path]);
    assert!(began.elapsed() < Duration::from_secs(10));
    assert_eq!(tags.iter().filter(|tag| tag.0 != 18).map(|tag| tag.1).min(), Some(0));
    assert_same("late", &Recording::read(&source), &read(&tags, "late.flv"));
    fs::remove_file(path).unwrap();
}

#[test]
fn a_film_goes_out_at_its_pace_and_loops() {
    needs!("ffmpeg", "ffprobe");
    let (url, tags) = sink();
    let began = Instant::now();
    let film = films::film("plain.mp4");
    let output = publish(&[&film], &url, &["--speed", "3"]).output().unwrap();
    assert!(output.status.success());
    let took = began.elapsed().as_secs_f64();
    assert!((1.9..6.0).contains(&took), "6 s at three times the speed took {took} s");
    drop(tags);
    // One picture, again and again: each lasts a moment, and the stream does not run away.
    let (url, tags) = sink();
    let mut program = publish(&[&films::film("one_frame.mp4")], &url, &["--loop"]).spawn().unwrap();
    thread::sleep(Duration::from_secs(2));
    program.kill().unwrap();
    program.wait().unwrap();
    let tags = tags.recv_timeout(Duration::from_secs(LIMIT_S)).unwrap();
    let pictures = tags.iter().filter(|tag| tag.0 == 9 && tag.2.get(1) == Some(&1)).count();
    assert!((10..=60).contains(&pictures), "{pictures} pictures in two seconds");
}

#[test]
fn what_holds_nothing_is_named_before_anything_is_sent() {
    needs!("ffmpeg");
    let film = fs::read(films::film("fragments.mp4")).unwrap();
    let head = film.windows(4).position(|window| window == b"moof").unwrap() - 4;
    let path = file("head.mp4");
    fs::write(&path, &film[..head]).unwrap();
    let output = publish(&[&path], "rtmp://127.0.0.1:9/live/x", &["--loop"]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains("head.mp4"), "{said}");
    fs::remove_file(path).unwrap();
}
