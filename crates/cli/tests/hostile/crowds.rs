//! Connections in masses: nothing of them remains, and their number has a limit.

use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use headwater_rtmp::command::Command;
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
    bench.must_note(surplus.address(), "connections_max");

    // A seat that becomes free is given away again.
    drop(guests.pop());
    std::thread::sleep(Duration::from_millis(300));
    let mut next = bench.peer();
    next.connect("live");

    let visitors: Vec<Peer> = (0..3).map(|_| bench.http_peer()).collect();
    std::thread::sleep(Duration::from_millis(100));
    // Operators are let in all the same.
    let answer = bench.request("GET /live/healthy.flv HTTP/1.1\r\nHost: localhost\r\n");
    assert!(answer.starts_with("HTTP/1.1 503") && answer.contains("no room"), "{answer}");
    bench.api_must_answer();
    drop((guests, next, visitors));
    std::thread::sleep(Duration::from_millis(300));
    bench.api_must_answer();
    bench.finish(8);
}

#[test]
fn running_out_of_descriptors_leaves_the_operator_a_door() {
    let bench = Bench::start_limited(QUICK, 64);
    let must_be_reached = |crowd: &mut Vec<Peer>| {
        bench.must_have_grown_less(8);
        for _ in 0..5 {
            bench.api_must_answer();
        }
        assert!(bench.request("GET /live/healthy.flv HTTP/1.1\r\nHost: localhost\r\n").contains(" 503 "));
        crowd.iter().for_each(|peer| reset(&peer.socket));
        crowd.clear();
        bench.must_be_quiet();
    };
    must_be_reached(&mut (0..120).map(|_| bench.peer()).collect());
    must_be_reached(&mut (0..120).map(|_| bench.http_peer()).collect());
    let metrics = bench.request("GET /metrics HTTP/1.1\r\nHost: localhost\r\n");
    assert!(metrics.contains("headwater_refused_total{door=\"rtmp\",reason=\"open_files\"}"), "{metrics}");
    let log = bench.server.log();
    let count = |text: &str| log.iter().filter(|line| line.contains(text)).count();
    assert!((1..8).contains(&count("open_files")), "{log:#?}");
    assert_eq!(count("cannot accept"), 0, "{log:#?}");
    bench.finish(8);
}

#[test]
fn one_address_takes_nobody_elses_place() {
    let limits = "connections_per_address_max = 3\n";
    let config = QUICK.replace("[rtmp]\n", &format!("[rtmp]\npublishers_per_address_max = 1\n{limits}"));
    let config = config.replace("[http]\n", &format!("[http]\n{limits}"));
    let bench =
        Bench::start(&format!("{config}[proxy]\ntrusted = [\"127.0.0.2\"]\n[access]\npublish = \"open\"\n"));
    let from = |address: &str, server| {
        let mut peer = Peer::dial_from([127, 0, 0, 2].into(), server);
        peer.send(format!("PROXY TCP4 {address} 192.0.2.9 5000 1935\r\n").as_bytes());
        peer
    };
    let rtmp = bench.server.rtmp;
    let mut crowd: Vec<Peer> = (0..3).map(|_| from("192.0.2.1", rtmp)).collect();
    for peer in &mut crowd {
        peer.connect("live");
    }
    from("192.0.2.1", rtmp).must_be_closed(Duration::from_secs(2));
    bench.server.await_log("its address has 3 connections already (limit connections_per_address_max)", 1);
    // Others come in, and so does who leaves and comes back.
    from("192.0.2.2", rtmp).connect("live");
    drop(crowd.pop());
    let mut publisher = crowd.remove(0);
    publisher.command(0, &Command::new("createStream", 2.0)).must_hear(b"_result");
    publisher.command(1, &Command::new("publish", 3.0).with("one")).must_hear(b"NetStream.Publish.Start");
    let mut second = crowd.remove(0);
    second.command(0, &Command::new("createStream", 2.0)).must_hear(b"_result");
    second.command(1, &Command::new("publish", 3.0).with("two")).must_hear(b"publishers_per_address_max");
    from("192.0.2.2", rtmp).publish("three");

    let viewers: Vec<Peer> = (0..3)
        .map(|_| {
            let mut viewer = from("192.0.2.1", bench.server.http);
            viewer.send(b"GET /live/healthy.flv HTTP/1.1\r\nHost: a\r\n\r\n").must_hear(b"200 OK");
            viewer
        })
        .collect();
    from("192.0.2.1", bench.server.http).must_be_closed(Duration::from_secs(2));
    from("192.0.2.2", bench.server.http).send(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n").must_hear(b"ok\n");
    let metrics = bench.request("GET /metrics HTTP/1.1\r\nHost: localhost\r\n");
    for door in ["rtmp", "http"] {
        let line =
            format!("headwater_refused_total{{door=\"{door}\",reason=\"connections_per_address_max\"}} 1");
        assert!(metrics.contains(&line), "{metrics}");
    }
    drop((viewers, publisher, second, crowd));
    bench.finish(8);
}

#[test]
fn a_crowd_of_bad_peers_does_not_fill_the_log() {
    let bench = Bench::start(QUICK);
    for _ in 0..300 {
        let mut peer = bench.http_peer();
        peer.send(b"NONSENSE\r\n\r\n").must_be_closed(Duration::from_secs(5));
    }
    bench.server.await_log("lines were left out within", 1);
    let log = bench.server.log();
    let lines = log.iter().filter(|line| line.contains("let go: ") && line.contains("peer=")).count();
    assert!((32..=160).contains(&lines), "{lines} lines, {log:#?}");
    bench.finish(8);
}

#[test]
fn a_thousand_who_wait_for_hls_and_hang_up_leave_nothing() {
    let bench = Bench::start(QUICK);
    let newest = || {
        let media = bench.request("GET /live/healthy/hls/video-0.m3u8 HTTP/1.1\r\nHost: localhost\r\n");
        let first = media.lines().find_map(|line| line.strip_prefix("#EXT-X-MEDIA-SEQUENCE:"));
        let first: u64 = first.unwrap_or_else(|| panic!("{media}")).parse().unwrap();
        first + media.matches("#EXTINF").count() as u64
    };
    for _ in 0..2 {
        // As far ahead as one may ask.
        let awaited = newest() + 1;
        let wait = |number: usize| {
            let mut peer = bench.http_peer();
            let path = format!("video-0.m3u8?_HLS_msn={awaited}&_HLS_part={}", number % 3);
            peer.send(format!("GET /live/healthy/hls/{path} HTTP/1.1\r\nHost: localhost\r\n\r\n").as_bytes());
            peer
        };
        let waiting: Vec<Peer> = (0..1_000).map(wait).collect();
        let deadline = Instant::now() + Duration::from_secs(5);
        // On a busy machine the first of them have been answered by now.
        while bench.server.descriptors() < 200 {
            assert!(
                Instant::now() < deadline,
                "{} descriptors: they do not wait",
                bench.server.descriptors()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
        waiting.iter().step_by(2).for_each(|peer| reset(&peer.socket));
        drop(waiting);
        bench.must_be_quiet();
    }
    bench.finish(48);
}
