//! Who hears what, in which order.

use super::support::{GARDEN, LOBBY, NATIVE, RECORD, SIMPLE, hall};
use delivery::{Follow, Frame, Publication};

#[tokio::test]
async fn followers_hear_everything_in_order() {
    let hall = hall();
    let (mut ana, mut ben) = (hall.person().await, hall.person().await);
    ana.follows(LOBBY, 0, 0);
    ben.follows(LOBBY, 0, 0);

    for seq in 1..=500 {
        hall.says(LOBBY, seq, seq.to_string());
    }

    let all: Vec<String> = (1..=500).map(|seq| seq.to_string()).collect();
    ana.hears_all(&all).await;
    ben.hears_all(&all).await;
}

#[tokio::test]
async fn nobody_hears_what_they_do_not_follow() {
    let hall = hall();
    let (mut ana, mut cyd) = (hall.person().await, hall.person().await);
    ana.follows(GARDEN, 0, 0);
    cyd.follows(LOBBY, 0, 0);

    hall.says(GARDEN, 1, "the key is under the pot");
    hall.says(LOBBY, 1, "good morning");

    ana.hears("the key is under the pot").await;
    cyd.hears("good morning").await;
}

#[tokio::test]
async fn each_hears_their_own_encoding() {
    let hall = hall();
    let mut ana = hall.person().await;
    let mut dot = hall.person_speaking(SIMPLE).await;
    ana.follows(LOBBY, 0, 0);
    dot.follows(LOBBY, 0, 0);

    hall.publish(LOBBY, NATIVE, Some(1), false, "for people");
    hall.publish(LOBBY, SIMPLE, Some(1), false, "for scripts");

    ana.hears("for people").await;
    dot.hears("for scripts").await;
}

#[tokio::test]
async fn what_is_gathered_leaves_in_the_order_it_was_asked() {
    let hall = hall();
    let (mut ana, mut ben) = (hall.person().await, hall.person().await);
    let mut gathering = hall.delivery.gathering();
    let say = |seq| Publication { seq: Some(seq), frame: Frame::text(seq.to_string()), cut: false };

    for person in [&ana, &ben] {
        gathering.follow(Follow::anew(person.conn, LOBBY, 0, 0));
    }
    gathering.publish(LOBBY, NATIVE, &say(1));
    gathering.unicast(ana.conn, Frame::text("for ana"));
    gathering.unfollow(ben.conn, LOBBY);
    gathering.publish(LOBBY, NATIVE, &say(2));
    gathering.hand_over();
    gathering.close(ana.conn, 4401, "over");
    gathering.unicast(ben.conn, Frame::text("alone"));
    gathering.hand_over();

    ana.hears_all(["1", "for ana", "2"]).await;
    ana.is_sent_away(4401).await;
    ben.hears_all(["1", "alone"]).await;
}

#[tokio::test]
async fn the_preface_comes_before_the_first_frame_of_the_key() {
    let hall = hall();
    let mut ana = hall.person().await;

    ana.follows_with(LOBBY, 0, 0, &["hello", "welcome"]);
    hall.says(LOBBY, 1, "one");
    ana.follows_with(LOBBY, 0, 1, &["hello again"]);

    ana.hears_all(["hello", "welcome", "one", "hello again", "one"]).await;
}

#[tokio::test]
async fn whoever_unfollows_hears_what_came_before_and_nothing_after() {
    let hall = hall();
    let mut ben = hall.person().await;
    ben.follows(GARDEN, 0, 0);

    hall.says(GARDEN, 1, "before");
    ben.unfollows(GARDEN);
    hall.says(GARDEN, 2, "after");
    ben.is_given("removed");

    ben.hears_all(["before", "removed"]).await;
}

#[tokio::test]
async fn what_one_thread_asks_keeps_its_order_at_each_connection() {
    let hall = hall();
    let mut ana = hall.person().await;
    ana.follows(LOBBY, 0, 0);
    ana.follows(GARDEN, 0, 0);

    let mut expected = Vec::new();
    for round in 1..=200 {
        let [lobby, reply, garden] = ["lobby", "reply", "garden"].map(|what| format!("{what} {round}"));
        hall.says(LOBBY, round, &lobby);
        ana.is_given(&reply);
        hall.says(GARDEN, round, &garden);
        ana.is_given("between");
        expected.extend([lobby, reply, garden, "between".to_owned()]);
    }

    ana.hears_all(expected).await;
}

#[tokio::test]
async fn leaving_and_coming_back_in_one_breath_misses_only_what_was_between() {
    let hall = hall();
    let mut ana = hall.person().await;
    ana.follows(LOBBY, 0, 0);

    hall.says(LOBBY, 1, "one");
    ana.unfollows(LOBBY);
    hall.says(LOBBY, 2, "two");
    ana.follows_with(LOBBY, 2, 2, &["back"]);
    hall.says(LOBBY, 3, "three");

    ana.hears_all(["one", "back", "three"]).await;
}

#[tokio::test]
async fn somebody_in_very_many_rooms_hears_them_all() {
    let hall = hall();
    let mut ana = hall.person().await;
    let rooms: Vec<_> = (0..300).map(|room| delivery::Key(1000 + room)).collect();
    for room in &rooms {
        ana.follows(*room, 0, 0);
    }

    for round in 1..=5 {
        for room in &rooms {
            hall.says(*room, round, format!("{} {round}", room.0));
        }
    }

    let mut heard = std::collections::HashMap::new();
    for _ in 0..300 * 5 {
        let text = ana.text().await;
        let (room, round) = text.split_once(' ').unwrap();
        let last = heard.insert(room.to_owned(), round.parse::<u64>().unwrap()).unwrap_or(0);
        assert_eq!(last + 1, round.parse().unwrap());
    }
    ana.is_given("all");
    ana.hears("all").await;
}

#[tokio::test]
async fn jobs_for_somebody_who_never_came_are_ignored() {
    let hall = hall();
    let nobody = hall.delivery.reserve(NATIVE);
    hall.delivery.unicast(nobody, delivery::Frame::text("hello?"));
    hall.delivery.follow(delivery::Follow::anew(nobody, LOBBY, 0, 0));
    hall.delivery.close(nobody, 4401, "");
    let mut ana = hall.person().await;
    ana.follows(LOBBY, 0, 0);

    hall.says(LOBBY, 1, "still here");

    ana.hears("still here").await;
}

#[tokio::test]
async fn a_frame_costs_one_write_for_each_follower() {
    let hall = hall();
    let mut people = Vec::new();
    for _ in 0..10 {
        let person = hall.person().await;
        person.follows(LOBBY, 0, 0);
        person.follows(GARDEN, 0, 0);
        people.push(person);
    }

    hall.says(LOBBY, 1, "hi");
    for person in &mut people {
        person.hears("hi").await;
    }

    hall.comes_to_count(|stats| stats.sends == 10).await;
    let stats = hall.delivery.stats();
    assert_eq!((stats.writes, stats.bytes), (10, 10 * (4 + RECORD)));
}
