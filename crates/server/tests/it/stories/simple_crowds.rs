//! Above a hundred people: joins no longer cost everybody a frame.

use super::script::{Script, joined};
use super::support::nothing_broke;
use crate::support::Server;
use protocol::simple::SimpleFrame;

/// The people up to whom every frame is sent.
const FEW: usize = 100;

fn name(number: usize) -> String {
    format!("guest {number}")
}

async fn crowd(server: &Server, people: usize) -> Vec<Script> {
    let mut crowd = Vec::new();
    for number in 0..people {
        crowd.push(Script::in_room(server, "lobby", &name(number)).await);
    }
    crowd
}

/// Passes over the news of the first hundred.
async fn catch_up(script: &mut Script) {
    loop {
        if let SimpleFrame::Roster { users, .. } = script.hears().await
            && users.len() == FEW
        {
            return;
        }
    }
}

#[tokio::test]
async fn up_to_a_hundred_people_every_frame_is_sent() {
    let server = Server::start().await;
    let mut crowd = crowd(&server, FEW).await;
    for number in 1..FEW {
        assert_eq!(crowd[0].hears().await, joined("lobby", &name(number)));
        let heard = crowd[0].hears().await;
        assert!(
            matches!(&heard, SimpleFrame::Roster { users, count: None, .. } if users.len() == number + 1)
        );
    }
    nothing_broke(&server);
}

#[tokio::test]
async fn above_a_hundred_users_hold_the_first_with_a_count_and_joined_goes_to_the_joiner_alone() {
    let server = Server::start().await;
    let mut crowd = crowd(&server, FEW).await;
    catch_up(&mut crowd[0]).await;
    let first: Vec<String> = (0..FEW).map(name).collect();
    let mut late = Vec::new();
    for number in FEW..FEW + 20 {
        let mut script = Script::open(&server).await;
        script.join("lobby", &name(number)).await;
        let heard = script.hears().await;
        let SimpleFrame::Welcome { users, count, .. } = heard else { panic!("{heard:?}") };
        assert_eq!((users, count), (first.clone(), Some(number as u64 + 1)));
        // A roster that was due may come between.
        while script.hears().await != joined("lobby", &name(number)) {}
        late.push(script);
    }
    crowd[0].chat("so many").await;
    let mut rosters = Vec::new();
    loop {
        match crowd[0].hears().await {
            SimpleFrame::Roster { users, count, .. } => {
                assert_eq!(users, first);
                rosters.push(count.unwrap());
            }
            SimpleFrame::Chat(_) => break,
            other => panic!("{other:?} is not for everybody"),
        }
    }
    assert!(rosters.len() < 20, "one roster for many joins, not {}", rosters.len());
    assert!(rosters.is_sorted());
    // The last one is told, at most a second later.
    while rosters.last() != Some(&(FEW as u64 + 20)) {
        if let SimpleFrame::Roster { count, .. } = crowd[0].hears().await {
            rosters.push(count.unwrap());
        }
    }
    nothing_broke(&server);
}

#[tokio::test]
async fn going_back_below_a_hundred_everything_is_told_again() {
    let server = Server::start().await;
    let mut crowd = crowd(&server, FEW + 1).await;
    catch_up(&mut crowd[0]).await;
    drop(crowd.pop());
    // At a hundred again, everybody hears of it.
    loop {
        match crowd[0].hears().await {
            SimpleFrame::Left { username, .. } => break assert_eq!(username, name(FEW)),
            SimpleFrame::Roster { count: Some(101), .. } => {}
            other => panic!("{other:?}"),
        }
    }
    let heard = crowd[0].hears().await;
    assert!(
        matches!(&heard, SimpleFrame::Roster { users, count: None, .. } if users.len() == FEW),
        "{heard:?}"
    );
    nothing_broke(&server);
}
