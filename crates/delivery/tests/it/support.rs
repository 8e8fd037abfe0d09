//! People, the hall that they are connected to, and the calls of their gateways.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use delivery::{
    Closed, ConnId, Delivery, Encoding, Follow, Frame, Gateway, Key, Options, Publication, Shortfall, Socket,
    Stats,
};
use futures_util::{SinkExt, StreamExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::frame::CloseFrame;
use tokio_tungstenite::tungstenite::{Message, protocol::Role};

use crate::line::{Line, Tls};

pub const NATIVE: Encoding = Encoding(0);
pub const SIMPLE: Encoding = Encoding(1);
/// Bytes that are written beside what is said.
pub const RECORD: u64 = 0;
pub const LOBBY: Key = Key(1);
pub const GARDEN: Key = Key(2);

/// Long enough for any machine; only a broken promise waits for it.
const PATIENCE: Duration = Duration::from_secs(20);

/// One call of a gateway.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Told {
    Text(String),
    Binary(Vec<u8>),
    TooOld { key: Key, after: u64, shortfall: Shortfall },
    Lagged { key: Key, last: u64 },
    Drained,
    Taken,
    Closed(Closed),
}

struct Ear {
    told: UnboundedSender<Told>,
    beat: Option<Frame>,
}

impl Ear {
    fn note(&self, told: Told) {
        // A test that has heard enough hangs up.
        let _ = self.told.send(told);
    }
}

impl Gateway for Ear {
    fn on_text(&self, _: ConnId, text: &str) {
        assert_ne!(text, "panic, please");
        self.note(Told::Text(text.to_owned()));
    }

    fn on_binary(&self, _: ConnId, data: &[u8]) {
        self.note(Told::Binary(data.to_vec()));
    }

    fn on_too_old(&self, _: ConnId, key: Key, after: u64, shortfall: Shortfall) {
        self.note(Told::TooOld { key, after, shortfall });
    }

    fn on_lagged(&self, _: ConnId, key: Key, last: u64) {
        self.note(Told::Lagged { key, last });
    }

    fn on_drained(&self, _: ConnId) {
        self.note(Told::Drained);
    }

    fn on_taken(&self, _: ConnId) {
        self.note(Told::Taken);
    }

    fn on_beat(&self, _: ConnId) -> Option<Frame> {
        self.beat.clone()
    }

    fn on_closed(&self, _: ConnId, closed: Closed) {
        self.note(Told::Closed(closed));
    }
}

/// A running delivery and the port of its sockets.
pub struct Hall {
    pub delivery: Delivery,
    listener: TcpListener,
    beat: Option<Frame>,
    tls: Option<Tls>,
}

/// The limits in tests that do not choose others.
pub fn options() -> Options {
    Options { shards: 2, ..Options::default() }
}

pub fn hall() -> Hall {
    hall_with(options())
}

pub fn hall_with(options: Options) -> Hall {
    Hall {
        delivery: Delivery::start(options).unwrap(),
        listener: TcpListener::bind("127.0.0.1:0").unwrap(),
        beat: None,
        tls: None,
    }
}

impl Drop for Hall {
    fn drop(&mut self) {
        self.delivery.stop();
        assert_eq!(self.delivery.connections(), 0);
    }
}

impl Hall {
    pub fn beating(mut self, text: &str) -> Hall {
        self.beat = Some(Frame::text(text));
        self
    }

    /// The same hall, everything in it over TLS.
    pub fn over_tls(mut self) -> Hall {
        self.tls = Some(Tls::new());
        self
    }

    pub fn address(&self) -> SocketAddr {
        self.listener.local_addr().unwrap()
    }

    /// The server's end of the connection that was made last.
    pub fn accepted(&self) -> std::net::TcpStream {
        self.listener.accept().unwrap().0
    }

