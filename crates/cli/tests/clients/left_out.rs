//! One message that cannot be used ends nothing: `headwater play`, `probe` and `publish` leave it out, count it and
//! say why. What a server sends is written down here, message by message.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use serde_json::Value;

use crate::flv_tags::{self, Tag};
use crate::harness::{Server, headwater};
use crate::program::needs;
use crate::publishers;
use crate::recording::{Recording, assert_received, whole};
use crate::scripted::{self, Door};
use crate::sources;

const DOORS: [Door; 2] = [Door::Rtmp, Door::HttpFlv];

/// A message that cannot be used, and what is said of it.
struct Bad {
    kind: u8,
    body: &'static [u8],
    reason: &'static str,
}

/// By either door.
const BAD: &[Bad] = &[
    Bad { kind: 9, body: b"\x17\0\0\0\0\x01\x42", reason: "it has 2 bytes, at least 6 are needed" },
    Bad { kind: 8, body: b"\xAF\0\x12", reason: "AudioSpecificConfig: ends after 1 bytes" },
    Bad { kind: 8, body: b"\xCF\x01\x02\x03", reason: "FLV audio format 12 is not supported" },
    Bad { kind: 9, body: b"\x19\0\0\0", reason: "FLV video codec 9 (MPEG-4 part 2) is not supported" },
    Bad { kind: 9, body: b"\x91zzzz\0\0\0", reason: "Enhanced RTMP video zzzz is not supported" },
    Bad { kind: 8, body: b"\x91spex\0\0\0", reason: "Enhanced RTMP audio spex is not supported" },
    Bad { kind: 9, body: b"\x9Cavc1\0\0\0", reason: "packet type 12 is unknown" },
    Bad { kind: 9, body: b"\x90", reason: "it ends before what it announces" },
    Bad { kind: 9, body: b"\x27\x01\0\0\0\0\0\0\x09ab", reason: "NAL units run past their end" },
    Bad { kind: 9, body: b"\xA3hvc1\0\0\0\x04\x26\x01\xAF\x0D", reason: "no configuration came before them" },
    Bad { kind: 18, body: b"\x02\0\x0AonCuePoint\x02\0\x09ab", reason: "script data: AMF value cut off" },
    Bad { kind: 18, body: b"\x02\0\x01x\x77", reason: "script data: unknown AMF marker 0x77" },
];

/// By RTMP alone.
const BAD_RTMP: &[Bad] = &[
    Bad { kind: 20, body: b"\x02\0\x08onSt", reason: "its command cannot be read" },
    Bad { kind: 20, body: b"\x05", reason: "its command has no name" },
    Bad {
        kind: 22,
        body: b"\x09\0\0\x40\0\0\0\0\0\0\0ab",
        reason: "a tag of its aggregate message is cut short",
    },
];

/// The tags of a source with `bad` in their middle, twice.
fn damaged(source: &Path, bad: &Bad) -> Vec<Tag> {
    let (_, mut tags) = flv_tags::read(source);
    for part in [2, 3] {
        let at = tags.len() / part;
        let time = tags[at].1;
        tags.insert(at, (bad.kind, time, bad.body.to_vec()));
    }
    tags
}

fn run(arguments: &[&str], last: &Path) -> Output {
    headwater().args(arguments).arg(last).output().unwrap()
}

fn json(output: &Output) -> Value {
    let said = String::from_utf8_lossy(&output.stderr);
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?} {said}"))
}

#[track_caller]
fn assert_left_out(report: &Value, count: u64, reason: &str) {
    let left_out = &report["left_out"];
    assert_eq!(left_out["messages"], count, "{reason}: {report}");
    let first = &left_out["reasons"][0];
    assert!(first["reason"].as_str().is_some_and(|text| text.contains(reason)), "{reason}: {report}");
    assert_eq!(first["messages"], count, "{reason}: {report}");
}

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("left-out-{}-{name}", std::process::id()))
}

#[test]
fn play_records_the_rest() {
    needs!("ffmpeg", "ffprobe");
    let source = sources::plain();
    for door in DOORS {
        let more = if door == Door::Rtmp { BAD_RTMP } else { &[] };
        for (number, bad) in BAD.iter().chain(more).enumerate() {
            let url = scripted::serve(door, damaged(&source, bad));
            let received = file(&format!("{door:?}-{number}.flv"));
            let output = run(&["play", &url, "--json", "-o"], &received);
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{door:?} {}: {said}", bad.reason);
            assert!(said.contains(bad.reason), "{door:?} {}: {said}", bad.reason);
            assert_left_out(&json(&output), 2, bad.reason);
            assert_received(&source, &received, whole);
            fs::remove_file(received).unwrap();
        }
    }
}

#[test]
fn play_into_mp4_records_the_rest_and_says_it_in_words() {
    needs!("ffmpeg", "ffprobe");
    let source = sources::plain();
    let url = scripted::serve(Door::Rtmp, damaged(&source, &BAD[0]));
    let received = file("words.mp4");
    let output = run(&["play", &url, "-o"], &received);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("left out 2 messages:\n    2 x AVCDecoder"), "{said}");
    assert_received(&source, &received, whole);
    fs::remove_file(received).unwrap();
}

