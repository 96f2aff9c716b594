//! How our own client checks servers: against the system's roots, and against what its user trusts besides.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, bail};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_name;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};

use super::tls::read_certificates;

/// How our client checks servers: against the system's roots, and the certificates in `trusted` (PEM): each is a root,
/// and is taken where a server shows just it. That is how people make certificates for themselves: `openssl req -x509`
/// makes one that calls itself an authority and is its own server's.
///
/// # Errors
/// A file that cannot be read or holds no certificate; a system without roots, where none are named.
pub fn client(trusted: Option<&Path>) -> anyhow::Result<Arc<ClientConfig>> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let mut store = RootCertStore::empty();
    let system = rustls_native_certs::load_native_certs();
    store.add_parsable_certificates(system.certs);
    let mut shown_itself = Vec::new();
    if let Some(path) = trusted {
        shown_itself = read_certificates(path)?;
        for certificate in &shown_itself {
            store
                .add(certificate.clone())
                .with_context(|| format!("{} cannot be trusted", path.display()))?;
        }
    }
    if store.is_empty() {
        bail!(
            "this system has no root certificates; install the package ca-certificates, or name a file with --ca"
        );
    }
    let roots =
        WebPkiServerVerifier::builder_with_provider(Arc::new(store), Arc::clone(&provider)).build()?;
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Verifier { roots, shown_itself }))
        .with_no_client_auth();
    Ok(Arc::new(config))
}

/// The ordinary check, and where that fails one for certificates that are trusted themselves.
#[derive(Debug)]
struct Verifier {
    roots: Arc<WebPkiServerVerifier>,
    shown_itself: Vec<CertificateDer<'static>>,
}

impl Verifier {
    /// Whether this very certificate is trusted and was made for this server, although it is no end of a chain.
    fn is_trusted(
        &self,
        shown: &CertificateDer<'_>,
        name: &ServerName<'_>,
        fault: &CertificateError,
    ) -> bool {
        use CertificateError as E;
        let is_over = matches!(
            fault,
            E::Expired
                | E::ExpiredContext { .. }
                | E::NotValidYet
                | E::NotValidYetContext { .. }
                | E::Revoked
        );
        let is_it = self.shown_itself.iter().any(|trusted| trusted.as_ref() == shown.as_ref());
        let Ok(parsed) = ParsedCertificate::try_from(shown) else { return false };
        is_it && !is_over && is_for(&parsed, name)
    }
}

/// Whether a certificate names the server. One that names nobody in the way of today (only a common name, as
/// `-subj /CN=…` alone gives it) is taken at its user's word.
fn is_for(certificate: &ParsedCertificate<'_>, name: &ServerName<'_>) -> bool {
    match verify_server_name(certificate, name) {
        Ok(()) => true,
        Err(Error::InvalidCertificate(CertificateError::NotValidForNameContext { presented, .. })) => {
            presented.is_empty()
        }
        Err(_) => false,
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        shown: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        match self.roots.verify_server_cert(shown, between, name, ocsp, now) {
            Err(Error::InvalidCertificate(fault)) if self.is_trusted(shown, name, &fault) => {
                Ok(ServerCertVerified::assertion())
            }
            verified => verified,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        shown: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.roots.verify_tls12_signature(message, shown, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        shown: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.roots.verify_tls13_signature(message, shown, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.roots.supported_verify_schemes()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rcgen::{
        BasicConstraints, CertificateParams, DnType, IsCa, KeyPair, PKCS_ECDSA_P256_SHA256, date_time_ymd,
    };

    use super::*;

    /// A certificate for these names, signed by itself.
    fn of_its_own(names: &[&str], change: impl Fn(&mut CertificateParams)) -> CertificateDer<'static> {
        let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "localhost");
        change(&mut params);
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
        params.self_signed(&key).unwrap().der().clone()
    }

    /// Whether a server that shows this is let pass as `localhost` by who trusts that.
    fn passes(shown: &CertificateDer<'static>, trusted: &CertificateDer<'static>) -> bool {
        let mut store = RootCertStore::empty();
        store.add(trusted.clone()).unwrap();
        let provider = Arc::new(aws_lc_rs::default_provider());
        let roots = WebPkiServerVerifier::builder_with_provider(Arc::new(store), provider).build().unwrap();
        let verifier = Verifier { roots, shown_itself: vec![trusted.clone()] };
        let name = ServerName::try_from("localhost").unwrap();
        let now = UnixTime::since_unix_epoch(Duration::from_secs(1_800_000_000));
        verifier.verify_server_cert(shown, &[], &name, &[], now).is_ok()
    }

    #[test]
    fn a_certificate_of_its_own_is_trusted_as_itself_and_no_further() {
        let ordinary = of_its_own(&["localhost"], |_| {});
        assert!(passes(&ordinary, &ordinary), "as openssl req -x509 makes it");
        let no_authority = of_its_own(&["localhost"], |params| params.is_ca = IsCa::NoCa);
        assert!(passes(&no_authority, &no_authority));
        let common_name = of_its_own(&[], |_| {});
        assert!(passes(&common_name, &common_name), "as -subj /CN=localhost alone makes it");

        let another = of_its_own(&["localhost"], |_| {});
        assert!(!passes(&another, &ordinary), "another of the same names");
        let elsewhere = of_its_own(&["example.org"], |_| {});
        assert!(!passes(&elsewhere, &elsewhere), "trusted, but another server's");
        let over = of_its_own(&["localhost"], |params| params.not_after = date_time_ymd(2020, 1, 1));
        assert!(!passes(&over, &over), "over");
    }
}
