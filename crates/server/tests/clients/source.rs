//! What is published: short clips whose every access unit is different, made once by ffmpeg.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Mutex;
use std::time::Duration;

use super::program::Program;
use super::server::Scratch;

static MAKING: Mutex<()> = Mutex::new(());

const VIDEO: &str = "testsrc2=size=160x120:rate=25:duration=8";
/// Noise, so that no two frames of audio are alike.
const AUDIO: &str = "anoisesrc=seed=7:sample_rate=44100:duration=8:amplitude=0.2";

/// A kind of clip.
#[derive(Clone, Copy)]
pub(crate) enum Clip {
    /// H.264 without B-frames, AAC.
    Plain,
    /// H.264 with B-frames, AAC.
    Reordered,
    /// AAC alone.
    AudioOnly,
    /// H.264 alone.
    VideoOnly,
    /// As `Plain`, of another size and another sampling rate.
    Other,
}

impl Clip {
    /// Its file, FLV.
    pub(crate) fn flv(self) -> PathBuf {
        let (name, video, b_frames, rate) = match self {
            Self::Plain => ("plain", Some("160x120"), "0", Some("44100")),
            Self::Reordered => ("reordered", Some("160x120"), "2", Some("44100")),
            Self::AudioOnly => ("audio", None, "0", Some("44100")),
            Self::VideoOnly => ("video", Some("160x120"), "0", None),
            Self::Other => ("other", Some("192x144"), "0", Some("48000")),
        };
        made(&format!("{name}.flv"), |command| {
            if video.is_some() {
                command.args(["-f", "lavfi", "-i", VIDEO]);
            }
            if rate.is_some() {
                command.args(["-f", "lavfi", "-i", AUDIO]);
            }
            if let Some(size) = video {
                command
                    .args(["-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p", "-b:v", "150k"]);
                command.args(["-g", "25", "-sc_threshold", "0", "-bf", b_frames, "-s", size]);
            }
            if let Some(rate) = rate {
                command.args(["-c:a", "aac", "-b:a", "64k", "-ac", "1", "-ar", rate]);
            }
            command.args(["-flvflags", "no_duration_filesize"]);
        })
    }

    /// The same access units in another container, chosen by the ending.
    pub(crate) fn remuxed(self, ending: &str) -> PathBuf {
        let source = self.flv();
        let stem = source.file_stem().unwrap().to_string_lossy().into_owned();
        made(&format!("{stem}.{ending}"), |command| {
            command.arg("-i").arg(&source).args(["-c", "copy"]);
            if ending == "f4v" {
                command.args(["-f", "f4v"]);
            }
        })
    }
}

fn made(name: &str, arguments: impl FnOnce(&mut Command)) -> PathBuf {
    let _one_at_a_time = MAKING.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("clips-1");
    fs::create_dir_all(&folder).unwrap();
    let file = folder.join(name);
    if !file.exists() {
        let scratch = Scratch::new();
        let fresh = folder.join(format!("{}-{name}", std::process::id()));
        let mut command = Command::new("ffmpeg");
        command.args(["-v", "error", "-y"]);
        arguments(&mut command);
        let mut program = Program::start(command.arg(&fresh), scratch.file("ffmpeg.log"));
        assert!(program.finish(Duration::from_secs(60)).success(), "{}", program.describe());
        fs::rename(fresh, &file).unwrap();
    }
    file
}
