//! The RTMP door: publishers in, players out.

mod connection;
mod conversation;
mod end;
mod layout;
mod playing;
mod playlist;
mod publishing;
mod requests;
mod transport;
mod viewer;
mod wire;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use headwater_rtmp::command::Capabilities;
use headwater_rtmp::session::{Limits, ServerConfig, Timeouts};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::access::Access;
use crate::events::Events;
use crate::live::Live;
use crate::metrics::Metrics;
use crate::net::acceptor::Protocol;
use crate::net::listener::Accepted;
use crate::net::tunnel;
use crate::sources::Sources;
use crate::stop::Stop;

/// RTMP among the listeners: it begins with its version, where HTTP begins with a word in capital letters.
pub(crate) static PROTOCOL: Protocol = Protocol {
    name: "rtmp",
    tls_name: "rtmps",
    alpn: None,
    begins_with: |first| !first.is_ascii_uppercase(),
};
/// Larger chunk sizes are refused by clients in the field, and no frame is larger.
const CHUNK_SIZE_MAX: u32 = 0xFF_FFFF;

/// The RTMP door's settings; the section `[rtmp]` of the configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Config {
    /// Where to listen.
    pub(crate) listen: SocketAddr,
    /// Whether the same port takes TLS and HTTP as well: the first bytes tell.
    pub(crate) all_on_one_port: bool,
    /// Connections at once, at most.
    pub(crate) connections_max: usize,
    /// Chunk size towards peers, in bytes. Every client known takes up to 65,536.
    pub(crate) chunk_size: u32,
    /// Window acknowledgement size and peer bandwidth that peers are told, in bytes.
    pub(crate) window_ack_size: u32,
    /// A message after `connect`, at most, in bytes.
    pub(crate) message_bytes_max: u32,
    /// NetStreams of one connection, at most.
    pub(crate) netstreams_max: usize,
    /// Time that a peer has to say what it wants: handshake, connect, publish or play. Before it, as much for what
    /// comes before RTMP at its listeners.
    pub(crate) hello_ms_max: u64,
    /// Time that a publisher may send nothing before it is let go.
    pub(crate) silence_ms_max: u64,
    /// Time that a player may read nothing before it is let go.
    pub(crate) stall_ms_max: u64,
    /// When the program stops: time that clients have to come again elsewhere which can (Enhanced RTMP's
    /// reconnect request). 0 closes at once, as for all others.
    pub(crate) drain_ms: u64,
    /// Where they are sent: an address as in `rtmp://other/live`, `//other/live`; empty: to the same again.
    pub(crate) drain_to: String,
    /// Bytes of a connection that the kernel may hold unsent; 0 leaves it to the system. What does not
    /// fit waits in the stream's log, at no cost.
    pub(crate) send_buffer_bytes: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((std::net::Ipv6Addr::UNSPECIFIED, 1935)),
            all_on_one_port: false,
            connections_max: 20_000,
            chunk_size: 60_000,
            window_ack_size: 2_500_000,
            message_bytes_max: 16 << 20,
            netstreams_max: 16,
            hello_ms_max: 10_000,
            silence_ms_max: 20_000,
            stall_ms_max: 30_000,
            drain_ms: 3_000,
            drain_to: String::new(),
            send_buffer_bytes: 0,
        }
    }
}

impl Config {
    /// Says what cannot be.
    pub(crate) fn check(&self) -> anyhow::Result<()> {
        if !(1..=CHUNK_SIZE_MAX).contains(&self.chunk_size) {
            anyhow::bail!(
                "[rtmp] chunk_size = {} is outside 1..={CHUNK_SIZE_MAX}; 60000 suits everybody",
                self.chunk_size
            );
        }
        Ok(())
    }

    /// How the sessions speak.
    pub(crate) fn session(&self) -> ServerConfig {
        ServerConfig {
            chunk_size: self.chunk_size,
            window_ack_size: self.window_ack_size,
            capabilities: Capabilities::FULL,
            limits: Limits {
                message_bytes: self.message_bytes_max.min(CHUNK_SIZE_MAX),
                partial_bytes: 2 * self.message_bytes_max as usize,
                message_streams: self.netstreams_max,
                ..Limits::default()
            },
            timeouts: Timeouts {
                setup: Duration::from_millis(self.hello_ms_max),
                read: Duration::from_millis(self.silence_ms_max),
                write: Duration::from_millis(self.stall_ms_max),
            },
            ..ServerConfig::default()
        }
    }
}

/// What the connections share.
#[derive(Clone, Debug)]
pub(crate) struct Shared {
    pub(crate) config: Arc<Config>,
    pub(crate) session_config: Arc<ServerConfig>,
    pub(crate) sources: Sources,
    pub(crate) access: Arc<Access>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) events: Arc<Events>,
}

/// Serves connections until `stop` turns true, then waits until each has said farewell. A connection keeps the
/// `config` that it began with.
pub(crate) async fn serve(
    mut arrivals: mpsc::Receiver<Accepted>,
    mut tunnels: mpsc::Receiver<tunnel::Opened>,
    mut config: Live<Config>,
    mut shared: Arc<Shared>,
    mut stop: Stop,
) {
    let mut connections = JoinSet::new();
    let connections_stop = stop.clone();
    loop {
        let stop_connection = connections_stop.clone();
        tokio::select! {
            Some(accepted) = arrivals.recv() => {
                shared = newest(shared, &mut config);
                connections.spawn(connection::serve(accepted, Arc::clone(&shared), stop_connection));
            }
            Some(opened) = tunnels.recv() => {
                shared = newest(shared, &mut config);
                connections.spawn(connection::serve_tunnel(opened, Arc::clone(&shared), stop_connection));
            }
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
            () = stop.requested() => break,
        }
    }
    while connections.join_next().await.is_some() {}
}

/// What connections share that begin now.
fn newest(shared: Arc<Shared>, config: &mut Live<Config>) -> Arc<Shared> {
    let Some(config) = config.news() else { return shared };
    Arc::new(Shared { session_config: Arc::new(config.session()), config, ..Shared::clone(&shared) })
}
