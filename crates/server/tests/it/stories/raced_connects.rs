//! What happens while a connection is being greeted is not lost between what it is told first and what it hears.

use super::script::Script;
use super::support::{all_have, client, connection, everyone_agrees, next_event, options, room};
use crate::support::{Actor, Server};
use client::Client;
use protocol::RoomKind;
use protocol::simple::SimpleFrame;

const ROUNDS: usize = 100;

async fn connect(who: &Actor) -> Client {
    Client::connect_with(who.address.to_string(), &who.token, options()).await.unwrap()
}

#[tokio::test]
async fn whoever_joins_and_leaves_while_their_second_device_is_greeted_ends_without_a_hole() {
    let server = Server::start().await;
    let member = server.ben().await;
    let (ana, ben) = (client(&server.ana().await).await, client(&member).await);
    let kitchen = ana.open_room("kitchen", RoomKind::Open).await.unwrap().id;
    for round in 0..ROUNDS {
        let came = round % 2 == 0;
        let moving = async {
            if came { ben.join(kitchen).await.map(drop).unwrap() } else { ben.leave(kitchen).await.unwrap() }
        };
        let (second, ()) = tokio::join!(connect(&member), moving);
        let said = ana.post(kitchen, &format!("round {round}")).await.unwrap();
        if came {
            second.wait_until("the kitchen", |state| state.rooms.contains_key(&kitchen)).await.unwrap();
            all_have(&[&ben, &second], kitchen, said.seq).await;
        } else {
            second.wait_until("no kitchen", |state| !state.rooms.contains_key(&kitchen)).await.unwrap();
        }
        everyone_agrees(&server, &[&ben, &second]).await;
    }
    ben.leave(kitchen).await.unwrap_or(());
    let here = ana.list_members(kitchen).await.unwrap();
    assert_eq!(here.here, 1, "nobody is left behind as a ghost");
    ana.post(kitchen, "still heard").await.unwrap();
    everyone_agrees(&server, &[&ana]).await;
}

#[tokio::test]
async fn whatever_is_said_by_http_while_somebody_connects_is_heard() {
    let server = Server::start().await;
    let (ana, ben) = (server.ana().await, server.ben().await);
    let lobby = room(&client(&ben).await, "lobby");
    for round in 0..ROUNDS {
        // Nobody else listens: the server has nothing of the room in memory.
        let text = format!("round {round}");
        let (mut bare, said) = tokio::join!(connection(&ben), ana.say(lobby, &text));
        let mut last = bare.hello().rooms.iter().find(|room| room.id == lobby).unwrap().head;
        let after = ana.say(lobby, "after").await;
        while last < after {
            let event = next_event(&mut bare).await;
            assert_eq!(event.seq, last + 1, "round {round}: said at {said}");
            last = event.seq;
        }
    }
    super::support::nothing_broke(&server);
}

#[tokio::test]
async fn whatever_is_said_while_a_script_joins_is_in_its_history_or_heard() {
    let server = Server::start().await;
    let ana = server.ana().await;
    let lobby = room(&client(&ana).await, "lobby");
    for round in 0..ROUNDS {
        let mut dot = Script::open(&server).await;
        let text = format!("round {round}");
        let joining = async {
            dot.join("lobby", "Dot").await;
            match dot.hears().await {
                SimpleFrame::Welcome { history, .. } => history.iter().any(|chat| chat.text == text),
                other => panic!("{other:?} in place of a welcome"),
            }
        };
        let (known, _) = tokio::join!(joining, ana.say(lobby, &text));
        if !known {
            dot.hears_of(&text).await;
        }
        dot.leave().await;
        // Answered in turn: Dot's name is free.
        dot.chat("x").await;
        while !matches!(dot.hears().await, SimpleFrame::Error { .. }) {}
    }
    super::support::nothing_broke(&server);
}

#[tokio::test]
async fn a_script_enters_a_room_however_busy_and_misses_nothing() {
    let server = Server::start().await;
    let (ana, ben) = (client(&server.ana().await).await, client(&server.ben().await).await);
    let lobby = room(&ana, "lobby");
    let (stop, mut stopped) = tokio::sync::oneshot::channel::<()>();
    let talking = tokio::spawn({
        let ana = ana.clone();
        async move {
            while stopped.try_recv().is_err() {
                for _ in 0..8 {
                    ana.enqueue(lobby, "on and on").await.unwrap();
                }
                ana.post(lobby, "on and on").await.unwrap();
            }
        }
    });
    for round in 0..20 {
        let mut dot = Script::open(&server).await;
        dot.join("lobby", &format!("Dot {round}")).await;
        let mut last = match dot.hears().await {
            SimpleFrame::Welcome { history, .. } => history.last().map_or(0, |chat| chat.seq),
            other => panic!("{other:?} in place of a welcome"),
        };
        for _ in 0..20 {
            if let SimpleFrame::Chat(said) = dot.hears().await {
                assert!(last == 0 || said.chat.seq == last + 1, "{} after {last}", said.chat.seq);
                last = said.chat.seq;
            }
        }
    }
    stop.send(()).unwrap();
    talking.await.unwrap();
    everyone_agrees(&server, &[&ana, &ben]).await;
}

#[tokio::test]
async fn a_room_that_nobody_is_in_any_more_does_not_go_while_somebody_enters() {
    let server = Server::start().await;
    for round in 0..ROUNDS {
        let cellar = format!("cellar {round}");
        let first = Script::in_room(&server, &cellar, "Cyd").await;
        let mut second = Script::open(&server).await;
        let leaving = async { first.leave().await };
        let entering = async { second.join(&cellar, "Dot").await };
        tokio::join!(leaving, entering);
        while second.hears().await != super::script::joined(&cellar, "Dot") {}
        second.chat("in here").await;
        second.hears_of("in here").await;
    }
    super::support::nothing_broke(&server);
}
