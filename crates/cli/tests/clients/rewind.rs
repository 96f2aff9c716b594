//! Live streams that are gone back in, over RTMP and HTTP-FLV: what viewers get is compared with what was published, and
//! players' dialogues with those of films.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use bytes::{Buf, Bytes, BytesMut};
use headwater_media::MediaKind;
use headwater_rtmp::MessageStreamId;
use headwater_rtmp::command::{PlayStart, PublishKind};
use headwater_rtmp::handshake::Nonce;
use headwater_rtmp::session::{ClientConfig, ClientEvent, ClientSession, PlayOptions};
use serde_json::Value;

use crate::dialogues::{Player, assert_order, pictures};
use crate::flv_tags::{self, Tag};
use crate::harness::{Server, headwater};

pub(crate) const NAME: &str = "test";
pub(crate) const SOON: Duration = Duration::from_secs(20);
pub(crate) const BRIEFLY: Duration = Duration::from_millis(400);
/// Pictures are so far apart, in milliseconds; a group is one second long.
const STEP: u32 = 40;
const GROUP: u32 = 25;
/// Sound is kept in its own clock: its times are so far from the milliseconds that were sent, at most.
const SOUND_OFF_MAX: i64 = 24;

/// 640x360.
const AVC: &[u8] = &[
    0x17, 0, 0, 0, 0, 1, 77, 64, 31, 0xFF, 0xE1, 0, 26, 0x67, 0x4D, 0x40, 0x1F, 0xA6, 0x11, 0x02, 0x80, 0xBF,
    0xE5, 0xC0, 0x44, 0, 0, 3, 0, 4, 0, 0, 3, 0, 0xC8, 0x3C, 0x60, 0xC8, 0x46, 1, 0, 5, 0x68, 0xE8, 0x43,
    0x32, 0xC8,
];
/// The same of another profile.
const AVC_OTHER: &[u8] = &[
    0x17, 0, 0, 0, 0, 1, 66, 0, 31, 0xFF, 0xE1, 0, 26, 0x67, 0x42, 0x00, 0x1F, 0xA6, 0x11, 0x02, 0x80, 0xBF,
    0xE5, 0xC0, 0x44, 0, 0, 3, 0, 4, 0, 0, 3, 0, 0xC8, 0x3C, 0x60, 0xC8, 0x46, 1, 0, 5, 0x68, 0xE8, 0x43,
    0x32, 0xC8,
];
/// 44.1 kHz, stereo.
const AAC: &[u8] = &[0xAF, 0, 0x12, 0x10];

/// A publisher of made-up pictures and sound, each with its number in it.
pub(crate) struct Publisher {
    pub(crate) socket: TcpStream,
    session: ClientSession,
    stream: MessageStreamId,
    /// Pictures so far; and what is added to the times of this connection.
    pictures: u32,
    base: i64,
    group: u32,
    size: usize,
    /// What was sent, with times as one line.
    pub(crate) sent: Arc<Mutex<Vec<Tag>>>,
}

impl Publisher {
    pub(crate) fn new(server: &Server) -> Self {
        let sent = Arc::default();
        let (socket, session, stream) = dial(server);
        let mut publisher =
            Self { socket, session, stream, pictures: 0, base: 0, group: GROUP, size: 60, sent };
        publisher.configure(AVC);
        publisher
    }

    /// Goes, and comes back with another clock.
    fn reconnect(&mut self, server: &Server, base: i64) {
        self.socket.shutdown(std::net::Shutdown::Both).unwrap();
        let end = Instant::now() + SOON;
        while described(server)["state"] == "live" {
            assert!(Instant::now() < end, "it is not noticed that the publisher has left");
            thread::sleep(Duration::from_millis(10));
        }
        (self.socket, self.session, self.stream) = dial(server);
        self.base = base - i64::from(self.pictures * STEP);
        self.configure(AVC);
    }

