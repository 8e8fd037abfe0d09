//! The client's end of a socket, plain or over TLS.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

use delivery::Socket;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;
use tokio_rustls::{TlsAcceptor, TlsConnector};

const NAME: &str = "localhost";

pub enum Line {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// A certificate, and those who trust it.
pub struct Tls {
    acceptor: TlsAcceptor,
    connector: TlsConnector,
}

impl Tls {
    pub fn new() -> Tls {
        static CONFIGS: OnceLock<(Arc<ServerConfig>, Arc<ClientConfig>)> = OnceLock::new();
        let (server, client) = CONFIGS.get_or_init(configs).clone();
        Tls { acceptor: server.into(), connector: client.into() }
    }

    /// Does the handshake, and takes it out of the hands of tokio.
    pub async fn shake_hands(&self, client: TcpStream, server: std::net::TcpStream) -> (Line, Socket) {
        server.set_nonblocking(true).unwrap();
        let server = self.acceptor.accept(TcpStream::from_std(server).unwrap());
        let client = self.connector.connect(NAME.try_into().unwrap(), client);
        let (server, client) = tokio::join!(server, client);
        (Line::Tls(Box::new(client.unwrap())), taken_over(server.unwrap()))
    }

    /// Like [`Tls::shake_hands`], where the last read of the handshake brought what the client said behind it.
    pub async fn shake_hands_and_hear(
        &self,
        client: TcpStream,
        server: std::net::TcpStream,
        said: &[u8],
    ) -> (Line, Socket) {
        server.set_nonblocking(true).unwrap();
        let server = self.acceptor.accept(TcpStream::from_std(server).unwrap());
        let client = self.connector.connect(NAME.try_into().unwrap(), client);
        let (server, client) = tokio::join!(server, client);
        let (mut server, mut client) = (server.unwrap(), client.unwrap());
        client.write_all(said).await.unwrap();
        client.flush().await.unwrap();
        let (stream, session) = server.get_mut();
        while session.process_new_packets().unwrap().plaintext_bytes_to_read() < said.len() {
            stream.readable().await.unwrap();
            let mut bytes = [0; 1024];
            if let Ok(len) = stream.try_read(&mut bytes) {
                session.read_tls(&mut &bytes[..len]).unwrap();
            }
        }
        (Line::Tls(Box::new(client)), taken_over(server))
    }
}

fn taken_over(server: tokio_rustls::server::TlsStream<TcpStream>) -> Socket {
    let (stream, session) = server.into_inner();
    Socket::from(stream.into_std().unwrap()).over_tls(session)
}

fn configs() -> (Arc<ServerConfig>, Arc<ClientConfig>) {
    let made = rcgen::generate_simple_self_signed([NAME.to_owned()]).unwrap();
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
    let mut trusted = RootCertStore::empty();
    trusted.add(made.cert.der().clone()).unwrap();
    let server = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    let client = ClientConfig::builder().with_root_certificates(trusted).with_no_client_auth();
    (Arc::new(server), Arc::new(client))
}

impl AsyncRead for Line {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Line::Plain(line) => Pin::new(line).poll_read(cx, buf),
            Line::Tls(line) => Pin::new(line).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Line {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Line::Plain(line) => Pin::new(line).poll_write(cx, buf),
            Line::Tls(line) => Pin::new(line).poll_write(cx, buf),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Line::Plain(line) => Pin::new(line).poll_flush(cx),
            Line::Tls(line) => Pin::new(line).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Line::Plain(line) => Pin::new(line).poll_shutdown(cx),
            Line::Tls(line) => Pin::new(line).poll_shutdown(cx),
        }
    }
}
