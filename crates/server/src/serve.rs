//! Serving: start, what is printed then, and the way to a clean end.

use crate::activation;
use crate::app::{App, Settings};
use crate::claim::Claim;
use crate::config::{Config, Loaded};
use crate::directory::{Directory, Lock};
use crate::doors::Doors;
use crate::handover::{Handover, Successor};
use crate::http;
use crate::listener::Answering;
use crate::live::Live;
use crate::logging;
use crate::pacing::Pacing;
use crate::seats::Seats;
use crate::setup::Setup;
use crate::thrift::Thrift;
use crate::tls::Certificate;
use anyhow::{Context, Result, bail};
use chat::{Chat, Clock};
use delivery::Delivery;
use protocol::CloseCode;
use rlimit::Resource;
use std::fmt::Write as _;
use std::io::Write as _;
use std::net::{SocketAddr, TcpListener};
use std::pin::pin;
use std::process::exit;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

/// Threads for HTTP, handshakes and commands. Messages are moved by threads of their own.
const WORKERS: usize = 2;
/// How much time the goodbye of one connection adds to that of all, and the most there is for all. So that clients do
/// not all come back at once, goodbyes are spread, and each names the time after which its client may come back, drawn
/// from as long a time again.
const GOODBYE: Duration = Duration::from_micros(400);
const GOODBYES: Duration = Duration::from_millis(2_500);
/// How long the other end may take to say goodbye, too. To close before that would cut off what is on its way.
const PARTING: Duration = Duration::from_millis(1_500);
/// How long requests may take to be answered when the server stops, and when it hands over.
const ANSWERING: Duration = Duration::from_secs(4);
const ANSWERING_AT_HANDOVER: Duration = Duration::from_millis(250);
/// How long what was read from connections may take to be answered when the server hands over.
const HUSHING: Duration = Duration::from_millis(400);
/// How long connections wait for the server that is to follow until they are told to come back.
const FOLLOWING: Duration = Duration::from_secs(5);
/// How long all of stopping may take; then it ends anyway, which loses nothing that was acknowledged.
const STOPPING: Duration = Duration::from_secs(9);
/// The reason of the close frame of who sends too much: by then a whole allowance is there again.
const FLOOD: &str = r#"{"retry_after_ms":10000}"#;
/// How often read marks are written and the certificate is looked at, and how many of those until sessions that have
/// expired are ended, until old attempts are forgotten, until sessions of living connections are extended, and until freed
/// memory may be given back.
const CHORES: Duration = Duration::from_secs(1);
const EXPIRING: u32 = 10;
const FORGETTING: u32 = 60;
const EXTENDING: u32 = 60 * 60;
const CALMING: u32 = 20;

/// A running server.
pub struct Server {
    app: Arc<App>,
    answering: Answering,
    address: SocketAddr,
    directory: Directory,
    socket: TcpListener,
    chores: JoinHandle<()>,
    lock: Lock,
}

impl Server {
    /// Opens the data directory and the database, and listens.
    ///
    /// # Errors
    /// When another server uses the directory, the database cannot be opened, or the address is taken.
    pub async fn start(config: &Config, clock: Clock) -> Result<Self> {
        Self::start_on(Claim::stake(config, None).await?, config, clock).await
    }

    /// Opens the database of a claim, and accepts from its socket.
    ///
    /// # Errors
    /// When the database or the certificate cannot be opened.
    pub async fn start_on(claim: Claim, config: &Config, clock: Clock) -> Result<Self> {
        let Claim { directory, mut lock, listener } = claim;
        let certificate = certificate(config)?;
        let acceptor = certificate.as_ref().map(Certificate::acceptor).transpose()?;
        let (address, socket) = (listener.address(), listener.copy()?);
        lock.sign(address)?;
        let (chat, committed) =
            Chat::open(&directory.database(), clock).await.with_context(|| database(&directory))?;
        chat.clear_leftovers().await?;
        let options = delivery::Options {
            heartbeat: config.heartbeat,
            silence: config.heartbeat * 3,
            flood_reason: FLOOD,
            ..delivery::Options::default()
        };
        let delivery = Delivery::start(options).context("the delivery threads")?;
        let pacing = Pacing::new(config.pacing);
        let app = Arc::new(App {
            live: Live::start(chat.clone(), delivery.clone(), pacing.clone(), committed),
            pacing,
            doors: Doors::new(config, address),
            setup: Setup::new(chat.waits_for_owner().await?, chat.now())?,
            settings: Settings::new(config),
            seats: Seats::new(&config.limits, open_files()),
            runtime: runtime::Handle::current(),
            draining: AtomicBool::new(false),
            chat,
            delivery,
        });
        let answering =
            listener.answer(http::routes(Arc::clone(&app)), acceptor, Arc::clone(&app), &config.limits);
        let chores = tokio::spawn(do_chores(Arc::clone(&app), certificate));
        Ok(Self { app, answering, address, directory, socket, chores, lock })
    }

    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// What its requests share.
    pub const fn app(&self) -> &Arc<App> {
        &self.app
    }

