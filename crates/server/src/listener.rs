//! Accepting connections, and letting go of them.

use crate::app::App;
use crate::config::Limits;
use crate::http::TurnedAway;
use crate::seats::{Standing, Who};
use anyhow::{Context, Result};
use axum::Router;
use axum::extract::ConnectInfo;
use axum::http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::io;
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

/// The most fields in the head of a request.
const FIELDS: usize = 100;
/// How long to wait before accepting again when the system has no room for another connection and none ends.
const BREATH: Duration = Duration::from_secs(1);
/// How long the first request of a connection may be on its way when nobody is let in any more.
const ON_ITS_WAY: Duration = Duration::from_millis(100);
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
        Self::of(socket)
    }

    /// Accepts from a socket that somebody else has bound.
    ///
    /// # Errors
    /// When it has no address.
    pub fn passed(socket: std::net::TcpListener) -> Result<Self> {
        socket.set_nonblocking(true)?;
        Self::of(TcpListener::from_std(socket)?)
    }

    fn of(socket: TcpListener) -> Result<Self> {
        let address = socket.local_addr()?;
        Ok(Self { socket, address })
    }

    /// The same socket once more, to be passed on.
    ///
    /// # Errors
    /// When there is no file for it.
    pub fn copy(&self) -> Result<std::net::TcpListener> {
        Ok(self.socket.as_fd().try_clone_to_owned()?.into())
    }

    /// Where it is bound.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers requests with `router`, which finds the peer's address as [`ConnectInfo`] and the connection's seat as
    /// `Arc<Standing>`. With `tls` only TLS is spoken, and a client that tries plain HTTP is turned away.
    pub fn answer(
        self,
        router: Router,
        tls: Option<TlsAcceptor>,
        app: Arc<App>,
        limits: &Limits,
    ) -> Answering {
        let (stop, stopped) = oneshot::channel();
        let welcome = Welcome { router, tls, builder: builder(limits), app, patience: limits.handshake };
        let done = tokio::spawn(accept(self.socket, welcome, stopped));
        Answering { stop, done }
    }
}

impl Answering {
    /// Lets nobody new in, and waits until what was asked is answered. Dropping the future gives up waiting.
    pub async fn stop(self) {
        // The accepting task waits for this. If it is gone, it has ended already.
        let _ = self.stop.send(());
        let _ = self.done.await;
    }
}

/// What every connection needs.
#[derive(Clone)]
struct Welcome {
    router: Router,
    tls: Option<TlsAcceptor>,
    builder: http1::Builder,
    app: Arc<App>,
    /// How long a handshake may take.
    patience: Duration,
}

/// HTTP/1 alone: a builder that finds out the version by itself would wait for the first bytes for ever.
fn builder(limits: &Limits) -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(limits.handshake)
        .max_buf_size(limits.header_bytes as usize)
        .max_headers(FIELDS);
    builder
}

async fn accept(socket: TcpListener, welcome: Welcome, mut stopped: oneshot::Receiver<()>) {
    let (ending, _) = watch::channel(());
    let mut is_refused = false;
    loop {
        let accepted = tokio::select! {
            accepted = next(&socket, &welcome.app) => accepted,
            _ = &mut stopped => break,
        };
        match accepted {
            Ok((stream, peer)) => {
                is_refused = false;
                let Some(guest) = welcome.seat(peer) else { continue };
                let served = welcome.clone().serve(stream, guest, ending.subscribe());
                tokio::spawn(async move {
                    if let Err(error) = served.await {
                        tracing::debug!(%peer, error, "a connection broke off");
                    }
                });
            }
            Err(error) => {
                if !std::mem::replace(&mut is_refused, true) {
                    tracing::warn!(%error, "no connection can be accepted; trying again as others end");
                }
                // Accepting again at once would bring the same error, for as long as nothing changes.
                let _ = timeout(BREATH, welcome.app.seats.left()).await;
            }
        }
    }
    drop(socket);
    ending.send_replace(());
    // Each connection holds a receiver to its end.
    ending.closed().await;
}

async fn next(socket: &TcpListener, app: &App) -> io::Result<(TcpStream, SocketAddr)> {
    app.seats.room().await;
    socket.accept().await
}

/// Whose requests a connection brings.
struct Guest {
    peer: SocketAddr,
    standing: Arc<Standing>,
    turned_away: Option<TurnedAway>,
}

type Failure = Box<dyn std::error::Error + Send + Sync>;

impl Welcome {
    async fn serve(
        self,
        stream: TcpStream,
        mut guest: Guest,
        ending: watch::Receiver<()>,
    ) -> Result<(), Failure> {
        // Answers are small, and clients wait for them: the kernel must not hold them back for more to go with them.
        stream.set_nodelay(true)?;
        let Some(tls) = &self.tls else { return self.converse(stream, guest, ending).await };
        if timeout(self.patience, first_byte(&stream)).await?? != HANDSHAKE {
            guest.turned_away.get_or_insert(TurnedAway::Insecure);
            return self.converse(stream, guest, ending).await;
        }
        let stream = timeout(self.patience, tls.accept(stream)).await??;
        self.converse(stream, guest, ending).await
    }

    /// Gives a connection its seat, and says why it is not served if there is none. Answers with nothing, so that the
    /// connection is closed, where its address has too many and enough connections are being told that already.
    fn seat(&self, peer: SocketAddr) -> Option<Guest> {
        let seats = &self.app.seats;
        let address = self.app.doors.counted_peer(peer);
        let of_address = address.and_then(|address| seats.take(Who::Address(address)));
        let is_one_too_many = address.is_some() && of_address.is_none();
        let turned_away = if is_one_too_many { Some(seats.take(Who::TurnedAway)?) } else { None };
        let (seat, fits) = seats.enter();
        let why = match (fits, is_one_too_many) {
            (false, _) => Some(TurnedAway::Crowded),
            (true, true) => Some(TurnedAway::TooMany),
            (true, false) => None,
        };
        let (of_address, turned_away) = (of_address.map(Box::new), turned_away.map(Box::new));
        let standing = Arc::new(Standing { seat, of_address, turned_away });
        Some(Guest { peer, standing, turned_away: why })
    }

    async fn converse(
        &self,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        guest: Guest,
        mut ending: watch::Receiver<()>,
    ) -> Result<(), Failure> {
        let router = TowerToHyperService::new(self.router.clone());
        let asked = Arc::new(AtomicBool::new(false));
        let asks = Arc::clone(&asked);
        let answer = service_fn(move |mut request: Request<Incoming>| {
            asks.store(true, Ordering::Relaxed);
            request.extensions_mut().insert(ConnectInfo(guest.peer));
            request.extensions_mut().insert(Arc::clone(&guest.standing));
            if let Some(turned_away) = guest.turned_away {
                request.extensions_mut().insert(turned_away);
            }
            router.call(request)
        });
        let connection = self.builder.serve_connection(TokioIo::new(stream), answer).with_upgrades();
        let mut connection = pin!(connection);
        tokio::select! {
            done = connection.as_mut() => return Ok(done?),
            _ = ending.changed() => {}
        }
        // A connection that was accepted just now would otherwise be closed before its request is read.
        if !asked.load(Ordering::Relaxed)
            && let Ok(done) = timeout(ON_ITS_WAY, connection.as_mut()).await
        {
            return Ok(done?);
        }
        connection.as_mut().graceful_shutdown();
        Ok(connection.await?)
    }
}

async fn first_byte(stream: &TcpStream) -> io::Result<u8> {
    let mut byte = [0];
    match stream.peek(&mut byte).await? {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        _ => Ok(byte[0]),
    }
}
