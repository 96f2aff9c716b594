//! Opens the listeners of a table of protocols: a plain one for each, and one behind TLS where there is a certificate.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::TcpListener;

use super::acceptor::{Acceptor, Door, Protocol};
use super::descriptors::Descriptors;
use super::listener::{Limits, Listener};
use super::proxy;
use super::seats::{Guests, Seats};
use super::tls::Tls;
use crate::events::Events;
use crate::live::Live;
use crate::metrics::Metrics;

/// One protocol over TCP: where it is taken in, and on what terms.
pub(crate) struct Row {
    pub(crate) door: Door,
    /// Where to listen.
    pub(crate) plain: SocketAddr,
    /// Where to listen for it inside TLS, if there is a certificate.
    pub(crate) tls: SocketAddr,
    /// Whether the plain listener takes all protocols of the table, also inside TLS; the first bytes tell.
    pub(crate) takes_all: bool,
    pub(crate) limits: Live<Limits>,
    /// Whether operators come in here, also where all seats are taken.
    pub(crate) takes_guests: bool,
}

/// What all listeners share.
pub(crate) struct Shared {
    pub(crate) tls: Option<Tls>,
    pub(crate) proxy: Live<proxy::Config>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) events: Arc<Events>,
}

/// Where each listener listens, by its name, with the ports that the system chose.
pub(crate) struct Addresses(Vec<(&'static str, SocketAddr)>);

/// A bound listener of the table.
struct Bound<'a> {
    row: &'a Row,
    name: &'static str,
    socket: TcpListener,
    doors: Vec<Door>,
    is_tls: bool,
}

/// Binds every listener of the table.
///
/// # Errors
/// The first that cannot be bound, why, and what to do.
pub(crate) fn open(table: &[Row], shared: &Shared) -> anyhow::Result<(Vec<Acceptor>, Addresses)> {
    let bound = bind_all(table, shared.tls.is_some())?;
    // Asked for when the listeners have theirs.
    let descriptors = Arc::new(Descriptors::measure());
    let wanted = table.iter().map(|row| row.limits.get().connections_max).max().unwrap_or(0);
    if descriptors.max() < wanted {
        let connections = descriptors.max();
        tracing::info!(
            connections,
            "the system's limit of open files bounds the number of connections (ulimit -n)"
        );
    }
    let guests = Arc::new(Guests::of(&descriptors));
    let acceptors = bound.into_iter().map(|bound| {
        let Bound { row, name, socket, doors, is_tls } = bound;
        let seats = Seats::new(Arc::clone(&descriptors), Arc::clone(&guests), row.takes_guests);
        Acceptor {
            name,
            listener: Listener::new(name, socket, seats),
            doors,
            is_tls,
            tls: shared.tls.clone(),
            proxy: shared.proxy.clone(),
            limits: row.limits.clone(),
            addresses: Arc::default(),
            metrics: Arc::clone(&shared.metrics),
            events: Arc::clone(&shared.events),
        }
    });
    let acceptors: Vec<_> = acceptors.collect();
    let addresses = acceptors.iter().map(|acceptor| Ok((acceptor.name, acceptor.listener.address()?)));
    let addresses = Addresses(addresses.collect::<anyhow::Result<_>>()?);
    Ok((acceptors, addresses))
}

fn bind_all(table: &[Row], has_tls: bool) -> anyhow::Result<Vec<Bound<'_>>> {
    let all: Vec<Door> = table.iter().map(|row| row.door.clone()).collect();
    let mut bound = Vec::new();
    for row in table {
        let name = row.door.protocol.name;
        let doors = if row.takes_all { all.clone() } else { vec![row.door.clone()] };
        bound.push(Bound { row, name, socket: Listener::bind(name, row.plain)?, doors, is_tls: false });
    }
    for row in table.iter().filter(|_| has_tls) {
        let name = row.door.protocol.tls_name;
        let doors = vec![row.door.clone()];
        bound.push(Bound { row, name, socket: Listener::bind(name, row.tls)?, doors, is_tls: true });
    }
    Ok(bound)
}

impl Addresses {
    /// Where a protocol is taken in without TLS.
    ///
    /// # Errors
    /// It is not in the table.
    pub(crate) fn of(&self, protocol: &Protocol) -> anyhow::Result<SocketAddr> {
        let found = self.0.iter().find(|(name, _)| *name == protocol.name);
        found
            .map(|(_, address)| *address)
            .ok_or_else(|| anyhow::anyhow!("nobody listens for {}", protocol.name))
    }

    /// All of them, those behind TLS last.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&'static str, SocketAddr)> {
        self.0.iter().copied()
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::time::Duration;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;

    use super::*;
    use crate::events::{Event, Heard};
    use crate::live::Setting;
    use crate::stop;

