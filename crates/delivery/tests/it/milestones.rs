//! How a caller that publishes learns that the readers were served.

use std::sync::Arc;
use std::time::Duration;

use delivery::{Gathering, Key, Milestone, Options};
use tokio::sync::oneshot::{Receiver, Sender, channel};
use tokio::time::timeout;

use super::support::{GARDEN, LOBBY, hall, hall_with, options};

/// Reports by its drop that the milestone was passed.
struct Post(Option<Sender<()>>);

impl Drop for Post {
    fn drop(&mut self) {
        let passed = self.0.take().map(|passed| passed.send(()));
        assert_eq!(passed, Some(Ok(())), "the test waits for it");
    }
}

/// Sets a milestone, and hands over what was gathered.
fn set(gathering: &mut Gathering, key: Key) -> Receiver<()> {
    let (passed, waits) = channel();
    let milestone: Milestone = Arc::new(Post(Some(passed)));
    gathering.set(key, &milestone);
    gathering.hand_over();
    waits
}

async fn is_passed(milestone: Receiver<()>) {
    timeout(Duration::from_secs(20), milestone).await.expect("never passed").unwrap();
}

#[tokio::test]
async fn a_milestone_is_passed_once_every_shard_has_offered_what_stands_before_it() {
    let hall = hall();
    let mut people = Vec::new();
    for _ in 0..10 {
        let person = hall.person().await;
        person.follows(LOBBY, 0, 0);
        people.push(person);
    }
    let mut gathering = hall.delivery.gathering();
    for seq in 1..=20 {
        hall.says(LOBBY, seq, format!("{seq} {}", "x".repeat(1000)));
    }
    is_passed(set(&mut gathering, LOBBY)).await;

    // Nobody has read yet: the kernel took all of it, and the counters lag behind by a pass at most.
    hall.comes_to_count(|stats| stats.bytes > 10 * 20 * 1000).await;
    is_passed(set(&mut gathering, GARDEN)).await;
}

#[tokio::test]
async fn who_does_not_read_keeps_no_milestone_from_being_passed() {
    let hall = hall_with(Options { shards: 1, tail_bytes: 64 << 10, ..options() });
    let (mut ana, mut ben) = (hall.person().await, hall.lazy_person().await);
    ana.follows(LOBBY, 0, 0);
    ben.follows(LOBBY, 0, 0);
    let mut gathering = hall.delivery.gathering();

    for seq in 1..=2000 {
        let text = format!("{seq} {}", "x".repeat(4000));
        hall.says(LOBBY, seq, &text);
        ana.hears(&text).await;
        is_passed(set(&mut gathering, LOBBY)).await;
    }

    // By now far more than his socket and the tail hold has gone past him.
    ben.is_given("mind the gap");
    while ben.text().await != "mind the gap" {}
    assert_eq!(hall.delivery.stats().lagged, 1);
}

#[tokio::test]
async fn nobody_waits_for_readers_who_are_gone() {
    let hall = hall();
    let mut ana = hall.person().await;
    ana.follows(LOBBY, 0, 0);
    ana.is_given("here you are");
    ana.hears("here you are").await;
    let mut gathering = hall.delivery.gathering();
    hall.says(LOBBY, 1, "the last words");
    let milestone = set(&mut gathering, LOBBY);
    drop(hall);
    is_passed(milestone).await;
    is_passed(set(&mut gathering, LOBBY)).await;
}
