//! How a server parts from its connections.

use delivery::Delivery;
use protocol::CloseCode;
use std::time::Duration;

/// How much longer the goodbyes take with each connection. They are spread over a time, so that clients do not all come
/// back at once.
const GOODBYE: Duration = Duration::from_micros(400);
/// The longest time over which goodbyes are spread, however many connections there are.
const GOODBYES: Duration = Duration::from_millis(2_500);
/// How long a client may take to say goodbye, too. To close a connection before that would cut off what is on its way.
const PARTING: Duration = Duration::from_millis(1_500);

/// Says goodbye to everybody, and ends delivery.
pub(super) async fn part(delivery: Delivery) {
    say_goodbye(delivery.clone()).await;
    end(delivery).await;
}

/// Sends every client away, a few at a time. Each is told a time after which it may come back, drawn by chance from as
/// long a time as the goodbyes take.
pub(super) async fn say_goodbye(delivery: Delivery) {
    let everybody = u32::try_from(delivery.connections()).unwrap_or(u32::MAX);
    let over = GOODBYE.saturating_mul(everybody).min(GOODBYES);
    let latest = u64::try_from(over.as_millis()).unwrap_or(u64::MAX);
    let reason = move || format!(r#"{{"retry_after_ms":{}}}"#, fastrand::u64(0..=latest));
    let goodbyes = move || delivery.drain(CloseCode::Restart.number(), reason, over, over + PARTING);
    wait_for("the goodbyes", goodbyes).await;
}

/// Ends the threads of delivery, and with them every connection that is left.
pub(super) async fn end(delivery: Delivery) {
    wait_for("the end of delivery", move || delivery.stop()).await;
}

/// Does a step of stopping that blocks its thread.
pub(super) async fn wait_for(what: &str, blocking: impl FnOnce() + Send + 'static) {
    if let Err(error) = tokio::task::spawn_blocking(blocking).await {
        tracing::error!(%error, what, "a step of stopping failed");
    }
}
