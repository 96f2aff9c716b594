//! Who is at the other end of a connection.

use std::fmt;
use std::net::SocketAddr;

/// Where a connection comes from. Printed as the address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Origin {
    /// Where it connects from, or where a trusted proxy says that it does.
    pub(crate) address: SocketAddr,
    /// Whether nothing says that a proxy is in between.
    pub(crate) is_direct: bool,
}

impl Origin {
    /// Of a connection that begins with no PROXY header.
    pub(crate) const fn direct(address: SocketAddr) -> Self {
        Self { address, is_direct: true }
    }

    /// Of a connection that a trusted proxy has made, for this client or for itself.
    pub(crate) const fn behind_proxy(address: SocketAddr) -> Self {
        Self { address, is_direct: false }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.address.fmt(f)
    }
}

/// Who is at the other end. Printed as the address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Peer {
    /// Where it connects from, or where a trusted proxy says that it does.
    pub(crate) address: SocketAddr,
    /// Whether it is on this machine, nobody is in between, and that counts.
    pub(crate) is_local: bool,
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.address.fmt(f)
    }
}
