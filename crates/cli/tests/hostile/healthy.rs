//! The healthy stream beside a bad peer: one publisher, one player, numbered and timed frames.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use headwater_media::MediaKind;
use headwater_rtmp::MessageStreamId;
use headwater_rtmp::command::PublishKind;
use headwater_rtmp::handshake::Nonce;
use headwater_rtmp::session::{ClientConfig, ClientEvent, ClientSession, PlayOptions};
use socket2::{Domain, Socket, Type};

/// Time between two frames.
const FRAME_EVERY: Duration = Duration::from_millis(20);
/// Letters of a number in a frame.
const DIGITS: usize = 16;
/// Frames from one keyframe to the next.
pub(crate) const GROUP_FRAMES: u64 = 25;
/// A frame that takes longer from publisher to player is late.
const LATE: Duration = Duration::from_millis(500);
/// How long a request may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// An H.264 configuration record: baseline, 320 × 240.
const AVC_CONFIG: [u8; 25] = [
    1, 66, 192, 13, 255, 225, 0, 10, 0x67, 66, 192, 13, 0xDA, 0x05, 0x07, 0xE8, 0x40, 0x40, 1, 0, 4, 0x68,
    0xCE, 0x3C, 0x80,
];

/// A client that is driven by hand over a blocking socket.
pub(crate) struct Client {
    socket: TcpStream,
    session: ClientSession,
    input: BytesMut,
}

impl Client {
    /// Dials and waits until the server has accepted `connect`.
    pub(crate) fn connect(server: SocketAddr, app: &str) -> Self {
        Self::connect_with(server, app, ClientConfig::default())
    }

    /// As [`Client::connect`], speaking in a manner of its own.
    pub(crate) fn connect_with(server: SocketAddr, app: &str, config: ClientConfig) -> Self {
        Self::connect_over(TcpStream::connect(server).unwrap(), app, config)
    }

    /// As [`Client::connect`], over a socket that has a receive buffer of its own size.
    pub(crate) fn connect_narrow(server: SocketAddr, app: &str, buffer_bytes: usize) -> Self {
        let socket = Socket::new(Domain::for_address(server), Type::STREAM, None).unwrap();
        socket.set_recv_buffer_size(buffer_bytes).unwrap();
        socket.connect(&server.into()).unwrap();
        Self::connect_over(socket.into(), app, ClientConfig::default())
    }

    fn connect_over(socket: TcpStream, app: &str, config: ClientConfig) -> Self {
        let server = socket.peer_addr().unwrap();
        socket.set_nodelay(true).unwrap();
        let url = format!("rtmp://{server}/{app}").parse().unwrap();
        let session = ClientSession::new(Arc::new(config), url, Nonce([7; 32]), Duration::ZERO);
        let mut client = Self { socket, session, input: BytesMut::new() };
        client.await_event(|event| matches!(event, ClientEvent::Connected { .. }).then_some(()));
        client
    }

    /// Our end of the connection, as the server names the peer.
    pub(crate) fn address(&self) -> SocketAddr {
        self.socket.local_addr().unwrap()
    }

    /// Publishes; the verdict.
    pub(crate) fn publish(&mut self, name: &str) -> Result<MessageStreamId, String> {
        self.session.publish(name, PublishKind::Live).unwrap();
        self.await_verdict()
    }

    /// Plays; the verdict.
    pub(crate) fn play(&mut self, name: &str) -> Result<MessageStreamId, String> {
        self.session.play(name, PlayOptions::default()).unwrap();
        self.await_verdict()
    }

    /// Sends the stream's configuration.
    pub(crate) fn send_config(&mut self, stream: MessageStreamId) {
        self.session.send_media(stream, MediaKind::Video, 0, &[config_body()]).unwrap();
        self.flush().unwrap();
    }

    /// Sends the body of a video message.
    pub(crate) fn send_video(&mut self, stream: MessageStreamId, timestamp: u32, body: &'static [u8]) {
        let body = Bytes::from_static(body);
        self.session.send_media(stream, MediaKind::Video, timestamp, &[body]).unwrap();
        self.flush().unwrap();
    }

    /// Sends frame `number`, every [`GROUP_FRAMES`]th of them a keyframe, of `size` bytes at least.
    pub(crate) fn send_frame(
        &mut self,
        stream: MessageStreamId,
        number: u64,
        sent_us: u64,
        size: usize,
    ) -> std::io::Result<()> {
        let key = number.is_multiple_of(GROUP_FRAMES);
        // The first slice of an I or a P picture; what follows is read by nobody but our player, and has no start code.
        let (mark, slice) = if key { (0x17, [0x65, 0x88]) } else { (0x27, [0x41, 0x9A]) };
        let length = (slice.len() + 2 * DIGITS).max(size);
        let mut body = vec![mark, 1, 0, 0, 0];
        body.extend_from_slice(&(length as u32).to_be_bytes());
        body.extend_from_slice(&slice);
        body.extend_from_slice(format!("{number:0DIGITS$x}{sent_us:0DIGITS$x}").as_bytes());
        body.resize(9 + length, 0xA5);
        let timestamp = (number * FRAME_EVERY.as_millis() as u64) as u32;
        self.session.send_media(stream, MediaKind::Video, timestamp, &[body.into()]).unwrap();
        self.flush()
    }

