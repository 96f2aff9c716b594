//! The codecs of Enhanced RTMP, with an ffmpeg that muxes them into FLV (version 8 or later). Debian's does not,
//! so its path stands in `HEADWATER_FFMPEG`; `./test` gets one from PyPI.
//!
//! What a file holds is told by that ffmpeg's own demuxer: times, hashes and configurations.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

use crate::harness::Server;
use crate::program::Program;
use crate::recording::{Recording, Unit, Wanted, compare};

/// Pictures from one keyframe to the next; the encoder of VVC has its own mind.
const GROUP: usize = 25;
const GROUP_VVC: usize = 24;
/// Four seconds of moving pictures; each track of a source has another one.
const PICTURES: [&str; 2] = ["testsrc2=size=320x240:rate=25:duration=4", "mandelbrot=size=160x120:rate=25"];
const NOISES: [&str; 2] = ["anoisesrc=r=48000:d=4:seed=7:a=0.3", "anoisesrc=r=48000:d=4:seed=9:a=0.2"];

/// The new ffmpeg; `None` if there is none and the tests may be left out.
pub(crate) fn ffmpeg() -> Option<PathBuf> {
    let path = std::env::var_os("HEADWATER_FFMPEG").map(PathBuf::from);
    let wanted = std::env::var("HEADWATER_CLIENTS").unwrap_or_default();
    if wanted == "skip" || path.is_none() {
        assert!(wanted != "require", "HEADWATER_FFMPEG names no ffmpeg of version 8 or later");
        println!("SKIPPED: HEADWATER_FFMPEG names no ffmpeg of version 8 or later");
        return None;
    }
    path
}

/// Ends the test early where the new ffmpeg is missing.
macro_rules! needs_modern_ffmpeg {
    () => {
        if crate::modern::ffmpeg().is_none() {
            return;
        }
    };
}
pub(crate) use needs_modern_ffmpeg;

fn command() -> Command {
    let mut command = Command::new(ffmpeg().unwrap());
    command.args(["-nostdin", "-v", "warning", "-y"]);
    command
}

/// The new ffmpeg at work in a test, with `arguments` parted at blanks, then `last`.
pub(crate) fn run(server: &Server, label: &str, arguments: &str, last: &Path) -> Program {
    let mut command = command();
    command.args(arguments.split_whitespace()).arg(last);
    server.run(label, command)
}

/// The new ffmpeg publishes `source` at its natural pace.
pub(crate) fn publish(server: &Server, source: &Path, name: &str) -> Program {
    let arguments = format!("-re -i {} -map 0 -c copy -f flv", source.display());
    run(server, "publish", &arguments, Path::new(&server.rtmp(name)))
}

/// The new ffmpeg plays `url` into `received.flv`.
pub(crate) fn play(server: &Server, url: &str) -> Program {
    run(server, "play", &format!("-i {url} -map 0 -c copy -f flv"), &server.file("received.flv"))
}

/// Four seconds with these encoders, made once.
pub(crate) fn source(name: &str, video: &[&str], audio: &[&str]) -> PathBuf {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _guard = ONE_AT_A_TIME.lock();
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    if path.exists() {
        return path;
    }
    let mut command = command();
    for picture in &PICTURES[..video.len()] {
        command.args(["-f", "lavfi", "-i", picture]);
    }
    for noise in &NOISES[..audio.len()] {
        command.args(["-f", "lavfi", "-i", noise]);
    }
    (0..video.len() + audio.len()).for_each(|input| {
        command.args(["-map", &input.to_string()]);
    });
    let coders = |kind: char, coders: &[&str], command: &mut Command| {
        for (index, coder) in coders.iter().enumerate() {
            let mut words = coder.split_whitespace();
            command.arg(format!("-c:{kind}:{index}")).args(words.next());
            command.args(words.map(|word| word.replace("%", &format!(":{kind}:{index}"))));
        }
    };
    coders('v', video, &mut command);
    coders('a', audio, &mut command);
    let part = path.with_extension(format!("{}.part", std::process::id()));
    command.args(["-pix_fmt", "yuv420p", "-t", "4", "-strict", "-2", "-f"]);
    let format = path.extension().unwrap().to_str().unwrap();
    let output = command.arg(format).arg(&part).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    fs::rename(&part, &path).unwrap();
    path
}

/// One stream of a file.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stream {
    pub(crate) is_video: bool,
    pub(crate) codec: String,
    /// The hash of the decoder configuration; empty if there is none.
    config: String,
    units: Vec<Unit>,
}

/// What the new ffmpeg reads in a file, stream by stream.
pub(crate) fn read(path: &Path) -> Vec<Stream> {
    let mut reading = command();
    reading.arg("-copyts").arg("-i").arg(path).args(["-map", "0", "-c", "copy", "-f", "framehash"]);
    let output = reading.args(["-hash", "md5", "-"]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "ffmpeg cannot read {}: {said}", path.display());
    let mut streams = BTreeMap::<usize, Stream>::new();
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        take_line(line, &mut streams);
    }
    streams.into_values().collect()
}

