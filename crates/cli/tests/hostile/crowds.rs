//! Connections in masses: nothing of them remains, and their number has a limit.

use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use socket2::SockRef;

use crate::bench::{Bench, QUICK};
use crate::peer::{Peer, greeting};

/// Connects and leaves, in a way that depends on `number`.
fn come_and_go(rtmp: SocketAddr, http: SocketAddr, number: usize) {
    let mut peer = Peer::dial(if number % 4 == 3 { http } else { rtmp });
    match number % 4 {
        0 => {}
        1 => drop(peer.send(&greeting()[..100])),
        2 => drop(peer.send(&greeting())),
        _ => drop(peer.send(b"GET /healthz HTTP/1.1\r\n")),
    }
    reset(&peer.socket);
}

/// The socket closes with a reset and leaves no port waiting.
fn reset(socket: &TcpStream) {
    SockRef::from(socket).set_linger(Some(Duration::ZERO)).unwrap();
}

#[test]
fn ten_thousand_short_connections_leave_nothing() {
    let bench = Bench::start(QUICK);
    let (rtmp, http) = (bench.server.rtmp, bench.server.http);
    let settled_kib = || {
        bench.must_be_quiet();
        bench.server.rss_kib()
    };
    // The allocator reaches its plateau after some 18,000 connections; from there on it must stay flat.
    (0..20_000).for_each(|number| come_and_go(rtmp, http, number));
    let warm_kib = settled_kib();
    (0..10_000).for_each(|number| come_and_go(rtmp, http, number));
    let grown_kib = settled_kib().saturating_sub(warm_kib);
    assert!(grown_kib < 4 << 10, "10,000 more connections took {grown_kib} KiB");
    bench.finish(12);
}

#[test]
fn connections_are_limited_at_the_edge() {
    // Two of the ten are the healthy pair's.
    let config =
        QUICK.replace("[rtmp]", "[rtmp]\nconnections_max = 10").replace("setup_timeout_ms = 1500\n", "");
    let bench = Bench::start(&config.replace("[http]", "[http]\nconnections_max = 3"));
    let mut guests: Vec<Peer> = (0..8)
        .map(|_| {
            let mut guest = bench.peer();
            guest.connect("live");
            guest
        })
        .collect();
    let mut surplus = bench.peer();
    surplus.must_be_closed(Duration::from_secs(2));
    std::thread::sleep(Duration::from_millis(100));
    let lines = bench.server.complaints(surplus.address());
    assert!(lines.len() == 1 && lines[0].contains("connections_max"), "{lines:?}");

    // A seat that becomes free is given away again.
    drop(guests.pop());
    std::thread::sleep(Duration::from_millis(300));
    let mut next = bench.peer();
    next.connect("live");

    let visitors: Vec<Peer> = (0..3).map(|_| bench.http_peer()).collect();
    std::thread::sleep(Duration::from_millis(100));
    let mut surplus = bench.http_peer();
    surplus.must_be_closed(Duration::from_secs(2));
    drop((guests, next, visitors));
    std::thread::sleep(Duration::from_millis(300));
    bench.api_must_answer();
    bench.finish(8);
}

#[test]
fn running_out_of_descriptors_is_survived() {
    let bench = Bench::start_limited(QUICK, 64);
    let mut crowd: Vec<Peer> = (0..120).map(|_| bench.peer()).collect();
    std::thread::sleep(Duration::from_millis(500));
    bench.must_have_grown_less(8);
    crowd.iter().for_each(|peer| reset(&peer.socket));
    crowd.clear();
    std::thread::sleep(Duration::from_millis(500));
    bench.api_must_answer();
    let lines = bench.server.log().iter().filter(|line| line.contains("cannot accept")).count();
    // One each 100 ms, and one more when a connection ends and its seat is tried at once.
    assert!((1..150).contains(&lines), "{lines} lines about the lack of descriptors");
    bench.finish(8);
}
