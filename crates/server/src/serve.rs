//! Serving: from the first claim on the data directory to a clean end, or to the server that follows.

mod chores;
mod farewell;
mod open_files;
mod server;
mod signals;

pub use server::Server;
pub(crate) use signals::Signals;

use crate::activation;
use crate::claim::Claim;
use crate::config::Loaded;
use crate::handover::{Handover, Successor};
use crate::logging;
use anyhow::{Result, bail};
use chat::Clock;
use farewell::part;
use server::Released;
use std::io::Write as _;
use std::net::TcpListener;
use std::pin::pin;
use std::process::exit;
use std::time::Duration;
use tokio::runtime;
use tokio::time::{sleep, timeout};

/// Threads for HTTP, handshakes and commands. The shards that move messages have threads of their own.
const WORKERS: usize = 2;
/// How long connections are kept for the server that is to follow. If it does not serve by then, clients are told to come
/// back.
const FOLLOWING: Duration = Duration::from_secs(5);
/// How long all of stopping may take. After that the process ends anyway, which loses nothing that was acknowledged.
const STOPPING: Duration = Duration::from_secs(9);

/// Serves until a signal says to stop, or another process takes over. A second signal ends the process at once. The server
/// listens on `passed`, where there is one. With `take_over` it takes the place of the server that uses the data directory.
///
/// # Errors
/// When the server cannot start.
pub fn run(loaded: &Loaded, passed: Option<TcpListener>, take_over: bool) -> Result<()> {
    logging::start(&loaded.config);
    for note in &loaded.notes {
        tracing::warn!("{note}");
    }
    open_files::raise_limit();
    let runtime = runtime::Builder::new_multi_thread().worker_threads(WORKERS).enable_all().build()?;
    let done = runtime.block_on(serve(loaded, passed, take_over));
    // A task that still hangs in a thread must not keep the process.
    runtime.shutdown_background();
    done
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
                    "the database failed; stopping, for only a new start can tell what is in it"
                );
                stop(server, signals).await;
                bail!("the database failed: {broken}");
            }
            Ending::Followed(successor) => match hand_over(server, successor, &mut signals).await? {
                None => return Ok(()),
                Some(again) => claim = again,
            },
        }
    }
}

/// Waits for `starting`. If a signal comes first, the process ends at once: the lock, the conversation with the server
/// before and a migration under way must all end in one moment. Otherwise that server could find its database in use.
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
    // The server also serves where nobody reads the banner.
    let _ = out.write_all(server.banner(loaded).as_bytes()).and_then(|()| out.flush());
}

/// Why a server ends.
enum Ending {
    /// A signal came.
    Asked,
    /// The database failed, and how.
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

/// Gives everything to the server that is to follow. If that server ends before it serves, this process claims all of it
/// again and answers with the claim.
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
    // Also where this process goes on: the old connections belong to the delivery that was released.
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
