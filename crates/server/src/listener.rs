//! Accepting connections, and letting go of them.

use crate::http::TurnedAway;
use anyhow::{Context, Result};
use axum::Router;
use axum::extract::ConnectInfo;
use axum::http::Request;
use hyper::body::Incoming;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use hyper_util::service::TowerToHyperService;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;

/// How long a handshake or a request's head may take, and how long a connection may idle between requests.
const PATIENCE: Duration = Duration::from_secs(30);
/// The most bytes of a request that wait in one connection.
const BUFFER: usize = 32 * 1024;
/// How long to wait before accepting again when the system has no room for another connection.
const BREATH: Duration = Duration::from_millis(50);
/// The first byte of a TLS connection: a record that holds a handshake (RFC 8446 §5.1).
const HANDSHAKE: u8 = 22;

/// A bound address, not answering yet.
pub struct Listener {
    socket: TcpListener,
    address: SocketAddr,
}

/// A listener that answers.
pub struct Answering {
    stop: oneshot::Sender<()>,
    done: JoinHandle<()>,
}

impl Listener {
    /// Binds an address.
    ///
    /// # Errors
    /// When it is taken or not of this machine.
    pub async fn bind(address: SocketAddr) -> Result<Self> {
        let socket =
            TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address}"))?;
        let address = socket.local_addr()?;
        Ok(Self { socket, address })
    }

    /// Where it is bound.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers requests with `router`, which finds the peer's address as [`ConnectInfo`]. With `tls` nothing else is
    /// spoken, and whoever tries plain HTTP is turned away.
    pub fn answer(self, router: Router, tls: Option<TlsAcceptor>) -> Answering {
        let (stop, stopped) = oneshot::channel();
        let done = tokio::spawn(accept(self.socket, Welcome { router, tls, builder: builder() }, stopped));
        Answering { stop, done }
    }
}

impl Answering {
    /// Lets nobody new in, and waits until what was asked is answered. Dropping the future gives up waiting.
    pub async fn stop(self) {
        // The other end waits for this; were it gone, all would be over already.
        let _ = self.stop.send(());
        let _ = self.done.await;
    }
}

/// What every connection needs.
#[derive(Clone)]
struct Welcome {
    router: Router,
    tls: Option<TlsAcceptor>,
    builder: Builder<TokioExecutor>,
}

fn builder() -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new()).http1_only();
    builder.http1().timer(TokioTimer::new()).header_read_timeout(PATIENCE).max_buf_size(BUFFER);
    builder
}

async fn accept(socket: TcpListener, welcome: Welcome, mut stopped: oneshot::Receiver<()>) {
    let connections = GracefulShutdown::new();
    loop {
        let accepted = tokio::select! {
            accepted = socket.accept() => accepted,
            _ = &mut stopped => break,
        };
        match accepted {
            Ok((stream, peer)) => {
                let served = welcome.clone().serve(stream, peer, connections.watcher());
                tokio::spawn(async move {
                    if let Err(error) = served.await {
                        tracing::debug!(%peer, error, "a connection broke off");
                    }
                });
            }
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                sleep(BREATH).await;
            }
        }
    }
    drop(socket);
    connections.shutdown().await;
}

type Failure = Box<dyn std::error::Error + Send + Sync>;

impl Welcome {
    async fn serve(self, stream: TcpStream, peer: SocketAddr, watcher: Watcher) -> Result<(), Failure> {
        // Answers are small and awaited: they must not wait for more to go with them.
        stream.set_nodelay(true)?;
        let Some(tls) = &self.tls else { return self.converse(stream, peer, watcher, None).await };
        if timeout(PATIENCE, first_byte(&stream)).await?? != HANDSHAKE {
            return self.converse(stream, peer, watcher, Some(TurnedAway::Insecure)).await;
        }
        let stream = timeout(PATIENCE, tls.accept(stream)).await??;
        self.converse(stream, peer, watcher, None).await
    }

    async fn converse(
        &self,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        peer: SocketAddr,
        watcher: Watcher,
        turned_away: Option<TurnedAway>,
    ) -> Result<(), Failure> {
        let router = TowerToHyperService::new(self.router.clone());
        let answer = service_fn(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(ConnectInfo(peer));
            if let Some(turned_away) = turned_away {
                request.extensions_mut().insert(turned_away);
            }
            router.call(request)
        });
        watcher.watch(self.builder.serve_connection_with_upgrades(TokioIo::new(stream), answer)).await
    }
}

async fn first_byte(stream: &TcpStream) -> io::Result<u8> {
    let mut byte = [0];
    match stream.peek(&mut byte).await? {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        _ => Ok(byte[0]),
    }
}