    fn configure(&mut self, pictures: &'static [u8]) {
        self.send(MediaKind::Video, 0, Bytes::from_static(pictures));
        self.send(MediaKind::Audio, 0, Bytes::from_static(AAC));
    }

    fn picture(&mut self) {
        let at = self.pictures * STEP;
        let is_key = self.pictures.is_multiple_of(self.group);
        let (mark, slice) = if is_key { (0x17, 0x65) } else { (0x27, 0x41) };
        self.frame(9, at, &[mark, 1, 0, 0, 0], slice);
        self.frame(8, at + 3, &[0xAF, 1], 0x21);
        self.frame(8, at + 23, &[0xAF, 1], 0x21);
        self.pictures += 1;
    }

    fn frame(&mut self, kind: u8, at: u32, head: &[u8], first: u8) {
        let number = self.sent.lock().unwrap().len();
        let mut unit = vec![first, 0x88];
        unit.extend_from_slice(format!("{number:08}").as_bytes());
        unit.resize(self.size, 0xA5);
        let mut body = head.to_vec();
        if kind == 9 {
            body.extend_from_slice(&(unit.len() as u32).to_be_bytes());
        }
        body.extend_from_slice(&unit);
        self.sent.lock().unwrap().push((kind, at, body.clone()));
        let kind = if kind == 9 { MediaKind::Video } else { MediaKind::Audio };
        self.send(kind, (i64::from(at) + self.base) as u32, body.into());
    }

    pub(crate) fn send(&mut self, kind: MediaKind, at: u32, body: Bytes) {
        self.session.send_media(self.stream, kind, at, &[body]).unwrap();
        flush(&mut self.socket, &mut self.session);
    }

    /// Publishes so many seconds at once, and waits until they are kept.
    pub(crate) fn play(&mut self, server: &Server, seconds: u32) {
        for _ in 0..seconds {
            (0..25).for_each(|_| self.picture());
            let end = Instant::now() + SOON;
            let at = i64::from(self.pictures * STEP) - 600;
            // Whoever keeps it has to keep up: the log has the newest seconds only. `start_ms` is the newest key frame kept.
            let is_kept = |window: &Value| {
                let keys = self.group != GROUP || window["start_ms"].as_i64() >= Some(at - 2_000);
                keys && window["to_ms"].as_i64() >= Some(at)
            };
            while !is_kept(&asked(server, "?start=100000000")["window"]) {
                assert!(Instant::now() < end, "{} is not kept", described(server));
                thread::sleep(Duration::from_millis(2));
            }
        }
    }

    /// How many frames have been sent.
    pub(crate) fn sent(&self) -> usize {
        self.sent.lock().unwrap().len()
    }

    /// Remembers nothing of what was sent.
    pub(crate) fn forget(&self) {
        self.sent.lock().unwrap().clear();
    }

    /// Sends frames of so many bytes from now on.
    pub(crate) const fn enlarge(&mut self, size: usize) {
        self.size = size;
    }

    /// Goes on at its natural pace until it is stopped.
    fn go_on(mut self) -> Going {
        let (sent, stop) = (Arc::clone(&self.sent), Arc::new(AtomicBool::new(false)));
        let stopped = Arc::clone(&stop);
        let thread = thread::spawn(move || {
            let (began, first) = (Instant::now(), self.pictures);
            while !stopped.load(Ordering::Relaxed) {
                self.picture();
                let due = began + Duration::from_millis(u64::from((self.pictures - first) * STEP));
                thread::sleep(due.saturating_duration_since(Instant::now()));
            }
            self
        });
        Going { sent, stop, thread }
    }
}

/// A publisher that goes on.
struct Going {
    sent: Arc<Mutex<Vec<Tag>>>,
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Publisher>,
}

impl Going {
    fn stop(self) -> Publisher {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap()
    }
}

