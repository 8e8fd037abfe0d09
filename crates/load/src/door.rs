//! Asks a server over HTTP for very many things: some threads, each with a connection that is kept.
//!
//! `client::Api` opens a connection for each request, which for tens of thousands of accounts would use up the ports.

use crate::way::Way;
use anyhow::{Context, Result, bail};
use rustls::StreamOwned;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

/// Requests under way at once. The server commits those that come together in one go.
const AT_ONCE: usize = 32;
/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// A connection to a server.
pub struct Door {
    host: String,
    stream: BufReader<Box<dyn Stream>>,
}

/// A connection, plain or encrypted.
trait Stream: Read + Write {}

impl<T: Read + Write> Stream for T {}

impl Door {
    /// Connects.
    ///
    /// # Errors
    /// When no server answers.
    pub fn open(way: &Way) -> Result<Self> {
        let host = way.address.authority().to_owned();
        let stream = TcpStream::connect(way.socket).with_context(|| format!("nobody answers at {host}"))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let stream: Box<dyn Stream> = match way.session()? {
            Some(session) => Box::new(StreamOwned::new(*session, stream)),
            None => Box::new(stream),
        };
        Ok(Self { host, stream: BufReader::new(stream) })
    }

    /// Sends a request and reads the JSON that answers it.
    ///
    /// # Errors
    /// When the server refuses, in its words, or the connection breaks.
    pub fn ask<T: DeserializeOwned>(
        &mut self,
        method: &str,
        path: &str,
        token: Option<&str>,
        body: Option<&Value>,
    ) -> Result<T> {
        let body = body.map(Value::to_string).unwrap_or_default();
        let mut request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n",
            self.host,
            body.len()
        );
        if let Some(token) = token {
            request.push_str(&format!("Authorization: Bearer {token}\r\n"));
        }
        request.push_str("\r\n");
        request.push_str(&body);
        self.stream.get_mut().write_all(request.as_bytes())?;
        let (status, answer) = self.answer()?;
        if !(200..300).contains(&status) {
            bail!("{method} {path}: {status} {}", String::from_utf8_lossy(&answer));
        }
        serde_json::from_slice(&answer).with_context(|| format!("{method} {path}: not the answer expected"))
    }

    fn answer(&mut self) -> Result<(u16, Vec<u8>)> {
        let mut line = String::new();
        self.stream.read_line(&mut line)?;
        let status = line.split(' ').nth(1).and_then(|status| status.parse().ok()).context("not HTTP")?;
        let mut length = 0;
        while line.trim() != "" {
            line.clear();
            self.stream.read_line(&mut line)?;
            if let Some((name, value)) = line.split_once(':')
                && name.eq_ignore_ascii_case("content-length")
            {
                length = value.trim().parse()?;
            }
        }
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body)?;
        Ok((status, body))
    }
}

/// Asks for something for each item, many at once; the answers come in the order of the items.
///
/// # Errors
/// The first refusal.
pub fn ask_all<I: Sync, T: Send>(
    way: &Way,
    items: &[I],
    ask: impl Fn(&mut Door, &I) -> Result<T> + Sync,
) -> Result<Vec<T>> {
    let next = AtomicUsize::new(0);
    let work = || -> Result<Vec<(usize, T)>> {
        let mut door = Door::open(way)?;
        let mut answers = Vec::new();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(item) = items.get(index) else { return Ok(answers) };
            answers.push((index, ask(&mut door, item)?));
        }
    };
    let parts: Vec<Result<Vec<(usize, T)>>> = thread::scope(|scope| {
        let threads: Vec<_> = (0..AT_ONCE.min(items.len())).map(|_| scope.spawn(work)).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap_or_else(|_| bail!("a thread that asked has panicked")))
            .collect()
    });
    let mut answers = Vec::with_capacity(items.len());
    for part in parts {
        answers.extend(part?);
    }
    answers.sort_by_key(|(index, _)| *index);
    Ok(answers.into_iter().map(|(_, answer)| answer).collect())
}
