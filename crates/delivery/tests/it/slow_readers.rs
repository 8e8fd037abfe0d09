//! Readers that fall behind: what that costs the server, the readers and the others.

use std::time::Duration;

use delivery::{Closed, Frame, Key, Options};

use super::support::{GARDEN, Hall, LOBBY, NATIVE, Person, Told, hall_with, options};

const TAIL: usize = 64 << 10;

fn small_hall() -> Hall {
    hall_with(Options { shards: 1, tail_bytes: TAIL, ..options() })
}

fn numbered(seq: u64) -> String {
    format!("{seq} {}", "x".repeat(4000))
}

/// Reads numbered texts that must follow one another; returns the last before something else came.
async fn reads_numbers(person: &mut Person, mut last: u64) -> (u64, String) {
    loop {
        let text = person.text().await;
        match text.split_once(' ').and_then(|(seq, _)| seq.parse::<u64>().ok()) {
            Some(seq) => {
                assert_eq!(seq, last + 1);
                last = seq;
            }
            None => return (last, text),
        }
    }
}

#[tokio::test]
async fn a_reader_who_falls_behind_is_cut_off_and_the_others_talk_on() {
    let hall = small_hall();
    let (mut ana, mut ben) = (hall.person().await, hall.lazy_person().await);
    ana.follows(LOBBY, 0, 0);
    ben.follows(LOBBY, 0, 0);

    // Far more than Ben's and our kernel buffers and the tail take.
    let head = 4000;
    for seq in 1..=head {
        hall.says(LOBBY, seq, numbered(seq));
        assert_eq!(ana.text().await, numbered(seq));
    }
    assert!(hall.delivery.stats().tail_bytes <= TAIL as u64);

    ben.is_given("mind the gap");
    let (last, _) = reads_numbers(&mut ben, 0).await;
    ben.gateway_is_told(Told::Lagged { key: LOBBY, last }).await;
    assert!(last < head);

    ben.follows(LOBBY, last, head);
    ben.falls_short(LOBBY, last).await;
    ben.follows(LOBBY, head - 5, head);
    ben.is_given("there");
    assert_eq!(reads_numbers(&mut ben, head - 5).await.0, head);
}

#[tokio::test]
async fn a_reader_who_is_slow_but_keeps_within_the_tail_misses_nothing() {
    let hall = hall_with(Options { shards: 1, tail_bytes: 16 << 20, ..options() });
    let mut ben = hall.lazy_person().await;
    ben.follows(LOBBY, 0, 0);

    for seq in 1..=3000 {
        hall.says(LOBBY, seq, numbered(seq));
    }
    ben.is_given("the end");

    assert_eq!(reads_numbers(&mut ben, 0).await.0, 3000);
}

#[tokio::test]
async fn a_full_socket_does_not_change_the_order_of_anything() {
    let hall = hall_with(Options { shards: 1, tail_bytes: 16 << 20, ..options() });
    let mut ben = hall.lazy_person().await;
    ben.follows(LOBBY, 0, 0);
    for seq in 1..=2000 {
        hall.says(LOBBY, seq, numbered(seq));
    }
    ben.unfollows(LOBBY);
    hall.says(LOBBY, 2001, numbered(2001));
    ben.is_given("left");
    ben.follows_with(LOBBY, 2001, 2001, &["back"]);
    hall.says(LOBBY, 2002, numbered(2002));
    hall.delivery.close(ben.conn, 4403, "");

    assert_eq!(reads_numbers(&mut ben, 0).await, (2000, "left".to_owned()));
    ben.hears("back").await;
    ben.hears(&numbered(2002)).await;
    ben.is_sent_away(4403).await;
}

#[tokio::test]
async fn a_page_says_when_its_last_frame_has_left() {
    let hall = small_hall();
    let mut ben = hall.lazy_person().await;
    for page in 0..3 {
        let frames = (0..256).map(|n| Frame::text(numbered(page * 256 + n + 1))).collect();
        hall.delivery.page(ben.conn, frames);
    }
    ben.is_given("the end");

    assert_eq!(reads_numbers(&mut ben, 0).await.0, 768);
    for _ in 0..3 {
        ben.gateway_is_told(Told::Drained).await;
    }
    hall.delivery.page(ben.conn, Vec::new());
    ben.gateway_is_told(Told::Drained).await;
}