    /// Attaches a socket. Returns the calls of its gateway.
    pub fn attach(
        &self,
        socket: impl Into<Socket>,
        leftover: &'static [u8],
        encoding: Encoding,
    ) -> (ConnId, UnboundedReceiver<Told>) {
        let (sender, told) = unbounded_channel();
        let conn = self.delivery.reserve(encoding);
        let ear = Ear { told: sender, beat: self.beat.clone() };
        self.delivery.attach(conn, socket, Bytes::from_static(leftover), Arc::new(ear));
        (conn, told)
    }

    /// A connection on which no client speaks WebSocket yet.
    pub async fn raw(&self) -> (Line, ConnId, UnboundedReceiver<Told>) {
        self.raw_speaking(NATIVE).await
    }

    pub async fn raw_speaking(&self, encoding: Encoding) -> (Line, ConnId, UnboundedReceiver<Told>) {
        let (line, socket) = self.line(TcpStream::connect(self.address()).await.unwrap()).await;
        let (conn, told) = self.attach(socket, b"", encoding);
        (line, conn, told)
    }

    pub async fn person(&self) -> Person {
        self.person_speaking(NATIVE).await
    }

    pub async fn person_speaking(&self, encoding: Encoding) -> Person {
        let socket = TcpStream::connect(self.address()).await.unwrap();
        self.seat(socket, encoding).await
    }

    /// A person whose kernel takes little, so that not reading shows early.
    pub async fn lazy_person(&self) -> Person {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4096).unwrap();
        let socket = socket.connect(self.address()).await.unwrap();
        self.seat(socket, NATIVE).await
    }

    async fn seat(&self, socket: TcpStream, encoding: Encoding) -> Person {
        let (line, socket) = self.line(socket).await;
        self.seat_at(line, socket, encoding).await
    }

    /// A person at one end of a plain connection, whose other end may have an allowance.
    pub async fn seat_on(&self, client: TcpStream, socket: Socket, encoding: Encoding) -> Person {
        self.seat_at(Line::Plain(client), socket, encoding).await
    }

    async fn seat_at(&self, line: Line, socket: Socket, encoding: Encoding) -> Person {
        let (conn, told) = self.attach(socket, b"", encoding);
        let socket = WebSocketStream::from_raw_socket(line, Role::Client, None).await;
        Person { conn, socket, told, delivery: self.delivery.clone() }
    }

    /// Both ends of a connection that was just made.
    async fn line(&self, client: TcpStream) -> (Line, Socket) {
        client.set_nodelay(true).unwrap();
        match &self.tls {
            None => (Line::Plain(client), self.accepted().into()),
            Some(tls) => tls.shake_hands(client, self.accepted()).await,
        }
    }

    /// Waits until the counters, which lag behind by a pass, say so.
    pub async fn comes_to_count(&self, what: impl Fn(&Stats) -> bool) {
        let counted = async {
            while !what(&self.delivery.stats()) {
                tokio::task::yield_now().await;
            }
        };
        timeout(PATIENCE, counted).await.expect("never counted");
    }

    pub fn follows(&self, conn: ConnId, key: Key, after: u64, head: u64) {
        self.delivery.follow(Follow::anew(conn, key, after, head));
    }

    /// Publishes a durable frame.
    pub fn says(&self, key: Key, seq: u64, text: impl AsRef<[u8]>) {
        self.publish(key, NATIVE, Some(seq), false, text);
    }

    pub fn publish(&self, key: Key, encoding: Encoding, seq: Option<u64>, cut: bool, text: impl AsRef<[u8]>) {
        self.delivery.publish(key, encoding, Publication { seq, frame: Frame::text(text), cut });
    }
}

/// Somebody connected.
pub struct Person {
    pub conn: ConnId,
    pub socket: WebSocketStream<Line>,
    pub told: UnboundedReceiver<Told>,
    delivery: Delivery,
}

impl Person {
    pub fn follows(&self, key: Key, after: u64, head: u64) {
        self.follows_with(key, after, head, &[]);
    }

