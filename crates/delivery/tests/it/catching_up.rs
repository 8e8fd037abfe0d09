//! Resuming from the tail, and what happens when the tail does not reach back.

use delivery::Options;

use super::support::{Hall, LOBBY, NATIVE, hall_with, options};

/// A hall of one shard, so that everybody shares one tail.
fn small_hall() -> Hall {
    hall_with(Options { shards: 1, ..options() })
}

#[tokio::test]
async fn whoever_comes_back_gets_what_they_missed_out_of_the_tail() {
    let hall = small_hall();
    let (ana, mut ben) = (hall.person().await, hall.person().await);
    ana.follows(LOBBY, 0, 0);
    for seq in 1..=9 {
        hall.says(LOBBY, seq, seq.to_string());
    }

    ben.follows_with(LOBBY, 4, 9, &["welcome back"]);
    hall.says(LOBBY, 10, "10");

    ben.hears_all(["welcome back", "5", "6", "7", "8", "9", "10"]).await;
}

#[tokio::test]
async fn whoever_has_everything_hears_only_what_comes() {
    let hall = small_hall();
    let mut ana = hall.person().await;
    ana.follows(LOBBY, 7, 7);

    hall.says(LOBBY, 8, "eight");

    ana.hears("eight").await;
}

#[tokio::test]
async fn whoever_read_further_than_was_published_is_told_none_of_it_again() {
    let hall = small_hall();
    let (mut ana, mut ben) = (hall.person().await, hall.person().await);
    ana.follows(LOBBY, 7, 7);
    ben.is_given("eight and nine, out of the log");
    ben.follows(LOBBY, 9, 7);

    hall.says(LOBBY, 8, "eight");
    hall.publish(LOBBY, NATIVE, None, false, "cyd types");
    for (seq, text) in [(9, "nine"), (10, "ten"), (11, "eleven")] {
        hall.says(LOBBY, seq, text);
    }

    ana.hears_all(["eight", "cyd types", "nine", "ten", "eleven"]).await;
    ben.hears_all(["eight and nine, out of the log", "cyd types", "ten", "eleven"]).await;
}

#[tokio::test]
async fn what_is_published_while_a_follow_waits_behind_a_page_is_not_told_again() {
    let hall = small_hall();
    let (mut ana, mut ben) = (hall.person().await, hall.lazy_person().await);
    ana.follows(LOBBY, 7, 7);
    // More than a socket takes at once: the follow waits behind it.
    let page = "x".repeat(250_000);
    for _ in 0..4 {
        ben.is_given(&page);
    }
    ben.follows(LOBBY, 9, 7);
    for seq in 8..=11 {
        hall.says(LOBBY, seq, seq.to_string());
    }
    ana.hears_all(["8", "9", "10", "11"]).await;

    for _ in 0..4 {
        ben.text().await;
    }
    ben.hears_all(["10", "11"]).await;
}

#[tokio::test]
async fn a_tail_that_starts_empty_does_not_reach_back() {
    let hall = small_hall();
    let mut ana = hall.person().await;

    ana.follows_with(LOBBY, 6, 7, &["never sent"]);
    hall.says(LOBBY, 8, "never heard");
    ana.is_given("hello");

    ana.falls_short(LOBBY, 6).await;
    ana.hears("hello").await;
}

#[tokio::test]
async fn a_tail_that_has_forgotten_does_not_reach_back() {
    let hall = hall_with(Options { shards: 1, tail_bytes: 4096, ..options() });
    let (mut ana, mut ben) = (hall.person().await, hall.person().await);
    ana.follows(LOBBY, 0, 0);
    for seq in 1..=100 {
        hall.says(LOBBY, seq, vec![b'x'; 100]);
        ana.text().await;
    }

    ben.follows(LOBBY, 10, 100);
    ben.falls_short(LOBBY, 10).await;

    ben.follows(LOBBY, 90, 100);
    for _ in 91..=100 {
        ben.text().await;
    }
    ben.is_given("that was all");
    ben.hears("that was all").await;
}

