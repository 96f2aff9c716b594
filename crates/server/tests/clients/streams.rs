//! What happens around a stream: publishers that come again or meet, and the end of the server.

use std::time::Duration;

use super::program::{Program, installed};
use super::recording::Recording;
use super::server::Server;
use super::source::Clip;
use super::viewers::{ffmpeg_publish, ffmpeg_record};

#[test]
fn a_viewer_stays_through_a_reconnect_with_another_configuration() {
    if !installed("ffmpeg", "ffmpeg") {
        return;
    }
    let mut server = Server::start();
    let file = server.scratch.file("both.flv");
    let mut viewer =
        Program::start(&mut ffmpeg_record(&server.rtmp("again"), &file), server.scratch.file("viewer.log"));
    for clip in [Clip::Plain, Clip::Other] {
        let mut publisher = ffmpeg_publish(&server, clip, "again");
        assert!(publisher.finish(Duration::from_secs(20)).success(), "{}", publisher.describe());
    }
    std::thread::sleep(Duration::from_millis(700));
    server.stop();
    viewer.wait(Duration::from_secs(4));
    viewer.interrupt("INT");
    let received = Recording::read(&file);
    assert!(received.video.len() >= 390, "{} frames: {}", received.video.len(), viewer.describe());
    for track in [&received.video, &received.audio] {
        let back = track.windows(2).find(|pair| pair[1].dts_ms < pair[0].dts_ms);
        assert!(back.is_none(), "time goes back: {back:?}");
    }
}

#[test]
fn a_second_publisher_is_told_why_it_is_refused() {
    if !installed("ffmpeg", "ffmpeg") {
        return;
    }
    let server = Server::start();
    let mut first = ffmpeg_publish(&server, Clip::Plain, "taken");
    std::thread::sleep(Duration::from_millis(1500));
    let mut command = std::process::Command::new("ffmpeg");
    command.args(["-v", "info", "-re", "-i"]).arg(Clip::Other.flv());
    command.args(["-c", "copy", "-f", "flv", &server.rtmp("taken")]);
    let mut second = Program::start(&mut command, server.scratch.file("second.log"));
    assert!(!second.finish(Duration::from_secs(6)).success(), "{}", second.describe());
    let text = second.text().to_lowercase();
    assert!(text.contains("already") || text.contains("publish"), "no reason shown: {text}");
    assert!(text.contains("server error"), "ffmpeg showed no words of the server: {text}");
    assert!(first.finish(Duration::from_secs(20)).success(), "{}", first.describe());
}

#[test]
fn a_stopping_server_ends_its_viewers_and_leaves_with_success() {
    if !installed("ffmpeg", "ffmpeg") {
        return;
    }
    let mut server = Server::start();
    let mut publisher = ffmpeg_publish(&server, Clip::Plain, "last");
    std::thread::sleep(Duration::from_millis(1200));
    let files = [server.scratch.file("rtmp.flv"), server.scratch.file("http.flv")];
    let urls = [server.rtmp("last"), server.flv("last")];
    let mut viewers: Vec<_> = urls
        .iter()
        .zip(&files)
        .map(|(url, file)| Program::start(&mut ffmpeg_record(url, file), file.with_extension("log")))
        .collect();
    std::thread::sleep(Duration::from_millis(3500));
    let status = server.program.interrupt("TERM").expect("the server ends within 5 s");
    assert!(status.success(), "{status}: {}", server.program.describe());
    for (viewer, file) in viewers.iter_mut().zip(&files) {
        assert!(viewer.finish(Duration::from_secs(5)).success(), "{}", viewer.describe());
        let faults = Recording::read(file).faults_against(&Recording::read(&Clip::Plain.flv()), 40);
        assert!(faults.is_empty(), "{faults:#?}");
    }
    publisher.finish(Duration::from_secs(5));
}