fn dial(server: &Server) -> (TcpStream, ClientSession, MessageStreamId) {
    let mut socket = TcpStream::connect(server.rtmp_address()).unwrap();
    socket.set_nodelay(true).unwrap();
    let url = server.rtmp(NAME).parse().unwrap();
    let mut session =
        ClientSession::new(Arc::new(ClientConfig::default()), url, Nonce([7; 32]), Duration::ZERO);
    let (mut input, mut bytes) = (BytesMut::new(), [0; 4096]);
    loop {
        flush(&mut socket, &mut session);
        let count = socket.read(&mut bytes).unwrap();
        input.extend_from_slice(&bytes[..count]);
        while let Some(event) = session.read(&mut input).unwrap() {
            match event {
                ClientEvent::Connected { .. } => session.publish(NAME, PublishKind::Live).unwrap(),
                ClientEvent::PublishStarted { stream } => return (socket, session, stream),
                ClientEvent::Rejected { status, .. } => panic!("refused: {status:?}"),
                _ => {}
            }
        }
    }
}

fn flush(socket: &mut TcpStream, session: &mut ClientSession) {
    let output = session.output();
    let bytes = output.copy_to_bytes(output.remaining());
    socket.write_all(&bytes).unwrap();
}

fn described(server: &Server) -> Value {
    asked(server, "")
}

/// What the API tells of the stream.
fn asked(server: &Server, query: &str) -> Value {
    let answer = server.request("GET", &format!("/api/v1/streams/live/{NAME}{query}"));
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    serde_json::from_str(body).unwrap_or(Value::Null)
}

/// The stream over HTTP-FLV until `is_enough`, without script data.
fn over_http(server: &Server, query: &str, is_enough: impl Fn(&[Tag]) -> bool) -> Vec<Tag> {
    let media = |tags: Vec<Tag>| -> Vec<Tag> { tags.into_iter().filter(|tag| tag.0 != 18).collect() };
    media(tags(server, &format!("/live/{NAME}.flv{query}"), |tags| is_enough(&media(tags.to_vec()))))
}

/// What lies at an address, until `is_enough`.
pub(crate) fn tags(server: &Server, query: &str, is_enough: impl Fn(&[Tag]) -> bool) -> Vec<Tag> {
    let mut socket = TcpStream::connect(server.http_address()).unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    // Without chunks.
    write!(socket, "GET {query} HTTP/1.0\r\n\r\n").unwrap();
    let (mut input, end) = (Vec::new(), Instant::now() + SOON);
    let mut bytes = vec![0; 1 << 20];
    let mut head = None;
    loop {
        assert!(Instant::now() < end, "{query}: only {} bytes come", input.len());
        match socket.read(&mut bytes) {
            Ok(0) => panic!("{query}: it ends after {}", String::from_utf8_lossy(&input)),
            Ok(count) => input.extend_from_slice(&bytes[..count]),
            Err(error) => assert!(matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)),
        }
        if head.is_none() {
            head = input.windows(4).position(|at| at == b"\r\n\r\n").map(|at| at + 4);
        }
        let tags = head.filter(|at| input.len() >= at + 13).map(|at| flv_tags::of(&input[at..]).1);
        if let Some(tags) = tags.filter(|tags| is_enough(tags)) {
            return tags;
        }
    }
}

/// A film over HTTP, as soon as it goes so far.
pub(crate) fn fetched(server: &Server, path: &str, last: usize) -> Vec<Tag> {
    let end = Instant::now() + SOON;
    loop {
        let mut socket = TcpStream::connect(server.http_address()).unwrap();
        write!(socket, "GET {path} HTTP/1.0\r\n\r\n").unwrap();
        let mut answer = Vec::new();
        socket.read_to_end(&mut answer).unwrap();
        let head = answer.windows(4).position(|at| at == b"\r\n\r\n").unwrap() + 4;
        let tags = flv_tags::of(&answer[head..]).1;
        if tags.iter().filter(|tag| tag.0 != 18).rev().find_map(number) >= Some(last) {
            return tags;
        }
        let got = tags.iter().rev().find_map(number);
        assert!(Instant::now() < end, "{path} goes to {got:?} and not to {last}");
        thread::sleep(Duration::from_millis(100));
    }
}

