//! Every codec of Enhanced RTMP through the doors, with the new ffmpeg (see [`crate::modern`]) and our own client:
//! access units, times and configurations. And what those get who take less.

use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use crate::harness::{Server, headwater};
use crate::modern::{self, needs_modern_ffmpeg};
use crate::program::Program;
use crate::recording::Wanted;

const NAME: &str = "camera";
const LIMIT_S: u64 = 60;
pub(crate) const WHOLE: Wanted = Wanted { units_min: 0, from_start: true, to_end: true };
/// What a viewer gets at least who joins two of four seconds late, on a busy machine.
const LATE: Wanted = Wanted { units_min: 20, from_start: false, to_end: false };

const H264: &str = "libx264 -preset% ultrafast -g% 25 -sc_threshold% 0";
const HEVC: &str =
    "libx265 -preset% ultrafast -x265-params% log-level=error:keyint=25:min-keyint=25:scenecut=0:open-gop=0";
/// Without temporal delimiters: the server takes them off, as MP4 wants it.
const AV1: &str =
    "libsvtav1 -preset% 11 -svtav1-params% keyint=25:scd=0:pred-struct=1 -bsf% av1_metadata=td=remove";
const VP9: &str = "libvpx-vp9 -deadline% realtime -cpu-used% 8 -g% 25 -keyint_min% 25 -auto-alt-ref% 0";
const VVC: &str = "libvvenc -preset% faster -period% 1";

fn hevc_opus() -> PathBuf {
    modern::source("hevc-opus.flv", &[HEVC], &["libopus"])
}

/// Two tracks of each kind, each of another codec.
fn tracks() -> PathBuf {
    modern::source("tracks.flv", &[H264, HEVC], &["aac", "libopus"])
}

/// Codecs that only Enhanced RTMP carries, and how many streams each source has.
pub(crate) fn sources() -> [(PathBuf, usize); 4] {
    [
        (hevc_opus(), 2),
        (modern::source("av1-flac.flv", &[AV1], &["flac"]), 2),
        (modern::source("vp9-ac3.flv", &[VP9], &["ac3"]), 2),
        (tracks(), 4),
    ]
}

fn our_play(server: &Server, url: &str, file: &str) -> Program {
    let mut command = headwater();
    command.args(["play", url, "-o"]).arg(server.file(file));
    server.run("play", command)
}

/// `player` waits before the publisher comes; everything of the source's streams with these numbers arrives.
#[track_caller]
fn early(source: &Path, numbers: &[usize], file: &str, player: impl Fn(&Server) -> Program) {
    let server = Server::start();
    let mut player = player(&server);
    server.wait_viewers(NAME, 1);
    modern::publish(&server, source, NAME).succeed(LIMIT_S);
    player.wait(LIMIT_S);
    println!("{}", player.log());
    modern::assert_received(source, &server.file(file), numbers, WHOLE);
    modern::assert_decodes(&server.file(file));
}

/// `player` comes two seconds after the publisher.
#[track_caller]
fn late(source: &Path, numbers: &[usize], file: &str, player: impl Fn(&Server) -> Program) {
    let server = Server::start();
    let mut publisher = modern::publish(&server, source, NAME);
    server.wait_live(NAME);
    thread::sleep(Duration::from_secs(2));
    let mut player = player(&server);
    publisher.succeed(LIMIT_S);
    player.wait(LIMIT_S);
    println!("{}", player.log());
    modern::assert_received(source, &server.file(file), numbers, LATE);
}

/// One codec pair: the new ffmpeg early over RTMP and late over HTTP-FLV, our client late over RTMP, each from a
/// server of its own.
#[track_caller]
fn every_door(source: &Path) {
    early(source, &[0, 1], "received.flv", |server| modern::play(server, &server.rtmp(NAME)));
    late(source, &[0, 1], "received.flv", |server| modern::play(server, &server.flv(NAME)));
    late(source, &[0, 1], "ours.flv", |server| our_play(server, &server.rtmp(NAME), "ours.flv"));
}

