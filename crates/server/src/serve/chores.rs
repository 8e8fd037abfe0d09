//! What a server does again and again beside serving.

use crate::app::App;
use crate::thrift::Thrift;
use crate::tls::Certificate;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{MissedTickBehavior, interval};

/// How often there are chores: a tick. On every tick read marks are written, and the certificate's files looked at.
const TICK: Duration = Duration::from_secs(1);
/// Ticks until sessions that have expired are ended.
const EXPIRING: u32 = 10;
/// Ticks until freed memory may be given back.
const CALMING: u32 = 20;
/// Ticks until old attempts to get in are forgotten.
const FORGETTING: u32 = 60;
/// Ticks until the sessions of living connections are extended.
const EXTENDING: u32 = 60 * 60;

/// Does the chores until it is aborted.
pub(super) async fn do_chores(app: Arc<App>, certificate: Option<Certificate>) {
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut thrift = Thrift::new();
    for tick in 0_u32.. {
        ticks.tick().await;
        // A full disk, or a database that is away, is no news: it was logged when it became so.
        if let Err(error) = app.chat.write_reads().await
            && !matches!(error, chat::Error::DiskFull | chat::Error::Away)
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
            && !matches!(error, chat::Error::DiskFull | chat::Error::Away)
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
