//! Recordings as lists of access units, and the comparison of one with its source.

use std::path::Path;
use std::process::Command;

/// One access unit.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Unit {
    /// When it is decoded.
    pub(crate) dts_ms: f64,
    /// When it is shown.
    pub(crate) pts_ms: f64,
    hash: String,
}

/// The access units of a file, by track, in the file's order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Recording {
    /// The video track's.
    pub(crate) video: Vec<Unit>,
    /// The audio track's.
    pub(crate) audio: Vec<Unit>,
}

impl Recording {
    /// Reads a file with ffmpeg, payloads untouched.
    pub(crate) fn read(file: &Path) -> Self {
        Self::read_through(file, &[])
    }

    /// Reads the pictures' slices and the audio. VLC repeats the parameter sets before each keyframe, so
    /// its payloads are others while its pictures are the same.
    pub(crate) fn read_slices(file: &Path) -> Self {
        Self::read_through(file, &["-bsf:v", "h264_mp4toannexb,filter_units=pass_types=1-5"])
    }

    fn read_through(file: &Path, filter: &[&str]) -> Self {
        let output = Command::new("ffmpeg")
            .args(["-v", "error", "-i"])
            .arg(file)
            .args(["-map", "0:v?", "-map", "0:a?", "-copyts", "-c", "copy"])
            .args(filter)
            .args(["-f", "framemd5", "-"])
            .output()
            .unwrap();
        Self::parse(&String::from_utf8_lossy(&output.stdout))
    }

    fn parse(text: &str) -> Self {
        let mut tracks: Vec<(f64, bool)> = Vec::new();
        let mut recording = Self::default();
        for line in text.lines() {
            if let Some(rest) = line.strip_prefix("#tb ") {
                let (_, base) = rest.split_once(": ").unwrap();
                let (top, bottom) = base.split_once('/').unwrap();
                tracks.push((1000.0 * top.parse::<f64>().unwrap() / bottom.parse::<f64>().unwrap(), false));
            } else if let Some(rest) = line.strip_prefix("#media_type ") {
                tracks.last_mut().unwrap().1 = rest.ends_with("video");
            } else if !line.starts_with('#') {
                let fields: Vec<_> = line.split(',').map(str::trim).collect();
                let (unit_ms, is_video) = tracks[fields[0].parse::<usize>().unwrap()];
                let time = |field: &str| field.parse::<f64>().unwrap() * unit_ms;
                let unit =
                    Unit { dts_ms: time(fields[1]), pts_ms: time(fields[2]), hash: fields[5].to_owned() };
                if is_video { recording.video.push(unit) } else { recording.audio.push(unit) }
            }
        }
        recording
    }

    /// What keeps this recording from being a run of `source`, of at least so many units per track that
    /// the source has; keyframes stand at every 25th unit of the source's video.
    pub(crate) fn faults_against(&self, source: &Self, units_min: usize) -> Vec<String> {
        let mut faults = Vec::new();
        let mut shifts = Vec::new();
        for (name, mine, theirs) in
            [("video", &self.video, &source.video), ("audio", &self.audio, &source.audio)]
        {
            if theirs.is_empty() {
                if !mine.is_empty() {
                    faults.push(format!("{name}: {} units of a track that was never sent", mine.len()));
                }
                continue;
            }
            if mine.len() < units_min {
                faults.push(format!("{name}: {} units, expected {units_min} at least", mine.len()));
                continue;
            }
            let Some(start) = run_start(mine, theirs) else {
                faults.push(format!(
                    "{name}: {} units are no contiguous run of the source: {}",
                    mine.len(),
                    first_break(mine, theirs)
                ));
                continue;
            };
            if name == "video" && start % 25 != 0 {
                faults.push(format!("video: starts at unit {start}, which is no keyframe"));
            }
            let theirs = &theirs[start..];
            let shift = mine[0].dts_ms - theirs[0].dts_ms;
            shifts.push(shift);
            // A clock in milliseconds may round each end of a distance its own way.
            let strays = |a: f64, b: f64| (a - b - shift).abs() > 1.01;
            if let Some(at) = (0..mine.len()).find(|&at| {
                strays(mine[at].dts_ms, theirs[at].dts_ms) || strays(mine[at].pts_ms, theirs[at].pts_ms)
            }) {
                faults.push(format!(
                    "{name}: unit {at} is at {:?}, the source's at {:?}, shift {shift} ms",
                    mine[at], theirs[at]
                ));
            }
            faults.extend(
                mine.windows(2)
                    .find(|pair| pair[1].dts_ms < pair[0].dts_ms)
                    .map(|pair| format!("{name}: time goes back: {pair:?}")),
            );
        }
        if let [video, audio] = shifts[..]
            && (video - audio).abs() > 1.01
        {
            faults.push(format!("audio moved against video by {} ms", audio - video));
        }
        faults
    }
}

fn run_start(mine: &[Unit], theirs: &[Unit]) -> Option<usize> {
    (0..theirs.len().checked_sub(mine.len())? + 1)
        .find(|&start| mine.iter().zip(&theirs[start..]).all(|(a, b)| a.hash == b.hash))
}

fn first_break(mine: &[Unit], theirs: &[Unit]) -> String {
    let Some(start) = theirs.iter().position(|unit| unit.hash == mine[0].hash) else {
        return "the first is not in the source".to_owned();
    };
    let same = mine.iter().zip(&theirs[start..]).take_while(|(a, b)| a.hash == b.hash).count();
    format!("it follows the source from unit {start} for {same} units")
}

/// The comparison itself must notice each way to be wrong.
mod notices {
    use super::{Recording, Unit};

    fn source() -> Recording {
        let track = |name: &str, step_ms: f64| {
            let unit = |at: usize| Unit {
                dts_ms: at as f64 * step_ms,
                pts_ms: at as f64 * step_ms,
                hash: format!("{name}{at}"),
            };
            (0..100).map(unit).collect()
        };
        Recording { video: track("v", 40.0), audio: track("a", 23.0) }
    }

    fn wrong(change: impl FnOnce(&mut Recording)) -> String {
        let mut recording = source();
        change(&mut recording);
        recording.faults_against(&source(), 50).join("; ")
    }

    #[test]
    fn nothing_in_a_faithful_run() {
        assert_eq!(wrong(|recording| drop(recording.video.drain(..25))), "");
        let later = |unit: &mut Unit| {
            unit.dts_ms += 700.0;
            unit.pts_ms += 700.0;
        };
        assert_eq!(wrong(|r| r.video.iter_mut().chain(&mut r.audio).for_each(later)), "");
    }

    #[test]
    fn each_fault() {
        assert!(wrong(|r| drop(r.video.remove(40))).contains("for 40 units"));
        assert!(wrong(|r| r.video.swap(40, 41)).contains("no contiguous run"));
        assert!(wrong(|r| drop(r.video.drain(..3))).contains("no keyframe"));
        assert!(wrong(|r| r.audio.clear()).contains("audio: 0 units"));
        assert!(wrong(|r| r.video[60].dts_ms += 2.0).contains("unit 60"));
        assert!(wrong(|r| r.video[60].pts_ms += 40.0).contains("unit 60"));
        assert!(
            wrong(|r| r.audio.iter_mut().for_each(|unit| {
                unit.dts_ms += 30.0;
                unit.pts_ms += 30.0;
            }))
            .contains("moved")
        );
    }
}
