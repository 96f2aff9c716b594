//! Hours of one broadcast, published faster than its time, recorded and kept in a window: what the server takes of memory
//! and disk is that of the window, however long the broadcast, and places and clips are right at its end.
//!
//! `HEADWATER_BROADCAST_SECONDS` makes it longer; `./test --long` has three hours.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use headwater_rtmp::command::PlayStart;
use headwater_rtmp::session::PlayOptions;

use crate::dialogues::Player;
use crate::harness::Server;
use crate::rewind::{NAME, Publisher};

const SOON: Duration = Duration::from_secs(20);
const WINDOW_S: u32 = 60;
const WINDOW: &str = "[window]\nlength_seconds = 60\n";
/// Publishers that stand still while much is checked are not let go.
const PATIENT: &str = "[rtmp]\nread_timeout_ms = 600000\n";
const CLIP_S: u32 = 15;
const FRAME_BYTES: usize = 800;
/// A picture and two sounds 25 times a second.
const BYTES_PER_SECOND: u64 = 75 * FRAME_BYTES as u64;
/// What the process may have taken more at the end than when a third was over: its allocator's habits.
const GROWTH_MAX: u64 = 8 << 20;

fn broadcast_seconds() -> u32 {
    let seconds = std::env::var("HEADWATER_BROADCAST_SECONDS").ok();
    seconds.and_then(|seconds| seconds.parse().ok()).unwrap_or(240).max(120)
}

#[test]
fn a_long_broadcast_takes_no_more_than_its_window() {
    let server = Server::start_with(&format!("{WINDOW}{PATIENT}"));
    publish(&server);
    let disk = metric(&server, "headwater_window_disk_bytes");
    let window = u64::from(WINDOW_S) * BYTES_PER_SECOND;
    assert!(disk < 2 * window, "{disk} bytes of a window of {window} are on the disk");
}

#[test]
fn a_long_broadcast_that_is_recorded_takes_no_more_memory() {
    let server = Server::start_with(&format!("{WINDOW}[apps.live]\nrecord = \"always\"\n{PATIENT}"));
    publish(&server);
    assert_eq!(metric(&server, "headwater_recording_lost_parts_total"), 0);
    let files = fs::read_dir(server.file("data/recordings/live").join(NAME)).unwrap();
    let sizes: Vec<u64> = files.map(|file| file.unwrap().metadata().unwrap().len()).collect();
    let least = u64::from(broadcast_seconds() - 2) * BYTES_PER_SECOND;
    assert!(sizes.len() == 1 && sizes[0] > least, "{sizes:?} bytes are recorded, of {least}");
}

/// Publishes all of it; memory stays, and what is kept is right.
fn publish(server: &Server) {
    let seconds = broadcast_seconds();
    let mut publisher = Publisher::new(server);
    publisher.enlarge(FRAME_BYTES);
    let mut taken = Vec::new();
    for second in 1..=seconds {
        publisher.play(server, 1);
        publisher.forget();
        if second % (seconds / 10) == 0 {
            let (memory, disk) = (resident(server), metric(server, "headwater_window_disk_bytes"));
            println!(
                "{second} s: {} KB of memory, {} KB of the window on the disk",
                memory >> 10,
                disk >> 10
            );
            taken.push(memory);
        }
    }
    let (early, late) = (taken[2], taken[9]);
    assert!(late < early + GROWTH_MAX, "memory has grown from {early} to {late} bytes");
    assert_eq!(metric(server, "headwater_window_lost_frames_total"), 0);
    let place = seconds - WINDOW_S / 2;
    seek(server, place);
    let clip = clip(server, &format!("from={place}&until={}", place + CLIP_S)).len() as u64;
    let media = u64::from(CLIP_S) * BYTES_PER_SECOND;
    assert!(clip > media * 95 / 100 && clip < media * 12 / 10, "{clip} bytes of {media}");
}

/// Goes back to a second of the broadcast, whose picture comes.
fn seek(server: &Server, second: u32) {
    let options = PlayOptions { buffer_ms: 1_000, ..PlayOptions::default() };
    let start = PlayStart::Recorded { ms: u64::from(second - 5) * 1_000 };
    let mut player = Player::watch(server, NAME, PlayOptions { start, ..options });
    // Its time begins where it begins.
    player.until("key 0");
    player.session.seek(player.stream, 5_000).unwrap();
    let mut lines = player.until("Seek.Notify");
    let began = Instant::now();
    while !lines.contains(&"key 5000".to_owned()) {
        assert!(began.elapsed() < SOON, "the picture does not come");
        lines = player.turn();
    }
}

/// One of the server's figures.
pub(crate) fn metric(server: &Server, name: &str) -> u64 {
    let metrics = server.request("GET", "/metrics");
    let value = metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    value.unwrap_or_else(|| panic!("{name} is not in\n{metrics}")).trim().parse().unwrap()
}

/// The server's memory, in bytes; 0 where the system does not tell.
fn resident(server: &Server) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", server.program.id())).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or("0 kB");
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10
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
