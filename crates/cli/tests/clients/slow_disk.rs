//! Recordings on a disk that becomes slow: whoever watches gets every frame in its time, what the recording loses is counted
//! and said, and it goes on when the disk does.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::archive_long::metric;
use crate::harness::Server;
use crate::program::{Program, needs};
use crate::recording::{Recording, Wanted, compare, whole};
use crate::rewind::{NAME, Publisher, fetched, number};
use crate::sources;

const LIMIT_S: u64 = 60;
const SOON: Duration = Duration::from_secs(60);
/// Seconds of a broadcast whose parts are more than may wait for the disk.
const TOO_MUCH_S: u32 = 260;
/// Debian's, which has fusepy.
const PYTHON: &str = "/usr/bin/python3";

/// A directory whose disk can be made slow; unmounted at the end.
struct SlowDisk {
    place: PathBuf,
    program: Program,
}

impl SlowDisk {
    /// None where it cannot be mounted.
    fn mount() -> Option<Self> {
        let place = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("slow-{}", std::process::id()));
        let [backing, mounted] = ["backing", "mounted"].map(|name| place.join(name));
        for directory in [&backing, &mounted] {
            fs::create_dir_all(directory).unwrap();
        }
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/slow_disk.py");
        let mut command = Command::new(PYTHON);
        command.arg("-B").arg(script).args([&backing, &mounted]).arg(place.join("seconds"));
        let mut disk = Self { program: Program::start(command, &place.join("log")), place };
        let end = Instant::now() + SOON;
        // What lies on another disk has another number.
        while device(&disk.directory()) == device(&backing) {
            if !disk.program.runs() {
                println!("SKIPPED: needs the right to mount, and python3-fusepy: {}", disk.program.log());
                return None;
            }
            assert!(Instant::now() < end, "it is not mounted: {}", disk.program.log());
            thread::sleep(Duration::from_millis(20));
        }
        Some(disk)
    }

    fn directory(&self) -> PathBuf {
        self.place.join("mounted")
    }

    /// Each write takes so long from now on.
    fn slow_down(&self, seconds: &str) {
        // It is read as soon as it is there.
        let whole = self.place.join("whole");
        fs::write(&whole, seconds).unwrap();
        fs::rename(whole, self.place.join("seconds")).unwrap();
    }

    fn recover(&self) {
        fs::remove_file(self.place.join("seconds")).unwrap();
    }
}

impl Drop for SlowDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.directory()).status();
        self.program.kill();
        if !thread::panicking() {
            fs::remove_dir_all(&self.place).ok();
        }
    }
}

#[cfg(unix)]
fn device(path: &Path) -> u64 {
    std::os::unix::fs::MetadataExt::dev(&fs::metadata(path).unwrap())
}

#[cfg(not(unix))]
fn device(_: &Path) -> u64 {
    0
}

#[test]
fn a_slow_disk_costs_parts_of_the_recording_that_are_told_and_nothing_else() {
    needs!("ffmpeg", "ffprobe");
    let Some(disk) = SlowDisk::mount() else { return };
    let server = Server::start_with(&format!(
        "[recordings]\ndirectory = {:?}\n[apps.live]\nrecord = \"always\"\n[streams]\nreconnect_window_ms = 300\n",
        disk.directory()
    ));
    let mut publisher = Publisher::new(&server);
    publisher.play(&server, 10);
    wait(&server, "the first of the recording", || recorded(&disk).iter().any(|bytes| *bytes > 20_000));
    disk.slow_down("2");
    publisher.play(&server, TOO_MUCH_S);

    // Meanwhile another stream, recorded on the same disk, is watched.
    let source = sources::plain();
    let mut viewer = crate::archive::play(&server, &server.flv("beside"), "beside.flv");
    server.wait_viewers("beside", 1);
    server.publish(&source, "beside").succeed(LIMIT_S);
    viewer.wait(LIMIT_S);
    let units = Recording::read(&source);
    compare(&units, &Recording::read(&server.file("beside.flv")), whole(&units)).unwrap();

    disk.recover();
    wait(&server, "an end of what waits", || {
        publisher.play(&server, 1);
        metric(&server, "headwater_recording_lost_parts_total") > 0
    });
    assert!(server.program.log().contains("parts of the recording are missing"));
    publisher.play(&server, 10);
    let last = publisher.sent() - 1;
    drop(publisher);
    wait(&server, "the end of the recordings", || {
        films(&server, NAME).len() > 1 && films(&server, "").iter().all(|film| film["growing"] != true)
    });

    // The first file goes on to the gap, the next from a key frame behind it to the end.
    let names = films(&server, NAME);
    let paths: Vec<&str> = names.iter().map(|film| film["urls"]["flv"].as_str().unwrap()).collect();
    let [before, after] = paths[..] else { panic!("{paths:?}") };
    let (before, after) = (frames(&server, before, 0), frames(&server, after, last));
    assert_eq!(before[0], 0);
    assert!(before.iter().max() < after.first(), "{:?} and {:?}", before.iter().max(), after.first());
    assert_eq!(metric(&server, "headwater_window_lost_frames_total"), 0, "{}", server.program.log());
    // The other stream is whole, for its parts found room.
    let beside = films(&server, "beside");
    let path = disk.directory().join(beside[0]["name"].as_str().unwrap());
    let some = Wanted { units_min: 1, from_start: true, to_end: false };
    compare(&units, &Recording::read(&path), some).unwrap();
}

fn wait(server: &Server, what: &str, mut is_it: impl FnMut() -> bool) {
    let end = Instant::now() + SOON;
    while !is_it() {
        assert!(Instant::now() < end, "{what} does not come in time:\n{}", server.program.log());
        thread::sleep(Duration::from_millis(50));
    }
}

/// The numbers of a film's frames, up to `last` at least: of each track all from its first to its last.
fn frames(server: &Server, path: &str, last: usize) -> Vec<usize> {
    let tags = fetched(server, path, last);
    for kind in [8, 9] {
        let of_track: Vec<usize> = tags.iter().filter(|tag| tag.0 == kind).filter_map(number).collect();
        // A picture and two sounds in turns.
        let places: Vec<usize> = of_track
            .iter()
            .map(|number| if kind == 9 { number / 3 } else { number / 3 * 2 + number % 3 })
            .collect();
        let torn = places.windows(2).position(|pair| pair[1] != pair[0] + 1);
        assert!(torn.is_none(), "{path} of track {kind} behind {torn:?} of {} frames", places.len());
    }
    tags.iter().filter_map(number).collect()
}

/// Bytes of the files of the stream.
fn recorded(disk: &SlowDisk) -> Vec<u64> {
    let Ok(listing) = fs::read_dir(disk.directory().join("live").join(NAME)) else { return Vec::new() };
    listing.map(|entry| entry.unwrap().metadata().unwrap().len()).collect()
}

/// The recordings of a stream, or of all, oldest first.
fn films(server: &Server, stream: &str) -> Vec<Value> {
    let answer = server.request("GET", "/api/v1/films?app=recordings");
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    let list: Value = serde_json::from_str(body).unwrap_or_default();
    let mut films = list["films"].as_array().cloned().unwrap_or_default();
    films.retain(|film| film["name"].as_str().unwrap().contains(stream));
    films.sort_by_key(|film| film["name"].as_str().unwrap().to_owned());
    films
}