/// The stream over RTMP until `is_enough`.
fn over_rtmp(server: &Server, options: PlayOptions, is_enough: impl Fn(&[Tag]) -> bool) -> Vec<Tag> {
    let mut player = Player::watch(server, NAME, options);
    let end = Instant::now() + SOON;
    while !is_enough(&player.media) {
        assert!(Instant::now() < end, "only {} messages come", player.media.len());
        player.turn();
    }
    player.media
}

pub(crate) fn from(start_ms: u64) -> PlayOptions {
    let start = PlayStart::Recorded { ms: start_ms };
    PlayOptions { start, buffer_ms: 36_000_000, ..PlayOptions::default() }
}

/// The number in a frame.
pub(crate) fn number(tag: &Tag) -> Option<usize> {
    let at = if tag.0 == 9 { 11 } else { 4 };
    std::str::from_utf8(tag.2.get(at..at + 8)?).ok()?.parse().ok()
}

/// Whether all frames up to this number have come.
fn up_to(last: usize) -> impl Fn(&[Tag]) -> bool + Copy {
    move |tags| tags.iter().rev().find_map(number) >= Some(last)
}

/// What came is what was sent, each frame once, in order, from a key frame on, at its time; the number of the first.
#[track_caller]
fn check(got: &[Tag], sent: &[Tag]) -> usize {
    let frames: Vec<_> = got.iter().filter_map(|tag| Some((number(tag)?, tag))).collect();
    let (first, head) = frames[0];
    assert!(
        head.0 == 9 && head.2[0] == 0x17 && head.1 == 0,
        "it begins with {:?} at {}",
        &head.2[..5],
        head.1
    );
    let begun = i64::from(sent[first].1);
    for (nth, (number, tag)) in frames.iter().enumerate() {
        assert_eq!(*number, first + nth, "behind {nth} frames");
        assert!(tag.0 == sent[*number].0 && tag.2 == sent[*number].2, "frame {number} is another");
        let off = (i64::from(tag.1) - (i64::from(sent[*number].1) - begun)).abs();
        assert!(off <= if tag.0 == 9 { 1 } else { SOUND_OFF_MAX }, "frame {number} is {off} ms off");
    }
    for kind in [8, 9] {
        let times: Vec<_> = frames.iter().filter(|(_, tag)| tag.0 == kind).map(|(_, tag)| tag.1).collect();
        assert!(times.is_sorted(), "time goes back");
    }
    first
}

fn configurations(got: &[Tag]) -> Vec<(usize, &[u8])> {
    let place = |at: usize| got[at..].iter().find_map(number).unwrap_or(usize::MAX);
    let told = got.iter().enumerate().filter(|(_, tag)| flv_tags::is_config(tag));
    told.map(|(at, tag)| (place(at), &tag.2[..])).collect()
}

