//! Players that read slowly or never, on a stream of 16 Mbit/s.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use headwater_media::MediaKind;
use headwater_rtmp::MessageStreamId;
use headwater_rtmp::session::ClientEvent;

use crate::bench::{Bench, QUICK};
use crate::healthy::{Client, GROUP_FRAMES, numbered};

/// Room in the kernel's buffers of either side, so that a stall shows soon.
const NARROW: usize = 64 << 10;

#[test]
fn players_that_never_read_are_let_go_and_cost_little() {
    let config = QUICK.replace("[rtmp]", "[rtmp]\nsend_buffer_bytes = 65536");
    let bench = Bench::start(&config.replace("[streams]", "[streams]\nlog_max_bytes = 8388608"));
    let mut fat = FatStream::start(bench.server.rtmp);
    let mut players: Vec<Client> = Vec::new();
    for _ in 0..20 {
        let mut player = Client::connect_narrow(bench.server.rtmp, "live", NARROW);
        player.play("fat").unwrap();
        players.push(player);
    }
    let start = Instant::now();
    fat.send_for(Duration::from_secs(5));
    // The stream's own log is 8 MiB of it.
    bench.must_have_grown_less(40);
    let deadline = start + Duration::from_secs(12);
    for player in &players {
        while bench.server.complaints(player.address()).is_empty() {
            assert!(Instant::now() < deadline, "{} is still there", player.address());
            fat.send_for(Duration::from_millis(100));
        }
        let lines = bench.server.complaints(player.address());
        assert!(lines.len() == 1 && lines[0].contains("write_timeout_ms"), "{lines:?}");
        assert!(lines[0].contains("playing live/fat"), "{lines:?}");
    }
    let metrics = bench.request("GET /metrics HTTP/1.1\r\nHost: localhost\r\n");
    assert!(metrics.contains("headwater_refused_total{door=\"rtmp\",reason=\"stalled\"} 20"), "{metrics}");
    drop((players, fat));
    bench.finish(40);
}

/// The bound is far above what comes, so that reading all the time is not enough.
#[test]
fn players_that_read_by_the_drop_are_let_go() {
    let config = QUICK.replace("[rtmp]", "[rtmp]\nsend_buffer_bytes = 65536\nwrite_min_bytes = 1000000000");
    let bench = Bench::start(&config.replace("[http]", "[http]\nwrite_min_bytes = 1000000000"));
    let mut fat = FatStream::start(bench.server.rtmp);
    let mut player = Client::connect_narrow(bench.server.rtmp, "live", NARROW);
    player.play("fat").unwrap();
    let mut viewer = bench.http_peer();
    viewer.send(b"GET /live/fat.flv HTTP/1.1\r\nHost: a\r\n\r\n");
    let deadline = Instant::now() + Duration::from_secs(20);
    let is_there = |peer| bench.server.complaints(peer).is_empty();
    while is_there(player.address()) || is_there(viewer.address()) {
        assert!(Instant::now() < deadline, "they are still there");
        fat.send_for(Duration::from_millis(200));
        let _ = player.next_event(Duration::from_millis(1));
        let mut drop_of = [0; 8192];
        let _ = std::io::Read::read(&mut viewer.socket, &mut drop_of);
    }
    for peer in [player.address(), viewer.address()] {
        let lines = bench.server.complaints(peer);
        assert!(lines.len() == 1 && lines[0].contains("write_min_bytes"), "{lines:?}");
    }
    drop((player, viewer, fat));
    bench.finish(48);
}

#[test]
fn a_slow_player_lands_on_a_keyframe_after_a_skip() {
    let config = QUICK.replace("[rtmp]", "[rtmp]\nsend_buffer_bytes = 65536");
    let config = config
        .replace("[streams]", "[streams]\nlag_max_ms = 1000")
        .replace("write_timeout_ms = 2000", "write_timeout_ms = 10000");
    let bench = Bench::start(&config);
    let mut fat = FatStream::start(bench.server.rtmp);
    let mut player = Client::connect_narrow(bench.server.rtmp, "live", NARROW);
    player.play("fat").unwrap();
    let mut numbers = Vec::new();
    for _ in 0..3 {
        fat.send_for(Duration::from_millis(2500));
        let deadline = Instant::now() + Duration::from_millis(500);
        while Instant::now() < deadline {
            if let Some(ClientEvent::Media { kind: MediaKind::Video, body, .. }) =
                player.next_event(Duration::from_millis(20)).unwrap()
            {
                numbers.extend(numbered(&body).map(|(number, _)| number));
            }
        }
    }
    let gaps: Vec<(u64, u64)> =
        numbers.windows(2).filter(|pair| pair[1] != pair[0] + 1).map(|pair| (pair[0], pair[1])).collect();
    assert!(!gaps.is_empty(), "it was never moved forward: {numbers:?}");
    for (before, after) in &gaps {
        assert!(after > before && after % GROUP_FRAMES == 0, "from frame {before} to {after}, no keyframe");
    }
    let missed: u64 = gaps.iter().map(|(before, after)| after - before - 1).sum();
    let streams = bench.api_must_answer();
    let fat_json = streams.split("\"app\"").find(|part| part.contains("live/fat")).unwrap();
    let counted = fat_json.split("\"frames_skipped\":").nth(1).unwrap().split(',').next().unwrap();
    assert_eq!(counted.parse::<u64>().unwrap(), missed, "{fat_json}");
    drop((player, fat));
    bench.finish(48);
}

/// Peers that neither read nor hang up do not hold the server when it is told to stop.
#[test]
fn the_server_stops_in_time_whoever_hangs_on() {
    let mut bench = Bench::start("[rtmp]\nsend_buffer_bytes = 65536\n");
    let mut fat = FatStream::start(bench.server.rtmp);
    let players: Vec<Client> = (0..5)
        .map(|_| {
            let mut player = Client::connect_narrow(bench.server.rtmp, "live", NARROW);
            player.play("fat").unwrap();
            player
        })
        .collect();
    let mut http = bench.http_peer();
    http.send(b"GET /live/fat.flv HTTP/1.1\r\nHost: a\r\n\r\n");
    let mut half_asked = bench.http_peer();
    half_asked.send(b"GET / HT");
    let silent = bench.peer();
    let mut waiting = bench.http_peer();
    waiting.send(b"GET /live/nobody.flv HTTP/1.1\r\nHost: a\r\n\r\n");
    fat.send_for(Duration::from_secs(2));
    let took = bench.stop(Duration::from_secs(10));
    assert!(took < Duration::from_secs(5), "it took {took:?}");
    drop((players, http, half_asked, silent, waiting, fat));
}

/// A publisher of `live/fat`: 40 KB every 20 ms.
pub(crate) struct FatStream {
    client: Client,
    stream: MessageStreamId,
    number: u64,
}

impl FatStream {
    const FRAME_BYTES: usize = 40_000;

    /// Publishes, with a first keyframe.
    pub(crate) fn start(server: SocketAddr) -> Self {
        let mut client = Client::connect(server, "live");
        let stream = client.publish("fat").unwrap();
        client.send_config(stream);
        let mut fat = Self { client, stream, number: 0 };
        fat.send_for(Duration::from_millis(50));
        fat
    }

    /// Sends 16 Mbit/s for this long.
    pub(crate) fn send_for(&mut self, time: Duration) {
        let start = Instant::now();
        while start.elapsed() < time {
            self.client.send_frame(self.stream, self.number, 0, Self::FRAME_BYTES).unwrap();
            self.number += 1;
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}