/// A line of the `framehash` format: `#key index: value`, `#extradata index, size, hash`, or
/// `index, dts, pts, duration, size, hash` with side data behind.
fn take_line(line: &str, streams: &mut BTreeMap<usize, Stream>) {
    let fields: Vec<_> = line.split(',').map(str::trim).collect();
    if let Some(rest) = line.strip_prefix('#') {
        if let Some(index) = fields[0].strip_prefix("#extradata ").and_then(|index| index.parse().ok()) {
            streams.entry(index).or_default().config = fields[2].to_owned();
        } else if let Some((key, value)) = rest.split_once(": ")
            && let Some((key, index)) = key.split_once(' ')
            && let Ok(index) = index.parse()
        {
            let stream: &mut Stream = streams.entry(index).or_default();
            match key {
                "media_type" => stream.is_video = value == "video",
                "codec_id" => stream.codec = value.to_owned(),
                // FLV counts milliseconds, and so does everything that is compared here.
                "tb" => assert_eq!(value, "1/1000", "the stream's time base"),
                _ => {}
            }
        }
        return;
    }
    let [index, dts, pts, _, size, hash, ..] = fields[..] else { return };
    if size == "0" {
        // ffmpeg makes an empty packet of a configuration.
        return;
    }
    let stream = streams.entry(index.parse().unwrap()).or_default();
    let group = if stream.codec == "vvc" { GROUP_VVC } else { GROUP };
    stream.units.push(Unit {
        dts_ms: dts.parse().unwrap(),
        pts_ms: pts.parse().unwrap(),
        key: stream.units.len().is_multiple_of(group),
        hash: hash.to_owned(),
    });
}

/// Panics unless the new ffmpeg decodes every picture and sound of a file without a word.
#[track_caller]
pub(crate) fn assert_decodes(path: &Path) {
    let mut decoding = Command::new(ffmpeg().unwrap());
    decoding.args(["-nostdin", "-v", "error", "-i"]).arg(path).args(["-map", "0", "-f", "null", "-"]);
    let output = decoding.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.is_empty(), "{} does not decode: {said}", path.display());
}

/// The hashes of a file's configurations after ffmpeg has copied it, as it has on its way to the server: some it
/// writes anew from what it finds in the frames. The copy lies beside `received`.
fn copied_configs(file: &Path, received: &Path) -> Vec<String> {
    let copy = received.with_extension("again.flv");
    let mut copying = command();
    copying.arg("-i").arg(file).args(["-map", "0", "-c", "copy", "-strict", "-2"]).arg(&copy);
    assert!(copying.output().unwrap().status.success(), "ffmpeg cannot copy {}", file.display());
    read(&copy).into_iter().map(|stream| stream.config).collect()
}

/// Panics unless `received` holds these streams of `source` (by their numbers), whole or the wanted part, with
/// the same configurations.
#[track_caller]
pub(crate) fn assert_received(source: &Path, received: &Path, numbers: &[usize], wanted: Wanted) {
    let all = read(source);
    let sent: Vec<_> = numbers.iter().map(|number| &all[*number]).collect();
    let mut got = read(received);
    let [sent_copied, got_copied] = [source, received].map(|file| copied_configs(file, received));
    let codecs = |streams: &[&Stream]| streams.iter().map(|it| it.codec.clone()).collect::<Vec<_>>();
    assert_eq!(codecs(&sent), codecs(&got.iter().collect::<Vec<_>>()), "{}", received.display());
    for (at, (sent, got)) in sent.iter().zip(&mut got).enumerate() {
        let ours = [&got.config, &got_copied[at]];
        // SVT-AV1 announces another sequence header than its frames carry, and the server goes by the frames; FLAC's
        // configuration goes out in the form of the specification. Both must decode: see `assert_decodes`.
        let same = matches!(sent.codec.as_str(), "av1" | "flac")
            || ours.contains(&&sent.config)
            || ours.contains(&&sent_copied[numbers[at]]);
        assert!(same, "the configuration of {} is another one", sent.codec);
        for unit in &mut got.units {
            unit.key = sent.units.iter().any(|origin| origin.key && origin.hash == unit.hash);
        }
    }
    // Each video track with each audio track, so that all stand right against each other.
    let of_kind = |streams: &[&Stream], is_video: bool| -> Vec<Vec<Unit>> {
        let units = streams.iter().filter(|stream| stream.is_video == is_video);
        units.map(|stream| stream.units.clone()).collect()
    };
    let got: Vec<_> = got.iter().collect();
    let or_none = |units: Vec<Vec<Unit>>| if units.is_empty() { vec![Vec::new()] } else { units };
    let videos = or_none(of_kind(&sent, true)).into_iter().zip(or_none(of_kind(&got, true)));
    for (sent_video, got_video) in videos {
        let audios = or_none(of_kind(&sent, false)).into_iter().zip(or_none(of_kind(&got, false)));
        for (sent_audio, got_audio) in audios {
            let sent = Recording { video: sent_video.clone(), audio: sent_audio };
            let got = Recording { video: got_video.clone(), audio: got_audio };
            if let Err(wrong) = compare(&sent, &got, wanted) {
                panic!("{}: {wrong}", received.display());
            }
        }
    }
}
