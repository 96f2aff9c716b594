//! What happens before a protocol: listening, the PROXY header, TLS, a look at the first byte; and tunnels through HTTP.

pub(crate) mod acceptor;
pub(crate) mod descriptors;
pub(crate) mod listen_address;
pub(crate) mod listener;
pub(crate) mod listeners;
pub(crate) mod peer;
pub(crate) mod pipe;
pub(crate) mod proxy;
pub(crate) mod seats;
pub(crate) mod tls;
pub(crate) mod tls_client;
pub(crate) mod tunnel;
