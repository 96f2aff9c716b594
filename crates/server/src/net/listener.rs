//! Listening sockets and what is set on every connection.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::FutureExt as _;
use parking_lot::Mutex;
use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::server::TlsStream;

use crate::events::{Event, Events};
use crate::live::Live;
use crate::metrics::Metrics;
use crate::net::peer::Origin;
use crate::net::seats::{Full, Seat, Seats};

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
/// Turns of other tasks that a guest is waited for who gives way to another.
const GUEST_GOES_TURNS: usize = 256;
/// Pause after an accept error such as "too many open files", doubled with each that follows.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// It never grows longer: whoever connects waits so long once the cause is gone.
const ACCEPT_PAUSE_MAX: Duration = Duration::from_secs(1);

/// What a listener's connections hold to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Connections at once, at most.
    pub(crate) connections_max: usize,
    /// Connections from one address at once, at most; 0 bounds nothing.
    pub(crate) connections_per_address_max: usize,
    /// Time for everything before the protocol: PROXY header, TLS handshake, first byte.
    pub(crate) setup_timeout: Duration,
}

/// A bound listener that admits a bounded number of connections.
#[derive(Debug)]
pub(crate) struct Listener {
    socket: TcpListener,
    door: &'static str,
    seats: Seats,
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
    /// Takes connections in on these seats.
    pub(crate) fn new(door: &'static str, socket: TcpListener, seats: Seats) -> Self {
        Self { socket, door, seats, untold: Mutex::default() }
    }

    /// Binds `address`; `[::]` takes IPv4 as well.
    pub(crate) fn bind(door: &'static str, address: SocketAddr) -> anyhow::Result<TcpListener> {
        bind(address).or_else(|error| fall_back(address, error)).map_err(|error| {
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
        })
    }

    /// The bound address, with the port that the system chose.
    pub(crate) fn address(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// Waits for the next connection that there is a seat for. Never fails: errors of the system are
    /// logged and waited out, connections past the limit are closed at once.
    pub(crate) async fn accept(&self, limits: &Live<Limits>, metrics: &Metrics, events: &Events) -> Accepted {
        let mut pause = ACCEPT_PAUSE;
        loop {
            match self.socket.accept().await {
                Ok((socket, peer)) => {
                    let peer = SocketAddr::new(peer.ip().to_canonical(), peer.port());
                    pause = ACCEPT_PAUSE;
                    let seat = match self.seat(limits.get().connections_max).await {
                        Ok(seat) => seat,
                        Err(full) => {
                            metrics.refused(self.door, full.reason());
                            self.tell_full(full, peer, events);
                            continue;
                        }
                    };
                    prepare(&socket);
                    let peer = Origin::direct(peer);
                    return Accepted { stream: Stream::Tcp(socket), read: Bytes::new(), peer, seat };
                }
                Err(error) => {
                    tracing::error!(door = self.door, %error, "cannot accept connections for a moment");
                    // Whoever waits in front is turned away, so that those behind are not held up.
                    self.seats.lend_spare(|| drop(self.socket.accept().now_or_never()));
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(ACCEPT_PAUSE_MAX);
                }
            }
        }
    }
}

impl Listener {
    /// A seat. A guest that gives way takes a moment to go.
    async fn seat(&self, max: usize) -> Result<Seat, Full> {
        for _ in 0..GUEST_GOES_TURNS {
            match self.seats.take(max) {
                Err(Full::Guests) => tokio::task::yield_now().await,
                decided => return decided,
            }
        }
        Err(Full::Descriptors)
    }

    /// Tells that somebody was turned away, at most once in a second.
    fn tell_full(&self, full: Full, peer: SocketAddr, events: &Events) {
        let mut untold = self.untold.lock();
        untold.0 += 1;
        if untold.1.is_none_or(|told| told.elapsed() >= TELL_EVERY) {
            events.emit(Event::ListenerFull {
                listener: self.door,
                reason: full.reason(),
                peer,
                count: untold.0,
            });
            *untold = (0, Some(Instant::now()));
        }
    }
}

impl Full {
    /// For metrics and the log.
    const fn reason(self) -> &'static str {
        match self {
            Self::Seats => "connections_max",
            Self::Descriptors | Self::Guests => "open_files",
        }
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
