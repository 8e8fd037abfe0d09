//! TLS: the certificate and its key, read again when their files change.

use crate::config::Config;
use anyhow::{Context, Result, anyhow, bail};
use rustls::ServerConfig;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use tokio_rustls::TlsAcceptor;

/// A certificate that follows its files. Clones are one.
#[derive(Debug, Clone)]
pub struct Certificate(Arc<Followed>);

#[derive(Debug)]
struct Followed {
    certificate: PathBuf,
    key: PathBuf,
    held: RwLock<Held>,
}

#[derive(Debug)]
struct Held {
    pair: Arc<CertifiedKey>,
    seen: [Stamp; 2],
}

/// A file's inode, time and length, one of which changes whenever the file does. Nothing for a file that is not there.
type Stamp = Option<(u64, i64, i64, u64)>;

impl Certificate {
    /// The certificate that the settings name; none where they name none.
    ///
    /// # Errors
    /// When it cannot be read, or has no key.
    pub fn of(config: &Config) -> Result<Option<Self>> {
        match (&config.tls_cert, &config.tls_key) {
            (Some(certificate), Some(key)) => Ok(Some(Self::open(certificate, key)?)),
            (None, None) => Ok(None),
            _ => bail!("`tls_cert` and `tls_key` go together: set both or neither"),
        }
    }

    /// Reads a certificate and its key.
    ///
    /// # Errors
    /// When a file cannot be read, holds something else, or the two do not belong together; names the file.
    pub fn open(certificate: &Path, key: &Path) -> Result<Self> {
        let seen = [stamp(certificate), stamp(key)];
        let held = RwLock::new(Held { pair: Arc::new(read(certificate, key)?), seen });
        Ok(Self(Arc::new(Followed { certificate: certificate.to_owned(), key: key.to_owned(), held })))
    }

    /// Does handshakes with the certificate. Each handshake takes the certificate that is held at its time.
    ///
    /// # Errors
    /// When the provider of cryptography lacks what TLS needs.
    pub fn acceptor(&self) -> Result<TlsAcceptor> {
        let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(&self.0) as Arc<dyn ResolvesServerCert>);
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(TlsAcceptor::from(Arc::new(config)))
    }

    /// Reads the files again if they changed. Connections that are open stay as they are, and a pair that is not fit changes
    /// nothing. Waits for the disk.
    pub fn follow(&self) {
        let Followed { certificate, key, held } = self.0.as_ref();
        let seen = [stamp(certificate), stamp(key)];
        if held.read().unwrap_or_else(PoisonError::into_inner).seen == seen {
            return;
        }
        let fresh = read(certificate, key);
        let mut held = held.write().unwrap_or_else(PoisonError::into_inner);
        held.seen = seen;
        match fresh {
            Ok(pair) => {
                held.pair = Arc::new(pair);
                tracing::info!(file = %certificate.display(), "the certificate changed and was read again");
            }
            Err(error) => {
                tracing::warn!(
                    error = format!("{error:#}"),
                    "the certificate changed and is not fit; the old one stays"
                );
            }
        }
    }
}

impl ResolvesServerCert for Followed {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.held.read().unwrap_or_else(PoisonError::into_inner).pair))
    }
}

fn stamp(path: &Path) -> Stamp {
    let file = fs::metadata(path).ok()?;
    Some((file.ino(), file.mtime(), file.mtime_nsec(), file.len()))
}

/// The certificate in a file, and those that vouch for it.
///
/// # Errors
/// When the file cannot be read or holds none; names the file.
pub(crate) fn chain(certificate: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let named = format!("the certificate {}", certificate.display());
    let text = fs::read(certificate).with_context(|| named.clone())?;
    let chain = CertificateDer::pem_slice_iter(&text).collect::<Result<Vec<_>, _>>();
    let chain = chain.ok().filter(|chain| !chain.is_empty());
    chain.ok_or_else(|| anyhow!("{named} is not a certificate in PEM form"))
}

fn read(certificate: &Path, key: &Path) -> Result<CertifiedKey> {
    let named = |what: &str, path: &Path| format!("{what} {}", path.display());
    let (cert_named, key_named) = (named("the certificate", certificate), named("the private key", key));
    let chain = chain(certificate)?;
    let text = fs::read(key).with_context(|| key_named.clone())?;
    let key = PrivateKeyDer::from_pem_slice(&text)
        .map_err(|_| anyhow!("{key_named} is not a private key in PEM form"))?;
    let provider: CryptoProvider = aws_lc_rs::default_provider();
    let key = provider
        .key_provider
        .load_private_key(key)
        .map_err(|error| anyhow!("{key_named} is of no kind that is understood: {error}"))?;
    let pair = CertifiedKey::new(chain, key);
    match pair.keys_match() {
        // Some keys cannot tell their public half. Then the two are taken to belong together.
        Ok(()) | Err(rustls::Error::InconsistentKeys(rustls::InconsistentKeys::Unknown)) => Ok(pair),
        Err(rustls::Error::InconsistentKeys(_)) => Err(anyhow!("{key_named} is not the key of {cert_named}")),
        Err(error) => Err(anyhow!("{cert_named} cannot be read: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(folder: &Path) -> CertificateDer<'static> {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
        fs::write(folder.join("cert.pem"), made.cert.pem()).expect("a file");
        fs::write(folder.join("key.pem"), made.signing_key.serialize_pem()).expect("a file");
        made.cert.der().clone()
    }

    fn held(certificate: &Certificate) -> CertificateDer<'static> {
        certificate.0.held.read().expect("no panic").pair.cert[0].clone()
    }

    #[test]
    fn a_broken_pair_changes_nothing_until_a_whole_one_comes() {
        let folder = tempfile::tempdir().expect("a folder");
        let first = write(folder.path());
        let (cert, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
        let certificate = Certificate::open(&cert, &key).expect("a whole pair");

        for broken in ["", "garbage", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
            fs::write(&cert, broken).expect("a file");
            certificate.follow();
            assert_eq!(held(&certificate), first, "{broken:?}");
        }
        fs::remove_file(&key).expect("a file");
        certificate.follow();
        assert_eq!(held(&certificate), first);

        let second = write(folder.path());
        certificate.follow();
        assert_eq!(held(&certificate), second);
    }
}