#[tokio::test]
async fn a_tail_that_outlived_what_it_was_not_told_does_not_reach_across_it() {
    let hall = small_hall();
    let (mut ana, mut ben) = (hall.person().await, hall.person().await);
    ana.follows(LOBBY, 7, 7);

    // Eight was published to nobody, because Ana was leaving.
    ben.follows(LOBBY, 7, 8);
    ben.falls_short(LOBBY, 7).await;
    ben.follows(LOBBY, 8, 8);
    hall.says(LOBBY, 9, "nine");

    ana.hears("nine").await;
    ben.hears("nine").await;
}

#[tokio::test]
async fn whoever_is_too_far_back_hears_nothing_live_before_they_have_caught_up() {
    let hall = small_hall();
    let mut ana = hall.person().await;
    ana.follows(LOBBY, 7, 7);
    ana.follows(LOBBY, 3, 7);
    ana.falls_short(LOBBY, 3).await;

    hall.says(LOBBY, 8, "eight");
    ana.is_given("four to eight, out of the log");
    ana.follows(LOBBY, 8, 8);
    hall.says(LOBBY, 9, "nine");

    ana.hears_all(["four to eight, out of the log", "nine"]).await;
}

#[tokio::test]
async fn nor_because_what_an_earlier_shortfall_lacked_has_been_told() {
    let hall = small_hall();
    let (mut ana, mut ben) = (hall.person().await, hall.person().await);
    ana.follows(LOBBY, 7, 7);
    ben.follows(LOBBY, 6, 7);
    let early = ben.falls_short(LOBBY, 6).await;
    ben.is_given("seven, out of the log");
    ben.follows(LOBBY, 3, 7);
    let late = ben.falls_short(LOBBY, 3).await;
    ben.makes_up_for(early, LOBBY, 7, 7);

    hall.says(LOBBY, 8, "eight");
    ana.hears("eight").await;
    ben.is_given("four to eight, out of the log");
    ben.makes_up_for(late, LOBBY, 8, 8);
    hall.says(LOBBY, 9, "nine");

    ben.hears_all(["seven, out of the log", "four to eight, out of the log", "nine"]).await;
}

#[tokio::test]
async fn whoever_is_heard_again_is_not_set_back_by_the_end_of_a_catch_up() {
    let hall = small_hall();
    let (ana, mut ben) = (hall.person().await, hall.person().await);
    ana.follows(LOBBY, 7, 7);
    ben.follows(LOBBY, 6, 7);
    let shortfall = ben.falls_short(LOBBY, 6).await;
    ben.follows(LOBBY, 7, 7);
    hall.says(LOBBY, 8, "eight");
    ben.hears("eight").await;
    ben.is_given("seven, out of the log");
    ben.makes_up_for(shortfall, LOBBY, 7, 8);
    hall.says(LOBBY, 9, "nine");

    ben.hears_all(["seven, out of the log", "nine"]).await;
}

#[tokio::test]
async fn nor_from_an_earlier_follow_that_waits_behind_a_page() {
    let hall = small_hall();
    let (mut ana, mut ben) = (hall.person().await, hall.lazy_person().await);
    ana.follows(LOBBY, 7, 7);
    // More than a socket takes at once: the follow waits behind it.
    let page = "x".repeat(250_000);
    for _ in 0..4 {
        ben.is_given(&page);
    }
    ben.follows(LOBBY, 7, 7);
    ben.follows(LOBBY, 3, 7);
    ben.falls_short(LOBBY, 3).await;
    hall.says(LOBBY, 8, "eight");
    ana.hears("eight").await;
    ben.is_given("four to eight, out of the log");
    ben.follows(LOBBY, 8, 8);
    hall.says(LOBBY, 9, "nine");
    ana.hears("nine").await;

    for _ in 0..4 {
        ben.text().await;
    }
    ben.hears_all(["four to eight, out of the log", "nine"]).await;
}

#[tokio::test]
async fn following_again_takes_a_key_up_from_another_place() {
    let hall = small_hall();
    let mut ana = hall.person().await;
    ana.follows(LOBBY, 0, 0);
    for seq in 1..=3 {
        hall.says(LOBBY, seq, seq.to_string());
    }
    ana.hears_all(["1", "2", "3"]).await;

    ana.follows(LOBBY, 1, 3);
    hall.says(LOBBY, 4, "4");

    ana.hears_all(["2", "3", "4"]).await;
}

