//! Where the examples are followed: a directory with the files that they name, and a demo server on free ports.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::blocks::{Block, repository};

static NUMBER: AtomicU32 = AtomicU32::new(0);
const PROGRAM: &str = env!("CARGO_BIN_EXE_headwater");
const TOKEN: &str = "the-admins-token";

/// A directory and a server. Dropping it ends the server and removes the directory.
pub(crate) struct Place {
    directory: PathBuf,
    server: Child,
    rtmp: String,
    http: String,
}

impl Place {
    pub(crate) fn open() -> Self {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let directory =
            std::env::temp_dir().join(format!("headwater-manual-{}-{number}", std::process::id()));
        fs::create_dir_all(directory.join("media")).unwrap();
        let testdata = repository().join("testdata");
        for (from, to) in [
            ("faststart.mp4", "film.mp4"),
            ("faststart.mp4", "media/film.mp4"),
            ("captures/trace-rtmpdump-plays-nginx.capture", "talk.capture"),
        ] {
            fs::copy(testdata.join(from), directory.join(to)).unwrap();
        }
        let manual =
            Block::all().into_iter().find(|block| block.document == "docs/configuration.md").unwrap();
        fs::write(directory.join("headwater.toml"), manual.text).unwrap();
        let pair = rcgen::generate_simple_self_signed(vec!["example.org".to_owned()]).unwrap();
        fs::write(directory.join("fullchain.pem"), pair.cert.pem()).unwrap();
        fs::write(directory.join("privkey.pem"), pair.signing_key.serialize_pem()).unwrap();

        let mut server = Command::new(PROGRAM)
            .args(["demo", "--rtmp", "127.0.0.1:0", "--http", "127.0.0.1:0"])
            .env("HEADWATER_ADMIN_TOKEN", TOKEN)
            .current_dir(&directory)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(server.stdout.take().unwrap()).lines().map_while(Result::ok);
        let ready =
            lines.into_iter().find(|line| line.starts_with("Ready: ")).expect("the demo did not start");
        let address = |scheme| ready.split_once(scheme).unwrap().1.split(' ').next().unwrap().to_owned();
        Self { rtmp: address("rtmp://"), http: address("http://"), directory, server }
    }

    /// Runs the program with these arguments; its addresses are those of the demo.
    pub(crate) fn run(&self, at: &str, words: &[String]) {
        let here = |word: &String| {
            let word = word.replace("rtmp://localhost", &format!("rtmp://{}", self.rtmp));
            word.replace("http://localhost:8080", &format!("http://{}", self.http))
        };
        let output = self.program().args(words.iter().map(here)).output().unwrap();
        must_succeed(at, &words.join(" "), &output);
    }

    /// The program knows the command and every flag of it.
    pub(crate) fn must_know_flags(&self, at: &str, text: &str) {
        let name = text.split(' ').nth(1).unwrap();
        let output = self.program().args([name, "--help"]).output().unwrap();
        let help = must_succeed(at, text, &output);
        let known: Vec<&str> = help.split([' ', ',', '\n']).collect();
        for flag in text.split(' ').filter(|word| word.starts_with('-')) {
            assert!(known.contains(&flag), "{at}: {text}: headwater {name} has no {flag}");
        }
    }

    /// A configuration that may stand in a file.
    pub(crate) fn check(&self, at: &str, text: &str) {
        let text = text.replace("/etc/letsencrypt/live/example.org/", "");
        fs::write(self.directory.join("example.toml"), &text).unwrap();
        let output = self.program().args(["check", "-c", "example.toml"]).output().unwrap();
        must_succeed(at, &text, &output);
    }

    /// The text stands, whole and in one piece, in what `trace` says of a capture.
    pub(crate) fn must_print(&self, at: &str, capture: &str, text: &str) {
        let file = repository().join("testdata/captures").join(capture);
        let output = self.program().args(["trace", "--width", "100"]).arg(file).output().unwrap();
        let printed = String::from_utf8(output.stdout).unwrap();
        assert!(printed.contains(text), "{at}: {capture} is explained otherwise:\n{printed}");
    }

    /// What a script prints that speaks to the manual's host and sends the manual's film.
    pub(crate) fn shell(&self, at: &str, script: &str) -> String {
        let bytes = fs::metadata(self.directory.join("film.mp4")).unwrap().len();
        let script = script.replace("host:8080", &self.http).replace("123456", &bytes.to_string());
        let mut shell = Command::new("sh");
        let output =
            shell.args(["-c", &script]).env("TOKEN", TOKEN).current_dir(&self.directory).output().unwrap();
        must_succeed(at, &script, &output)
    }

    /// The body of a good answer of the server.
    pub(crate) fn get(&self, path: &str) -> String {
        let mut socket = TcpStream::connect(&self.http).unwrap();
        write!(socket, "GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", self.http).unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 "), "{path}: {answer}");
        answer.split_once("\r\n\r\n").unwrap().1.to_owned()
    }

    fn program(&self) -> Command {
        let mut program = Command::new(PROGRAM);
        program.current_dir(&self.directory).stdin(Stdio::null());
        program
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
        let _ = fs::remove_dir_all(&self.directory);
    }
}

/// The arguments of a line that is a command of the program; what stands behind two spaces explains it.
pub(crate) fn command(line: &str) -> Option<Vec<String>> {
    let line = line.split("  ").next().unwrap_or_default();
    let rest = line.strip_prefix("headwater ").or_else(|| line.strip_prefix("cargo run --release -- "))?;
    Some(rest.split(' ').map(str::to_owned).collect())
}

/// Whether curl can be used; says so where it cannot.
pub(crate) fn has_curl() -> bool {
    let is_there = Command::new("curl").arg("--version").output().is_ok();
    if !is_there {
        let text = "SKIPPED: needs curl (apt-get install curl)";
        assert!(std::env::var("HEADWATER_CLIENTS").as_deref() != Ok("require"), "{text}");
        println!("{text}");
    }
    is_there
}

fn must_succeed(at: &str, what: &str, output: &Output) -> String {
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let complained = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{at}: {what}\n{said}{complained}");
    said
}
