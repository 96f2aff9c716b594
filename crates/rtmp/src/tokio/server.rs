//! How a server's connection begins: over what was accepted. Twin of `client.rs`.

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use super::Connection;
use crate::session::ServerSession;

impl Connection<TcpStream, ServerSession> {
    /// Over a socket that a listener has accepted.
    #[must_use]
    pub fn accepted(stream: TcpStream, session: ServerSession) -> Self {
        let _ = stream.set_nodelay(true);
        let peer = stream.peer_addr().map_or_else(|_| "a client".to_owned(), |address| address.to_string());
        Self::over(stream, session, peer)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S, ServerSession> {
    /// A server over any stream; `peer` is how errors name the client.
    #[must_use]
    pub fn serve(stream: S, session: ServerSession, peer: &str) -> Self {
        Self::over(stream, session, peer.to_owned())
    }
}