#[tokio::test]
async fn whoever_asks_is_told_when_nothing_waits_any_more() {
    let hall = small_hall();
    let (mut ben, mut ana) = (hall.lazy_person().await, hall.person().await);
    hall.delivery.ask_taken(ben.conn);
    ben.gateway_is_told(Told::Taken).await;
    for number in 1..=2000 {
        ben.is_given(&numbered(number));
    }
    hall.delivery.ask_taken(ben.conn);
    hall.delivery.page(ben.conn, Vec::new());
    // There is one shard, so everything that was asked before is done when the gateway hears this.
    hall.delivery.ask_taken(ana.conn);
    ana.gateway_is_told(Told::Taken).await;
    assert!(ben.told.try_recv().is_err(), "most of it still waits");
    ben.is_given("the end");
    assert_eq!(reads_numbers(&mut ben, 0).await, (2000, "the end".to_owned()));
    ben.gateway_is_told(Told::Drained).await;
    ben.gateway_is_told(Told::Taken).await;
}

#[tokio::test]
async fn whoever_lets_too_much_wait_is_closed() {
    let hall = hall_with(Options { shards: 1, max_unicast: 256 << 10, ..options() });
    let mut ben = hall.lazy_person().await;

    for seq in 1..=4000 {
        ben.is_given(&numbered(seq));
    }

    ben.gateway_is_told(Told::Closed(Closed::Slow)).await;
    assert_eq!(hall.delivery.connections(), 0);
}

/// Answers the messages of a person so far, until the shard hears no more of them although it made many passes.
/// Returns how many it answered.
async fn answers_all_that_is_heard(hall: &Hall, ben: &mut Person, clock: &mut Person) -> u64 {
    let (mut answered, mut quiet) = (0, 0);
    while quiet < 10 {
        clock.says("tick").await;
        clock.gateway_is_told(Told::Text("tick".to_owned())).await;
        hall.delivery.answered(clock.conn);
        quiet += 1;
        while ben.told.try_recv().is_ok() {
            answered += 1;
            hall.delivery.reply(ben.conn, vec![Frame::text(numbered(answered))]);
            quiet = 0;
        }
    }
    answered
}

#[tokio::test]
async fn whoever_asks_and_reads_no_answers_is_not_heard_until_they_do() {
    let (asks, owed) = (1000, 16 << 10);
    let hall = hall_with(Options { shards: 1, max_owed: owed, ..options() });
    let (mut ben, mut ana) = (hall.lazy_person().await, hall.person().await);
    for ask in 0..asks {
        ben.says(&ask.to_string()).await;
    }

    let answered = answers_all_that_is_heard(&hall, &mut ben, &mut ana).await;

    // Those that were heard before the first answer waited, and what the bound let in.
    let waiting = answered * numbered(1).len() as u64 - hall.delivery.stats().bytes;
    assert!(waiting < owed as u64 + 17 * 4100, "{waiting} bytes, {answered} answers");
    let (delivery, conn) = (hall.delivery.clone(), ben.conn);
    let mut told = std::mem::replace(&mut ben.told, tokio::sync::mpsc::unbounded_channel().1);
    tokio::spawn(async move {
        for answer in answered + 1..=asks {
            assert!(matches!(told.recv().await, Some(Told::Text(_))));
            delivery.reply(conn, vec![Frame::text(numbered(answer))]);
        }
        delivery.unicast(conn, Frame::text("that was all"));
    });
    assert_eq!(reads_numbers(&mut ben, 0).await, (asks, "that was all".to_owned()));
}

