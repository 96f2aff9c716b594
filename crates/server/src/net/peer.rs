//! Who is at the other end of a connection.

use std::fmt;
use std::net::SocketAddr;

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
