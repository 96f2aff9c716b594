//! External programs, each with a time limit. Stops only what it started.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// `(program, Debian package)`.
const PACKAGES: [(&str, &str); 8] = [
    ("ffmpeg", "ffmpeg"),
    ("ffprobe", "ffmpeg"),
    ("rtmpdump", "rtmpdump"),
    ("gst-launch-1.0", "gstreamer1.0-tools gstreamer1.0-plugins-bad"),
    ("mpv", "mpv"),
    ("cvlc", "vlc-bin vlc-plugin-base"),
    ("curl", "curl"),
    ("openssl", "openssl"),
];

/// Whether all of `programs` are installed. If one is not, says so; with `HEADWATER_CLIENTS=require` panics, with
/// `HEADWATER_CLIENTS=skip` nothing counts as installed.
pub(crate) fn installed(programs: &[&str]) -> bool {
    let wanted = std::env::var("HEADWATER_CLIENTS").unwrap_or_default();
    if wanted == "skip" {
        println!("SKIPPED: HEADWATER_CLIENTS=skip");
        return false;
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let Some(missing) =
        programs.iter().find(|program| !std::env::split_paths(&path).any(|dir| dir.join(program).is_file()))
    else {
        return true;
    };
    let package = PACKAGES.iter().find(|(program, _)| program == missing).map_or("?", |(_, package)| package);
    let text = format!("SKIPPED: needs {missing} (apt-get install {package})");
    assert!(wanted != "require", "{text}");
    println!("{text}");
    false
}

/// Ends the test early where a program is missing.
macro_rules! needs {
    ($($program:expr),+) => {
        if !crate::program::installed(&[$($program),+]) {
            return;
        }
    };
}
pub(crate) use needs;

/// A program that runs; killed when dropped.
pub(crate) struct Program {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Program {
    /// Starts `command` with both of its outputs in `log`.
    pub(crate) fn start(mut command: Command, log: &Path) -> Self {
        let file = File::create(log).unwrap();
        command.stdin(Stdio::null()).stdout(file.try_clone().unwrap()).stderr(file);
        let name = command.get_program().to_string_lossy().into_owned();
        let child = command.spawn().unwrap_or_else(|error| panic!("cannot start {name}: {error}"));
        Self { name, child, log: log.to_owned() }
    }

    /// The process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// What the program has said so far.
    pub(crate) fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    /// Waits for the program's own end. Panics if it takes longer than `limit_s`.
    pub(crate) fn wait(&mut self, limit_s: u64) -> ExitStatus {
        let end = Instant::now() + Duration::from_secs(limit_s);
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < end, "{} runs longer than {limit_s} s:\n{}", self.name, self.log());
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits as [`Program::wait`]; panics unless the program succeeds.
    pub(crate) fn succeed(&mut self, limit_s: u64) {
        let status = self.wait(limit_s);
        assert!(status.success(), "{} ended with {status}:\n{}", self.name, self.log());
    }

    /// Ends it without a word, as a crash does.
    pub(crate) fn kill(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }

    /// Whether it still runs.
    pub(crate) fn runs(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Asks for an orderly end, as Ctrl-C in a terminal (`INT`) or a service manager (`TERM`) does.
    pub(crate) fn signal(&self, signal: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-s", signal, &pid]).status().unwrap().success());
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.kill();
    }
}
