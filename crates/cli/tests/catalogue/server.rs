//! The binary under test, on free ports and with directories of its own, and a plain HTTP client.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use serde_json::Value;

static NUMBER: AtomicU32 = AtomicU32::new(0);

/// A running server. Dropping it ends the process and removes its directories.
pub(crate) struct Server {
    child: Child,
    directory: PathBuf,
    pub(crate) http: SocketAddr,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (key, value) = line.split_once(": ")?;
            key.eq_ignore_ascii_case(name).then_some(value)
        })
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {} {}", self.head, self.text()))
    }

    /// The answer, if it has this status.
    pub(crate) fn must_be(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}\n{}", self.head, self.text());
        self
    }
}

impl Server {
    /// Starts a server whose films lie in [`Server::media`], with this configuration.
    pub(crate) fn start(config: &str) -> Self {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let directory =
            std::env::temp_dir().join(format!("headwater-catalogue-{}-{number}", std::process::id()));
        fs::create_dir_all(directory.join("media")).unwrap();
        fs::write(directory.join("headwater.toml"), config).unwrap();
        let (child, http) = launch(&directory);
        Self { child, directory, http }
    }

    /// Ends the process at once and starts another on the same directories.
    pub(crate) fn restart(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        (self.child, self.http) = launch(&self.directory);
    }

    pub(crate) fn must_live(&mut self) {
        assert!(self.child.try_wait().unwrap().is_none(), "the server died");
    }

    /// Where the films are.
    pub(crate) fn media(&self) -> PathBuf {
        self.directory.join("media")
    }

    /// Where the server writes.
    pub(crate) fn data(&self) -> PathBuf {
        self.directory.join("data")
    }

    pub(crate) fn admin_token(&self) -> String {
        let text = fs::read_to_string(self.data().join("secrets.toml")).unwrap();
        text.split("admin_token = \"").nth(1).unwrap().split('"').next().unwrap().to_owned()
    }

    /// One request on a connection of its own.
    pub(crate) fn request(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        let mut peer = self.begin(method, path, headers, body.len());
        peer.write_all(body).unwrap();
        answer(peer)
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.request("GET", path, &[], b"")
    }

    /// Sends the head of a request whose body comes later.
    pub(crate) fn begin(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        length: usize,
    ) -> TcpStream {
        let mut peer = TcpStream::connect(self.http).unwrap();
        peer.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        let mut head =
            format!("{method} {path} HTTP/1.1\r\nConnection: close\r\nContent-Length: {length}\r\n");
        if !headers.iter().any(|(name, _)| *name == "Host") {
            head += "Host: localhost\r\n";
        }
        headers.iter().for_each(|(name, value)| head += &format!("{name}: {value}\r\n"));
        peer.write_all(format!("{head}\r\n").as_bytes()).unwrap();
        peer
    }
}

/// Reads an answer until the connection is closed.
pub(crate) fn answer(mut peer: TcpStream) -> Answer {
    let mut bytes = Vec::new();
    // A refusal may come before the whole body has been sent; then the rest of it ends in a reset.
    let _ = peer.read_to_end(&mut bytes);
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").expect("an answer has a head");
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Answer { status, head, body: bytes[end + 4..].to_vec() }
}

fn launch(directory: &Path) -> (Child, SocketAddr) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_headwater"))
        .args(["serve", "--rtmp", "127.0.0.1:0", "--http", "127.0.0.1:0"])
        .arg("--data")
        .arg(directory.join("data"))
        .arg("--media")
        .arg(directory.join("media"))
        .arg("-c")
        .arg(directory.join("headwater.toml"))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(fs::File::create(directory.join("server.log")).unwrap())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    let ready = lines.find(|line| line.starts_with("Ready: ")).expect("the server starts");
    let http = ready.split_once("http://").unwrap().1.split(' ').next().unwrap().parse().unwrap();
    (child, http)
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.directory);
    }
}

/// The test data of the repository.
pub(crate) fn testdata(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata").join(name)
}

/// Whether ffmpeg is here; if not, the test is over.
pub(crate) fn has_ffmpeg() -> bool {
    let there =
        Command::new("ffmpeg").arg("-version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok();
    let required = std::env::var("HEADWATER_CLIENTS").is_ok_and(|value| value == "require");
    assert!(there || !required, "ffmpeg is not here");
    if !there {
        println!("SKIPPED: ffmpeg is not here");
    }
    there
}

/// What ffmpeg writes to standard output.
pub(crate) fn ffmpeg(arguments: &str) -> Vec<u8> {
    let output = Command::new("ffmpeg")
        .args(["-nostdin", "-v", "error", "-y"])
        .args(arguments.split_whitespace())
        .output()
        .unwrap();
    assert!(output.status.success(), "ffmpeg {arguments}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}
