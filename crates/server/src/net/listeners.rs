//! Opens the listeners of a table of protocols: a plain one for each, and one behind TLS where there is a certificate.

use std::net::SocketAddr;
use std::sync::Arc;

use super::acceptor::{Acceptor, Door, Protocol};
use super::listener::{Limits, Listener};
use super::proxy;
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

/// Binds every listener of the table.
///
/// # Errors
/// The first that cannot be bound, why, and what to do.
pub(crate) fn open(table: &[Row], shared: &Shared) -> anyhow::Result<(Vec<Acceptor>, Addresses)> {
    let all: Vec<Door> = table.iter().map(|row| row.door.clone()).collect();
    let mut acceptors = Vec::new();
    for row in table {
        let doors = if row.takes_all { all.clone() } else { vec![row.door.clone()] };
        acceptors.push(acceptor(row, row.door.protocol.name, row.plain, doors, shared)?);
    }
    if shared.tls.is_some() {
        for row in table {
            let mut behind_tls =
                acceptor(row, row.door.protocol.tls_name, row.tls, vec![row.door.clone()], shared)?;
            behind_tls.is_tls = true;
            acceptors.push(behind_tls);
        }
    }
    let addresses = acceptors.iter().map(|acceptor| Ok((acceptor.name, acceptor.listener.address()?)));
    let addresses = Addresses(addresses.collect::<anyhow::Result<_>>()?);
    Ok((acceptors, addresses))
}

fn acceptor(
    row: &Row,
    name: &'static str,
    address: SocketAddr,
    doors: Vec<Door>,
    shared: &Shared,
) -> anyhow::Result<Acceptor> {
    Ok(Acceptor {
        name,
        listener: Listener::bind(name, address)?,
        doors,
        is_tls: false,
        tls: shared.tls.clone(),
        proxy: shared.proxy.clone(),
        limits: row.limits.clone(),
        metrics: Arc::clone(&shared.metrics),
        events: Arc::clone(&shared.events),
    })
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
        Protocol { name: "red", tls_name: "reds", alpn: None, begins_with: |first| first == b'r' };
    static BLUE: Protocol =
        Protocol { name: "blue", tls_name: "blues", alpn: Some("blue"), begins_with: |first| first == b'b' };

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
        let limits = Setting::new(Limits { connections_max: 9, setup_timeout: Duration::from_secs(5) });
        let metrics = Arc::<Metrics>::default();
        let trusted = toml::from_str::<proxy::Config>("trusted = [\"127.0.0.1\"]").unwrap();
        let shared = Shared {
            tls: None,
            proxy: Setting::new(trusted).live(),
            metrics: Arc::clone(&metrics),
            events: Arc::new(Events::new(metrics)),
        };
        let (door, mut arrived) = Door::new(&RED);
        let row = Row { door, plain: anywhere, tls: anywhere, takes_all: false, limits: limits.live() };
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
        let limits = Setting::new(Limits { connections_max: 3, setup_timeout: Duration::from_secs(5) });
        let row =
            |door, takes_all| Row { door, plain: anywhere, tls: anywhere, takes_all, limits: limits.live() };
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

        limits.set(Limits { connections_max: 2, setup_timeout: Duration::from_millis(50) });
        must_be_closed(say(at, b"red").await).await;
        let Some(Heard::Event(event)) = heard.next().await else { panic!("nothing is told") };
        assert!(matches!(*event, Event::ListenerFull { listener: "red", count: 1, .. }), "{event:?}");
        drop(seats.0);
        must_be_closed(TcpStream::connect(at).await.unwrap()).await;
        let Some(Heard::Event(event)) = heard.next().await else { panic!("nothing is told") };
        assert!(event.sentence().contains("it did not say within 50 ms"), "{event:?}");
    }
}
