//! What a native connection is told while it is being greeted.

use super::*;
use crate::pacing::Bounds;
use bytes::Bytes;
use chat::Clock;
use delivery::{Closed, Frame, Gateway, Key, Options, Shortfall};
use protocol::frame::Hello;
use protocol::{Nonce, ServerFrame};
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};

/// A client that says nothing.
struct Silent;

impl Gateway for Silent {
    fn on_text(&self, _: ConnId, _: &str) {}
    fn on_binary(&self, _: ConnId, _: &[u8]) {}
    fn on_too_old(&self, _: ConnId, _: Key, _: u64, _: Shortfall) {}
    fn on_lagged(&self, _: ConnId, _: Key, _: u64) {}
    fn on_drained(&self, _: ConnId) {}
    fn on_beat(&self, _: ConnId) -> Option<Frame> {
        None
    }
    fn on_closed(&self, _: ConnId, _: Closed) {}
}

/// A `hello`, its rooms still empty.
fn hello() -> Hello {
    let fixture = include_str!("../../../protocol/fixtures/frame.hello.json");
    match ServerFrame::decode(fixture) {
        Ok(ServerFrame::Hello(hello)) => Hello { rooms: Vec::new(), ..hello },
        other => panic!("{other:?} in place of a hello"),
    }
}

/// The next frame that arrives: an unmasked text of less than 64 KiB (RFC 6455 §5.2).
async fn heard(client: &mut TcpStream) -> ServerFrame {
    assert_eq!(client.read_u8().await.unwrap(), 0x81, "a whole text");
    let len = match client.read_u8().await.unwrap() {
        126 => usize::from(client.read_u16().await.unwrap()),
        short => usize::from(short),
    };
    let mut text = vec![0; len];
    client.read_exact(&mut text).await.unwrap();
    ServerFrame::decode(std::str::from_utf8(&text).unwrap()).unwrap()
}

#[tokio::test]
async fn a_personal_frame_that_passes_between_registering_and_hello_is_told_right_behind_it() {
    let folder = tempfile::tempdir().unwrap();
    let (chat, committed) = Chat::open(&folder.path().join("db"), Clock::system()).await.unwrap();
    let delivery = Delivery::start(Options::default()).unwrap();
    let live = Live::start(chat.clone(), delivery.clone(), Pacing::new(Bounds::default()), committed);
    let ana = chat.set_up("Ana", "correct horse battery").await.unwrap().caller;
    let cyd = chat.come_in("Cyd").await.unwrap().caller;
    let lobby = chat.rooms_while_signed_in(&ana).await.unwrap().unwrap()[0].1.id;
    let said = chat.post(&cyd, lobby, "hi".into(), Nonce::new("n").unwrap()).await.unwrap();

    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let socket = listener.accept().await.unwrap().0.into_std().unwrap();
    let conn = delivery.reserve(NATIVE);
    let (_arrival, _) = live.register(conn, ana.clone()).await.unwrap();
    delivery.attach(conn, socket, Bytes::new(), Arc::new(Silent));
    let rooms = chat.rooms_while_signed_in(&ana).await.unwrap().unwrap();
    let read = chat.mark_read(&ana, lobby, said.seq).await.unwrap();
    live.greet(conn, Greeting { hello: hello(), rooms });

    let ServerFrame::Hello(hello) = heard(&mut client).await else { panic!("no hello first") };
    assert_ne!(hello.rooms[0].read, read, "the hello was read before the mark moved");
    let ServerFrame::ReadMarked(marked) = heard(&mut client).await else {
        panic!("no mark behind the hello")
    };
    assert_eq!((marked.room, marked.read), (lobby, read));
    chat.close().await;
    live.stop().await;
    delivery.stop();
}
