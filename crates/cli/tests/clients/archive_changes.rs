//! Broadcasts whose description changes while they are recorded: each is one film, at every door, while it grows, when it is
//! complete, and after a crash.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::archive::{ALWAYS, LIMIT_S, NAME, always, body, fetch, files, growing, play, send, shown, wait};
use crate::flv_recordings::assert_served;
use crate::flv_tags::{self, Tag};
use crate::harness::{Server, headwater};
use crate::program::{Program, needs};
use crate::recording::{Recording, Wanted, compare, whole};
use crate::{scripted, sources};

/// Of a source's pictures (9) or sound (8) what is between two milliseconds, at another time, behind what describes it.
fn piece(source: &Path, kind: u8, (from, to): (u32, u32), at: u32) -> Vec<Tag> {
    let (_, tags) = flv_tags::read(source);
    let is_within = |tag: &Tag| is_config(tag) || (from..to).contains(&tag.1);
    // The word at the end that there are no more pictures is no frame.
    let own = tags.into_iter().filter(|tag| tag.0 == kind && is_within(tag) && tag.2.get(1) != Some(&2));
    own.map(|(kind, time, body)| (kind, at + time.saturating_sub(from), body)).collect()
}

fn is_config(tag: &Tag) -> bool {
    // Of FourCC's too.
    flv_tags::is_config(tag) || tag.2.first() == Some(&0x90)
}

/// In the order of their times.
fn merged(pieces: &[Vec<Tag>]) -> Vec<Tag> {
    let mut tags = pieces.concat();
    tags.sort_by_key(|tag| tag.1);
    tags
}

/// Eight seconds: 160x120 and 320x240 by turns, and sound of 44.1, 48 and again 44.1 kHz.
fn turned() -> Vec<Tag> {
    let (plain, small) = (sources::plain(), sources::small());
    merged(&[
        piece(&small, 9, (0, 2_000), 0),
        piece(&plain, 9, (0, 2_000), 2_000),
        piece(&small, 9, (2_000, 4_000), 4_000),
        piece(&plain, 9, (2_000, 4_000), 6_000),
        piece(&plain, 8, (0, 2_960), 0),
        piece(&small, 8, (0, 2_460), 3_000),
        piece(&plain, 8, (3_000, 5_480), 5_500),
    ])
}

/// Publishes tags as they are; and what ffprobe reads in them.
fn publish(server: &Server, tags: &[Tag]) -> Program {
    let path = server.file("sent.flv");
    fs::write(&path, scripted::flv(tags)).unwrap();
    let mut command = headwater();
    command.arg("publish").arg(path).arg(server.rtmp(NAME));
    server.run("publish", command)
}

/// ffmpeg decodes all of it without a complaint; how many pictures there are.
#[track_caller]
fn decoded(path: &Path) -> usize {
    let mut command = Command::new("ffmpeg");
    command.args(["-nostdin", "-v", "error", "-i"]).arg(path).args(["-map", "0", "-f", "null", "-"]);
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.is_empty(), "{}: {said}", path.display());
    shown(path)
}

/// ffmpeg begins at each second of a film and decodes a little of it without a complaint.
#[track_caller]
fn assert_sought(path: &Path, seconds: std::ops::Range<u32>) {
    for second in seconds {
        let mut command = Command::new("ffmpeg");
        command.args(["-nostdin", "-v", "error", "-ss", &second.to_string(), "-i"]).arg(path);
        let output = command.args(["-t", "0.5", "-map", "0", "-f", "null", "-"]).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && said.is_empty(), "{} from {second} s: {said}", path.display());
    }
}

