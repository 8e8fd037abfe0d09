//! A way into a server that speaks TLS for those who do not: plain at one end, encrypted at the other.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by ending")]

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::io::copy_bidirectional_with_sizes;
use tokio::net::{TcpSocket, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

const NAME: &str = "localhost";
/// As little as kernels give, so that a client that does not read is felt at the other end.
const SMALL: u32 = 4096;

/// A certificate and its key in files.
#[derive(Clone)]
pub struct Pair {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

impl Pair {
    /// A fresh one in `folder`.
    pub fn made_in(folder: &Path) -> Self {
        let pair = Self { certificate: folder.join("cert.pem"), key: folder.join("key.pem") };
        pair.renew();
        pair
    }

    /// Another certificate in the place of the one that is there; each file is whole at any time.
    pub fn renew(&self) {
        let made = rcgen::generate_simple_self_signed([NAME.to_owned()]).unwrap();
        replace(&self.key, &made.signing_key.serialize_pem());
        replace(&self.certificate, &made.cert.pem());
    }

    /// What a client sees of it.
    pub fn shown(&self) -> CertificateDer<'static> {
        CertificateDer::from_pem_file(&self.certificate).unwrap()
    }
}

fn replace(path: &Path, text: &str) {
    let aside = path.with_extension("new");
    fs::write(&aside, text).unwrap();
    fs::rename(aside, path).unwrap();
}

/// Connects to a server as somebody who trusts these certificates.
pub async fn connect(
    server: SocketAddr,
    trusted: &[CertificateDer<'static>],
) -> io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    for certificate in trusted {
        roots.add(certificate.clone()).unwrap();
    }
    let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    let socket = TcpSocket::new_v4()?;
    socket.set_recv_buffer_size(SMALL)?;
    let stream = socket.connect(server).await?;
    stream.set_nodelay(true)?;
    TlsConnector::from(Arc::new(config)).connect(NAME.try_into().unwrap(), stream).await
}

/// Opens a way to a server, for as long as the test runs. Returns where it begins.
pub async fn open(server: SocketAddr, trusted: CertificateDer<'static>) -> SocketAddr {
    let socket = TcpSocket::new_v4().unwrap();
    // What is accepted inherits it.
    socket.set_send_buffer_size(SMALL).unwrap();
    socket.bind(([127, 0, 0, 1], 0).into()).unwrap();
    let listener = socket.listen(64).unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut plain, _)) = listener.accept().await {
            let trusted = trusted.clone();
            tokio::spawn(async move {
                let mut encrypted = connect(server, &[trusted]).await.unwrap();
                // Ends with either side; who was connected sees their own end of it.
                let _ = copy_bidirectional_with_sizes(&mut plain, &mut encrypted, 4096, 4096).await;
            });
        }
    });
    address
}
