//! A bad peer: a plain socket that sends whatever bytes it likes.

use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use bytes::Bytes;
use headwater_media::amf::Object;
use headwater_rtmp::chunk::{self, CHUNK_SIZE_DEFAULT, RawMessage};
use headwater_rtmp::command::Command;
use headwater_rtmp::message::type_id;
use headwater_rtmp::{ChunkStreamId, MessageStreamId, Output};
use socket2::{Domain, Socket, Type};

/// C0 and C1 of the simple handshake.
pub(crate) fn greeting() -> Vec<u8> {
    let mut bytes = vec![3];
    bytes.extend_from_slice(&[0; 8]);
    bytes.extend((0..1528).map(|at| (at * 7) as u8));
    bytes
}

/// A socket and where it stands.
pub(crate) struct Peer {
    pub(crate) socket: TcpStream,
    address: SocketAddr,
    /// Bytes received and not looked at.
    pub(crate) received: Vec<u8>,
    since: Instant,
}

impl Peer {
    /// Connects, and says nothing.
    pub(crate) fn dial(server: SocketAddr) -> Self {
        Self::over(TcpStream::connect(server).unwrap())
    }

    fn over(socket: TcpStream) -> Self {
        socket.set_nodelay(true).unwrap();
        let address = socket.local_addr().unwrap();
        Self { socket, address, received: Vec::new(), since: Instant::now() }
    }

    /// As [`Peer::dial`], from another address of this machine.
    pub(crate) fn dial_from(address: IpAddr, server: SocketAddr) -> Self {
        let socket = Socket::new(Domain::for_address(server), Type::STREAM, None).unwrap();
        socket.bind(&SocketAddr::new(address, 0).into()).unwrap();
        socket.connect(&server.into()).unwrap();
        Self::over(socket.into())
    }

    /// Our address, by which the server's log names us.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Time since the dial.
    pub(crate) fn age(&self) -> Duration {
        self.since.elapsed()
    }

    /// Sends bytes. That the server has hung up meanwhile is no surprise.
    pub(crate) fn send(&mut self, bytes: &[u8]) -> &mut Self {
        self.socket.set_write_timeout(Some(Duration::from_secs(10))).unwrap();
        let _ = self.socket.write_all(bytes);
        self
    }

    /// Shakes hands.
    pub(crate) fn handshake(&mut self) -> &mut Self {
        let greeting = greeting();
        self.send(&greeting);
        let mut answer = vec![0; 2 * 1536 + 1];
        self.socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        self.socket.read_exact(&mut answer).unwrap();
        self.send(&answer[1..1537])
    }

    /// Shakes hands and connects to `app`.
    pub(crate) fn connect(&mut self, app: &str) -> &mut Self {
        self.handshake().command(0, &connect(app));
        self.must_hear(b"NetConnection.Connect.Success");
        self
    }

    /// Connects to `live` and creates message stream 1.
    pub(crate) fn create_stream(&mut self) -> &mut Self {
        self.connect("live").command(0, &Command::new("createStream", 2.0));
        self.must_hear(b"_result");
        self
    }

    /// Publishes `live/<name>` on message stream 1.
    pub(crate) fn publish(&mut self, name: &str) -> &mut Self {
        self.create_stream().command(1, &Command::new("publish", 3.0).with(name).with("live"));
        self.must_hear(b"NetStream.Publish.Start");
        self
    }

    /// Sends a command on a message stream.
    pub(crate) fn command(&mut self, stream: u32, command: &Command) -> &mut Self {
        self.message(stream, type_id::COMMAND, command.encode())
    }

    /// Sends a message on chunk stream 3, in chunks of 128 bytes.
    pub(crate) fn message(&mut self, stream: u32, type_id: u8, payload: Bytes) -> &mut Self {
        let bytes = message(stream, type_id, payload);
        self.send(&bytes)
    }

    /// Reads until `words` have come.
    pub(crate) fn must_hear(&mut self, words: &[u8]) {
        let deadline = Instant::now() + Duration::from_secs(10);
        while !self.received.windows(words.len()).any(|window| window == words) {
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(
                !left.is_zero() && self.read(left).is_some_and(|count| count > 0),
                "{:?} did not come, but {:?}",
                String::from_utf8_lossy(words),
                String::from_utf8_lossy(&self.received)
            );
        }
        self.received.clear();
    }

    /// Reads once; `Some(0)` at the end of the connection, `None` when nothing came in time.
    pub(crate) fn read(&mut self, within: Duration) -> Option<usize> {
        self.socket.set_read_timeout(Some(within.max(Duration::from_millis(1)))).unwrap();
        let mut bytes = [0; 65_536];
        match self.socket.read(&mut bytes) {
            Ok(count) => {
                self.received.extend_from_slice(&bytes[..count]);
                Some(count)
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => None,
            Err(_) => Some(0),
        }
    }

    /// Reads to the end of the connection, which must come within `within` of the dial.
    pub(crate) fn must_be_closed(&mut self, within: Duration) {
        let deadline = self.since + within;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.read(left) {
                Some(0) => break,
                Some(_) => {}
                None => panic!("the peer {} is not closed after {within:?}", self.address),
            }
        }
        let _ = self.socket.shutdown(Shutdown::Both);
    }
}

/// A `connect` to `app`.
pub(crate) fn connect(app: &str) -> Command {
    Command::new("connect", 1.0).object(Object::new().with("app", app).with("flashVer", "hostile"))
}

/// A message on chunk stream 3, cut at 128 bytes.
pub(crate) fn message(stream: u32, type_id: u8, payload: Bytes) -> Bytes {
    let message = RawMessage {
        chunk_stream: ChunkStreamId::COMMAND,
        stream: MessageStreamId(stream),
        timestamp: 0,
        type_id,
        payload,
        at: 0,
    };
    let mut output = Output::default();
    chunk::encode(&mut output, &message, CHUNK_SIZE_DEFAULT);
    output.drain()
}
