//! One case: a fresh server, the healthy pair, the promises before and after.

use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use crate::healthy::Pair;
use crate::peer::Peer;
use crate::server::Server;

/// Limits short enough for a test to wait for them.
pub(crate) const QUICK: &str = "\
[rtmp]
setup_timeout_ms = 1500
read_timeout_ms = 3000
write_timeout_ms = 2000
[http]
head_timeout_ms = 1500
write_timeout_ms = 2000
[streams]
wait_ms = 2000
reconnect_window_ms = 1000
takeover_silence_ms = 1000
";

/// How long after a case the server may keep descriptors: a farewell takes two seconds.
const CLEANING_MAX: Duration = Duration::from_secs(6);

/// Cases run one after the other: they measure memory and time.
static TURN: Mutex<()> = Mutex::new(());

/// A server with a healthy pair on it, and where it stood before the bad peer came.
pub(crate) struct Bench {
    pub(crate) server: Server,
    pair: Pair,
    descriptors: usize,
    rss_kib: u64,
    _turn: MutexGuard<'static, ()>,
}

impl Bench {
    /// A server with this configuration.
    pub(crate) fn start(config: &str) -> Self {
        Self::on(|| Server::start(config))
    }

    /// A server with this configuration and at most so many open descriptors.
    pub(crate) fn start_limited(config: &str, descriptors_max: u32) -> Self {
        Self::on(|| Server::start_limited(config, descriptors_max))
    }

    fn on(start: impl FnOnce() -> Server) -> Self {
        let turn = TURN.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let server = start();
        let pair = Pair::start(server.rtmp);
        Self { descriptors: server.descriptors(), rss_kib: server.rss_kib(), server, pair, _turn: turn }
    }

    /// Puts a film into the app `vod`; the server keeps its file open from here on.
    pub(crate) fn has_film(&mut self, name: &str, bytes: &[u8]) {
        let media = self.server.directory.join("media");
        std::fs::create_dir_all(&media).unwrap();
        std::fs::write(media.join(name), bytes).unwrap();
        let answer = self.request(&format!("HEAD /vod/{name} HTTP/1.1\r\nHost: a\r\n"));
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        self.descriptors += 1;
    }

    /// A raw peer on the RTMP port.
    pub(crate) fn peer(&self) -> Peer {
        Peer::dial(self.server.rtmp)
    }

    /// A raw peer on the HTTP port.
    pub(crate) fn http_peer(&self) -> Peer {
        Peer::dial(self.server.http)
    }

    /// One HTTP request; the answer's head and the start of its body.
    pub(crate) fn request(&self, head: &str) -> String {
        let mut peer = self.http_peer();
        peer.send(head.as_bytes()).send(b"Connection: close\r\n\r\n");
        while peer.read(Duration::from_secs(5)).is_some_and(|count| count > 0) {}
        String::from_utf8_lossy(&peer.received).into_owned()
    }

    /// A request with a body, of which the head has no last line yet.
    pub(crate) fn post(&self, head: &str, body: &str) -> String {
        let mut peer = self.http_peer();
        peer.send(head.as_bytes()).send(b"Connection: close\r\n\r\n").send(body.as_bytes());
        while peer.read(Duration::from_secs(5)).is_some_and(|count| count > 0) {}
        String::from_utf8_lossy(&peer.received).into_owned()
    }

    /// The list of streams, as JSON.
    pub(crate) fn api_must_answer(&self) -> String {
        let answer = self.request("GET /api/v1/streams HTTP/1.1\r\nHost: localhost\r\n");
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        answer
    }

    /// Fails when the server has taken more than `mib` since the start.
    pub(crate) fn must_have_grown_less(&self, mib: u64) {
        let grown = self.server.rss_kib().saturating_sub(self.rss_kib);
        assert!(grown < mib << 10, "the server grew by {grown} KiB; {mib} MiB are allowed");
    }

    /// Fails unless the peer was closed within `within` and the log says so in one line with `reason`.
    pub(crate) fn must_let_go(&self, peer: &mut Peer, within: Duration, reason: &str) {
        peer.must_be_closed(within);
        self.must_complain_once(peer, reason);
    }

    /// Fails unless exactly one warning names the peer, its place and `reason`.
    pub(crate) fn must_complain_once(&self, peer: &Peer, reason: &str) {
        let line = self.must_note(peer.address(), reason);
        assert!(line.contains("place="), "no place: {line}");
    }

    /// Fails unless exactly one warning names the peer, and `reason`. A peer may see its end before the log is written.
    pub(crate) fn must_note(&self, peer: SocketAddr, reason: &str) -> String {
        let deadline = std::time::Instant::now() + Duration::from_secs(2);
        let mut lines = self.server.complaints(peer);
        while lines.is_empty() && std::time::Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(20));
            lines = self.server.complaints(peer);
        }
        assert_eq!(lines.len(), 1, "one line for {peer}: {lines:#?}");
        assert!(lines[0].contains(reason), "the reason is not {reason:?}: {}", lines[0]);
        lines[0].clone()
    }

    /// Waits until every connection but the healthy pair's is gone.
    pub(crate) fn must_be_quiet(&self) {
        self.server.await_descriptors(self.descriptors, CLEANING_MAX);
    }

    /// Asks the server to stop; how long it took.
    pub(crate) fn stop(&mut self, within: Duration) -> Duration {
        self.pair.must_flow();
        self.server.stop(within)
    }

    /// Every promise that holds after each case; all bad peers are gone by now.
    pub(crate) fn finish(mut self, grown_mib: u64) {
        self.pair.must_flow();
        self.server.await_descriptors(self.descriptors, CLEANING_MAX);
        self.must_have_grown_less(grown_mib);
        self.server.must_live();
        for line in self.server.log() {
            assert!(!line.contains("panicked"), "a panic: {line}");
            let garbled = |c: char| c.is_control() || matches!(c, '\u{2028}'..='\u{202E}');
            assert!(!line.chars().any(garbled), "a raw control character: {line:?}");
            assert!(line.len() < 2000, "a log line of {} bytes: {}…", line.len(), &line[..200]);
        }
    }
}
