//! `headwater play` into files, whatever the stream does: tracks that come late, stop or change. What a server sends
//! is put together here from two sources, and what is recorded is held against just that.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::flv_tags::{self, Tag};
use crate::harness::headwater;
use crate::program::needs;
use crate::receivers::{OpenDirectory, vlc_into};
use crate::recording::{Recording, Unit, compare, whole};
use crate::scripted::{self, Door};
use crate::sources;

/// A source taken apart: each track with its configuration in front.
struct Parts {
    metadata: Vec<Tag>,
    video: Vec<Tag>,
    audio: Vec<Tag>,
}

fn parts(source: &Path) -> Parts {
    let (_, tags) = flv_tags::read(source);
    let of = |kind| tags.iter().filter(|tag| tag.0 == kind).cloned().collect();
    // The word at the end that there are no more pictures is no frame.
    let mut video: Vec<Tag> = of(9);
    video.retain(|tag| tag.2.get(1) != Some(&2));
    Parts { metadata: of(18), video, audio: of(8) }
}

fn later(tags: Vec<Tag>, ms: u32) -> Vec<Tag> {
    tags.into_iter().map(|(kind, time, body)| (kind, time + ms, body)).collect()
}

fn until(mut tags: Vec<Tag>, ms: u32) -> Vec<Tag> {
    tags.retain(|tag| tag.1 < ms);
    tags
}

/// In the order of time; what stands first comes first.
fn merged(parts: &[Vec<Tag>]) -> Vec<Tag> {
    let mut tags = parts.concat();
    tags.sort_by_key(|tag| tag.1);
    tags
}

/// A directory of one test.
struct Place(PathBuf);

impl Place {
    fn new(name: &str) -> Self {
        let dir =
            Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("record-{name}-{}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        Self(dir)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// What was sent, as a file that ffprobe reads.
    fn sent(&self, tags: &[Tag]) -> Recording {
        fs::write(self.file("sent.flv"), scripted::flv(tags)).unwrap();
        Recording::read(&self.file("sent.flv"))
    }

    /// Records what is sent; the report.
    #[track_caller]
    fn record(&self, door: Door, tags: &[Tag], name: &str) -> Value {
        let mut command = headwater();
        command.args(["play", &scripted::serve(door, tags.to_vec()), "--json", "-o"]).arg(self.file(name));
        let output = command.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{name}: {said}");
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(
            (&report["ended"], &report["left_out"]["messages"]),
            (&"stream".into(), &0.into()),
            "{report}"
        );
        report
    }

    /// The report names these files and no others.
    #[track_caller]
    fn assert_files(&self, report: &Value, names: &[&str]) {
        let files: Vec<String> = names.iter().map(|name| self.file(name).display().to_string()).collect();
        assert_eq!(report["files"], Value::from(files));
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let _ = fs::remove_dir_all(&self.0);
        }
    }
}

fn hashes<'a>(units: impl IntoIterator<Item = &'a Unit>) -> Vec<&'a str> {
    units.into_iter().map(|unit| unit.hash.as_str()).collect()
}

/// The files one after the other hold all that was sent, each begins with a key frame, and none goes back in time.
#[track_caller]
fn assert_parts(sent: &Recording, files: &[Recording]) {
    let all = |of: fn(&Recording) -> &Vec<Unit>| files.iter().flat_map(of);
    assert_eq!(hashes(all(|file| &file.video)), hashes(&sent.video), "pictures");
    assert_eq!(hashes(all(|file| &file.audio)), hashes(&sent.audio), "sounds");
    for file in files {
        assert!(file.video.first().is_none_or(|first| first.key), "a file begins in the middle of a group");
        for units in [&file.video, &file.audio] {
            assert!(units.windows(2).all(|pair| pair[0].dts_ms <= pair[1].dts_ms));
        }
    }
}

/// What ffprobe says of the tracks of a file: codec, size, sample rate.
fn tracks(path: &Path) -> Vec<String> {
    let entries = "stream=codec_name,width,height,sample_rate";
    let mut command = Command::new("ffprobe");
    command.args(["-v", "error", "-of", "csv=p=0", "-show_entries", entries]).arg(path);
    let text = String::from_utf8(command.output().unwrap().stdout).unwrap();
    text.split_whitespace().map(str::to_owned).collect()
}

/// ffmpeg decodes all of it without a complaint.
#[track_caller]
fn assert_decodes(path: &Path) {
    let mut command = Command::new("ffmpeg");
    command.args(["-nostdin", "-v", "error", "-i"]).arg(path).args(["-f", "null", "-"]);
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.is_empty(), "{}: {said}", path.display());
}