#[test]
fn from_twenty_places_viewers_get_what_was_published_and_come_to_the_head() {
    let server = Server::start();
    let mut publisher = Publisher::new(&server);
    publisher.play(&server, 30);
    publisher.configure(AVC_OTHER);
    let changed = publisher.sent.lock().unwrap().len();
    publisher.play(&server, 30);
    let going = publisher.go_on();
    let places: Vec<u64> = (0..20).map(|n| (n * 7_919 + 1_234) % 60_000).collect();
    thread::scope(|scope| {
        for place in &places {
            let (server, sent) = (&server, &going.sent);
            scope.spawn(move || {
                let enough = up_to(sent.lock().unwrap().len() + 30);
                let seconds = *place as f64 / 1_000.0;
                for got in [
                    over_rtmp(server, from(*place), enough),
                    over_http(server, &format!("?start={seconds}"), enough),
                ] {
                    let sent = sent.lock().unwrap().clone();
                    let first = check(&got, &sent);
                    assert_eq!(first, *place as usize / 1_000 * 75, "from {place}");
                    let mut told = vec![(first, if first < changed { AVC } else { AVC_OTHER }), (first, AAC)];
                    if first < changed {
                        told.push((changed, AVC_OTHER));
                    }
                    assert_eq!(configurations(&got), told, "from {place}");
                }
            });
        }
    });
    // Seconds before now; and what is out of range is the nearest.
    let sent = || going.sent.lock().unwrap().clone();
    let newest = || sent().len() - 1;
    let got = over_http(&server, "?start=-20", up_to(newest()));
    let behind = (newest() - check(&got, &sent())) * STEP as usize / 3;
    assert!((20_000..22_500).contains(&behind), "{behind} ms");
    for query in ["?start=-100000", "?start=0"] {
        assert_eq!(check(&over_http(&server, query, up_to(newest())), &sent()), 0);
    }
    for query in ["?start=99999", "?start=-0", ""] {
        let got = over_http(&server, query, up_to(newest() + 10));
        assert!(newest() - check(&got, &sent()) < 200, "{query} is the head");
    }
    assert!(newest() - check(&over_rtmp(&server, from(0), up_to(newest())), &sent()) < 200, "librtmp's 0");
    for query in ["?start=soon", "?start=", "?start=NaN", "?start=1e300"] {
        let answer = server.request("GET", &format!("/live/{NAME}.flv{query}"));
        assert!(answer.starts_with("HTTP/1.1 400") && answer.ends_with("start is a number of seconds\n"));
        assert!(
            server.request("GET", &format!("/api/v1/streams/live/{NAME}{query}")).starts_with("HTTP/1.1 400")
        );
    }
    let window = &asked(&server, "?start=12.345")["window"];
    assert_eq!((window["from_ms"].as_i64(), window["start_ms"].as_i64()), (Some(0), Some(12_000)));
    assert!(window["to_ms"].as_i64() > Some(60_000), "{window}");
    let described = described(&server);
    assert_eq!(
        (&described["window"]["start_ms"], described["frames_skipped"].as_u64()),
        (&Value::Null, Some(0))
    );
    going.stop();
}

#[test]
fn a_publisher_that_comes_back_with_another_clock_is_gone_back_over() {
    let server = Server::start();
    let mut publisher = Publisher::new(&server);
    publisher.play(&server, 6);
    for base in [3_000_000, 0, 77_000] {
        publisher.reconnect(&server, base);
        publisher.play(&server, 6);
    }
    let going = publisher.go_on();
    let enough = up_to(going.sent.lock().unwrap().len() + 10);
    let by_http = over_http(&server, "?start=2", enough);
    let by_rtmp = over_rtmp(&server, from(2_000), enough);
    let sent = going.sent.lock().unwrap().clone();
    for got in [by_http, by_rtmp] {
        let numbers: Vec<_> = got.iter().filter_map(number).collect();
        assert_eq!(numbers, (150..150 + numbers.len()).collect::<Vec<_>>());
        let frames = got.iter().filter_map(|tag| Some((number(tag)?, tag)));
        let mut last = 0;
        for (number, tag) in frames.filter(|(_, tag)| tag.0 == 9) {
            assert_eq!(tag.2, sent[number].2);
            assert!((0..=110).contains(&(i64::from(tag.1) - last)), "a jump to {} at {number}", tag.1);
            last = tag.1.into();
        }
    }
    going.stop();
}

