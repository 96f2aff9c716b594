//! Each publisher's stream, recorded by ffmpeg over RTMP, holds the file's access units.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::program::{Program, installed};
use super::recording::Recording;
use super::server::Server;
use super::source::Clip;
use super::viewers::ffmpeg_record;

/// The viewer is there first and waits for the stream, so nothing may be missing from the start.
fn must_deliver(clip: Clip, source: &Path, publisher: impl FnOnce(&str) -> Command) {
    let mut server = Server::start();
    let url = server.rtmp("sent");
    let file = server.scratch.file("sent.flv");
    let mut viewer = Program::start(&mut ffmpeg_record(&url, &file), server.scratch.file("viewer.log"));
    std::thread::sleep(Duration::from_millis(500));
    let mut publisher = Program::start(&mut publisher(&url), server.scratch.file("publisher.log"));
    let status = publisher.finish(Duration::from_secs(25));
    assert!(status.success(), "{status}: {}", publisher.describe());
    std::thread::sleep(Duration::from_millis(700));
    server.stop();
    viewer.wait(Duration::from_secs(4));
    viewer.interrupt("INT");
    let received = Recording::read(&file);
    let mut faults = received.faults_against(&Recording::read(&clip.flv()), 190);
    if received.video.len() != 200 {
        faults.push(format!("{} of 200 frames of {} came", received.video.len(), source.display()));
    }
    assert!(faults.is_empty(), "{faults:#?}\n{}\n{}", publisher.describe(), server.program.describe());
}

fn headwater_delivers(ending: &str) {
    if installed("ffmpeg", "ffmpeg") {
        let source = if ending == "flv" { Clip::Reordered.flv() } else { Clip::Reordered.remuxed(ending) };
        must_deliver(Clip::Reordered, &source, |url| {
            let mut command = Command::new(env!("CARGO_BIN_EXE_headwater"));
            command.arg("publish").arg(&source).arg(url);
            command
        });
    }
}

#[test]
fn headwater_publishes_flv() {
    headwater_delivers("flv");
}

#[test]
fn headwater_publishes_mp4() {
    headwater_delivers("mp4");
}

#[test]
fn headwater_publishes_f4v() {
    headwater_delivers("f4v");
}

#[test]
fn gstreamer_publishes() {
    if installed("ffmpeg", "ffmpeg") && installed("gst-launch-1.0", "gstreamer1.0-tools") {
        let source = Clip::Plain.flv();
        must_deliver(Clip::Plain, &source, |url| {
            let mut command = Command::new("gst-launch-1.0");
            command.arg("filesrc").arg(format!("location={}", source.display()));
            let rest = "! flvdemux name=d flvmux name=m streamable=true ! clocksync ! rtmp2sink name=out \
                        d.video ! queue ! h264parse ! m.video d.audio ! queue ! aacparse ! m.audio";
            command.args(rest.replace("name=out", &format!("location={url}")).split_whitespace());
            command
        });
    }
}
