//! A running server: its start, its two ends, and what it says of itself.

use super::chores::do_chores;
use super::farewell::{end, say_goodbye, wait_for};
use super::open_files::open_files;
use crate::app::{App, Settings};
use crate::claim::Claim;
use crate::config::{Config, Loaded};
use crate::directory::{Directory, Lock};
use crate::doors::Doors;
use crate::handover::Handover;
use crate::http;
use crate::listener::Answering;
use crate::live::Live;
use crate::pacing::Pacing;
use crate::seats::Seats;
use crate::setup::Setup;
use crate::tls::Certificate;
use anyhow::{Context, Result};
use chat::{Chat, Clock};
use delivery::Delivery;
use std::fmt::Write as _;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::runtime;
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// How long requests may take to be answered when the server stops, and when it hands over.
const ANSWERING: Duration = Duration::from_secs(4);
const ANSWERING_AT_HANDOVER: Duration = Duration::from_millis(250);
/// How long what was read from connections may take to be answered when the server hands over.
const HUSHING: Duration = Duration::from_millis(400);
/// The reason in the close frame of a client that has sent too much. When it may come back, a whole allowance is there
/// again.
const FLOOD: &str = r#"{"retry_after_ms":10000}"#;

/// A running server.
pub struct Server {
    app: Arc<App>,
    answering: Answering,
    address: SocketAddr,
    directory: Directory,
    socket: TcpListener,
    chores: JoinHandle<()>,
    consuming: JoinHandle<()>,
    lock: Lock,
}

/// What is left of a server that has let go of everything that the next server needs.
pub(super) struct Released {
    pub(super) delivery: Delivery,
    pub(super) directory: Directory,
    pub(super) socket: TcpListener,
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
        let certificate = Certificate::of(config)?;
        let acceptor = certificate.as_ref().map(Certificate::acceptor).transpose()?;
        let (address, socket) = (listener.address(), listener.copy()?);
        lock.sign(address)?;
        let (chat, committed) = Chat::open(directory.database_of(config), clock)
            .await
            .with_context(|| directory.database_shown(config))?;
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
        let consuming = tokio::spawn(app.chat.consuming().run());
        Ok(Self { app, answering, address, directory, socket, chores, consuming, lock })
    }

    /// The address on which the server listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// What the requests share.
    pub const fn app(&self) -> &Arc<App> {
        &self.app
    }

    /// Stops: lets nobody new in, answers what was asked, says goodbye to every connection, closes the database.
    pub async fn drain(self) {
        self.app.draining.store(true, Ordering::Release);
        // Requests that hang are given up together with the connections. What they committed is on the disk.
        let answered = timeout(ANSWERING, self.answering.stop());
        let (_, ()) = tokio::join!(answered, say_goodbye(self.app.delivery.clone()));
        self.chores.abort();
        self.consuming.abort();
        // The stream of what was committed must be read until the last commit, so the database goes first.
        self.app.chat.close().await;
        self.app.live.stop().await;
        end(self.app.delivery.clone()).await;
    }

    /// The socket on which another server can ask to follow this one; none where it cannot be made.
    pub(super) fn handover(&self) -> Option<Handover> {
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
    pub(super) async fn release(self) -> Released {
        self.app.draining.store(true, Ordering::Release);
        // Connections are heard until the requests are answered, so that no client waits for that.
        let _ = timeout(ANSWERING_AT_HANDOVER, self.answering.stop()).await;
        let delivery = self.app.delivery.clone();
        wait_for("the silence", move || delivery.hush(HUSHING)).await;
        self.chores.abort();
        self.consuming.abort();
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
        if let Some(database) = &loaded.config.database {
            line("database", &database.shown());
        }
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
