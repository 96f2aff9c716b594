//! Names that try to leave their place, to break a log line, to be endless or to run out; on RTMP and on HTTP.

use std::time::Duration;

use headwater_rtmp::command::Command;

use crate::bench::{Bench, QUICK};

const AT_ONCE: Duration = Duration::from_secs(4);

/// `(app, name)` that no server should take.
fn bad_names() -> Vec<(&'static str, String)> {
    vec![
        ("live", "..".into()),
        ("live", "../../etc/passwd".into()),
        ("live", "a/../b".into()),
        ("live", "a/./b".into()),
        ("live", "%2e%2e/secret".into()),
        ("live", "..%2f..%2fetc".into()),
        ("live", "nul\0byte".into()),
        ("live", "nul%00byte".into()),
        ("live", "line\nbreak".into()),
        ("live", "line\r\n2026-01-01T00:00:00Z  INFO all is well".into()),
        ("live", "\x1b[31mred\x1b[0m".into()),
        ("live", "%1b[2J".into()),
        ("live", "c1\u{9b}31m".into()),
        ("live", "right\u{202e}left".into()),
        ("live", "line\u{2028}separator".into()),
        ("live", "x".repeat(60_000)),
        ("..", "a".into()),
        ("live\n", "a".into()),
    ]
}

#[test]
fn bad_names_are_refused_on_rtmp() {
    let bench = Bench::start(QUICK);
    for verb in ["publish", "play"] {
        for (app, name) in bad_names() {
            let mut peer = bench.peer();
            peer.connect(app).command(0, &Command::new("createStream", 2.0));
            peer.must_hear(b"_result");
            peer.command(1, &Command::new(verb, 3.0).with(name.as_str()));
            let refusal: &[u8] = if verb == "publish" {
                b"NetStream.Publish.BadName"
            } else {
                b"NetStream.Play.StreamNotFound"
            };
            peer.must_hear(refusal);
            bench.must_let_go(&mut peer, AT_ONCE, "let go");
        }
    }
    let streams = bench.api_must_answer();
    assert_eq!(streams.matches("\"path\"").count(), 1, "only the healthy stream is there: {streams}");
    bench.finish(8);
}

#[test]
fn names_of_only_slashes_name_nothing() {
    let bench = Bench::start(QUICK);
    // The app's own name stands in for an empty one (GoPro): nothing leaves `live`.
    let mut peer = bench.peer();
    peer.create_stream().command(1, &Command::new("publish", 3.0).with("////"));
    peer.must_hear(b"NetStream.Publish.Start");
    assert!(bench.api_must_answer().contains("\"live/live\""));
    let mut nameless = bench.peer();
    nameless.connect("///").command(0, &Command::new("createStream", 2.0));
    nameless.must_hear(b"_result");
    nameless.command(1, &Command::new("publish", 3.0).with("///"));
    nameless.must_hear(b"NetStream.Publish.BadName");
    bench.must_let_go(&mut nameless, AT_ONCE, "let go");
    drop(peer);
    bench.finish(8);
}

#[test]
fn odd_but_legal_names_stay_one_log_line() {
    let bench = Bench::start(QUICK);
    for name in ["<img src=x onerror=alert(1)>", "ünïcode 文字", "'\"; rm -rf \\"] {
        let mut peer = bench.peer();
        peer.create_stream().command(1, &Command::new("play", 3.0).with(name));
        // It waits for its stream, and is told in time that there is none.
        peer.must_hear(b"NetStream.Play.StreamNotFound");
        bench.must_let_go(&mut peer, Duration::from_secs(8), "Nobody publishes");
    }
    bench.finish(8);
}

#[test]
fn long_and_loud_clients_do_not_fill_the_log() {
    let bench = Bench::start(QUICK);
    let mut peer = bench.peer();
    let loud = headwater_media::amf::Object::new()
        .with("app", "live")
        .with("flashVer", format!("\x1b[5m\r\n{}", "L".repeat(50_000)).as_str());
    peer.handshake().command(0, &Command::new("connect", 1.0).object(loud));
    peer.must_hear(b"NetConnection.Connect.Success");
    peer.command(0, &Command::new("createStream", 2.0)).must_hear(b"_result");
    peer.command(1, &Command::new("publish", 3.0).with("loud")).must_hear(b"NetStream.Publish.Start");
    drop(peer);
    let mut long_command = bench.peer();
    long_command.handshake().command(0, &Command::new(&"c".repeat(60_000), 1.0));
    bench.must_let_go(&mut long_command, AT_ONCE, "before `connect`");
    bench.finish(8);
}

