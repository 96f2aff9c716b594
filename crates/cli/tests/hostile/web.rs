//! Bad peers on the HTTP port: slow, endless, loud, or from where they should not come.

use std::time::{Duration, Instant};

use crate::bench::{Bench, QUICK};
use crate::peer::Peer;
use crate::players::FatStream;

/// `head_timeout_ms` of the quick configuration and room for a busy machine.
const SOON: Duration = Duration::from_millis(4000);

#[test]
fn a_head_that_comes_one_byte_a_second_is_cut_off() {
    let bench = Bench::start(QUICK);
    let mut silent = bench.http_peer();
    let mut slow = bench.http_peer();
    for byte in b"GET / HTTP" {
        slow.send(&[*byte]);
        if slow.read(Duration::from_millis(300)) == Some(0) {
            break;
        }
    }
    let mut kept_alive = bench.http_peer();
    kept_alive.send(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n").must_hear(b"ok\n");
    for peer in [&mut silent, &mut slow] {
        peer.must_be_closed(SOON);
        bench.must_complain_once(peer, "head_timeout_ms");
    }
    // A kept-alive connection that has nothing more to ask is closed without a word.
    kept_alive.must_be_closed(SOON + Duration::from_secs(2));
    bench.finish(8);
}

#[test]
fn a_body_that_never_comes_is_cut_off() {
    let bench = Bench::start(QUICK);
    let mut login = bench.http_peer();
    login.send(b"POST /login HTTP/1.1\r\nHost: a\r\nContent-Length: 500\r\n\r\ntoken=");
    login.must_be_closed(Duration::from_secs(8));
    let mut endless = bench.http_peer();
    endless.send(b"POST /login HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000000\r\n\r\n");
    for _ in 0..100 {
        endless.send(&[b'x'; 65_536]);
    }
    endless.must_be_closed(Duration::from_secs(10));
    bench.finish(8);
}

#[test]
fn a_viewer_that_never_reads_is_let_go() {
    let bench = Bench::start(QUICK);
    let mut fat = FatStream::start(bench.server.rtmp);
    let upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                   Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    let mut viewers: Vec<Peer> = Vec::new();
    for extra in ["", "", "", upgrade, upgrade] {
        let mut viewer = bench.http_peer();
        viewer.send(format!("GET /live/fat.flv HTTP/1.1\r\nHost: a\r\n{extra}\r\n").as_bytes());
        viewers.push(viewer);
    }
    let deadline = Instant::now() + Duration::from_secs(10);
    while viewers.iter().any(|viewer| bench.server.complaints(viewer.address()).is_empty()) {
        assert!(Instant::now() < deadline, "a viewer that never reads is still there");
        fat.send_for(Duration::from_millis(200));
    }
    for viewer in &viewers {
        bench.must_complain_once(viewer, "write_timeout_ms");
    }
    drop((viewers, fat));
    bench.finish(48);
}

/// A browser that has buffered enough of a film, or whose viewer has paused it, reads nothing for as long as it likes;
/// a viewer of a live stream who reads nothing has gone. The kernel has a limit of its own, of 20 s.
#[test]
fn a_film_that_is_paused_goes_on_afterwards() {
    let mut bench = Bench::start(&QUICK.replace("[http]", "[http]\nfilm_write_timeout_ms = 60000"));
    // Longer than what both kernels hold of it.
    let film: Vec<u8> = (0_u32..8 << 20).flat_map(u32::to_be_bytes).collect();
    bench.has_film("long.mp4", &film);
    let head = "GET /vod/long.mp4 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    let mut paused = bench.http_peer();
    paused.send(head.as_bytes());
    assert!(paused.read(Duration::from_secs(5)).is_some_and(|count| count > 0));
    std::thread::sleep(Duration::from_secs(26));
    while paused.read(Duration::from_secs(5)).is_some_and(|count| count > 0) {}
    assert!(paused.received.ends_with(&film), "{} bytes of {} came", paused.received.len(), film.len());
    assert!(bench.server.complaints(paused.address()).is_empty());
    bench.finish(64);
}

#[test]
fn a_film_that_is_never_read_on_is_let_go() {
    let mut bench = Bench::start(&QUICK.replace("[http]", "[http]\nfilm_write_timeout_ms = 4000"));
    bench.has_film("long.mp4", &vec![7; 32 << 20]);
    let mut gone = bench.http_peer();
    gone.send(b"GET /vod/long.mp4 HTTP/1.1\r\nHost: a\r\n\r\n");
    std::thread::sleep(Duration::from_millis(3000));
    assert!(bench.server.complaints(gone.address()).is_empty(), "later than a live viewer");
    std::thread::sleep(Duration::from_millis(3500));
    bench.must_complain_once(&gone, "film_write_timeout_ms");
    bench.finish(8);
}

#[test]
fn large_websocket_messages_end_the_connection() {
    let bench = Bench::start(QUICK);
    for length in [5000_u64, 1 << 20, 1 << 62] {
        let mut peer = bench.http_peer();
        peer.send(
            b"GET /live/healthy.flv HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
              Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        );
        peer.must_hear(b"101 Switching Protocols");
        let mut frame = vec![0x82, 0x80 | 127];
        frame.extend_from_slice(&length.to_be_bytes());
        frame.extend_from_slice(&[1, 2, 3, 4]);
        frame.resize(frame.len() + length.min(1 << 20) as usize, 0x55);
        peer.send(&frame);
        peer.must_be_closed(SOON);
        let address = peer.address().to_string();
        std::thread::sleep(Duration::from_millis(200));
        // A healthy RTMP peer may have the same port: the system counts them per destination.
        let ours = |line: &String| line.contains(&address) && line.contains("stopped watching");
        let lines = bench.server.log().into_iter().filter(ours).count();
        assert_eq!(lines, 1, "one line says why {address} was closed");
    }
    bench.finish(8);
}

#[test]
fn broken_requests_are_refused() {
    let bench = Bench::start(QUICK);
    let many = "X-A: b\r\n".repeat(500);
    let long = format!("X-A: {}\r\n", "b".repeat(1 << 20));
    let path = "x".repeat(100_000);
    let chunked =
        |body: &str| format!("POST /login HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{body}");
    let cases = [
        (format!("GET / HTTP/1.1\r\nHost: a\r\n{many}\r\n"), "431"),
        (format!("GET / HTTP/1.1\r\nHost: a\r\n{long}\r\n"), "431"),
        (format!("GET /{path} HTTP/1.1\r\nHost: a\r\n\r\n"), "414"),
        ("GET / HTTP/9.9\r\n\r\n".into(), "400"),
        ("NONSENSE\r\n\r\n".into(), "400"),
        ("\x00\x01\x02\r\n\r\n".into(), "400"),
        ("GET /\x1b[31m HTTP/1.1\r\nHost: a\r\n\r\n".into(), "400"),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -5\r\n\r\n".into(), "400"),
        (chunked("FFFFFFFFFFFFFFFFFF\r\n"), "400"),
        (chunked("ZZ\r\nabc\r\n0\r\n\r\n"), "400"),
        (chunked("-1\r\n"), "400"),
        (chunked("3\r\nabcX\r\n"), "400"),
        (chunked("600\r\n"), "408"),
        (
            "POST /login HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n".into(),
            "501",
        ),
        ("GET /healthz HTTP/1.1\r\n\r\n".into(), "400"),
        ("GET /healthz HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n".into(), "400"),
        ("GET /healthz HTTP/1.1\r\nHost: a b\r\n\r\n".into(), "400"),
        ("GET /healthz HTTP/1.1\r\nHost: a\r\nX-A: b\r\n c\r\n\r\n".into(), "400"),
        ("GET /healthz HTTP/1.1\r\nHost: a\r\nX-A : b\r\n\r\n".into(), "400"),
        ("G@T /healthz HTTP/1.1\r\nHost: a\r\n\r\n".into(), "400"),
        ("GET healthz HTTP/1.1\r\nHost: a\r\n\r\n".into(), "400"),
        ("GET ftp://a/healthz HTTP/1.1\r\nHost: a\r\n\r\n".into(), "400"),
        (format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "x".repeat(20_000)), "414"),
    ];
    for (request, status) in cases {
        let shown = &request[..request.len().min(60)];
        let mut peer = bench.http_peer();
        peer.send(request.as_bytes());
        peer.must_be_closed(Duration::from_secs(6));
        let answer = String::from_utf8_lossy(&peer.received);
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{shown:?}: {answer:?}");
    }
    bench.finish(8);
}

