//! Broadcasts that are recorded, by what other programs read of the files: while they grow, when they are complete, and
//! after a crash.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::harness::{Server, headwater};
use crate::program::{Program, needs};
use crate::recording::{Recording, Wanted, compare, whole};
use crate::rewind::{self, Publisher};
use crate::sources;

pub(crate) const NAME: &str = "kept";
pub(crate) const LIMIT_S: u64 = 30;
pub(crate) const ALWAYS: &str = "[apps.live]\nrecord = \"always\"\n[streams]\nreconnect_window_ms = 300\n";
/// What kinds of files there are.
const FORMATS: [&str; 2] = ["mp4", "flv"];
/// How often a server is killed while it records; `HEADWATER_KILLS` says another number.
const KILLS: u64 = 10;

/// As [`ALWAYS`], into files of a kind.
pub(crate) fn always(format: &str) -> String {
    ALWAYS.replace("[streams]", &format!("record_format = {format:?}\n[streams]"))
}

pub(crate) fn body(server: &Server, path: &str) -> Value {
    let answer = server.request("GET", path);
    serde_json::from_str(answer.split_once("\r\n\r\n").map_or("", |(_, body)| body)).unwrap_or(Value::Null)
}

/// The addresses of files that grow.
pub(crate) fn growing(server: &Server) -> Vec<String> {
    let list = body(server, "/api/v1/recordings");
    let list = list["recordings"].as_array().cloned().unwrap_or_default();
    list.iter().map(|one| one["url"].as_str().unwrap().to_owned()).collect()
}

pub(crate) fn wait(server: &Server, what: &str, is_it: impl Fn() -> bool) {
    let end = Instant::now() + Duration::from_secs(15);
    while !is_it() {
        assert!(Instant::now() < end, "{what} does not come in time:\n{}", server.program.log());
        thread::sleep(Duration::from_millis(30));
    }
}