#[test]
fn hevc_with_b_frames_and_opus() {
    needs_modern_ffmpeg!();
    every_door(&hevc_opus());
}

#[test]
fn av1_and_flac() {
    needs_modern_ffmpeg!();
    every_door(&modern::source("av1-flac.flv", &[AV1], &["flac"]));
}

#[test]
fn vp9_and_ac3() {
    needs_modern_ffmpeg!();
    every_door(&modern::source("vp9-ac3.flv", &[VP9], &["ac3"]));
}

#[test]
fn vvc_and_eac3() {
    needs_modern_ffmpeg!();
    every_door(&modern::source("vvc-eac3.flv", &[VVC], &["eac3"]));
}

#[test]
fn h264_and_mp3() {
    needs_modern_ffmpeg!();
    every_door(&modern::source("h264-mp3.flv", &[H264], &["libmp3lame"]));
}

#[test]
fn one_track_of_each_kind_unless_asked_for_more() {
    needs_modern_ffmpeg!();
    let source = tracks();
    early(&source, &[0, 2], "received.flv", |server| modern::play(server, &server.rtmp(NAME)));
    late(&source, &[0, 2], "received.flv", |server| modern::play(server, &server.flv(NAME)));
}

#[test]
fn a_track_by_its_number() {
    needs_modern_ffmpeg!();
    let chosen = |url: String| format!("{url}?video=1&audio=1");
    early(&tracks(), &[1, 3], "received.flv", |server| modern::play(server, &chosen(server.rtmp(NAME))));
    early(&tracks(), &[1, 3], "received.flv", |server| modern::play(server, &chosen(server.flv(NAME))));
}

#[test]
fn all_tracks() {
    needs_modern_ffmpeg!();
    let all = |url: String| format!("{url}?tracks=all");
    early(&tracks(), &[0, 1, 2, 3], "received.flv", |server| modern::play(server, &all(server.rtmp(NAME))));
    early(&tracks(), &[0, 1, 2, 3], "ours.flv", |server| our_play(server, &server.rtmp(NAME), "ours.flv"));
}

#[test]
fn hevc_under_its_old_number() {
    needs_modern_ffmpeg!();
    let source = modern::source("hevc-aac.flv", &[HEVC], &["aac"]);
    let old = |url: String| format!("{url}?fourcc=off");
    early(&source, &[0, 1], "received.flv", |server| modern::play(server, &old(server.flv(NAME))));
}

/// Our publisher and our client, and a file that every player takes.
#[test]
fn from_mp4_to_mp4() {
    needs_modern_ffmpeg!();
    for (name, video, audio) in [("hevc-opus.mp4", HEVC, "libopus"), ("av1-flac.mp4", AV1, "flac")] {
        let source = modern::source(name, &[video], &[audio]);
        let server = Server::start();
        let mut player = our_play(&server, &server.rtmp(NAME), "ours.flv");
        let mut recorder = our_play(&server, &server.rtmp(NAME), "ours.mp4");
        server.wait_viewers(NAME, 2);
        let mut command = headwater();
        command.arg("publish").arg(&source).arg(server.rtmp(NAME));
        server.run("publish", command).succeed(LIMIT_S);
        player.wait(LIMIT_S);
        recorder.wait(LIMIT_S);
        let as_flv = server.file("source.flv");
        let arguments = format!("-i {} -map 0 -c copy -strict -2 -f flv", source.display());
        modern::run(&server, "remux", &arguments, &as_flv).succeed(LIMIT_S);
        modern::assert_received(&as_flv, &server.file("ours.flv"), &[0, 1], WHOLE);
        let back = server.file("back.flv");
        let arguments = format!("-i {} -map 0 -c copy -strict -2 -f flv", server.file("ours.mp4").display());
        modern::run(&server, "remux", &arguments, &back).succeed(LIMIT_S);
        modern::assert_received(&as_flv, &back, &[0, 1], WHOLE);
    }
}
