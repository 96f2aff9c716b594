//! RTMP by hand over TCP, TLS and HTTP, from this machine or, as a trusted proxy says, from elsewhere.

use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use headwater_media::amf::Object;
use headwater_rtmp::chunk::{self, CHUNK_SIZE_DEFAULT, RawMessage};
use headwater_rtmp::command::Command;
use headwater_rtmp::message::type_id;
use headwater_rtmp::{ChunkStreamId, MessageStreamId, Output};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};

use crate::server::Server;

/// The address of a proxy that the server trusts.
pub(crate) const PROXY: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
const SOON: Duration = Duration::from_secs(10);

/// Where a peer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Near,
    Far,
    /// On this machine, with a header that a proxy adds (RTMPT only).
    Forwarded,
}

/// What RTMP goes through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transport {
    Rtmp,
    Rtmps,
    Rtmpt,
}

/// A TCP connection from there.
pub(crate) fn dial(server: SocketAddr, place: Place) -> TcpStream {
    if place != Place::Far {
        return TcpStream::connect(server).unwrap();
    }
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::new(IpAddr::V4(PROXY), 0).into()).unwrap();
    socket.connect(&server.into()).unwrap();
    let mut socket = TcpStream::from(socket);
    socket.write_all(b"PROXY TCP4 203.0.113.7 127.0.0.1 40000 1935\r\n").unwrap();
    socket
}

/// What carries the bytes.
enum Carrier {
    Plain(TcpStream),
    Tls(Box<rustls::StreamOwned<rustls::ClientConnection, TcpStream>>),
    Tunnel(Tunnel),
}

/// A publisher or player.
pub(crate) struct Wire {
    carrier: Carrier,
    /// Everything that was received after the handshake.
    received: Vec<u8>,
}

impl Wire {
    /// Connects and shakes hands.
    pub(crate) fn open(server: &Server, transport: Transport, place: Place) -> Self {
        let scheme = match transport {
            Transport::Rtmp => "rtmp",
            Transport::Rtmps => "rtmps",
            Transport::Rtmpt => "http",
        };
        let scheme_address = if scheme == "rtmp" { rtmp(server) } else { server.address(scheme) };
        let socket = dial(scheme_address, place);
        socket.set_read_timeout(Some(SOON)).unwrap();
        socket.set_nodelay(true).unwrap();
        let carrier = match transport {
            Transport::Rtmp => Carrier::Plain(socket),
            Transport::Rtmps => Carrier::Tls(Box::new(tls(socket))),
            Transport::Rtmpt => Carrier::Tunnel(Tunnel::open(socket, place == Place::Forwarded)),
        };
        let mut wire = Self { carrier, received: Vec::new() };
        let mut greeting = vec![3];
        greeting.extend_from_slice(&[0; 8]);
        greeting.extend((0..1528).map(|at| (at * 7) as u8));
        wire.send(&greeting);
        while wire.received.len() < 2 * 1536 + 1 {
            assert!(wire.read(), "no handshake");
        }
        let answer: Vec<u8> = wire.received.drain(..2 * 1536 + 1).collect();
        wire.send(&answer[1..1537]);
        wire
    }

    /// `connect` to an app, by this tcUrl.
    pub(crate) fn connect(&mut self, app: &str) -> &mut Self {
        let url = format!("rtmp://localhost/{app}");
        let object = Object::new()
            .with("app", app)
            .with("tcUrl", url.as_str())
            .with("swfUrl", url.as_str())
            .with("flashVer", "FMLE/3.0 (test)");
        self.command(0, &Command::new("connect", 1.0).object(object));
        self.must_hear(&["NetConnection.Connect.Success"]);
        self.command(0, &Command::new("createStream", 2.0));
        self
    }

    /// Asks to publish; whether it may, else the whole of what was said.
    pub(crate) fn publish(&mut self, name: &str) -> Result<(), String> {
        self.command(0, &Command::new("releaseStream", 3.0).with(name));
        self.command(0, &Command::new("FCPublish", 4.0).with(name));
        self.command(1, &Command::new("publish", 5.0).with(name).with("live"));
        // `NetStream.Publish.Start` is what `onFCPublish` says too, before anything is decided.
        let heard =
            self.must_hear(&["is now published", "NetStream.Publish.Denied", "NetStream.Publish.BadName"]);
        if heard == 0 { Ok(()) } else { Err(self.rest()) }
    }

    /// Asks to play and does not wait for media.
    pub(crate) fn play(&mut self, name: &str) -> &mut Self {
        self.command(0, &Command::new("getStreamLength", 3.0).with(name));
        self.command(1, &Command::new("play", 4.0).with(name).with(-2000.0));
        self.must_hear(&["NetStream.Play.Start", "NetStream.Play.Failed"]);
        self
    }

    /// Everything that was heard, to the end or until there is nothing for a moment.
    pub(crate) fn rest(&mut self) -> String {
        let wait = Some(Duration::from_millis(200));
        match &self.carrier {
            Carrier::Plain(socket) => socket.set_read_timeout(wait).unwrap(),
            Carrier::Tls(tls) => tls.sock.set_read_timeout(wait).unwrap(),
            Carrier::Tunnel(_) => {}
        }
        for _ in 0..20 {
            let before = self.received.len();
            if !self.read() || before == self.received.len() {
                break;
            }
        }
        String::from_utf8_lossy(&self.received).into_owned()
    }

