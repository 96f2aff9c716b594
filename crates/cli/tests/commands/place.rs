//! A directory of a test's own, the program run in it, and a server that says where it is.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// How long anything that should be there soon may take, on a busy machine.
const SOON: Duration = Duration::from_secs(30);

/// A directory, gone with the test.
pub(crate) struct Place(pub(crate) PathBuf);

impl Place {
    pub(crate) fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("headwater-commands-{}-{number}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        fs::write(self.file(name), text).unwrap();
        self.file(name)
    }

    /// The program, in this directory.
    pub(crate) fn headwater(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_headwater"));
        command.args(arguments).current_dir(&self.0).stdin(Stdio::null());
        command
    }

    /// Runs the program to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Ended {
        self.headwater(arguments).output().unwrap().into()
    }

    /// Names in this directory, in their order.
    pub(crate) fn names(&self) -> Vec<String> {
        let names = fs::read_dir(&self.0).unwrap();
        let mut names: Vec<_> =
            names.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// How a command has ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) is_good: bool,
    pub(crate) out: String,
    pub(crate) said: String,
}

impl From<Output> for Ended {
    fn from(output: Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self { is_good: output.status.success(), out: text(&output.stdout), said: text(&output.stderr) }
    }
}

/// A running server. Dropping it ends the process.
pub(crate) struct Server {
    child: Child,
    said: Arc<Mutex<String>>,
}

impl Server {
    /// Starts `command`, which is `serve` or `demo`, and waits until it is ready.
    pub(crate) fn start(mut command: Command) -> Self {
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let said = Arc::new(Mutex::new(String::new()));
        follow(child.stdout.take().unwrap(), &said);
        follow(child.stderr.take().unwrap(), &said);
        let server = Self { child, said };
        server.must_say("\nReady: ");
        server
    }

    /// `serve` on free ports of this machine, with this configuration.
    pub(crate) fn serve(place: &Place, config: &str) -> Self {
        Self::of("serve", place, config)
    }

    /// The demo likewise.
    pub(crate) fn demo(place: &Place) -> Self {
        Self::of("demo", place, "")
    }

    fn of(command: &str, place: &Place, config: &str) -> Self {
        place.write("server.toml", config);
        let mut command = place.headwater(&[command, "-c", "server.toml", "--data", "data"]);
        for door in ["--rtmp", "--http", "--rtmps", "--https"] {
            command.args([door, "127.0.0.1:0"]);
        }
        Self::start(command)
    }

    /// `rtmp://HOST:PORT`, by the listener's name.
    pub(crate) fn url(&self, listener: &str) -> String {
        let said = self.said();
        let ready = said.lines().find_map(|line| line.strip_prefix("Ready: ")).unwrap().to_owned();
        let mut urls = ready.split(' ');
        urls.find(|url| url.starts_with(&format!("{listener}://"))).unwrap().to_owned()
    }

    /// Everything on standard output and standard error so far.
    pub(crate) fn said(&self) -> String {
        self.said.lock().unwrap().clone()
    }

    /// Waits until `text` has been said.
    #[track_caller]
    pub(crate) fn must_say(&self, text: &str) {
        let deadline = Instant::now() + SOON;
        while !self.said().contains(text) {
            assert!(Instant::now() < deadline, "{text:?} was not said, but: {}", self.said());
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn follow(mut from: impl Read + Send + 'static, said: &Arc<Mutex<String>>) {
    let said = Arc::clone(said);
    std::thread::spawn(move || {
        let mut bytes = [0; 8192];
        while let Ok(count @ 1..) = from.read(&mut bytes) {
            said.lock().unwrap().push_str(&String::from_utf8_lossy(&bytes[..count]));
        }
    });
}

/// The address of HTTP-FLV that gives everybody these pieces after its head, with a pause before each, and ends.
pub(crate) fn flv_in_pieces(pieces: Vec<Vec<u8>>, pause: Duration) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/live/a.flv", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        while let Ok((mut socket, _)) = listener.accept() {
            let _ = socket.read(&mut [0; 4096]);
            let head = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nFLV\x01\x05\0\0\0\x09\0\0\0\0";
            let _ = socket.write_all(head);
            for piece in &pieces {
                std::thread::sleep(pause);
                let _ = socket.write_all(piece);
            }
        }
    });
    url
}

/// A file of the test data.
pub(crate) fn testdata(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata").join(name);
    path.canonicalize().unwrap().to_str().unwrap().to_owned()
}