#[test]
fn what_nobody_knows_is_no_message_of_the_stream() {
    needs!("ffmpeg", "ffprobe");
    let source = sources::plain();
    let unknown_user_control = Bad { kind: 4, body: b"\0\x63\0\0\0\x01", reason: "" };
    let unknown_type = Bad { kind: 77, body: b"whatever it is", reason: "" };
    for (number, odd) in [unknown_user_control, unknown_type].iter().enumerate() {
        let url = scripted::serve(Door::Rtmp, damaged(&source, odd));
        let received = file(&format!("odd-{number}.flv"));
        let output = run(&["play", &url, "--json", "-o"], &received);
        assert_eq!(json(&output)["left_out"]["messages"], 0);
        assert_received(&source, &received, whole);
        fs::remove_file(received).unwrap();
    }
}

#[test]
fn times_that_go_back_lose_no_frame() {
    needs!("ffmpeg", "ffprobe");
    let source = sources::plain();
    for (door, back_ms) in [(Door::Rtmp, 700), (Door::HttpFlv, 700), (Door::Rtmp, 1_000_000)] {
        let (_, mut tags) = flv_tags::read(&source);
        let half = tags.len() / 2;
        tags[half..].iter_mut().for_each(|tag| tag.1 = tag.1.wrapping_add(2_000_000 - back_ms));
        tags[..half].iter_mut().for_each(|tag| tag.1 += 2_000_000);
        let received = file(&format!("back-{door:?}-{back_ms}.flv"));
        let output = run(&["play", &scripted::serve(door, tags), "--json", "-o"], &received);
        assert_eq!(json(&output)["left_out"]["messages"], 0);
        let (sent, got) = (Recording::read(&source), Recording::read(&received));
        let hashes = |units: &[crate::recording::Unit]| -> Vec<String> {
            units.iter().map(|unit| unit.hash.clone()).collect()
        };
        assert_eq!(hashes(&sent.video), hashes(&got.video));
        assert_eq!(hashes(&sent.audio), hashes(&got.audio));
        assert!(got.video.windows(2).all(|pair| pair[0].dts_ms <= pair[1].dts_ms));
        fs::remove_file(received).unwrap();
    }
}

#[test]
fn a_stream_of_which_nothing_can_be_used_is_an_error_that_says_why() {
    let tags: Vec<Tag> = (0..50).map(|number| (9, number * 40, b"\x91zzzz\0\0\0".to_vec())).collect();
    for door in DOORS {
        let output = run(&["play"], Path::new(&scripted::serve(door, tags.clone())));
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success(), "{said}");
        for words in
            ["left out 50 messages", "50 x Enhanced RTMP video zzzz", "nothing of what came could be used"]
        {
            assert!(said.contains(words), "{words}: {said}");
        }
        let output = run(&["probe"], Path::new(&scripted::serve(door, tags.clone())));
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && said.contains("50 x Enhanced RTMP video zzzz"), "{said}");
    }
}

#[test]
fn probe_counts_what_it_leaves_out_of_streams_and_files() {
    needs!("ffmpeg", "ffprobe");
    let source = sources::plain();
    let frames = Recording::read(&source);
    for bad in BAD {
        let path = file("probe.flv");
        fs::write(&path, scripted::flv(&damaged(&source, bad))).unwrap();
        let streams = DOORS.map(|door| scripted::serve(door, damaged(&source, bad)));
        let targets = [PathBuf::from(&streams[0]), PathBuf::from(&streams[1]), path];
        for target in &targets {
            let report = json(&run(&["probe", "--json", "--duration", "20"], target));
            assert_left_out(&report, 2, bad.reason);
            let counts = [&report["tracks"][0]["frames"], &report["tracks"][1]["frames"]];
            let mut counts = counts.map(|count| count.as_u64().unwrap() as usize);
            counts.sort_unstable();
            assert_eq!(counts, [frames.video.len(), frames.audio.len()], "{report}");
        }
    }
    fs::remove_file(file("probe.flv")).unwrap();
}

#[test]
fn publish_sends_the_rest_of_a_damaged_file() {
    needs!("ffmpeg", "ffprobe");
    let source = sources::plain();
    let path = file("publish.flv");
    fs::write(&path, scripted::flv(&damaged(&source, &BAD[4]))).unwrap();
    let said = |server: &Server| fs::read_to_string(server.file("publish.log")).unwrap();
    publishers::carries(&source, |server| {
        let mut command = headwater();
        command.arg("publish").arg(&path).arg(server.rtmp(publishers::NAME));
        let mut program = server.run("publish", command);
        program.succeed(30);
        assert!(said(server).contains("2 x Enhanced RTMP video zzzz is not supported"), "{}", said(server));
        program
    });
    fs::remove_file(path).unwrap();
}
