//! SIGHUP: what changes, what waits for a restart, and what a wrong file does.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::server::Server;

/// Room for a busy machine.
const SOON: Duration = Duration::from_secs(20);

fn hang_up(server: &Server) {
    let told = Command::new("kill").args(["-HUP", &server.child.id().to_string()]).status().unwrap();
    assert!(told.success());
}

/// Writes the server's configuration file anew, has it read, and waits until the log says `word` about it.
fn reload(server: &Server, config: &str, word: &str) -> String {
    let before = server.log().len();
    fs::write(server.directory.join("headwater.toml"), config).unwrap();
    hang_up(server);
    let deadline = Instant::now() + SOON;
    loop {
        let log = server.log();
        let lines: Vec<_> = log[before..].iter().filter(|line| line.contains("the configuration")).collect();
        if let [line] = lines[..] {
            assert!(line.contains(word), "no {word:?} in {line}");
            return line.clone();
        }
        assert!(lines.is_empty() && Instant::now() < deadline, "{log:#?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// How long the server waits for one that says nothing.
fn patience(address: SocketAddr) -> Duration {
    let mut socket = TcpStream::connect(address).unwrap();
    socket.set_read_timeout(Some(SOON)).unwrap();
    let connected = Instant::now();
    // Its last words, if any, and then the end.
    while socket.read(&mut [0; 512]).unwrap_or(0) > 0 {}
    connected.elapsed()
}

#[test]
fn live_keys_change_at_once_and_a_wrong_file_changes_nothing() {
    let mut server = Server::start("[rtmp]\nsetup_timeout_ms = 60000\n[http]\nhead_timeout_ms = 60000\n");
    let mut stands = TcpStream::connect(server.http).unwrap();
    stands.set_read_timeout(Some(Duration::from_secs(4))).unwrap();
    // Once it is answered, it has begun with what holds now.
    stands.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"ok\n") {
        let mut byte = [0];
        stands.read_exact(&mut byte).unwrap();
        answer.extend(byte);
    }

    let config = "[rtmp]\nsetup_timeout_ms = 700\n[http]\nhead_timeout_ms = 700\n[vod]\nfilms_max = 7\n";
    let line = reload(
        &server,
        config,
        "changed http.head_timeout_ms, rtmp.setup_timeout_ms; only a restart changes vod.films_max",
    );
    assert!(line.contains(" WARN "), "{line}");
    for address in [server.http, server.rtmp] {
        assert!(patience(address) >= Duration::from_millis(600));
    }

    let line =
        reload(&server, "[rtmp]\nsetup_timeout_ms = 60000\nhelo = 1\n", "the configuration in force stays");
    assert!(line.contains("ERROR") && line.contains("headwater.toml") && line.contains("helo"), "{line}");
    for address in [server.http, server.rtmp] {
        assert!(patience(address) < SOON, "the configuration in force does not hold any more");
    }
    server.must_live();

    let back = "[rtmp]\nsetup_timeout_ms = 60000\n[http]\nhead_timeout_ms = 700\n";
    let line = reload(&server, back, "changed rtmp.setup_timeout_ms");
    assert!(line.contains(" INFO ") && !line.contains("restart"), "{line}");

    // The connection that came first keeps what it began with.
    let error = stands.read(&mut [0; 8]).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock, "{error}");
    drop(stands);
    server.stop(SOON);
}

#[test]
fn who_may_publish_changes_without_the_secrets_in_the_log() {
    let server = Server::start("[access]\npublish = \"open\"\n");
    let config = "[access]\npublish = \"key\"\npublish_key = \"swordfish-swordfish\"\n";
    reload(&server, config, "changed access.publish; only a restart changes access.publish_key");
    assert!(!server.log().concat().contains("swordfish"));
}

#[test]
fn without_a_file_the_signal_ends_the_server_as_the_system_has_it() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_headwater"))
        .args(["serve", "--rtmp", "127.0.0.1:0", "--http", "127.0.0.1:0", "--data"])
        .arg(std::env::temp_dir().join(format!("headwater-no-file-{}", std::process::id())))
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let mut said = String::new();
    while !said.contains("Ready: ") {
        let mut byte = [0];
        child.stdout.as_mut().unwrap().read_exact(&mut byte).unwrap();
        said.push(char::from(byte[0]));
    }
    assert!(Command::new("kill").args(["-HUP", &child.id().to_string()]).status().unwrap().success());
    let status = child.wait().unwrap();
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&status), Some(1), "{status}");
    let _ =
        fs::remove_dir_all(std::env::temp_dir().join(format!("headwater-no-file-{}", std::process::id())));
}
