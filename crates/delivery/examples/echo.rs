//! An echo server on delivery alone, for `scripts/autobahn`. A message comes back by way of a tail, so that tails,
//! flushes and compression are tested with the codec.
//!
//! `echo [ADDRESS]` listens, prints where, and serves until it is killed.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use bytes::Bytes;
use delivery::{
    Closed, ConnId, Deflate, Delivery, Encoding, Follow, Frame, Gateway, Key, Options, Publication, Shortfall,
};

/// Autobahn's largest message.
const MAX_MESSAGE: usize = 16 << 20;
const MAX_REQUEST: usize = 16 << 10;
const ECHO: Encoding = Encoding(0);

/// Sends each message back to the connection that it came from.
struct Echo {
    delivery: Delivery,
    seq: AtomicU64,
}

impl Echo {
    fn publish(&self, conn: ConnId, frame: Frame) {
        let (key, told) = (Key(conn.number()), self.seq.fetch_add(1, Ordering::Relaxed));
        if told == 0 {
            // On the thread that publishes, so that the first message cannot come before its listener.
            self.delivery.follow(Follow::anew(conn, key, 0, 0));
        }
        self.delivery.publish(key, ECHO, Publication { seq: Some(told + 1), frame, cut: false });
        self.delivery.answered(conn);
    }
}

impl Gateway for Echo {
    fn on_text(&self, conn: ConnId, text: &str) {
        self.publish(conn, Frame::text(text));
    }

    fn on_binary(&self, conn: ConnId, data: &[u8]) {
        self.publish(conn, Frame::binary(data));
    }

    fn on_too_old(&self, _: ConnId, _: Key, _: u64, _: Shortfall) {}

    fn on_lagged(&self, conn: ConnId, _: Key, _: u64) {
        self.delivery.close(conn, 1013, "too slow");
    }

    fn on_drained(&self, _: ConnId) {}

    fn on_beat(&self, _: ConnId) -> Option<Frame> {
        None
    }

    fn on_closed(&self, _: ConnId, _: Closed) {}
}

fn main() -> io::Result<()> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:0".to_owned());
    let options = Options {
        max_message: MAX_MESSAGE,
        tail_bytes: 4 * MAX_MESSAGE,
        tails_total: 64 * MAX_MESSAGE,
        ..Options::default()
    };
    let delivery = Delivery::start(options)?;
    let listener = TcpListener::bind(address)?;
    println!("ws://{}", listener.local_addr()?);
    for socket in listener.incoming() {
        let delivery = delivery.clone();
        thread::spawn(move || {
            let welcomed = socket.and_then(|socket| welcome(&delivery, socket));
            if let Err(error) = welcomed {
                eprintln!("a handshake failed: {error}");
            }
        });
    }
    Ok(())
}

fn welcome(delivery: &Delivery, mut socket: TcpStream) -> io::Result<()> {
    let (request, leftover) = read_request(&mut socket)?;
    let values = |name: &str| {
        let lines = request.lines().filter_map(|line| line.split_once(':'));
        let mine = lines.filter(move |(given, _)| given.eq_ignore_ascii_case(name));
        mine.map(|(_, value)| value.trim()).collect::<Vec<_>>()
    };
    let key = values("sec-websocket-key").first().and_then(|key| delivery::accept_key(key));
    let offers = values("sec-websocket-extensions");
    let agreed = Deflate::negotiate(offers.iter().map(|offer| offer.as_bytes()));
    let (Some(accept), Ok(deflate)) = (key, agreed) else {
        return socket
            .write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    };
    let extensions = deflate.map(|deflate| format!("Sec-WebSocket-Extensions: {}\r\n", deflate.answer()));
    let answer = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {accept}\r\n{}\r\n",
        extensions.unwrap_or_default()
    );
    socket.write_all(answer.as_bytes())?;
    let conn = delivery.reserve(if deflate.is_some() { ECHO.deflated() } else { ECHO });
    let echo = Echo { delivery: delivery.clone(), seq: AtomicU64::new(0) };
    delivery.attach(conn, socket, leftover, Arc::new(echo));
    Ok(())
}

/// The head of a request, and what was read behind it.
fn read_request(socket: &mut TcpStream) -> io::Result<(String, Bytes)> {
    let (mut bytes, mut piece) = (Vec::new(), [0; 2048]);
    loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            let leftover = Bytes::from(bytes.split_off(end + 4));
            let head = String::from_utf8(bytes).map_err(|_| io::ErrorKind::InvalidData)?;
            return Ok((head, leftover));
        }
        match socket.read(&mut piece)? {
            len if len > 0 && bytes.len() < MAX_REQUEST => bytes.extend_from_slice(&piece[..len]),
            _ => return Err(io::ErrorKind::InvalidData.into()),
        }
    }
}
