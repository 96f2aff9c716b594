//! Peers that never get past the door: wrong protocols, halves of handshakes, silence.

use std::time::Duration;

use crate::bench::{Bench, QUICK};
use crate::peer::greeting;

/// `setup_timeout_ms` of the quick configuration, one tick of the deadlines, and room for a busy machine.
const SOON: Duration = Duration::from_millis(4500);

#[test]
fn a_peer_that_speaks_something_else_is_told_apart_and_closed() {
    let bench = Bench::start(QUICK);
    let tls: &[u8] = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03";
    let rtmpe = [&[6], &greeting()[1..]].concat();
    let cases: [(&[u8], &str); 5] = [
        (b"GET /live/healthy.flv HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP"),
        (tls, "TLS"),
        (&rtmpe, "RTMPE"),
        (&[0xFF; 5000], "0xff"),
        (b"\x7f\x00\x1b[31m\n", "0x7f"),
    ];
    for (bytes, reason) in cases {
        let mut peer = bench.peer();
        peer.send(bytes);
        bench.must_let_go(&mut peer, Duration::from_secs(2), reason);
    }
    bench.finish(8);
}

#[test]
fn a_peer_that_falls_silent_is_let_go_in_time() {
    let bench = Bench::start(QUICK);
    let mut silent = bench.peer();
    let mut half = bench.peer();
    half.send(&greeting()[..700]);
    let mut greeted = bench.peer();
    greeted.handshake();
    let mut connected = bench.peer();
    connected.connect("live");
    let mut created = bench.peer();
    created.create_stream();
    for peer in [&mut silent, &mut half, &mut greeted, &mut connected, &mut created] {
        bench.must_let_go(peer, SOON, "setup_timeout_ms");
    }
    assert!(bench.server.complaints(half.address())[0].contains("handshake"));
    bench.finish(8);
}

#[test]
fn garbage_in_place_of_chunks_is_refused() {
    let bench = Bench::start(QUICK);
    for seed in 1..=20_u32 {
        let mut state = seed;
        let garbage: Vec<u8> = std::iter::repeat_with(|| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        })
        .take(20_000)
        .collect();
        let mut peer = bench.peer();
        peer.handshake().send(&garbage);
        bench.must_let_go(&mut peer, SOON, "let go");
    }
    bench.finish(8);
}

/// The bounds that hold where nobody configures anything, each asserted from both sides.
#[test]
fn by_default_silence_is_bounded() {
    let bench = Bench::start("");
    let mut publisher = bench.peer();
    publisher.publish("silent");
    let mut http = bench.http_peer();
    let mut rtmp = bench.peer();
    let cases = [
        (&mut rtmp, 9, 13, "setup_timeout_ms"),
        (&mut http, 14, 18, "head_timeout_ms"),
        (&mut publisher, 19, 25, "read_timeout_ms"),
    ];
    for (peer, earliest_s, latest_s, reason) in cases {
        bench.must_let_go(peer, Duration::from_secs(latest_s), reason);
        let age = peer.age();
        assert!(age > Duration::from_secs(earliest_s), "{reason} came too early, after {age:?}");
    }
    bench.finish(8);
}
