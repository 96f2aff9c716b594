//! An acceptor: a listener, and what happens to a connection before its door has it.
//!
//! The PROXY header is taken off, TLS shaken hands over, and where one port serves all, the first bytes tell RTMP from
//! TLS from HTTP. All that is bounded in time, and of a connection that fails it an event tells.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::sync::mpsc;

use crate::events::{Event, Events};
use crate::metrics::Metrics;
use crate::net::listener::{Accepted, Listener, Stream};
use crate::net::proxy;
use crate::net::tls::Tls;
use crate::stop::Stop;

/// What a TLS connection begins with: a handshake record.
const TLS_RECORD: u8 = 0x16;
/// Connections on their way from the acceptors to a door.
const HALLWAY: usize = 256;

/// What is spoken at an acceptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Speaks {
    /// RTMP.
    Rtmp,
    /// HTTP.
    Http,
    /// Either, also inside TLS; the first byte tells.
    All,
}

/// A listener and what happens before the doors.
pub(crate) struct Acceptor {
    /// For metrics and the log.
    pub(crate) name: &'static str,
    pub(crate) listener: Listener,
    pub(crate) speaks: Speaks,
    /// Whether TLS comes first in any case.
    pub(crate) is_tls: bool,
    pub(crate) tls: Option<Tls>,
    pub(crate) proxy: proxy::Config,
    /// Time for everything before the doors.
    pub(crate) hello: Duration,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) events: Arc<Events>,
    pub(crate) doors: Doors,
}

/// Where connections go.
#[derive(Clone)]
pub(crate) struct Doors {
    rtmp: mpsc::Sender<Accepted>,
    http: mpsc::Sender<Accepted>,
}

/// The doors' ends.
pub(crate) struct Arrivals {
    pub(crate) rtmp: mpsc::Receiver<Accepted>,
    pub(crate) http: mpsc::Receiver<Accepted>,
}

impl Doors {
    pub(crate) fn new() -> (Self, Arrivals) {
        let (rtmp, rtmp_arrivals) = mpsc::channel(HALLWAY);
        let (http, http_arrivals) = mpsc::channel(HALLWAY);
        (Self { rtmp, http }, Arrivals { rtmp: rtmp_arrivals, http: http_arrivals })
    }
}

/// Who comes next behind an acceptor.
enum Door {
    Rtmp,
    Http,
}

impl Acceptor {
    /// Takes connections in until `stop`.
    pub(crate) async fn run(self, mut stop: Stop) {
        let acceptor = Arc::new(self);
        loop {
            let accepted = tokio::select! {
                accepted = acceptor.listener.accept(&acceptor.metrics, &acceptor.events) => accepted,
                () = stop.requested() => return,
            };
            acceptor.metrics.connected(acceptor.name);
            let is_proxy = acceptor.proxy.trusts(accepted.peer.ip());
            if !is_proxy && !acceptor.is_tls && acceptor.speaks != Speaks::All {
                acceptor.hand_over(acceptor.plain_door(), accepted).await;
            } else {
                tokio::spawn(Arc::clone(&acceptor).receive(accepted, is_proxy));
            }
        }
    }

    /// Everything before the door.
    async fn receive(self: Arc<Self>, mut accepted: Accepted, is_proxy: bool) {
        let peer = accepted.peer;
        let prepared = tokio::time::timeout(self.hello, self.prepare(&mut accepted, is_proxy)).await;
        let (reason, text) = match prepared {
            Ok(Ok((door, stream, read))) => {
                let accepted = Accepted { stream, read, ..accepted };
                return self.hand_over(door, accepted).await;
            }
            // It said nothing and hung up: a port scan, a health check.
            Ok(Err(error)) if error.kind() == io::ErrorKind::UnexpectedEof => {
                return tracing::debug!(%peer, acceptor = self.name, "gone before it said what it wants");
            }
            Ok(Err(error)) => ("acceptor", error.to_string()),
            Err(_) => {
                ("silent", format!("it did not say within {} ms what it wants", self.hello.as_millis()))
            }
        };
        self.events.emit(Event::NotAdmitted { listener: self.name, reason, peer: accepted.peer, text });
    }

    /// The door, the stream behind everything that comes before it, and what was read of it already. The peer
    /// becomes the one that a proxy speaks for.
    async fn prepare(&self, accepted: &mut Accepted, is_proxy: bool) -> io::Result<(Door, Stream, Bytes)> {
        let placeholder = Stream::Gone;
        let Stream::Tcp(mut socket) = std::mem::replace(&mut accepted.stream, placeholder) else {
            return Err(io::ErrorKind::NotConnected.into());
        };
        if is_proxy {
            accepted.peer = proxy::client_behind(&mut socket, accepted.peer).await?;
        }
        if self.is_tls {
            return self.behind_tls(socket).await;
        }
        if self.speaks != Speaks::All {
            return Ok((self.plain_door(), Stream::Tcp(socket), Bytes::new()));
        }
        let mut first = [0];
        if socket.peek(&mut first).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        match first[0] {
            TLS_RECORD => self.behind_tls(socket).await,
            first => Ok((door_by(first), Stream::Tcp(socket), Bytes::new())),
        }
    }

    async fn behind_tls(&self, socket: TcpStream) -> io::Result<(Door, Stream, Bytes)> {
        let Some(tls) = &self.tls else {
            let text = "it speaks TLS, but no certificate is configured ([tls] certificate and key)";
            return Err(io::Error::new(io::ErrorKind::InvalidData, text));
        };
        let shaken = tls.acceptor().accept(socket).await;
        let mut stream =
            shaken.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, format!("TLS: {error}")))?;
        let mut read = BytesMut::new();
        let door = match self.speaks {
            Speaks::All if stream.get_ref().1.alpn_protocol().is_some() => Door::Http,
            Speaks::All => {
                if stream.read_buf(&mut read).await? == 0 {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                door_by(read[0])
            }
            _ => self.plain_door(),
        };
        Ok((door, Stream::Tls(Box::new(stream)), read.freeze()))
    }

    fn plain_door(&self) -> Door {
        if self.speaks == Speaks::Http { Door::Http } else { Door::Rtmp }
    }

    /// A door that takes nobody any more is closing, and so is the connection.
    async fn hand_over(&self, door: Door, accepted: Accepted) {
        let _ = match door {
            Door::Rtmp => self.doors.rtmp.send(accepted).await,
            Door::Http => self.doors.http.send(accepted).await,
        };
    }
}

/// RTMP begins with its version, HTTP with a word in capital letters.
fn door_by(first: u8) -> Door {
    if first.is_ascii_uppercase() { Door::Http } else { Door::Rtmp }
}
