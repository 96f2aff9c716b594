//! The binary under test, and the folder in which one case works.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use super::program::Program;

static NUMBER: AtomicU32 = AtomicU32::new(0);

/// A folder of one case, open to the unprivileged user that VLC runs as.
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    /// A new, empty folder.
    pub(crate) fn new() -> Self {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("headwater-clients-{}-{number}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o777)).unwrap();
        Self(folder)
    }

    /// A path in it.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A running server.
pub(crate) struct Server {
    /// The process.
    pub(crate) program: Program,
    rtmp: String,
    http: String,
    /// Where the case keeps its files.
    pub(crate) scratch: Scratch,
}

impl Server {
    /// Starts it on free ports and waits until it is ready.
    pub(crate) fn start() -> Self {
        let scratch = Scratch::new();
        let mut command = Command::new(env!("CARGO_BIN_EXE_headwater"));
        command.args(["serve", "--rtmp", "127.0.0.1:0", "--http", "127.0.0.1:0", "--data"]);
        command.arg(scratch.file("data"));
        let mut program = Program::start(&mut command, scratch.file("server.log"));
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            let text = program.text();
            let ready =
                text.split_inclusive('\n').find(|line| line.starts_with("Ready") && line.ends_with('\n'));
            if let Some(line) = ready {
                let url =
                    |scheme: &str| line.split_whitespace().find(|word| word.starts_with(scheme)).unwrap();
                let (rtmp, http) = (url("rtmp://").to_owned(), url("http://").to_owned());
                return Self { program, rtmp, http, scratch };
            }
            assert!(program.wait(Duration::ZERO).is_none(), "the server ended: {}", program.describe());
            assert!(Instant::now() < deadline, "the server is not ready: {}", program.describe());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Stops it, so that its viewers reach the end of what they record.
    pub(crate) fn stop(&mut self) {
        let status = self.program.interrupt("TERM");
        assert!(status.is_some_and(|status| status.success()), "{status:?}: {}", self.program.describe());
    }

    /// The stream's address over RTMP.
    pub(crate) fn rtmp(&self, name: &str) -> String {
        format!("{}/live/{name}", self.rtmp.trim_end_matches('/'))
    }

    /// The stream's address over HTTP-FLV.
    pub(crate) fn flv(&self, name: &str) -> String {
        format!("{}/live/{name}.flv", self.http.trim_end_matches('/'))
    }
}
