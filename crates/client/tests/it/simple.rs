//! The simple protocol, by its fixtures.

use crate::peer::{Peer, fixture};
use client::{Closing, Simple, SimpleReceived};
use protocol::simple::SimpleFrame;

#[tokio::test]
async fn dot_joins_chats_and_leaves() {
    let peer = Peer::listen().await;
    let (dot, mut talk) = tokio::join!(Simple::connect(&peer.address), peer.accept());
    let mut dot = dot.expect("a connection");
    assert_eq!((talk.path.as_str(), &talk.token), ("/ws", &None));
    assert!(dot.join("lobby", "Dot").await);
    assert_eq!(talk.hears().await, fixture("simple.client.join"));
    for name in ["welcome", "joined", "roster", "chat"] {
        talk.says(&fixture(&format!("simple.server.{name}"))).await;
    }
    let welcome = dot.next().await;
    let SimpleReceived::Frame(SimpleFrame::Welcome { users, .. }) = welcome else {
        unreachable!("expected a welcome, got {welcome:?}");
    };
    assert_eq!(users, ["Ana", "Dot"]);
    assert!(dot.hears("hi").await);
    assert!(dot.chat("hi").await && dot.leave().await);
    assert_eq!(talk.hears().await, fixture("simple.client.chat"));
    assert_eq!(talk.hears().await, fixture("simple.client.leave"));
}

#[tokio::test]
async fn a_refusal_is_an_error_and_a_close_code() {
    let peer = Peer::listen().await;
    let path = "/ws/lobby?username=Dot";
    let (dot, mut talk) = tokio::join!(Simple::connect_to(&peer.address, path, Some("t")), peer.accept());
    assert_eq!((talk.path.as_str(), talk.token.as_deref()), (path, Some("Bearer t")));
    talk.says(&fixture("simple.server.error")).await;
    let mut dot = dot.expect("a connection");
    assert!(matches!(dot.next().await, SimpleReceived::Frame(SimpleFrame::Error { .. })));
    let (end, ()) = tokio::join!(dot.next(), talk.ends(Some(4403), "guests are not admitted"));
    assert_eq!(end, SimpleReceived::Closed(Closing { code: Some(4403), retry_after: None }));
}
