//! Serving: start, what is printed then, and the way to a clean end.

use crate::app::{App, Settings};
use crate::config::{Config, Loaded};
use crate::directory::{Directory, Lock};
use crate::doors::Doors;
use crate::http;
use crate::listener::{Answering, Listener};
use crate::live::Live;
use crate::logging;
use crate::pacing::Pacing;
use crate::seats::Seats;
use crate::setup::Setup;
use crate::tls::Certificate;
use anyhow::{Context, Result, bail};
use chat::{Chat, Clock};
use delivery::Delivery;
use protocol::CloseCode;
use rlimit::Resource;
use std::fmt::Write as _;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::exit;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval, timeout};

/// Threads for HTTP, handshakes and commands. Messages are moved by threads of their own.
const WORKERS: usize = 2;
/// How long goodbyes are spread, so that clients do not all come back at once.
const GOODBYES: Duration = Duration::from_secs(5);
/// How long all of stopping may take; then it ends anyway, which loses nothing that was acknowledged.
const STOPPING: Duration = Duration::from_secs(9);
/// The reason of the close frame of who sends too much: by then a whole allowance is there again.
const FLOOD: &str = r#"{"retry_after_ms":10000}"#;
/// How often read marks are written and the certificate is looked at, and how many of those until sessions that have
/// expired are ended, until old attempts are forgotten, and until sessions of living connections are extended.
const CHORES: Duration = Duration::from_secs(1);
const EXPIRING: u32 = 10;
const FORGETTING: u32 = 60;
const EXTENDING: u32 = 60 * 60;

/// A running server.
pub struct Server {
    app: Arc<App>,
    answering: Answering,
    address: SocketAddr,
    data: PathBuf,
    chores: JoinHandle<()>,
    _lock: Lock,
}

impl Server {
    /// Opens the data directory and the database, and listens.
    ///
    /// # Errors
    /// When another server uses the directory, the database cannot be opened, or the address is taken.
    pub async fn start(config: &Config, clock: Clock) -> Result<Self> {
        let directory = Directory::open(&config.data)?;
        let mut lock = directory.lock()?;
        let certificate = match (&config.tls_cert, &config.tls_key) {
            (Some(certificate), Some(key)) => Some(Certificate::open(certificate, key)?),
            (None, None) => None,
            _ => bail!("`tls_cert` and `tls_key` go together: set both or neither"),
        };
        let acceptor = certificate.as_ref().map(Certificate::acceptor).transpose()?;
        let listener = Listener::bind(config.listen).await?;
        let address = listener.address();
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
            draining: AtomicBool::new(false),
            chat,
            delivery,
        });
        let answering =
            listener.answer(http::routes(Arc::clone(&app)), acceptor, Arc::clone(&app), &config.limits);
        let chores = tokio::spawn(do_chores(Arc::clone(&app), certificate));
        Ok(Self { app, answering, address, data: directory.path().to_owned(), chores, _lock: lock })
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
        let delivery = self.app.delivery.clone();
        let goodbyes = tokio::task::spawn_blocking(move || {
            delivery.drain(CloseCode::Restart.number(), "the server restarts", GOODBYES);
        });
        // Requests that hang are given up with the connections; what they committed is on the disk.
        let answered = timeout(GOODBYES, self.answering.stop());
        let (_, _) = tokio::join!(answered, goodbyes);
        self.chores.abort();
        // The stream of what was committed must be read until the last commit, so the database goes first.
        self.app.chat.close().await;
        self.app.live.stop().await;
        let delivery = self.app.delivery.clone();
        if let Err(error) = tokio::task::spawn_blocking(move || delivery.stop()).await {
            tracing::error!(%error, "delivery did not stop cleanly");
        }
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
        line("data", &self.data.display().to_string());
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

/// Serves until a signal says to stop. A second signal ends the process at once.
///
/// # Errors
/// When the server cannot start.
pub fn run(loaded: &Loaded) -> Result<()> {
    logging::start(&loaded.config);
    for note in &loaded.notes {
        tracing::warn!("{note}");
    }
    raise_file_limit();
    let runtime = runtime::Builder::new_multi_thread().worker_threads(WORKERS).enable_all().build()?;
    let done = runtime.block_on(serve(loaded));
    // Whatever still hangs in a thread must not keep the process.
    runtime.shutdown_background();
    done
}

/// The database for people, in front of what is wrong with it.
pub(crate) fn database(directory: &Directory) -> String {
    format!("the database {}", directory.database().display())
}

async fn serve(loaded: &Loaded) -> Result<()> {
    let mut signals = Signals::listen()?;
    let server = Server::start(&loaded.config, Clock::system()).await?;
    let mut out = std::io::stdout();
    // Nobody reading the banner is no reason not to serve.
    let _ = out.write_all(server.banner(loaded).as_bytes()).and_then(|()| out.flush());
    let chat = server.app().chat.clone();
    let broken = tokio::select! {
        () = signals.next() => None,
        broken = chat.broken() => Some(broken),
    };
    match &broken {
        None => tracing::info!("stopping; a second signal stops at once"),
        Some(broken) => {
            tracing::error!(broken, "the disk failed; stopping, for only a new start can tell what is on it")
        }
    }
    tokio::spawn(async move {
        signals.next().await;
        exit(1);
    });
    if timeout(STOPPING, server.drain()).await.is_err() {
        tracing::warn!("stopping took too long; what was acknowledged is on the disk");
    }
    match broken {
        None => Ok(()),
        Some(broken) => bail!("the disk under the database failed: {broken}"),
    }
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
    for tick in 0_u32.. {
        ticks.tick().await;
        // That the disk is full was said when it became so.
        if let Err(error) = app.chat.write_reads().await
            && !matches!(error, chat::Error::DiskFull)
        {
            tracing::warn!(%error, "read marks were not written; they wait for the next time");
        }
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