/// What FFmpeg makes of the shape of a film's pixels.
fn shape(path: &Path) -> String {
    let mut command = Command::new("ffprobe");
    command.args(["-v", "error", "-select_streams", "v", "-of", "csv=p=0"]);
    let output = command.args(["-show_entries", "stream=sample_aspect_ratio"]).arg(path).output().unwrap();
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// The codecs of a file's tracks, in its order.
fn codecs(path: &Path) -> Vec<String> {
    let mut command = Command::new("ffprobe");
    command.args(["-v", "error", "-of", "csv=p=0", "-show_entries", "stream=codec_name"]).arg(path);
    let text = String::from_utf8(command.output().unwrap().stdout).unwrap();
    text.split([',', '\n']).filter(|codec| !codec.is_empty()).map(str::to_owned).collect()
}

/// What of a film is asked for by its own address, and what is read of it.
fn fetched(server: &Server, address: &str, file: &str) -> (PathBuf, Recording) {
    assert_eq!(fetch(server, address, file), "200", "{address}");
    let path = server.file(file);
    let recording = Recording::read(&path);
    (path, recording)
}

/// How many pictures there are in a film's segments, for each time that they are described anew.
fn over_hls(server: &Server, film: &str) -> Vec<usize> {
    let text = |path: &str| {
        let answer = server.request("GET", path);
        answer.split_once("\r\n\r\n").map_or("", |(_, body)| body).to_owned()
    };
    let main = text(&format!("{film}/index.m3u8"));
    let of_pictures = format!("{film}/{}", main.lines().rfind(|line| !line.starts_with('#')).unwrap());
    let beside = |name: &str| format!("{}/{name}", of_pictures.rsplit_once('/').unwrap().0);
    let (mut pieces, mut described): (Vec<Vec<u8>>, _) = (Vec::new(), Vec::new());
    for line in text(&of_pictures).lines() {
        let map = line.strip_prefix("#EXT-X-MAP:URI=\"").and_then(|rest| rest.split('"').next());
        let segment = Some(line).filter(|line| !line.starts_with('#') && !line.is_empty());
        if let Some(name) = map.or(segment) {
            assert_eq!(fetch(server, &beside(name), "segment"), "200", "{name}");
            let bytes = fs::read(server.file("segment")).unwrap();
            if map.is_none() {
                pieces.last_mut().unwrap().extend(bytes);
            } else {
                assert!(described != bytes, "described anew as it was: {name}");
                pieces.push(bytes.clone());
                described = bytes;
            }
        }
    }
    let count = |piece| {
        fs::write(server.file("piece.mp4"), piece).unwrap();
        decoded(&server.file("piece.mp4"))
    };
    pieces.into_iter().map(count).collect()
}

#[test]
fn a_broadcast_that_changes_is_one_film_at_every_door() {
    needs!("ffmpeg", "ffprobe", "curl");
    let server = Server::start_with(ALWAYS);
    let mut publisher = publish(&server, &turned());
    let sent = Recording::read(&server.file("sent.flv"));
    wait(&server, "a file that grows", || !growing(&server).is_empty());
    let film = growing(&server).remove(0);
    let rtmp = server.rtmp(NAME).replace(&format!("/live/{NAME}"), film.trim_end_matches(".mp4"));
    let told = || body(&server, &format!("/api/v1/films{film}"));
    let duration = || told()["duration"].as_f64();
    wait(&server, "a second", || duration() > Some(1.0));
    let mut viewer = play(&server, &rtmp, "grows.flv");

    // While it grows, behind the second change.
    wait(&server, "the second change", || duration() > Some(4.6));
    // At once: what follows may last longer than the broadcast.
    let listed = body(&server, "/api/v1/films?app=recordings");
    assert_eq!((&listed["total"], &listed["films"][0]["growing"]), (&1.into(), &true.into()), "{listed}");
    let some = Wanted { units_min: 105, from_start: true, to_end: false };
    let (path, grown) = fetched(&server, &film, "grown.mp4");
    compare(&sent, &grown, some).unwrap();
    assert_eq!(decoded(&path), grown.video.len());
    let live = format!("/api/v1/clips/live/{NAME}?from=1&until=4.4");
    assert!((85..=86).contains(&decoded(&fetched(&server, &live, "live.mp4").0)), "a clip of what is live");
    assert!(over_hls(&server, &film).len() >= 3);

    publisher.succeed(LIMIT_S);
    wait(&server, "the end of the recording", || growing(&server).is_empty());
    assert_eq!((files(&server).len(), &told()["changes"]), (1, &true.into()));
    assert_eq!(shape(&files(&server)[0]), "1:1", "of another size the pixels are square too");
    let all = sent.video.len();
    compare(&sent, &Recording::read(&files(&server)[0]), whole(&sent)).unwrap();
    assert_eq!(decoded(&files(&server)[0]), all);
    viewer.succeed(LIMIT_S);
    compare(&sent, &Recording::read(&server.file("grows.flv")), whole(&sent)).unwrap();
    play(&server, &rtmp, "rtmp.flv").succeed(LIMIT_S);
    compare(&sent, &Recording::read(&server.file("rtmp.flv")), whole(&sent)).unwrap();
    assert_eq!(["grows.flv", "rtmp.flv"].map(|name| decoded(&server.file(name))), [all; 2]);
    for address in [film.clone(), film.replace(".mp4", ".flv")] {
        let (path, got) = fetched(&server, &address, "whole");
        compare(&sent, &got, whole(&sent)).unwrap();
        assert_eq!(decoded(&path), all, "{address}");
        assert_sought(&path, 0..8);
    }
    let (path, part) = fetched(&server, &format!("{film}?start=3&end=7"), "part.mp4");
    compare(&sent, &part, Wanted { units_min: 100, from_start: false, to_end: false }).unwrap();
    // The film begins with what is shown first, which may lie within a picture.
    assert!((100..=101).contains(&decoded(&path)));
    assert_eq!(over_hls(&server, &film), [50; 4]);
    let clip = format!("/api/v1/clips{film}?from=1&until=5");
    assert!((100..=101).contains(&decoded(&fetched(&server, &clip, "clip.mp4").0)));
    if cfg!(feature = "thumbnails") {
        for t in [1, 3, 5, 7] {
            assert_eq!(fetch(&server, &format!("{film}/thumbnail.jpg?t={t}"), "picture.jpg"), "200");
        }
    }
    let moved = send(&server, "PATCH", &format!("/api/v1/films{film}"), r#"{"name": "a/whole film.mp4"}"#);
    assert_eq!(moved.trim(), "204");
    let (path, _) = fetched(&server, "/recordings/a/whole%20film.mp4", "renamed.mp4");
    assert_eq!((decoded(&path), fetch(&server, &film, "gone").as_str()), (all, "404"));
    assert_eq!(body(&server, "/api/v1/films?app=recordings")["total"], 1);
    let removed = server.request("DELETE", "/api/v1/films/recordings/a/whole%20film.mp4");
    assert!(removed.starts_with("HTTP/1.1 204"), "{removed}");
    assert_eq!(body(&server, "/api/v1/films?app=recordings")["total"], 0);
}

#[test]
fn a_server_that_is_killed_behind_a_change_leaves_one_film() {
    needs!("ffmpeg", "ffprobe", "curl");
    let mut server = Server::start_with(ALWAYS);
    let publisher = publish(&server, &turned());
    let sent = Recording::read(&server.file("sent.flv"));
    wait(&server, "a file that grows", || !growing(&server).is_empty());
    let film = growing(&server).remove(0);
    let duration = |server: &Server| body(server, &format!("/api/v1/films{film}"))["duration"].as_f64();
    wait(&server, "the change", || duration(&server) > Some(2.6));
    server.program.kill();
    drop(publisher);
    server.crash_and_start();
    wait(&server, "the repair", || server.program.log().contains("a file was left unfinished"));
    let some = Wanted { units_min: 55, from_start: true, to_end: false };
    let (path, got) = fetched(&server, &film, "whole.mp4");
    compare(&sent, &got, some).unwrap();
    assert_eq!(decoded(&path), got.video.len());
    assert_eq!(body(&server, "/api/v1/films?app=recordings")["total"], 1);
    let (path, made) = fetched(&server, &film.replace(".mp4", ".flv"), "whole.flv");
    assert_eq!((decoded(&path), made.audio.len()), (got.video.len(), got.audio.len()));
}

#[test]
fn who_comes_back_with_another_size_goes_on_in_the_same_film() {
    needs!("ffmpeg", "ffprobe");
    for format in ["mp4", "flv"] {
        let server = Server::start_with(&always(format).replace("300", "5000"));
        for source in [sources::small(), sources::plain()] {
            server.publish(&source, NAME).succeed(LIMIT_S);
        }
        let over = server.request("DELETE", &format!("/api/v1/streams/live/{NAME}"));
        assert!(over.starts_with("HTTP/1.1 204"), "{over}");
        wait(&server, "the end of the recording", || growing(&server).is_empty());
        let [film] = files(&server).try_into().unwrap();
        let (first, second) = (Recording::read(&sources::small()), Recording::read(&sources::plain()));
        let pictures = first.video.len();
        assert_eq!(decoded(&film), pictures + second.video.len());
        assert_sought(&film, 0..10);
        if format == "flv" {
            assert_served(&server, &film);
        }
        let (before, behind) = Recording::read(&film).split_at(&second);
        let some = |units_min| Wanted { units_min, from_start: true, to_end: true };
        compare(&first, &before, some(pictures)).unwrap();
        compare(&second, &behind, some(second.video.len())).unwrap();
    }
}

#[test]
fn another_codec_is_another_track_of_the_file_and_one_film_all_the_same() {
    needs!("ffmpeg", "ffprobe", "curl");
    let server = Server::start_with(ALWAYS);
    let (plain, hevc, mp3) = (sources::plain(), sources::testdata("hevc.flv"), sources::testdata("mp3.flv"));
    let tags = merged(&[
        piece(&plain, 9, (0, 2_000), 0),
        piece(&hevc, 9, (0, 1_000), 2_000),
        piece(&plain, 9, (2_000, 4_000), 3_000),
        piece(&plain, 8, (0, 1_960), 0),
        piece(&mp3, 8, (0, 1_000), 2_000),
    ]);
    publish(&server, &tags).succeed(LIMIT_S);
    wait(&server, "the end of the recording", || files(&server).len() == 1 && growing(&server).is_empty());
    let film = body(&server, "/api/v1/films?app=recordings")["films"][0].clone();
    assert_eq!(film["tracks"].as_array().map(Vec::len), Some(2), "{film}");
    let address = film["urls"]["file"].as_str().unwrap();
    let (path, got) = fetched(&server, address, "whole.mp4");
    let sounds = tags.iter().filter(|tag| tag.0 == 8 && !is_config(tag)).count();
    // The sound before the first picture may be left out.
    assert!(got.video.len() == 125 && (sounds - 1..=sounds).contains(&got.audio.len()), "{got:?}");
    let mut command = Command::new("ffmpeg");
    command.args(["-nostdin", "-v", "error", "-i"]).arg(&path).args(["-map", "0", "-f", "null", "-"]);
    let said = command.output().unwrap().stderr;
    assert!(said.is_empty(), "{}", String::from_utf8_lossy(&said));
    assert_eq!(codecs(&path), ["h264", "hevc", "aac", "mp3"]);
    assert_eq!(over_hls(&server, address), [50, 25, 50]);
    let main = server.request("GET", &format!("{address}/index.m3u8"));
    let told = main.lines().find(|line| line.starts_with("#EXT-X-STREAM-INF:")).unwrap();
    let later = film["tracks"].as_array().unwrap().iter().map(|track| {
        assert_eq!(track["later_codecs"].as_array().map(Vec::len), Some(1), "{film}");
        &track["later_codecs"][0]
    });
    let all = film["tracks"].as_array().unwrap().iter().chain(later).map(|codec| &codec["codec_string"]);
    let all: Vec<_> = all.map(|name| name.as_str().unwrap()).collect();
    assert!(all.len() == 4 && all.iter().all(|name| told.contains(name)), "{all:?} in {told}");
    if cfg!(feature = "thumbnails") {
        // Pictures are made of H.264 only.
        for (t, status) in [("0.5", "200"), ("2.5", "501"), ("3.5", "200")] {
            assert_eq!(fetch(&server, &format!("{address}/thumbnail.jpg?t={t}"), "picture"), status, "{t}");
        }
    }
}

#[test]
fn codecs_that_only_a_frame_describes_come_and_go_in_one_film() {
    needs!("ffmpeg", "ffprobe", "curl");
    let server = Server::start_with(ALWAYS);
    let (plain, vp9, ac3) = (sources::plain(), sources::testdata("vp9.flv"), sources::testdata("ac3.flv"));
    let tags = merged(&[
        piece(&plain, 9, (0, 1_000), 0),
        piece(&vp9, 9, (0, 1_000), 1_000),
        piece(&plain, 9, (1_000, 2_000), 2_000),
        piece(&plain, 8, (0, 960), 0),
        piece(&ac3, 8, (0, 1_000), 1_000),
        piece(&plain, 8, (1_000, 1_960), 2_050),
    ]);
    publish(&server, &tags).succeed(LIMIT_S);
    wait(&server, "the end of the recording", || files(&server).len() == 1 && growing(&server).is_empty());
    let film = body(&server, "/api/v1/films?app=recordings")["films"][0].clone();
    // Beside AC-3 that source has E-AC-3, as a second track of sound.
    let tracks = film["tracks"].as_array().map(Vec::len);
    assert_eq!((tracks, &film["notes"]), (Some(3), &Value::Array(Vec::new())));
    let (path, got) = fetched(&server, film["urls"]["file"].as_str().unwrap(), "whole.mp4");
    assert_eq!(codecs(&path), ["h264", "vp9", "aac", "ac3", "eac3"]);
    assert!(got.video.len() == 75 && got.audio.len() > 140, "{} {}", got.video.len(), got.audio.len());
}
