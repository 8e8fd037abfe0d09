//! Accepting connections, and letting go of them.

use anyhow::{Context, Result};
use axum::Router;
use axum::extract::ConnectInfo;
use axum::http::Request;
use hyper::body::Incoming;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::sleep;

/// How long a request's head may take, and how long a connection may idle between requests.
const PATIENCE: Duration = Duration::from_secs(30);
/// The most bytes of a request that wait in one connection.
const BUFFER: usize = 32 * 1024;
/// How long to wait before accepting again when the system has no room for another connection.
const BREATH: Duration = Duration::from_millis(50);

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

    /// Answers requests with `router`, which finds the peer's address as [`ConnectInfo`].
    pub fn answer(self, router: Router) -> Answering {
        let (stop, stopped) = oneshot::channel();
        let done = tokio::spawn(accept(self.socket, router, stopped));
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

async fn accept(socket: TcpListener, router: Router, mut stopped: oneshot::Receiver<()>) {
    let mut builder = Builder::new(TokioExecutor::new()).http1_only();
    builder.http1().timer(TokioTimer::new()).header_read_timeout(PATIENCE).max_buf_size(BUFFER);
    let connections = GracefulShutdown::new();
    loop {
        let accepted = tokio::select! {
            accepted = socket.accept() => accepted,
            _ = &mut stopped => break,
        };
        match accepted {
            Ok((stream, peer)) => serve(&builder, &connections, router.clone(), stream, peer),
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                sleep(BREATH).await;
            }
        }
    }
    drop(socket);
    connections.shutdown().await;
}

fn serve(
    builder: &Builder<TokioExecutor>,
    connections: &GracefulShutdown,
    router: Router,
    stream: TcpStream,
    peer: SocketAddr,
) {
    // Answers are small and awaited: they must not wait for more to go with them.
    if stream.set_nodelay(true).is_err() {
        return;
    }
    let router = TowerToHyperService::new(router);
    let answer = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(ConnectInfo(peer));
        router.call(request)
    });
    let (builder, watcher) = (builder.clone(), connections.watcher());
    tokio::spawn(async move {
        let connection = builder.serve_connection_with_upgrades(TokioIo::new(stream), answer);
        if let Err(error) = watcher.watch(connection).await {
            tracing::debug!(%peer, error, "a connection broke off");
        }
    });
}