#[test]
fn only_what_is_asked_for_may_be_posted() {
    let bench = Bench::start(QUICK);
    let paths = [
        "/",
        "/api/v1/streams",
        "/api/v1/streams/live/healthy",
        "/api/v1/info",
        "/metrics",
        "/healthz",
        "/readyz",
        "/live/healthy.flv",
        "/watch/live/healthy",
        "/nothing",
    ];
    for path in paths {
        for method in ["POST", "PUT", "DELETE", "PATCH"] {
            // An operator stops a stream so.
            if method == "DELETE" && path == "/api/v1/streams/live/healthy" {
                continue;
            }
            let head =
                format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{{}}");
            let answer = bench.request(&head);
            assert!(answer.starts_with("HTTP/1.1 405"), "{method} {path}: {answer}");
        }
    }
    bench.finish(8);
}

#[test]
fn the_console_is_closed_to_strangers() {
    let bench = Bench::start(QUICK);
    let token = bench.server.admin_token();
    let strange = [
        "Host: evil.example:8080\r\n",
        "Host: 127.0.0.1.evil.example\r\n",
        "Host: localhost\r\nX-Forwarded-For: 203.0.113.7\r\n",
        "Host: localhost\r\nForwarded: for=203.0.113.7\r\n",
        "Host: localhost\r\nX-Real-IP: 203.0.113.7\r\n",
        "Host: localhost\r\nVia: 1.1 proxy\r\n",
        "Host: evil.example\r\nAuthorization: Bearer wrong\r\n",
        "Host: evil.example\r\nAuthorization: Bearer \r\n",
        "Host: evil.example\r\nCookie: headwater_session=\r\n",
        "Host: evil.example\r\nCookie: headwater_session=bcdfghjkmnpqbcdfghjkmnpqbc\r\n",
    ];
    for headers in strange {
        for (path, refusal) in [("/", "303"), ("/api/v1/streams", "401"), ("/metrics", "401")] {
            let answer = bench.request(&format!("GET {path} HTTP/1.1\r\n{headers}"));
            assert!(answer.starts_with(&format!("HTTP/1.1 {refusal}")), "{path} with {headers:?}: {answer}");
            assert!(!answer.contains("live/healthy"), "{path} with {headers:?} tells: {answer}");
            if path == "/" {
                assert!(answer.contains("Location: /login"), "{answer}");
            }
        }
        let answer = bench.request("GET http://evil.example/api/v1/streams HTTP/1.1\r\nHost: localhost\r\n");
        assert!(answer.starts_with("HTTP/1.1 401"), "a target that names its host wins: {answer}");
        // A viewer may ask about one stream, and is not told who publishes it.
        let answer = bench.request(&format!("GET /api/v1/streams/live/healthy HTTP/1.1\r\n{headers}"));
        assert!(answer.contains("\"publisher\":null"), "{answer}");
    }
    let login =
        format!("POST /login HTTP/1.1\r\nHost: evil.example\r\nContent-Length: {}\r\n", 6 + token.len());
    let begun = bench.post(&login, &format!("token={token}"));
    let session = begun.split("headwater_session=").nth(1).and_then(|rest| rest.split(';').next()).unwrap();
    for credentials in
        [format!("Authorization: Bearer {token}\r\n"), format!("Cookie: headwater_session={session}\r\n")]
    {
        for path in ["/", "/api/v1/streams", "/metrics"] {
            let answer =
                bench.request(&format!("GET {path} HTTP/1.1\r\nHost: evil.example\r\n{credentials}"));
            assert!(answer.starts_with("HTTP/1.1 200"), "{path}: {answer}");
            assert!(!answer.to_lowercase().contains("access-control-allow-origin"), "{path}: {answer}");
        }
    }
    assert!(!bench.server.log().concat().contains(&token), "the token is in the log");
    bench.finish(8);
}
