//! GStreamer and `headwater publish` publish, and what they publish has every shape: B-frames, one track only.
//! ffmpeg or `headwater play` receives.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::harness::{Server, headwater};
use crate::program::{Program, needs};
use crate::recording::{assert_received, whole};
use crate::sources;

pub(crate) const NAME: &str = "stage";
const LIMIT_S: u64 = 30;

/// Two viewers wait, by both doors; `publish` comes; both have everything.
pub(crate) fn carries(source: &Path, publish: impl FnOnce(&Server) -> Program) {
    let server = Server::start();
    let mut viewers = [
        server.ffmpeg("rtmp", &format!("-i {} -c copy -f flv", server.rtmp(NAME)), server.file("rtmp.flv")),
        play(&server, &server.flv(NAME), "http.flv"),
    ];
    server.wait_viewers(NAME, 2);
    publish(&server).succeed(LIMIT_S);
    for viewer in &mut viewers {
        viewer.wait(LIMIT_S);
    }
    assert_received(source, &server.file("http.flv"), whole);
    assert_received(source, &server.file("rtmp.flv"), whole);
}

fn play(server: &Server, url: &str, file: &str) -> Program {
    let mut command = headwater();
    command.args(["play", url, "-o"]).arg(server.file(file));
    server.run(file, command)
}

fn headwater_publish(server: &Server, source: &Path) -> Program {
    let mut command = headwater();
    command.arg("publish").arg(source).arg(server.rtmp(NAME));
    server.run("publish", command)
}

#[test]
fn headwater_publishes_flv() {
    needs!("ffmpeg", "ffprobe");
    let source = sources::testdata("keyframes.flv");
    carries(&source, |server| headwater_publish(server, &source));
}

#[test]
fn headwater_publishes_mp4_with_bframes() {
    needs!("ffmpeg", "ffprobe");
    let source = sources::testdata("bframes.mp4");
    carries(&source, |server| headwater_publish(server, &source));
}

#[test]
fn headwater_publishes_f4v() {
    needs!("ffmpeg", "ffprobe");
    let source = sources::testdata("film.f4v");
    carries(&source, |server| headwater_publish(server, &source));
}

#[test]
fn gstreamer_publishes() {
    needs!("ffmpeg", "ffprobe", "gst-launch-1.0");
    let source = sources::plain();
    carries(&source, |server| {
        let text = format!(
            "filesrc location={} ! flvdemux name=d flvmux name=m streamable=true ! rtmp2sink sync=true location={} \
             d.video ! queue ! h264parse ! video/x-h264,stream-format=avc ! m. \
             d.audio ! queue ! aacparse ! m.",
            source.display(),
            server.rtmp(NAME)
        );
        let mut command = Command::new("gst-launch-1.0");
        command.arg("-q").args(text.split_whitespace());
        server.run("publish", command)
    });
}

fn ffmpeg_publishes(source: PathBuf) {
    carries(&source.clone(), |server| server.publish(&source, NAME));
}

#[test]
fn bframes_keep_their_composition_times() {
    needs!("ffmpeg", "ffprobe");
    ffmpeg_publishes(sources::bframes());
}

#[test]
fn audio_only() {
    needs!("ffmpeg", "ffprobe");
    ffmpeg_publishes(sources::audio_only());
}

#[test]
fn video_only() {
    needs!("ffmpeg", "ffprobe");
    ffmpeg_publishes(sources::video_only());
}
