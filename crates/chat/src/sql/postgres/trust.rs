//! Which PostgreSQL server is believed to be the one it says it is.

use super::{SqlError, SqlResult};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use std::error::Error;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use tokio_postgres_rustls::MakeRustlsConnect;

/// Whose certificate is believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Trust {
    /// Anybody's: TLS is taken where there is any, and whoever could pretend to be the server could also have said that
    /// there is none.
    Anybody,
    /// That of those for whom the system's authorities vouch.
    System,
    /// That of those for whom the authorities in this file vouch.
    Given(PathBuf),
}

impl Trust {
    /// What makes TLS of a connection.
    ///
    /// # Errors
    /// `Address` when the certificates to trust cannot be read.
    pub(super) fn connector(&self) -> SqlResult<MakeRustlsConnect> {
        let wrong = |error: rustls::Error| SqlError::Address(format!("TLS cannot be used: {error}."));
        let provider = Arc::new(aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(Arc::clone(&provider));
        let config = config.with_safe_default_protocol_versions().map_err(wrong)?.dangerous();
        let verifier: Arc<dyn ServerCertVerifier> = match self {
            Self::Anybody => Arc::new(Anybody(Arc::clone(&provider))),
            Self::System | Self::Given(_) => {
                let roots = Arc::new(self.roots()?);
                let verifier =
                    WebPkiServerVerifier::builder_with_provider(roots, Arc::clone(&provider)).build();
                verifier.map_err(|error| SqlError::Address(format!("TLS cannot be used: {error}.")))?
            }
        };
        Ok(MakeRustlsConnect::new(config.with_custom_certificate_verifier(verifier).with_no_client_auth()))
    }

    fn roots(&self) -> SqlResult<RootCertStore> {
        let certificates = match self {
            Self::Anybody => Vec::new(),
            Self::System => rustls_native_certs::load_native_certs().certs,
            Self::Given(file) => {
                let read = CertificateDer::pem_file_iter(file).and_then(Iterator::collect);
                read.map_err(|error| {
                    SqlError::Address(format!(
                        "The certificates in {} cannot be read: {error}.",
                        file.display()
                    ))
                })?
            }
        };
        let mut roots = RootCertStore::empty();
        let (added, _) = roots.add_parsable_certificates(certificates);
        if added == 0 {
            let whose = match self {
                Self::Given(file) => format!("{} holds no certificate", file.display()),
                Self::Anybody | Self::System => "this system trusts no certificate".to_owned(),
            };
            let what = format!(
                "TLS with PostgreSQL needs a certificate to trust, and {whose}. Name a file of them with \
                 `sslrootcert=` in the address."
            );
            return Err(SqlError::Address(what));
        }
        Ok(roots)
    }
}

/// What is wrong with the certificate that a server shows, if that is why there is no connection.
pub(super) fn distrusted(error: &tokio_postgres::Error) -> Option<String> {
    let mut cause = error.source();
    while let Some(error) = cause {
        let inner = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        if let Some(rustls::Error::InvalidCertificate(why)) = inner.and_then(|inner| inner.downcast_ref()) {
            return Some(why.to_string());
        }
        cause = error.source();
    }
    None
}

/// Believes any certificate, but not that somebody has its key who has not.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
