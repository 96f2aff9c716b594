//! RTMPS, HTTPS, RTMPT, one port for all, and the PROXY protocol: with real clients, and by hand.

use std::fs;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use crate::harness::{Server, headwater};
use crate::program::{Program, needs};
use crate::recording::{Wanted, assert_received, whole};
use crate::sources;

const NAME: &str = "camera";
const LIMIT_S: u64 = 60;
const SOME: Wanted = Wanted { units_min: 40, from_start: false, to_end: false };

/// A root of our own and a certificate for `localhost` by it, in files.
pub(crate) struct Certificates {
    dir: PathBuf,
    root: rcgen::CertifiedIssuer<'static, rcgen::KeyPair>,
}

impl Certificates {
    pub(crate) fn make(label: &str) -> Self {
        let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("tls-{label}-{}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        let mut parameters = rcgen::CertificateParams::new(Vec::<String>::new()).unwrap();
        parameters.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        parameters.distinguished_name.push(rcgen::DnType::CommonName, "Root of a test");
        let key = rcgen::KeyPair::generate().unwrap();
        let root = rcgen::CertifiedIssuer::self_signed(parameters, key).unwrap();
        let certificates = Self { dir, root };
        fs::write(certificates.root(), certificates.root.pem()).unwrap();
        certificates.renew();
        certificates
    }

    /// Writes a new certificate and key over the old ones; the certificate's bytes.
    fn renew(&self) -> Vec<u8> {
        let key = rcgen::KeyPair::generate().unwrap();
        let parameters = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        let certificate = parameters.signed_by(&key, &self.root).unwrap();
        fs::write(self.dir.join("key.pem"), key.serialize_pem()).unwrap();
        fs::write(self.dir.join("certificate.pem"), certificate.pem()).unwrap();
        certificate.der().to_vec()
    }

    pub(crate) fn root(&self) -> PathBuf {
        self.dir.join("root.pem")
    }

    pub(crate) fn server(&self, more: &str) -> Server {
        let dir = self.dir.display();
        Server::start_with(&format!(
            "{more}\n[tls]\ncertificate = \"{dir}/certificate.pem\"\nkey = \"{dir}/key.pem\"\n\
             [streams]\nreconnect_window_ms = 2500\n"
        ))
    }
}

impl Drop for Certificates {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.dir);
    }
}

/// Waits until the log holds all of `texts`: it is written after the peer has been told.
#[track_caller]
pub(crate) fn must_log(server: &Server, texts: &[&str]) {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        let log = server.program.log();
        if texts.iter().all(|text| log.contains(text)) {
            return;
        }
        assert!(Instant::now() < deadline, "not all of {texts:?} is in the log: {log}");
        thread::sleep(Duration::from_millis(50));
    }
}

fn our_play(server: &Server, url: &str, root: &Path) -> Program {
    let mut command = headwater();
    command.args(["play", url, "--ca"]).arg(root).arg("-o").arg(server.file("received.flv"));
    server.run("play", command)
}

#[test]
fn ffmpeg_publishes_and_plays_over_rtmps() {
    needs!("ffmpeg", "ffprobe");
    let certificates = Certificates::make("ffmpeg");
    let server = certificates.server("");
    let url = format!("rtmps://localhost:{}/live/{NAME}", server.tls_ports().0);
    let checked = format!("-tls_verify 1 -ca_file {}", certificates.root().display());
    let mut player =
        server.ffmpeg("play", &format!("{checked} -i {url} -c copy -f flv"), server.file("received.flv"));
    server.wait_viewers(NAME, 1);
    let source = sources::plain();
    let publish = format!("-re -i {} -c copy {checked} -f flv", source.display());
    server.ffmpeg("publish", &publish, &url).succeed(LIMIT_S);
    player.wait(LIMIT_S);
    assert_received(&source, &server.file("received.flv"), whole);
}

#[test]
fn our_client_publishes_and_plays_over_rtmps_and_https() {
    needs!("ffmpeg", "ffprobe");
    let certificates = Certificates::make("ours");
    for over_https in [false, true] {
        let server = certificates.server("");
        let (rtmps, https) = server.tls_ports();
        let publish_to = format!("rtmps://localhost:{rtmps}/live/{NAME}");
        let url = if over_https {
            format!("https://localhost:{https}/live/{NAME}.flv")
        } else {
            publish_to.clone()
        };
        let mut player = our_play(&server, &url, &certificates.root());
        server.wait_viewers(NAME, 1);
        let source = sources::small();
        let mut command = headwater();
        command.args(["publish", "--ca"]).arg(certificates.root()).arg(&source).arg(&publish_to);
        server.run("publish", command).succeed(LIMIT_S);
        player.wait(LIMIT_S);
        assert_received(&source, &server.file("received.flv"), whole);
    }
}

