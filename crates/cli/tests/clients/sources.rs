//! What is published: made once by ffmpeg. Every video frame differs from every other, and so does every audio
//! frame, so that a hash tells the place in the source.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

const VIDEO: &str = "-f lavfi -i testsrc2=size=320x240:rate=25:duration=7";
const SMALL: &str = "-f lavfi -i testsrc2=size=160x120:rate=25:duration=4";
const NOISE: &str = "-f lavfi -i anoisesrc=r=44100:d=7:seed=7:a=0.3";
const NOISE_48: &str = "-f lavfi -i anoisesrc=r=48000:d=4:seed=8:a=0.3";
const X264: &str = "-c:v libx264 -preset ultrafast -g 25 -keyint_min 25 -sc_threshold 0 -pix_fmt yuv420p";
const AAC: &str = "-c:a aac -b:a 64k";

/// 7 s of 320x240 H.264 without B-frames, a keyframe every second, and AAC at 44.1 kHz.
pub(crate) fn plain() -> PathBuf {
    made("plain.flv", &format!("{VIDEO} {NOISE} {X264} {AAC}"))
}

/// As [`plain`], with B-frames.
pub(crate) fn bframes() -> PathBuf {
    made("bframes.flv", &format!("{VIDEO} {NOISE} {X264} -preset veryfast -bf 2 -b_strategy 0 {AAC}"))
}

/// As [`plain`], of another size and sample rate, 4 s.
pub(crate) fn small() -> PathBuf {
    made("small.flv", &format!("{SMALL} {NOISE_48} {X264} {AAC}"))
}

pub(crate) fn audio_only() -> PathBuf {
    made("audio.flv", &format!("{NOISE} {AAC}"))
}

pub(crate) fn video_only() -> PathBuf {
    made("video.flv", &format!("{VIDEO} {X264}"))
}

/// Sound of the Flash age.
#[derive(Clone, Copy)]
pub(crate) struct Voice {
    pub(crate) codec: &'static str,
    /// Samples per second.
    pub(crate) rate: u32,
}

/// 4 s of 160x120 in a codec of the Flash age, with sound in another.
pub(crate) fn flash(video: &str, Voice { codec, rate }: Voice) -> PathBuf {
    let coders = format!("-c:v {video} -g 25 -c:a {codec} -ar {rate} -ac 1");
    made(&format!("{video}-{codec}.flv"), &format!("{SMALL} {NOISE_48} {coders}"))
}

/// The fixtures of the repository.
pub(crate) fn testdata(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata").join(name)
}

fn made(name: &str, arguments: &str) -> PathBuf {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let guard = ONE_AT_A_TIME.lock();
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    if !path.exists() {
        let part = path.with_extension(format!("{}.part", std::process::id()));
        let mut command = Command::new("ffmpeg");
        command.args(["-nostdin", "-v", "error", "-y"]).args(arguments.split_whitespace());
        let output = command.args(["-f", "flv"]).arg(&part).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        fs::rename(&part, &path).unwrap();
    }
    drop(guard);
    path
}
