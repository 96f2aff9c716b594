//! What a file holds, by ffprobe, and the one comparison: a received recording is an unbroken run of its source,
//! begins with a keyframe, and keeps every step of time.

use std::path::Path;
use std::process::Command;

/// Clocks of whole milliseconds on both sides differ by this at most.
const DRIFT_MS_MAX: f64 = 1.01;
/// Audio against video.
const OFFSET_MS_MAX: f64 = 2.01;

/// One access unit.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Unit {
    pub(crate) dts_ms: f64,
    pub(crate) pts_ms: f64,
    pub(crate) key: bool,
    pub(crate) hash: String,
}

/// The access units of a file, in their order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Recording {
    pub(crate) video: Vec<Unit>,
    pub(crate) audio: Vec<Unit>,
}

impl Recording {
    pub(crate) fn read(path: &Path) -> Self {
        let entries = "packet=codec_type,pts_time,dts_time,flags,data_hash";
        let mut command = Command::new("ffprobe");
        command.args([
            "-v",
            "error",
            "-show_data_hash",
            "MD5",
            "-of",
            "compact=p=0",
            "-show_entries",
            entries,
        ]);
        let output = command.arg(path).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "ffprobe cannot read {}: {said}", path.display());
        let mut recording = Self::default();
        // ffprobe breaks the line of a packet that carries side data, such as a new configuration.
        let text = String::from_utf8_lossy(&output.stdout).replace("\n|", "|");
        for line in text.lines() {
            let field = |name: &str| {
                line.split('|').find_map(|part| part.strip_prefix(name)?.strip_prefix('=')).unwrap_or("")
            };
            let ms = |name: &str| field(name).parse::<f64>().map_or(f64::NAN, |seconds| seconds * 1000.0);
            let unit = Unit {
                dts_ms: ms("dts_time"),
                pts_ms: ms("pts_time"),
                key: field("flags").starts_with('K'),
                hash: field("data_hash").to_owned(),
            };
            match field("codec_type") {
                "video" => recording.video.push(unit),
                "audio" => recording.audio.push(unit),
                _ => {}
            }
        }
        recording
    }

    /// Parts a recording of two publishers where frames of `second` begin.
    pub(crate) fn split_at(mut self, second: &Self) -> (Self, Self) {
        let cut = |units: &mut Vec<Unit>, second: &[Unit]| {
            let is_second = |unit: &Unit| second.iter().any(|other| other.hash == unit.hash);
            units.split_off(units.iter().position(is_second).expect("the second part is not there"))
        };
        let after =
            Self { video: cut(&mut self.video, &second.video), audio: cut(&mut self.audio, &second.audio) };
        (self, after)
    }
}

/// What is asked of a recording.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted {
    /// Access units of every track that the source has.
    pub(crate) units_min: usize,
    /// Whether it must begin with the source's first frame.
    pub(crate) from_start: bool,
    /// Whether it must go on to the source's end.
    pub(crate) to_end: bool,
}

/// All of it but what is lost when a player is let go: the last few frames may stay in a player's own buffers.
pub(crate) fn whole(_: &Recording) -> Wanted {
    Wanted { units_min: 0, from_start: true, to_end: true }
}

/// Frames at the end that may stay in a player's own buffers.
const IN_BUFFERS_MAX: usize = 3;

/// Says where `received` is not an unbroken, rightly timed part of `source`.
pub(crate) fn compare(source: &Recording, received: &Recording, wanted: Wanted) -> Result<(), String> {
    let video = run("video", &source.video, &received.video, wanted, 0)?;
    // A viewer begins with a keyframe: the sound that the publisher sent before it belongs to no picture.
    let before_picture = usize::from(!source.video.is_empty());
    let audio = run("audio", &source.audio, &received.audio, wanted, before_picture)?;
    if let Some(first) = received.video.first()
        && !first.key
    {
        return Err("the video does not begin with a keyframe".into());
    }
    match (video, audio) {
        (Some(video), Some(audio)) if (video - audio).abs() > OFFSET_MS_MAX => {
            Err(format!("audio is moved by {:.1} ms against video", audio - video))
        }
        _ => Ok(()),
    }
}

