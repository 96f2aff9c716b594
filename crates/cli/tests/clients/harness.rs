//! One server of its own for every test: the built binary on free ports, its data in a directory of its own.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::program::Program;

/// How long anything that should be there soon may take, on a busy machine.
const SOON: Duration = Duration::from_secs(10);

/// Viewers are let go soon after their publisher, so that players end by themselves.
const CONFIG: &str = "[streams]\nreconnect_window_ms = 2500\n";

/// A running server.
pub(crate) struct Server {
    pub(crate) program: Program,
    dir: PathBuf,
    rtmp: String,
    http: String,
    /// RTMPS and HTTPS, where a certificate is configured.
    tls: Option<(String, String)>,
}

impl Server {
    pub(crate) fn start() -> Self {
        Self::start_with(CONFIG)
    }

    pub(crate) fn start_with(config: &str) -> Self {
        Self::start_at("127.0.0.1:0", config)
    }

    /// With films: of `directory`, or of the test's own, which begins empty.
    pub(crate) fn start_with_films(directory: Option<&Path>) -> Self {
        let dir = fresh_dir();
        let media = directory.map_or_else(|| dir.join("media"), Path::to_owned);
        fs::create_dir_all(&media).unwrap();
        // A name that needs no quoting: tests' directories have none in them.
        Self::start_in(dir, "127.0.0.1:0", &format!("media = {media:?}\n{CONFIG}"))
    }

    /// Listening at another address.
    pub(crate) fn start_at(address: &str, config: &str) -> Self {
        Self::start_in(fresh_dir(), address, config)
    }

    fn start_in(dir: PathBuf, address: &str, config: &str) -> Self {
        fs::write(dir.join("headwater.toml"), config).unwrap();
        Self::launch(dir, address)
    }

    /// Kills it, as a crash does, and starts another on the same directories.
    pub(crate) fn crash_and_start(&mut self) {
        self.program.kill();
        let other = Self::launch(std::mem::take(&mut self.dir), "127.0.0.1:0");
        // What is left of the old one has no directory to take with it.
        drop(std::mem::replace(self, other));
    }

    fn launch(dir: PathBuf, address: &str) -> Self {
        let mut command = headwater();
        command.args(["serve", "--log", "debug"]);
        command.args(["--rtmp", address, "--http", address, "--rtmps", address, "--https", address]);
        command.arg("--data").arg(dir.join("data")).arg("-c").arg(dir.join("headwater.toml"));
        let mut program = Program::start(command, &dir.join("server.log"));
        let end = Instant::now() + SOON;
        let (rtmp, http, tls) = loop {
            let log = program.log();
            let ready = log.lines().find_map(|line| line.trim().strip_prefix("Ready: "));
            let addresses: Vec<_> = ready.unwrap_or("").split(' ').map(str::to_owned).collect();
            match &addresses[..] {
                [rtmp, http] => break (rtmp.clone(), http.clone(), None),
                [rtmp, http, rtmps, https] => {
                    break (rtmp.clone(), http.clone(), Some((rtmps.clone(), https.clone())));
                }
                _ => {}
            }
            assert!(program.runs() && Instant::now() < end, "the server does not start:\n{log}");
            thread::sleep(Duration::from_millis(20));
        };
        Self { program, dir, rtmp, http, tls }
    }

    /// A file in this test's own directory.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    pub(crate) fn rtmp(&self, name: &str) -> String {
        format!("{}/live/{name}", self.rtmp)
    }

    /// A film's address at the RTMP door.
    pub(crate) fn rtmp_film(&self, name: &str) -> String {
        format!("{}/vod/{name}", self.rtmp)
    }

    /// A film's address at the HTTP door; the name is percent-encoded already.
    pub(crate) fn http_film(&self, name: &str) -> String {
        format!("{}/vod/{name}", self.http)
    }

    pub(crate) fn flv(&self, name: &str) -> String {
        format!("{}/live/{name}.flv", self.http)
    }

    /// `localhost` and the ports of RTMPS and HTTPS: certificates are for names.
    pub(crate) fn tls_ports(&self) -> (u16, u16) {
        let (rtmps, https) = self.tls.as_ref().expect("a certificate is configured");
        let port = |url: &str| url.rsplit(':').next().unwrap().parse().unwrap();
        (port(rtmps), port(https))
    }

    /// The host and port of the RTMP door.
    pub(crate) fn rtmp_address(&self) -> &str {
        self.rtmp.trim_start_matches("rtmp://")
    }

    /// The host and port of the HTTP door.
    pub(crate) fn http_address(&self) -> &str {
        self.http.trim_start_matches("http://").trim_end_matches('/')
    }

    /// Starts a program of this test.
    pub(crate) fn run(&self, label: &str, command: Command) -> Program {
        Program::start(command, &self.dir.join(format!("{label}.log")))
    }

    /// ffmpeg, quiet but for warnings, with `arguments` parted at blanks, then `last`.
    pub(crate) fn ffmpeg(&self, label: &str, arguments: &str, last: impl AsRef<std::ffi::OsStr>) -> Program {
        let mut command = Command::new("ffmpeg");
        command.args(["-nostdin", "-v", "warning", "-y"]).args(arguments.split_whitespace()).arg(last);
        self.run(label, command)
    }

    /// ffmpeg publishes `source` at its natural pace.
    pub(crate) fn publish(&self, source: &Path, name: &str) -> Program {
        self.ffmpeg("publish", &format!("-re -i {} -c copy -f flv", source.display()), self.rtmp(name))
    }

    /// Waits until the API's description of the stream satisfies `is_it`.
    pub(crate) fn wait_until(&self, name: &str, what: &str, is_it: impl Fn(&Value) -> bool) {
        let end = Instant::now() + SOON;
        loop {
            let seen = self.describe(name);
            if is_it(&seen) {
                return;
            }
            let log = self.program.log();
            assert!(Instant::now() < end, "live/{name} is not {what} in time: {seen}\n{log}");
            thread::sleep(Duration::from_millis(30));
        }
    }

    /// Waits until frames of `name` arrive.
    pub(crate) fn wait_live(&self, name: &str) {
        self.wait_until(name, "live", |stream| stream["frames_in"].as_u64() > Some(0));
    }

    pub(crate) fn wait_viewers(&self, name: &str, count: u64) {
        self.wait_until(name, "watched", |stream| stream["viewers"].as_u64() >= Some(count));
    }

    fn describe(&self, name: &str) -> Value {
        let answer = self.request("GET", &format!("/api/v1/streams/live/{name}"));
        let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        serde_json::from_str(body).unwrap_or(Value::Null)
    }

    /// A whole HTTP answer, of a resource that ends.
    pub(crate) fn request(&self, method: &str, path: &str) -> String {
        let mut stream = TcpStream::connect(self.http_address()).unwrap();
        stream.set_read_timeout(Some(SOON)).unwrap();
        let host = self.http_address();
        write!(stream, "{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        String::from_utf8_lossy(&answer).into_owned()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if thread::panicking() {
            println!("what the server said ({}):\n{}", self.dir.display(), self.program.log());
        } else {
            fs::remove_dir_all(&self.dir).ok();
        }
    }
}

/// The binary under test.
pub(crate) fn headwater() -> Command {
    Command::new(env!("CARGO_BIN_EXE_headwater"))
}

/// A new directory of one test.
fn fresh_dir() -> PathBuf {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("clients-{}-{number}", std::process::id()));
    fs::create_dir_all(&dir).unwrap();
    dir
}