    pub fn follows_with(&self, key: Key, after: u64, head: u64, preface: &[&str]) {
        let preface = preface.iter().map(Frame::text).collect();
        self.delivery.follow(Follow { preface, ..Follow::anew(self.conn, key, after, head) });
    }

    /// Follows again, after pages have told what was missing.
    pub fn makes_up_for(&self, shortfall: Shortfall, key: Key, after: u64, head: u64) {
        let makes_up_for = Some(shortfall);
        self.delivery.follow(Follow { conn: self.conn, key, after, head, makes_up_for, preface: Vec::new() });
    }

    /// Waits until the gateway hears that a tail does not reach back so far.
    pub async fn falls_short(&mut self, key: Key, after: u64) -> Shortfall {
        match next(&mut self.told).await {
            Told::TooOld { key: of, after: from, shortfall } if (of, from) == (key, after) => shortfall,
            other => panic!("the tail reaches back: {other:?}"),
        }
    }

    pub fn unfollows(&self, key: Key) {
        self.delivery.unfollow(self.conn, key);
    }

    pub fn is_given(&self, text: &str) {
        self.delivery.unicast(self.conn, Frame::text(text));
    }

    pub async fn says(&mut self, text: &str) {
        self.sends(Message::text(text)).await;
    }

    pub async fn sends(&mut self, message: Message) {
        timeout(PATIENCE, self.socket.send(message)).await.expect("takes too long").unwrap();
    }

    /// The next message of any kind.
    pub async fn message(&mut self) -> Message {
        let message = timeout(PATIENCE, self.socket.next()).await.expect("nothing came");
        message.expect("the connection is over").unwrap()
    }

    /// The next text.
    pub async fn text(&mut self) -> String {
        loop {
            match self.message().await {
                Message::Text(text) => return text.to_string(),
                Message::Ping(_) | Message::Pong(_) => {}
                other => panic!("not a text: {other:?}"),
            }
        }
    }

    pub async fn hears(&mut self, text: &str) {
        assert_eq!(self.text().await, text);
    }

    pub async fn hears_all(&mut self, texts: impl IntoIterator<Item = impl AsRef<str>>) {
        for text in texts {
            self.hears(text.as_ref()).await;
        }
    }

    /// The close frame that comes next.
    pub async fn goodbye(&mut self) -> Option<CloseFrame> {
        loop {
            match self.message().await {
                Message::Close(frame) => return frame,
                Message::Ping(_) | Message::Pong(_) => {}
                other => panic!("not a goodbye: {other:?}"),
            }
        }
    }

    pub async fn is_sent_away(&mut self, code: u16) {
        let frame = self.goodbye().await.expect("a close code");
        assert_eq!(u16::from(frame.code), code);
    }

    pub async fn gateway_is_told(&mut self, told: Told) {
        assert_eq!(next(&mut self.told).await, told);
    }
}

/// A frame of a client; its mask changes nothing.
pub fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first];
    match payload.len() {
        len @ 0..=125 => frame.push(0x80 | len as u8),
        len @ 126..=0xFFFF => {
            frame.push(0x80 | 126);
            frame.extend_from_slice(&(len as u16).to_be_bytes());
        }
        len => {
            frame.push(0x80 | 127);
            frame.extend_from_slice(&(len as u64).to_be_bytes());
        }
    }
    frame.extend_from_slice(&[0; 4]);
    frame.extend_from_slice(payload);
    frame
}

/// The next call of a gateway.
pub async fn next(told: &mut UnboundedReceiver<Told>) -> Told {
    timeout(PATIENCE, told.recv()).await.expect("the gateway was told nothing").expect("a gateway")
}

/// Waits for a blocking call without holding up the people.
pub async fn meanwhile<T: Send + 'static>(call: impl FnOnce() -> T + Send + 'static) -> T {
    timeout(PATIENCE, tokio::task::spawn_blocking(call)).await.expect("takes too long").unwrap()
}