#[tokio::test]
async fn whoever_takes_nothing_for_too_long_is_closed() {
    let stall = Duration::from_millis(300);
    let hall = hall_with(Options { shards: 1, stall, ..options() });
    let mut ben = hall.lazy_person().await;
    ben.follows(LOBBY, 0, 0);

    for seq in 1..=4000 {
        hall.says(LOBBY, seq, numbered(seq));
    }

    ben.gateway_is_told(Told::Closed(Closed::Slow)).await;
    hall.comes_to_count(|stats| stats.closed_slow == 1).await;
}

#[tokio::test]
async fn a_burst_of_many_tails_laps_nobody_whose_socket_takes_it() {
    let hall = hall_with(Options { shards: 1, tail_bytes: 4 << 10, ..options() });
    let mut people = Vec::new();
    for _ in 0..40 {
        let person = hall.person().await;
        person.follows(LOBBY, 0, 0);
        people.push(person);
    }

    // Ten tails, queued faster than anybody can be served, and less than a kernel takes for one who does not read.
    let texts: Vec<String> = (1..=40).map(|seq| format!("{seq:01000}")).collect();
    for (seq, text) in (1..).zip(&texts) {
        hall.says(LOBBY, seq, text);
    }

    for mut person in people {
        person.hears_all(&texts).await;
    }
    assert_eq!(hall.delivery.stats().lagged, 0);
}

/// Small numbers that look random and are the same each time.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

/// Something that must be heard.
struct Due {
    /// The room of the message. `None` for a frame for one person, which nothing else passes.
    room: Option<usize>,
    text: String,
}

/// Asks for 3,000 things at random, before anything is read; returns what must be heard.
fn ask_at_random(hall: &Hall, ana: &Person, dice: &mut Dice) -> Vec<Due> {
    let keys = [LOBBY, GARDEN, Key(3)];
    let (mut heads, mut following, mut due) = ([0; 3], [false; 3], Vec::new());
    for n in 0..3000 {
        let room = dice.roll(3) as usize;
        let text = format!("{n} {}", "x".repeat(dice.roll(3000) as usize));
        match dice.roll(20) {
            kind @ 0..14 => {
                let fleeting = kind > 11;
                heads[room] += u64::from(!fleeting);
                hall.publish(keys[room], NATIVE, (!fleeting).then_some(heads[room]), false, &text);
                due.extend(following[room].then_some(Due { room: Some(room), text }));
            }
            14..17 => {
                ana.is_given(&text);
                due.push(Due { room: None, text });
            }
            17..19 => {
                let preface = &[text.as_str(), "and welcome"][..dice.roll(3) as usize];
                ana.follows_with(keys[room], heads[room], heads[room], preface);
                due.extend(preface.iter().map(|text| Due { room: None, text: (*text).to_owned() }));
                following[room] = true;
            }
            _ => {
                ana.unfollows(keys[room]);
                following[room] = false;
            }
        }
    }
    due
}

/// Hears everything. Only frames of different rooms may have passed one another.
async fn hears_in_order(ana: &mut Person, due: &[Due]) {
    for part in due.chunk_by(|one, next| one.room.is_some() && next.room.is_some()) {
        let mut expected: [Vec<&str>; 4] = Default::default();
        for due in part {
            expected[due.room.unwrap_or(3)].push(&due.text);
        }
        let mut heard = expected.clone().map(|_| Vec::new());
        for _ in part {
            let text = ana.text().await;
            let room = part.iter().find(|due| due.text == text).expect("not due yet").room;
            heard[room.unwrap_or(3)].push(text);
        }
        assert_eq!(heard.map(|texts| texts.join("\n")), expected.map(|texts| texts.join("\n")));
    }
}

#[tokio::test]
async fn whatever_is_asked_while_a_socket_is_full_comes_out_in_the_order_it_was_asked() {
    for seed in 0..6 {
        let hall = hall_with(Options { shards: 1, tail_bytes: 16 << 20, ..options() });
        let mut ana = if seed % 2 == 0 { hall.lazy_person().await } else { hall.person().await };

        let due = ask_at_random(&hall, &ana, &mut Dice(seed));

        hears_in_order(&mut ana, &due).await;
        ana.is_given("that was all");
        ana.hears("that was all").await;
    }
}
