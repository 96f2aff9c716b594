//! ffmpeg publishes; each viewer's recording holds the same access units, over RTMP and over HTTP-FLV.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::program::{Program, installed};
use super::recording::Recording;
use super::server::Server;
use super::source::Clip;

/// ffmpeg, sending a clip at its natural pace.
pub(crate) fn ffmpeg_publish(server: &Server, clip: Clip, name: &str) -> Program {
    let mut command = Command::new("ffmpeg");
    command.args(["-v", "warning", "-re", "-i"]).arg(clip.flv());
    command.args(["-c", "copy", "-f", "flv", &server.rtmp(name)]);
    Program::start(&mut command, server.scratch.file(&format!("publish-{name}.log")))
}

/// ffmpeg, recording without touching payloads or timestamps.
pub(crate) fn ffmpeg_record(url: &str, file: &Path) -> Command {
    let mut command = Command::new("ffmpeg");
    command.args(["-v", "warning", "-y", "-copyts", "-i", url, "-c", "copy", "-f", "flv"]).arg(file);
    command
}

/// Publishes `clip` with ffmpeg, lets `viewer` record from a second later to the end, and compares.
fn must_receive(
    clip: Clip,
    over_rtmp: bool,
    read: fn(&Path) -> Recording,
    viewer: impl FnOnce(&str, &Path) -> Command,
) {
    let mut server = Server::start();
    let url = if over_rtmp { server.rtmp("seen") } else { server.flv("seen") };
    let file = server.scratch.file("seen.flv");
    let mut publisher = ffmpeg_publish(&server, clip, "seen");
    std::thread::sleep(Duration::from_millis(1200));
    let mut viewer = Program::start(&mut viewer(&url, &file), server.scratch.file("viewer.log"));
    assert!(publisher.finish(Duration::from_secs(20)).success(), "{}", publisher.describe());
    std::thread::sleep(Duration::from_millis(700));
    server.stop();
    viewer.wait(Duration::from_secs(4));
    viewer.interrupt("INT");
    let faults = read(&file).faults_against(&read(&clip.flv()), 75);
    assert!(faults.is_empty(), "{faults:#?}\n{}\nserver: {}", viewer.describe(), server.program.describe());
}

fn headwater_record(url: &str, file: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_headwater"));
    command.args(["play", url, "-o"]).arg(file);
    command
}

/// VLC will not run as root.
fn vlc_record(url: &str, file: &Path) -> Command {
    let root = Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout == b"0\n");
    let mut command = Command::new(if root { "setpriv" } else { "cvlc" });
    if root {
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups", "cvlc"]);
    }
    let out = format!("#std{{access=file,mux=ffmpeg{{mux=flv}},dst={}}}", file.display());
    command.env("HOME", file.parent().unwrap()).args(["-I", "dummy", url, "--sout", &out, "--sout-keep"]);
    command
}

fn mpv_record(url: &str, file: &Path) -> Command {
    let mut command = Command::new("mpv");
    command.args(["--no-config", "--vo=null", "--ao=null", "--no-terminal"]);
    command.arg(format!("--stream-record={}", file.display())).arg(url);
    command
}

macro_rules! viewer {
    ($test:ident, $program:literal, $package:literal, $clip:ident, rtmp: $rtmp:literal, $record:expr) => {
        #[test]
        fn $test() {
            if installed("ffmpeg", "ffmpeg") && installed($program, $package) {
                must_receive(Clip::$clip, $rtmp, Recording::read, $record);
            }
        }
    };
}

viewer!(ffmpeg_over_rtmp, "ffmpeg", "ffmpeg", Plain, rtmp: true, ffmpeg_record);
viewer!(ffmpeg_over_http, "ffmpeg", "ffmpeg", Plain, rtmp: false, ffmpeg_record);
viewer!(b_frames_over_rtmp, "ffmpeg", "ffmpeg", Reordered, rtmp: true, ffmpeg_record);
viewer!(b_frames_over_http, "ffmpeg", "ffmpeg", Reordered, rtmp: false, ffmpeg_record);
viewer!(audio_only_over_rtmp, "ffmpeg", "ffmpeg", AudioOnly, rtmp: true, ffmpeg_record);
viewer!(audio_only_over_http, "ffmpeg", "ffmpeg", AudioOnly, rtmp: false, ffmpeg_record);
viewer!(video_only_over_rtmp, "ffmpeg", "ffmpeg", VideoOnly, rtmp: true, ffmpeg_record);
viewer!(video_only_over_http, "ffmpeg", "ffmpeg", VideoOnly, rtmp: false, ffmpeg_record);
viewer!(headwater_over_rtmp, "ffmpeg", "ffmpeg", Reordered, rtmp: true, headwater_record);
viewer!(headwater_over_http, "ffmpeg", "ffmpeg", Reordered, rtmp: false, headwater_record);
viewer!(mpv_over_rtmp, "mpv", "mpv", Plain, rtmp: true, mpv_record);
viewer!(mpv_over_http, "mpv", "mpv", Plain, rtmp: false, mpv_record);
viewer!(rtmpdump, "rtmpdump", "rtmpdump", Reordered, rtmp: true, |url: &str, file: &Path| {
    let mut command = Command::new("rtmpdump");
    command.args(["--live", "-r", url, "-o"]).arg(file);
    command
});
viewer!(gstreamer, "gst-launch-1.0", "gstreamer1.0-tools", Reordered, rtmp: true, |url: &str, file: &Path| {
    let mut command = Command::new("gst-launch-1.0");
    command.args(["-e", "rtmp2src", &format!("location={url}"), "!", "filesink"]);
    command.arg(format!("location={}", file.display()));
    command
});

fn vlc_receives(over_rtmp: bool) {
    if installed("ffmpeg", "ffmpeg") && installed("cvlc", "vlc-bin") {
        must_receive(Clip::Plain, over_rtmp, Recording::read_slices, vlc_record);
    }
}

#[test]
fn vlc_over_rtmp() {
    vlc_receives(true);
}

#[test]
fn vlc_over_http() {
    vlc_receives(false);
}
