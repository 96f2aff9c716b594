//! What operators set of the HTTP door.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use crate::net::listen_address;

/// The HTTP door's settings; the section `[http]` of the configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Config {
    /// Where to listen.
    #[serde(deserialize_with = "listen_address::deserialize")]
    pub(crate) listen: SocketAddr,
    /// Connections at once, at most.
    pub(crate) connections_max: usize,
    /// Connections from one address at once, at most; 0 bounds nothing.
    pub(crate) connections_per_address_max: usize,
    /// Time that a peer has to send the head of a request, also on a kept-alive connection. Before it, as much for
    /// what comes before HTTP at its listeners.
    #[serde(alias = "head_ms_max")]
    pub(crate) head_timeout_ms: u64,
    /// Time that a write may make no progress before the connection is closed.
    #[serde(alias = "stall_ms_max")]
    pub(crate) write_timeout_ms: u64,
    /// Bytes that a viewer must take of a live stream within that time, while more waits for it.
    pub(crate) write_min_bytes: u64,
    /// The same while a film is sent: its viewer may have paused it.
    pub(crate) film_write_timeout_ms: u64,
    /// Requests under way at once on one HTTP/2 connection, at most.
    pub(crate) http2_requests_max: u32,
    /// RTMP connections inside HTTP requests (RTMPT) at once, at most.
    pub(crate) tunnels_max: usize,
    /// The same from one address, but for this machine's; 0 bounds nothing.
    pub(crate) tunnels_per_address_max: usize,
    /// Origins whose pages may show the watch page in a frame; `*` is all.
    pub(crate) embed_origins: Vec<String>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((std::net::Ipv6Addr::UNSPECIFIED, 8080)),
            connections_max: 20_000,
            connections_per_address_max: 2_000,
            head_timeout_ms: 15_000,
            write_timeout_ms: 30_000,
            write_min_bytes: 16_384,
            film_write_timeout_ms: 3_600_000,
            http2_requests_max: 100,
            tunnels_max: 1_000,
            tunnels_per_address_max: 100,
            embed_origins: Vec::new(),
        }
    }
}

impl Config {
    /// Refuses what is no origin, which would go into a header that browsers then do not understand, and a connection on which
    /// nothing can be asked.
    ///
    /// # Errors
    /// The key, the value, and what one looks like.
    pub(crate) fn check(&self) -> anyhow::Result<()> {
        anyhow::ensure!(
            self.http2_requests_max > 0,
            "[http] http2_requests_max is 0: nobody could ask for anything over HTTP/2; 100 is usual"
        );
        for origin in &self.embed_origins {
            anyhow::ensure!(
                is_origin(origin),
                "[http] embed_origins: \"{origin}\" is no origin; one looks like \"https://example.org\", \
                 \"https://*.example.org\" or \"http://localhost:3000\", and \"*\" is all of them"
            );
        }
        Ok(())
    }
}

/// A scheme and a host, perhaps with a port, as CSP's `host-source` has it; nothing behind them.
fn is_origin(text: &str) -> bool {
    let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "-.:[]".contains(letter);
    text == "*"
        || host
            .map(|host| host.strip_prefix("*.").unwrap_or(host))
            .is_some_and(|host| !host.is_empty() && host.chars().all(is_plain))
}