#[test]
fn a_late_track_joins_the_mp4() {
    needs!("ffmpeg", "ffprobe", "mpv", "cvlc");
    let place = Place::new("late");
    for door in [Door::Rtmp, Door::HttpFlv] {
        for (name, late_ms) in [("sound.mp4", [0, 3000]), ("picture.mp4", [3000, 0])] {
            let Parts { metadata, video, audio } = parts(&sources::bframes());
            let [video, audio] = [later(video, late_ms[0]), later(audio, late_ms[1])];
            let tags = merged(&[metadata, video, audio]);
            let report = place.record(door, &tags, name);
            place.assert_files(&report, &[name]);
            let (sent, got) = (place.sent(&tags), Recording::read(&place.file(name)));
            compare(&sent, &got, whole(&sent)).unwrap_or_else(|wrong| panic!("{door:?} {name}: {wrong}"));
            assert_eq!((sent.video.len(), sent.audio.len()), (got.video.len(), got.audio.len()), "{name}");
            assert_decodes(&place.file(name));
        }
    }
    for name in ["sound.mp4", "picture.mp4"] {
        // Both play all of it, but for what VLC leaves out of its own output at the beginning and end.
        let mut mpv = Command::new("mpv");
        mpv.args(["--no-config", "--vo=null", "--ao=null", "--untimed", "--msg-level=all=error"]);
        let output = mpv.arg(place.file(name)).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && said.trim().is_empty(), "mpv: {said}");
        let open = OpenDirectory::new();
        let (film, target) = (open.0.join(name), open.0.join("vlc.ts"));
        fs::copy(place.file(name), &film).unwrap();
        let output = vlc_into("ts", film.to_str().unwrap(), &target).arg("--play-and-exit").output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let (made, sent) = (Recording::read(&target), Recording::read(&place.file(name)));
        assert!(made.video.len() + 10 >= sent.video.len(), "VLC: {} pictures", made.video.len());
        assert!(made.audio.len() + 15 >= sent.audio.len(), "VLC: {} sounds", made.audio.len());
    }
}

#[test]
fn a_phone_that_is_turned_goes_on_in_a_further_file() {
    needs!("ffmpeg", "ffprobe");
    let place = Place::new("turned");
    let Parts { metadata, video, audio } = parts(&sources::plain());
    let turned = later(parts(&sources::small()).video, 4000);
    let tags = merged(&[metadata, until(video, 4000), turned, audio]);
    let report = place.record(Door::Rtmp, &tags, "x.mp4");
    place.assert_files(&report, &["x.mp4", "x-2.mp4"]);
    let files = ["x.mp4", "x-2.mp4"].map(|name| place.file(name));
    assert_eq!(tracks(&files[0]), ["h264,320,240", "aac,44100"]);
    assert_eq!(tracks(&files[1]), ["h264,160,120", "aac,44100"]);
    assert_parts(&place.sent(&tags), &files.each_ref().map(|file| Recording::read(file)));
    files.iter().for_each(|file| assert_decodes(file));
    // FLV has place for it.
    let report = place.record(Door::Rtmp, &tags, "x.flv");
    place.assert_files(&report, &["x.flv"]);
    let (sent, got) = (place.sent(&tags), Recording::read(&place.file("x.flv")));
    compare(&sent, &got, whole(&sent)).unwrap();
}

#[test]
fn a_name_that_is_taken_is_left_alone() {
    needs!("ffmpeg", "ffprobe");
    let place = Place::new("taken");
    fs::write(place.file("x-2.mp4"), b"the wedding").unwrap();
    let Parts { video, .. } = parts(&sources::plain());
    let turned = later(parts(&sources::small()).video, 2000);
    let report = place.record(Door::HttpFlv, &merged(&[until(video, 2000), turned]), "x.mp4");
    place.assert_files(&report, &["x.mp4", "x-3.mp4"]);
    assert_eq!(fs::read(place.file("x-2.mp4")).unwrap(), b"the wedding");
}

#[test]
fn another_sample_rate_in_the_middle_of_a_group_loses_nothing() {
    needs!("ffmpeg", "ffprobe");
    let place = Place::new("rate");
    let Parts { metadata, video, audio } = parts(&sources::plain());
    let other = later(parts(&sources::small()).audio, 2500);
    let tags = merged(&[metadata, video, until(audio, 2500), other]);
    let report = place.record(Door::Rtmp, &tags, "x.mp4");
    place.assert_files(&report, &["x.mp4", "x-2.mp4"]);
    let files = ["x.mp4", "x-2.mp4"].map(|name| place.file(name));
    let mut found = files.each_ref().map(|file| tracks(file));
    found.iter_mut().for_each(|tracks| tracks.sort());
    assert_eq!(found[0], ["aac,44100", "h264,320,240"]);
    assert_eq!(found[1], ["aac,48000", "h264,320,240"]);
    assert_parts(&place.sent(&tags), &files.each_ref().map(|file| Recording::read(file)));
    // The pictures go on with the key frame at 3 s; the sound that came before it is not lost.
    let second = Recording::read(&files[1]);
    assert!((second.video[0].dts_ms - second.audio[0].dts_ms - 500.0).abs() < 30.0, "{:?}", second.video[0]);
}