#[test]
fn our_client_trusts_nobody_whom_it_was_not_told_to() {
    let certificates = Certificates::make("stranger");
    let server = certificates.server("");
    let other = Certificates::make("other");
    let url = format!("rtmps://localhost:{}/live/{NAME}", server.tls_ports().0);
    // Another root, and another certificate for the same name.
    for trusted in [other.root(), other.dir.join("certificate.pem")] {
        let mut command = headwater();
        command.args(["play", &url, "--duration", "1", "--ca"]).arg(trusted);
        let mut player = server.run("play", command);
        assert!(!player.wait(LIMIT_S).success());
        let said = player.log();
        assert!(said.contains("no TLS with localhost") || said.contains("cannot be trusted"), "{said}");
    }
}

/// The certificate that a server shows, as openssl prints it.
fn shown(port: u16, more: &[&str]) -> String {
    let mut command = Command::new("openssl");
    command
        .args(["s_client", "-connect", &format!("127.0.0.1:{port}"), "-servername", "localhost"])
        .args(more);
    let output = command.stdin(std::process::Stdio::null()).output().unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn a_new_certificate_is_taken_while_connections_stand() {
    needs!("openssl");
    let certificates = Certificates::make("renewed");
    let server = certificates.server("");
    let (rtmps, _) = server.tls_ports();
    let part = |text: &str| {
        let rest = text.split_once("-----BEGIN CERTIFICATE-----").unwrap().1;
        rest.split_once("-----END").unwrap().0.to_owned()
    };
    let old = part(&shown(rtmps, &[]));
    let mut standing =
        our_play(&server, &format!("rtmps://localhost:{rtmps}/live/{NAME}"), &certificates.root());
    server.wait_viewers(NAME, 1);
    thread::sleep(Duration::from_millis(1100));
    fs::write(certificates.dir.join("key.pem"), "this is no key").unwrap();
    thread::sleep(Duration::from_secs(3));
    assert_eq!(part(&shown(rtmps, &[])), old, "a bad pair changes nothing");
    assert!(server.program.log().contains("the certificate in force stays"), "{}", server.program.log());
    certificates.renew();
    let deadline = Instant::now() + Duration::from_secs(15);
    while part(&shown(rtmps, &[])) == old {
        assert!(Instant::now() < deadline, "the new certificate is not taken: {}", server.program.log());
        thread::sleep(Duration::from_millis(200));
    }
    assert!(standing.runs(), "who was there stays");
}

#[test]
fn both_versions_of_tls_are_spoken() {
    needs!("openssl");
    let certificates = Certificates::make("versions");
    let server = certificates.server("");
    for (flag, version) in [("-tls1_2", "TLSv1.2"), ("-tls1_3", "TLSv1.3")] {
        let said = shown(server.tls_ports().0, &[flag]);
        assert!(said.contains(version) && said.contains("BEGIN CERTIFICATE"), "{version}: {said}");
    }
}

#[test]
fn who_stops_in_the_middle_of_the_tls_handshake_is_let_go() {
    let certificates = Certificates::make("half");
    let server = certificates.server("[rtmp]\nsetup_timeout_ms = 1000\n");
    let mut silent = TcpStream::connect(("127.0.0.1", server.tls_ports().0)).unwrap();
    silent.write_all(&[0x16, 3, 1, 2]).unwrap();
    let mut garbage = TcpStream::connect(("127.0.0.1", server.tls_ports().0)).unwrap();
    garbage.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    for socket in [&mut garbage, &mut silent] {
        socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let mut rest = Vec::new();
        socket.read_to_end(&mut rest).unwrap();
    }
    must_log(&server, &["it did not say within 1000 ms what it wants", "let go: TLS:"]);
}

#[test]
fn rtmpt_carries_ffmpeg_and_rtmpdump() {
    needs!("ffmpeg", "ffprobe", "rtmpdump");
    let server = Server::start();
    let url = format!("rtmpt://{}/live/{NAME}", server.http_address());
    let mut player = server.ffmpeg("play", &format!("-i {url} -c copy -f flv"), server.file("received.flv"));
    server.wait_viewers(NAME, 1);
    let source = sources::plain();
    let publish = format!("-re -i {} -c copy -f flv", source.display());
    let mut publisher = server.ffmpeg("publish", &publish, &url);
    server.wait_live(NAME);
    let mut command = Command::new("rtmpdump");
    command.args(["-v", "-r", &url, "-B", "3", "-o"]).arg(server.file("dumped.flv"));
    let mut dumper = server.run("dump", command);
    publisher.succeed(LIMIT_S);
    player.wait(LIMIT_S);
    dumper.wait(LIMIT_S);
    assert_received(&source, &server.file("received.flv"), |_| Wanted { from_start: true, ..SOME });
    assert_received(&source, &server.file("dumped.flv"), |_| SOME);
}

/// One POST on a connection of its own: status and body.
fn post(server: &Server, path: &str, body: &[u8]) -> (u16, Vec<u8>) {
    let mut socket = TcpStream::connect(server.http_address()).unwrap();
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    socket.write_all(head.as_bytes()).unwrap();
    socket.write_all(body).unwrap();
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer).unwrap();
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
    let status = String::from_utf8_lossy(&answer[9..12]).parse().unwrap();
    (status, answer[end + 4..].to_vec())
}

