//! Certificates: read at the start, read again when the files change, and what of them is wrong in words.

use std::net::{Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anyhow::{Context, bail};
use parking_lot::RwLock;
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use serde::{Deserialize, Serialize};
use tokio_rustls::TlsAcceptor;

use super::listen_address;
use crate::events::{Event, Events};

/// How often the files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// The section `[tls]` of the configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Config {
    /// The certificate and all intermediate ones, PEM; empty: no TLS.
    pub(crate) certificate: PathBuf,
    /// Its private key, PEM, without a passphrase.
    pub(crate) key: PathBuf,
    /// Where to listen for RTMPS, if there is a certificate.
    #[serde(deserialize_with = "listen_address::deserialize")]
    pub(crate) rtmps: SocketAddr,
    /// Where to listen for HTTPS, if there is a certificate.
    #[serde(deserialize_with = "listen_address::deserialize")]
    pub(crate) https: SocketAddr,
}

impl Default for Config {
    fn default() -> Self {
        let everywhere = |port| SocketAddr::from((Ipv6Addr::UNSPECIFIED, port));
        Self {
            certificate: PathBuf::new(),
            key: PathBuf::new(),
            rtmps: everywhere(1936),
            https: everywhere(8443),
        }
    }
}

impl Config {
    /// Whether TLS is wanted.
    pub(crate) fn is_set(&self) -> bool {
        !self.certificate.as_os_str().is_empty() || !self.key.as_os_str().is_empty()
    }

    /// Says what is wrong with the files.
    pub(crate) fn check(&self) -> anyhow::Result<()> {
        if self.is_set() { self.read().map(drop) } else { Ok(()) }
    }

    fn read(&self) -> anyhow::Result<Arc<CertifiedKey>> {
        if self.certificate.as_os_str().is_empty() || self.key.as_os_str().is_empty() {
            bail!("[tls] needs both `certificate` and `key`");
        }
        let chain = read_certificates(&self.certificate)?;
        let key_path = self.key.display();
        let key = PrivateKeyDer::from_pem_file(&self.key).map_err(|error| match error {
            rustls::pki_types::pem::Error::Io(error) => anyhow::anyhow!("cannot read {key_path}: {error}"),
            _ => anyhow::anyhow!(
                "{key_path} holds no private key that can be used: it must be PEM, PKCS#8, PKCS#1 or SEC1, \
                 and without a passphrase"
            ),
        })?;
        let key = aws_lc_rs::sign::any_supported_type(&key)
            .map_err(|error| anyhow::anyhow!("the key in {key_path} cannot be used: {error}"))?;
        let certified = CertifiedKey::new(chain, key);
        certified.keys_match().map_err(|_| {
            let certificate = self.certificate.display();
            anyhow::anyhow!("the key in {key_path} does not belong to the first certificate in {certificate}")
        })?;
        Ok(Arc::new(certified))
    }

    /// When each of the files was last written.
    fn written(&self) -> [Option<SystemTime>; 2] {
        [&self.certificate, &self.key].map(|path| std::fs::metadata(path).and_then(|it| it.modified()).ok())
    }
}

pub(super) fn read_certificates(path: &Path) -> anyhow::Result<Vec<CertificateDer<'static>>> {
    let shown = path.display();
    let certificates = CertificateDer::pem_file_iter(path)
        .with_context(|| format!("cannot read {shown}"))?
        .collect::<Result<Vec<_>, _>>()
        .with_context(|| format!("cannot read the certificates in {shown}"))?;
    if certificates.is_empty() {
        bail!(
            "{shown} holds no certificate; it must be PEM, the server's own first, then the intermediate ones"
        );
    }
    Ok(certificates)
}

/// The certificate in force. New connections get the newest; those that stand keep theirs.
#[derive(Debug)]
struct Newest(RwLock<Arc<CertifiedKey>>);

impl ResolvesServerCert for Newest {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.read()))
    }
}

/// Takes TLS connections in.
#[derive(Clone)]
pub(crate) struct Tls {
    config: Config,
    newest: Arc<Newest>,
    acceptor: TlsAcceptor,
}

impl Tls {
    /// Reads the files; `None` if TLS is not wanted. `alpn` is what clients may say that they will speak, the
    /// first of these that they name holds; it binds nobody, for RTMP clients say nothing.
    pub(crate) fn open(
        config: &Config,
        alpn: impl IntoIterator<Item = &'static str>,
    ) -> anyhow::Result<Option<Self>> {
        if !config.is_set() {
            return Ok(None);
        }
        let newest = Arc::new(Newest(RwLock::new(config.read()?)));
        let mut server = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(&newest) as Arc<dyn ResolvesServerCert>);
        server.alpn_protocols = alpn.into_iter().map(|name| name.as_bytes().to_vec()).collect();
        Ok(Some(Self { config: config.clone(), newest, acceptor: TlsAcceptor::from(Arc::new(server)) }))
    }

    /// Shakes hands over connections.
    pub(crate) fn acceptor(&self) -> &TlsAcceptor {
        &self.acceptor
    }

    /// Reads the files again whenever they have changed, for ever. A pair that cannot be used is told of,
    /// and the one in force stays.
    pub(crate) async fn follow_files(self, events: Arc<Events>) {
        let mut seen = self.config.written();
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            let written = self.config.written();
            if written == seen {
                continue;
            }
            match self.config.read() {
                Ok(certified) => {
                    *self.newest.0.write() = certified;
                    events.emit(Event::CertificateChanged { file: self.config.certificate.clone() });
                }
                // The other file may be on its way; this look is repeated when it has changed too.
                Err(error) => events.emit(Event::CertificateKept { text: format!("{error:#}") }),
            }
            seen = written;
        }
    }
}
