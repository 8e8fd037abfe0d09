//! What a post costs the disk.

use crate::support::{World, nonce, world};
use chat::Caller;
use protocol::RoomId;
use std::time::{Duration, Instant};

/// Most bytes of WAL per post of 100 characters when 64 are queued at once. Counted: 579 in one batch, 772
/// where the first of them went alone.
const IN_A_BATCH: u64 = 800;
/// The same for a post that is alone in its batch: five pages.
const ALONE: u64 = 20_600;

#[tokio::test]
async fn a_post_writes_no_more_of_the_log_than_was_recorded() {
    let mut world = world().await;
    let ana = world.ana().await;
    let lobby = world.lobby(&ana).await;
    let text = "x".repeat(100);
    let (mut alone, mut in_a_batch) = (u64::MAX, u64::MAX);
    for _ in 0..20 {
        let before = world.log_bytes();
        world.says(&ana, lobby, &text).await;
        alone = alone.min(world.log_bytes() - before);
        // What is queued while the first one is committed goes together; the least of some rounds is when it did.
        let before = world.log_bytes();
        let posts: Vec<_> =
            (0..64).map(|_| world.chat.post(&ana, lobby, text.as_str().into(), nonce())).collect();
        for post in posts {
            post.await.unwrap();
        }
        world.listen();
        in_a_batch = in_a_batch.min((world.log_bytes() - before) / 64);
    }
    assert!(alone <= ALONE && in_a_batch <= IN_A_BATCH, "{alone} alone, {in_a_batch} in a batch");
}

#[tokio::test]
async fn a_log_that_is_written_all_the_time_is_written_over_and_over() {
    let mut world = world().await;
    let ana = world.ana().await;
    let lobby = world.lobby(&ana).await;
    let text = "𐍈".repeat(4_000);
    // A hundred and fifty megabytes, without a rest.
    for _ in 0..250 {
        posts_thirty_two(&mut world, &ana, lobby, &text).await;
    }
    let bytes = world.log_bytes();
    assert!(bytes < 40 << 20, "{bytes}");
}

#[tokio::test]
async fn who_reads_for_long_does_not_hold_up_who_writes() {
    let mut world = world().await;
    let ana = world.ana().await;
    let lobby = world.lobby(&ana).await;
    let mut reader = rusqlite::Connection::open(world.database()).unwrap();
    let reading = reader.transaction().unwrap();
    reading.query_row("select count(*) from messages", [], |_| Ok(())).unwrap();
    // Past this the writer would checkpoint the WAL, which it cannot while somebody reads from it.
    let text = "𐍈".repeat(4_000);
    let mut worst = Duration::ZERO;
    while world.log_bytes() < 80 << 20 {
        worst = worst.max(posts_thirty_two(&mut world, &ana, lobby, &text).await);
    }
    drop(reading);
    // The writer now checkpoints all that it could not while somebody read.
    for _ in 0..40 {
        worst = worst.max(posts_thirty_two(&mut world, &ana, lobby, &text).await);
    }
    // Waiting for the reader would take five seconds.
    assert!(worst < Duration::from_secs(4), "{worst:?}");
}

/// How long thirty-two posts took that were queued at once.
async fn posts_thirty_two(world: &mut World, author: &Caller, room: RoomId, text: &str) -> Duration {
    let began = Instant::now();
    let posts: Vec<_> = (0..32).map(|_| world.chat.post(author, room, text.into(), nonce())).collect();
    for post in posts {
        post.await.unwrap();
    }
    world.listen();
    began.elapsed()
}
