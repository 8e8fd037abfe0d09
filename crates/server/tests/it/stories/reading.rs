//! Two devices of one person agree on what was read.

use super::support::{client, everyone_agrees, room};
use crate::support::Server;

#[tokio::test]
async fn two_devices_agree_on_read_marks_and_unread_counts() {
    let server = Server::start().await;
    let (ana, ben) = (client(&server.ana().await).await, server.ben().await);
    let (desk, phone) = (client(&ben).await, client(&server.sign_in("Ben").await).await);
    let lobby = room(&ana, "lobby");
    let mut seqs = Vec::new();
    for text in ["one", "two", "three"] {
        seqs.push(ana.post(lobby, text).await.unwrap().seq);
    }
    for device in [&desk, &phone] {
        device.hears("three").await.unwrap();
        assert_eq!(device.read(|state| state.unread(lobby)), Some(3));
    }
    desk.mark_read(lobby, seqs[1]).await.unwrap();
    for device in [&desk, &phone] {
        device.wait_until("one unread", |state| state.unread(lobby) == Some(1)).await.unwrap();
    }
    // Behind where it stands: nothing moves.
    assert_eq!(phone.mark_read(lobby, seqs[0]).await.unwrap().seq, seqs[1]);
    phone.post(lobby, "and four").await.unwrap();
    for device in [&desk, &phone] {
        device.wait_until("nothing unread", |state| state.unread(lobby) == Some(0)).await.unwrap();
    }
    desk.disconnect().await;
    ana.post(lobby, "five").await.unwrap();
    let five = phone.hears("five").await.unwrap();
    phone.mark_read(lobby, five.seq).await.unwrap();
    desk.reconnect().await.unwrap();
    desk.wait_until("nothing unread", |state| state.unread(lobby) == Some(0)).await.unwrap();
    everyone_agrees(&server, &[&ana, &desk, &phone]).await;
}

#[tokio::test]
async fn what_was_said_before_one_joined_is_not_unread() {
    let server = Server::start().await;
    let (ana, ben) = (client(&server.ana().await).await, client(&server.ben().await).await);
    let kitchen = ana.open_room("kitchen", protocol::RoomKind::Open).await.unwrap().id;
    ana.post(kitchen, "before").await.unwrap();
    ben.join(kitchen).await.unwrap();
    assert_eq!(ben.read(|state| state.unread(kitchen)), Some(0));
    ana.post(kitchen, "after").await.unwrap();
    ben.hears("after").await.unwrap();
    assert_eq!(ben.read(|state| state.unread(kitchen)), Some(1));
    everyone_agrees(&server, &[&ana, &ben]).await;
}