#[test]
fn a_live_stream_is_sought_in_and_paused_as_a_film_is() {
    let server = Server::start();
    let mut publisher = Publisher::new(&server);
    publisher.play(&server, 3);
    let going = publisher.go_on();
    let options = PlayOptions { start: PlayStart::Live, buffer_ms: 1_000, ..PlayOptions::default() };
    let mut player = Player::watch(&server, NAME, options);
    let head = player.until("key 0");
    assert!(!head.contains(&"recorded".to_owned()), "a live stream is no recording: {head:?}");
    player.until("key 4000");
    // Back, and on to the head.
    player.media.clear();
    player.session.seek(player.stream, 1_500).unwrap();
    let lines = player.until("key 2000");
    let at = lines.iter().position(|line| line == "eof").unwrap();
    let order =
        ["eof", "begin", "Seek.Notify status", "Play.Start", "video config", "audio config", "key 1000"];
    assert_order(&lines[at..], &order);
    let behind = lines.iter().position(|line| line == "key 1000").unwrap();
    assert!(pictures(&lines[behind..]).is_sorted());
    // It stands, for longer than the log holds.
    player.session.pause(player.stream, true, 2_000).unwrap();
    let lines = player.until("Pause.Notify");
    assert_order(&lines, &["Pause.Notify status"]);
    let first = player.media.iter().position(|tag| number(tag).is_some_and(|_| tag.1 == 1_000)).unwrap();
    player.media.drain(..first);
    let before = player.media.iter().filter_map(number).next_back().unwrap();
    thread::sleep(Duration::from_secs(8));
    // That its buffer was full may be told late.
    let lines = player.hear(BRIEFLY);
    assert!(lines.iter().all(|line| line == "eof" || line == "buffer empty"), "it stands: {lines:?}");
    let position = u64::from(player.media.last().unwrap().1);
    player.session.pause(player.stream, false, position).unwrap();
    let lines = player.until("Unpause.Notify");
    assert_order(&lines, &["begin", "Unpause.Notify status"]);
    player.hear(BRIEFLY);
    let numbers: Vec<_> = player.media.iter().filter_map(number).collect();
    assert_eq!(numbers, (numbers[0]..numbers[0] + numbers.len()).collect::<Vec<_>>());
    assert!(numbers.last() > Some(&(before + 20)), "it goes on");
    let seen = (numbers.last().unwrap() - numbers[0]) as u32 * STEP / 3;
    assert!(seen < 7_000, "it goes on where it stood, at the pace of its buffer: {seen} ms");
    // While it stands, a seek shows one picture. A place that has not come yet is the head.
    player.session.pause(player.stream, true, 0).unwrap();
    player.until("Pause.Notify");
    player.session.seek(player.stream, 3_100).unwrap();
    let lines = [player.until("Seek.Notify"), player.hear(BRIEFLY)].concat();
    assert_eq!(pictures(&lines), [3_000], "{lines:?}");
    player.session.seek(player.stream, 3_600_000).unwrap();
    player.until("Seek.Notify");
    player.session.pause(player.stream, false, 0).unwrap();
    player.until("Unpause.Notify");
    player.media.clear();
    player.hear(BRIEFLY);
    let newest = going.sent.lock().unwrap().len();
    assert!(player.media.iter().rev().find_map(number) > Some(newest - 75), "it is at the head");
    let end = Instant::now() + SOON;
    going.stop();
    while !player.turn().iter().any(|line| line.starts_with("end Play.Stop")) {
        assert!(Instant::now() < end, "the end of the broadcast is not told");
    }
}

#[test]
fn who_joined_at_the_head_goes_back_before_its_own_beginning() {
    let server = Server::start();
    let mut publisher = Publisher::new(&server);
    publisher.play(&server, 20);
    let going = publisher.go_on();
    let options = PlayOptions { start: PlayStart::Live, buffer_ms: 1_000, ..PlayOptions::default() };
    let mut player = Player::watch(&server, NAME, options);
    player.until("key 0");
    let joined = player.media.iter().find_map(number).unwrap();
    player.hear(BRIEFLY);
    player.media.clear();
    // Ten seconds before it came; its time begins anew there.
    player.session.seek(player.stream, -10_000).unwrap();
    player.until("Seek.Notify");
    let enough = up_to(joined - 750 + 75);
    let end = Instant::now() + SOON;
    let behind = |media: &[Tag]| media.iter().rposition(|tag| number(tag) == Some(joined - 750));
    while behind(&player.media).is_none() || !enough(&player.media[behind(&player.media).unwrap()..]) {
        assert!(Instant::now() < end, "ten seconds before {joined} do not come");
        player.turn();
    }
    let from = behind(&player.media).unwrap();
    let sent = going.sent.lock().unwrap().clone();
    assert_eq!(check(&player.media[from..], &sent), joined - 750);
    // On in that time, and back beyond all that is kept.
    for (place, first, at) in [(3_100, joined - 750 + 225, 3_000), (-3_600_000, 0, 0)] {
        player.media.clear();
        player.session.seek(player.stream, place).unwrap();
        let end = Instant::now() + SOON;
        while !player.media.iter().any(|tag| number(tag) == Some(first)) {
            assert!(Instant::now() < end, "{place} does not come");
            player.turn();
        }
        let tag = player.media.iter().find(|tag| number(tag) == Some(first)).unwrap();
        assert_eq!(tag.1, at, "at {place}");
    }
    going.stop();
}

