//! The RTMP door's settings.

use std::net::SocketAddr;
use std::time::Duration;

use headwater_rtmp::command::Capabilities;
use headwater_rtmp::session::{Limits, ServerConfig, Timeouts};
use serde::{Deserialize, Serialize};

use crate::net::listen_address;

/// Larger chunk sizes are refused by clients in the field, and no frame is larger.
const CHUNK_SIZE_MAX: u32 = 0xFF_FFFF;

/// The RTMP door's settings; the section `[rtmp]` of the configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Config {
    /// Where to listen.
    #[serde(deserialize_with = "listen_address::deserialize")]
    pub(crate) listen: SocketAddr,
    /// Whether the same port takes TLS and HTTP as well: the first bytes tell.
    pub(crate) all_on_one_port: bool,
    /// Connections at once, at most.
    pub(crate) connections_max: usize,
    /// Connections from one address at once, at most; 0 bounds nothing.
    pub(crate) connections_per_address_max: usize,
    /// Streams that are published from one address at once, at most; 0 bounds nothing.
    pub(crate) publishers_per_address_max: usize,
    /// Chunk size towards peers, in bytes. Every client known takes up to 65,536.
    pub(crate) chunk_size: u32,
    /// Window acknowledgement size and peer bandwidth that peers are told, in bytes.
    pub(crate) window_ack_size: u32,
    /// A message after `connect`, at most, in bytes.
    #[serde(alias = "message_bytes_max")]
    pub(crate) message_max_bytes: u32,
    /// NetStreams of one connection, at most.
    pub(crate) netstreams_max: usize,
    /// Time that a peer has to say what it wants: handshake, connect, publish or play. Before it, as much for what
    /// comes before RTMP at its listeners.
    #[serde(alias = "hello_ms_max")]
    pub(crate) setup_timeout_ms: u64,
    /// Time that a publisher may send nothing before it is let go.
    #[serde(alias = "silence_ms_max")]
    pub(crate) read_timeout_ms: u64,
    /// Time that a player may read nothing before it is let go.
    #[serde(alias = "stall_ms_max")]
    pub(crate) write_timeout_ms: u64,
    /// Bytes that a viewer must take of a live stream within that time, while more waits for it.
    pub(crate) write_min_bytes: u64,
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
            connections_per_address_max: 2_000,
            publishers_per_address_max: 1_000,
            chunk_size: 60_000,
            window_ack_size: 2_500_000,
            message_max_bytes: 16 << 20,
            netstreams_max: 16,
            setup_timeout_ms: 10_000,
            read_timeout_ms: 20_000,
            write_timeout_ms: 30_000,
            write_min_bytes: 16_384,
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
                message_bytes: self.message_max_bytes.min(CHUNK_SIZE_MAX),
                partial_bytes: 2 * self.message_max_bytes as usize,
                message_streams: self.netstreams_max,
                ..Limits::default()
            },
            timeouts: Timeouts {
                setup: Duration::from_millis(self.setup_timeout_ms),
                read: Duration::from_millis(self.read_timeout_ms),
                write: Duration::from_millis(self.write_timeout_ms),
            },
            ..ServerConfig::default()
        }
    }
}
