//! The binary under test with a configuration, everything it says, and its addresses.

use std::fs;
use std::io::{Read, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::wire;

static NUMBER: AtomicU32 = AtomicU32::new(0);

/// A directory of its own for a test, gone with it.
pub(crate) struct Directory(pub(crate) PathBuf);

impl Directory {
    pub(crate) fn new() -> Self {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("headwater-doors-{}-{number}", std::process::id()));
        fs::create_dir_all(path.join("media")).unwrap();
        Self(path)
    }

    /// `headwater` with this command, this configuration and this environment.
    pub(crate) fn command(&self, command: &str, config: &str, environment: &[(&str, &str)]) -> Command {
        let file = self.0.join("headwater.toml");
        fs::write(&file, format!("data = {:?}\n{config}", self.0.join("data"))).unwrap();
        let mut program = Command::new(env!("CARGO_BIN_EXE_headwater"));
        program.arg(command).arg("-c").arg(file).envs(environment.iter().copied());
        program.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        program
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A running server. Dropping it ends the process.
pub(crate) struct Server {
    child: Child,
    pub(crate) directory: Directory,
    said: Arc<Mutex<String>>,
}

impl Server {
    /// Starts a server that speaks TLS too, trusts [`wire::PROXY`], and logs everything.
    pub(crate) fn start(config: &str) -> Self {
        let directory = Directory::new();
        let certified = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        let (certificate, key) = (directory.0.join("certificate.pem"), directory.0.join("key.pem"));
        fs::write(&certificate, certified.cert.pem()).unwrap();
        fs::write(&key, certified.signing_key.serialize_pem()).unwrap();
        let config = format!(
            "{config}\n[proxy]\ntrusted = [\"{}\"]\n[tls]\ncertificate = {certificate:?}\nkey = {key:?}\n",
            wire::PROXY
        );
        let mut command = directory.command("serve", &config, &[("HEADWATER_LOG", "trace")]);
        command.arg("--media").arg(directory.0.join("media"));
        for door in ["--rtmp", "--http", "--rtmps", "--https"] {
            command.args([door, "127.0.0.1:0"]);
        }
        let mut child = command.spawn().unwrap();
        let said = Arc::new(Mutex::new(String::new()));
        follow(child.stdout.take().unwrap(), &said);
        follow(child.stderr.take().unwrap(), &said);
        let server = Self { child, directory, said };
        server.must_say("\nReady: ");
        server
    }

    /// Where one of its doors is.
    pub(crate) fn address(&self, scheme: &str) -> SocketAddr {
        let said = self.said();
        let ready = said.lines().find(|line| line.starts_with("Ready: ")).unwrap().to_owned();
        let after = ready.split_once(&format!(" {scheme}://")).unwrap().1;
        after.split(' ').next().unwrap().parse().unwrap()
    }

    /// Everything on standard output and standard error so far.
    pub(crate) fn said(&self) -> String {
        self.said.lock().unwrap().clone()
    }

    /// Waits until `text` has been said.
    #[track_caller]
    pub(crate) fn must_say(&self, text: &str) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while !self.said().contains(text) {
            assert!(Instant::now() < deadline, "{text:?} was not said, but: {}", self.said());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Ends the process and hands out all that it said.
    pub(crate) fn end(mut self) -> String {
        let told = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status().unwrap();
        assert!(told.success() && self.child.wait().unwrap().success());
        std::thread::sleep(Duration::from_millis(100));
        self.said()
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

/// One request on a connection of its own, from near or far: the whole answer.
pub(crate) fn http(server: &Server, place: wire::Place, head: &str, body: &str) -> String {
    let mut socket = wire::dial(server.address("http"), place);
    let length = body.len();
    let text = format!("{head}\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}");
    socket.write_all(text.as_bytes()).unwrap();
    let mut answer = Vec::new();
    let _ = socket.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}
