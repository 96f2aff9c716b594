//! ffmpeg publishes; these receive: ffmpeg, rtmpdump, GStreamer, mpv, VLC and `headwater play`.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Duration;

use crate::harness::{Server, headwater};
use crate::program::{Program, needs};
use crate::recording::{Wanted, assert_received, whole};
use crate::sources;

/// What a viewer gets who joins two of seven seconds late: nearly five.
const LATE: Wanted = Wanted { units_min: 110, from_start: false, to_end: false };
const NAME: &str = "camera";
const LIMIT_S: u64 = 30;

/// The player waits before the publisher comes, and gets everything.
fn early(file: &str, play: impl Fn(&Server) -> Program) {
    let server = Server::start();
    let mut player = play(&server);
    server.wait_viewers(NAME, 1);
    let source = sources::plain();
    server.publish(&source, NAME).succeed(LIMIT_S);
    player.wait(LIMIT_S);
    println!("{}", player.log());
    assert_received(&source, &server.file(file), whole);
}

/// The player comes two seconds after the publisher.
fn late(file: &str, play: impl Fn(&Server) -> Program) {
    let server = Server::start();
    let source = sources::plain();
    let mut publisher = server.publish(&source, NAME);
    server.wait_live(NAME);
    thread::sleep(Duration::from_secs(2));
    let mut player = play(&server);
    publisher.succeed(LIMIT_S);
    player.wait(LIMIT_S);
    println!("{}", player.log());
    assert_received(&source, &server.file(file), |_| LATE);
}

fn ffmpeg(server: &Server, url: &str) -> Program {
    server.ffmpeg("play", &format!("-i {url} -c copy -f flv"), server.file("received.flv"))
}

fn headwater_play(server: &Server, url: &str, file: &str) -> Program {
    let mut command = headwater();
    command.args(["play", url, "-o"]).arg(server.file(file));
    server.run("play", command)
}

#[test]
fn ffmpeg_over_rtmp_early() {
    needs!("ffmpeg", "ffprobe");
    early("received.flv", |server| ffmpeg(server, &server.rtmp(NAME)));
}

#[test]
fn ffmpeg_over_rtmp_late() {
    needs!("ffmpeg", "ffprobe");
    late("received.flv", |server| ffmpeg(server, &server.rtmp(NAME)));
}

#[test]
fn ffmpeg_over_http_flv_early() {
    needs!("ffmpeg", "ffprobe");
    early("received.flv", |server| ffmpeg(server, &server.flv(NAME)));
}

#[test]
fn ffmpeg_over_http_flv_late() {
    needs!("ffmpeg", "ffprobe");
    late("received.flv", |server| ffmpeg(server, &server.flv(NAME)));
}

fn rtmpdump(server: &Server) -> Program {
    let mut command = Command::new("rtmpdump");
    command.args(["-v", "-r", &server.rtmp(NAME), "-o"]).arg(server.file("received.flv"));
    server.run("play", command)
}

#[test]
fn rtmpdump_early() {
    needs!("ffmpeg", "ffprobe", "rtmpdump");
    early("received.flv", rtmpdump);
}

#[test]
fn rtmpdump_late() {
    needs!("ffmpeg", "ffprobe", "rtmpdump");
    late("received.flv", rtmpdump);
}

fn gstreamer(server: &Server) -> Program {
    let mut command = Command::new("gst-launch-1.0");
    command.args(["-q", "rtmp2src", &format!("location={}", server.rtmp(NAME)), "!", "filesink"]);
    command.arg(format!("location={}", server.file("received.flv").display()));
    server.run("play", command)
}

#[test]
fn gstreamer_early() {
    needs!("ffmpeg", "ffprobe", "gst-launch-1.0");
    early("received.flv", gstreamer);
}

#[test]
fn gstreamer_late() {
    needs!("ffmpeg", "ffprobe", "gst-launch-1.0");
    late("received.flv", gstreamer);
}

#[test]
fn headwater_play_to_flv_early() {
    needs!("ffmpeg", "ffprobe");
    early("received.flv", |server| headwater_play(server, &server.rtmp(NAME), "received.flv"));
}

#[test]
fn headwater_play_to_flv_late() {
    needs!("ffmpeg", "ffprobe");
    late("received.flv", |server| headwater_play(server, &server.flv(NAME), "received.flv"));
}

