//! The binary under test: started with a configuration, watched from outside.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

static NUMBER: AtomicU32 = AtomicU32::new(0);

/// A running server. Dropping it ends the process and removes its directory.
pub(crate) struct Server {
    pub(crate) child: Child,
    /// Where it takes RTMP.
    pub(crate) rtmp: SocketAddr,
    /// Where it takes HTTP.
    pub(crate) http: SocketAddr,
    /// Where its configuration file and its data are.
    pub(crate) directory: PathBuf,
    log: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// Starts the server with this configuration file and waits until it is ready.
    pub(crate) fn start(config: &str) -> Self {
        Self::start_limited(config, 65_536)
    }

    /// As [`Server::start`], with at most so many open descriptors.
    pub(crate) fn start_limited(config: &str, descriptors_max: u32) -> Self {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let directory =
            std::env::temp_dir().join(format!("headwater-hostile-{}-{number}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        let file = directory.join("headwater.toml");
        fs::write(&file, config).unwrap();
        let mut child = Command::new("sh")
            .args(["-c", &format!("ulimit -n {descriptors_max} 2>/dev/null; exec \"$0\" \"$@\"")])
            .arg(env!("CARGO_BIN_EXE_headwater"))
            .args(["serve", "--rtmp", "127.0.0.1:0", "--http", "127.0.0.1:0"])
            .arg("--data")
            .arg(directory.join("data"))
            .arg("--media")
            .arg(directory.join("media"))
            .arg("-c")
            .arg(&file)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let log = Arc::new(Mutex::new(Vec::new()));
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let lines = Arc::clone(&log);
        std::thread::spawn(move || {
            stderr.split(b'\n').map_while(Result::ok).for_each(|line| {
                lines.lock().unwrap().push(String::from_utf8_lossy(&line).into_owned());
            });
        });
        let ready = BufReader::new(child.stdout.take().unwrap())
            .lines()
            .map_while(Result::ok)
            .find(|line| line.starts_with("Ready: "))
            .unwrap_or_else(|| panic!("the server did not start: {:?}", log.lock().unwrap()));
        let address =
            |scheme: &str| ready.split_once(scheme).unwrap().1.split(' ').next().unwrap().parse().unwrap();
        Self { rtmp: address("rtmp://"), http: address("http://"), child, directory, log }
    }

    /// The admin token that the server made for itself.
    pub(crate) fn admin_token(&self) -> String {
        let text = fs::read_to_string(self.directory.join("data/secrets.toml")).unwrap();
        text.split("admin_token = \"").nth(1).unwrap().split('"').next().unwrap().to_owned()
    }

    /// Fails unless the process runs.
    pub(crate) fn must_live(&mut self) {
        if let Some(status) = self.child.try_wait().unwrap() {
            panic!("the server died ({status}); its last words: {:#?}", self.log_tail());
        }
    }

    /// Asks the server to stop, as an operator does; how long it took.
    pub(crate) fn stop(&mut self, within: Duration) -> Duration {
        let asked = Instant::now();
        let told = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status().unwrap();
        assert!(told.success());
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                assert!(status.success(), "it ended with {status}: {:#?}", self.log_tail());
                return asked.elapsed();
            }
            assert!(asked.elapsed() < within, "it does not stop: {:#?}", self.log_tail());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Resident memory, in KiB.
    pub(crate) fn rss_kib(&self) -> u64 {
        let text = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = text.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    /// Open file descriptors, but for the files of windows: a stream has one or more for as long as it is live.
    pub(crate) fn descriptors(&self) -> usize {
        let windows = self.directory.join("data/window");
        let open = fs::read_dir(format!("/proc/{}/fd", self.child.id())).unwrap();
        let targets = open.filter_map(|entry| fs::read_link(entry.ok()?.path()).ok());
        targets.filter(|target| !target.starts_with(&windows)).count()
    }

    /// Waits until `descriptors` come down to `baseline`.
    pub(crate) fn await_descriptors(&self, baseline: usize, within: Duration) {
        let deadline = Instant::now() + within;
        while self.descriptors() > baseline {
            assert!(
                Instant::now() < deadline,
                "{} descriptors are open, {baseline} were before: connections leak",
                self.descriptors()
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Everything logged so far.
    pub(crate) fn log(&self) -> Vec<String> {
        self.log.lock().unwrap().clone()
    }

    /// Waits until at least `count` lines hold `text`.
    pub(crate) fn await_log(&self, text: &str, count: usize) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while self.log().iter().filter(|line| line.contains(text)).count() < count {
            assert!(Instant::now() < deadline, "{text:?} is not in the log: {:#?}", self.log_tail());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Warnings and errors about one peer.
    pub(crate) fn complaints(&self, peer: SocketAddr) -> Vec<String> {
        let name = format!("peer={peer}");
        let about = |line: &String| {
            (line.contains(" WARN ") || line.contains("ERROR ")) && line.split(' ').any(|word| word == name)
        };
        self.log().into_iter().filter(about).collect()
    }

    fn log_tail(&self) -> Vec<String> {
        let log = self.log();
        log[log.len().saturating_sub(20)..].to_vec()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.directory);
    }
}
