//! HTTP/2 over TLS: what curl gets, and a client of our own for many requests on one connection, peers that take nothing
//! and peers that break the rules.

use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::future;
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::client::conn::http2::{Builder, SendRequest};
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::harness::Server;
use crate::program::{Program, needs};
use crate::recording::{assert_received, whole};
use crate::sources;
use crate::transports::{Certificates, must_log};

const NAME: &str = "camera";
const LIMIT_S: u64 = 60;
/// How long anything that should be there soon may take, on a busy machine.
const SOON: Duration = Duration::from_secs(20);
/// A window so small that an answer that is not read stops at once.
const WINDOW: u32 = 1024;

/// A connection of our own.
struct Client {
    requests: SendRequest<Empty<Bytes>>,
    port: u16,
    /// Ends with the connection.
    connection: JoinHandle<hyper::Result<()>>,
}

/// TLS with the server, where both have agreed on HTTP/2.
async fn shake_hands(server: &Server, certificates: &Certificates) -> TlsStream<TcpStream> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(certificates.root()).unwrap()).unwrap();
    let provider = std::sync::Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let mut config = config.unwrap().with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec(), b"h2".to_vec()];
    let socket = TcpStream::connect(("127.0.0.1", server.tls_ports().1)).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let stream = TlsConnector::from(std::sync::Arc::new(config)).connect(name, socket).await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]), "the server would rather speak HTTP/2");
    stream
}

impl Client {
    async fn connect(server: &Server, certificates: &Certificates) -> Self {
        let stream = TokioIo::new(shake_hands(server, certificates).await);
        let mut builder = Builder::new(TokioExecutor::new());
        builder.initial_stream_window_size(WINDOW);
        let (requests, connection) = builder.handshake(stream).await.unwrap();
        Self { requests, port: server.tls_ports().1, connection: tokio::spawn(connection) }
    }

    async fn ask(&self, path: &str) -> Response<Incoming> {
        let url = format!("https://localhost:{}{path}", self.port);
        let request = Request::get(url).body(Empty::new()).unwrap();
        self.requests.clone().send_request(request).await.unwrap()
    }

    async fn text(&self, path: &str) -> (StatusCode, String) {
        let answer = self.ask(path).await;
        let (status, body) = (answer.status(), answer.into_body().collect().await.unwrap().to_bytes());
        (status, String::from_utf8_lossy(&body).into_owned())
    }
}

/// curl over HTTP/2; what it has printed, its version of HTTP first.
fn curl(server: &Server, certificates: &Certificates, path: &str, more: &[&str]) -> Program {
    let mut command = Command::new("curl");
    command.args(["-sS", "-w", "HTTP/%{http_version} %{http_code}", "--max-time", "50", "--cacert"]);
    command.arg(certificates.root()).args(more);
    command.arg(format!("https://localhost:{}{path}", server.tls_ports().1));
    server.run("curl", command)
}

/// A stream without an end.
fn publish_endlessly(server: &Server) -> Program {
    let source = format!("-re -stream_loop -1 -i {} -c copy -f flv", sources::plain().display());
    server.ffmpeg("publish", &source, server.rtmp(NAME))
}

/// Reads a body until it has so many bytes more.
async fn read_on(body: &mut Incoming, bytes_min: usize) {
    let mut read = 0;
    while read < bytes_min {
        let frame = tokio::time::timeout(SOON, body.frame()).await.expect("it goes on");
        read += frame.expect("it does not end").expect("nothing is wrong").into_data().unwrap().len();
    }
}