/// All recordings, oldest first.
pub(crate) fn files(server: &Server) -> Vec<PathBuf> {
    let Ok(listing) = fs::read_dir(server.file("data/recordings/live").join(NAME)) else { return Vec::new() };
    let mut files: Vec<_> = listing.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

pub(crate) fn play(server: &Server, url: &str, file: &str) -> Program {
    let mut command = headwater();
    command.args(["play", url, "-o"]).arg(server.file(file));
    server.run("play", command)
}

#[test]
fn a_broadcast_is_a_film_while_it_grows_and_when_it_has_ended() {
    needs!("ffmpeg", "ffprobe");
    for (format, source) in FORMATS.into_iter().flat_map(|format| {
        [sources::bframes(), sources::audio_only(), sources::video_only()].map(|source| (format, source))
    }) {
        let server = Server::start_with(&always(format));
        let mut publisher = server.publish(&source, NAME);
        wait(&server, "a file that grows", || !growing(&server).is_empty());
        let film = growing(&server).remove(0);
        let path = files(&server).remove(0);
        thread::sleep(Duration::from_secs(2));
        let source = Recording::read(&source);
        let some = Wanted { units_min: 20, from_start: true, to_end: false };
        compare(&source, &Recording::read(&path), some).unwrap();
        assert!(server.request("GET", &format!("{film}/index.m3u8")).starts_with("HTTP/1.1 200"));
        // Who plays the film that grows is sent all that comes.
        let rtmp = server
            .rtmp(NAME)
            .replace(&format!("/live/{NAME}"), film.strip_suffix(&format!(".{format}")).unwrap());
        let mut viewer = play(&server, &rtmp, "grows.flv");
        publisher.wait(LIMIT_S);
        wait(&server, "the end of the recording", || growing(&server).is_empty());
        assert_eq!(files(&server).len(), 1);
        compare(&source, &Recording::read(&path), whole(&source)).unwrap();
        play(&server, &rtmp, "rtmp.flv").succeed(LIMIT_S);
        compare(&source, &Recording::read(&server.file("rtmp.flv")), whole(&source)).unwrap();
        viewer.wait(LIMIT_S);
        compare(&source, &Recording::read(&server.file("grows.flv")), whole(&source)).unwrap();
        let listed = body(&server, "/api/v1/films?app=recordings");
        assert_eq!(listed["films"][0]["urls"]["file"], film.as_str());
        let removed = server.request("DELETE", &format!("/api/v1/films{film}"));
        assert!(removed.starts_with("HTTP/1.1 204") && files(&server).is_empty(), "{removed}");
    }
}

/// Sends JSON; the status and what is answered.
pub(crate) fn send(server: &Server, method: &str, path: &str, json: &str) -> String {
    let mut command = Command::new("curl");
    command.args(["-s", "-w", " %{http_code}", "-X", method, "-d", json]);
    let output = command.arg(format!("http://{}{path}", server.http_address())).output().unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn a_film_that_grows_is_neither_removed_nor_replaced_nor_renamed() {
    needs!("ffmpeg", "ffprobe", "curl");
    let source = sources::plain();
    let server = Server::start_with(ALWAYS);
    let mut publisher = server.publish(&source, NAME);
    wait(&server, "a file that grows", || !growing(&server).is_empty());
    let film = growing(&server).remove(0);
    let name = film.trim_start_matches("/recordings/");
    let order = format!(r#"{{"app": "recordings", "name": "{name}", "bytes": 5, "replace": true}}"#);
    for (method, path, json) in [
        ("DELETE", format!("/api/v1/films{film}"), ""),
        ("PATCH", format!("/api/v1/films{film}"), r#"{"name": "else.mp4"}"#),
        ("POST", "/api/v1/uploads".to_owned(), order.as_str()),
    ] {
        let refused = send(&server, method, &path, json);
        assert!(refused.contains("is being recorded") && refused.ends_with(" 409"), "{method} {refused}");
    }
    publisher.wait(LIMIT_S);
    wait(&server, "the end of the recording", || growing(&server).is_empty());
    let [path] = files(&server).try_into().unwrap();
    let source = Recording::read(&source);
    compare(&source, &Recording::read(&path), whole(&source)).unwrap();
    let other = send(&server, "PATCH", &format!("/api/v1/films{film}"), r#"{"name": "else.flv"}"#);
    assert!(other.contains("ends otherwise") && other.ends_with(" 400"), "{other}");
}

#[test]
fn a_publisher_that_comes_back_goes_on_in_the_same_film() {
    needs!("ffmpeg", "ffprobe");
    FORMATS.into_iter().for_each(goes_on_in_the_same_film);
}

fn goes_on_in_the_same_film(format: &str) {
    let source = sources::plain();
    let server = Server::start_with(&always(format).replace("300", "5000"));
    for _ in 0..2 {
        server.publish(&source, NAME).succeed(LIMIT_S);
    }
    let twice = server.request("DELETE", &format!("/api/v1/streams/live/{NAME}"));
    assert!(twice.starts_with("HTTP/1.1 204"), "{twice}");
    wait(&server, "the end of the recording", || growing(&server).is_empty());
    let [film] = files(&server).try_into().unwrap();
    let (film, source) = (Recording::read(&film), Recording::read(&source));
    let units = source.video.len();
    assert_eq!(film.video.len(), 2 * units);
    assert!(film.video.windows(2).all(|pair| pair[0].dts_ms < pair[1].dts_ms));
    for half in [&film.video[..units], &film.video[units..]] {
        let pictures = |video: &[_]| Recording { video: video.to_vec(), audio: Vec::new() };
        compare(&pictures(&source.video), &pictures(half), whole(&source)).unwrap();
    }
}

#[test]
fn a_server_that_is_killed_leaves_films_that_lack_a_part_at_most() {
    needs!("ffmpeg", "ffprobe");
    FORMATS.into_iter().for_each(is_killed_while_it_records);
}

fn is_killed_while_it_records(format: &str) {
    let source = sources::plain();
    let mut server = Server::start_with(&always(format));
    let units = Recording::read(&source);
    let kills = std::env::var("HEADWATER_KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(KILLS);
    for kill in 0..kills {
        let publisher = server.publish(&source, NAME);
        let before = files(&server).len();
        wait(&server, "a file", || files(&server).len() > before);
        // At every place within a part and within a group.
        thread::sleep(Duration::from_millis(310 + 137 * kill % 4_001));
        server.program.kill();
        drop(publisher);
        let left = files(&server).pop().unwrap();
        let some = Wanted { units_min: 1, from_start: true, to_end: false };
        let unfinished = Recording::read(&left);
        compare(&units, &unfinished, some).unwrap();
        server.crash_and_start();
        let name = left.file_name().unwrap().to_str().unwrap();
        wait(&server, "the repair", || {
            let log = server.program.log();
            log.contains("a file was left unfinished") && log.contains(name)
        });
        let completed = Recording::read(&left);
        compare(&units, &completed, some).unwrap();
        let count = |recording: &Recording| (recording.video.len(), recording.audio.len());
        assert_eq!(count(&completed), count(&unfinished), "{format}, kill {kill}");
    }
    assert_eq!(files(&server).len() as u64, kills);
}

#[test]
fn recording_on_demand_begins_and_ends_when_somebody_asks() {
    needs!("ffmpeg", "ffprobe");
    let server = Server::start_with(&ALWAYS.replace("always", "on-demand"));
    let source = sources::plain();
    let mut publisher = server.publish(&source, NAME);
    server.wait_live(NAME);
    let api = format!("/api/v1/recordings/live/{NAME}");
    assert!(server.request("DELETE", "/api/v1/recordings/live/nobody").starts_with("HTTP/1.1 404"));
    assert!(growing(&server).is_empty());
    assert!(server.request("POST", &api).starts_with("HTTP/1.1 202"));
    assert_eq!(body(&server, &format!("/api/v1/streams/live/{NAME}"))["record"], "on-demand");
    wait(&server, "a file that grows", || !growing(&server).is_empty());
    thread::sleep(Duration::from_secs(1));
    let since = body(&server, "/api/v1/recordings")["recordings"][0]["since"].clone();
    assert!(since.is_null() || since.as_str().is_some_and(|since| since.starts_with("20")), "{since}");
    let film = || body(&server, "/api/v1/films?app=recordings")["films"][0].clone();
    assert_eq!(film()["growing"], true, "{}", film());
    assert!(server.request("DELETE", &api).starts_with("HTTP/1.1 202"));
    wait(&server, "the end of the recording", || growing(&server).is_empty());
    assert_eq!(film()["growing"], Value::Null);
    publisher.wait(LIMIT_S);
    let [film] = files(&server).try_into().unwrap();
    let some = Wanted { units_min: 20, from_start: false, to_end: false };
    compare(&Recording::read(&source), &Recording::read(&film), some).unwrap();

    // With the last recording goes the directory that was made for it, and not the app's own.
    let name = format!("live/{NAME}/{}", film.file_name().unwrap().to_str().unwrap());
    let moved = send(
        &server,
        "PATCH",
        &format!("/api/v1/films/recordings/{name}"),
        r#"{"name": "live/of us/a.mp4"}"#,
    );
    assert_eq!(moved.trim(), "204");
    assert!(!server.file("data/recordings/live").join(NAME).exists());
    assert!(
        server.request("DELETE", "/api/v1/films/recordings/live/of%20us/a.mp4").starts_with("HTTP/1.1 204")
    );
    assert!(
        !server.file("data/recordings/live/of us").exists() && server.file("data/recordings/live").exists()
    );
}

#[test]
fn what_a_recording_waits_for_is_told() {
    let server = Server::start_with(&ALWAYS.replace("always", "on-demand"));
    let mut publisher = Publisher::new(&server);
    let progress = || body(&server, &format!("/api/v1/streams/live/{}", rewind::NAME))["recording"].clone();
    let api = format!("/api/v1/recordings/live/{}", rewind::NAME);
    assert_eq!(progress(), Value::Null);
    assert!(server.request("POST", &api).starts_with("HTTP/1.1 202"));
    assert_eq!(progress(), "awaits-keyframe", "there is none yet");
    assert!(server.request("DELETE", &api).starts_with("HTTP/1.1 202"));
    assert_eq!(progress(), Value::Null);
    assert!(server.request("POST", &api).starts_with("HTTP/1.1 202"));
    publisher.play(&server, 5);
    wait(&server, "a file that grows", || progress() == "growing");
    assert!(server.request("DELETE", &api).starts_with("HTTP/1.1 202"));
    wait(&server, "the end of the recording", || progress() == Value::Null);
}

#[test]
fn a_second_server_on_one_data_directory_is_refused() {
    let server = Server::start();
    let mut command = headwater();
    command
        .args(["serve", "--rtmp", "127.0.0.1:0", "--http", "127.0.0.1:0", "--data"])
        .arg(server.file("data"));
    let mut second = server.run("second", command);
    assert!(!second.wait(LIMIT_S).success());
    let said = second.log();
    assert!(
        said.contains("another Headwater runs on the data directory") && said.contains("--data"),
        "{said}"
    );
}

#[test]
fn a_second_server_on_one_directory_of_recordings_is_refused() {
    let server = Server::start_with(ALWAYS);
    let config = server.file("second.toml");
    fs::write(&config, format!("{ALWAYS}[recordings]\ndirectory = {:?}\n", server.file("data/recordings")))
        .unwrap();
    let mut command = headwater();
    command.args(["serve", "--rtmp", "127.0.0.1:0", "--http", "127.0.0.1:0", "--config"]).arg(config);
    command.arg("--data").arg(server.file("data-of-the-second"));
    let mut second = server.run("second", command);
    assert!(!second.wait(LIMIT_S).success());
    let said = second.log();
    assert!(said.contains("another Headwater keeps its recordings in"), "{said}");
}

/// A disk of a few megabytes, which is let go of at the end.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(path: PathBuf, size: &str) -> Option<Self> {
        fs::create_dir_all(&path).unwrap();
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", size, "tmpfs"]).arg(&path).output();
        mounted.is_ok_and(|output| output.status.success()).then_some(Self(path))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn a_full_disk_stops_the_recording_cleanly_and_nothing_else() {
    needs!("ffmpeg", "ffprobe");
    FORMATS.into_iter().for_each(stands_still_on_a_full_disk);
}

fn stands_still_on_a_full_disk(format: &str) {
    let place = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("small-{}", std::process::id()));
    let Some(disk) = SmallDisk::mount(place, "size=3m") else {
        println!("SKIPPED: needs the right to mount a tmpfs");
        return;
    };
    let filler = disk.0.join("filler");
    fs::write(&filler, vec![7; 2 << 20]).unwrap();
    let recordings = format!("[recordings]\ndirectory = {:?}\nfree_min_bytes = 900000\n", disk.0);
    let server = Server::start_with(&format!("{recordings}{}", always(format)));
    let source = sources::plain();
    let mut viewer = play(&server, &server.flv(NAME), "live.flv");
    server.wait_viewers(NAME, 1);
    let mut publisher = server.publish(&source, NAME);
    wait(&server, "the end of the room", || server.program.log().contains("the recording stands still"));
    assert_eq!(body(&server, &format!("/api/v1/streams/live/{NAME}"))["recording"], "awaits-disk");
    thread::sleep(Duration::from_secs(1));
    fs::remove_file(&filler).unwrap();
    wait(&server, "the recording again", || !growing(&server).is_empty());
    publisher.wait(LIMIT_S);
    wait(&server, "the end of the recording", || growing(&server).is_empty());
    viewer.wait(LIMIT_S);
    let source = Recording::read(&source);
    compare(&source, &Recording::read(&server.file("live.flv")), whole(&source)).unwrap();
    let mut films: Vec<_> =
        fs::read_dir(disk.0.join("live").join(NAME)).unwrap().map(|it| it.unwrap().path()).collect();
    films.sort();
    assert!(!films.is_empty());
    for film in films {
        let some = Wanted { units_min: 1, from_start: false, to_end: false };
        compare(&source, &Recording::read(&film), some).unwrap();
    }
}

/// Fetches what is no text; its status comes back.
pub(crate) fn fetch(server: &Server, path: &str, file: &str) -> String {
    let mut command = Command::new("curl");
    command.args(["-s", "-w", "%{http_code}", "-o"]).arg(server.file(file));
    let output = command.arg(format!("http://{}{path}", server.http_address())).output().unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// How many pictures a player shows of a file.
pub(crate) fn shown(path: &std::path::Path) -> usize {
    let mut command = Command::new("ffprobe");
    command.args(["-v", "error", "-select_streams", "v", "-count_frames", "-of", "csv=p=0"]);
    let output = command.args(["-show_entries", "stream=nb_read_frames"]).arg(path).output().unwrap();
    String::from_utf8_lossy(&output.stdout).trim().parse().unwrap()
}

#[test]
fn a_picture_of_a_live_stream_is_made_when_somebody_looks() {
    needs!("ffmpeg", "curl");
    let server = Server::start();
    let address = format!("/live/{NAME}/thumbnail.jpg");
    assert_eq!(fetch(&server, &address, "none"), "404");
    let _publisher = server.publish(&sources::plain(), NAME);
    server.wait_live(NAME);
    let is_possible = cfg!(feature = "thumbnails");
    let expected = if is_possible { "200" } else { "501" };
    wait(&server, "a picture", || fetch(&server, &format!("{address}?width=160"), "picture.jpg") == expected);
    if is_possible {
        let picture = fs::read(server.file("picture.jpg")).unwrap();
        assert_eq!(&picture[..2], [0xFF, 0xD8], "a JPEG");
    }
    assert_eq!(fetch(&server, &format!("{address}?width=9999"), "refused"), "400");
}

#[cfg(feature = "thumbnails")]
#[test]
fn a_picture_of_a_place_in_the_window_is_that_of_its_keyframe() {
    needs!("ffmpeg", "curl");
    let server = Server::start();
    let address = format!("/live/{NAME}/thumbnail.jpg");
    let _publisher = server.publish(&sources::plain(), NAME);
    server.wait_live(NAME);
    let window_ms = || body(&server, &format!("/api/v1/streams/live/{NAME}"))["window"]["to_ms"].as_i64();
    wait(&server, "a window", || window_ms() > Some(4_000));
    let picture = |query: &str| {
        assert_eq!(fetch(&server, &format!("{address}?width=160&{query}"), "picture.jpg"), "200", "{query}");
        fs::read(server.file("picture.jpg")).unwrap()
    };
    let (first, third) = (picture("t=0"), picture("t=3"));
    assert_ne!(first, third, "each place has its own");
    assert_eq!(picture("t=0.1"), first, "until the next key frame it is the same");
    assert_eq!(picture("t=-1000000"), first, "what is out of range is the nearest that is kept");
    assert_ne!(picture("t=1000000"), first);
    for nonsense in ["t=", "t=x", "t=NaN", "t=inf", "t=1e99", "t=3s", "t=3&width=0"] {
        assert_eq!(fetch(&server, &format!("{address}?{nonsense}"), "refused"), "400", "{nonsense}");
    }
}

#[test]
fn nobody_publishes_under_a_name_whose_address_is_ours() {
    needs!("ffmpeg");
    let server = Server::start();
    for name in ["index.m3u8", "cam/thumbnail.jpg"] {
        let mut publisher = server.publish(&sources::plain(), name);
        assert!(!publisher.wait(LIMIT_S).success());
        assert!(server.program.log().contains("a stream cannot be called"), "{}", server.program.log());
    }
}