    /// Stops: lets nobody new in, answers what was asked, says goodbye to every connection, closes the database.
    pub async fn drain(self) {
        self.app.draining.store(true, Ordering::Release);
        // Requests that hang are given up with the connections; what they committed is on the disk.
        let answered = timeout(ANSWERING, self.answering.stop());
        let (_, ()) = tokio::join!(answered, say_goodbye(self.app.delivery.clone()));
        self.chores.abort();
        // The stream of what was committed must be read until the last commit, so the database goes first.
        self.app.chat.close().await;
        self.app.live.stop().await;
        end(self.app.delivery.clone()).await;
    }

    /// Where another server can ask to follow this one; none where there can be no such place.
    fn handover(&self) -> Option<Handover> {
        let opened = self.socket.try_clone().map_err(Into::into);
        match opened.and_then(|socket| Handover::open(&self.directory, socket)) {
            Ok(handover) => Some(handover),
            Err(error) => {
                tracing::warn!(error = format!("{error:#}"), "no other process can take over from this one");
                None
            }
        }
    }

    /// Lets go of all that another server needs: lets nobody new in, answers what was asked, closes the database and
    /// releases the directory. Connections stay, are told what was committed, and are not heard any more.
    async fn release(self) -> Released {
        self.app.draining.store(true, Ordering::Release);
        // Until the requests are answered, connections go on: so nobody waits for them.
        let _ = timeout(ANSWERING_AT_HANDOVER, self.answering.stop()).await;
        let delivery = self.app.delivery.clone();
        wait_for("the silence", move || delivery.hush(HUSHING)).await;
        self.chores.abort();
        self.app.chat.close().await;
        self.app.live.stop().await;
        drop(self.lock);
        Released { delivery: self.app.delivery.clone(), directory: self.directory, socket: self.socket }
    }

    /// What an operator wants to know at the start. `loaded` says where the settings came from.
    pub fn banner(&self, loaded: &Loaded) -> String {
        let scheme = if self.app.settings.tls { "https" } else { "http" };
        let address = format!("{scheme}://{}", self.address);
        let base = match &loaded.config.public_url {
            Some(url) => url.to_string(),
            None => address.clone(),
        };
        let mut text = format!("Roomful {}\n", env!("CARGO_PKG_VERSION"));
        let mut line = |name: &str, value: &str| {
            let _ = writeln!(text, "  {name:<8} {value}");
        };
        line("address", &address);
        if loaded.config.public_url.is_some() {
            line("public", &base);
        }
        line("data", &self.directory.path().display().to_string());
        line("config", &loaded.file_shown());
        let most = self.app.seats.most();
        line("limits", &format!("up to {most} connections at once ({} open files)", open_files()));
        line("guests", self.app.doors.guests_shown());
        if let Some(link) = self.app.setup.link() {
            line("setup", &format!("{base}{link}"));
            line("", "Open this link within 30 minutes to become the owner. A restart makes a new one.");
        }
        text
    }
}

/// What is left of a server that has let go of everything another one needs.
struct Released {
    delivery: Delivery,
    directory: Directory,
    socket: TcpListener,
}