    static RED: Protocol =
        Protocol { name: "red", tls_name: "reds", alpn: &[], begins_with: |first| first == b'r' };
    static BLUE: Protocol =
        Protocol { name: "blue", tls_name: "blues", alpn: &["blue"], begins_with: |first| first == b'b' };

    fn bounds(connections_max: usize, setup_timeout_ms: u64) -> Limits {
        let setup_timeout = Duration::from_millis(setup_timeout_ms);
        Limits { connections_max, connections_per_address_max: 1, setup_timeout }
    }

    async fn say(address: SocketAddr, word: &[u8]) -> TcpStream {
        let mut socket = TcpStream::connect(address).await.unwrap();
        socket.write_all(word).await.unwrap();
        socket
    }

    async fn must_be_closed(mut socket: TcpStream) {
        // A reset says it as well.
        assert_eq!(socket.read(&mut [0; 8]).await.unwrap_or(0), 0);
    }

    #[tokio::test]
    async fn who_comes_through_a_proxy_is_never_direct_whomever_its_header_names() {
        let anywhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let limits = Setting::new(bounds(9, 5000));
        let metrics = Arc::<Metrics>::default();
        let trusted = toml::from_str::<proxy::Config>("trusted = [\"127.0.0.1\"]").unwrap();
        let shared = Shared {
            tls: None,
            proxy: Setting::new(trusted).live(),
            metrics: Arc::clone(&metrics),
            events: Arc::new(Events::new(metrics)),
        };
        let (door, mut arrived) = Door::new(&RED);
        let row = Row {
            door,
            plain: anywhere,
            tls: anywhere,
            takes_all: false,
            limits: limits.live(),
            takes_guests: false,
        };
        let (acceptors, addresses) = open(&[row], &shared).unwrap();
        let (_stopper, stop) = stop::pair();
        for acceptor in acceptors {
            tokio::spawn(acceptor.run(stop.clone()));
        }
        for header in [
            &b"PROXY UNKNOWN\r\n"[..],
            b"PROXY TCP4 127.0.0.1 127.0.0.1 5 1935\r\n",
            b"PROXY TCP6 ::1 ::1 5 1935\r\n",
            // Version 2, LOCAL: a health check.
            b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0",
        ] {
            let _socket = say(addresses.of(&RED).unwrap(), header).await;
            let origin = arrived.recv().await.unwrap().peer;
            assert!(!origin.is_direct && origin.address.ip().is_loopback(), "{header:?}: {origin:?}");
        }
    }

    #[tokio::test]
    async fn a_protocol_is_a_row_and_its_limits_can_change() {
        let anywhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let limits = Setting::new(bounds(3, 5000));
        let row = |door, takes_all| Row {
            door,
            plain: anywhere,
            tls: anywhere,
            takes_all,
            limits: limits.live(),
            takes_guests: false,
        };
        let ((red, mut at_red), (blue, mut at_blue)) = (Door::new(&RED), Door::new(&BLUE));
        let metrics = Arc::<Metrics>::default();
        let shared = Shared {
            tls: None,
            proxy: Setting::new(proxy::Config::default()).live(),
            metrics: Arc::clone(&metrics),
            events: Arc::new(Events::new(metrics)),
        };
        let mut heard = shared.events.listen();
        let (acceptors, addresses) = open(&[row(red, true), row(blue, false)], &shared).unwrap();
        assert_eq!(addresses.iter().map(|(name, _)| name).collect::<Vec<_>>(), ["red", "blue"]);
        let (_stopper, stop) = stop::pair();
        for acceptor in acceptors {
            tokio::spawn(acceptor.run(stop.clone()));
        }
        let (at, at_blues) = (addresses.of(&RED).unwrap(), addresses.of(&BLUE).unwrap());

        let _sockets = (say(at, b"red").await, say(at, b"blue").await, say(at_blues, b"red").await);
        let seats =
            (at_red.recv().await.unwrap(), at_blue.recv().await.unwrap(), at_blue.recv().await.unwrap());
        must_be_closed(say(at, b"green").await).await;
        let Some(Heard::Event(event)) = heard.next().await else { panic!("nothing is told") };
        assert_eq!(event.refusal(), Some(("red", "acceptor")), "{event:?}");
        assert!(event.sentence().contains("no protocol of this port begins with the byte 0x67"), "{event:?}");

        limits.set(bounds(2, 50));
        must_be_closed(say(at, b"red").await).await;
        let Some(Heard::Event(event)) = heard.next().await else { panic!("nothing is told") };
        assert!(matches!(*event, Event::ListenerFull { listener: "red", count: 1, .. }), "{event:?}");
        drop(seats.0);
        must_be_closed(TcpStream::connect(at).await.unwrap()).await;
        let Some(Heard::Event(event)) = heard.next().await else { panic!("nothing is told") };
        assert!(event.sentence().contains("it did not say within 50 ms"), "{event:?}");
    }
}
