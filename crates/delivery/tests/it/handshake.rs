//! The opening handshake, as far as it is ours.

use std::io::{Read, Write};

use delivery::accept_key;
use tokio::net::TcpStream;
use tokio_tungstenite::client_async;
use tokio_tungstenite::tungstenite::Message;

use crate::support::{NATIVE, Told, hall, meanwhile, next};

/// Answers an upgrade as an HTTP server would.
fn answer_upgrade(mut socket: std::net::TcpStream) -> std::net::TcpStream {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        socket.read_exact(&mut byte).unwrap();
        request.push(byte[0]);
    }
    let request = String::from_utf8(request).unwrap();
    let key = request.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Key: ")).unwrap();
    let answer = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {}\r\n\r\n",
        accept_key(key).unwrap()
    );
    socket.write_all(answer.as_bytes()).unwrap();
    socket
}

#[tokio::test]
async fn a_foreign_client_accepts_our_handshake() {
    use futures_util::{SinkExt, StreamExt};

    let hall = hall();
    let socket = TcpStream::connect(hall.address()).await.unwrap();
    let accepted = hall.accepted();
    let answered = meanwhile(move || answer_upgrade(accepted));
    let (answered, client) = tokio::join!(answered, client_async("ws://localhost/ws", socket));
    let (mut client, _) = client.unwrap();
    let (conn, mut told) = hall.attach(answered, b"", NATIVE);

    client.send(Message::text("hello")).await.unwrap();
    assert_eq!(next(&mut told).await, Told::Text("hello".to_owned()));
    hall.delivery.reply(conn, vec![delivery::Frame::text("hello yourself")]);
    assert_eq!(client.next().await.unwrap().unwrap(), Message::text("hello yourself"));
}

#[tokio::test]
async fn what_was_read_behind_the_handshake_is_heard_first() {
    use tokio::io::AsyncWriteExt;

    let hall = hall();
    let mut socket = TcpStream::connect(hall.address()).await.unwrap();
    socket.write_all(b"\0\0lo").await.unwrap();
    let (_, mut told) = hall.attach(hall.accepted(), b"\x81\x83\0\0\0\0hel\x81\x82\0\0", NATIVE);

    assert_eq!(next(&mut told).await, Told::Text("hel".to_owned()));
    assert_eq!(next(&mut told).await, Told::Text("lo".to_owned()));
}