/// Sends everybody away, a few at a time, each with a time of their own to come back.
async fn say_goodbye(delivery: Delivery) {
    let everybody = u32::try_from(delivery.connections()).unwrap_or(u32::MAX);
    let over = GOODBYE.saturating_mul(everybody).min(GOODBYES);
    let latest = u64::try_from(over.as_millis()).unwrap_or(u64::MAX);
    let reason = move || format!(r#"{{"retry_after_ms":{}}}"#, fastrand::u64(0..=latest));
    let goodbyes = move || delivery.drain(CloseCode::Restart.number(), reason, over, over + PARTING);
    wait_for("the goodbyes", goodbyes).await;
}

/// Ends the threads of delivery, and with them whoever has not gone.
async fn end(delivery: Delivery) {
    wait_for("the end of delivery", move || delivery.stop()).await;
}

async fn wait_for(what: &str, blocking: impl FnOnce() + Send + 'static) {
    if let Err(error) = tokio::task::spawn_blocking(blocking).await {
        tracing::error!(%error, what, "a step of stopping failed");
    }
}

/// The certificate that the settings name.
///
/// # Errors
/// When it cannot be read, or has no key.
pub(crate) fn certificate(config: &Config) -> Result<Option<Certificate>> {
    match (&config.tls_cert, &config.tls_key) {
        (Some(certificate), Some(key)) => Ok(Some(Certificate::open(certificate, key)?)),
        (None, None) => Ok(None),
        _ => bail!("`tls_cert` and `tls_key` go together: set both or neither"),
    }
}

/// Serves until a signal says to stop, or another process takes over. A second signal ends the process at once. Listens
/// on `passed`, where there is one; with `take_over` in the place of the server that uses the data directory.
///
/// # Errors
/// When the server cannot start.
pub fn run(loaded: &Loaded, passed: Option<TcpListener>, take_over: bool) -> Result<()> {
    logging::start(&loaded.config);
    for note in &loaded.notes {
        tracing::warn!("{note}");
    }
    raise_file_limit();
    let runtime = runtime::Builder::new_multi_thread().worker_threads(WORKERS).enable_all().build()?;
    let done = runtime.block_on(serve(loaded, passed, take_over));
    // Whatever still hangs in a thread must not keep the process.
    runtime.shutdown_background();
    done
}

/// The database for people, in front of what is wrong with it.
pub(crate) fn database(directory: &Directory) -> String {
    format!("the database {}", directory.database().display())
}

async fn serve(loaded: &Loaded, passed: Option<TcpListener>, take_over: bool) -> Result<()> {
    let mut signals = Signals::listen()?;
    let (config, mut is_first) = (&loaded.config, true);
    let claiming = async {
        if take_over {
            return Claim::take_over(config, passed).await;
        }
        Ok((Claim::stake(config, passed).await?, None))
    };
    let (mut claim, mut predecessor) = unless_asked_to_stop(&mut signals, claiming).await?;
    loop {
        let starting = Server::start_on(claim, config, Clock::system());
        let server = unless_asked_to_stop(&mut signals, starting).await?;
        let handover = server.handover();
        if let Some(predecessor) = predecessor.take() {
            predecessor.serving().await;
        }
        activation::ready();
        if std::mem::take(&mut is_first) {
            announce(&server, loaded);
        }
        let chat = server.app().chat.clone();
        let ending = tokio::select! {
            () = signals.next() => Ending::Asked,
            broken = chat.broken() => Ending::Broken(broken),
            successor = next_server(handover.as_ref()) => Ending::Followed(successor),
        };
        if !matches!(ending, Ending::Followed(_))
            && let Some(handover) = handover
        {
            handover.close();
        }
        match ending {
            Ending::Asked => {
                tracing::info!("stopping; a second signal stops at once");
                stop(server, signals).await;
                return Ok(());
            }
            Ending::Broken(broken) => {
                tracing::error!(
                    broken,
                    "the disk failed; stopping, for only a new start can tell what is on it"
                );
                stop(server, signals).await;
                bail!("the disk under the database failed: {broken}");
            }
            Ending::Followed(successor) => match hand_over(server, successor, &mut signals).await? {
                None => return Ok(()),
                Some(again) => claim = again,
            },
        }
    }
}

/// What comes of `starting`, unless a signal comes first: then the process ends at once. The lock, the conversation with
/// the server before and a migration under way must go in one moment, or that server could find the database in use.
async fn unless_asked_to_stop<T>(signals: &mut Signals, starting: impl Future<Output = T>) -> T {
    tokio::select! {
        done = starting => done,
        () = signals.next() => {
            tracing::info!("stopped before it served");
            exit(0)
        }
    }
}

fn announce(server: &Server, loaded: &Loaded) {
    let mut out = std::io::stdout();
    // Nobody reading the banner is no reason not to serve.
    let _ = out.write_all(server.banner(loaded).as_bytes()).and_then(|()| out.flush());
}

/// Why a server ends.
enum Ending {
    /// A signal came.
    Asked,
    /// The disk failed, and how.
    Broken(String),
    /// Another process is ready.
    Followed(Successor),
}

async fn next_server(handover: Option<&Handover>) -> Successor {
    match handover {
        Some(handover) => handover.successor().await,
        None => std::future::pending().await,
    }
}

async fn stop(server: Server, mut signals: Signals) {
    activation::stopping();
    tokio::spawn(async move {
        signals.next().await;
        exit(1);
    });
    if timeout(STOPPING, server.drain()).await.is_err() {
        tracing::warn!("stopping took too long; what was acknowledged is on the disk");
    }
}

/// Gives everything to the server that is to follow. Answers with the claim on it, should that one not come to serve.
async fn hand_over(server: Server, mut successor: Successor, signals: &mut Signals) -> Result<Option<Claim>> {
    tracing::info!("another process takes over");
    let Released { delivery, directory, socket } = server.release().await;
    successor.may_begin().await;
    let mut goodbyes = None;
    let mut late = pin!(sleep(FOLLOWING));
    let served = loop {
        tokio::select! {
            served = successor.serves() => break served,
            () = signals.next() => break Ok(()),
            () = &mut late, if goodbyes.is_none() => goodbyes = Some(tokio::spawn(part(delivery.clone()))),
        }
    };
    // Also where this process goes on: its connections belong to what was released.
    let goodbyes = goodbyes.unwrap_or_else(|| tokio::spawn(part(delivery)));
    let Err(error) = served else {
        if let Err(error) = goodbyes.await {
            tracing::error!(%error, "the goodbyes failed");
        }
        return Ok(None);
    };
    let error = format!("{error:#}");
    tracing::error!(error, "the process that was to take over has ended; this one goes on");
    Claim::again(directory, socket).await.map(Some)
}

/// Says goodbye to everybody, and ends delivery.
async fn part(delivery: Delivery) {
    say_goodbye(delivery.clone()).await;
    end(delivery).await;
}

/// What asks a process to end.
pub(crate) struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// From now on a signal no longer ends the process by itself.
    pub(crate) fn listen() -> Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    /// Waits for one.
    pub(crate) async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

async fn do_chores(app: Arc<App>, certificate: Option<Certificate>) {
    let mut ticks = interval(CHORES);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut thrift = Thrift::new();
    for tick in 0_u32.. {
        ticks.tick().await;
        // That the disk is full was said when it became so.
        if let Err(error) = app.chat.write_reads().await
            && !matches!(error, chat::Error::DiskFull)
        {
            tracing::warn!(%error, "read marks were not written; they wait for the next time");
        }
        app.chat.forget_replays();
        if let Some(certificate) = certificate.clone()
            && let Err(error) = tokio::task::spawn_blocking(move || certificate.follow()).await
        {
            tracing::error!(%error, "the certificate's files could not be watched");
        }
        if tick % EXTENDING == 0
            && let Err(error) = app.keep_signed_in().await
        {
            tracing::warn!(%error, "sessions of living connections were not extended; they are the next time");
        }
        if tick % EXPIRING == 0
            && let Err(error) = app.chat.end_expired().await
            && !matches!(error, chat::Error::DiskFull)
        {
            tracing::warn!(%error, "sessions that have expired were not ended; they are the next time");
        }
        if tick % FORGETTING == 0 {
            app.doors.forget();
        }
        if tick % CALMING == 0 {
            thrift.look().await;
        }
    }
}

/// How many files this process may have open.
fn open_files() -> u64 {
    rlimit::getrlimit(Resource::NOFILE).map_or(1_024, |(soft, _)| soft)
}

/// Every connection is an open file, and shells start processes with few of them.
fn raise_file_limit() {
    match rlimit::increase_nofile_limit(u64::MAX) {
        Ok(files) => tracing::info!(files, "the limit of open files was raised as far as it goes"),
        Err(error) => tracing::warn!(%error, "the limit of open files could not be raised"),
    }
}