/// Compares one track; how far it was moved in time, in milliseconds.
/// `may_miss` frames may be missing where the beginning is wanted.
fn run(
    kind: &str,
    source: &[Unit],
    received: &[Unit],
    wanted: Wanted,
    may_miss: usize,
) -> Result<Option<f64>, String> {
    let Some(first) = received.first() else {
        return if source.is_empty() { Ok(None) } else { Err(format!("no {kind} was received")) };
    };
    let Some(start) = source.iter().position(|unit| unit.hash == first.hash) else {
        return Err(format!("the first {kind} frame is not of the source"));
    };
    if wanted.from_start && start > may_miss {
        return Err(format!("the {kind} begins with frame {start}, not with the first"));
    }
    let to_the_end = source.len().saturating_sub(start + IN_BUFFERS_MAX);
    let units_min = if wanted.to_end { to_the_end } else { wanted.units_min };
    if received.len() < units_min {
        return Err(format!("{} {kind} frames are too few: {units_min} are wanted", received.len()));
    }
    let moved = first.dts_ms - source[start].dts_ms;
    let mut last = f64::NEG_INFINITY;
    for (index, unit) in received.iter().enumerate() {
        let Some(origin) = source.get(start + index) else {
            return Err(format!("{kind} frame {index} comes after the source's end"));
        };
        if unit.hash != origin.hash {
            return Err(format!("{kind} frame {index} is not frame {} of the source", start + index));
        }
        let drift =
            (unit.dts_ms - origin.dts_ms - moved).abs().max((unit.pts_ms - origin.pts_ms - moved).abs());
        if drift.is_nan() || drift > DRIFT_MS_MAX {
            return Err(format!(
                "{kind} frame {index} is {drift:.1} ms out of step: {unit:?} was {origin:?}"
            ));
        }
        if unit.dts_ms < last {
            return Err(format!("{kind} frame {index} goes back in time"));
        }
        last = unit.dts_ms;
    }
    Ok(Some(moved))
}

/// Compares the files; panics with what is wrong.
#[track_caller]
pub(crate) fn assert_received(source: &Path, received: &Path, wanted: impl FnOnce(&Recording) -> Wanted) {
    let source = Recording::read(source);
    let wanted = wanted(&source);
    let recording = Recording::read(received);
    if let Err(wrong) = compare(&source, &recording, wanted) {
        panic!("{}: {wrong}", received.display());
    }
}

#[test]
fn the_comparison_finds_what_is_wrong() {
    let track = |step_ms: f64, name: &str| -> Vec<Unit> {
        let unit = |index: u32| Unit {
            dts_ms: f64::from(index) * step_ms,
            pts_ms: f64::from(index) * step_ms + 80.0,
            key: index.is_multiple_of(5),
            hash: format!("{name}{index}"),
        };
        (0..20).map(unit).collect()
    };
    let source = Recording { video: track(40.0, "v"), audio: track(23.0, "a") };
    let late = Wanted { units_min: 10, from_start: false, to_end: false };
    let wrong = |change: &dyn Fn(&mut Recording)| {
        let mut received = source.clone();
        change(&mut received);
        compare(&source, &received, late).err().unwrap_or_default()
    };
    let shift = |units: &mut [Unit], ms: f64| {
        for unit in units {
            unit.dts_ms += ms;
            unit.pts_ms += ms;
        }
    };
    assert_eq!(wrong(&|_| {}), "");
    assert_eq!(wrong(&|it| drop(it.video.drain(..5))), "");
    assert_eq!(wrong(&|it| shift(&mut it.audio, 2.0)), "");
    assert!(wrong(&|it| shift(&mut it.audio, 3.0)).contains("moved by 3.0 ms"));
    assert!(wrong(&|it| drop(it.video.remove(7))).contains("frame 7 is not frame 7"));
    assert!(wrong(&|it| drop(it.audio.remove(9))).contains("audio frame 9"));
    assert!(wrong(&|it| drop(it.video.drain(..1))).contains("keyframe"));
    assert!(wrong(&|it| it.video[8].pts_ms += 40.0).contains("out of step"));
    assert!(wrong(&|it| it.video[8].hash.push('x')).contains("frame 8"));
    assert!(wrong(&|it| it.audio.clear()).contains("no audio"));
    assert!(wrong(&|it| it.video.truncate(9)).contains("too few"));
    let mut cut = source.clone();
    drop(cut.video.drain(..5));
    assert!(compare(&source, &cut, whole(&source)).unwrap_err().contains("not with the first"));
}