    /// What comes within `within`; `None` for nothing, an error at the end of the connection.
    pub(crate) fn next_event(&mut self, within: Duration) -> std::io::Result<Option<ClientEvent>> {
        let deadline = Instant::now() + within;
        loop {
            let event = self.session.read(&mut self.input).unwrap();
            self.flush()?;
            if event.is_some() {
                return Ok(event);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(None);
            }
            self.socket.set_read_timeout(Some(left)).unwrap();
            let mut bytes = [0; 65_536];
            match self.socket.read(&mut bytes) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(count) => self.input.extend_from_slice(&bytes[..count]),
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        let bytes = self.session.output().drain();
        self.socket.write_all(&bytes)
    }

    fn await_event<T>(&mut self, wanted: impl Fn(&ClientEvent) -> Option<T>) -> T {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let event = self.next_event(left).unwrap().expect("the server answers in time");
            if let Some(found) = wanted(&event) {
                return found;
            }
        }
    }

    fn await_verdict(&mut self) -> Result<MessageStreamId, String> {
        self.await_event(|event| match event {
            ClientEvent::PublishStarted { stream } | ClientEvent::PlayStarted { stream } => Some(Ok(*stream)),
            ClientEvent::Rejected { status, .. } => Some(Err(format!("{status:?}"))),
            _ => None,
        })
    }
}

/// The stream's configuration as a message's body.
pub(crate) fn config_body() -> Bytes {
    [&[0x17, 0, 0, 0, 0], &AVC_CONFIG[..]].concat().into()
}

/// A frame's number and the time when it was sent; `None` for a configuration.
pub(crate) fn numbered(body: &Bytes) -> Option<(u64, u64)> {
    let number =
        |at: usize| u64::from_str_radix(std::str::from_utf8(body.get(at..at + DIGITS)?).ok()?, 16).ok();
    (body.get(1) == Some(&1)).then_some(())?;
    Some((number(11)?, number(11 + DIGITS)?))
}

/// What the player found wrong, and how far it came.
#[derive(Default)]
struct Findings {
    faults: Mutex<Vec<String>>,
    sent: AtomicU64,
    seen: AtomicU64,
    latest_us: AtomicU64,
    stop: AtomicBool,
}

/// A publisher of `live/healthy` and its player, each in a thread.
pub(crate) struct Pair {
    findings: Arc<Findings>,
    threads: Vec<JoinHandle<()>>,
}

impl Pair {
    /// Starts both and returns when frames flow.
    pub(crate) fn start(server: SocketAddr) -> Self {
        let findings = Arc::new(Findings::default());
        let clock = Instant::now();
        let publisher = {
            let findings = Arc::clone(&findings);
            std::thread::spawn(move || publish(server, clock, &findings))
        };
        let player = {
            let findings = Arc::clone(&findings);
            std::thread::spawn(move || play(server, clock, &findings))
        };
        let pair = Self { findings, threads: vec![publisher, player] };
        pair.must_flow();
        pair
    }

    /// Fails unless everything sent so far arrives, complete and in time.
    pub(crate) fn must_flow(&self) {
        let goal = self.findings.sent.load(Ordering::Acquire) + 10;
        let deadline = Instant::now() + PATIENCE;
        while self.findings.seen.load(Ordering::Acquire) < goal {
            assert!(Instant::now() < deadline, "the healthy stream stands still: {}", self.describe());
            assert!(self.threads.iter().all(|thread| !thread.is_finished()), "{}", self.describe());
            std::thread::sleep(Duration::from_millis(10));
        }
        assert!(self.findings.faults.lock().unwrap().is_empty(), "{}", self.describe());
    }

    fn describe(&self) -> String {
        let Findings { faults, sent, seen, latest_us, .. } = &*self.findings;
        format!(
            "sent {sent:?}, seen {seen:?}, slowest {} ms, faults {:?}",
            latest_us.load(Ordering::Acquire) / 1000,
            faults.lock().unwrap()
        )
    }
}

impl Drop for Pair {
    fn drop(&mut self) {
        self.findings.stop.store(true, Ordering::Release);
        self.threads.drain(..).for_each(|thread| drop(thread.join()));
    }
}

fn publish(server: SocketAddr, clock: Instant, findings: &Findings) {
    let mut client = Client::connect(server, "live");
    let stream = client.publish("healthy").unwrap();
    client.send_config(stream);
    let start = Instant::now();
    for number in 0.. {
        if findings.stop.load(Ordering::Acquire) {
            return;
        }
        let due = start + FRAME_EVERY * number as u32;
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        if let Err(error) = client.send_frame(stream, number, clock.elapsed().as_micros() as u64, 400) {
            return fault(findings, format!("the publisher was cut off at frame {number}: {error}"));
        }
        findings.sent.store(number, Ordering::Release);
    }
}

fn play(server: SocketAddr, clock: Instant, findings: &Findings) {
    let mut client = Client::connect(server, "live");
    client.play("healthy").unwrap();
    let joined_us = clock.elapsed().as_micros() as u64;
    let mut expected = None;
    while !findings.stop.load(Ordering::Acquire) {
        let body = match client.next_event(Duration::from_millis(100)) {
            Ok(Some(ClientEvent::Media { body, .. })) => body,
            Ok(_) => continue,
            Err(_) if findings.stop.load(Ordering::Acquire) => return,
            Err(error) => return fault(findings, format!("the player was cut off: {error}")),
        };
        let Some((number, sent_us)) = numbered(&body) else { continue };
        if expected.is_some_and(|expected| expected != number) {
            fault(findings, format!("frame {number} came instead of {expected:?}"));
        }
        expected = Some(number + 1);
        let took_us = (clock.elapsed().as_micros() as u64).saturating_sub(sent_us);
        if sent_us > joined_us {
            findings.latest_us.fetch_max(took_us, Ordering::AcqRel);
            if u128::from(took_us) > LATE.as_micros() {
                fault(findings, format!("frame {number} came {} ms late", took_us / 1000));
            }
        }
        findings.seen.store(number, Ordering::Release);
    }
}

fn fault(findings: &Findings, text: String) {
    findings.faults.lock().unwrap().push(text);
}
