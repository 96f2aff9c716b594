//! How long it takes to go to a place in a window, and to get a clip of it: printed, and each answer looked at.
//!
//! `HEADWATER_WINDOW_SECONDS` makes the window longer; `./test --long` has four hours.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use headwater_rtmp::command::PlayStart;
use headwater_rtmp::session::PlayOptions;

use crate::dialogues::Player;
use crate::harness::Server;
use crate::rewind::{NAME, Publisher};

const SEEKS: u64 = 200;
const SOON: Duration = Duration::from_secs(20);
const CLIP_S: u32 = 60;
/// Bytes of a frame: a minute of 75 in a second is 18 MB.
const FRAME_BYTES: usize = 4_000;

fn window_seconds() -> u32 {
    std::env::var("HEADWATER_WINDOW_SECONDS").ok().and_then(|seconds| seconds.parse().ok()).unwrap_or(90)
}

#[test]
fn a_place_in_the_window_is_reached_and_a_clip_is_made_while_somebody_waits() {
    let seconds = window_seconds();
    let length = seconds + 2 * CLIP_S;
    let server = Server::start_with(&format!(
        "[window]\nlength_seconds = {length}\nmemory_max_bytes = 1000000000\n[rtmp]\nread_timeout_ms = 600000\n"
    ));
    let mut publisher = Publisher::new(&server);
    for _ in 0..seconds {
        publisher.play(&server, 1);
        publisher.forget();
    }
    let mut player = Player::watch(
        &server,
        NAME,
        PlayOptions { start: PlayStart::Recorded { ms: 1 }, buffer_ms: 1_000, ..PlayOptions::default() },
    );
    player.until("key 0");
    let mut took: Vec<Duration> = (0..SEEKS).map(|nth| seek(&mut player, nth, seconds)).collect();
    took.sort_unstable();
    let at = |part: usize| took[(took.len() - 1) * part / 100];
    println!(
        "a rewind seek in a window of {seconds} s: p50 {:?}, p99 {:?}, the longest {:?}",
        at(50),
        at(99),
        at(100)
    );
    publisher.enlarge(FRAME_BYTES);
    publisher.play(&server, CLIP_S + 2);
    let began = Instant::now();
    let bytes = clip(&server, &format!("from={}&until={}", seconds + 1, seconds + 1 + CLIP_S));
    println!("a clip of {CLIP_S} s, {} bytes: {:?}", bytes.len(), began.elapsed());
    let media = CLIP_S as usize * 75 * FRAME_BYTES;
    assert!(bytes.len() > media * 99 / 100 && bytes.len() < media * 21 / 20, "{} bytes", bytes.len());
}

/// Goes to some place; how long it took until its picture was there.
fn seek(player: &mut Player, nth: u64, seconds: u32) -> Duration {
    let place = nth.wrapping_mul(7_919_317) % (u64::from(seconds) * 1_000 - 2_000);
    player.hear(Duration::from_millis(1));
    let began = Instant::now();
    player.session.seek(player.stream, i64::try_from(place).unwrap()).unwrap();
    let wanted = format!("key {}", place / 1_000 * 1_000);
    let lines = player.until("Seek.Notify");
    let mut is_there = lines.contains(&wanted);
    while !is_there {
        assert!(began.elapsed() < SOON, "{wanted} does not come");
        is_there = player.turn().contains(&wanted);
    }
    began.elapsed()
}

fn clip(server: &Server, span: &str) -> Vec<u8> {
    let mut socket = TcpStream::connect(server.http_address()).unwrap();
    write!(socket, "GET /api/v1/clips/live/{NAME}?{span} HTTP/1.0\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer).unwrap();
    let head = answer.windows(4).position(|four| four == b"\r\n\r\n").unwrap() + 4;
    assert!(answer.starts_with(b"HTTP/1.1 200") || answer.starts_with(b"HTTP/1.0 200"));
    answer.split_off(head)
}
