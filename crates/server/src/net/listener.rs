//! Listening sockets and what is set on every connection.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use parking_lot::Mutex;
use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::server::TlsStream;

use crate::events::{Event, Events};
use crate::live::Live;
use crate::metrics::Metrics;
use crate::net::peer::Origin;

/// Connections that the kernel holds for us while we are busy: a whole audience may come back at once.
const BACKLOG: i32 = 4096;
/// A vanished peer is noticed by the kernel after about 15 s + 3 × 5 s of silence.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(15);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(5);
const KEEPALIVE_RETRIES: u32 = 3;
/// A peer that acknowledges nothing of what was sent for so long has vanished.
#[cfg(target_os = "linux")]
const UNACKNOWLEDGED_MAX: Duration = Duration::from_secs(20);
/// How often an event tells that connections are turned away.
const TELL_EVERY: Duration = Duration::from_secs(1);
/// Pause after an accept error such as "too many open files".
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What a listener's connections hold to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Connections at once, at most.
    pub(crate) connections_max: usize,
    /// Time for everything before the protocol: PROXY header, TLS handshake, first byte.
    pub(crate) setup_timeout: Duration,
}

/// A bound listener that admits a bounded number of connections.
#[derive(Debug)]
pub(crate) struct Listener {
    socket: TcpListener,
    door: &'static str,
    taken: Arc<AtomicUsize>,
    /// Connections turned away that no event has told of yet, and when the last did.
    untold: Mutex<(u64, Option<Instant>)>,
}

/// What an accepted connection is read from and written to.
#[derive(Debug)]
pub(crate) enum Stream {
    /// Plain.
    Tcp(TcpStream),
    /// Inside TLS, its handshake done.
    Tls(Box<TlsStream<TcpStream>>),
    /// Taken away.
    Gone,
}

impl Stream {
    /// Whether the kernel ends the connection when the peer has acknowledged nothing, or taken nothing, for
    /// [`UNACKNOWLEDGED_MAX`]. Else a peer that has vanished is noticed when the kernel gives up repeating, in about a
    /// quarter of an hour.
    pub(crate) fn set_unacknowledged_bounded(&self, is_bounded: bool) {
        #[cfg(target_os = "linux")]
        {
            let socket = match self {
                Self::Tcp(socket) => socket,
                Self::Tls(socket) => socket.get_ref().0,
                Self::Gone => return,
            };
            // Zero is the kernel's own measure. A socket that refuses is still served.
            let max = if is_bounded { UNACKNOWLEDGED_MAX } else { Duration::ZERO };
            let _ = SockRef::from(socket).set_tcp_user_timeout(Some(max));
        }
        #[cfg(not(target_os = "linux"))]
        let _ = is_bounded;
    }
}

/// A connection's place among those that its listener admits; dropping it frees the place.
#[derive(Debug)]
pub(crate) struct Seat(Arc<AtomicUsize>);

/// An accepted connection.
#[derive(Debug)]
pub(crate) struct Accepted {
    pub(crate) stream: Stream,
    /// Bytes that were read of the stream already.
    pub(crate) read: Bytes,
    pub(crate) peer: Origin,
    pub(crate) seat: Seat,
}

impl Listener {
    /// Binds `address`; `[::]` takes IPv4 as well.
    pub(crate) fn bind(door: &'static str, address: SocketAddr) -> anyhow::Result<Self> {
        let socket = bind(address).or_else(|error| fall_back(address, error)).map_err(|error| {
            let why = match error.kind() {
                io::ErrorKind::AddrInUse => {
                    "another program listens there already; stop it or choose another port"
                }
                io::ErrorKind::PermissionDenied => {
                    "this user may not listen there; ports below 1024 need a privilege"
                }
                io::ErrorKind::AddrNotAvailable => "this machine has no such address",
                _ => "the system refused",
            };
            anyhow::anyhow!("cannot listen for {door} on {address}: {why} ({error}). Use --{door} HOST:PORT")
        })?;
        Ok(Self { socket, door, taken: Arc::default(), untold: Mutex::default() })
    }

    /// The bound address, with the port that the system chose.
    pub(crate) fn address(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// Waits for the next connection that there is a seat for. Never fails: errors of the system are
    /// logged and waited out, connections past the limit are closed at once.
    pub(crate) async fn accept(&self, limits: &Live<Limits>, metrics: &Metrics, events: &Events) -> Accepted {
        loop {
            match self.socket.accept().await {
                Ok((socket, peer)) => {
                    let peer = SocketAddr::new(peer.ip().to_canonical(), peer.port());
                    let Some(seat) = Seat::take(&self.taken, limits.get().connections_max) else {
                        metrics.refused(self.door, "connections_max");
                        self.tell_full(peer, events);
                        continue;
                    };
                    prepare(&socket);
                    let peer = Origin::direct(peer);
                    return Accepted { stream: Stream::Tcp(socket), read: Bytes::new(), peer, seat };
                }
                Err(error) => {
                    tracing::error!(door = self.door, %error, "cannot accept connections for a moment");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }
}

impl Listener {
    /// Tells that somebody was turned away, at most once in a second.
    fn tell_full(&self, peer: SocketAddr, events: &Events) {
        let mut untold = self.untold.lock();
        untold.0 += 1;
        if untold.1.is_none_or(|told| told.elapsed() >= TELL_EVERY) {
            events.emit(Event::ListenerFull { listener: self.door, peer, count: untold.0 });
            *untold = (0, Some(Instant::now()));
        }
    }
}

impl Seat {
    /// A seat, if fewer than `max` are taken. Only the listener's own task takes seats.
    fn take(taken: &Arc<AtomicUsize>, max: usize) -> Option<Self> {
        (taken.load(Ordering::Relaxed) < max).then(|| {
            taken.fetch_add(1, Ordering::Relaxed);
            Self(Arc::clone(taken))
        })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Options of every connection. A socket that refuses one is still served.
fn prepare(socket: &TcpStream) {
    let keepalive = TcpKeepalive::new()
        .with_time(KEEPALIVE_IDLE)
        .with_interval(KEEPALIVE_INTERVAL)
        .with_retries(KEEPALIVE_RETRIES);
    let _ = socket.set_nodelay(true);
    let _ = SockRef::from(socket).set_tcp_keepalive(&keepalive);
    #[cfg(target_os = "linux")]
    let _ = SockRef::from(socket).set_tcp_user_timeout(Some(UNACKNOWLEDGED_MAX));
}

fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(false)?;
    }
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

/// A machine without IPv6 cannot bind `[::]`; there it means all of IPv4.
fn fall_back(address: SocketAddr, error: io::Error) -> io::Result<TcpListener> {
    if address.ip() == Ipv6Addr::UNSPECIFIED && error.kind() != io::ErrorKind::AddrInUse {
        return bind(SocketAddr::from((Ipv4Addr::UNSPECIFIED, address.port()))).map_err(|_| error);
    }
    Err(error)
}
