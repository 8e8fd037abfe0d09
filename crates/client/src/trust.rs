//! Which certificates a server may show: those that the system trusts, or those of a file.

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use std::io;
use std::path::Path;
use std::sync::{Arc, OnceLock};

/// Trusts certificates that the system trusts. The system's list is read once in the life of a program.
///
/// # Errors
/// When the system trusts no certificate.
pub(crate) fn system() -> io::Result<Arc<ClientConfig>> {
    static SYSTEM: OnceLock<Arc<ClientConfig>> = OnceLock::new();
    if let Some(system) = SYSTEM.get() {
        return Ok(Arc::clone(system));
    }
    let mut roots = RootCertStore::empty();
    let (read, _) = roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if read == 0 {
        return Err(wrong("no certificate is trusted by this system"));
    }
    let config = believing(vouched(roots, &provider())?)?;
    Ok(Arc::clone(SYSTEM.get_or_init(|| config)))
}

/// Trusts the certificates of this file, and those that they vouch for.
///
/// # Errors
/// When the file cannot be read or holds no certificate.
pub(crate) fn given(file: &Path) -> io::Result<Arc<ClientConfig>> {
    let unreadable = |error| wrong(format!("{}: {error}", file.display()));
    let certificates = CertificateDer::pem_file_iter(file).map_err(unreadable)?;
    let certificates: Vec<_> = certificates.collect::<Result<_, _>>().map_err(unreadable)?;
    let mut roots = RootCertStore::empty();
    for certificate in &certificates {
        roots.add(certificate.clone()).map_err(wrong)?;
    }
    believing(Arc::new(Given { vouched: vouched(roots, &provider())?, certificates }))
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

fn vouched(roots: RootCertStore, provider: &Arc<CryptoProvider>) -> io::Result<Arc<WebPkiServerVerifier>> {
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider));
    verifier.build().map_err(wrong)
}

fn believing(verifier: Arc<dyn ServerCertVerifier>) -> io::Result<Arc<ClientConfig>> {
    let config = ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions();
    let config = config.map_err(wrong)?.dangerous().with_custom_certificate_verifier(verifier);
    Ok(Arc::new(config.with_no_client_auth()))
}

fn wrong(why: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

/// Trusts a server that shows one of the given certificates itself, whatever name it has and however old it is. A
/// server for a few people often has a certificate that nobody vouches for. Every other certificate must be vouched
/// for by a given one.
#[derive(Debug)]
struct Given {
    certificates: Vec<CertificateDer<'static>>,
    vouched: Arc<WebPkiServerVerifier>,
}

impl ServerCertVerifier for Given {
    fn verify_server_cert(
        &self,
        shown: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if self.certificates.contains(shown) {
            return Ok(ServerCertVerified::assertion());
        }
        self.vouched.verify_server_cert(shown, between, name, ocsp, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.vouched.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.vouched.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.vouched.supported_verify_schemes()
    }
}
