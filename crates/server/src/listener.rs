//! Listening sockets and what is set on every connection.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Connections that the kernel holds for us while we are busy: a whole audience may come back at once.
const BACKLOG: i32 = 4096;
/// A vanished peer is noticed by the kernel after about 15 s + 3 × 5 s of silence.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(15);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(5);
const KEEPALIVE_RETRIES: u32 = 3;
/// Pause after an accept error such as "too many open files".
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A bound listener that admits a bounded number of connections.
#[derive(Debug)]
pub(crate) struct Listener {
    socket: TcpListener,
    door: &'static str,
    seats: Arc<Semaphore>,
}

/// An accepted connection. The permit is its seat; dropping it frees the seat.
#[derive(Debug)]
pub(crate) struct Accepted {
    pub(crate) socket: TcpStream,
    pub(crate) peer: SocketAddr,
    pub(crate) seat: OwnedSemaphorePermit,
}

impl Listener {
    /// Binds `address`; `[::]` takes IPv4 as well.
    pub(crate) fn bind(
        door: &'static str,
        address: SocketAddr,
        connections_max: usize,
    ) -> anyhow::Result<Self> {
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
        Ok(Self { socket, door, seats: Arc::new(Semaphore::new(connections_max)) })
    }

    /// The bound address, with the port that the system chose.
    pub(crate) fn address(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// Waits for the next connection that there is a seat for. Never fails: errors of the system are
    /// logged and waited out, connections past the limit are closed at once.
    pub(crate) async fn accept(&self) -> Accepted {
        loop {
            match self.socket.accept().await {
                Ok((socket, peer)) => {
                    let peer = SocketAddr::new(peer.ip().to_canonical(), peer.port());
                    let Ok(seat) = Arc::clone(&self.seats).try_acquire_owned() else {
                        tracing::warn!(door = self.door, %peer, "closed: the limit connections_max is reached");
                        continue;
                    };
                    prepare(&socket);
                    return Accepted { socket, peer, seat };
                }
                Err(error) => {
                    tracing::error!(door = self.door, %error, "cannot accept connections for a moment");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
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