#[test]
fn requests_that_overtake_each_other_are_put_in_order() {
    let server = Server::start();
    assert_eq!(post(&server, "/fcs/ident2", &[0]).0, 404);
    let (status, name) = post(&server, "/open/1", &[0]);
    let name = String::from_utf8(name).unwrap().trim().to_owned();
    assert_eq!((status, name.len()), (200, 32));
    let mut greeting = vec![3];
    greeting.extend((0..1536).map(|at| if at < 8 { 0 } else { at as u8 }));
    assert_eq!(
        post(&server, &format!("/idle/{name}/7"), &[0]),
        (200, vec![1]),
        "any number begins the count"
    );
    let (first, second) = thread::scope(|scope| {
        let late = scope.spawn(|| post(&server, &format!("/send/{name}/9"), &greeting[700..]));
        thread::sleep(Duration::from_millis(300));
        let first = post(&server, &format!("/send/{name}/8"), &greeting[..700]);
        (first, late.join().unwrap())
    });
    assert_eq!((first.0, second.0), (200, 200));
    // The server's greeting comes with whichever answer goes out after it was made: on a busy machine a later one.
    let mut greeted = [&first.1[1..], &second.1[1..]].concat();
    let mut turn = 10;
    while greeted.is_empty() && turn < 30 {
        thread::sleep(Duration::from_millis(50));
        greeted.extend(&post(&server, &format!("/idle/{name}/{turn}"), &[0]).1[1..]);
        turn += 1;
    }
    assert_eq!((greeted.len(), greeted.first()), (3073, Some(&3)), "the server's greeting");
    assert_eq!(post(&server, &format!("/idle/{name}/9"), &[0]).0, 400, "its turn has been");
    assert_eq!(post(&server, &format!("/idle/{name}/99"), &[0]).0, 400, "too far ahead");
    assert_eq!(post(&server, &format!("/close/{name}/{turn}"), &[0]), (200, vec![0]));
    assert_eq!(post(&server, &format!("/idle/{name}/{}", turn + 1), &[0]).0, 404);
    assert_eq!(post(&server, "/send/nobody/0", &greeting).0, 404);
}

#[test]
fn one_port_takes_rtmp_and_http_with_and_without_tls() {
    needs!("curl");
    let certificates = Certificates::make("all");
    let server = certificates.server("[rtmp]\nall_on_one_port = true\n");
    let port = server.rtmp_address().rsplit(':').next().unwrap().to_owned();
    let mut command = headwater();
    command
        .args(["publish", "--loop", "--ca"])
        .arg(certificates.root())
        .arg(sources::testdata("keyframes.flv"));
    command.arg(format!("rtmps://localhost:{port}/live/{NAME}"));
    let _publisher = server.run("publish", command);
    server.wait_live(NAME);
    for url in [
        format!("rtmp://localhost:{port}/live/{NAME}"),
        format!("rtmps://localhost:{port}/live/{NAME}"),
        format!("http://localhost:{port}/live/{NAME}.flv"),
        format!("https://localhost:{port}/live/{NAME}.flv"),
    ] {
        let mut command = headwater();
        command.args(["play", &url, "--duration", "0.5", "--json", "--ca"]).arg(certificates.root());
        let mut player = server.run("play", command);
        player.succeed(LIMIT_S);
        assert!(player.log().contains("\"frames\":"), "{url}: {}", player.log());
    }
    for scheme in ["http", "https"] {
        let output = Command::new("curl")
            .args(["-s", "--cacert"])
            .arg(certificates.root())
            .arg(format!("{scheme}://localhost:{port}/healthz"))
            .output()
            .unwrap();
        assert_eq!(output.stdout, b"ok\n", "{scheme}");
    }
}