#[test]
fn headwater_play_to_mp4_early() {
    needs!("ffmpeg", "ffprobe");
    early("received.mp4", |server| headwater_play(server, &server.flv(NAME), "received.mp4"));
}

#[test]
fn headwater_play_to_mp4_late() {
    needs!("ffmpeg", "ffprobe");
    late("received.mp4", |server| headwater_play(server, &server.rtmp(NAME), "received.mp4"));
}

/// mpv writes what it reads from the server, byte by byte.
fn mpv(server: &Server, url: &str) -> Program {
    let mut command = Command::new("mpv");
    command.args(["--no-config", "--vo=null", "--ao=null", "--ytdl=no", url]);
    command.arg(format!("--stream-dump={}", server.file("received.flv").display()));
    server.run("play", command)
}

#[test]
fn mpv_over_rtmp_early() {
    needs!("ffmpeg", "ffprobe", "mpv");
    early("received.flv", |server| mpv(server, &server.rtmp(NAME)));
}

#[test]
fn mpv_over_http_flv_late() {
    needs!("ffmpeg", "ffprobe", "mpv");
    late("received.flv", |server| mpv(server, &server.flv(NAME)));
}

/// VLC repeats the parameter sets before each keyframe, so its payloads are others while its pictures are the
/// same: both sides are compared without anything but slices.
fn vlc_late(url: impl Fn(&Server) -> String) {
    needs!("ffmpeg", "ffprobe", "cvlc");
    let server = Server::start();
    let source = sources::plain();
    let mut publisher = server.publish(&source, NAME);
    server.wait_live(NAME);
    thread::sleep(Duration::from_secs(2));
    let open = OpenDirectory::new();
    let received = open.0.join("received.flv");
    let mut player = server.run("play", vlc(&url(&server), &received));
    publisher.succeed(LIMIT_S);
    // VLC goes on trying after the end; a second after it everything is written.
    thread::sleep(Duration::from_secs(4));
    player.signal("INT");
    player.wait(LIMIT_S);
    let slices = |file: &Path, name: &str| {
        let slices = server.file(name);
        let filter = "-c copy -bsf:v h264_mp4toannexb,filter_units=pass_types=1-5 -f nut";
        let input = format!("-i {} -copyts {filter}", file.display());
        server.ffmpeg("slices", &input, &slices).succeed(LIMIT_S);
        slices
    };
    println!("{}", player.log());
    assert_received(&slices(&source, "source.nut"), &slices(&received, "received.nut"), |_| VLC);
}

/// What VLC gets: it opens the stream in its own time.
const VLC: Wanted = Wanted { units_min: 75, from_start: false, to_end: false };

/// VLC will not run as root, and nobody may write only where everybody may.
pub(crate) fn vlc(url: &str, file: &Path) -> Command {
    vlc_into("ffmpeg{mux=flv}", url, file)
}

/// The same into another container.
pub(crate) fn vlc_into(container: &str, url: &str, file: &Path) -> Command {
    let root = Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout == b"0\n");
    let mut command = Command::new(if root { "setpriv" } else { "cvlc" });
    if root {
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups", "cvlc"]);
    }
    let out = format!("#std{{access=file,mux={container},dst={}}}", file.display());
    command.env("HOME", file.parent().unwrap()).args(["-I", "dummy", url, "--sout", &out, "--sout-keep"]);
    command
}

/// A directory that everybody may write into; removed when dropped.
pub(crate) struct OpenDirectory(pub(crate) PathBuf);

impl OpenDirectory {
    pub(crate) fn new() -> Self {
        let number = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_nanos();
        let directory = std::env::temp_dir().join(format!("headwater-vlc-{}-{number}", std::process::id()));
        fs::create_dir(&directory).unwrap();
        fs::set_permissions(&directory, fs::Permissions::from_mode(0o777)).unwrap();
        Self(directory)
    }
}

impl Drop for OpenDirectory {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).ok();
    }
}

#[test]
fn vlc_over_rtmp_late() {
    vlc_late(|server| server.rtmp(NAME));
}

#[test]
fn vlc_over_http_flv_late() {
    vlc_late(|server| server.flv(NAME));
}