#[test]
fn without_a_window_a_live_stream_is_not_sought_in() {
    let server = Server::start_with("[window]\nenabled = false\n");
    let publisher = Publisher::new(&server);
    let going = publisher.go_on();
    let mut player = Player::watch(&server, NAME, from(1_000));
    player.until("key 0");
    player.session.seek(player.stream, 0).unwrap();
    assert!(player.until("Seek.Failed").contains(&"Seek.Failed warning".to_owned()));
    // What the log holds can be begun with.
    let newest = going.sent.lock().unwrap().len();
    check(&over_http(&server, "?start=-60", up_to(newest)), &going.stop().sent.lock().unwrap());
    assert_eq!(described(&server)["window"], Value::Null);
}

#[test]
fn a_group_longer_than_the_log_begins_with_its_picture() {
    let server = Server::start_with("[streams]\nlog_max_bytes = 300000\n");
    let mut publisher = Publisher::new(&server);
    (publisher.group, publisher.size) = (25 * 60, 1_000);
    publisher.play(&server, 12);
    let going = publisher.go_on();
    let enough = up_to(going.sent.lock().unwrap().len() + 20);
    let head = PlayOptions::default();
    let all = [over_rtmp(&server, head, enough), over_http(&server, "", enough)];
    let sent = going.sent.lock().unwrap().clone();
    for got in all {
        assert_eq!(check(&got, &sent), 0, "the only key frame");
        assert_eq!(configurations(&got), [(0, AVC), (0, AAC)]);
    }
    assert_eq!(described(&server)["frames_skipped"].as_u64(), Some(0));
    going.stop();
}

#[test]
fn our_own_player_begins_where_it_is_told() {
    let server = Server::start();
    let mut publisher = Publisher::new(&server);
    publisher.play(&server, 20);
    let going = publisher.go_on();
    let play = |url: &str, start: &str, path: &Path| {
        let mut command = headwater();
        command.args(["play", url, &format!("--start={start}"), "--duration", "6", "-o"]).arg(path);
        server.run("play", command)
    };
    for (url, start, first) in [
        (server.rtmp(NAME), "5.5", Some(5 * 75)),
        (server.flv(NAME), "5.5", Some(5 * 75)),
        (format!("{}?video=0", server.flv(NAME)), "-10", None),
    ] {
        let path = server.file("played.flv");
        play(&url, start, &path).succeed(20);
        let got: Vec<_> = flv_tags::read(&path).1.into_iter().filter(|tag| tag.0 != 18).collect();
        let begun = check(&got, &going.sent.lock().unwrap());
        assert!(first.is_none_or(|first| begun == first), "{url}: {begun}");
        assert!(begun >= 5 * 75 && got.len() >= 6 * 75, "{url}: {begun}, {}", got.len());
    }
    let mut refused = play(&server.rtmp(NAME), "-5", &server.file("refused.flv"));
    assert!(!refused.wait(10).success() && refused.log().contains("ask over HTTP"), "{}", refused.log());
    going.stop();
}