#[tokio::test]
async fn an_edit_cuts_the_tail_so_that_nobody_is_sent_removed_text() {
    let hall = small_hall();
    let (mut ana, mut ben) = (hall.person().await, hall.person().await);
    ana.follows(LOBBY, 0, 0);
    hall.says(LOBBY, 1, "my password is pear");
    hall.publish(LOBBY, NATIVE, Some(2), true, "1 was deleted");
    hall.says(LOBBY, 3, "three");

    ben.follows(LOBBY, 0, 3);
    ben.falls_short(LOBBY, 0).await;
    ben.follows(LOBBY, 1, 3);

    ben.hears_all(["1 was deleted", "three"]).await;
    ana.hears_all(["my password is pear", "1 was deleted", "three"]).await;
}

#[tokio::test]
async fn who_was_typing_a_while_ago_is_left_out_of_catching_up() {
    let hall = small_hall();
    let (mut ana, mut ben) = (hall.person().await, hall.person().await);
    ana.follows(LOBBY, 0, 0);
    hall.says(LOBBY, 1, "one");
    hall.publish(LOBBY, NATIVE, None, false, "cyd types");
    hall.says(LOBBY, 2, "two");
    hall.publish(LOBBY, NATIVE, None, false, "cyd types on");

    ben.follows(LOBBY, 0, 2);
    hall.publish(LOBBY, NATIVE, None, false, "dot types");
    hall.says(LOBBY, 3, "three");

    ben.hears_all(["one", "two", "dot types", "three"]).await;
    ana.hears_all(["one", "cyd types", "two", "cyd types on", "dot types", "three"]).await;
}

#[tokio::test]
async fn presence_does_not_crowd_messages_out_of_the_tail() {
    let hall = hall_with(Options { shards: 1, tail_bytes: 8192, ..options() });
    let (mut ana, mut ben) = (hall.person().await, hall.person().await);
    ana.follows(LOBBY, 0, 0);
    hall.says(LOBBY, 1, "one");
    for _ in 0..1000 {
        hall.publish(LOBBY, NATIVE, None, false, [b'p'; 64]);
        ana.text().await;
    }
    hall.says(LOBBY, 2, "two");

    ben.follows(LOBBY, 0, 2);

    ben.hears_all(["one", "two"]).await;
}

#[tokio::test]
async fn presence_that_everybody_has_keeps_no_memory_where_nobody_talks() {
    let hall = small_hall();
    let (mut ana, mut ben) = (hall.person().await, hall.person().await);
    ana.follows(LOBBY, 0, 0);
    ben.follows(LOBBY, 0, 0);
    hall.publish(LOBBY, NATIVE, None, false, "ben is here");
    ana.hears_all(["ben is here"]).await;
    ben.hears_all(["ben is here"]).await;
    // Obeyed in a pass after the one that told the gateways.
    hall.delivery.unicast(ana.conn, delivery::Frame::text("a reply"));
    ana.hears_all(["a reply"]).await;
    assert_eq!(hall.delivery.stats().tail_bytes, 0);

    hall.says(LOBBY, 1, "one");
    hall.publish(LOBBY, NATIVE, None, false, "cyd is here");
    ana.hears_all(["one", "cyd is here"]).await;
    let mut cyd = hall.person().await;
    cyd.follows(LOBBY, 0, 1);
    cyd.hears_all(["one"]).await;
}

#[tokio::test]
async fn all_tails_together_keep_within_their_limit_and_rooms_talk_on() {
    let limit = 64 << 10;
    let hall = hall_with(Options { shards: 1, tails_total: limit, ..options() });
    let mut ana = hall.person().await;
    for room in 0..100 {
        ana.follows(delivery::Key(room), 0, 0);
    }

    for seq in 1..=20 {
        for room in 0..100 {
            hall.says(delivery::Key(room), seq, [b'x'; 200]);
            ana.text().await;
        }
        assert!(hall.delivery.stats().tail_bytes <= limit as u64);
    }
}