#[test]
fn curl_gets_a_film_and_its_parts_and_a_live_stream() {
    needs!("ffmpeg", "ffprobe", "curl");
    let certificates = Certificates::make("http2-curl");
    let media = sources::plain();
    let server = certificates.server(&format!("media = {:?}\n", media.parent().unwrap()));
    let (bytes, out) = (fs::read(&media).unwrap(), server.file("film"));
    let out = ["-o", out.to_str().unwrap()];
    let path = format!("/vod/{}", media.file_name().unwrap().to_str().unwrap());
    let end = bytes.len() - 1;
    for (range, expected) in [("", &bytes[..]), ("100-70099", &bytes[100..=70_099]), ("-1", &bytes[end..])] {
        for version in ["--http2", "--http1.1"] {
            let ranged = if range.is_empty() { vec![version] } else { vec![version, "-r", range] };
            let mut get = curl(&server, &certificates, &path, &[&out[..], &ranged].concat());
            get.succeed(LIMIT_S);
            let (spoken, status) =
                (version.trim_start_matches("--http"), if range.is_empty() { 200 } else { 206 });
            assert_eq!(get.log(), format!("HTTP/{spoken} {status}"));
            assert!(fs::read(out[1]).unwrap() == expected, "{range} over {version}");
        }
    }
    let received = server.file("received.flv");
    let to = ["-o", received.to_str().unwrap()];
    let mut player = curl(&server, &certificates, &format!("/live/{NAME}.flv"), &to);
    server.wait_viewers(NAME, 1);
    server.publish(&media, NAME).succeed(LIMIT_S);
    player.succeed(LIMIT_S);
    assert_eq!(player.log(), "HTTP/2 200");
    assert_received(&media, &received, whole);
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_reloads_wait_on_one_connection_and_hold_nobody_up() {
    needs!("ffmpeg");
    let certificates = Certificates::make("http2-hls");
    let server = certificates.server("");
    let _publisher = publish_endlessly(&server);
    server.wait_live(NAME);
    let client = Client::connect(&server, &certificates).await;
    let playlist = format!("/live/{NAME}/hls/video-0.m3u8");
    let (status, now) = client.text(&playlist).await;
    assert_eq!(status, 200, "{now}");
    let first = now.lines().find_map(|line| line.strip_prefix("#EXT-X-MEDIA-SEQUENCE:")).unwrap();
    let awaited = first.parse::<u64>().unwrap() + now.matches("#EXTINF:").count() as u64 + 1;
    let awaited = format!("{playlist}?_HLS_msn={awaited}");
    let reloads = future::join_all((0..10).map(|_| client.text(&awaited)));
    let meanwhile = async {
        for _ in 0..20 {
            assert_eq!(client.text("/healthz").await.0, 200);
        }
        Instant::now()
    };
    let reloads = async { (reloads.await, Instant::now()) };
    let ((answers, answered), asked) = future::join(reloads, meanwhile).await;
    assert!(asked < answered, "the others are answered while these wait");
    for (status, text) in &answers {
        assert_eq!((*status, text), (StatusCode::OK, &answers[0].1));
        assert!(text.matches("#EXTINF:").count() > now.matches("#EXTINF:").count(), "{text}");
    }
    let metrics = server.request("GET", "/metrics");
    assert!(metrics.contains("headwater_http2_connections 1\n"), "{metrics}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_takes_no_more_of_an_answer_loses_it_and_keeps_the_others() {
    needs!("ffmpeg");
    let certificates = Certificates::make("http2-stall");
    let media = sources::plain();
    let limits = "[http]\nwrite_timeout_ms = 1000\nwrite_min_bytes = 1\nfilm_write_timeout_ms = 2000\n";
    let server = certificates.server(&format!("media = {:?}\n{limits}", media.parent().unwrap()));
    let _publisher = publish_endlessly(&server);
    server.wait_live(NAME);
    let client = Client::connect(&server, &certificates).await;
    let (live, film) =
        (format!("/live/{NAME}.flv"), format!("/vod/{}", media.file_name().unwrap().to_str().unwrap()));
    let (stalled_live, stalled_film) = (client.ask(&live).await, client.ask(&film).await);
    let mut watched = client.ask(&live).await.into_body();
    server.wait_viewers(NAME, 2);
    let deadline = Instant::now() + SOON;
    let is_told = |key: &str, path: &str| {
        let log = server.program.log();
        log.lines().any(|line| line.contains(&format!("limit {key}")) && line.contains(path))
    };
    while !is_told("write_timeout_ms", &live) || !is_told("film_write_timeout_ms", &film) {
        assert!(Instant::now() < deadline, "nobody is let go");
        read_on(&mut watched, 1000).await;
    }
    for stalled in [stalled_live, stalled_film] {
        assert_eq!(stalled.status(), 200);
        let rest = tokio::time::timeout(SOON, stalled.into_body().collect()).await.expect("it ends");
        assert!(rest.is_err(), "it is broken off");
    }
    read_on(&mut watched, 50_000).await;
    assert_eq!(client.text("/healthz").await.0, 200, "the connection stands");
    server.wait_until(NAME, "watched by one", |stream| stream["viewers"].as_u64() == Some(1));
    drop(watched);
    server.wait_until(NAME, "left", |stream| stream["viewers"].as_u64() == Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_stops_says_so_and_ends_what_it_sends() {
    needs!("ffmpeg");
    let certificates = Certificates::make("http2-stop");
    let mut server = certificates.server("");
    let _publisher = publish_endlessly(&server);
    server.wait_live(NAME);
    let client = Client::connect(&server, &certificates).await;
    let mut live = client.ask(&format!("/live/{NAME}.flv")).await.into_body();
    read_on(&mut live, 1000).await;
    server.program.signal("TERM");
    let rest = tokio::time::timeout(SOON, live.collect()).await.expect("it ends");
    assert!(rest.is_ok(), "the stream has an orderly end: {rest:?}");
    let ended = tokio::time::timeout(SOON, client.connection).await.expect("the connection ends").unwrap();
    assert!(ended.is_ok(), "it was told to go (GOAWAY): {ended:?}");
    server.program.succeed(LIMIT_S);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_for_nothing_more_is_let_go() {
    let certificates = Certificates::make("http2-idle");
    let server = certificates.server("[http]\nhead_timeout_ms = 1000\n");
    let client = Client::connect(&server, &certificates).await;
    assert_eq!(client.text("/healthz").await.0, 200);
    let ended = tokio::time::timeout(SOON, client.connection).await.expect("the connection ends").unwrap();
    assert!(ended.is_ok(), "it was told to go (GOAWAY): {ended:?}");
    let mut silent = shake_hands(&server, &certificates).await;
    let heard = tokio::time::timeout(SOON, silent.read_to_end(&mut Vec::new())).await;
    assert!(heard.is_ok(), "it is not waited for");
    must_log(&server, &["no request came within 1000 ms"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_is_for_one_host_and_has_a_head_that_is_not_too_long() {
    let certificates = Certificates::make("http2-host");
    let server = certificates.server("");
    let client = Client::connect(&server, &certificates).await;
    let url = format!("https://localhost:{}/healthz", server.tls_ports().1);
    for (host, status) in [("elsewhere.example", 400), (&url[8..url.len() - 8], 200)] {
        let request = Request::get(&url).header("host", host).body(Empty::new()).unwrap();
        let answer = client.requests.clone().send_request(request).await.unwrap();
        assert_eq!(answer.status(), status, "{host}");
    }
    let mut request = Request::get(&url);
    for at in 0..7 {
        request = request.header(format!("x-{at}"), "x".repeat(10_000));
    }
    let answer = client.requests.clone().send_request(request.body(Empty::new()).unwrap()).await;
    assert_eq!(answer.unwrap().status(), StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
    let long = client.text(&format!("/{}", "x".repeat(20 << 10))).await;
    assert_eq!(long.0, StatusCode::URI_TOO_LONG);
}

/// A frame as it goes on the wire (RFC 9113, 4.1).
fn frame(kind: u8, flags: u8, stream: u32, content: &[u8]) -> Vec<u8> {
    let mut bytes = (content.len() as u32).to_be_bytes()[1..].to_vec();
    bytes.extend_from_slice(&[kind, flags]);
    bytes.extend_from_slice(&stream.to_be_bytes());
    bytes.extend_from_slice(content);
    bytes
}

/// The error that the connection ends with, of all frames that came.
fn goaway(mut frames: &[u8]) -> Option<u32> {
    while let [length @ .., kind, _, _, _, _, _] = frames.get(..9)? {
        let length = length.iter().fold(0, |length, byte| length << 8 | usize::from(*byte));
        let content = frames.get(9..9 + length)?;
        if *kind == 7 {
            return Some(u32::from_be_bytes(content.get(4..8)?.try_into().unwrap()));
        }
        frames = &frames[9 + length..];
    }
    None
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_and_takes_it_back_again_and_again_is_cut_off() {
    let certificates = Certificates::make("http2-reset");
    let server = certificates.server("");
    let mut flood = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    flood.extend(frame(4, 0, 0, &[]));
    // GET, https, /, and a literal :authority.
    let head = [&[0x82, 0x87, 0x84, 0x41, 9][..], b"localhost"].concat();
    for stream in (1..400).step_by(2) {
        flood.extend(frame(1, 0x5, stream, &head));
        flood.extend(frame(3, 0, stream, &8_u32.to_be_bytes()));
    }
    let mut attacker = shake_hands(&server, &certificates).await;
    attacker.write_all(&flood).await.unwrap();
    let mut said = Vec::new();
    let _ = tokio::time::timeout(SOON, attacker.read_to_end(&mut said)).await.expect("it is cut off");
    assert_eq!(goaway(&said), Some(0xb), "ENHANCE_YOUR_CALM");
    must_log(&server, &["no HTTP/2"]);
    let client = Client::connect(&server, &certificates).await;
    assert_eq!(client.text("/healthz").await.0, 200, "others are served");
}
