//! Lines to servers: TCP, or TLS over it with the server's certificate checked.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// How long a server may take to accept and to answer, and to go on.
pub(super) const WAIT_MAX: Duration = Duration::from_secs(70);

/// Whatever carries bytes both ways.
pub(super) trait Duplex: AsyncRead + AsyncWrite + Send + Unpin + std::fmt::Debug {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin + std::fmt::Debug> Duplex for T {}

/// An open line.
pub(super) type Line = Box<dyn Duplex>;

/// Whom to trust.
#[derive(Args, Clone, Debug, Default)]
pub(super) struct Trust {
    /// Trust the root certificates in this PEM file too, besides the system's (rtmps://, https://).
    #[arg(long, value_name = "FILE", env = "HEADWATER_CA")]
    ca: Option<PathBuf>,
}

impl Trust {
    /// Opens a line. With TLS the server must prove that it is `host`.
    pub(super) async fn reach(
        &self,
        host: &str,
        port: u16,
        with_tls: bool,
        wait_max: Duration,
    ) -> anyhow::Result<Line> {
        let address = if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") };
        let opened = tokio::time::timeout(wait_max, async {
            let socket =
                TcpStream::connect((host, port)).await.with_context(|| format!("cannot reach {address}"))?;
            // Media comes in whole messages already; waiting for more only adds delay.
            let _ = socket.set_nodelay(true);
            if with_tls { self.shake_hands(host, socket).await } else { Ok(Box::new(socket) as Line) }
        });
        opened.await.map_err(|_| {
            anyhow::anyhow!("cannot reach {address}: no answer within {} s", wait_max.as_secs())
        })?
    }

    async fn shake_hands(&self, host: &str, socket: TcpStream) -> anyhow::Result<Line> {
        let connector = TlsConnector::from(headwater_server::tls_client(self.ca.as_deref())?);
        let name = ServerName::try_from(host.to_owned())
            .with_context(|| format!("`{host}` is no name that a certificate can have"))?;
        let stream = connector.connect(name, socket).await.with_context(|| {
            format!("no TLS with {host}; a server with a certificate of its own needs --ca FILE here")
        })?;
        Ok(Box::new(stream))
    }
}
