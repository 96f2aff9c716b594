//! Films as files: any part byte by byte, parts that are written anew, and players that seek.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::harness::Server;
use crate::program::{Program, needs};
use crate::recording::{Wanted, assert_received, whole};
use crate::sources;
use crate::transports::Certificates;

const LIMIT_S: u64 = 40;
/// A part goes on to the film's end.
const REST: Wanted = Wanted { units_min: 0, from_start: false, to_end: true };

/// A directory of films, gone with the test.
struct Films(PathBuf);

impl Films {
    fn new(label: &str) -> Self {
        let dir =
            Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("films-{label}-{}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        let films = Self(dir);
        fs::copy(sources::bframes(), films.path("old.flv")).unwrap();
        let mut command = Command::new("ffmpeg");
        command.args(["-nostdin", "-v", "error", "-y", "-i"]).arg(sources::bframes());
        assert!(command.args(["-c", "copy"]).arg(films.path("new.mp4")).status().unwrap().success());
        films
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn setting(&self) -> String {
        format!("media = \"{}\"\n", self.0.display())
    }
}

impl Drop for Films {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn curl(server: &Server, arguments: &[&str]) -> Program {
    let mut command = Command::new("curl");
    command.args(["-sS", "--max-time", "25"]).args(arguments);
    server.run("curl", command)
}

/// Gets what `path` leads to; the file that it was written to.
fn get(server: &Server, path: &str, name: &str) -> PathBuf {
    let file = server.file(name);
    let url = format!("http://{}/vod/{path}", server.http_address());
    curl(server, &["-f", "-o", file.to_str().unwrap(), &url]).succeed(LIMIT_S);
    file
}

/// Bytes of films that were sent, as the metrics have them.
fn sent(server: &Server, by: &str) -> u64 {
    let metrics = server.request("GET", "/metrics");
    let line = metrics
        .lines()
        .find_map(|line| line.strip_prefix(&format!("headwater_file_bytes_total{{by=\"{by}\"}} ")));
    line.map_or(0, |count| count.parse().unwrap())
}

#[test]
fn curl_gets_every_part_with_and_without_tls() {
    needs!("ffmpeg", "curl");
    let films = Films::new("curl");
    let certificates = Certificates::make("films");
    let server = certificates.server(&films.setting());
    let bytes = fs::read(films.path("new.mp4")).unwrap();
    let (root, part) = (certificates.root(), server.file("part"));
    let (root, out) = (root.to_str().unwrap(), part.to_str().unwrap());
    let plain = format!("http://{}/vod/new.mp4", server.http_address());
    let secure = format!("https://localhost:{}/vod/new.mp4", server.tls_ports().1);
    for (url, by) in [(plain, "kernel"), (secure, "copy")] {
        for number in 0..8 {
            let start = number * bytes.len() / 9;
            let end = (start + 1 + number * number * 9001).min(bytes.len());
            let range = format!("{start}-{}", end - 1);
            curl(&server, &["--cacert", root, "-f", "-r", &range, "-o", out, &url]).succeed(LIMIT_S);
            assert!(fs::read(&part).unwrap() == bytes[start..end], "{url}: {range} differs");
        }
        let half = bytes.len() / 2;
        fs::write(&part, &bytes[..half]).unwrap();
        curl(&server, &["--cacert", root, "-f", "-C", "-", "-o", out, &url]).succeed(LIMIT_S);
        assert!(fs::read(&part).unwrap() == bytes, "{url}: what was resumed differs");
        if cfg!(target_os = "linux") {
            assert!(sent(&server, by) >= half as u64, "{url}: not sent by {by}");
        }
    }
}

#[test]
fn ffprobe_finds_the_films_frames_in_what_is_made_of_them() {
    needs!("ffmpeg", "ffprobe", "curl");
    let films = Films::new("made");
    let server = Server::start_with(&films.setting());
    for (source, other) in [("old.flv", "old.mp4"), ("new.mp4", "new.flv")] {
        let made = get(&server, other, other);
        assert_received(&films.path(source), &made, whole);
        for start in ["0.7", "3", "5.96"] {
            for container in ["mp4", "flv"] {
                let name = format!("{}.{container}", source.split_once('.').unwrap().0);
                let made = get(&server, &format!("{name}?start={start}"), &format!("part.{container}"));
                assert_received(&films.path(source), &made, |_| REST);
            }
        }
    }
}

#[test]
fn an_old_player_seeks_by_bytes() {
    needs!("ffmpeg", "ffprobe", "curl");
    let films = Films::new("bytes");
    let mut command = Command::new("ffmpeg");
    command.args(["-nostdin", "-v", "error", "-y", "-i"]).arg(films.path("old.flv"));
    let indexed = films.path("indexed.flv");
    assert!(
        command
            .args(["-c", "copy", "-flvflags", "add_keyframe_index"])
            .arg(&indexed)
            .status()
            .unwrap()
            .success()
    );
    let server = Server::start_with(&films.setting());
    let bytes = fs::read(&indexed).unwrap();
    // The tag of the fifth keyframe: tag type 9, and behind its head a keyframe of AVC.
    let is_keyframe = |at: &usize| matches!(bytes[*at..], [9, _, _, _, _, _, _, _, 0, 0, 0, 0x17, 1, ..]);
    let position = (13..bytes.len() - 13).filter(is_keyframe).nth(4).unwrap();
    for query in [format!("start={position}"), format!("pos={position}")] {
        let part = get(&server, &format!("indexed.flv?{query}"), "part.flv");
        assert_received(&indexed, &part, |_| REST);
        let part = fs::read(part).unwrap();
        assert!(part.starts_with(b"FLV\x01\x05") && part.len() < bytes.len() - position + 400, "{query}");
        assert!(
            part.ends_with(&bytes[position..bytes.len() - 64]) || part.len() > bytes.len() - position,
            "{query}"
        );
    }
}

/// The first and last place that mpv says it is at, in seconds, playing half a second from `start` on.
fn mpv(server: &Server, path: &str, start: &str) -> (f64, f64) {
    let mut command = Command::new("mpv");
    command.args([
        "--no-config",
        "--vo=null",
        "--ao=null",
        "--ytdl=no",
        "--term-status-msg=AT ${=time-pos} ",
    ]);
    command.args([format!("--start={start}"), "--length=0.5".to_owned()]);
    command.arg(format!("http://{}/vod/{path}", server.http_address()));
    let mut player = server.run("mpv", command);
    player.succeed(LIMIT_S);
    let log = player.log();
    let places: Vec<f64> =
        log.split("AT ").skip(1).filter_map(|rest| rest.split(' ').next()?.parse().ok()).collect();
    (places[0], *places.last().unwrap())
}

#[test]
fn mpv_seeks_in_files_and_in_what_is_made() {
    needs!("ffmpeg", "mpv");
    let films = Films::new("mpv");
    let server = Server::start_with(&films.setting());
    for (path, start) in [("new.mp4", 4.0), ("old.flv", 4.0), ("new.mp4?start=2", 3.0), ("new.flv", 5.0)] {
        let (first, last) = mpv(&server, path, &start.to_string());
        assert!(
            (first - start).abs() < 0.15 && last - start > 0.2 && last - start < 0.7,
            "{path}: {first} to {last}"
        );
    }
}