#[test]
fn bad_names_are_refused_on_http() {
    let bench = Bench::start(QUICK);
    let long = format!("/live/{}.flv", "x".repeat(60_000));
    let cases = [
        ("/live/../../etc/passwd.flv", "400"),
        ("/live/..%2f..%2fetc/passwd.flv", "400"),
        ("/%2e%2e/%2e%2e/etc/passwd", "404"),
        ("/live/%2e%2e.flv", "400"),
        ("/live/nul%00byte.flv", "400"),
        ("/live/line%0abreak.flv", "400"),
        ("/live/%1b[31mred.flv", "400"),
        ("/live/%e2%80%ae.flv", "400"),
        ("/live/%ff%fe.flv", "400"),
        ("/live/%zz%.flv", "404"),
        ("/////.flv", "400"),
        ("/.flv", "400"),
        ("/live.flv", "400"),
        (&long, "4"),
        ("/../../../../etc/passwd", "404"),
        // The page is the same for every name.
        ("/watch/../../etc/passwd", "200"),
        ("/..%5c..%5cwindows", "404"),
        ("/api/v1/streams/live/..%2f..", "400"),
        ("/api/v1/streams/live/%0a", "400"),
    ];
    for (path, status) in cases {
        let answer = bench.request(&format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n"));
        let shown = &path[..path.len().min(60)];
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{shown}: {answer}");
        assert!(!answer.contains("root:"), "{shown}: {answer}");
    }
    bench.finish(8);
}

#[test]
fn names_that_are_published_and_left_take_nobodys_place() {
    let config = QUICK.replace("[streams]", "[streams]\nstreams_max = 8");
    let bench = Bench::start(&config.replace("reconnect_window_ms = 1000", "reconnect_window_ms = 60000"));
    // A viewer keeps its stream, however long its publisher is away.
    bench.peer().publish("watched");
    let mut viewer = bench.peer();
    viewer.create_stream().command(1, &Command::new("play", 3.0).with("watched"));
    viewer.must_hear(b"NetStream.Play.Start");
    for number in 0..200 {
        bench.peer().publish(&format!("left{number}"));
    }
    let mut last = bench.peer();
    last.publish("last");
    let streams = bench.api_must_answer();
    assert_eq!(streams.matches("\"path\"").count(), 8, "{streams}");
    for name in ["live/healthy", "live/watched", "live/last"] {
        assert!(streams.contains(&format!("{name:?}")), "{name} is not in {streams}");
    }
    // Page by page they are the same.
    let page = |query: &str| {
        let answer = bench.request(&format!("GET /api/v1/streams{query} HTTP/1.1\r\nHost: localhost\r\n"));
        serde_json::from_str::<serde_json::Value>(answer.split("\r\n\r\n").nth(1).unwrap()).unwrap()
    };
    let (mut paths, mut query) = (Vec::new(), "?limit=3".to_owned());
    loop {
        let page = page(&query);
        assert_eq!(page["total"], 8);
        paths.extend(page["streams"].as_array().unwrap().iter().map(|stream| stream["path"].to_string()));
        let Some(next) = page["next"].as_str() else { break };
        query = format!("?limit=3&after={}", next.replace('/', "%2F"));
    }
    let all = page("")["streams"]
        .as_array()
        .unwrap()
        .iter()
        .map(|stream| stream["path"].to_string())
        .collect::<Vec<_>>();
    assert_eq!((paths.len(), &paths), (8, &all));
    let metrics = bench.request("GET /metrics HTTP/1.1\r\nHost: localhost\r\n");
    let gave_way = metrics.lines().find_map(|line| line.strip_prefix("headwater_streams_gave_way_total "));
    assert_eq!(gave_way, Some("195"), "{metrics}");
    drop((viewer, last));
    bench.finish(8);
}
