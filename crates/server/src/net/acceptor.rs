//! An acceptor: a listener, and what happens to a connection before its door has it.
//!
//! The PROXY header is taken off, the TLS handshake is made, and where one port serves all, the first bytes tell RTMP from
//! TLS from HTTP. All that is bounded in time, and of a connection that fails it an event tells.

use std::io;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::sync::mpsc;

use crate::events::{Event, Events};
use crate::live::Live;
use crate::metrics::Metrics;
use crate::net::listener::{Accepted, Limits, Listener, Stream};
use crate::net::peer::Origin;
use crate::net::proxy;
use crate::net::seats::{Addresses, GUEST_TIMEOUT};
use crate::net::tls::Tls;
use crate::stop::Stop;

/// What a TLS connection begins with: a handshake record.
const TLS_RECORD: u8 = 0x16;
/// Connections on their way from the acceptors to a door.
const HALLWAY: usize = 256;

/// A protocol, as far as what happens before it has to know it.
#[derive(Debug)]
pub(crate) struct Protocol {
    /// What its listener is called in addresses, flags, metrics and the log.
    pub(crate) name: &'static str,
    /// The same, behind TLS.
    pub(crate) tls_name: &'static str,
    /// What TLS clients call it when they say what they will speak (ALPN, RFC 7301), where they do; several are its
    /// versions, the one that it would rather speak in front.
    pub(crate) alpn: &'static [&'static str],
    /// Whether a connection that begins with this byte speaks it; asked where one port takes several protocols.
    pub(crate) begins_with: fn(u8) -> bool,
}

/// Where connections of a protocol go.
#[derive(Clone)]
pub(crate) struct Door {
    pub(crate) protocol: &'static Protocol,
    arrivals: mpsc::Sender<Accepted>,
}

impl Door {
    /// A door, and its end of the way to it.
    pub(crate) fn new(protocol: &'static Protocol) -> (Self, mpsc::Receiver<Accepted>) {
        let (arrivals, arrived) = mpsc::channel(HALLWAY);
        (Self { protocol, arrivals }, arrived)
    }
}

/// A listener and what happens before the doors.
pub(crate) struct Acceptor {
    /// For metrics and the log.
    pub(crate) name: &'static str,
    pub(crate) listener: Listener,
    /// Where its connections go: to the only door, or to the one whose protocol the first byte begins.
    pub(crate) doors: Vec<Door>,
    /// Whether TLS comes first in any case.
    pub(crate) is_tls: bool,
    pub(crate) tls: Option<Tls>,
    pub(crate) proxy: Live<proxy::Config>,
    pub(crate) limits: Live<Limits>,
    /// How many of its connections come from each address.
    pub(crate) addresses: Arc<Addresses>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) events: Arc<Events>,
}

impl Acceptor {
    /// Takes connections in until `stop`.
    pub(crate) async fn run(self, mut stop: Stop) {
        let acceptor = Arc::new(self);
        loop {
            let mut accepted = tokio::select! {
                accepted = acceptor.listener.accept(&acceptor.limits, &acceptor.metrics, &acceptor.events) => accepted,
                () = stop.requested() => return,
            };
            acceptor.metrics.connected(acceptor.name);
            let is_proxy = acceptor.proxy.get().trusts(accepted.peer.address.ip());
            if !is_proxy && acceptor.seat_address(&mut accepted).is_err() {
                continue;
            }
            match acceptor.only_door() {
                Some(door) if !is_proxy && !acceptor.is_tls => door.hand_over(accepted).await,
                _ => drop(tokio::spawn(Arc::clone(&acceptor).receive(accepted, is_proxy))),
            }
        }
    }

    /// Gives the connection its place among those from its address; else tells that there is none.
    fn seat_address(&self, accepted: &mut Accepted) -> Result<(), ()> {
        let max = self.limits.get().connections_per_address_max;
        let peer = accepted.peer.address;
        match self.addresses.take(peer.ip(), max) {
            Ok(place) => {
                accepted.seat.place = place;
                Ok(())
            }
            Err(()) => {
                let text = format!(
                    "its address has {max} connections already (limit connections_per_address_max); if that is a \
                     proxy, name it in [proxy] trusted"
                );
                let reason = "connections_per_address_max";
                self.events.emit(Event::NotAdmitted { listener: self.name, reason, peer, text });
                Err(())
            }
        }
    }

