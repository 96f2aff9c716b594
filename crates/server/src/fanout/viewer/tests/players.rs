//! The players' ends of connections of every kind.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::LazyLock;

use http_body::Body as _;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio_rustls::{TlsAcceptor, TlsConnector, client::TlsStream};

use super::*;
use crate::fanout::transport::tests::sockets;
use crate::net::listener::Stream;
use crate::net::pipe::{PipeBody, pipe};

/// What carries what a player gets.
#[derive(Clone, Copy, Debug)]
pub(super) enum Carrier {
    Tcp,
    Tls,
    /// A response that shares its connection with others.
    Pipe,
}

pub(super) const CARRIERS: [Carrier; 3] = [Carrier::Tcp, Carrier::Tls, Carrier::Pipe];

/// A player's end.
pub(super) enum Player {
    Tcp(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
    Pipe(PipeBody),
}

/// A connection's two ends.
pub(super) async fn connected(carrier: Carrier) -> (Transport, Player) {
    match carrier {
        Carrier::Tcp => {
            let (accepted, player) = sockets().await;
            (Transport::Tcp(accepted), Player::Tcp(player))
        }
        Carrier::Tls => {
            let (accepted, player) = sockets().await;
            let (server, client) = &*TLS;
            let name = ServerName::try_from("localhost").unwrap();
            let (accepted, player) = tokio::join!(
                TlsAcceptor::from(Arc::clone(server)).accept(accepted),
                TlsConnector::from(Arc::clone(client)).connect(name, player),
            );
            let stream = Stream::Tls(Box::new(accepted.unwrap()));
            let transport = Transport::new(stream, &mut BytesMut::new()).unwrap();
            (transport, Player::Tls(Box::new(player.unwrap())))
        }
        Carrier::Pipe => {
            let (writer, body) = pipe();
            (Transport::Pipe(writer), Player::Pipe(body))
        }
    }
}

/// A server and a client that trusts it.
static TLS: LazyLock<(Arc<ServerConfig>, Arc<ClientConfig>)> = LazyLock::new(|| {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let certificate = made.cert.der().clone();
    let mut roots = RootCertStore::empty();
    roots.add(certificate.clone()).unwrap();
    let provider = Arc::new(aws_lc_rs::default_provider());
    let server = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    let client = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    (Arc::new(server), Arc::new(client))
});

impl Player {
    /// All that it gets until the connection ends, which it does without a farewell.
    pub(super) async fn read_to_end(self) -> Vec<u8> {
        let mut all = Vec::new();
        match self {
            Self::Tcp(mut socket) => drop(socket.read_to_end(&mut all).await.unwrap()),
            Self::Tls(mut socket) => {
                let end = socket.read_to_end(&mut all).await.unwrap_err();
                assert_eq!(end.kind(), std::io::ErrorKind::UnexpectedEof);
            }
            Self::Pipe(mut body) => {
                while let Some(Ok(frame)) = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
                    all.extend_from_slice(&frame.into_data().unwrap());
                }
            }
        }
        all
    }
}