#[test]
fn another_codec_is_a_further_file() {
    needs!("ffmpeg", "ffprobe");
    let place = Place::new("codec");
    let Parts { video, audio, .. } = parts(&sources::plain());
    let hevc = later(parts(&sources::testdata("hevc.flv")).video, 2000);
    let tags = merged(&[until(video, 2000), hevc, until(audio, 4000)]);
    let report = place.record(Door::Rtmp, &tags, "x.mp4");
    place.assert_files(&report, &["x.mp4", "x-2.mp4"]);
    assert!(tracks(&place.file("x.mp4"))[0].starts_with("h264"));
    assert!(tracks(&place.file("x-2.mp4"))[0].starts_with("hevc"), "{:?}", tracks(&place.file("x-2.mp4")));
    assert_decodes(&place.file("x-2.mp4"));
    // A codec that MP4 has no place for ends nothing: the sound goes on.
    let flash =
        until(parts(&sources::flash("flv1", sources::Voice { codec: "speex", rate: 16_000 })).video, 2000);
    let Parts { video, audio, .. } = parts(&sources::plain());
    let tags = merged(&[until(video, 2000), later(flash.clone(), 2000), audio.clone()]);
    let url = scripted::serve(Door::Rtmp, tags);
    let output = headwater().args(["play", &url, "--json", "-o"]).arg(place.file("y.mp4")).output().unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("Sorenson H.263 in MP4 is not supported"), "{said}");
    assert_eq!(report["left_out"]["messages"], flash.len(), "{report}");
    let sounds = ["y.mp4", "y-2.mp4"].map(|name| Recording::read(&place.file(name)).audio.len());
    assert_eq!(sounds.iter().sum::<usize>() + 1, audio.len(), "all but the configuration");
}

#[test]
fn codecs_that_only_a_frame_describes_are_recorded() {
    needs!("ffprobe");
    let place = Place::new("described");
    for (source, expected) in [("vp9.flv", "vp9,"), ("ac3.flv", "ac3,48000")] {
        let Parts { video, audio, .. } = parts(&sources::testdata(source));
        place.record(Door::Rtmp, &merged(&[video, audio]), "x.mp4");
        let got = Recording::read(&place.file("x.mp4"));
        let packets = fs::read_to_string(sources::testdata(&format!("{source}.packets"))).unwrap();
        let packets = packets.lines().filter(|line| !line.starts_with("stream")).count();
        assert_eq!(got.video.len() + got.audio.len(), packets, "{source}");
        assert!(tracks(&place.file("x.mp4"))[0].starts_with(expected), "{:?}", tracks(&place.file("x.mp4")));
    }
}

#[test]
fn sound_that_stops_and_long_groups_are_recorded() {
    needs!("ffmpeg", "ffprobe");
    let place = Place::new("stops");
    let Parts { metadata, video, audio } = parts(&sources::bframes());
    let stops = merged(&[metadata, video.clone(), until(audio.clone(), 3000)]);
    let slow = |tags: Vec<Tag>| tags.into_iter().map(|(kind, time, body)| (kind, time * 15, body)).collect();
    // A key frame every 15 s; and pictures that stop, so that none follows for 100 s.
    let long = merged(&[slow(video.clone()), slow(audio.clone())]);
    let picture_stops = merged(&[until(video, 2000), slow(audio)]);
    for (name, tags) in [("stops.mp4", stops), ("long.mp4", long), ("picture_stops.mp4", picture_stops)] {
        let report = place.record(Door::HttpFlv, &tags, name);
        place.assert_files(&report, &[name]);
        let (sent, got) = (place.sent(&tags), Recording::read(&place.file(name)));
        compare(&sent, &got, whole(&sent)).unwrap_or_else(|wrong| panic!("{name}: {wrong}"));
        assert_eq!((sent.video.len(), sent.audio.len()), (got.video.len(), got.audio.len()), "{name}");
    }
    // What a crash could cost is bounded: the fragments are shorter than the groups.
    let bytes = fs::read(place.file("long.mp4")).unwrap();
    let fragments = bytes.windows(4).filter(|window| window == b"moof").count();
    assert!((11..30).contains(&fragments), "{fragments} fragments of 105 s");
}

#[test]
fn the_flags_of_an_flv_file_are_true_in_the_end() {
    needs!("ffmpeg");
    let place = Place::new("flags");
    let source = sources::plain();
    let of = || parts(&source);
    let cases = [
        ("all.flv", merged(&[of().metadata, of().video, of().audio]), 5),
        ("late.flv", merged(&[of().video, later(of().audio, 3000)]), 5),
        ("late_picture.flv", merged(&[later(of().video, 3000), of().audio]), 5),
        ("never.flv", merged(&[of().metadata, of().video]), 1),
        ("sound.flv", merged(&[of().audio]), 4),
    ];
    for (name, tags, flags) in cases {
        place.record(Door::Rtmp, &tags, name);
        let (found, recorded) = flv_tags::read(&place.file(name));
        assert_eq!(found, flags, "{name}");
        let is_frame = |tag: &&Tag| tag.0 != 18 && !flv_tags::is_config(tag);
        let frames = |tags: &[Tag]| tags.iter().filter(is_frame).count();
        assert_eq!(frames(&recorded), frames(&tags), "{name}");
    }
}