    /// Everything before the door.
    async fn receive(self: Arc<Self>, mut accepted: Accepted, is_proxy: bool) {
        let peer = accepted.peer;
        let mut setup_timeout = self.limits.get().setup_timeout;
        if accepted.seat.guest().is_some() {
            setup_timeout = setup_timeout.min(GUEST_TIMEOUT);
        }
        let prepared = tokio::time::timeout(setup_timeout, self.prepare(&mut accepted, is_proxy)).await;
        let (reason, text) = match prepared {
            Ok(Ok((door, stream, read))) => {
                let mut accepted = Accepted { stream, read, ..accepted };
                // A proxy that speaks for itself asks how the server is.
                let is_for_itself = !is_proxy || accepted.peer.address == peer.address;
                if is_for_itself || self.seat_address(&mut accepted).is_ok() {
                    door.hand_over(accepted).await;
                }
                return;
            }
            // It said nothing and hung up: a port scan, a health check.
            Ok(Err(error)) if error.kind() == io::ErrorKind::UnexpectedEof => {
                return tracing::debug!(%peer, acceptor = self.name, "gone before it said what it wants");
            }
            Ok(Err(error)) => ("acceptor", error.to_string()),
            Err(_) => {
                ("silent", format!("it did not say within {} ms what it wants", setup_timeout.as_millis()))
            }
        };
        self.events.emit(Event::NotAdmitted {
            listener: self.name,
            reason,
            peer: accepted.peer.address,
            text,
        });
    }

    /// The door, the stream behind everything that comes before it, and what was read of it already. The peer
    /// becomes the one that a proxy speaks for, and counts as behind it, whatever the header says.
    async fn prepare(&self, accepted: &mut Accepted, is_proxy: bool) -> io::Result<(&Door, Stream, Bytes)> {
        let placeholder = Stream::Gone;
        let Stream::Tcp(mut socket) = std::mem::replace(&mut accepted.stream, placeholder) else {
            return Err(io::ErrorKind::NotConnected.into());
        };
        if is_proxy {
            let client = proxy::client_behind(&mut socket, accepted.peer.address).await?;
            accepted.peer = Origin::behind_proxy(client);
        }
        if self.is_tls {
            return self.behind_tls(socket).await;
        }
        if let Some(door) = self.only_door() {
            return Ok((door, Stream::Tcp(socket), Bytes::new()));
        }
        let mut first = [0];
        if socket.peek(&mut first).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        match first[0] {
            TLS_RECORD => self.behind_tls(socket).await,
            first => Ok((self.door_by(first)?, Stream::Tcp(socket), Bytes::new())),
        }
    }

    async fn behind_tls(&self, socket: TcpStream) -> io::Result<(&Door, Stream, Bytes)> {
        let Some(tls) = &self.tls else {
            let text = "it speaks TLS, but no certificate is configured ([tls] certificate and key)";
            return Err(io::Error::new(io::ErrorKind::InvalidData, text));
        };
        let shaken = tls.acceptor().accept(socket).await;
        let mut stream =
            shaken.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, format!("TLS: {error}")))?;
        let mut read = BytesMut::new();
        let chosen = stream.get_ref().1.alpn_protocol();
        let door = match self.only_door().or_else(|| self.door_by_alpn(chosen?)) {
            Some(door) => door,
            None => {
                if stream.read_buf(&mut read).await? == 0 {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                self.door_by(read[0])?
            }
        };
        Ok((door, Stream::Tls(Box::new(stream)), read.freeze()))
    }

    fn only_door(&self) -> Option<&Door> {
        if let [door] = &self.doors[..] { Some(door) } else { None }
    }

    fn door_by_alpn(&self, chosen: &[u8]) -> Option<&Door> {
        self.doors.iter().find(|door| door.protocol.alpn.iter().any(|name| name.as_bytes() == chosen))
    }

    fn door_by(&self, first: u8) -> io::Result<&Door> {
        let found = self.doors.iter().find(|door| (door.protocol.begins_with)(first));
        found.ok_or_else(|| {
            let text = format!("no protocol of this port begins with the byte {first:#04x}");
            io::Error::new(io::ErrorKind::InvalidData, text)
        })
    }
}

impl Door {
    /// A door that takes nobody any more is closing, and so is the connection.
    async fn hand_over(&self, accepted: Accepted) {
        let _ = self.arrivals.send(accepted).await;
    }
}