    fn command(&mut self, stream: u32, command: &Command) {
        let message = RawMessage {
            chunk_stream: ChunkStreamId::COMMAND,
            stream: MessageStreamId(stream),
            timestamp: 0,
            type_id: type_id::COMMAND,
            payload: command.encode(),
            at: 0,
        };
        let mut output = Output::default();
        chunk::encode(&mut output, &message, CHUNK_SIZE_DEFAULT);
        self.send(&output.drain());
    }

    fn send(&mut self, bytes: &[u8]) {
        match &mut self.carrier {
            Carrier::Plain(socket) => socket.write_all(bytes).unwrap(),
            Carrier::Tls(tls) => tls.write_all(bytes).unwrap(),
            Carrier::Tunnel(tunnel) => {
                let heard = tunnel.ask("send", bytes).expect("the tunnel is open");
                self.received.extend(heard);
            }
        }
    }

    /// Which of these words comes first.
    #[track_caller]
    fn must_hear(&mut self, words: &[&str]) -> usize {
        let deadline = Instant::now() + SOON;
        loop {
            let said = String::from_utf8_lossy(&self.received).into_owned();
            if let Some(found) = words.iter().position(|word| said.contains(word)) {
                return found;
            }
            assert!(Instant::now() < deadline && self.read(), "none of {words:?} came, but {said:?}");
        }
    }

    /// Reads what there is; false at the end.
    fn read(&mut self) -> bool {
        let mut bytes = [0; 16_384];
        let read = match &mut self.carrier {
            Carrier::Plain(socket) => socket.read(&mut bytes),
            Carrier::Tls(tls) => tls.read(&mut bytes),
            Carrier::Tunnel(tunnel) => {
                let Some(heard) = tunnel.ask("idle", &[0]) else { return false };
                self.received.extend(heard);
                return true;
            }
        };
        match read {
            Ok(count) => {
                self.received.extend_from_slice(&bytes[..count]);
                count > 0
            }
            Err(error) => matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut),
        }
    }
}

pub(crate) fn rtmp(server: &Server) -> SocketAddr {
    let said = server.said();
    let ready = said.lines().find(|line| line.starts_with("Ready: ")).unwrap().to_owned();
    ready.split_once("Ready: rtmp://").unwrap().1.split(' ').next().unwrap().parse().unwrap()
}

/// RTMP inside POST requests on one connection.
struct Tunnel {
    socket: TcpStream,
    forwarded: bool,
    name: String,
    turn: u64,
}

impl Tunnel {
    fn open(socket: TcpStream, forwarded: bool) -> Self {
        let mut tunnel = Self { socket, forwarded, name: String::new(), turn: 0 };
        let name = tunnel.post("/open/1", &[0]).expect("a tunnel opens");
        tunnel.name = String::from_utf8(name).unwrap().trim().to_owned();
        tunnel
    }

    /// What is answered to a request in its turn; nothing once the tunnel is closed.
    fn ask(&mut self, what: &str, bytes: &[u8]) -> Option<Vec<u8>> {
        self.turn += 1;
        let answer = self.post(&format!("/{what}/{}/{}", self.name, self.turn), bytes)?;
        Some(answer.get(1..).unwrap_or_default().to_vec())
    }

    fn post(&mut self, path: &str, body: &[u8]) -> Option<Vec<u8>> {
        let through = if self.forwarded { "X-Forwarded-For: 198.51.100.3\r\n" } else { "" };
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: localhost\r\n{through}Content-Length: {}\r\n\r\n",
            body.len()
        );
        self.socket.write_all(&[head.as_bytes(), body].concat()).unwrap();
        let mut answer = Vec::new();
        loop {
            if let Some(end) = answer.windows(4).position(|four| four == b"\r\n\r\n") {
                let head = String::from_utf8_lossy(&answer[..end]).to_ascii_lowercase();
                let length = head.split_once("content-length: ").unwrap().1;
                let length: usize = length.lines().next().unwrap().parse().unwrap();
                if answer.len() >= end + 4 + length {
                    return head
                        .starts_with("http/1.1 200")
                        .then(|| answer[end + 4..end + 4 + length].to_vec());
                }
            }
            let mut bytes = [0; 16_384];
            match self.socket.read(&mut bytes) {
                Ok(count @ 1..) => answer.extend_from_slice(&bytes[..count]),
                _ => return None,
            }
        }
    }
}

fn tls(socket: TcpStream) -> rustls::StreamOwned<rustls::ClientConnection, TcpStream> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Whoever))
        .with_no_client_auth();
    let name = ServerName::try_from("localhost").unwrap();
    let client = rustls::ClientConnection::new(Arc::new(config), name).unwrap();
    rustls::StreamOwned::new(client, socket)
}

/// Takes any certificate: who the server is, is not what these tests ask.
#[derive(Debug)]
struct Whoever;

impl rustls::client::danger::ServerCertVerifier for Whoever {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<rustls::client::danger::ServerCertVerified, rustls::Error> {
        Ok(rustls::client::danger::ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &rustls::DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        Ok(rustls::client::danger::HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &rustls::DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        Ok(rustls::client::danger::HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<rustls::SignatureScheme> {
        use rustls::SignatureScheme as S;
        vec![S::ECDSA_NISTP256_SHA256, S::ECDSA_NISTP384_SHA384, S::ED25519, S::RSA_PSS_SHA256]
    }
}