/// A publish request behind these first bytes, as far as the server answers it.
fn publish_behind(server: &Server, first: &[u8]) -> Vec<u8> {
    let mut socket = TcpStream::connect(server.rtmp_address()).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let mut greeting = vec![3];
    greeting.extend([0; 1536]);
    socket.write_all(first).unwrap();
    // The header may come in pieces.
    thread::sleep(Duration::from_millis(50));
    if socket.write_all(&greeting).is_err() {
        return Vec::new();
    }
    let mut answer = vec![0; 3073];
    if socket.read_exact(&mut answer).is_err() {
        return Vec::new();
    }
    let string = |text: &str| [&[2, 0, text.len() as u8][..], text.as_bytes()].concat();
    let command = |stream: u8, parts: &[&[u8]]| {
        let body = parts.concat();
        [&[3, 0, 0, 0, 0, 0, body.len() as u8, 20, stream, 0, 0, 0][..], &body].concat()
    };
    let one = [0, 0x3F, 0xF0, 0, 0, 0, 0, 0, 0];
    let object = [&[3, 0, 3][..], b"app", &string("live"), &[0, 0, 9]].concat();
    let mut talk = answer[1..1537].to_vec();
    talk.extend(command(0, &[&string("connect"), &one, &object]));
    talk.extend(command(0, &[&string("createStream"), &one, &[5]]));
    talk.extend(command(1, &[&string("publish"), &one, &[5], &string("x"), &string("live")]));
    socket.write_all(&talk).unwrap();
    let mut said = Vec::new();
    let mut bytes = [0; 4096];
    while !contains(&said, b"NetStream.Publish.") {
        match socket.read(&mut bytes) {
            Ok(0) | Err(_) => break,
            Ok(count) => said.extend_from_slice(&bytes[..count]),
        }
    }
    let _ = socket.shutdown(Shutdown::Both);
    said
}

fn contains(whole: &[u8], part: &[u8]) -> bool {
    whole.windows(part.len()).any(|window| window == part)
}

#[test]
fn a_trusted_proxy_is_believed_and_nobody_else() {
    let trusting = Server::start_with("[proxy]\ntrusted = [\"127.0.0.0/8\"]\n");
    // Through a proxy a key is needed, whomever it names, though the proxy itself is on this machine.
    let local = b"PROXY TCP4 127.0.0.1 127.0.0.1 40000 1935\r\n";
    assert!(contains(&publish_behind(&trusting, local), b"NetStream.Publish.Denied"));
    let nobody = b"PROXY UNKNOWN\r\n";
    assert!(contains(&publish_behind(&trusting, nobody), b"NetStream.Publish.Denied"));
    let remote = b"PROXY TCP4 203.0.113.7 127.0.0.1 40001 1935\r\n";
    assert!(contains(&publish_behind(&trusting, remote), b"NetStream.Publish.Denied"));
    let v2 = [
        b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0C".as_slice(),
        &[203, 0, 113, 8, 127, 0, 0, 1, 0x9C, 0x40, 7, 0x8F],
    ]
    .concat();
    assert!(contains(&publish_behind(&trusting, &v2), b"NetStream.Publish.Denied"));
    assert!(publish_behind(&trusting, b"").is_empty(), "a header must come");
    must_log(&trusting, &["203.0.113.7:40001", "203.0.113.8:40000", "it sends no PROXY header"]);

    let plain = Server::start();
    assert!(publish_behind(&plain, local).is_empty(), "nobody is trusted unless named");
}

#[test]
fn ipv6_is_served_and_dialled() {
    if std::net::TcpListener::bind("[::1]:0").is_err() {
        return println!("SKIPPED: this machine has no IPv6");
    }
    let server = Server::start_at("[::1]:0", "");
    assert!(server.rtmp_address().starts_with("[::1]:"), "{}", server.rtmp_address());
    let mut command = headwater();
    command.args(["publish", "--loop"]).arg(sources::testdata("keyframes.flv")).arg(server.rtmp(NAME));
    let _publisher = server.run("publish", command);
    server.wait_live(NAME);
    let mut command = headwater();
    command.args(["play", &server.rtmp(NAME), "--duration", "0.5"]);
    server.run("play", command).succeed(LIMIT_S);
}
